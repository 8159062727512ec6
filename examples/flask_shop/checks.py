"""Hold a report against what the shoppers noted and against the shop's own tables."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from examples.flask_shop.month import Notes
from examples.flask_shop.shoppers import END, STEPS, Attempt
from lastclick import Journey, Money, Report

OUTCOMES = (
    "in_flight",
    "purchased",
    "recoverable",
    "lost",
    "recovered_by_link",
    "recovered_after_reminder",
    "recovered_unaided",
    "purchased_late",
)
CURRENCIES = ("EUR", "USD")


@dataclass(frozen=True)
class Check:
    """One figure from two sides."""

    what: str
    reported: object
    known: object

    @property
    def holds(self) -> bool:
        return self.reported == self.known

    def __str__(self) -> str:
        verdict = "ok" if self.holds else "WRONG"
        return f"  {verdict:<6}{self.what:<46}{self.reported!s:>16}{self.known!s:>16}"


def against_notes(report: Report, notes: Notes) -> Iterator[Check]:
    """What the shoppers know they did."""
    people, decided = notes.people, notes.decided
    yield Check("the last thing that happened", f"{report.as_of:%d %b %H:%M}", f"{END:%d %b %H:%M}")
    yield Check("attempts begun by people", report.started, len(people))
    robots = len(notes.attempts) - len(people)
    yield Check("attempts of robots, left out", report.quality.excluded_attempts, robots)
    yield Check("clicks of mail scanners, left out", report.quality.excluded_events, notes.scans)
    became = Counter(attempt.outcome(END) for attempt in people)
    for outcome in OUTCOMES:
        yield Check(f"attempts: {outcome}", report.outcomes[outcome], became[outcome])
    for device in ("desktop", "mobile", "tablet"):
        theirs = [attempt for attempt in people if attempt.device == device]
        group = report.groups.get(device)
        yield Check(f"attempts: on {device}", group.started if group else 0, len(theirs))
    for step in STEPS:
        row = report.steps[step]
        entered = [attempt for attempt in decided if step in attempt.steps]
        dropped = [attempt for attempt in decided if attempt.furthest == step]
        yield Check(f"{step}: entered", row.entered, len(entered))
        yield Check(f"{step}: dropped", row.dropped, len(dropped))
        yield Check(f"{step}: median seconds to next", row.seconds.median, _median(step, decided))
        failures = Counter(
            reason for attempt in decided for at, reason in attempt.failures if at == step
        )
        for reason in sorted(failures | row.failures):
            failed = row.failures.get(reason)
            yield Check(f"{step}: {reason}", failed.failures if failed else 0, failures[reason])
    for currency in CURRENCIES:
        gross = sum(a.cents for a in _of(people, currency) if a.order)
        refunded = sum(sum(a.refunds) for a in _of(people, currency))
        yield from _revenue(report, currency, gross, refunded)
        for outcome, losses in (
            ("lost", report.lost_revenue),
            ("recoverable", report.recoverable_revenue),
        ):
            loss = losses.get(currency)
            carts = sum(a.cents for a in _of(people, currency) if a.outcome(END) == outcome)
            yield Check(
                f"carts: {outcome}, {currency}",
                loss.at_most if loss else Money("0.00", currency),
                Money.from_minor(carts, currency),
            )
        won = report.recovered_revenue.get(currency)
        for kind in ("by_link", "after_reminder", "unaided"):
            orders = sum(
                a.cents for a in _of(people, currency) if a.bought_as == f"recovered_{kind}"
            )
            yield Check(
                f"revenue: recovered {kind}, {currency}",
                getattr(won, kind) if won else Money("0.00", currency),
                Money.from_minor(orders, currency),
            )


def _of(attempts: Iterable[Attempt], currency: str) -> list[Attempt]:
    return [attempt for attempt in attempts if attempt.currency == currency]


def against_tables(report: Report, journeys: Iterable[Journey], database: Path) -> Iterator[Check]:
    """What the shop has in its own books."""
    db = sqlite3.connect(database)
    try:
        orders = db.execute("SELECT id, total, currency FROM orders").fetchall()
        refunds = db.execute(
            "SELECT o.currency, r.amount FROM refunds r JOIN orders o ON o.id = r.order_id"
        ).fetchall()
        checkouts = db.execute("SELECT count(*) FROM checkouts").fetchone()[0]
    finally:
        db.close()
    yield Check("checkouts, robots included", report.started + report.quality.excluded_attempts, checkouts)
    yield Check("orders", report.ordered, len(orders))
    told = {order.order_id for journey in journeys for order in journey.orders}
    missing = {f"o-{number}" for number, _, _ in orders} ^ told
    yield Check("order ids that only one side has", len(missing), 0)
    for currency in CURRENCIES:
        gross = sum(total for _, total, its in orders if its == currency)
        refunded = sum(amount for its, amount in refunds if its == currency)
        yield from _revenue(report, currency, gross, refunded)


def _revenue(report: Report, currency: str, gross: int, refunded: int) -> Iterator[Check]:
    revenue = report.revenue.get(currency)
    for name, known in (("gross", gross), ("refunded", refunded), ("net", gross - refunded)):
        reported = getattr(revenue, name) if revenue else Money("0.00", currency)
        yield Check(f"revenue: {name}", reported, Money.from_minor(known, currency))


def _median(step: str, attempts: Iterable[Attempt]) -> float | None:
    """Whole seconds from first being at a step to first being further on, in the middle."""
    way = (*STEPS, "order")
    waits = []
    for attempt in attempts:
        first = min((when for when, where in attempt.seen if where == step), default=END)
        later = [
            when
            for when, where in attempt.seen
            if when >= first and way.index(where) > way.index(step)
        ]
        if step in attempt.steps and later:
            waits.append((min(later) - first) // timedelta(seconds=1))
    return float(median(waits)) if waits else None
