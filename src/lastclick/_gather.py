"""Reading events once: shopper rows exchanged by checkout, and what the log says beside them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import attrs

from lastclick._exchange import Exchange
from lastclick._fold import Law
from lastclick._rows import CANCELLED, REFUNDED, Batch, Row, Rows, micros
from lastclick.errors import ConfigError, EventError, LogError, shown
from lastclick.events import Event, EventsLost, FunnelDeclared, utc

_EVENT_ID, _CHECKOUT_ID = 2, 3
_TIME = itemgetter(0)
_BATCH = 500

#: What a record in the exchange by order is: an order that a journey shows, one that only left-out
#: events show, a refund or a cancellation.
SHOWN, LEFT_OUT, REFUND, CANCEL = range(4)


@runtime_checkable
class _Source(Protocol):
    """Events that know a quicker way to their rows: a log."""

    def read_rows(self, rows: Rows) -> Iterator[Batch]: ...


class HasDeclaration(Protocol):
    """Anything with a ``declaration``: a `Funnel`."""

    @property
    def declaration(self) -> FunnelDeclared: ...


Events: TypeAlias = Iterable[Event]
Excluded: TypeAlias = tuple[tuple[str, tuple[str | int | bool | None, ...]], ...]
Chosen: TypeAlias = str | FunnelDeclared | HasDeclaration | None

#: Traffic that is left out of every report unless you say otherwise.
EXCLUDE: Mapping[str, tuple[str, ...]] = {"traffic": ("bot", "staff", "test")}


@attrs.define
class Gathered:
    """Everything one reading found.

    Attributes:
        funnel: The funnel's name, None where the log is empty and none was chosen.
        declaration: The definition to read by.
        by_checkout: Rows of attempts.
        by_order: Refunds and cancellations, as (order id, `REFUND` or `CANCEL`, t, event id,
            refund id, units, currency, excluded); the counting adds the orders.
        strays: Rows of unknown types, and of events without a checkout id.
        declarations: All definitions in the log, by id.
        losses: What was lost, by id.
        latest: The latest shopper event, None where there is none.
    """

    funnel: str
    declaration: FunnelDeclared
    by_checkout: Exchange
    by_order: Exchange
    strays: Exchange
    declarations: dict[str, FunnelDeclared]
    losses: dict[str, EventsLost]
    latest: int | None

    def close(self) -> None:
        """Give the temporary files back."""
        for exchange in (self.by_checkout, self.by_order, self.strays):
            exchange.close()


def gather(events: Events, chosen: Chosen, rows: Rows) -> Gathered:
    """Read the events once.

    Raises:
        ConfigError: Several funnels and none chosen, or no definition of the one chosen.
    """
    choose(rows, chosen)
    found = Gathering()
    for batch, records in rows_of(events, rows):
        found.take(batch, records)
    return found.end(rows, chosen)


def choose(rows: Rows, chosen: Chosen) -> None:
    """Let the rows be of the funnel that was chosen, if one was."""
    given = given_by(chosen)
    if isinstance(chosen, str):
        rows.funnel = chosen
    elif given is not None:
        rows.funnel = given.funnel


class Records:
    """What the log says beside its rows: definitions, and what was lost.

    Attributes:
        declarations: All definitions, by id.
        losses: What was lost, by id.
    """

    def __init__(self) -> None:
        self.declarations: dict[str, FunnelDeclared] = {}
        self.losses: dict[str, EventsLost] = {}

    def keep(self, records: Iterable[FunnelDeclared | EventsLost]) -> None:
        """Keep one record an id."""
        for record in records:
            if isinstance(record, FunnelDeclared):
                keep(self.declarations, record)
            else:
                keep(self.losses, record)

    def definition(self, rows: Rows, chosen: Chosen, latest: int | None) -> FunnelDeclared:
        """The definition to read by.

        Args:
            rows: What made the rows, which knows the funnels that were met.
            chosen: The funnel that was asked for.
            latest: The latest shopper event, None where there is none.

        Raises:
            ConfigError: Several funnels and none chosen, or no definition of the one chosen.
        """
        return definition_of(given_by(chosen), rows, chosen, self.declarations, latest)


class Gathering(Records):
    """What was found so far.

    Args:
        directory: Where the exchanges put what is handed over to other processes.
    """

    def __init__(self, directory: Path | None = None) -> None:
        def exchange(key: int, name: str) -> Exchange:
            return Exchange(key, None if directory is None else directory / name)

        self.by_checkout = exchange(_CHECKOUT_ID, "checkouts")
        self.by_order = exchange(0, "orders")
        self.strays = exchange(_EVENT_ID, "strays")
        super().__init__()
        self.latest: int | None = None

    def take(self, found: list[Row], records: Iterable[FunnelDeclared | EventsLost]) -> None:
        """Take some hundred rows, and the records beside them."""
        attempts = [row for row in found if row[1] < REFUNDED and row[_CHECKOUT_ID]]
        self.by_checkout.put_all(attempts)
        if len(attempts) < len(found):
            back = [row for row in found if row[1] in (REFUNDED, CANCELLED)]
            self.by_order.put_all([_back(row) for row in back])
            self.strays.put_all(
                [
                    row
                    for row in found
                    if row[1] not in (REFUNDED, CANCELLED) and not row[_CHECKOUT_ID]
                ]
            )
            attempts += back
        if attempts:
            newest = max(map(_TIME, attempts))
            self.latest = newest if self.latest is None else max(self.latest, newest)
        self.keep(records)

    def end(self, rows: Rows, chosen: Chosen) -> Gathered:
        """What was found in all.

        Raises:
            ConfigError: Several funnels and none chosen, or no definition of the one chosen.
        """
        return self.by(rows.funnel or "", self.definition(rows, chosen, self.latest))

    def by(self, funnel: str, declaration: FunnelDeclared) -> Gathered:
        """The same, to be read by a definition."""
        return Gathered(
            funnel=funnel,
            declaration=declaration,
            by_checkout=self.by_checkout,
            by_order=self.by_order,
            strays=self.strays,
            declarations=self.declarations,
            losses=self.losses,
            latest=self.latest,
        )


def rows_of(events: Events, rows: Rows) -> Iterator[Batch]:
    """Events as rows and records, some hundred at a time."""
    return events.read_rows(rows) if isinstance(events, _Source) else _read(events, rows)


def _read(events: object, rows: Rows) -> Iterator[Batch]:
    """Event objects as rows and records, some hundred at a time."""
    if isinstance(events, str) or not isinstance(events, Iterable):
        msg = f"no events: {shown(events)}; pass events, or what read_log or read_table gives"
        raise LogError(msg)
    found: list[Row] = []
    records: list[FunnelDeclared | EventsLost] = []
    for event in events:
        read = rows.of_event(event)
        if isinstance(read, FunnelDeclared | EventsLost):
            records.append(read)
        elif read is not None:
            found.append(read)
        if len(found) == _BATCH:
            yield found, records
            found, records = [], []
    yield found, records


def _back(row: Row) -> tuple[Any, ...]:
    t, kind, event_id, _, _, order_id, refund_id, units, currency, excluded, _ = row
    what = REFUND if kind == REFUNDED else CANCEL
    return order_id, what, t, event_id, refund_id, units, currency, excluded


def keep(records: dict[str, Any], record: FunnelDeclared | EventsLost) -> None:
    """One record an id; of two that differ under one id, the same one whatever comes first."""
    other = records.get(record.event_id)
    if other is None or record.line > other.line:
        records[record.event_id] = record


def given_by(chosen: Chosen) -> FunnelDeclared | None:
    if chosen is None or isinstance(chosen, str):
        return None
    given = chosen if isinstance(chosen, FunnelDeclared) else getattr(chosen, "declaration", None)
    if not isinstance(given, FunnelDeclared):
        msg = f"funnel: {chosen!r:.100}; pass its name, a Funnel, or its declaration"
        raise ConfigError(msg)
    return given


def definition_of(
    given: FunnelDeclared | None,
    rows: Rows,
    chosen: Chosen,
    declarations: dict[str, FunnelDeclared],
    latest: int | None,
) -> FunnelDeclared:
    if chosen is None and len(rows.funnels) > 1:
        names = ", ".join(repr(name) for name in sorted(rows.funnels))
        msg = f"several funnels in one log: {names}; choose one with funnel="
        raise ConfigError(msg)
    if given is not None:
        return given
    if not declarations:
        read = set() if latest is None or rows.funnel is None else {rows.funnel}
        found = ", ".join(repr(name) for name in sorted(rows.funnels | read)) or "none"
        wanted = "a funnel" if rows.funnel is None else f"funnel {rows.funnel!r}"
        msg = (
            f"no definition of {wanted} among the events (funnels seen: {found}); "
            f"pass funnel= a Funnel or its declaration"
        )
        raise ConfigError(msg)
    return max(declarations.values(), key=lambda one: (one.occurred_at, one.event_id))


def law_of(
    declaration: FunnelDeclared, abandon_after: timedelta | None, recover_within: timedelta | None
) -> Law:
    """The definition as the fold needs it, with its limits or others.

    Raises:
        ConfigError: A limit is not above zero, or ``recover_within`` is below ``abandon_after``.
    """
    limits: dict[str, object] = {"abandon_after": abandon_after, "recover_within": recover_within}
    for name, limit in limits.items():
        if limit is not None and (not isinstance(limit, timedelta) or limit <= timedelta(0)):
            raise ConfigError(f"{name} is {limit!r:.100}; pass a timedelta above zero")
    gap = _whole(declaration.abandon_after if abandon_after is None else abandon_after)
    within = _whole(declaration.recover_within if recover_within is None else recover_within)
    if within < gap:
        msg = (
            f"recover_within ({within / 1e6:g} s) is below abandon_after ({gap / 1e6:g} s); "
            f"give it at least as long"
        )
        raise ConfigError(msg)
    steps = declaration.steps
    return Law(
        steps=tuple(step.name for step in steps),
        required=tuple(place for place, step in enumerate(steps) if not step.optional),
        abandon_after=gap,
        recover_within=within,
    )


def _whole(limit: timedelta) -> int:
    return limit // timedelta(microseconds=1)


def excluded_values(exclude: object) -> Excluded:
    """What is excluded, by attribute, in one order.

    Raises:
        ConfigError: It is no mapping of names to values that attributes can have.
    """
    if not isinstance(exclude, Mapping):
        msg = f"exclude: {exclude!r:.100}; pass a mapping such as {{'traffic': ('bot', 'test')}}"
        raise ConfigError(msg)
    for name, values in exclude.items():
        if not isinstance(name, str):
            raise ConfigError(f"exclude names {name!r:.100}; pass the name of an attribute")
        if (
            isinstance(values, str)
            or not isinstance(values, Sequence | frozenset | set)
            or not all(value is None or isinstance(value, str | int) for value in values)
        ):
            msg = f"exclude[{name!r}] is {values!r:.100}; pass the values, such as ('bot', 'test')"
            raise ConfigError(msg)
    return tuple(
        (name, tuple(sorted(values, key=json.dumps))) for name, values in sorted(exclude.items())
    )


def as_instant(as_of: datetime | None) -> int | None:
    """An aware datetime as microseconds.

    Raises:
        ConfigError: It is none.
    """
    try:
        return None if as_of is None else micros(utc(as_of))
    except EventError as error:
        raise ConfigError(f"as_of: {error}") from None
