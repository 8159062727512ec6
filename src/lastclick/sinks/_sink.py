"""What a sink is, and what it says about itself."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

from lastclick.events import Event

#: Types of the library's own records: written to the log, but no facts about a shopper, so they
#: are not counted as written or lost.
DECLARED = "funnel_declared"
LOST = "events_lost"
RECORDS = frozenset({DECLARED, LOST})


@runtime_checkable
class Sink(Protocol):
    """Where events go. Anything with these three methods is a sink; none of them is async.

    A sink uses ``event.line`` (the event as bytes, without a newline), ``event.type``,
    ``event.funnel`` and ``event.occurred_at``. An event is kept when `emit` has returned; failing
    is raising `DeliveryError`, and nothing else. `lastclick.testing.SinkContract` is the
    test-suite for a sink of your own.

    A sink that deletes what it has kept says so by an attribute ``keep_for``, a `timedelta`: a
    `Funnel` refuses one below its abandon_after + recover_within.

    Example:
        >>> class Printed:
        ...     def emit(self, event: Event, /) -> None:
        ...         print(event.line.decode())
        ...
        ...     def flush(self, timeout: float) -> bool:
        ...         return True
        ...
        ...     def close(self, timeout: float) -> bool:
        ...         return True
        >>> isinstance(Printed(), Sink)
        True

    .. versionadded:: 0.1.0
    """

    def emit(self, event: Event, /) -> None:
        """Keep the event, or raise `DeliveryError`."""
        ...

    def flush(self, timeout: float) -> bool:
        """Write or send what is waiting; say whether nothing waits any more.

        Args:
            timeout: Seconds after which to give up and return False.
        """
        ...

    def close(self, timeout: float) -> bool:
        """Flush, then refuse what comes; may be called again. Says what `flush` says."""
        ...


class SinkStats(NamedTuple):
    """What a sink did in this process, in numbers of shopper events.

    Attributes:
        written: Events that are kept.
        pending: What waits to be written: events of a sink that batches, loss records and
            declarations of one that could not write.
        lost: Events that were not kept, by reason.

    Example:
        >>> from lastclick.sinks import MemorySink
        >>> MemorySink().stats
        SinkStats(written=0, pending=0, lost={})

    .. versionadded:: 0.1.0
    """

    written: int
    pending: int
    lost: Mapping[str, int]
