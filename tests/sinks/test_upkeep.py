"""Closed segments are compressed and, if wanted, deleted; open ones are never touched."""

import errno
import fcntl
import gzip
import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lastclick import Funnel, measure, read_log
from lastclick.errors import ConfigError
from lastclick.events import FunnelDeclared, Step, new_id
from lastclick.sinks import FileSink, MemorySink, _upkeep
from tests.sinks.logs import (
    NOON,
    content,
    declared,
    entered,
    fork,
    ids,
    open_files,
    read,
    segments,
    settle,
    succeeded,
    until,
)

pytestmark = pytest.mark.filterwarnings("ignore:.* is multi-threaded:DeprecationWarning")

DAY = timedelta(days=1)


def plain(directory: Path) -> list[Path]:
    settle()
    return sorted(directory.glob("*.jsonl"))


def packed(directory: Path) -> list[Path]:
    settle()
    return sorted(directory.glob("*.jsonl.gz"))


def aged(path: Path, age: timedelta) -> Path:
    """The file, as if it was last written so long ago."""
    then = time.time() - age.total_seconds()
    os.utime(path, (then, then))
    return path


def left_behind(directory: Path, *events: object) -> Path:
    """A segment whose process was killed."""

    def work() -> None:
        sink = FileSink(directory, compress=False)
        for event in events or (declared(), entered("dead")):
            sink.emit(event)
        os.kill(os.getpid(), signal.SIGKILL)

    before = set(segments(directory))
    assert succeeded(fork(work, beside_threads=True))
    (path,) = set(segments(directory)) - before
    return path


@contextmanager
def live(directory: Path) -> Iterator[int]:
    """Another process that has a segment open, until it is told to write to it and end."""
    ready, tell = os.pipe()
    wait, go = os.pipe()

    def work() -> None:
        sink = FileSink(directory, compress=False)
        sink.emit(entered("live-0"))
        os.close(go)
        os.write(tell, b"x")
        os.read(wait, 1)
        sink.emit(entered("live-1"))

    child = fork(work, beside_threads=True)
    assert os.read(ready, 1)
    try:
        yield child
    finally:
        os.close(go)
        assert succeeded(child)
        for fd in (ready, tell, wait):
            os.close(fd)


# Compressing -------------------------------------------------------------------------------------


def test_a_segment_is_compressed_when_the_next_begins(tmp_path: Path) -> None:
    """The old one is gzipped with its mode and time; the one that is written to stays plain."""
    now = [0.0]
    sink = FileSink(tmp_path, max_age=DAY, monotonic=lambda: now[0])
    sink.emit(declared())
    sink.emit(entered(1))
    (first,) = plain(tmp_path)
    first.chmod(0o640)
    before = first.read_bytes(), aged(first, 3 * DAY).stat()

    now[0] += DAY.total_seconds()
    sink.emit(entered(2))

    (old,) = packed(tmp_path)
    assert old.name == first.name + ".gz"
    assert gzip.decompress(old.read_bytes()) == before[0]
    assert old.stat().st_mode == before[1].st_mode
    assert old.stat().st_mtime_ns == before[1].st_mtime_ns
    assert open_files(tmp_path) == plain(tmp_path)
    assert len(plain(tmp_path)) == 1
    assert ids(tmp_path) == ["e-1", "e-2"]
    latest = [event.event_id for event in read_log(tmp_path, datetime.now(UTC) - DAY)]
    assert latest[1:] == ["e-2"]


@pytest.mark.parametrize("durability", ["process", "power", "exit"])
def test_every_closed_segment_is_compressed(tmp_path: Path, durability: str) -> None:
    """However fast they follow each other, at most the last one is plain in the end."""
    sink = FileSink(tmp_path, durability, max_bytes=300)
    for number in range(100):
        sink.emit(entered(number))
    assert sink.flush(10.0) is True

    assert len(plain(tmp_path)) == 1
    assert len(packed(tmp_path)) > 30
    assert ids(tmp_path) == [f"e-{number}" for number in range(100)]
    assert not list(tmp_path.glob("*.tmp"))


def test_compressing_can_be_left_out(tmp_path: Path) -> None:
    """With compress=False all stays as it is, and no thread is started."""
    left_behind(tmp_path)
    sink = FileSink(tmp_path, compress=False, max_bytes=1)
    for number in range(3):
        sink.emit(entered(number))

    assert packed(tmp_path) == []
    assert len(plain(tmp_path)) == 4


def test_what_dead_processes_left_is_compressed(tmp_path: Path) -> None:
    """The first event of the next process sees to it, torn end and all."""
    dead = left_behind(tmp_path)
    with dead.open("ab") as file:
        file.write(b'{"v":1,"type":"st')
    before = dead.read_bytes()
    sink = FileSink(tmp_path)

    sink.emit(entered(1))

    (old,) = packed(tmp_path)
    assert gzip.decompress(old.read_bytes()) == before
    log = read_log(tmp_path)
    assert len(list(log)) == 3
    assert log.problems.torn == 1


def test_a_live_writers_segment_is_left_alone(tmp_path: Path) -> None:
    """What another process still has open is not touched; once it is dead, it is."""
    sink = FileSink(tmp_path, max_bytes=1)
    with live(tmp_path):
        for number in range(5):
            sink.emit(entered(number))
        assert len(plain(tmp_path)) == 2
    sink.emit(entered(5))

    assert len(plain(tmp_path)) == 1
    assert sorted(ids(tmp_path)) == sorted(["e-live-0", "e-live-1", *(f"e-{n}" for n in range(6))])


def test_sinks_beside_each_other_leave_each_other_alone(tmp_path: Path) -> None:
    """The segments of other sinks of this process are open, too."""
    sinks = [FileSink(tmp_path, max_bytes=1000) for _ in range(3)]
    for number in range(60):
        sinks[number % 3].emit(entered(number))

    assert len(plain(tmp_path)) == 3
    assert len(packed(tmp_path)) > 3
    assert sorted(ids(tmp_path)) == sorted(f"e-{number}" for number in range(60))


def test_a_child_that_lives_on_does_not_hold_its_parents_segment(tmp_path: Path) -> None:
    """The descriptor that a child has inherited is closed in it, so its parent's can be packed."""
    sink = FileSink(tmp_path, max_bytes=1)
    sink.emit(entered(1))
    ready, tell = os.pipe()
    wait, go = os.pipe()

    def work() -> None:
        os.close(go)  # so that it ends with its parent, whatever happens there
        os.write(tell, b"x")
        os.read(wait, 1)

    child = fork(work, beside_threads=True)
    assert os.read(ready, 1)

    sink.emit(entered(2))

    compressed = packed(tmp_path)
    for fd in (go, wait, ready, tell):
        os.close(fd)
    assert succeeded(child)
    assert len(compressed) == 1


def test_a_segment_whose_last_writer_is_still_at_it_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that took the old segment finishes its write before that is compressed."""
    sink = FileSink(tmp_path, max_bytes=len(entered("slow").line) + len(entered(1).line) + 5)
    sink.emit(entered(1))
    inside, release = threading.Event(), threading.Event()
    write = os.write

    def slow(fd: int, text: bytes) -> int:
        if b"e-slow" in text:
            inside.set()
            release.wait()
        return write(fd, text)

    monkeypatch.setattr(os, "write", slow)
    writer = threading.Thread(target=sink.emit, args=(entered("slow"),))
    writer.start()
    inside.wait()
    sink.emit(entered(2))
    sink.emit(entered(3))
    _upkeep.Upkeep(tmp_path, compress=True, keep_for=None).run()
    assert len(plain(tmp_path)) == 2
    release.set()
    writer.join()
    del writer

    until(lambda: len(plain(tmp_path)) == 1)
    assert sorted(ids(tmp_path)) == ["e-1", "e-2", "e-3", "e-slow"]


@pytest.mark.parametrize("at", ["fsync", "rename", "unlink"])
def test_a_crash_while_compressing_leaves_a_whole_log(tmp_path: Path, at: str) -> None:
    """Killed at any point, the plain file or the gzipped one is whole; the next one tidies up."""
    dead = left_behind(tmp_path, *(entered(number) for number in range(500)))

    def work() -> None:
        def die(*_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os if at == "fsync" else Path, at, die)
            _upkeep.Upkeep(tmp_path, compress=True, keep_for=None).run()

    assert succeeded(fork(work, beside_threads=True))
    expected = {f"e-{number}" for number in range(500)}
    assert dead.exists()
    assert {event.event_id for event in read_log(tmp_path)} == expected
    assert bool(list(tmp_path.glob("*.tmp"))) == (at != "unlink")

    FileSink(tmp_path).emit(declared())

    settle()
    assert not dead.exists()
    assert not list(tmp_path.glob("*.tmp"))
    assert Counter(ids(tmp_path)) == dict.fromkeys(expected, 1)


def test_what_is_left_of_a_segment_that_went_is_removed(tmp_path: Path) -> None:
    """A temporary file whose segment somebody took away is nobody's; others' files stay."""
    orphan = tmp_path / "20261001T120000.000000Z-1-0a1b2c3d.jsonl.gz.tmp"
    theirs = [tmp_path / name for name in ("a.jsonl", "a.jsonl.gz.tmp", "notes.txt")]
    for path in (orphan, *theirs):
        path.write_bytes(b"x")

    FileSink(tmp_path).emit(entered(1))

    settle()
    assert not orphan.exists()
    assert all(path.read_bytes() == b"x" for path in theirs)


def test_an_empty_segment_is_left_alone(tmp_path: Path) -> None:
    """Its writer may be about to write to it."""
    empty = tmp_path / "20261001T120000.000000Z-1-0a1b2c3d.jsonl"
    empty.touch()
    sink = FileSink(tmp_path)

    sink.emit(entered(1))

    settle()
    assert empty.exists()
    assert packed(tmp_path) == []


def test_a_disk_too_full_to_compress_keeps_the_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be compressed stays plain, the log of the application says so, others go on."""
    dead = [left_behind(tmp_path, entered(number)) for number in range(2)]
    fsync = os.fsync
    calls = iter([OSError(errno.ENOSPC, "No space left on device")])

    def fail(fd: int) -> None:
        for error in calls:
            raise error
        fsync(fd)

    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr("lastclick.errors._logged", {})
    with caplog.at_level(logging.WARNING, "lastclick"):
        _upkeep.Upkeep(tmp_path, compress=True, keep_for=None).run()

    assert plain(tmp_path) == dead[:1]
    assert not list(tmp_path.glob("*.tmp"))
    (told,) = caplog.messages
    assert told.startswith(f"DeliveryError: could not compress {dead[0]}: No space left on device")


def test_upkeep_of_a_directory_that_went_away_is_none(tmp_path: Path) -> None:
    """There is nothing to do, and nothing to tell."""
    _upkeep.Upkeep(tmp_path / "gone", compress=True, keep_for=DAY).run()


def test_two_at_once_do_it_once(tmp_path: Path) -> None:
    """Whoever comes second finds that somebody holds the segment, or that it went."""
    paths = [left_behind(tmp_path, entered(number)) for number in range(20)]
    threads = [
        threading.Thread(target=_upkeep.Upkeep(tmp_path, compress=True, keep_for=None).run)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [path.with_suffix("") for path in packed(tmp_path)] == sorted(paths)
    assert plain(tmp_path) == []


def test_a_segment_that_went_while_it_was_opened_is_no_segment(tmp_path: Path) -> None:
    """Who gets the lock after somebody else was done with it leaves it at that."""
    path = left_behind(tmp_path)
    flock = fcntl.flock

    def late(fd: int, how: int) -> None:
        path.unlink()
        flock(fd, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", late)
        _upkeep.Upkeep(tmp_path, compress=True, keep_for=None).run()

    assert list(tmp_path.iterdir()) == []


def test_a_child_lets_go_of_what_its_parent_compresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork in the middle of it leaves the child without its files, and with a lock of its own."""
    left_behind(tmp_path)
    inside, release = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(fd: int) -> None:
        inside.set()
        release.wait()
        fsync(fd)

    monkeypatch.setattr(os, "fsync", slow)
    sink = FileSink(tmp_path)
    sink.emit(entered(1))
    inside.wait()
    parent = os.getpid()

    def work() -> None:
        assert os.getpid() != parent
        assert not _upkeep._working.locked()
        links = [fd.readlink() for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
        assert [path for path in links if path.parent == tmp_path] == []

    child = fork(work, beside_threads=True)
    release.set()

    assert succeeded(child)
    assert len(packed(tmp_path)) == 1


# Locks -------------------------------------------------------------------------------------------


def test_a_new_segment_that_somebody_looks_at_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that does not get its lock at once takes another file."""
    calls = iter([BlockingIOError(errno.EWOULDBLOCK, "held")])
    flock = fcntl.flock

    def held(fd: int, how: int) -> None:
        for error in calls:
            raise error
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", held)
    sink = FileSink(tmp_path)

    sink.emit(entered(1))

    assert ids(tmp_path) == ["e-1"]
    assert len(segments(tmp_path)) == 1


def test_without_locks_nothing_is_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file system that has none is written to all the same, and its segments stay plain."""

    def refuse(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    sink = FileSink(tmp_path, max_bytes=1)
    for number in range(3):
        sink.emit(entered(number))

    assert len(plain(tmp_path)) == 3
    assert ids(tmp_path) == ["e-0", "e-1", "e-2"]


# Keeping -----------------------------------------------------------------------------------------


def funnel_of(days: int, name: str = "checkout") -> FunnelDeclared:
    return FunnelDeclared(
        event_id=new_id(),
        funnel=name,
        occurred_at=NOON,
        steps=(Step("cart"),),
        abandon_after=timedelta(minutes=30),
        recover_within=days * DAY,
    )


def test_nothing_is_deleted_by_itself(tmp_path: Path) -> None:
    """Without keep_for the oldest segment stays."""
    aged(left_behind(tmp_path), 5000 * DAY)

    sink = FileSink(tmp_path)
    sink.emit(declared())

    assert sink.keep_for is None
    assert len(segments(tmp_path)) == 2


def test_old_segments_are_deleted(tmp_path: Path) -> None:
    """Closed ones last written longer ago go, gzipped or plain; younger and foreign ones stay."""
    old = [left_behind(tmp_path, declared(), entered(number)) for number in range(2)]
    young = left_behind(tmp_path, declared(), entered("young"))
    gzipped = old[0].with_name(old[0].name + ".gz")
    gzipped.write_bytes(gzip.compress(old[0].read_bytes()))
    old[0].unlink()
    foreign = tmp_path / "import.jsonl"
    foreign.write_bytes(b"")
    for path in (gzipped, old[1], foreign):
        aged(path, 31 * DAY)
    aged(young, 29 * DAY)
    sink = FileSink(tmp_path, keep_for=30 * DAY)

    sink.emit(declared())
    sink.emit(entered(1))

    assert sink.keep_for == 30 * DAY
    assert sorted(ids(tmp_path)) == ["e-1", "e-young"]
    assert foreign.exists()


def test_deleting_needs_no_compressing(tmp_path: Path) -> None:
    """Either can be had without the other."""
    aged(left_behind(tmp_path), 31 * DAY)
    kept = aged(left_behind(tmp_path), 29 * DAY)

    FileSink(tmp_path, keep_for=30 * DAY, compress=False).emit(declared())

    assert kept in plain(tmp_path)
    assert len(segments(tmp_path)) == 2


def test_an_open_segment_is_not_deleted(tmp_path: Path) -> None:
    """However long ago it was last written, a writer may still have something to write."""
    with live(tmp_path):
        (path,) = plain(tmp_path)
        aged(path, 1000 * DAY)
        FileSink(tmp_path, keep_for=30 * DAY).emit(entered(1))
        settle()
        assert path.exists()

    assert "e-live-1" in ids(tmp_path)


@pytest.mark.parametrize("known_from", ["an event", "a segment", "a gzipped segment"])
def test_what_a_funnel_may_need_is_not_deleted(tmp_path: Path, known_from: str) -> None:
    """Attempts of any funnel of the directory are kept until they are over."""
    needed = aged(left_behind(tmp_path, entered("needed")), 40 * DAY)
    gone = aged(left_behind(tmp_path, entered("gone")), 70 * DAY)
    sink = FileSink(tmp_path, keep_for=30 * DAY, max_bytes=1, compress=False)
    if known_from == "an event":
        sink._segments._upkeep.learn(funnel_of(60))  # as by emit, but before it looks
        sink.emit(funnel_of(60, "long"))
    else:
        other = left_behind(tmp_path, funnel_of(1, "short"), funnel_of(60, "long"), entered("x"))
        if known_from != "a segment":
            (tmp_path / f"{other.name}.gz").write_bytes(gzip.compress(other.read_bytes()))
            other.unlink()

    sink.emit(entered(1))

    settle()
    assert needed.exists()
    assert not gone.exists()


def test_emitting_a_declaration_is_enough_to_know_of_it(tmp_path: Path) -> None:
    """A sink never deletes what the funnel that writes to it may need."""
    needed = aged(left_behind(tmp_path, entered("needed")), 40 * DAY)
    sink = FileSink(tmp_path, keep_for=30 * DAY)

    sink.emit(funnel_of(60))

    settle()
    assert f"{needed.name}.gz" in {path.name for path in segments(tmp_path)}


@pytest.mark.parametrize("text", [b"", b"nonsense\n", b"\x1f\x8bnonsense", b'{"v":1,"type":"ste'])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_head_that_cannot_be_read_declares_nothing(
    tmp_path: Path, name: str, text: bytes
) -> None:
    """A damaged segment keeps nobody from looking after the others."""
    (tmp_path / name).write_bytes(text)

    assert list(_upkeep.declared_in(tmp_path / name)) == []
    assert list(_upkeep.declared_in(tmp_path / "gone.jsonl")) == []


def test_a_file_that_went_has_no_age(tmp_path: Path) -> None:
    """Somebody else may delete at the same time."""
    assert _upkeep._age(tmp_path / "gone") == timedelta(0)


# In a funnel -------------------------------------------------------------------------------------


def test_a_funnel_refuses_a_sink_that_forgets_too_soon(tmp_path: Path) -> None:
    """The message names both times and the way out; long enough is fine."""
    short = FileSink(tmp_path, keep_for=timedelta(days=7))
    enough = FileSink(tmp_path, keep_for=timedelta(days=7, minutes=30))

    with pytest.raises(ConfigError) as caught:
        Funnel("checkout", steps=("cart",), sink=[MemorySink(), short])
    Funnel("checkout", steps=("cart",), sink=enough)

    told = str(caught.value)
    assert told.startswith(f"keep_for (7 days, 0:00:00) of FileSink({str(tmp_path)!r}")
    assert "below abandon_after + recover_within (7 days, 0:30:00)" in told
    assert "or leave keep_for out to keep all" in told


# All of it ---------------------------------------------------------------------------------------


def test_a_report_over_a_log_that_is_being_compressed_is_the_same(tmp_path: Path) -> None:
    """Readers, writers and upkeep at the same time: no event is missing from any reading."""
    sink = FileSink(tmp_path, max_bytes=2_000)
    funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink)
    done = 0
    for round_ in range(40):
        for number in range(5):
            funnel.checkout(f"c-{round_}-{number}").enter("cart")
        done += 5
        assert measure(read_log(tmp_path)).started == done

    assert len(packed(tmp_path)) > 10
    assert len(read(tmp_path)) > done
    assert all(b"funnel_declared" in content(path) for path in segments(tmp_path))
