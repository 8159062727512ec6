"""What a sink could not keep: counted, and written to the log once it works again."""

import errno
import operator
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice, repeat
from typing import Literal, NamedTuple

from lastclick.events import Event, EventsLost, new_id, parse_line
from lastclick.sinks._lines import Head, head, is_record
from lastclick.sinks._sink import RECORDS

#: So many losses may wait one by one before they are added up by funnel and reason.
_ADD_UP_AT = 256

#: The codes under which losses are counted; what is not here is an "io_error".
_REASONS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "file_too_large",
    errno.EROFS: "not_writable",
    errno.EACCES: "not_writable",
    errno.EPERM: "not_writable",
    errno.ENOENT: "no_directory",
    errno.ENOTDIR: "no_directory",
    errno.EMFILE: "too_many_open_files",
    errno.ENFILE: "too_many_open_files",
}


def reason_of(number: int | None) -> str:
    """The code for an error of the operating system, by its number."""
    return _REASONS.get(number or 0, "io_error")


class Tally:
    """A count that threads, signal handlers and finalizers may add to, exact and without a lock.

    ``self.n += 1`` may lose a step between two threads. Here a step is one call into C: it takes
    one item out of a finite `repeat`, which can tell how many are left without taking one.
    """

    __slots__ = ("_left", "add")

    def __init__(self) -> None:
        self._left = repeat(None, sys.maxsize)
        self.add: Callable[[], None] = self._left.__next__

    def add_many(self, count: int) -> None:
        """Add so many at once."""
        next(islice(self._left, count, count), None)

    @property
    def total(self) -> int:
        """How many were added."""
        return sys.maxsize - operator.length_hint(self._left)


class _Loss(NamedTuple):
    """Losses of one funnel for one reason."""

    funnel: str
    source: Literal["funnel", "sink"]
    reason: str
    kept: bool
    number: int
    since: datetime
    until: datetime

    @property
    def cause(self) -> tuple[str, str, str, bool]:
        """What losses have in common that are told together."""
        return self[:4]

    def with_more(self, other: "_Loss") -> "_Loss":
        """Both, as one."""
        return self._replace(
            number=self.number + other.number,
            since=min(self.since, other.since),
            until=max(self.until, other.until),
        )

    def record(self) -> EventsLost:
        return EventsLost(
            event_id=new_id(),
            funnel=self.funnel,
            occurred_at=datetime.now(UTC),
            source=self.source,
            reason=self.reason,
            count=self.number,
            since=self.since,
            until=self.until,
            kept=self.kept,
        )


class Losses:
    """The losses of one sink: totals for its stats, and records that the log is still owed.

    It holds no lock, so that it can be called from a signal handler or a finalizer at any point:
    every change is one append to, or one pop from, a deque. Whoever pops a loss owns it, and
    either writes it or appends it again.
    """

    def __init__(self) -> None:
        self._lost: dict[str, Tally] = {}
        self._owed: deque[_Loss] = deque()

    @property
    def lost(self) -> dict[str, int]:
        """Shopper events lost so far, by reason."""
        return {reason: tally.total for reason, tally in self._lost.copy().items()}

    @property
    def owed(self) -> int:
        """How many records the log is owed: one for each funnel and reason."""
        return len(_added_up(self._owed.copy()))

    def __bool__(self) -> bool:
        return bool(self._owed)

    def count(self, event: Event | Head, reason: str) -> None:
        """Count one lost event in the totals. The library's own records are no losses."""
        if event.type not in RECORDS:
            self._lost.setdefault(reason, Tally()).add()

    def owe(self, event: Event | Head, reason: str) -> None:
        """Owe the log the fact that this event was lost, or this very record of other losses."""
        if isinstance(event, EventsLost):
            loss = _Loss(
                event.funnel,
                event.source,
                event.reason,
                event.kept,
                event.count,
                event.since,
                event.until,
            )
        else:
            at = event.occurred_at
            loss = _Loss(event.funnel, "sink", reason, False, 1, at, at)
        self._owed.append(loss)
        if len(self._owed) > _ADD_UP_AT:
            self._owed.extend(self._take())

    def lose(self, line: bytes, reason: str) -> None:
        """Count and owe the event of a line that was accepted before; a declaration is no loss."""
        if not is_record(line):
            event = head(line)
            assert event is not None, line
            self.count(event, reason)
            self.owe(event, reason)
        elif isinstance(record := parse_line(line), EventsLost):
            self.owe(record, reason)

    def records(self) -> list[EventsLost]:
        """All records that are owed; they are the caller's to keep from now on."""
        return [loss.record() for loss in self._take()]

    def write(self, append: Callable[[bytes], None]) -> None:
        """Write all records that are owed.

        Args:
            append: Writes one line; what it raises ends the writing, the rest stays owed.
        """
        rest = self._take()
        try:
            while rest:
                append(rest[-1].record().line + b"\n")
                rest.pop()
        finally:
            self._owed.extend(rest)

    def _take(self) -> list[_Loss]:
        # Only as many as there are now: others may go on appending while we pop.
        taken = []
        with suppress(IndexError):  # another thread was faster; what was taken until then counts
            for _ in range(len(self._owed)):
                taken.append(self._owed.popleft())  # noqa: PERF401
        return _added_up(taken)


def _added_up(losses: Iterable[_Loss]) -> list[_Loss]:
    sums: dict[tuple[str, str, str, bool], _Loss] = {}
    for loss in losses:
        same = sums.get(loss.cause)
        sums[loss.cause] = loss if same is None else same.with_more(loss)
    return list(sums.values())
