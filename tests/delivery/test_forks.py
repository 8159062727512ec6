"""Forks after the first event, children without exit handlers, parts that are adopted."""

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("urllib3")

from lastclick.sinks._part import parts
from lastclick.sinks.http import Batch, HttpSink, Retry
from tests.delivery.shop import Shop, lost_and_doubled, wait_until
from tests.sinks.logs import all_succeeded, entered, fork
from tests.sinks.receiver import FINE, Receiver, Reply, always, receiving

pytestmark = [
    pytest.mark.long,
    # Python 3.12 and newer warn of a fork beside threads; here that is what is tested.
    pytest.mark.filterwarnings("ignore:.* is multi-threaded:DeprecationWarning"),
]

SECOND = timedelta(seconds=1)


def make_sink(receiver: Receiver, spool: Path | None) -> HttpSink:
    retry = Retry(first=SECOND / 10, most=SECOND)
    return HttpSink(receiver.url, spool, batch=Batch(age=SECOND / 10), retry=retry)


def emit_many(sink: HttpSink, name: object, count: int = 100) -> None:
    for number in range(count):
        sink.emit(entered(f"{name}-{number}"))


def names(*prefixes: object, count: int = 100) -> list[str]:
    return sorted(f"e-{prefix}-{number}" for prefix in prefixes for number in range(count))


# Forks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", ["queue", "spool"])
def test_parent_and_children_send_what_is_theirs(tmp_path: Path, kept: str) -> None:
    """Forked after the first event, parent and 4 children send 100 each: each event comes once."""
    with receiving() as receiver:
        sink = make_sink(receiver, tmp_path / "spool" if kept == "spool" else None)
        emit_many(sink, "before")

        def work(name: int) -> None:
            emit_many(sink, name)
            assert sink.flush(20) is True

        children = [fork(lambda n=n: work(n), beside_threads=True) for n in range(4)]
        emit_many(sink, "parent")
        assert sink.flush(20) is True
        assert all_succeeded(children)
        assert sink.close(20) is True

    assert receiver.shopper_ids == names("before", "parent", *range(4))
    assert set(receiver.events.values()) == {1}


def test_children_that_are_killed_leave_theirs_to_the_parent(tmp_path: Path) -> None:
    """What children leave that end without a word is sent by the parent, once, while it lives."""
    with receiving() as receiver:
        sink = make_sink(receiver, tmp_path / "spool")
        emit_many(sink, "before")
        assert sink.flush(20) is True

        receiver.behave = always(Reply(503))
        children = [fork(lambda n=n: emit_many(sink, n), beside_threads=True) for n in range(8)]
        assert all_succeeded(children)
        receiver.behave = FINE
        wait_until(lambda: len(receiver.shopper_ids) == 900, 30)
        sink.close(20)

    assert receiver.shopper_ids == names("before", *range(8))
    assert set(receiver.events.values()) == {1}


#: How many workers a pool of four goes through.
WORKERS = 8

SINK: HttpSink | None = None


def work_in_pool(name: str) -> None:
    """A task in a pool, as Celery runs one: it uses the sink of the module, and flushes nothing."""
    assert SINK is not None
    emit_many(SINK, name)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_pool_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks in forked workers, renewed after 5 tasks each, that leave by os._exit: 0 lost."""
    with receiving() as receiver:
        monkeypatch.setattr(sys.modules[__name__], "SINK", make_sink(receiver, tmp_path / "spool"))
        assert SINK is not None
        emit_many(SINK, "parent")
        with multiprocessing.get_context("fork").Pool(4, maxtasksperchild=5) as pool:
            pool.map(work_in_pool, [str(n) for n in range(5 * WORKERS)], chunksize=1)
            pool.close()
            pool.join()
        assert SINK.flush(30) is True
        assert SINK.close(30) is True

    lost, doubled = lost_and_doubled(names("parent", *range(5 * WORKERS)), receiver)
    assert not lost
    print(f"4,100 accepted, 0 lost, {len(doubled)} doubled")
    # A worker may leave between the receiver's taking in its last request and its own note of it.
    assert len(doubled) <= WORKERS * max(len(request.ids) for request in receiver.requests)


# Adoption ----------------------------------------------------------------------------------------


def leave_parts(receiver: Receiver, spool: Path, number: int, count: int = 50) -> None:
    """So many processes die while the receiver is away, and leave what they recorded."""
    receiver.behave = always(Reply(503))

    def work(name: int) -> None:
        emit_many(make_sink(receiver, spool), f"dead{name}", count)

    children = [fork(lambda n=n: work(n), beside_threads=True) for n in range(number)]
    assert all_succeeded(children)
    assert len(parts(spool)) == number


@pytest.mark.parametrize("heirs", [2, 4])
def test_each_part_is_adopted_by_one(tmp_path: Path, heirs: int) -> None:
    """40 dead parts and processes that start at the same moment: every event comes exactly once."""
    with receiving() as receiver:
        leave_parts(receiver, tmp_path / "spool", 40)
        receiver.behave = always(Reply(delay=0.005))
        go = time.monotonic() + 1.0

        def inherit(name: int) -> None:
            sink = make_sink(receiver, tmp_path / "spool")
            time.sleep(max(0.0, go - time.monotonic()))
            emit_many(sink, f"heir{name}")
            deadline = time.monotonic() + 30
            # A flush is done when this process has nothing more; the other may still send.
            while parts(tmp_path / "spool") and time.monotonic() < deadline:
                assert sink.flush(10) is True
                time.sleep(0.05)
                if len(parts(tmp_path / "spool")) <= heirs:
                    break
            assert sink.close(10) is True

        children = [fork(lambda n=n: inherit(n), beside_threads=True) for n in range(heirs)]
        assert all_succeeded(children)

    expected = names(*(f"dead{n}" for n in range(40)), count=50)
    expected += names(*(f"heir{n}" for n in range(heirs)))
    assert receiver.shopper_ids == sorted(expected)
    assert set(receiver.events.values()) == {1}


def test_the_part_of_a_process_that_hangs_is_its_own(tmp_path: Path) -> None:
    """A stopped process keeps its part; going on, it sends it itself, once."""
    spool = tmp_path / "spool"
    with receiving(always(Reply(503))) as receiver:
        plan = {"url": receiver.url, "spool": spool, "every": 0.02, "until": str(tmp_path / "over")}
        with Shop(tmp_path, "hanging", **plan, flush=30) as hanging:
            hanging.wait_for(50)
            hanging.process.send_signal(signal.SIGSTOP)
            wait_until(lambda: stopped(hanging.process.pid), 10)
            receiver.behave = FINE
            before = hanging.accepted

            with Shop(
                tmp_path, "other", url=receiver.url, spool=spool, count=50, flush=30
            ) as other:
                assert other.finish()["flush"] is True
            while_it_hung = set(receiver.events)

            hanging.process.send_signal(signal.SIGCONT)
            (tmp_path / "over").touch()
            assert hanging.finish()["flush"] is True

    assert while_it_hung.isdisjoint(before)
    assert while_it_hung >= set(other.accepted)
    lost, doubled = lost_and_doubled([*hanging.accepted, *other.accepted], receiver)
    assert not lost
    assert not doubled


def stopped(pid: int) -> bool:
    """Whether the kernel says that the process is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_part_is_adopted_as_soon_as_its_owner_is_killed(tmp_path: Path) -> None:
    """A live process sends what a killed one left beside it, without a start in between."""
    spool = tmp_path / "spool"
    work: Callable[[Receiver], Shop] = lambda receiver: Shop(  # noqa: E731
        tmp_path, "victim", url=receiver.url, spool=spool, every=0.01, count=10**6
    )
    with receiving(always(Reply(503))) as receiver:
        sink = make_sink(receiver, spool)
        emit_many(sink, "heir")
        with work(receiver) as victim:
            victim.wait_for(50)
            victim.kill()
            accepted = victim.accepted
        receiver.behave = FINE
        wait_until(lambda: not set(accepted) - receiver.events.keys(), 20)
        assert sink.close(10) is True

    lost, doubled = lost_and_doubled([*accepted, *names("heir")], receiver)
    assert not lost
    assert not doubled
