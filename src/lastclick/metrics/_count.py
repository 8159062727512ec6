"""Asking for counts: the settings, checked, and what was met on the way."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from lastclick._collector import fewer_looks
from lastclick._gather import (
    EXCLUDE,
    Chosen,
    Events,
    Gathered,
    as_instant,
    excluded_values,
    gather,
    law_of,
)
from lastclick._log import Log
from lastclick._rows import Rows
from lastclick.errors import ConfigError
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
    attributes = _attributes(by)
    if unit not in ("attempt", "customer"):
        raise ConfigError(f"unit is 'attempt' or 'customer', not {unit!r:.100}")
    if touch not in ("first", "last"):
        raise ConfigError(f"touch is 'first' or 'last', not {touch!r:.100}")
    if within is not None and not (closed and _is_window(within)):
        msg = f"within={within!r:.100}: pass a timedelta above zero, and only with closed=True"
        raise ConfigError(msg)
    if type(workers) is not int or workers < 1:
        raise ConfigError(f"workers is a whole number above zero, not {workers!r:.100}")
    began = time.perf_counter()
    instant = as_instant(as_of)
    day_of_zone(timezone)  # raises where there is no such zone
    excluded = excluded_values(exclude)

    def basis_of(gathered: Gathered) -> Basis:
        law = law_of(gathered.declaration, abandon_after, recover_within)
        return Basis(
            funnel=gathered.funnel,
            steps=gathered.declaration.steps,
            abandon_after=law.abandon_after,
            recover_within=law.recover_within,
            as_of=gathered.latest if instant is None else instant,
            unit=unit,
            by=attributes,
            exclude=excluded,
            closed=closed,
            within=None if within is None else within // timedelta(microseconds=1),
            timezone=timezone,
            touch=touch,
            chosen=instant is not None,
        )

    rows = Rows(None, attributes, dict(excluded))
    shares = events.shares() if workers > 1 and isinstance(events, Log) else None
    if shares is None or len(shares) < 2:
        with fewer_looks():
            counts, redelivered = _here(gather(events, funnel, rows), basis_of)
    else:
        from lastclick.metrics._apart import counted_apart  # it starts processes: few need it

        counts, redelivered = counted_apart(shares, funnel, rows, excluded, basis_of, workers)
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


def _attributes(by: object) -> tuple[str, ...]:
    names = (by,) if isinstance(by, str) else tuple(by) if isinstance(by, Sequence) else None
    if names is None or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"by is an attribute's name or several, not {by!r:.100}")
    return names


def _is_window(within: object) -> bool:
    return isinstance(within, timedelta) and within > timedelta(0)
