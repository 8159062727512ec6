"""Events that wait on disk to be sent: they survive the process, and the next one sends them.

The caller's append to a `FileSink` log is the acceptance. Everything else happens in the sender's
thread: it reads the log from the disk, its own and, one after the other, those that dead processes
left.
"""

import os
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Literal

from lastclick.errors import DeliveryError, log_errors
from lastclick.events import Event
from lastclick.sinks._file import FileSink
from lastclick.sinks._letters import Letters
from lastclick.sinks._lines import is_record
from lastclick.sinks._losses import Losses
from lastclick.sinks._part import DEAD_LETTERS, Part, PartLoad, parts, sweep
from lastclick.sinks._sender import Load, in_words
from lastclick.sinks._sink import RECORDS

#: How often, in seconds, to look what the spool takes up, and for parts that were left.
_MEASURE_EVERY_S = 1.0
_MEASURE_AGAIN_S = 0.05
_ADOPT_EVERY_S = 5.0

#: Segments are small, so that what was sent goes away soon and the oldest can go in small steps.
_SEGMENT_BYTES = 1024 * 1024


class Spool:
    """The spool of one process: it writes to a part of its own and sends from that and others.

    Args:
        root: The directory that the processes of one receiver share.
        limit: How many bytes the whole spool may take up, dead letters apart.
        full: Which events go when there is no room: the oldest, or the newest.
        losses: Where they are counted.
        receiver: What the receiver is called in messages.

    Raises:
        OSError: The part cannot be made.
    """

    def __init__(
        self,
        root: Path,
        limit: int,
        full: Literal["oldest", "newest"],
        losses: Losses,
        receiver: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._limit = limit
        self._drop = full
        self._losses = losses
        self._receiver = receiver
        self._monotonic = monotonic
        self._own = Part.create(root)
        segment_bytes = max(1, min(_SEGMENT_BYTES, limit // 16))
        self._file = FileSink(self._own.directory, max_bytes=segment_bytes, compress=False)
        self._left = Leftovers(root, limit, losses, but=self._own.directory, monotonic=monotonic)
        #: Events of our own that are no longer waiting.
        self._settled = 0
        self._turn = False
        self._room = limit
        self._measured_at = -_MEASURE_EVERY_S
        self.full = False

    # The caller's side ---------------------------------------------------------------------------

    def accept(self, event: Event) -> None:
        """Append the event to the log.

        Raises:
            DeliveryError: It could not be written, or there is no room; it is counted.
        """
        if self._room <= 0 and event.type not in RECORDS:
            self._refuse_if_full(event)
        self._file.emit(event)
        self._room -= len(event.line)

    def _refuse_if_full(self, event: Event) -> None:
        # The sender may have made room since; but do not look for each of many events.
        if self._monotonic() >= self._measured_at + _MEASURE_AGAIN_S:
            self._measure()
        if self._room > 0:
            return
        self.full = True
        self._losses.count(event, "spool_full")
        self._losses.owe(event, "spool_full")
        msg = (
            f"event {event.event_id} not kept: {self._limit:,} bytes wait for {self._receiver} "
            f"in {self._root}; raise limit=, or see why the receiver does not take them"
        )
        raise DeliveryError(msg, "spool_full")

    def look(self) -> None:
        """Look for what dead processes left with the next turn of the sender."""
        self._left.look()

    @property
    def pending(self) -> int:
        """How many events wait here, and in the part that is being adopted."""
        return max(0, self._file.stats.written - self._settled) + self._left.pending

    @property
    def unwritten(self) -> dict[str, int]:
        """Events that could not be written, by reason."""
        return dict(self._file.stats.lost)

    @property
    def owes(self) -> bool:
        """Whether a record of losses could not be written yet."""
        return bool(self._losses) or self._file.stats.pending > 0

    def tell_losses(self) -> None:
        """Write what the receiver is owed to the log."""
        for record in self._losses.records():
            self._file.emit(record)

    def forget(self) -> None:
        """In a forked child: all of this is the parent's."""
        self._own.forget()
        self._left.forget()

    # The sender's side ---------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """How many events wait, and how many had to go, in words."""
        return in_words(self.pending, self._losses.lost.get("spool_full", 0))

    def tend(self) -> None:
        """Keep the spool within its limit, write what is owed, look for parts that were left."""
        if self._monotonic() >= self._measured_at + _MEASURE_EVERY_S or self._is_tight():
            self._measure()
            if self._drop == "oldest":
                self._trim()
        if self._room > 0:
            self.tell_losses()
            self.full = False
        self._left.tend()

    def take(self, events: int, size: int) -> Load | None:
        """The oldest events of this process and of a dead one, by turns."""
        self._turn = not self._turn
        for source in (self._own.read, self._left.take)[:: 1 if self._turn else -1]:
            load = source(events, size)
            if load is not None:
                return load
        return None

    def note(self, load: Load) -> None:
        """Keep on disk how far the load is."""
        self._left.note(load)

    def put_back(self, load: Load) -> None:
        """The same; what is not settled is read again."""
        self._left.put_back(load)
        if isinstance(load, PartLoad) and load.part is self._own and not load.waiting:
            self._settled += load.events

    def bury(self, line: bytes, reason: str, why: str) -> None:
        """Put the event among the dead letters."""
        self._left.bury(line, reason, why)

    def release(self) -> None:
        """Leave what is not sent to other processes."""
        self._file.close(0)
        self._own.remove_settled()
        self._own.let_go()
        self._left.release()

    def _measure(self) -> None:
        self._measured_at = self._monotonic()
        self._room = self._limit - spool_bytes(self._root)

    def _is_tight(self) -> bool:
        return self._room < self._limit // 8

    def _trim(self) -> None:
        """Drop the oldest segments while less than an eighth of the room is left."""
        while self._is_tight():
            lines = self._left.drop_oldest()
            if lines is None:
                lines = self._own.drop_oldest()
                self._settled += sum(not is_record(line) for line in lines or ())
            if lines is None:
                return
            for line in lines:
                self._losses.lose(line, "spool_full")
            self._measure()


class Leftovers:
    """What dead processes left in a spool, adopted part by part, and the dead letters.

    Args:
        root: The directory of the spool.
        limit: How many bytes the dead letters may take up.
        losses: Where events that will not be taken are counted.
        but: The part of this process.
    """

    def __init__(
        self,
        root: Path,
        limit: int,
        losses: Losses,
        *,
        but: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._but = but
        self._losses = losses
        self._letters = Letters(root / DEAD_LETTERS, limit)
        self._monotonic = monotonic
        self._adopt_at = monotonic()
        self._part: Part | None = None
        #: The directories that the last look found, the oldest last.
        self._found: list[Path] = []
        #: How many events of the adopted part wait.
        self.pending = 0

    def tend(self) -> None:
        """Look now and then for parts that were left."""
        if self._part is None and self._monotonic() >= self._adopt_at:
            self._adopt_at = self._monotonic() + _ADOPT_EVERY_S
            sweep(self._root)
            self._found = [path for path in parts(self._root) if path != self._but][::-1]
            self._adopt()

    def look(self) -> None:
        """Look for parts with the next `tend`."""
        self._adopt_at = -inf

    def _adopt(self) -> None:
        """Adopt the next of those that were found, so that each is tried once for each look."""
        while self._found and self._part is None:
            directory = self._found.pop()
            try:
                self._part = Part.claim(directory)
                self.pending = 0 if self._part is None else self._part.count()
            except OSError as error:
                _tell_unreadable(directory, error)

    def take(self, events: int, size: int) -> PartLoad | None:
        """The oldest events of the adopted part; of the next one, where that is sent."""
        while self._part is not None:
            try:
                load = self._part.read(events, size)
            except OSError as error:
                _tell_unreadable(self._part.directory, error)
                load = None
            if load is not None:
                return load
            self._part.let_go()
            self._part = None
            self.pending = 0
            self._adopt()
        return None

    def note(self, load: Load) -> None:
        """Keep on disk how far the load is."""
        assert isinstance(load, PartLoad)
        load.part.note(load)

    def put_back(self, load: Load) -> None:
        """The same; what is not settled is read again."""
        self.note(load)
        if isinstance(load, PartLoad) and load.part is self._part and not load.waiting:
            self.pending = max(0, self.pending - load.events)

    def bury(self, line: bytes, reason: str, why: str) -> None:
        """Put the event among the dead letters, and owe the receiver's log the fact."""
        self._letters.add(line, why)
        if not is_record(line):  # a receiver that refuses to be told of losses is told no more
            self._losses.lose(line, reason)

    def drop_oldest(self) -> list[bytes] | None:
        """Remove the oldest segment of the adopted part; its lines that are not settled."""
        lines = None if self._part is None else self._part.drop_oldest()
        self.pending -= sum(not is_record(line) for line in lines or ())
        return lines

    def release(self) -> None:
        """Leave what is not sent to other processes."""
        self._letters.close()
        if self._part is not None:
            self._part.let_go()
            self._part = None

    def forget(self) -> None:
        """In a forked child: all of this is the parent's."""
        if self._part is not None:
            self._part.forget()


def _tell_unreadable(directory: Path, error: OSError) -> None:
    msg = f"cannot send what is left in {directory}: {error}; another process may, or the next look"
    log_errors(DeliveryError(msg, "no_spool"))


def spool_bytes(root: Path) -> int:
    """What the segments of a spool take up, dead letters apart."""
    total = 0
    for directory in parts(root):
        try:
            with os.scandir(directory) as entries:
                total += sum(entry.stat().st_size for entry in entries)
        except OSError:  # it has been sent and removed just now
            continue
    return total


def left_in(root: Path) -> tuple[int, int]:
    """How many events wait in parts without an owner, and how many parts have a live one."""
    events = owned = 0
    for directory in parts(root):
        part = Part.claim(directory)
        if part is None:
            owned += 1
        else:
            events += part.count()
            part.let_go()
    return events, owned
