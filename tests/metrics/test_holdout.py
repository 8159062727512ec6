"""What reminding caused: the headline, when which method speaks, and when none does."""

from __future__ import annotations

import pytest

from lastclick.metrics._holdout import extra_orders, extra_revenue, incrementality
from lastclick.metrics._means import ENOUGH_BUYERS, Moments, welch
from lastclick.metrics._proportions import difference

# Starbucks' promotion as Udacity gives it (training.csv): buyers and customers of each arm.
PROMOTED, NOT_PROMOTED = (721, 42_364), (319, 42_170)


def test_extra_orders_are_those_of_the_promotion() -> None:
    """Published IRR 0.009454547819772702; among the promoted these are 400.53 purchases of 721."""
    got = extra_orders(PROMOTED, NOT_PROMOTED)

    assert difference(*PROMOTED, *NOT_PROMOTED).estimate == pytest.approx(0.009454547819772702)
    assert got.estimate == pytest.approx(400.53, abs=0.005)
    assert 0.0079 * 42_364 < got.low < got.estimate < got.high < 0.0110 * 42_364


def test_from_fifty_buyers_revenue_is_welchs() -> None:
    """With enough buyers in both arms revenue needs no assumption."""
    treated, holdout = Moments(900, 5_000, 400_000), Moments(100, 400, 30_000)

    got = extra_revenue(treated, holdout, buyers=(500, ENOUGH_BUYERS))

    each = welch(treated, holdout)
    assert (got.estimate, got.low) == pytest.approx((each.estimate * 900, each.low * 900))
    assert (got.method, got.assumes) == ("welch x treated", None)


def test_below_fifty_buyers_the_order_value_is_pooled_and_that_is_said() -> None:
    """With few buyers only their number is compared, and the order value is one for both arms."""
    treated, holdout = Moments(900, 5_000, 400_000), Moments(100, 400, 30_000)

    got = extra_revenue(treated, holdout, buyers=(500, ENOUGH_BUYERS - 1))

    orders = extra_orders((500, 900), (49, 100))
    assert got.estimate == pytest.approx(orders.estimate * 5_400 / 549)
    assert got.low == pytest.approx(orders.low * 5_400 / 549)
    assert got.assumes == "equal order value in both arms"


def test_nobody_is_no_figure() -> None:
    """Nobody who bought, nobody in an arm, nothing attributed: each has its reason."""
    nothing = Moments(100, 0, 0)

    assert extra_revenue(nothing, nothing, buyers=(0, 0)).reason == "nobody bought"
    assert extra_orders((0, 0), (3, 10)).reason == "nobody in one of the two"
    empty = extra_revenue(Moments(0, 0, 0), Moments(9, 90, 900), buyers=(0, 3))
    assert empty.estimate is empty.low is None
    assert empty.reason == "nobody in one of the two"
    assert incrementality(empty, 0).reason == "nothing is attributed"


def test_incrementality_is_the_caused_part_of_the_attributed() -> None:
    """The interval divides by what is attributed, which is known; a factor may exceed 1."""
    extra = extra_orders(PROMOTED, NOT_PROMOTED)

    got = incrementality(extra, 721)

    assert got.estimate == pytest.approx(400.53 / 721, abs=1e-4)
    assert (got.low, got.high) == pytest.approx((extra.low / 721, extra.high / 721))
    assert incrementality(empty := extra_orders((0, 0), (0, 0)), 9).reason == empty.reason
