"""From the rows that a database answers to the cells of `Counts`."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from functools import cache
from operator import itemgetter
from typing import TypeAlias

from lastclick.metrics._counts import Cell, Key
from lastclick.metrics._persons import ends_of
from lastclick.metrics._tally import shape_of

#: Name, group, day, step, three texts, a number in the key, and how many.
Row: TypeAlias = tuple[
    str, str, int, int | None, str | None, str | None, str | None, int | None, int
]

#: What the parts of a key are, by its name: p is a step, a, b and c are texts, i is a number and
#: d the day of that number. Those that are not here have a step and texts, as many as they have.
_PARTS = {
    **dict.fromkeys(("paid_after", "open_after", "again", "once", "last_event"), "i"),
    **dict.fromkeys(("net_after", "net2_after"), "ia"),
    **dict.fromkeys(("gross_on", "refunded_on", "cancelled_on"), "da"),
    **dict.fromkeys(("seconds", "surprise", "surprise_left"), "pi"),
    **dict.fromkeys(("valued", "value"), "pab"),
    **dict.fromkeys(("unvalued", "failures", "failed", "retried", "failed_ordered"), "pa"),
    **dict.fromkeys(("failed_any", "returned"), "p"),
    "out_of_order": "i",
    "score": "ai",
}
_LETTERS = "pabcid"
#: From a name and all parts to the key.
_KEYS = {
    name: itemgetter(0, *(1 + _LETTERS.index(letter) for letter in letters))
    for name, letters in _PARTS.items()
}


def cells_of(rows: Iterable[Row], steps: tuple[str, ...]) -> dict[Cell, dict[Key, int]]:
    """The cells of a counting.

    Args:
        rows: What the selects of `lastclick.engines._told` answer.
        steps: The names of the steps.
    """
    cells: dict[Cell, dict[Key, int]] = defaultdict(lambda: defaultdict(int))
    for name, group, ordinal, place, a, b, c, i, n in rows:
        counted, number = cells[group, _day(ordinal)], int(n)
        step = None if place is None else steps[place]
        if name == "shape":
            seen = tuple(at for at, flag in enumerate(b or "") if flag == "1")
            for key, of in shape_of(steps, a or "", seen, number, matured=i == 1):
                counted[key] += of
        elif name == "ends":
            for key, of in ends_of((int(a or 0), int(b or 0), int(c or 0)), number):
                counted[key] += of
        elif name in _KEYS:
            day = _day(i) if i is not None and "d" in _PARTS[name] else None
            counted[_KEYS[name]((name, step, a, b, c, i, day))] += number
        else:
            parts = (part for part in (step, a, b, c) if part is not None)
            counted[(name, *parts)] += number
    return {cell: dict(counted) for cell, counted in cells.items() if counted}


@cache
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat() if ordinal else ""
