"""HttpSink across forks, exits, kills, threads, signals and finalizers. All of it is real."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("urllib3", reason="needs the extra 'http'")

from lastclick import Funnel
from lastclick.sinks import http as module
from lastclick.sinks.http import HttpSink
from tests.sinks.logs import all_succeeded, declared, entered, fork, until
from tests.sinks.receiver import Receiver, Reply, always, receiving

ROOT = Path(__file__).parents[2]
PATIENCE_S = 10.0

#: Python 3.12 and newer warn of a fork beside threads; here that is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:.* is multi-threaded:DeprecationWarning")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture(params=["queue", "spool"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "spool" if request.param == "spool" else None


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program that knows the library and the helpers of the tests."""
    imports = """
        import os, sys, time
        from lastclick.sinks.http import HttpSink
        from tests.sinks.logs import declared, entered
    """
    program = textwrap.dedent(imports) + textwrap.dedent(program)
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def names(count: int, *prefixes: object) -> list[str]:
    return sorted(f"e-{prefix}-{number}" for prefix in prefixes for number in range(count))


def emit_many(sink: HttpSink, name: object, count: int) -> None:
    for number in range(count):
        sink.emit(entered(f"{name}-{number}"))


def test_a_fork_after_the_first_event_sends_each_event_once(
    receiver: Receiver, spool: Path | None
) -> None:
    """Parent and child each send their own; nothing is lost, nothing goes out twice."""
    sink = HttpSink(receiver.url, spool)
    emit_many(sink, "before", 100)

    def work() -> None:
        emit_many(sink, "child", 100)
        assert sink.flush(PATIENCE_S)

    child = fork(work, beside_threads=True)
    emit_many(sink, "parent", 100)

    assert all_succeeded([child])
    assert sink.flush(PATIENCE_S)
    assert receiver.events == Counter(names(100, "before", "child", "parent"))


def test_a_fork_before_the_first_event_is_harmless(receiver: Receiver, spool: Path | None) -> None:
    """As under a server that loads the application first."""
    sink = HttpSink(receiver.url, spool)

    def work(name: str) -> None:
        emit_many(sink, name, 100)
        assert sink.flush(PATIENCE_S)

    children = [fork(lambda n=n: work(n), beside_threads=True) for n in "ab"]

    assert all_succeeded(children)
    assert receiver.events == Counter(names(100, "a", "b"))


def test_a_fork_without_hooks_is_noticed(receiver: Receiver, spool: Path | None) -> None:
    """UWSGI forks without Python's hooks: the process id tells."""
    # In a process of its own, whose one other thread sleeps: such a fork beside busy ones may hang.
    program = """
        import ctypes, signal
        sink = HttpSink(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
        sink.emit(entered("parent-0"))
        assert sink.flush(10)
        time.sleep(0.1)
        pid = ctypes.PyDLL(None).fork()
        if not pid:
            sink.emit(entered("child-0"))
            os.kill(os.getpid(), signal.SIGKILL if sink.flush(10) else signal.SIGABRT)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        sink.emit(entered("later-0"))
        assert sink.flush(10)
    """
    done = run(program, receiver.url, *([spool] if spool else []))

    assert (done.returncode, done.stderr) == (0, "")
    assert receiver.events == Counter(names(1, "parent", "child", "later"))


@pytest.mark.parametrize("verb", ["flush", "close"])
def test_a_child_that_records_nothing_leaves_the_parents_alone(
    receiver: Receiver, spool: Path | None, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a child that ran no hooks, an ending touches nothing of the parent's."""
    receiver.behave = always(Reply(fault="hang"))
    sink = HttpSink(receiver.url, spool)
    sink.emit(entered(1))
    here = os.getpid()

    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: here + 1)
        began = time.monotonic()
        getattr(sink, verb)(0.05)
        module._at_exit()
        assert time.monotonic() - began < 2

    receiver.stop()


@pytest.mark.parametrize(
    ("how", "arrives_at_once"),
    [
        (Reply(), True),
        (Reply(delay=0.15), True),
        (Reply(500), False),
        (Reply(fault="hang"), False),
    ],
    ids=["fast", "slow", "failing", "hanging"],
)
def test_an_exit_loses_nothing_and_takes_no_time(
    tmp_path: Path, how: Reply, arrives_at_once: bool
) -> None:
    """Whatever the receiver does: out within two seconds, and the next start delivers the rest."""
    program = """
        sink = HttpSink(sys.argv[1], sys.argv[2])
        sink.emit(declared())
        for number in range(1000):
            sink.emit(entered(number))
        import atexit
        print(time.time())
    """
    with receiving(always(how)) as receiver:
        done = run(program, receiver.url, tmp_path)
        took = time.time() - float(done.stdout)
        arrived = len(receiver.shopper_ids)
        receiver.behave = always(Reply())
        with suppress(OSError):
            url = receiver.url
        receiver.stop()
    with_port = Receiver(port=receiver.port)
    try:
        again = HttpSink(url, tmp_path)
        assert again.flush(PATIENCE_S)
        assert again.close(PATIENCE_S)

        everything = {*receiver.shopper_ids, *with_port.shopper_ids}
        assert everything == {f"e-{number}" for number in range(1000)}
    finally:
        with_port.stop()
    assert done.returncode == 0, done.stderr
    assert took < 2.0
    assert (arrived == 1000) == arrives_at_once


def test_a_queue_sends_at_exit_what_it_can(receiver: Receiver) -> None:
    """Without a spool the last second is used, and what is not sent is told."""
    program = """
        import logging; logging.basicConfig()
        sink = HttpSink(sys.argv[1])
        for number in range(1000):
            sink.emit(entered(number))
        print(time.time())
    """
    done = run(program, receiver.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(receiver.shopper_ids) == 1000

    receiver.behave = always(Reply(fault="hang"))
    done = run(program, receiver.url)
    took = time.time() - float(done.stdout)
    assert took < 2.0
    assert "the process ends with 1,000 events that were not sent; name a spool=" in done.stderr


def test_an_exit_waits_for_sinks_that_nobody_holds(receiver: Receiver) -> None:
    """A sink that a view made and forgot sends what it took, and what it cannot send is told."""
    program = """
        import logging; logging.basicConfig()
        def view(number):
            HttpSink(sys.argv[1]).emit(entered(number))
        for number in range(4):
            view(number)
    """
    done = run(program, receiver.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(receiver.shopper_ids) == 4

    receiver.behave = always(Reply(503))
    done = run(program, receiver.url)
    assert "the process ends with 1 events that were not sent; name a spool=" in done.stderr


def test_a_killed_process_loses_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """SIGKILL in the middle; the next process sends what the dead one had accepted."""
    program = """
        sink = HttpSink(sys.argv[1], sys.argv[2])
        for number in range(100_000):
            sink.emit(entered(number))
            os.write(1, b".")
            if number == 700:
                os.kill(os.getpid(), 9)
    """
    receiver.behave = always(Reply(500))
    done = run(program, receiver.url, tmp_path)
    assert done.returncode == -signal.SIGKILL
    receiver.behave = always(Reply())

    sink = HttpSink(receiver.url, tmp_path)
    assert sink.flush(PATIENCE_S)

    assert len(receiver.shopper_ids) >= len(done.stdout) == 701
    assert sink.close(PATIENCE_S)
    assert list(tmp_path.iterdir()) == []


def test_a_dead_part_is_sent_by_one_process_only(tmp_path: Path, receiver: Receiver) -> None:
    """However many start at once, each part that was left has one heir."""
    leave = """
        sink = HttpSink(sys.argv[1], sys.argv[2])
        for number in range(300):
            sink.emit(entered(f"{os.getpid()}-{number}"))
        os._exit(0)
    """
    receiver.behave = always(Reply(503))
    for _ in range(3):
        run(leave, receiver.url, tmp_path)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 3
    receiver.behave = always(Reply())

    def work() -> None:
        sink = HttpSink(receiver.url, tmp_path)
        while len([path for path in tmp_path.iterdir() if path.is_dir()]) > 4:
            sink.flush(0.5)
        assert sink.flush(PATIENCE_S)
        assert sink.close(PATIENCE_S)

    children = [fork(work, beside_threads=True) for _ in range(4)]

    assert all_succeeded(children)
    HttpSink(receiver.url, tmp_path).flush(PATIENCE_S)
    assert len(receiver.shopper_ids) == 900
    assert set(receiver.events.values()) == {1}


def test_children_of_a_pool_lose_nothing(tmp_path: Path, receiver: Receiver) -> None:
    """They leave by os._exit and run no exit handlers; the parent sends what they leave."""
    sink = HttpSink(receiver.url, tmp_path)
    sink.emit(declared())
    fork_context = multiprocessing.get_context("fork")

    workers = [fork_context.Process(target=emit_many, args=(sink, n, 200)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    again = HttpSink(receiver.url, tmp_path)

    assert again.flush(PATIENCE_S)
    assert again.close(PATIENCE_S)
    assert receiver.shopper_ids == names(200, 0, 1, 2)
    assert sink.close(PATIENCE_S)


def test_threads_lose_nothing(receiver: Receiver, spool: Path | None) -> None:
    """8 threads x 1,000 events, the first of them at the same moment."""
    sink = HttpSink(receiver.url, spool)
    barrier = threading.Barrier(8)

    def work(name: int) -> None:
        barrier.wait()
        emit_many(sink, name, 1_000)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sink.flush(PATIENCE_S)
    assert receiver.shopper_ids == names(1_000, *range(8))
    assert set(receiver.events.values()) == {1}
    assert sink.stats.written == 8_000


def test_a_signal_handler_and_a_finalizer_may_emit_and_flush(
    receiver: Receiver, spool: Path | None
) -> None:
    """Whatever they interrupt, nobody waits for a lock that it holds itself."""
    sink = HttpSink(receiver.url, spool)
    handled = 0
    finalized = []

    class Fleeting:
        def __init__(self, number: int) -> None:
            self.circle = self
            self.number = number

        def __del__(self) -> None:
            sink.emit(entered(f"finalizer-{self.number}"))
            finalized.append(self.number)

    def handle(*_: object) -> None:
        nonlocal handled
        sink.emit(entered(f"handler-{handled}"))
        sink.flush(0.0)
        handled += 1
        if handled < 200:
            signal.setitimer(signal.ITIMER_REAL, 0.0005)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    try:
        for number in range(2_000):
            sink.emit(entered(f"main-{number}"))
            Fleeting(number)
        deadline = time.monotonic() + PATIENCE_S
        while handled < 200 and time.monotonic() < deadline:
            sink.flush(0.001)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    # It collects nothing while another thread is at it.
    until(lambda: gc.collect() >= 0 and len(finalized) == 2_000)

    assert sink.flush(PATIENCE_S)
    expected = names(2_000, "main", "finalizer") + names(200, "handler")
    assert receiver.shopper_ids == sorted(expected)


def test_a_shop_that_forks_has_one_declaration_each(receiver: Receiver, tmp_path: Path) -> None:
    """Each process declares its funnel before its first event."""
    funnel = Funnel("checkout", steps=("cart",), sink=HttpSink(receiver.url, tmp_path))
    funnel.checkout("c-1").enter("cart")

    def work() -> None:
        funnel.checkout("c-2").enter("cart")
        assert funnel.flush(PATIENCE_S)

    assert all_succeeded([fork(work, beside_threads=True)])
    assert funnel.close(PATIENCE_S)
    assert len(receiver.records("funnel_declared")) == 2
    assert len(receiver.shopper_ids) == 2
