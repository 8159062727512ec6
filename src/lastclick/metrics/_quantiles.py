"""Quantiles of whole numbers from their histogram: value -> how often."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from fractions import Fraction
from itertools import accumulate

import attrs

from lastclick.metrics._distributions import binomial_tail
from lastclick.metrics._estimate import CONFIDENCE, Estimate


def quantile(
    histogram: Mapping[int, int], share: Fraction, confidence: float = CONFIDENCE
) -> Estimate:
    """The value below which a share of all lies, with limits that need no distribution.

    The estimate is linear between order statistics, at rank (n - 1)·share: type 7 of Hyndman, R. J.
    and Fan, Y. (1996), *Sample quantiles in statistical packages*, The American Statistician 50.
    The limits are order statistics themselves, chosen by the binomial distribution: David, H. A.
    and Nagaraja, H. N. (2003), *Order Statistics*, 3rd ed., 7.1. Few values have none.

    Args:
        histogram: How often each value occurs.
        share: Strictly between 0 and 1; a half is the median.
        confidence: At least this often the interval holds the truth.
    """
    values = sorted(value for value, number in histogram.items() if number)
    ends = list(accumulate(histogram[value] for value in values))
    n = ends[-1] if ends else 0
    unknown = Estimate(confidence=confidence, method="order statistics", n=n)
    if n == 0:
        return attrs.evolve(unknown, reason="no values")

    def at(place: int) -> int:
        """The value at a place among the sorted values, from 0."""
        return values[bisect_right(ends, place)]

    rank = (n - 1) * share
    below = rank.numerator // rank.denominator
    one = at(below)
    estimate = float(one + (rank - below) * (at(min(below + 1, n - 1)) - one))
    # How many values lie at or below the quantile is binomial; places count from 1 here.
    p, tail = float(share), (1 - confidence) / 2
    places = range(1, n + 1)
    low = bisect_right(places, tail, key=lambda k: binomial_tail(n - k + 1, n, 1 - p))
    high = 1 + bisect_left(places, -tail, key=lambda k: -binomial_tail(k, n, p))
    return attrs.evolve(
        unknown,
        estimate=estimate,
        low=float(at(low - 1)) if low >= 1 else None,
        high=float(at(high - 1)) if high <= n else None,
        reason=None if low >= 1 and high <= n else "too few values for both ends",
    )
