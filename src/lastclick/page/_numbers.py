"""How numbers, money and times are written in a language.

English is written here, without any package; other languages by Babel, from the Unicode CLDR.
"""

from datetime import date, datetime
from typing import Protocol

from lastclick._money import Money

DASH = "\N{EN DASH}"
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Numbers(Protocol):
    """A language's way to write them."""

    def decimal(self, value: float, digits: int = 0, *, signed: bool = False) -> str:
        """A number with so many decimals; one above zero has its sign on request."""

    def percent(self, share: float, digits: int = 1) -> str:
        """A share in per cent."""

    def money(self, money: Money, *, whole: bool = False) -> str:
        """An amount with its currency, exact or in whole units."""

    def day(self, day: date, *, short: bool = False) -> str:
        """A day; the short form has no year."""

    def instant(self, moment: datetime, zone: str) -> str:
        """A moment to the minute, in the zone that it has, which is named."""


class English:
    """English as this project writes it: EUR 1,234.50 and 16.0 %."""

    def decimal(self, value: float, digits: int = 0, *, signed: bool = False) -> str:
        """A number with so many decimals; one above zero has its sign on request."""
        rounded = unsigned(round(value, digits))
        return _minus(f"{'+' if signed and rounded > 0 else ''}{rounded:,.{digits}f}")

    def percent(self, share: float, digits: int = 1) -> str:
        """A share in per cent."""
        return f"{self.decimal(100 * share, digits)} %"

    def money(self, money: Money, *, whole: bool = False) -> str:
        """An amount with its currency, exact or in whole units."""
        if whole:
            return _minus(f"{money.currency} {money.amount:,.0f}")
        return _minus(str(money))

    def day(self, day: date, *, short: bool = False) -> str:
        """A day; the short form has no year."""
        return f"{day.day} {_MONTHS[day.month - 1]}" + ("" if short else f" {day.year}")

    def instant(self, moment: datetime, zone: str) -> str:
        """A moment to the minute, in the zone that it has, which is named."""
        return f"{self.day(moment.date())}, {moment:%H:%M} {zone}"


def numbers_of(language: str) -> Numbers:
    """The way of a language; its catalogue was read before, so that Babel is there."""
    if language == "en":
        return English()
    from lastclick.page._babel import ByBabel

    return ByBabel(language)


def unsigned(value: float) -> float:
    """The value, without the sign that a zero may have."""
    return value or 0.0


def _minus(said: str) -> str:
    return said.replace("-", "\N{MINUS SIGN}")
