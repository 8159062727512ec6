"""What advertising brings, and what it would bring with a better checkout."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import attrs

from lastclick._money import Money
from lastclick.analysis._what_if import what_if
from lastclick.errors import ConfigError
from lastclick.metrics import Estimate, Rate, Report, rate
from lastclick.metrics._plain import Plain
from lastclick.metrics._revenue import rounded


@attrs.frozen(kw_only=True)
class Spend(Plain):
    """What the money that was spent on a channel brought.

    Attributes:
        channel: The value of the report's attribute.
        stage: What it was spent on, where that was told: awareness, consideration, ...
        spend: How much.
        started: Checkouts that came through the channel.
        orders: Orders among them.
        revenue: Net revenue in the currency of the spend.
        return_on_spend: Revenue / spend.
        cost_per_order: Spend / orders; None without orders.
        cost_per_checkout: Spend / started checkouts; None without one.
        with_fix: Revenue with the fix / spend; None without a fix.
        cost_per_order_with_fix: Spend / orders with the fix; None likewise.
        same_by_traffic: What one would have to spend more to gain as much by more traffic, at the
            same return: a lower bound, since more traffic is dearer. None likewise.
        reason: Why a figure is not there, None where all are.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import marketing
        >>> report = measure(events, by="device")
        >>> row = marketing(report, spend={"desktop": Money("32.40", "EUR")}).rows[0]
        >>> row.return_on_spend, str(row.cost_per_order)
        (2.0, 'EUR 32.40')

    .. versionadded:: 0.1.0
    """

    channel: Any
    stage: str | None
    spend: Money
    started: int
    orders: int
    revenue: Money
    return_on_spend: float | None
    cost_per_order: Money | None
    cost_per_checkout: Money | None
    with_fix: Estimate | None
    cost_per_order_with_fix: Money | None
    same_by_traffic: Money | None
    reason: str | None


@attrs.frozen(kw_only=True)
class Marketing(Plain):
    """What was spent, and what it brought.

    Attributes:
        rows: By stage and channel, as they were given.
        fix: The change of steps that was asked about.
        not_covered: Channels of the report for which no spend was given.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import marketing
        >>> report = measure(events, by="device")
        >>> marketing(report, spend={"desktop": Money("30", "EUR")}).not_covered
        ('mobile',)

    .. versionadded:: 0.1.0
    """

    rows: tuple[Spend, ...]
    fix: Mapping[str, float]
    not_covered: tuple[Any, ...]


def marketing(
    report: Report,
    spend: Mapping[Any, Money],
    *,
    fix: Mapping[str, float] | None = None,
) -> Marketing:
    """What the money spent on each channel brought, with and without a fix of the checkout.

    An order is credited to the channel of its attempt: `measure` with ``touch="last"`` for the
    last one. What a channel caused is another question, which takes an experiment.

    Args:
        report: Measured ``by=`` the attribute that says the channel, such as ``utm_source``.
        spend: By channel, or by (stage, channel), what was spent over the report's days.
        fix: A change as for `what_if`: ``{"payment": 0.02}``.

    Raises:
        ConfigError: A spend is not above 0, or the report is by no attribute.

    Example:
        >>> from lastclick import measure
        >>> report = measure(events, by="device")
        >>> spent = {("awareness", "desktop"): Money("32.40", "EUR")}
        >>> row = marketing(report, spent, fix={"cart": 0.0}).rows[0]
        >>> row.stage, row.return_on_spend, row.with_fix.estimate
        ('awareness', 2.0, 2.0)

    .. versionadded:: 0.1.0
    """
    if len(report.by) != 1:
        raise ConfigError(f"the report is by {report.by!r}; measure it by one attribute, a channel")
    rows = []
    channels = set()
    for key, money in spend.items():
        stage, channel = key if isinstance(key, tuple) else (None, key)
        given: object = money
        if not isinstance(given, Money) or given.units <= 0:
            raise ConfigError(f"spend[{key!r:.100}] is {money!r}; pass Money above 0")
        channels.add(channel)
        group = report.groups.get(channel)
        rows.append(_row(group, channel, stage, money, fix or {}))
    missing = tuple(value for value in report.groups if value not in channels)
    return Marketing(rows=tuple(rows), fix=dict(fix or {}), not_covered=missing)


def _row(
    group: Report | None, channel: Any, stage: str | None, money: Money, fix: Mapping[str, float]
) -> Spend:
    currency = money.currency
    nothing = Money.from_units(0, currency)
    if group is None:
        return Spend(
            channel=channel,
            stage=stage,
            spend=money,
            started=0,
            orders=0,
            revenue=nothing,
            return_on_spend=None,
            cost_per_order=None,
            cost_per_checkout=None,
            with_fix=None,
            cost_per_order_with_fix=None,
            same_by_traffic=None,
            reason="no checkout came through this channel",
        )
    earned = group.revenue[currency].net if currency in group.revenue else nothing
    with_fix = fixed_cost = by_traffic = None
    why = "no orders" if not group.ordered else None if fix else "no fix was asked about"
    if fix and group.ordered:
        gain = what_if(group, fix).together
        more = gain.revenue.get(currency)
        if more is None or more.estimate is None or gain.orders.estimate is None:
            why = more.reason if more is not None else f"no revenue in {currency}"
        else:
            with_fix = _returned(earned, more, money)
            orders = Fraction(group.ordered) + Fraction(gain.orders.estimate)
            if orders > 0:
                fixed_cost = rounded(money.units / orders, currency)
            if earned.units > 0:
                share = Fraction(more.estimate) / Fraction(earned.amount)
                by_traffic = rounded(money.units * share, currency)
            else:
                why = f"no revenue in {currency} above 0"
    return Spend(
        channel=channel,
        stage=stage,
        spend=money,
        started=group.started,
        orders=group.ordered,
        revenue=earned,
        return_on_spend=earned.units / money.units,
        cost_per_order=_each(money, group.ordered),
        cost_per_checkout=_each(money, group.started),
        with_fix=with_fix,
        cost_per_order_with_fix=fixed_cost,
        same_by_traffic=by_traffic,
        reason=why,
    )


def _returned(earned: Money, more: Estimate, money: Money) -> Estimate:
    """(R + ΔR) / S, the interval being that of ΔR."""
    base, spent = float(earned.amount), float(money.amount)
    low, high = (None if end is None else (base + end) / spent for end in (more.low, more.high))
    return attrs.evolve(more, estimate=(base + (more.estimate or 0.0)) / spent, low=low, high=high)


def _each(money: Money, number: int) -> Money | None:
    return rounded(Fraction(money.units, number), money.currency) if number else None


def ad_drop_off_rate(responses: int, impressions: int) -> Rate:
    """The share of an ad server's responses that were never shown: 1 - impressions / responses.

    It is about ads and not about buyers, and never part of a funnel.

    Args:
        responses: Ad requests that were answered with an ad.
        impressions: Ads of these that were shown.

    Raises:
        ConfigError: Not whole numbers, or more impressions than responses.

    Example:
        >>> print(ad_drop_off_rate(responses=1000, impressions=920))
        8.0 % (6.5 to 9.8)

    .. versionadded:: 0.1.0
    """
    if type(responses) is not int or type(impressions) is not int:
        raise ConfigError(f"responses={responses!r:.50}, impressions={impressions!r:.50}: integers")
    if not 0 <= impressions <= responses:
        msg = f"{impressions} impressions of {responses} responses; pass 0 to as many as responses"
        raise ConfigError(msg)
    return rate(responses - impressions, responses)
