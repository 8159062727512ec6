"""Reading logs: any mix of files, whole or damaged, with what was met counted and placed."""

import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from lastclick import Funnel, measure, read_log
from lastclick._reading import LONGEST_LINE
from lastclick.errors import LogError
from lastclick.events import Event
from lastclick.logs import Log, Place, Problems
from lastclick.sinks import MemorySink
from tests.rights import NOBODY, forbidden, open_directory

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def events(attempts: int = 3) -> list[Event]:
    """A declaration and two events of each attempt."""
    sink = MemorySink()
    funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink, clock=lambda: NOON)
    for number in range(attempts):
        checkout = funnel.checkout(f"c-{number}")
        checkout.enter("cart", ("10.00", "EUR"), at=NOON - timedelta(minutes=number))
        checkout.complete(f"o-{number}", ("10.00", "EUR"))
    return list(sink.records)


def text(events: list[Event]) -> bytes:
    return b"".join(event.line + b"\n" for event in events)


@pytest.fixture
def lines() -> list[bytes]:
    return [event.line for event in events()]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes, name: str = "log.jsonl") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write


def problems(path: Path) -> Problems:
    """What reading meets, which must be the same for events, rows and lines."""
    log = read_log(path)
    list(log)
    as_events = log.problems
    measure(log, events()[0])
    assert log.problems == as_events
    return as_events


# Files ------------------------------------------------------------------------------------------


def test_a_directory_is_read_with_all_that_is_in_it(write, tmp_path):
    """Plain and gzipped segments, in subdirectories too, make one log; other files do not."""
    all_events = events()
    write(text(all_events[:2]), "a.jsonl")
    write(gzip.compress(text(all_events[2:4])), "b.jsonl.gz")
    write(text(all_events[4:6]), "more/c.ndjson")
    write(gzip.compress(text(all_events[6:])), "more/deep/d.ndjson.gz")
    write(b"not a log", "README.txt")

    log = read_log(tmp_path)

    assert list(log) == all_events
    assert log.problems == Problems(files=4, lines=7)


def test_a_file_is_read_whatever_it_is_called(write):
    """A single file is a log under any name, and gzipped if its first bytes say so."""
    plain = write(text(events()), "log.txt")
    packed = write(gzip.compress(text(events())), "log")

    assert len(list(read_log(plain))) == 7
    assert len(list(read_log(packed))) == 7


def test_a_gzipped_file_may_have_several_members(write):
    """Segments that were compressed one by one and joined are one file."""
    all_events = events()

    path = write(gzip.compress(text(all_events[:3])) + gzip.compress(text(all_events[3:])), "l.gz")

    assert list(read_log(path)) == all_events


def test_nothing_at_the_path_is_an_error(tmp_path):
    """The message names the path; an empty directory is a log without events."""
    with pytest.raises(LogError, match=r"no log at .*nowhere; pass the directory") as caught:
        read_log(tmp_path / "nowhere")

    assert caught.value.path == tmp_path / "nowhere"
    assert list(read_log(tmp_path)) == []


def test_a_log_is_read_anew_each_time(write):
    """What came to the log since the last iteration is in the next one."""
    all_events = events()
    path = write(text(all_events[:3]))
    log = read_log(path)

    first = list(log)
    with path.open("ab") as file:
        file.write(text(all_events[3:]))

    assert first == all_events[:3]
    assert list(log) == all_events
    assert log.problems.lines == 7


def test_since_passes_over_older_files(write, tmp_path):
    """Only files last written at or after the instant are read; the others are counted."""
    old = write(text(events()), "old.jsonl")
    write(text(events()), "new.jsonl")
    os.utime(old, (NOON.timestamp() - 1, NOON.timestamp() - 1))

    log = read_log(tmp_path, since=NOON)

    assert len(list(log)) == 7
    assert log.problems == Problems(files=1, passed_over=1, lines=7)


def test_since_needs_a_zone(tmp_path):
    """An instant that nobody can place is refused at once."""
    with pytest.raises(LogError, match="since: a time without a zone"):
        read_log(tmp_path, since=datetime(2026, 10, 1))  # noqa: DTZ001 - that is the point


def test_progress_goes_to_the_end(write, tmp_path):
    """The hook is told the bytes read, never falling, and at last all of them."""
    write(text(events()), "a.jsonl")
    write(gzip.compress(text(events())), "b.jsonl.gz")
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    told: list[tuple[int, int]] = []

    list(read_log(tmp_path, progress=lambda done, of: told.append((done, of))))

    assert told == sorted(told)
    assert told[-1] == (total, total)
    assert {of for _, of in told} == {total}


def test_a_log_says_what_it_is(tmp_path):
    """Its repr names the path."""
    assert repr(read_log(tmp_path)) == f"Log({str(tmp_path)!r})"


def test_lines_are_handed_out_as_they_are(write, lines):
    """A tool gets each line that is not blank with its file and number, readable or not."""
    path = write(lines[0] + b"\n\nnonsense\n")
    log = read_log(path)

    assert list(log.lines()) == [(path, 1, lines[0]), (path, 3, b"nonsense")]
    assert log.problems == Problems(files=1, lines=2, blank=1)


# Damage -----------------------------------------------------------------------------------------


def test_a_torn_tail_is_counted_and_the_rest_is_read(write, lines):
    """A process that died within a write costs its last line, and says where."""
    path = write(b"\n".join(lines)[:-20])

    found = problems(path)

    assert len(list(read_log(path))) == 6
    assert found.torn == 1
    assert found.unreadable == 0
    assert found.places == (Place(str(path), 7, "torn: only a part of the line was written"),)


def test_a_last_line_without_newline_is_whole(write, lines):
    """The newline is not what makes a line whole."""
    assert problems(write(b"\n".join(lines))) == Problems(files=1, lines=7)


def test_a_line_that_follows_a_torn_one_is_lost_with_it(write, lines):
    """Two lines in one are no event; the ones around them are."""
    path = write(lines[0] + b"\n" + lines[1][:50] + lines[2] + b"\n" + lines[3] + b"\n")

    found = problems(path)

    assert (found.lines, found.torn) == (3, 1)
    assert found.places[0].line == 2


def test_blank_lines_are_counted_and_keep_the_numbers_right(write, lines):
    """Blank lines are no lines of the log, but they are lines of the file."""
    path = write(b"\n\n" + lines[0] + b"\n   \n" + lines[1] + b"\nfoo\n\n")

    found = problems(path)

    assert (found.lines, found.blank, found.unreadable) == (3, 4, 1)
    assert found.places[0].line == 6


@pytest.mark.parametrize(
    "line",
    [
        b"2026-10-01 12:00:00 INFO GET /checkout",
        b"{}",
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b'{"v":1,"type":"step_entered"}',
        b'{"type":"step_entered","event_id":"e","level":"info"}',
        b"\xff\xfe\x00",
        b"\x00" * 4096,
        b"{" * 5000,
        b"},{",
    ],
)
def test_foreign_lines_are_counted_and_placed(write, lines, line):
    """What is no event is named with file and line, and harms nothing around it."""
    path = write(b"\n".join([*lines[:3], line, *lines[3:]]) + b"\n")

    found = problems(path)

    assert len(list(read_log(path))) == 7
    assert (found.unreadable, found.torn) == (1, 0)
    assert (found.places[0].file, found.places[0].line) == (str(path), 4)
    assert len(found.places[0].reason) <= 200


def test_a_tail_of_zeros_is_one_unreadable_line(write, lines):
    """A file that was lengthened before the power went ends in zeros; its events stand."""
    path = write(b"\n".join(lines) + b"\n" + b"\x00" * 10_000)

    found = problems(path)

    assert (found.lines, found.unreadable) == (8, 1)


def test_windows_habits_do_no_harm(write, lines):
    """A byte order mark and carriage returns are not part of any line."""
    path = write(b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\r\n")

    assert problems(path) == Problems(files=1, lines=7)


def test_a_gzipped_file_that_breaks_off_is_read_up_to_there(write):
    """What was compressed before the end of the file counts, and the break is told."""
    all_events = events(400)
    packed = gzip.compress(text(all_events))
    path = write(packed[: len(packed) * 3 // 4], "log.jsonl.gz")
    log = read_log(path)

    read = list(log)

    assert read == all_events[: len(read)]
    assert len(read) > 400
    breaks = [place for place in log.problems.places if place.line is None]
    assert [place.file for place in breaks] == [str(path)]
    assert breaks[0].reason.startswith("the file breaks off: ")


def test_a_gzipped_file_with_flipped_bits_does_not_stop_the_others(write, tmp_path):
    """A damaged file is told; the next one is read."""
    packed = bytearray(gzip.compress(text(events())))
    packed[30:60] = bytes(30)
    write(bytes(packed), "a.jsonl.gz")
    write(text(events()), "b.jsonl")
    log = read_log(tmp_path)

    assert len(list(log)) == 7
    assert log.problems.torn >= 1
    assert log.problems.files == 2


def test_a_file_that_goes_away_is_told(write, tmp_path):
    """A segment that is removed while a log is read is a break, not a crash."""
    write(text(events()), "a.jsonl")
    gone = write(text(events()), "b.jsonl")
    log = read_log(tmp_path)

    reading = iter(log)
    next(reading)
    gone.unlink()
    rest = list(reading)

    assert len(rest) == 6
    assert log.problems.torn == 1


def test_a_file_that_was_compressed_since_it_was_listed_is_read(write, tmp_path, monkeypatch):
    """A sink compresses its closed segments at any time: what was listed is read as what it is."""
    write(text(events()), "a.jsonl")
    write(text(events(4)), "b.jsonl")

    def compress(number: int) -> None:
        for name in ("a", "b")[:number]:
            plain = tmp_path / f"{name}.jsonl"
            if plain.exists():
                write(gzip.compress(plain.read_bytes()), f"{name}.jsonl.gz")
                plain.unlink()

    files = Log.files
    monkeypatch.setattr(Log, "files", lambda log: (files(log), compress(1))[0])
    log = read_log(tmp_path, since=NOON)
    reading = iter(log)
    first = next(reading)
    compress(2)  # the second file, after its size was taken

    assert len([first, *reading]) == 7 + 9
    assert log.problems == Problems(files=2, lines=16)


def test_a_log_of_one_file_may_be_compressed(write):
    """A log that was made of a segment is read under its new name, and only then."""
    path = write(text(events()))
    log = read_log(path)
    write(gzip.compress(path.read_bytes()), f"{path.name}.gz")
    path.unlink()

    assert len(list(log)) == 7
    assert len(list(read_log(path))) == 7


def test_a_file_that_stands_there_twice_changes_no_number(write, tmp_path):
    """Between two steps of compressing both are there, with one time: one is read. If not, both."""
    plain = write(text(events()), "a.jsonl")
    once = measure(read_log(tmp_path))
    packed = write(gzip.compress(plain.read_bytes()), "a.jsonl.gz")
    os.utime(packed, ns=(0, plain.stat().st_mtime_ns))
    twins = measure(read_log(tmp_path))
    os.utime(packed, ns=(0, plain.stat().st_mtime_ns + 1))
    both = measure(read_log(tmp_path))

    assert once.to_dict() == twins.to_dict() == both.to_dict()
    assert [report.reading.redelivered for report in (once, twins, both)] == [
        0,
        0,
        6,
    ]  # shopper events


@pytest.mark.parametrize("listing", [1, 2])
def test_a_file_that_is_compressed_while_the_log_is_listed_is_found(
    write, tmp_path, monkeypatch, listing
):
    """A listing that meets it under neither name, or under its old one, is not the last word."""
    path = write(text(events()), "a.jsonl")
    write(text(events(1)), "b.jsonl")
    found = Path.rglob
    numbers = count(1)

    def listed(directory: Path, pattern: str) -> list[Path]:
        names = list(found(directory, pattern))
        if next(numbers) == listing:
            write(gzip.compress(path.read_bytes()), "a.jsonl.gz")
            path.unlink()
            names.remove(path)
        return names

    monkeypatch.setattr(Path, "rglob", listed)
    log = read_log(tmp_path / "b.jsonl")
    log.path = tmp_path

    assert len(list(log)) == 7 + 3
    assert log.problems.files == 2


def test_a_line_without_end_costs_bounded_memory(write, lines):
    """A line of megabytes is one unreadable line, and what follows it is read."""
    path = write(lines[0] + b"\n" + b"x" * (3 * LONGEST_LINE) + b"\n" + lines[1] + b"\n")

    found = problems(path)

    assert (found.lines, found.unreadable) == (3, 1)
    assert found.places[0].line == 2
    assert len(list(read_log(path))) == 2


def test_an_unknown_schema_version_is_not_guessed_at(write, lines):
    """A line of a later version is counted, as what this release cannot read."""
    path = write(lines[0].replace(b'"v":1', b'"v":2') + b"\n" + lines[1] + b"\n")

    found = problems(path)

    assert (found.lines, found.unreadable) == (2, 1)
    assert "v: Input should be 1" in found.places[0].reason


def test_only_the_first_places_are_kept(write, lines):
    """A log of nothing but errors does not fill the memory with their places."""
    found = problems(write(b"nonsense\n" * 5000))

    assert found.unreadable == 5000
    assert [place.line for place in found.places] == list(range(1, 11))


def test_lines_are_numbered_across_batches(write, lines):
    """A problem far down in a file is found at its line."""
    path = write(b"\n".join([lines[0]] * 1234) + b"\nnonsense\n")

    assert problems(path).places[0].line == 1235


# Law --------------------------------------------------------------------------------------------


def test_a_log_measures_as_its_events_do(write, tmp_path):
    """Lines and event objects are two roads to one report."""
    write(text(events(50)), "a.jsonl")
    write(b"nonsense\n" + text(events(60)), "b.jsonl")
    declaration = events()[0]

    from_lines = measure(read_log(tmp_path), declaration)
    from_events = measure(list(read_log(tmp_path)), declaration)

    assert from_events == from_lines
    assert from_lines.to_dict() == from_events.to_dict()
    assert from_lines.started == 60


def test_a_file_that_is_gone_by_now_was_not_there(
    tmp_path: Path,
    write: Callable[..., Path],
    lines: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A segment that is deleted, or sent, between the listing and the reading is no fault."""
    write(lines[1] + b"\n", "a.jsonl").unlink()
    write(lines[2] + b"\n", "b.jsonl")
    log = read_log(tmp_path)
    listed = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    monkeypatch.setattr(log, "files", lambda: listed)

    assert [event.line for event in log] == [lines[2]]
    assert (log.problems.files, log.problems.torn) == (1, 0)


def test_a_directory_may_go_while_it_is_listed(
    tmp_path: Path,
    write: Callable[..., Path],
    lines: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A part of a spool that is sent and removed meanwhile is not there, and no fault."""
    write(lines[1] + b"\n", "a.jsonl")
    (tmp_path / "part").mkdir()
    scandir = os.scandir

    def late(path: Path | str) -> object:
        if Path(path).name == "part":
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", late)

    assert [event.line for event in read_log(tmp_path)] == [lines[1]]


@pytest.mark.parametrize("path", [None, 5, b"log"])
def test_what_is_no_path_is_an_error(path):
    """The error says what a log is."""
    with pytest.raises(LogError, match="a log is a path such as 'var/lastclick', not "):
        read_log(path)


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_a_path_that_no_file_can_have_is_an_error(path):
    """Nothing is there, as at any other path of nothing."""
    with pytest.raises(LogError, match="no log at "):
        read_log(path)


@pytest.mark.parametrize("source", [None, 5, "var/lastclick"])
def test_what_is_no_log_is_not_counted(source):
    """The error says what to pass."""
    with pytest.raises(LogError, match=r"no events: .*; pass events, or what read_log or"):
        measure(source)


@pytest.mark.parametrize(
    ("path", "mode"),
    [("", 0), ("", 0o444), ("shop", 0), ("shop", 0o444), ("shop/b.jsonl", 0)],
)
def test_what_may_not_be_read_is_an_error(path: str, mode: int) -> None:
    """Half of a log gives wrong figures: the error names what this process may not read."""
    with open_directory() as directory:
        log = directory / "log"
        (log / "shop").mkdir(parents=True)
        (log / "a.jsonl").write_bytes(text(events()))
        (log / "shop" / "b.jsonl").write_bytes(text(events()))
        measure(read_log(log))

        with forbidden(log / path, mode), pytest.raises(LogError) as raised:
            measure(read_log(log))

    told = str(raised.value)
    assert told.startswith(f"cannot read {log / path}")
    assert f"Permission denied; give this process (user id {os.geteuid() or NOBODY})" in told
    assert str(raised.value.path).startswith(str(log / path))


def test_a_file_by_itself_that_may_not_be_read_is_an_error() -> None:
    """It is not taken for a log without a definition."""
    with open_directory() as directory:
        log = directory / "log.jsonl"
        log.write_bytes(text(events()))

        with forbidden(log), pytest.raises(LogError, match=r"log\.jsonl: Permission denied"):
            list(read_log(log))
        with forbidden(directory), pytest.raises(LogError, match=r"log\.jsonl: Permission denied"):
            read_log(log)


def test_the_lost_and_found_of_a_disk_is_passed_over() -> None:
    """A log that has a disk of its own has a directory in it that root alone may read."""
    with open_directory() as directory:
        (directory / "a.jsonl").write_bytes(text(events()))
        (directory / "lost+found").mkdir()

        with forbidden(directory / "lost+found"):
            assert len(list(read_log(directory))) == 7
