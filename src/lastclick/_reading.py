"""Reading the lines of a log: whole files or shares of them, and what could not be read."""

import gzip
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, TypeVar

import attrs

from lastclick import _manifest
from lastclick._rows import Batch, Rows
from lastclick.errors import EventError, LogError, not_readable

T = TypeVar("T")

GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BLOCK_BYTES = 1024 * 1024
_BATCH_LINES = 100
#: A line is at most 32 KiB; what goes on for longer is no log.
LONGEST_LINE = 1024 * 1024
_PLACES = 10
TORN = "torn: only a part of the line was written"
#: What is read alone, at most, where several processes read; a gzipped file stays whole.
_SHARE_BYTES = 8 * 1024 * 1024


@attrs.frozen
class Place:
    r"""Where something could not be read.

    Attributes:
        file: The file's path.
        line: The line's number, from 1; None where it is the file.
        reason: What is wrong with it.

    Example:
        >>> from pathlib import Path
        >>> from lastclick import read_log
        >>> _ = Path("foreign.jsonl").write_text("{}\n")
        >>> log = read_log("foreign.jsonl")
        >>> list(log)
        []
        >>> log.problems.places[0].line
        1

    .. versionadded:: 0.1.0
    """

    file: str
    line: int | None
    reason: str


@attrs.frozen
class Problems:
    """What a reading met, whole or in part; facts of delivery, not of the shop.

    Attributes:
        files: Files read.
        passed_over: Files not read because of ``since``.
        lines: Lines read, blank ones apart.
        blank: Blank lines.
        unreadable: Lines that are no events.
        torn: Lines of which only a part was written.
        places: The first few of these, with file and line.

    Example:
        >>> from pathlib import Path
        >>> from lastclick import read_log
        >>> _ = Path("torn.jsonl").write_text('{"v":1,"type":"step_ent')
        >>> log = read_log("torn.jsonl")
        >>> list(log)
        []
        >>> log.problems.torn
        1

    .. versionadded:: 0.1.0
    """

    files: int = 0
    passed_over: int = 0
    lines: int = 0
    blank: int = 0
    unreadable: int = 0
    torn: int = 0
    places: tuple[Place, ...] = ()


@attrs.frozen
class Share:
    """Whole lines of one file.

    Attributes:
        file: The file.
        size: How many bytes they are on disk.
        start: Where the first line begins.
        stop: Where the last one ends; None is the end of the file.
    """

    file: Path
    size: int
    start: int = 0
    stop: int | None = None

    def split(self) -> Iterator["Share"]:
        """The same in parts of some MiB; a gzipped or packed file stays whole."""
        start = 0
        if _manifest.is_packed(self.file):
            yield self
            return
        with suppress(OSError), self.file.open("rb") as raw:  # gone, or gzipped by now: whole
            if raw.read(2) != GZIP:
                while self.size - start > _SHARE_BYTES:
                    stop = _next_line(raw, start + _SHARE_BYTES)
                    if stop >= self.size:
                        break
                    yield Share(self.file, stop - start, start, stop)
                    start = stop
        yield Share(self.file, self.size - start, start)


class Meter:
    """One pass over a log, or over a share of it, and what it met.

    Attributes:
        files: Files read.
        passed_over: Files not read.
    """

    def __init__(self) -> None:
        self.files = self.passed_over = 0
        self._lines = self._blank = self._unreadable = self._torn = 0
        self._places: list[Place] = []

    def problems(self) -> Problems:
        return Problems(
            files=self.files,
            passed_over=self.passed_over,
            lines=self._lines,
            blank=self._blank,
            unreadable=self._unreadable,
            torn=self._torn,
            places=tuple(self._places),
        )

    def add(self, met: Problems, before: int) -> None:
        """Take what another one met, after so many lines of the same file."""
        self._lines += met.lines
        self._blank += met.blank
        self._unreadable += met.unreadable
        self._torn += met.torn
        for place in met.places:
            number = None if place.line is None else before + place.line
            self._place(Place(place.file, number, place.reason))

    def count(self, lines: int) -> None:
        """Count lines, however they are read."""
        self._lines += lines

    def lines_of(self, share: Share) -> Iterator[tuple[int, list[bytes], int]]:
        """Whole lines, some 100 at a time, with the number of the first, and the place on disk."""
        start, file = 1, share.file
        if _manifest.is_packed(file):
            for start, lines in lines_of_packed(file):
                self.count(len(lines))
                yield start, lines, 0
            return
        try:
            with opened(file) as raw:
                packed = raw.read(2) == GZIP
                raw.seek(0)
                with gzip.open(raw) if packed else raw as stream:
                    # Also where it was gzipped since its shares were told: its bytes are the same.
                    stream.seek(share.start)
                    # read1, since read would forget what came before a break in the same block
                    read: Callable[[int], bytes] = stream.read1
                    if share.stop is not None:
                        read = _up_to(share.stop - share.start, read)
                    for lines in batched(read, first=not share.start):
                        whole = [line for line in lines if line]
                        self._blank += len(lines) - len(whole)
                        self._lines += len(whole)
                        if len(whole) == len(lines):
                            yield start, whole, raw.tell()
                        else:  # keep the numbers right around blank lines
                            for number, line in enumerate(lines, start):
                                if line:
                                    yield number, [line], raw.tell()
                        start += len(lines)
        except (EOFError, zlib.error, OSError) as error:
            self._torn += 1
            self._place(Place(str(file), None, f"the file breaks off: {error}"))

    def rows(
        self, batches: Iterable[tuple[Path | str, int, list[bytes]]], rows: Rows
    ) -> Iterator[Batch]:
        """The rows and records in some lines."""
        for file, start, lines in batches:
            found, others = rows.of_lines(lines)
            records = []
            for place, other in others:
                if isinstance(other, EventError):
                    self.refuse(file, start + place, lines[place], other)
                else:
                    records.append(other)
            yield found, records

    def refuse(self, file: Path | str, number: int, line: bytes, error: EventError) -> None:
        if is_torn(line, error):
            self._torn += 1
            self._place(Place(str(file), number, TORN))
        else:
            self._unreadable += 1
            self._place(Place(str(file), number, str(error)[:200]))

    def _place(self, place: Place) -> None:
        if len(self._places) < _PLACES:
            self._places.append(place)


def batched(read: Callable[[int], bytes], *, first: bool = True) -> Iterator[list[bytes]]:
    """The stripped lines of what a function reads, some 100 at a time."""
    left = b""
    while block := read(_BLOCK_BYTES):
        if first:
            block, first = block.removeprefix(_BOM), False
        *lines, left = (left + block).split(b"\n")
        for at in range(0, len(lines), _BATCH_LINES):
            yield [line.strip() for line in lines[at : at + _BATCH_LINES]]
        if len(left) > LONGEST_LINE:
            left = left[:LONGEST_LINE]
    if left.strip():
        yield [left.strip()]


def lines_of_packed(file: Path) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of a packed file, some 100 at a time, with the number of the first.

    Raises:
        LogError: The file is not what was written, or DuckDB is missing.
    """
    try:
        from lastclick.engines._parquet import lines
    except ModuleNotFoundError:
        msg = f'{file} is packed; to read it: pip install "lastclick[duckdb]"'
        raise LogError(msg, file) from None
    return lines(file)


def is_torn(line: bytes, error: EventError) -> bool:
    """Whether a line that is no event is the beginning of one."""
    return error.reason == "json_invalid" and line.startswith(b'{"v"')


def read_share(share: Share, rows: Rows) -> Generator[Batch, None, Problems]:
    """The rows of a share; returns what was met in it, with lines counted from its start."""
    meter = Meter()
    lines = ((share.file, start, some) for start, some, _ in meter.lines_of(share))
    yield from meter.rows(lines, rows)
    return meter.problems()


def _next_line(raw: BinaryIO, place: int) -> int:
    """Where the first line begins that begins at a place or after it."""
    raw.seek(place - 1)
    while (piece := raw.readline(LONGEST_LINE)) and not piece.endswith(b"\n"):
        pass
    return raw.tell()


def _up_to(size: int, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """The same reading, but only so many bytes of it."""

    def bounded(most: int) -> bytes:
        nonlocal size
        block = read(min(most, size)) if size else b""
        size -= len(block)
        return block

    return bounded


def packed_name(file: Path) -> Path:
    """The name under which a file sink compresses a file."""
    return file.with_name(f"{file.name}.gz")


def opened(file: Path) -> BufferedReader:
    """Open a file of a log, as it is now.

    Raises:
        FileNotFoundError: It went away.
        LogError: It may not be read, which is no fault of the log.
    """
    try:
        return as_it_is_now(file, lambda path: path.open("rb"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise not_readable(file, error) from error


def as_it_is_now(file: Path, get: Callable[[Path], T]) -> T:
    """Get it of the file, or of what has become of it if it was compressed since it was listed."""
    try:
        return get(file)
    except FileNotFoundError:
        if not packed_name(file).exists():
            raise
    return get(packed_name(file))
