"""The early mean: an example by hand, and the laws that tie it to curve and plain mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.metrics._means import Moments
from lastclick.metrics._survival import kaplan_meier
from lastclick.metrics._weighted import weighted_mean
from tests.metrics.samples import histogram, moments

sales = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 500)), max_size=40)
times = st.lists(st.integers(0, 40), max_size=40)


def by_second(rows: list[tuple[int, int]]) -> dict[int, Moments]:
    """The sums of revenue by the second of the order."""
    return {second: moments(amount for at, amount in rows if at == second) for second, _ in rows}


def test_mean_is_that_by_hand() -> None:
    """Exact fractions by hand: (40 + 60 + 100/(5/6) + 80/(5/8)) / 8 = 43.5; zeros would give 35."""
    # In half days: bought after 0.5, 1, 3, 6 days; in flight at 2 and 5; two followed for all 7.
    bought = by_second([(1, 40), (2, 60), (6, 100), (12, 80)])

    got = weighted_mean(bought, {4: 1, 10: 1, 14: 2}, horizon=14)

    assert got.estimate == pytest.approx(43.5, abs=1e-12)
    assert got.standard_error > 0
    assert got.n == 8
    assert got.low is got.high is None
    assert got.reason == "fewer than 50 bought, too few for an interval"


@given(times, times, st.integers(0, 40))
def test_with_a_revenue_of_one_it_is_what_the_curve_lost(
    events: list[int], censored: list[int], horizon: int
) -> None:
    """Estimate, error and refusal are those of 1 - Kaplan-Meier (Satten & Datta 2001)."""
    curve = kaplan_meier(histogram(events), histogram(censored)).at(horizon)

    bought = by_second([(at, 1) for at in events])
    got = weighted_mean(bought, histogram(censored), horizon=horizon)

    if curve.estimate is None:
        assert got.estimate is None
        assert got.reason == curve.reason
    else:
        assert got.estimate == pytest.approx(1 - curve.estimate, abs=1e-12)
        if curve.standard_error is not None:
            assert got.standard_error == pytest.approx(curve.standard_error, abs=1e-9)


def test_no_spread_is_none_whatever_the_last_digit() -> None:
    """Where all bought at last, the parts of the variance cancel, but for a rounding below 0."""
    bought = by_second([(at, 1) for at in (1, 2, 2, 3)])

    got = weighted_mean(bought, {0: 1, 1: 1}, horizon=3)

    assert got.estimate == pytest.approx(1)
    assert got.standard_error == pytest.approx(0, abs=1e-9)


@given(sales, st.integers(0, 40))
def test_with_nobody_in_flight_it_is_the_plain_mean(
    rows: list[tuple[int, int]], others: int
) -> None:
    """Where all were followed to the horizon, a mean with its error, and late orders are zeros."""
    horizon = 20
    values = [amount if at <= horizon else 0 for at, amount in rows] + [0] * (others + 1)

    got = weighted_mean(by_second(rows), {horizon: others + 1}, horizon=horizon)

    plain = moments(values)
    assert got.estimate == pytest.approx(float(plain.mean))
    n = len(values)
    if n > 1:
        error = float(plain.variance * (n - 1)) ** 0.5 / n
        assert got.standard_error == pytest.approx(error, abs=1e-6)


@given(sales, times, st.integers(2, 1_000))
def test_revenue_in_another_unit_gives_the_same_in_that_unit(
    rows: list[tuple[int, int]], censored: list[int], factor: int
) -> None:
    """In cents estimate and ends are a hundred times those in euros."""
    without = histogram([*censored, 40])
    many = rows * 50

    whole = weighted_mean(by_second(many), without, horizon=40).times(factor)
    got = weighted_mean(by_second([(at, factor * y) for at, y in many]), without, horizon=40)

    assert got.estimate == pytest.approx(whole.estimate, rel=1e-9)
    assert got.reason == whole.reason
    if whole.low is not None:
        assert (got.low, got.high) == pytest.approx((whole.low, whole.high), rel=1e-6)
        assert 0 < got.low < got.estimate < got.high


def test_where_nothing_can_be_said_there_is_a_reason() -> None:
    """Nobody, nobody so long, or all alike: it says so."""
    assert weighted_mean({}, {}, horizon=9).reason == "nobody was followed"
    early = weighted_mean(by_second([(3, 50)]), {5: 2}, horizon=9)
    assert early.estimate is None
    assert early.reason == "nobody was followed for 9 s; the longest is 5 s"
    nothing = weighted_mean({5: Moments(50, 0, 0)}, {9: 4}, horizon=9)
    assert (nothing.estimate, nothing.low) == (0.0, None)
    assert nothing.reason == "no spread to judge by, or no revenue in all"
