"""The counts of a state, as a report asks for them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs
from typing_extensions import override

from lastclick.metrics._counts import LOG, Basis, Cell, Counts, Key, added, cells_of
from lastclick.rolled._cells import BY_DAY, TOTALLED, month_of, summed
from lastclick.rolled._state import explained, unpacked

#: Parts of a cell, packed.
Parts = list[tuple[str, bytes]]


@attrs.frozen
class Kept(Counts):
    """Counts that stay packed until they are asked for.

    The cells of days hold only what a report asks for by day; totals hold all.

    Attributes:
        parts: By group and day, and by group and month, what is kept.
        months: By group and month, how many days it has.
        directory: The state's.
    """

    parts: Mapping[Cell, Parts]
    months: Mapping[Cell, int]
    directory: Path

    @override
    def total(
        self, *, group: str | None = None, days: Iterable[str] | None = None
    ) -> dict[Key, int]:
        months: dict[Cell, list[Cell]] = {}
        for of, day in cells_of(self.cells, group, days):
            months.setdefault((of, month_of(day)), []).append((of, day))
        parts: Parts = []
        for month, own in months.items():
            whole = len(own) == self.months[month]
            parts += self.parts.get(month, ()) if whole else ()
            for cell in own:
                parts += [one for one in self.parts[cell] if not (whole and one[0] in TOTALLED)]
        with explained(self.directory):
            return _summed(parts, self.basis)


def kept(
    parts: Mapping[Cell, Parts], log: Mapping[Key, int], basis: Basis, directory: Path
) -> Kept:
    """The counts of a state.

    Args:
        parts: All parts of all cells.
        log: What else belongs to the log.
        basis: What they rest on.
        directory: The state's.
    """
    cells: dict[Cell, dict[Key, int]] = {}
    months: dict[Cell, int] = {}
    for (group, day), own in parts.items():
        if not day:
            cells[group, day] = _summed(own, basis)
        elif day != (month := month_of(day)):
            cells[group, day] = _summed([one for one in own if one[0] == BY_DAY], basis)
            months[group, month] = months.get((group, month), 0) + 1
    cells[LOG] = added([cells.get(LOG, {}), log])
    return Kept(basis, cells, parts, months, directory)


def _summed(parts: Iterable[tuple[str, bytes]], basis: Basis) -> dict[Key, int]:
    as_of = -1 if basis.as_of is None else basis.as_of
    return summed(((part, unpacked(text)) for part, text in parts), as_of)
