"""Tails and quantiles of the normal, Student's t, chi-square and binomial distributions.

A tail is computed as a tail and never as 1 - cdf, which would have no digit left below 1e-16.
"""

from math import erfc, exp, inf, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist

_NORMAL = NormalDist()
_SQRT2 = sqrt(2)

#: Above so many degrees of freedom t comes from the normal: log-gamma would lose more digits.
_LARGE = 1e5


def two_sided(confidence: float) -> float:
    """The z that a normal exceeds, in absolute value, with chance 1 - confidence."""
    return -_NORMAL.inv_cdf((1 - confidence) / 2)


def normal_quantile(tail: float) -> float:
    """The z that a normal exceeds with this chance."""
    return -_NORMAL.inv_cdf(tail)


def normal_tail(z: float) -> float:
    """Chance that a normal exceeds z."""
    return erfc(z / _SQRT2) / 2


def t_tail(t: float, degrees: float) -> float:
    """Chance that Student's t exceeds t."""
    if t < 0:
        return 1 - t_tail(-t, degrees)
    square = t * t / degrees
    if square == inf:
        return 0.0
    if degrees > _LARGE:
        # Abramowitz & Stegun (1964), 26.7.8
        return normal_tail(t * (1 - 1 / (4 * degrees)) / sqrt(1 + square / 2))
    return _beta(1 / (1 + square), square / (1 + square), degrees / 2, 0.5) / 2


def t_quantile(tail: float, degrees: float) -> float:
    """The t that Student's t exceeds with this chance, which is below a half.

    By Newton's method from the normal's, which is smaller: the tail is convex, so it climbs to the
    quantile and never past it.
    """
    scale = exp(lgamma((degrees + 1) / 2) - lgamma(degrees / 2)) / sqrt(degrees * pi)
    t, step = normal_quantile(tail), inf
    while step > 1e-12 * t:
        density = scale * exp(-(degrees + 1) / 2 * log1p(t * t / degrees))
        step = (t_tail(t, degrees) - tail) / density
        t += step
    return t


def chi_square_tail(x: float, degrees: int) -> float:
    """Chance that a chi-square of whole degrees of freedom exceeds x."""
    if x <= 0:
        return 1.0
    half = x / 2
    # The finite sums of Abramowitz & Stegun (1964), 26.4.4 and 26.4.5, each term as a logarithm.
    odd = degrees % 2
    total = erfc(sqrt(half)) if odd else 0.0
    for index in range(degrees // 2):
        power = index + odd / 2
        total += exp(power * log(half) - half - lgamma(power + 1))
    return total


def binomial_tail(at_least: int, n: int, p: float) -> float:
    """Chance of at least so many of n, each with chance p, 0 < p < 1."""
    if at_least <= 0:
        return 1.0
    if at_least > n:
        return 0.0
    return _beta(p, 1 - p, at_least, n - at_least + 1)


def _beta(x: float, rest: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), where rest is 1 - x, and x above 0."""
    if rest == 0:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(rest))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(rest, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of I_x(a, b), by the modified method of Lentz.

    Press, W. H. et al. (2007), *Numerical Recipes*, 3rd ed., 6.4; Abramowitz & Stegun 26.5.8.
    """
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    m = 0
    step = 0.0
    while abs(step - 1) > 1e-15:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _away(1 + even * d), _away(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _away(1 + odd * d), _away(1 + odd / c)
        step = d * c
        value *= step
    return value


def _away(value: float) -> float:
    """The value, or a little where it is 0, since the fraction divides by it."""
    return value or 1e-300
