"""Intervals of statistics that have no formula, by drawing from what was seen."""

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from lastclick.metrics._estimate import CONFIDENCE, Estimate

Row = TypeVar("Row")


def bootstrap(
    rows: Sequence[Row],
    statistic: Callable[[Sequence[Row]], float],
    *,
    seed: int,
    draws: int = 2_000,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """A statistic with the percentile interval of its values in samples drawn from the rows.

    Efron, B. and Tibshirani, R. J. (1993), *An Introduction to the Bootstrap*, 13.3. It needs the
    rows, which counts do not have, and it does not help where buyers are few: see the simulations.

    Args:
        rows: Customers, so that what hangs together is drawn together.
        statistic: A figure of such rows.
        seed: Equal seeds give equal intervals.
        draws: How many samples.
        confidence: Of the interval.
    """
    n = len(rows)
    if n < 2:
        return Estimate(
            confidence=confidence, method="bootstrap", n=n, reason="fewer than two rows"
        )
    random = Random(seed)
    values = sorted(statistic(random.choices(rows, k=n)) for _ in range(draws))
    out = int(draws * (1 - confidence) / 2)
    return Estimate(
        estimate=statistic(rows),
        low=values[out],
        high=values[-1 - out],
        confidence=confidence,
        method="bootstrap",
        n=n,
    )
