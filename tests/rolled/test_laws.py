"""Whatever a log brings, and in which batches: what was rolled is what reading everything gives."""

from __future__ import annotations

import gzip
import json
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastclick import measure, read_log
from lastclick.errors import ConfigError
from lastclick.rolled import _state, read_rolled, roll
from tests import strategies
from tests.rolled.shop import append, told
from tests.test_laws import asked

Line = dict[str, Any]


@pytest.fixture(autouse=True)
def _not_to_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_state, "SYNCHRONOUS", "OFF")


@contextmanager
def shop() -> Iterator[tuple[Path, Path]]:
    """A directory for a log and one for a state."""
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "log")
        log.mkdir()
        yield log, Path(directory, "rolled")


def everything(log: Path, arguments: dict[str, Any]) -> Any:
    try:
        report = measure(read_log(log), **arguments)
    except ConfigError as error:
        return str(error)
    return told(report)


def rolled(log: Path, state: Path, arguments: dict[str, Any]) -> Any:
    try:
        roll(log, state, **arguments)
    except ConfigError as error:
        return str(error)
    assert totals(state) == totals(state, of_days=True)
    return told(read_rolled(state))


def totals(state: Path, *, of_days: bool = False) -> dict[str, tuple[int, int]]:
    """The totals of months, or what their days come to: each number, and how often it grew."""
    found: dict[str, tuple[int, int]] = {}
    length = len("2026-10-01") if of_days else len("2026-10")
    with closing(sqlite3.connect(state / "roll.sqlite")) as database:
        rows = database.execute(
            "SELECT of, substr(day, 1, 7), part, told FROM cells"
            " WHERE part IN ('', 'days', 'times') AND length(day) = ?",
            (length,),
        ).fetchall()
    for of, month, part, packed in rows:
        for line in map(json.loads, zlib.decompress(packed).split(b"\n")):
            columns = zip(*line[1:], strict=True) if part == "times" else [(0, *line[-2:])]
            key = line[0] if part == "times" else line[:-2]
            for place, number, times in columns:
                name = json.dumps([of, month, part, key, place])
                n, t = found.get(name, (0, 0))
                found[name] = (n + number, t + times)
    return found


def compress(file: Path) -> None:
    """As `FileSink` does, which writes to no such file any more."""
    number = len(list(file.parent.iterdir()))
    Path(file.parent, f"{number}-{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()


@settings(max_examples=25)  # each rolls several times
@given(strategies.questions(), st.integers(0, 2**16))
def test_rolled_batch_by_batch_is_everything(
    question: tuple[list[Line], dict[str, Any]], seed: int
) -> None:
    """After every batch report and days are those of the whole log, totals those of the days."""
    lines, options = question
    arguments, random, place = asked(options), Random(seed), 0

    with shop() as (log, state):
        while place < len(lines):
            for _ in range(random.randint(1, 2)):
                size = random.randint(1, 1 + len(lines) // 2)
                append(log / f"{random.randint(0, 2)}.jsonl", lines[place : place + size])
                place += size
            if random.random() < 0.3:
                compress(random.choice(sorted(log.glob("*.jsonl"))))

            assert rolled(log, state, arguments) == everything(log, arguments)


@settings(max_examples=25)  # each rolls several times
@given(strategies.questions(), st.integers(0, 2**16))
def test_rolled_as_of_any_instant_is_everything(
    question: tuple[list[Line], dict[str, Any]], seed: int
) -> None:
    """As of instants that move on, and back, the report is that of reading the whole log."""
    lines, options = question
    arguments = asked({**options, "funnel_name": "checkout"})
    random = Random(seed)
    half = random.randint(0, len(lines))
    limits = (0, 1, strategies.A, strategies.A + 1, strategies.W, strategies.W + 1)

    with shop() as (log, state):
        for some in (lines[:half], lines[half:], [], [], []):
            append(log / "a.jsonl", some)
            moment = datetime.fromisoformat(random.choice(lines)["occurred_at"])
            later = timedelta(microseconds=random.choice((*limits, 2 * strategies.W)))
            now = {**arguments, "as_of": moment + later}

            assert rolled(log, state, now) == everything(log, now)
