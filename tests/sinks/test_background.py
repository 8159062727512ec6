"""Durability "exit": lines that wait for a thread. Threads, forks, signals and exits are real."""

import _thread
import errno
import gc
import itertools
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lastclick import errors
from lastclick.errors import DeliveryError
from lastclick.sinks import FileSink, SinkStats, _background, _file
from tests.disks import fill
from tests.sinks.logs import (
    all_succeeded,
    declared,
    entered,
    fork,
    ids,
    lost,
    open_files,
    read,
    segments,
    succeeded,
    until,
)

ROOT = Path(__file__).parents[2]

#: The thread is beside every fork here.
pytestmark = pytest.mark.filterwarnings("ignore:.* is multi-threaded:DeprecationWarning")


def emit_many(sink: FileSink, name: object, count: int) -> None:
    for number in range(count):
        sink.emit(entered(f"{name}-{number}"))


def names(count: int, *prefixes: object) -> list[str]:
    return sorted(f"e-{prefix}-{number}" for prefix in prefixes for number in range(count))


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch):
    """A disk on which every write waits until `stuck.release`."""

    class Stuck:
        waiting = threading.Event()
        release = threading.Event()

    Stuck.waiting.clear()
    Stuck.release.clear()
    write = os.write

    def wait(fd: int, line: bytes) -> int:
        Stuck.waiting.set()
        Stuck.release.wait()
        return write(fd, line)

    monkeypatch.setattr(os, "write", wait)
    yield Stuck
    Stuck.release.set()


# The usual ---------------------------------------------------------------------------------------


def test_an_event_is_in_the_log_soon(tmp_path: Path) -> None:
    """No flush and no close is needed, only a moment."""
    sink = FileSink(tmp_path, "exit")

    sink.emit(declared())
    sink.emit(entered(1))

    until(lambda: sink.stats == SinkStats(written=1, pending=0, lost={}))
    assert [line["type"] for line in read(tmp_path)] == ["funnel_declared", "step_entered"]


def test_building_a_sink_starts_no_thread(tmp_path: Path) -> None:
    """The thread starts with the first event, and a flush of nothing starts none."""
    sink = FileSink(tmp_path, "exit")

    assert sink.flush(1.0) is True
    assert not sink._background._running
    assert list(tmp_path.iterdir()) == []
    assert repr(sink) == f"FileSink({str(tmp_path)!r}, durability='exit')"


@pytest.mark.untraced
def test_threads_share_the_queue(tmp_path: Path) -> None:
    """8 threads x 10,000 events: none lost, torn or doubled, all counted, in far fewer writes."""
    sink = FileSink(tmp_path, "exit")
    writes = itertools.count()
    write = os.write

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", lambda fd, text: (next(writes), write(fd, text))[1])
        threads = [threading.Thread(target=emit_many, args=(sink, n, 10_000)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sink.close(30.0) is True

    assert sorted(ids(tmp_path)) == names(10_000, *range(8))
    assert sink.stats == SinkStats(written=80_000, pending=0, lost={})
    assert next(writes) < 8_000
    assert open_files(tmp_path) == []


def test_segments_end_in_time(tmp_path: Path) -> None:
    """What is written at once is cut where a segment is full; a long line has one for itself."""
    sink = FileSink(tmp_path, "exit", max_bytes=2000, compress=False)
    sink.emit(declared())

    emit_many(sink, "a", 100)
    sink.emit(entered("long", note="n" * 500))
    emit_many(sink, "b", 10)
    assert sink.close(10.0) is True

    assert ids(tmp_path) == [
        *(f"e-a-{number}" for number in range(100)),
        "e-long",
        *(f"e-b-{number}" for number in range(10)),
    ]
    assert all(path.stat().st_size <= 2000 for path in segments(tmp_path))
    assert all(b"funnel_declared" in path.read_bytes() for path in segments(tmp_path))


def test_an_idle_sink_wakes_up_for_nothing(tmp_path: Path) -> None:
    """After the last event the thread sleeps for good, and the next one wakes it."""
    sink = FileSink(tmp_path, "exit")
    sink.emit(entered(1))
    background = sink._background

    until(lambda: background.care_at == 0.0)
    sink.emit(entered(2))
    until(lambda: sink.stats.written == 2)

    assert background.care_at > 0.0
    assert ids(tmp_path) == ["e-1", "e-2"]


def test_a_flush_has_a_deadline(tmp_path: Path, stuck) -> None:
    """On a disk that is stuck, flush and close return in time and say no; nothing is lost."""
    sink = FileSink(tmp_path, "exit")
    sink.emit(entered(1))
    stuck.waiting.wait()
    sink.emit(entered(2))

    began = time.monotonic()
    assert sink.flush(0.05) is False
    assert sink.close(0.05) is False
    assert time.monotonic() - began < 10
    assert sink.stats == SinkStats(written=0, pending=4, lost={})  # with what the two wait for
    stuck.release.set()

    assert sink.close(10.0) is True
    assert ids(tmp_path) == ["e-1", "e-2"]
    until(lambda: open_files(tmp_path) == [])


# Bounds and losses -------------------------------------------------------------------------------


def test_a_full_queue_refuses_and_counts(
    tmp_path: Path, stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk is stuck the newest are refused, and the log says how many."""
    monkeypatch.setattr(_background, "_MOST_BYTES", 5_000)
    sink = FileSink(tmp_path, "exit")
    sink.emit(declared())
    kept, refused = [], []

    for number in range(100):
        try:
            sink.emit(entered(number))
            kept.append(f"e-{number}")
        except DeliveryError:
            refused.append(f"e-{number}")
    sink.emit(lost(3))
    full = sink.stats
    stuck.release.set()

    assert sink.close(10.0) is True
    assert 20 < len(kept) < 60
    assert full.lost == {"queue_full": len(refused)}
    assert sorted(ids(tmp_path)) == sorted(kept)
    counts = {line["reason"]: line["count"] for line in read(tmp_path) if "count" in line}
    assert counts == {"queue_full": len(refused), "no_id": 3}


def test_a_full_disk_loses_only_what_it_says(
    small_disk: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is whole in the log, the rest is counted, logged and told."""
    monkeypatch.setattr(errors, "_logged", {})
    sink = FileSink(small_disk, "exit")
    sink.emit(declared())
    sink.flush(10.0)
    ballast = fill(small_disk, leave=8192)

    for number in range(300):
        sink.emit(entered(number, note="n" * (number % 90)))
    assert sink.flush(10.0) is False
    full = sink.stats
    ballast.unlink()
    sink.emit(entered("after"))

    assert sink.close(10.0) is True
    assert full.lost["disk_full"] == 300 - full.written
    (told,) = [text for text in caplog.messages if "not kept" in text]
    assert re.fullmatch(r"DeliveryError: event e-\d+ not kept: No space left .*", told)
    assert 0 < full.written < 300
    assert len(set(ids(small_disk))) == len(ids(small_disk)) == full.written + 1
    records = [line for line in read(small_disk) if line["type"] == "events_lost"]
    assert [(line["source"], line["reason"]) for line in records] == [("sink", "disk_full")]
    assert records[0]["count"] == 300 - full.written


def test_a_write_that_falls_short_keeps_what_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole lines count as written, once; the torn one and the rest go to the next segment."""
    sink = FileSink(tmp_path, "exit", compress=False)
    write = os.write

    def fall_short(fd: int, text: bytes) -> int:
        monkeypatch.undo()
        return write(fd, text[: len(text) * 2 // 3])

    sink._background._starting.acquire()  # as if another thread were about to start it
    emit_many(sink, "a", 9)
    monkeypatch.setattr(os, "write", fall_short)
    sink._background._starting.release()

    assert sink.close(10.0) is True
    assert ids(tmp_path) == [f"e-a-{number}" for number in range(9)]
    assert [path.read_bytes().count(b"\n") for path in segments(tmp_path)] == [6, 3]
    assert sink.stats == SinkStats(written=9, pending=0, lost={})


def test_what_fails_unexpectedly_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else is raised ends the thread, and the next one writes what was in its hands."""
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    sink = FileSink(tmp_path, "exit")
    write = os.write

    def fail(fd: int, text: bytes) -> int:
        if len(told) or text.startswith(b"x"):
            return write(fd, text)
        raise MemoryError

    monkeypatch.setattr(os, "write", fail)
    sink.emit(entered(1))
    until(lambda: told)
    sink.emit(entered(2))

    assert sink.close(10.0) is True
    assert ids(tmp_path) == ["e-1", "e-2"]


# Signals, the garbage collector, threads ---------------------------------------------------------


def test_a_signal_handler_may_emit(tmp_path: Path) -> None:
    """A handler that emits in the middle of an emit neither blocks nor harms it."""
    sink = FileSink(tmp_path, "exit", max_bytes=50_000)
    numbers = itertools.count()
    going = True

    def handle(*_: object) -> None:
        sink.emit(entered(f"handler-{next(numbers)}"))
        if going:
            signal.setitimer(signal.ITIMER_REAL, 0.0003)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0003)
    try:
        emit_many(sink, "main", 20_000)
        for _ in range(20):
            assert sink.flush(10.0) is True
    finally:
        going = False  # a signal that is on its way must not set the timer again
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert sink.close(10.0) is True
    handled = next(numbers)
    assert handled
    assert sorted(ids(tmp_path)) == sorted(names(handled, "handler") + names(20_000, "main"))


def test_the_first_event_may_be_a_signal_handlers(tmp_path: Path) -> None:
    """A handler that comes while the thread is being started finds that somebody is at it."""
    sink = FileSink(tmp_path, "exit", compress=False)
    start = _background.start

    def interrupted(work: Callable[[], object]) -> bool:
        sink.emit(entered("inner"))
        return start(work)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_background, "start", interrupted)
        sink.emit(entered("outer"))

    assert sink.close(10.0) is True
    assert sorted(ids(tmp_path)) == ["e-inner", "e-outer"]


def test_a_finalizer_may_emit(tmp_path: Path) -> None:
    """An object that records when it is collected does so at any point."""
    sink = FileSink(tmp_path, "exit")
    numbers = itertools.count()
    finalized = []

    class Cart:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            number = next(numbers)
            sink.emit(entered(f"cart-{number}"))
            finalized.append(number)

    before = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for number in range(2_000):
            Cart()
            sink.emit(entered(f"main-{number}"))
    finally:
        gc.set_threshold(*before)
    # It collects nothing while another thread is at it.
    until(lambda: gc.collect() >= 0 and len(finalized) == 2_000)

    assert sink.close(10.0) is True
    assert sorted(ids(tmp_path)) == names(2_000, "cart", "main")


def test_where_no_thread_can_start_the_caller_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that may have no more threads loses nothing for it."""

    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    sink = FileSink(tmp_path, "exit", max_bytes=200)

    emit_many(sink, "a", 3)

    assert ids(tmp_path) == names(3, "a")
    assert sink.flush(0) is True
    assert sink.close(0) is True


def test_closing_while_threads_emit_loses_nothing(tmp_path: Path) -> None:
    """Every event is either in the log or refused, whenever the close comes."""
    for round_ in range(5):
        directory = tmp_path / str(round_)
        sink = FileSink(directory, "exit")
        kept: list[str] = []

        def work(name: int, sink: FileSink = sink, kept: list[str] = kept) -> None:
            for number in range(100_000):
                event = entered(f"{name}-{number}")
                try:
                    sink.emit(event)
                except DeliveryError:
                    return
                kept.append(event.event_id)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        until(lambda sink=sink: sink.stats.written > 200)
        sink.close(10.0)
        for thread in threads:
            thread.join()

        assert sink.flush(10.0) is True
        assert sorted(ids(directory)) == sorted(kept)
        assert sink.stats == SinkStats(written=len(kept), pending=0, lost={"closed": 4})
        until(lambda directory=directory: open_files(directory) == [])


def test_an_emit_that_a_close_overtakes_writes_by_itself(tmp_path: Path) -> None:
    """Who was past the look whether the sink is closed, and comes after its thread, is not lost."""
    sink = FileSink(tmp_path, "exit")
    sink.emit(entered(1))
    assert sink.close(10.0) is True
    until(lambda: not sink._background._running)

    sink._closed = False  # as this one has seen it
    sink.emit(entered(2))

    assert ids(tmp_path) == ["e-1", "e-2"]


def test_a_sink_collected_while_events_wait_writes_them_and_says_so(
    tmp_path: Path,
) -> None:
    """What waits is written by whoever lets go of the sink, with a ResourceWarning."""
    sinks = [FileSink(tmp_path, "exit")]
    sinks[0]._background._starting.acquire()  # its thread never starts
    emit_many(sinks[0], "a", 3)

    with pytest.warns(ResourceWarning, match=r"collected with 3 events .* call close\(\)"):
        sinks.clear()

    assert ids(tmp_path) == names(3, "a")


def test_a_collected_sink_takes_its_thread_along(tmp_path: Path) -> None:
    """The thread holds no sink that nobody else has, and ends with it."""
    sink = FileSink(tmp_path, "exit")
    sink.emit(entered(1))
    assert sink.flush(10.0) is True
    gone, background = weakref.ref(sink), sink._background

    del sink

    until(lambda: gone() is None and not background._running)
    assert open_files(tmp_path) == []


# Forks -------------------------------------------------------------------------------------------


def test_a_child_starts_with_nothing(tmp_path: Path, stuck) -> None:
    """What waited at the fork is the parent's, and is written once; the child writes its own."""
    sink = FileSink(tmp_path, "exit")
    emit_many(sink, "parent", 100)
    stuck.waiting.wait()

    def work() -> None:
        stuck.release.set()
        assert sink.stats == SinkStats(written=0, pending=0, lost={})
        emit_many(sink, "child", 100)
        assert sink.close(10.0) is True

    child = fork(work, beside_threads=True)
    assert succeeded(child)
    stuck.release.set()

    assert sink.close(10.0) is True
    assert sorted(ids(tmp_path)) == names(100, "child", "parent")
    assert len(segments(tmp_path)) == 2


def test_forks_under_load(tmp_path: Path) -> None:
    """Children forked while other threads emit lose, tear and double nothing."""
    sink = FileSink(tmp_path, "exit", max_bytes=20_000)
    threads = [threading.Thread(target=emit_many, args=(sink, f"t{n}", 5_000)) for n in range(3)]
    for thread in threads:
        thread.start()

    def work(name: str) -> None:
        emit_many(sink, name, 50)
        assert sink.close(10.0) is True

    children = [fork(lambda n=n: work(f"c{n}"), beside_threads=True) for n in range(10)]
    for thread in threads:
        thread.join()

    assert all_succeeded(children)
    assert sink.close(10.0) is True
    assert sorted(ids(tmp_path)) == sorted(
        names(5_000, "t0", "t1", "t2") + names(50, *(f"c{n}" for n in range(10)))
    )


@pytest.mark.parametrize("first", ["emit", "flush", "record"])
def test_a_fork_without_hooks_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """A child that no hook has told of it notices soon; what it cannot tell apart comes twice."""
    monkeypatch.setattr(_file, "_sinks", weakref.WeakSet())
    sink = FileSink(tmp_path, "exit")
    _file._sinks.clear()
    sink.emit(entered("parent-0"))
    assert sink.flush(10.0) is True
    if first == "emit":
        until(lambda: sink._background.care_at == 0.0)

    def work() -> None:
        if first == "record":
            sink.emit(declared())
        sink.emit(entered("child-0"))
        assert sink.flush(10.0) is True

    assert succeeded(fork(work, beside_threads=True))
    sink.emit(entered("parent-1"))
    assert sink.close(10.0) is True
    assert sorted(ids(tmp_path)) == sorted(names(2, "parent") + names(1, "child"))
    assert len(segments(tmp_path)) == 2


# Exits -------------------------------------------------------------------------------------------

EXITING = """
    import atexit, os, signal, sys, threading, time

    def late():
        sink.emit(entered("late"))

    atexit.register(late)  # runs after lastclick's own

    from lastclick.sinks import FileSink
    from tests.sinks.logs import entered

    def before():
        sink.emit(entered("before"))

    atexit.register(before)
    sink = FileSink(sys.argv[1], "exit")
    how = sys.argv[2]
    for number in range(5_000):
        sink.emit(entered(number))
    if how == "raise":
        raise SystemExit(3)
    if how == "thread":
        threading.Thread(target=lambda: (time.sleep(0.1), sink.emit(entered("thread")))).start()
    if how == "term":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
        os.kill(os.getpid(), signal.SIGTERM)
    if how == "stuck":
        os.write = lambda fd, text: time.sleep(60)
        sink.emit(entered("stuck"))
        sink.emit = print
"""


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, timeout=60
    )


@pytest.mark.parametrize("how", ["end", "raise", "thread", "term"])
def test_an_exit_in_order_loses_nothing(tmp_path: Path, how: str) -> None:
    """However an interpreter ends in order, all is in the log; what exit handlers emit, too."""
    done = run(EXITING, tmp_path, how)

    assert (done.returncode, done.stderr) == (3 if how in {"raise", "term"} else 0, "")
    expected = [f"e-{number}" for number in range(5_000)] + ["e-before", "e-late"]
    assert sorted(ids(tmp_path)) == sorted(expected + ["e-thread"] * (how == "thread"))


def test_an_exit_waits_a_bounded_time(tmp_path: Path) -> None:
    """A disk that is stuck does not keep a process from ending."""
    began = time.monotonic()
    done = run(EXITING, tmp_path, "stuck")

    assert done.returncode == 0
    assert time.monotonic() - began < 20


def test_the_end_is_never_the_writer_while_there_is_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ends would wait for a stuck disk as long as the thread does."""
    writers = set()
    write = os.write

    def note(fd: int, text: bytes) -> int:
        writers.add(threading.get_ident())
        return write(fd, text)

    monkeypatch.setattr(os, "write", note)
    for number in range(50):
        sink = FileSink(tmp_path, "exit")
        sink.emit(entered(f"first-{number}"))
        until(lambda: sink.stats.pending == 0)  # noqa: B023
        sink._background.put(entered(f"then-{number}").line)
        sink._exit(10.0)
        assert sink.stats == SinkStats(written=2, pending=0, lost={})

    assert threading.get_ident() not in writers


def test_a_killed_process_loses_the_last_moment_only(tmp_path: Path) -> None:
    """Each line that got there is whole, and a reader meets none twice."""
    sink = FileSink(tmp_path, "exit")

    def work() -> None:
        emit_many(sink, "a", 1_000)
        until(lambda: sink.stats.written == 1_000)
        emit_many(sink, "b", 1_000)
        os.kill(os.getpid(), signal.SIGKILL)

    assert succeeded(fork(work, beside_threads=True))
    found = Counter(ids(tmp_path))
    assert set(found.values()) == {1}
    assert set(names(1_000, "a")) <= set(found)


GREENLETS = """
    from gevent import monkey
    monkey.patch_all()

    import sys, gevent
    from lastclick.sinks import FileSink
    from tests.sinks.logs import entered

    sink = FileSink(sys.argv[1], "exit", max_bytes=5_000)

    def work(name):
        for number in range(100):
            sink.emit(entered(f"{name}-{number}"))
            gevent.sleep(0)

    gevent.joinall([gevent.spawn(work, name) for name in range(5)])
    assert sink.flush(10.0)
    assert sink.stats.written == 500
    for number in range(100):
        sink.emit(entered(f"last-{number}"))
"""


def test_it_works_where_threads_are_greenlets(tmp_path: Path) -> None:
    """With gevent's monkey patching nothing is lost either, at a flush or at the exit."""
    pytest.importorskip("gevent")

    done = run(GREENLETS, tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(ids(tmp_path)) == names(100, *range(5), "last")


def test_errors_of_the_disk_are_counted_by_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events, declarations and records that cannot be written are owed to the log."""
    sink = FileSink(tmp_path, "exit")

    def fail(fd: int, text: bytes) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", fail)
        for event in (declared(), entered(1), lost(2), entered(2)):
            sink.emit(event)
        assert sink.flush(10.0) is False
        waiting = sink.stats

    assert sink.close(10.0) is True
    assert waiting == SinkStats(written=0, pending=3, lost={"io_error": 2})
    counts = [(line["type"], line.get("count")) for line in read(tmp_path)]
    assert sorted(counts, key=str) == [
        ("events_lost", 2),
        ("events_lost", 2),
        ("funnel_declared", None),
    ]
