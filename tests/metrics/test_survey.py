"""Surveys: the latest answer of each attempt, at each of two places."""

from __future__ import annotations

from lastclick import measure
from lastclick.metrics import Answers, rate
from tests.metrics.shop import DAY, answered, at, declared, entered, ordered

EVENTS = [
    declared(),
    entered("a", "cart", 0),
    answered("a", 1, score=1, reason="too_long"),
    answered("a", 2, score=2, text="Much too long."),
    ordered("a", "o", 5),
    answered("a", 5, score=5),
    answered("a", 6, score=4),
    entered("b", "cart", 0),
    answered("b", 60, reason="extra_costs"),
    answered("gone", 60, score=3),
]


def test_the_latest_answer_counts_before_the_order_and_from_it_on() -> None:
    """A score and a reason each for itself; four and five of five are satisfied."""
    survey = measure(EVENTS, as_of=at(DAY)).survey

    assert survey.after_order == Answers(1, rate(1, 1), {4: 1}, {})
    assert survey.on_exit == Answers(2, rate(0, 1), {2: 1}, {"extra_costs": 1, "too_long": 1})


def test_an_answer_is_no_activity() -> None:
    """It neither keeps an attempt in flight nor ends an abandonment."""
    report = measure(EVENTS, as_of=at(70))

    assert report.outcomes["recoverable"] == 1
    assert report.outcomes["in_flight"] == 0


def test_what_shoppers_write_is_in_no_report() -> None:
    """Free text may name people."""
    assert "Much too long" not in str(measure(EVENTS, as_of=at(DAY)).to_dict())
