"""Confidence sequences and sequential splits: their authors' figures, and when they say nothing."""

from __future__ import annotations

from math import exp, isclose, lgamma, log, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.metrics import Estimate
from lastclick.metrics._means import Moments, welch
from lastclick.metrics._proportions import difference
from lastclick.metrics._sequential import (
    FIRST_LOOK,
    confidence_sequence,
    log_mixture,
    mixture_boundary,
    mixture_width,
    sequential_sample_ratio,
)


def seen(effect: float, error: float, n: int) -> Estimate:
    """A difference with its error."""
    return Estimate(estimate=effect, standard_error=error, n=n, method="welch")


def test_boundary_is_that_of_its_authors() -> None:
    """The test-suite of confseq, from the authors' R code, has these to five decimals."""
    rho = mixture_width(100, 0.05)

    assert rho == pytest.approx(12.60056, abs=1e-5)
    assert mixture_boundary(100, rho, 0.05) == pytest.approx(30.35209, abs=1e-5)
    assert log_mixture(10, 100, rho) == pytest.approx(-0.6510052, abs=1e-7)


def test_sequence_is_the_equation_of_its_paper() -> None:
    """The limits are those of Waudby-Smith et al., equation 9, in their own letters."""
    n, sigma, alpha = 10_000, 40.0, 0.05
    rho2 = 1 / mixture_width(5_000, alpha)
    width = sqrt((n * rho2 + 1) / (n**2 * rho2) * log((n * rho2 + 1) / alpha**2))

    got = confidence_sequence(seen(1.5, sigma / sqrt(n), n), planned=5_000, buyers=600)

    assert got.low == pytest.approx(1.5 - sigma * width, abs=1e-12)
    assert got.high == pytest.approx(1.5 + sigma * width, abs=1e-12)
    assert got.method == "welch, at every look"


@given(st.floats(-9, 9), st.floats(0.01, 5), st.integers(100, 10**6), st.integers(100, 10**6))
def test_p_value_and_interval_say_the_same(
    effect: float, error: float, n: int, planned: int
) -> None:
    """The interval is off 0 exactly where the p-value is below 0.05."""
    got = confidence_sequence(seen(effect, error, n), planned=planned, buyers=600)

    off_zero = got.low > 0 or got.high < 0
    assert off_zero == (got.p_value < 0.05) or isclose(got.p_value, 0.05, rel_tol=1e-9)
    assert 0 <= got.p_value <= 1


def test_it_is_wider_than_one_look_and_tightest_about_the_plan() -> None:
    """Many looks cost width, and least so at the planned number."""
    one = welch(Moments.of_share(600, 5_000), Moments.of_share(500, 5_000))

    planned = confidence_sequence(one, planned=10_000, buyers=1_100)
    early = confidence_sequence(one, planned=500, buyers=1_100)
    late = confidence_sequence(one, planned=500_000, buyers=1_100)

    assert planned.low < one.low
    assert planned.high - planned.low < min(early.high - early.low, late.high - late.low)


def test_too_few_buyers_are_no_look() -> None:
    """The sequence holds for large numbers: below 100 buyers it says so, and nothing else."""
    got = confidence_sequence(seen(1.0, 0.1, 400), planned=400, buyers=FIRST_LOOK - 1)

    assert got.estimate is got.low is got.high is got.p_value is None
    assert got.reason == "fewer than 100 buyers in all"


def test_without_an_error_the_reason_stays() -> None:
    """What has no interval at one look has none at many, for the same reason."""
    one = welch(Moments.of_share(100, 100), Moments.of_share(100, 100))

    got = confidence_sequence(one, planned=400, buyers=200)

    assert (got.estimate, got.low, got.reason) == (0.0, None, one.reason)


def test_an_estimate_without_an_error_is_refused() -> None:
    """Newcombe's difference has limits and no error: it says to take a difference of means."""
    got = confidence_sequence(difference(30, 100, 20, 100), planned=400, buyers=200)

    assert got.low is got.p_value is None
    assert got.reason == "newcombe has no standard error; take a difference of means"


def test_sequential_split_is_a_bayes_factor() -> None:
    """The evidence is Dirichlet-multinomial over multinomial, counted out for small numbers."""
    observed, shares, many = [3, 1], [0.75, 0.25], 8.0
    marginal = exp(lgamma(many) - lgamma(many + 4) + lgamma(9) - lgamma(6) + lgamma(3) - lgamma(2))

    got = sequential_sample_ratio(observed, shares, concentration=many)

    assert got.statistic == pytest.approx(log(marginal / (0.75**3 * 0.25)))
    assert got.p_value == 1.0


def test_sequential_split_is_that_of_scipy() -> None:
    """The evidence is scipy's Dirichlet-multinomial over its multinomial."""
    stats = pytest.importorskip("scipy.stats", reason="needs the group `reference`")
    random = Random(2022)

    for _ in range(40):
        observed = [random.randint(0, 3_000) for _ in range(3)]
        theta = [0.5, 0.3, 0.2]
        got = sequential_sample_ratio(observed, [5, 3, 2], concentration=500)
        prior = [500 * one for one in theta]
        marginal = stats.dirichlet_multinomial.logpmf(observed, prior, sum(observed))
        expected = marginal - stats.multinomial.logpmf(observed, sum(observed), theta)

        assert got.statistic == pytest.approx(expected, abs=1e-6)
        assert got.p_value == pytest.approx(min(1, exp(-min(expected, 700))), rel=1e-5)


def test_a_broken_split_is_found_and_a_sound_one_is_not() -> None:
    """Kohavi's 821,588 to 815,482 is broken; 50 to 50 is not; nobody is no split."""
    assert sequential_sample_ratio([821_588, 815_482], [1, 1]).p_value < 0.001
    assert sequential_sample_ratio([5_030, 4_970], [1, 1]).p_value == 1.0
    assert sequential_sample_ratio([0, 0], [1, 1]).reason == "nobody in any arm"
