"""What a better step brings: by hand, at half, together, and where nothing can be said."""

from __future__ import annotations

from typing import Any

import pytest

from lastclick import Report, measure
from lastclick.analysis import what_if
from lastclick.errors import ConfigError
from lastclick.events import Event
from tests.metrics.shop import DAY, at, declared, entered, eur, ordered

FUNNEL = declared(("cart", "payment"))


def report(left: int = 50, stuck: int = 10, bought: int = 40, **asked: Any) -> Report:
    """Some leave at the cart, some at the payment, some order for 10 or 30 euro."""
    events: list[Event] = [FUNNEL]
    for n in range(left + stuck + bought):
        events.append(entered(f"c{n}", "cart", n, eur("20.00")))
        if n >= left:
            events.append(entered(f"c{n}", "payment", n + 1))
        if n >= left + stuck:
            events.append(ordered(f"c{n}", f"o{n}", n + 2, eur("10.00" if n % 2 else "30.00")))
    return measure(events, as_of=at(30 * DAY), **asked)


def test_a_point_at_a_step_is_orders_and_revenue_in_proportion() -> None:
    """Of 50 at payment 40 order, 0.8; 0.08 more is a tenth: 4 orders, 80 euro."""
    gain = what_if(report(), {"payment": 0.08}).together

    assert gain.orders.estimate == pytest.approx(4)
    assert gain.revenue["EUR"].estimate == pytest.approx(80)
    assert gain.orders_at_half.estimate == pytest.approx(2)
    assert gain.revenue_at_half["EUR"].estimate == pytest.approx(40)
    assert gain.revenue["EUR"].low is not None
    assert gain.revenue["EUR"].low < 80 < (gain.revenue["EUR"].high or 0)


def test_money_from_few_orders_joins_what_it_takes_for_granted() -> None:
    """Forty orders tell little of how large one may be; how many there are, they do tell."""
    gain = what_if(report(), {"payment": 0.08}).together

    said = "those rescued buy 1 times as often as those who get past by themselves"
    assert gain.orders.assumes == said
    assert gain.revenue["EUR"].assumes == f"{said}, and order values are not skewed"
    assert what_if(report(bought=50), {"cart": 0.1}).together.revenue["EUR"].assumes == said


def test_changes_of_two_steps_multiply() -> None:
    """A tenth more at both is 1.1 x 1.1 less 1, and each alone is a tenth."""
    found = what_if(report(), {"payment": 0.08, "cart": 0.05})

    assert list(found.steps) == ["cart", "payment"]
    assert found.steps["cart"].orders.estimate == pytest.approx(4)
    assert found.together.orders.estimate == pytest.approx(40 * 0.21)
    assert found.together.revenue["EUR"].estimate == pytest.approx(800 * 0.21)
    assert (found.together.revenue["EUR"].low or 0) > 0


def test_a_worse_step_loses() -> None:
    """A change may be for the worse; the limits are in order all the same."""
    revenue = what_if(report(), {"payment": -0.08}).together.revenue["EUR"]

    assert revenue.estimate == pytest.approx(-80)
    assert revenue.low is not None
    assert revenue.high is not None
    assert revenue.low < -80 < revenue.high < 0


def test_more_than_all_cannot_get_past() -> None:
    """A share cannot pass 1, and without orders there is nothing to multiply: a reason."""
    gain = what_if(report(), {"payment": 0.3}).together
    none = what_if(report(bought=0), {"payment": 0.1}).together

    assert gain.orders.estimate is None
    assert "cannot change by" in (gain.orders.reason or "")
    assert none.orders.reason == "no orders"
    assert none.revenue == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pay": 0.1}, "no step 'pay'; this funnel has cart, payment"),
        ({"payment": "2 %"}, "changes['payment'] is '2 %'"),
        ({"payment": True}, "True"),
        ({"payment": 2}, "changes['payment'] is 2"),
        ({"payment": float("nan")}, "nan"),
        ({}, "empty"),
    ],
)
def test_a_change_that_is_none_is_told(changes: Any, said: str) -> None:
    """The message names the step and the value, and what to pass."""
    with pytest.raises(ConfigError) as caught:
        what_if(report(), changes)

    assert said in str(caught.value)


def test_a_closed_funnel_is_no_base() -> None:
    """Its last step does not lead to all orders."""
    with pytest.raises(ConfigError, match="closed=False"):
        what_if(report(closed=True), {"payment": 0.1})
