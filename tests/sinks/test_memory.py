"""The sink for tests and notebooks."""

import pytest

from lastclick.errors import DeliveryError
from lastclick.sinks import MemorySink, SinkStats
from tests.sinks.logs import declared, entered, lost


def test_events_are_what_the_shop_recorded() -> None:
    """Declarations and losses are in the records, not in the events."""
    sink = MemorySink()
    emitted = [declared(), entered(1), lost(3), entered(2)]

    for event in emitted:
        sink.emit(event)

    assert sink.records == emitted
    assert sink.events == [entered(1), entered(2)]


def test_stats_count_shopper_events() -> None:
    """Declarations and losses are not counted as written."""
    sink = MemorySink()

    for event in (declared(), entered(1), lost(3), entered(2)):
        sink.emit(event)

    assert sink.stats == SinkStats(written=2, pending=0, lost={})


def test_a_closed_sink_counts_what_it_refuses() -> None:
    """What comes after a close raises, is counted, and is not kept."""
    sink = MemorySink()
    sink.emit(entered(1))
    sink.close(0)

    for number in (2, 3):
        with pytest.raises(DeliveryError, match="closed; it refused a step_entered"):
            sink.emit(entered(number))

    assert sink.events == [entered(1)]
    assert sink.stats == SinkStats(written=1, pending=0, lost={"closed": 2})


def test_its_repr_says_how_much_it_holds() -> None:
    """The repr fits a line however many events there are."""
    sink = MemorySink()
    sink.emit(entered())

    assert repr(sink) == "<MemorySink with 1 records>"


def test_stats_cannot_be_changed() -> None:
    """Stats are a value: changing them would change nothing."""
    sink = MemorySink()
    stats = sink.stats

    with pytest.raises(AttributeError):
        stats.written = 5
    stats.lost["closed"] = 5
    assert repr(sink.stats) == "SinkStats(written=0, pending=0, lost={})"
