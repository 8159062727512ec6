"""Which lines of a log are new: files that grow, are compressed, renamed, replaced or broken."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import attrs
import pytest

from lastclick import measure, read_log
from lastclick.errors import LogError
from lastclick.rolled import _files, read_rolled, roll
from lastclick.rolled._files import Known, NewLines
from tests.rolled.shop import DECLARED, FOUR_DAYS, append, entered, same

MORE = [entered("m1", "04T11:10", "more"), entered("m2", "04T11:11", "more", "payment")]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of one file, rolled once."""
    append(tmp_path / "log" / "a.jsonl", [DECLARED, *FOUR_DAYS])
    roll(tmp_path / "log", tmp_path / "rolled")
    return tmp_path / "log"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Its state."""
    return tmp_path / "rolled"


def compress(file: Path, to: str = "") -> None:
    """Put a compressed file in the place of one."""
    packed = file.with_name(to or f"{file.name}.gz")
    packed.write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()


def test_only_what_was_appended_is_read(log: Path, state: Path) -> None:
    """Of a file that grew, only the new lines are read."""
    append(log / "a.jsonl", MORE)

    assert roll(log, state).lines == 2
    assert same(log, state)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "elsewhere.jsonl.gz"])
def test_a_compressed_file_is_not_read_again(log: Path, state: Path, name: str) -> None:
    """It is known by what is in it, under its own name with a suffix or under another one."""
    compress(log / "a.jsonl", name)

    assert roll(log, state).lines == 0
    assert roll(log, state).lines == 0
    assert same(log, state)
    reading = read_rolled(state).reading
    assert reading is not None
    assert reading.problems.files == 1


def test_a_file_that_grew_before_it_was_compressed(log: Path, state: Path) -> None:
    """What was read of it is passed over."""
    append(log / "a.jsonl", MORE)
    compress(log / "a.jsonl")

    assert roll(log, state).lines == 2
    assert same(log, state)


def test_a_compressed_file_that_grows(log: Path, state: Path) -> None:
    """Compressed parts may be put one behind the other; only the new one is read."""
    compress(log / "a.jsonl")
    roll(log, state)
    append(log / "b.jsonl", MORE)
    part = gzip.compress((log / "b.jsonl").read_bytes())
    (log / "b.jsonl").unlink()
    with (log / "a.jsonl.gz").open("ab") as file:
        file.write(part)

    assert roll(log, state).lines == 2
    assert same(log, state)


@pytest.mark.parametrize("grown", [False, True])
def test_a_renamed_file_is_not_read_again(log: Path, state: Path, grown: bool) -> None:
    """It is known by how it begins, and a new file under the old name is a new one."""
    if grown:
        append(log / "a.jsonl", MORE)
    (log / "0.jsonl").unlink(missing_ok=True)
    (log / "a.jsonl").rename(log / "0.jsonl")
    append(log / "a.jsonl", [entered("n", "04T12:00", "new")])

    assert roll(log, state).lines == (3 if grown else 1)
    assert same(log, state)


def test_a_replaced_file_is_read_from_its_start(log: Path, state: Path) -> None:
    """A longer file that begins otherwise is another one; what was rolled stays."""
    kept = (log / "a.jsonl").read_bytes()
    (log / "kept.jsonl").write_bytes(b"\n" + kept)
    (log / "a.jsonl").unlink()
    append(log / "a.jsonl", [*MORE, *FOUR_DAYS, entered("n", "04T12:00", "new")])

    assert roll(log, state).lines == 15 + 13
    assert same(log, state)


def test_a_replaced_compressed_file_is_read_from_its_start(log: Path, state: Path) -> None:
    """A compressed file that does not begin with what was read is another one."""
    compress(log / "a.jsonl")
    roll(log, state)
    append(log / "a.jsonl", [DECLARED, *MORE, *FOUR_DAYS])
    compress(log / "a.jsonl")

    assert roll(log, state).lines == 15
    assert same(log, state)


def test_a_deleted_file_is_kept_in_the_counts(log: Path, state: Path) -> None:
    """A log need not be kept for ever: what was rolled stays."""
    before = read_rolled(state)
    (log / "a.jsonl").unlink()
    append(log / "b.jsonl", MORE)

    done = roll(log, state)

    assert done.lines == 2
    assert read_rolled(state).started == before.started + 1


def test_a_torn_last_line_is_left_for_the_next_run(log: Path, state: Path) -> None:
    """A writer may be in the middle of a line: it is counted as torn until its end is there."""
    line = (b'{"v":1,"type":"step_entered","event_id":"t","funnel":"checkout","checkout_id":"t",'
            b'"occurred_at":"2026-10-04T12:00:00Z","step":"cart"}\n')  # fmt: skip
    with (log / "a.jsonl").open("ab") as file:
        file.write(line[:70])
    torn = roll(log, state)
    again = roll(log, state)

    assert (torn.events, torn.problems.torn, again.problems.torn) == (0, 1, 1)
    assert same(log, state)
    with (log / "a.jsonl").open("ab") as file:
        file.write(line[70:])
    done = roll(log, state)
    assert (done.lines, done.events, done.problems.torn) == (1, 1, 0)
    assert same(log, state)


@pytest.mark.parametrize("packed", [False, True])
def test_a_last_line_without_an_end_counts(log: Path, state: Path, packed: bool) -> None:
    """A whole event whose newline is missing is read, as `read_log` reads it, and once."""
    append(log / "b.jsonl", MORE)
    (log / "b.jsonl").write_bytes((log / "b.jsonl").read_bytes().rstrip())
    if packed:
        compress(log / "b.jsonl")
    first, again = roll(log, state), roll(log, state)

    assert (first.events, again.events) == (2, 0)
    assert same(log, state)
    if not packed:
        with (log / "b.jsonl").open("ab") as file:
            file.write(b"\n")
        assert roll(log, state).events == 0
    reading = read_rolled(state).reading
    assert reading is not None
    assert (reading.redelivered, reading.problems.lines) == (0, 15)


def test_what_cannot_be_read_is_counted_as_in_reading(log: Path, state: Path) -> None:
    """Foreign, torn and blank lines are counted over all runs as reading counts them at once."""
    (log / "b.jsonl").write_bytes(b'\xef\xbb\xbf{"v":1}\n\n  \n{"v":1,"type":\n{}\n')
    roll(log, state)
    with (log / "b.jsonl").open("ab") as file:
        file.write(b"\n[]\n" + b"x" * 40_000 + b"\n{}")
    roll(log, state)
    whole = read_log(log)
    measure(whole)
    reading = read_rolled(state).reading
    assert reading is not None

    got, expected = reading.problems, whole.problems

    places = [(str(log / place.file), place.line, place.reason) for place in got.places]
    assert places == [(place.file, place.line, place.reason) for place in expected.places]
    assert attrs.evolve(got, places=()) == attrs.evolve(expected, places=())
    assert (got.unreadable, got.torn, got.blank) == (5, 1, 3)


def test_more_wrong_lines_than_are_shown(log: Path, state: Path) -> None:
    """All are counted; the first few are shown."""
    (log / "b.jsonl").write_bytes(b"{}\n" * 30)

    done = roll(log, state)

    assert done.problems.unreadable == 30
    assert [place.line for place in done.problems.places] == list(range(1, 11))


def test_a_compressed_file_that_breaks_off(log: Path, state: Path) -> None:
    """What is there is read; when the rest comes, it goes on."""
    append(log / "b.jsonl", [*MORE, *FOUR_DAYS] * 40)
    whole = gzip.compress((log / "b.jsonl").read_bytes(), 1)
    (log / "b.jsonl").unlink()
    (log / "b.jsonl.gz").write_bytes(whole[: len(whole) // 2])

    done = roll(log, state)

    assert (done.problems.torn, done.problems.places[-1].line) == (1, None)
    assert same(log, state)
    (log / "b.jsonl.gz").write_bytes(whole)
    assert roll(log, state).problems.torn == 0
    assert same(log, state)


def test_a_file_that_may_not_be_read(
    log: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error, as in every reading, and the state stays as it was."""
    append(log / "b.jsonl", MORE)
    before = read_rolled(state)
    real = Path.open

    def refuse(self: Path, *arguments: Any, **more: Any) -> object:
        if self.name == "b.jsonl":
            raise PermissionError(13, "Permission denied")
        return real(self, *arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        with pytest.raises(LogError, match=r"cannot read .*b\.jsonl: Permission denied"):
            roll(log, state)

    assert read_rolled(state) == before
    assert roll(log, state).events == 2
    assert same(log, state)


def test_a_line_without_end(log: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what goes on for longer than any line, no more than that is held; the rest is read."""
    monkeypatch.setattr(_files, "_BLOCK_BYTES", 1000)
    monkeypatch.setattr(_files, "_LONGEST_LINE", 3000)
    append(log / "b.jsonl", MORE)
    lines = (log / "b.jsonl").read_bytes()
    (log / "b.jsonl").write_bytes(b"y" * 10_000 + b"\n" + lines)

    done = roll(log, state)

    assert (done.events, done.problems.unreadable) == (2, 1)
    assert roll(log, state).lines == 0
    assert same(log, state)


def test_a_log_of_one_file(tmp_path: Path) -> None:
    """A log may be one file, also after it was compressed."""
    file, state = tmp_path / "only.jsonl", tmp_path / "rolled"
    append(file, [DECLARED, *FOUR_DAYS])

    assert roll(file, state).events == 12
    append(file, MORE)
    assert roll(str(file), str(state)).events == 2
    compress(file)
    assert roll(file, state).lines == 0


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_that_goes_between_listing_and_reading(
    log: Path, tmp_path: Path, packed: bool
) -> None:
    """One that was compressed meanwhile is read under its new name; one that is gone is not."""
    append(log / "b.jsonl", MORE)
    known = {"b.jsonl": Known()}
    reading = NewLines(read_log(log), known, None)
    if packed:
        compress(log / "b.jsonl")
    else:
        (log / "b.jsonl").unlink()

    lines = [line for batch in reading.batches() for line in batch.lines]

    assert len(lines) == 13 + 2 * packed
    assert sorted(reading.known) == ["a.jsonl", "b.jsonl.gz" if packed else "b.jsonl"]


def test_progress_is_told(log: Path, tmp_path: Path) -> None:
    """Who asked is told how many of the new bytes are read."""
    told: list[tuple[int, int]] = []
    append(log / "b.jsonl", MORE)
    size = (log / "b.jsonl").stat().st_size

    roll(log, tmp_path / "rolled", progress=lambda done, total: told.append((done, total)))

    assert told == [(size, size)] * 2
