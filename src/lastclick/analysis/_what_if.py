"""What a better step would bring, all else being as it was."""

from collections.abc import Mapping
from math import prod

import attrs

from lastclick._money import UNITS
from lastclick.errors import ConfigError
from lastclick.metrics import Estimate, Report
from lastclick.metrics._means import Moments, of_orders
from lastclick.metrics._plain import Plain
from lastclick.metrics._step_value import step_value

#: How often those rescued at a step buy, beside those who got past by themselves.
FULLY, HALF = 1.0, 0.5


@attrs.frozen(kw_only=True)
class Gain(Plain):
    """What one change would bring, or all of them together.

    Attributes:
        orders: Orders more, if those rescued buy as often as the others.
        orders_at_half: The same, if they buy half as often: they hesitated once already.
        revenue: Net revenue more by currency, if they buy as often.
        revenue_at_half: The same, if they buy half as often.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import what_if
        >>> what_if(measure(events), {"payment": 0.1}).together.orders.estimate
        0.2

    .. versionadded:: 0.1.0
    """

    orders: Estimate
    orders_at_half: Estimate
    revenue: Mapping[str, Estimate]
    revenue_at_half: Mapping[str, Estimate]


@attrs.frozen(kw_only=True)
class WhatIf(Plain):
    """What better steps would bring, over as many checkouts as the report is of.

    Attributes:
        changes: By step, what is added to the share that goes on from it.
        steps: By step, what its change would bring alone.
        together: What all would bring together.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import what_if
        >>> list(what_if(measure(events), {"payment": 0.1}).steps)
        ['payment']

    .. versionadded:: 0.1.0
    """

    changes: Mapping[str, float]
    steps: Mapping[str, Gain]
    together: Gain


def what_if(report: Report, changes: Mapping[str, float]) -> WhatIf:
    """What it would bring if more shoppers went on from a step.

    Revenue is started checkouts x order value x the shares that go on from each step; raising one
    of these by Δ adds m·R·Δ/p, where m says how often those rescued buy.

    Args:
        report: Of one funnel, or a group of it.
        changes: By step, what is added to the share that goes on from it: 0.02 is two points.

    Raises:
        ConfigError: A step is not there, a change is no number, or the report has a closed funnel.

    Example:
        >>> from lastclick import measure
        >>> gain = what_if(measure(events), {"payment": +0.1}).together
        >>> round(gain.revenue["EUR"].estimate, 2), round(gain.revenue_at_half["EUR"].estimate, 2)
        (12.96, 6.48)

    .. versionadded:: 0.1.0
    """
    checked = _checked(report, changes)
    alone = {name: _gain(report, {name: added}) for name, added in checked.items()}
    together = alone[next(iter(alone))] if len(alone) == 1 else _gain(report, checked)
    return WhatIf(changes=checked, steps=alone, together=together)


def _checked(report: Report, changes: Mapping[str, float]) -> dict[str, float]:
    if report.closed:
        raise ConfigError("what_if takes a report with closed=False: its steps lead to all orders")
    names = [step.name for step in report.steps]
    for name, added in changes.items():
        if name not in names:
            raise ConfigError(f"no step {name!r:.100}; this funnel has {', '.join(names)}")
        if type(added) not in (int, float) or not -1 <= added <= 1:
            msg = f"changes[{name!r}] is {added!r:.100}; pass points as a share, such as 0.02"
            raise ConfigError(msg)
    if not changes:
        raise ConfigError("changes is empty; pass at least one, such as {'payment': 0.02}")
    return {name: float(changes[name]) for name in names if name in changes}


def _gain(report: Report, changes: Mapping[str, float]) -> Gain:
    orders = Moments(report.ordered, report.ordered, report.ordered)
    values = {currency: report._order_values(currency) for currency in report.revenue}
    found = []
    for rescued in (FULLY, HALF):
        more = _value(report, changes, orders, rescued)
        money = {}
        for currency, value in values.items():
            one = of_orders(_value(report, changes, value, rescued), value.n)
            # The orders of this currency are a part of all that the steps lead to.
            money[currency] = one.times(value.n / (report.ordered or 1) / UNITS)
        found.append((more, money))
    (full, money), (half, half_money) = found
    return Gain(orders=full, orders_at_half=half, revenue=money, revenue_at_half=half_money)


def _value(
    report: Report, changes: Mapping[str, float], value: Moments, rescued: float
) -> Estimate:
    reached = [*(step.reached for step in report.steps), report.ordered]
    parts = [
        step_value(
            reached,
            value,
            step=report.steps.index(report.steps[name]),
            added=added,
            rescued=rescued,
        )
        if value.n
        else Estimate(method="step value", n=reached[0], reason="no orders")
        for name, added in changes.items()
    ]
    unknown = next((one for one in parts if one.estimate is None), None)
    if unknown is not None or len(parts) == 1:
        return unknown or parts[0]
    base = reached[-1] * float(value.mean)
    factors = [
        1 + rescued * added / (step.conversion_rate.estimate or 1.0)
        for name, added in changes.items()
        for step in (report.steps[name],)
    ]
    total = base * (prod(factors) - 1)
    known = attrs.evolve(parts[0], estimate=total, low=None, high=None)
    if any(one.low is None for one in parts):
        return known
    # All parts rest on the same revenue: the widest of them holds for their sum.
    ends = [
        end / one.estimate for one in parts if one.estimate for end in (one.low, one.high) if end
    ]
    low, high = sorted((total * min(ends, default=1.0), total * max(ends, default=1.0)))
    return attrs.evolve(known, low=low, high=high)
