"""Broken splits and many findings: published examples, scipy, statsmodels."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.metrics._tests import ALARM, benjamini_hochberg, sample_ratio

# Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. JRSS B 57, 289-300,
# section 3.2: at 0.05 the procedure rejects 4 of these 15, and Bonferroni's 3.
BH_1995 = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
BH_1995 += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]


def test_split_is_that_of_the_book() -> None:
    """Kohavi, Tang and Xu (2020), chapter 21: 821,588 to 815,482 has p = 1.8e-6."""
    got = sample_ratio([821_588, 815_482], [1, 1])

    assert f"{got.p_value:.1e}" == "1.8e-06"
    assert got.p_value < ALARM
    assert (got.degrees, got.n) == (1, 821_588 + 815_482)


def test_split_is_that_of_scipy() -> None:
    """For several arms of unequal shares, statistic and p-value are scipy's."""
    stats = pytest.importorskip("scipy.stats", reason="needs the group `reference`")
    random = Random(2019)

    for _ in range(50):
        shares = [random.randint(1, 9) for _ in range(random.randint(2, 6))]
        observed = [100 * share + random.randint(-60, 60) for share in shares]
        expected = [sum(observed) * share / sum(shares) for share in shares]
        got, wanted = sample_ratio(observed, shares), stats.chisquare(observed, expected)

        assert got.statistic == pytest.approx(wanted.statistic, rel=1e-10)
        assert got.p_value == pytest.approx(wanted.pvalue, rel=1e-10)


@pytest.mark.parametrize(
    ("observed", "shares"), [([0, 0], [1, 1]), ([4, 4], [1, 1]), ([39, 4], [9, 1])]
)
def test_too_few_are_no_test_of_the_split(observed: list[int], shares: list[int]) -> None:
    """Below 5 expected in an arm nothing is said, and it says why."""
    got = sample_ratio(observed, shares)

    assert got.statistic is got.p_value is None
    assert got.reason == "fewer than 5 expected in an arm"


def test_four_of_the_fifteen_are_found() -> None:
    """As in the paper: 4 at 0.05."""
    assert sum(p <= 0.05 for p in benjamini_hochberg(BH_1995)) == 4


@given(st.lists(st.floats(0, 1), max_size=30))
def test_adjusted_are_no_smaller_and_keep_their_order(p_values: list[float]) -> None:
    """Adjusting raises p-values, to 1 at most, keeps their ranks, and leaves a single one."""
    got = benjamini_hochberg(p_values)

    assert all(p <= one <= 1 for p, one in zip(p_values, got, strict=True))
    ranked = [one for _, one in sorted(zip(p_values, got, strict=True))]
    assert ranked == sorted(ranked)
    if len(p_values) == 1:
        assert got == p_values


def test_adjusted_are_those_of_statsmodels() -> None:
    """On random p-values statsmodels gives the same."""
    multitest = pytest.importorskip(
        "statsmodels.stats.multitest", reason="needs the group `reference`"
    )
    random = Random(1995)

    for many in (1, 2, 15, 60):
        p_values = [random.random() ** 3 for _ in range(many)]
        expected = multitest.multipletests(p_values, method="fdr_bh")[1]

        assert benjamini_hochberg(p_values) == pytest.approx(list(expected), abs=1e-12)
