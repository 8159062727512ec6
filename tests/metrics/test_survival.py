"""Kaplan-Meier and log-rank: textbook tables, lifelines, statsmodels, and what must not matter."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.metrics._survival import Curve, kaplan_meier, log_rank
from tests.metrics.samples import histogram

# Freireich et al. (1963), weeks in remission: 6-MP and placebo. The worked example of Gehan (1965),
# Cox & Oakes (1984) and of Kleinbaum & Klein, whose printed survival and errors are below.
SIX_MP = (
    histogram([6, 6, 6, 7, 10, 13, 16, 22, 23]),
    histogram([6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]),
)
PLACEBO = (
    histogram([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]),
    histogram([]),
)
PRINTED = [
    (6, 0.857, 0.0764),
    (7, 0.807, 0.0869),
    (10, 0.753, 0.0963),
    (13, 0.690, 0.1068),
    (16, 0.627, 0.1141),
    (22, 0.538, 0.1282),
    (23, 0.448, 0.1346),
]

times = st.lists(st.integers(0, 40), max_size=40)


def simulated(random: Random, n: int, scale: float) -> tuple[list[int], list[bool]]:
    """Times that end by an event or by the end of following, and whether by the event."""
    seconds, had = [], []
    for _ in range(n):
        event, end = random.expovariate(1 / scale), random.uniform(5, 90)
        seconds.append(int(min(event, end)))
        had.append(event <= end)
    return seconds, had


def counted(seconds: list[int], had: list[bool]) -> tuple[dict[int, int], dict[int, int]]:
    """Rows as the two histograms."""
    rows = list(zip(seconds, had, strict=True))
    return histogram(at for at, one in rows if one), histogram(at for at, one in rows if not one)


@pytest.mark.parametrize(("week", "share", "error"), PRINTED)
def test_curve_is_that_of_the_textbooks(week: int, share: float, error: float) -> None:
    """To every printed digit survival and Greenwood's error are those of the table."""
    got = kaplan_meier(*SIX_MP).at(week)

    assert (round(got.estimate, 3), round(got.standard_error, 4)) == (share, error)


def test_median_of_the_textbooks_has_no_upper_end() -> None:
    """Half were relapsed by week 23, not before week 13; the other end was not seen."""
    got = kaplan_meier(*SIX_MP).quantile(0.5)

    assert (got.estimate, got.low, got.high) == (23, 13, None)
    assert got.reason == "too few were followed so long for both ends"


def test_log_rank_is_that_of_the_textbooks() -> None:
    """Kleinbaum & Klein print 16.79 for 6-MP against placebo."""
    got = log_rank([SIX_MP, PLACEBO])

    assert round(got.statistic, 2) == 16.79
    assert got.degrees == 1
    assert got.p_value == pytest.approx(4.2e-5, rel=0.01)


def test_curves_are_those_of_lifelines() -> None:
    """Survival, log-log limits and median with limits are those of lifelines."""
    lifelines = pytest.importorskip("lifelines", reason="needs the group `reference`")
    utils = pytest.importorskip("lifelines.utils", reason="needs the group `reference`")
    random = Random(1958)

    for _ in range(10):
        seconds, had = simulated(random, random.randint(15, 300), random.choice([10, 40, 200]))
        confidence = random.choice([0.9, 0.95])
        fit = lifelines.KaplanMeierFitter(alpha=1 - confidence).fit(seconds, had)
        ends = fit.confidence_interval_
        curve = kaplan_meier(*counted(seconds, had), confidence)

        for at, share in zip(curve.seconds, curve.survival, strict=True):
            got = curve.at(at)
            assert share == pytest.approx(fit.survival_function_.loc[at].iloc[0], abs=1e-12)
            if got.low is not None:
                assert (got.low, got.high) == pytest.approx(tuple(ends.loc[at]), abs=1e-9)
        middle = utils.median_survival_times(ends).iloc[0]
        got = curve.quantile(0.5)
        assert (got.estimate or float("inf")) == fit.median_survival_time_
        if got.estimate is not None and 0.0 not in curve.survival:
            assert [got.low, got.high] == [None if at == float("inf") else at for at in middle]


def test_log_rank_is_that_of_lifelines_and_statsmodels() -> None:
    """For two to five groups, statistic and p-value are theirs."""
    statistics = pytest.importorskip("lifelines.statistics", reason="needs the group `reference`")
    duration = pytest.importorskip(
        "statsmodels.duration.survfunc", reason="needs the group `reference`"
    )
    random = Random(1966)

    for many in (2, 3, 5):
        groups = [simulated(random, random.randint(10, 120), 30 + 5 * at) for at in range(many)]
        seconds = [at for group in groups for at in group[0]]
        had = [one for group in groups for one in group[1]]
        labels = [at for at, group in enumerate(groups) for _ in group[0]]
        got = log_rank([counted(*group) for group in groups])
        theirs = statistics.multivariate_logrank_test(seconds, labels, had)
        statistic, p_value = duration.survdiff(seconds, had, labels)

        assert got.statistic == pytest.approx(theirs.test_statistic, rel=1e-8)
        assert got.p_value == pytest.approx(theirs.p_value, rel=1e-8)
        assert (got.statistic, got.p_value) == pytest.approx((statistic, p_value), rel=1e-8)


@given(times)
def test_without_censoring_it_is_the_share_that_is_left(events: list[int]) -> None:
    """Where all were followed to the end, the curve is the plain share, at every second."""
    curve = kaplan_meier(histogram(events), {})

    for second in range(max(events, default=-1) + 1):
        left = sum(at > second for at in events)
        assert curve.at(second).estimate == pytest.approx(left / len(events), abs=1e-12)


@given(times, times, st.integers(1, 9), st.integers(2, 5))
def test_a_later_clock_and_repeated_rows_do_no_harm(
    events: list[int], censored: list[int], later: int, times_over: int
) -> None:
    """Shifting all times shifts the curve; every row several times leaves it as it is."""
    plain = kaplan_meier(histogram(events), histogram(censored))

    shifted = kaplan_meier(
        histogram(at + later for at in events), histogram(at + later for at in censored)
    )
    repeated = kaplan_meier(histogram(events * times_over), histogram(censored * times_over))

    assert shifted.survival == plain.survival
    assert shifted.seconds == tuple(at + later for at in plain.seconds)
    assert repeated.survival == pytest.approx(plain.survival)
    for one, other in zip(plain.greenwood, repeated.greenwood, strict=True):
        assert other is None if one is None else other == pytest.approx(one / times_over)


@given(times, times)
def test_the_curve_falls_and_its_limits_hold_it(events: list[int], censored: list[int]) -> None:
    """Shares never rise, lie within 0 and 1, and each lies within its limits."""
    curve = kaplan_meier(histogram(events), histogram(censored))

    assert list(curve.survival) == sorted(curve.survival, reverse=True)
    for at in curve.seconds:
        got = curve.at(at)
        assert (got.low is None) == (got.estimate == 0)
        if got.low is not None:
            assert 0 <= got.low <= got.estimate <= got.high <= 1


@given(times, times, times)
def test_log_rank_does_not_care_for_the_order_of_groups(
    one: list[int], other: list[int], third: list[int]
) -> None:
    """Exchanging groups exchanges nothing."""
    groups = [(histogram(at), histogram([20])) for at in (one, other, third)]

    there, back = log_rank(groups), log_rank(groups[::-1])

    assert there.reason == back.reason
    if there.statistic is not None:
        assert there.statistic == pytest.approx(back.statistic, rel=1e-6, abs=1e-9)
        assert 0 <= there.p_value <= 1


def test_past_the_longest_follow_up_nothing_is_said() -> None:
    """Week 35 is the last that anyone was followed to; there is no week 36."""
    curve = kaplan_meier(*SIX_MP)

    assert curve.at(35).estimate == pytest.approx(0.448, abs=5e-4)
    beyond = curve.at(36)
    assert beyond.estimate is beyond.low is None
    assert beyond.reason == "nobody was followed for 36 s; the longest is 35 s"


def test_where_nothing_happened_or_nobody_is_left_there_is_no_interval() -> None:
    """At 1 and at 0 the share stands alone; of nobody there is no share."""
    curve = kaplan_meier({5: 3, 7: 1}, {})

    assert (curve.at(4).estimate, curve.at(4).low) == (1.0, None)
    assert curve.at(4).reason == "no event so far, so no interval"
    assert (curve.at(7).estimate, curve.at(7).low) == (0.0, None)
    assert curve.at(7).reason == "nobody is left, so no interval"
    assert kaplan_meier({}, {}).at(0).reason == "nobody was followed"
    assert kaplan_meier({}, {3: 0}) == kaplan_meier({}, {})


def test_a_median_that_was_not_reached_has_a_reason() -> None:
    """Where fewer than half had the event there is no median, though there may be a quarter."""
    curve = kaplan_meier({5: 3}, {9: 7})

    assert curve.quantile(0.5).estimate is None
    assert curve.quantile(0.5).reason == "fewer than 50 % had the event while they were followed"
    assert curve.quantile(0.25).estimate == 5


@pytest.mark.parametrize(
    "groups",
    [
        [],
        [SIX_MP],
        [({}, {}), ({}, {})],
        [({5: 3}, {}), ({}, {})],
        [({}, {5: 3}), ({}, {7: 3})],
        [({9: 3}, {}), ({}, {5: 3})],
    ],
)
def test_groups_that_never_met_are_not_compared(groups: list) -> None:
    """Without an event while two groups were followed there is no test, and it says why."""
    got = log_rank(groups)

    assert got.statistic is got.p_value is None
    assert got.reason == "no event while members of two groups were still followed"


def test_a_group_that_met_no_other_is_left_out() -> None:
    """An empty group, or one that ended before anything happened, leaves the test as it is."""
    with_others = log_rank([({}, {}), SIX_MP, ({}, {0: 9}), PLACEBO])

    plain = log_rank([SIX_MP, PLACEBO])
    assert (with_others.statistic, with_others.degrees) == (plain.statistic, 1)
    assert with_others.n == plain.n + 9


def test_a_curve_as_plain_values_is_all_it_knows() -> None:
    """The dictionary has every attribute."""
    curve = kaplan_meier(*SIX_MP)

    assert Curve(**curve.to_dict()) == curve
