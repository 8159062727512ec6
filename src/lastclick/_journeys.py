"""Journeys for people and jobs: who left, where, with what, and what became of it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import attrs
from typing_extensions import override

from lastclick import _render
from lastclick._exchange import Exchange
from lastclick._fold import Fold, Law, Outcome, fold, journeys_of, remaining
from lastclick._frames import Column, Library, frame
from lastclick._gather import (
    EXCLUDE,
    Chosen,
    Events,
    as_instant,
    excluded_values,
    gather,
    law_of,
)
from lastclick._money import Money
from lastclick._rows import CLICKED, FAILED, ORDERED, SENT, Row, Rows, instant
from lastclick.errors import ConfigError
from lastclick.events import ORDER


@attrs.frozen
class Order:
    """An order that a journey shows.

    Attributes:
        order_id: The shop's own id.
        at: When it was first told here.
        total: What the shopper pays; None where it is unknown.

    Example:
        >>> from lastclick import journeys
        >>> next(journeys(events, outcome="purchased")).orders[0].order_id
        'o-981'

    .. versionadded:: 0.1.0
    """

    order_id: str
    at: datetime
    total: Money | None


@attrs.frozen
class Reminder:
    """A message that went out, or a click on its link.

    Attributes:
        at: When.
        channel: ``"email"``, ``"sms"``, ...
        campaign: Which campaign it belongs to, where that is known.
        clicked: Whether this is the click.

    Example:
        >>> from lastclick import journeys
        >>> next(journeys(events, outcome="lost")).reminders
        ()

    .. versionadded:: 0.1.0
    """

    at: datetime
    channel: str
    campaign: str | None
    clicked: bool


@attrs.frozen
class Failure:
    """Something that went wrong at a step.

    Attributes:
        at: When.
        step: Where.
        reason: Why.

    Example:
        >>> from lastclick import journeys
        >>> next(journeys(events, outcome="lost")).failures[0].step
        'payment'

    .. versionadded:: 0.1.0
    """

    at: datetime
    step: str
    reason: str


@attrs.frozen
class Journey:
    """One attempt (or one customer's joined attempts), and what became of it.

    Attributes:
        checkout_id: The attempt; of several, the first.
        customer_id: The customer on its earliest event that names one.
        outcome: What became of it as of the instant asked for.
        furthest: The deepest step, or ``"order"``.
        steps: The steps it was seen at, in the order in which it first was.
        value: The last cart value known at the abandonment; None where there is none.
        started_at: Its first known step or its order.
        last_activity_at: The last thing the shopper did.
        abandoned_at: The last abandonment before the order or the instant; None where none.
        orders: The orders it shows, by time.
        arm: The arm it was first assigned to, ``"treated"`` or ``"holdout"``; None where to none.
        reminders: Messages and clicks, by time.
        failures: What went wrong, by time.
        attributes: The attributes of its earliest step event.

    Example:
        >>> from lastclick import journeys
        >>> journey = next(journeys(events, outcome="lost"))
        >>> journey.furthest, str(journey.value), journey.failures[0].reason
        ('payment', 'EUR 120.00', 'card_declined')

    .. versionadded:: 0.1.0
    """

    checkout_id: str
    customer_id: str | None
    outcome: Outcome
    furthest: str
    steps: tuple[str, ...]
    value: Money | None
    started_at: datetime
    last_activity_at: datetime
    abandoned_at: datetime | None
    orders: tuple[Order, ...]
    arm: str | None
    reminders: tuple[Reminder, ...]
    failures: tuple[Failure, ...]
    attributes: Mapping[str, str | int | bool | None]

    def _repr_html_(self) -> str:
        return _render.html(_page(self))


class Journeys(Iterator[Journey]):
    """Journeys, one by one: what `journeys` gives.

    Example:
        >>> from lastclick import journeys
        >>> next(journeys(events, outcome="lost")).checkout_id
        'c-2'

    .. versionadded:: 0.1.0
    """

    def __init__(self, found: Iterator[Journey]) -> None:
        self._found = found

    @override
    def __next__(self) -> Journey:
        return next(self._found)

    def to_frame(self, library: Library = "pandas") -> Any:
        """Those journeys that were not taken yet, as a table of another library: one row for each.

        Times are in UTC. Money is exact, in a column for each currency: the cart's last value, and
        the totals of the orders that the journey shows. An attribute's column bears its name after
        ``attribute_``; one that is no text is written as JSON. What is not known is missing.

        Args:
            library: ``"pandas"``, ``"polars"`` or ``"pyarrow"``, whichever you have installed.

        Returns:
            A pandas or polars DataFrame, or a pyarrow Table.

        Raises:
            ConfigError: There is no such library, or it is not installed.

        Example:
            >>> from lastclick import journeys
            >>> table = journeys(events, outcome="lost").to_frame("pyarrow")
            >>> table.select(["checkout_id", "furthest", "value_EUR"]).to_pylist()
            [{'checkout_id': 'c-2', 'furthest': 'payment', 'value_EUR': Decimal('120.0000')}]

        .. versionadded:: 0.1.0
        """
        return frame(_columns(list(self)), library)


def journeys(
    events: Events,
    funnel: Chosen = None,
    *,
    as_of: datetime | None = None,
    outcome: str | Outcome | None = None,
    unit: Literal["attempt", "customer"] = "attempt",
    exclude: Mapping[str, Sequence[str | int | bool | None]] = EXCLUDE,
    abandon_after: timedelta | None = None,
    recover_within: timedelta | None = None,
) -> Journeys:
    """The journeys in some events, one by one, in no promised order.

    Args:
        events: Events, or a log from `read_log`.
        funnel: Which funnel: its name, a `Funnel` or a declaration; None takes the one declared.
        as_of: Shopper events after it do not exist; None takes the latest one. A job that wins
            shoppers back passes the present.
        outcome: Only journeys with this outcome.
        unit: ``"attempt"``, or ``"customer"`` to join the attempts of one customer.
        exclude: By attribute, the values whose attempts are left out.
        abandon_after: Instead of the definition's.
        recover_within: Instead of the definition's.

    Raises:
        ConfigError: A setting cannot be used, or the funnel is not to be told.

    Example:
        >>> from lastclick import journeys
        >>> [journey.checkout_id for journey in journeys(events, outcome="lost")]
        ['c-2']

    .. versionadded:: 0.1.0
    """
    try:
        wanted = None if outcome is None else Outcome(outcome)
    except ValueError:
        known = ", ".join(Outcome)
        raise ConfigError(f"outcome {outcome!r:.100} is none of: {known}") from None
    if unit not in ("attempt", "customer"):
        raise ConfigError(f"unit is 'attempt' or 'customer', not {unit!r:.100}")
    chosen = as_instant(as_of)
    rows = Rows(None, (), dict(excluded_values(exclude)), everything=True)
    gathered = gather(events, funnel, rows)
    law = law_of(gathered.declaration, abandon_after, recover_within)
    until = gathered.latest if chosen is None else chosen
    as_of_units = -1 if until is None else until
    return Journeys(_journeys(gathered.by_checkout, law, as_of_units, unit, wanted))


def _journeys(
    by_checkout: Exchange, law: Law, as_of: int, unit: str, wanted: Outcome | None
) -> Iterator[Journey]:
    for it in _folds(by_checkout, law, as_of, unit):
        if it.first and it.outcome is not None and (wanted is None or it.outcome == wanted):
            yield _journey(it, law)


def _folds(by_checkout: Exchange, law: Law, as_of: int, unit: str) -> Iterator[Fold]:
    by_customer = Exchange(0)
    for group in by_checkout.groups():
        rows, _ = remaining(group, as_of)
        if not rows:
            continue
        it = fold(rows, law, as_of)
        if unit == "attempt" or it.customer_id is None:
            yield it
        else:
            by_customer.put_all([(it.customer_id, *row) for row in it.rows])
    for records in by_customer.groups():
        yield from journeys_of((record[1:] for record in records), law, as_of)


def _journey(it: Fold, law: Law) -> Journey:
    assert it.start is not None
    assert it.outcome is not None
    value, names = it.value, law.steps
    first_rows = sorted(it.rows, key=lambda row: (row[0], row[3] or ""))
    started = next(row for row in first_rows if row[0] == it.start and _starts(row, law))
    return Journey(
        checkout_id=started[3] or "",
        customer_id=it.customer_id,
        outcome=Outcome(it.outcome),
        furthest=ORDER if it.orders else names[it.seen[-1]],
        steps=tuple(names[at] for at in sorted(it.first, key=lambda at: (it.first[at], at))),
        value=None if value is None else Money.from_units(*value),
        started_at=instant(it.start),
        last_activity_at=instant(it.last),
        abandoned_at=None if it.abandoned is None else instant(it.abandoned),
        orders=_orders(it),
        arm=it.arm,
        reminders=tuple(
            Reminder(instant(row[0]), row[5], row[6], row[1] == CLICKED)
            for row in _told(it, SENT, CLICKED)
        ),
        failures=tuple(Failure(instant(row[0]), row[5], row[6] or "") for row in _told(it, FAILED)),
        attributes=json.loads(it.group or "{}"),
    )


def _page(journey: Journey) -> _render.Page:
    """The journey as a notebook shows it: what became of it, and what happened when."""
    told = [
        (journey.started_at, "started"),
        *((one.at, f"failed at {one.step}: {one.reason}") for one in journey.failures),
        *(
            (one.at, f"{'clicked' if one.clicked else 'reminded'} by {one.channel}")
            for one in journey.reminders
        ),
        *((one.at, f"ordered {one.order_id}, {_worth(one.total)}") for one in journey.orders),
        (journey.last_activity_at, "last activity"),
    ]
    if journey.abandoned_at is not None:
        told.append((journey.abandoned_at, f"abandoned with {_worth(journey.value)}"))
    told.sort(key=lambda one: one[0])
    lines = [
        ("outcome", str(journey.outcome)),
        ("furthest", journey.furthest),
        ("steps", ", ".join(journey.steps)),
        ("customer", journey.customer_id or "not given"),
    ]
    lines += [("arm", journey.arm)] if journey.arm else []
    lines += [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in sorted(journey.attributes.items())
    ]
    lines += [(f"{at:%Y-%m-%d %H:%M:%S} UTC", what) for at, what in told]
    return _render.Page([journey.checkout_id], lines, [], [])


def _columns(all_of_them: Sequence[Journey]) -> list[Column]:
    """The journeys as columns; money and attributes in a column each for what there is."""

    def column(name: str, kind: type, value: Callable[[Journey], object]) -> Column:
        return Column(name, kind, [value(journey) for journey in all_of_them])

    columns = [
        column("checkout_id", str, lambda one: one.checkout_id),
        column("customer_id", str, lambda one: one.customer_id),
        column("outcome", str, lambda one: one.outcome.value),
        column("furthest", str, lambda one: one.furthest),
        column("steps", str, lambda one: ", ".join(one.steps)),
        column("started_at", datetime, lambda one: one.started_at),
        column("last_activity_at", datetime, lambda one: one.last_activity_at),
        column("abandoned_at", datetime, lambda one: one.abandoned_at),
        column("failures", int, lambda one: len(one.failures)),
        column("reminders", int, lambda one: sum(not told.clicked for told in one.reminders)),
        column("clicks", int, lambda one: sum(told.clicked for told in one.reminders)),
        column("arm", str, lambda one: one.arm),
        column("orders", int, lambda one: len(one.orders)),
    ]
    for kind, money in (("value", _values), ("ordered", _totals)):
        told = [money(journey) for journey in all_of_them]
        for currency in sorted({currency for amounts in told for currency in amounts}):
            amounts = [amounts.get(currency) for amounts in told]
            columns.append(Column(f"{kind}_{currency}", Decimal, amounts))
    for name in sorted({name for journey in all_of_them for name in journey.attributes}):
        texts = [_text(journey.attributes.get(name)) for journey in all_of_them]
        columns.append(Column(f"attribute_{name}", str, texts))
    return columns


def _values(journey: Journey) -> dict[str, Decimal]:
    return {} if journey.value is None else {journey.value.currency: journey.value.amount}


def _totals(journey: Journey) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for order in journey.orders:
        if order.total is not None:
            currency = order.total.currency
            totals[currency] = totals.get(currency, Decimal(0)) + order.total.amount
    return totals


def _text(value: str | int | bool | None) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _worth(money: Money | None) -> str:
    return "unknown value" if money is None else str(money)


def _starts(row: Row, law: Law) -> bool:
    return row[1] == ORDERED or (row[1] <= FAILED and row[5] in law.positions)


def _told(it: Fold, *kinds: int) -> list[Row]:
    """The distinct events of some kinds, each at its earliest, in no order of arrival."""
    earliest: dict[tuple[object, ...], Row] = {}
    for row in it.rows:  # by time
        if row[1] in kinds:
            _, kind, event_id, checkout_id, _, what, more, *_ = row
            earliest.setdefault((kind, event_id, checkout_id, what, more), row)
    return sorted(
        earliest.values(),
        key=lambda row: (row[0], row[1], row[2], row[3] or "", row[5], row[6] or ""),
    )


def _orders(it: Fold) -> tuple[Order, ...]:
    earliest: dict[str, Row] = {}
    for row in sorted(it.orders, key=_telling):
        earliest.setdefault(row[5], row)
    return tuple(
        Order(
            order_id=order_id,
            at=instant(row[0]),
            total=None if row[7] is None else Money.from_units(row[7], row[8] or ""),
        )
        for order_id, row in earliest.items()
    )


def _telling(row: Row) -> tuple[int, str, str, int, str]:
    """What the tellings of an order are taken by: time, ids, amount and currency."""
    return row[0], row[3] or "", row[2], -1 if row[7] is None else row[7], row[8] or ""
