"""The sink for tests and notebooks."""

from typing import get_args

from lastclick.errors import DeliveryError
from lastclick.events import Event, ShopperEvent
from lastclick.sinks._losses import Losses
from lastclick.sinks._sink import RECORDS, SinkStats


class MemorySink:
    """Keeps events in a list; for tests and notebooks.

    Attributes:
        records: All that was emitted, declarations and losses too, in the order of arrival.

    Example:
        >>> from lastclick.events import StepEntered
        >>> sink = MemorySink()
        >>> common = {"funnel": "checkout", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> sink.emit(StepEntered(event_id="e-1", checkout_id="c-1", step="cart", **common))
        >>> [event.step for event in sink.events]
        ['cart']

    .. versionadded:: 0.1.0
    """

    def __init__(self) -> None:
        self.records: list[Event] = []
        self._closed = False
        self._losses = Losses()

    def __repr__(self) -> str:
        return f"<MemorySink with {len(self.records)} records>"

    @property
    def events(self) -> list[ShopperEvent]:
        """What the shop recorded, which is `records` without declarations and losses."""
        return [event for event in list(self.records) if isinstance(event, _SHOPPER_EVENTS)]

    @property
    def stats(self) -> SinkStats:
        """How many events were kept, and how many came after `close`."""
        written = sum(event.type not in RECORDS for event in list(self.records))
        return SinkStats(written=written, pending=0, lost=self._losses.lost)

    def emit(self, event: Event, /) -> None:
        """Keep the event.

        Raises:
            DeliveryError: The sink is closed.
        """
        if self._closed:
            self._losses.count(event, "closed")
            raise DeliveryError(f"this MemorySink is closed; it refused a {event.type}", "closed")
        self.records.append(event)

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - there is nothing to wait for
        """Nothing ever waits: True."""
        return True

    def close(self, timeout: float) -> bool:  # noqa: ARG002 - there is nothing to wait for
        """Refuse what comes from now on; what is kept can still be read."""
        self._closed = True
        return True


_SHOPPER_EVENTS = get_args(ShopperEvent)
