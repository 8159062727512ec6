"""Reading a log: its files, in any mix, with what could not be read counted and shown."""

import gzip
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeAlias, TypeVar

import attrs

from lastclick import _manifest
from lastclick._rows import Batch, Rows
from lastclick.errors import EventError, LogError
from lastclick.events import Event, parse_line, utc

T = TypeVar("T")

SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BLOCK_BYTES = 1024 * 1024
_BATCH_LINES = 100
#: A line is at most 32 KiB; what goes on for longer is no log.
LONGEST_LINE = 1024 * 1024
_PLACES = 10


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


class Log:
    """The events of a log, read anew each time it is iterated. Made by `read_log`.

    Example:
        >>> from lastclick import Funnel, read_log
        >>> from lastclick.sinks import FileSink
        >>> with Funnel("checkout", steps=("cart",), sink=FileSink("var/shop")) as funnel:
        ...     funnel.checkout("c-1").enter("cart")
        >>> log = read_log("var/shop")
        >>> [event.type for event in log]
        ['funnel_declared', 'step_entered']
        >>> len(log.files()), log.problems.lines
        (1, 2)

    .. versionadded:: 0.1.0
    """

    def __init__(
        self,
        path: Path,
        since: datetime | None,
        progress: Callable[[int, int], object] | None,
    ) -> None:
        self.path = path
        self._since = since
        self._progress = progress
        self._problems = Problems()

    @property
    def problems(self) -> Problems:
        """What the last complete iteration met."""
        return self._problems

    def files(self) -> list[Path]:
        """The files of the log as it stands now, in order of name.

        Raises:
            LogError: There is nothing at the path, or a manifest cannot be used.
        """
        if self.path.is_dir():
            # Twice: a file that is compressed during one listing may be in it under neither name.
            found = {*_walk(self.path), *_walk(self.path)}
            lines = _standing({path for path in found if path.name.endswith(SUFFIXES)})
            packed = {path.parent for path in found if path.name == _manifest.NAME}
            return sorted([*lines, *(file for path in packed for file in _manifest.files(path))])
        if not self.path.exists() and not _packed(self.path).exists():
            msg = f"no log at {self.path}; pass the directory that FileSink writes, or a file"
            raise LogError(msg, self.path)
        return [self.path]

    def __iter__(self) -> Iterator[Event]:
        meter = Meter(self)
        for file, start, lines in meter.batches():
            for number, line in enumerate(lines, start):
                try:
                    yield parse_line(line)
                except EventError as error:
                    meter.refuse(file, number, line, error)
        self._problems = meter.problems()

    def read_rows(self, rows: Rows) -> Iterator[Batch]:
        """The same as rows, for counting."""
        meter = Meter(self)
        for file, start, lines in meter.batches():
            yield meter.sorted_out(rows, file, start, lines)
        self._problems = meter.problems()

    def lines(self) -> Iterator[tuple[Path, int, bytes]]:
        """Every line that is not blank, as it is, with its file and number; for tools."""
        meter = Meter(self)
        for file, start, lines in meter.batches():
            for number, line in enumerate(lines, start):
                yield file, number, line
        self._problems = meter.problems()

    def __repr__(self) -> str:
        return f"Log({str(self.path)!r})"


#: Some lines of a packed file, with the number of the first.
Packed: TypeAlias = Callable[[Path], Iterator[tuple[int, list[bytes]]]]


class Meter:
    """One pass over the files of a log, and what it met.

    Args:
        log: The log.
        packed: What reads packed files, for an engine that counts most of their lines itself.
    """

    def __init__(self, log: Log, packed: Packed | None = None) -> None:
        self._log = log
        self._packed = packed or _lines_of_packed
        self._files = self._passed = self._lines = 0
        self._blank = self._unreadable = self._torn = 0
        self._places: list[Place] = []
        self._found: list[tuple[Path, int]] | None = None

    def problems(self) -> Problems:
        return Problems(
            files=self._files,
            passed_over=self._passed,
            lines=self._lines,
            blank=self._blank,
            unreadable=self._unreadable,
            torn=self._torn,
            places=tuple(self._places),
        )

    def files(self) -> list[tuple[Path, int]]:
        """The files of this pass, with their sizes."""
        if self._found is None:
            self._found = []
            for path in self._log.files():
                try:
                    status = as_it_is_now(path, os.stat)
                except FileNotFoundError:
                    if path.name.endswith(_manifest.SUFFIX):
                        raise _manifest.damaged(path, "it is gone") from None
                    continue  # deleted, or sent, since it was listed
                if self._wanted(status):
                    self._found.append((path, status.st_size))
        return self._found

    def batches(self) -> Iterator[tuple[Path, int, list[bytes]]]:
        """Whole lines of one file, some 100 at a time, with the number of the first."""
        files = self.files()
        total, done = sum(size for _, size in files), 0
        for file, size in files:
            self._files += 1
            for start, lines, place in self._lines_of(file):
                yield file, start, lines
                if self._log._progress is not None:
                    self._log._progress(min(done + place, total), total)
            done += size
        if self._log._progress is not None:
            self._log._progress(total, total)

    def _wanted(self, status: os.stat_result) -> bool:
        since = self._log._since
        if since is None or status.st_mtime >= since.timestamp():
            return True
        self._passed += 1
        return False

    def count(self, lines: int) -> None:
        """Count lines that were read elsewhere."""
        self._lines += lines

    def _lines_of(self, file: Path) -> Iterator[tuple[int, list[bytes], int]]:
        if file.name.endswith(_manifest.SUFFIX):
            for start, lines in self._packed(file):
                self._lines += len(lines)
                yield start, lines, 0
            return
        start = 1
        try:
            with as_it_is_now(file, lambda path: path.open("rb")) as raw:
                packed = raw.read(2) == GZIP
                raw.seek(0)
                with gzip.open(raw) if packed else raw as stream:
                    # read1, since read would forget what came before a break in the same block
                    for lines in batched(stream.read1):
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

    def sorted_out(self, rows: Rows, file: Path, start: int, lines: list[bytes]) -> Batch:
        """The rows and records of some lines; what is neither is refused."""
        found, others = rows.of_lines(lines)
        records = []
        for place, other in others:
            if isinstance(other, EventError):
                self.refuse(file, start + place, lines[place], other)
            else:
                records.append(other)
        return found, records

    def refuse(self, file: Path, number: int, line: bytes, error: EventError) -> None:
        if error.reason == "json_invalid" and line.startswith(b'{"v"'):
            self._torn += 1
            self._place(Place(str(file), number, "torn: only a part of the line was written"))
        else:
            self._unreadable += 1
            self._place(Place(str(file), number, str(error)[:200]))

    def _place(self, place: Place) -> None:
        if len(self._places) < _PLACES:
            self._places.append(place)


def batched(read: Callable[[int], bytes]) -> Iterator[list[bytes]]:
    """The stripped lines of what a function reads, some 100 at a time."""
    left = b""
    first = True
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


def _lines_of_packed(file: Path) -> Iterator[tuple[int, list[bytes]]]:
    try:
        from lastclick.engines._parquet import lines
    except ModuleNotFoundError:
        msg = f'{file} is packed; to read it: pip install "lastclick[duckdb]"'
        raise LogError(msg, file) from None
    return lines(file)


def _walk(directory: Path) -> Iterator[Path]:
    """The files below a directory; `rglob` would raise where a part of a spool goes meanwhile."""
    for parent, _, names in os.walk(directory):
        yield from (Path(parent, name) for name in names)


def _packed(file: Path) -> Path:
    """The name under which a file sink compresses a file."""
    return file.with_name(f"{file.name}.gz")


def _standing(found: set[Path]) -> list[Path]:
    """What was listed and is there, in order of name; a file that is being compressed only once."""
    times: dict[Path, int] = {}
    for path in found:
        with suppress(OSError):  # gone
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                times[path] = status.st_mtime_ns
    # Compressing keeps the time. Two files of one name and another time are two files.
    twins = {_packed(path) for path in times if times.get(_packed(path)) == times[path]}
    # No listing may have the new name yet; opened, it is found.
    late = {path for path in found - times.keys() if _packed(path) not in found}
    return sorted(times.keys() - twins | {path for path in late if _packed(path).is_file()})


def as_it_is_now(file: Path, get: Callable[[Path], T]) -> T:
    """Get it of the file, or of what has become of it if it was compressed since it was listed."""
    try:
        return get(file)
    except FileNotFoundError:
        if not _packed(file).exists():
            raise
    return get(_packed(file))


def read_log(
    path: Path | str,
    since: datetime | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Log:
    """The events of a log: a directory that `FileSink` writes, or one file, gzipped or plain.

    What `lastclick pack` has written is a log too; reading it takes the extra ``duckdb``.

    Reading is calm: torn ends, blank lines and foreign lines are counted in ``.problems``, with
    file and line of the first few, and the rest is read.

    Args:
        path: The directory (with its subdirectories) or the file.
        since: Pass over files last written before this instant. A saving, not a filter: what is
            read may hold older events.
        progress: Called now and then with the bytes read and the bytes in all.

    Returns:
        An iterable of events, read anew each time, with ``.problems``.

    Raises:
        LogError: There is nothing at the path, ``since`` has no zone, or what is packed is damaged
            or cannot be read without the extra.

    Example:
        >>> from lastclick import Funnel, read_log
        >>> from lastclick.sinks import FileSink
        >>> with Funnel("checkout", steps=("cart",), sink=FileSink("var/log")) as funnel:
        ...     funnel.checkout("c-1").enter("cart")
        >>> [event.type for event in read_log("var/log")][-1]
        'step_entered'

    .. versionadded:: 0.1.0
    """
    log = Log(Path(path), since, progress)
    if since is not None:
        try:
            utc(since)
        except EventError as error:
            raise LogError(f"since: {error}", log.path) from None
    log.files()
    return log
