"""Two ways to check out, or more: which one is better, and how sure that is."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import attrs
from typing_extensions import override

from lastclick._money import UNITS
from lastclick.errors import ConfigError
from lastclick.metrics import Estimate, HypothesisTest, Plan, Rate, Report
from lastclick.metrics._clustered import clustered_difference, clustered_share
from lastclick.metrics._estimate import CONFIDENCE
from lastclick.metrics._means import Pairs, of_orders, ratio_difference
from lastclick.metrics._plain import Plain, fields
from lastclick.metrics._planning import POWER, arm_size
from lastclick.metrics._revenue import orders_in
from lastclick.metrics._sequential import confidence_sequence, sequential_sample_ratio
from lastclick.metrics._tests import ALARM, benjamini_hochberg, sample_ratio

#: At how many customers the numbers for daily looks are tightest.
PLANNED = 10_000


@attrs.frozen(kw_only=True)
class Variant(Plain):
    """One variant beside the control.

    Attributes:
        variant: The value of the attribute.
        started: Attempts that began in it.
        completion: Decided attempts that ordered. Where customers have several attempts they are
            clusters, here and in ``more``: as if apart, these would look surer than they are.
        more: How much larger the share is than the control's; None for the control itself.
        adjusted_p: The chance of such a difference if there were none, adjusted for how many
            variants there are; None likewise.
        daily: ``more`` with limits that hold however often one looks; None likewise.
        revenue: By currency, how much more net revenue a started checkout brings than the
            control's, customers as clusters; empty likewise.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import experiment
        >>> found = experiment(measure(events, by="device"), control="desktop")
        >>> found.variants["mobile"].started
        2

    .. versionadded:: 0.1.0
    """

    variant: Any
    started: int
    completion: Rate
    more: Estimate | None
    adjusted_p: float | None
    daily: Estimate | None
    revenue: Mapping[str, Estimate]


@attrs.frozen(kw_only=True)
class Experiment(Plain):
    """All variants of an experiment.

    Attributes:
        control: The variant that the others are compared with.
        variants: By value.
        split: Whether the variants have the shares of customers that they were to have; those who
            name none are one each attempt.
        split_daily: The same, for looking every day.
        reason: Why nothing can be concluded, None where something may be.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import experiment
        >>> experiment(measure(events, by="device"), control="desktop").split.reason
        'fewer than 5 expected in an arm'

    .. versionadded:: 0.1.0
    """

    control: Any
    variants: Mapping[Any, Variant]
    split: HypothesisTest
    split_daily: HypothesisTest
    reason: str | None

    @override
    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, ready for JSON; the variants as a list."""
        return {**fields(self), "variants": [one.to_dict() for one in self.variants.values()]}


def experiment(
    report: Report, *, control: Any, shares: Mapping[Any, float] | None = None
) -> Experiment:
    """Compare variants of a checkout: the values of the attribute that the report is by.

    Shoppers are to be drawn into a variant at random, and to stay in it. Attempts without a value
    are left out.

    Args:
        report: Measured ``by=`` the attribute that says the variant.
        control: The value that the others are compared with.
        shares: What part each variant was to get; None for equal parts.

    Raises:
        ConfigError: The report is by no attribute, lacks the control, or a share is missing.

    Example:
        >>> from lastclick import measure
        >>> found = experiment(measure(events, by="device"), control="desktop")
        >>> found.variants["mobile"].more.estimate
        -1.0

    .. versionadded:: 0.1.0
    """
    groups = {value: group for value, group in report.groups.items() if value is not None}
    if control not in groups:
        known = ", ".join(repr(value) for value in groups) or "none; measure with by="
        raise ConfigError(f"control {control!r:.100} is no group of the report; it has {known}")
    parts = dict.fromkeys(groups, 1.0) if shares is None else dict(shares)
    if set(parts) != set(groups) or any(not part > 0 for part in parts.values()):
        names = ", ".join(repr(value) for value in groups)
        raise ConfigError(f"shares: {shares!r:.100}; give each of {names} a part above 0")
    observed = [group._completed().n for group in groups.values()]
    split = sample_ratio(observed, [parts[value] for value in groups])
    broken = None
    if split.p_value is not None and split.p_value < ALARM:
        broken = f"the split is broken (p = {split.p_value:.2g}); find out why first"
    found = {value: _variant(value, group, groups[control]) for value, group in groups.items()}
    if broken is not None:
        found = {value: _void(one, broken) for value, one in found.items()}
    return Experiment(
        control=control,
        variants=_adjusted(found),
        split=split,
        split_daily=sequential_sample_ratio(observed, [parts[value] for value in groups]),
        reason=broken,
    )


def _variant(value: Any, group: Report, control: Report) -> Variant:
    own, base = (one._completed() for one in (group, control))
    if group is control:
        more = daily = None
        revenue: dict[str, Estimate] = {}
    else:
        more = clustered_difference(own, base)
        daily = confidence_sequence(
            ratio_difference(own, base), planned=PLANNED, buyers=own.y + base.y
        )
        revenue = {
            currency: of_orders(
                ratio_difference(group._clusters(currency), control._clusters(currency)).times(
                    1 / UNITS
                ),
                min(orders_in(one.revenue, currency) for one in (group, control)),
            )
            for currency in sorted({*group.revenue, *control.revenue})
        }
    return Variant(
        variant=value,
        started=group.started,
        completion=_completion(own),
        more=more,
        adjusted_p=None,
        daily=daily,
        revenue=revenue,
    )


def _completion(own: Pairs) -> Rate:
    one = clustered_share(own)
    return Rate(
        own.y, own.x, one.estimate, one.low, one.high, one.confidence, one.method, one.reason
    )


def _adjusted(found: Mapping[Any, Variant]) -> dict[Any, Variant]:
    known = {
        value: one.more.p_value
        for value, one in found.items()
        if one.more is not None and one.more.p_value is not None
    }
    fair = dict(zip(known, benjamini_hochberg(list(known.values())), strict=True))
    return {value: attrs.evolve(one, adjusted_p=fair.get(value)) for value, one in found.items()}


def _void(one: Variant, why: str) -> Variant:
    def void(estimate: Estimate) -> Estimate:
        return Estimate(method=estimate.method, n=estimate.n, reason=why)

    return attrs.evolve(
        one,
        more=None if one.more is None else void(one.more),
        daily=None if one.daily is None else void(one.daily),
        revenue={currency: void(money) for currency, money in one.revenue.items()},
    )


def power(
    completion: Report | float,
    effect: float,
    *,
    shares: Sequence[float] = (0.5, 0.5),
    power: float = POWER,
    confidence: float = CONFIDENCE,
    per_day: float | None = None,
) -> Plan:
    """How many attempts it takes to see an effect on completion.

    Args:
        completion: The share of decided attempts that order now: a report, or the share itself.
        effect: The difference of the shares that is to be seen: 0.02 is two points.
        shares: What part the control and the variant get.
        power: The chance of seeing the effect, if it is there.
        confidence: Of the interval that is then to be off 0.
        per_day: Attempts a day; None takes the report's, and none where a share is given.

    Raises:
        ConfigError: A number cannot be used.

    Example:
        >>> print(power(0.40, 0.02, per_day=500))
        about 18,986 more, some 38 days

    .. versionadded:: 0.1.0
    """
    if isinstance(completion, Report):
        base = completion.ordered / completion.decided if completion.decided else 0.0
        if per_day is None and completion.first_day and completion.last_day:
            per_day = completion.started / ((completion.last_day - completion.first_day).days + 1)
    else:
        base = completion
    pace = 1.0 if per_day is None else per_day
    numbers = {"completion": base, "effect": effect, "power": power, "confidence": confidence}
    for name, value in {**numbers, "per_day": pace}.items():
        if not isinstance(value, int | float):
            raise ConfigError(f"{name} is {value!r:.100}; pass a number")
    if not pace > 0:
        raise ConfigError(f"per_day is {per_day!r:.100}; pass how many attempts a day, above 0")
    if len(shares) != 2 or min(shares) <= 0:
        raise ConfigError(f"shares is {shares!r:.100}; give the control and the variant a part")
    if not 0 < base < 1 or not 0 <= base + effect <= 1 or effect == 0:
        msg = (
            f"from {base!r:.20} there is no effect of {effect!r:.20}; "
            f"pass shares between 0 and 1, and an effect other than 0"
        )
        raise ConfigError(msg)
    if not 0 < power < 1 or not 0 < confidence < 1:
        raise ConfigError(f"power is {power!r:.20}, confidence {confidence!r:.20}; both in 0 to 1")
    ratio = shares[1] / shares[0]
    needed = arm_size(base, base + effect, ratio=ratio, power=power, confidence=confidence)
    total = ceil(needed) + ceil(needed * ratio)
    return Plan(
        more=total,
        total=total,
        days=ceil(total / per_day) if per_day else None,
        effect=effect,
        power=power,
        confidence=confidence,
    )
