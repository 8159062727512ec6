"""Full queues, spools and disks, threads, clocks and poison: all is counted, and adds up."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("urllib3")

from lastclick import Funnel
from lastclick.sinks.http import HttpSink
from tests.delivery.shop import Shop, lost_and_doubled, wait_until
from tests.disks import fill, mount
from tests.sinks.receiver import FINE, Receiver, Reply, always, receiving

pytestmark = pytest.mark.long

MIB = 1024 * 1024


def told_losses(receiver: Receiver) -> Counter[str]:
    """What the receiver was told of losses, by reason."""
    told: Counter[str] = Counter()
    for record in receiver.records("events_lost"):
        told[record["reason"]] += record["count"]
    return told


def doubled_in(receiver: Receiver) -> set[str]:
    """Shopper events that arrived twice; a declaration comes with each segment of a spool."""
    return lost_and_doubled(receiver.shopper_ids, receiver)[1]


@pytest.mark.parametrize("full", ["oldest", "newest"])
@pytest.mark.parametrize("kept", ["queue", "spool"])
def test_a_full_sink_counts_and_stays_small(tmp_path: Path, kept: str, full: str) -> None:
    """60,000 events into 4 MiB while the receiver fails: memory flat, one line, all accounted for.

    The memory is compared with that of a shop that recorded a fifth of it.
    """
    rss = {}
    for count in (12_000, 60_000):
        folder = tmp_path / str(count)
        spool = folder / "spool" if kept == "spool" else None
        with receiving(always(Reply(500))) as receiver:
            plan = {"url": receiver.url, "spool": spool, "limit": 4 * MIB, "full": full}
            plan |= {"count": count, "note": 400, "report": False}
            with Shop(folder, "shop", **plan, flush=0.5, close=60) as shop:
                shop.wait_until_flushed()
                if spool is not None:
                    held = sum(one.stat().st_size for one in spool.rglob("*.jsonl"))
                    assert held <= 4 * MIB + MIB // 2
                receiver.behave = FINE
                end = shop.finish(120)
            delivered = len(receiver.shopper_ids)
            told = told_losses(receiver)
        rss[count] = end["rss"]
        reason = "queue_full" if kept == "queue" else "spool_full"
        print(f"{kept}, {full}: {count:,} = {delivered:,} delivered + {end['lost']}", end="; ")
        print(f"{rss[count] / MIB:.0f} MiB, {len(shop.lines)} log lines")

        assert end["close"] is True
        assert end["lost"].keys() == {reason}
        assert delivered + end["lost"][reason] == count
        assert told == end["lost"]
        assert not doubled_in(receiver)
        refused = end["undelivered"].get(reason, 0)
        assert end["accepted"] == count - refused
        assert refused == (end["lost"][reason] if full == "newest" else refused)
        # One of what could not be sent, before it was full; one of what had to go.
        assert len(shop.lines) <= 2
    assert rss[60_000] < rss[12_000] + 8 * MIB


@pytest.mark.parametrize("kept", ["queue", "spool"])
def test_threads_lose_nothing(tmp_path: Path, kept: str) -> None:
    """8 threads x 10,000 events: 0 lost, 0 doubled."""
    spool = tmp_path / "spool" if kept == "spool" else None
    with receiving() as receiver:
        plan = {"url": receiver.url, "spool": spool, "threads": 8, "count": 10_000}
        with Shop(tmp_path, "shop", **plan, report=False, flush=60) as shop:
            end = shop.finish(120)

    expected = {f"shop-{thread}-{number}" for thread in range(8) for number in range(10_000)}
    assert end["flush"] is True
    assert end["stats"]["written"] == 80_000
    assert lost_and_doubled(expected, receiver) == (set(), set())
    assert set(receiver.shopper_ids) == expected


# A full disk -------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MiB."""
    mount(tmp_path, "size=2m")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk_is_counted_and_told(small_disk: Path) -> None:
    """The spool's disk fills up and is freed: the checkout goes on, and all is accounted for."""
    told_errors = []
    with receiving(always(Reply(503))) as receiver:
        sink = HttpSink(receiver.url, small_disk / "spool")
        funnel = Funnel("checkout", steps=("cart",), sink=sink, on_error=told_errors.append)

        def shop(stage: str) -> None:
            for number in range(500):
                funnel.checkout(f"c-{number}").enter("cart", event_id=f"{stage}-{number}")

        shop("before")
        ballast = fill(small_disk, leave=16_384)
        shop("while")
        lost = dict(sink.stats.lost)
        ballast.unlink()
        shop("after")
        receiver.behave = FINE
        assert funnel.close(60) is True

    arrived = Counter(one.partition("-")[0] for one in receiver.shopper_ids)
    print(f"arrived {dict(arrived)}, lost {lost}")
    assert lost.keys() == {"disk_full"}
    assert lost["disk_full"] == len(told_errors) == 500 - arrived["while"]
    assert arrived["before"] == 500
    assert arrived["after"] == 500
    assert 0 < arrived["while"] < 500
    assert told_losses(receiver) == lost == sink.stats.lost
    assert not doubled_in(receiver)


# A clock that steps back -------------------------------------------------------------------------


#: A clock of the machine that can be set for one process: what is asked is answered as the kernel
#: answers, less the seconds that stand in a file. libfaketime cannot do it for Python: it does not
#: leave the monotonic clock alone.
CLOCK = """
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    long back = 0;
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME && !failed) {
        FILE *file = fopen(getenv("CLOCK_IS_BACK"), "r");
        if (file) {
            if (fscanf(file, "%ld", &back) == 1) now->tv_sec -= back;
            fclose(file);
        }
    }
    return failed;
}
"""


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """The clock, as a library that a process loads before all others."""
    library = tmp_path / "clock.so"
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a clock that can be set for one process needs a C compiler")
    command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=CLOCK, text=True, check=True)
    return library


def test_a_clock_that_steps_back_holds_nothing_up(tmp_path: Path, clock: Path) -> None:
    """The wall clock goes back by an hour, with the receiver up and down: all arrives, as usual."""
    back = tmp_path / "back"
    environment = {"LD_PRELOAD": str(clock), "CLOCK_IS_BACK": str(back)}
    stop = tmp_path / "over"

    def step(hours: int) -> None:
        fresh = tmp_path / "fresh"
        fresh.write_text(str(hours * 3600))
        fresh.replace(back)

    with receiving() as receiver:
        # Segments of 16 KiB, so that new ones sort before older ones.
        plan = {"url": receiver.url, "spool": tmp_path / "spool", "every": 0.005, "limit": 2**18}
        plan |= {"until": str(stop), "flush": 20, "environment": environment}
        with Shop(tmp_path, "shop", **plan) as shop:
            for stage, behave in enumerate((FINE, always(Reply(503)), FINE)):
                receiver.behave = behave
                shop.wait_for(len(shop.accepted) + 200)
                step(stage + 1)
                shop.wait_for(len(shop.accepted) + 200)
            wait_until(lambda: shop.accepted[1_000] in receiver.events, 20)
            stop.touch()
            end = shop.finish(60)

    lost, doubled = lost_and_doubled(shop.accepted, receiver)
    assert end["flush"] is True
    assert end["accepted"] == len(shop.accepted)
    assert not lost
    assert not doubled
    hours = {json.loads(line)["occurred_at"][:13] for line in receiver.taken}
    assert len(hours) >= 4  # the clock did step


# A poisoned event --------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [False, True], ids=["422 for the batch", "results by event"])
def test_a_poisoned_event_goes_alone(tmp_path: Path, each: bool) -> None:
    """One of 1,000 is refused: 999 arrive, once, and it is in the dead letters with the reason."""
    poison = "shop-617"

    def behave(request):
        if poison not in request.ids:
            return Reply()
        if not each:
            return Reply(422, b"total is negative")
        others = [one for one in request.ids if one != poison]
        receiver.take([line for line in request.lines if poison.encode() not in line])
        rejected = [{"event_id": poison, "reason": "total is negative"}]
        body = json.dumps({"accepted": others, "rejected": rejected}).encode()
        return Reply(422, body, kept=False)

    with receiving() as receiver:
        receiver.behave = behave
        spool = tmp_path / "spool"
        with Shop(tmp_path, "shop", url=receiver.url, spool=spool, count=1_000, flush=30) as shop:
            end = shop.finish()

    (letters,) = (spool / "dead-letters").glob("*.jsonl")
    (letter,) = map(json.loads, letters.read_text().splitlines())
    assert end["flush"] is True
    assert lost_and_doubled(shop.accepted, receiver) == ({poison}, set())
    assert letter["event_id"] == poison
    assert "total is negative" in letter["dead_letter"]["reason"]
    assert end["lost"] == {"rejected": 1}
    assert told_losses(receiver) == {"rejected": 1}
    assert end["stats"]["written"] == 999
