"""Why a share moved: because its segments did, or because their mixture did."""

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from math import sqrt
from typing import Any, Generic, TypeVar

import attrs
from typing_extensions import override

from lastclick.metrics._distributions import two_sided
from lastclick.metrics._estimate import CONFIDENCE, Estimate
from lastclick.metrics._plain import Plain, plain_value
from lastclick.metrics._proportions import difference

K = TypeVar("K", bound=Hashable)


@attrs.frozen(kw_only=True)
class RateAndMix(Plain, Generic[K]):
    """A change of a share, in two parts that add up to it exactly.

    Attributes:
        change: The later share less the earlier one, by Newcombe.
        rate: The part that is due to changes within segments.
        mix: The part that is due to segments having grown or shrunk.
        rate_by_segment: What each segment adds to ``rate``, exactly.
        mix_by_segment: What each adds to ``mix``, exactly; only their sum means something.

    Example:
        >>> from lastclick.metrics import Estimate, RateAndMix
        >>> by_mix = Estimate(estimate=-0.055, low=-0.06, high=-0.05, method="kitagawa", n=22_000)
        >>> by_rate = Estimate(estimate=0.015, low=0.003, high=0.027, method="kitagawa", n=22_000)
        >>> total = Estimate(estimate=-0.04, low=-0.052, high=-0.028, method="newcombe", n=22_000)
        >>> moved = RateAndMix(
        ...     change=total, rate=by_rate, mix=by_mix, rate_by_segment={}, mix_by_segment={}
        ... )
        >>> print(moved.mix)
        -0.055 (-0.06 to -0.05)

    .. versionadded:: 0.1.0
    """

    change: Estimate
    rate: Estimate
    mix: Estimate
    rate_by_segment: Mapping[K, Fraction]
    mix_by_segment: Mapping[K, Fraction]

    @override
    def to_dict(self) -> dict[str, Any]:
        """The parts as plain values, ready for JSON; what each segment adds as a list."""
        parts = {name: getattr(self, name).to_dict() for name in ("change", "rate", "mix")}
        segments = [
            {"value": plain_value(value), "rate": float(adds), "mix": float(mix)}
            for (value, adds), mix in zip(
                self.rate_by_segment.items(), self.mix_by_segment.values(), strict=True
            )
        ]
        return {**parts, "segments": segments}


@attrs.frozen
class _Moves:
    """How much a customer moves a part of the change, by belonging to a segment and by doing so.

    Derivatives by the weight and by weight x share, but for a sign that a variance does not see.
    """

    belonging: Fraction
    doing: Fraction


@attrs.frozen
class _Segment:
    """The weight and the share of a segment, before and after."""

    weights: tuple[Fraction, Fraction]
    shares: tuple[Fraction, Fraction]

    @property
    def rate(self) -> Fraction:
        return (self.weights[0] + self.weights[1]) * (self.shares[1] - self.shares[0]) / 2

    @property
    def mix(self) -> Fraction:
        return (self.shares[0] + self.shares[1]) * (self.weights[1] - self.weights[0]) / 2

    @property
    def rate_moves(self) -> _Moves:
        both = all(self.weights)
        return _Moves(
            belonging=(self.shares[1] - self.shares[0]) / 2,
            doing=(self.weights[0] + self.weights[1]) / 2 if both else Fraction(),
        )

    @property
    def mix_moves(self) -> _Moves:
        both = all(self.weights)
        return _Moves(
            belonging=(self.shares[0] + self.shares[1]) / 2,
            doing=(self.weights[1] - self.weights[0]) / (2 if both else 1),
        )


def rate_and_mix(
    before: Mapping[K, tuple[int, int]],
    after: Mapping[K, tuple[int, int]],
    confidence: float = CONFIDENCE,
) -> RateAndMix[K]:
    """Split the change of a share between two periods.

    Rate is Σ ½(w₀ + w₁)(r₁ - r₀), mix is Σ ½(r₀ + r₁)(w₁ - w₀), over segments of weight w and share
    r. A segment that one period lacks is all mix. Kitagawa, E. M. (1955), *Components of a
    difference between two rates*, JASA 50, 1168-1194. The intervals are normal ones by the delta
    method, in which both weights and shares are estimated.

    Args:
        before: By segment, how many did and out of how many.
        after: The same, later.
        confidence: Of the intervals.
    """
    x0, n0 = _whole(before)
    x1, n1 = _whole(after)
    change = difference(x1, n1, x0, n0, confidence)
    segments: dict[K, _Segment] = {}
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, (0, 0)), after.get(name, (0, 0))
        if n0 and n1 and (old[1] or new[1]):
            segments[name] = _segment(old, new, n0, n1)
    parts = list(segments.values())
    return RateAndMix(
        change=change,
        rate=_part(change, [(one, one.rate, one.rate_moves) for one in parts], n0, n1),
        mix=_part(change, [(one, one.mix, one.mix_moves) for one in parts], n0, n1),
        rate_by_segment={name: one.rate for name, one in segments.items()},
        mix_by_segment={name: one.mix for name, one in segments.items()},
    )


def _whole(period: Mapping[K, tuple[int, int]]) -> tuple[int, int]:
    return sum(x for x, _ in period.values()), sum(n for _, n in period.values())


def _segment(old: tuple[int, int], new: tuple[int, int], n0: int, n1: int) -> _Segment:
    """A period that lacks the segment takes its share from the other, so that all is mix."""
    shares = [Fraction(x, n) for x, n in (old, new) if n]
    return _Segment(
        weights=(Fraction(old[1], n0), Fraction(new[1], n1)), shares=(shares[0], shares[-1])
    )


def _part(
    change: Estimate, segments: Sequence[tuple[_Segment, Fraction, _Moves]], n0: int, n1: int
) -> Estimate:
    """One part of the change with its normal limits."""
    if change.estimate is None:
        return attrs.evolve(change, method="kitagawa")
    value = float(sum(adds for _, adds, _ in segments))
    error = sqrt(_variance(segments, 0) / n0 + _variance(segments, 1) / n1)
    half = two_sided(change.confidence) * error
    return Estimate(
        estimate=value,
        low=value - half,
        high=value + half,
        confidence=change.confidence,
        method="kitagawa",
        n=change.n,
        standard_error=error,
    )


def _variance(segments: Sequence[tuple[_Segment, Fraction, _Moves]], period: int) -> Fraction:
    """Of what one customer of a period moves: between segments, and within them."""
    there = [
        (one.weights[period], one.shares[period], moves)
        for one, _, moves in segments
        if one.weights[period]
    ]
    mean = sum(weight * moves.belonging for weight, _, moves in there)
    parts = [
        weight * (moves.belonging - mean) ** 2 + moves.doing**2 / weight * share * (1 - share)
        for weight, share, moves in there
    ]
    return sum(parts, Fraction())
