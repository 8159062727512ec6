"""The log on disk when the disk is full, the directory goes away, or a write falls short."""

import errno
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from datetime import datetime
from pathlib import Path

import pytest

from lastclick.errors import ConfigError, DeliveryError
from lastclick.sinks import FileSink, SinkStats
from lastclick.sinks._segment import Segment
from tests.disks import fill, mount
from tests.sinks.logs import (
    NOON,
    content,
    declared,
    entered,
    ids,
    lost,
    open_files,
    read,
    segments,
    settle,
)


def emit_until_full(sink: FileSink, count: int) -> tuple[list[str], list[str]]:
    """Emit so many events; the ids of those that were kept and of those that were lost."""
    kept, failed = [], []
    for number in range(count):
        event = entered(number, note="n" * 100)
        try:
            sink.emit(event)
        except DeliveryError:
            failed.append(event.event_id)
        else:
            kept.append(event.event_id)
    return kept, failed


# A full disk, for real ---------------------------------------------------------------------------


def test_a_full_disk_loses_only_what_it_says(small_disk: Path) -> None:
    """What was kept is whole in the log, what was not raised; freed, the log says how many."""
    sink = FileSink(small_disk)
    sink.emit(declared())
    ballast = fill(small_disk, leave=8192)

    kept, failed = emit_until_full(sink, 100)
    full = sink.stats
    ballast.unlink()
    sink.emit(entered("after"))

    assert kept
    assert failed
    assert full == SinkStats(written=len(kept), pending=1, lost={"disk_full": len(failed)})
    assert ids(small_disk) == [*kept, "e-after"]
    records = [line for line in read(small_disk) if line["type"] == "events_lost"]
    assert [(line["source"], line["reason"], line["count"]) for line in records] == [
        ("sink", "disk_full", len(failed))
    ]
    assert sink.stats == SinkStats(
        written=len(kept) + 1, pending=0, lost={"disk_full": len(failed)}
    )


def test_the_record_of_a_loss_comes_before_the_next_event(small_disk: Path) -> None:
    """Who reads on after a gap has read of it; since and until are the times of what was lost."""
    sink = FileSink(small_disk)
    ballast = fill(small_disk)
    emit_until_full(sink, 50)
    ballast.unlink()

    sink.emit(entered("after"))

    *_, record, event = read(small_disk)
    assert event["event_id"] == "e-after"
    assert record["type"] == "events_lost"
    assert record["since"] == record["until"]
    assert datetime.fromisoformat(record["since"]) == NOON


def test_a_disk_may_fill_up_again_and_again(small_disk: Path) -> None:
    """Kept plus recorded losses is all that was emitted, however often the disk was full."""
    sink = FileSink(small_disk)
    sink.emit(declared())
    kept: list[str] = []
    for _ in range(5):
        ballast = fill(small_disk, leave=4096)
        kept += emit_until_full(sink, 30)[0]
        ballast.unlink()
        assert sink.flush(0) is True

    records = [line for line in read(small_disk) if line["type"] == "events_lost"]
    assert sum(line["count"] for line in records) == 5 * 30 - len(kept)
    assert ids(small_disk) == kept
    for segment in segments(small_disk):
        assert content(segment) == b"" or b"funnel_declared" in content(segment)


def test_threads_on_a_full_disk_harm_no_line(small_disk: Path) -> None:
    """Threads that hit the end of the disk together tear none of each other's lines."""
    sink = FileSink(small_disk)
    kept: list[str] = []

    def work(thread: int) -> None:
        for number in range(200):
            event = entered(f"{thread}-{number}", note="n" * (number % 50))
            try:
                sink.emit(event)
            except DeliveryError:
                (small_disk / f"ballast-{thread}").unlink(missing_ok=True)
            else:
                kept.append(event.event_id)

    for thread in range(4):
        (small_disk / f"ballast-{thread}").write_bytes(bytes(4096))
    fill(small_disk, leave=4096)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (small_disk / "ballast").unlink()

    assert sink.close(0) is True
    assert len(kept) < 800
    assert sorted(ids(small_disk)) == sorted(kept)
    records = [line for line in read(small_disk) if line["type"] == "events_lost"]
    assert sum(line["count"] for line in records) == 800 - len(kept)


def test_a_full_disk_keeps_no_shop_from_starting(small_disk: Path) -> None:
    """A sink can be built on a full disk, also where its directory is still to be made."""
    ballast = fill(small_disk)

    sink = FileSink(small_disk)
    with pytest.raises(DeliveryError):
        sink.emit(entered(1))
    ballast.unlink()
    sink.emit(entered(2))

    assert ids(small_disk) == ["e-2"]
    assert [line.get("count") for line in read(small_disk)] == [1, None]


def test_a_disk_too_full_for_a_directory_keeps_no_shop_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where even a directory finds no room, it is made with the first event that does."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", refuse)
    sink = FileSink(tmp_path / "var" / "log")
    with pytest.raises(DeliveryError):
        sink.emit(entered(1))
    monkeypatch.undo()

    sink.emit(entered(2))

    assert ids(tmp_path / "var" / "log") == ["e-2"]


def test_closing_writes_what_is_owed(small_disk: Path) -> None:
    """The records of losses reach the log with a close too, if the disk allows."""
    sink = FileSink(small_disk)
    ballast = fill(small_disk)
    _, failed = emit_until_full(sink, 50)

    assert sink.flush(0) is False
    ballast.unlink()
    assert sink.close(0) is True

    assert [line["count"] for line in read(small_disk) if "count" in line] == [len(failed)]


def test_closing_on_a_full_disk_says_no(small_disk: Path) -> None:
    """A close that could not write what is owed is False, each time."""
    sink = FileSink(small_disk)
    ballast = fill(small_disk)
    emit_until_full(sink, 50)

    assert sink.close(0) is False
    assert sink.close(0) is False

    ballast.unlink()
    assert sink.flush(0) is True


def test_a_process_that_exits_tries_once_more(small_disk: Path) -> None:
    """What is owed is written at the interpreter's exit if the disk has room again."""
    program = """
        import sys
        from pathlib import Path
        from lastclick.errors import DeliveryError
        from lastclick.sinks import FileSink
        from tests.disks import fill
        from tests.sinks.logs import entered

        disk = Path(sys.argv[1])
        sink = FileSink(disk)
        ballast = fill(disk)
        try:
            sink.emit(entered(1))
        except DeliveryError:
            ballast.unlink()
    """

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), str(small_disk)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [(line["type"], line["count"]) for line in read(small_disk)] == [("events_lost", 1)]


@pytest.mark.parametrize("durability", ["process", "power", "exit"])
def test_a_process_that_ends_on_a_full_disk_says_so(small_disk: Path, durability: str) -> None:
    """Where the last try at the exit fails too, there is a ResourceWarning and no traceback."""
    program = """
        import sys
        from pathlib import Path
        from lastclick import Funnel
        from lastclick.sinks import FileSink
        from tests.disks import fill

        disk = Path(sys.argv[1])
        sink = FileSink(disk, sys.argv[2])
        funnel = Funnel("checkout", steps=("cart",), sink=sink, on_error=lambda error: None)
        fill(disk)
        for number in range(200):
            funnel.checkout(number).enter("cart")
    """

    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", textwrap.dedent(program), small_disk, durability],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )

    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "ResourceWarning: FileSink(" in done.stderr
    assert "is collected with losses that it could not write to its log" in done.stderr


def test_a_sink_collected_with_losses_says_so(small_disk: Path) -> None:
    """Losses that can no longer reach the log are a ResourceWarning."""
    sink = FileSink(small_disk)
    fill(small_disk)
    with pytest.raises(DeliveryError):
        sink.emit(entered(1))

    sinks = [sink]
    del sink

    with pytest.warns(ResourceWarning, match="losses that it could not write"):
        sinks.clear()


# Directories -------------------------------------------------------------------------------------


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """The message names the path, the cause and the way out."""
    (tmp_path / "file").write_text("not a directory")

    with pytest.raises(ConfigError, match="name one that this process") as caught:
        FileSink(tmp_path / "file" / "log")

    assert f"cannot write to directory '{tmp_path}/file/log': Not a directory" in str(caught.value)


@pytest.mark.parametrize("directory", ["/proc", "/proc/lastclick", "/dev/null", "/dev/full"])
def test_a_directory_that_takes_no_files_is_refused(directory: str) -> None:
    """Being root is not enough: it is tried out."""
    with pytest.raises(ConfigError, match="cannot write to directory"):
        FileSink(directory)


def test_a_directory_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    """A read-only file system, or without root a read-only directory, is found at once."""
    if os.geteuid() == 0:
        mount(tmp_path, "size=64k,ro")
    else:
        tmp_path.chmod(0o500)

    try:
        with pytest.raises(ConfigError, match=r"Read-only file system|Permission denied"):
            FileSink(tmp_path)
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(tmp_path)], check=True)
        else:
            tmp_path.chmod(0o700)


def test_a_file_system_that_becomes_read_only_is_counted(small_disk: Path) -> None:
    """Going read-only later raises DeliveryError, is counted, and ends with being writable."""
    sink = FileSink(small_disk)
    remount = ["mount", "-o"]
    subprocess.run([*remount, "remount,ro", str(small_disk)], check=True)

    for number in range(3):
        with pytest.raises(DeliveryError, match="Read-only file system") as caught:
            sink.emit(entered(number))
        assert caught.value.reason == "not_writable"
    subprocess.run([*remount, "remount,rw", str(small_disk)], check=True)
    sink.emit(entered(3))

    assert sink.stats == SinkStats(written=1, pending=0, lost={"not_writable": 3})
    assert ids(small_disk) == ["e-3"]


def test_a_directory_that_went_away_is_made_again(tmp_path: Path) -> None:
    """After a deletion the log goes on in a new segment, with its declaration, within a second."""
    now = [0.0]
    sink = FileSink(tmp_path / "log", monotonic=lambda: now[0])
    sink.emit(declared())
    sink.emit(entered(1))
    shutil.rmtree(tmp_path / "log")

    now[0] += 1.0
    sink.emit(entered(2))

    assert [line["type"] for line in read(tmp_path / "log")] == ["funnel_declared", "step_entered"]
    assert ids(tmp_path / "log") == ["e-2"]


def test_a_descriptor_that_was_closed_is_noticed(tmp_path: Path) -> None:
    """Who closes all descriptors, as daemons do, makes the log go on in a new segment."""
    sink = FileSink(tmp_path)
    sink.emit(entered(1))
    settle()  # the thread of the upkeep could be given the number
    os.close(sink._segments.current.fd)

    with pytest.raises(DeliveryError, match="Bad file descriptor"):
        sink.emit(entered(2))
    sink.emit(entered(3))

    assert ids(tmp_path) == ["e-1", "e-3"]
    assert len(segments(tmp_path)) == 2
    assert sink.stats == SinkStats(written=2, pending=0, lost={"io_error": 1})


def test_a_descriptor_that_is_another_files_is_left_alone(tmp_path: Path) -> None:
    """A number that was given to another file is not written to for long, and not closed."""
    now = [0.0]
    sink = FileSink(tmp_path / "log", monotonic=lambda: now[0])
    sink.emit(entered(1))
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    number = sink._segments.current.fd
    settle()
    os.dup2(other, number)

    now[0] += 1.0
    sink.emit(entered(2))

    assert ids(tmp_path / "log") == ["e-1", "e-2"]
    assert (tmp_path / "other").read_bytes() == b""
    os.close(number)
    os.close(other)


def test_a_directory_in_whose_place_is_a_file_is_counted(tmp_path: Path) -> None:
    """A directory that cannot be made again raises DeliveryError and is counted."""
    sink = FileSink(tmp_path / "log")
    (tmp_path / "log").rmdir()
    (tmp_path / "log").write_text("in the way")

    with pytest.raises(DeliveryError) as caught:
        sink.emit(entered(1))
    (tmp_path / "log").unlink()
    sink.emit(entered(2))

    assert caught.value.reason == "io_error"
    assert str(tmp_path / "log") in str(caught.value)
    assert [line.get("count") for line in read(tmp_path / "log")] == [1, None]


def test_a_rotation_that_fails_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no new segment can be opened the old one is used on."""
    sink = FileSink(tmp_path, max_bytes=400)
    sink.emit(entered(1))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("lastclick.sinks._segment._create", refuse)
    for number in range(2, 6):
        sink.emit(entered(number))
    monkeypatch.undo()
    sink.emit(entered(6))

    assert ids(tmp_path) == [f"e-{number}" for number in range(1, 7)]
    assert len(segments(tmp_path)) == 2


# Records that cannot be written ------------------------------------------------------------------


def broken(monkeypatch: pytest.MonkeyPatch, number: int = errno.EIO) -> None:
    """Every write fails from here on."""

    def fail(fd: int, line: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", fail)


def test_a_declaration_that_cannot_be_written_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not raise; it is the head of the next segment."""
    sink = FileSink(tmp_path)
    sink.emit(entered(1))

    broken(monkeypatch)
    sink.emit(declaration := declared())
    waiting = sink.stats
    monkeypatch.undo()
    sink.emit(entered(2))

    assert waiting == SinkStats(written=1, pending=1, lost={})
    assert content(segments(tmp_path)[1]).startswith(declaration.line + b"\n")
    assert sink.stats == SinkStats(written=2, pending=0, lost={})


def test_a_flush_writes_a_waiting_declaration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits needs no event to be written."""
    sink = FileSink(tmp_path)
    broken(monkeypatch)
    sink.emit(declared())
    assert sink.flush(0) is False
    monkeypatch.undo()

    assert sink.close(0) is True

    assert [line["type"] for line in read(tmp_path)] == ["funnel_declared"]
    assert open_files(tmp_path) == []


def test_a_loss_record_that_cannot_be_written_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of a funnel's losses do not raise; they are added up by reason and written later."""
    sink = FileSink(tmp_path)
    broken(monkeypatch)
    for record in (lost(2), lost(3, hour=2), lost(1, kept=True), lost(1, "bad_time", hour=1)):
        sink.emit(record)
    with pytest.raises(DeliveryError):
        sink.emit(entered(1))
    waiting = sink.stats
    monkeypatch.undo()

    sink.emit(entered(2))

    assert waiting == SinkStats(written=0, pending=4, lost={"io_error": 1})
    *records, event = read(tmp_path)
    assert event["event_id"] == "e-2"
    assert {
        (line["source"], line["reason"], line["count"], line["since"][11:13], line["until"][11:13])
        for line in records
    } == {
        ("funnel", "no_id", 5, "12", "14"),
        ("funnel", "no_id", 1, "12", "12"),
        ("funnel", "bad_time", 1, "13", "13"),
        ("sink", "io_error", 1, "12", "12"),
    }
    assert [line["count"] for line in records if line.get("kept")] == [1]


def test_losses_are_recorded_for_each_funnel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two funnels' losses are two records."""
    sink = FileSink(tmp_path)
    broken(monkeypatch)
    for number, funnel in enumerate(["shop", "b2b", "shop"]):
        with pytest.raises(DeliveryError):
            sink.emit(entered(number, funnel=funnel))
    monkeypatch.undo()

    assert sink.flush(0) is True

    counts = {line["funnel"]: line["count"] for line in read(tmp_path)}
    assert counts == {"shop": 2, "b2b": 1}


@pytest.mark.parametrize("at", ["write", "open"])
def test_many_losses_take_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """A thousand losses for the same reason are one record and the exact count."""
    sink = FileSink(tmp_path)

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, at, fail)
    for number in range(1000):
        with pytest.raises(DeliveryError):
            sink.emit(entered(number))

    assert len(sink._losses._owed) <= 257
    assert sink.stats == SinkStats(written=0, pending=1, lost={"io_error": 1000})

    monkeypatch.undo()
    sink.close(0)
    assert [line["count"] for line in read(tmp_path)] == [1000]


def test_an_error_does_not_keep_the_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may keep the exception, with its traceback; the segment is closed all the same."""
    sink = FileSink(tmp_path)
    sink.emit(entered(1))
    broken(monkeypatch)
    with pytest.raises(DeliveryError) as caught:
        sink.emit(entered(2))
    monkeypatch.undo()

    sink.close(0)

    assert open_files(tmp_path) == []
    assert caught.value.__context__ is None


# Torn lines --------------------------------------------------------------------------------------


def test_a_write_that_falls_short_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event is lost and counted; what it left is taken out, and the next one is whole."""
    sink = FileSink(tmp_path)
    sink.emit(declared())
    sink.emit(entered(1))
    write = os.write

    monkeypatch.setattr(os, "write", lambda fd, line: write(fd, line[:40]))
    with pytest.raises(DeliveryError) as caught:
        sink.emit(entered(2))
    monkeypatch.undo()
    sink.emit(entered(3))

    assert caught.value.reason == "disk_full"
    assert ids(tmp_path) == ["e-1", "e-3"]
    assert [line["type"] for line in read(tmp_path)] == [
        "funnel_declared",
        "step_entered",
        "funnel_declared",
        "events_lost",
        "step_entered",
    ]


def test_a_line_that_follows_a_torn_one_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread's line that was appended to a torn one stands by itself in the end."""
    sink = FileSink(tmp_path)
    sink.emit(entered(1))
    write = os.write

    def fall_short_and_let_others_in(fd: int, line: bytes) -> int:
        written = write(fd, line[:40])
        write(fd, entered("other").line + b"\n")
        return written

    monkeypatch.setattr(os, "write", fall_short_and_let_others_in)
    with pytest.raises(DeliveryError):
        sink.emit(entered(2))
    monkeypatch.undo()
    sink.emit(entered(3))

    old, new = segments(tmp_path)
    assert content(old).splitlines() == [entered(1).line, b" " * 39, entered("other").line]
    assert entered(3).line in content(new)


def test_a_loss_record_that_falls_short_is_owed_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an event nor a flush may write on after a torn record."""
    sink = FileSink(tmp_path)
    broken(monkeypatch)
    with pytest.raises(DeliveryError):
        sink.emit(entered(1))
    monkeypatch.undo()
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, line: write(fd, line[:40]))

    assert sink.flush(0) is False
    with pytest.raises(DeliveryError):
        sink.emit(entered(2))
    monkeypatch.undo()

    assert sink.flush(0) is True
    counts = {line["reason"]: line["count"] for line in read(tmp_path)}
    assert counts == {"io_error": 1, "disk_full": 1}


def test_an_event_that_cannot_be_synced_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With power durability a failed sync counts as a loss, and the segment is not used again."""
    sink = FileSink(tmp_path, "power")
    sink.emit(entered(1))

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DeliveryError):
        sink.emit(entered(2))
    monkeypatch.undo()
    sink.emit(entered(3))

    assert sink.stats == SinkStats(written=2, pending=0, lost={"io_error": 1})
    assert len(segments(tmp_path)) == 2
    assert ids(tmp_path)[-1] == "e-3"


def test_a_segment_whose_head_cannot_be_written_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment without its declarations is no segment: the file is deleted."""
    sink = FileSink(tmp_path)
    broken(monkeypatch, errno.ENOSPC)
    sink.emit(declared())
    with pytest.raises(DeliveryError):
        sink.emit(entered(1))

    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    sink.close(0)


@pytest.mark.parametrize("size", [1, 6, 7, 8, 60])
def test_mending_leaves_whole_lines(tmp_path: Path, size: int) -> None:
    """However short the torn part is, and however many there are, whole lines stay whole."""
    whole = [entered(number).line for number in range(4)]
    torn = entered("torn").line[:size]
    segment = Segment(tmp_path, {}, 0.0, power=False)
    for line in (whole[0] + b"\n", torn, torn, whole[1] + b"\n", whole[2] + b"\n", torn):
        segment.append(line)
    segment.append(whole[3] + b"\n")
    segment.append(torn)
    segment.spoilt = True
    path = segment.path

    del segment

    lines = content(path).splitlines(keepends=True)
    assert [line.strip() for line in lines if line.strip()] == whole
    assert all(line.endswith(b"\n") for line in lines)


def test_mending_looks_at_the_end_only(tmp_path: Path) -> None:
    """A large segment is mended without reading it whole; its beginning stays as it is."""
    line = entered(1, note="n" * 1000).line + b"\n"
    segment = Segment(tmp_path, {}, 0.0, power=False)
    for _ in range(1500):
        segment.append(line)
    segment.append(line[:100])
    segment.spoilt = True
    path = segment.path

    del segment

    assert content(path) == line * 1500
