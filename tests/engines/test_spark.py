"""Spark counts as the core does, to the last digit; here on Sail, which speaks Spark Connect."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
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
from lastclick.engines import spark as engine
from lastclick.errors import ConfigError, LogError
from tests import strategies
from tests.engines.cluster import LOCAL, free_port
from tests.engines.rare import rarely
from tests.engines.sail import serving

ALL = {case["name"]: case for case in CASES["cases"]}
Lines = list[dict[str, Any]]


def stored(folder: Path, lines: Lines) -> Path:
    """A log of these lines, in two files."""
    folder.mkdir(exist_ok=True)
    half = len(lines) // 2
    for place, part in enumerate((lines[:half], lines[half:])):
        text = "".join(json.dumps(line) + "\n" for line in part)
        (folder / f"{place}.jsonl").write_text(text, "utf-8")
    return folder


def same(spark: Any, log: Path, **asked: Any) -> Report:
    """The report of a log, once both have given the same, of the shop and of the delivery."""
    core, ours = measure(read_log(log), **asked), engine.measure(log, session=spark, **asked)
    assert ours.to_dict() == core.to_dict()
    assert ours.reading is not None
    assert core.reading is not None
    assert ours.reading.engine == "spark"
    assert ours.reading.redelivered == core.reading.redelivered
    met, known = ours.reading.problems, core.reading.problems
    assert attrs.evolve(met, places=()) == attrs.evolve(known, places=())
    assert sorted(place.reason for place in met.places) == sorted(
        place.reason for place in known.places
    )
    return ours


def refused(measuring: Callable[[], Report]) -> str | None:
    """Why a log cannot be counted."""
    try:
        measuring()
    except ConfigError as error:
        return str(error)
    return None


def same_answer(spark: Any, folder: Path, lines: Lines, options: dict[str, Any]) -> None:
    """Both give the same report, or the same error."""
    log_gives_the_same(spark, stored(folder, lines), options)


def log_gives_the_same(spark: Any, log: Path, options: dict[str, Any]) -> None:
    """Both give the same report of a log, or the same error."""
    asked = arguments(options)
    asked.pop("every", None)
    reason = refused(lambda: measure(read_log(log), **asked))
    if reason is None:
        same(spark, log, **asked)
    else:
        assert refused(lambda: engine.measure(log, session=spark, **asked)) == reason


@pytest.mark.parametrize("name", list(ALL)[9::114])
def test_some_cases_are_the_same(spark: Any, name: str, tmp_path: Path) -> None:
    """Conformance cases, whole: more than what the case itself expects."""
    same_answer(spark, tmp_path, lines_of(ALL[name]), ALL[name]["options"])


@pytest.mark.long
@pytest.mark.parametrize("name", rarely([*ALL], but=16))
def test_all_cases_are_the_same(spark: Any, name: str, tmp_path: Path) -> None:
    """Every conformance case."""
    same_answer(spark, tmp_path, lines_of(ALL[name]), ALL[name]["options"])


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=1, suppress_health_check=QUIET)
@given(strategies.questions())
def test_any_log_is_the_same(
    spark: Any, tmp_path: Path, question: tuple[Lines, dict[str, Any]]
) -> None:
    """On any log, asked in any way."""
    same_answer(spark, tmp_path, *question)


@pytest.mark.long
@settings(max_examples=10, suppress_health_check=QUIET)
@given(strategies.questions())
def test_very_many_logs_are_the_same(
    spark: Any, tmp_path: Path, question: tuple[Lines, dict[str, Any]]
) -> None:
    """The same, on many more."""
    same_answer(spark, tmp_path, *question)


SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"unit": "customer", "by": "device", "touch": "last", "timezone": "America/New_York"},
    {"closed": True, "within": timedelta(hours=2), "exclude": {}, "by": ("device", "channel")},
)


@pytest.mark.long
@pytest.mark.parametrize("asked", SETTINGS[1:2])
def test_a_shop_is_the_same(spark: Any, tmp_path: Path, asked: dict[str, Any]) -> None:
    """A generated shop with redeliveries, bots, refunds and two currencies."""
    write(tmp_path, 5_000, seed=7, segment_bytes=500_000)

    assert same(spark, tmp_path, **asked).started > 1_000


@pytest.mark.long
@pytest.mark.parametrize("asked", SETTINGS[1:])
def test_a_large_shop_is_the_same(spark: Any, tmp_path: Path, asked: dict[str, Any]) -> None:
    """The same, of as many events as a test can wait for."""
    write(tmp_path, 100_000, seed=8, segment_bytes=5_000_000)

    same(spark, tmp_path, **asked)


DECLARED = strategies.declared("d1", 0, strategies.STEPS)


def entered(**fields: Any) -> dict[str, Any]:
    """A step that was entered."""
    event = {"v": 1, "type": "step_entered", "event_id": "e1", "funnel": "checkout"}
    return {**event, "occurred_at": strategies.at(0), "checkout_id": "c1", "step": "cart", **fields}


def test_what_is_no_event_is_counted_as_the_core_counts_it(spark: Any, tmp_path: Path) -> None:
    """Blank, torn and foreign lines, other funnels, and groups that are written in two ways."""
    lines = [
        json.dumps(DECLARED),
        json.dumps(entered(event_id="e1", attributes={"device": "größe"}), ensure_ascii=False),
        json.dumps(entered(event_id="e2", checkout_id="c2", attributes={"device": "größe"})),
        json.dumps(entered(event_id="e3", checkout_id="c3", attributes={"device": "\x7f"})),
        json.dumps(entered(event_id="e4", checkout_id='c"4', attributes={"device": "\x7f\\"})),
        json.dumps(entered(event_id="e5", funnel="returns")),
        *("", " \t", "{}", "[]", "nonsense", '{"v":1,"type":"step_ent'),
    ]
    (tmp_path / "a.jsonl").write_text("\ufeff" + "\n".join(lines) + "\r\n", "utf-8")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt", encoding="utf-8") as packed:
        packed.write(json.dumps(entered(event_id="e6", checkout_id="c6")))
    (tmp_path / "notes.txt").write_text("not of the log")

    report = same(spark, tmp_path, by="device", funnel="checkout")

    assert report.started == 5
    assert {*report.groups} == {"größe", "\x7f", "\x7f\\", None}
    with pytest.raises(ConfigError, match="several funnels in one log: 'checkout', 'returns'"):
        engine.measure(tmp_path, session=spark)


def test_a_frame_and_a_table_are_counted(spark: Any, tmp_path: Path) -> None:
    """What is counted may be lines that Spark has from anywhere, and its views are left alone."""
    lines = [json.dumps(DECLARED), json.dumps(entered()), None, ""]
    frame = spark.createDataFrame([(line,) for line in lines], "line STRING")
    frame.createOrReplaceTempView("kept")
    before = {row.tableName for row in spark.sql("SHOW TABLES").collect()}
    done: list[tuple[int, int]] = []

    of_frame = engine.measure(
        frame, session=spark, reliable=True, progress=lambda *so_far: done.append(so_far)
    )
    of_table = engine.measure("kept", session=spark)

    assert of_frame.to_dict() == of_table.to_dict()
    assert of_frame.started == 1
    assert of_frame.reading is not None
    assert of_frame.reading.problems.lines == 2
    assert of_frame.reading.problems.blank == 2
    assert done[-1][0] == done[-1][1] > 50
    assert {row.tableName for row in spark.sql("SHOW TABLES").collect()} == before
    spark.catalog.dropTempView("kept")


def test_what_spark_cannot_count_is_said(spark: Any, tmp_path: Path) -> None:
    """A frame of other columns, no frame at all, and a path where nothing is."""
    columns = spark.createDataFrame([("c1", 1)], "checkout STRING, n INT")

    with pytest.raises(ConfigError, match=r"one text column.*not checkout string, n int"):
        engine.measure(columns, session=spark)
    with pytest.raises(ConfigError, match=r"one text column.*not \[\]"):
        engine.measure([], session=spark)
    with pytest.raises(LogError, match="no such table, no file that ends in"):
        engine.measure(tmp_path / "nothing", session=spark)


def test_names_of_folders_are_no_columns(spark: Any, tmp_path: Path) -> None:
    """Days may have folders of their own, whatever these are called."""
    folders = [tmp_path / f"day={day}" / "value=7" for day in ("2026-10-01", "2026-10-02")]
    for folder, line in zip(folders, (DECLARED, entered()), strict=True):
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    with gzip.open(folders[0] / "b.jsonl.gz", "wt", encoding="utf-8") as packed:
        packed.write(json.dumps(entered(event_id="e2", checkout_id="c2")))

    assert same(spark, tmp_path).started == 2


def test_what_spark_cannot_read_is_said(spark: Any, tmp_path: Path) -> None:
    """Where the core reads what is whole of a damaged file, Spark ends: the error says so."""
    stored(tmp_path, [DECLARED, entered()])
    whole = gzip.compress(json.dumps(entered(event_id="e2", checkout_id="c2")).encode())
    (tmp_path / "c.jsonl.gz").write_bytes(whole[:-20])

    with pytest.raises(LogError, match=r"Spark could not count .*lastclick check") as refused:
        engine.measure(tmp_path, session=spark)

    assert refused.value.path == str(tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.long
def test_the_command_asks_the_session_of_the_environment(tmp_path: Path) -> None:
    """SPARK_REMOTE says where Spark is, as it does for all that use it."""
    pytest.importorskip("pysail")
    log = tmp_path / "log.jsonl"
    log.write_text(f"{json.dumps(DECLARED)}\n{json.dumps(entered())}\n", "utf-8")
    command = [sys.executable, "-m", "lastclick", "report", str(log)]

    with serving(tmp_path) as address:
        done = subprocess.run(
            [*command, "--engine", "spark"],
            env={**os.environ, "SPARK_REMOTE": address},
            capture_output=True,
            text=True,
        )

    assert done.stdout == subprocess.run(command, capture_output=True, text=True).stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_a_session_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Spark says itself which of its settings is missing."""
    pytest.importorskip("pyspark")
    pytest.importorskip("typer")
    environment = {name: text for name, text in os.environ.items() if name != "SPARK_REMOTE"}
    command = [sys.executable, "-m", "lastclick", "report", str(tmp_path), "--engine", "spark"]

    done = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stderr.startswith("lastclick: Spark does not start: ")
    assert "SPARK_REMOTE" in done.stderr


def test_a_server_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon, and without the token that is in SPARK_REMOTE."""
    pytest.importorskip("pyspark")
    monkeypatch.setattr(engine, "_PATIENCE_S", 0.1)
    monkeypatch.setenv("SPARK_REMOTE", f"sc://{LOCAL}:{free_port()}/;token=s3cret")

    with pytest.raises(ConfigError, match=r"no answer from 127\.0\.0\.1:\d+ in 0\.1 s") as refused:
        engine.measure("log")

    assert "s3cret" not in str(refused.value)
