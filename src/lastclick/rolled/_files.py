"""What is new in a log: how far each of its files was read, and which file is which.

A file is known by its name, and by the bytes that were read of it. One that was compressed or
renamed since is found again by these bytes, so that nothing is read twice; if it were, no number
would change, for every rule of the log is the same however often a line comes. A packed file is
known by the checksum in its manifest, which also says what it was packed from: where all of that
was read as lines, it is passed over.
"""

import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import attrs

from lastclick import _manifest
from lastclick._log import Log
from lastclick._manifest import is_packed
from lastclick._reading import Place, Problems, lines_of_packed, opened
from lastclick.errors import EventError

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BLOCK_BYTES = 1024 * 1024
_BATCH_LINES = 100
#: A line is at most 32 KiB; of what goes on for longer no more is kept.
_LONGEST_LINE = 1024 * 1024
#: So much of the beginning and of the end of what was read says whether a file is still the same.
_EDGE = 4096
#: The last bytes of a compressed file: a checksum of what is in it, and how much that is.
_TRAILER = 8
_PLACES = 10


@attrs.define
class Known:
    """How far one file was read, and what was met.

    Attributes:
        size: Bytes of whole lines, unpacked.
        crc: The checksum of these.
        head: That of their beginning.
        tail: That of their end; of a compressed file none.
        seen: Bytes that were read, with a last line without an end.
        seen_crc: The checksum of these.
        packed: What a compressed file looked like from outside; of a packed one its checksum; empty
            for a plain one.
        number: How many lines, with the blank ones.
        lines: Lines read, blank ones apart.
        blank: Blank lines.
        unreadable: Lines that are no events.
        torn: Lines of which only a part was written.
        broken: Why the file breaks off, if it does.
        last: Of a last line without an end: ``"read"``, ``"torn"``, ``"unreadable"`` or nothing.
        places: The first few places where something is wrong: line and reason.
        last_place: That of the last line.
    """

    size: int = 0
    crc: int = 0
    head: int = 0
    tail: int = 0
    seen: int = 0
    seen_crc: int = 0
    packed: str = ""
    number: int = 0
    lines: int = 0
    blank: int = 0
    unreadable: int = 0
    torn: int = 0
    broken: str = ""
    last: str = ""
    places: list[tuple[int, str]] = attrs.field(factory=list)
    last_place: str = ""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Known":
        """From what it is kept as: JSON makes lists of tuples."""
        return cls(**{**told, "places": [(line, reason) for line, reason in told["places"]]})


@attrs.frozen
class Batch:
    """Some lines of one file.

    Attributes:
        known: The file's.
        start: The number of the first line.
        lines: The lines, without blank ones.
        last: Whether this is a last line without an end.
    """

    known: Known
    start: int
    lines: list[bytes]
    last: bool = False


class NewLines:
    """The lines of a log that were not read yet.

    Args:
        log: The log.
        known: By name of a file, how far it was read; brought up to date meanwhile.
        progress: Called now and then with the bytes read and the bytes in all.
    """

    def __init__(
        self, log: Log, known: dict[str, Known], progress: Callable[[int, int], object] | None
    ) -> None:
        self.known = known
        self._progress = progress
        self._root = log.path
        paths = [
            path if is_packed(path) or path.exists() else _compressed(path) for path in log.files()
        ]
        self._files = {self._name(path): path for path in paths}
        #: The names of the files that something was read of.
        self.read: list[str] = []

    def _name(self, path: Path) -> str:
        inside = path.is_relative_to(self._root) and path != self._root
        return path.relative_to(self._root).as_posix() if inside else path.name

    def batches(self) -> Iterator[Batch]:
        """The new lines, some 100 at a time."""
        work = self._work()
        total, done = sum(left for _, _, left in work), 0
        for name, path, left in work:
            before = self.known[name].size if name in self.known else 0
            for batch in (self._packed if is_packed(path) else self._file)(name, path):
                yield batch
                self._tell(done + min(left, batch.known.size - before), total)
            done += left
            self._tell(done, total)

    def _tell(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(min(done, total), total)

    def _work(self) -> list[tuple[str, Path, int]]:
        """The files that have something new, with about how many bytes."""
        work: list[tuple[str, Path]] = []
        strangers: list[tuple[str, Path]] = []
        for name, path in self._files.items():
            known = self.known.get(name)
            if known is None:
                strangers.append((name, path))
            elif not _is_read(path, known):
                (work if _goes_on(path, known) else strangers).append((name, path))
        standing = self._files.keys() - {name for name, _ in strangers}
        gone = {name: known for name, known in self.known.items() if name not in standing}
        for name, path in strangers:
            former = _former(name, path, gone)
            self.known.pop(name, None)
            if former is not None:
                self.known[name] = known = gone.pop(former)
                if former != name:
                    self.known.pop(former, None)
                if _is_read(path, known):
                    continue
            work.append((name, path))
        work.sort(key=lambda one: (is_packed(one[1]), one))  # what lines said, packed files repeat
        return [(name, path, _bytes_left(path, self.known.get(name))) for name, path in work]

    def _packed(self, name: str, path: Path) -> Iterator[Batch]:
        """The lines of a packed file, if not all that it was packed from was read as lines."""
        file, segments = _manifest.told(path)
        read = {(known.seen, known.seen_crc) for known in self.known.values()}
        self.known[name] = known = Known(packed=file.sha256)
        if segments and all((segment.size, segment.crc32) in read for segment in segments):
            return
        self.read.append(name)
        for start, lines in lines_of_packed(path):
            known.lines += len(lines)
            known.number += len(lines)
            yield Batch(known, start, lines)

    def _file(self, name: str, path: Path) -> Iterator[Batch]:
        known = self.known.pop(name, None) or Known()
        if not path.exists():  # compressed since it was listed, or deleted, or sent
            name, path = f"{name}.gz", _compressed(path)
            if not path.exists():
                self.known[name.removesuffix(".gz")] = known
                return
        known.broken = known.last = known.last_place = ""
        self.known[name] = known
        self.read.append(name)
        try:
            with opened(path) as raw:
                if raw.read(2) != _GZIP:
                    known.packed = ""
                    raw.seek(known.size)
                    yield from _lines(raw, known)
                    known.head, known.tail = _edges(raw, known.size)
                    return
                known.packed = _outside(raw)
                raw.seek(0)
                with gzip.open(raw) as stream:
                    if not _begins_with(stream, known):
                        self.known[name] = known = Known(packed=known.packed)
                        stream.seek(0)
                    yield from _lines(stream, known)
        except (EOFError, zlib.error, OSError) as error:
            known.broken = f"the file breaks off: {error}"


def problems(files: Mapping[str, Known]) -> Problems:
    """What was met in all files, now and before."""
    found = sorted(files.items())
    every = [known for _, known in found]
    return Problems(
        files=len(files),
        lines=sum(known.lines + bool(known.last) for known in every),
        blank=sum(known.blank for known in every),
        unreadable=sum(known.unreadable + (known.last == "unreadable") for known in every),
        torn=sum(known.torn + (known.last == "torn") + bool(known.broken) for known in every),
        places=tuple(place for name, known in found for place in _places(name, known))[:_PLACES],
    )


def refuse(batch: Batch, place: int, error: EventError) -> None:
    """Count a line that is no event."""
    known, line = batch.known, batch.lines[place]
    torn = error.reason == "json_invalid" and line.startswith(b'{"v"')
    why = "torn: only a part of the line was written" if torn else str(error)[:200]
    if batch.last:
        known.last, known.last_place = "torn" if torn else "unreadable", why
        return
    if torn:
        known.torn += 1
    else:
        known.unreadable += 1
    if len(known.places) < _PLACES:
        known.places.append((batch.start + place, why))


def _places(name: str, known: Known) -> Iterator[Place]:
    yield from (Place(name, line, reason) for line, reason in known.places)
    if known.last_place:
        yield Place(name, known.number + 1, known.last_place)
    if known.broken:
        yield Place(name, None, known.broken)


def _lines(stream: BufferedReader | gzip.GzipFile, known: Known) -> Iterator[Batch]:
    """What follows, in whole lines; at last the beginning of one, if there is one."""
    size, crc, left = known.size, known.crc, b""
    while block := stream.read1(_BLOCK_BYTES):
        end = block.rfind(b"\n") + 1
        if end:
            known.size = size + end
            known.crc = zlib.crc32(block[:end], crc)
            crc = zlib.crc32(block[end:], known.crc)
        else:
            crc = zlib.crc32(block, crc)
        text = block if size else block.removeprefix(_BOM)
        size += len(block)
        *lines, left = (left + text).split(b"\n")
        for at in range(0, len(lines), _BATCH_LINES):
            stripped = [line.strip() for line in lines[at : at + _BATCH_LINES]]
            yield from _numbered(stripped, known)
        left = left[:_LONGEST_LINE]
    known.seen, known.seen_crc = size, crc
    if left.strip():
        known.last = "read"
        yield Batch(known, known.number + 1, [left.strip()], last=True)


def _numbered(lines: list[bytes], known: Known) -> Iterator[Batch]:
    """The lines that are not blank, with their numbers."""
    whole = [line for line in lines if line]
    start = known.number + 1
    known.lines += len(whole)
    known.blank += len(lines) - len(whole)
    known.number += len(lines)
    if len(whole) == len(lines):
        yield Batch(known, start, whole)
        return
    for number, line in enumerate(lines, start):
        if line:
            yield Batch(known, number, [line])


# Which file is which


def _is_read(path: Path, known: Known) -> bool:
    """Whether there is nothing new in a file."""
    if is_packed(path):
        return known.packed == _manifest.told(path)[0].sha256
    try:
        with path.open("rb") as raw:
            if raw.read(2) == _GZIP:
                return _is_all_of(_outside(raw), known)
            return _length(raw) == known.size and _is_same(raw, known)
    except OSError:
        return False


def _is_all_of(outside: str, known: Known) -> bool:
    """Whether a compressed file holds just what was read."""
    if known.size and known.packed != outside and outside.endswith(_trailer(known)):
        known.packed = outside
    return known.packed == outside


def _goes_on(path: Path, known: Known) -> bool:
    """Whether what was read of a file is still its beginning; of a packed one it is seen later."""
    if is_packed(path):
        return False
    try:
        with path.open("rb") as raw:
            return raw.read(2) == _GZIP or (_length(raw) >= known.size and _is_same(raw, known))
    except OSError:
        return True


def _former(name: str, path: Path, gone: dict[str, Known]) -> str | None:
    """The name that a file had before, if it is one that was read."""
    if name.endswith(".gz") and name.removesuffix(".gz") in gone:
        return name.removesuffix(".gz")  # that it is the same is seen when it is read
    if is_packed(path):
        return next((one for one, of in gone.items() if _is_read(path, of)), None)
    try:
        with path.open("rb") as raw:
            if raw.read(2) == _GZIP:
                outside = _outside(raw)
                return next((one for one, of in gone.items() if _is_all_of(outside, of)), None)
            head, length = os.pread(raw.fileno(), _EDGE, 0), _length(raw)
            for one, of in gone.items():
                if 0 < of.size <= length and zlib.crc32(head[: of.size]) == of.head:
                    raw.seek(0)
                    if _begins_with(raw, of):
                        return one
    except OSError:
        pass
    return None


def _is_same(raw: BufferedReader, known: Known) -> bool:
    return not known.packed and _edges(raw, known.size) == (known.head, known.tail)


def _edges(raw: BufferedReader, size: int) -> tuple[int, int]:
    """The checksums of the beginning and of the end of what was read of a plain file."""
    edge = min(_EDGE, size)
    descriptor = raw.fileno()
    head, tail = os.pread(descriptor, edge, 0), os.pread(descriptor, edge, size - edge)
    return zlib.crc32(head), zlib.crc32(tail)


def _outside(raw: BufferedReader) -> str:
    """How long a compressed file is, and what its trailer says."""
    length = _length(raw)
    return f"{length} {os.pread(raw.fileno(), _TRAILER, max(0, length - _TRAILER)).hex()}"


def _trailer(known: Known) -> str:
    """The trailer of a file that holds just what was read."""
    crc, size = known.crc.to_bytes(4, "little"), (known.size % 2**32).to_bytes(4, "little")
    return f" {(crc + size).hex()}"


def _length(raw: BufferedReader) -> int:
    return os.fstat(raw.fileno()).st_size


def _begins_with(stream: BufferedReader | gzip.GzipFile, known: Known) -> bool:
    """Read as much as was read before, and say whether it is the same."""
    left, crc = known.size, 0
    while left and (block := stream.read1(min(left, _BLOCK_BYTES))):
        left -= len(block)
        crc = zlib.crc32(block, crc)
    return not left and crc == known.crc


def _bytes_left(path: Path, known: Known | None) -> int:
    try:
        length = path.stat().st_size
    except OSError:
        return 0
    return max(0, length - (known.size if known and not known.packed else 0))


def _compressed(file: Path) -> Path:
    """The name under which a file sink compresses a file."""
    return file.with_name(f"{file.name}.gz")
