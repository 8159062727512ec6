"""How many are needed: R's example, statsmodels, and that a plan keeps its promise."""

from __future__ import annotations

import json
from random import Random

import pytest

from lastclick.metrics import Plan
from lastclick.metrics._planning import arm_size, more_needed, power_of


def test_arm_size_is_that_of_rs_manual() -> None:
    """power.prop.test(p1 = .50, p2 = .75, power = .90) prints n = 76.7."""
    assert round(arm_size(0.5, 0.75, power=0.9), 1) == 76.7


def test_arm_size_is_that_of_statsmodels() -> None:
    """For arms of any ratio the size is statsmodels'."""
    proportion = pytest.importorskip(
        "statsmodels.stats.proportion", reason="needs the group `reference`"
    )
    random = Random(1981)

    for ratio in (0.5, 1, 4, 9):
        p1, p2 = random.uniform(0.02, 0.5), random.uniform(0.02, 0.5)
        power, alpha = random.choice([0.8, 0.9]), random.choice([0.05, 0.1])
        expected = proportion.samplesize_proportions_2indep_onetail(
            p1 - p2, p2, power, ratio=ratio, alpha=alpha
        )

        got = arm_size(p1, p2, ratio=ratio, power=power, confidence=1 - alpha)
        assert got == pytest.approx(expected, rel=1e-9)


def test_power_is_that_of_statsmodels() -> None:
    """With equal and unequal arms the power is statsmodels', but for finding the wrong sign."""
    proportion = pytest.importorskip(
        "statsmodels.stats.proportion", reason="needs the group `reference`"
    )
    random = Random(2003)

    for _ in range(40):
        p1, p2 = random.uniform(0.02, 0.5), random.uniform(0.02, 0.5)
        n1, ratio = random.randint(50, 5_000), random.choice([1, 4, 9])
        expected = proportion.power_proportions_2indep(
            p2 - p1, p1, n1 * ratio, ratio=1 / ratio, alpha=0.05, return_results=False
        )

        got = power_of(p1, n1, p2, n1 * ratio)
        assert got == pytest.approx(expected, abs=0.002 if expected > 0.2 else 0.026)


@pytest.mark.parametrize("ratio", [1, 3, 9])
def test_power_at_the_size_is_the_power_asked_for(ratio: int) -> None:
    """The two functions are each other's inverse."""
    n = arm_size(0.10, 0.13, ratio=ratio, power=0.8)

    assert power_of(0.10, round(n), 0.13, round(n * ratio)) == pytest.approx(0.8, abs=0.002)


def test_more_are_needed_until_there_are_enough() -> None:
    """What is there already counts, and once it is enough no more are needed."""
    few = more_needed((45, 450), (3, 50), effect=0.03, per_day=40)
    many = more_needed((4_500, 45_000), (300, 5_000), effect=0.03, per_day=40)

    assert few.total - 500 == few.more > 0
    assert few.days == -(-few.more // 40)
    assert str(few) == f"about {few.more:,} more, some {few.days} days"
    assert (many.more, many.days) == (0, 0)
    assert str(many) == "about 0 more"


def test_without_an_effect_the_difference_seen_is_planned_for() -> None:
    """A difference downwards is as good a plan as one upwards."""
    assert more_needed((90, 900), (8, 100)).effect == pytest.approx(0.02)
    assert more_needed((72, 900), (10, 100)).effect == pytest.approx(-0.02)
    assert more_needed((90, 900), (8, 100)).days is None


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (more_needed((0, 0), (1, 10)), "nobody in one of the arms"),
        (more_needed((1, 10), (0, 0)), "nobody in one of the arms"),
        (more_needed((0, 90), (0, 10)), "no difference to plan for"),
        (more_needed((9, 90), (10, 10), effect=0.1), "no going up by 0.1"),
        (more_needed((9, 90), (0, 10), effect=-0.1), "no going up by -0.1"),
    ],
)
def test_where_nothing_can_be_planned_there_is_a_reason(plan: Plan, why: str) -> None:
    """No plan is made of nothing, and it says why."""
    assert plan.more is plan.total is plan.days is None
    assert why in plan.reason
    assert str(plan) == "-"


def test_a_plan_as_plain_values_is_all_it_knows() -> None:
    """The dictionary has every attribute and goes through JSON unchanged."""
    plan = more_needed((90, 900), (8, 100), per_day=10)

    assert Plan(**json.loads(json.dumps(plan.to_dict()))) == plan
