"""The log on disk: one segment file per sink and process, one append write per event.

Once `os.write` has returned, the line is in the kernel's hands and survives the death of the
process, by SIGKILL too. The kernel keeps appends to one file apart (``O_APPEND``), so threads
write to the same segment with no lock between them.
"""

import atexit
import os
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from lastclick.errors import DeliveryError, log_errors
from lastclick.events import Event, FunnelDeclared
from lastclick.sinks._background import Background
from lastclick.sinks._lines import Head, head
from lastclick.sinks._losses import Losses, Tally, reason_of
from lastclick.sinks._segments import Segments
from lastclick.sinks._settings import Durability, check, usable_directory
from lastclick.sinks._sink import DECLARED, LOST, RECORDS, SinkStats
from lastclick.sinks._upkeep import Upkeep

#: How long an exit may take to write what waits.
_EXIT_TAKES_S = 1.5

#: How long `sync` waits for the background; a disk that is stuck for longer is a fault.
_SYNC_TAKES_S = 60.0


class FileSink:
    """Writes events to a directory as a log: JSON lines that `read_log` reads.

    What `emit` has accepted survives the death of the process, by SIGKILL too. Any number of
    threads, processes and sinks may write to one directory: each sink has a segment file of its
    own in each process, also after a fork. Nothing is written, opened or started before the first
    event, and, but for ``"exit"``, nothing rests on `close` or on an exit in order.

    An event that cannot be written (a full disk, a directory that was taken away) is counted by
    reason, and `DeliveryError` is raised for it. With ``"exit"`` the call has returned by then: it
    is logged, and raised only where too much waits. Once a write works again, an ``events_lost``
    record for each funnel and reason comes first.

    Args:
        directory: Where the segments go; made if it is not there.
        durability: ``"process"``: survives the death of the process. ``"power"``: survives the
            loss of power too; every event waits for the disk (fsync), some fifty times as long.
            ``"exit"``: a thread writes, some milliseconds later; survives an exit in order.
        max_bytes: A segment ends before it would grow larger than this.
        max_age: A segment ends with the first event after this time.
        compress: Segments that have ended are gzipped, in the background; those of dead processes
            too.
        keep_for: Ended segments last written longer ago are deleted. None keeps all. A `Funnel`
            refuses less than its abandon_after + recover_within, and nothing is deleted that any
            funnel in the directory may need.
        monotonic: The clock that ages are read from, in seconds; for tests.

    Raises:
        ConfigError: A setting is wrong, or the directory cannot be made or written to.

    Example:
        >>> sink = FileSink("var/lastclick")
        >>> sink.close(timeout=2.0)
        True

    .. versionadded:: 0.1.0
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        durability: Durability = "process",
        *,
        max_bytes: int = 64 * 1024 * 1024,
        max_age: timedelta = timedelta(days=1),
        compress: bool = True,
        keep_for: timedelta | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        check(durability, max_bytes, max_age, compress, keep_for)
        self._durability = durability
        power = durability == "power"
        self._directory = usable_directory(directory, power=power)
        self._upkeep = Upkeep(self._directory, compress=compress, keep_for=keep_for)
        self._segments = Segments(
            self._directory,
            self._upkeep,
            max_bytes=max_bytes,
            max_age_s=max_age.total_seconds(),
            power=power,
            monotonic=monotonic,
        )
        self._monotonic = monotonic
        self._closed = False
        self._begin()
        _sinks.add(self)

    def _begin(self) -> None:
        """Start with nothing: as a new sink, or as the copy of one in a forked child.

        In a child, the parent's segment, counts, owed records and lines that wait are the parent's
        affair. Its locks may be held by threads that do not exist here, so they are replaced, not
        taken.
        """
        self._pid = os.getpid()
        self._losses = Losses()
        self._written = Tally()
        self._background = Background(self._write) if self._durability == "exit" else None

    def _begin_in_child(self, *, late: bool = False) -> None:
        self._segments.begin_in_child()
        before = self._background
        self._begin()
        # Noticed late, what waits may be of both. What the parent writes as well comes twice,
        # which does no harm.
        if late and before is not None and self._background is not None:
            self._background.adopt(before)

    def _notice_fork(self) -> None:
        """Begin anew in a child that ran no hooks."""
        if os.getpid() != self._pid:
            self._begin_in_child(late=True)

    def __repr__(self) -> str:
        return f"FileSink({str(self._directory)!r}, durability={self._durability!r})"

    def __del__(self) -> None:
        if getattr(self, "_pid", None) != os.getpid():
            return  # its settings were refused, or it is the parent's affair
        waiting = 0 if self._background is None else self._background.pending
        if sys.is_finalizing():  # modules are taken down, and the last try was made at the exit
            done = self._is_all_told() and not waiting
        else:
            if self._background is not None:
                self._background.end()
                self._background.drain(self._write)
            done = self._write_owed()
        if not done:
            msg = f"{self!r} is collected with losses that it could not write to its log"
            warnings.warn(msg, ResourceWarning, source=self, stacklevel=1)
        elif waiting:
            msg = f"{self!r} is collected with {waiting} events that it just wrote; call close()"
            warnings.warn(msg, ResourceWarning, source=self, stacklevel=1)

    @property
    def directory(self) -> Path:
        """Where the segments are, as an absolute path."""
        return self._directory

    @property
    def keep_for(self) -> timedelta | None:
        """After what time ended segments are deleted; None where they are kept."""
        return self._upkeep.keep_for

    @property
    def stats(self) -> SinkStats:
        """What was written and lost in this process, and how many records wait to be written."""
        waiting = 0 if self._background is None else self._background.pending
        return SinkStats(
            written=self._written.total,
            pending=waiting + self._losses.owed + self._segments.undeclared,
            lost=self._losses.lost,
        )

    # Writing -------------------------------------------------------------------------------------

    def emit(self, event: Event, /) -> None:
        """Append the event to the log, with ``"exit"`` some milliseconds later.

        An ``events_lost`` record or a declaration that cannot be written does not raise: it is
        written as soon as that is possible.

        Raises:
            DeliveryError: The event could not be written; it is counted under ``error.reason``.
        """
        # This is the path of nearly every event: no lock, and no system call but the write. The
        # local reference keeps the segment open however many others are opened meanwhile. A fork
        # needs no look at the process id here: the hook below has let go of the segment.
        background = self._background
        if background is not None:
            if self._closed or event.type in RECORDS or not background.put(event.line):
                self._put_with_care(event)
            if time.monotonic() >= background.care_at:
                self._wake()
            return
        line = event.line + b"\n"
        segments = self._segments
        segment = segments.current
        if (
            segment is not None
            and self._monotonic() < segment.check_at
            and segment.size + len(line) <= segments.max_bytes
            and event.type not in RECORDS
        ):
            try:
                segment.append(line)
            except OSError as error:
                number = error.errno
            else:
                self._written.add()
                return
            # A traceback that somebody keeps would keep the segment, and thus its file, open.
            del segment
            self._fail(event, number)
        else:
            del segment  # so that it is closed if this event goes to the next one
            self._notice_fork()
            self._refuse_if_closed(event)
            self._emit_with_care(event, line)

    def _emit_with_care(self, event: Event | Head, line: bytes) -> None:
        """Emit where more is to be done than one write."""
        try:
            self._append_with_care(event, line)
        except OSError as error:
            number = error.errno
        else:
            return
        self._fail(event, number)  # not within `except`, for the same reason

    def _append_with_care(self, event: Event | Head, line: bytes) -> None:
        if event.type == DECLARED:
            self._segments.declarations[event.funnel] = line
        if isinstance(event, FunnelDeclared):
            self._upkeep.learn(event)
        segment = self._segments.pick(len(line))
        if self._losses:
            self._losses.write(segment.append)
        if event.type != DECLARED:
            segment.append(line)
            if event.type != LOST:
                self._written.add()
        elif segment.declared.get(event.funnel) != line:
            segment.append(line)
            segment.declared[event.funnel] = line

    def _refuse_if_closed(self, event: Event) -> None:
        if self._closed:
            self._losses.count(event, "closed")
            msg = f"{self!r} is closed; it refused a {event.type} of funnel {event.funnel!r}"
            raise DeliveryError(msg, "closed")

    def _fail(self, event: Event | Head, number: int | None) -> None:
        """Raise for an event that could not be written."""
        self._put_in_order(event, number)
        if event.type not in RECORDS:
            reason = reason_of(number)
            self._losses.count(event, reason)
            what = os.strerror(number or 0)
            msg = f"event {event.event_id} not kept: {what}: {self._directory}"
            raise DeliveryError(msg, reason)

    def _put_in_order(self, event: Event | Head, number: int | None) -> None:
        """After a failed write: nothing may follow a torn line, and nothing is forgotten."""
        segments = self._segments
        segment = segments.current
        if segment is not None and (segment.spoilt or event.type == DECLARED):
            segments.current = None
        elif segment is not None:
            segment.check_at = 0.0  # takes the next event to what is owed
        if event.type == DECLARED:
            segments.undeclared = True
        else:
            self._losses.owe(event, reason_of(number))

    # In the background ---------------------------------------------------------------------------

    def _put_with_care(self, event: Event) -> None:
        """Put what is no ordinary event, or comes when no ordinary one is taken."""
        self._notice_fork()
        self._refuse_if_closed(event)
        background = self._background
        assert background is not None
        if event.type == DECLARED or (event.type == LOST and not background.full):
            background.put_record(event)
        elif event.type == LOST or not background.put(event.line):
            self._losses.owe(event, "queue_full")
            if event.type != LOST:
                self._losses.count(event, "queue_full")
                msg = f"event {event.event_id} not kept: too much waits for {self._directory}"
                raise DeliveryError(msg, "queue_full")
        background.wake(self._write)

    def _wake(self) -> None:
        self._notice_fork()
        if self._background is not None:
            self._background.wake(self._write)

    def _write(self, lines: Sequence[bytes], record: Event | None) -> None:
        """Write what waited, as many lines at once as go, and what is owed; see `Background`."""
        done = 0
        with suppress(OSError):
            while done < len(lines) and (whole := self._write_at_once(lines[done:])):
                done += whole
        self._segments.leave_spoilt()
        for line in lines[done:]:  # one by one, as without a background
            event = head(line)
            assert event is not None, line
            try:
                self._emit_with_care(event, line + b"\n")
            except DeliveryError as error:  # no call waits for it any more
                log_errors(error)
        if record is not None:
            self._emit_with_care(record, record.line + b"\n")
        self._write_owed()
        if self._closed and self._background is not None and self._background.empty:
            self._segments.close()

    def _write_at_once(self, lines: Sequence[bytes]) -> int:
        """Write as many lines as go into one segment; says how many."""
        segment = self._segments.pick(len(lines[0]) + 1)
        if self._losses:
            self._losses.write(segment.append)
        fitting = self._segments.fitting(lines, segment)
        whole = segment.append_all(fitting)
        self._written.add_many(whole)
        self._segments.leave_spoilt()
        return whole

    # Ending --------------------------------------------------------------------------------------

    def flush(self, timeout: float) -> bool:
        """Write what waits, and the records that are owed to the log; say whether all is written.

        Only with ``"exit"`` do events wait; else they are written when `emit` returns, and the
        timeout does not matter, since a write to a file has none.
        """
        self._notice_fork()
        if self._background is None:
            return self._write_owed()
        if self._background.idle and self._is_all_told():
            return True
        return self._background.flush(self._write, timeout) and self._is_all_told()

    def _is_all_told(self) -> bool:
        return not self._losses and not self._segments.undeclared

    def _write_owed(self) -> bool:
        if self._is_all_told():
            return True
        with suppress(OSError):
            self._losses.write(self._segments.pick().append)
            return True
        self._segments.leave_spoilt()
        return False

    def sync(self) -> None:
        """Wait until all that this sink has written in this process is on the disk.

        One call for many events costs as much as ``"power"`` does for each: for a job, or a
        server that confirms whole batches. Everything that was emitted before the call is covered,
        but for what `stats` counts as lost.

        Raises:
            DeliveryError: Something may not be on the disk. Emit again what was emitted since the
                last call that succeeded; twice does no harm. For half a minute every call raises.

        Example:
            >>> sink = FileSink("var/batches")
            >>> sink.sync()

        .. versionadded:: 0.1.0
        """
        try:
            if not self.flush(_SYNC_TAKES_S):
                raise OSError(None, "what waits could not be written")
            self._segments.unsynced.sync()
        except OSError as error:
            number, what = error.errno, error.strerror
        else:
            return
        self._segments.leave_spoilt()
        raise DeliveryError(f"not on the disk: {what}: {self._directory}", reason_of(number))

    def close(self, timeout: float) -> bool:
        """Flush, and refuse what comes from now on. Says what `flush` says."""
        if self._closed:
            return self.flush(timeout)
        self._closed = True
        if self._background is not None:
            self._background.end()
        done = self.flush(timeout)
        if self._background is None or done:
            self._segments.close()
        return done

    def _exit(self, timeout: float) -> None:
        """Write what waits and what is owed; who emits after that writes by itself."""
        if self._background is not None:
            self._background.end()
        self.flush(timeout)


#: Every sink of this process, for what concerns the process.
_sinks: weakref.WeakSet[FileSink] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for sink in list(_sinks):
        sink._begin_in_child()


def _at_exit() -> None:
    """A last try, of bounded time. Only "exit" rests on it: a killed process does not get here."""
    until = time.monotonic() + _EXIT_TAKES_S
    for sink in list(_sinks):
        sink._exit(max(0.0, until - time.monotonic()))


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
