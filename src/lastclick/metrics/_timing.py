"""Times between steps, exactly, from histograms of whole seconds."""

from collections.abc import Mapping
from fractions import Fraction

import attrs

from lastclick.metrics._counts import Key


@attrs.frozen
class Seconds:
    """Seconds from a step to the next deeper one, or to the order.

    Attributes:
        count: Attempts that went on.
        median: In seconds, None where nobody went on.
        p90: Nine tenths went on within this many seconds; None likewise.

    Example:
        >>> from lastclick import measure
        >>> measure(events).steps["cart"].seconds
        Seconds(count=2, median=90.0, p90=114.0)

    .. versionadded:: 0.1.0
    """

    count: int
    median: float | None
    p90: float | None


def seconds(counts: Mapping[Key, int], step: str) -> Seconds:
    """The times from one step to the next.

    Quantiles are linear between order statistics, at rank (n - 1) p: type 7 of Hyndman, R. J. and
    Fan, Y. (1996), *Sample quantiles in statistical packages*, The American Statistician 50.
    """
    histogram = sorted(
        (key[2], number)
        for key, number in counts.items()
        if key[0] == "seconds" and key[1] == step and isinstance(key[2], int)
    )
    total = sum(number for _, number in histogram)
    return Seconds(
        count=total,
        median=_quantile(histogram, total, Fraction(1, 2)),
        p90=_quantile(histogram, total, Fraction(9, 10)),
    )


def _quantile(histogram: list[tuple[int, int]], total: int, share: Fraction) -> float | None:
    if total == 0:
        return None
    rank = (total - 1) * share
    below = rank.numerator // rank.denominator
    low = _at(histogram, below)
    high = _at(histogram, min(below + 1, total - 1))
    return float(low + (rank - below) * (high - low))


def _at(histogram: list[tuple[int, int]], place: int) -> int:
    """The value at a place among the sorted values."""
    seen = 0
    for value, number in histogram:
        seen += number
        if place < seen:
            return value
    raise AssertionError(place)
