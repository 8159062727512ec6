"""The segments of one sink, one after the other."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from lastclick.sinks._segment import Segment
from lastclick.sinks._sync import Unsynced
from lastclick.sinks._upkeep import Upkeep

#: How often, in seconds, a sink looks whether its segment was taken away. Not at each event:
#: that would be a second system call.
_CHECK_EVERY_S = 1.0

#: How long to wait for another thread that opens the first segment, before opening one as well.
_OPENING_TAKES_S = 1.0


class Segments:
    """The segment that a sink writes to: opened with the first event, and gone on from.

    Args:
        directory: Where they go.
        upkeep: Asked whenever there may be work for it.
        max_bytes: A segment ends before it would grow larger than this.
        max_age_s: A segment ends with the first event after so many seconds.
        power: Every append waits for the disk.
        monotonic: The clock that ages are read from, in seconds.
    """

    def __init__(
        self,
        directory: Path,
        upkeep: Upkeep,
        *,
        max_bytes: int,
        max_age_s: float,
        power: bool,
        monotonic: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._upkeep = upkeep
        self.max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._power = power
        self._monotonic = monotonic
        #: What is opened from now on is for one line only.
        self.closed = False
        #: The latest declaration of each funnel: the head of every new segment.
        self.declarations: dict[str, bytes] = {}
        self.begin()

    def begin(self) -> None:
        """Start with none. What threads of a forked child's parent may hold is made anew."""
        self.current: Segment | None = None
        #: A declaration could not be written; the next segment's head will have it.
        self.undeclared = False
        self.unsynced = Unsynced(self._directory, self._monotonic)
        self._opening = threading.RLock()

    def begin_in_child(self) -> None:
        """Start with none in a forked child; the one there was is the parent's."""
        if self.current is not None:
            # Closed by hand: frames of threads that did not survive the fork may refer to it.
            self.current.close()
        self.begin()

    def close(self) -> None:
        """Let go of the last one. Its file is closed when the last thread has written its line."""
        self.closed = True
        self.current = None

    def fitting(self, lines: Sequence[bytes], segment: Segment) -> Sequence[bytes]:
        """As many lines (their newlines are still to come) as have room; one at least."""
        room = self.max_bytes - segment.size
        if sum(map(len, lines)) + len(lines) <= room:
            return lines
        number = 0
        while (room := room - len(lines[number]) - 1) >= 0:
            number += 1
        return lines[: max(1, number)]

    def leave_spoilt(self) -> None:
        """Go on in a new one, if nothing may follow what is in this one."""
        segment = self.current
        if segment is not None and segment.spoilt:
            self.current = None

    def pick(self, more: int = 0) -> Segment:
        """The segment to write to; a new one if it is time for that."""
        segment = self.current
        now = self._monotonic()
        if segment is not None and segment.is_gone():
            segment = self.current = None
        if segment is None:
            segment = self._open_first()
            self._upkeep.ask()  # for what dead processes left
        elif now >= segment.ends_at or segment.size + more > self.max_bytes:
            segment = self._rotate(segment)
        segment.check_at = min(now + _CHECK_EVERY_S, segment.ends_at)
        return segment

    # The lock is around opening only, so that threads which come at the same time do not make a
    # file each. Nobody needs it to be right: without it there would be a segment more, and no
    # event less. That is why nobody waits for it for long, and nothing can deadlock:
    # - a signal handler or a finalizer that interrupts its owner is the same thread, and an RLock
    #   lets it in; the owner then finds that somebody was faster and discards its own file;
    # - a finalizer that waits for the lock of one sink within the lock of another, while another
    #   thread does the reverse, gives up in time and opens a segment of its own;
    # - a forked child has a new lock.

    def _open_first(self) -> Segment:
        """Open a segment where there is none; wait for a thread that is at it."""
        lock = self._opening
        locked = lock.acquire(timeout=_OPENING_TAKES_S)
        try:
            return self._open(None)
        finally:
            if locked:
                lock.release()

    def _rotate(self, seen: Segment) -> Segment:
        """Open the next segment, unless somebody is at it or it fails: the old one still works."""
        lock = self._opening
        if not lock.acquire(blocking=False):
            return seen
        try:
            return self._open(seen)
        except OSError:
            return seen
        finally:
            lock.release()

    def _open(self, seen: Segment | None) -> Segment:
        """Put a new segment in the place of the one that was seen there."""
        if self.current is seen:
            ends_at = self._monotonic() + self._max_age_s
            fresh = Segment(self._directory, self.declarations.copy(), ends_at, power=self._power)
            if self.current is seen:
                self.unsynced.add(fresh)
                self.current = None if self.closed else fresh
                self.undeclared = False
                if seen is not None:
                    seen.on_close = self._upkeep.ask
                return fresh
            fresh.discard()  # a signal handler was faster
        # None where somebody's write has just failed and put an end to the one there was.
        return self.current or self._open(None)
