"""What reminding caused: by intention to treat, among those followed, or a reason."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from lastclick import Holdout, Money, measure
from lastclick.errors import ConfigError
from lastclick.events import Event
from lastclick.metrics import Incremental
from tests.metrics.shop import (
    DAY,
    assigned,
    at,
    cancelled,
    clicked,
    declared,
    entered,
    eur,
    ordered,
    refunded,
    sent,
)

FUNNEL = declared()
LATER = at(60 * DAY)


def left(checkout: str, minutes: float = 0, value: str = "10.00", **more: Any) -> list[Event]:
    """A cart that is left."""
    return [entered(checkout, "cart", minutes, eur(value), **more)]


def proof(*events: Event, as_of: Any = LATER, **asked: Any) -> Incremental:
    return measure([FUNNEL, *events], as_of=as_of, **asked).incremental


def arms(
    treated: tuple[int, int], holdout: tuple[int, int], *, share: str | None = None
) -> list[Event]:
    """Customers of both arms, one a minute: how many buy of how many."""
    events: list[Event] = []
    for arm, (buyers, many) in (("treated", treated), ("holdout", holdout)):
        for n in range(many):
            name = f"{arm}-{n}"
            events += left(name, n)
            events.append(assigned(name, n + 40, arm, share=share))
            if n < buyers:
                events.append(ordered(name, f"o-{name}", n + 100, eur("20.00")))
    return events


def test_no_holdout_is_a_reason() -> None:
    """Where nobody was assigned, nothing is claimed and the reason is told."""
    got = proof(*left("a"))

    assert got.reason == "no holdout: nobody was assigned to an arm"
    assert (got.orders.estimate, got.orders.low, got.orders.reason) == (None, None, got.reason)
    assert got.revenue == got.adjusted == {}


def test_one_arm_is_no_experiment() -> None:
    """Without somebody in both arms there is nothing to compare."""
    got = proof(*left("a"), assigned("a", 40, "treated"))

    assert got.reason == "no holdout: nobody was assigned to the arm 'holdout'"
    assert got.treated.assigned == got.treated.followed == 1


def test_the_headline_is_the_difference_in_buyers() -> None:
    """Of 100 of 1,000 treated and 5 of 100 held out, 50 are caused, with Newcombe's limits."""
    got = proof(*arms((100, 1000), (5, 100)))

    assert got.orders.estimate == pytest.approx(50)
    assert got.difference.estimate == pytest.approx(0.05)
    assert got.difference.method == "newcombe"
    assert got.orders.low == pytest.approx(1000 * (got.difference.low or 0))
    assert got.treated.buyers.numerator == 100
    assert got.reason is not None
    assert got.reason.startswith("not yet: about")
    assert got.reason.endswith("days at today's rate")


def test_a_clear_difference_has_no_reason() -> None:
    """Where the interval is off 0, what was caused is said, also in the report's own words."""
    events = [FUNNEL, *arms((300, 1000), (100, 1000))]

    report = measure(events, as_of=LATER)

    assert report.incremental.reason is None
    assert report.incremental.daily.low > 0
    assert "Caused: 200 (" in repr(report)


def test_few_buyers_take_the_pooled_order_value() -> None:
    """Below 50 buyers in an arm the revenue says what it assumes; from there on it is Welch's."""
    few = proof(*arms((60, 1000), (10, 1000))).revenue["EUR"]
    many = proof(*arms((90, 1000), (50, 1000)))

    assert few.assumes == "equal order value in both arms"
    assert few.estimate == pytest.approx(50 * 20)
    assert many.revenue["EUR"].method == "welch x treated"
    assert many.revenue["EUR"].assumes is None
    assert many.revenue["EUR"].estimate == pytest.approx(40 * 20)
    assert many.adjusted["EUR"].method == "cuped x treated"


def test_what_is_credited_stands_beside_what_was_caused() -> None:
    """Buyers who had been reminded are attributed, and the ratio says how many were caused."""
    events = arms((200, 1000), (100, 1000))
    events += [sent(f"treated-{n}", n + 50) for n in range(1000)]

    got = proof(*events)

    assert got.attributed == 200
    assert got.attributed_revenue == {"EUR": eur("4000.00")}
    assert got.incrementality.estimate == pytest.approx(0.5)
    assert got.revenue_incrementality["EUR"].estimate == pytest.approx(0.5)


def test_the_cost_of_reminding_is_taken_off() -> None:
    """Revenue caused less what the reminders cost that went out to those followed."""
    events = arms((200, 1000), (100, 1000))
    events += [sent(f"treated-{n}", n + 50) for n in range(1000)]

    got = proof(*events)
    after = got.after_cost(Money("0.50", "EUR"))

    assert after.estimate == pytest.approx((got.revenue["EUR"].estimate or 0) - 500)
    assert after.low == pytest.approx((got.revenue["EUR"].low or 0) - 500)
    assert got.after_cost(Money("1", "USD")).reason == "no revenue in USD"
    with pytest.raises(ConfigError, match="each is"):
        got.after_cost(Money("-1", "EUR"))


@pytest.mark.parametrize(
    ("minutes", "bought"), [(39, 0), (40, 0), (40.01, 1), (40 + 7 * DAY, 1), (40.01 + 7 * DAY, 0)]
)
def test_an_order_counts_within_the_whole_of_recover_within(minutes: float, bought: int) -> None:
    """From the assignment, which is no order itself, to its end, included."""
    events = [*left("a"), assigned("a", 40, "treated"), ordered("a", "o", minutes, eur("5.00"))]

    got = proof(*events)

    assert (got.treated.followed, got.treated.orders) == (1, bought)
    assert got.treated.buyers.numerator == bought


@pytest.mark.parametrize(("later", "followed"), [(0, 0), (0.001, 1)])
def test_only_those_followed_to_the_end_count(later: float, followed: int) -> None:
    """An order before that does not count either: it would be read only in one arm."""
    events = [*left("a"), assigned("a", 40, "treated"), ordered("a", "o", 60, eur("5.00"))]

    got = proof(*events, as_of=at(40 + 7 * DAY + later))

    assert (got.treated.followed, got.treated.waiting) == (followed, 1 - followed)
    assert got.treated.orders == followed


def test_an_order_in_another_attempt_of_the_customer_counts() -> None:
    """The unit is the customer: who comes back in a new checkout was won back as well."""
    events = [
        *left("a", customer_id="u"),
        assigned("a", 40, "treated", customer_id="u"),
        *left("b", 3 * DAY, customer_id="u"),
        ordered("b", "o", 3 * DAY + 5, eur("5.00"), customer_id="u"),
    ]

    for unit in ("attempt", "customer"):
        got = proof(*events, unit=unit)

        assert (got.treated.assigned, got.treated.orders) == (1, 1)
        assert got.treated.revenue == {"EUR": eur("5.00")}


def test_a_guest_who_logs_in_keeps_the_first_arm() -> None:
    """The arm first assigned stays, whatever a later draw under the new id says."""
    events = [
        *left("a"),
        assigned("a", 40, "holdout"),
        entered("a", "payment", 60, customer_id="u"),
        *left("b", 2 * DAY, customer_id="u"),
        assigned("b", 2 * DAY + 40, "treated", customer_id="u"),
    ]

    got = proof(*events)

    assert (got.holdout.assigned, got.treated.assigned) == (1, 0)
    assert got.contamination.in_both_arms == 1


def test_what_blurs_the_arms_is_counted() -> None:
    """Held-out customers who were reminded, one person under two ids, several campaigns."""
    events = [
        *left("a"),
        assigned("a", 40, "holdout", campaign="autumn"),
        sent("a", 50, campaign="spring"),
        *left("b"),
        assigned("b", 40, "holdout"),
        clicked("b", 50),
        *left("c", customer_id="u-1"),
        assigned("c", 40, "treated", customer_id="u-2"),
        assigned("gone", 40, "treated"),
    ]

    got = proof(*events).contamination

    assert got.holdout_reminded == 2
    assert got.two_ids == got.several_campaigns == got.without_step == 1
    assert got.in_both_arms == 0


def test_revenue_is_net_of_what_went_back() -> None:
    """A refund and a cancellation take their part, whenever they come."""
    events = [
        *left("a"),
        assigned("a", 40, "treated"),
        ordered("a", "o-1", 60, eur("5.00")),
        ordered("a", "o-2", 61, eur("7.00")),
        refunded("o-1", 20 * DAY, eur("2.00")),
        cancelled("o-2", 21 * DAY),
    ]

    got = proof(*events).treated

    assert (got.orders, got.revenue) == (2, {"EUR": eur("3.00")})


def test_a_broken_split_concludes_nothing() -> None:
    """Of 2,000 to be halved 1,100 are held out: every figure gives way to the reason."""
    got = proof(*arms((400, 900), (100, 1100), share="0.5"))

    assert got.split.p_value is not None
    assert got.split.p_value < 0.001
    assert got.reason is not None
    assert got.reason.startswith("the split is broken: 1,100 of 2,000 are held out")
    for one in (got.orders, got.difference, got.daily, got.incrementality, got.revenue["EUR"]):
        assert (one.estimate, one.low, one.p_value, one.reason) == (None, None, None, got.reason)
    assert got.after_cost(eur("1.00")).reason == got.reason
    assert (str(got.plan), got.plan.more, got.plan.reason) == ("-", None, got.reason)


def test_a_sound_split_is_said_to_be_one() -> None:
    """The share in the log is what the arms are compared with."""
    got = proof(*arms((40, 900), (5, 100), share="0.1"))

    assert got.split.p_value == 1.0
    assert got.split_daily.p_value == 1.0


def test_without_a_share_the_split_cannot_be_judged() -> None:
    """The result stands, and beside it that the split was not looked at."""
    got = proof(*arms((300, 1000), (100, 1000)))

    assert got.reason is None
    assert got.split.p_value is None
    assert "Holdout" in (got.split.reason or "")


def test_a_share_that_changed_concludes_nothing() -> None:
    """Two draws in one report are two experiments: time would be taken for an effect."""
    more = [*left("x"), assigned("x", 40, "treated", share="0.2")]

    got = proof(*arms((300, 1000), (100, 1000), share="0.5"), *more)

    assert got.reason is not None
    assert got.reason.startswith("the share that is held out changed: 0.2, 0.5")
    assert got.orders.estimate is None


def test_groups_and_days_have_their_own_proof() -> None:
    """Customers are counted in the group and on the day of the attempt they were assigned in."""
    events = [
        *left("a", attributes={"device": "mobile"}),
        assigned("a", 40, "treated"),
        *left("b", DAY, attributes={"device": "tv"}),
        assigned("b", DAY + 40, "holdout"),
    ]

    report = measure([FUNNEL, *events], by="device", as_of=LATER)

    assert report.groups["mobile"].incremental.treated.assigned == 1
    assert report.groups["tv"].incremental.treated.assigned == 0
    days = [day.incremental.holdout.assigned for day in report.trend().values()]
    assert days == [0, 1]


def simulated(seed: int, customers: int, *, lift: float) -> Sequence[Event]:
    """A shop of which one knows the truth: 5 % come back anyway, heavy-tailed orders."""
    random, holdout = Random(seed), Holdout(share=0.3, salt=f"seed {seed}")
    events: list[Event] = [FUNNEL]
    for n in range(customers):
        name, minutes = f"c-{n}", random.uniform(0, 20 * DAY)
        arm = holdout.arm(name)
        value = eur(f"{random.lognormvariate(3.5, 1):.2f}")
        events.append(entered(name, "cart", minutes, value))
        events.append(assigned(name, minutes + 40, arm, share=arm.share))  # type: ignore[attr-defined]
        if random.random() < 0.05 + (lift if arm == "treated" else 0):
            events.append(ordered(name, f"o-{n}", minutes + 41 + random.uniform(0, DAY), value))
    return events


@pytest.mark.untraced
def test_the_truth_is_within_the_interval() -> None:
    """Of 40 simulated experiments the interval of extra orders misses few, as 95 % should."""
    missed = 0
    for seed in range(40):
        got = measure(simulated(seed, 800, lift=0.04), as_of=LATER).incremental
        truth = 0.04 * got.treated.followed
        assert got.orders.low is not None
        assert got.orders.high is not None
        missed += not got.orders.low <= truth <= got.orders.high

    assert missed <= 6  # 2 expected; 7 or more have a chance of 0.4 %
