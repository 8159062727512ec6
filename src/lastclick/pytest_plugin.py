"""The pytest plugin: fixtures over `lastclick.testing`, and a word on tests that sell for real.

pytest loads it wherever lastclick is installed, so it imports the rest of lastclick only where
a test asks for it.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pytest

if TYPE_CHECKING:
    from lastclick._funnel import Funnel
    from lastclick.sinks import MemorySink
    from lastclick.testing import FrozenClock

_MARKER = "lastclick_real_sink"

#: What the real sinks had been given before the test, and those that were told of.
_BEFORE = pytest.StashKey[Mapping[Any, int]]()
_TOLD = pytest.StashKey[WeakSet[Any]]()


@pytest.fixture
def lastclick_clock() -> "FrozenClock":
    """A clock that stands at the present until the test turns it."""
    from lastclick.testing import FrozenClock

    return FrozenClock()


@pytest.fixture
def lastclick_capture(
    lastclick_clock: "FrozenClock",
) -> "Iterator[Callable[[Funnel[Any]], MemorySink]]":
    """A function that captures a funnel until the test ends, and returns what it records.

    The funnel's clock is `lastclick_clock` meanwhile.
    """
    from lastclick.testing import capture

    with ExitStack() as captures:
        yield lambda funnel: captures.enter_context(capture(funnel, clock=lastclick_clock))


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", f"{_MARKER}: the test means to record to a real log or receiver of lastclick"
    )
    config.stash[_TOLD] = WeakSet()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Remember what the sinks had been given before the test and its fixtures."""
    item.stash[_BEFORE] = _given()
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Warn where a real sink was given something."""
    yield
    before, told = item.stash[_BEFORE], item.config.stash[_TOLD]
    for sink, given in _given().items():
        if given > before.get(sink, 0) and sink not in told:
            _tell(item, sink)


def _given() -> Mapping[Any, int]:
    """The sinks and what they were given; nothing is imported to find that there is none."""
    if "lastclick.sinks" not in sys.modules:
        return {}
    from lastclick.testing._real_sinks import given

    return given()


def _tell(item: pytest.Item, sink: object) -> None:
    from lastclick.testing._real_sinks import is_real, warning_of

    chosen = item.config.getoption("basetemp")  # pytest's temporary directory, where it was chosen
    if not is_real(sink, [Path(chosen)] if chosen else []):
        return
    if item.get_closest_marker(_MARKER) is None:
        item.config.stash[_TOLD].add(sink)
        item.warn(warning_of(sink))
