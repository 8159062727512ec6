"""One part of a spool: the log of one process, and how far it has been sent.

A part is a directory that one process writes to and sends from. Whoever holds the lock of its lock
file (a lock of the kernel, which goes away with the process) may do so; thus a part that a dead
process left is adopted by exactly one live one.

    SPOOL/20261101T120000.000000Z-4711-1f0c9a2b/         a FileSink log of one process
    SPOOL/20261101T120000.000000Z-4711-1f0c9a2b/cursor   how far it has been sent
    SPOOL/20261101T120000.000000Z-4711-1f0c9a2b.lock     locked by its owner
    SPOOL/dead-letters/                                  what the receiver will never take
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic_core import from_json, to_json

from lastclick.sinks._lines import LINE_START, event_id, is_record
from lastclick.sinks._segment import held, new_name
from lastclick.sinks._sender import Load

DEAD_LETTERS = "dead-letters"
_CURSOR = "cursor"
_LOCK = ".lock"


class PartLoad(Load):
    """Events of one segment, and where the next ones begin."""

    def __init__(self, waiting: dict[str, bytes], part: "Part", file: str, end: int) -> None:
        super().__init__(waiting)
        self.part = part
        self.file = file
        self.end = end
        self.ids = frozenset(waiting)
        self.events = sum(not is_record(line) for line in waiting.values())


class Part:
    """A part of a spool whose lock this process holds. Made by `create` or `claim`."""

    def __init__(self, directory: Path, lock: int) -> None:
        self.directory = directory
        self._lock = lock
        #: By segment: how many of its bytes are settled.
        self._offsets: dict[str, int] = {}
        #: Ids of events beyond the offsets that are settled, too.
        self._settled: set[str] = set()

    @classmethod
    def create(cls, root: Path) -> Self:
        """A new part, with its lock.

        Raises:
            OSError: It cannot be made.
        """
        root.mkdir(parents=True, exist_ok=True)
        while True:
            directory = root / new_name()
            lock = _lock(root / f"{directory.name}{_LOCK}")
            # Another process that clears away locks without a part may have been faster.
            if lock is not None:
                break
        try:
            directory.mkdir()
        except OSError:
            _remove_lock(root / f"{directory.name}{_LOCK}", lock)
            raise
        return cls(directory, lock)

    @classmethod
    def claim(cls, directory: Path) -> Self | None:
        """A part that was left, with its lock; None where its owner lives."""
        path = directory.with_name(f"{directory.name}{_LOCK}")
        lock = _lock(path)
        if lock is None:
            return None
        if not directory.is_dir():  # its owner has removed it just now
            _remove_lock(path, lock)
            return None
        part = cls(directory, lock)
        part._read_cursor()
        return part

    def _read_cursor(self) -> None:
        # A cursor that cannot be read, after a loss of power, has everything sent once more.
        with suppress(OSError, ValueError, TypeError, AttributeError):
            found = from_json((self.directory / _CURSOR).read_bytes())
            self._offsets = {str(name): int(end) for name, end in found["offsets"].items()}
            self._settled = {str(one) for one in found["settled"]}

    # What it holds -------------------------------------------------------------------------------

    def files(self) -> list[Path]:
        """Its segments, oldest first."""
        return sorted(self.directory.glob("*.jsonl"))

    def read(self, events: int, size: int) -> PartLoad | None:
        """The oldest events that are not settled; None where there are none.

        A segment that is settled, and that nobody writes to any more, is removed on the way.
        """
        for path in self.files():
            load = self._read_file(path, events, size)
            if load is not None:
                return load
            self._remove(path)
        return None

    def remove_settled(self) -> None:
        """Remove the segments that are settled."""
        for path in self.files():
            self._remove(path)

    def _read_file(self, path: Path, events: int, size: int) -> PartLoad | None:
        with path.open("rb") as file:
            while True:
                offset = file.seek(self._offsets.get(path.name, 0))
                block = file.read(size)
                *lines, rest = block.split(b"\n", events)  # no more than are asked for
                if not lines and len(block) < size:
                    return None
                end = offset + len(block) - (len(rest) if lines else 0)
                waiting = self._waiting(lines)
                if waiting:
                    return PartLoad(waiting, self, path.name, end)
                self._offsets[path.name] = end

    def _waiting(self, lines: list[bytes]) -> dict[str, bytes]:
        """The events among the lines that are not settled, by id."""
        found = {}
        for line in lines:
            # A write that fell short leaves the beginning of a line, to which another thread may
            # have appended a whole one; mended, it is spaces.
            at = line.rfind(LINE_START)
            if at >= 0 and line.endswith(b"}"):
                whole = line[at:]
                one = event_id(whole)
                if one is not None:
                    found[one] = whole
        for one in self._settled & found.keys():
            del found[one]
        return found

    def _remove(self, path: Path) -> None:
        """Remove the segment if it is settled, and nobody writes to it any more."""
        with suppress(OSError), held(path), path.open("rb") as file:
            # Whoever wrote until just now may have added a line since it was read.
            file.seek(self._offsets.get(path.name, 0))
            if b"\n" not in file.read():
                path.unlink()
                self._offsets.pop(path.name, None)

    def drop_oldest(self) -> list[bytes] | None:
        """Remove the oldest segment that nobody writes to; the lines of it that are not settled."""
        for path in self.files():
            with suppress(OSError), held(path):
                block = path.read_bytes()[self._offsets.pop(path.name, 0) :]
                path.unlink()
                return list(self._waiting(block.split(b"\n")).values())
        return None

    def count(self) -> int:
        """How many of its events are not settled."""
        number = 0
        for path in self.files():
            with suppress(OSError), path.open("rb") as file:
                file.seek(self._offsets.get(path.name, 0))
                number += sum(1 for line in file if line.strip() and not is_record(line))
        return number - len(self._settled)

    # How far it is -------------------------------------------------------------------------------

    def note(self, load: PartLoad) -> None:
        """Keep how far the load is."""
        if load.waiting:
            self._settled |= load.ids - load.waiting.keys()
        else:
            self._settled -= load.ids
            self._offsets[load.file] = load.end
        state = {"offsets": self._offsets, "settled": sorted(self._settled)}
        fresh = self.directory / f"{_CURSOR}.new"
        # Where it cannot be written, a process that dies has the receiver asked twice.
        with suppress(OSError):
            fresh.write_bytes(to_json(state))
            fresh.replace(self.directory / _CURSOR)

    # Its end -------------------------------------------------------------------------------------

    def let_go(self) -> None:
        """Give up the lock, and remove the part where it holds no segment any more."""
        lock, self._lock = self._lock, -1
        if lock < 0:
            return
        path = self.directory.with_name(f"{self.directory.name}{_LOCK}")
        if not self.files():
            with suppress(OSError):
                (self.directory / _CURSOR).unlink(missing_ok=True)
                (self.directory / f"{_CURSOR}.new").unlink(missing_ok=True)
                self.directory.rmdir()
                _remove_lock(path, lock)
                return
        os.close(lock)

    def forget(self) -> None:
        """In a forked child: the lock is the parent's."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


def parts(root: Path) -> list[Path]:
    """The directories of all parts, oldest first."""
    with suppress(OSError):
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
        # A name with a dot is a process's that tries out whether it can write here.
        return [root / name for name in names if name != DEAD_LETTERS and name[0] != "."]
    return []


def sweep(root: Path) -> None:
    """Remove locks whose part is gone: what a process leaves that dies between two steps."""
    for path in root.glob(f"*{_LOCK}"):
        directory = path.with_suffix("")
        if not directory.exists():
            with suppress(OSError):
                part = Part.claim(directory)
                if part is not None:  # it has come into being just now
                    part.let_go()


def _lock(path: Path) -> int | None:
    """The lock of a lock file; None where somebody else has it.

    Raises:
        OSError: The file system has no such locks, or the file cannot be made.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever removed it between our two steps holds the lock of a file without a name.
        mine, there = os.fstat(lock), path.stat()
        if (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(lock)
        raise
    os.close(lock)
    return None


def _remove_lock(path: Path, lock: int) -> None:
    with suppress(OSError):
        path.unlink()
    os.close(lock)
