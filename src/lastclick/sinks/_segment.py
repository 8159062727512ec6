"""One segment file of a log: made, appended to, closed when its last writer lets go of it."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from lastclick.sinks._lines import LINE_START

#: The log may hold customer ids: others than the owner and the group do not read it.
_MODE = 0o640

#: How far from its end a segment is looked through for torn lines: more than all lines that could
#: be on their way when the first write fell short.
_TAIL_BYTES = 1024 * 1024


class Segment:
    """An open segment file. Its writers hold no lock; each append is one write of a whole line.

    It is closed when nobody refers to it any more, so a writer that took it just before the sink
    went on to the next one still has an open file. Until then the kernel holds a shared lock on
    it, by which other processes know as well that it is not closed.

    Args:
        directory: Where the file goes; made anew if it went away.
        declared: The declaration lines by funnel; they are the head of the file.
        ends_at: When the sink should go on to the next one, by the sink's clock.
        power: Every append waits for the disk.

    Raises:
        OSError: The file could not be made, or its head not be written; then there is no file.
    """

    __slots__ = (
        "__weakref__",
        "check_at",
        "declared",
        "ends_at",
        "fd",
        "identity",
        "on_close",
        "path",
        "pid",
        "power",
        "size",
        "spoilt",
    )

    def __init__(
        self, directory: Path, declared: dict[str, bytes], ends_at: float, *, power: bool
    ) -> None:
        self.fd = -1
        self.pid = os.getpid()
        self.power = power
        self.size = 0
        #: A write fell short or may not be on the disk: write no more lines here.
        self.spoilt = False
        #: Called once the file is closed, unless it is closed by hand. Must not raise.
        self.on_close: Callable[[], object] | None = None
        self.declared = declared
        self.ends_at = ends_at
        #: When the sink should look at the segment again before it writes.
        self.check_at = ends_at
        self.path, self.fd = _create(directory, power=power)
        status = os.fstat(self.fd)
        self.identity = (status.st_dev, status.st_ino)
        try:
            if declared:
                self.append(b"".join(line for line in declared.values()))
            if power:
                sync(directory)
        except OSError:
            self.discard()
            raise

    def append(self, line: bytes) -> None:
        """Append a line and its newline in one write.

        Raises:
            OSError: It is not in the log, or with `power` perhaps not on the disk.
        """
        written = os.write(self.fd, line)
        if written != len(line):
            # What stands there is no line. It cannot be cut off here: another thread's line may
            # already follow it. See _mend.
            self.spoilt = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.power:
            try:
                os.fsync(self.fd)
            except OSError:
                # The kernel may have dropped the pages; a second fsync would say all is well.
                self.spoilt = True
                raise
        # Two threads may lose a step here; then the segment grows by a line more than it should.
        self.size += written

    def append_all(self, lines: Sequence[bytes]) -> int:
        """Append many lines in one write, each with a newline; says how many of them are whole.

        Where it is not all of them, the segment is spoilt.

        Raises:
            OSError: None is in the log.
        """
        written = os.write(self.fd, b"\n".join([*lines, b""]))
        self.size += written
        for whole, line in enumerate(lines):
            written -= len(line) + 1
            if written < 0:
                self.spoilt = True
                return whole
        return len(lines)

    def is_gone(self) -> bool:
        """Whether what is appended goes nowhere, since somebody took the file away.

        It may have been deleted. Or a daemon closed all descriptors that it did not know, and the
        number may by now be another file's, which is then not ours to close.
        """
        try:
            status = os.fstat(self.fd)
        except OSError:
            self.fd = -1
            return True
        if (status.st_dev, status.st_ino) != self.identity:
            self.fd = -1
            return True
        return status.st_nlink == 0

    def discard(self) -> None:
        """Close the file and delete it; for one that no event was written to."""
        self.close()
        with suppress(OSError):
            self.path.unlink()

    # The defaults are there because a finalizer may run when modules are already taken down.
    def close(self, close: Callable[[int], None] = os.close) -> None:
        """Close the file; nobody may be writing to it."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            close(fd)

    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:
        if self.fd >= 0:
            ours = self.pid == getpid()
            if self.spoilt and ours:
                self._mend()
            self.close()
            if self.on_close is not None and ours:
                self.on_close()

    def _mend(self) -> None:
        """Take torn lines out, now that nobody writes here any more.

        A write that fell short leaves the beginning of a line. Mostly it is the end of the file
        and is cut off. But another thread may have appended a whole line to it before it knew;
        then the torn part becomes spaces and a newline, so that the whole line stands by itself.
        A killed process leaves this undone; readers meet a torn line calmly.
        """
        with suppress(OSError), self.path.open("r+b") as file:
            mend(file)


def mend(file: BinaryIO) -> None:
    """Take the torn lines out of the end of a segment; its whole lines stay where they are."""
    offset = max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES)
    file.seek(offset)
    tail = file.read()
    end = tail.rfind(b"\n") + 1
    at = tail.find(LINE_START, 1)
    while at >= 0:
        if tail[at - 1 : at] != b"\n":
            start = tail.rfind(b"\n", 0, at) + 1
            file.seek(offset + start)
            file.write(b" " * (at - start - 1) + b"\n")
        at = tail.find(LINE_START, at + 1)
    if end or not offset:
        file.truncate(offset + end)


def _create(directory: Path, *, power: bool) -> tuple[Path, int]:
    if not directory.is_dir():
        make_directory(directory, power=power)
    # For reading as well: some network file systems give a shared lock to readers only.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    while True:
        path = directory / f"{new_name()}.jsonl"
        fd = os.open(path, flags, _MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:  # somebody looks at it right now; do not wait for that
            path.unlink(missing_ok=True)
        except OSError:  # a file system without locks: nobody else gets one there, either
            return path, fd
        if os.fstat(fd).st_nlink:
            return path, fd
        os.close(fd)


def new_name() -> str:
    """A name that sorts by time; the rest keeps apart processes, sinks and clocks set back."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}-{os.urandom(4).hex()}"


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Hold a segment that no writer has open, in this process or another; its open file.

    Raises:
        BlockingIOError: A writer has.
        FileNotFoundError: It is no more.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(fd).st_nlink:
            raise FileNotFoundError
        yield fd
    finally:
        os.close(fd)


def make_directory(directory: Path, *, power: bool) -> None:
    """Make the directory and its parents, with `power` so that they survive a loss of power."""
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    if power:
        for path in made:
            sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a directory, are on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
