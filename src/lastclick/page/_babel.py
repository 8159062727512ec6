"""Other languages than English, by Babel: their catalogues, and how they write numbers and times.

Needs the extra ``i18n``.
"""

from datetime import date, datetime
from decimal import Decimal
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from typing_extensions import override

from lastclick._money import Money, minor_units
from lastclick.page._numbers import English, unsigned


def read_catalogue(file: Path, language: str) -> GNUTranslations:
    """A catalogue, compiled in memory: a language is one file, which its translators edit."""
    with file.open("rb") as source:
        catalogue = read_po(source, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


class ByBabel(English):
    """A language as the Unicode CLDR has it."""

    def __init__(self, language: str) -> None:
        self._locale = Locale.parse(language)
        self._minus: str = numbers.get_minus_sign_symbol(self._locale)
        self._plus: str = numbers.get_plus_sign_symbol(self._locale)

    @override
    def decimal(self, value: float, digits: int = 0, *, signed: bool = False) -> str:
        pattern = f"#,##0.{'0' * digits}" if digits else "#,##0"
        rounded = unsigned(round(value, digits))
        told: str = numbers.format_decimal(
            Decimal(repr(rounded)), format=pattern, locale=self._locale
        )
        return self._signs(f"+{told}" if signed and rounded > 0 else told)

    @override
    def percent(self, share: float, digits: int = 1) -> str:
        pattern: str = self._locale.percent_formats[None].pattern
        if digits:
            pattern = (
                pattern.replace("0", f"0.{'0' * digits}", 1) if "." not in pattern else pattern
            )
        told: str = numbers.format_percent(
            round(share, digits + 2), format=pattern, locale=self._locale, decimal_quantization=True
        )
        return self._signs(told)

    @override
    def money(self, money: Money, *, whole: bool = False) -> str:
        pattern = None
        if whole:
            pattern = self._locale.currency_formats["standard"].pattern.replace("0.00", "0")
        told: str = numbers.format_currency(
            money.amount,
            money.currency,
            format=pattern,
            locale=self._locale,
            currency_digits=not whole and _usual(money),
            decimal_quantization=whole or _usual(money),
        )
        return self._signs(told)

    def _signs(self, told: str) -> str:
        """With the language's own signs, whose marks keep them before a number in Arabic."""
        return told.replace("-", self._minus).replace("+", self._plus)

    @override
    def day(self, day: date, *, short: bool = False) -> str:
        told: str = dates.format_skeleton("MMMd" if short else "yMMMd", day, locale=self._locale)
        return told

    @override
    def instant(self, moment: datetime, zone: str) -> str:
        clock: str = dates.format_time(moment, "short", tzinfo=moment.tzinfo, locale=self._locale)
        return f"{self.day(moment.date())}, {clock} {zone}"


def _usual(money: Money) -> bool:
    """Whether the amount has no more decimals than its currency uses."""
    return money.units % minor_units(money.currency) == 0
