"""The thread that writes lines, waits for the disk, and says what is there."""

import errno
import gzip
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("lastclick.collect", reason="the extra 'collect' is not installed")

from lastclick.collect._lines import Line, read_line
from lastclick.collect._store import SEEN, Kept, Store
from lastclick.errors import ConfigError
from lastclick.sinks import FileSink
from lastclick.sinks._segment import Segment
from tests.collect.collector import by_segment, ids, line
from tests.disks import fill
from tests.sinks.logs import declared, entered

WRITTEN, DUPLICATE, FAILED = Kept
WEEK = timedelta(days=7)


def some(*numbers: int | str) -> list[Line]:
    """Lines that can be told by their numbers."""
    found = [read_line(line(number)) for number in numbers]
    return [one for one in found if isinstance(one, Line)]


def declaration(funnel: str = "checkout", *steps: str) -> Line:
    """The line that declares a funnel."""
    found = read_line(declared(funnel, *steps).line)
    assert isinstance(found, Line)
    return found


@contextmanager
def opened(log: Path, **more: object) -> Iterator[Store]:
    """A store, closed at the end."""
    store = Store(log, **{"remember": WEEK, **more})
    store.open()
    try:
        yield store
    finally:
        store.close()


def write(store: Store, *numbers: int | str) -> list[Kept]:
    """Write lines and wait for it."""
    return store.write(some(*numbers)).result(timeout=30)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "log"


class Disk:
    """Stands before the wait for the disk: counts, fails, or lets nobody through.

    Args:
        folder: Whose files it stands before; sinks of other tests may wait for theirs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.synced = 0
        self.fails = False
        self.waiting = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def block(self) -> None:
        """Let nobody through until `open` is set; `waiting` is set once somebody is there."""
        self.waiting.clear()
        self.open.clear()

    def fsync(self, fd: int, real: Callable[[int], None] = os.fsync) -> None:
        if not Path(f"/proc/self/fd/{fd}").readlink().is_relative_to(self._folder):
            real(fd)
            return
        self.waiting.set()
        self.open.wait(timeout=30)
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.synced += 1
        real(fd)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    """The disk that the store waits for, alone: upkeep, which waits too, compresses nothing."""
    disk = Disk(tmp_path)
    monkeypatch.setattr("lastclick.sinks._upkeep.Upkeep.ask", lambda _: None)
    monkeypatch.setattr("lastclick.collect._store.os.fsync", disk.fsync)
    return disk


# Once --------------------------------------------------------------------------------------------


def test_a_line_is_written_once(log: Path) -> None:
    """However often it comes: in one request, in the next, after a restart."""
    with opened(log) as store:
        assert write(store, 1, 2, 1) == [WRITTEN, WRITTEN, WRITTEN]
        assert write(store, 2, 3) == [DUPLICATE, WRITTEN]
    with opened(log) as store:
        assert write(store, 1, 4) == [DUPLICATE, WRITTEN]

    assert ids(log) == ["e-1", "e-2", "e-3", "e-4"]


def test_after_the_horizon_a_line_is_written_again(log: Path) -> None:
    """Readers do not mind; to remember for ever would need ever more room."""
    now = [0.0]
    with opened(log, clock=lambda: now[0]) as store:
        assert write(store, 1) == [WRITTEN]
        now[0] = WEEK.total_seconds()
        assert write(store, 1, 2) == [DUPLICATE, WRITTEN]
        now[0] += 1
        assert write(store, 3) == [WRITTEN]
        assert write(store, 1) == [WRITTEN]


@pytest.mark.parametrize("lost", ["all", "the latest"])
def test_what_the_index_lost_is_read_back_from_the_log(log: Path, lost: str) -> None:
    """A process that was killed between the log and the index, or an index that was deleted."""
    index = log / SEEN
    with opened(log) as store:
        write(store, 1)
    before = index.read_bytes()
    with opened(log) as store:
        write(store, 2)
    if lost == "all":
        index.unlink()
    else:
        index.write_bytes(before)

    with opened(log) as store:
        assert write(store, 1, 2, 3) == [DUPLICATE, DUPLICATE, WRITTEN]


def test_what_is_read_back_is_on_the_disk_too(log: Path, disk: Disk) -> None:
    """A killed process may not have waited for it, and it will be answered as kept."""
    with opened(log) as store:
        write(store, 1)
    before = disk.synced

    with opened(log):
        assert disk.synced == before + 2  # the segment and the directory

    disk.fails = True
    with pytest.raises(OSError, match="Input/output error"):
        Store(log, remember=WEEK).open()


def test_a_log_of_many_lines_is_read_back_with_what_others_wrote(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments of a shop's own sink, gzipped ones and torn ends are no obstacle."""
    monkeypatch.setattr("lastclick.collect._store._READ_AT_A_TIME", 500)
    sink = FileSink(log)
    sink.emit(declared())
    for number in range(1200):
        sink.emit(entered(number))
    sink.close(0)
    packed = log / "old.jsonl.gz"
    packed.write_bytes(gzip.compress(line("a") + b"\n" + line("b")[:40]))

    with opened(log) as store:
        assert write(store, "a", "b", 1199) == [DUPLICATE, WRITTEN, DUPLICATE]
        found = store.write([one for one in [read_line(entered(7).line)] if isinstance(one, Line)])
        assert found.result(timeout=30) == [DUPLICATE]


def test_two_collectors_cannot_have_one_log(log: Path) -> None:
    """The second is refused when it is opened."""
    with opened(log), pytest.raises(ConfigError, match="another collector"):
        Store(log, remember=WEEK).open()


@pytest.mark.parametrize("remember", [0, 7, "7d", timedelta(0), None])
def test_the_horizon_is_a_duration(log: Path, remember: object) -> None:
    """What is none is refused at once."""
    with pytest.raises(ConfigError, match="remember"):
        Store(log, remember=remember)


# On the disk -------------------------------------------------------------------------------------


def test_requests_share_a_wait_for_the_disk(log: Path, disk: Disk) -> None:
    """What comes during one wait is written together before the next."""
    with opened(log) as store:
        disk.block()
        first = store.write(some(0))
        disk.waiting.wait(timeout=30)
        rest = [store.write(some(number, number + 100)) for number in range(1, 20)]
        nobody = not any(job.done() for job in [first, *rest])
        disk.open.set()

        assert nobody
        assert first.result(timeout=30) == [WRITTEN]
        assert [job.result(timeout=30) for job in rest] == [[WRITTEN, WRITTEN]] * 19
        assert store.syncs == 2


def test_nothing_is_said_to_be_kept_before_the_disk_has_it(
    log: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk does not take it, it must come again, and then it is written anew."""
    monkeypatch.setattr("lastclick.sinks._sync._DISTRUST_S", 0.0)
    with opened(log) as store:
        write(store, 1)
        disk.fails = True
        assert write(store, 1, 2, 3) == [DUPLICATE, FAILED, FAILED]

        disk.fails = False
        assert write(store, 1, 2, 3) == [DUPLICATE, WRITTEN, WRITTEN]

    assert set(ids(log)) == {"e-1", "e-2", "e-3"}
    assert len(by_segment(log)) == 2


def test_the_name_of_a_new_segment_is_on_the_disk_too(log: Path, disk: Disk) -> None:
    """Or the file would be gone after a loss of power; once for each segment is enough."""
    # The directory's own name, the segment's name and its line; then a line only.
    with opened(log) as store:
        synced = [disk.synced]
        for number in (1, 2):
            write(store, number)
            synced.append(disk.synced)

    assert [count - synced[0] for count in synced] == [0, 3, 4]


def test_a_torn_line_is_followed_by_nothing(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that falls short ends its segment; what was written before it is kept."""
    real = Segment.append

    def short(segment: Segment, content: bytes) -> None:
        if b'"e-2"' in content and not list(log.glob("torn")):
            (log / "torn").touch()
            os.write(segment.fd, content[:20])
            segment.spoilt = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(segment, content)

    monkeypatch.setattr(Segment, "append", short)
    with opened(log) as store:
        assert write(store, 1, 2, 3) == [WRITTEN, FAILED, FAILED]
        assert write(store, 1, 2, 3) == [DUPLICATE, WRITTEN, WRITTEN]

    assert ids(log) == ["e-1", "e-2", "e-3"]
    assert [len(segment) for segment in by_segment(log)] == [1, 2]


def test_a_full_disk_loses_nothing_and_tells_of_no_loss(disk_of_1_mib: Path) -> None:
    """The sender still has what was not kept, so the log must not count it as lost."""
    with opened(disk_of_1_mib) as store:
        assert write(store, 1) == [WRITTEN]
        assert store.probe().result(timeout=30) == []
        ballast = fill(disk_of_1_mib)
        found = write(store, *range(1, 100))
        full = store.probe().exception(timeout=30)
        ballast.unlink()
        again = write(store, *range(1, 100))
        assert store.probe().result(timeout=30) == []

    assert found[0] is DUPLICATE
    assert FAILED in found
    assert isinstance(full, OSError)
    assert full.errno == errno.ENOSPC
    assert FAILED not in again
    assert sorted(ids(disk_of_1_mib)) == sorted(f"e-{number}" for number in range(1, 100))


def test_an_error_of_ours_fails_a_request_and_not_the_thread(
    log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The requests of the moment are answered, the next ones are served."""
    with opened(log) as store:
        with monkeypatch.context() as patch:
            patch.setattr(store, "_keep", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                write(store, 1)

        assert write(store, 1) == [WRITTEN]
    assert "could not write" in caplog.text


def test_what_waits_is_written_before_the_end(log: Path, disk: Disk) -> None:
    """Closing finishes what was begun; a request that was given up is not begun."""
    store = Store(log, remember=WEEK)
    store.open()
    store.open()
    disk.block()
    first = store.write(some(1))
    disk.waiting.wait(timeout=30)
    second, third = store.write(some(2)), store.write(some(3))
    assert second.cancel()
    threading.Timer(0.1, disk.open.set).start()
    store.close()
    store.close()

    assert first.result(timeout=0) == [WRITTEN]
    assert third.result(timeout=0) == [WRITTEN]
    assert ids(log) == ["e-1", "e-3"]


# Declarations ------------------------------------------------------------------------------------


def test_each_segment_begins_with_the_declarations(log: Path) -> None:
    """Also after a restart, so that any part of the log can be read by itself."""
    checkout, other = declaration(), declaration("other")
    with opened(log) as store:
        kept = store.write([checkout, other, *some(1), checkout]).result(timeout=30)
        assert kept == [WRITTEN] * 4
        assert store.write([checkout]).result(timeout=30) == [DUPLICATE]
    with opened(log) as store:
        assert store.write([checkout, *some(2)]).result(timeout=30) == [DUPLICATE, WRITTEN]

    first, second = ([one["funnel"] for one in found] for found in by_segment(log))
    assert first == ["checkout", "other", "checkout"]
    assert sorted(second[:2]) == ["checkout", "other"]
    assert second[2:] == ["checkout"]


def test_a_new_declaration_takes_the_place_of_the_old_one(log: Path) -> None:
    """The log has both; the next segment begins with the one that came last."""
    old, new = declaration("checkout", "cart"), declaration("checkout", "cart", "pay")
    with opened(log) as store:
        store.write([old]).result(timeout=30)
        store.write([new, old]).result(timeout=30)
    with opened(log) as store:
        write(store, 1)

    assert ids(log) == [old.event_id, new.event_id, new.event_id, "e-1"]


def test_the_heads_of_segments_are_bounded(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever declares funnels without end fills the log, but no memory and no heads."""
    monkeypatch.setattr("lastclick.collect._store._MOST_FUNNELS", 2)
    with opened(log) as store:
        many = [declaration(f"f-{number}") for number in range(5)]
        assert store.write(many).result(timeout=30) == [WRITTEN] * 5
    with opened(log) as store:
        write(store, 1)

    assert [len(found) for found in by_segment(log)] == [5, 3]
