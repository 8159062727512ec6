"""What becomes of segments that nobody writes to any more: compressed, and deleted when old.

One short-lived thread in a process does it. What it may touch is told by the kernel: a writer
holds a shared lock on its segment for as long as it has it open, in whatever process that is, and
the thread works on a segment under an exclusive one. A lock goes with its owner, so the segments
of dead processes are looked after by whoever comes next.
"""

import gzip
import os
import re
import stat
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from lastclick.errors import DeliveryError, EventError, log_errors
from lastclick.events import FunnelDeclared, parse_line
from lastclick.sinks._segment import held, sync
from lastclick.sinks._threads import start

#: What `FileSink` names its files; nothing else is touched.
_OURS = re.compile(r"\d{8}T\d{6}\.\d{6}Z-\d+-[0-9a-f]{8}\.jsonl(\.gz(\.tmp)?)?")

#: How much is compressed in one go, some 2 ms. Where threads are greenlets, others get their turn
#: in between.
_BLOCK_BYTES = 64 * 1024

#: How far the declarations at the head of a segment go at most.
_HEAD_BYTES = 256 * 1024


class Upkeep:
    """The upkeep of one directory, as one sink wants it.

    Args:
        directory: Where the segments are.
        compress: Closed segments are gzipped.
        keep_for: Closed segments last written longer ago are deleted; None keeps all.
    """

    def __init__(self, directory: Path, *, compress: bool, keep_for: timedelta | None) -> None:
        self._directory = directory
        self._compress = compress
        self.keep_for = keep_for
        #: The longest abandon_after + recover_within of any funnel met so far. Attempts are not
        #: over before that, whatever keep_for says.
        self._longest = timedelta(0)
        #: The segments whose heads were read.
        self._read: set[str] = set()

    def learn(self, declared: FunnelDeclared) -> None:
        """Delete nothing that this funnel may need."""
        self._longest = max(self._longest, declared.abandon_after + declared.recover_within)

    def ask(self) -> None:
        """Have it done soon, in the background. Waits for nothing and raises nothing."""
        if self._compress or self.keep_for is not None:
            _asked[self] = None
            _start()

    def run(self) -> None:
        """Look through the directory once."""
        try:
            found = [path.name for path in self._directory.iterdir()]
        except OSError:
            return  # taken away, with all that was in it
        names = sorted(filter(_OURS.fullmatch, found))
        if self.keep_for is not None:
            self._delete_old(names, self.keep_for)
        if self._compress:
            for name in names:
                path = self._directory / name
                if path.suffix == ".jsonl":
                    _each("compress", path)
                elif path.suffix == ".tmp" and not path.with_suffix("").with_suffix("").exists():
                    with suppress(OSError):  # a killed process left it, and its segment went
                        path.unlink()

    def _delete_old(self, names: list[str], keep_for: timedelta) -> None:
        paths = [self._directory / name for name in names if not name.endswith(".tmp")]
        old = [path for path in paths if _age(path) > keep_for]
        if old:
            for path in paths:
                segment = path.name.removesuffix(".gz")
                if segment not in self._read:
                    for declared in declared_in(path):
                        self.learn(declared)
                    self._read.add(segment)
            self._read.intersection_update(path.name.removesuffix(".gz") for path in paths)
        for path in old:
            if _age(path) > self._longest:
                _each("delete", path)


def _each(verb: str, path: Path) -> None:
    """Do it to one segment; what fails is told, and no reason to leave the others."""
    try:
        with held(path) as fd, _ours(fd):
            if verb == "compress":
                compress(path, fd)
            else:
                path.unlink()
    except (BlockingIOError, FileNotFoundError, PermissionError):
        pass  # somebody writes to it; was faster; or is another user, who looks after it
    except OSError as error:
        msg = f"could not {verb} {path}: {error.strerror}; it is left as it is, and tried again"
        log_errors(DeliveryError(msg, "upkeep_failed"))


def compress(path: Path, fd: int) -> None:
    """Put a gzipped file in the place of a segment that we hold.

    At every instant one of the two is whole and on the disk. The temporary file of whoever was
    killed here is written over; readers know no such suffix.
    """
    status = os.fstat(fd)
    if not status.st_size:
        return  # perhaps its writer is just about to take its lock
    packed = path.with_name(f"{path.name}.gz")
    part = path.with_name(f"{packed.name}.tmp")
    target = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with _ours(target):
            _gzip(fd, target, status)
        part.rename(packed)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(target)
    with suppress(OSError):  # a file system that cannot
        sync(path.parent)
    path.unlink()


def _gzip(source: int, target: int, status: os.stat_result) -> None:
    """Gzip one open file into another, to the disk, with the mode, owner and times of the first."""
    with (
        os.fdopen(target, "wb", closefd=False) as file,
        gzip.GzipFile("", "wb", 6, file, mtime=status.st_mtime) as stream,
    ):
        while block := os.read(source, _BLOCK_BYTES):
            stream.write(block)
            time.sleep(0)
    with suppress(PermissionError):
        os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))  # `since` goes by it
    os.fsync(target)


def declared_in(path: Path) -> Iterator[FunnelDeclared]:
    """The declarations at the head of a segment, as far as it can be read."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            lines = file.read(_HEAD_BYTES).splitlines()
    except (OSError, EOFError, zlib.error):
        return
    for line in lines:
        try:
            event = parse_line(line)
        except EventError:
            return
        if not isinstance(event, FunnelDeclared):
            return
        yield event


def _age(path: Path) -> timedelta:
    """How long ago it was last written; nothing for one that went away meanwhile."""
    try:
        return timedelta(seconds=time.time() - path.stat().st_mtime)
    except OSError:
        return timedelta(0)


# The thread. `ask` may be called by whatever lets go of a segment, a signal handler or the garbage
# collector too, so nobody waits for the lock here: it only says that somebody is at work.

#: What was asked for and not begun.
_asked: dict[Upkeep, None] = {}

_working = threading.Lock()

#: The descriptors that the thread has open, for a forked child to close.
_held: set[int] = set()


@contextmanager
def _ours(fd: int) -> Iterator[None]:
    _held.add(fd)
    try:
        yield
    finally:
        _held.discard(fd)


def _start() -> None:
    if _working.acquire(blocking=False) and not start(_work):  # the next to ask may do it
        _asked.clear()
        _working.release()


def _work() -> None:
    working = _working
    while True:
        try:
            while _asked:
                _asked.popitem()[0].run()
        finally:
            working.release()
        # Who asked just before the release has found somebody at work.
        if not _asked or not working.acquire(blocking=False):
            return


def _after_fork_in_child() -> None:
    """The thread is the parent's; so are its locks, and the files that it has open."""
    global _working
    _working = threading.Lock()
    _asked.clear()
    for fd in _held:
        with suppress(OSError):
            os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
