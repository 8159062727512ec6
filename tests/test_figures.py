"""No figure is NaN, and none is missing without a reason: on logs that have little to say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from docs.conformance.run import arguments
from lastclick import Money, Report, measure
from lastclick.analysis import (
    changes,
    compare,
    experiment,
    marketing,
    priorities,
    suggest_abandon_after,
    what_if,
)
from lastclick.errors import ConfigError
from lastclick.events import Event
from tests import strategies
from tests.metrics.shop import (
    DAY,
    answered,
    assigned,
    at,
    cancelled,
    declared,
    entered,
    eur,
    failed,
    ordered,
    refunded,
    sent,
)
from tests.test_laws import events_of

#: What may be None by itself: no figures, or ones whose neighbour says why.
NO_FIGURES = {
    *("as_of", "first_day", "last_day", "stage", "owner", "best_since", "above", "up_to"),
    *("p_value", "adjusted_p", "standard_error", "degrees", "assumes", "reason", "effect", "days"),
    *("value", "segment", "elsewhere", "worse", "more", "daily", "variant", "channel"),
    *("median", "p90"),  # of `seconds`: median_seconds and p90_seconds say why
    *("currency", "rows"),
}


def faults(value: Any, where: str = "") -> Iterator[str]:
    """Places at which a figure is missing and nothing says why."""
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from faults(item, f"{where}[{place}]")
    if not isinstance(value, dict):
        return
    reason = value.get("reason")
    if "method" in value:
        figure = "estimate" if "estimate" in value else "statistic"
        ends = [value.get(end) for end in ("low", "high")] if figure == "estimate" else []
        if not reason and (value[figure] is None or None in ends):
            yield f"{where}: {value}"
    if "power" in value and value["more"] is None and not reason:
        yield f"{where}: {value}"
    for name, item in value.items():
        known = "method" in value or "power" in value or reason
        if item is None and not known and name not in NO_FIGURES:
            yield f"{where}.{name}"
        yield from faults(item, f"{where}.{name}")


def told(report: Report) -> Iterator[tuple[str, Any]]:
    """Everything that a report and the analyses of it say."""
    yield "report", report
    for every in ("day", "week", "month"):
        for day, period in report.trend(every).items():
            yield f"trend {every} {day}", period
    yield "changes", changes(report, "day")
    yield "priorities", priorities(report)
    yield "compare", compare(report, report)
    if not report.by:
        for day, period in report.trend("month").items():
            yield f"compare {day}", compare(report, period)
    if not report.closed:
        names = [step.name for step in report.steps]
        yield "what_if", what_if(report, dict.fromkeys(names, 0.01))
    if len(report.by) == 1 and report.groups:
        spend = {value: Money("12.50", "EUR") for value in report.groups}
        fix = None if report.closed else {report.steps[0].name: 0.01}
        yield "marketing", marketing(report, {**spend, "no such": Money("1", "USD")}, fix=fix)
        control = next((value for value in report.groups if value is not None), None)
        if control is not None:
            yield "experiment", experiment(report, control=control)


def check(report: Report) -> None:
    for name, one in told(report):
        plain = one.to_dict()
        json.dumps(plain, allow_nan=False)
        assert list(faults(plain, name)) == []
    for days in (1, 30):
        assert list(faults(report.repeat_purchase_rate(days).to_dict())) == []
    for horizon in (timedelta(0), report.recover_within):
        for one in report.early_revenue(horizon).values():
            assert list(faults(one.to_dict())) == []
    after_cost = report.incremental.after_cost(Money("0.10", "EUR")).to_dict()
    assert list(faults(after_cost)) == []


def bought(name: str, minutes: float, total: Money | None = None, **more: Any) -> list[Event]:
    return [
        entered(name, "cart", minutes, total, **more),
        entered(name, "payment", minutes + 1, total, **more),
        ordered(name, f"o-{name}", minutes + 2, total, **more),
    ]


MOBILE = {"attributes": {"device": "mobile"}}
LOGS: dict[str, list[Event]] = {
    "empty": [],
    "one in flight": [entered("a", "cart", 0)],
    "one left": [entered("a", "cart", 0), entered("late", "cart", 60 * DAY)],
    "one order without a total": bought("a", 0),
    "all order": [event for n in range(40) for event in bought(f"a{n}", n, eur("5.00"), **MOBILE)],
    "no orders": [entered(f"a{n}", "cart", n * DAY, eur("5.00"), **MOBILE) for n in range(60)],
    "one customer": [
        event
        for n in range(40)
        for event in bought(f"a{n}", n * DAY, eur("5.00"), customer_id="u", **MOBILE)
    ],
    "two currencies": [
        *bought("a", 0, eur("5.00"), **MOBILE),
        *bought("b", 0, Money("7.00", "USD"), **MOBILE),
        entered("c", "cart", 0, Money("700", "JPY")),
        failed("c", "cart", 1, "timeout"),
        answered("c", 2, score=1),
        entered("z", "cart", 40 * DAY),
    ],
    "all went back": [
        *bought("a", 0, eur("5.00")),
        refunded("o-a", 5, eur("9.00")),
        *bought("b", 0, eur("0.00")),
        cancelled("o-b", 6),
        entered("z", "cart", 40 * DAY),
    ],
    "a holdout of two": [
        *bought("a", 0, eur("5.00"), customer_id="u1"),
        assigned("a", 1, "treated", share="0.5", customer_id="u1"),
        sent("a", 1.5, customer_id="u1"),
        entered("b", "cart", 0, customer_id="u2"),
        assigned("b", 1, "holdout", share="0.5", customer_id="u2"),
        entered("z", "cart", 40 * DAY),
    ],
}


@pytest.mark.untraced
@pytest.mark.parametrize("by", [(), "device"])
@pytest.mark.parametrize("name", LOGS)
def test_a_log_with_little_to_say_gives_reasons(name: str, by: Any) -> None:
    """Every figure of the report, its periods and its analyses is a number or has a reason."""
    for unit in ("attempt", "customer"):
        for closed in (False, True):
            check(measure([declared(), *LOGS[name]], by=by, unit=unit, closed=closed))


@given(strategies.questions())
def test_no_log_gives_a_figure_without_a_reason(
    question: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    """The same on any log, asked in any way."""
    lines, options = question
    asked = arguments({name: of for name, of in options.items() if name != "every"})
    events = events_of(lines)
    try:
        report = measure(events, **asked)
    except ConfigError:
        return
    check(report)


def test_a_suggestion_has_a_reason_where_there_is_none() -> None:
    """Too few attempts suggest nothing, and say so."""
    found = suggest_abandon_after([declared(), entered("a", "cart", 0)], as_of=at(30 * DAY))

    assert list(faults({**found.to_dict(), "reason": found.reason})) == []
    assert found.to_dict()["suggested"] is None
    assert found.reason
