"""What every sink owes, as a test-suite to inherit."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from lastclick.errors import DeliveryError
from lastclick.events import Attributes, Event, StepEntered, new_id, parse_line
from lastclick.sinks import Sink

#: Seconds that a sink gets for a flush or a close of some hundred events.
_PATIENCE_S = 10.0

_THREADS = 8
_EVENTS_PER_THREAD = 50


class SinkContract:
    """What every sink owes, as pytest tests. Inherit it and say two things.

    A fixture ``sink`` gives a new sink that works, and `arrived` reads back what has arrived where
    the sink sends things: events, or their lines as bytes without the newline. Order does not
    matter, and a sink may deliver an event twice; it may not lose, change or invent one.

    Failing means raising `DeliveryError`, which is up to your own tests: only you know how your
    sink can be made to fail.

    Example:
        >>> import pytest
        >>> from lastclick.sinks import MemorySink
        >>> class TestMemorySink(SinkContract):
        ...     @pytest.fixture
        ...     def sink(self):
        ...         return MemorySink()
        ...
        ...     def arrived(self, sink):
        ...         return sink.records

    .. versionadded:: 0.1.0
    """

    def arrived(self, sink: Any) -> Iterable[Event | bytes]:
        """All that has arrived through this sink so far; for you to write."""
        msg = f"define arrived(self, sink), which reads back what {type(sink).__name__} delivered"
        raise AssertionError(msg)

    def test_it_is_a_sink(self, sink: Sink) -> None:
        """It has the three methods of a sink."""
        assert isinstance(sink, Sink), f"{sink!r} needs emit(event), flush(timeout), close(timeout)"

    def test_nothing_arrives_by_itself(self, sink: Sink) -> None:
        """A sink without events delivers nothing, and has nothing to flush."""
        assert sink.flush(_PATIENCE_S) is True
        assert not list(self.arrived(sink))

    def test_every_kind_of_event_arrives_unchanged(self, sink: Sink) -> None:
        """Every kind of event arrives after a flush, byte for byte."""
        events = one_of_each()

        for event in events:
            sink.emit(event)

        self._all_arrived(sink, events)

    def test_a_long_line_arrives(self, sink: Sink) -> None:
        """An event of nearly 32 KiB, and one with letters of many scripts, arrive unchanged."""
        long = Attributes({f"note {n}": "n" * 480 for n in range(62)})
        letters = Attributes({"note": 'crème brûlée, 北京, \u2028 \U0001f6d2 \\ " \n \x00'})
        events: list[Event] = [_entered(attributes=long), _entered(attributes=letters)]

        for event in events:
            sink.emit(event)

        self._all_arrived(sink, events)

    def test_an_event_may_come_twice(self, sink: Sink) -> None:
        """The same event again is no error."""
        event = _entered()

        sink.emit(event)
        sink.emit(event)

        self._all_arrived(sink, [event])

    def test_threads_may_emit_at_once(self, sink: Sink) -> None:
        """Nothing is lost or mixed up when many threads emit at the same time."""
        events: list[Event] = [_entered() for _ in range(_THREADS * _EVENTS_PER_THREAD)]

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(sink.emit, events))

        self._all_arrived(sink, events)

    def test_flush_may_be_called_at_any_time(self, sink: Sink) -> None:
        """Events may follow a flush, and a flush a flush."""
        first, second = _entered(), _entered()

        sink.emit(first)
        self._all_arrived(sink, [first])
        sink.emit(second)
        self._all_arrived(sink, [first, second])

        assert sink.flush(_PATIENCE_S) is True

    def test_close_delivers_what_was_emitted(self, sink: Sink) -> None:
        """Events emitted before a close arrive without a flush."""
        event = _entered()

        sink.emit(event)

        assert sink.close(_PATIENCE_S) is True
        assert _lines(self.arrived(sink)) == {event.line}

    def test_close_may_be_called_twice(self, sink: Sink) -> None:
        """A second close changes nothing, and neither does a flush after it."""
        sink.emit(_entered())

        assert sink.close(_PATIENCE_S) is True
        assert sink.close(_PATIENCE_S) is True
        assert sink.flush(_PATIENCE_S) is True

    def test_a_closed_sink_refuses(self, sink: Sink) -> None:
        """After a close, emit raises DeliveryError, and what was refused does not arrive."""
        kept, refused = _entered(), _entered()
        sink.emit(kept)
        sink.close(_PATIENCE_S)

        try:
            sink.emit(refused)
        except DeliveryError:
            pass
        else:
            msg = f"{sink!r} is closed, but emit() did not raise DeliveryError"
            raise AssertionError(msg)

        assert _lines(self.arrived(sink)) == {kept.line}

    def _all_arrived(self, sink: Sink, events: Iterable[Event]) -> None:
        assert sink.flush(_PATIENCE_S) is True, f"{sink!r} could not flush in {_PATIENCE_S} s"
        expected, arrived = _lines(events), _lines(self.arrived(sink))
        assert not expected - arrived, f"lost: {sorted(expected - arrived)[:3]}"
        assert not arrived - expected, f"invented: {sorted(arrived - expected)[:3]}"


def _lines(arrived: Iterable[Event | bytes]) -> set[bytes]:
    return {item if isinstance(item, bytes) else item.line for item in arrived}


def _entered(attributes: Attributes | None = None) -> StepEntered:
    return StepEntered(
        event_id=new_id(),
        funnel="checkout",
        checkout_id="c-1042",
        occurred_at=datetime.now(UTC),
        attributes=attributes or Attributes(),
        step="cart",
    )


def one_of_each() -> list[Event]:
    """One event of each kind, with most of its fields."""
    now = datetime.now(UTC).isoformat()
    cart = {"amount": "59.90", "currency": "EUR"}
    shopper = {"checkout_id": "c-1042", "customer_id": "u-7", "attributes": {"device": "mobile"}}
    reminder: dict[str, object] = {**shopper, "channel": "email", "campaign": "autumn"}
    steps = [{"name": "cart"}, {"name": "payment", "owner": "payments"}]
    limits = {"abandon_after": "PT30M", "recover_within": "P7D"}
    span = {"since": now, "until": now}
    kinds: dict[str, dict[str, object]] = {
        "funnel_declared": {"steps": steps, **limits},
        "step_entered": {**shopper, "step": "cart", "value": cart},
        "step_failed": {**shopper, "step": "payment", "reason": "card_declined"},
        "order_completed": {**shopper, "order_id": "o-981", "total": cart},
        "order_refunded": {"order_id": "o-981", "refund_id": "r-1", "amount": cart},
        "order_cancelled": {"order_id": "o-981"},
        "holdout_assigned": {**shopper, "arm": "treated", "campaign": "autumn", "share": "0.1"},
        "reminder_sent": reminder,
        "reminder_clicked": reminder,
        "survey_answered": {**shopper, "score": 4, "reason": "extra_costs", "text": "Too dear."},
        "events_lost": {"source": "funnel", "reason": "no_id", "count": 3, **span},
    }
    common = {"v": 1, "funnel": "checkout", "occurred_at": now}
    return [
        parse_line(json.dumps({**common, "type": kind, "event_id": new_id(), **own}))
        for kind, own in kinds.items()
    ]
