"""How counts are kept: as lines of JSON, in parts, so that a change rewrites little.

Most keys are by a number: seconds, hours, instants. Of these, a line has the key with a null in the
number's place, and then columns: the numbers, what was counted, how often something was added.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from lastclick.metrics._counts import Key
from lastclick.rolled._aging import ONCE_SINCE, OPEN_SINCE

#: Counts that are many, and those that change long after their day, are kept apart from the rest.
#: The keys of all of these have one number.
PARTS = {
    "seconds": "times",
    "paid_after": "times",
    "net_after": "times",
    "net2_after": "times",
    "again": "customers",
    ONCE_SINCE: "customers",
    OPEN_SINCE: "open",
    "last_event": "hours",
}


def part_of(key: Key) -> str:
    """The part that a key is kept in."""
    return PARTS.get(str(key[0]), "")


def written(part: str, counted: Mapping[Key, tuple[int, int]]) -> bytes:
    """Counts of one part as lines of JSON, the same for the same counts."""
    if not part:
        return b"\n".join(sorted(to_json((*key, *told)) for key, told in counted.items()))
    columns: dict[tuple[Any, ...], list[tuple[int, int, int]]] = {}
    for key, told in counted.items():
        at = 1 if isinstance(key[1], int) else 2
        columns.setdefault((*key[:at], None, *key[at + 1 :]), []).append((int(key[at]), *told))
    return b"\n".join(
        sorted(to_json((key, *zip(*sorted(rows), strict=True))) for key, rows in columns.items())
    )


def read(part: str, text: bytes) -> dict[Key, tuple[int, int]]:
    """The inverse of `written`."""
    lines = _lines(text)
    if not part:
        return {tuple(line[:-2]): (line[-2], line[-1]) for line in lines}
    counted: dict[Key, tuple[int, int]] = {}
    for key, numbers, sums, times in lines:
        counted.update(zip(_keys(key, numbers), zip(sums, times, strict=True), strict=True))
    return counted


def read_sums(part: str, text: bytes) -> dict[Key, int]:
    """The same without how often something was added."""
    lines = _lines(text)
    if not part:
        return {tuple(line[:-2]): line[-2] for line in lines}
    counted: dict[Key, int] = {}
    for key, numbers, sums, _ in lines:
        counted.update(zip(_keys(key, numbers), sums, strict=True))
    return counted


def _lines(text: bytes) -> list[Any]:
    found: list[Any] = from_json(b"[" + text.replace(b"\n", b",") + b"]")
    return found


def _keys(key: list[Any], numbers: list[int]) -> list[Key]:
    at = key.index(None)
    before, after = tuple(key[:at]), tuple(key[at + 1 :])
    return [(*before, number, *after) for number in numbers]
