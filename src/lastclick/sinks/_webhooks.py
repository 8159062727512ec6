"""Signatures of request bodies, as Standard Webhooks 1.0 has them: HMAC-SHA256 with shared secrets.

The sender signs the message id, the time and the content with every secret it has; the receiver is
content with one signature that any of its own secrets makes. So secrets change without a gap: the
receiver learns the new one, then the senders change to it, then the receiver forgets the old one.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping

from lastclick.errors import ConfigError, LastclickError

#: How far, in seconds, the time of signing may be from the receiver's clock, either way.
TOLERANCE_S = 300

_ID = "webhook-id"
_TIMESTAMP = "webhook-timestamp"
_SIGNATURE = "webhook-signature"

_PREFIX = "whsec_"
_VERSION = "v1,"

#: The length of a key, in bytes, as the specification bounds it.
_SHORTEST, _LONGEST = 24, 64

#: It divides what is signed. If an id could hold it, a part of the content could pass as the time.
_DIVIDER = "."

_MAKE_ONE = 'make one with: echo "whsec_$(openssl rand -base64 32)"'


class SignatureError(LastclickError, ValueError):
    """A request is not signed, not in time, or not by a secret of ours.

    Attributes:
        reason: ``"not_signed"``, ``"bad_timestamp"``, ``"stale"`` or ``"wrong_signature"``.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Secrets:
    """The keys to sign or to verify with; shown by their number only.

    Args:
        secrets: ``"whsec_<base64>"``, or several.

    Raises:
        ConfigError: There is none, or one is not a secret. The message does not show it.
    """

    __slots__ = ("_keys",)

    def __init__(self, secrets: str | Iterable[str]) -> None:
        single = isinstance(secrets, str) or not isinstance(secrets, Iterable)
        texts = (secrets,) if single else tuple(secrets)
        found = [_key(text) for text in texts]
        self._keys = tuple(key for key in found if isinstance(key, bytes))
        numbered = [(place, one) for place, one in enumerate(found, 1) if isinstance(one, str)]
        flaw = None if found else "no secret to sign or verify with"
        if numbered:
            flaw = f"secret {numbered[0][0]} of {len(found)} {numbered[0][1]}"
        # Error trackers show the variables of the frame that raised.
        del secrets, texts, found
        if flaw is not None:
            raise ConfigError(f"{flaw}; {_MAKE_ONE}")

    def __repr__(self) -> str:
        return f"<{len(self._keys)} secrets>"

    def signatures(self, message_id: str, timestamp: int, content: bytes) -> list[bytes]:
        """The signature that each key makes, as it stands in the header."""
        signed = f"{message_id}{_DIVIDER}{timestamp}{_DIVIDER}".encode() + content
        digests = [hmac.digest(key, signed, "sha256") for key in self._keys]
        return [_VERSION.encode() + base64.b64encode(digest) for digest in digests]


def _key(text: object) -> bytes | str:
    """The key that a secret stands for, or what is wrong with it.

    It raises nothing: a traceback would show the secret among the variables here.
    """
    if not isinstance(text, str) or not text.startswith(_PREFIX):
        return f"does not begin with {_PREFIX!r}"
    encoded = text.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):  # a ValueError is text that is not ASCII
        return f"is not base64 after {_PREFIX!r}"
    if not _SHORTEST <= len(key) <= _LONGEST:
        return f"is a key of {len(key)} bytes, and should be one of {_SHORTEST} to {_LONGEST}"
    return key


def sign(secrets: Secrets, message_id: str, timestamp: int, content: bytes) -> dict[str, str]:
    """The headers that sign a request.

    Args:
        secrets: The keys; there is one signature for each.
        message_id: The same however often the message is sent; ASCII without a dot.
        timestamp: The time of this attempt, in whole seconds since 1970.
        content: The body, before it is compressed.

    Example:
        >>> key = Secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        >>> headers = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        >>> headers["webhook-signature"]
        'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    assert message_id.isascii()
    assert _DIVIDER not in message_id
    signatures = secrets.signatures(message_id, timestamp, content)
    return {
        _ID: message_id,
        _TIMESTAMP: str(timestamp),
        _SIGNATURE: b" ".join(signatures).decode(),
    }


def verify(
    secrets: Secrets,
    headers: Mapping[str, str],
    content: bytes,
    now: float,
    tolerance: float = TOLERANCE_S,
) -> None:
    """Say nothing if the request was signed with one of the secrets, not long ago.

    The message id is not remembered: a retry is signed anew under the same id, and what is sent
    twice is recognised by the ids of its events.

    Args:
        secrets: The keys; one that fits is enough.
        headers: Of the request, by names in lower case.
        content: The body, after it was decompressed.
        now: In seconds since 1970.
        tolerance: How far the time of signing may be from now, in seconds, either way.

    Raises:
        SignatureError: It was not; the message and ``reason`` say what is wrong.
    """
    message_id = _header(headers, _ID)
    timestamp = _header(headers, _TIMESTAMP)
    given = _header(headers, _SIGNATURE)
    if _DIVIDER in message_id:
        raise SignatureError(f"{_ID} has a {_DIVIDER!r} in it", "wrong_signature")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        msg = f"{_TIMESTAMP} is not in whole seconds since 1970: {timestamp!r:.40}"
        raise SignatureError(msg, "bad_timestamp")
    late = now - int(timestamp)
    if abs(late) > tolerance:
        where = f"{late:.0f} seconds ago" if late > 0 else f"{-late:.0f} seconds in the future"
        msg = f"signed {where}; at most {tolerance:.0f} are taken: are the clocks right?"
        raise SignatureError(msg, "stale")
    # Other versions (v1a) may stand beside ours.
    ours = secrets.signatures(message_id, int(timestamp), content)
    theirs = [one.encode() for one in given.split()]
    if not any(hmac.compare_digest(one, other) for one in ours for other in theirs):
        msg = "no signature fits: another secret, or the body was changed on its way"
        raise SignatureError(msg, "wrong_signature")


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise SignatureError(f"the header {name} is missing", "not_signed")
    return value
