"""Reads a number of the page as a person does, in each language, and compares it with its fact.

Written without the code of the page: what is read here is compared with what `to_dict()` says.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from tests.page.browser.chrome import Figure

#: Marks of direction and of the sort, which nobody sees.
UNSEEN = re.compile("[\u061c\u200e\u200f\u2066-\u2069]")
SPACES = "\u00a0\u202f "
#: The signs between thousands and before the decimals.
SIGNS = {
    "en": (",", "."),
    "fr": (SPACES, ","),
    "es": ("." + SPACES, ","),
    "ar": ("\u066c,", "\u066b."),
}
#: Seconds in the units that a time is told in.
UNITS = {
    "en": {"s": 1, "min": 60, "h": 3600, "d": 86_400},
    "fr": {"s": 1, "min": 60, "h": 3600, "j": 86_400},
    "es": {"s": 1, "min": 60, "h": 3600, "d": 86_400},
    "ar": {"ث": 1, "د": 60, "س": 3600, "ي": 86_400},
}
PERCENT = re.compile("[%\N{ARABIC PERCENT SIGN}]")
DASH = "\N{EN DASH}"
#: What is told in points of a hundred, without the sign of per cent.
POINTS = re.compile(r"^comparison\.|\.gap\.")
SECONDS = re.compile(
    r"(^|\.)(\w*seconds|abandon_after|recover_within)(\.(median|p90|estimate|low|high))?$"
)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")


def at(facts: Any, path: str) -> Any:
    """What stands at a path of the facts."""
    for part in path.split("."):
        name = part.replace("~1", ".").replace("~0", "~")
        if isinstance(facts, list):
            facts = facts[int(name)]
        else:  # what cannot be printed is replaced on the page
            facts = {printable(key): value for key, value in facts.items()}[name]
    return facts


def printable(text: str) -> str:
    return "".join(one if one.isprintable() or one in "\u200c\u200d" else "\ufffd" for one in text)


def numbers(text: str, language: str) -> list[Decimal]:
    """The numbers that a text says, as its language writes them."""
    thousands, decimals = SIGNS[language]
    plain = "".join(
        str(unicodedata.decimal(sign)) if unicodedata.category(sign) == "Nd" else sign
        for sign in UNSEEN.sub("", text)
    )
    between, point = re.escape(thousands), re.escape(decimals)
    found = re.findall(
        rf"[-\N{{MINUS SIGN}}]? ?\d+(?:[{between}]\d{{3}}(?!\d))*(?:[{point}]\d+)?", plain
    )
    return [
        Decimal(
            re.sub(f"[{point}]", ".", re.sub(f"[{between}](?=\\d{{3}})", "", one)).replace(
                "\N{MINUS SIGN}", "-"
            )
        )
        for one in (one.strip(SPACES) for one in found)
    ]


def rounds_to(exact: Decimal, said: Decimal) -> bool:
    """Whether a number is the other one, rounded to the decimals that it has."""
    return abs(exact - said) <= Decimal(5).scaleb(int(said.as_tuple().exponent) - 1) * Decimal(
        "1.000001"
    )


def fault(figure: Figure, facts: Mapping[str, Any], language: str) -> str | None:
    """What is wrong with a figure, if anything."""
    try:
        fact = at(facts, figure.path)
    except (KeyError, IndexError, ValueError):
        return f"{figure.path}: no such fact, in {figure.place}"
    if not _is_exact(fact, figure.value):
        return f"{figure.path}: its value is {figure.value!r}, the fact {fact!r}"
    beside = at(facts, figure.path.rpartition(".")[0]) if "." in figure.path else {}
    # The ends of an interval may have one sign of per cent between them.
    of_rate = figure.path.startswith("again.") or "denominator" in beside
    share = (of_rate and isinstance(fact, float)) or bool(PERCENT.search(figure.text))
    share = share or bool(POINTS.search(figure.path) and isinstance(fact, float))
    if not _is_readable_as(fact, figure, language, share=share):
        return f"{figure.path}: reads {figure.text!r}, the fact is {fact!r}"
    return None


def _is_exact(fact: Any, value: str | None) -> bool:
    match fact:
        case None:
            return value == ""
        case {"amount": amount, "currency": currency}:
            return value == f"{currency} {amount}"
        case bool() | list() | dict():
            return False
        case int() | float():
            # An estimate of money has its currency before it.
            return value is not None and re.sub(r"^[A-Z]{3} ", "", value) == repr(fact)
        case _:
            return value == fact


def _is_readable_as(fact: Any, figure: Figure, language: str, *, share: bool) -> bool:
    text = UNSEEN.sub("", figure.text)
    match fact:
        case None:
            return text == DASH
        case {"amount": amount}:
            return _says(text, Decimal(amount), language)
        case int() | float():
            exact = Decimal(repr(fact))
            if SECONDS.search(figure.path):
                return _says_seconds(text, fact, language)
            return _says(text, 100 * exact if share else exact, language)
        case str() if MOMENT.fullmatch(fact):
            day = date.fromisoformat(fact[:10])
            return Decimal(day.day) in (found := numbers(text, language)) and (
                len(found) == 1 or Decimal(day.year) in found or day.month in found
            )
        case _:
            return text == fact


def _says(text: str, exact: Decimal, language: str) -> bool:
    found = numbers(text.replace("+", ""), language)
    return len(found) == 1 and rounds_to(exact, found[0])


def _says_seconds(text: str, exact: float, language: str) -> bool:
    """A time is told in its largest units, and what is smaller is left out."""
    units = UNITS[language]
    parts = re.findall(r"([^\s\u00a0\u202f]+)[\s\u00a0\u202f]([^\W\d]+)", text)
    if not parts or any(unit not in units for _, unit in parts):
        return False
    said = sum(int(numbers(number, language)[0]) * units[unit] for number, unit in parts)
    return 0 <= exact - said < units[parts[-1][1]] if exact >= 1 else said == int(exact)


def strangers(
    told: Sequence[Mapping[str, str]], figures: Sequence[Figure], facts: Any, language: str
) -> list[str]:
    """Numbers told by hovering that are neither read on the page nor a fact."""
    read = {number for figure in figures for number in numbers(figure.text, language)}
    exact = _flat(facts)
    exact += [1 - value for value in exact if 0 <= value <= 1]  # paid, where the fact is: not yet
    return [
        f"{number} in {one['text']!r} of {one['place']} is no fact"
        for one in told
        for number in numbers(_without_times(one["text"], language), language)
        if number not in read
        and not any(rounds_to(v, number) or rounds_to(100 * v, number) for v in exact)
    ]


def _without_times(text: str, language: str) -> str:
    """The text less the times at which a curve was read: they are places on its axis."""
    return re.sub(rf"\d+[\s\u00a0\u202f]({'|'.join(UNITS[language])})\b", "", text)


def _flat(facts: Any) -> list[Decimal]:
    match facts:
        case bool() | None:
            return []
        case int() | float():
            return [Decimal(repr(facts))]
        case {"amount": amount}:
            return [Decimal(amount)]
        case dict():
            return [one for value in facts.values() for one in _flat(value)]
        case list():
            return [one for value in facts for one in _flat(value)]
    return []
