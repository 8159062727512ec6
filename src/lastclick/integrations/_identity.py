"""Which attempt a request belongs to: a first-party cookie, or a signed value in its place."""

import re
import secrets
from base64 import urlsafe_b64encode
from datetime import timedelta
from hashlib import blake2b
from typing import Literal, TypeAlias

import attrs
from itsdangerous import URLSafeTimedSerializer

from lastclick.errors import ConfigError, shown

SameSite: TypeAlias = Literal["Lax", "Strict", "None"]

#: An id of 128 random bits, whether it has ordered, and a digest of the latest order.
_VALUE = re.compile(r"([A-Za-z0-9_-]{22})(\.o)?(?:\.([A-Za-z0-9_-]{11}))?")
_LONGEST = 36

#: Beyond it the date on which a cookie ends may have no name.
_LONGEST_AGE = timedelta(days=3653)


@attrs.frozen(kw_only=True)
class Cookie:
    """The first-party cookie that carries the attempt's id, and how it is set.

    It is httponly, and holds 128 random bits and whether they have ordered; nothing about the
    shopper.

    Args:
        name: Its name.
        max_age: For how long a browser keeps it after the latest tracked page.
        path: For which paths.
        domain: For which domain; None for the host that set it.
        samesite: ``"Lax"``, ``"Strict"`` or ``"None"``. A payment provider's page that posts the
            shopper back brings no Lax cookie: use the handle's ``token()`` there.
        secure: Over TLS only; None for whatever the request came by.

    Raises:
        ConfigError: A setting cannot be used.

    Example:
        >>> Cookie(name="shop_attempt").max_age.days
        30

    .. versionadded:: 0.1.0
    """

    name: str = "lastclick"
    max_age: timedelta = timedelta(days=30)
    path: str = "/"
    domain: str | None = None
    samesite: SameSite = "Lax"
    secure: bool | None = None

    def __attrs_post_init__(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            raise ConfigError(f"the cookie's name is {shown(name)}; use letters, digits, _ and -")
        max_age: object = self.max_age
        shortest = timedelta(seconds=1)
        if not isinstance(max_age, timedelta) or not shortest <= max_age <= _LONGEST_AGE:
            msg = f"max_age is {shown(max_age)}; pass a timedelta, of a second to ten years"
            raise ConfigError(msg)
        path: object = self.path
        if not isinstance(path, str) or not re.fullmatch(r"/[!-:<-~]*", path):
            msg = f"the cookie's path is {shown(path)}; pass one such as '/shop', in plain ASCII"
            raise ConfigError(msg)
        domain: object = self.domain
        named = isinstance(domain, str) and re.fullmatch(r"[A-Za-z0-9_.-]+", domain)
        if domain is not None and not named:
            msg = f"the cookie's domain is {shown(domain)}; pass 'shop.example', in plain ASCII"
            raise ConfigError(msg)
        if self.secure is not None and not isinstance(self.secure, bool):
            raise ConfigError(f"secure is {shown(self.secure)}; pass True, False or None")
        if self.samesite not in ("Lax", "Strict", "None"):
            msg = f"samesite is {shown(self.samesite)}; pass 'Lax', 'Strict' or 'None'"
            raise ConfigError(msg)
        if self.samesite == "None" and self.secure is False:
            raise ConfigError("browsers refuse a cookie with samesite='None' that is not secure")

    def is_secure(self, *, tls: bool) -> bool:
        """Whether to mark it so, for a request that came over TLS or not."""
        return tls if self.secure is None else self.secure


@attrs.frozen
class Attempt:
    """What the cookie says: which attempt, whether it has ordered, and the latest order seen.

    Attributes:
        id: The attempt's id.
        ordered: An order of it was recorded: the next first step begins a new one.
        last: A digest of the latest order: its thank-you page, shown again, ends nothing.
    """

    id: str
    ordered: bool = False
    last: str | None = None

    @classmethod
    def new(cls, last: str | None = None) -> "Attempt":
        """One that nobody has heard of."""
        return cls(secrets.token_urlsafe(16), last=last)

    @classmethod
    def read(cls, value: str) -> "Attempt | None":
        """What a cookie's value says; None where it is none of ours."""
        parts = _VALUE.fullmatch(value) if len(value) <= _LONGEST else None
        return None if parts is None else cls(parts[1], parts[2] is not None, parts[3])

    @property
    def value(self) -> str:
        """How it is written to the cookie."""
        return f"{self.id}{'.o' if self.ordered else ''}{f'.{self.last}' if self.last else ''}"

    def with_order(self, order: str) -> "Attempt":
        """The same, with an order recorded."""
        return attrs.evolve(self, ordered=True, last=digest(order))

    def after_thanks(self, order: str | None) -> "Attempt":
        """The attempt after the thank-you page of an order, None if the page does not tell which.

        A new one; the same where the page of an earlier order is only shown again.
        """
        last = self.last if order is None else digest(order)
        again = order is not None and last == self.last
        return self if again and not self.ordered else Attempt.new(last)


def cookie_in(header: str | None, name: str) -> str | None:
    """The value of a cookie in a request's header, as it was sent; None where there is none."""
    found = None
    for part in (header or "").split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            found = value.strip().strip('"')
    return found


def digest(order: str) -> str:
    """Eight bytes of an order's name: enough to know it again, and not to tell it."""
    hashed = blake2b(order.encode(errors="replace"), digest_size=8).digest()
    return urlsafe_b64encode(hashed).decode().rstrip("=")


class Bridge:
    """Carries an attempt over to another session, as a signed value.

    Args:
        secret: The shop's own secret.
    """

    def __init__(self, secret: str | bytes) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt="lastclick attempt")

    def token(self, attempt_id: str) -> str:
        """The signed value."""
        return str(self._serializer.dumps(attempt_id))

    def read(self, token: str, max_age: timedelta) -> str:
        """The attempt's id; raises whatever it may where the value is forged, too old or none."""
        return str(self._serializer.loads(token, max_age=int(max_age.total_seconds())))
