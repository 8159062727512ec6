"""What lastclick pack wrote, Spark counts as the core does."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

pytest.importorskip("duckdb")

from benchmarks.generate import write
from lastclick import _manifest, measure, read_log
from lastclick._rows import micros
from lastclick.engines import spark as engine
from lastclick.engines._spark_packed import packed_at, packed_facts
from lastclick.engines.duckdb import pack
from lastclick.errors import LogError
from tests import strategies
from tests.engines.test_spark import (
    DECLARED,
    QUIET,
    Lines,
    entered,
    log_gives_the_same,
    same,
    stored,
)

#: Of all kinds, and some that columns do not say whole.
LINES: Lines = [
    DECLARED,
    entered(value={"amount": "59.9", "currency": "EUR"}, attributes={"device": "mobile", "n": -7}),
    entered(event_id="e2", checkout_id="c2", occurred_at="1969-12-31T23:59:59.123Z"),
    entered(event_id="e3", checkout_id="c3", attributes={"device": "größe", "traffic": "bot"}),
    entered(event_id="e4", checkout_id="c4", attributes={"device": "}:,{", "traffic": None}),
    entered(event_id="e5", checkout_id="c5", attributes={"device": 'a"b'}),
    entered(event_id="e6", checkout_id="c6", further="key"),
    entered(event_id="e7", type="survey_answered", score=4),
    entered(event_id="e8", type="step_failed", reason="declined"),
    entered(event_id="e9", type="holdout_assigned", arm="holdout", share="0.25", step=None),
    entered(event_id="f1", type="reminder_sent", channel="email", campaign="spring"),
    entered(event_id="f2", type="reminder_clicked", channel="sms"),
    entered(event_id="f3", type="order_cancelled", order_id="o1"),
    entered(
        event_id="f4",
        type="order_completed",
        order_id="o1",
        total={"amount": "999999999999.9999", "currency": "USD"},
    ),
    entered(
        event_id="f5",
        type="order_refunded",
        order_id="o1",
        refund_id="r1",
        amount={"amount": "0.0001", "currency": "USD"},
    ),
    entered(event_id="f6", type="parcel_sent"),
    entered(event_id="f7", occurred_at="2026-10-01T10:00:00+02:00"),
    {"type": "foreign"},
]


def test_all_kinds_of_rows_are_the_same(spark: Any, tmp_path: Path) -> None:
    """What columns say, and what the lines beside them say."""
    log = stored(tmp_path / "log", [*LINES, *LINES[3:6]])
    pack(log, tmp_path / "a packed log")
    asked: dict[str, Any] = {"by": ("device", "n", "no such"), "unit": "customer"}

    report = same(spark, tmp_path / "a packed log", **asked)

    assert report.to_dict() == measure(read_log(log), **asked).to_dict()


def test_times_are_those_of_the_lines(spark: Any, tmp_path: Path) -> None:
    """To the microsecond, in all the calendar, and in hours that the session's zone has not."""
    times = (
        *("0001-01-01T00:00:00Z", "1582-10-10T00:00:00.123Z", "1883-11-18T17:00:00.000001Z"),
        *("2026-03-08T02:30:00Z", "2026-11-01T01:30:00Z", "9999-12-31T23:59:59.999999Z"),
    )
    log = stored(tmp_path / "log", [entered(occurred_at=time) for time in times])
    pack(log, tmp_path / "packed")
    zone = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        frame, files = packed_at(str(tmp_path / "packed"), spark)
        frame.createOrReplaceTempView("times")
        found = [t for t, *_ in spark.sql(packed_facts("times", (), {})).collect()]
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)
        spark.catalog.dropTempView("times")

    assert files == len(times)
    assert sorted(found) == [micros(datetime.fromisoformat(time)) for time in times]


@pytest.mark.long
@settings(max_examples=5, suppress_health_check=QUIET)
@given(strategies.questions())
def test_very_many_packed_logs_are_the_same(
    spark: Any, tmp_path: Path, question: tuple[Lines, dict[str, Any]]
) -> None:
    """On any log, asked in any way."""
    lines, options = question
    shutil.rmtree(tmp_path / "packed", ignore_errors=True)
    log, packed = stored(tmp_path / "log", lines), tmp_path / "packed"
    pack(log, packed)

    log_gives_the_same(spark, packed, options)


def test_packed_and_fresh_together(spark: Any, tmp_path: Path) -> None:
    """Packed logs and segments below one directory are one log, and an event in both is one."""
    write(tmp_path / "log", 1_000, seed=5, segment_bytes=100_000)
    whole = measure(read_log(tmp_path / "log"))
    first, *_, last = sorted((tmp_path / "log").iterdir())
    pack(tmp_path / "log", tmp_path / "log" / "packed")
    first.unlink()
    with gzip.open(f"{last}.gz", "wb") as compressed:
        compressed.write(last.read_bytes())
    last.unlink()
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')
    (tmp_path / "b.parquet").write_bytes(b"PAR1")

    assert same(spark, tmp_path, closed=True).started == whole.started


def test_a_directory_may_be_called_as_a_file(spark: Any, tmp_path: Path) -> None:
    """What is below it is read, packed or not, as of any other."""
    log = stored(tmp_path / "log.jsonl", [DECLARED, entered()])
    other = stored(tmp_path / "other", [entered(event_id="e2", checkout_id="c2")])
    pack(other, log / "day=2" / "packed")

    assert same(spark, log).started == 2


@pytest.mark.long
def test_one_packed_file_is_counted(spark: Any, tmp_path: Path) -> None:
    """By itself, without the others of its manifest."""
    other = entered(event_id="e2", checkout_id="c2", occurred_at="2026-12-01T00:00:00Z")
    pack(stored(tmp_path / "log", [DECLARED, entered(), other]), tmp_path / "packed")
    first, second = sorted((tmp_path / "packed").glob("*/*.parquet"))
    second.write_bytes(b"damaged")

    assert same(spark, first).started == 1


def damage(file: Path) -> None:
    """Change one bit."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    "harm",
    [
        lambda packed: damage(next(packed.glob("*/*.parquet"))),
        lambda packed: next(packed.glob("*/*.parquet")).unlink(),
        lambda packed: (packed / "manifest.json").write_text('{"lastclick": "packed"}'),
        lambda packed: (packed / "manifest.json").write_text(
            '{"lastclick": "packed", "schema": 2}'
        ),
    ],
)
def test_what_is_damaged_is_said(
    spark: Any, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    """In the words of the core."""
    pack(stored(tmp_path / "log", [DECLARED, entered()]), tmp_path / "packed")
    harm(tmp_path / "packed")
    with pytest.raises(LogError) as core:
        list(read_log(tmp_path / "packed"))

    with pytest.raises(LogError) as ours:
        engine.measure(tmp_path / "packed", session=spark)

    assert (str(ours.value), ours.value.path) == (str(core.value), core.value.path)


def test_a_parquet_file_of_no_packed_log(spark: Any, tmp_path: Path) -> None:
    """Asked for by name, the error says what to pass."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.parquet").write_bytes(b"PAR1")

    with pytest.raises(LogError, match=f"is in no {_manifest.NAME}; pass the directory"):
        engine.measure(tmp_path / "a" / "b.parquet", session=spark)
