"""The bootstrap: seeded, and right where everything can be counted out."""

from __future__ import annotations

from statistics import fmean, median

import pytest

from lastclick.metrics._bootstrap import bootstrap


def test_interval_is_that_of_all_resamples() -> None:
    """Of 1, 2, 6 the 27 resamples can be listed: their 2.5 % and 97.5 % points are 1 and 6."""
    got = bootstrap([1, 2, 6], fmean, seed=1, draws=4_000)

    assert (got.estimate, got.low, got.high) == (3.0, 1.0, 6.0)


def test_equal_seeds_give_equal_intervals() -> None:
    """A figure can be had again, and another seed moves it a little."""
    rows = [round(1.2**at) for at in range(40)]

    one, again, other = (bootstrap(rows, median, seed=seed, draws=500) for seed in (1, 1, 2))

    assert one == again
    assert one.estimate == other.estimate
    assert (one.low, one.high) != (other.low, other.high)


@pytest.mark.parametrize("rows", [[], [7]])
def test_one_row_is_too_few(rows: list[int]) -> None:
    """From one row nothing can be drawn but itself."""
    got = bootstrap(rows, fmean, seed=1)

    assert got.estimate is got.low is None
    assert got.reason == "fewer than two rows"
