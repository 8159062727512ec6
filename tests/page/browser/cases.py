"""The reports that the page is proven on: from none at all to a shop whose names are an attack."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import attrs

from lastclick import Funnel, Money, Report, Step, _demo, journeys, measure, read_log
from lastclick.events import Event
from lastclick.logs import TableMapping, read_table
from lastclick.page import Mark
from lastclick.sinks import MemorySink
from tests.metrics.shop import DAY, at, declared, entered, eur, failed, lost, ordered, sent

START = datetime(2026, 10, 1, tzinfo=UTC)
MAPPINGS = Path(__file__).parents[3] / "examples" / "imports"

LONG = "the step at which a shopper says where all of it goes, " * 10
HOSTILE = {
    "markup": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "attribute": '"\'><svg onload=alert(3)><b a="',
    "right to left": "\u202eevil\u202c \u05e9\u05dc\u05d5\u05dd \u0627\u0644\u062f\u0641\u0639",
    "emoji": "\U0001f6d2\U0001f44d\U0001f3fd \U0001f469\u200d\U0001f4bb 42",
    "long": LONG[:255],
    "one word": "W" * 255,
}


@attrs.frozen
class Case:
    """A report, and what its page is told besides."""

    report: Report
    options: Mapping[str, Any] = attrs.field(factory=dict)


def played(folder: Path) -> list[Event]:
    """The events of the demo's shop."""
    _demo.play(folder, shoppers=400, seed=1)
    return list(read_log(folder))


def demo(folder: Path, shared: Path | None) -> Case:
    """A usual report: four weeks of a small shop, with all that a page can be told."""
    events = played(folder)
    report = measure(events, by="device")
    before = measure(events, by="device", as_of=START + timedelta(days=14))
    marks = [
        Mark(date(2026, 10, 14), "new payment form"),
        Mark(date(2026, 10, 20), "Herbst-Aktion"),
    ]
    return Case(report, {"marks": marks, "before": before})


def with_journeys(folder: Path, shared: Path | None) -> Case:
    """The same with the carts that can still be won back."""
    events = played(folder)
    report = measure(events, by="device")
    return Case(report, {"journeys": journeys(events, as_of=report.as_of), "every": "week"})


def snowplow(folder: Path, shared: Path | None) -> Case:
    """A tracker's own test data: few sessions, amounts in millions, two currencies."""
    assert shared is not None
    data = shared / "data" / "snowplow_ecommerce"
    tables = [
        read_table(data / f"{name}_interactions.csv", TableMapping.load(MAPPINGS / f"{file}.toml"))
        for name, file in (
            ("checkout", "snowplow_checkout"),
            ("transaction", "snowplow_transactions"),
        )
    ]
    return Case(measure(chain(*tables)))


def starbucks(folder: Path, shared: Path | None) -> Case:
    """A promotion to 41,650 customers with a holdout, in one step of one moment."""
    assert shared is not None
    sink = MemorySink()
    funnel = Funnel("promotion", steps=("visit",), sink=sink, clock=lambda: START)
    drawn = START + timedelta(minutes=31)
    with gzip.open(shared / "data" / "starbucks_promotion" / "test.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            customer = funnel.checkout(row["ID"], customer_id=row["ID"])
            treated = row["Promotion"] == "Yes"
            customer.enter("visit", at=START)
            customer.assign("treated" if treated else "holdout", at=drawn)
            if treated:
                customer.remind("mail", at=drawn)
            if row["purchase"] == "1":
                total = Money("10.00", "USD")
                customer.complete(f"o-{row['ID']}", total, at=drawn + timedelta(hours=12))
    return Case(measure(sink.records, as_of=START + timedelta(days=30)))


def empty(folder: Path, shared: Path | None) -> Case:
    """A funnel that nobody came to yet."""
    return Case(measure([declared()], as_of=at(0)))


def one(folder: Path, shared: Path | None) -> Case:
    """One attempt, still in flight."""
    return Case(measure([declared(), entered("a", "cart", 0, eur("19.90"))]))


def many_groups(folder: Path, shared: Path | None) -> Case:
    """200 groups, each large enough to be shown by itself."""
    return Case(measure(_visits(200, 31), by="store", as_of=at(30 * DAY)))


def _visits(groups: int, each: int) -> Iterable[Event]:
    yield declared(("cart", "address", "payment"))
    for number in range(groups * each):
        group, name = number % groups, f"c-{number}"
        attributes = {"store": f"store {group}"}
        yield entered(name, "cart", number, eur("25.00"), attributes=attributes)
        if number % (3 + group % 5):
            yield entered(name, "payment", number + 1, eur("25.00"))
        if number % (4 + group % 7) == 1:
            yield ordered(name, f"o-{number}", number + 2, eur("29.90"))


def losses(folder: Path, shared: Path | None) -> Case:
    """A log that lost two events of five, and says so."""
    events = [event for event in played(folder) if event.type != "events_lost"]
    kept = [one for place, one in enumerate(events) if place % 5 < 3 or one.type.endswith("red")]
    missing = len(events) - len(kept)
    said = [
        lost("sink", "queue_full", missing - 20),
        lost("funnel", "no_checkout_id", 20),
        lost("funnel", "bad_attribute", 7, kept=True),
    ]
    return Case(measure([*kept, *said], by="device"))


def hostile(folder: Path, shared: Path | None) -> Case:
    """A shop whose every name is made of what breaks pages."""
    return Case(
        measure(_hostile(), by="device", as_of=at(9 * DAY)),
        {
            "marks": [
                Mark(date(2026, 10, 1) + timedelta(days=place), name)
                for place, name in enumerate((*HOSTILE.values(), LONG[:500]))
            ],
            "command": f"lastclick report {HOSTILE['attribute']} {LONG[:500]}",
            "journeys": journeys(_hostile(), as_of=at(9 * DAY)),
        },
    )


def _hostile() -> Iterable[Event]:
    names = list(HOSTILE.values())
    yield declared(
        tuple(Step(name, owner=names[-place]) for place, name in enumerate(names)),
        funnel="checkout",
    )
    attributes = [*names, LONG[:500]]
    for number in range(60 * len(names)):
        name = f"{HOSTILE['attribute']} {number}"[:256]
        minutes, deepest = number * 15.0, number % (len(names) + 1)
        told = {"device": attributes[number % len(attributes)]}
        for place, step in enumerate(names[: deepest + 1]):
            yield entered(name, step, minutes + place, eur("10.00"), attributes=told)
        if deepest < len(names):
            yield failed(name, names[deepest], minutes + 8, names[number % len(names)])
            yield sent(name, minutes + 60, HOSTILE["markup"][:64], campaign=HOSTILE["attribute"])
        else:
            yield ordered(name, f"o {name}"[:256], minutes + 9, eur("10.00"))
    for name in names:
        yield entered("x", f"gift {name}"[:256], 0)
        yield lost("funnel", name, 3)


CASES: dict[str, Callable[[Path, Path | None], Case]] = {
    "demo": demo,
    "journeys": with_journeys,
    "snowplow": snowplow,
    "starbucks": starbucks,
    "empty": empty,
    "one attempt": one,
    "200 groups": many_groups,
    "losses": losses,
    "hostile": hostile,
}
#: What needs the data beside the checkout.
SHARED = ("snowplow", "starbucks")
