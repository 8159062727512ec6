"""Quantiles from histograms: against sorted rows, scipy, and what an interval must hold."""

from __future__ import annotations

from fractions import Fraction
from math import isnan
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.metrics._quantiles import quantile
from tests.metrics.samples import histogram

HALF = Fraction(1, 2)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=60))
def test_median_is_the_median(values: list[int]) -> None:
    """The estimate is the usual median, and the ends, where there are any, lie around it."""
    got = quantile(histogram(values), HALF)

    assert got.estimate == median(values)
    assert got.n == len(values)
    assert got.low is None or got.low <= got.estimate
    assert got.high is None or got.estimate <= got.high
    assert (got.reason is None) == (None not in (got.low, got.high))


def test_limits_of_a_median_are_those_of_the_printed_table() -> None:
    """David and Nagaraja: of n = 6 the whole range, of 10 places 2 and 9, of 20 places 6 and 15."""
    for n, (low, high) in {6: (1, 6), 10: (2, 9), 20: (6, 15), 5: (None, None)}.items():
        got = quantile(histogram(range(1, n + 1)), HALF)

        assert (got.low, got.high) == (low, high)


def test_limits_are_those_of_scipy() -> None:
    """For several shares the places are those of scipy's quantile test."""
    stats = pytest.importorskip("scipy.stats", reason="needs the group `reference`")
    random = Random(2003)

    for share in (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10)):
        for n in (30, 77, 400):
            values = [random.randint(0, 10**6) for _ in range(n)]
            expected = stats.quantile_test(values, q=0, p=float(share)).confidence_interval(0.95)
            got = quantile(histogram(values), share)

            for mine, theirs in zip((got.low, got.high), expected, strict=True):
                assert mine == (None if isnan(theirs) else theirs)


def test_estimate_is_that_of_numpy() -> None:
    """The estimate is numpy's linear quantile."""
    numpy = pytest.importorskip("numpy", reason="needs the group `reference`")
    random = Random(1996)
    values = [random.randint(0, 900) for _ in range(333)]

    got = quantile(histogram(values), Fraction(9, 10))

    assert got.estimate == pytest.approx(float(numpy.quantile(values, 0.9)))


def test_no_values_are_no_quantile() -> None:
    """Nothing has no median, and it says so; a value that occurs 0 times is no value."""
    assert quantile({}, HALF).reason == "no values"
    assert quantile({7: 0}, HALF).estimate is None
    one = quantile({7: 1, 9: 0}, HALF)
    assert (one.estimate, one.low, one.high) == (7.0, None, None)
    assert one.reason == "too few values for both ends"


def test_the_interval_of_a_skewed_p90_covers_as_promised() -> None:
    """Over 1,000 samples of 80 skewed values the interval holds the truth in 95 % or more."""
    random = Random(90)
    truth = 2_302.585  # p90 of an exponential of mean 1,000

    held = 0
    for _ in range(1_000):
        values = [int(random.expovariate(1 / 1_000)) for _ in range(80)]
        got = quantile(histogram(values), Fraction(9, 10))
        held += got.low <= truth <= got.high

    assert held >= 950 - 3 * (1_000 * 0.05 * 0.95) ** 0.5
