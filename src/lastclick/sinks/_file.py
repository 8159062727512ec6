"""The log on disk: one segment file per sink and process, one append write per event.

Once `os.write` has returned, the line is in the kernel's hands and survives the death of the
process, by SIGKILL too. The kernel keeps appends to one file apart (``O_APPEND``), so threads
write to the same segment with no lock between them.
"""

import atexit
import errno
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Literal, get_args

from lastclick.errors import ConfigError, DeliveryError
from lastclick.events import Event
from lastclick.sinks._losses import Losses, Tally
from lastclick.sinks._segment import Segment, make_directory
from lastclick.sinks._sink import DECLARED, LOST, RECORDS, SinkStats

Durability = Literal["process", "power"]

#: How often, in seconds, a sink looks whether its segment was taken away. Not at each event:
#: that would be a second system call.
_CHECK_EVERY_S = 1.0

#: How long to wait for another thread that opens the first segment, before opening one as well.
_OPENING_TAKES_S = 1.0

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


def _reason(number: int | None) -> str:
    return _REASONS.get(number or 0, "io_error")


#: A disk that is full now.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class FileSink:
    """Writes events to a directory as a log: JSON lines that `read_log` reads.

    What `emit` has accepted survives the death of the process, by SIGKILL too. Any number of
    threads, processes and sinks may write to one directory: each sink has a segment file of its
    own in each process, also after a fork. Nothing is written, opened or started before the first
    event, and nothing rests on `close` being called.

    An event that cannot be written (a full disk, a directory that was taken away) is counted by
    reason, and `DeliveryError` is raised for it. Once a write works again, an ``events_lost``
    record for each funnel and reason comes first.

    Args:
        directory: Where the segments go; made if it is not there.
        durability: ``"process"``: survives the death of the process. ``"power"``: survives the
            loss of power too; every event waits for the disk (fsync), some fifty times as long.
        max_bytes: A segment ends before it would grow larger than this.
        max_age: A segment ends with the first event after this time.
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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        _check(durability, max_bytes, max_age)
        self._power = durability == "power"
        self._directory = usable_directory(directory, power=self._power)
        self._max_bytes = max_bytes
        self._max_age_s = max_age.total_seconds()
        self._monotonic = monotonic
        self._closed = False
        #: The latest declaration of each funnel: the head of every new segment.
        self._declarations: dict[str, bytes] = {}
        self._begin()
        _sinks.add(self)

    def _begin(self) -> None:
        """Start with nothing: as a new sink, or as the copy of one in a forked child.

        In a child, the parent's segment, counts and owed records are the parent's affair. Its
        lock may be held by a thread that does not exist here, so it is replaced, not taken.
        """
        self._pid = os.getpid()
        self._segment: Segment | None = None
        self._opening = threading.RLock()
        self._losses = Losses()
        self._written = Tally()
        #: A declaration could not be written; the next segment's head will have it.
        self._undeclared = False

    def _begin_in_child(self) -> None:
        if self._segment is not None:
            # Closed by hand: frames of threads that did not survive the fork may refer to it.
            self._segment.close()
        self._begin()

    def __repr__(self) -> str:
        durability = "power" if self._power else "process"
        return f"FileSink({str(self._directory)!r}, durability={durability!r})"

    def __del__(self) -> None:
        # A sink whose settings were refused has no losses.
        if getattr(self, "_losses", None) and self._pid == os.getpid() and not self.flush(0):
            msg = f"{self!r} is collected with losses that it could not write to its log"
            warnings.warn(msg, ResourceWarning, source=self, stacklevel=1)

    @property
    def directory(self) -> Path:
        """Where the segments are, as an absolute path."""
        return self._directory

    @property
    def stats(self) -> SinkStats:
        """What was written and lost in this process, and how many records wait to be written."""
        return SinkStats(
            written=self._written.total,
            pending=self._losses.owed + self._undeclared,
            lost=self._losses.lost,
        )

    # Writing -------------------------------------------------------------------------------------

    def emit(self, event: Event, /) -> None:
        """Append the event to the log.

        An ``events_lost`` record or a declaration that cannot be written does not raise: it is
        written as soon as that is possible.

        Raises:
            DeliveryError: The event could not be written; it is counted under ``error.reason``.
        """
        # This is the path of nearly every event: no lock, and no system call but the write. The
        # local reference keeps the segment open however many others are opened meanwhile. A fork
        # needs no look at the process id here: the hook below has emptied `_segment`.
        line = event.line + b"\n"
        segment = self._segment
        if (
            segment is not None
            and self._monotonic() < segment.check_at
            and segment.size + len(line) <= self._max_bytes
            and event.type not in RECORDS
        ):
            try:
                segment.append(line)
            except OSError as error:
                number = error.errno
            else:
                self._written.add()
                return
        else:
            try:
                self._emit_with_care(event, line)
            except DeliveryError:
                raise
            except OSError as error:
                number = error.errno
            else:
                return
        # Raised from here, not from within `except`: a traceback that somebody keeps would keep
        # the segment, and thus its file, open.
        del segment
        self._put_in_order(event, number)
        if event.type not in RECORDS:
            raise self._lose(event, number)

    def _emit_with_care(self, event: Event, line: bytes) -> None:
        """Emit where more is to be done than one write."""
        if os.getpid() != self._pid:  # a fork that ran no hooks
            self._begin_in_child()
        if self._closed:
            self._losses.count(event, "closed")
            msg = f"{self!r} is closed; it refused a {event.type} of funnel {event.funnel!r}"
            raise DeliveryError(msg, "closed")
        if event.type == DECLARED:
            self._declarations[event.funnel] = line
        segment = self._current(len(line))
        if self._losses:
            self._losses.write(segment.append)
        if event.type != DECLARED:
            segment.append(line)
            if event.type != LOST:
                self._written.add()
        elif segment.declared.get(event.funnel) != line:
            segment.append(line)
            segment.declared[event.funnel] = line

    def _put_in_order(self, event: Event, number: int | None) -> None:
        """After a failed write: nothing may follow a torn line, and nothing is forgotten."""
        segment = self._segment
        if segment is not None and (segment.spoilt or event.type == DECLARED):
            self._segment = None
        elif segment is not None:
            segment.check_at = 0.0  # takes the next event to what is owed
        if event.type == DECLARED:
            self._undeclared = True
        else:
            self._losses.owe(event, _reason(number))

    def _lose(self, event: Event, number: int | None) -> DeliveryError:
        reason = _reason(number)
        self._losses.count(event, reason)
        msg = f"event {event.event_id} not kept: {os.strerror(number or 0)}: {self._directory}"
        return DeliveryError(msg, reason)

    # Segments ------------------------------------------------------------------------------------

    def _current(self, more: int = 0) -> Segment:
        """The segment to write to; a new one if it is time for that."""
        segment = self._segment
        now = self._monotonic()
        if segment is not None and segment.is_gone():
            segment = self._segment = None
        if segment is None:
            segment = self._open_first()
        elif now >= segment.ends_at or segment.size + more > self._max_bytes:
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
        if self._segment is seen:
            ends_at = self._monotonic() + self._max_age_s
            fresh = Segment(self._directory, self._declarations.copy(), ends_at, power=self._power)
            if self._segment is seen:
                self._segment = None if self._closed else fresh
                self._undeclared = False
                return fresh
            fresh.discard()  # a signal handler was faster
        # None where somebody's write has just failed and put an end to the one there was.
        return self._segment or self._open(None)

    # Ending --------------------------------------------------------------------------------------

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - a write to a file has no deadline
        """Write the records that are owed to the log; say whether none is owed any more.

        Events need no flush: they are written when `emit` returns.
        """
        if os.getpid() != self._pid:
            self._begin_in_child()
        if not self._losses and not self._undeclared:
            return True
        with suppress(OSError):
            self._losses.write(self._current().append)
            return True
        if self._segment is not None and self._segment.spoilt:
            self._segment = None
        return False

    def close(self, timeout: float) -> bool:
        """Flush, and refuse what comes from now on. Says what `flush` says."""
        if self._closed:
            return not self._losses and not self._undeclared
        self._closed = True
        done = self.flush(timeout)
        self._segment = None  # its file is closed when the last thread has written its line
        return done


def _check(durability: object, max_bytes: object, max_age: object) -> None:
    if durability not in get_args(Durability):
        choices = " or ".join(repr(choice) for choice in get_args(Durability))
        raise ConfigError(f"unknown durability {durability!r}; choose {choices}")
    if type(max_bytes) is not int or max_bytes < 1:
        raise ConfigError(f"max_bytes is a whole number of 1 or more, not {max_bytes!r}")
    if not isinstance(max_age, timedelta) or max_age <= timedelta(0):
        raise ConfigError(f"max_age is a timedelta above 0, not {max_age!r}")


def usable_directory(directory: object, *, name: str = "directory", power: bool = False) -> Path:
    """The directory as an absolute path, made if need be, and tried out by making one in it."""
    if not isinstance(directory, str | os.PathLike) or not str(directory):
        raise ConfigError(f"{name} is a path such as 'var/lastclick', not {directory!r}")
    path = Path(directory).absolute()  # a daemon may change its working directory later
    probe = path / f".lastclick-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        make_directory(path, power=power)
        # Rights alone do not say it: root has them all, on a file system that is read-only too.
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        # A full disk is no wrong setting: it must not keep a shop from starting.
        if error.errno not in _FULL:
            msg = (
                f"cannot write to {name} {str(path)!r}: {error.strerror}; name one that this "
                f"process (user id {os.geteuid()}) may make or write to"
            )
            raise ConfigError(msg) from error
    return path


#: Every sink of this process, for what concerns the process.
_sinks: weakref.WeakSet[FileSink] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for sink in list(_sinks):
        sink._begin_in_child()


def _at_exit() -> None:
    """A last try to write what is owed. Nothing rests on it: a killed process does not get here."""
    for sink in list(_sinks):
        sink.flush(0)


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
