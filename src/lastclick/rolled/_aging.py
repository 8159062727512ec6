"""Counting so that what was counted can be taken away again, and grows older without a recount.

Counts of closed sets of journeys add; so they can be subtracted, to the digit. Two things are in
the way, and are mended here. A sum that is zero may be a cart of 0.00 or nothing at all, so beside
each sum stands how often something was added to it. And what is counted by how long ago it was
would change with every instant; here it is counted by when it was, and made older when it is read.
"""

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias

import attrs
from typing_extensions import override

from lastclick._gather import Gathered, Gathering
from lastclick._rows import ASSIGNED, CLICKED, ENTERED, FAILED, ORDERED, REFUNDED, Row
from lastclick.events import EventsLost, FunnelDeclared
from lastclick.metrics._counts import LOG, Basis, Cell, Key
from lastclick.metrics._persons import Persons
from lastclick.metrics._tally import Tally

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND

_ACTIVITY = (ENTERED, FAILED, ORDERED, CLICKED)

#: An attempt without an order that is younger than the longest time followed, by its start.
OPEN_SINCE = "open_since"
#: A customer's only order, by its instant.
ONCE_SINCE = "once_since"
#: What is counted of these as of an instant, and by how many microseconds.
AGING = {OPEN_SINCE: ("open_after", _SECOND), ONCE_SINCE: ("once", _DAY)}

#: Later than every instant that there is; a limit may be as long as one likes.
_NEVER = 2**62

#: How many rows are handed over at once.
_AT_ONCE = 500

#: What was counted of each key, and how often something was added to it.
Told: TypeAlias = dict[Cell, dict[Key, tuple[int, int]]]


@attrs.frozen
class Ground:
    """What is counted by.

    Attributes:
        basis: What the counts rest on.
        declaration: The definition it comes from.
        day_of: The day of an instant in its zone.
    """

    basis: Basis
    declaration: FunnelDeclared
    day_of: Callable[[int], str] = attrs.field(eq=False)


class _Added(dict[Any, Any]):
    """Sums, and how often something was added to each."""

    def __init__(self) -> None:
        super().__init__()
        self.times: dict[Any, int] = {}

    def __missing__(self, _: Any) -> int:
        return 0

    @override
    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.times[key] = self.times.get(key, 0) + 1


class _Persons(Persons):
    @override
    def _once(self, first: int) -> Key:
        return (ONCE_SINCE, first)


class _Aging(Tally):
    def __init__(self, ground: Ground, gathered: Gathered) -> None:
        basis = ground.basis
        super().__init__(basis, gathered.by_order)
        self._day_of = ground.day_of
        within = basis.law.recover_within
        self._persons = _Persons(self.by_person, self._as_of, within, by_group=bool(basis.by))
        self._added: dict[Cell, _Added] = defaultdict(_Added)
        self._cells = self._added  # type: ignore[assignment]
        self._log = self._cells[LOG]
        self._nets = self._credited = _Added()

    @override
    def _open(self, cell: Cell, start: int) -> None:
        if (self._as_of - start) // _SECOND >= self._latest:
            super()._open(cell, start)
        else:
            self._cells[cell][OPEN_SINCE, start] += 1

    def told(self) -> Told:
        # Before they are settled: what is entered then is above zero, whatever is taken away.
        times: dict[Cell, dict[Key, int]] = {
            cell: dict(added.times) for cell, added in self._added.items()
        }
        for (cell, seconds, currency), number in self._credited.times.items():
            times[cell]["net_after", seconds, currency] = number
            times[cell]["net2_after", seconds, currency] = number
        for cell, journeys in self._journeys.items():
            for (position, *of), (number, _) in journeys.values.items():
                times.setdefault(cell, {})["value", self._names[position], *of] = number
        told: Told = {}
        for cell, counted in self.cells().items():
            own = times.get(cell, {})
            told[cell] = {key: (number, own.get(key, 0)) for key, number in counted.items()}
        return told


def told_of(rows: list[Row], ground: Ground) -> Told:
    """What some closed sets of journeys come to, from their rows."""
    found = Gathering()
    for at in range(0, len(rows), _AT_ONCE):
        found.take(rows[at : at + _AT_ONCE], ())
    return _told(found, ground)


def told_by_records(
    declarations: dict[str, FunnelDeclared], losses: dict[str, EventsLost], ground: Ground
) -> Told:
    """What the definitions and losses in a log come to."""
    found = Gathering()
    found.declarations, found.losses = declarations, losses
    return _told(found, ground)


def _told(found: Gathering, ground: Ground) -> Told:
    gathered = found.by(ground.basis.funnel, ground.declaration)
    tally = _Aging(ground, gathered)
    try:
        tally.run(gathered)
        return tally.told()
    finally:
        tally.close()
        gathered.close()


def add(told: Told, more: Told, sign: int) -> None:
    """Add what other sets came to, or take it away so that no trace of it stays."""
    for cell, counted in more.items():
        mine = told.setdefault(cell, {})
        for key, (number, times) in counted.items():
            add_one(mine, key, sign * number, sign * times)
        if not mine:
            del told[cell]


def add_one(told: dict[Any, tuple[int, int]], key: object, number: int, times: int) -> None:
    """Add to one number, and to how often something was added to it."""
    before = told.get(key, (0, 0))
    number, times = before[0] + number, before[1] + times
    if number or times:
        told[key] = (number, times)
    else:
        told.pop(key, None)


def due_after(rows: list[Row], basis: Basis) -> int | None:
    """The earliest instant after the basis's at which a set may count otherwise, if any.

    Every rule compares ``as_of`` with the instant of an event, or with one of three limits after
    it; between those instants, nothing but what is aged when read can change.
    """
    as_of = -1 if basis.as_of is None else basis.as_of
    gap, within = basis.abandon_after + 1, basis.recover_within + 1
    followed = (basis.recover_within // _SECOND + 1) * _SECOND
    limits = [0]
    if max(row[0] for row in rows) + followed > as_of and _grows_older(rows, gap, as_of):
        limits += (gap, within, followed)
    found: int | None = None
    for row in rows:
        for limit in limits:
            due = row[0] + limit
            if due > as_of and (found is None or due < found):
                found = due
    return None if found is None or found > _NEVER else found


def _grows_older(rows: list[Row], gap: int, as_of: int) -> bool:
    """Whether a limit may pass for a set: not for one attempt that ordered without a long gap."""
    checkouts = {row[3] for row in rows if row[1] < REFUNDED and row[3]}
    if len(checkouts) != 1:
        return bool(checkouts)
    there = [row for row in rows if row[0] <= as_of and not row[9]]
    orders = [row[0] for row in there if row[1] == ORDERED]
    if not orders or any(row[1] == ASSIGNED for row in rows):
        return True
    active = sorted(row[0] for row in there if row[1] in _ACTIVITY and row[0] <= min(orders))
    return any(later - before >= gap for before, later in pairwise(active))
