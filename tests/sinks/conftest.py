"""What the tests of sinks share."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def senders_end_with_their_test() -> Iterator[None]:
    """One that a failing test leaves would go on trying, and log into the tests after it."""
    yield
    http = sys.modules.get("lastclick.sinks.http")
    for running in [] if http is None else [*http._all_running]:
        running.sender.stop()
