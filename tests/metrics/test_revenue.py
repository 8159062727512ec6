"""Money: exact fractions, rounded once, and never added across currencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pytest

from lastclick import Money, measure
from lastclick.events import Event
from lastclick.metrics import Loss, Recovered, Revenue
from lastclick.metrics._revenue import chances, losses, recovered, revenue, rounded
from tests.metrics.shop import (
    DAY,
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

LATER = at(30 * DAY)


def told(found: Mapping[str, Loss]) -> dict[str, tuple[Money, Money, int]]:
    """What losses say but for their limits."""
    return {currency: (one.at_most, one.expected, one.attempts) for currency, one in found.items()}


def attempts(
    name: str, bought: int, left: int, value: str = "10.00", **more: Any
) -> Sequence[Event]:
    """Some attempts that buy and some that leave, all from the cart."""
    events: list[Event] = []
    for n in range(bought + left):
        checkout = f"{name}-{n}"
        events.append(entered(checkout, "cart", n, eur(value), **more))
        if n < bought:
            events.append(ordered(checkout, f"o-{checkout}", n + 1, eur(value)))
    return events


@pytest.mark.parametrize(
    ("units", "currency", "amount"),
    [
        # Halves go to the even neighbour: cents, whole yen, and fils of a thousandth.
        (Fraction(100_050), "EUR", "10.00"),
        (Fraction(100_150), "EUR", "10.02"),
        (Fraction(100_050) + Fraction(1, 10**9), "EUR", "10.01"),
        (Fraction(100_049), "EUR", "10.00"),
        (Fraction(25_000), "JPY", "2"),
        (Fraction(35_000), "JPY", "4"),
        (Fraction(34_999), "JPY", "3"),
        (Fraction(15), "BHD", "0.002"),
        (Fraction(25), "BHD", "0.002"),
        (Fraction(26), "BHD", "0.003"),
        (Fraction(-100_050), "EUR", "-10.00"),
        (Fraction(0), "EUR", "0.00"),
    ],
)
def test_money_is_rounded_half_to_even_to_the_minor_unit(
    units: Fraction, currency: str, amount: str
) -> None:
    """What an exact number of units comes to is a whole number of the currency's minor units."""
    got = rounded(units, currency)

    assert got == Money(amount, currency)


def test_the_sum_is_rounded_and_not_its_parts() -> None:
    """Three thirds of a cent are one cent, though each of them rounds to none."""
    chance = {"cart": (1, 3), "details": (1, 3), "payment": (1, 3)}
    counts = {}
    for step in chance:
        counts["value", step, "lost", "EUR"] = 100
        counts["valued", step, "lost", "EUR"] = 1

    apart = [losses(counts, chance, step=step)["EUR"].expected for step in chance]
    together = losses(counts, chance)["EUR"].expected

    assert apart == [eur("0.00")] * 3
    assert together == eur("0.01")


def test_expected_is_the_share_of_those_who_got_here_and_ordered() -> None:
    """One in three who reached the step ordered: a third of each cart is expected."""
    report = measure([declared(), *attempts("a", bought=1, left=2)], as_of=LATER)

    assert told(report.lost_revenue) == {"EUR": (eur("20.00"), eur("6.67"), 2)}
    assert report.steps["cart"].lost == report.lost_revenue
    assert report.steps["payment"].lost == {}
    # 20.00 at Wilson's limits of 1 of 3.
    assert str(report.lost_revenue["EUR"].low) == "EUR 1.23"
    assert str(report.lost_revenue["EUR"].high) == "EUR 15.85"


def test_a_deeper_step_has_a_better_chance() -> None:
    """The chance at a step counts those who reached it, not all who started."""
    events = [
        declared(),
        *attempts("a", bought=1, left=2),
        entered("b", "payment", 0, eur("8.00")),
    ]

    report = measure(events, as_of=LATER)

    assert report.steps["cart"].lost["EUR"].expected == eur("5.00")  # 20.00 x 1/4
    assert report.steps["payment"].lost["EUR"].expected == eur("4.00")  # 8.00 x 1/2
    assert report.lost_revenue["EUR"].expected == eur("9.00")


@pytest.mark.parametrize(("left", "expected"), [(28, "420.00"), (29, "29.00")])
def test_a_group_below_thirty_borrows_the_chance_of_the_whole(left: int, expected: str) -> None:
    """Of 29 decided attempts each cart takes the whole's 1/2, of 30 their own 1/30."""
    small = attempts("small", bought=1, left=left, value="30.00", attributes={"device": "tv"})
    large = attempts("large", bought=27, left=0, attributes={"device": "mobile"})

    report = measure([declared(), *small, *large], by="device", as_of=LATER)

    assert report.groups["tv"].decided == left + 1
    assert report.groups["tv"].lost_revenue["EUR"].expected == eur(expected)


def test_the_whole_borrows_from_nobody() -> None:
    """A report of few attempts has its own chance."""
    counts = {("outcome", "purchased"): 1, ("dropped", "cart"): 3}

    assert chances(counts, ("cart", "payment"), None) == {"cart": (1, 4), "payment": (1, 1)}
    assert chances(counts, ("cart",), {"cart": (7, 9)}) == {"cart": (7, 9)}


def test_nobody_ordered_is_nothing_expected() -> None:
    """Where no attempt ordered the expected loss is 0, and the bound stays."""
    report = measure([declared(), *attempts("a", bought=0, left=2)], as_of=LATER)

    assert told(report.lost_revenue) == {"EUR": (eur("20.00"), eur("0.00"), 2)}


def test_a_cart_of_nothing_is_a_value() -> None:
    """A cart worth 0 is counted among the valued ones, one without a value is not."""
    events = [declared(), entered("a", "cart", 0, eur("0")), entered("b", "cart", 0)]

    report = measure(events, as_of=LATER)

    assert report.lost_revenue["EUR"].attempts == 1
    assert report.quality.values_missing == 1


def test_currencies_stay_apart() -> None:
    """Each currency has its own entry, in the order of its code, with its own minor unit."""
    yen, dinar = Money("1001", "JPY"), Money("1.001", "BHD")
    events = [
        declared(),
        entered("a", "cart", 0, yen),
        entered("b", "cart", 0, dinar),
        entered("c", "cart", 0, dinar),
        ordered("c", "o-1", 1, dinar),
        entered("d", "cart", 0),
        ordered("d", "o-2", 1, Money("500", "JPY")),
    ]

    report = measure(events, as_of=LATER)

    assert list(report.revenue) == list(report.lost_revenue) == ["BHD", "JPY"]
    assert report.lost_revenue["JPY"].expected == Money("500", "JPY")  # 500.5: half to even
    assert report.lost_revenue["BHD"].expected == Money("0.500", "BHD")
    assert report.revenue["JPY"].net == Money("500", "JPY")


def test_refunds_are_netted_in_their_own_currency() -> None:
    """Net is gross less refunded; a currency without refunds has 0 of them."""
    events = [
        declared(),
        *attempts("a", bought=2, left=0),
        refunded("o-a-0", 90, eur("2.50")),
        refunded("o-a-0", 91, Money("1.00", "USD")),
        entered("b", "cart", 0),
        ordered("b", "o-b", 1, Money("7.00", "USD")),
    ]

    got = measure(events, as_of=LATER).revenue

    assert got["EUR"] == Revenue(
        gross=eur("20.00"), refunded=eur("2.50"), net=eur("17.50"), orders=2
    )
    usd = Money("7.00", "USD")
    assert got["USD"] == Revenue(gross=usd, refunded=Money("0.00", "USD"), net=usd, orders=1)


def test_a_refund_of_more_than_the_order_is_kept() -> None:
    """Net may be below 0."""
    events = [declared(), *attempts("a", bought=1, left=0), refunded("o-a-0", 9, eur("12.00"))]

    report = measure(events)

    assert report.revenue["EUR"].net == eur("-2.00")
    assert report.quality.refunds_over_order == 1


def test_what_was_won_back_is_told_by_kind() -> None:
    """Totals of recovered orders are apart by what brought them back, and 0 where nothing did."""
    events: list[Event] = [declared()]
    for name, total in (("link", "1.00"), ("mail", "2.00"), ("alone", "4.00"), ("late", "8.00")):
        minutes = 9 * DAY if name == "late" else 120
        events += [entered(name, "cart", 0), ordered(name, f"o-{name}", minutes, eur(total))]
    events += [clicked("link", 100), sent("mail", 100)]

    report = measure(events)

    assert report.recovered_revenue == {
        "EUR": Recovered(by_link=eur("1.00"), after_reminder=eur("2.00"), unaided=eur("4.00"))
    }
    assert report.revenue["EUR"].gross == eur("15.00")


def test_no_money_is_no_currency() -> None:
    """Without counts of money there are no entries, rather than zeros."""
    assert revenue({}) == recovered({}) == losses({}, {}) == {}


def test_a_cancelled_order_stays_an_order_without_its_money() -> None:
    """What refunds left of it is cancelled, once, whatever comes first and how often."""
    events = [
        declared(),
        *attempts("a", bought=2, left=0),
        cancelled("o-a-0", 20),
        cancelled("o-a-0", 21, checkout_id="a-0"),
        refunded("o-a-0", 30, eur("4.00")),
        cancelled("o-gone", 40),
    ]

    report = measure(events, as_of=LATER)

    got = report.revenue["EUR"]
    assert (got.gross, got.refunded, got.cancelled, got.net) == (
        eur("20.00"),
        eur("4.00"),
        eur("6.00"),
        eur("10.00"),
    )
    assert (report.ordered, report.cancelled_orders) == (2, 1)
    assert report.quality.cancellations_without_order == 1
    assert "cancelled 6.00" in repr(report)
