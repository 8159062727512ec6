"""Packing: the closed segments of a log as Parquet, by day, beside a manifest that says so.

Each batch of segments becomes files whose names and bytes follow from what is in the segments.
They are in the packed log once the manifest names them, so a run that is killed leaves nothing
that counts, and the next one writes the same files again.
"""

import fcntl
import gzip
import hashlib
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import attrs
import duckdb

from lastclick import _manifest
from lastclick._log import read_log
from lastclick._manifest import COLUMNS, File, Manifest, Segment, sync
from lastclick._reading import GZIP, Place, as_it_is_now, batched
from lastclick._rows import UNKNOWN, Rows, micros
from lastclick.engines._parquet import usual_columns
from lastclick.errors import EventError, LogError
from lastclick.events import Event, parse_line

#: From how many bytes of lines on a batch is written.
_BATCH_BYTES = 128 * 1024 * 1024
#: How many lines are handed to DuckDB at once.
_LINES = 20_000
_OURS = re.compile(r"[0-9a-f]{32}\.parquet(\.tmp)?")
_WORK = ".work"
_ORDER = "checkout_id, occurred_at, event_id, place"
_BLOCK_BYTES = 1024 * 1024


@attrs.frozen
class Packed:
    r"""What one run of `pack` did.

    Attributes:
        segments: Segments packed.
        already: Segments that were packed before.
        passed_over: Files left for another run, and why.
        lines: Lines packed, blank ones apart.
        events: Those of them that are events.
        files: Files written.
        bytes_before: Bytes of the lines, not compressed.
        bytes_after: Bytes of the files.

    Example:
        >>> from pathlib import Path
        >>> from lastclick.engines.duckdb import pack
        >>> _ = Path("foreign.jsonl").write_text("{}\n")
        >>> packed = pack("foreign.jsonl", "var/foreign")
        >>> packed.lines, packed.events
        (1, 0)

    .. versionadded:: 0.1.0
    """

    segments: int = 0
    already: int = 0
    passed_over: tuple[Place, ...] = ()
    lines: int = 0
    events: int = 0
    files: int = 0
    bytes_before: int = 0
    bytes_after: int = 0


def pack(
    source: Path | str,
    to: Path | str,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Packed:
    """Write the closed segments of a log to Parquet, which `read_log` and `measure` read.

    Segments that somebody still writes to are left for the next run, and so is what was packed
    before. The log is not changed. A run that was killed is made good by the next.

    Args:
        source: The log: a directory that `FileSink` writes, or one file.
        to: The directory to write to; made if it is not there.
        progress: Called now and then with the bytes read and the bytes in all.

    Raises:
        LogError: There is nothing at the path, or nothing but what is packed already; another run
            packs into the same directory, or what is there is damaged or of a later version.
        OSError: The files could not be written.

    Example:
        >>> from lastclick import Funnel, read_log
        >>> from lastclick.engines.duckdb import pack
        >>> from lastclick.sinks import FileSink
        >>> with Funnel("checkout", steps=("cart",), sink=FileSink("var/to-pack")) as funnel:
        ...     funnel.checkout("c-1").enter("cart")
        >>> pack("var/to-pack", "var/from-pack").events
        2
        >>> set(read_log("var/from-pack")) == set(read_log("var/to-pack"))
        True

    .. versionadded:: 0.1.0
    """
    log, to = read_log(source), Path(to)
    files = log.files()
    packed = [file for file in files if _manifest.is_packed(file)]
    if packed == files and any(to.resolve() not in file.resolve().parents for file in packed):
        msg = (
            f"{log.path} is packed already; pass a directory that FileSink writes, or a file of it"
        )
        raise LogError(msg, log.path)
    found = [file for file in files if not _manifest.is_packed(file)]
    found.sort(key=lambda file: (_name(file), file.name))
    to.mkdir(parents=True, exist_ok=True)
    with _alone(to):
        manifest = _manifest.read(to) or Manifest()
        _clear(to, manifest)
        work = to / _WORK
        work.mkdir()
        try:
            with duckdb.connect(config={"temp_directory": str(work)}) as connection:
                packing = _Packing(connection, log.path, to, manifest)
                return packing.run(found, progress)
        except duckdb.OperationalError as error:  # its words for a disk or memory that is full
            reason = str(error).splitlines()[0]
            msg = f"cannot pack into {to}: {reason}; what was packed before is whole, so try again"
            raise OSError(msg) from None
        finally:
            shutil.rmtree(work, ignore_errors=True)


class _Packing:
    """One run.

    Args:
        connection: Of its own.
        log: Where the segments are.
        to: Where the files go.
        manifest: What was packed before.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, log: Path, to: Path, manifest: Manifest
    ) -> None:
        self._connection, self._log, self._to, self._manifest = connection, log, to, manifest
        self._known = {segment.sha256 for segment in manifest.segments}
        self._batch: list[Segment] = []
        self._place = 0
        self._did = Packed()

    def run(self, files: list[Path], progress: Callable[[int, int], object] | None) -> Packed:
        """Pack what is closed and not packed yet."""
        sizes = [_size(file) for file in files]
        done, total = 0, sum(sizes)
        self._begin()
        for file, size in zip(files, sizes, strict=True):
            self._take(file)
            if sum(segment.size for segment in self._batch) >= _BATCH_BYTES:
                self._write()
            done += size
            if progress is not None:
                progress(done, total)
        self._write()
        return self._did

    def _begin(self) -> None:
        self._execute("CREATE OR REPLACE TABLE raw (place BIGINT, line VARCHAR)")
        self._batch, self._place = [], 0

    def _execute(self, statement: str, values: list[Any] | None = None) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()

    def _take(self, file: Path) -> None:
        """Add a segment to the batch, if it is closed and new."""
        try:
            with _closed(file) as raw:
                if _content(raw).sha256 in self._known:
                    self._count(already=1)
                    return
                before = self._place
                try:
                    content = self._load(raw)
                except BaseException:
                    self._execute(f"DELETE FROM raw WHERE place >= {before}")
                    self._place = before
                    raise
        except BlockingIOError:
            self._pass_over(file, "somebody writes to it")
        except FileNotFoundError:
            self._pass_over(file, "it went away")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._pass_over(file, f"it breaks off: {error}")
        except OSError as error:
            self._pass_over(file, f"it cannot be read: {error.strerror or error}")
        else:
            self._known.add(content.sha256)
            inside = file.relative_to(self._log) if self._log.is_dir() else Path(file.name)
            self._batch.append(attrs.evolve(content, name=_name(inside)))

    def _load(self, raw: IO[bytes]) -> Segment:
        """Hand the lines of a segment to DuckDB."""
        waiting: list[str] = []
        with closing(_Content(raw)) as content:
            for lines in batched(content.read):
                waiting += [_text(line) for line in lines if line]
                if len(waiting) >= _LINES:
                    self._insert(waiting)
                    waiting = []
            self._insert(waiting)
            return content.segment()

    def _insert(self, lines: list[str]) -> None:
        if lines:
            places = list(range(self._place, self._place + len(lines)))
            statement = "INSERT INTO raw SELECT unnest(?::BIGINT[]), unnest(?::VARCHAR[])"
            self._execute(statement, [places, lines])
            self._place += len(lines)

    def _write(self) -> None:
        """Write the files of a batch, and then the manifest that names them."""
        if not self._batch:
            return
        self._execute(f"CREATE OR REPLACE TABLE rows AS {usual_columns('raw')}")
        self._tell_the_others()
        digest = hashlib.sha256("\n".join(one.sha256 for one in self._batch).encode())
        name = digest.hexdigest()[:32]
        segments = [attrs.evolve(one, files=name) for one in self._batch]
        self._execute("SET threads = 1")  # so that the same rows give the same bytes
        written = [self._file(day, name) for day in self._days()]
        self._execute("RESET threads")
        rows = sum(file.rows for file in written)
        assert rows == self._place, f"{self._place} lines, {rows} rows"
        ((events,),) = self._execute("SELECT count(type) FROM rows")
        self._manifest = Manifest(
            (*self._manifest.segments, *segments), (*self._manifest.files, *written)
        )
        sync(self._to)
        self._manifest.write(self._to)
        self._count(
            segments=len(self._batch),
            lines=rows,
            events=events,
            files=len(written),
            bytes_before=sum(segment.size for segment in self._batch),
            bytes_after=sum(_size(self._to / file.path) for file in written),
        )
        self._begin()

    def _days(self) -> list[str]:
        found = self._execute(f"SELECT DISTINCT {_DAY} FROM rows ORDER BY 1")
        return [day for (day,) in found]

    def _file(self, day: str, name: str) -> File:
        """Write the rows of one day."""
        folder = self._to / f"day={day}"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}{_manifest.SUFFIX}"
        new = path.with_name(f"{path.name}.tmp")
        quoted = str(new).replace("'", "''")
        ((rows,),) = self._execute(
            f"""COPY (SELECT {", ".join(COLUMNS)} FROM rows WHERE {_DAY} = '{day}'
                ORDER BY {_ORDER}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)"""
        )
        sync(new)
        new.replace(path)
        sync(folder)
        return File(path.relative_to(self._to).as_posix(), rows, _manifest.checksum(path))

    def _tell_the_others(self) -> None:
        """Put lines in the rows whose columns do not say everything, with what they do say."""
        names = ["place", "t", *(name for name in COLUMNS if name != "occurred_at")]
        types = ["BIGINT", "BIGINT", *(COLUMNS[name] for name in names[2:])]
        lists = ", ".join(
            f"unnest(?::{type_}[]) AS {name}" for name, type_ in zip(names, types, strict=True)
        )
        columns = ", ".join("make_timestamp(t)" if n == "occurred_at" else n for n in COLUMNS)
        self._execute(
            """CREATE OR REPLACE TABLE others AS SELECT place, line FROM raw
            WHERE place IN (SELECT place FROM rows WHERE type IS NULL)"""
        )
        self._execute("DELETE FROM rows WHERE type IS NULL")
        with self._connection.cursor() as cursor:
            found = cursor.execute("SELECT place, line FROM others")
            while some := found.fetchmany(_LINES):
                told = [{"place": place, "line": line, **_told(line)} for place, line in some]
                values = [[one.get(name) for one in told] for name in names]
                self._execute(
                    f"INSERT INTO rows SELECT place, {columns} FROM (SELECT {lists})", values
                )

    def _pass_over(self, file: Path, reason: str) -> None:
        self._count(passed_over=(Place(str(file), None, reason),))

    def _count(self, **more: Any) -> None:
        added = {name: getattr(self._did, name) + number for name, number in more.items()}
        self._did = attrs.evolve(self._did, **added)


_DAY = "coalesce(CAST(CAST(occurred_at AS DATE) AS VARCHAR), 'unknown')"


def _text(line: bytes) -> str:
    """A line as text; one whose bytes are none ends so that it is no JSON, as it was none."""
    try:
        return line.decode()
    except UnicodeDecodeError:  # after a backslash, an escape alone could make JSON of it
        return line.decode(errors="backslashreplace") + " (no UTF-8)"


def _told(line: str) -> dict[str, Any]:
    """What columns can say of a line that they do not say whole."""
    try:
        return _columns(parse_line(line))
    except EventError:
        rows = Rows()
        found, _ = rows.of_lines([line.encode()])
    for t, kind, event_id, _, _, what, *_ in found:
        if kind == UNKNOWN or what:
            return {"type": what, "event_id": event_id, "funnel": rows.funnel, "t": t}
    return {}


def _columns(event: Event) -> dict[str, Any]:
    told: dict[str, Any] = {"t": micros(event.occurred_at)}
    for name in COLUMNS.keys() - {"occurred_at", "line", "attributes", "amount", "currency"}:
        value = getattr(event, name, None)
        told[name] = value if isinstance(value, str) else None
    return told


class _Content:
    """The bytes of a segment as they are read, not compressed, and their checksum."""

    def __init__(self, raw: IO[bytes]) -> None:
        raw.seek(0)
        self._unpacked = gzip.GzipFile(fileobj=raw) if raw.read(2) == GZIP else None
        raw.seek(0)
        self._read = raw.read if self._unpacked is None else self._unpacked.read1
        self._digest, self._crc, self._bytes = hashlib.sha256(), 0, 0

    def read(self, size: int) -> bytes:
        """Some of it; nothing at the end."""
        block = self._read(size)
        self._digest.update(block)
        self._crc = zlib.crc32(block, self._crc)
        self._bytes += len(block)
        return block

    def segment(self) -> Segment:
        """What was read."""
        return Segment("", self._bytes, self._digest.hexdigest(), self._crc, "")

    def close(self) -> None:
        """Let go of it; the file stays open."""
        if self._unpacked is not None:
            self._unpacked.close()


def _content(raw: IO[bytes]) -> Segment:
    with closing(_Content(raw)) as content:
        while content.read(_BLOCK_BYTES):
            pass
        return content.segment()


@contextmanager
def _closed(file: Path) -> Iterator[IO[bytes]]:
    """A segment that no writer has open, held so that none is surprised by what we see of it.

    A sink has a shared lock on its segment for as long as anybody may append to it.

    Raises:
        BlockingIOError: A writer has it.
    """
    with as_it_is_now(file, lambda path: path.open("rb")) as raw:
        fcntl.flock(raw.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield raw


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Be the only run that packs into a directory; a killed one is none."""
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"another run packs into {directory}; wait until it is done"
            raise LogError(msg, directory) from None
        yield
    finally:
        os.close(fd)


def _clear(to: Path, manifest: Manifest) -> None:
    """Remove what a killed run left: files of ours that the manifest does not name."""
    shutil.rmtree(to / _WORK, ignore_errors=True)
    (to / f"{_manifest.NAME}.tmp").unlink(missing_ok=True)
    named = {to / file.path for file in manifest.files}
    for path in to.glob("day=*/*"):
        if _OURS.fullmatch(path.name) and path not in named:
            path.unlink()
    for folder in to.glob("day=*"):
        with suppress(OSError):  # not empty
            folder.rmdir()


def _name(file: Path) -> str:
    """The name of a segment, whether it was compressed since or not."""
    return file.as_posix().removesuffix(".gz")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
