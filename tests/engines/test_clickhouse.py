"""ClickHouse counts what the core counts, to the last digit: the present one, within chdb."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.generate import write
from docs.conformance.run import CASES, arguments, lines_of
from lastclick import Report, measure, read_log
from lastclick._rows import Rows
from lastclick.errors import ConfigError, LogError
from tests import event_strategies, strategies
from tests.engines.odd import DECLARED, ODD, event

pytest.importorskip("urllib3", reason="needs the extra 'clickhouse'")
pytest.importorskip("chdb", reason="needs chdb")

from lastclick.engines import clickhouse as engine
from lastclick.engines._events_table import fields, group
from tests.engines.chdb_server import ChdbServer
from tests.engines.rare import rarely

ALL = {case["name"]: case for case in CASES["cases"]}
#: Of many kinds; the long tests run all.
SOME = (
    "order_id_in_two_attempts",
    "order_between_parts_journeys",
)
EVENTS = "lastclick.events"
Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def server() -> Iterator[ChdbServer]:
    """A ClickHouse with the table of events."""
    server = ChdbServer()
    server.run("CREATE DATABASE lastclick ENGINE = Atomic")
    server.run(engine.table())
    yield server
    server.close()


@pytest.fixture(autouse=True)
def empty(server: ChdbServer) -> None:
    """Each test begins without events."""
    server.post("/profile", b"{}")
    filled(server, [])


def filled(server: ChdbServer, lines: list[str]) -> None:
    """The table has these lines and no others, in two parts."""
    server.run(f"TRUNCATE TABLE {EVENTS}")
    half = len(lines) // 2
    for part in (lines[:half], lines[half:]):
        if part:
            server.fill(EVENTS, part)


def same(server: ChdbServer, folder: Path, lines: list[str], **asked: Any) -> Report:
    """The report of some lines, once both have given the same, or the same error."""
    filled(server, lines)
    log = folder / "log.jsonl"
    log.write_text("".join(line + "\n" for line in lines), "utf-8")
    core = measure(read_log(log), **asked)
    ours = engine.measure(EVENTS, url=server.url, **asked)
    assert ours.to_dict() == core.to_dict()
    assert ours.trend() == core.trend()
    assert ours.reading is not None
    assert core.reading is not None
    assert ours.reading.engine == "clickhouse"
    return ours


def same_answer(server: ChdbServer, folder: Path, lines: Lines, options: dict[str, Any]) -> None:
    """Both give the same report, or the same error."""
    texts, asked = [json.dumps(line) for line in lines], arguments(options)
    asked.pop("every", None)
    refused = None
    try:
        same(server, folder, texts, **asked)
    except ConfigError as error:
        refused = str(error)
    if refused is not None:
        with pytest.raises(ConfigError) as ours:
            engine.measure(EVENTS, url=server.url, **asked)
        assert str(ours.value) == refused


@pytest.mark.parametrize("name", SOME)
def test_some_cases_are_the_same(server: ChdbServer, tmp_path: Path, name: str) -> None:
    """Conformance cases, whole: more than what the case itself expects."""
    same_answer(server, tmp_path, lines_of(ALL[name]), ALL[name]["options"])


@pytest.mark.long
@pytest.mark.parametrize("name", rarely([name for name in ALL if name not in SOME], but=8))
def test_the_other_cases_are_the_same(server: ChdbServer, tmp_path: Path, name: str) -> None:
    """All others."""
    same_answer(server, tmp_path, lines_of(ALL[name]), ALL[name]["options"])


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.questions())
def test_any_log_is_the_same(
    server: ChdbServer, tmp_path: Path, question: tuple[Lines, dict[str, Any]]
) -> None:
    """On any log, asked in any way."""
    same_answer(server, tmp_path, *question)


@pytest.mark.long
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.questions())
def test_many_logs_are_the_same(
    server: ChdbServer, tmp_path: Path, question: tuple[Lines, dict[str, Any]]
) -> None:
    """The same, on many more."""
    same_answer(server, tmp_path, *question)


#: What a server's users may have by default, the opposite of what the statements want.
MADE, OTHERS, NOBODY = "as ClickHouse", "as other databases are", "as nobody would have it"
SMALL = "with little memory"
PROFILES: dict[str, dict[str, str]] = {
    MADE: {},
    OTHERS: {"join_use_nulls": "1", "aggregate_functions_null_for_empty": "1"},
    NOBODY: {
        "join_use_nulls": "0",
        "count_distinct_implementation": "uniq",
        "allow_experimental_nullable_tuple_type": "0",
        "least_greatest_legacy_null_behavior": "1",
        "result_overflow_mode": "break",
        "transform_null_in": "1",
    },
    SMALL: {
        "group_by_two_level_threshold": "1",
        "max_bytes_before_external_group_by": "1",
        "join_algorithm": "grace_hash",
        "max_bytes_in_join": "100000",
    },
}
#: What has gone to disk so far.
SPILLED = (
    "SELECT event, value FROM system.events WHERE event LIKE 'External%WritePart' ORDER BY event"
    " FORMAT JSONCompactEachRow"
)


@pytest.mark.parametrize(
    "profile",
    [name if name == OTHERS else pytest.param(name, marks=pytest.mark.long) for name in PROFILES],
)
def test_a_shop_is_the_same(server: ChdbServer, tmp_path: Path, profile: str) -> None:
    """A generated shop with redeliveries, bots, refunds and two currencies, at any settings."""
    write(tmp_path / "shop", 8_000, seed=7)
    lines = [line.decode() for _, _, line in read_log(tmp_path / "shop").lines()]
    server.post("/profile", json.dumps(PROFILES[profile]).encode())
    asked: dict[str, dict[str, Any]] = {
        MADE: {},
        OTHERS: {"unit": "customer", "by": "device", "touch": "last"},
        NOBODY: {"closed": True, "within": timedelta(hours=2), "exclude": {}},
        SMALL: {"by": ("device", "country")},
    }
    spilled = dict(server.run(SPILLED))

    report = same(server, tmp_path, lines, timezone="America/New_York", **asked[profile])

    assert report.started > 1_000
    more = [event for event, number in server.run(SPILLED) if number != spilled.get(event)]
    assert more == (
        ["ExternalAggregationWritePart", "ExternalJoinWritePart"] if profile == SMALL else []
    )
    tables = server.run(
        "SELECT name FROM system.tables WHERE is_temporary FORMAT JSONCompactEachRow"
    )
    assert tables == []


def test_any_text_excludes(server: ChdbServer, tmp_path: Path) -> None:
    """Also one that ClickHouse spells in another way than the line does."""
    texts = ("a\u2028b", "\u2029", "größe/\x7f")
    lines = [
        json.dumps(
            event(event_id=text, checkout_id=text, attributes={"p": text}), ensure_ascii=False
        )
        for text in (*texts, "other")
    ]

    report = same(server, tmp_path, [json.dumps(DECLARED), *lines], exclude={"p": texts})

    assert report.started == 1


# What SQL must not read in its own way

ASKED: dict[str, Any] = {"by": ("device", "n"), "exclude": {"device": (1, "mobile", None, True)}}


def agrees(server: ChdbServer, lines: list[str]) -> int:
    """Compare the row of each usual line with the core's; how many there are."""
    filled(server, lines)
    taken = f"line, funnel, {fields(ASKED['exclude'])}, {group(ASKED['by'])}"
    select = f"SELECT {taken} FROM {EVENTS} WHERE kind >= 0 FORMAT JSONCompactEachRow"
    found = server.run(select)
    for line, funnel, t, kind, *others, excluded, grp in found:
        spelt = json.dumps(json.loads(grp))
        rows, _ = Rows(funnel, ASKED["by"], ASKED["exclude"]).of_lines([line.strip().encode()])
        units = None if others[5] is None else int(others[5])
        others[5] = units
        assert rows == [(int(t), kind, *others, bool(excluded), spelt)], line
    return len(found)


def test_odd_lines_mean_the_same(server: ChdbServer, tmp_path: Path) -> None:
    """Whatever a line looks like, it is read as the core does it, or left to the core."""
    lines = [json.dumps(DECLARED), *ODD, json.dumps(event(event_id="last"))]

    usual = agrees(server, [line for line in lines if line.strip()])

    assert usual > 20
    report = same(server, tmp_path, lines, funnel="checkout", by="device")
    assert report.reading is not None
    assert report.reading.problems.unreadable > 30
    assert report.reading.problems.torn == 5


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(event_strategies.events, min_size=50, max_size=100))
def test_any_event_means_the_same(server: ChdbServer, events: list[Any]) -> None:
    """Events of every form that may be written."""
    agrees(server, [one.line.decode() for one in events])


def test_what_is_written_is_usual(server: ChdbServer, tmp_path: Path) -> None:
    """The sinks' own lines are not left to the core, but for surveys and declarations."""
    write(tmp_path, 1_000, seed=1)
    lines = [line.decode() for _, _, line in read_log(tmp_path).lines()]

    assert agrees(server, lines) > len(lines) - 50


def test_only_identical_rows_collapse(server: ChdbServer) -> None:
    """Two facts that agree in all but one byte are two, in whatever order they came."""
    one = json.dumps(event())
    other = json.dumps(event(value={"amount": "1", "currency": "EUR"}))
    odd, another = '{"v":1,"odd":"a"}', '{"v":1,"odd":"b"}'
    for lines in ([one, odd], [other, another], [one, odd], [one, another]):
        server.fill(EVENTS, lines)

    server.run(f"OPTIMIZE TABLE {EVENTS} FINAL")

    kept = server.run(f"SELECT line FROM {EVENTS} FORMAT JSONCompactEachRow")
    assert sorted(line for (line,) in kept) == sorted([one, other, odd, another])


def test_redelivered_lines_are_told_until_they_are_merged(server: ChdbServer) -> None:
    """The report is the same before and after; what was delivered is not."""
    lines = [json.dumps(line) for line in (DECLARED, event(), event(checkout_id="c2"))]
    for _ in range(2):
        server.fill(EVENTS, lines)
    before = engine.measure(EVENTS, url=server.url)

    server.run(f"OPTIMIZE TABLE {EVENTS} FINAL")

    after = engine.measure(EVENTS, url=server.url)
    assert after.to_dict() == before.to_dict()
    assert before.reading is not None
    assert after.reading is not None
    assert before.reading.redelivered <= 2
    assert after.reading.redelivered == 0
    assert after.reading.problems.lines == 3


def test_more_lines_than_one_answer_holds(server: ChdbServer, tmp_path: Path) -> None:
    """Lines that the core reads come while its rows go the other way."""
    lines = [
        json.dumps(event(checkout_id=f"c{place}", attributes={"note": "\n" * 300}))
        for place in range(3_000)
    ]

    assert same(server, tmp_path, [json.dumps(DECLARED), *lines]).started == 3_000


def test_progress_is_told(server: ChdbServer) -> None:
    """It ends where it was said to end; a table may be named without its database."""
    server.run("CREATE TABLE IF NOT EXISTS facts AS lastclick.events")
    server.fill("facts", [json.dumps(DECLARED), json.dumps(event())])
    told: list[tuple[int, int]] = []

    report = engine.measure(
        "facts", url=server.url, progress=lambda done, all_: told.append((done, all_))
    )

    assert report.started == 1
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert {all_ for _, all_ in told} == {len(told)}
    server.run("DROP TABLE facts")


# What is refused, and how it is said


@pytest.mark.parametrize("name", ["", "a b", "a.b.c", "events; DROP TABLE x", "é", 7])
def test_names_are_checked(name: Any) -> None:
    """A name is letters, digits and underscores, so that it is nothing but a name."""
    with pytest.raises(ConfigError, match="pass a name such as"):
        engine.table(name)
    with pytest.raises(ConfigError, match="pass a name such as"):
        engine.measure(name, url="http://127.0.0.1:1")


@pytest.mark.parametrize("url", ["", "clickhouse:9000", "tcp://user:5up3r@clickhouse:9000", None])
def test_addresses_are_checked(url: Any) -> None:
    """It is HTTP that is spoken; what may hold a password is not shown."""
    with pytest.raises(ConfigError, match="not that of a ClickHouse") as refused:
        engine.measure(EVENTS, url=url)

    assert "5up3r" not in str(refused.value)


def test_a_table_that_is_not_there(server: ChdbServer) -> None:
    """The message says what could not be done, where, and what helps."""
    with pytest.raises(LogError) as refused:
        engine.measure("lastclick.nothing", url=server.url)

    assert str(refused.value).startswith(
        f"could not count rows: ClickHouse at {server.url} refused (code 60); make the table by "
    )


def test_a_table_of_another_shape(server: ChdbServer) -> None:
    """So it is where the columns are not ours."""
    server.run("CREATE TABLE IF NOT EXISTS lastclick.other (x String) ENGINE = Memory")

    with pytest.raises(LogError, match=r"code 47\); make the table by"):
        engine.measure("lastclick.other", url=server.url)


class Refusing(BaseHTTPRequestHandler):
    """Refuses, and remembers what it was asked."""

    seen: list[tuple[str, dict[str, str]]]
    told: tuple[int, str, bytes]

    def do_POST(self) -> None:
        self.seen.append((self.path, dict(self.headers)))
        self.rfile.read(int(self.headers["Content-Length"]))
        status, code, text = self.told
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *told: Any) -> None:
        """Says nothing."""


def test_the_command_asks_the_server(
    server: ChdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LOG is the name of the table, and the URL is one of the environment."""
    pytest.importorskip("typer")
    from typer.testing import CliRunner

    from lastclick.cli import app

    core = same(server, tmp_path, [json.dumps(DECLARED), json.dumps(event())])
    monkeypatch.setenv("LASTCLICK_CLICKHOUSE", server.url)

    done = CliRunner().invoke(app, ["report", EVENTS, "--engine", "clickhouse"])

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{core}\n"


@pytest.fixture
def refusing() -> Iterator[Callable[..., tuple[int, list[tuple[str, dict[str, str]]]]]]:
    """Starts a server that gives one answer to everything: its port and what it saw."""
    servers = []

    def start(status: int, code: str, text: bytes) -> tuple[int, list[Any]]:
        seen: list[Any] = []
        handler = type("Handler", (Refusing,), {"seen": seen, "told": (status, code, text)})
        server = HTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))
        return server.server_port, seen

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_no_secret_is_shown(refusing: Any) -> None:
    """A user and a password go with each request, and into no message."""
    port, seen = refusing(403, "516", b"Code: 516. shop: no such user or 5up3r is wrong; k3y")
    url = f"http://shop:5up3r@127.0.0.1:{port}/?database=d"

    with pytest.raises(LogError) as refused:
        engine.measure(EVENTS, url=url, headers={"X-Proxy": "k3y"})

    message = str(refused.value)
    assert "check the user and the password" in message
    assert "5up3r" not in message
    assert "k3y" not in message
    path, headers = seen[0]
    assert headers["Authorization"] == "Basic c2hvcDo1dXAzcg=="
    assert headers["X-Proxy"] == "k3y"
    assert "5up3r" not in path
    assert "database=d" in path
    assert "join_use_nulls=1" in path
    assert all("session_id=lastclick-" in path for path, _ in seen)


@pytest.mark.parametrize(
    ("code", "way_out"),
    [
        ("241", "max_memory_usage"),
        ("115", "24.12"),
        ("497", "CREATE TEMPORARY TABLE"),
        ("", "HTTP 500"),
        ("9999", "look it up in the server's log"),
    ],
)
def test_refusals_say_what_helps(refusing: Any, code: str, way_out: str) -> None:
    """By the code that ClickHouse gives, or without one."""
    port, _ = refusing(500, code, b"...")

    with pytest.raises(LogError, match="could not make the table 'facts'") as refused:
        engine.measure(EVENTS, url=f"http://127.0.0.1:{port}")

    assert way_out in str(refused.value)


def test_nobody_there() -> None:
    """No answer is an error too, with the address."""
    with pytest.raises(LogError, match=r"no answer from ClickHouse at http://127.0.0.1:1 "):
        engine.measure(EVENTS, url="http://127.0.0.1:1")


def test_two_readings_do_not_meet(refusing: Any) -> None:
    """Each has a session of its own."""
    port, seen = refusing(500, "1", b"no")
    for _ in range(2):
        with pytest.raises(LogError):
            engine.measure(EVENTS, url=f"http://127.0.0.1:{port}")

    sessions = {path.partition("session_id=")[2].partition("&")[0] for path, _ in seen}
    assert len(sessions) == 2
