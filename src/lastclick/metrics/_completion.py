"""When shoppers order: nobody in flight is guessed, and early revenue is read early."""

from collections.abc import Mapping, Sequence

import attrs

from lastclick._money import UNITS
from lastclick.metrics._counts import Key
from lastclick.metrics._estimate import Estimate, HypothesisTest
from lastclick.metrics._means import Moments, Pairs, of_orders, ratio
from lastclick.metrics._revenue import Revenue, orders_in
from lastclick.metrics._survival import Curve, kaplan_meier, log_rank
from lastclick.metrics._weighted import weighted_mean

#: The log-rank test compares each group with each, at each second: more would take minutes.
MANY = 30
#: What a period cannot say, and where it is said.
NOT_BY_DAY = (
    "no interval for a period: its customers come in others, too; ask the whole report or a group"
)


def completion(total: Mapping[Key, int]) -> Curve:
    """The share that has not ordered, by seconds from the start."""
    return kaplan_meier(_times((total,), "paid_after"), _times((total,), "open_after"))


def not_ordered_by(curve: Curve, seconds: int, longest: int) -> Estimate:
    """The share without an order at a horizon; none past the longest that is counted."""
    if seconds > longest:
        known = curve.at(0)
        why = f"times are followed for recover_within, {longest} s; {seconds} s is longer"
        return Estimate(method=known.method, n=known.n, reason=why)
    return _at(curve, seconds)


def groups_differ(totals: Sequence[Mapping[Key, int]]) -> HypothesisTest:
    """Whether all groups order equally fast and often."""
    if not 2 <= len(totals) <= MANY:
        why = f"{len(totals)} groups; from 2 to {MANY} can be compared"
        return HypothesisTest(method="log-rank", n=0, reason=why)
    return log_rank(
        [(_times((one,), "paid_after"), _times((one,), "open_after")) for one in totals]
    )


def early_revenue(total: Mapping[Key, int], seconds: int) -> dict[str, Estimate]:
    """Net revenue per started checkout within a horizon, in whole units of each currency."""
    paid, still_open = _times((total,), "paid_after"), _times((total,), "open_after")
    found = {}
    for currency in sorted({str(key[2]) for key in total if key[0] == "net_after"}):
        bought = {
            second: Moments(
                number,
                total.get(("net_after", second, currency), 0),
                total.get(("net2_after", second, currency), 0),
            )
            for second, number in paid.items()
        }
        then = sum(one.n for second, one in bought.items() if one.squares and second <= seconds)
        own = min(then, total.get(("priced", currency), 0))  # others buy at the same second
        one = weighted_mean(bought, still_open, horizon=seconds, buyers=own)
        found[currency] = one.times(1 / UNITS)
    return found


def revenue_per_checkout(
    span: Mapping[Key, int], earned: Mapping[str, Revenue]
) -> dict[str, Estimate]:
    """Net revenue per started checkout, customers as clusters."""
    currencies = sorted({str(key[2]) for key in span if key[:2] == ("cluster", "y")})
    return {
        currency: of_orders(
            ratio(clusters(span, currency)).times(1 / UNITS), orders_in(earned, currency)
        )
        for currency in currencies
    }


def per_checkout(earned: Mapping[str, Revenue], started: int) -> dict[str, Estimate]:
    """The same of a period, whose customers come in other periods, too: without an interval."""
    return {
        currency: Estimate(
            estimate=float(one.net.amount) / started, method="ratio", n=started, reason=NOT_BY_DAY
        )
        for currency, one in earned.items()
    }


def abandoned(span: Mapping[Key, int]) -> Pairs:
    """Decided attempts of the customers, and those of them without an order, as sums that add."""
    one = ordered(span)
    return attrs.evolve(one, y=one.x - one.y, yy=one.xx - 2 * one.xy + one.yy, xy=one.xx - one.xy)


def ordered(span: Mapping[Key, int]) -> Pairs:
    """Decided attempts of the customers, and those of them with an order, as sums that add."""
    names = ("n", "ordered", "decided", "ordered2", "decided2", "both")
    return Pairs(*(span.get(("cluster", name), 0) for name in names))


def clusters(span: Mapping[Key, int], currency: str) -> Pairs:
    """Checkouts and revenue of the customers, as sums that add."""
    sizes = [span.get(("cluster", what), 0) for what in ("n", "x", "xx")]
    y, yy, xy = (span.get(("cluster", what, currency), 0) for what in ("y", "yy", "xy"))
    return Pairs(n=sizes[0], x=sizes[1], xx=sizes[2], y=y, yy=yy, xy=xy)


def order_values(total: Mapping[Key, int], currency: str) -> Moments:
    """What is left of each priced order's money: how many, their sum and their squares."""
    sums = [
        sum(n for key, n in total.items() if key[0] == what and key[2] == currency)
        for what in ("net_after", "net2_after")
    ]
    return Moments(total.get(("priced", currency), 0), *sums)


def repeat_purchase(counted: Sequence[Mapping[Key, int]], days: int) -> Estimate:
    """The share of customers who order again within some days of their first order.

    Args:
        counted: What was counted of customers by the day of their first order, and of those of
            whom it is on none.
        days: Within how many days.
    """
    curve = kaplan_meier(_times(counted, "again"), _times(counted, "once"))
    one = _at(curve, days)
    if one.estimate is None and curve.followed_to is not None and days > curve.followed_to:
        why = f"nobody was followed for {days} days; the longest is {curve.followed_to}"
        return attrs.evolve(one, reason=why)
    if curve.n == 0:
        return attrs.evolve(one, reason="no customer with an order")
    shares = (None if end is None else 1 - end for end in (one.estimate, one.high, one.low))
    estimate, low, high = shares
    return attrs.evolve(one, estimate=estimate, low=low, high=high)


def _at(curve: Curve, horizon: int) -> Estimate:
    """The share without the event; where all have had it, they have had it later, too."""
    ended = bool(curve.survival) and curve.survival[-1] == 0
    return curve.at(min(horizon, curve.seconds[-1]) if ended else horizon)


def _times(counted: Sequence[Mapping[Key, int]], what: str) -> dict[int, int]:
    found: dict[int, int] = {}
    for total in counted:
        for key, number in total.items():
            if key[0] == what:
                found[int(key[1])] = found.get(int(key[1]), 0) + number
    return found
