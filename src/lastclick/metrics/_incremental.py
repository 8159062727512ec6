"""What reminding caused, as a holdout proves it: by intention to treat, among those followed."""

from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction

import attrs

from lastclick._money import UNITS, Money
from lastclick.errors import ConfigError
from lastclick.metrics._counts import Key
from lastclick.metrics._estimate import Estimate, HypothesisTest
from lastclick.metrics._holdout import extra_orders, extra_revenue, incrementality
from lastclick.metrics._means import ENOUGH_BUYERS, Moments, Pairs, cuped, welch
from lastclick.metrics._planning import Plan, more_needed
from lastclick.metrics._proportions import difference
from lastclick.metrics._rates import Rate, rate
from lastclick.metrics._sequential import confidence_sequence, sequential_sample_ratio
from lastclick.metrics._tests import ALARM, sample_ratio

#: At how many customers the numbers for daily looks are tightest.
PLANNED = 10_000
#: Over how many days the pace of new customers is taken.
_PACE_DAYS = 28

_ARMS = _TREATED, _HOLDOUT = "treated", "holdout"
#: In the order in which `Pairs` has them.
_SUMS = ("y", "x", "yy", "xx", "xy")


@attrs.frozen
class Arm:
    """The customers who were drawn into one arm, messaged or not.

    Attributes:
        assigned: All of them.
        waiting: Those not yet followed for the whole of ``recover_within``.
        followed: The others: all that follows is about them.
        buyers: Those who ordered within ``recover_within`` of being assigned, and the share.
        orders: How many orders that is.
        revenue: Their money, less what was refunded and cancelled, by currency.
        reminded: Of all assigned, those to whom a reminder went out, or who clicked one.
        reminders: How many went out to them.

    Example:
        >>> from lastclick import measure
        >>> measure(events).incremental.holdout.followed
        0

    .. versionadded:: 0.1.0
    """

    assigned: int
    waiting: int
    followed: int
    buyers: Rate
    orders: int
    revenue: Mapping[str, Money]
    reminded: int
    reminders: int


@attrs.frozen
class Contamination:
    """What blurs the line between the arms; whoever was assigned stays in their arm all the same.

    Attributes:
        holdout_reminded: Held-out customers who were reminded after all.
        in_both_arms: Customers who were assigned to both arms; the first assignment counts.
        two_ids: Customers with an attempt that names several customers: one person, two ids.
        several_campaigns: Customers of several campaigns at once.
        without_step: Assignments of attempts that were seen at no step; left out.

    Example:
        >>> from lastclick import measure
        >>> measure(events).incremental.contamination.holdout_reminded
        0

    .. versionadded:: 0.1.0
    """

    holdout_reminded: int
    in_both_arms: int
    two_ids: int
    several_campaigns: int
    without_step: int


@attrs.frozen(kw_only=True)
class Incremental:
    """What reminding caused, beside what is credited to it.

    Attributes:
        treated: Those who were to be reminded.
        holdout: Those who were not.
        orders: The headline: buyers whom the treated arm has because it was treated.
        difference: The same as a difference of the two shares of buyers.
        revenue: By currency, revenue that the treated arm has because it was treated.
        adjusted: The same, less what the cart value at the abandonment explains: tighter.
        attributed: Buyers of the treated arm who had been reminded: what others call recovered.
        attributed_revenue: The revenue of their orders after the reminder, by currency.
        incrementality: Buyers caused / buyers attributed.
        revenue_incrementality: Revenue caused / revenue attributed, by currency.
        daily: The difference with limits that hold however often one looks.
        split: Whether the arms have the shares they were drawn with.
        split_daily: The same, for looking every day.
        plan: How many more customers until the difference shows.
        contamination: What blurs the line between the arms.
        reason: Why nothing can be concluded, or not yet; None where the interval is off 0.

    Example:
        >>> from lastclick import measure
        >>> measure(events).incremental.reason
        'no holdout: nobody was assigned to an arm'

    .. versionadded:: 0.1.0
    """

    treated: Arm
    holdout: Arm
    orders: Estimate
    difference: Estimate
    revenue: Mapping[str, Estimate]
    adjusted: Mapping[str, Estimate]
    attributed: int
    attributed_revenue: Mapping[str, Money]
    incrementality: Estimate
    revenue_incrementality: Mapping[str, Estimate]
    daily: Estimate
    split: HypothesisTest
    split_daily: HypothesisTest
    plan: Plan
    contamination: Contamination
    reason: str | None
    _sent: int = attrs.field(repr=False)

    def after_cost(self, each: Money) -> Estimate:
        """Revenue caused, less what the reminders cost that went to those followed.

        Args:
            each: What one reminder costs.

        Raises:
            ConfigError: The cost is below 0.

        Example:
            >>> from lastclick import measure
            >>> measure(events).incremental.after_cost(Money("0.15", "EUR")).reason
            'no holdout: nobody was assigned to an arm'

        .. versionadded:: 0.1.0
        """
        if each.units < 0:
            msg = f'each is {each!r}; pass what a reminder costs: Money("0.15", "EUR")'
            raise ConfigError(msg)
        gain = self.revenue.get(each.currency)
        if gain is None:
            n = self.treated.followed + self.holdout.followed
            why = f"no revenue in {each.currency}" if self.reason is None else self.reason
            return Estimate(method="welch x treated", n=n, reason=why)
        if gain.estimate is None:
            return gain
        cost = self._sent * each.units / UNITS
        ends = [None if end is None else end - cost for end in (gain.low, gain.high)]
        return attrs.evolve(
            gain,
            estimate=gain.estimate - cost,
            low=ends[0],
            high=ends[1],
            method=f"{gain.method}, less {self._sent:,} reminders",
            p_value=None,
        )


def incremental(
    counts: Mapping[Key, int], by_day: Mapping[str, int], without_step: int
) -> Incremental:
    """What the holdout proves.

    Args:
        counts: What was counted.
        by_day: By day of the start, how many were assigned.
        without_step: Assignments of attempts that were seen at no step.
    """
    treated, holdout = (_arm(counts, arm) for arm in _ARMS)
    of_treated, of_holdout = ((one.buyers.numerator, one.followed) for one in (treated, holdout))
    split, split_daily, broken = _split(counts)
    plan = more_needed(of_treated, of_holdout, per_day=_pace(by_day))
    extra = extra_orders(of_treated, of_holdout)
    void = broken or _nobody(treated, holdout)
    if broken is not None:
        plan = Plan(power=plan.power, confidence=plan.confidence, reason=broken)

    def shown(one: Estimate) -> Estimate:
        """An estimate, unless nothing can be said in this report."""
        return one if void is None else Estimate(method=one.method, n=one.n, reason=void)

    buyers = of_treated[0] + of_holdout[0]
    means = welch(Moments.of_share(*of_treated), Moments.of_share(*of_holdout))
    currencies = sorted({str(key[3]) for key in counts if key[0] == "arm_sum"})
    revenue = {currency: _revenue(counts, currency) for currency in currencies}
    attributed = counts.get(("arm_attributed", _TREATED), 0)
    credited = _money(counts, "arm_attributed_y", _TREATED)
    return Incremental(
        treated=treated,
        holdout=holdout,
        orders=shown(extra),
        difference=shown(difference(*of_treated, *of_holdout)),
        revenue={currency: shown(money) for currency, money in revenue.items()},
        adjusted={currency: shown(_adjusted(counts, currency)) for currency in currencies},
        attributed=attributed,
        attributed_revenue=credited,
        incrementality=shown(incrementality(extra, attributed)),
        revenue_incrementality={
            currency: shown(incrementality(revenue[currency], float(money.amount)))
            for currency, money in credited.items()
        },
        daily=shown(confidence_sequence(means, planned=PLANNED, buyers=buyers)),
        split=split,
        split_daily=split_daily,
        plan=plan,
        contamination=Contamination(
            holdout_reminded=holdout.reminded,
            in_both_arms=_both(counts, "arm_in_both"),
            two_ids=_both(counts, "arm_two_ids"),
            several_campaigns=_both(counts, "arm_campaigns"),
            without_step=without_step,
        ),
        reason=void or _not_yet(extra, plan),
        sent=counts.get(("arm_reminders_followed", _TREATED), 0),
    )


def _arm(counts: Mapping[Key, int], arm: str) -> Arm:
    followed = counts.get(("arm_followed", arm), 0)
    sums = {str(key[3]): n for key, n in counts.items() if key[:3] == ("arm_sum", "y", arm)}
    return Arm(
        assigned=sum(n for key, n in counts.items() if key[:2] == ("arm", arm)),
        waiting=counts.get(("arm_waiting", arm), 0),
        followed=followed,
        buyers=rate(counts.get(("arm_buyers", arm), 0), followed),
        orders=counts.get(("arm_orders", arm), 0),
        revenue={
            currency: Money.from_units(units, currency) for currency, units in sorted(sums.items())
        },
        reminded=counts.get(("arm_reminded", arm), 0),
        reminders=counts.get(("arm_reminders", arm), 0),
    )


def _split(counts: Mapping[Key, int]) -> tuple[HypothesisTest, HypothesisTest, str | None]:
    """Whether the arms have the shares they were drawn with, and what is said where they do not."""
    drawn = {str(key[2]) for key in counts if key[0] == "arm" and key[2]}
    names = ("sample ratio", "sequential sample ratio")
    if len(drawn) != 1:
        why = (
            f"the share that is held out changed: {', '.join(sorted(drawn))}"
            if drawn
            else "the log does not say which share was held out; assign what Holdout.arm gives"
        )
        unknown = [HypothesisTest(method=name, n=0, reason=why) for name in names]
        return unknown[0], unknown[1], f"{why}; measure each part by itself" if drawn else None
    (share,) = drawn
    held = Fraction(share)
    observed = [counts.get(("arm", arm, share), 0) for arm in _ARMS]
    shares = [float(1 - held), float(held)]
    split = sample_ratio(observed, shares)
    broken = None
    if split.p_value is not None and split.p_value < ALARM:
        broken = (
            f"the split is broken: {observed[1]:,} of {sum(observed):,} are held out, which were "
            f"to be {100 * float(held):g} % (p = {split.p_value:.2g}); find out why first"
        )
    return split, sequential_sample_ratio(observed, shares), broken


def _nobody(treated: Arm, holdout: Arm) -> str | None:
    """Why nothing can be said at all, where there is not somebody in both arms."""
    if not treated.assigned and not holdout.assigned:
        return "no holdout: nobody was assigned to an arm"
    for name, one in ((_TREATED, treated), (_HOLDOUT, holdout)):
        if not one.assigned:
            return f"no holdout: nobody was assigned to the arm {name!r}"
        if not one.followed:
            return f"not yet: nobody in the arm {name!r} was followed for all of recover_within"
    return None


def _not_yet(extra: Estimate, plan: Plan) -> str | None:
    """How much longer it takes, where the interval does not tell the effect from none."""
    assert extra.low is not None
    assert extra.high is not None
    if extra.low > 0 or extra.high < 0:
        return None
    if plan.more is None:
        return f"not yet: {plan.reason}"
    days = f", some {plan.days:,} days at today's rate" if plan.days else ""
    return f"not yet: about {max(plan.more, 1):,} more abandoned checkouts{days}"


def _pace(by_day: Mapping[str, int]) -> float | None:
    """New customers a day, over the latest four weeks of assigning or since the first."""
    if not by_day:
        return None
    last = date.fromisoformat(max(by_day))
    since = max(date.fromisoformat(min(by_day)), last - timedelta(days=_PACE_DAYS - 1))
    number = sum(n for day, n in by_day.items() if date.fromisoformat(day) >= since)
    return number / ((last - since).days + 1)


def _pairs(counts: Mapping[Key, int], arm: str, currency: str) -> Pairs:
    sums = (counts.get(("arm_sum", what, arm, currency), 0) for what in _SUMS)
    return Pairs(counts.get(("arm_followed", arm), 0), *sums)


def _buyers(counts: Mapping[Key, int], currency: str) -> tuple[int, int]:
    treated, holdout = (counts.get(("arm_buyers_in", arm, currency), 0) for arm in _ARMS)
    return treated, holdout


def _revenue(counts: Mapping[Key, int], currency: str) -> Estimate:
    pairs = (_pairs(counts, arm, currency) for arm in _ARMS)
    treated, holdout = (Moments(one.n, one.y, one.yy) for one in pairs)
    return extra_revenue(treated, holdout, buyers=_buyers(counts, currency)).times(1 / UNITS)


def _adjusted(counts: Mapping[Key, int], currency: str) -> Estimate:
    treated, holdout = (_pairs(counts, arm, currency) for arm in _ARMS)
    method = "cuped x treated"
    if min(_buyers(counts, currency)) < ENOUGH_BUYERS:
        why = f"fewer than {ENOUGH_BUYERS} buyers in an arm"
        return Estimate(method=method, n=treated.n + holdout.n, reason=why)
    return cuped(treated, holdout).times(treated.n / UNITS, method=method)


def _both(counts: Mapping[Key, int], what: str) -> int:
    return sum(counts.get((what, arm), 0) for arm in _ARMS)


def _money(counts: Mapping[Key, int], what: str, arm: str) -> dict[str, Money]:
    found = {str(key[2]): n for key, n in counts.items() if key[:2] == (what, arm)}
    return {
        currency: Money.from_units(units, currency) for currency, units in sorted(found.items())
    }
