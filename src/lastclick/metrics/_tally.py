"""Counting: from events to `Counts`, in one pass and in bounded memory.

Rows are exchanged by checkout and folded; where customers are the unit, exchanged by customer and
folded again; the orders they show are exchanged by order, so that each is credited once.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lastclick._exchange import Exchange
from lastclick._fold import (
    IN_FLIGHT,
    LOST,
    RECOVERABLE,
    Fold,
    fold,
    journeys_of,
    remaining,
)
from lastclick._gather import CANCEL, LEFT_OUT, REFUND, SHOWN, Gathered
from lastclick._rows import FAILED, ORDERED, UNKNOWN, Row, instant, local, micros
from lastclick.errors import ConfigError
from lastclick.events import ORDER, EventsLost, FunnelDeclared
from lastclick.metrics._counts import LOG, Basis, Cell, Key
from lastclick.metrics._persons import Person, Persons, person

Groups: TypeAlias = Iterable[list[tuple[Any, ...]]]

_UNPAID = (LOST, RECOVERABLE)
_EVENT_ID = itemgetter(2)
_QUARTER_HOUR = 900_000_000
_SECOND = 1_000_000
_HOUR = 3600 * _SECOND

#: Upper ends, in per cent, of the bands by which a total is larger than the first one shown; the
#: last band has none.
SURPRISES = (0, 5, 10, 20)
ABOVE = 100


def day_of_zone(timezone: str) -> Callable[[int], str]:
    """The day of an instant in a zone, as text; remembered by quarter of an hour.

    No zone has changed its clocks off a quarter of an hour since 1972.
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        msg = f"timezone: {timezone!r:.100} is not known; use a name such as 'Europe/Paris'"
        raise ConfigError(msg) from None
    days: dict[int, str] = {}

    def day_of(t: int) -> str:
        quarter = t // _QUARTER_HOUR
        day = days.get(quarter)
        if day is None:
            day = days[quarter] = local(instant(t), zone).date().isoformat()
        return day

    return day_of


class _Journeys:
    """What was counted of the journeys of one cell, in the form that is the quickest to add to.

    Attributes:
        shapes: Journeys by outcome, whether they are matured, and the steps seen.
        waits: By position of a step, journeys by the seconds from there to the next.
        paid: Journeys by the seconds from the start to the order.
        unpaid: Journeys without an order, by the seconds from the start to now.
        surprises: Totals by position, band, and whether the journey ended there.
        values: By the last position, outcome and currency, unpaid journeys and their money.
    """

    __slots__ = ("paid", "shapes", "surprises", "unpaid", "values", "waits")

    def __init__(self, steps: int) -> None:
        self.shapes: dict[tuple[str, bool, tuple[int, ...]], int] = defaultdict(int)
        self.waits: list[dict[int, int]] = [defaultdict(int) for _ in range(steps)]
        self.paid: dict[int, int] = defaultdict(int)
        self.unpaid: dict[int, int] = defaultdict(int)
        self.surprises: dict[tuple[int, int, bool], int] = defaultdict(int)
        self.values: dict[tuple[int, str, str], list[int]] = {}


class Tally:
    """One counting: what has been counted so far.

    Its methods are called in the order in which they stand, each with groups from an exchange that
    those before it have filled.

    Args:
        basis: What to count.
        by_order: The exchange by order, with the refunds and cancellations.
        directory: Where the exchanges put what is handed over to other processes.
    """

    def __init__(self, basis: Basis, by_order: Exchange, directory: Path | None = None) -> None:
        law = basis.law
        self._basis, self._law, self._day_of = basis, law, day_of_zone(basis.timezone)
        self._as_of = -1 if basis.as_of is None else basis.as_of
        self._names = law.steps
        self._customers = basis.unit == "customer"
        self.by_order = by_order
        self.by_customer = Exchange(0, None if directory is None else directory / "customers")
        self.by_person = Exchange(0, None if directory is None else directory / "persons")
        self._persons = Persons(
            self.by_person, self._as_of, law.recover_within, by_group=bool(basis.by)
        )
        self._latest = law.recover_within // _SECOND + 1
        self._journeys: dict[Cell, _Journeys] = {}
        self._nets: dict[tuple[Cell, int, str], tuple[int, int]] = {}
        self._cells: dict[Cell, dict[Key, int]] = defaultdict(lambda: defaultdict(int))
        self._hours: dict[int, int] = defaultdict(int)
        self._log = self._cells[LOG]
        self.redelivered = 0

    def run(self, gathered: Gathered) -> None:
        """Count everything, here."""
        self.attempts(gathered.by_checkout.drained())
        self.customers(self.by_customer.drained())
        self.orders(self.by_order.drained())
        self.all_told()
        self.persons(self.by_person.drained())
        self.strays(gathered.strays.drained())
        self.records(gathered)

    def close(self) -> None:
        self.by_customer.close()
        self.by_person.close()

    def attempts(self, groups: Groups) -> None:
        """Fold the attempts, and count them, or exchange them by customer."""
        for rows in groups:
            self._attempt(rows)

    def customers(self, groups: Groups) -> None:
        """Count the journeys of customers."""
        for group in groups:
            own = (record[1:] for record in group)
            for it in journeys_of(own, self._law, self._as_of):
                self._journey(it)

    def cells(self) -> dict[Cell, dict[Key, int]]:
        """Everything counted, with the journeys that were counted by their shape."""
        cells = self._cells
        self._persons.end(cells)
        while self._journeys:
            cell, journeys = self._journeys.popitem()
            self._settle(journeys, cells[cell])
        for (cell, seconds, currency), (y, yy) in self._nets.items():
            cells[cell]["net_after", seconds, currency] += y
            cells[cell]["net2_after", seconds, currency] += yy
        for hour, number in self._hours.items():
            self._log["last_event", hour] += number
        return {cell: dict(cells.pop(cell)) for cell in list(cells) if cells[cell]}

    def _settle(self, journeys: _Journeys, counted: dict[Key, int]) -> None:
        """Enter what was counted of journeys under the names that counts have."""
        names = self._names
        for (outcome, matured, seen), number in journeys.shapes.items():
            for key, of in shape_of(names, outcome, seen, number, matured=matured):
                counted[key] += of
        for name, waits in zip(names, journeys.waits, strict=True):
            for seconds, number in waits.items():
                counted["seconds", name, seconds] += number
        for (position, band, left), number in journeys.surprises.items():
            counted["surprise", names[position], band] += number
            if left:
                counted["surprise_left", names[position], band] += number
        for what, times in (("paid_after", journeys.paid), ("open_after", journeys.unpaid)):
            for seconds, number in times.items():
                counted[what, seconds] += number
        for (position, outcome, currency), (number, units) in journeys.values.items():
            counted["valued", names[position], outcome, currency] += number
            counted["value", names[position], outcome, currency] += units

    # Attempts

    def _attempt(self, rows: list[Row]) -> None:
        if len(rows) > 1 and len(set(map(_EVENT_ID, rows))) < len(rows):
            unique = list(set(rows))
            self.redelivered += len(rows) - len(unique)
            rows = unique
        rows, left = remaining(rows, self._as_of)
        if left:
            self._left_out(left)
        if not rows:
            return
        it = fold(rows, self._law, self._as_of)
        self._facts(it)
        if not self._customers or it.customer_id is None:
            self._journey(it)
        else:
            for row in rows:
                self.by_customer.put((it.customer_id, *row))

    def _left_out(self, rows: list[Row]) -> None:
        if any(row[9] and row[1] <= FAILED for row in rows):
            self._log["excluded_attempts",] += 1
        else:
            self._log["excluded_events",] += len({row[1:3] for row in rows})
        for row in rows:
            if row[1] == ORDERED:
                self._show(row, LEFT_OUT, LOG, "", "", 0)

    def _journey(self, it: Fold) -> None:
        """Count one journey in its cell."""
        seen, outcome = it.seen, it.outcome
        if not seen or outcome is None or it.start is None:
            self._log["without_step",] += 1
            self._persons.journey(it, None, self._customers)
            for row in it.orders:
                self._show(row, SHOWN, LOG, "", person(it), 0)
            return
        cell = (it.group or "", self._day_of(it.start))
        self._persons.journey(it, cell, self._customers)
        journeys = self._journeys.get(cell)
        if journeys is None:
            journeys = self._journeys[cell] = _Journeys(len(self._names))
        order_at = it.order_at
        if order_at is None:
            after = 0
            self._open(cell, it.start)
        else:
            after = min((order_at - it.start) // _SECOND, self._latest)
            journeys.paid[after] += 1
        abandoned = it.first_abandoned
        matured = (
            abandoned is not None
            and outcome != IN_FLIGHT
            and self._as_of - abandoned > self._law.recover_within
        )
        journeys.shapes[outcome, matured, seen] += 1
        if it.answers:
            self._answers(it, self._cells[cell])
        if self._basis.closed:
            for name in self._chain(it):
                self._cells[cell]["chain", name] += 1
        if outcome == IN_FLIGHT:
            return
        waits, first = journeys.waits, it.first
        if it.in_order and (order_at is None or order_at >= first[seen[-1]]):
            before, since = seen[0], first[seen[0]]
            for position in seen[1:]:
                t = first[position]
                waits[before][(t - since) // _SECOND] += 1
                before, since = position, t
            if order_at is not None:
                waits[before][(order_at - since) // _SECOND] += 1
        else:
            for position, wait in it.waits():
                waits[position][wait // _SECOND] += 1
        if order_at is None:
            value = it.value_at(it.abandoned)
            if value is None:
                self._cells[cell]["unvalued", self._names[seen[-1]], outcome] += 1
            else:
                sums = journeys.values.setdefault((seen[-1], outcome, value[1]), [0, 0])
                sums[0] += 1
                sums[1] += value[0]
        if it.failures:
            self._failures(it, self._cells[cell])
        if len(it.known) > len(seen) or not it.in_order:
            self._returns(it, self._cells[cell])
        if len(it.values) > 1:
            self._surprises(it, journeys.surprises)
        if it.orders:
            who = person(it)
            for row in it.orders:
                self._show(row, SHOWN, cell, outcome, who, after)

    def _open(self, cell: Cell, start: int) -> None:
        """A journey without an order, by how long ago it started."""
        after = (self._as_of - start) // _SECOND
        self._journeys[cell].unpaid[min(self._latest, after)] += 1

    def _failures(self, it: Fold, counted: dict[Key, int]) -> None:
        for position, reason, _, _ in it.failures:
            counted["failures", self._names[position], reason] += 1
        for position, reason in {failure[:2] for failure in it.failures}:
            counted["failed", self._names[position], reason] += 1
        for position in {failure[0] for failure in it.failures}:
            counted["failed_any", self._names[position]] += 1
        earliest: dict[tuple[int, str], int] = {}
        for row in it.rows:  # by time
            if row[1] == FAILED and (position := self._law.positions.get(row[5], -1)) >= 0:
                earliest.setdefault((position, row[6] or ""), row[0])
        for (position, reason), t in earliest.items():
            went_on = any(later > t and at >= position for later, at in it.known)
            if went_on or (it.order_at is not None and it.order_at > t):
                counted["retried", self._names[position], reason] += 1
            if it.order_at is not None:
                counted["failed_ordered", self._names[position], reason] += 1

    def _returns(self, it: Fold, counted: dict[Key, int]) -> None:
        """The steps at which it was seen again after a deeper one."""
        latest = dict(sorted((position, t) for t, position in it.known))
        deeper: int | None = None
        for position in reversed(it.seen):
            if deeper is not None and latest[position] > deeper:
                counted["returned", self._names[position]] += 1
            first = it.first[position]
            deeper = first if deeper is None else min(deeper, first)

    def _surprises(self, it: Fold, counted: dict[tuple[int, int, bool], int]) -> None:
        """By step, how much larger the last total shown there is than the first one of all."""
        values = it.values
        opening = min(values) if values[0][0] == values[1][0] else values[0]
        base, currency = opening[4:]
        last = {value[1]: value for value in values if value[5] == currency}
        if len(last) < len(values):  # several at a step: by time, but ties are in no order
            for value in values:
                if value[5] == currency and value > last[value[1]]:
                    last[value[1]] = value
        ended = it.seen[-1] if it.order_at is None else -1
        for position, value in last.items():
            if value is opening or value == opening:
                continue
            band, more = 0, 100 * (value[4] - base)
            if more > 0:
                band = next((limit for limit in SURPRISES if more <= limit * base), ABOVE)
            counted[position, band, position == ended] += 1

    def _answers(self, it: Fold, counted: dict[Key, int]) -> None:
        """The latest score and the latest reason before the order, and from it on."""
        latest: dict[tuple[str, str], tuple[int, str, str | int]] = {}
        for t, _, event_id, _, _, reason, _, score, *_ in it.answers:
            place = "exit" if it.order_at is None or t < it.order_at else "order"
            given = (("reason", reason or None), ("score", score), ("answered", ""))
            for what, value in given:
                if value is not None:
                    this = (t, event_id, value)
                    latest[what, place] = max(this, latest.get((what, place), this))
        for (what, place), (_, _, value) in latest.items():
            counted[(what, place, value) if what != "answered" else (what, place)] += 1

    def _chain(self, it: Fold) -> Iterator[str]:
        """The steps, and the order, that a closed funnel counts for this journey."""
        times: dict[int, list[int]] = defaultdict(list)
        for t, position in it.known:
            times[position].append(t)
        before = end = None
        for position in range(len(self._names) + 1):
            is_order = position == len(self._names)
            candidates = [row[0] for row in it.orders] if is_order else times[position]
            here = min(
                (
                    t
                    for t in candidates
                    if (before is None or t >= before) and (end is None or t <= end)
                ),
                default=None,
            )
            required = is_order or position in self._law.required
            if here is None:
                if required:
                    return
                continue
            yield ORDER if is_order else self._names[position]
            if required:
                if before is None and self._basis.within is not None:
                    end = here + self._basis.within
                before = here

    def _show(self, row: Row, kind: int, cell: Cell, outcome: str, who: Person, after: int) -> None:
        """Enter an order that a journey shows into the exchange by order."""
        t, _, event_id, checkout_id, _, order_id, _, units, currency, _, _ = row
        told = (*cell, outcome, who, after)
        self.by_order.put((order_id, kind, t, checkout_id, event_id, units, currency, *told))

    # Facts of the log

    def _facts(self, it: Fold) -> None:
        """What is odd about an attempt, whatever the unit."""
        log = self._log
        self._hours[it.rows[-1][0] // _HOUR] += 1
        for step, _ in it.unknown:
            log["unknown_step", step] += 1
        if it.several_customers:
            log["several_customers",] += 1
        if it.arm is not None:
            log["assigned", it.arm] += 1
        if self._customers and it.customer_id is not None:
            self._persons.attempt(it)
        if it.start is None or not it.first:
            return
        if it.start < it.first.get(0, it.start + 1):
            log["not_first_step",] += 1
        if not it.in_order:
            for before, after in pairwise(it.seen):
                skew = it.first[before] - it.first[after]
                if skew > 0:
                    log["out_of_order", skew // _SECOND] += 1
        if it.order_at is not None:
            if it.last > it.order_at:
                log["activity_after_order",] += 1
            if len(it.orders) > 1 and (further := len({row[5] for row in it.orders}) - 1):
                log["further_orders",] += further
        if it.two_currencies:
            log["two_currencies",] += 1

    def all_told(self) -> None:
        """Everything is in the exchange by person."""
        self._persons.flush()

    def persons(self, groups: Groups) -> None:
        """Count the persons."""
        self._persons.count(groups, self._cells)

    def strays(self, groups: Groups) -> None:
        """Count the events that belong to no attempt."""
        for group in groups:
            self.redelivered += len(group) - len(set(group))
            for kind, name in {(row[1], row[5]) for row in group}:
                if kind == UNKNOWN:
                    self._log["unknown_type", name] += 1
                elif any(row[1] == kind and row[0] <= self._as_of for row in group):
                    self._log["without_checkout_id",] += 1

    def records(self, gathered: Gathered) -> None:
        """Count what the log says of itself."""
        for key, number in records_of(gathered.declarations, gathered.losses):
            self._log[key] += number

    # Orders and refunds

    def orders(self, groups: Groups) -> None:
        """Credit each order once, with what was refunded."""
        for group in groups:
            if len(group) == 1 and group[0][1] == SHOWN:  # nearly every order
                self._credit(group[0])
                continue
            shown = [record for record in group if record[1] == SHOWN]
            refunds = [record for record in group if record[1] == REFUND]
            cancels = [record for record in group if record[1] == CANCEL]
            self.redelivered += len(refunds) - len(set(refunds))
            self.redelivered += len(cancels) - len(set(cancels))
            if shown:
                self._order(shown, self._refunds(refunds), cancelled=self._cancelled(cancels))
                continue
            excluded = [record for record in group if record[1] == LEFT_OUT]
            if excluded:
                units, currency = _earliest(excluded)[5:7]
                self._log["excluded_orders",] += 1
                if units is not None:
                    self._log["excluded_gross", currency] += units
                continue
            for _, units, currency in self._refunds(refunds):
                self._unmatched("refunds_without_order", units, currency)
            if self._cancelled(cancels):
                self._log["cancellations_without_order",] += 1

    def _order(
        self,
        shown: list[Any],
        refunds: list[tuple[str, int | None, str | None]],
        *,
        cancelled: bool,
    ) -> None:
        log = self._log
        owner = _earliest(shown)
        units, currency, group, day, outcome, *_ = owner[5:]
        if len({record[3] for record in shown}) > 1:
            log["shared_orders",] += 1
        if len({record[5:7] for record in shown}) > 1:
            log["order_conflicts",] += 1
        cell, back = self._cells[group, day], 0
        for _, amount, other in refunds:
            if amount is None:
                log["refunds_without_amount",] += 1
            elif other != currency or units is None:
                self._unmatched("refunds_other_currency", amount, other)
            else:
                back += amount
        if back:
            cell["refunded", outcome, currency] += back
            if back > units:
                log["refunds_over_order",] += 1
        off = 0
        if cancelled:
            cell["cancelled_orders", outcome] += 1
            if units is not None and units > back:
                off = units - back
                cell["cancelled", outcome, currency] += off
        self._credit(owner, back, off)

    def _credit(self, owner: Any, back: int = 0, off: int = 0) -> None:
        """Count an order, and its money, where its owner is counted.

        Args:
            owner: The telling of it that counts.
            back: What was refunded of it.
            off: What was cancelled of it.
        """
        t = owner[2]
        units, currency, group, day, outcome, who, after = owner[5:]
        place = (group, day)
        cell, counts = self._cells[place], place != LOG
        if counts:
            cell["orders", outcome] += 1
        else:
            cell["without_step_orders",] += 1
        net = None if units is None else units - back - off
        self._persons.order(who, t, place, net, currency or "")
        if units is None or net is None:
            self._log["orders_without_total",] += 1
            cell["unpriced", outcome] += 1
            return
        cell["gross", outcome, currency] += units
        if not counts:
            return
        order_day = self._day_of(t)
        cell["gross_on", order_day, currency] += units
        if back:
            cell["refunded_on", order_day, currency] += back
        if off:
            cell["cancelled_on", order_day, currency] += off
        cell["priced", currency] += 1
        y, yy = self._nets.get((place, after, currency), (0, 0))
        self._nets[place, after, currency] = (y + net, yy + net * net)

    def _refunds(self, records: list[Any]) -> list[tuple[str, int | None, str | None]]:
        """The distinct refunds of an order up to as_of: the earliest telling of each."""
        earliest: dict[str, Any] = {}
        dropped = set()
        for _, _, t, event_id, refund_id, units, currency, excluded in records:
            if t > self._as_of:
                continue
            if excluded:
                dropped.add(event_id)
                continue
            key = refund_id or event_id
            this = (t, event_id, -1 if units is None else units, currency or "")
            if key not in earliest or this < earliest[key]:
                earliest[key] = this
        if dropped:
            self._log["excluded_events",] += len(dropped)
        return [
            (key, None if units < 0 else units, currency)
            for key, (_, _, units, currency) in earliest.items()
        ]

    def _cancelled(self, records: list[Any]) -> bool:
        """Whether the order was cancelled up to as_of: once is as good as often."""
        known = [record for record in records if record[2] <= self._as_of]
        dropped = {event_id for _, _, _, event_id, *_, excluded in known if excluded}
        if dropped:
            self._log["excluded_events",] += len(dropped)
        return not all(record[7] for record in known)

    def _unmatched(self, fact: str, units: int | None, currency: str | None) -> None:
        if units is None:
            self._log["refunds_without_amount",] += 1
        else:
            self._log[fact,] += 1
            self._log[f"{fact}_money", currency or ""] += units


def records_of(
    declarations: Mapping[str, FunnelDeclared], losses: Mapping[str, EventsLost]
) -> Iterator[tuple[Key, int]]:
    """What the log's records that are not about shoppers come to."""
    for loss in losses.values():
        yield ("lost_events", loss.source, loss.reason, "kept" if loss.kept else ""), loss.count
    for declared in declarations.values():
        steps = json.dumps([step.model_dump(exclude_none=True) for step in declared.steps])
        limits = (declared.abandon_after, declared.recover_within)
        gap, within = (limit // timedelta(microseconds=1) for limit in limits)
        yield ("definition", micros(declared.occurred_at), steps, gap, within), 1


def shape_of(
    names: tuple[str, ...], outcome: str, seen: tuple[int, ...], number: int, *, matured: bool
) -> Iterator[tuple[Key, int]]:
    """What journeys of one shape come to.

    Args:
        names: The names of the steps.
        outcome: What became of them.
        seen: The positions of the steps that they were seen at, in order.
        number: How many they are.
        matured: Whether their first abandonment is as long ago as a recovery may take.
    """
    yield ("outcome", outcome), number
    if matured:
        yield ("matured", outcome), number
    if outcome == IN_FLIGHT:
        yield ("in_flight", names[seen[-1]]), number
        return
    if outcome in _UNPAID:
        yield ("dropped", names[seen[-1]]), number
    for position in seen:
        yield ("entered", names[position]), number


def _earliest(shown: list[Any]) -> Any:
    """The earliest telling of an order; ties by checkout id, event id, amount and currency."""
    return min(
        shown,
        key=lambda record: (
            *record[2:5],
            -1 if record[5] is None else record[5],
            record[6] or "",
        ),
    )
