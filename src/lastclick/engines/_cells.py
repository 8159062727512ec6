"""From the rows that a database answers to the cells of `Counts`."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import TypeAlias

from lastclick.metrics._counts import Cell, Key
from lastclick.metrics._persons import ends_of
from lastclick.metrics._tally import shape_of

#: Name, group, day, step, three texts, a number in the key, and how many.
Row: TypeAlias = tuple[
    str, str, int, int | None, str | None, str | None, str | None, int | None, int
]

#: What the parts of a key are, by its name: p is a step, a, b and c are texts, i is a number and
#: d the day of that number. Those that are not here have texts only, as many as they have.
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
_LETTERS = "pabci"


def cells_of(rows: Iterable[Row], steps: tuple[str, ...]) -> dict[Cell, dict[Key, int]]:
    """The cells of a counting.

    Args:
        rows: What the selects of `lastclick.engines._told` answer.
        steps: The names of the steps.
    """
    cells: dict[Cell, dict[Key, int]] = defaultdict(lambda: defaultdict(int))
    for name, group, ordinal, place, a, b, c, i, n in rows:
        counted, number = cells[group, _day(ordinal)], int(n)
        if name == "shape":
            seen = tuple(at for at, flag in enumerate(b or "") if flag == "1")
            for key, of in shape_of(steps, a or "", seen, number, matured=i == 1):
                counted[key] += of
        elif name == "ends":
            for key, of in ends_of((int(a or 0), int(b or 0), int(c or 0)), number):
                counted[key] += of
        else:
            step = None if place is None else steps[place]
            parts = {"p": step, "a": a, "b": b, "c": c, "i": i}
            known = {letter: of for letter, of in parts.items() if of is not None}
            counted[_key(name, known)] += number
    return {cell: dict(counted) for cell, counted in cells.items() if counted}


def _key(name: str, parts: dict[str, str | int]) -> Key:
    letters = _PARTS.get(name) or [letter for letter in "pabc" if letter in parts]
    if "d" in letters:
        parts = {**parts, "d": _day(int(parts["i"]))}
    return (name, *(parts[letter] for letter in letters))


@cache
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat() if ordinal else ""
