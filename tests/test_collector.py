"""The collector of cyclic garbage: it looks less often while somebody counts, then as before."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from lastclick import _collector, measure
from lastclick._collector import fewer_looks
from lastclick.errors import ConfigError
from tests.metrics.shop import declared, entered


@pytest.fixture(autouse=True)
def threshold() -> Iterator[tuple[int, int, int]]:
    """A threshold that is no default."""
    before = gc.get_threshold()
    gc.set_threshold(701, 11, 12)
    yield gc.get_threshold()
    gc.set_threshold(*before)


def test_it_looks_less_often_and_then_as_before(threshold: tuple[int, int, int]) -> None:
    """Only the youngest objects are looked at less often."""
    with fewer_looks():
        during = gc.get_threshold()

    assert during == (_collector._LOOK_AFTER, *threshold[1:])
    assert gc.get_threshold() == threshold


def test_the_last_of_several_restores_it(threshold: tuple[int, int, int]) -> None:
    """Where two threads count, the one that ends last restores it, and not the first one."""
    first, second = fewer_looks(), fewer_looks()
    first.__enter__()
    second.__enter__()

    first.__exit__(None, None, None)
    between = gc.get_threshold()
    second.__exit__(None, None, None)

    assert between[0] == _collector._LOOK_AFTER
    assert gc.get_threshold() == threshold


@pytest.mark.parametrize("youngest", [0, 1_000_000])
def test_who_wants_it_off_or_rarer_is_heeded(youngest: int) -> None:
    """A collector that is off by its threshold stays off, and a rare one stays rare."""
    gc.set_threshold(youngest, 11, 12)

    with fewer_looks():
        during = gc.get_threshold()

    assert during == gc.get_threshold() == (youngest, 11, 12)


def test_counting_restores_it_whatever_happens(threshold: tuple[int, int, int]) -> None:
    """After a report and after an error it is as before, and during a report it is not."""
    seen = []

    def events() -> Iterator[object]:
        yield declared()
        seen.append(gc.get_threshold()[0])
        yield entered("c-1", "cart", 0)

    measure(events())
    with pytest.raises(ConfigError):
        measure([])

    assert seen == [_collector._LOOK_AFTER]
    assert gc.get_threshold() == threshold
