"""Rows as the sums that estimators take."""

from collections.abc import Iterable, Sequence

from lastclick.metrics._means import Moments, Pairs


def moments(values: Iterable[int]) -> Moments:
    """The sums of one value a row."""
    rows = list(values)
    return Moments(len(rows), sum(rows), sum(value * value for value in rows))


def pairs(y: Sequence[int], x: Sequence[int]) -> Pairs:
    """The sums of two values a row."""
    products = sum(one * other for one, other in zip(y, x, strict=True))
    return Pairs(
        len(y), sum(y), sum(x), sum(one * one for one in y), sum(one * one for one in x), products
    )


def histogram(values: Iterable[int]) -> dict[int, int]:
    """How often each value occurs."""
    counted: dict[int, int] = {}
    for value in values:
        counted[value] = counted.get(value, 0) + 1
    return counted
