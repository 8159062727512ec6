"""A part of a spool: its lock, its cursor, and what is read of its segments."""

import json
from pathlib import Path

import pytest

from lastclick.sinks import FileSink
from lastclick.sinks import _part as module
from lastclick.sinks._part import Part, parts, sweep
from tests.sinks.logs import declared, entered, lost


@pytest.fixture
def part(tmp_path: Path) -> Part:
    return Part.create(tmp_path)


def write(part: Part, *numbers: object, max_bytes: int = 1_000_000) -> None:
    sink = FileSink(part.directory, max_bytes=max_bytes, compress=False)
    for number in numbers:
        sink.emit(entered(str(number)))
    sink.close(0)


def read_all(part: Part, events: int = 100) -> list[str]:
    """Read and settle load by load, as the sender does."""
    found: list[str] = []
    while (load := part.read(events, 100_000)) is not None:
        found += load.waiting
        load.waiting.clear()
        part.note(load)
    return found


def ids(*numbers: object) -> list[str]:
    return [f"e-{number}" for number in numbers]


def test_a_part_has_one_owner(tmp_path: Path, part: Part) -> None:
    """Who holds the lock owns it; given up, it goes to one other."""
    write(part, 1)
    assert Part.claim(part.directory) is None

    part.let_go()

    heir = Part.claim(part.directory)
    assert heir is not None
    assert Part.claim(part.directory) is None
    assert read_all(heir) == ["e-1"]


def test_an_empty_part_goes_with_its_owner(tmp_path: Path, part: Part) -> None:
    """Nothing is left of a part whose events are all sent."""
    write(part, 1, 2)
    assert read_all(part) == ids(1, 2)

    part.let_go()
    part.let_go()

    assert list(tmp_path.iterdir()) == []


def test_what_is_settled_is_not_read_again(tmp_path: Path, part: Part) -> None:
    """The cursor outlives its owner: whole loads, and parts of the one that was under way."""
    write(part, *range(10))
    load = part.read(4, 100_000)
    load.waiting.clear()
    part.note(load)
    load = part.read(4, 100_000)
    del load.waiting["e-5"]
    part.note(load)

    part.let_go()
    heir = Part.claim(part.directory)

    assert heir.count() == 5
    assert read_all(heir, 3) == ids(4, 6, 7, 8, 9)


@pytest.mark.parametrize("cursor", [b"", b"{", b"[]", b'{"offsets":{"a":"b"}}', b'{"offsets":[]}'])
def test_a_broken_cursor_has_everything_sent_again(
    tmp_path: Path, part: Part, cursor: bytes
) -> None:
    """Twice is harmless, never would not be."""
    write(part, 1)
    part.let_go()
    (part.directory / "cursor").write_bytes(cursor)

    assert read_all(Part.claim(part.directory)) == ["e-1"]


def test_segments_are_read_in_order_and_go_when_they_are_done(tmp_path: Path, part: Part) -> None:
    """Many small segments: oldest first, each removed once it is settled."""
    write(part, *range(20), max_bytes=500)
    assert len(part.files()) > 5

    assert read_all(part, 3) == ids(*range(20))

    assert part.files() == []


def test_a_segment_in_use_stays(tmp_path: Path, part: Part) -> None:
    """As long as somebody may append to it, a settled segment is kept and read further."""
    sink = FileSink(part.directory, compress=False)
    sink.emit(entered(1))
    assert read_all(part) == ["e-1"]
    assert len(part.files()) == 1

    sink.emit(entered(2))
    assert read_all(part) == ["e-2"]
    sink.close(0)
    part.remove_settled()

    assert part.files() == []


def test_a_line_that_came_meanwhile_saves_its_segment(
    tmp_path: Path, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reading and the removing a last line may have been appended."""
    write(part, 1)
    (path,) = part.files()
    held = module.held

    def late(path: Path):
        with path.open("ab") as file:
            file.write(entered(2).line + b"\n")
        monkeypatch.undo()
        return held(path)

    monkeypatch.setattr(module, "held", late)
    load = part.read(10, 100_000)
    load.waiting.clear()
    part.note(load)
    assert part.read(10, 100_000) is None

    assert path.exists()
    assert read_all(part) == ["e-2"]


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path, part: Part) -> None:
    """What a full disk or a killed process left of a line does not hold up the others."""
    torn = entered(9).line[:40]
    whole = [entered(number).line for number in range(5)]
    (part.directory / "a.jsonl").write_bytes(
        whole[0] + b"\n" + torn + whole[1] + b"\n" + b" " * 40 + b"\n" + b"no line\n" + b"\n"
        b'{"v":1,"type":"\xff","event_id":"\xff","funnel":"c","occurred_at":""}\n'
        + whole[2]
        + b"\n"
        + torn
    )
    (part.directory / "b.jsonl").write_bytes(b"\n" * 10 + whole[3] + b"\n")
    (part.directory / "c.jsonl").write_bytes(torn)

    assert read_all(part) == ids(0, 1, 2, 3)

    assert part.files() == []


def test_a_line_without_an_end_is_passed_over(tmp_path: Path, part: Part) -> None:
    """A megabyte of no line at all is skipped block by block."""
    (part.directory / "a.jsonl").write_bytes(b"x" * 250_000 + b"\n" + entered(1).line + b"\n")

    assert read_all(part) == ["e-1"]


def test_the_oldest_segment_is_dropped_with_what_is_not_settled(tmp_path: Path, part: Part) -> None:
    """Its settled events are not lost; a segment in use is not dropped."""
    write(part, *range(6), max_bytes=500)
    load = part.read(1, 100_000)
    load.waiting.clear()
    part.note(load)
    first = len(part.files())
    rest = read_lines(part.drop_oldest())

    assert rest == ids(1, 2)
    assert len(part.files()) == first - 1
    while part.drop_oldest():
        pass
    assert part.files() == []
    sink = FileSink(part.directory, compress=False)
    sink.emit(entered(7))
    assert part.drop_oldest() is None
    assert part.count() == 1


def read_lines(lines: list[bytes]) -> list[str]:
    return [json.loads(line)["event_id"] for line in lines]


def test_records_are_sent_but_not_counted(tmp_path: Path, part: Part) -> None:
    """Declarations and losses are no shopper events."""
    sink = FileSink(part.directory, compress=False)
    sink.emit(declared())
    sink.emit(lost(3))
    sink.emit(entered(1))

    assert part.count() == 1
    assert part.read(10, 100_000).events == 1


def test_a_lock_without_its_part_is_swept_away(tmp_path: Path, part: Part) -> None:
    """A process that died between two steps leaves a lock file and nothing else."""
    stale = tmp_path / "20261001T120000.000000Z-1-00000000.lock"
    stale.touch()

    sweep(tmp_path)

    assert not stale.exists()
    assert len(list(tmp_path.glob("*.lock"))) == 1
    assert parts(tmp_path) == [part.directory]
    assert parts(tmp_path / "nowhere") == []


def test_a_part_that_is_gone_cannot_be_claimed(tmp_path: Path, part: Part) -> None:
    """Its owner has sent all of it and removed it, just after we saw it."""
    part.let_go()

    assert Part.claim(part.directory) is None
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_removed_meanwhile_is_no_lock(
    tmp_path: Path, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens a lock file just before its owner removes it locks a file without a name."""
    flock = module.fcntl.flock
    part.forget()

    def slow(fd: int, how: int) -> None:
        monkeypatch.undo()
        (tmp_path / f"{part.directory.name}.lock").unlink()
        flock(fd, how)

    monkeypatch.setattr(module.fcntl, "flock", slow)

    assert Part.claim(part.directory) is None


def test_a_disk_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network file systems have none: the error reaches who records."""

    def none(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", none)

    with pytest.raises(OSError, match="No locks available"):
        Part.create(tmp_path)


def test_a_part_that_cannot_be_made_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk at that moment leaves nothing behind."""
    mkdir = Path.mkdir

    def full(self: Path, *arguments: object, **options: object) -> None:
        if self.parent == tmp_path:
            raise OSError(28, "No space left on device")
        mkdir(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(OSError, match="No space left"):
        Part.create(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_cursor_that_cannot_be_written_does_not_stop_the_sending(
    tmp_path: Path, part: Part
) -> None:
    """Where the disk is full, a process that dies has some events sent twice."""
    write(part, 1, 2)
    (part.directory / "cursor.new").mkdir()

    assert read_all(part, 1) == ids(1, 2)
    part.let_go()

    assert (part.directory / "cursor.new").is_dir()


def test_what_tries_the_directory_out_is_no_part(tmp_path: Path, part: Part) -> None:
    """A process that starts makes a directory and removes it; nobody else may be faster."""
    (tmp_path / ".lastclick-4711-1f0c9a2b").mkdir()

    assert parts(tmp_path) == [part.directory]
