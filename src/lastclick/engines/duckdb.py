"""DuckDB as the engine: JSON lines and Parquet on disk or in an object store. Extra ``duckdb``."""

import json
import tempfile
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import duckdb
from typing_extensions import Unpack

from lastclick import _manifest
from lastclick._gather import Chosen, Events, Records, rows_of
from lastclick._log import SUFFIXES, Log, read_log
from lastclick._manifest import is_packed
from lastclick._reading import GZIP, LONGEST_LINE, Meter, Problems, Share
from lastclick._rows import CANCELLED, REFUNDED, Batch, Rows
from lastclick._rows import Row as Fact
from lastclick.engines._cells import Row
from lastclick.engines._dialect import DUCKDB, Dialect
from lastclick.engines._measure import Progress, Read, report_by
from lastclick.engines._pack import Packed, pack
from lastclick.engines._parquet import (
    literal,
    packed_facts,
    reading,
    select_lines,
    select_others,
)
from lastclick.engines._sql import WHOLE, Table
from lastclick.engines._usual import facts, plain
from lastclick.errors import ConfigError, LogError
from lastclick.metrics import Report
from lastclick.metrics._count import Asked, Asking, asked

__all__ = ["Packed", "measure", "pack"]

_FACTS = """
    t BIGINT, kind TINYINT, event_id VARCHAR, checkout_id VARCHAR, customer_id VARCHAR,
    what VARCHAR, more VARCHAR, units BIGINT, currency VARCHAR, excluded BOOLEAN, grp VARCHAR
"""
_COLUMNS = [column.split()[0] for column in _FACTS.split(",")]
_ROWS = 20_000
#: How many bytes of memory a row may take where rows are grouped: what a group holds is not
#: spilled to disk, so larger tables are made in parts.
_A_ROW = 400
#: What is also kept of each line: itself where it is not usual, and its bytes (if not too many).
_ALSO = (
    "CASE WHEN NOT usual THEN line END",
    "CASE WHEN strlen(line) <= 65535 THEN strlen(line) END",
)
#: Lines of a file, and the number of the first.
Lines = tuple[Path | str, int, list[bytes]]


@attrs.frozen
class _Loaded:
    """What has been read of a file into the table ``lines``.

    Attributes:
        number: The file's.
        first: The place of its first line in the table.
        lines: How many they are, blank ones apart.
        size: Their bytes, with an end of line each; less where one is no JSON, or very long.
    """

    number: int
    first: int = 0
    lines: int = 0
    size: int = 0


def measure(
    source: "Events | Path | str",
    funnel: Chosen = None,
    *,
    connection: "duckdb.DuckDBPyConnection | None" = None,
    progress: Progress = None,
    **settings: Unpack[Asking],
) -> Report:
    """The report of `lastclick.measure`, counted by DuckDB: the same, to the last digit.

    Tables that do not fit into memory go to a temporary folder, which is removed at the end.

    Args:
        source: A log: a directory or a file, gzipped, plain or packed; the URL of one in an object
            store, a pattern where it has a ``*``; what `read_log` gives; or events.
        funnel: As for `lastclick.measure`, as are the other settings.
        connection: One of yours, for its limits, extensions and secrets; it is left as it was.
        progress: Called now and then with the statements run and the statements in all.

    Raises:
        ConfigError: As `lastclick.measure` does.
        LogError: There is nothing at the path or URL, or a file there cannot be read.
        OSError: Memory or disk do not suffice.

    Example:
        >>> from lastclick import Funnel
        >>> from lastclick.engines.duckdb import measure
        >>> from lastclick.sinks import FileSink
        >>> with Funnel("checkout", steps=("cart",), sink=FileSink("var/log")) as funnel:
        ...     funnel.checkout("c-1").enter("cart")
        >>> measure("var/log").started
        1

    .. versionadded:: 0.1.0
    """
    question = asked(**settings)
    with ExitStack() as stack:
        if connection is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lastclick-"))
            config: dict[str, Any] = {"temp_directory": folder}
            config["checkpoint_threshold"] = "1TB"  # tables of a report need not be tidied
            connection = stack.enter_context(duckdb.connect(config=config))
        own = stack.enter_context(connection.cursor())  # its temporary tables end with it
        ((ordered,),) = own.execute("SELECT current_setting('preserve_insertion_order')").fetchall()
        if not ordered:
            msg = "connection: preserve_insertion_order is false, so no line has a place; set it"
            raise ConfigError(msg)
        try:
            return report_by(_DuckDB(own, source), funnel, question, progress)
        except duckdb.OperationalError as error:  # its words for a disk or memory that is full
            msg = (
                f"DuckDB cannot count {str(source)[:200]}: {str(error).splitlines()[0]}; pass a"
                " connection with more memory_limit, or a temp_directory with more room, or let"
                " the core count it (--engine python, lastclick.measure)"
            )
            raise OSError(msg) from None


class _DuckDB:
    """One reading and counting.

    Args:
        connection: Whose temporary tables are made.
        source: What is read.
    """

    dialect: Dialect = DUCKDB

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Events | Path | str) -> None:
        self._connection, self._source = connection, source
        self._told: list[Fact] = []
        self._parts = 1

    def read(self, rows: Rows, records: Records, question: Asked) -> Read:
        """Read the source into the table ``facts``."""
        self._run(f"CREATE TEMP TABLE told ({_FACTS})")
        self._run(
            f"""CREATE TEMP TABLE lines
            ({_FACTS}, funnel VARCHAR, file UINTEGER, line VARCHAR, size USMALLINT)"""
        )
        problems = self._read(rows, records, question)
        self._hand_over()
        found = self._rows("SELECT DISTINCT funnel FROM lines WHERE kind IS NOT NULL")
        rows.funnels |= {name for (name,) in found}
        if rows.funnel is None:
            rows.funnel = min(rows.funnels, default=None)
        self._spell_groups()
        self._run(
            f"""CREATE TEMP VIEW facts AS
            SELECT * FROM told UNION ALL SELECT {", ".join(_COLUMNS)} FROM lines
            WHERE kind IS NOT NULL AND funnel = {self.dialect.quoted(rows.funnel or "")}"""
        )
        memory = "parse_formatted_bytes(current_setting('memory_limit'))"
        ((there, limit),) = self._rows(f"SELECT count(*), {memory} FROM facts")
        self._parts = 1 + there * _A_ROW // limit
        return Read(self._redelivered(), problems)

    def make(self, table: Table) -> None:
        """Make a table."""
        select, parts = table.select, self._parts
        if parts == 1 or WHOLE not in select:
            self._run(f"CREATE TEMP TABLE {table.name} AS {select}")
            return
        making = f"CREATE TEMP TABLE {table.name} AS"
        for part in range(parts):
            self._run(f"{making} {select.replace(WHOLE, f'hash(r.k) % {parts} = {part}')}")
            making = f"INSERT INTO {table.name}"

    def drop(self, name: str) -> None:
        """Drop a table."""
        self._run(f"DROP TABLE {name}")

    def answer(self, select: str) -> Iterator[Row]:
        """The rows of a select."""
        yield from self._rows(select)

    def _run(self, statement: str) -> None:
        self._connection.execute(statement)

    def _rows(self, select: str) -> list[Any]:
        return self._connection.execute(select).fetchall()

    def _read(self, rows: Rows, records: Records, question: Asked) -> Any:
        source = self._source
        if isinstance(source, str) and "://" in source:
            return self._read_urls(source, rows, records, question)
        if isinstance(source, str | Path):
            source = read_log(source)
        if not isinstance(source, Log):
            self._tell_all(rows_of(source, rows), records)
            return getattr(source, "problems", None)
        meter = Meter()
        files = source.standing(meter)
        packed = {str(one.file): _manifest.check(one.file) for one in files if is_packed(one.file)}
        self._load_packed(packed, question)
        lines = [one.file for one in files if str(one.file) not in packed]
        loaded = self._load([*map(str, filter(_named_well, lines))], question)
        for one in files:
            meter.files += 1
            if (name := str(one.file)) in packed:
                batches = self._others(name, packed[name], question, meter)
            else:
                found = loaded.get(name)
                if found is not None and _is_all(found, one):
                    batches = self._unusual(name, found, meter)
                else:
                    places = None if found is None else self._places(found)
                    batches = _picked(one, places, meter)
            self._tell_all(meter.rows(batches, rows), records)
        return meter.problems()

    def _read_urls(self, url: str, rows: Rows, records: Records, question: Asked) -> Problems:
        """Read a log in an object store; files with lines that are not usual are fetched whole."""
        listed = self._listed(url)
        files = [file for file in listed if file.endswith(SUFFIXES)]
        packed = self._packed_among(listed)
        if not files and not packed:
            msg = f"no log at {url}; pass the URL of a folder or a file, or one with wildcards"
            raise LogError(msg, Path(url))
        self._load_packed(packed, question)
        loaded = self._load(files, question)
        meter = Meter()
        meter.files = len(packed) + len(files)
        for file, number in packed.items():
            others = self._others(file, number, question, meter)
            self._tell_all(meter.rows(others, rows), records)
        for file in files:
            found = loaded.get(file)
            places = None if found is None else self._places(found)
            if found is not None and not places:
                meter.count(found.lines)
                continue
            with self._fetched(file) as share:
                if not _named_well(share.file, file):
                    places = None
                one = Meter()
                self._tell_all(one.rows(_picked(share, places, one), rows), records)
            met = one.problems()
            named = tuple(attrs.evolve(place, file=file) for place in met.places)
            meter.add(attrs.evolve(met, places=named), 0)
        return meter.problems()

    def _listed(self, url: str) -> list[str]:
        """The files at a URL or below it."""
        if is_pattern := "*" in url:
            pattern = url
        elif url.endswith((*SUFFIXES, _manifest.SUFFIX)):
            pattern = literal(url)
        else:
            pattern = f"{literal(url.rstrip('/'))}/**"
        select = f"SELECT file FROM glob({self.dialect.quoted(pattern)}) ORDER BY file"
        try:
            listed = [file for (file,) in self._rows(select)]
        except duckdb.Error as error:
            raise _unread(url, error) from None
        there = set(listed)
        for file in listed if is_pattern or url.endswith(_manifest.SUFFIX) else ():
            if file.endswith(_manifest.SUFFIX) and _manifest_of(file) not in there:
                msg = f"{file} is in no {_manifest.NAME} at {url}"
                msg += "; pass the URL of the directory that lastclick pack wrote"
                raise LogError(msg, Path(file))
        return listed

    def _packed_among(self, listed: list[str]) -> dict[str, int]:
        """The files that listed manifests name, once they are what was written, with their rows."""
        packed = {}
        for place in listed:
            if place.endswith(f"/{_manifest.NAME}"):
                manifest = _manifest.parse(self._content(place), place)
                for file in () if manifest is None else manifest.files:
                    path = f"{place.removesuffix(_manifest.NAME)}{file.path}"
                    found = self._blob("sha256(content)", path)
                    _manifest.compare(path, file, None if found is None else str(found))
                    packed[path] = file.rows
        return packed

    @contextmanager
    def _fetched(self, file: str) -> Iterator[Share]:
        """A file of an object store, on disk for as long as it is read."""
        with tempfile.NamedTemporaryFile(prefix="lastclick-") as copy:
            copy.write(self._content(file))
            copy.flush()
            yield Share(Path(copy.name), copy.tell())

    def _content(self, file: str) -> bytes:
        found = self._blob("content", file)
        if found is None:
            raise LogError(f"{file} went away while the log was read; try again", Path(file))
        return bytes(found)

    def _blob(self, what: str, file: str) -> Any:
        """Something of a whole file, None where it is not there."""
        place = self.dialect.quoted(literal(file))
        try:
            found = self._rows(f"SELECT {what} FROM read_blob({place})")
        except duckdb.Error as error:
            raise _unread(file, error) from None
        return found[0][0] if found else None

    def _load(self, files: list[str], question: Asked) -> dict[str, _Loaded]:
        """Read the lines of files, and tell what has been read of those that could be."""
        # What follows a ? is no part of the name to DuckDB, so it would not see a .gz there.
        files = [file for file in files if "?" not in file]
        if not files or not _are_plain(question):
            return {}
        try:
            self._run(self._loading(files, question))
        except duckdb.Error:
            # One breaks off, or has been compressed meanwhile: the core's reader knows what to do.
            whole = [file for file in files if self._is_whole(file)]
            if whole == files:
                raise  # memory or disk is full
            return self._load(whole, question)
        loaded = self._rows(
            """SELECT file, min(rowid), count(*), CAST(coalesce(sum(size + 1), 0) AS BIGINT)
            FROM lines WHERE file > 0 GROUP BY file"""
        )
        found = {number: _Loaded(number, *rest) for number, *rest in loaded}
        numbered = enumerate(files, 1)
        return {file: found.get(number, _Loaded(number)) for number, file in numbered}

    def _load_packed(self, files: Collection[str], question: Asked) -> None:
        """Read what the columns of packed files say."""
        if not files or not _are_plain(question):
            return
        select = packed_facts(reading(files), question.by, dict(question.exclude))
        try:
            self._run(f"INSERT INTO lines SELECT *, NULL, NULL FROM ({select})")
        except duckdb.OperationalError:
            raise  # memory or disk is full
        except duckdb.Error as error:
            raise _manifest.damaged(next(iter(files)), str(error).splitlines()[0]) from None

    def _others(self, file: str, number: int, question: Asked, meter: Meter) -> Iterator[Lines]:
        """The lines of a packed file that `_load_packed` does not read."""
        meter.count(number)
        select = select_others if _are_plain(question) else select_lines
        with self._connection.cursor() as cursor:
            found = cursor.execute(select(file))
            while rows := found.fetchmany(_ROWS):
                yield from ((file, place + 1, [line.encode()]) for place, line in rows)

    def _is_whole(self, file: str) -> bool:
        try:
            self._run(f"SELECT count(json) FROM {self._lines([file])}")
        except duckdb.Error:
            return False
        return True

    def _lines(self, files: list[str]) -> str:
        listed = ", ".join(self.dialect.quoted(literal(file)) for file in files)
        return (
            f"read_ndjson_objects([{listed}], ignore_errors = true, filename = true,"
            f" hive_partitioning = false, maximum_object_size = {LONGEST_LINE})"
        )

    def _loading(self, files: list[str], question: Asked) -> str:
        listed = ", ".join(map(self.dialect.quoted, files))
        source = (
            f"(SELECT CAST(json AS VARCHAR) AS line, list_position([{listed}], filename) AS file"
            f" FROM {self._lines(files)})"
        )
        rows = facts(source, question.by, dict(question.exclude), also=_ALSO)
        return f"INSERT INTO lines {rows}"

    def _places(self, found: _Loaded) -> list[int]:
        """The places of lines that are not usual, among those that are not blank."""
        unusual = f"SELECT rowid - {found.first} FROM lines"
        where = f"file = {found.number} AND kind IS NULL ORDER BY rowid"
        return [place for (place,) in self._rows(f"{unusual} WHERE {where}")]

    def _unusual(self, file: str, found: _Loaded, meter: Meter) -> Iterator[Lines]:
        """The lines that are not usual of a file in which nothing else is left."""
        meter.count(found.lines)
        at = found.first
        unusual = f"SELECT rowid, line FROM lines WHERE file = {found.number} AND kind IS NULL"
        while rows := self._rows(f"{unusual} AND rowid >= {at} ORDER BY rowid LIMIT {_ROWS}"):
            for place, line in rows:
                yield file, place - found.first + 1, [line.encode().strip()]
            at = rows[-1][0] + 1

    def _tell_all(self, batches: Iterable[Batch], records: Records) -> None:
        """Add what the core has read."""
        for found, others in batches:
            self._told += found
            records.keep(others)
            if len(self._told) >= _ROWS:
                self._hand_over()

    def _hand_over(self) -> None:
        if self._told:
            types = [column.split()[1] for column in _FACTS.split(",")]
            lists = ", ".join(f"unnest(CAST(? AS {type_}[]))" for type_ in types)
            columns = [list(column) for column in zip(*self._told, strict=True)]
            self._connection.execute(f"INSERT INTO told SELECT {lists}", columns)
            self._told = []

    def _spell_groups(self) -> None:
        """Write groups as the core writes them, in ASCII."""
        found = self._rows("SELECT DISTINCT grp FROM lines WHERE grp IS NOT NULL")
        for (text,) in found:
            if not (text.isascii() and text.isprintable()):
                spelt = [json.dumps(json.loads(text)), text]
                self._connection.execute("UPDATE lines SET grp = ? WHERE grp = ?", spelt)

    def _redelivered(self) -> int:
        """How many rows came before; a refund is told apart by less than an attempt's event."""
        self._run("CREATE TEMP TABLE twice (id UBIGINT)")
        for part in range(self._parts):
            self._run(
                f"""INSERT INTO twice SELECT hash(event_id) FROM facts
                WHERE hash(event_id) % {self._parts} = {part} GROUP BY 1 HAVING count(*) > 1"""
            )
        self._run(
            """CREATE TEMP TABLE again AS SELECT * FROM facts
            WHERE hash(event_id) IN (SELECT id FROM twice)"""
        )
        back = f"kind IN ({REFUNDED}, {CANCELLED})"
        order = "kind, what, t, event_id, more, units, currency, excluded"
        ((attempts, orders),) = self._rows(
            f"""SELECT count(*) FILTER (WHERE NOT {back})
                    - count(DISTINCT again) FILTER (WHERE NOT {back}),
                count(*) FILTER (WHERE {back})
                    - count(DISTINCT row({order})) FILTER (WHERE {back}) FROM again"""
        )
        self._run("DROP TABLE again; DROP TABLE twice")
        return int(attempts + orders)


def _is_all(found: _Loaded, share: Share) -> bool:
    """Whether nothing else is in a file; of a gzipped one, only reading tells it."""
    if found.size == share.size and share.file.suffix != ".gz":
        # Without an end of line at its end, a blank line before would not be missed.
        with suppress(OSError), share.file.open("rb") as raw:
            raw.seek(share.size - 1)
            return raw.read(1) == b"\n"
    return False


def _picked(share: Share, places: list[int] | None, meter: Meter) -> Iterator[Lines]:
    """The lines of a file, or those at some places, each with its number."""
    seen = 0
    for start, lines, _ in meter.lines_of(share):
        if places is None:
            yield share.file, start, lines
            continue
        first, seen = seen, seen + len(lines)
        for place in places[bisect_left(places, first) : bisect_left(places, seen)]:
            yield share.file, start + place - first, [lines[place - first]]


def _are_plain(question: Asked) -> bool:
    """Whether paths to all attributes that a question names can be written."""
    return all(map(plain, [*question.by, *(name for name, _ in question.exclude)]))


def _named_well(file: Path, name: str = "") -> bool:
    """Whether a file is compressed if its name says so, and only then, as DuckDB believes."""
    with suppress(OSError), file.open("rb") as raw:
        return (raw.read(2) == GZIP) == (name or file.name).endswith(".gz")
    return False


def _manifest_of(file: str) -> str:
    """Where the manifest is that names a packed file."""
    return f"{file.rsplit('/', 2)[0]}/{_manifest.NAME}"


def _unread(url: str, error: duckdb.Error) -> LogError:
    reason = " ".join(str(error).splitlines()[:2])
    return LogError(f"cannot read {url}: {reason}; fetch it and read it with read_log", Path(url))
