"""Packed logs are rolled: the same as reading everything, and nothing twice."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("duckdb")

from lastclick import measure, read_log
from lastclick.engines.duckdb import pack
from lastclick.errors import LogError
from lastclick.rolled import read_rolled, roll
from tests import strategies
from tests.rolled.shop import DECLARED, FOUR_DAYS, append, entered, same
from tests.rolled.test_laws import everything, rolled, shop
from tests.test_laws import asked

MORE = [entered("m1", "04T11:10", "more"), entered("m2", "05T11:11", "more", "payment")]


def same_reading(log: Path, state: Path) -> None:
    """Report and delivery are those of reading everything."""
    assert same(log, state)
    got, wanted = read_rolled(state).reading, measure(read_log(log)).reading
    assert got is not None
    assert wanted is not None
    assert got.redelivered == wanted.redelivered
    assert attrs.evolve(got.problems, places=()) == attrs.evolve(wanted.problems, places=())
    places = [(str(log / place.file), place.line, place.reason) for place in got.problems.places]
    assert places == [(place.file, place.line, place.reason) for place in wanted.problems.places]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of two segments, with a foreign line, an event that came twice, and a torn end."""
    append(tmp_path / "log" / "a.jsonl", [DECLARED, *FOUR_DAYS, {"type": "foreign"}])
    append(tmp_path / "log" / "b.jsonl", FOUR_DAYS[:1])
    with (tmp_path / "log" / "b.jsonl").open("ab") as file:
        file.write(b'{"v":1,"type":"step_ent')
    return tmp_path / "log"


def test_a_packed_log_is_rolled(log: Path, tmp_path: Path) -> None:
    """The report and the delivery are those of reading it; later runs read what is new."""
    packed, state = tmp_path / "packed", tmp_path / "rolled"
    pack(log, packed)

    first = roll(packed, state)

    assert (first.lines, first.events, first.files) == (16, 12, 5)
    same_reading(packed, state)
    append(log / "c.jsonl", MORE)
    pack(log, packed)
    again = roll(packed, state)
    assert (again.lines, again.events, again.files) == (2, 2, 2)
    assert roll(packed, state).lines == 0
    same_reading(packed, state)


@settings(max_examples=5)  # each packs and rolls several times
@given(strategies.questions(), st.integers(0, 2**16))
def test_packed_and_rolled_batch_by_batch_is_everything(
    question: tuple[list[dict[str, Any]], dict[str, Any]], seed: int
) -> None:
    """After every run the report, and its days, are those of reading what is packed."""
    lines, options = question
    arguments, random = asked(options), Random(seed)
    half = random.randint(1, len(lines))

    with shop() as (log, state):
        packed = log.parent / "packed"
        for name, some in enumerate((lines[:half], lines[half:])):
            append(log / f"{name}.jsonl", some)
            pack(log, packed)

            assert rolled(packed, state, arguments) == everything(packed, arguments)


@pytest.mark.parametrize("change", ["none", "compressed", "deleted"])
def test_what_was_rolled_as_lines_is_not_read_again(log: Path, tmp_path: Path, change: str) -> None:
    """It is known by what it was packed from, whether that is still there or not."""
    state = tmp_path / "rolled"
    roll(log, state)
    before = read_rolled(state).reading
    if change == "compressed":
        for file in sorted(log.iterdir()):
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
    pack(log, log / "packed")
    if change == "deleted":
        (log / "a.jsonl").unlink()
        (log / "b.jsonl").unlink()
    append(log / "c.jsonl", MORE)

    done = roll(log, state)

    torn = change != "deleted"  # such a line is looked at each time
    assert (done.lines, done.events) == (2 + torn, 2)
    assert same(log, state)
    after = read_rolled(state).reading
    assert before is not None
    assert after is not None
    assert before.redelivered == after.redelivered == 1
    assert after.problems.lines == before.problems.lines + 2
    assert (after.problems.unreadable, after.problems.torn) == (1, 1)


def test_what_was_not_all_rolled_as_lines_is_read(log: Path, tmp_path: Path) -> None:
    """No event is missed; those that were there before count as redelivered."""
    state = tmp_path / "rolled"
    roll(log, state)
    append(log / "c.jsonl", MORE)
    pack(log, log / "packed")
    (log / "c.jsonl").unlink()

    done = roll(log, state)

    assert (done.lines, done.events) == (18 + 1, 2)
    assert same(log, state)
    reading = read_rolled(state).reading
    assert reading is not None
    assert reading.redelivered == 1 + 13


def test_packed_and_fresh_together_for_the_first_time(log: Path, tmp_path: Path) -> None:
    """Lines that are there twice are read twice only by who does not know them."""
    pack(log, log / "packed")

    roll(log, tmp_path / "rolled")

    assert same(log, tmp_path / "rolled")
    assert roll(log, tmp_path / "rolled").files == 1  # that with a torn end


def test_a_packed_log_that_moved_is_not_read_again(log: Path, tmp_path: Path) -> None:
    """A file is known by its checksum, under whatever name."""
    pack(log, tmp_path / "here" / "packed")
    roll(tmp_path / "here", tmp_path / "rolled")
    shutil.move(tmp_path / "here" / "packed", tmp_path / "here" / "elsewhere")

    assert roll(tmp_path / "here", tmp_path / "rolled").lines == 0
    same_reading(tmp_path / "here", tmp_path / "rolled")


def test_a_damaged_file_leaves_the_state_as_it_was(log: Path, tmp_path: Path) -> None:
    """Numbers without it would be wrong ones; when it is whole, rolling goes on."""
    packed, state = tmp_path / "packed", tmp_path / "rolled"
    pack(log, packed)
    roll(packed, state)
    before = read_rolled(state).to_dict()
    append(log / "c.jsonl", MORE)
    pack(log, packed)
    file = next((packed / "day=2026-10-05").iterdir())
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])

    with pytest.raises(LogError, match="is damaged: its checksum"):
        roll(packed, state)
    file.unlink()
    with pytest.raises(LogError, match="is damaged: it is gone"):
        roll(packed, state)

    assert read_rolled(state).to_dict() == before
    file.write_bytes(whole)
    assert roll(packed, state).events == 2
    same_reading(packed, state)


def test_an_empty_file_is_not_taken_for_a_packed_one(log: Path, tmp_path: Path) -> None:
    """A compressed file of no lines says of itself what a packed one does: nothing."""
    pack(log, tmp_path / "here" / "packed")
    roll(tmp_path / "here", tmp_path / "rolled")
    shutil.move(tmp_path / "here" / "packed", tmp_path / "packed")
    (tmp_path / "here" / "empty.jsonl.gz").write_bytes(gzip.compress(b""))
    roll(tmp_path / "here", tmp_path / "rolled")
    shutil.move(tmp_path / "packed", tmp_path / "here" / "packed")

    assert roll(tmp_path / "here", tmp_path / "rolled").lines == 0
