"""A ClickHouse server over HTTP: one session of it, whose temporary tables end with it."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit
from uuid import uuid4

import urllib3

from lastclick.errors import ConfigError, LogError

#: What a server may have set otherwise, and what makes the statements mean what they say.
SETTINGS = {
    "join_use_nulls": "1",
    "aggregate_functions_null_for_empty": "1",
    "prefer_column_name_to_alias": "1",
    "cast_keep_nullable": "1",
    "least_greatest_legacy_null_behavior": "0",
    "count_distinct_implementation": "uniqExact",
    "join_default_strictness": "ALL",
    "transform_null_in": "0",
    "empty_result_for_aggregation_by_empty_set": "0",
    "output_format_json_quote_64bit_integers": "1",
    "wait_end_of_query": "1",  # a failure half-way is not taken for a short answer
    # A limit ends a statement; it does not cut its answer.
    **{
        f"{what}_overflow_mode": "throw"
        for what in ("read", "result", "group_by", "sort", "set", "join", "distinct", "timeout")
    },
}
#: By the code of a refusal, what helps.
_WAYS_OUT = {
    "47": "make the table by what lastclick.engines.clickhouse.table() says",
    "60": "make the table by what lastclick.engines.clickhouse.table() says, or name another",
    "81": "give the database in the name of the table, or as ?database= in the URL",
    "115": "it needs ClickHouse 24.12 or later",
    "158": "raise the limit that it names for this user",
    "159": "raise max_execution_time for this user",
    "164": "give a user that may make temporary tables: readonly = 0",
    "192": "check the user and the password",
    "193": "check the user and the password",
    "194": "check the user and the password",
    "241": "raise max_memory_usage for this user, or let groups and joins spill, by settings in the"
    " URL: ?max_bytes_before_external_group_by=500000000&join_algorithm=grace_hash"
    "&max_bytes_in_join=300000000&max_threads=1",
    "373": "do not share a session",
    "452": "let this user's profile change the setting that it names",
    "497": "grant the user SELECT on the table and CREATE TEMPORARY TABLE",
    "516": "check the user and the password",
}
_SESSION_S = 3600
_SHOWN = 300


class Server:
    """A session at a server; shows no secret.

    Args:
        url: Where it answers HTTP, such as ``http://clickhouse.example:8123``; it may hold a user,
            a password, and ``?database=``.
        headers: Sent with each request, such as credentials.
        timeout: How many seconds one statement may take.

    Raises:
        ConfigError: The URL cannot be used.
    """

    def __init__(self, url: object, headers: Mapping[str, str] | None, timeout: float) -> None:
        parts = urlsplit(url if isinstance(url, str) else "")
        if parts.scheme not in {"http", "https"} or not parts.hostname:  # a secret may be in it
            raise ConfigError(
                "url is not that of a ClickHouse; pass such as 'http://clickhouse.example:8123'"
            )
        origin = parts.netloc.rpartition("@")[2]
        self.name = f"{parts.scheme}://{origin}"
        self._address = f"{self.name}{parts.path or '/'}"
        self._settings = {**dict(parse_qsl(parts.query)), **SETTINGS}
        self._session = {"session_id": f"lastclick-{uuid4()}", "session_timeout": f"{_SESSION_S}"}
        self._headers = dict(headers or {})
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
            self._headers = {"Authorization": basic, **self._headers}
        self._secrets = [parts.password, *self._headers.values(), parts.query]
        self._pool = urllib3.PoolManager(
            maxsize=2, retries=False, timeout=urllib3.Timeout(connect=10, read=timeout)
        )
        self._made: list[str] = []

    def __repr__(self) -> str:
        return f"<ClickHouse at {self.name}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for name in list(self._made):
                self.drop(name)
        except LogError:
            pass  # the server drops what is left with the session, an hour later at the most
        finally:
            self._pool.clear()

    def make(self, name: str, columns: str = "", select: str = "") -> None:
        """Make a temporary table, on the server's disk."""
        self._made.append(name)
        made_of = f"{f'({columns})' if columns else ''} ENGINE = MergeTree ORDER BY tuple()"
        made_as = f" AS {select}" if select else ""
        self.run(f"make the table {name!r}", f"CREATE TEMPORARY TABLE {name} {made_of}{made_as}")

    def drop(self, name: str) -> None:
        """Drop a table."""
        self.run("drop a table", f"DROP TEMPORARY TABLE IF EXISTS {name}")
        self._made.remove(name)

    def insert(self, name: str, rows: Iterable[object]) -> None:
        """Put rows into a table."""
        lines = "\n".join(json.dumps(row) for row in rows)
        query = f"INSERT INTO {name} FORMAT JSONCompactEachRow"
        self._post(f"insert into {name!r}", query, lines.encode()).drain_conn()

    def run(self, purpose: str, statement: str) -> None:
        """Run a statement that answers nothing."""
        self._post(purpose, None, statement.encode()).drain_conn()

    def rows(self, purpose: str, select: str, *, apart: bool = False) -> Iterator[Any]:
        """The rows that a select answers, as they come; integers of 64 bits and more as texts.

        Args:
            purpose: What it is for, as a message says it.
            select: Without a format.
            apart: Not in the session, which takes nothing else until the last row has come.
        """
        text = f"{select} FORMAT JSONCompactEachRow"
        answer = self._post(purpose, None, text.encode(), apart=apart)
        try:
            left = b""
            for block in answer.stream(65_536):
                *lines, left = (left + block).split(b"\n")
                yield from map(json.loads, lines)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(purpose, error) from None
        finally:
            answer.release_conn()

    def _post(
        self, purpose: str, query: str | None, content: bytes, *, apart: bool = False
    ) -> "urllib3.response.BaseHTTPResponse":
        asked = self._settings if apart else {**self._settings, **self._session}
        if query is not None:
            asked = {**asked, "query": query}
        address = f"{self._address}?{urlencode(asked)}"
        try:
            answer = self._pool.request(
                "POST", address, body=content, headers=self._headers, preload_content=False
            )
            if answer.status == 200:
                return answer
            told = answer.data.decode(errors="replace")
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(purpose, error) from None
        raise self._refused(purpose, answer, told)

    def _unreachable(self, purpose: str, error: Exception) -> LogError:
        return LogError(
            self._masked(
                f"could not {purpose}: no answer from ClickHouse at {self.name}"
                f" ({type(error).__name__}); check that it is there and answers HTTP"
            )
        )

    def _refused(
        self, purpose: str, answer: "urllib3.response.BaseHTTPResponse", told: str
    ) -> LogError:
        told_code = re.match(r"Code: (\d+)", told)  # the header came later than the text
        code = told_code[1] if told_code else answer.headers.get("X-ClickHouse-Exception-Code", "")
        what = f"code {code}" if code else f"HTTP {answer.status}"
        way_out = _WAYS_OUT.get(code, "look it up in the server's log")
        first = " ".join(told.split())[:_SHOWN]
        return LogError(
            self._masked(
                f"could not {purpose}: ClickHouse at {self.name} refused ({what}); {way_out}."
                f" It says: {first}"
            )
        )

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            if secret:
                text = text.replace(secret, "***")
        return text
