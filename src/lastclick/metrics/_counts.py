"""Counts: the narrow waist. Integers that add over closed sets of journeys, and what they rest on.

Whoever can make these (a process, a shard, a database) gets the same report: every share, quantile
and amount is worked out from them, in one place.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, TypeAlias

import attrs

from lastclick._fold import Law
from lastclick.errors import ConfigError
from lastclick.events import Step

Unit: TypeAlias = Literal["attempt", "customer"]
Touch: TypeAlias = Literal["first", "last"]

#: What is counted, and of what: ("outcome", "lost"), ("gross", "purchased", "EUR"), ...
Key: TypeAlias = tuple[str | int, ...]

#: Where it is counted: the group, as JSON text, and the day of the start.
Cell: TypeAlias = tuple[str, str]

#: The cell of what belongs to the log and not to a journey.
LOG: Cell = ("", "")

#: Cells without a day hold what is not parted by days, since customers return on several of them.
#: This one is of the whole.
WHOLE: Cell = ("*", "")


@attrs.frozen
class Basis:
    """What counts rest on; only counts of one basis add.

    Attributes:
        funnel: The funnel's name.
        steps: Its steps, in order.
        abandon_after: Microseconds of idling after which an attempt is abandoned.
        recover_within: Microseconds after an abandonment within which an order is a recovery.
        as_of: The instant, in microseconds since 1970; None where there is no event.
        unit: ``"attempt"`` or ``"customer"``.
        by: The attributes that form the groups.
        exclude: By attribute, the values that exclude.
        closed: Whether the steps are counted as a closed funnel.
        within: The closed funnel's window in microseconds, or None.
        timezone: The zone whose days are counted.
        touch: Which step event of an attempt gives its group: the ``"first"`` or the ``"last"``.
        chosen: Whether ``as_of`` was chosen; otherwise it is the last event.

    Example:
        >>> from lastclick.metrics import count
        >>> count(events, unit="customer").basis.unit
        'customer'

    .. versionadded:: 0.1.0
    """

    funnel: str
    steps: tuple[Step[Any], ...]
    abandon_after: int
    recover_within: int
    as_of: int | None
    unit: Unit
    by: tuple[str, ...]
    exclude: tuple[tuple[str, tuple[str | int | bool | None, ...]], ...]
    closed: bool
    within: int | None
    timezone: str
    touch: Touch
    chosen: bool = attrs.field(eq=False)

    @property
    def law(self) -> Law:
        """The definition as the fold needs it."""
        return Law(
            steps=tuple(step.name for step in self.steps),
            required=tuple(at for at, step in enumerate(self.steps) if not step.optional),
            abandon_after=self.abandon_after,
            recover_within=self.recover_within,
            last_touch=self.touch == "last",
        )


@attrs.frozen
class Counts:
    """Integers by cell, and their basis. Counts of disjoint closed sets of journeys add.

    Attributes:
        basis: What they rest on.
        cells: By group and day of the start, what was counted: numbers of journeys, and money in
            1/10,000 of its currency.

    Example:
        >>> from lastclick.metrics import count, partition
        >>> whole = count(events, as_of=now)
        >>> first, second = (count(part, funnel, as_of=now) for part in partition(events, 2))
        >>> first + second == whole
        True

    .. versionadded:: 0.1.0
    """

    basis: Basis
    cells: Mapping[Cell, Mapping[Key, int]]

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        if other.basis != self.basis:
            differing = [
                f"{field.name} ({mine!r} and {theirs!r})"
                for field in attrs.fields(Basis)
                if field.eq
                and (mine := getattr(self.basis, field.name))
                != (theirs := getattr(other.basis, field.name))
            ]
            msg = f"counts of two bases do not add; they differ in {', '.join(differing)}"
            raise ConfigError(msg)
        cells = {cell: dict(counted) for cell, counted in self.cells.items()}
        for cell, counted in other.cells.items():
            mine = cells.setdefault(cell, {})
            for key, number in counted.items():
                mine[key] = mine.get(key, 0) + number
        return Counts(self.basis, cells)

    def total(
        self, *, group: str | None = None, days: Iterable[str] | None = None
    ) -> dict[Key, int]:
        """What was counted in all, in one group, or over some days."""
        return added(self.cells[cell] for cell in cells_of(self.cells, group, days))

    def span(self, group: str | None = None) -> Mapping[Key, int]:
        """What was counted over all days at once, of the whole or of one group."""
        return self.cells.get(WHOLE if group is None else (group, ""), {})


def added(counted: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """The sum of what was counted."""
    total: dict[Key, int] = {}
    for one in counted:
        for key, number in one.items():
            total[key] = total.get(key, 0) + number
    return total


def cells_of(
    cells: Collection[Cell], group: str | None, days: Iterable[str] | None
) -> Iterable[Cell]:
    """The cells of one group or of all, over some days or over all."""
    if group is not None and days is not None:  # found at once: a group is asked day by day
        return [cell for day in dict.fromkeys(days) if (cell := (group, day)) in cells]
    wanted = None if days is None else set(days)
    return [
        (of, day)
        for of, day in cells
        if day and group in (None, of) and (wanted is None or day in wanted)
    ]
