"""Who is left without reminders, so that what reminders cause can be told."""

import hashlib
import hmac
import re
from decimal import Decimal, InvalidOperation
from typing import Literal, cast

from typing_extensions import override

from lastclick.errors import ConfigError, EventError, shown
from lastclick.events import SHARE, id_text

_SPACE = 2**64


class Arm(str):
    """An arm, ``"treated"`` or ``"holdout"``, that remembers the share it was drawn with.

    `Checkout.assign` writes the share to the log, by which a report sees a split that broke.
    """

    __slots__ = ("share",)

    share: str

    def __new__(cls, name: Literal["treated", "holdout"], share: str) -> "Arm":
        arm = super().__new__(cls, name)
        arm.share = share
        return arm

    @override
    def __reduce__(self) -> tuple[object, ...]:
        return Arm, (str(self), self.share)


class Holdout:
    """A share of the shoppers who are not reminded: by them one sees who comes back anyway.

    The arm follows from the salt and the key alone: the same shopper gets the same one in every
    process and at any time, and another salt draws anew.

    Args:
        share: The share that is held out, above 0 and below 1, such as 0.1.
        salt: Names the experiment. Not a secret, but keep it: it is what makes the draw sticky.

    Raises:
        ConfigError: The share or the salt cannot be used.

    Example:
        >>> holdout = Holdout(share=0.1, salt="spring")
        >>> holdout.arm("u-7")
        'treated'
        >>> [key for key in range(40) if holdout.arm(key) == "holdout"]
        [7, 16, 17, 26]

    .. versionadded:: 0.1.0
    """

    def __init__(self, share: float | Decimal | str, salt: str) -> None:
        self._share = _share_text(share)
        try:
            self._salt = id_text("salt", salt).encode()
        except EventError as error:
            raise ConfigError(str(error)) from None
        self._below = int(Decimal(self._share) * _SPACE)

    def arm(self, key: object) -> Literal["treated", "holdout"]:
        """The arm of one shopper, always the same.

        Args:
            key: The shop's own id of the customer; of a guest, the checkout id. A str, an int or
                a UUID; ``7`` and ``"7"`` are one key.

        Raises:
            EventError: The key is no id.

        Example:
            >>> Holdout(share=0.5, salt="spring").arm("u-7") in ("treated", "holdout")
            True

        .. versionadded:: 0.1.0
        """
        drawn = hmac.digest(self._salt, id_text("key", key).encode(), hashlib.sha256)
        held = int.from_bytes(drawn[:8], "big") < self._below
        # An arm is a str with a note on it; to a type checker it is one of the two words.
        return cast(
            'Literal["treated", "holdout"]', Arm("holdout" if held else "treated", self._share)
        )

    @override
    def __repr__(self) -> str:
        return f"Holdout(share={self._share}, salt={self._salt.decode()!r})"


def _share_text(share: object) -> str:
    """The share as a log has it: digits, no exponent."""
    try:
        text = f"{Decimal(str(share)).normalize():f}"
    except (ValueError, InvalidOperation):
        text = ""
    if not re.fullmatch(SHARE, text) or not 0 < Decimal(text) < 1:
        msg = f"share is {shown(share)}; pass a number above 0 and below 1, such as 0.1"
        raise ConfigError(msg)
    return text
