"""What a better step would bring: the closed form, and what it is unsure of."""

from __future__ import annotations

from math import log
from random import Random

import pytest

from lastclick.metrics._means import Moments
from lastclick.metrics._step_value import step_value
from tests.metrics.samples import moments

REACHED = [10_000, 8_000, 6_000, 3_600, 3_240]
ORDERS = Moments(3_240, 162_000, 9_000_000)


def test_value_is_the_closed_form() -> None:
    """R = 10,000 x 50 x 0.8 x 0.75 x 0.6 x 0.9, and six points of 60 % are a tenth of it."""
    got = step_value(REACHED, ORDERS, step=2, added=0.06)

    assert got.estimate == pytest.approx(16_200)
    assert got.low < 16_200 < got.high
    assert "1 times as often" in got.assumes


def test_the_rescued_may_buy_half_as_often() -> None:
    """Half as often is half as much, ends included."""
    full, half = (
        step_value(REACHED, ORDERS, step=2, added=0.06, rescued=rescued) for rescued in (1, 0.5)
    )

    assert half.estimate == pytest.approx(full.estimate / 2)
    assert (half.low, half.high) == pytest.approx((full.low / 2, full.high / 2))


def test_a_worse_step_costs_what_a_better_one_brings() -> None:
    """The sign turns, and the ends stay in order."""
    better, worse = (step_value(REACHED, ORDERS, step=2, added=added) for added in (0.06, -0.06))

    assert worse.estimate == pytest.approx(-better.estimate)
    assert (worse.low, worse.high) == pytest.approx((-better.high, -better.low))


def test_the_variance_is_that_of_simulated_funnels() -> None:
    """The spread of the logarithm over 2,000 simulated funnels is the one computed, within 10 %."""
    random = Random(7)
    shares, logs, computed = [0.8, 0.5, 0.6], [], []
    for _ in range(2_000):
        reached = [300]
        for share in shares:
            reached.append(sum(random.random() < share for _ in range(reached[-1])))
        money = moments(round(100 * random.lognormvariate(3, 0.5)) for _ in range(reached[-1]))
        got = step_value(reached, money, step=1, added=0.05)
        logs.append(log(got.estimate))
        computed.append((log(got.high / got.low) / (2 * 1.959964)) ** 2)

    mean = sum(logs) / len(logs)
    spread = sum((one - mean) ** 2 for one in logs) / len(logs)
    assert sum(computed) / len(computed) == pytest.approx(spread, rel=0.1)


def test_all_of_three_are_not_all_for_certain() -> None:
    """Where all got past the other steps the lower end is Wilson's, and the upper one the most."""
    got = step_value([40, 3, 3], Moments(3, 3, 3), step=0, added=0.1)

    assert got.estimate == pytest.approx(4)
    assert (got.low, got.high) == pytest.approx((4 * 0.438503, 4), rel=1e-5)


def test_what_cannot_be_has_a_reason() -> None:
    """No orders, a step beyond 100 %, or a single order: it says so."""
    assert step_value([9, 0], Moments(0, 0, 0), step=0, added=0.1).reason == "no orders"
    beyond = step_value(REACHED, ORDERS, step=0, added=0.3)
    assert beyond.estimate is None
    assert beyond.reason == "a step that 0.8 get past cannot change by 0.3"
    single = step_value([9, 1], Moments(1, 50, 2_500), step=0, added=0.1)
    assert single.estimate == pytest.approx(45)
    assert single.low is single.high is None
    assert single.reason == "too few orders for an interval"
