"""Times between steps: quantiles from histograms are those of the values written out."""

from __future__ import annotations

import statistics
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick import measure
from lastclick.metrics import Seconds
from lastclick.metrics._timing import seconds_quantiles
from tests.metrics.shop import declared, entered, ordered


def seconds(counts: dict[tuple[str | int, ...], int], step: str) -> Seconds:
    median, p90 = seconds_quantiles(counts, step)
    return Seconds(count=median.n, median=median.estimate, p90=p90.estimate)


values = st.lists(st.integers(0, 40) | st.integers(0, 10**7), min_size=1, max_size=60)


def histogram(waits: list[int], step: str = "cart") -> dict[tuple[str | int, ...], int]:
    return {("seconds", step, wait): waits.count(wait) for wait in waits}


@given(values)
def test_quantiles_are_those_of_the_standard_library(waits: list[int]) -> None:
    """The median and p90 are the inclusive quantiles of the values themselves."""
    got = seconds(histogram(waits), "cart")

    repeated = waits * 2 if len(waits) == 1 else waits  # it wants two values
    deciles = statistics.quantiles(repeated, n=10, method="inclusive")
    assert got.count == len(waits)
    assert isclose(got.median, statistics.median(waits))
    assert isclose(got.p90, deciles[8])


def test_quantiles_are_those_of_numpy() -> None:
    """Numpy's linear method and scipy's type 7 give the same, repeats included."""
    numpy = pytest.importorskip("numpy", reason="needs the group `reference`")
    mstats = pytest.importorskip("scipy.stats.mstats", reason="needs the group `reference`")
    lists = [[5], [1, 2], [7, 7, 7, 8], list(range(11)), [0, 0, 0, 1000], [3, 1, 2] * 7]

    for waits in lists:
        got = seconds(histogram(waits), "cart")

        linear = numpy.quantile(waits, [0.5, 0.9], method="linear")
        type_7 = mstats.mquantiles(waits, [0.5, 0.9], alphap=1, betap=1)
        assert [got.median, got.p90] == pytest.approx(list(linear))
        assert [got.median, got.p90] == pytest.approx(list(type_7))


def test_repeats_weigh_as_often_as_they_came() -> None:
    """A time that came nine times out of ten is the median, and p90 lies past it."""
    counts = {("seconds", "cart", 10): 9, ("seconds", "cart", 100): 1}

    got = seconds(counts, "cart")

    assert got == Seconds(count=10, median=10.0, p90=19.0)


def test_only_the_times_of_the_step_count() -> None:
    """Other steps and other counts have no part in a step's times."""
    counts = {
        ("seconds", "cart", 60): 1,
        ("seconds", "payment", 5): 8,
        ("entered", "cart"): 7,
        ("seconds", "cart", 120): 1,
    }

    assert seconds(counts, "cart") == Seconds(count=2, median=90.0, p90=114.0)


def test_no_times_are_no_quantiles() -> None:
    """Where nobody went on there is no median, rather than 0."""
    assert seconds({}, "cart") == Seconds(count=0, median=None, p90=None)


def test_times_are_whole_seconds_to_the_next_deeper_step_or_the_order() -> None:
    """A wait is cut to whole seconds; a step passed over does not count, the order does."""
    events = [
        declared(("cart", "details", "payment")),
        entered("c-1", "cart", 0),
        entered("c-1", "payment", 1.999 / 60),
        ordered("c-1", "o-1", 2),
    ]

    report = measure(events)

    assert report.steps["cart"].seconds.median == 1.0
    assert report.steps["details"].seconds.count == 0
    assert report.steps["payment"].seconds == Seconds(count=1, median=118.0, p90=118.0)
