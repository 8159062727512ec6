"""Hooks for ``before_emit`` that keep what need not be known out of the log."""

import hashlib
from collections.abc import Callable

from lastclick.errors import ConfigError
from lastclick.events import ShopperEvent

__all__ = ["pseudonymize", "redact"]

_KEY_BYTES = 16


def pseudonymize(key: bytes | str) -> Callable[[ShopperEvent], ShopperEvent]:
    """Replace ``customer_id`` by a keyed hash of it: 32 hexadecimal digits of BLAKE2b.

    The same customer gets the same pseudonym under the same key, so journeys still join; without
    the key nobody can go back or compare with a list of customers.

    Args:
        key: At least 16 bytes, kept secret and kept the same: another key makes every customer a
            new one. Text is taken as UTF-8.

    Raises:
        ConfigError: The key is not text or bytes, or shorter than 16 or longer than 64 bytes.

    Example:
        >>> from lastclick import Funnel
        >>> from lastclick.sinks import MemorySink
        >>> sink = MemorySink()
        >>> hide = pseudonymize("a secret of the shop")
        >>> funnel = Funnel("checkout", steps=("cart",), sink=sink, before_emit=(hide,))
        >>> funnel.checkout("c-1", customer_id="ada@example.com").enter("cart")
        >>> len(sink.events[0].customer_id)
        32

    .. versionadded:: 0.1.0
    """
    secret = _secret(key)

    def hook(event: ShopperEvent, /) -> ShopperEvent:
        if event.customer_id is None:
            return event
        digest = hashlib.blake2b(event.customer_id.encode(), key=secret, digest_size=16)
        return event.model_copy(update={"customer_id": digest.hexdigest()})

    return hook


def redact(*names: str) -> Callable[[ShopperEvent], ShopperEvent]:
    """Leave the named attributes out of every event.

    Args:
        names: The attributes' names.

    Raises:
        ConfigError: No name was given, or one is not text.

    Example:
        >>> from lastclick import Funnel
        >>> from lastclick.sinks import MemorySink
        >>> sink = MemorySink()
        >>> funnel = Funnel("checkout", steps=("cart",), sink=sink, before_emit=(redact("email"),))
        >>> funnel.checkout("c-1", attributes={"email": "a@b.c", "device": "tv"}).enter("cart")
        >>> sink.events[0].attributes
        {'device': 'tv'}

    .. versionadded:: 0.1.0
    """
    if not names or not all(isinstance(name, str) for name in names):
        msg = f"redact needs the names of attributes, such as redact('email'); it got {names!r}"
        raise ConfigError(msg)

    def hook(event: ShopperEvent, /) -> ShopperEvent:
        kept = {name: value for name, value in event.attributes.items() if name not in names}
        if len(kept) == len(event.attributes):
            return event
        return event.model_copy(update={"attributes": kept})

    return hook


def _secret(key: object) -> bytes:
    if not isinstance(key, str | bytes):  # bytes(20) would be 20 zeros, a key that all can guess
        msg = f"the key is {type(key).__name__}; pass {_KEY_BYTES} to 64 secret bytes, or text"
        raise ConfigError(msg)
    secret = key.encode() if isinstance(key, str) else key
    if not _KEY_BYTES <= len(secret) <= hashlib.blake2b.MAX_KEY_SIZE:
        msg = f"the key has {len(secret)} bytes; pass {_KEY_BYTES} to 64 secret bytes"
        raise ConfigError(msg)
    return secret
