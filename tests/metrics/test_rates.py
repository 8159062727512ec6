"""Rates: held to the published table, to statsmodels, and to what an interval must be."""

from __future__ import annotations

import json
from math import comb, isclose, sqrt
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.metrics import Rate, rate

# Newcombe, R. G. (1998). Two-sided confidence intervals for the single proportion: comparison of
# seven methods. Statistics in Medicine 17, 857-872. Table I, method 3 (score, uncorrected), 95 %.
NEWCOMBE_1998A = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]

shares = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("x", "n", "low", "high"), NEWCOMBE_1998A)
def test_interval_is_the_published_one(x: int, n: int, low: float, high: float) -> None:
    """To every printed digit the interval is that of Newcombe's table."""
    got = rate(x, n)

    assert (round(got.low, 4), round(got.high, 4)) == (low, high)


def test_interval_is_that_of_the_vectors(shared: Path) -> None:
    """The interval is that of the shared vectors, to their tolerance."""
    vectors = json.loads((shared / "vectors" / "statistics.json").read_text("utf-8"))["vectors"]
    wilson = [vector for vector in vectors if vector["estimator"] == "wilson"]

    for vector in wilson:
        got = rate(vector["inputs"]["x"], vector["inputs"]["n"])

        assert got.confidence == vector["inputs"]["confidence"]
        for end, expected in zip((got.low, got.high), vector["expected"]["value"], strict=True):
            assert isclose(end, expected, rel_tol=0, abs_tol=vector["abs_tol"]), vector["id"]

    assert wilson


def test_interval_is_that_of_statsmodels() -> None:
    """For every share of small numbers, and for large ones, statsmodels gives the same."""
    proportion = pytest.importorskip(
        "statsmodels.stats.proportion", reason="needs the group `reference`"
    )
    pairs = [(x, n) for n in range(1, 31) for x in range(n + 1)]
    pairs += [(1, 10**6), (520, 976), (999_999, 10**6), (10**9, 3 * 10**9)]

    for x, n in pairs:
        got = rate(x, n)
        low, high = proportion.proportion_confint(x, n, alpha=0.05, method="wilson")

        assert isclose(got.low, low, rel_tol=1e-9, abs_tol=1e-12)
        assert isclose(got.high, high, rel_tol=1e-9, abs_tol=1e-12)


@given(shares)
def test_interval_of_the_rest_is_the_mirror(share: tuple[int, int]) -> None:
    """Those who did and those who did not have intervals that mirror each other."""
    x, n = share

    did, did_not = rate(x, n), rate(n - x, n)

    assert isclose(did.low, 1 - did_not.high, abs_tol=1e-12)
    assert isclose(did.high, 1 - did_not.low, abs_tol=1e-12)


@given(shares)
def test_interval_holds_the_estimate_and_lies_within_0_and_1(share: tuple[int, int]) -> None:
    """Both ends are shares, with the estimate between them."""
    got = rate(*share)

    assert 0 <= got.low <= got.estimate <= got.high <= 1
    assert got.low < got.high


@pytest.mark.parametrize("n", [1, 2, 7, 976, 10**7])
def test_none_and_all_have_exact_ends(n: int) -> None:
    """Of none the lower end is exactly 0, of all the upper end is exactly 1."""
    none, everyone = rate(0, n), rate(n, n)

    assert (none.estimate, none.low) == (0.0, 0.0)
    assert (everyone.estimate, everyone.high) == (1.0, 1.0)
    assert none.high > 0
    assert everyone.low < 1


def test_interval_narrows_with_more_attempts() -> None:
    """Ten times as many attempts at the same share give a narrower interval."""
    few, many = rate(3, 10), rate(30, 100)

    assert many.high - many.low < few.high - few.low


def test_no_denominator_is_no_estimate_with_a_reason() -> None:
    """Where there is nothing to divide by there is no number, and it says why."""
    got = rate(0, 0)

    assert (got.numerator, got.denominator) == (0, 0)
    assert got.estimate is got.low is got.high is None
    assert got.reason == "nothing to divide by"


def test_a_rate_says_how_its_interval_was_made() -> None:
    """An interval has a confidence and a method, and an estimate needs no reason."""
    got = rate(1, 4)

    assert (got.confidence, got.method, got.reason) == (0.95, "wilson", None)


def test_coverage_at_a_small_share_is_that_of_the_method() -> None:
    """At n = 50 and p = 2 % the interval covers as often as Wilson's does, 0.924."""
    n, p, runs = 50, 0.02, 4_000
    random = Random(1927)
    intervals = [rate(x, n) for x in range(n + 1)]
    exact = sum(
        comb(n, x) * p**x * (1 - p) ** (n - x)
        for x, one in enumerate(intervals)
        if one.low <= p <= one.high
    )

    covered = 0
    for _ in range(runs):
        one = intervals[sum(random.random() < p for _ in range(n))]
        covered += one.low <= p <= one.high

    tolerance = 4 * sqrt(0.924 * (1 - 0.924) / runs)
    assert abs(covered / runs - 0.924) < tolerance
    assert abs(exact - 0.924) < 0.005


@pytest.mark.parametrize(
    ("x", "n", "text"),
    [
        (520, 976, "53.3 % (50.1 to 56.4)"),
        (0, 20, "0.0 % (0.0 to 16.1)"),
        (20, 20, "100.0 % (83.9 to 100.0)"),
        (0, 0, "-"),
    ],
)
def test_text_is_the_share_and_its_interval(x: int, n: int, text: str) -> None:
    """As text a rate is per cents with one decimal, and without an estimate a dash."""
    assert str(rate(x, n)) == text


def test_a_rate_as_plain_values_is_all_it_knows() -> None:
    """The dictionary has every attribute and goes through JSON unchanged."""
    for one in (rate(1, 3), rate(0, 0)):
        plain = one.to_dict()

        assert Rate(**json.loads(json.dumps(plain))) == one
