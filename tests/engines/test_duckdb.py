"""DuckDB counts what the core counts, to the last digit."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks.generate import write
from docs.conformance.run import CASES, arguments, lines_of
from lastclick import Report, measure, read_log
from lastclick._reading import Share
from lastclick.errors import ConfigError, LogError
from tests import strategies
from tests.engines.odd import DECLARED, ODD, event
from tests.rights import forbidden, open_directory

pytest.importorskip("duckdb")

import duckdb

from lastclick.engines import duckdb as engine

ALL = {case["name"]: case for case in CASES["cases"]}
Lines = list[dict[str, Any]]


def written(folder: Path, lines: Lines) -> Path:
    """A log of these lines, in two files."""
    folder.mkdir(exist_ok=True)
    half = len(lines) // 2
    for place, part in enumerate((lines[:half], lines[half:])):
        text = "".join(json.dumps(line) + "\n" for line in part)
        (folder / f"{place}.jsonl").write_text(text, "utf-8")
    return folder


def same(log: Path, **asked: Any) -> Report:
    """The report of a log, once both have given the same, of the shop and of the delivery."""
    core, ours = measure(read_log(log), **asked), engine.measure(log, **asked)
    assert ours.to_dict() == core.to_dict()
    assert ours.trend() == core.trend()
    assert ours.reading is not None
    assert core.reading is not None
    assert ours.reading.problems == core.reading.problems
    assert ours.reading.redelivered == core.reading.redelivered
    assert ours.reading.engine == "duckdb"
    return ours


def same_answer(folder: Path, lines: Lines, options: dict[str, Any]) -> None:
    """Both give the same report, or the same error."""
    log, asked = written(folder, lines), arguments(options)
    asked.pop("every", None)
    refused = refusal(lambda: measure(read_log(log), **asked))
    if refused is None:
        same(log, **asked)
    else:
        assert refusal(lambda: engine.measure(log, **asked)) == refused


def refusal(ask: Callable[[], object]) -> str | None:
    """What was wrong with the question, None if nothing was."""
    try:
        ask()
    except ConfigError as error:
        return str(error)
    return None


#: All cases are among the long proofs: a hundred statements each, however few the lines are.
SHORT = [*ALL][::12]


@pytest.mark.parametrize(
    "name", [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in ALL]
)
def test_the_cases_are_the_same(name: str, tmp_path: Path) -> None:
    """Every conformance case, whole: more than what the case itself expects."""
    same_answer(tmp_path, lines_of(ALL[name]), ALL[name]["options"])


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strategies.questions())
def test_any_log_is_the_same(tmp_path: Path, question: tuple[Lines, dict[str, Any]]) -> None:
    """On any log, asked in any way."""
    same_answer(tmp_path, *question)


@pytest.mark.long
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strategies.questions())
def test_very_many_logs_are_the_same(
    tmp_path: Path, question: tuple[Lines, dict[str, Any]]
) -> None:
    """The same, on many more."""
    same_answer(tmp_path, *question)


@pytest.mark.untraced
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"unit": "customer", "by": "device", "touch": "last", "timezone": "America/New_York"},
        {"closed": True, "within": timedelta(hours=2), "exclude": {}, "by": ("device", "channel")},
    ],
)
def test_a_shop_is_the_same(tmp_path: Path, asked: dict[str, Any]) -> None:
    """A generated shop with redeliveries, bots, refunds and two currencies."""
    write(tmp_path, 8_000, seed=7, segment_bytes=500_000)

    assert same(tmp_path, **asked).started > 1_500


# What SQL must not read in its own way


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"by": "device", "exclude": {"device": (1, "mobile", None, True)}},
        {"by": ('a "name"', "device"), "exclude": {}},
        {"exclude": {"device": ()}, "by": "it's"},
    ],
)
def test_odd_lines_mean_the_same(tmp_path: Path, asked: dict[str, Any]) -> None:
    """Whatever a line looks like, both read it, refuse it, and tell where, alike."""
    text = "\n".join([json.dumps(DECLARED), *ODD, *ODD, json.dumps(event())])
    (tmp_path / "odd.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\n\xff\xfe{}\r\n")
    marked = [
        event(checkout_id=f"m{place}", attributes={"device": value, "it's": value, 'a "name"': 1})
        for place, value in enumerate(("mobile", "1", 1, True, None, "", "true"))
    ]
    written(tmp_path, marked)

    report = same(tmp_path, funnel="checkout", **asked)

    assert report.reading is not None
    assert report.reading.problems.unreadable > 60
    assert report.reading.problems.torn == 10


@pytest.mark.parametrize("kept", [20_000, 3])
def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """Where all its bytes are told; blank lines need a second reading."""
    monkeypatch.setattr(engine, "_ROWS", kept)
    log, blank = tmp_path / "log", tmp_path / "blank"
    lines = [json.dumps(DECLARED), "{}", json.dumps(event()), "[]", *(["{}"] * 7)]
    for folder, end in ((log, "\n"), (blank, "\n\n")):
        folder.mkdir()
        (folder / "a.jsonl").write_text(end.join(lines) + "\n")
    again: list[Share] = []
    picked = engine._picked

    def picking(share: Share, *how: Any) -> Any:
        again.append(share)
        return picked(share, *how)

    monkeypatch.setattr(engine, "_picked", picking)

    for folder, readings in ((log, 0), (blank, 1)):
        report = same(folder)
        assert report.reading is not None
        assert report.reading.problems.unreadable == 9
        assert len(again) == readings


def test_a_blank_line_and_no_end(tmp_path: Path) -> None:
    """The end of line that one lacks is no other's: bytes alone would not tell."""
    text = f"{json.dumps(DECLARED)}\n\n{{}}\n{json.dumps(event())}"
    (tmp_path / "log.jsonl").write_text(text)

    report = same(tmp_path)

    assert report.reading is not None
    assert report.reading.problems.blank == 1
    same_at(f"file://{tmp_path}", tmp_path)


@pytest.mark.long
def test_every_odd_line_alone(tmp_path: Path) -> None:
    """One by one, so that none can hide behind another."""
    for place, line in enumerate(ODD):
        log = tmp_path / f"{place}.jsonl"
        log.write_text(f"{json.dumps(DECLARED)}\n{line}\n{json.dumps(event(event_id='e9'))}\n")
        same(log, funnel="checkout", by="device")


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.ndjson.gz", "broken.jsonl.gz", "lie.jsonl"])
def test_packed_files(tmp_path: Path, name: str) -> None:
    """Packed, packed and broken off, and packed under a name that does not say so."""
    lines = [DECLARED, *(event(checkout_id=f"c{place}") for place in range(200))]
    packed = gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())
    (tmp_path / name).write_bytes(packed[:-20] if name.startswith("broken") else packed)
    written(tmp_path, [event(checkout_id="plain")])

    report = same(tmp_path)

    assert report.started > 1


def test_names_of_files_are_no_patterns(tmp_path: Path) -> None:
    """A file whose name looks like a pattern, or like a query, is that file."""
    written(tmp_path, [DECLARED, event()])
    (tmp_path / "[0-9]*.jsonl").write_text(json.dumps(event(checkout_id="c2")) + "\n")
    packed = gzip.compress(json.dumps(event(checkout_id="c3")).encode() + b"\n")
    (tmp_path / "?2.jsonl.gz").write_bytes(packed)

    assert same(tmp_path).started == 3
    same_at(f"file://{tmp_path}", tmp_path)


def test_a_line_that_has_no_end(tmp_path: Path) -> None:
    """What goes on for longer than a line may is no log; the rest of the file is read."""
    text = json.dumps(DECLARED) + "\n" + "x" * 40_000_000 + "\n" + json.dumps(event()) + "\n"
    (tmp_path / "log.jsonl").write_text(text)

    assert same(tmp_path).started == 1


def test_several_funnels_are_told(tmp_path: Path) -> None:
    """As the core tells them, also where only usual lines name one."""
    log = written(tmp_path, [DECLARED, event(), event(funnel="returns")])
    with pytest.raises(ConfigError) as core:
        measure(read_log(log))

    with pytest.raises(ConfigError) as ours:
        engine.measure(log)

    assert str(ours.value) == str(core.value)
    assert same(log, funnel="checkout").started == 1


def test_no_definition(tmp_path: Path) -> None:
    """The error names the funnel that was seen."""
    log = written(tmp_path, [event()])

    with pytest.raises(ConfigError, match="funnels seen: 'checkout'"):
        engine.measure(log)


def test_nothing_there(tmp_path: Path) -> None:
    """As `read_log` says it."""
    with pytest.raises(LogError, match="no log at"):
        engine.measure(tmp_path / "none")


def test_what_may_not_be_read() -> None:
    """A file of lines or a packed one that this process may not read is an error that names it."""
    with open_directory() as directory:
        log, packed = directory / "log", directory / "packed"
        log.mkdir()
        (log / "a.jsonl").write_text(json.dumps(DECLARED) + "\n" + json.dumps(event()) + "\n")
        engine.pack(log, packed)
        (file,) = packed.glob("day=*/*")
        assert engine.measure(log) == engine.measure(packed)

        with forbidden(log / "a.jsonl"), pytest.raises(LogError, match=r"cannot read .*a\.jsonl: "):
            engine.measure(log)
        with forbidden(file), pytest.raises(LogError, match=r"cannot read .*parquet: Permission"):
            engine.measure(packed)
        with forbidden(file), pytest.raises(LogError, match=r"cannot read .*parquet: Permission"):
            measure(read_log(packed))


def test_an_empty_log(tmp_path: Path) -> None:
    """A definition and nothing else, and not even that."""
    assert same(written(tmp_path, [DECLARED])).started == 0
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "log.jsonl").touch()
    with pytest.raises(ConfigError, match="no definition"):
        engine.measure(tmp_path / "empty")


def test_an_object_store(tmp_path: Path) -> None:
    """A folder, a file and a pattern of one, read as on disk: what is lost is told alike."""
    fsspec = pytest.importorskip("fsspec")
    torn = '{"v":1,"type":"step_ent'
    text = "\n".join([json.dumps(DECLARED), *ODD, "", torn, json.dumps(event(event_id="e9"))])
    more = json.dumps(event(checkout_id="c2")) + "\n"
    (tmp_path / "a.jsonl").write_text(text)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(more.encode()))
    memory = fsspec.filesystem("memory")
    for file in tmp_path.iterdir():
        memory.pipe(f"/shop/2026/{file.name}", file.read_bytes())
    memory.pipe("/shop/readme.txt", b"no log")

    with duckdb.connect() as connection:
        connection.register_filesystem(memory)

        for url in ("memory://shop", "memory://shop/", "memory://shop/2026/*"):
            same_at(url, tmp_path, funnel="checkout", connection=connection)
        with pytest.raises(LogError, match="no log at"):
            engine.measure("memory://none", connection=connection)


def same_at(url: str, log: Path, connection: Any = None, **asked: Any) -> None:
    """The report of a log at a URL is that of the log, and so is what the reading met."""
    core, ours = (
        measure(read_log(log), **asked),
        engine.measure(url, connection=connection, **asked),
    )
    assert ours.to_dict() == core.to_dict()
    assert ours.reading is not None
    assert core.reading is not None
    assert met(ours.reading.problems) == met(core.reading.problems)


def met(problems: Any) -> dict[str, Any]:
    """What a reading met, wherever the files are."""
    places = [(Path(place.file).name, place.line, place.reason) for place in problems.places]
    return {**attrs.asdict(problems), "places": places}


@pytest.mark.parametrize("name", ["lie.jsonl", "lie.jsonl.gz", "broken.jsonl.gz"])
def test_files_at_a_url_that_are_not_what_they_say(tmp_path: Path, name: str) -> None:
    """Packed under another name, not packed, and broken off: as on disk, nothing is lost unsaid."""
    written(tmp_path, [DECLARED, event()])
    more = "".join(json.dumps(event(checkout_id=f"c{place}")) + "\n" for place in range(200))
    packed = gzip.compress(more.encode())
    content = {"lie.jsonl": packed, "lie.jsonl.gz": more.encode()}.get(name, packed[:-20])
    (tmp_path / name).write_bytes(content)

    same_at(f"file://{tmp_path}", tmp_path)


def test_odd_names_at_a_url(tmp_path: Path) -> None:
    """Of an attribute to which no path can be written, and of folders that look like patterns."""
    log = tmp_path / "[x]"
    written(log, [DECLARED, event(attributes={'a"b': "x"})])
    (log / "[0-9].jsonl").write_text(json.dumps(event(checkout_id="c2")) + "\n")

    declared = next(iter(read_log(log)))

    same_at(f"file://{log}", log)
    same_at(f"file://{log}", log, by='a"b')
    same_at(f"file://{log}/[0-9].jsonl", log / "[0-9].jsonl", funnel=declared)
    same_at(f"file://{tmp_path}/[[]x]/*", log)


def test_a_url_that_cannot_be_read() -> None:
    """For want of an extension of DuckDB: the error names it, and the way out."""
    offline: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    said = r"cannot read s3://nobody/log: .*httpfs.*; fetch it and read it with read_log"
    with duckdb.connect(config=offline) as connection, pytest.raises(LogError, match=said):
        engine.measure("s3://nobody/log", connection=connection)


def test_a_file_at_a_url_that_goes_away() -> None:
    """Listed, and not there when it is read: the error names it."""
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/fleeting/a.jsonl", b"torn\n")

    class Fleeting(type(memory)):  # type: ignore[misc]
        def glob(self, path: str, **how: Any) -> Any:
            found = super().glob(path, **how)
            if "**" in path:
                memory.rm("/fleeting/a.jsonl")
            return found

    with duckdb.connect() as connection:
        connection.register_filesystem(Fleeting())

        with pytest.raises(LogError, match=r"a\.jsonl went away while the log was read"):
            engine.measure("memory://fleeting", connection=connection)


def test_events_and_logs_are_sources_too(tmp_path: Path) -> None:
    """What `read_log` gives, with its `since`, and any iterable of events."""
    log = read_log(written(tmp_path, lines_of(ALL["a_log_twice"])))
    core = measure(log)

    assert engine.measure(log).to_dict() == core.to_dict()
    assert engine.measure(list(log)).to_dict() == core.to_dict()
    assert engine.measure(iter([*log, *log])).to_dict() == core.to_dict()


@pytest.mark.untraced
def test_many_events(tmp_path: Path) -> None:
    """More than are handed over at once."""
    write(tmp_path, 25_000, seed=3)
    events = list(read_log(tmp_path))

    assert engine.measure(events).to_dict() == measure(events).to_dict()


@pytest.mark.parametrize("asked", [{}, {"unit": "customer", "closed": True}])
def test_a_large_log_is_counted_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    """However many parts, the figures are the same, and so are the lines that came before."""
    write(tmp_path, 2_000, seed=5)
    monkeypatch.setattr(engine, "_A_ROW", 100_000_000)  # some ten parts of 20 GB

    found = same(tmp_path, **asked).reading

    assert found is not None
    assert found.redelivered > 1


def test_a_connection_is_left_as_it_was(tmp_path: Path) -> None:
    """Yours may have limits, and tables of the same names."""
    log = written(tmp_path, [DECLARED, event()])
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '500MB'")
        connection.execute("CREATE TABLE kept AS SELECT 'mine' AS whose")

        assert engine.measure(log, connection=connection).started == 1
        assert engine.measure(log, connection=connection).started == 1

        assert connection.execute("SELECT whose FROM kept").fetchall() == [("mine",)]
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        assert tables == [("kept",)]


@pytest.mark.parametrize("packed", [False, True])
def test_too_little_memory(tmp_path: Path, packed: bool) -> None:
    """What is missing is said, and what to do; the log is not called damaged."""
    log = written(tmp_path, [DECLARED, event()])
    if packed:
        engine.pack(log, log := tmp_path / "packed")
    with duckdb.connect(config={"memory_limit": "1MB", "temp_directory": ""}) as connection:
        said = f"DuckDB cannot count {log}: Out of Memory Error: .*; pass .* memory_limit"
        with pytest.raises(OSError, match=said):
            engine.measure(log, connection=connection)


def test_order_matters_to_the_reading(tmp_path: Path) -> None:
    """A connection that may shuffle lines cannot tell which of them is odd."""
    log = written(tmp_path, [DECLARED, event()])
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")

        with pytest.raises(ConfigError, match="preserve_insertion_order"):
            engine.measure(log, connection=connection)


def test_progress_is_told(tmp_path: Path) -> None:
    """It ends where it was said to end."""
    told: list[tuple[int, int]] = []

    engine.measure(
        written(tmp_path, [DECLARED, event()]),
        progress=lambda done, all_: told.append((done, all_)),
    )

    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert {all_ for _, all_ in told} == {len(told)}


# Wrong statements are found out: what is changed in them, how, and the case that tells

GAP_OF_A = "a gap exactly as long as the limit"
MUTANTS = {
    "a gap as long as the limit is one": (r"- x > (\d+)", r"- x >= \1", GAP_OF_A),
    "what is as old as the window is lost": (
        r"- last_at <= (\d+)\s+THEN 'recoverable'",
        r"- last_at < \1 THEN 'recoverable'",
        "recoverable_exactly_w",
    ),
    "a click at the abandonment wins back": (
        r"x > first_abandoned",
        r"x >= first_abandoned",
        "click_at_the_abandonments_instant",
    ),
    "the window runs from the first abandonment": (
        r"order_at - abandoned >",
        r"order_at - first_abandoned >",
        "w_runs_from_the_latest_abandonment",
    ),
    "the last order decides": (
        r"min\(t\) FILTER \(WHERE kind = 2\) AS order_at",
        r"max(t) FILTER (WHERE kind = 2) AS order_at",
        "second_order_after_a_long_gap",
    ),
    "a failure is not seen": (
        r"FILTER \(WHERE pos = (\d)\)",
        r"FILTER (WHERE pos = \1 AND kind = 0)",
        "failed_counts_as_seen",
    ),
    "reminders are activity": (
        r"kind IN \(0, 1, 2, 4\)",
        r"kind IN (0, 1, 2, 3, 4)",
        "reminder_sent_is_no_activity",
    ),
    "the latest telling owns an order": (
        r"min\((\{t: r\.t, checkout_id[^}]*k: r\.k\})\)",
        r"max(\1)",
        "order_id_in_two_attempts",
    ),
    "another currency is netted": (
        r"OR w\.currency <> r\.currency",
        r"",
        "refund_in_another_currency",
    ),
    "a refund told twice counts twice": (
        r"coalesce\(more, event_id\)",
        r"event_id",
        "refund_twice_under_two_event_ids",
    ),
    "orders of bots count": (
        r"AND NOT excluded AND l\.checkout_id IS NULL",
        r"AND NOT excluded",
        "bot_with_an_order",
    ),
    "what came after as_of exists": (
        r"AND kind < 7 AND t <= ",
        r"AND kind < 7 AND 0 * t <= ",
        "order_one_microsecond_after_as_of",
    ),
    "attempts are joined over an order": (
        r"WHEN paid > max\(paid\)",
        r"WHEN paid > 9 + max(paid)",
        "order_between_parts_journeys",
    ),
    "attempts are joined over a long pause": (
        r"(1 PRECEDING\))\s+> (\d+) THEN",
        r"\1 > 9 * \2 THEN",
        "customer_gap_one_microsecond_past_w",
    ),
    "the first cart value is the last": (
        r"max\((\{[^}]*\})\)( FILTER \([^)]*\) AS closing)",
        r"min(\1)\2",
        "last_value_counts",
    ),
    "a deeper step seen before is waited for": (
        r"AND r\.t >= j\.f\d",
        r"",
        "seconds_ignore_a_deeper_step_seen_before",
    ),
    "days are those of UTC": (
        r"CASE WHEN start_at >= \d+ THEN \d+",
        r"CASE WHEN false THEN 0",
        "trend_over_the_end_of_summer_time",
    ),
    "a closed funnel's window leaves its end out": (
        r"x <= c0 \+",
        r"x < c0 +",
        "closed_window_end_inclusive",
    ),
}
_STEPS = [("cart", 0), ("details", 60_000_000), ("payment", 61_000_000)]
AT_THE_LIMIT = [
    DECLARED,
    *(event(step=step, event_id=step, occurred_at=strategies.at(t)) for step, t in _STEPS),
    event(
        type="order_completed",
        event_id="o",
        order_id="o1",
        occurred_at=strategies.at(62_000_000),
    ),
]


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_statement_is_found_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison fails for each of these, and not without them."""
    old, new, case = MUTANTS[name]
    lines = AT_THE_LIMIT if case == GAP_OF_A else lines_of(ALL[case])
    asked = {} if case == GAP_OF_A else arguments(ALL[case]["options"])
    asked.pop("every", None)
    log = written(tmp_path, lines)
    run, rows = engine._DuckDB._run, engine._DuckDB._rows
    changed = []

    def wrong(statement: str) -> str:
        changed.append(statement != re.sub(old, new, statement))
        return re.sub(old, new, statement)

    monkeypatch.setattr(engine._DuckDB, "_run", lambda self, it: run(self, wrong(it)))
    monkeypatch.setattr(engine._DuckDB, "_rows", lambda self, it: rows(self, wrong(it)))

    with pytest.raises(AssertionError):
        same(log, **asked)
    assert any(changed)
