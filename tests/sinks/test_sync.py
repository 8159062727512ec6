"""One wait for the disk for many events."""

import errno
import os
from pathlib import Path

import pytest

from lastclick.errors import DeliveryError
from lastclick.sinks import FileSink
from tests.sinks.logs import declared, entered, ids, segments, settle


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What was synced: the names of files, with their lines, and of directories."""
    found: list[tuple[str, int]] = []
    fsync = os.fsync

    def spy(fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        found.append((path.name, path.read_bytes().count(b"\n") if path.is_file() else 0))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", spy)
    return found


@pytest.mark.parametrize("durability", ["process", "exit"])
def test_one_sync_does_for_many_events(tmp_path: Path, synced, durability: str) -> None:
    """The segment, and the first time its name, come to the disk: once for all that was emitted."""
    sink = FileSink(tmp_path, durability)
    sink.emit(declared())
    for number in range(100):
        sink.emit(entered(number))

    sink.sync()
    sink.emit(entered("next"))
    sink.sync()

    (segment,) = segments(tmp_path)
    directories = [(tmp_path.name, 0), (tmp_path.parent.name, 0)]
    assert synced == [(segment.name, 101), *directories, (segment.name, 102)]


def test_segments_that_ended_since_are_synced_too(tmp_path: Path, synced) -> None:
    """What was written before a rotation is covered, and not synced a second time."""
    sink = FileSink(tmp_path, max_bytes=1, compress=False)
    for number in range(3):
        sink.emit(entered(number))

    sink.sync()
    first = list(synced)
    synced.clear()
    sink.sync()

    files = segments(tmp_path)
    assert first[:-2] == [(path.name, 1) for path in files]
    assert synced == [(files[-1].name, 1)]


def test_segments_that_were_compressed_are_on_the_disk(tmp_path: Path) -> None:
    """A compressed segment was synced when it was made; one that was moved away is somebody's."""
    sink = FileSink(tmp_path, max_bytes=1)
    for number in range(5):
        sink.emit(entered(number))
    settle()

    sink.sync()

    assert ids(tmp_path) == [f"e-{number}" for number in range(5)]


def test_a_sink_that_has_written_nothing_has_nothing_to_wait_for(tmp_path: Path, synced) -> None:
    """Neither before the first event, nor after a close a second time."""
    sink = FileSink(tmp_path)
    sink.sync()
    assert synced == []

    sink.emit(entered(1))
    sink.close(0)
    sink.sync()
    sink.sync()

    assert len([name for name, _ in synced if name.endswith(".jsonl")]) == 1


def test_a_sync_that_fails_raises_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells it once, so for a while nobody is told that all is well; the log goes on."""
    now = [0.0]
    sink = FileSink(tmp_path, compress=False, monotonic=lambda: now[0])
    sink.emit(entered(1))

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(DeliveryError, match="not on the disk: Input/output error") as caught:
            sink.sync()
    sink.emit(entered(2))
    with pytest.raises(DeliveryError, match="a sync has just failed"):
        sink.sync()
    now[0] += 31
    sink.sync()

    assert caught.value.reason == "io_error"
    assert len(segments(tmp_path)) == 2
    assert ids(tmp_path) == ["e-1", "e-2"]


def test_a_segment_that_was_taken_away_is_not_on_the_disk(tmp_path: Path) -> None:
    """What is written to a deleted file is gone; the next event begins a new one."""
    sink = FileSink(tmp_path)
    sink.emit(entered(1))
    segments(tmp_path)[0].unlink()

    with pytest.raises(DeliveryError, match="not on the disk: No such file or directory"):
        sink.sync()
    sink.emit(entered(2))

    assert ids(tmp_path) == ["e-2"]


def test_a_sync_without_a_background_that_writes_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits and cannot be written is not on the disk."""
    monkeypatch.setattr("lastclick.sinks._file._SYNC_TAKES_S", 0.01)
    sink = FileSink(tmp_path, "exit")
    sink._background._starting.acquire()  # its thread never starts

    sink.emit(entered(1))

    with pytest.raises(DeliveryError, match="what waits could not be written"):
        sink.sync()
    sink._background._starting.release()
    assert sink.close(10.0) is True
