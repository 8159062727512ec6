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
from lastclick import Journey, Money, Outcome, Report
from lastclick.metrics import StepFigures

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
    yield Check("the last thing that happened", f"{report.as_of:%d %b %H:%M}", f"{END:%d %b %H:%M}")
    yield Check("attempts begun by people", report.started, len(notes.people))
    pages = sum(len(attempt.seen) for attempt in notes.robots) + notes.scans
    yield Check("pages of robots, left out", report.quality.excluded_attempts, pages)
    yield Check("clicks of mail scanners, left out", report.quality.excluded_events, notes.scans)
    became = Counter(attempt.outcome(END) for attempt in notes.people)
    for outcome in Outcome:
        yield Check(f"attempts: {outcome}", report.outcomes[outcome], became[outcome.value])
    devices = Counter(attempt.device for attempt in notes.people)
    for device in sorted({*devices, *report.groups}):
        group = report.groups.get(device)
        yield Check(f"attempts: on {device}", group.started if group else 0, devices[device])
    for step in STEPS:
        yield from _step(report.steps[step], notes.decided)
    for currency in CURRENCIES:
        theirs = [attempt for attempt in notes.people if attempt.currency == currency]
        yield from _money(report, currency, theirs)


def _step(step: StepFigures, decided: list[Attempt]) -> Iterator[Check]:
    name = step.name
    entered = sum(name in attempt.steps for attempt in decided)
    dropped = sum(name == attempt.furthest for attempt in decided)
    yield Check(f"{name}: entered", step.entered, entered)
    yield Check(f"{name}: dropped", step.dropped, dropped)
    yield Check(f"{name}: median seconds to next", step.seconds.median, _median(name, decided))
    failures = Counter(
        reason for attempt in decided for at, reason in attempt.failures if at == name
    )
    for reason in sorted({*failures, *step.failures}):
        failed = step.failures.get(reason)
        yield Check(f"{name}: {reason}", failed.failures if failed else 0, failures[reason])


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


def _money(report: Report, currency: str, attempts: list[Attempt]) -> Iterator[Check]:
    def carts(outcome: str) -> int:
        return sum(attempt.cents for attempt in attempts if attempt.outcome(END) == outcome)

    gross = sum(attempt.cents for attempt in attempts if attempt.order)
    refunded = sum(sum(attempt.refunds) for attempt in attempts)
    yield from _revenue(report, currency, gross, refunded)
    none = Money("0.00", currency)
    lost = report.lost_revenue.get(currency)
    could = report.recoverable_revenue.get(currency)
    won = report.recovered_revenue.get(currency)
    for what, reported, outcome in (
        ("carts lost", lost.at_most if lost else none, "lost"),
        ("carts recoverable", could.at_most if could else none, "recoverable"),
        ("orders by link", won.by_link if won else none, "recovered_by_link"),
        ("orders after reminder", won.after_reminder if won else none, "recovered_after_reminder"),
        ("orders unaided", won.unaided if won else none, "recovered_unaided"),
    ):
        yield Check(what, reported, Money.from_minor(carts(outcome), currency))


def _revenue(report: Report, currency: str, gross: int, refunded: int) -> Iterator[Check]:
    revenue = report.revenue.get(currency)
    for name, known in (("gross", gross), ("refunded", refunded), ("net", gross - refunded)):
        reported = getattr(revenue, name) if revenue else Money("0.00", currency)
        yield Check(f"revenue {name}", reported, Money.from_minor(known, currency))


def against_books(
    report: Report, journeys: Iterable[Journey], robots: int, database: Path
) -> Iterator[Check]:
    """What the shop has in its own books, which do not tell the carts of robots from others."""
    db = sqlite3.connect(database)
    try:
        orders = db.execute("SELECT id, total, currency FROM orders").fetchall()
        refunds = db.execute(
            "SELECT o.currency, r.amount FROM refunds r JOIN orders o ON o.id = r.order_id"
        ).fetchall()
        checkouts = db.execute("SELECT count(*) FROM checkouts").fetchone()[0]
    finally:
        db.close()
    yield Check("checkouts, robots included", report.started + robots, checkouts)
    yield Check("orders", report.ordered, len(orders))
    told = {order.order_id for journey in journeys for order in journey.orders}
    missing = {f"o-{number}" for number, _, _ in orders} ^ told
    yield Check("order ids that only one side has", len(missing), 0)
    for currency in CURRENCIES:
        gross = sum(total for _, total, its in orders if its == currency)
        refunded = sum(amount for its, amount in refunds if its == currency)
        yield from _revenue(report, currency, gross, refunded)
