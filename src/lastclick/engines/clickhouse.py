"""ClickHouse as the engine: counts the table that events are sent to. Extra ``clickhouse``."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice

import attrs
from typing_extensions import Unpack

from lastclick._gather import Chosen, Records
from lastclick._reading import Meter, Problems
from lastclick._rows import CANCELLED, REFUNDED, Rows
from lastclick.engines._cells import Row
from lastclick.engines._dialect import CLICKHOUSE, Dialect
from lastclick.engines._events_table import definition, fields, group
from lastclick.engines._measure import Progress, Read, report_by
from lastclick.engines._sql import Table
from lastclick.errors import ConfigError
from lastclick.metrics import Report
from lastclick.metrics._count import Asked, Asking, asked

try:
    from lastclick.engines._server import Server
except ModuleNotFoundError as error:
    msg = "lastclick.engines.clickhouse needs its extra: pip install 'lastclick[clickhouse]'"
    raise ModuleNotFoundError(msg, name=error.name) from None

_FACTS = """t Int64, kind Int8, event_id String, checkout_id Nullable(String),
    customer_id Nullable(String), what String, more Nullable(String), units Nullable(Int64),
    currency Nullable(String), excluded Bool, grp String"""
_COLUMNS = ", ".join(column.split()[0] for column in _FACTS.split(","))
_BATCH = 1_000
_NAME = re.compile(r"(?:[A-Za-z_]\w*\.)?[A-Za-z_]\w*", re.ASCII)


def table(name: str = "lastclick.events") -> str:
    """The statement that makes a table for events, to be run once, before the shop starts.

    Each line that is inserted into its column ``line`` is kept whole; the other columns are made
    from it. Rows go away only where another one is the same to the last byte.

    Args:
        name: What to call it, with its database or without.

    Raises:
        ConfigError: The name is not made of letters, digits and underscores.

    Example:
        >>> print(table("shop.events"))
        CREATE TABLE IF NOT EXISTS shop.events
        ...

    .. versionadded:: 0.1.0
    """
    return definition(_named(name))


def measure(
    source: str,
    funnel: Chosen = None,
    *,
    url: str,
    headers: Mapping[str, str] | None = None,
    timeout: float = 3600,
    progress: Progress = None,
    **settings: Unpack[Asking],
) -> Report:
    """The report of `lastclick.measure`, counted by ClickHouse: the same, to the last digit.

    Reads a table that `table` defines. What is counted is copied into temporary tables on the
    server's disk, which are dropped at the end; counts alone come back. Behind a load balancer
    all requests of one session must reach the same server.

    Args:
        source: The name of the table, with its database or without.
        funnel: As for `lastclick.measure`, as are the other settings.
        url: Where ClickHouse answers HTTP; it may hold a user, a password, and ``?database=``.
        headers: Sent with each request, such as ``X-ClickHouse-User`` and ``X-ClickHouse-Key``;
            never shown.
        timeout: How many seconds one statement may take.
        progress: Called now and then with the statements run and the statements in all.

    Raises:
        ConfigError: As `lastclick.measure` does, or the name or the URL cannot be used.
        LogError: ClickHouse cannot be reached, or refuses; the message says what helps.

    Example:
        >>> measure("lastclick.events", url="http://shop:5up3r@127.0.0.1:1")
        Traceback (most recent call last):
        ...
        lastclick.errors.LogError: could not make the table 'facts': no answer from ClickHouse ...

    .. versionadded:: 0.1.0
    """
    question = asked(**settings)
    with Server(url, headers, timeout) as server:
        return report_by(_ClickHouse(server, _named(source)), funnel, question, progress)


class _ClickHouse:
    """One reading and counting.

    Args:
        server: Whose temporary tables are made.
        source: The table that is read.
    """

    dialect: Dialect = CLICKHOUSE

    def __init__(self, server: Server, source: str) -> None:
        self._server, self._source = server, source

    def read(self, rows: Rows, records: Records, question: Asked) -> Read:
        """Copy what is counted into the table ``facts``."""
        server = self._server
        source = self._whole_name()
        server.make("facts", _FACTS)
        lines = self._number(f"SELECT count() FROM {source}")
        problems = self._read_unusual(source, rows, records)
        purpose = "list the funnels"
        select = f"SELECT DISTINCT toString(funnel) FROM {source} WHERE kind >= 0"
        rows.funnels |= {name for (name,) in server.rows(purpose, select)}
        if rows.funnel is None:
            rows.funnel = min(rows.funnels, default=None)
        self._copy(source, rows.funnel or "", question)
        return Read(self._redelivered(), attrs.evolve(problems, lines=lines))

    def make(self, table: Table) -> None:
        """Make a table."""
        self._server.make(table.name, select=table.select)

    def drop(self, name: str) -> None:
        """Drop a table."""
        self._server.drop(name)

    def answer(self, select: str) -> Iterator[Row]:
        """The rows of a select."""
        for name, cell, day, place, a, b, c, i, n in self._server.rows("count", select):
            number = None if i is None else int(i)
            step = None if place is None else int(place)
            yield name, cell, int(day), step, a, b, c, number, int(n)

    def _number(self, select: str) -> int:
        ((number,),) = self._server.rows("count rows", select)
        return int(number or 0)

    def _whole_name(self) -> str:
        """With the database, so that no temporary table is taken for it."""
        if "." in self._source:
            return self._source
        ((database,),) = self._server.rows("find the table", "SELECT currentDatabase()")
        return f"`{database}`.{self._source}"

    def _read_unusual(self, source: str, rows: Rows, records: Records) -> Problems:
        """Read by the core what is not usual, and put its rows beside the others."""
        meter = Meter()
        for told, others in meter.rows(self._unusual(source), rows):
            records.keep(others)
            if told:
                self._server.insert("facts", told)
        problems = meter.problems()
        places = tuple(attrs.evolve(place, line=None) for place in problems.places)
        return attrs.evolve(problems, files=1, places=places)

    def _unusual(self, source: str) -> Iterator[tuple[str, int, list[bytes]]]:
        """Lines that are not usual, some at a time; a row of a table has no number."""
        select = f"SELECT base64Encode(line) FROM {source} WHERE kind < 0"
        answer = self._server.rows("read lines", select, apart=True)
        found = (base64.b64decode(line).strip() for (line,) in answer)
        lines = filter(None, found)
        while batch := list(islice(lines, _BATCH)):
            yield self._source, 0, batch

    def _copy(self, source: str, funnel: str, question: Asked) -> None:
        """Copy the rows of usual lines, with their groups as the core writes them."""
        mine = f"FROM {source} WHERE kind >= 0 AND funnel = {self.dialect.quoted(funnel)}"
        taken, grp = fields(dict(question.exclude)), group(question.by)
        spellings = self._spellings(f"SELECT DISTINCT {grp} {mine}") if question.by else []
        select = f"SELECT {taken}, {grp} {mine}"
        if spellings:
            self._server.make("spelt", "found String, spelling String")
            self._server.insert("spelt", spellings)
            plain, _, _ = _COLUMNS.rpartition(",")
            select = f"""SELECT {plain}, coalesce(spelling, raw)
                FROM (SELECT {taken}, {grp} AS raw {mine}) r LEFT JOIN spelt s ON found = raw"""
        self._server.run("copy rows", f"INSERT INTO facts {select}")

    def _spellings(self, select: str) -> list[tuple[str, str]]:
        """Groups that the core writes in another way, each with that: it writes ASCII."""
        found = [text for (text,) in self._server.rows("list the groups", select)]
        told = [(text, json.dumps(json.loads(text))) for text in found]
        return [(text, spelling) for text, spelling in told if text != spelling]

    def _redelivered(self) -> int:
        """How many rows came before; a refund is told apart by less than an attempt's event."""
        back = f"kind IN ({REFUNDED}, {CANCELLED})"
        order = "kind, what, t, event_id, more, units, currency, excluded"
        return sum(
            self._number(
                f"SELECT sum(n) - count() FROM (SELECT count() AS n FROM facts"
                f" WHERE {such} GROUP BY {by})"
            )
            for such, by in ((f"NOT {back}", _COLUMNS), (back, order))
        )


def _named(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"table {name!r:.100}; pass a name such as 'lastclick.events'")
    return name
