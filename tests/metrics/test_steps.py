"""Steps: retries, ways back, surprises, and whether a step works and how well."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from lastclick import Step, measure
from lastclick.events import Event
from lastclick.metrics import Retries, rate
from lastclick.metrics._steps import pass_rate
from tests.metrics.shop import DAY, at, declared, entered, eur, failed, ordered

FUNNEL = declared(
    (
        Step("cart", stage="consideration"),
        Step("details", stage="purchase", owner="front"),
        Step("payment", stage="purchase", owner="payments"),
    )
)
LATER = at(60 * DAY)


def steps(*events: Event, **asked: Any) -> Any:
    return measure([FUNNEL, *events], as_of=LATER, **asked).steps


def test_retries_are_what_came_after_a_failure() -> None:
    """One gave up, one tried again and left, one tried again and ordered."""
    got = steps(
        failed("a", "payment", 0, "declined"),
        failed("b", "payment", 0, "declined"),
        failed("b", "payment", 1, "declined"),
        failed("c", "payment", 0, "declined"),
        ordered("c", "o", 1),
        failed("d", "payment", 0, "timeout"),
        entered("d", "cart", 1),
    )["payment"]

    assert got.retries == {"declined": Retries(2, 1), "timeout": Retries(0, 0)}


def test_a_way_back_is_told_at_the_step_that_it_led_to() -> None:
    """Seen again after a deeper step; at one instant nothing is after anything."""
    got = steps(
        entered("a", "cart", 0),
        entered("a", "payment", 1),
        entered("a", "cart", 2),
        entered("b", "details", 0),
        entered("b", "cart", 0),
    )

    assert [step.returned for step in got] == [1, 0, 0]


def test_works_is_the_share_without_a_failure() -> None:
    """Of two that were seen at the step one met a failure."""
    got = steps(entered("a", "payment", 0), failed("b", "payment", 0, "declined"))["payment"]

    assert got.works == rate(1, 2)


@pytest.mark.parametrize(
    ("first", "last", "above", "up_to"),
    [
        ("10.00", "10.00", None, 0),
        ("10.00", "9.00", None, 0),
        ("10.00", "10.01", 0, 5),
        ("10.00", "10.50", 0, 5),
        ("10.00", "10.51", 5, 10),
        ("10.00", "12.00", 10, 20),
        ("10.00", "12.01", 20, None),
        ("0.00", "0.00", None, 0),
        ("0.00", "0.01", 20, None),
    ],
)
def test_a_surprise_is_a_total_above_the_first(
    first: str, last: str, above: int | None, up_to: int | None
) -> None:
    """The last total shown at a step, in its band; who went no deeper left with it."""
    events = [
        entered("a", "cart", 0, eur(first)),
        entered("a", "payment", 1, eur("99.00")),
        entered("a", "payment", 2, eur(last)),
    ]

    got = steps(*events)

    assert got["cart"].surprises == ()
    (one,) = got["payment"].surprises
    assert (one.above, one.up_to, one.attempts, one.left) == (above, up_to, 1, rate(1, 1))


def test_a_surprise_that_is_borne_leaves_nobody() -> None:
    """Who orders has not left, and who goes deeper has not left here."""
    events = [
        entered("a", "cart", 0, eur("10.00")),
        entered("a", "details", 1, eur("11.00")),
        entered("a", "payment", 2, eur("11.00")),
    ]

    got = steps(*events)

    assert got["details"].surprises[0].left == rate(0, 1)
    assert got["payment"].surprises[0].left == rate(1, 1)
    ended = steps(*events, ordered("a", "o", 3))
    assert ended["payment"].surprises[0].left == rate(0, 1)


def test_steps_are_together_by_stage_and_by_owner() -> None:
    """A section is reached with its first step, and what is dropped in it adds up."""
    report = measure(
        [
            FUNNEL,
            entered("a", "cart", 0, eur("10.00")),
            entered("b", "details", 0, eur("20.00")),
            entered("c", "payment", 0, eur("30.00")),
            entered("d", "payment", 0),
            ordered("d", "o", 1),
        ],
        as_of=LATER,
    )

    assert list(report.stages) == ["consideration", "purchase"]
    assert list(report.owners) == [None, "front", "payments"]
    purchase = report.stages["purchase"]
    assert (purchase.steps, purchase.reached, purchase.dropped) == (("details", "payment"), 3, 2)
    assert purchase.drop_off_rate == rate(2, 3)
    assert purchase.lost["EUR"].at_most == eur("50.00")
    assert report.owners["front"].dropped == 1
    assert sum(section.dropped for section in report.stages.values()) == 3


WEEKS = [date(2026, 10, 5 + 7 * n) for n in range(4)] + [
    date(2026, 11, 2 + 7 * n) for n in range(4)
]


def test_how_well_is_told_against_the_best_own_weeks() -> None:
    """Eight weeks, of which the first four were better: the gap and its limits."""
    got = pass_rate({week: (90 if n < 4 else 70, 100) for n, week in enumerate(WEEKS)})

    assert (got.best, got.latest, got.best_since) == (rate(360, 400), rate(280, 400), WEEKS[0])
    assert got.gap.estimate == pytest.approx(0.2)
    assert (got.gap.low or 0) > 0.1
    assert got.reason is None


def test_the_best_of_many_weeks_is_partly_luck() -> None:
    """Beside one earlier window a gap shows that beside nine with as many better weeks does not."""
    last = {WEEKS[4] + timedelta(weeks=n): (85, 100) for n in range(4)}
    steady = {WEEKS[0] - timedelta(weeks=n): (86, 100) for n in range(1, 9)}
    better = dict.fromkeys(WEEKS[:4], (90, 100))

    alone, many = pass_rate({**better, **last}), pass_rate({**steady, **better, **last})

    assert alone.gap.estimate == many.gap.estimate == pytest.approx(0.05)
    assert alone.gap.low is not None
    assert many.gap.low is not None
    assert many.gap.low < 0 < alone.gap.low
    assert many.gap.confidence == 0.95
    assert many.gap.p_value == pytest.approx(9 * (alone.gap.p_value or 0))
    assert many.gap.method == "newcombe, the best of 9"


def test_weeks_that_overlap_have_no_interval() -> None:
    """Where the best weeks are partly the latest the two are no two samples."""
    got = pass_rate(dict.fromkeys(WEEKS[:5], (90, 100)))

    assert (got.gap.estimate, got.gap.low) == (0.0, None)
    assert "overlap" in (got.gap.reason or "")


@pytest.mark.parametrize(
    ("weeks", "said"),
    [
        ({}, "fewer than four weeks"),
        ({WEEKS[0]: (90, 100), WEEKS[2]: (90, 100)}, "fewer than four weeks"),
        (dict.fromkeys(WEEKS[:4], (2, 7)), "fewer than 30 attempts"),
    ],
)
def test_too_little_is_a_reason(weeks: Any, said: str) -> None:
    """Fewer than four weeks, or too few attempts in them, are no measure."""
    got = pass_rate(weeks)

    assert said in (got.reason or "")
    assert (got.latest.estimate, got.best.estimate, got.gap.estimate) == (None, None, None)


def test_a_report_of_weeks_knows_how_well() -> None:
    """From the counts by day: a step that got worse in the last four of eight weeks."""
    events: list[Event] = []
    for week in range(8):
        for n in range(20):
            name, start = f"{week}-{n}", (4 + 7 * week) * DAY + n
            events.append(entered(name, "payment", start))
            if n < (18 if week < 4 else 12):
                events.append(ordered(name, f"o-{name}", start + 1))

    report = measure([FUNNEL, *events], as_of=at(90 * DAY))

    got = report.steps["payment"].works_well
    assert (got.best, got.latest) == (rate(72, 80), rate(48, 80))
    assert report.steps["cart"].works_well.latest == rate(80, 80)
