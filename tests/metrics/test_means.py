"""Differences of means and ratios: R's example, scipy, tea-tasting, and what must not matter."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.metrics import Estimate
from lastclick.metrics._means import (
    Moments,
    Pairs,
    cuped,
    ratio,
    ratio_difference,
    relative,
    welch,
)
from tests.metrics.samples import moments, pairs

# Student's sleep data, in tenths of an hour; R 4, documentation of t.test: t.test(extra ~ group).
SLEEP = (
    [7, -16, -2, -12, -1, 34, 37, 8, 0, 20],
    [19, 8, 11, 1, -1, 44, 55, 16, 46, 34],
)

rows = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 20)), min_size=2, max_size=40)


def heavy(random: Random, n: int, share: float) -> list[int]:
    """Revenue of n customers: mostly 0, and a long tail, in minor units."""
    return [
        round(100 * random.lognormvariate(3.5, 1.2)) if random.random() < share else 0
        for _ in range(n)
    ]


def test_welch_is_that_of_rs_manual() -> None:
    """R prints t = -1.8608, df = 17.776, p = 0.07939, and -3.3654832 to 0.2054832."""
    got = welch(*map(moments, SLEEP)).times(0.1)

    assert (got.low, got.high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)
    assert got.p_value == pytest.approx(0.07939, abs=5e-6)
    assert got.estimate / got.standard_error == pytest.approx(-1.8608, abs=5e-5)


def test_relative_difference_is_that_of_growthbook() -> None:
    """Its test-suite (test_two_sided_ttest) prints 0.70732, -0.03526 to 1.44989, p 0.06191."""
    control = Moments(3407, 139_687, 523_779_767)
    treated = Moments(3461, 242_270, 1_346_982_900)

    got = relative(treated, control)

    printed = [round(one, 5) for one in (got.estimate, got.low, got.high, got.p_value)]
    assert printed == [0.70732, -0.03526, 1.44989, 0.06191]


def test_welch_is_that_of_scipy() -> None:
    """On random heavy-tailed arms, interval and p-value are scipy's."""
    stats = pytest.importorskip("scipy.stats", reason="needs the group `reference`")
    random = Random(1947)

    for _ in range(60):
        arms = [heavy(random, random.randint(20, 400), 0.3) for _ in "ab"]
        got = welch(*map(moments, arms), confidence=0.9)
        expected = stats.ttest_ind(*arms, equal_var=False)
        ends = expected.confidence_interval(0.9)

        assert got.p_value == pytest.approx(expected.pvalue, rel=1e-9)
        assert (got.low, got.high) == pytest.approx((ends.low, ends.high), rel=1e-9)


def test_clustered_and_adjusted_differences_are_those_of_tea_tasting() -> None:
    """Ratio of means, CUPED, and CUPED's plain mean agree with tea-tasting on random customers."""
    tea = pytest.importorskip("tea_tasting", reason="needs the group `reference`")
    arrow = pytest.importorskip("pyarrow", reason="needs the group `reference`")
    random = Random(2018)

    for _ in range(8):
        arms = []
        for n in (random.randint(30, 300), random.randint(30, 300)):
            tries = [random.randint(1, 4) for _ in range(n)]
            money = [sum(heavy(random, one, 0.4)) for one in tries]
            before = [round(one * random.uniform(0.5, 2)) + random.randint(0, 900) for one in money]
            arms.append((money, tries, before))
        data = arrow.table(
            {
                "variant": [0] * len(arms[0][0]) + [1] * len(arms[1][0]),
                **{
                    name: arms[0][at] + arms[1][at]
                    for at, name in enumerate(("money", "tries", "before"))
                },
            }
        )
        result = tea.Experiment(
            ratio=tea.RatioOfMeans("money", "tries"),
            cuped=tea.Mean("money", "before"),
            mean=tea.Mean("money"),
        ).analyze(data)
        control, treated = arms
        found = {
            "ratio": ratio_difference(pairs(*treated[:2]), pairs(*control[:2])),
            "cuped": cuped(pairs(treated[0], treated[2]), pairs(control[0], control[2])),
            "mean": welch(moments(treated[0]), moments(control[0])),
        }

        for name, got in found.items():
            expected = result[name]
            assert got.estimate == pytest.approx(expected.effect_size, rel=1e-9)
            assert got.low == pytest.approx(expected.effect_size_ci_lower, rel=1e-7)
            assert got.high == pytest.approx(expected.effect_size_ci_upper, rel=1e-7)
            assert got.p_value == pytest.approx(expected.pvalue, rel=1e-6)


@given(rows, rows, st.integers(2, 1_000))
def test_revenue_in_another_unit_gives_the_same_in_that_unit(
    one: list[tuple[int, int]], other: list[tuple[int, int]], factor: int
) -> None:
    """In cents every figure is a hundred times that in euros, and the p-value is the same."""

    def figures(scale: int) -> list[Estimate]:
        first, second = (
            pairs([scale * y for y, _ in arm], [x for _, x in arm]) for arm in (one, other)
        )
        money = [moments(scale * y for y, _ in arm) for arm in (one, other)]
        return [welch(*money), ratio_difference(first, second), cuped(first, second)]

    for whole, scaled in zip(figures(1), figures(factor), strict=True):
        assert scaled.reason == whole.reason
        expected = whole.times(factor)
        tolerance = 1e-9 * (expected.standard_error or 0.0)
        for name in ("estimate", "low", "high", "p_value"):
            if getattr(expected, name) is None:
                assert getattr(scaled, name) is None
            else:
                near = pytest.approx(getattr(expected, name), rel=1e-9, abs=tolerance)
                assert getattr(scaled, name) == near


@given(rows, rows)
def test_sums_of_parts_give_what_the_whole_gives(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    """Sums add, so that it does not matter in how many parts customers were counted."""
    both = one + other

    assert moments(y for y, _ in one) + moments(y for y, _ in other) == moments(y for y, _ in both)
    added = pairs(*zip(*one, strict=True)) + pairs(*zip(*other, strict=True))
    assert added == pairs(*zip(*both, strict=True))


@given(rows)
def test_one_checkout_each_makes_a_ratio_a_mean(one: list[tuple[int, int]]) -> None:
    """Where every customer has one checkout, revenue per checkout is the mean, with its error."""
    values = [y for y, _ in one]
    money = moments(values)

    got = ratio(pairs(values, [1] * len(values)))

    assert got.estimate == pytest.approx(float(money.mean))
    if money.variance:
        assert got.standard_error == pytest.approx(float(money.variance / money.n) ** 0.5)
        assert got.p_value is None


def test_a_share_is_a_mean_of_ones_and_zeros() -> None:
    """Welch of shares has the error of shares."""
    got = welch(Moments.of_share(30, 100), Moments.of_share(20, 100))

    assert got.estimate == pytest.approx(0.1)
    assert got.standard_error == pytest.approx((0.3 * 0.7 / 99 + 0.2 * 0.8 / 99) ** 0.5)


def test_what_was_known_before_narrows_the_interval() -> None:
    """CUPED's interval is narrower where the value before explains some of the revenue."""
    random = Random(2013)
    arms = []
    for _ in "ab":
        before = heavy(random, 300, 1.0)
        arms.append(pairs([one + random.randint(0, 500) for one in before], before))

    plain = welch(*(Moments(arm.n, arm.y, arm.yy) for arm in arms))
    adjusted = cuped(*arms)

    assert adjusted.standard_error < 0.2 * plain.standard_error


def test_what_was_the_same_before_explains_nothing() -> None:
    """With a constant before, CUPED is Welch."""
    arms = [pairs([1, 5, 9], [7, 7, 7]), pairs([2, 3, 8, 4], [7, 7, 7, 7])]

    plain = welch(*(Moments(arm.n, arm.y, arm.yy) for arm in arms))
    got = cuped(*arms)

    assert (got.estimate, got.low, got.high) == (plain.estimate, plain.low, plain.high)


NOTHING = Moments(0, 0, 0)
NO_PAIRS = Pairs(0, 0, 0, 0, 0, 0)
ONE = pairs([5], [2])


@pytest.mark.parametrize(
    ("got", "why"),
    [
        (welch(NOTHING, NOTHING), "fewer than two"),
        (welch(moments([1, 2]), NOTHING), "fewer than two"),
        (relative(NOTHING, moments([1, 2])), "fewer than two"),
        (relative(moments([1, 2]), moments([0, 0])), "not above 0"),
        (ratio(NO_PAIRS), "nothing to divide by"),
        (ratio(pairs([3, 4], [0, 0])), "nothing to divide by"),
        (ratio_difference(ONE, NO_PAIRS), "nothing to divide by"),
        (cuped(ONE, ONE), "fewer than two"),
    ],
)
def test_where_nothing_can_be_said_there_is_a_reason(got: Estimate, why: str) -> None:
    """No number is made of nothing: estimate and ends are None, and it says why."""
    assert got.estimate is got.low is got.high is got.p_value is None
    assert why in got.reason


@pytest.mark.parametrize(
    ("got", "estimate", "why"),
    [
        (welch(moments([5]), moments([1, 2])), 3.5, "fewer than two"),
        (welch(moments([0, 0]), moments([0, 0])), 0.0, "no spread"),
        (relative(moments([3]), moments([1, 2])), 1.0, "fewer than two"),
        (relative(moments([1, 2]), moments([0, 0, 0, 4])), 0.5, "too unsure to divide by"),
        (relative(moments([2, 2]), moments([1, 1])), 1.0, "no spread"),
        (ratio(ONE), 2.5, "fewer than two"),
        (ratio(pairs([4, 2], [2, 1])), 2.0, "no spread"),
        (ratio_difference(ONE, pairs([1, 2], [1, 1])), 1.0, "fewer than two"),
        (cuped(pairs([1, 2], [1, 2]), pairs([3, 4], [3, 4])), 0.0, "no spread"),
    ],
)
def test_a_figure_without_spread_has_no_interval(got: Estimate, estimate: float, why: str) -> None:
    """One customer, or all alike: the figure stands, without limits, and it says why."""
    assert got.estimate == estimate
    assert got.low is got.high is got.p_value is None
    assert why in got.reason


def test_sums_are_exact_where_floats_would_cancel() -> None:
    """A spread of 1 beside amounts of 10^15 is not lost."""
    huge = moments([10**15, 10**15 + 1, 10**15 + 2])

    assert huge.variance == Fraction(1)
