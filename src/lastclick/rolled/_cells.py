"""How counts are kept: as lines of JSON, in parts, so that a change rewrites little.

Most keys are by a number: seconds, hours, instants. Of these, a line has the key with a null in the
number's place, and then columns: the numbers, what was counted, how often something was added.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from lastclick.metrics._counts import Key
from lastclick.rolled._aging import AGING, ONCE_SINCE, OPEN_SINCE, add_one

#: What a report asks for day by day.
BY_DAY = "days"
#: Counts that are many, those that change long after their day, and those that are asked for by day
#: are kept apart from the rest.
PARTS = {
    "outcome": BY_DAY,
    "dropped": BY_DAY,
    "arm": BY_DAY,
    "seconds": "times",
    "paid_after": "times",
    "net_after": "times",
    "net2_after": "times",
    "again": "customers",
    ONCE_SINCE: "customers",
    OPEN_SINCE: "open",
    "last_event": "hours",
}
#: The parts whose keys have no one number.
_LINES = ("", BY_DAY)
#: The parts that are also kept as totals of months: those whose keys come again day by day.
TOTALLED = ("", BY_DAY, "times")


def part_of(key: Key) -> str:
    """The part that a key is kept in."""
    return PARTS.get(str(key[0]), "")


def is_totalled(key: Key) -> bool:
    """Whether a key is also kept as the total of a month."""
    return part_of(key) in TOTALLED


def month_of(day: str) -> str:
    """The month of a day, in whose place its total is kept."""
    return day[:7]


def merged(part: str, text: bytes, more: Mapping[Key, tuple[int, int]]) -> bytes:
    """Counts of one part, and others added: the same lines for the same counts.

    What nothing is left of leaves no trace, so that there may be no line at all.
    """
    lines = _lines(text)
    if part in _LINES:
        told = {tuple(line[:-2]): (line[-2], line[-1]) for line in lines}
        for key, numbers in more.items():
            add_one(told, key, *numbers)
        return b"\n".join(sorted(to_json((*key, *numbers)) for key, numbers in told.items()))
    columns: dict[tuple[Any, ...], dict[int, tuple[int, int]]] = {
        tuple(key): dict(zip(numbers, zip(sums, times, strict=True), strict=True))
        for key, numbers, sums, times in lines
    }
    for key, numbers in more.items():
        at = 1 if isinstance(key[1], int) else 2
        column = columns.setdefault((*key[:at], None, *key[at + 1 :]), {})
        add_one(column, int(key[at]), *numbers)
    return b"\n".join(
        sorted(
            to_json((key, sorted(column), *zip(*(column[n] for n in sorted(column)), strict=True)))
            for key, column in columns.items()
            if column
        )
    )


def summed(texts: Iterable[tuple[str, bytes]], as_of: int) -> dict[Key, int]:
    """What parts come to in all, without how often something was added.

    Args:
        texts: Of each part its name and its lines.
        as_of: What is kept by when it was is counted by how long before this it was.
    """
    columns: dict[tuple[Any, ...], dict[int, int]] = {}
    others: list[list[Any]] = []
    for part, text in texts:
        if part in _LINES:
            others += _lines(text)
            continue
        for key, numbers, sums, _ in _lines(text):
            own, now = _aged(key, numbers, as_of)
            column = columns.setdefault(own, {})
            for number, one in zip(now, sums, strict=True):
                column[number] = column.get(number, 0) + one
    total: dict[Key, int] = {}
    for key, column in columns.items():
        total.update(zip(_keys(key, column), column.values(), strict=True))
    for *key, number, _ in others:
        total[tuple(key)] = total.get(tuple(key), 0) + number
    return total


def _lines(text: bytes) -> list[Any]:
    found: list[Any] = from_json(b"[" + text.replace(b"\n", b",") + b"]")
    return found


def _aged(key: list[Any], numbers: list[int], as_of: int) -> tuple[tuple[Any, ...], list[int]]:
    if key[0] not in AGING:
        return tuple(key), numbers
    name, unit = AGING[key[0]]
    return (name, None), [(as_of - number) // unit for number in numbers]


def _keys(key: Sequence[Any], numbers: Iterable[int]) -> list[Key]:
    at = key.index(None)
    before, after = tuple(key[:at]), tuple(key[at + 1 :])
    return [(*before, number, *after) for number in numbers]
