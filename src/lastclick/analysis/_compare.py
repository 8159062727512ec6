"""What changed between two reports, and whether shoppers did or their mixture."""

from collections.abc import Mapping
from typing import Any

import attrs

from lastclick._money import UNITS
from lastclick.errors import ConfigError
from lastclick.metrics import Estimate, RateAndMix, Report
from lastclick.metrics._means import ratio_difference
from lastclick.metrics._mix import rate_and_mix
from lastclick.metrics._proportions import difference


@attrs.frozen(kw_only=True)
class Comparison:
    """What changed, later less earlier.

    Attributes:
        abandonment: The change of the abandonment rate: of it, what is due to changes within
            segments (``rate``), and what to their having grown or shrunk (``mix``).
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
        ConfigError: The two do not ask the same: other attributes, units, limits or steps as a
            closed funnel.

    Example:
        >>> from lastclick import measure
        >>> report = measure(events, by="device")
        >>> compare(report, report).abandonment.change.estimate
        0.0

    .. versionadded:: 0.1.0
    """
    for name in ("by", "unit", "closed", "abandon_after", "recover_within"):
        if getattr(before, name) != getattr(after, name):
            msg = (
                f"the two reports differ in {name}: {getattr(before, name)!r} and "
                f"{getattr(after, name)!r}; measure both alike"
            )
            raise ConfigError(msg)
    currencies = sorted({*before.revenue_per_checkout, *after.revenue_per_checkout})
    known = [step.name for step in before.steps]
    return Comparison(
        abandonment=rate_and_mix(_segments(before), _segments(after)),
        recovery=_change(before.recovery_rate, after.recovery_rate),
        steps={
            step.name: _change(before.steps[step.name].drop_off_rate, step.drop_off_rate)
            for step in after.steps
            if step.name in known
        },
        revenue_per_checkout={
            currency: ratio_difference(after._clusters(currency), before._clusters(currency)).times(
                1 / UNITS
            )
            for currency in currencies
        },
    )


def _segments(report: Report) -> dict[Any, tuple[int, int]]:
    reports = dict(report.groups.items()) if report.by else {None: report}
    return {
        value: (one.abandonment_rate.numerator, one.decided)
        for value, one in reports.items()
        if one.decided
    }


def _change(before: Any, after: Any) -> Estimate:
    return difference(after.numerator, after.denominator, before.numerator, before.denominator)
