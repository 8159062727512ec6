"""The laws of the numbers, on random logs close to every limit."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

import attrs
from hypothesis import assume, given
from hypothesis import strategies as st

from docs.conformance.run import arguments
from lastclick import Money, Outcome, Report, measure, read_log
from lastclick.errors import ConfigError
from lastclick.events import OrderCompleted, OrderRefunded
from lastclick.metrics import count, partition
from tests import strategies

Line = dict[str, Any]


def asked(options: dict[str, Any], *without: str) -> dict[str, Any]:
    """The options as arguments of `measure`, but for some."""
    given = arguments({name: value for name, value in options.items() if name not in without})
    given.pop("every", None)
    return given


def reported(files: Sequence[Sequence[Line]], arguments: dict[str, Any]) -> Report | str:
    """The report of a log of these files without its reading, or why there is none."""
    with tempfile.TemporaryDirectory() as directory:
        for number, lines in enumerate(files):
            text = "".join(json.dumps(line) + "\n" for line in lines).encode()
            packed = number % 2
            name = f"{number}.jsonl{'.gz' if packed else ''}"
            (Path(directory) / name).write_bytes(gzip.compress(text) if packed else text)
        try:
            return attrs.evolve(measure(read_log(directory), **arguments), reading=None)
        except ConfigError as error:
            return str(error)


@given(strategies.questions(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_arrival_changes_nothing(
    question: tuple[list[Line], dict[str, Any]], random: Any, files: int
) -> None:
    """A log shuffled, delivered twice and split over files gives the same report, byte for byte."""
    lines, options = question
    arguments = asked(options)
    delivered = lines + random.sample(lines, random.randint(0, len(lines)))
    random.shuffle(delivered)

    once = reported([lines], arguments)
    again = reported([delivered[at::files] for at in range(files)], arguments)

    assert repr(again) == repr(once)
    if isinstance(once, Report) and isinstance(again, Report):
        assert json.dumps(again.to_dict()) == json.dumps(once.to_dict())
        for every in ("day", "week", "month"):
            assert json.dumps({day: one.to_dict() for day, one in again.trend(every).items()}) == (
                json.dumps({day: one.to_dict() for day, one in once.trend(every).items()})
            )


def events_of(lines: Sequence[Line]) -> list[Any]:
    """Those of the lines that are events of the funnel ``checkout``."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        return [event for event in read_log(path) if event.funnel == "checkout"]


@given(strategies.questions(), st.integers(1, 4))
def test_counts_of_closed_sets_add(question: tuple[list[Line], dict[str, Any]], parts: int) -> None:
    """Counts of closed sets of journeys, added, equal the counts of the whole, exactly."""
    lines, options = question
    events = events_of(lines)
    arguments = asked(options, "funnel_name", "as_of")
    as_of = datetime(2026, 10, 20, tzinfo=UTC)
    declared = [event for event in events if event.type == "funnel_declared"]
    if not declared:
        return
    funnel = max(declared, key=lambda event: (event.occurred_at, event.event_id))

    whole = count(events, funnel, as_of=as_of, **arguments)
    counted = [count(part, funnel, as_of=as_of, **arguments) for part in partition(events, parts)]
    added = counted[0]
    for more in counted[1:]:
        added += more

    assert added == whole


@given(strategies.questions())
def test_the_parts_add_up_to_the_whole(question: tuple[list[Line], dict[str, Any]]) -> None:
    """Outcomes partition the attempts, steps and groups add up, and conversions multiply."""
    lines, options = question
    report = reported([lines], asked({**options, "by": ["device"]}, "closed", "within_s"))
    if isinstance(report, str):
        return

    assert sum(report.outcomes.values()) == report.started
    assert report.decided == report.started - report.outcomes[Outcome.IN_FLIGHT]
    unpaid = report.outcomes[Outcome.LOST] + report.outcomes[Outcome.RECOVERABLE]
    assert sum(step.dropped for step in report.steps) == unpaid
    assert sum(step.in_flight for step in report.steps) == report.outcomes[Outcome.IN_FLIGHT]
    assert report.steps[0].reached == report.decided
    assert unpaid + report.ordered == report.decided
    if report.decided:
        rates = [step.conversion_rate for step in report.steps]
        through = prod(
            (Fraction(one.numerator, one.denominator) for one in rates if one.denominator),
            start=Fraction(1),
        )
        abandoned = report.abandonment_rate
        assert through == 1 - Fraction(abandoned.numerator, abandoned.denominator)
    for currency in {code for step in report.steps for code in step.lost}:
        at_steps = sum(
            step.lost[currency].at_most.units for step in report.steps if currency in step.lost
        )
        ends = (report.lost_revenue, report.recoverable_revenue)
        assert at_steps == sum(end[currency].at_most.units for end in ends if currency in end)
    groups = report.groups.values()
    assert sum(group.started for group in groups) == report.started
    for outcome in Outcome:
        assert sum(group.outcomes[outcome] for group in groups) == report.outcomes[outcome]
    for currency, revenue in report.revenue.items():
        parts = [group.revenue[currency] for group in groups if currency in group.revenue]
        assert sum(part.gross.units for part in parts) == revenue.gross.units
        assert sum(part.refunded.units for part in parts) == revenue.refunded.units
        assert sum(part.cancelled.units for part in parts) == revenue.cancelled.units
        back = revenue.refunded.units + revenue.cancelled.units
        assert revenue.net.units == revenue.gross.units - back
    days = report.trend("day").values()
    assert sum(day.started for day in days) == report.started


@given(strategies.questions(), st.sampled_from(("day", "week", "month")))
def test_periods_add(question: tuple[list[Line], dict[str, Any]], every: Any) -> None:
    """All that was counted of the periods adds up to the whole, times to the order among it."""
    lines, options = question
    report = reported([lines], asked({**options, "funnel_name": "checkout"}))
    if isinstance(report, str):
        return
    for one in (report, *report.groups.values()):
        periods = list(one.trend(every).values())

        together: Counter[Any] = Counter()
        for period in periods:
            together.update(period._total)

        assert together == one._total
        assert sum(period.completion.n for period in periods) == one.completion.n == one.started
        assert sum(period.completion.events for period in periods) == one.ordered
        for step in one.steps:
            parts = [period.steps[step.name].seconds.count for period in periods]
            assert sum(parts) == step.seconds.count


@given(strategies.questions())
def test_all_money_is_accounted_for(question: tuple[list[Line], dict[str, Any]]) -> None:
    """Revenue gross and the gross left out in quality add up to all distinct orders."""
    lines, options = question
    report = reported([lines], asked({**options, "funnel_name": "checkout"}))
    if isinstance(report, str):
        return
    told: dict[str, set[Money | None]] = {}
    for event in events_of(lines):
        if isinstance(event, OrderCompleted) and event.occurred_at <= report.as_of:
            told.setdefault(event.order_id, set()).add(event.total)
    assume(all(len(totals) == 1 for totals in told.values()))  # which one counts is another law

    orders: dict[str, int] = {}
    for (total,) in told.values():
        if total is not None:
            orders[total.currency] = orders.get(total.currency, 0) + total.units

    accounted: dict[str, int] = {}
    for money in [
        *(one.gross for one in report.revenue.values()),
        *report.quality.without_step_gross.values(),
        *report.quality.excluded_gross.values(),
    ]:
        accounted[money.currency] = accounted.get(money.currency, 0) + money.units
    assert accounted == orders


@given(strategies.questions(), st.integers(0, 20))
def test_a_prefix_never_uses_later_events(
    question: tuple[list[Line], dict[str, Any]], place: int
) -> None:
    """The report as of an instant is that of the log cut there, declarations and losses apart."""
    lines, options = question
    shopper = sorted(
        datetime.fromisoformat(line["occurred_at"])
        for line in lines
        if line["type"] not in ("funnel_declared", "events_lost")
    )
    if not shopper:
        return
    cut = shopper[place % len(shopper)]
    arguments = {**asked(options), "as_of": cut}
    before = [
        line
        for line in lines
        if line["type"] in ("funnel_declared", "events_lost", "parcel_sent")
        or (line["type"] == "survey_answered" and not {"score", "reason", "text"} & set(line))
        or (line["type"] == "order_cancelled" and "order_id" not in line)
        or datetime.fromisoformat(line["occurred_at"]) <= cut
    ]

    whole, prefix = reported([lines], arguments), reported([before], arguments)

    if isinstance(whole, Report) and isinstance(prefix, Report):
        assert json.dumps(prefix.to_dict()) == json.dumps(whole.to_dict())


@given(strategies.questions())
def test_events_and_their_lines_count_alike(question: tuple[list[Line], dict[str, Any]]) -> None:
    """Event objects give the same counts as the lines they are written as."""
    lines, options = question
    arguments = asked({**options, "funnel_name": "checkout"})
    events = events_of(lines)

    objects = [event.line for event in events]
    try:
        from_objects = count(events, **arguments)
    except ConfigError:
        return
    from_lines = reported([[json.loads(line) for line in objects]], arguments)

    assert isinstance(from_lines, Report)
    assert from_lines.to_dict() == measure(events, **arguments).to_dict()
    assert from_objects.basis.funnel == "checkout"


def test_refunds_need_no_checkout() -> None:
    """A refund is an event without a checkout id, and partition sends it with its order."""
    refund = OrderRefunded(
        event_id="r-1", funnel="checkout", occurred_at="2026-10-01T12:00:00Z", order_id="o-1"
    )
    order = OrderCompleted(
        event_id="e-1",
        funnel="checkout",
        occurred_at="2026-10-01T11:00:00Z",
        checkout_id="c-1",
        order_id="o-1",
    )

    parts = partition([refund, order], 5)

    assert sorted(map(len, parts)) == [0, 0, 0, 0, 2]
