"""The state on the disk: its tables, and what is said of one that cannot be used."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from lastclick import Report, measure, read_log
from lastclick.errors import ConfigError, LogError
from lastclick.rolled import _roll, _state, is_rolled, read_rolled, roll
from tests.rolled.shop import DECLARED, FOUR_DAYS, append, entered, same

GOLDEN = Path(__file__).parent.parent / "golden" / f"rolled-{_state.SCHEMA}.sql"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of four days, rolled."""
    append(tmp_path / "log" / "a.jsonl", [DECLARED, *FOUR_DAYS])
    roll(tmp_path / "log", tmp_path / "rolled")
    return tmp_path / "log"


@pytest.fixture
def state(log: Path) -> Path:
    """Its state."""
    return log.with_name("rolled")


def change(state: Path, *statements: str) -> None:
    """Do something to a state behind its back."""
    with closing(sqlite3.connect(state / "roll.sqlite")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


# The schema


def test_the_schema_is_that_of_its_version(state: Path) -> None:
    """Tables that are others need another number, and a golden state of their own."""
    written = GOLDEN.read_text("utf-8")

    with closing(sqlite3.connect(state / "roll.sqlite")) as database:
        tables = [
            sql for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql > ''")
        ]
        numbers = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in _NUMBERS]

    assert tables
    assert not [sql for sql in tables if f"{sql};" not in written]
    assert numbers == [_state.SCHEMA, 0x6C636C6B]


_NUMBERS = ("user_version", "application_id")


def test_a_state_written_long_ago_is_read_and_goes_on(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The golden state of this schema gives the report of its log, and takes what is new."""
    monkeypatch.setattr(_roll, "version", lambda _: "0.1.0")  # the one that wrote it
    old = tmp_path / "golden"
    old.mkdir()
    with closing(sqlite3.connect(old / "roll.sqlite")) as database:
        database.executescript(GOLDEN.read_text("utf-8"))
        database.execute(f"PRAGMA user_version = {_state.SCHEMA}")
        database.execute("PRAGMA application_id = 0x6C636C6B")

    assert same(log, old)
    append(log / "a.jsonl", [entered("n", "04T12:00", "new")])
    done = roll(log, old)
    assert (done.lines, done.whole) == (1, None)
    assert same(log, old)


# What cannot be used


def report(log: Path, state: Path) -> Report:
    """Roll, and read what was rolled."""
    roll(log, state)
    return read_rolled(state)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE closed SET rows = substr(rows, 1, 20) || x'00' || substr(rows, 22)",
        "UPDATE closed SET rows = 7",
        "UPDATE cells SET told = substr(told, 1, length(told) - 1)",
        "UPDATE cells SET told = ''",
        "UPDATE files SET known = x'0102'",
        "UPDATE records SET line = x'0102'",
        "UPDATE state SET told = x'0102'",
        "DROP TABLE cells",
    ],
)
def test_a_damaged_state_is_told(log: Path, state: Path, statement: str) -> None:
    """What is read of a state is checked by sums: damage is an error that says what to do."""
    change(state, statement)
    append(log / "a.jsonl", [entered("n", "12T12:00", "left-01")])

    with pytest.raises(LogError, match=r"is damaged .*; delete .*rolled and roll again"):
        report(log, state)


def test_days_are_not_read_before_they_are_asked_for(log: Path, state: Path) -> None:
    """A report is made of months; damage to what only days need is told by them."""
    of_days = "length(day) = 10 AND part IN ('', 'times')"
    change(state, f"UPDATE cells SET told = x'0102' WHERE {of_days}")

    damaged = read_rolled(state)

    assert damaged.to_dict() == measure(read_log(log)).to_dict()
    assert list(damaged.trend("month")) == ["2026-10-01"]
    with pytest.raises(LogError, match=r"is damaged .*; delete .*rolled and roll again"):
        damaged.trend("day")


def test_damaged_totals_are_told(state: Path) -> None:
    """What a report is made of is checked when it is read."""
    change(state, "UPDATE cells SET told = x'0102' WHERE length(day) = 7 AND part = 'times'")

    with pytest.raises(LogError, match="is damaged"):
        read_rolled(state)


def test_what_is_due_is_found_by_its_index(state: Path) -> None:
    """To find the few sets that are due, SQLite does not go through all of them."""
    asked: list[str] = []
    with closing(sqlite3.connect(state / "roll.sqlite")) as database:
        database.set_trace_callback(asked.append)
        _state.State(database).due(0)
        ((*_, plan),) = database.execute(f"EXPLAIN QUERY PLAN {asked[0]}")

    assert plan.startswith("SEARCH closed USING COVERING INDEX due")


def test_rows_that_are_not_where_their_names_point(log: Path, state: Path) -> None:
    """A set that a name leads to and that is not there is damage, too."""
    change(state, "DELETE FROM closed")
    append(log / "a.jsonl", [entered("n", "04T12:00", "left-01")])

    with pytest.raises(LogError, match="is damaged"):
        roll(log, state)


def test_names_that_point_elsewhere(log: Path, state: Path) -> None:
    """A name that leads to a set which does not have it is damage, too."""
    change(state, "UPDATE names SET closed = closed % 8 + 1")
    append(log / "a.jsonl", [entered("n", "04T12:00", "left-01")])

    with pytest.raises(LogError, match="is damaged"):
        roll(log, state)


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_half_a_file_is_told(log: Path, state: Path, kept: float) -> None:
    """A file that was cut off is damage; so is one that is something else."""
    file = state / "roll.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(LogError, match="is damaged"):
        read_rolled(state)
    file.write_bytes(b"something else" * 1000)
    with pytest.raises(LogError, match="is damaged"):
        roll(log, state)


def test_a_state_of_another_schema(log: Path, state: Path) -> None:
    """A state whose tables we may misread is not touched."""
    change(state, "PRAGMA user_version = 99")

    for use in (lambda: roll(log, state), lambda: read_rolled(state)):
        with pytest.raises(LogError, match=r"of another version .* \(schema 99, this one has 2\)"):
            use()


def test_two_at_once(log: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second roll waits for the first for a while, and then says so; nothing is mixed."""
    monkeypatch.setattr(_state, "_PATIENCE_S", 0.0)
    with closing(sqlite3.connect(state / "roll.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(LogError, match="in use by another process"):
            roll(log, state)
        other.execute("ROLLBACK")

    assert roll(log, state).lines == 0


def test_a_disk_that_is_full(log: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is told, and the state is as it was."""
    before = (state / "roll.sqlite").read_bytes()
    real = _state._connected

    def small(file: Path) -> sqlite3.Connection:
        database = real(file)
        database.execute("PRAGMA max_page_count = 1")  # no smaller than the file is
        return database

    monkeypatch.setattr(_state, "_connected", small)
    append(log / "a.jsonl", [entered(f"n{n}", "04T12:00", f"new-{n}") for n in range(500)])

    with pytest.raises(LogError, match=r"could not be used: .* full; it is as it was before"):
        roll(log, state)

    assert (state / "roll.sqlite").read_bytes() == before


def test_a_directory_of_something_else(log: Path, tmp_path: Path) -> None:
    """Nothing is rolled into a directory that holds other things, so that it may be deleted."""
    with pytest.raises(ConfigError, match="is not empty and holds no rolled state"):
        roll(log, log)
    with pytest.raises(ConfigError, match="nothing was rolled to"):
        read_rolled(log)

    assert not is_rolled(log)


def test_a_file_of_nothing(log: Path, tmp_path: Path) -> None:
    """Killed before its first word, a run leaves an empty file, which the next one fills."""
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "roll.sqlite").touch()

    with pytest.raises(ConfigError, match="nothing was rolled to"):
        read_rolled(empty)
    roll(log, empty)

    assert same(log, empty)


def test_texts_are_packed_with_a_sum(state: Path) -> None:
    """Rows are lines of JSON, packed by zlib, as the how-to says."""
    with closing(sqlite3.connect(state / "roll.sqlite")) as database:
        (rows,) = database.execute("SELECT rows FROM closed WHERE id = 1").fetchone()

    assert zlib.decompress(rows).startswith(b'[1790848800000000,0,"a01","paid-01",null,"cart"')
