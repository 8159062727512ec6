"""Experiments: differences to the control, a broken split, and how many it takes."""

from __future__ import annotations

from typing import Any

import pytest

from lastclick import Report, measure
from lastclick.analysis import experiment, power
from lastclick.errors import ConfigError
from lastclick.events import Event
from tests.metrics.shop import DAY, at, declared, entered, eur, ordered


def report(**variants: tuple[int, int]) -> Report:
    """Per variant, how many of how many order, each customer twice, for 10 euro."""
    events: list[Event] = [declared()]
    for variant, (bought, many) in variants.items():
        for n in range(many):
            checkout, customer = f"{variant}{n}", f"{variant}{n // 2}"
            about = {"customer_id": customer, "attributes": {"variant": variant}}
            events.append(entered(checkout, "cart", n, **about))
            if n < bought:
                events.append(ordered(checkout, f"o-{checkout}", n + 1, eur("10.00"), **about))
    events.append(entered("other", "cart", 0))
    return measure(events, by="variant", as_of=at(30 * DAY))


def test_revenue_from_few_orders_says_what_it_takes_for_granted() -> None:
    """The variant with fewer orders decides; from 50 on nothing is said."""
    few = experiment(report(a=(60, 100), b=(40, 100)), control="a").variants["b"]
    many = experiment(report(a=(60, 100), b=(50, 100)), control="a").variants["b"]

    assert few.revenue["EUR"].assumes == "order values are not skewed"
    assert many.revenue["EUR"].assumes is None
    assert few.more is not None
    assert few.more.assumes is None


def test_a_variant_is_told_beside_the_control() -> None:
    """Completion by Newcombe, revenue by customers, limits for daily looks, adjusted p-values."""
    found = experiment(report(a=(400, 1000), b=(460, 1000), c=(410, 1000)), control="a")

    b = found.variants["b"]
    assert b.more.estimate == pytest.approx(0.06)
    assert b.more.method == "newcombe, customers as clusters"
    assert b.completion.method == "wilson, customers as clusters"
    assert b.revenue["EUR"].estimate == pytest.approx(0.6)
    assert b.revenue["EUR"].n == 1000  # customers, of both variants
    assert b.daily.low < b.more.low
    assert b.adjusted_p == pytest.approx(min(1, 2 * b.more.p_value))
    assert found.reason is None
    control = found.variants["a"]
    assert (control.more, control.daily, control.adjusted_p, control.revenue) == (
        None,
        None,
        None,
        {},
    )
    assert None not in found.variants


def test_repeat_customers_make_an_experiment_less_sure() -> None:
    """Twice the attempts of as many customers, who do the same each time, tell nothing more."""
    once = [declared()]
    twice = [declared()]
    for variant, bought in (("a", 40), ("b", 50)):
        for n in range(100):
            about = {"customer_id": f"{variant}{n}", "attributes": {"variant": variant}}
            for events, again in ((once, 1), (twice, 2)):
                for k in range(again):
                    name = f"{variant}{n}-{k}"
                    events.append(entered(name, "cart", n + k * DAY, **about))
                    if n < bought:
                        events.append(ordered(name, f"o-{name}", n + k * DAY + 1, **about))

    by_once, by_twice = (
        experiment(measure(events, by="variant", as_of=at(30 * DAY)), control="a").variants["b"]
        for events in (once, twice)
    )

    assert by_once.more.method == "newcombe"
    assert by_twice.completion.denominator == 2 * by_once.completion.denominator
    assert by_twice.more.low == pytest.approx(by_once.more.low, abs=0.005)
    assert by_twice.more.p_value == pytest.approx(by_once.more.p_value, abs=0.01)


def test_a_broken_split_voids_the_comparison() -> None:
    """Where a variant lost attempts on the way, nothing is said of those that came through."""
    found = experiment(report(a=(400, 1000), b=(400, 800)), control="a")

    assert found.reason is not None
    assert found.reason.startswith("the split is broken")
    b = found.variants["b"]
    assert (b.more.estimate, b.daily.estimate, b.revenue["EUR"].estimate) == (None, None, None)
    assert b.more.reason == found.reason
    meant = experiment(report(a=(400, 1000), b=(400, 800)), control="a", shares={"a": 5, "b": 4})
    assert meant.reason is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"control": "z"}, "control 'z' is no group of the report; it has 'a', 'b'"),
        ({"control": "a", "shares": {"a": 1}}, "give each of 'a', 'b' a part above 0"),
        ({"control": "a", "shares": {"a": 1, "b": 0}}, "above 0"),
    ],
)
def test_an_experiment_that_is_none_is_told(asked: Any, said: str) -> None:
    """The message names what is there."""
    with pytest.raises(ConfigError) as caught:
        experiment(report(a=(1, 9), b=(1, 9)), **asked)

    assert said in str(caught.value)


def test_power_is_that_of_the_textbook() -> None:
    """R's power.prop.test(p1=.50, p2=.75, power=.90) takes 76.7 in each arm."""
    plan = power(0.50, 0.25, power=0.90)

    assert plan.total == 2 * 77
    assert plan.days is None


def test_power_takes_base_and_pace_of_a_report() -> None:
    """The share that orders now, and how many start a day."""
    base = report(a=(400, 1000))

    plan = power(base, 0.05)

    assert plan.total == power(base.ordered / base.decided, 0.05).total
    assert plan.days == 7  # 3,066 at 500 a day


@pytest.mark.parametrize(
    "asked",
    [
        {"completion": 0.5, "effect": 0},
        {"completion": "x", "effect": 0.1},
        {"completion": 0.4, "effect": 0.02, "per_day": -5},
        {"completion": 0.4, "effect": 0.02, "per_day": 0},
        {"completion": 0.5, "effect": 0.6},
        {"completion": 0.0, "effect": 0.1},
        {"completion": 0.5, "effect": 0.1, "power": 1},
        {"completion": 0.5, "effect": 0.1, "shares": (1,)},
        {"completion": 0.5, "effect": 0.1, "shares": (1, 0)},
    ],
)
def test_a_plan_that_is_none_is_refused(asked: Any) -> None:
    """Numbers that make no plan raise, and say which."""
    with pytest.raises(ConfigError):
        power(**asked)
