"""The simulated holdouts: each run is one shop, and what it says is near what was put in."""

import pytest

from benchmarks.holdouts import SHOPS, Shop, events, simulate, truth
from lastclick.events import HoldoutAssigned, ReminderSent


def test_the_interval_holds_the_truth_of_most_runs() -> None:
    """Of 20 small shops the intervals of orders and revenue miss few, as 95 % should."""
    found = simulate(Shop(customers=120, share=0.4, base=0.2, lift=0.1), runs=20)

    for name in ("orders", "revenue"):
        assert found[name].runs == 20
        assert found[name].held >= 16  # 19 expected; fewer have a chance of 0.3 %
    assert abs(found["orders"].off / 20) < 0.08  # four standard errors of the mean


def test_reminded_against_the_arm_dilutes_the_truth() -> None:
    """Who is reminded in the holdout, or missed among the treated, takes from the difference."""
    assert truth(Shop(lift=0.05)) == pytest.approx(0.05)
    assert truth(Shop(lift=0.05, leaks=0.2)) == pytest.approx(0.04)
    assert truth(Shop(lift=0.05, unreached=0.1)) == pytest.approx(0.045)
    assert truth(Shop(lift=0.05, repeats=0.4)) == pytest.approx(0.05 * 0.88)


def test_a_run_can_be_made_again() -> None:
    """One seed gives one log, another one another."""
    shop = Shop(customers=20)

    assert list(events(shop, 3)) == list(events(shop, 3))
    assert list(events(shop, 3)) != list(events(shop, 4))


def test_arms_get_what_they_are_to_get() -> None:
    """Without leaks no held-out customer is reminded, and every treated one is."""
    told = list(events(Shop(customers=100), 1))

    treated = {
        event.checkout_id
        for event in told
        if isinstance(event, HoldoutAssigned) and event.arm == "treated"
    }
    reminded = {event.checkout_id for event in told if isinstance(event, ReminderSent)}
    assert treated == reminded
    assert len(SHOPS) == 7
