"""The one thread that writes: lines to the log, then to the disk, then an answer.

Requests that come while it waits for the disk are written together and share the next wait.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

import attrs

from lastclick.collect._lines import Line, digest_of
from lastclick.collect._seen import Seen
from lastclick.errors import ConfigError, EventError
from lastclick.events import FunnelDeclared, parse_line
from lastclick.logs import read_log
from lastclick.sinks import FileSink
from lastclick.sinks._segment import sync

_logger = logging.getLogger("lastclick")

#: The index of what the log has; readers of the log pass it over.
SEEN = "collect.sqlite3"

#: So many funnels have their declaration at the head of each segment; those of more are in the
#: log only once.
_MOST_FUNNELS = 1000

#: A segment's file may be stamped a little before the clock that we read.
_CLOCK_STEPS = 60.0

_READ_AT_A_TIME = 20_000
_DECLARES = b'"type":"funnel_declared"'
_PROBE_BYTES = 4096


class Kept(Enum):
    """What became of a line."""

    WRITTEN = "written"
    #: It was there already.
    DUPLICATE = "duplicate"
    #: Not on the disk: it must come again.
    FAILED = "failed"


@attrs.frozen
class _Job:
    """Lines of one request, or none to ask whether writing works."""

    lines: Sequence[Line]
    done: "Future[list[Kept]]" = attrs.field(factory=Future)


class Store:
    """A log that says of each line whether it is on the disk.

    Args:
        directory: Of the log; made if it is not there.
        remember: For how long a line that comes again is recognised.
        clock: In seconds since 1970; for tests.

    Raises:
        ConfigError: A setting is wrong, or the directory cannot be written to.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        remember: timedelta,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._remember = _seconds(remember)
        self._clock = clock
        #: Where the log is.
        self.directory = FileSink(directory).directory
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        #: How often the disk was waited for.
        self.syncs = 0

    # From other threads --------------------------------------------------------------------------

    def open(self) -> None:
        """Read back what the log has, and start the thread; once.

        Raises:
            ConfigError: Another collector writes to this log.
        """
        if self._thread is None:
            seen = Seen(self.directory / SEEN, self._remember)
            self._log = _Log(FileSink(self.directory))
            try:
                self._read_back(seen)
            except BaseException:
                seen.close()
                raise
            self._thread = threading.Thread(
                target=self._run, args=(seen,), name="lastclick-collect", daemon=True
            )
            self._thread.start()

    def write(self, lines: Sequence[Line]) -> "Future[list[Kept]]":
        """Have lines written; the result tells of each, in their order."""
        job = _Job(lines)
        self._jobs.put(job)
        return job.done

    def probe(self) -> "Future[list[Kept]]":
        """Have it tried out whether the disk can be written; raises OSError if not."""
        return self.write(())

    def close(self) -> None:
        """Write what waits, and end the thread. Nothing rests on it: what was answered is kept."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
            self._log.close()

    # In the thread -------------------------------------------------------------------------------

    def _run(self, seen: Seen) -> None:
        more = True
        while more:
            jobs = [self._jobs.get()]
            with suppress(queue.Empty):
                while True:
                    jobs.append(self._jobs.get_nowait())
            more = None not in jobs
            # One whose request was given up is not begun.
            group = [job for job in jobs if job and job.done.set_running_or_notify_cancel()]
            try:
                self._work(group, seen)
            except Exception as error:  # the edge of a thread, which must live on
                _logger.exception("the collector could not write")
                for job in group:
                    if not job.done.done():
                        job.done.set_exception(error)
        seen.close()

    def _work(self, group: Sequence[_Job], seen: Seen) -> None:
        writing = [job for job in group if job.lines]
        probing = [job for job in group if not job.lines]
        if writing:
            kept = self._keep([line for job in writing for line in job.lines], seen)
            for job in writing:
                job.done.set_result([kept[line.digest] for line in job.lines])
        if probing:
            try:
                _try_out(self.directory)
            except OSError as error:
                for job in probing:
                    job.done.set_exception(error)
            else:
                for job in probing:
                    job.done.set_result([])

    def _keep(self, lines: Iterable[Line], seen: Seen) -> dict[bytes, Kept]:
        """Write what is not there yet, wait for the disk, then remember it: in this order."""
        now = self._clock()
        by_digest = {line.digest: line for line in lines}
        known = seen.known(by_digest)
        kept = dict.fromkeys(by_digest, Kept.FAILED) | dict.fromkeys(known, Kept.DUPLICATE)
        written = []
        with suppress(OSError):  # what comes after it is as little on the disk
            for digest, line in by_digest.items():
                if digest not in known:
                    self._log.append(line)
                    written.append(digest)
        if written:
            self.syncs += 1
            try:
                self._log.sync()
            except OSError:
                _logger.exception("the disk did not take what was written to %s", self.directory)
            else:
                kept.update(dict.fromkeys(written, Kept.WRITTEN))
                seen.add(written, at=now, complete_until=now)
        return kept

    def _read_back(self, seen: Seen) -> None:
        """Remember what the log has and the index perhaps not: all since it was last complete.

        That is next to nothing after an orderly end, and all within the horizon where there is no
        index. The newest segment is always in it, and thereby the declarations at its head.
        """
        now = self._clock()
        since = now - self._remember
        if seen.complete_until is not None:
            since = max(since, min(now, seen.complete_until) - _CLOCK_STEPS)
        log = read_log(self.directory, datetime.fromtimestamp(since, UTC))
        # A killed process may not have waited for what can be read now, and what is known is
        # answered as kept.
        for path in log.files():
            with suppress(FileNotFoundError):  # compressed or deleted at this moment
                if path.stat().st_mtime >= since:
                    sync(path)
        sync(self.directory)
        some: list[bytes] = []
        for _, _, line in log.lines():
            some.append(digest_of(line))
            if _DECLARES in line:
                with suppress(EventError):
                    event = parse_line(line)
                    if isinstance(event, FunnelDeclared):
                        self._log.declare(event.funnel, line)
            if len(some) == _READ_AT_A_TIME:
                seen.add(some, at=now, complete_until=since)
                some.clear()
        seen.add(some, at=now, complete_until=since)


def _seconds(remember: object) -> float:
    if not isinstance(remember, timedelta) or remember <= timedelta(0):
        raise ConfigError(f"remember is a timedelta above 0, not {remember!r}")
    return remember.total_seconds()


class _Log:
    """Whole lines into the segments of a sink.

    Not by `FileSink.emit`: that takes only what this version knows as an event, and what it could
    not keep it would tell the log as lost, though here it is told to the sender, who has it still.
    """

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink

    def declare(self, funnel: str, line: bytes) -> bool:
        """Have the line at the head of every segment to come; whether it will be."""
        declarations = self._sink._segments.declarations
        if funnel not in declarations and len(declarations) >= _MOST_FUNNELS:
            return False
        declarations[funnel] = line + b"\n"
        return True

    def append(self, line: Line) -> None:
        """Write a line.

        Raises:
            OSError: It is not in the log.
        """
        content = line.content + b"\n"
        funnel = line.declares
        if funnel is not None and not self.declare(funnel, line.content):
            funnel = None
        segments = self._sink._segments
        segment = segments.pick(len(content))
        if funnel is not None and segment.declared.get(funnel) == content:
            return  # the segment was opened just now, with this at its head
        try:
            segment.append(content)
        except OSError:
            segments.leave_spoilt()
            raise
        if funnel is not None:
            segment.declared[funnel] = content

    def sync(self) -> None:
        """Wait until all that was written is on the disk.

        Raises:
            OSError: It may not be; write it again.
        """
        self._sink.sync()

    def close(self) -> None:
        self._sink.close(0)


def _try_out(directory: Path) -> None:
    """Write a little file.

    Raises:
        OSError: That does not work.
    """
    probe = directory / f".collect-probe-{os.getpid()}"
    try:
        with probe.open("wb", buffering=0) as file:
            file.write(bytes(_PROBE_BYTES))
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)
