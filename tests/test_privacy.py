"""What need not be known is kept out of the log, and journeys still join."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given

from lastclick import Funnel, Money
from lastclick.errors import ConfigError
from lastclick.events import ShopperEvent, StepEntered, parse_line
from lastclick.privacy import pseudonymize, redact
from lastclick.sinks import MemorySink
from tests.event_strategies import ids, shopper_events

KEY = "a secret of the shop"
ADA = "ada@example.com"


def recorded(*hooks: Any, customer_id: Any = ADA, **attributes: Any) -> ShopperEvent:
    """An event as it is in the log behind these hooks."""
    sink = MemorySink()
    funnel = Funnel("checkout", steps=("cart",), sink=sink, before_emit=hooks)
    funnel.checkout("c-1", customer_id=customer_id, attributes=attributes).enter(
        "cart", value=Money("59.90", "EUR")
    )
    [event] = sink.events
    assert parse_line(event.line) == event
    return event


# Pseudonyms ---------------------------------------------------------------------------------------


def test_a_customer_becomes_a_pseudonym() -> None:
    """The customer's id is nowhere in the line; 32 hexadecimal digits stand in its place."""
    event = recorded(pseudonymize(KEY))

    assert event.customer_id is not None
    assert len(event.customer_id) == 32
    assert int(event.customer_id, 16)
    assert ADA.encode() not in event.line
    assert json.loads(event.line)["customer_id"] == event.customer_id


def test_a_pseudonym_is_stable() -> None:
    """The same customer is the same pseudonym in every event, process and year under one key."""
    one, other = recorded(pseudonymize(KEY)), recorded(pseudonymize(KEY.encode()))

    assert one.customer_id == other.customer_id == "3935079d86e4a52484486fcc61805313"


def test_a_pseudonym_depends_on_the_key() -> None:
    """Two shops with two keys cannot compare their customers."""
    one, other = recorded(pseudonymize(KEY)), recorded(pseudonymize(KEY + "!"))

    assert one.customer_id != other.customer_id


def test_a_pseudonym_is_no_plain_hash() -> None:
    """Who hashes a list of customers without the key finds none of them."""
    event = recorded(pseudonymize(KEY))

    plain = {
        getattr(hashlib, name)(text.encode()).hexdigest()[:32]
        for name in ("md5", "sha1", "sha256", "sha512", "blake2b", "blake2s")
        for text in (ADA, KEY + ADA, ADA + KEY)
    }
    plain.add(hashlib.blake2b(ADA.encode(), digest_size=16).hexdigest())
    plain.add(hmac.new(b"", ADA.encode(), "sha256").hexdigest()[:32])
    assert event.customer_id not in plain


def test_a_pseudonym_is_blake2b_keyed() -> None:
    """With the key anybody can compute the pseudonym of a customer, in any language."""
    event = recorded(pseudonymize(KEY))

    assert (
        event.customer_id
        == hashlib.blake2b(ADA.encode(), key=KEY.encode(), digest_size=16).hexdigest()
    )


def test_customers_stay_apart() -> None:
    """Two customers are two pseudonyms, also where their ids look alike."""
    made = {
        recorded(pseudonymize(KEY), customer_id=given).customer_id
        for given in (ADA, "Ada@example.com", "1", 2, " 1", "u-1", "u-2")
    }

    assert len(made) == 7


def test_an_int_and_its_text_are_one_customer() -> None:
    """Ids are text before they are hashed, so the two ways to pass one give one pseudonym."""
    hook = pseudonymize(KEY)

    assert recorded(hook, customer_id=7).customer_id == recorded(hook, customer_id="7").customer_id


def test_an_event_without_a_customer_stays_without() -> None:
    """Nobody becomes nobody: no pseudonym for None."""
    event = recorded(pseudonymize(KEY), customer_id=None)

    assert event.customer_id is None


@given(shopper_events, ids)
def test_a_pseudonym_changes_nothing_else(event: ShopperEvent, customer_id: str) -> None:
    """Every other field of every class of event is as it was."""
    event = event.model_copy(update={"customer_id": customer_id})

    hidden = pseudonymize(KEY)(event)

    assert type(hidden) is type(event)
    assert hidden.customer_id not in {None, customer_id}
    assert repr(hidden.model_copy(update={"customer_id": customer_id})) == repr(event)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", ["0 bytes", "16 to 64"]),
        ("short", ["5 bytes", "16 to 64"]),
        (b"x" * 15, ["15 bytes"]),
        (b"x" * 65, ["65 bytes"]),
        (20, ["int", "16 to 64", "bytes"]),  # bytes(20) would be a key of zeros
        (None, ["NoneType"]),
        (["x"] * 20, ["list"]),
    ],
)
def test_a_key_that_is_no_secret_is_refused(key: Any, said: list[str]) -> None:
    """A key that could be guessed is an error at once, which does not show the key."""
    with pytest.raises(ConfigError) as caught:
        pseudonymize(key)

    for part in said:
        assert part in str(caught.value)
    assert "short" not in str(caught.value)


@pytest.mark.parametrize("key", ["\u20ac" * 6, b"x" * 16, b"\x00" * 64])
def test_a_key_may_have_16_to_64_bytes(key: Any) -> None:
    """What counts is the number of bytes, for text that of its UTF-8."""
    assert recorded(pseudonymize(key)).customer_id != ADA


# Redaction ----------------------------------------------------------------------------------------


def test_named_attributes_are_left_out() -> None:
    """What is named is nowhere in the line; the rest is as it was."""
    event = recorded(
        redact("email", "phone"), customer_id="u-7", email=ADA, device="tv", coupon=None
    )

    assert event.attributes == {"device": "tv", "coupon": None}
    assert ADA.encode() not in event.line
    assert isinstance(event, StepEntered)
    assert (event.checkout_id, event.value) == ("c-1", Money("59.90", "EUR"))


def test_an_event_without_the_named_attributes_is_untouched() -> None:
    """Where there is nothing to leave out, the event itself goes on, at no cost."""
    event = recorded(device="tv")

    assert redact("email")(event) is event


def test_all_attributes_may_be_left_out() -> None:
    """An event whose attributes are all redacted has none in its line."""
    event = recorded(redact("email"), email=ADA)

    assert event.attributes == {}
    assert b"attributes" not in event.line


def test_names_are_exact() -> None:
    """A name is that name: no pattern, no other case."""
    event = recorded(redact("email"), Email="a", email_domain="b", email="c")

    assert event.attributes == {"Email": "a", "email_domain": "b"}


@pytest.mark.parametrize("names", [(), (1,), ("email", None), (["email"],)])
def test_what_names_no_attribute_is_refused(names: tuple[Any, ...]) -> None:
    """A redaction of nothing is an error at once, with an example."""
    with pytest.raises(ConfigError) as caught:
        redact(*names)

    assert repr(names) in str(caught.value)
    assert "redact('email')" in str(caught.value)


def test_both_hooks_in_a_row() -> None:
    """The two work together, in either order."""
    one = recorded(pseudonymize(KEY), redact("email"), email=ADA, device="tv")
    other = recorded(redact("email"), pseudonymize(KEY), email=ADA, device="tv")

    assert ADA.encode() not in one.line + other.line
    assert (one.customer_id, one.attributes) == (other.customer_id, other.attributes)
