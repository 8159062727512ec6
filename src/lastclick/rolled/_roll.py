"""Rolling a log on, and the report of what was rolled."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs

from lastclick._gather import EXCLUDE, Chosen, definition_of, given_by, keep
from lastclick._log import Log, read_log
from lastclick._reading import Problems
from lastclick._rows import CANCELLED, REFUNDED, Row, instant
from lastclick.errors import ConfigError, EventError, LogError
from lastclick.events import EventsLost, FunnelDeclared, parse_line
from lastclick.metrics import Delivery, Report, report_from
from lastclick.metrics._count import Asked, asked
from lastclick.metrics._counts import LOG, Touch, Unit
from lastclick.rolled._aging import Ground, told_by_records
from lastclick.rolled._files import NewLines, problems, refuse
from lastclick.rolled._kept import kept
from lastclick.rolled._sets import Joining, recount
from lastclick.rolled._state import FILE, FIRST, Settings, State, opened

#: How many rows are brought to their sets at once.
_AT_ONCE = 50_000


@attrs.frozen
class Rolled:
    """What one run did.

    Attributes:
        as_of: The instant of the counts now; None where there is no event.
        lines: The new lines that were read.
        events: The events among them that were not there before.
        files: The files that they were in.
        sets: Closed sets of journeys that were counted anew.
        days: The days on which journeys of these started.
        changed: Those of the days whose figures are others now.
        whole: Why everything was counted anew; None where it was not.
        problems: What could not be read, of all files, now and before.

    Example:
        >>> from datetime import UTC, datetime
        >>> from lastclick import Funnel
        >>> from lastclick.rolled import roll
        >>> from lastclick.sinks import FileSink
        >>> with Funnel("checkout", steps=("cart",), sink=FileSink("day-log")) as funnel:
        ...     funnel.checkout("c-1").enter("cart", at=datetime(2026, 10, 1, 12, tzinfo=UTC))
        >>> roll("day-log", "day-rolled").days
        ('2026-10-01',)

    .. versionadded:: 0.1.0
    """

    as_of: datetime | None
    lines: int
    events: int
    files: int
    sets: int
    days: tuple[str, ...]
    changed: tuple[str, ...]
    whole: str | None
    problems: Problems


def roll(
    log: Path | str | Log,
    to: Path | str,
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
    progress: Callable[[int, int], object] | None = None,
) -> Rolled:
    """Add what is new in a log to a state, so that its report costs what is new.

    `read_rolled` then gives the report that `measure` would give of everything that was rolled, to
    the digit, however late an event came. Nothing in the state is final: of the journeys that
    something new belongs to, and of those that passed a limit since, the counts are taken away and
    made anew. Killed at any moment, a run leaves the state as it was before.

    Args:
        log: The log, or where it is.
        to: The directory of the state: a new one, or one that this log was rolled to before.
        funnel: As for `measure`, like all that follows; each run is asked the same.
        as_of: Shopper events after it do not exist; None takes the latest one. May move on.
        by: An attribute, or several, whose values form groups.
        unit: ``"attempt"``, or ``"customer"`` to join the attempts of one customer.
        exclude: By attribute, the values whose attempts are left out, and counted.
        closed: Draw the step counts as a closed funnel.
        within: The closed funnel's window from its first step.
        abandon_after: Instead of the definition's.
        recover_within: Instead of the definition's.
        timezone: Whose days the trend goes by.
        touch: Which step event of an attempt gives its group.
        progress: Called now and then with the bytes read and the bytes in all.

    Raises:
        ConfigError: A setting cannot be used, the state was rolled with others, or the funnel is
            not to be told.
        LogError: There is no log, some of it may not be read, the state is damaged, or somebody
            else is rolling it.

    Example:
        >>> from lastclick import Funnel
        >>> from lastclick.rolled import read_rolled, roll
        >>> from lastclick.sinks import FileSink
        >>> funnel = Funnel("checkout", steps=("cart", "payment"), sink=FileSink("shop-log"))
        >>> funnel.checkout("c-1").enter("cart")
        >>> roll("shop-log", "shop-rolled").events
        1
        >>> funnel.checkout("c-1").enter("payment")
        >>> roll("shop-log", "shop-rolled").events
        1
        >>> read_rolled("shop-rolled").started
        1

    .. versionadded:: 0.1.0
    """
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
    source = log if isinstance(log, Log) else read_log(log)
    with opened(Path(to), write=True) as state:
        return _Run(state, Path(to), question, funnel).roll(source, progress)


class _Run:
    """One run over an open state."""

    def __init__(self, state: State, to: Path, question: Asked, chosen: Chosen) -> None:
        self._state, self._question = state, question
        self._given = given_by(chosen)
        self._chosen = chosen
        named = chosen if isinstance(chosen, str) else None if chosen is None else ""
        name = self._given.funnel if self._given is not None else named
        told = _told_settings(question, name)
        library = version("lastclick")
        found = state.settings()
        self._before = found
        if found is None:
            self._settings = Settings(library=library, asked=told, funnel=name or "")
        else:
            _compare(found, told, to)
            self._settings = attrs.evolve(found, library=library)
            if chosen is None and found.asked["funnel"] is not None:
                self._chosen = found.funnel

    def roll(self, log: Log, progress: Callable[[int, int], object] | None) -> Rolled:
        state, settings, before = self._state, self._settings, self._before
        rows = self._question.rows(settings.funnel or None)
        if settings.funnel and self._chosen is None:
            rows.funnels = {settings.funnel}  # a second one is an error, whenever it comes
        declarations, losses = state.records()
        counted_by = None
        if before is not None and before.definition and before.library == settings.library:
            counted_by = _ground(self._question, before)
        joining = Joining(state, counted_by, settings.next)
        new = NewLines(log, state.files(), progress)
        records: dict[tuple[str, str], FunnelDeclared | EventsLost] = {}
        waiting: list[Row] = []
        read = lines = 0
        for batch in new.batches():
            found, others = rows.of_lines(batch.lines)
            lines += len(batch.lines)
            read += 0 if batch.last else len(found)
            waiting += found
            for place, other in others:
                if isinstance(other, EventError):
                    refuse(batch, place, other)
                else:
                    mine = declarations if isinstance(other, FunnelDeclared) else losses
                    keep(mine, other)
                    records[other.type, other.event_id] = mine[other.event_id]
            if len(waiting) >= _AT_ONCE:
                settings.latest = _latest(settings.latest, waiting)
                joining.put(waiting)
                waiting = []
        settings.latest = _latest(settings.latest, waiting)
        joining.put(waiting)
        definition = definition_of(self._given, rows, self._chosen, declarations, settings.latest)
        settings.funnel = rows.funnel or ""
        basis = self._question.basis(settings.funnel, definition, settings.latest)
        now = Ground(basis, definition, self._question.day_of)
        whole = None if before is None else _why_whole(counted_by, now)
        recounted = recount(
            state,
            None if whole is not None else counted_by,
            now,
            joining.withdrawn,
        )
        settings.next = joining.next_id
        # A last line without an end counts as read when it has one.
        settings.redelivered += read - joining.new
        settings.definition = definition.line.decode()
        settings.as_of, settings.chosen = basis.as_of, basis.chosen
        if settings != before:
            state.keep_settings(settings)
        state.keep_records(records.values())
        state.keep_files(new.known)
        return Rolled(
            as_of=None if basis.as_of is None else instant(basis.as_of),
            lines=lines,
            events=joining.new,
            files=len(new.read),
            sets=recounted.sets,
            days=tuple(sorted(recounted.days)),
            changed=tuple(sorted({day for _, day in recounted.changed if day})),
            whole=whole,
            problems=problems(new.known),
        )


def is_rolled(path: Path | str) -> bool:
    """Whether a directory is one that a log was rolled to.

    Example:
        >>> from lastclick.rolled import is_rolled
        >>> is_rolled("nowhere")
        False

    .. versionadded:: 0.1.0
    """
    return Path(path, FILE).is_file()


def read_rolled(to: Path | str) -> Report:
    """The report of what was rolled: the same as `measure` would give of all of it.

    Args:
        to: The directory of the state.

    Raises:
        ConfigError: Nothing was rolled to it.
        LogError: The state is damaged, of another version, or somebody is rolling it.

    Example:
        >>> from lastclick import Funnel, measure, read_log
        >>> from lastclick.rolled import read_rolled, roll
        >>> from lastclick.sinks import FileSink
        >>> with Funnel("checkout", steps=("cart",), sink=FileSink("same-log")) as funnel:
        ...     funnel.checkout("c-1").enter("cart")
        >>> _ = roll("same-log", "same-rolled")
        >>> read_rolled("same-rolled").to_dict() == measure(read_log("same-log")).to_dict()
        True

    .. versionadded:: 0.1.0
    """
    began = time.perf_counter()
    with opened(Path(to), write=False) as state:
        settings = state.settings()
        if settings is None or not settings.definition:
            raise ConfigError(f"nothing was rolled to {to}; {FIRST}")
        if settings.library != version("lastclick"):
            msg = f"{to} was counted by lastclick {settings.library}; roll once more with this one"
            raise LogError(msg, Path(to))
        ground = _ground(_asked_again(settings), settings)
        told = told_by_records(*state.records(), ground)
        log = {key: number for key, (number, _) in told.get(LOG, {}).items()}
        counts = kept(state.parts(), log, ground.basis, Path(to))
        files = state.files()
    report = report_from(counts)
    seconds = time.perf_counter() - began
    delivery = Delivery(max(0, settings.redelivered), seconds, problems(files), "rolled")
    return attrs.evolve(report, reading=delivery)


def _latest(latest: int | None, rows: list[Row]) -> int | None:
    """The latest shopper event."""
    times = (
        row[0] for row in rows if row[1] in (REFUNDED, CANCELLED) or (row[1] < REFUNDED and row[3])
    )
    newest = max(times, default=None)
    if newest is None or latest is None:
        return latest if newest is None else newest
    return max(latest, newest)


def _why_whole(before: Ground | None, now: Ground) -> str | None:
    """Why nothing that was counted before can stay, if it cannot."""
    if before is None:
        return "it was counted by another version of lastclick"
    mine, theirs = before.basis, now.basis
    if attrs.evolve(mine, as_of=None) != attrs.evolve(theirs, as_of=None):
        return "the funnel's definition is another one"
    if (-1 if theirs.as_of is None else theirs.as_of) < (-1 if mine.as_of is None else mine.as_of):
        return "it was counted as of a later instant"
    return None


# Settings


def _ground(question: Asked, settings: Settings) -> Ground:
    """What the counts of a state rest on."""
    definition = parse_line(settings.definition.encode())
    assert isinstance(definition, FunnelDeclared)
    basis = question.basis(settings.funnel, definition, None)
    basis = attrs.evolve(basis, as_of=settings.as_of, chosen=settings.chosen)
    return Ground(basis, definition, question.day_of)


def _told_settings(question: Asked, funnel: str | None) -> dict[str, Any]:
    """The settings as JSON values."""
    found = {"funnel": funnel}
    for field in attrs.fields(Asked):
        if field.name not in ("as_of", "day_of"):
            value = getattr(question, field.name)
            if isinstance(value, timedelta):
                value //= timedelta(microseconds=1)
            found[field.name] = value
    told: dict[str, Any] = json.loads(json.dumps(found))
    return told


def _asked_again(settings: Settings) -> Asked:
    """The inverse of `_told_settings`."""
    told = {name: value for name, value in settings.asked.items() if name != "funnel"}
    for name in ("within", "abandon_after", "recover_within"):
        if told[name] is not None:
            told[name] = timedelta(microseconds=told[name])
    return asked(**{**told, "as_of": None, "exclude": dict(told["exclude"])})


def _compare(found: Settings, told: dict[str, Any], to: Path) -> None:
    """See that a state is asked for what it was rolled with.

    Raises:
        ConfigError: It is not.
    """
    wanted = {**found.asked, "funnel": found.funnel}
    now = {**told, "funnel": told["funnel"] or found.funnel}
    for name, value in wanted.items():
        if json.dumps(value) != json.dumps(now[name]):
            msg = (
                f"{to} was rolled with {name}={_shown(name, value)}, not with "
                f"{name}={_shown(name, now[name])}; ask for the same, name another directory, or "
                f"delete {to} and roll again"
            )
            raise ConfigError(msg)


def _shown(name: str, value: Any) -> str:
    if name in ("within", "abandon_after", "recover_within") and value is not None:
        return f"{timedelta(microseconds=value)}"
    if name == "exclude":
        return repr({attribute: tuple(values) for attribute, values in value})
    return repr(tuple(value) if isinstance(value, list) else value)
