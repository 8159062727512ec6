"""What changed between two reports, and whether shoppers did or their mixture."""

from collections.abc import Mapping
from typing import Any

import attrs

from lastclick._money import UNITS
from lastclick.errors import ConfigError
from lastclick.metrics import Estimate, RateAndMix, Report
from lastclick.metrics._clustered import clustered_difference
from lastclick.metrics._completion import NOT_BY_DAY
from lastclick.metrics._means import of_orders, ratio_difference
from lastclick.metrics._mix import rate_and_mix
from lastclick.metrics._plain import Plain
from lastclick.metrics._proportions import difference
from lastclick.metrics._revenue import orders_in

#: What two reports are to have in common, to be compared.
_ASKED = (
    *("funnel", "by", "unit", "closed", "touch", "exclude", "timezone"),
    *("abandon_after", "recover_within"),
)
#: The segment of those whose groups are not shown.
WITHHELD = "withheld"


@attrs.frozen(kw_only=True)
class Comparison(Plain):
    """What changed, later less earlier.

    Attributes:
        abandonment: The change of the abandonment rate, with customers as clusters: of it, what is
            due to changes within segments (``rate``), and what to their having grown or shrunk
            (``mix``). These, and what follows, take attempts of one customer as apart from each
            other, and say so in ``assumes`` where customers have several. Between periods of a
            trend, which do not know their customers, all do so.
        recovery: The change of the recovery rate.
        steps: By step that both reports have, the change of the drop-off rate.
        revenue_per_checkout: By currency, the change of net revenue per started checkout.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import compare
        >>> report = measure(events)
        >>> compare(report, report).steps["payment"].estimate
        0.0

    .. versionadded:: 0.1.0
    """

    abandonment: RateAndMix[Any]
    recovery: Estimate
    steps: Mapping[str, Estimate]
    revenue_per_checkout: Mapping[str, Estimate]


def compare(before: Report, after: Report) -> Comparison:
    """What changed between two reports of other shoppers: two months, not a month and its year.

    Args:
        before: The earlier report.
        after: The later one, by the same attributes; they are the segments of the mixture.

    Raises:
        ConfigError: The two do not ask the same: another funnel, attributes, units, exclusions,
            limits, time zones, touches, or steps as a closed funnel.

    Example:
        >>> from lastclick import measure
        >>> report = measure(events, by="device")
        >>> compare(report, report).abandonment.change.estimate
        0.0

    .. versionadded:: 0.1.0
    """
    for one in (before, after):
        if one.by and one.started and not one.groups and not one.withheld:
            msg = (
                f"a period has no groups by {', '.join(one.by)}; compare periods of a report "
                f"without by=, or of one of its groups: report.groups[...].trend()"
            )
            raise ConfigError(msg)
    for name in _ASKED:
        if getattr(before, name) != getattr(after, name):
            msg = (
                f"the two reports differ in {name}: {getattr(before, name)!r} and "
                f"{getattr(after, name)!r}; measure both alike"
            )
            raise ConfigError(msg)
    currencies = sorted({*before.revenue_per_checkout, *after.revenue_per_checkout})
    known = [step.name for step in before.steps]
    rest = WITHHELD
    while rest in before.groups or rest in after.groups:
        rest = f"({rest})"
    whole = rate_and_mix(_segments(before, rest), _segments(after, rest))
    later, earlier = after._abandoned(), before._abandoned()
    apart = after._apart() or before._apart()

    def said(one: Estimate) -> Estimate:
        """With what must be true, where it may not be."""
        return one if one.low is None else attrs.evolve(one, assumes=apart)

    change = said(whole.change)
    if later.x and earlier.x:
        change = clustered_difference(later, earlier)
    return Comparison(
        abandonment=attrs.evolve(whole, change=change, rate=said(whole.rate), mix=said(whole.mix)),
        recovery=said(_change(before.recovery_rate, after.recovery_rate)),
        steps={
            step.name: said(_change(before.steps[step.name].drop_off_rate, step.drop_off_rate))
            for step in after.steps
            if step.name in known
        },
        revenue_per_checkout={
            currency: _per_checkout(before, after, currency) for currency in currencies
        },
    )


def _per_checkout(before: Report, after: Report, currency: str) -> Estimate:
    later, earlier = after._clusters(currency), before._clusters(currency)
    if later.n and earlier.n:
        orders = min(orders_in(report.revenue, currency) for report in (before, after))
        return of_orders(ratio_difference(later, earlier).times(1 / UNITS), orders)
    nothing = Estimate(method="ratio", n=before.started + after.started)
    if not (before.started and after.started):
        return attrs.evolve(nothing, reason="nothing to divide by")
    known = [report.revenue_per_checkout.get(currency) for report in (after, before)]
    new, old = (0.0 if one is None else one.estimate or 0.0 for one in known)
    return attrs.evolve(nothing, estimate=new - old, reason=NOT_BY_DAY)


def _segments(report: Report, rest: str) -> dict[Any, tuple[int, int]]:
    reports = dict(report.groups.items()) if report.by else {None: report}
    found = {
        value: (one.abandonment_rate.numerator, one.decided)
        for value, one in reports.items()
        if one.decided
    }
    # Groups too small to be shown are one segment.
    shown = [sum(part) for part in zip(*found.values(), strict=True)] or [0, 0]
    left = (report.abandonment_rate.numerator - shown[0], report.decided - shown[1])
    return {**found, **({rest: left} if left[1] else {})}


def _change(before: Any, after: Any) -> Estimate:
    return difference(after.numerator, after.denominator, before.numerator, before.denominator)
