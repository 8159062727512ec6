"""What every sink owes, asked of the sinks that come with lastclick."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lastclick.errors import DeliveryError
from lastclick.events import Event
from lastclick.sinks import FileSink, MemorySink, Sink
from lastclick.testing import SinkContract
from tests.sinks.logs import content, segments


class TestMemorySink(SinkContract):
    @pytest.fixture
    def sink(self) -> MemorySink:
        return MemorySink()

    def arrived(self, sink: MemorySink) -> list[Event]:
        return sink.records


class TestFileSink(SinkContract):
    @pytest.fixture(params=["process", "power", "exit"])
    def sink(self, request: pytest.FixtureRequest, tmp_path: Path) -> FileSink:
        return FileSink(tmp_path, durability=request.param)

    def arrived(self, sink: FileSink) -> Iterator[bytes]:
        for segment in segments(sink.directory):
            yield from content(segment).splitlines()


class TestFileSinkThatRotates(TestFileSink):
    @pytest.fixture(params=["process", "exit"])
    def sink(self, request: pytest.FixtureRequest, tmp_path: Path) -> FileSink:
        return FileSink(tmp_path, durability=request.param, max_bytes=1000)


class Broken(MemorySink):
    """A sink with one fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def emit(self, event: Event, /) -> None:
        if self.fault == "loses" and event.type == "step_failed":
            return
        if self.fault == "never closes":
            self._closed = False
        super().emit(event)

    def flush(self, timeout: float) -> bool:
        return self.fault != "never flushes"


@pytest.mark.parametrize(
    ("fault", "test", "message"),
    [
        ("loses", SinkContract.test_every_kind_of_event_arrives_unchanged, "lost: "),
        ("never flushes", SinkContract.test_an_event_may_come_twice, "could not flush"),
        ("never closes", SinkContract.test_a_closed_sink_refuses, "did not raise DeliveryError"),
    ],
)
def test_the_contract_finds_a_fault(fault: str, test, message: str) -> None:
    """A sink that breaks the contract fails the suite with a message that says how."""
    with pytest.raises(AssertionError, match=message):
        test(TestMemorySink(), Broken(fault))


def test_the_contract_asks_for_a_way_to_read_back() -> None:
    """Who forgets `arrived` is told what to write."""
    with pytest.raises(AssertionError, match=r"define arrived\(self, sink\)"):
        SinkContract().test_nothing_arrives_by_itself(MemorySink())


def test_a_sink_needs_three_methods() -> None:
    """Anything with emit, flush and close is a sink; less is not."""

    class NoClose:
        def emit(self, event: Event, /) -> None: ...

        def flush(self, timeout: float) -> bool:
            return True

    assert not isinstance(NoClose(), Sink)
    with pytest.raises(AssertionError, match="needs emit"):
        TestMemorySink().test_it_is_a_sink(NoClose())


def test_an_inherited_suite_raises_only_what_a_sink_may() -> None:
    """A refusing sink raises DeliveryError, which is an OSError with a reason."""
    sink = MemorySink()
    sink.close(0)

    with pytest.raises(DeliveryError) as caught:
        TestMemorySink().test_an_event_may_come_twice(sink)

    assert caught.value.reason == "closed"
    assert isinstance(caught.value, OSError)
