"""What a calculation says of a figure: how large, within which limits, from how many, how."""

from typing import Self

import attrs

#: How often an interval is meant to hold the truth.
CONFIDENCE = 0.95


@attrs.frozen(kw_only=True)
class Estimate:
    """A figure that is not a share, with its interval and what it rests on.

    Nothing is ever NaN, and what is not known is never 0: it is None, and ``reason`` says why.

    Attributes:
        estimate: The figure; None where nothing can be said.
        low: Lower end of the interval; None where there is none.
        high: Upper end of the interval; None where there is none.
        confidence: Of the interval.
        method: How estimate and interval were made.
        n: How many it rests on: customers, or attempts.
        standard_error: Where the method has one, else None.
        p_value: Chance of a difference at least as large if in truth there were none; None where
            that is not asked.
        assumes: What must be true besides for this to hold, in words; None where nothing must.
            It is said wherever the figure is printed.
        reason: Why there is no estimate, or no interval, or only one end of it.

    Example:
        >>> from lastclick.metrics import Estimate
        >>> print(Estimate(estimate=13500, low=-2053, high=29053, method="welch", n=10_000))
        13,500 (-2,053 to 29,053)
        >>> print(Estimate(method="welch", n=0, reason="fewer than two customers in an arm"))
        -

    .. versionadded:: 0.1.0
    """

    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = CONFIDENCE
    method: str
    n: int
    standard_error: float | None = None
    p_value: float | None = None
    assumes: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        if self.estimate is None:
            return "-"
        limits = f"{_short(self.low)} to {_short(self.high)}"
        if self.low is None and self.high is None:
            limits = "no interval"
        if self.assumes is not None:
            limits += f", assuming {self.assumes}"
        return f"{_short(self.estimate)} ({limits})"

    def times(self, factor: float, *, method: str | None = None) -> Self:
        """The same figure in another unit: per customer x customers, or minor units in whole ones.

        Args:
            factor: A number that is known and not estimated, so that the ends scale alike.
            method: How the new figure was made, where that needs saying.

        Example:
            >>> from lastclick.metrics import Estimate
            >>> print(Estimate(estimate=1.5, low=-0.25, high=3.25, method="welch", n=80).times(40))
            60 (-10 to 130)

        .. versionadded:: 0.1.0
        """
        low, high = (self.low, self.high) if factor >= 0 else (self.high, self.low)
        return attrs.evolve(
            self,
            estimate=_product(self.estimate, factor),
            low=_product(low, factor),
            high=_product(high, factor),
            standard_error=_product(self.standard_error, abs(factor)),
            method=method or self.method,
        )

    def to_dict(self) -> dict[str, object]:
        """The estimate as plain values, ready for JSON."""
        return attrs.asdict(self)


@attrs.frozen(kw_only=True)
class HypothesisTest:
    """Whether counts are as they would be if a stated thing were true.

    Attributes:
        statistic: What was computed; None where nothing can be said.
        degrees: Degrees of freedom of a chi-square; None for other tests.
        p_value: Chance of a statistic at least as large if the thing were true; None likewise.
        method: Which test.
        n: How many it rests on.
        reason: Why there is no result, None where there is one.

    Example:
        >>> from lastclick.metrics import HypothesisTest
        >>> print(
        ...     HypothesisTest(statistic=22.77, degrees=1, p_value=1.8e-6, method="srm", n=1637070)
        ... )
        p = 1.8e-06
        >>> print(HypothesisTest(method="log-rank", n=0, reason="no orders in any group"))
        -

    .. versionadded:: 0.1.0
    """

    statistic: float | None = None
    degrees: int | None = None
    p_value: float | None = None
    method: str
    n: int
    reason: str | None = None

    def __str__(self) -> str:
        return "-" if self.p_value is None else f"p = {self.p_value:.2g}"

    def to_dict(self) -> dict[str, object]:
        """The result as plain values, ready for JSON."""
        return attrs.asdict(self)


def _product(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _short(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:.3g}"
