"""Lines that wait in memory, and the one thread that writes them.

Whoever puts a line appends it to a deque and reads a clock; nothing else. No lock is waited for,
so a signal handler or a finalizer may interrupt at any point and put a line too.
"""

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from lastclick.events import Event
from lastclick.sinks._threads import Bell, start

#: How much may wait. It does so only where the disk is stuck: a thread writes faster than others
#: can put.
_MOST_BYTES = 32 * 1024 * 1024

#: How much is written in one go.
_AT_ONCE_BYTES = 256 * 1024

#: How long, in seconds, the thread sleeps after it has written. It sleeps twice as long each time
#: that it finds nothing, and for good when it would be longer than `_LONGEST_PAUSE_S`: then it is
#: woken by the next line.
_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.4

#: How long after its next turn the thread is thought to be alive. Then the pid is looked at.
_OVERDUE_S = 1.0

#: Writes lines, which have no newline yet, then a record, and then what is owed to the log.
Write: TypeAlias = Callable[[Sequence[bytes], Event | None], None]


class _Mark:
    """Stands in the queue for somebody who waits until all that is before it was written."""

    __slots__ = ("passed",)

    def __init__(self) -> None:
        self.passed = threading.Lock()
        self.passed.acquire()


class Background:
    """The queue of one sink in one process.

    The sink hands itself in, as the method that writes, wherever it calls; the thread knows it
    weakly, so that a sink that nobody has any more can go.

    Args:
        write: The sink's method.
    """

    def __init__(self, write: Write) -> None:
        self._write = weakref.WeakMethod(write)
        self._items: deque[bytes | Event | _Mark] = deque()
        self._bytes = 0
        self._in_hand = 0
        #: By the monotonic clock: who puts a line at this time or later has to call `wake`.
        self.care_at = 0.0
        # One drains at a time, so that a mark is passed after all that was before it. Nobody waits
        # for this lock: who does not get it leaves the work to who has it.
        self._draining = threading.Lock()
        self._starting = threading.Lock()
        self._running = False
        self._ended = False
        self._bell = Bell()

    @property
    def pending(self) -> int:
        """How many lines are not written yet."""
        return len(self._items) + self._in_hand

    @property
    def empty(self) -> bool:
        """Whether nothing waits, but for what is being written."""
        return not self._items

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being written."""
        return not self._items and not self._draining.locked()

    @property
    def full(self) -> bool:
        """Whether too much waits to take more."""
        return self._bytes > _MOST_BYTES

    def put(self, line: bytes) -> bool:
        """Have a line written soon; False where too much waits already."""
        if self._bytes > _MOST_BYTES:
            return False
        size = len(line)
        self._items.append(line)
        # Threads without a common lock may lose a step; the count starts anew whenever nothing
        # waits any more.
        self._bytes += size
        return True

    def put_record(self, record: Event) -> None:
        """The same for a record of the library's own, of which there are few."""
        self._items.append(record)

    def adopt(self, other: "Background") -> None:
        """Take over what waits in another queue."""
        self._items.extend(other._items)
        self._bytes += other._bytes

    def wake(self, write: Write) -> None:
        """See to it that what waits is written: by the thread, or where there is none, here.

        A thread that is ending may be stopped with its interpreter before it looks again.
        """
        if self._running and not self._ended:
            self._bell.ring()
        elif self._ended or not self._start():
            self.drain(write)

    def flush(self, write: Write, timeout: float) -> bool:
        """Wait until all that is here now was written, or could not be; whether it was in time."""
        mark = _Mark()
        self._items.append(mark)
        if self._running:  # though it is ending: where the disk is stuck, that keeps the thread
            self._bell.ring()
        else:
            self.wake(write)
        return mark.passed.acquire(timeout=min(max(0.0, timeout), threading.TIMEOUT_MAX))

    def end(self) -> None:
        """Have the thread end once nothing waits. Who puts a line after that writes it too."""
        self._ended = True
        self.care_at = 0.0
        self._bell.ring()

    def drain(self, write: Write) -> bool:
        """Write all that waits, unless somebody is at it; whether there was anything."""
        found = False
        while self._items and self._draining.acquire(blocking=False):
            found = True
            try:
                while self._items:
                    self._write_some(write)
            finally:
                self._draining.release()
        return found

    def _write_some(self, write: Write) -> None:
        lines: list[bytes] = []
        size = 0
        last: Event | _Mark | None = None
        while self._items and size < _AT_ONCE_BYTES:
            item = self._items.popleft()
            if not isinstance(item, bytes):
                last = item
                break
            lines.append(item)
            size += len(item)
        self._in_hand = len(lines)
        try:
            write(lines, None if isinstance(last, _Mark) else last)
        except BaseException:  # it raises nothing that it knows of; rather twice than never
            self._items.extendleft(reversed([*lines, *([last] if last else [])]))
            raise
        finally:
            self._in_hand = 0
        self._bytes = self._bytes - size if self._items else 0
        if isinstance(last, _Mark):
            last.passed.release()

    # The thread ----------------------------------------------------------------------------------

    def _start(self) -> bool:
        """Start the thread, or leave it to who is at it; False where there can be none."""
        if self._starting.acquire(blocking=False):
            try:
                if not self._running:
                    self._running = True
                    self._running = True  # before it runs, and perhaps ends
                    if not start(self._work):
                        self._running = False
                        return False
            finally:
                self._starting.release()
        return True

    def _work(self) -> None:
        try:
            pause = _PAUSE_S
            while (write := self._write()) is not None:
                self.care_at = time.monotonic() + pause + _OVERDUE_S
                found = self.drain(write)
                del write
                pause = _PAUSE_S if found else 2 * pause
                if self._ended or pause > _LONGEST_PAUSE_S:
                    pause = _PAUSE_S
                    # In this order: who puts a line after the look finds that it has to ring.
                    self.care_at = 0.0
                    if not self._items:
                        if self._ended:
                            break
                        self._bell.wait()
                        continue
                self._bell.wait(pause)
        finally:
            self._running = False
            # Who put a line just before has rung for nothing.
            if (write := self._write()) is not None:
                self.drain(write)
