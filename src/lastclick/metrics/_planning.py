"""How many are needed to see an effect, and how many more."""

from math import ceil, sqrt

import attrs

from lastclick.metrics._distributions import normal_quantile, normal_tail
from lastclick.metrics._estimate import CONFIDENCE

POWER = 0.8


@attrs.frozen(kw_only=True)
class Plan:
    """How many more are needed until a difference of two shares shows.

    Attributes:
        more: Further customers, both arms together; 0 where there are enough, None where nothing
            can be said.
        total: In all, both arms together, those there already included; None likewise.
        days: Until then, at the pace given; None without one.
        effect: The difference of the shares that is to be seen.
        power: Chance of seeing it, if it is there.
        confidence: Of the interval that is then to be off 0.
        reason: Why nothing can be said, None where something can.

    Example:
        >>> from lastclick.metrics import Plan
        >>> plan = Plan(more=2400, total=3400, days=12, effect=0.05, power=0.8, confidence=0.95)
        >>> print(plan)
        about 2,400 more, some 12 days

    .. versionadded:: 0.1.0
    """

    more: int | None = None
    total: int | None = None
    days: int | None = None
    effect: float | None = None
    power: float
    confidence: float
    reason: str | None = None

    def __str__(self) -> str:
        if self.more is None:
            return "-"
        return f"about {self.more:,} more" + (f", some {self.days:,} days" if self.days else "")

    def to_dict(self) -> dict[str, object]:
        """The plan as plain values, ready for JSON."""
        return attrs.asdict(self)


def arm_size(
    p1: float,
    p2: float,
    *,
    ratio: float = 1.0,
    power: float = POWER,
    confidence: float = CONFIDENCE,
) -> float:
    """How many the first arm needs, for the difference of two shares to be seen; not rounded.

    (z √(p̄q̄(1+1/k)) + z' √(p₁q₁ + p₂q₂/k))² / (p₂ - p₁)², where p̄ = (p₁ + k·p₂)/(1 + k), z is the
    normal quantile of the confidence and z' that of the power. Fleiss, J. L., Levin, B. and Paik,
    M. C. (2003), *Statistical Methods for Rates and Proportions*, 3rd ed., 4.2 and 4.5, without
    continuity correction.

    Args:
        p1: The share in the first arm.
        p2: The share in the second, another one.
        ratio: k, the size of the second arm over the first's.
        power: Chance of seeing the difference.
        confidence: Of the two-sided test.
    """
    pooled, apart = _spreads(p1, p2, ratio)
    z_alpha, z_beta = normal_quantile((1 - confidence) / 2), normal_quantile(1 - power)
    return ((z_alpha * pooled + z_beta * apart) / (p2 - p1)) ** 2


def power_of(p1: float, n1: int, p2: float, n2: int, confidence: float = CONFIDENCE) -> float:
    """The chance that arms of these sizes show a difference of two shares: `arm_size` reversed."""
    pooled, apart = _spreads(p1, p2, n2 / n1)
    z_alpha = normal_quantile((1 - confidence) / 2)
    return normal_tail((z_alpha * pooled - abs(p2 - p1) * sqrt(n1)) / apart)


def more_needed(
    treated: tuple[int, int],
    holdout: tuple[int, int],
    *,
    effect: float | None = None,
    per_day: float | None = None,
    power: float = POWER,
    confidence: float = CONFIDENCE,
) -> Plan:
    """How many more customers until the difference between two arms shows.

    The holdout's share is taken as it is now, and so is the split. Without a stated effect the
    difference seen so far is planned for: a guess that is as unsure as the difference itself.

    Args:
        treated: Buyers, and customers in all, of the treated arm.
        holdout: The same of the holdout.
        effect: The smallest difference of the shares that matters.
        per_day: New customers a day, both arms together.
        power: Chance of seeing the effect.
        confidence: Of the interval that is then to be off 0.
    """
    (x1, n1), (x2, n2) = holdout, treated
    nothing = Plan(effect=effect, power=power, confidence=confidence)
    if n1 == 0 or n2 == 0:
        return attrs.evolve(nothing, reason="nobody in one of the arms")
    base = x1 / n1
    wanted = x2 / n2 - base if effect is None else effect
    if wanted == 0:
        return attrs.evolve(
            nothing, reason="no difference to plan for; state the smallest that matters"
        )
    if not 0 <= base + wanted <= 1:
        why = f"from a share of {base:.3g} there is no going up by {wanted:.3g}"
        return attrs.evolve(nothing, reason=why)
    ratio = n2 / n1
    needed = arm_size(base, base + wanted, ratio=ratio, power=power, confidence=confidence)
    total = ceil(needed) + ceil(needed * ratio)
    more = max(0, total - n1 - n2)
    return attrs.evolve(
        nothing,
        more=more,
        total=total,
        days=ceil(more / per_day) if per_day else None,
        effect=wanted,
    )


def _spreads(p1: float, p2: float, ratio: float) -> tuple[float, float]:
    """Of the difference times √n₁: if there were none, and as it is."""
    mean = (p1 + ratio * p2) / (1 + ratio)
    return (
        sqrt(mean * (1 - mean) * (1 + 1 / ratio)),
        sqrt(p1 * (1 - p1) + p2 * (1 - p2) / ratio),
    )
