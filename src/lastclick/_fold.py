"""The one fold: from the events of an attempt to what became of it.

Every rule here is a minimum, a maximum, a pick by a total key or a count of distinct things, so
that neither the order of arrival nor redelivery can matter. The reference page *Metrics* states
them; ``docs/conformance`` has the cases.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import StrEnum
from operator import itemgetter

import attrs

from lastclick._rows import ASSIGNED, CLICKED, FAILED, ORDERED, SENT, SURVEYED, Row

_TIME, _EXCLUDED = itemgetter(0), itemgetter(9)


class Outcome(StrEnum):
    """What became of an attempt as of an instant: one of eight, which exclude each other.

    Example:
        >>> Outcome.LOST == "lost"
        True

    .. versionadded:: 0.1.0
    """

    IN_FLIGHT = "in_flight"
    PURCHASED = "purchased"
    RECOVERABLE = "recoverable"
    LOST = "lost"
    RECOVERED_BY_LINK = "recovered_by_link"
    RECOVERED_AFTER_REMINDER = "recovered_after_reminder"
    RECOVERED_UNAIDED = "recovered_unaided"
    PURCHASED_LATE = "purchased_late"


IN_FLIGHT = Outcome.IN_FLIGHT.value
RECOVERABLE = Outcome.RECOVERABLE.value
LOST = Outcome.LOST.value
_PURCHASED = Outcome.PURCHASED.value
_BY_LINK = Outcome.RECOVERED_BY_LINK.value
_AFTER_REMINDER = Outcome.RECOVERED_AFTER_REMINDER.value
_UNAIDED = Outcome.RECOVERED_UNAIDED.value
_PURCHASED_LATE = Outcome.PURCHASED_LATE.value


@attrs.frozen
class Law:
    """A definition as the fold needs it: limits in microseconds, steps by position.

    Attributes:
        steps: The names of the steps, in order.
        required: The positions of the steps that are not optional.
        abandon_after: An attempt idle for longer is abandoned.
        recover_within: An order this long after an abandonment, or earlier, is a recovery.
        last_touch: Whether the group is that of the last step event that has one, up to the order;
            otherwise it is that of the earliest step event.
    """

    steps: tuple[str, ...]
    required: tuple[int, ...]
    abandon_after: int
    recover_within: int
    last_touch: bool = False
    positions: dict[str, int] = attrs.field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        positions = {name: position for position, name in enumerate(self.steps)}
        object.__setattr__(self, "positions", positions)


class Fold:
    """What the rows of one attempt come to. Instants are microseconds, None where there is none.

    Attributes:
        rows: The rows, by time.
        start: The first known step or the order, whichever is earlier.
        last: The last activity.
        order_at: The first order.
        first_abandoned: The first abandonment before the order or ``as_of``.
        abandoned: The last one.
        outcome: As text, since members of an Enum hash slowly; None where it has no start.
        first: By position of a step, when it was first seen there.
        seen: The positions of the steps it was seen at, in order.
        in_order: Whether it was first seen at each of them after the one before, or with it.
        known: (time, position) of every event at a known step.
        values: (time, position, kind, event id, units, currency) of every cart value there.
        orders: The rows of its orders.
        failures: (position, reason, checkout id, event id) of every failure at a known step.
        answers: The rows of what the shopper answered.
        unknown: (step, event id) of every event at a step that the definition does not have.
        two_currencies: Whether its cart values and orders are in several currencies.
        customer_id: The customer on the earliest event that names one.
        several_customers: Whether its events name more than one.
        arm: The arm it was first assigned to, None where to none.
        assigned: The rows of its assignments.
        sent: The rows of reminders that went out.
        clicked: When reminders were clicked.
        group: The group of its earliest step event, None where it has no step event.
    """

    __slots__ = (
        "abandoned",
        "answers",
        "arm",
        "assigned",
        "clicked",
        "customer_id",
        "failures",
        "first",
        "first_abandoned",
        "group",
        "in_order",
        "known",
        "last",
        "order_at",
        "orders",
        "outcome",
        "rows",
        "seen",
        "sent",
        "several_customers",
        "start",
        "two_currencies",
        "unknown",
        "values",
    )

    rows: list[Row]
    start: int | None
    last: int
    order_at: int | None
    first_abandoned: int | None
    abandoned: int | None
    outcome: str | None
    first: dict[int, int]
    seen: tuple[int, ...]
    in_order: bool
    known: list[tuple[int, int]]
    values: list[tuple[int, int, int, str, int, str]]
    orders: list[Row]
    failures: set[tuple[int, str, str, str]]
    answers: list[Row]
    unknown: set[tuple[str, str]]
    two_currencies: bool
    customer_id: str | None
    several_customers: bool
    arm: str | None
    assigned: list[Row]
    sent: list[Row]
    clicked: list[int]
    group: str | None

    @property
    def value(self) -> tuple[int, str] | None:
        """Units and currency of the last cart value at or before the abandonment."""
        return self.value_at(self.abandoned)

    def value_at(self, instant: int | None) -> tuple[int, str] | None:
        """Units and currency of the last cart value at or before an instant."""
        if instant is None:
            return None
        values = self.values
        if not values or values[-1][0] > instant:
            values = [value for value in values if value[0] <= instant]
        if not values:
            return None
        last = values[-1]
        if len(values) > 1 and values[-2][0] == last[0]:
            last = max(values)
        *_, units, currency = last
        return units, currency

    def waits(self) -> Iterator[tuple[int, int]]:
        """By position of a step, the microseconds from when it was first seen there to the next.

        The next is the earliest event at a deeper step, or the order, at or after that; a step
        with no next one is left out.
        """
        first, seen, order_at = self.first, self.seen, self.order_at
        for place, position in enumerate(seen):
            since = first[position]
            deeper: int | None = None
            if not self.in_order:
                times = [t for t, at in self.known if at > position and t >= since]
                deeper = min(times, default=None)
            elif place + 1 < len(seen):
                deeper = first[seen[place + 1]]
            if order_at is not None and order_at >= since:
                deeper = order_at if deeper is None else min(deeper, order_at)
            if deeper is not None:
                yield position, deeper - since


def remaining(rows: list[Row], as_of: int) -> tuple[list[Row], list[Row]]:
    """Rows of one attempt up to ``as_of`` that count, and those left out.

    Where a step event excludes, the whole attempt is left out; elsewhere the event alone.
    """
    if max(map(_TIME, rows)) > as_of:
        rows = [row for row in rows if row[0] <= as_of]
    if True not in map(_EXCLUDED, rows):
        return rows, []
    if any(row[9] and row[1] <= FAILED for row in rows):
        return [], rows
    return [row for row in rows if not row[9]], [row for row in rows if row[9]]


def fold(rows: list[Row], law: Law, as_of: int) -> Fold:
    """Read the rules over the rows of one attempt, all of them at or before ``as_of``."""
    rows.sort(key=_TIME)
    positions, gap = law.positions, law.abandon_after
    it = Fold()
    it.rows = rows
    it.first = first = {}
    it.known = known = []
    it.values = values = []
    it.orders = orders = []
    it.failures = failures = set()
    it.answers = answers = []
    it.unknown = unknown = set()
    one_currency: str | None = None
    two_currencies = False
    it.sent = sent = []
    it.clicked = clicked = []
    it.assigned = assigned = []
    start = order_at = first_abandoned = abandoned = previous = None
    customer_id = customer_at = None
    several = False
    head: tuple[int, int, str, str, str] | None = None
    last = 0
    for row in rows:
        t, kind, event_id, checkout_id, customer, what, more, units, currency, _, group = row
        if customer is not None and customer != customer_id:
            if customer_id is None:
                customer_id, customer_at = customer, t
            else:
                several = True
                if t == customer_at and customer < customer_id:
                    customer_id = customer
        if kind <= FAILED:
            if head is None or t == head[0]:
                this = (t, kind, what, event_id, group)
                head = this if head is None or this < head else head
            position = positions.get(what)
            if position is not None:
                if position not in first:
                    first[position] = t
                    if start is None:
                        start = t
                known.append((t, position))
                if units is not None and currency is not None:
                    values.append((t, position, kind, event_id, units, currency))
                    if currency != one_currency:
                        two_currencies = one_currency is not None or two_currencies
                        one_currency = currency
                if kind == FAILED:
                    failures.add((position, more or "", checkout_id or "", event_id))
            else:
                unknown.add((what, event_id))
        elif kind == ORDERED:
            orders.append(row)
            if currency is not None and currency != one_currency:
                two_currencies = one_currency is not None or two_currencies
                one_currency = currency
        elif kind == CLICKED:
            clicked.append(t)
        else:
            if kind == SENT:
                sent.append(row)
            elif kind == ASSIGNED:
                assigned.append(row)
            elif kind == SURVEYED:
                answers.append(row)
            continue
        # What comes here is activity. It counts from the start on, and for gaps up to the order.
        if start is None:
            if kind != ORDERED:
                continue
            start = t
        last = t
        if order_at is None:
            if previous is not None and t - previous > gap:
                abandoned = previous
                if first_abandoned is None:
                    first_abandoned = previous
            previous = t
            if kind == ORDERED:
                order_at = t
    if start is not None and order_at is None and as_of - last > gap:
        abandoned = last
        if first_abandoned is None:
            first_abandoned = last
    it.seen = seen = tuple(sorted(first)) if len(first) > 1 else tuple(first)
    times = [first[position] for position in seen]
    it.in_order = len(seen) < 2 or times == sorted(times)
    it.start, it.last, it.order_at = start, last, order_at
    it.first_abandoned, it.abandoned = first_abandoned, abandoned
    it.customer_id, it.several_customers = customer_id, several
    it.two_currencies = two_currencies
    it.arm = min((row[0], row[5]) for row in assigned)[1] if assigned else None
    it.group = None if head is None else head[4]
    if law.last_touch and head is not None:
        touched = [
            (row[0], row[1], row[5], row[2], row[10])
            for row in rows
            if row[1] <= FAILED
            and row[10].strip("[nul, ]")  # not "[null]", "[null, null]", ...: text has quotes
            and (order_at is None or row[0] <= order_at)
        ]
        it.group = max(touched, default=head)[4]
    it.outcome = _outcome(it, law, as_of)
    return it


def _outcome(it: Fold, law: Law, as_of: int) -> str | None:
    within = law.recover_within
    if it.start is None:
        return None
    if it.order_at is None:
        if as_of - it.last <= law.abandon_after:
            return IN_FLIGHT
        return RECOVERABLE if as_of - it.last <= within else LOST
    if it.abandoned is None or it.first_abandoned is None:
        return _PURCHASED
    order, first = it.order_at, it.first_abandoned
    if order - it.abandoned > within:
        return _PURCHASED_LATE
    if any(first < t <= order and order - t <= within for t in it.clicked):
        return _BY_LINK
    if any(first < row[0] <= order and order - row[0] <= within for row in it.sent):
        return _AFTER_REMINDER
    return _UNAIDED


def journeys_of(rows: Iterable[Row], law: Law, as_of: int) -> Iterator[Fold]:
    """The journeys of one customer, from the rows of all the customer's attempts.

    Attempts are taken by (start, checkout id). One continues the journey of the one before unless
    an order of the customer lies at or after that one's start and strictly before its own, or it
    starts more than ``recover_within`` after the customer's latest earlier activity. Attempts
    that never started stay alone.
    """
    attempts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        attempts[row[3] or ""].append(row)
    folds = [fold(own, law, as_of) for own in attempts.values()]
    yield from (it for it in folds if it.start is None)
    started = sorted((it.start, it.rows[0][3] or "", it) for it in folds if it.start is not None)
    order_times = sorted(row[0] for _, _, it in started for row in it.orders)
    journey: list[Fold] = []
    before = latest = 0
    for start, _, it in started:
        if journey:
            paid = bisect_left(order_times, before) < bisect_left(order_times, start)
            if paid or start - latest > law.recover_within:
                yield _joined(journey, law, as_of)
                journey = []
        journey.append(it)
        before, latest = start, max(latest, it.last)
    if journey:
        yield _joined(journey, law, as_of)


def _joined(journey: list[Fold], law: Law, as_of: int) -> Fold:
    if len(journey) == 1:
        return journey[0]
    return fold([row for it in journey for row in it.rows], law, as_of)
