"""The log on disk with many threads and processes, forks, signals and kills. All of it is real."""

import ctypes
import itertools
import json
import multiprocessing
import os
import random
import select
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lastclick.errors import DeliveryError
from lastclick.sinks import FileSink, SinkStats
from tests.sinks.logs import (
    all_succeeded,
    content,
    declared,
    entered,
    fork,
    ids,
    lost,
    open_files,
    read,
    segments,
    succeeded,
)

ROOT = Path(__file__).parents[2]

#: Python 3.12 and newer warn of a fork beside threads; here that is what is tested, and the upkeep
#: of a sink may be beside any.
pytestmark = pytest.mark.filterwarnings("ignore:.* is multi-threaded:DeprecationWarning")


def emit_many(sink: FileSink, name: str, count: int) -> None:
    for number in range(count):
        sink.emit(entered(f"{name}-{number}"))


def names(count: int, *prefixes: object) -> list[str]:
    return sorted(f"e-{prefix}-{number}" for prefix in prefixes for number in range(count))


# Threads -----------------------------------------------------------------------------------------


@pytest.mark.untraced
def test_threads_share_a_segment(tmp_path: Path) -> None:
    """8 threads x 10,000 events: none lost, torn or doubled, all in one file, all counted."""
    sink = FileSink(tmp_path)
    sink.emit(declared())

    threads = [threading.Thread(target=emit_many, args=(sink, n, 10_000)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ids(tmp_path)) == names(10_000, *range(8))
    assert len(segments(tmp_path)) == 1
    assert sink.stats == SinkStats(written=80_000, pending=0, lost={})


def test_threads_open_one_first_segment(tmp_path: Path) -> None:
    """Threads that come at the same time to a new sink wait for one file, not make one each."""
    for _ in range(20):
        sink = FileSink(tmp_path)
        barrier = threading.Barrier(4)

        def work(name: str, sink: FileSink = sink, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            sink.emit(entered(name))

        threads = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(segments(tmp_path)) == 20
    assert Counter(ids(tmp_path)) == {f"e-{n}": 20 for n in range(4)}


def test_threads_rotate_together(tmp_path: Path) -> None:
    """Rotation under load loses, tears and doubles nothing, and leaves one file open."""
    sink = FileSink(tmp_path, max_bytes=5_000)
    sink.emit(declared())

    threads = [threading.Thread(target=emit_many, args=(sink, n, 1_000)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    del threads

    assert sorted(ids(tmp_path)) == names(1_000, *range(4))
    assert len(segments(tmp_path)) > 10  # how many is a matter of how the threads take turns
    assert all(b"funnel_declared" in content(path) for path in segments(tmp_path))
    assert len(open_files(tmp_path)) == 1


def test_closing_while_threads_emit_loses_nothing(tmp_path: Path) -> None:
    """Every event is either in the log or refused, whenever the close comes."""
    sink = FileSink(tmp_path)
    kept: list[str] = []
    refused: list[str] = []

    def work(name: int) -> None:
        for number in range(2_000):
            event = entered(f"{name}-{number}")
            try:
                sink.emit(event)
            except DeliveryError:
                refused.append(event.event_id)
            else:
                kept.append(event.event_id)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while sink.stats.written < 500:
        pass
    sink.close(0)
    for thread in threads:
        thread.join()

    assert refused
    assert sorted(ids(tmp_path)) == sorted(kept)
    assert sink.stats == SinkStats(written=len(kept), pending=0, lost={"closed": len(refused)})


# Signals and the garbage collector ---------------------------------------------------------------


def test_a_signal_handler_may_emit(tmp_path: Path) -> None:
    """A handler that emits in the middle of an emit neither blocks nor harms it."""
    sink = FileSink(tmp_path, max_bytes=3_000)
    numbers = itertools.count()
    going = True

    def handle(*_: object) -> None:
        sink.emit(entered(f"handler-{next(numbers)}"))
        if going:
            signal.setitimer(signal.ITIMER_REAL, 0.0003)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0003)
    try:
        emit_many(sink, "main", 10_000)
    finally:
        going = False  # a signal that is on its way must not set the timer again
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    handled = next(numbers)
    assert handled
    assert sorted(ids(tmp_path)) == sorted(names(handled, "handler") + names(10_000, "main"))


@pytest.mark.parametrize("max_bytes", [1, 10**6])
def test_an_emit_within_the_opening_of_a_segment_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_bytes: int
) -> None:
    """Whoever interrupts the opening of a segment opens it; the interrupted one joins in."""
    sink = FileSink(tmp_path, max_bytes=max_bytes)
    urandom = os.urandom

    def interrupted(size: int) -> bytes:  # called for the name of a new segment
        monkeypatch.undo()
        sink.emit(entered("inner"))
        return urandom(size)

    monkeypatch.setattr(os, "urandom", interrupted)
    sink.emit(entered("outer"))

    assert ids(tmp_path) == ["e-inner", "e-outer"]
    assert len(segments(tmp_path)) == 1


def test_a_rotation_does_not_go_back_to_a_torn_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a write fails while the next segment is being opened, the old one is left alone."""
    sink = FileSink(tmp_path, max_bytes=len(entered(1).line) + 1)
    sink.emit(entered(1))
    urandom = os.urandom

    def interrupted(size: int) -> bytes:  # called for the name of a new segment
        monkeypatch.undo()
        sink._segments.current.spoilt = True
        sink._put_in_order(entered(2), 28)
        return urandom(size)

    monkeypatch.setattr(os, "urandom", interrupted)
    sink.emit(entered(3))

    assert ids(tmp_path) == ["e-1", "e-3"]
    assert len(segments(tmp_path)) == 2


def test_nobody_waits_long_for_a_stuck_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another thread is stuck in opening a segment, one more is opened."""
    monkeypatch.setattr("lastclick.sinks._segments._OPENING_TAKES_S", 0.01)
    sink = FileSink(tmp_path)
    stuck, release = threading.Event(), threading.Event()

    def hold() -> None:
        with sink._segments._opening:
            stuck.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    stuck.wait()

    sink.emit(entered(1))
    sink._segments.max_bytes = 1
    sink.emit(entered(2))
    release.set()
    holder.join()

    assert ids(tmp_path) == ["e-1", "e-2"]
    assert len(segments(tmp_path)) == 1


# Processes ---------------------------------------------------------------------------------------


def test_processes_share_a_directory(tmp_path: Path) -> None:
    """4 processes x 20,000 events into one directory: none lost, torn or doubled."""

    def work(name: int) -> None:
        emit_many(FileSink(tmp_path), str(name), 20_000)

    children = [fork(lambda n=n: work(n)) for n in range(4)]

    assert all_succeeded(children)
    assert sorted(ids(tmp_path)) == names(20_000, *range(4))
    assert len(segments(tmp_path)) == 4


def kill_at_random(
    directory: Path, kills: int, settings: dict, start: Callable[[Path, int, dict], tuple[int, int]]
) -> int:
    """Kill so many writing processes; every event that one of them reported must be in the log."""
    moments = random.Random(20261122)
    reported = 0
    for number in range(kills):
        log = directory / str(number)
        pid, reports = start(log, number, settings)
        told = os.read(reports, 1 << 16)  # it has begun
        wait = moments.uniform(0, 0.03)
        with suppress(TimeoutError):
            told += gather(reports, wait)
        os.kill(pid, signal.SIGKILL)
        while chunk := os.read(reports, 1 << 16):
            told += chunk
        os.close(reports)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        accepted = told.decode().split("\n")[:-1]
        assert accepted
        in_log = Counter(whole_ids(log))
        assert all(in_log[event_id] == 1 for event_id in accepted)
        reported += len(accepted)
    return reported


def gather(reports: int, seconds: float) -> bytes:
    """Read what is reported for about so long: a full pipe would hold up the writer."""
    told = b""
    timer = threading.Event()
    threading.Timer(seconds, timer.set).start()
    while not timer.is_set():
        if select.select([reports], [], [], 0.001)[0]:
            told += os.read(reports, 1 << 16)
    return told


def whole_ids(directory: Path) -> list[str]:
    """The ids of all whole lines; only the last line of a segment may be torn."""
    found = []
    for segment in segments(directory):
        *lines, _torn = content(segment).split(b"\n")
        found += [json.loads(line)["event_id"] for line in lines]
    return found


def start_forked(directory: Path, number: int, settings: dict) -> tuple[int, int]:
    """Start a writer that reports each event once emit has returned."""
    reports, report = os.pipe()

    def write() -> None:
        os.close(reports)
        sink = FileSink(directory, **settings)
        for count in range(10**9):
            event = entered(f"{number}-{count}", note="n" * (count % 7 * 400))
            sink.emit(event)
            os.write(report, event.event_id.encode() + b"\n")

    pid = fork(write)
    os.close(report)
    return pid, reports


WRITER = """
    import os, sys
    from pathlib import Path
    from lastclick.sinks import FileSink
    from tests.sinks.logs import entered

    directory, number, report = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    sink = FileSink(directory)
    for count in range(10**9):
        event = entered(f"{number}-{count}", note="n" * (count % 7 * 400))
        sink.emit(event)
        os.write(report, event.event_id.encode() + b"\\n")
"""


def start_program(directory: Path, number: int, settings: dict) -> tuple[int, int]:
    """The same as a program of its own."""
    reports, report = os.pipe()
    arguments = [str(directory), str(number), str(report)]
    command = [sys.executable, "-c", textwrap.dedent(WRITER), *arguments]
    pid = subprocess.Popen(command, cwd=ROOT, pass_fds=[report]).pid
    os.close(report)
    return pid, reports


@pytest.mark.parametrize(
    ("kills", "settings"), [(50, {}), (10, {"durability": "power"}), (10, {"max_bytes": 4_000})]
)
def test_what_was_accepted_survives_sigkill(tmp_path: Path, kills: int, settings: dict) -> None:
    """Killed at random moments, a process has left every event that emit had accepted."""
    assert kill_at_random(tmp_path, kills, settings, start_forked) > kills


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_what_a_program_accepted_survives_sigkill(tmp_path: Path) -> None:
    """The same with 50 programs that were started from nothing."""
    assert kill_at_random(tmp_path, 50, {}, start_program) > 50


# Forks -------------------------------------------------------------------------------------------


def test_a_fork_before_the_first_event(tmp_path: Path) -> None:
    """A sink made before the fork, as gunicorn does with preload, works in parent and children."""
    sink = FileSink(tmp_path)

    children = [fork(lambda n=n: emit_many(sink, str(n), 100)) for n in range(4)]
    emit_many(sink, "parent", 100)

    assert all_succeeded(children)
    assert sorted(ids(tmp_path)) == names(100, "parent", *range(4))
    assert len(segments(tmp_path)) == 5


def test_a_fork_after_the_first_event(tmp_path: Path) -> None:
    """A child gets a segment of its own with the declaration, closes its copy of the parent's."""
    sink = FileSink(tmp_path)
    sink.emit(declared())
    sink.emit(entered("before-0"))

    def work() -> None:
        assert open_files(tmp_path) == []
        assert sink.stats == SinkStats(written=0, pending=0, lost={})
        emit_many(sink, "child", 100)
        assert len(open_files(tmp_path)) == 1
        assert sink.stats.written == 100

    child = fork(work)
    emit_many(sink, "parent", 100)

    assert succeeded(child)
    assert sorted(ids(tmp_path)) == sorted([*names(100, "child", "parent"), "e-before-0"])
    assert len(segments(tmp_path)) == 2
    assert all(b"funnel_declared" in content(path) for path in segments(tmp_path))
    assert sink.stats.written == 101


def test_a_grandchild_has_a_segment_too(tmp_path: Path) -> None:
    """Forks within forks each write for themselves."""
    sink = FileSink(tmp_path)
    sink.emit(entered("parent-0"))

    def child() -> None:
        sink.emit(entered("child-0"))
        assert succeeded(fork(lambda: sink.emit(entered("grandchild-0"))))
        sink.emit(entered("child-1"))

    assert succeeded(fork(child))
    assert len(segments(tmp_path)) == 3
    assert len(ids(tmp_path)) == 4


def test_closing_in_the_child_leaves_the_parent_alone(tmp_path: Path) -> None:
    """Closed in the child, the sink goes on in the parent, and the other way round."""
    sink = FileSink(tmp_path)
    sink.emit(entered("parent-0"))

    def work() -> None:
        assert sink.close(0) is True
        with suppress(DeliveryError):
            sink.emit(entered("child-0"))

    assert succeeded(fork(work))
    sink.emit(entered("parent-1"))

    assert ids(tmp_path) == ["e-parent-0", "e-parent-1"]
    assert sink.stats == SinkStats(written=2, pending=0, lost={})


def test_a_closed_sink_stays_closed_in_a_child(tmp_path: Path) -> None:
    """A fork does not open what was closed."""
    sink = FileSink(tmp_path)
    sink.close(0)

    def work() -> None:
        with pytest.raises(DeliveryError):
            sink.emit(entered(1))

    assert succeeded(fork(work))


def test_a_parents_losses_are_the_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child neither counts nor records what its parent lost before the fork."""
    sink = FileSink(tmp_path)

    def fail(fd: int, line: bytes) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", fail)
        with pytest.raises(DeliveryError):
            sink.emit(entered(1))

    def work() -> None:
        assert sink.stats == SinkStats(written=0, pending=0, lost={})
        sink.emit(entered(2))

    assert succeeded(fork(work))
    sink.emit(entered(3))

    assert sum(line["type"] == "events_lost" for line in read(tmp_path)) == 1
    assert sorted(ids(tmp_path)) == ["e-2", "e-3"]


def test_a_fork_while_another_thread_holds_the_lock(tmp_path: Path) -> None:
    """A child acquires no lock that a thread of the parent held: it would wait for ever."""
    sink = FileSink(tmp_path)
    stuck, release = threading.Event(), threading.Event()

    def hold() -> None:
        with sink._segments._opening:
            stuck.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    stuck.wait()
    program = os.getpid()

    def work() -> None:
        assert os.getpid() != program
        assert sink._segments._opening.acquire(blocking=False)
        sink._segments._opening.release()
        sink.emit(entered("child-0"))

    child = fork(work, beside_threads=True)
    release.set()
    holder.join()

    assert succeeded(child)
    assert ids(tmp_path) == ["e-child-0"]


def test_forks_under_load(tmp_path: Path) -> None:
    """Children forked while other threads write lose, tear and double nothing."""
    sink = FileSink(tmp_path, max_bytes=20_000)
    threads = [threading.Thread(target=emit_many, args=(sink, f"t{n}", 5_000)) for n in range(3)]
    for thread in threads:
        thread.start()

    children = [
        fork(lambda n=n: emit_many(sink, f"c{n}", 50), beside_threads=True) for n in range(10)
    ]
    for thread in threads:
        thread.join()

    assert all_succeeded(children)
    found = Counter(ids(tmp_path))
    assert set(found.values()) == {1}
    assert sorted(found) == sorted(
        names(5_000, "t0", "t1", "t2") + names(50, *(f"c{n}" for n in range(10)))
    )


@pytest.mark.parametrize("first", ["emit", "flush"])
def test_a_fork_without_hooks_is_noticed(tmp_path: Path, first: str) -> None:
    """A child made behind Python's back notices it when it flushes or has a record to write."""
    sink = FileSink(tmp_path, compress=False)  # such a fork is for processes without threads
    sink.emit(entered("parent-0"))

    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        try:
            if first == "flush":
                sink.flush(0)
            sink.emit(lost(1))
            sink.emit(entered("child-0"))
        finally:
            os._exit(0)

    assert succeeded(pid)
    sink.emit(entered("parent-1"))
    assert sorted(ids(tmp_path)) == sorted(names(2, "parent") + names(1, "child"))
    assert len(segments(tmp_path)) == 2


SHARED: FileSink | None = None


def work_in_pool(argument: tuple[Path, str]) -> None:
    """What a task of a worker does: use the module's sink, or make one as an import would."""
    global SHARED
    directory, name = argument
    if SHARED is None:
        SHARED = FileSink(directory)
    emit_many(SHARED, name, 50)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_children_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Children that leave without exit handlers have written all the same."""
    sink = FileSink(tmp_path)
    sink.emit(entered("parent-0"))
    monkeypatch.setattr(sys.modules[__name__], "SHARED", sink)
    context = multiprocessing.get_context(method)

    children = [context.Process(target=work_in_pool, args=((tmp_path, str(n)),)) for n in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    sink.emit(entered("parent-1"))

    assert [child.exitcode for child in children] == [0, 0]
    assert sorted(ids(tmp_path)) == sorted(names(50, 0, 1) + names(2, "parent"))
    assert len(segments(tmp_path)) == 3


PRELOADED = """
    import os, signal, sys
    from pathlib import Path
    from lastclick.sinks import FileSink
    from tests.sinks.logs import content, declared, entered

    # The master loads the application, with its sink, and forks workers; it emits itself too.
    sink = FileSink(sys.argv[1])
    sink.emit(declared())

    def worker(name):
        for number in range(200):
            sink.emit(entered(f"{name}-{number}"))
        os.kill(os.getpid(), signal.SIGKILL)  # as a master does with a worker that hangs

    workers = []
    for name in range(4):
        pid = os.fork()
        if pid == 0:
            worker(name)
        workers.append(pid)
    for pid in workers:
        os.waitpid(pid, 0)
    sink.emit(entered("master-0"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_preloading_servers_lose_nothing(tmp_path: Path) -> None:
    """A sink made in the master and used by forked workers keeps all, though each is killed."""
    program = [sys.executable, "-c", textwrap.dedent(PRELOADED), str(tmp_path)]

    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    assert sorted(ids(tmp_path)) == sorted([*names(200, *range(4)), "e-master-0"])
    assert len(segments(tmp_path)) == 5
