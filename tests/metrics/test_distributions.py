"""Tails and quantiles: held to printed tables and to scipy."""

from __future__ import annotations

from math import comb, isclose
from random import Random

import pytest

from lastclick.metrics._distributions import (
    binomial_tail,
    chi_square_tail,
    normal_quantile,
    normal_tail,
    t_quantile,
    t_tail,
    two_sided,
)

# Any printed t-table, two-sided 95 %: degrees of freedom and quantile.
T_TABLE = [(1, 12.7062), (2, 4.3027), (10, 2.2281), (25, 2.0595), (30, 2.0423), (120, 1.9799)]
# Any printed chi-square table, upper 5 %.
CHI_SQUARE_TABLE = [(1, 3.8415), (2, 5.9915), (3, 7.8147), (10, 18.3070), (30, 43.7730)]


@pytest.mark.parametrize(("degrees", "value"), T_TABLE)
def test_t_quantile_is_the_printed_one(degrees: int, value: float) -> None:
    """To every printed digit the quantile is that of the table."""
    assert round(t_quantile(0.025, degrees), 4) == value


@pytest.mark.parametrize(("degrees", "value"), CHI_SQUARE_TABLE)
def test_chi_square_tail_is_the_printed_one(degrees: int, value: float) -> None:
    """At the printed quantile 5 % are left."""
    assert chi_square_tail(value, degrees) == pytest.approx(0.05, abs=1e-5)


def test_normal_is_the_printed_one() -> None:
    """1.96 and 0.025 belong together, at both ends of the scale."""
    assert two_sided(0.95) == pytest.approx(1.959963984540054, abs=1e-15)
    assert normal_tail(1.959963984540054) == pytest.approx(0.025, rel=1e-14)
    assert normal_tail(normal_quantile(0.2)) == pytest.approx(0.2, rel=1e-14)


@pytest.mark.untraced
def test_t_is_that_of_scipy() -> None:
    """Tails and quantiles agree with scipy's, far out and for any degrees of freedom."""
    stats = pytest.importorskip("scipy.stats", reason="needs the group `reference`")
    random = Random(1908)
    degrees = [1, 2, 3.5, 1_000, 99_999, 100_001, 10**6, 10**9]
    degrees += [10 ** random.uniform(0, 5) for _ in range(40)]

    for df in degrees:
        far = 2e-9 if df < 1e5 else 1e-4
        for t in (-3.0, 0.0, 0.01, 0.5, 1.0, 2.0, 5.0, 12.0):
            assert isclose(t_tail(t, df), stats.t.sf(t, df), rel_tol=far)
        for tail in (0.4, 0.1, 0.025, 0.005, 1e-6):
            assert isclose(t_quantile(tail, df), stats.t.isf(tail, df), rel_tol=3e-9)


def test_chi_square_is_that_of_scipy() -> None:
    """Tails agree with scipy's to 12 digits, down to 1e-280."""
    stats = pytest.importorskip("scipy.stats", reason="needs the group `reference`")

    for df in (1, 2, 3, 7, 8, 30, 101):
        for x in (-1.0, 0.0, 1e-6, 0.5, 3.0, 30.0, 200.0, 1_200.0):
            expected = stats.chi2.sf(x, df)
            assert isclose(chi_square_tail(x, df), expected, rel_tol=1e-12, abs_tol=1e-280)


def test_binomial_tail_is_the_sum_of_its_terms() -> None:
    """Of few the tail is the sum of whole-number terms, of none and of too many 1 and 0."""
    for n in (1, 2, 9, 30):
        for k in range(-1, n + 2):
            terms = [comb(n, x) * 0.3**x * 0.7 ** (n - x) for x in range(max(k, 0), n + 1)]
            assert binomial_tail(k, n, 0.3) == pytest.approx(sum(terms), abs=1e-14)


def test_binomial_tail_is_that_of_scipy() -> None:
    """Of many too."""
    stats = pytest.importorskip("scipy.stats", reason="needs the group `reference`")

    for n, p in ((1_000, 0.9), (10**5, 0.5), (10**6, 0.013)):
        for k in (1, int(n * p) - 40, int(n * p), int(n * p) + 40, n):
            assert isclose(binomial_tail(k, n, p), stats.binom.sf(k - 1, n, p), abs_tol=1e-8)


def test_tails_have_an_end() -> None:
    """What no float can hold is 0 or 1, and raises nothing."""
    assert t_tail(1e200, 3) == 0.0
    assert t_tail(-1e200, 3) == 1.0
    assert t_tail(0.0, 3) == 0.5
    assert t_tail(1e-170, 3) == 0.5
    assert chi_square_tail(1e6, 2) == 0.0
