"""Times between steps, exactly, from histograms of whole seconds."""

from collections.abc import Mapping
from fractions import Fraction

import attrs

from lastclick.metrics._counts import Key
from lastclick.metrics._estimate import Estimate
from lastclick.metrics._quantiles import quantile

_HALF, _MOST = Fraction(1, 2), Fraction(9, 10)


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


def seconds_quantiles(counts: Mapping[Key, int], step: str) -> tuple[Estimate, Estimate]:
    """The median and p90 of the times from one step to the next, with their limits."""
    histogram = {
        int(key[2]): n for key, n in counts.items() if key[0] == "seconds" and key[1] == step
    }
    return quantile(histogram, _HALF), quantile(histogram, _MOST)
