"""Intervals of shares and of their difference: published tables, statsmodels, and symmetry."""

from __future__ import annotations

from math import isclose
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.metrics._proportions import agresti_coull, difference, wilson

# Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions:
# comparison of eleven methods. Statistics in Medicine 17, 873-890. Table II, method 10, 95 %.
NEWCOMBE_1998B = [
    ((56, 70, 48, 80), (0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.0582, 0.8062)),
    ((5, 56, 0, 29), (-0.0381, 0.1926)),
    ((0, 10, 0, 20), (-0.1611, 0.2775)),
    ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ((10, 10, 0, 20), (0.6791, 1.0)),
    ((10, 10, 0, 10), (0.6075, 1.0)),
]

shares = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("counts", "ends"), NEWCOMBE_1998B)
def test_difference_is_the_published_one(
    counts: tuple[int, int, int, int], ends: tuple[float, float]
) -> None:
    """To every printed digit the interval is that of Newcombe's table."""
    got = difference(*counts)

    assert (round(got.low, 4), round(got.high, 4)) == ends


def test_intervals_are_those_of_statsmodels() -> None:
    """At several confidences, shares, differences and p-values are statsmodels'."""
    proportion = pytest.importorskip(
        "statsmodels.stats.proportion", reason="needs the group `reference`"
    )
    random = Random(1998)

    for _ in range(300):
        n1, n2 = (1 + int(10 ** random.uniform(0, 5)) for _ in "ab")
        x1, x2 = random.randint(0, n1), random.randint(0, n2)
        confidence = random.choice([0.8, 0.9, 0.95, 0.99])
        got = difference(x1, n1, x2, n2, confidence)
        ends = proportion.confint_proportions_2indep(
            x1, n1, x2, n2, method="newcomb", compare="diff", alpha=1 - confidence
        )
        one = proportion.proportion_confint(x1, n1, 1 - confidence, "wilson")
        padded = proportion.proportion_confint(x1, n1, 1 - confidence, "agresti_coull")

        assert (got.low, got.high) == pytest.approx(ends, abs=1e-12)
        assert wilson(x1, n1, confidence) == pytest.approx(one, abs=1e-12)
        clipped = [min(1, max(0, end)) for end in agresti_coull(x1, n1, confidence)]
        assert clipped == pytest.approx(padded, abs=1e-12)
        if got.p_value is not None:
            _, p_value = proportion.proportions_ztest([x1, x2], [n1, n2])
            assert isclose(got.p_value, p_value, rel_tol=1e-9, abs_tol=1e-300)


def test_agresti_coull_is_the_published_formula() -> None:
    """Its ends may lie outside 0 to 1: a caller who draws them clips them."""
    # Agresti and Coull (1998), formula; recomputed with statsmodels 0.15.0, unclipped.
    low, high = agresti_coull(0, 20)

    assert low == pytest.approx(-0.028684402489669455, abs=1e-9)
    assert high == pytest.approx(0.18980956054248876, abs=1e-9)


@given(shares, shares)
def test_the_other_way_round_it_is_the_negative(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    """Exchanging the two exchanges the ends and turns every sign, exactly."""
    there, back = difference(*one, *other), difference(*other, *one)

    assert (there.low, there.estimate, there.high) == (-back.high, -back.estimate, -back.low)
    assert there.p_value == back.p_value


@given(shares, shares)
def test_those_who_did_not_differ_by_as_much(one: tuple[int, int], other: tuple[int, int]) -> None:
    """The difference of those who did not is the negative, with mirrored limits."""
    did = difference(*one, *other)
    did_not = difference(one[1] - one[0], one[1], other[1] - other[0], other[1])

    assert did.low == pytest.approx(-did_not.high, abs=1e-12)
    assert did.p_value == did_not.p_value


@given(shares, shares)
def test_difference_lies_within_its_ends(one: tuple[int, int], other: tuple[int, int]) -> None:
    """The ends lie around the difference and within -1 to 1."""
    got = difference(*one, *other)

    assert -1 - 1e-12 <= got.low <= got.estimate <= got.high <= 1 + 1e-12
    assert got.n == one[1] + other[1]


def test_nobody_is_no_difference_with_a_reason() -> None:
    """Without a denominator there is no number, and it says why."""
    for got in (difference(0, 0, 1, 2), difference(1, 2, 0, 0), difference(0, 0, 0, 0)):
        assert got.estimate is got.low is got.high is got.p_value is None
        assert got.reason == "nobody in one of the two"


@pytest.mark.parametrize("counts", [(0, 10, 0, 20), (10, 10, 20, 20), (0, 1, 0, 1)])
def test_none_or_all_in_both_have_an_interval_and_no_p_value(
    counts: tuple[int, int, int, int],
) -> None:
    """Two equal extremes differ by 0, within limits; there is nothing to test."""
    got = difference(*counts)

    assert got.estimate == 0
    assert got.low < 0 < got.high
    assert got.p_value is None
