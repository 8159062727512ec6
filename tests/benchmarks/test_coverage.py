"""Intervals hold the truth as often as they promise: the simulations of the documents, in short."""

from __future__ import annotations

from math import sqrt

import pytest

numpy = pytest.importorskip("numpy", reason="needs the group `reference`")

from benchmarks.coverage import (  # noqa: E402
    SHARES,
    better_step,
    cut_log,
    daily,
    difference_coverage,
    few_orders,
    holdout,
    other,
    plain,
    planned,
    quiet_weeks,
    repeating,
    repeating_arms,
    share_coverage,
    steady_weeks,
    wald,
    within_a_week,
)
from lastclick.metrics._proportions import agresti_coull, wilson  # noqa: E402


def by_chance(runs: int, promised: float = 0.95) -> float:
    """How far off the share of so many runs may be, where chance is all: four standard errors."""
    return 4 * sqrt(promised * (1 - promised) / runs)


@pytest.mark.parametrize("n", [20, 50, 200, 1_000, 5_000, 20_000])
def test_a_share_lies_in_its_interval(n: int) -> None:
    """From 0.5 % to 99.5 % Wilson holds 90 times in 100 at least, Agresti-Coull 93 times."""
    for p in SHARES:
        assert share_coverage(wilson, n, p) > 0.90
        assert share_coverage(agresti_coull, n, p) > 0.93


def test_the_textbook_interval_fails() -> None:
    """At n = 50 and p = 2 % Wald's interval holds 63 times in 100."""
    assert share_coverage(wald, 50, 0.02) == pytest.approx(0.635, abs=0.001)


@pytest.mark.parametrize("n", [20, 50, 200])
def test_a_difference_lies_in_its_interval(n: int) -> None:
    """For equal arms and for a holdout of a tenth Newcombe holds 94 times in 100 at least."""
    for p in SHARES:
        lifted = min(1.1 * p, 1 - (1 - p) / 1.1)
        assert difference_coverage(n, p, n, p) > 0.94
        assert difference_coverage(9 * n, lifted, n, p) > 0.94


@pytest.mark.untraced
@pytest.mark.parametrize("buyers", [2, 10, 50])
def test_a_small_holdout_holds_by_orders_and_not_by_welch(buyers: int) -> None:
    """Orders, and revenue by a common order value, hold where Welch is too narrow."""
    runs = 400

    held = holdout(numpy.random.default_rng(1), runs, buyers)

    assert held.share("orders") > 0.95 - by_chance(runs)
    assert held.share("pooled") > 0.95 - by_chance(runs)
    assert held.share("Welch") < held.share("pooled")


def test_a_holdout_with_many_buyers_needs_no_common_order_value() -> None:
    """Where reminded orders are smaller a common value is wrong; Welch, shown then, holds."""
    runs = 300

    held = holdout(numpy.random.default_rng(2), runs, 500, value=0.8)

    assert held.share("pooled") < 0.5
    assert held.share("as shown") > 0.94 - by_chance(runs)


@pytest.mark.untraced
def test_looking_every_day_takes_a_sequence() -> None:
    """Over 30 looks Welch finds a difference that is not there five times too often."""
    runs = 60

    alarms = daily(numpy.random.default_rng(3), runs)

    assert alarms["Welch, every day"] > 0.12
    assert alarms["chi-square split, every day"] > 0.12
    for name in ("sequence, revenue", "sequence, orders", "sequential split, every day"):
        assert alarms[name] < 0.05 + by_chance(runs, 0.05) / 2


@pytest.mark.untraced
def test_repeat_customers_are_clusters() -> None:
    """As if attempts were apart the interval is too narrow; by customer it holds."""
    runs = 500

    held = repeating(numpy.random.default_rng(4), runs, 400)

    assert held.share("attempts as if apart") < 0.95 - by_chance(runs)
    assert held.share("clustered by customer") == pytest.approx(0.945, abs=by_chance(runs))


def test_differences_of_repeat_customers_hold_too() -> None:
    """Newcombe at the effective number, also where one in twenty buys; as if apart it fails."""
    runs = 400

    held = repeating_arms(numpy.random.default_rng(5), runs, 100, 0.05)

    assert held.share("attempts as if apart") < 0.95 - by_chance(runs)
    assert held.share("clustered by customer") > 0.94 - by_chance(runs)


def test_quiet_weeks_have_as_few_change_points_as_stated() -> None:
    """With repeat customers, too, since their design effect is reckoned with."""
    runs = 300

    alarms = quiet_weeks(numpy.random.default_rng(6), runs, repeat=True, reckoned=True)

    assert alarms < 0.05 + by_chance(runs, 0.05)


@pytest.mark.untraced
def test_a_log_that_was_cut_tells_its_future() -> None:
    """Kaplan-Meier and the early mean hold; taking those in flight for abandoned is off."""
    runs, truth = 250, 1 - within_a_week(1.0)

    held = cut_log(numpy.random.default_rng(5), runs, 1_000)

    assert held.share("Kaplan-Meier") == pytest.approx(0.95, abs=by_chance(runs))
    assert held.share("early revenue") > 0.93 - by_chance(runs)
    assert held.mean("Kaplan-Meier") == pytest.approx(truth, abs=0.005)
    assert held.mean("in flight as abandoned") > truth + 0.01


@pytest.mark.untraced
def test_the_other_intervals_hold_too() -> None:
    """CUPED, the median, rate and mix, Welch and the relative difference, at some hundreds."""
    runs = 300

    held = other(numpy.random.default_rng(6), runs, 400)
    arms = plain(numpy.random.default_rng(7), runs, 1_000, 0.5)

    for name in ("CUPED", "median", "rate", "mix"):
        assert held.share(name) > 0.94 - by_chance(runs)
    for name in ("Welch", "relative"):
        assert arms.share(name) > 0.94 - by_chance(runs)


@pytest.mark.parametrize("share", [0.5, 0.98])
def test_a_better_step_is_unsure_where_nearly_all_got_past_the_next(share: float) -> None:
    """By Wilson's limits it holds; by the delta method it is next to sure where all got past."""
    runs = 1_000

    held = better_step(numpy.random.default_rng(8), runs, 50, share)

    assert held.share("by Wilson") > 0.94 - by_chance(runs)
    assert share == 0.5 or held.share("delta method") < 0.5


@pytest.mark.untraced
def test_money_from_few_orders_is_surer_than_it_is() -> None:
    """From five orders the three intervals hold some 75 times in 100, from 200 some 93 times."""
    runs = 500
    names = ("revenue per checkout", "difference, 9 to 1", "better step")

    few = few_orders(numpy.random.default_rng(9), runs, 5)
    many = few_orders(numpy.random.default_rng(9), runs, 200)

    assert all(few.share(name) < 0.85 for name in names)
    assert all(many.share(name) > 0.93 - by_chance(runs) for name in names)


def test_a_steady_step_is_seldom_called_worse_than_it_was() -> None:
    """The best of a year's weeks is partly luck, and its limits reckon with that."""
    runs = 300

    as_if_alone, called = steady_weeks(numpy.random.default_rng(10), runs, 52)

    assert as_if_alone > 0.15
    assert called < 0.05 + by_chance(runs, 0.05) / 2


def test_a_plan_keeps_its_promise() -> None:
    """At the planned size an effect is found 80 times in 100, exactly counted."""
    assert planned(0.05, 0.10, 3)[1] == pytest.approx(0.8, abs=0.015)
