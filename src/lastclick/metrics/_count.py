"""Asking for counts: the settings, checked, and what was met on the way."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict

import attrs

from lastclick._collector import fewer_looks
from lastclick._gather import (
    EXCLUDE,
    Chosen,
    Events,
    Excluded,
    Gathered,
    as_instant,
    excluded_values,
    gather,
    law_of,
)
from lastclick._log import Log
from lastclick._rows import Rows
from lastclick.errors import ConfigError
from lastclick.events import FunnelDeclared
from lastclick.metrics._counts import Basis, Counts, Touch, Unit
from lastclick.metrics._tally import Tally, day_of_zone


def count(
    events: Events,
    funnel: Chosen = None,
    *,
    as_of: datetime | None = None,
    by: str | Sequence[str] = (),
    unit: Unit = "attempt",
    exclude: Mapping[str, Sequence[str | int | bool | None]] = EXCLUDE,
    closed: bool = False,
    within: timedelta | None = None,
    abandon_after: timedelta | None = None,
    recover_within: timedelta | None = None,
    timezone: str = "UTC",
    touch: Touch = "first",
    workers: int = 1,
) -> Counts:
    """Count the journeys in some events. The arguments are those of `measure`.

    Raises:
        ConfigError: A setting cannot be used, or the funnel is not to be told.
        LogError: One of several ``workers`` ended before its time.

    Example:
        >>> from lastclick.metrics import count
        >>> count(events).total()["outcome", "lost"]
        1

    .. versionadded:: 0.1.0
    """
    counts, _ = counted(
        events,
        funnel,
        as_of=as_of,
        by=by,
        unit=unit,
        exclude=exclude,
        closed=closed,
        within=within,
        abandon_after=abandon_after,
        recover_within=recover_within,
        timezone=timezone,
        touch=touch,
        workers=workers,
    )
    return counts


@attrs.frozen
class Delivery:
    """What a reading met on the way: facts of delivery, which a second delivery may change.

    Attributes:
        redelivered: Events that came more than once.
        seconds: How long reading and counting took.
        problems: What could not be read, for a log or a table.
        engine: What counted.

    Example:
        >>> from lastclick import measure
        >>> measure([*events, *events]).reading.redelivered
        6

    .. versionadded:: 0.1.0
    """

    redelivered: int
    seconds: float
    problems: Any
    engine: str = "python"


def counted(
    events: Events,
    funnel: Chosen,
    *,
    as_of: datetime | None,
    by: str | Sequence[str],
    unit: Unit,
    exclude: Mapping[str, Sequence[str | int | bool | None]],
    closed: bool,
    within: timedelta | None,
    abandon_after: timedelta | None,
    recover_within: timedelta | None,
    timezone: str,
    touch: Touch,
    workers: int,
) -> tuple[Counts, Delivery]:
    """The counts, and what was met on the way."""
    question = asked(
        as_of=as_of,
        by=by,
        unit=unit,
        exclude=exclude,
        closed=closed,
        within=within,
        abandon_after=abandon_after,
        recover_within=recover_within,
        timezone=timezone,
        touch=touch,
    )
    if type(workers) is not int or workers < 1:
        raise ConfigError(f"workers is a whole number above zero, not {workers!r:.100}")
    began = time.perf_counter()

    def basis_of(gathered: Gathered) -> Basis:
        return question.basis(gathered.funnel, gathered.declaration, gathered.latest)

    rows = question.rows()
    shares = events.shares() if workers > 1 and isinstance(events, Log) else None
    if shares is None or len(shares) < 2:
        with fewer_looks():
            counts, redelivered = _here(gather(events, funnel, rows), basis_of)
    else:
        from lastclick.metrics._apart import counted_apart  # it starts processes: few need it

        counts, redelivered = counted_apart(
            shares, funnel, rows, question.exclude, basis_of, workers
        )
    seconds = time.perf_counter() - began
    return counts, Delivery(redelivered, seconds, getattr(events, "problems", None))


def _here(gathered: Gathered, basis_of: Callable[[Gathered], Basis]) -> tuple[Counts, int]:
    """The counts of what was gathered, and how much of it was redelivered."""
    basis = basis_of(gathered)
    tally = Tally(basis, gathered.by_order)
    try:
        tally.run(gathered)
    finally:
        tally.close()
        gathered.close()
    return Counts(basis, tally.cells()), tally.redelivered


@attrs.frozen
class Asked:
    """The settings of a counting, checked, before anything is read.

    Attributes:
        as_of: The chosen instant in microseconds, None for the last event's.
        by: The attributes that form the groups.
        unit: ``"attempt"`` or ``"customer"``.
        exclude: By attribute, the values that exclude.
        closed: Whether the steps are counted as a closed funnel.
        within: The closed funnel's window in microseconds, or None.
        abandon_after: Another limit than the definition's.
        recover_within: The same.
        timezone: The zone whose days are counted.
        touch: Which step event of an attempt gives its group.
        day_of: The day of an instant in that zone.
    """

    as_of: int | None
    by: tuple[str, ...]
    unit: Unit
    exclude: Excluded
    closed: bool
    within: int | None
    abandon_after: timedelta | None
    recover_within: timedelta | None
    timezone: str
    touch: Touch
    day_of: Callable[[int], str] = attrs.field(eq=False)

    def rows(self, funnel: str | None = None) -> Rows:
        """A maker of rows for it."""
        return Rows(funnel, self.by, dict(self.exclude))

    def basis(self, funnel: str, declaration: FunnelDeclared, latest: int | None) -> Basis:
        """What its counts rest on, once the definition and the latest event are known.

        Raises:
            ConfigError: The limits do not go together, or with those of the definition.
        """
        law = law_of(declaration, self.abandon_after, self.recover_within)
        return Basis(
            funnel=funnel,
            steps=declaration.steps,
            abandon_after=law.abandon_after,
            recover_within=law.recover_within,
            as_of=latest if self.as_of is None else self.as_of,
            unit=self.unit,
            by=self.by,
            exclude=self.exclude,
            closed=self.closed,
            within=self.within,
            timezone=self.timezone,
            touch=self.touch,
            chosen=self.as_of is not None,
        )


class Asking(TypedDict, total=False):
    """The settings of `measure` that every engine takes, and what they mean, are the same."""

    as_of: datetime | None
    by: str | Sequence[str]
    unit: Unit
    exclude: Mapping[str, Sequence[str | int | bool | None]]
    closed: bool
    within: timedelta | None
    abandon_after: timedelta | None
    recover_within: timedelta | None
    timezone: str
    touch: Touch


def asked(
    *,
    as_of: datetime | None = None,
    by: str | Sequence[str] = (),
    unit: Unit = "attempt",
    exclude: Mapping[str, Sequence[str | int | bool | None]] = EXCLUDE,
    closed: bool = False,
    within: timedelta | None = None,
    abandon_after: timedelta | None = None,
    recover_within: timedelta | None = None,
    timezone: str = "UTC",
    touch: Touch = "first",
) -> Asked:
    """The settings, checked.

    Raises:
        ConfigError: A setting cannot be used.
    """
    attributes = _attributes(by)
    if unit not in ("attempt", "customer"):
        raise ConfigError(f"unit is 'attempt' or 'customer', not {unit!r:.100}")
    if touch not in ("first", "last"):
        raise ConfigError(f"touch is 'first' or 'last', not {touch!r:.100}")
    if within is not None and not (closed and _is_window(within)):
        msg = f"within={within!r:.100}: pass a timedelta above zero, and only with closed=True"
        raise ConfigError(msg)
    return Asked(
        as_of=as_instant(as_of),
        by=attributes,
        unit=unit,
        exclude=excluded_values(exclude),
        closed=closed,
        within=None if within is None else within // timedelta(microseconds=1),
        abandon_after=abandon_after,
        recover_within=recover_within,
        timezone=timezone,
        touch=touch,
        day_of=day_of_zone(timezone),
    )


def _attributes(by: object) -> tuple[str, ...]:
    names = (by,) if isinstance(by, str) else tuple(by) if isinstance(by, Sequence) else None
    if names is None or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"by is an attribute's name or several, not {by!r:.100}")
    return names


def _is_window(within: object) -> bool:
    return isinstance(within, timedelta) and within > timedelta(0)
