"""Signatures as Standard Webhooks has them, held against the SDK of those who specify it."""

import base64
import os
import time
import traceback
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.errors import ConfigError
from lastclick.sinks._webhooks import Secrets, SignatureError, sign, verify

NOW = 1_790_000_000
CONTENT = b'{"v":1}\n'


def secret(number: int = 1) -> str:
    """A secret that can be told by its number."""
    return "whsec_" + base64.b64encode(bytes([number]) * 32).decode()


def refusal(headers: dict[str, str], content: bytes = CONTENT, now: float = NOW) -> str | None:
    """Why a request is refused by the receiver with the first secret; None if it is not."""
    try:
        verify(Secrets(secret()), headers, content, now)
    except SignatureError as error:
        return error.reason
    return None


# Held against the SDK ----------------------------------------------------------------------------


@given(content=st.text(max_size=300), key=st.binary(min_size=24, max_size=64))
def test_the_sdk_verifies_what_we_sign(content: str, key: bytes) -> None:
    """A receiver with the Standard Webhooks SDK takes our signatures."""
    sdk = pytest.importorskip("standardwebhooks")
    text = "whsec_" + base64.b64encode(key).decode()

    headers = sign(Secrets(text), "msg-1", int(time.time()), content.encode())

    sdk.Webhook(text).verify(content, headers, json_parse=False)


@given(content=st.text(max_size=300), key=st.binary(min_size=24, max_size=64))
def test_we_verify_what_the_sdk_signs(content: str, key: bytes) -> None:
    """A sender with the Standard Webhooks SDK is believed."""
    sdk = pytest.importorskip("standardwebhooks")
    text = "whsec_" + base64.b64encode(key).decode()
    signature = sdk.Webhook(text).sign("msg-1", datetime.fromtimestamp(NOW, UTC), content)
    headers = {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(NOW),
        "webhook-signature": signature,
    }

    verify(Secrets(text), headers, content.encode(), NOW)


def test_the_sdk_finds_the_signature_of_the_secret_it_knows() -> None:
    """While secrets change, receivers with the old one or the new one take the same request."""
    sdk = pytest.importorskip("standardwebhooks")

    headers = sign(Secrets([secret(1), secret(2)]), "msg-1", int(time.time()), CONTENT)

    for known in (secret(1), secret(2)):
        sdk.Webhook(known).verify(CONTENT, headers)
    with pytest.raises(sdk.WebhookVerificationError):
        sdk.Webhook(secret(3)).verify(CONTENT, headers)


# Verifying ---------------------------------------------------------------------------------------


def test_a_signature_holds_for_five_minutes_either_way() -> None:
    """Clocks may differ, and a request may take its time; what is older may be a recording."""
    headers = sign(Secrets(secret()), "msg-1", NOW, CONTENT)

    refused = {now - NOW: refusal(headers, now=now) for now in (NOW - 301, NOW - 300, NOW + 300)}

    assert refused == {-301: "stale", -300: None, 300: None}
    assert refusal(headers, now=NOW + 300.5) == "stale"


def test_what_was_signed_cannot_be_changed() -> None:
    """The content, the id and the time are all under the signature."""
    headers = sign(Secrets(secret()), "msg-1", NOW, CONTENT)

    assert refusal(headers) is None
    assert refusal(headers, CONTENT + b" ") == "wrong_signature"
    assert refusal({**headers, "webhook-id": "msg-2"}) == "wrong_signature"
    assert refusal({**headers, "webhook-timestamp": str(NOW + 1)}) == "wrong_signature"


def test_a_part_of_the_content_cannot_pass_as_the_time() -> None:
    """What is signed is divided by dots; an id with one would move the parts."""
    headers = sign(Secrets(secret()), "msg-1", NOW, f"{NOW}.rest".encode())

    moved = {**headers, "webhook-id": f"msg-1.{NOW}"}

    assert refusal(moved, b"rest") == "wrong_signature"


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_without_a_header_a_request_is_not_signed(name: str) -> None:
    """All three must be there, and the message names the one that is missing."""
    headers = sign(Secrets(secret()), "msg-1", NOW, CONTENT)
    del headers[name]

    with pytest.raises(SignatureError, match=name) as refused:
        verify(Secrets(secret()), headers, CONTENT, NOW)

    assert refused.value.reason == "not_signed"


@pytest.mark.parametrize("text", ["now", "-5", "1e9", "1790000000.5", "\u0661", "9" * 5000])
def test_a_time_is_whole_seconds(text: str) -> None:
    """Whatever else a sender writes there is refused, however long it is."""
    headers = sign(Secrets(secret()), "msg-1", NOW, CONTENT)

    assert refusal({**headers, "webhook-timestamp": text}) == "bad_timestamp"


@pytest.mark.parametrize("given", ["v1", "v1,", "v1,AAAA", "v1a,{}", "{}", "v1,\u00e9", "x y z"])
def test_what_is_no_signature_of_ours_does_not_fit(given: str) -> None:
    """Other versions, broken ones and foreign letters are passed over, and nothing else is left."""
    headers = sign(Secrets(secret()), "msg-1", NOW, CONTENT)
    digest = headers["webhook-signature"].removeprefix("v1,")

    assert refusal({**headers, "webhook-signature": given.format(digest)}) == "wrong_signature"


def test_secrets_change_without_a_gap() -> None:
    """First the receiver knows both, then the senders change; none is refused at any time."""
    old, new = Secrets(secret(1)), Secrets(secret(2))
    both = Secrets([secret(1), secret(2)])

    for sender, receiver in ((old, both), (both, both), (new, both), (both, old), (both, new)):
        verify(receiver, sign(sender, "msg-1", NOW, CONTENT), CONTENT, NOW)
    with pytest.raises(SignatureError):
        verify(new, sign(old, "msg-1", NOW, CONTENT), CONTENT, NOW)


# Secrets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        ((), "no secret"),
        ("hunter2", "secret 1 of 1 does not begin with 'whsec_'"),
        ("", "secret 1 of 1 does not begin with 'whsec_'"),
        ((secret(), None), "secret 2 of 2 does not begin with"),
        ("whsec_hunter2!", "is not base64"),
        ("whsec_h\u00fcnter2", "is not base64"),
        ((secret(), "whsec_aHVudGVyMg"), "secret 2 of 2 is a key of 7 bytes"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "is a key of 65 bytes"),
    ],
)
def test_what_is_no_secret_is_refused_unseen(secrets: object, told: str) -> None:
    """The message says what is wrong and how to make a right one, and does not show it."""
    with pytest.raises(ConfigError) as refused:
        Secrets(secrets)

    assert told in str(refused.value)
    assert "openssl rand" in str(refused.value)
    assert "unter2" not in f"{refused.value!r}"


def report(call, *arguments: object) -> str:
    """What an error tracker shows of a call that fails, but for the frame that made it."""
    try:
        call(*arguments)
    except (ConfigError, SignatureError) as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        told.stack.pop(0)
        return "".join(told.format())
    return ""


def test_no_error_report_shows_a_secret() -> None:
    """Not with the variables of every frame of ours, which error trackers collect too."""
    wrong = "whsec_" + base64.b64encode(os.urandom(7)).decode()
    key = base64.b64decode(secret())

    shown = [report(Secrets, iter([wrong])), report(Secrets, [secret(), wrong])]
    shown.append(report(verify, Secrets(secret()), {}, CONTENT, NOW))
    text = "".join(shown) + repr(Secrets(secret()))

    assert "is a key of 7 bytes" in text
    assert "webhook-id is missing" in text
    assert wrong not in text
    assert secret() not in text
    assert repr(key) not in text


def test_a_secret_may_be_unpadded() -> None:
    """Some tools leave the padding of base64 away."""
    padded, bare = Secrets(secret()), Secrets(secret().rstrip("="))

    assert sign(padded, "msg-1", NOW, CONTENT) == sign(bare, "msg-1", NOW, CONTENT)
