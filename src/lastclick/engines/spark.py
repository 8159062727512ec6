"""Spark as the engine: lines or packed logs that a cluster reads. Any Spark 4 session, or Sail."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from threading import Event
from typing import Any, Protocol
from uuid import uuid4

from typing_extensions import Unpack

from lastclick import _manifest
from lastclick._gather import Chosen, Records
from lastclick._log import SUFFIXES
from lastclick._reading import TORN, Place, Problems, is_torn
from lastclick._rows import CANCELLED, REFUNDED, Rows
from lastclick._rows import Row as Fact
from lastclick.engines._cells import Row
from lastclick.engines._dialect import SPARK, Dialect
from lastclick.engines._measure import Progress, Read, report_by
from lastclick.engines._spark_lines import facts
from lastclick.engines._spark_packed import TEXT, below, packed_at, packed_facts
from lastclick.engines._sql import Table
from lastclick.errors import ConfigError, EventError, LogError
from lastclick.metrics import Report
from lastclick.metrics._count import Asked, Asking, asked

__all__ = ["measure"]

_FACTS = (
    "t BIGINT, kind INT, event_id STRING, checkout_id STRING, customer_id STRING, what STRING,"
    " more STRING, units BIGINT, currency STRING, excluded BOOLEAN, grp STRING"
)
_COLUMNS = [column.split()[0] for column in _FACTS.split(", ")]
_WORD = re.compile(r"\w+")
_BOM = b"\xef\xbb\xbf"
_BATCH = 100
_PLACES = 10
_PATIENCE_S = 10
_CALLING = ".\n: "  # between the call and what Java raised
_FAILED_READ = re.compile(r"\[FAILED_READ_FILE.*")


class _Session(Protocol):
    """What is asked of a session: both the classic one and that of Spark Connect have it."""

    @property
    def read(self) -> Any: ...

    @property
    def catalog(self) -> Any: ...

    def sql(self, sqlQuery: str) -> Any: ...  # noqa: N803 - Spark's name

    def table(self, tableName: str) -> Any: ...  # noqa: N803 - Spark's name

    def createDataFrame(self, data: Any, schema: Any) -> Any: ...  # noqa: N802 - Spark's name


def measure(
    source: Any,
    funnel: Chosen = None,
    *,
    session: _Session | None = None,
    reliable: bool = False,
    progress: Progress = None,
    **settings: Unpack[Asking],
) -> Report:
    """The report of `lastclick.measure`, counted by Spark: the same, to the last digit.

    The cluster reads the lines and folds the journeys. What comes back are counts, and the few
    lines that SQL cannot be trusted with: definitions, losses, surveys, and what is no event.

    Args:
        source: A DataFrame of one text column, a line of JSON each, as ``session.read.text``
            gives; the name of such a table; or the path of files or of a directory, gzipped,
            plain or packed, on any file system that the session knows.
        funnel: As for `lastclick.measure`, as are the other settings.
        session: Yours; its views and settings are left as they were. Default: the one that there
            is, or that Spark's own settings name, such as ``SPARK_REMOTE``.
        reliable: Keep the tables between in the session's checkpoint directory, which you have
            set, and not on its executors: for clusters whose executors come and go.
        progress: Called now and then with the statements run and the statements in all.

    Raises:
        ConfigError: As `lastclick.measure` does, or the source is no text, or Spark does not start.
        LogError: There is nothing at the path, what is packed there is damaged, or Spark could not
            read or count, such as a gzipped file that breaks off.

    Example:
        >>> from lastclick.engines.spark import measure
        >>> def weekly(spark):
        ...     return measure("s3a://shop/checkout-log", session=spark, by="device")

    .. versionadded:: 0.1.0
    """
    question = asked(**settings)
    known = _default() if session is None else session
    try:
        with ExitStack() as stack:
            tables = _Tables(known, reliable)
            stack.callback(tables.forget)
            return report_by(_Spark(tables, source), funnel, question, progress)
    except _raised_by_spark() as error:
        name = str(source)[:200]
        msg = (
            f"Spark could not count {name}: {_reason(error)}; if a file is damaged, lastclick check"
            f" names it, and without Spark the rest is counted"
        )
        raise LogError(msg, name) from error


def _raised_by_spark() -> tuple[type[Exception], ...]:
    """Its errors: a classic session also passes on what Java raised."""
    from pyspark.errors import PySparkException

    try:
        from py4j.protocol import Py4JError  # type: ignore[import-not-found]
    except ModuleNotFoundError:  # the client of Spark Connect needs none
        return (PySparkException,)
    return PySparkException, Py4JError


def _reason(error: Exception) -> str:
    """What Spark says, in a line."""
    _, _, of_java = str(error).partition(_CALLING)
    text = of_java or str(error)
    found = _FAILED_READ.search(text)
    return (found[0] if found else text.partition("\n")[0])[:300]


def _default() -> _Session:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    try:
        _await_answer()
        session: _Session = SparkSession.builder.getOrCreate()
    except PySparkException as error:
        raise ConfigError(f"Spark does not start: {str(error).splitlines()[0]}") from None
    return session


def _await_answer() -> None:
    """Wait a while for the server of SPARK_REMOTE: Spark's own client would for ten minutes."""
    remote = os.environ.get("SPARK_REMOTE", "")
    if not remote.startswith("sc://"):
        return
    from pyspark.sql.connect.client import DefaultChannelBuilder

    builder, answered = DefaultChannelBuilder(remote), Event()
    channel = builder.toChannel()

    def hear(state: Any) -> None:
        if state.name == "READY":
            answered.set()

    channel.subscribe(hear, try_to_connect=True)
    there = answered.wait(_PATIENCE_S)
    channel.close()
    if not there:
        msg = (
            f"Spark does not start: no answer from {builder.endpoint} in {_PATIENCE_S} s; see that"
            f" a server listens where SPARK_REMOTE says"
        )
        raise ConfigError(msg)


class _Tables:
    """Tables under the names of the template, as views whose names are nobody else's.

    Args:
        session: Whose views they are.
        reliable: Where their rows are kept.
    """

    def __init__(self, session: _Session, reliable: bool) -> None:
        self.session = session
        self._reliable = reliable
        self._prefix = f"lastclick_{uuid4().hex}"
        self._views: dict[str, str] = {}
        self._frames: dict[str, Any] = {}

    def ask(self, select: str) -> Any:
        """A select of them."""
        words = set(_WORD.findall(select))
        names = [
            f"{name} AS (SELECT * FROM {view})"
            for name, view in self._views.items()
            if name in words
        ]
        return self.session.sql(f"WITH {', '.join(names)} {select}")

    def put(self, name: str, frame: Any, *, keep: bool = True) -> None:
        """Give rows a name; kept ones are worked out now, and once."""
        if keep:
            # A view of views of views would be worked out anew wherever one is read.
            frame = frame.checkpoint() if self._reliable else frame.localCheckpoint()
        view = f"{self._prefix}_{name}"
        frame.createOrReplaceTempView(view)
        self._views[name] = view
        self._frames[name] = frame  # a session may forget what nobody refers to

    def drop(self, name: str) -> None:
        """Drop one of them."""
        self.session.catalog.dropTempView(self._views.pop(name))
        del self._frames[name]

    def forget(self) -> None:
        """Drop all of them."""
        for name in list(self._views):
            self.drop(name)


class _Spark:
    """One reading and counting.

    Args:
        tables: What is made on the way.
        source: What is read.
    """

    dialect: Dialect = SPARK

    def __init__(self, tables: _Tables, source: Any) -> None:
        self._tables, self._source = tables, source

    def read(self, rows: Rows, records: Records, question: Asked) -> Read:
        """Read the source into the table ``facts``."""
        tables = self._tables
        source, packed, files = _found(self._source, tables.session)
        asked_by = question.by, dict(question.exclude)
        select = facts("source", *asked_by)
        if packed is not None:
            others = packed.where("line IS NOT NULL").select("line").toDF("value")
            source = others if source is None else source.union(others)
            tables.put("packed", packed, keep=False)
            select = f"{select} UNION ALL {packed_facts('packed', *asked_by)}"
        tables.put("source", source, keep=False)
        tables.put("lines", tables.ask(select))
        told, problems = self._unusual(rows, records, files)
        tables.put("told", tables.session.createDataFrame(told, _FACTS))
        found = self._rows("SELECT DISTINCT funnel FROM lines WHERE kind IS NOT NULL")
        rows.funnels |= {name for (name,) in found}
        if rows.funnel is None:
            rows.funnel = min(rows.funnels, default=None)
        self._spell_groups()
        columns = ", ".join(_COLUMNS[:-1])
        tables.put(
            "facts",
            tables.ask(
                f"""SELECT {columns}, grp FROM told UNION ALL
                SELECT {columns}, coalesce(s.spelt, l.grp) AS grp
                FROM lines l LEFT JOIN spelt s ON s.written = l.grp
                WHERE kind IS NOT NULL AND funnel = {self.dialect.quoted(rows.funnel or "")}"""
            ),
            keep=False,
        )
        return Read(self._redelivered(), problems)

    def make(self, table: Table) -> None:
        """Make a table."""
        self._tables.put(table.name, self._tables.ask(table.select))

    def drop(self, name: str) -> None:
        """Drop a table."""
        self._tables.drop(name)

    def answer(self, select: str) -> Iterator[Row]:
        """The rows of a select."""
        yield from self._rows(select)

    def _rows(self, select: str) -> list[Any]:
        return [tuple(row) for row in self._tables.ask(select).collect()]

    def _unusual(self, rows: Rows, records: Records, files: int) -> tuple[list[Fact], Problems]:
        """What the core makes of the lines that are not usual."""
        ((lines, blank),) = self._rows(
            """SELECT count(*), count(*) FILTER (WHERE kind IS NULL
                AND NOT coalesce(line RLIKE '[^ \t\r\n\x0b\f]', false)) FROM lines"""
        )
        met = _Met(str(self._source)[:200])
        told: list[Fact] = []
        found = self._tables.ask(
            "SELECT CAST(line AS BINARY) AS line FROM lines WHERE kind IS NULL AND line IS NOT NULL"
        )
        batch: list[bytes] = []
        for (line,) in found.toLocalIterator():
            batch.append(bytes(line).removeprefix(_BOM).strip())
            if len(batch) == _BATCH:
                told += met.sorted_out(batch, rows, records)
                batch = []
        told += met.sorted_out(batch, rows, records)
        return told, met.problems(files, lines - blank, blank)

    def _spell_groups(self) -> None:
        """The table ``spelt``: groups as the core writes them, in ASCII, beside the lines' ways."""
        found = self._rows(
            "SELECT DISTINCT grp FROM lines WHERE kind IS NOT NULL AND grp RLIKE '[^ -~]'"
        )
        spelt = [(text, json.dumps(json.loads(text))) for (text,) in found]
        session = self._tables.session
        self._tables.put("spelt", session.createDataFrame(spelt, "written STRING, spelt STRING"))

    def _redelivered(self) -> int:
        """How many rows came before; a refund is told apart by less than an attempt's event."""
        back = f"kind IN ({REFUNDED}, {CANCELLED})"
        orders = "kind, what, t, event_id, more, units, currency, excluded"
        counted = self._rows(
            f"""SELECT count(*) AS n FROM facts
            UNION ALL SELECT -count(*) FROM (SELECT DISTINCT {", ".join(_COLUMNS)} FROM facts
                WHERE NOT {back}) a
            UNION ALL SELECT -count(*) FROM (SELECT DISTINCT {orders} FROM facts WHERE {back}) o"""
        )
        return sum(int(number) for (number,) in counted)


class _Met:
    """What the core was handed.

    Args:
        source: What was read, in words.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._torn = self._unreadable = 0
        self._places: list[Place] = []

    def sorted_out(self, lines: list[bytes], rows: Rows, records: Records) -> list[Fact]:
        """The rows in some lines; records are kept, and what is neither is counted."""
        whole = [line for line in lines if line]
        if not whole:
            return []
        found, others = rows.of_lines(whole)
        for place, other in others:
            if isinstance(other, EventError):
                self._refuse(whole[place], other)
            else:
                records.keep([other])
        return found

    def _refuse(self, line: bytes, error: EventError) -> None:
        broken = is_torn(line, error)
        self._torn += broken
        self._unreadable += not broken
        if len(self._places) < _PLACES:
            reason = TORN if broken else str(error)[:200]
            self._places.append(Place(self._source, None, reason))

    def problems(self, files: int, lines: int, blank: int) -> Problems:
        """All of it."""
        return Problems(
            files=files,
            lines=lines,
            blank=blank,
            unreadable=self._unreadable,
            torn=self._torn,
            places=tuple(self._places),
        )


def _found(source: Any, session: _Session) -> tuple[Any, Any, int]:
    """Lines as the column ``value``, rows of packed files, and how many files, where known."""
    if isinstance(source, Path) or (isinstance(source, str) and not _is_table(source, session)):
        return _found_at(str(source), session)
    frame = session.table(source) if isinstance(source, str) else source
    columns = _columns(frame)
    if len(columns) != 1 or columns[0][1] != "string":
        found = ", ".join(f"{name} {type_}" for name, type_ in columns) or repr(source)[:100]
        msg = (
            f"Spark counts lines: pass a DataFrame or a table of one text column, such as"
            f" session.read.text(...) gives, or a path, not {found}"
        )
        raise ConfigError(msg)
    return frame.toDF("value"), None, 0


def _found_at(path: str, session: _Session) -> tuple[Any, Any, int]:
    """The same of a path."""
    from pyspark.errors import AnalysisException

    packed = lines = None
    files = more = 0
    try:
        packed, files = packed_at(path, session)
        if not path.endswith(_manifest.SUFFIX):
            lines, more = _lines_at(path, session)
    except AnalysisException as error:
        if "PATH_NOT_FOUND" not in str(error):
            raise
    if lines is None and packed is None:
        endings = ", ".join(SUFFIXES)
        msg = (
            f"no log at {path}: there is no such table, no file that ends in {endings}, and"
            f" nothing that lastclick pack wrote"
        )
        raise LogError(msg, Path(path))
    return lines, packed, files + more


def _lines_at(path: str, session: _Session) -> tuple[Any, int]:
    """The lines of files, and of how many; None if of none."""
    frames = [  # apart, since Sail takes all files of one reading for as packed as the first
        below(session, f"*{ending}").schema(TEXT).option("lineSep", "\n").text(path)
        for ending in (".{jsonl,ndjson}", ".{jsonl,ndjson}.gz")
    ]
    counted = [(len(frame.inputFiles()), frame.toDF("value")) for frame in frames]
    found = [frame for files, frame in counted if files]
    if not found:
        return None, 0
    return reduce(lambda some, more: some.union(more), found), sum(files for files, _ in counted)


def _is_table(name: str, session: _Session) -> bool:
    # What is no name raises there.
    parts = name.replace("`", "").split(".")
    named = all(part.replace("_", "").isalnum() for part in parts)
    return named and bool(session.catalog.tableExists(name))


def _columns(frame: object) -> list[tuple[str, str]]:
    columns = getattr(frame, "dtypes", None)
    return list(columns) if isinstance(columns, list) else []
