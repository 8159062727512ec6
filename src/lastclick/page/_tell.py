"""Telling facts in a language: sentences with figures in them, each looked up by its path."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from lastclick._money import Money, minor_units
from lastclick._rows import local
from lastclick.page._blocks import Figure, Inlines, Link, Name
from lastclick.page._facts import at, instant_of, money_of
from lastclick.page._messages import later, messages
from lastclick.page._numbers import DASH, numbers_of

_PLACE = re.compile(r"\{(\w+)\}")
#: What an estimate may take for granted, as it says itself.
ASSUMED = (
    later("equal order value in both arms"),
    later("attempts of one customer are apart from each other"),
    later("order values are not skewed"),
)
_SECONDS = later("{n} s")
_UNITS = (
    (86_400, later("{n} d")),
    (3600, later("{n} h")),
    (60, later("{n} min")),
    (1, _SECONDS),
)


class Tell:
    """Says things about some facts in a language.

    Args:
        facts: What there is to say.
        language: In which language.
    """

    def __init__(self, facts: Mapping[str, Any], language: str) -> None:
        self.facts = facts
        self._messages = messages(language)
        self.numbers = numbers_of(language)
        self._zone = ZoneInfo(facts["report"]["timezone"])

    def at(self, path: str) -> Any:
        """What the facts have at a path."""
        return at(self.facts, path)

    def currencies(self, path: str) -> list[str]:
        """The currencies in which something is known, the report's own first."""
        main = self.at("currency")
        return sorted(self.at(path), key=lambda code: (code != main, code))

    # Words

    def text(self, message: str) -> str:
        """A message without figures."""
        return self._messages.gettext(message)

    def say(self, message: str, **parts: Inlines | Figure | Name | Link) -> Inlines:
        """A message with its parts put in their places."""
        return _filled(self._messages.gettext(message), parts)

    def several(
        self, one: str, many: str, n: Figure, **parts: Inlines | Figure | Name | Link
    ) -> Inlines:
        """A message about a number, ``n``, in the form that the language has for it."""
        return _filled(self._messages.ngettext(one, many, int(n.value)), {"n": n, **parts})

    # Figures

    def count(self, path: str) -> Figure:
        """A whole number."""
        value = self.at(path)
        return Figure(path, str(value), self.numbers.decimal(value))

    def decimal(self, path: str, digits: int | None = None) -> Figure:
        """A number that is an estimate; large ones are told in whole."""
        value = self.at(path)
        if value is None:
            return _none(path)
        if digits is None:
            digits = 0 if abs(value) >= 10 or value == 0 else 1
        return Figure(path, repr(value), self.numbers.decimal(value, digits))

    def percent(self, path: str, digits: int = 1) -> Figure:
        """A share."""
        value = self.at(path)
        if value is None:
            return _none(path)
        return Figure(path, repr(value), self.numbers.percent(value, digits))

    def hundredths(self, path: str) -> Figure:
        """A share in per cent whose sign stands elsewhere, as in 16.0 % (13.8 to 18.4)."""
        value = self.at(path)
        if value is None:
            return _none(path)
        return Figure(path, repr(value), self.numbers.decimal(100 * value, 1))

    def points(self, path: str) -> Figure:
        """A difference of shares, in percentage points, with its sign."""
        value = self.at(path)
        if value is None:
            return _none(path)
        return Figure(path, repr(value), self.numbers.decimal(100 * value, 1, signed=True))

    def money(self, path: str, *, whole: bool = False) -> Figure:
        """An amount, exact or in whole units."""
        value = self.at(path)
        if value is None:
            return _none(path)
        money = money_of(value)
        exact = f"{money.currency} {money.amount}"
        return Figure(path, exact, self.numbers.money(money, whole=whole))

    def estimate(self, path: str, currency: str) -> Figure:
        """An amount that is an estimate: a number of the facts, in a currency."""
        value = self.at(path)
        if value is None:
            return _none(path)
        large = abs(value) >= 100
        rounded = round(Decimal(repr(value)), 0 if large else _digits(currency))
        money = Money.model_construct(amount=rounded, currency=currency)
        exact = f"{currency} {value!r}"
        return Figure(path, exact, self.numbers.money(money, whole=large))

    def seconds(self, path: str) -> Figure:
        """A time as people say it: 42 s, 1 min 27 s, 11 h 3 min."""
        value = self.at(path)
        if value is None:
            return _none(path)
        return Figure(path, repr(value), self.span(value))

    def day(self, path: str, *, short: bool = False) -> Figure:
        """A day."""
        value = self.at(path)
        if value is None:
            return _none(path)
        shown = self.numbers.day(date.fromisoformat(value), short=short)
        return Figure(path, value, shown, moment=True)

    def instant(self, path: str) -> Figure:
        """An instant, to the minute."""
        value = self.at(path)
        if value is None:
            return _none(path)
        here = local(instant_of(value), self._zone)
        zone = self.facts["report"]["timezone"]
        return Figure(path, value, self.numbers.instant(here, zone), moment=True)

    def words(self, path: str) -> Figure:
        """What is written as it is: a version, a hash."""
        value = self.at(path)
        return _none(path) if value is None else Figure(path, str(value), str(value))

    def limits(self, low: Figure, high: Figure) -> Inlines:
        """The two ends of an interval."""
        return self.say("{low} to {high}", low=low, high=high)

    def together(self, parts: Sequence[Inlines]) -> Inlines:
        """Several parts as one, such as amounts in several currencies, which are never added."""
        found = parts[0]
        for part in parts[1:]:
            found = self.say("{one} and {other}", one=found, other=part)
        return found

    def ends(self, path: str, figure: Callable[[str], Figure]) -> dict[str, Inlines]:
        """The two ends of an estimate's interval as parts; the upper with what it assumes."""
        low, high = figure(f"{path}.low"), figure(f"{path}.high")
        assumes = self.at(path)["assumes"] or ""
        assumed: list[Inlines] = [(self.text(one),) for one in ASSUMED if one in assumes]
        if not assumed:
            return {"low": (low,), "high": (high,)}
        said = self.say("{high}, assuming {what}", high=high, what=self.together(assumed))
        return {"low": (low,), "high": said}

    def interval(self, path: str, figure: Callable[[str], Figure]) -> Inlines:
        """An estimate with its interval, where it has one."""
        one = figure(f"{path}.estimate")
        if self.at(f"{path}.low") is None or self.at(f"{path}.high") is None:
            return (one,)
        return self.say("{share} ({low} to {high})", share=one, **self.ends(path, figure))

    def within(self, path: str) -> Inlines:
        """A rate with its interval; a dash where there is none."""
        share = self.percent(f"{path}.estimate")
        if self.at(f"{path}.low") is None:
            return (share,)
        low, high = self.hundredths(f"{path}.low"), self.hundredths(f"{path}.high")
        return self.say("{share} ({low} to {high})", share=share, low=low, high=high)

    def span(self, seconds: float) -> str:
        """Seconds in their two largest units."""
        left, parts = int(seconds), list[str]()
        for size, message in _UNITS:
            number, left = divmod(left, size)
            if number:
                parts.append(self._short(message, number))
            elif parts:
                break
            if len(parts) == 2:
                break
        return " ".join(parts) or self._short(_SECONDS, 0)

    def _short(self, message: str, number: int) -> str:
        return self._messages.gettext(message).replace("{n}", self.numbers.decimal(number))


def _filled(message: str, parts: Mapping[str, Inlines | Figure | Name | Link]) -> Inlines:
    found: list[Any] = []
    end = 0
    for match in _PLACE.finditer(message):
        if match.start() > end:
            found.append(message[end : match.start()])
        part = parts[match[1]]
        found.extend(part if isinstance(part, tuple) else (part,))
        end = match.end()
    if end < len(message):
        found.append(message[end:])
    return tuple(found)


def _none(path: str) -> Figure:
    return Figure(path, "", DASH)


def _digits(currency: str) -> int:
    return 4 - len(str(minor_units(currency))) + 1
