"""Differences of means and of ratios, from sums that add; all sums exact until the last step.

A row is a customer, never an order or an attempt of hers: rows must not hang together.
"""

from fractions import Fraction
from math import sqrt
from typing import Self

import attrs

from lastclick.metrics._distributions import t_quantile, t_tail
from lastclick.metrics._estimate import CONFIDENCE, Estimate

#: Below so many buyers in an arm no mean of revenue has an interval that holds: its tail is heavy.
ENOUGH_BUYERS = 50
#: What an interval of money takes for granted where it comes from fewer orders.
EVEN = "order values are not skewed"

_FEW = "fewer than two in an arm"
#: A mean is divided by only where it is so many standard errors above 0; below, the delta method
#: holds seldom, and soon not at all.
_SURE = 4


@attrs.frozen
class Moments:
    """Of one value of each customer: how many, their sum, and the sum of their squares."""

    n: int
    total: int
    squares: int

    def __add__(self, other: Self) -> Self:
        return type(self)(self.n + other.n, self.total + other.total, self.squares + other.squares)

    @classmethod
    def of_share(cls, x: int, n: int) -> Self:
        """Those of x ones and n - x zeros."""
        return cls(n, x, x)

    @property
    def mean(self) -> Fraction:
        return Fraction(self.total, self.n)

    @property
    def variance(self) -> Fraction:
        """With n - 1 below; needs two."""
        return Fraction(self.n * self.squares - self.total**2, self.n * (self.n - 1))


@attrs.frozen
class Pairs:
    """Of two values of each customer: how many, sums, sums of squares, and of products.

    y is what is asked about; x is what it is divided by, or what was known of the customer before.
    """

    n: int
    y: int
    x: int
    yy: int
    xx: int
    xy: int

    def __add__(self, other: Self) -> Self:
        sums = zip(attrs.astuple(self), attrs.astuple(other), strict=True)
        return type(self)(*(mine + theirs for mine, theirs in sums))

    def less(self, factor: Fraction) -> Fraction:
        """The variance of y - factor·x; needs two."""
        yy = Fraction(self.n * self.yy - self.y**2, self.n * (self.n - 1))
        return yy - 2 * factor * self.covariance + factor**2 * self.x_variance

    @property
    def covariance(self) -> Fraction:
        return Fraction(self.n * self.xy - self.x * self.y, self.n * (self.n - 1))

    @property
    def x_variance(self) -> Fraction:
        return Fraction(self.n * self.xx - self.x**2, self.n * (self.n - 1))


def welch(treated: Moments, control: Moments, confidence: float = CONFIDENCE) -> Estimate:
    """The difference of two means, treated less control, where the spreads may differ.

    Welch, B. L. (1947), *The generalization of "Student's" problem when several different
    population variances are involved*, Biometrika 34, 28-35.
    """
    unknown = Estimate(confidence=confidence, method="welch", n=treated.n + control.n)
    if not (treated.n and control.n):
        return attrs.evolve(unknown, reason=_FEW)
    known = attrs.evolve(unknown, estimate=float(treated.mean - control.mean))
    if treated.n < 2 or control.n < 2:
        return attrs.evolve(known, reason=_FEW)
    arms = [(arm.variance / arm.n, arm.n) for arm in (treated, control)]
    return _with_interval(known, treated.mean - control.mean, arms)


def relative(treated: Moments, control: Moments, confidence: float = CONFIDENCE) -> Estimate:
    """The difference of two means as a share of the control's: 0.1 is a tenth more.

    By the delta method: variance v_T/C² + v_C·T²/C⁴ of T/C - 1. Deng, A., Knoblich, U. and Lu, J.
    (2018), *Applying the delta method in metric analytics*, KDD '18, 233-242. There is no interval
    where the control's mean is less than 4 of its standard errors above 0.
    """
    unknown = Estimate(confidence=confidence, method="relative", n=treated.n + control.n)
    if not (treated.n and control.n):
        return attrs.evolve(unknown, reason=_FEW)
    base, mean = control.mean, treated.mean
    if base <= 0:
        return attrs.evolve(unknown, reason="the control's mean is not above 0")
    known = attrs.evolve(unknown, estimate=float(mean / base - 1))
    if treated.n < 2 or control.n < 2:
        return attrs.evolve(known, reason=_FEW)
    arms = [(arm.variance / arm.n, arm.n) for arm in (treated, control)]
    if _SURE**2 * arms[1][0] > base**2:
        return attrs.evolve(known, reason="the control's mean is too unsure to divide by")
    variance = arms[0][0] / base**2 + arms[1][0] * mean**2 / base**4
    return _with_interval(known, mean / base - 1, arms, variance)


def ratio(rows: Pairs, confidence: float = CONFIDENCE) -> Estimate:
    """Sum of y over sum of x, such as revenue per checkout, where a customer has several checkouts.

    By the delta method over customers: variance (s²_y - 2R·s_xy + R²·s²_x) / (n·x̄²). Deng et al.
    (2018), as for `relative`.
    """
    unknown = Estimate(confidence=confidence, method="ratio", n=rows.n)
    if rows.x <= 0:
        return attrs.evolve(unknown, reason="nothing to divide by")
    value = Fraction(rows.y, rows.x)
    known = attrs.evolve(unknown, estimate=float(value))
    if rows.n < 2:
        return attrs.evolve(known, reason="fewer than two customers")
    one = _with_interval(known, value, [(ratio_variance(rows), rows.n)])
    return attrs.evolve(one, p_value=None)  # that a ratio is 0 is no question


def ratio_difference(treated: Pairs, control: Pairs, confidence: float = CONFIDENCE) -> Estimate:
    """The difference of two ratios, treated less control, each as in `ratio`."""
    unknown = Estimate(confidence=confidence, method="ratio", n=treated.n + control.n)
    if treated.x <= 0 or control.x <= 0:
        return attrs.evolve(unknown, reason="nothing to divide by")
    value = Fraction(treated.y, treated.x) - Fraction(control.y, control.x)
    known = attrs.evolve(unknown, estimate=float(value))
    if treated.n < 2 or control.n < 2:
        return attrs.evolve(known, reason=_FEW)
    arms = [(ratio_variance(arm), arm.n) for arm in (treated, control)]
    return _with_interval(known, value, arms)


def cuped(treated: Pairs, control: Pairs, confidence: float = CONFIDENCE) -> Estimate:
    """The difference of two means of y, less what x, known before, explains of it.

    Y - θ(X - X̄) with θ = cov(Y, X)/var(X) over both arms together. Deng, A., Xu, Y., Kohavi, R. and
    Walker, T. (2013), *Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data*, WSDM '13, 123-132.
    """
    unknown = Estimate(confidence=confidence, method="cuped", n=treated.n + control.n)
    if treated.n < 2 or control.n < 2:
        return attrs.evolve(unknown, reason=_FEW)
    both = treated + control
    slope = both.covariance / both.x_variance if both.x_variance else Fraction(0)
    means = [Fraction(arm.y, arm.n) - slope * Fraction(arm.x, arm.n) for arm in (treated, control)]
    value = means[0] - means[1]
    known = attrs.evolve(unknown, estimate=float(value))
    return _with_interval(
        known, value, [(arm.less(slope) / arm.n, arm.n) for arm in (treated, control)]
    )


def of_orders(one: Estimate, orders: int) -> Estimate:
    """An estimate of money from so many orders, with what must be true where these are few."""
    if one.low is None or orders >= ENOUGH_BUYERS:
        return one
    return attrs.evolve(one, assumes=EVEN if one.assumes is None else f"{one.assumes}, and {EVEN}")


def ratio_variance(rows: Pairs) -> Fraction:
    """Of y over x, by the delta method over customers; needs two."""
    return rows.less(Fraction(rows.y, rows.x)) * rows.n / rows.x**2


def _with_interval(
    known: Estimate,
    value: Fraction,
    arms: list[tuple[Fraction, int]],
    variance: Fraction | None = None,
) -> Estimate:
    """Limits by Welch's degrees of freedom from the variance of each arm's mean and its number.

    The variance of the value is the sum of the arms', unless it is given.
    """
    whole = sum((part for part, _ in arms), Fraction(0))
    spread = whole if variance is None else variance
    if spread == 0:
        why = "no spread to judge by: all values in an arm are the same"
        return attrs.evolve(known, reason=why)
    degrees = float(whole**2 / sum((part**2 / (n - 1) for part, n in arms), Fraction(0)))
    error = sqrt(spread)
    half = t_quantile((1 - known.confidence) / 2, degrees) * error
    return attrs.evolve(
        known,
        low=float(value) - half,
        high=float(value) + half,
        standard_error=error,
        p_value=2 * t_tail(abs(float(value)) / error, degrees),
    )
