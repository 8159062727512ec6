"""Counting: from events to `Counts`, in one pass and in bounded memory.

Rows are exchanged by checkout and folded; where customers are the unit, exchanged by customer and
folded again; the orders they show are exchanged by order, so that each is credited once.
"""

import json
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lastclick._exchange import Exchange
from lastclick._fold import (
    IN_FLIGHT,
    LOST,
    RECOVERABLE,
    Fold,
    Law,
    fold,
    journeys_of,
    remaining,
)
from lastclick._gather import CANCEL, LEFT_OUT, REFUND, SHOWN, Gathered
from lastclick._rows import FAILED, ORDERED, UNKNOWN, Row, instant, local, micros
from lastclick.errors import ConfigError
from lastclick.events import ORDER
from lastclick.metrics._counts import LOG, Basis, Cell, Key

_UNPAID = (LOST, RECOVERABLE)
_EVENT_ID = itemgetter(2)
_QUARTER_HOUR = 900_000_000
_SECOND = 1_000_000
_HOUR = 3600 * _SECOND


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


class Tally:
    """One counting: what has been counted so far."""

    def __init__(
        self, basis: Basis, law: Law, gathered: Gathered, day_of: Callable[[int], str]
    ) -> None:
        self._basis, self._law, self._gathered, self._day_of = basis, law, gathered, day_of
        self._as_of = -1 if basis.as_of is None else basis.as_of
        self._names = law.steps
        self._customers = basis.unit == "customer"
        self._by_order = gathered.by_order
        self._by_customer = Exchange(0)
        self._people = Exchange(0)
        self._shapes: dict[tuple[Any, ...], int] = defaultdict(int)
        self._cells: dict[Cell, dict[Key, int]] = defaultdict(lambda: defaultdict(int))
        self._waits: dict[Cell, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
        self._hours: dict[int, int] = defaultdict(int)
        self._log = self._cells[LOG]
        self.redelivered = 0
        self.seconds = 0.0

    def run(self) -> None:
        began = time.perf_counter()
        for rows in self._gathered.by_checkout.groups():
            self._attempt(rows)
        for group in self._by_customer.groups():
            own = (record[1:] for record in group)
            for it in journeys_of(own, self._law, self._as_of):
                self._journey(it)
        self._orders()
        self._ordered_elsewhere()
        self._strays()
        self._records()
        self.seconds = time.perf_counter() - began

    def close(self) -> None:
        for exchange in (self._by_customer, self._people):
            exchange.close()
        self._gathered.close()

    def cells(self) -> dict[Cell, dict[Key, int]]:
        """Everything counted, with the journeys that were counted by their shape."""
        cells, names = self._cells, self._names
        for (cell, outcome, matured, seen), number in self._shapes.items():
            counted = cells[cell]
            counted["outcome", outcome] += number
            if matured:
                counted["matured", outcome] += number
            if outcome == IN_FLIGHT:
                counted["in_flight", names[seen[-1]]] += number
                continue
            if outcome in _UNPAID:
                counted["dropped", names[seen[-1]]] += number
            for position in seen:
                counted["entered", names[position]] += number
        for cell, waits in self._waits.items():
            counted = cells[cell]
            for (position, seconds), number in waits.items():
                counted["seconds", names[position], seconds] += number
        for hour, number in self._hours.items():
            self._log["last_event", hour] += number
        return {cell: dict(counted) for cell, counted in cells.items() if counted}

    # Attempts

    def _attempt(self, rows: list[Row]) -> None:
        if len(set(map(_EVENT_ID, rows))) < len(rows):
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
            self._by_customer.put_all([(it.customer_id, *row) for row in rows])

    def _left_out(self, rows: list[Row]) -> None:
        if any(row[9] and row[1] <= FAILED for row in rows):
            self._log["excluded_attempts",] += 1
        else:
            self._log["excluded_events",] += len({row[1:3] for row in rows})
        for row in rows:
            if row[1] == ORDERED:
                self._show(row, LEFT_OUT, LOG, "")

    def _journey(self, it: Fold) -> None:
        """Count one journey in its cell."""
        seen, outcome = it.seen, it.outcome
        if not seen or outcome is None or it.start is None:
            self._log["without_step",] += 1
            for row in it.orders:
                self._show(row, SHOWN, LOG, "")
            return
        cell = (it.group or "", self._day_of(it.start))
        abandoned = it.first_abandoned
        matured = (
            abandoned is not None
            and outcome != IN_FLIGHT
            and self._as_of - abandoned > self._law.recover_within
        )
        self._shapes[cell, outcome, matured, seen] += 1
        if it.answers:
            self._answers(it, self._cells[cell])
        if self._basis.closed:
            for name in self._chain(it):
                self._cells[cell]["chain", name] += 1
        if outcome == IN_FLIGHT:
            return
        waits, first, order_at = self._waits[cell], it.first, it.order_at
        if it.in_order and (order_at is None or order_at >= first[seen[-1]]):
            before, since = seen[0], first[seen[0]]
            for position in seen[1:]:
                t = first[position]
                waits[before, (t - since) // _SECOND] += 1
                before, since = position, t
            if order_at is not None:
                waits[before, (order_at - since) // _SECOND] += 1
        else:
            for position, wait in it.waits():
                waits[position, wait // _SECOND] += 1
        if it.order_at is None:
            self._unpaid(it, cell, outcome)
        if it.failures:
            self._failures(it, self._cells[cell])
        for row in it.orders:
            self._show(row, SHOWN, cell, outcome)

    def _unpaid(self, it: Fold, cell: Cell, outcome: str) -> None:
        counted, name, value = self._cells[cell], self._names[it.seen[-1]], it.value
        if value is None:
            counted["unvalued", name, outcome] += 1
        else:
            units, currency = value
            counted["valued", name, outcome, currency] += 1
            counted["value", name, outcome, currency] += units

    def _failures(self, it: Fold, counted: dict[Key, int]) -> None:
        for position, reason, _, _ in it.failures:
            counted["failures", self._names[position], reason] += 1
        for position, reason in {failure[:2] for failure in it.failures}:
            counted["failed", self._names[position], reason] += 1
        for position in {failure[0] for failure in it.failures}:
            counted["failed_any", self._names[position]] += 1

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

    def _show(self, row: Row, kind: int, cell: Cell, outcome: str) -> None:
        """Enter an order that a journey shows into the exchange by order."""
        t, _, event_id, checkout_id, _, order_id, _, units, currency, _, _ = row
        record = (order_id, kind, t, checkout_id, event_id, units, currency, *cell, outcome)
        self._by_order.put(record)

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
        if it.start is None:
            return
        if it.customer_id is not None and (it.outcome == LOST or it.orders):
            lost = it.outcome == LOST and bool(it.first)
            orders = tuple(row[0] for row in it.orders)
            self._people.put((it.customer_id, lost, it.start, it.last, orders))
        if not it.first:
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
            if len(it.orders) > 1:
                log["further_orders",] += len({row[5] for row in it.orders}) - 1
        if it.two_currencies:
            log["two_currencies",] += 1

    def _ordered_elsewhere(self) -> None:
        """Lost attempts whose customer ordered in another one, up to recover_within later."""
        within = self._law.recover_within
        for group in self._people.groups():
            if len(group) < 2:
                continue
            times = sorted(t for *_, orders in group for t in orders)
            for _, lost, start, last, _ in group:  # a lost one has no order of its own
                if lost and bisect_left(times, start) < bisect_right(times, last + within):
                    self._log["ordered_elsewhere",] += 1

    def _strays(self) -> None:
        for group in self._gathered.strays.groups():
            self.redelivered += len(group) - len(set(group))
            for kind, name in {(row[1], row[5]) for row in group}:
                if kind == UNKNOWN:
                    self._log["unknown_type", name] += 1
                elif any(row[1] == kind and row[0] <= self._as_of for row in group):
                    self._log["without_checkout_id",] += 1

    def _records(self) -> None:
        for loss in self._gathered.losses.values():
            kept = "kept" if loss.kept else ""
            self._log["lost_events", loss.source, loss.reason, kept] += loss.count
        for declared in self._gathered.declarations.values():
            steps = json.dumps([step.model_dump(exclude_none=True) for step in declared.steps])
            limits = (declared.abandon_after, declared.recover_within)
            gap, within = (limit // timedelta(microseconds=1) for limit in limits)
            self._log["definition", micros(declared.occurred_at), steps, gap, within] += 1

    # Orders and refunds

    def _orders(self) -> None:
        for group in self._by_order.groups():
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
                *_, units, currency = _earliest(excluded)[:7]
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
        self._credit(owner)
        units, currency, group, day, outcome = owner[5:]
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
        if cancelled:
            cell["cancelled_orders", outcome] += 1
            if units is not None and units > back:
                cell["cancelled", outcome, currency] += units - back

    def _credit(self, owner: Any) -> None:
        """Count an order, and its money, where its owner is counted."""
        units, currency, group, day, outcome = owner[5:]
        cell = self._cells[group, day]
        if cell is self._log:
            cell["without_step_orders",] += 1
        else:
            cell["orders", outcome] += 1
        if units is None:
            self._log["orders_without_total",] += 1
            cell["unpriced", outcome] += 1
        else:
            cell["gross", outcome, currency] += units

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
