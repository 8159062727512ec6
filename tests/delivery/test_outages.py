"""A receiver that fails in every way that a wire knows, for 20 s; all of them side by side.

The longest call is printed, beside that of shops that only write events to a file at the same pace:
a busy machine puts any call aside for some milliseconds, and these are many shops on few cores.
Judged here is that no call comes near the wait of a request; how long one takes where the server
fails or hangs, on a quiet machine, is for `benchmarks.faults` to show.
"""

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("urllib3")

from tests.delivery.shop import Shop, lost_and_doubled
from tests.sinks.receiver import FINE, OK, Receiver, Reply, Request

pytestmark = pytest.mark.long

EVERY_S = 0.02
HEALTHY_S = 1.0
FAULT_S = 20.0
READ_S = 2.0
CONTROLS = 3

#: What the receiver does; with `kept` it has taken the events in before it fails.
FAULTS = {
    "500": Reply(500),
    "503 with Retry-After": Reply(503, headers={"Retry-After": "7"}),
    "reset": Reply(fault="reset"),
    "reset after receipt": Reply(fault="reset", kept=True),
    "empty answer": Reply(fault="empty"),
    "answer lost after receipt": Reply(fault="empty", kept=True),
    "half a response": Reply(body=b"x" * 100, fault="half", kept=True),
    "slow trickle": Reply(body=b"x" * 60, fault="trickle", kept=True),
    "endless trickle": Reply(fault="drip", kept=True),
    "hanging": Reply(fault="hang", kept=True),
}

#: The one with Retry-After lasts for a whole minute.
LASTS_S = {"503 with Retry-After": 60.0}


class Outage:
    """A receiver's behaviour: all is well for a moment, then the fault, then all is well."""

    def __init__(self, reply: Reply, lasts: float) -> None:
        self.reply = reply
        self.lasts = lasts
        self.began = math.inf
        #: When each request came, and whether it met the fault.
        self.times: list[tuple[float, bool]] = []
        self.failed: set[str] = set()

    def __call__(self, request: Request) -> Reply:
        now = time.monotonic()
        self.began = min(self.began, now + HEALTHY_S)
        faulty = self.began <= now < self.began + self.lasts
        self.times.append((now, faulty))
        if not faulty:
            return OK
        self.failed.update(request.ids)
        return self.reply

    @property
    def over(self) -> bool:
        return time.monotonic() > self.began + self.lasts + 1


class Outcome(NamedTuple):
    """What came of a shop whose receiver failed."""

    accepted: list[str]
    lost: set[str]
    doubled: set[str]
    behave: Outage
    end: dict
    lines: list[str]
    lasted: float


def outage(folder: Path, name: str, reply: Reply) -> Outcome:
    behave = Outage(reply, LASTS_S.get(name, FAULT_S))
    receiver = Receiver(behave)
    try:
        shop, end, lasted = run(folder, name, receiver.url, lambda: behave.over)
        lost, doubled = lost_and_doubled(shop.accepted, receiver)
    finally:
        receiver.stop()
    return Outcome(shop.accepted, lost, doubled, behave, end, shop.lines, lasted)


def refusal(folder: Path, name: str) -> Outcome:
    """The receiver goes away and comes back at the same port."""
    behave = Outage(Reply(), 0)
    before = Receiver(lambda _: Reply(headers={"Connection": "close"}))
    stages: list[Receiver] = [before]

    def go_and_come() -> None:
        while not before.requests:
            time.sleep(0.01)
        time.sleep(HEALTHY_S)
        before.stop()
        time.sleep(FAULT_S)
        stages.append(Receiver(FINE, before.port))
        behave.began = time.monotonic()

    thread = threading.Thread(target=go_and_come)
    thread.start()
    try:
        shop, end, lasted = run(folder, name, before.url, lambda: behave.over)
        lost, doubled = lost_and_doubled(shop.accepted, *stages)
    finally:
        thread.join()
        stages[-1].stop()
    return Outcome(shop.accepted, lost, doubled, behave, end, shop.lines, lasted)


def run(folder: Path, name: str, url: str, over: Callable[[], bool]) -> tuple[Shop, dict, float]:
    """A shop that goes on until the outage is over, and then flushes."""
    stop = folder / f"{name} is over"
    plan = {"url": url, "spool": folder / f"{name} spool", "every": EVERY_S, "until": str(stop)}
    with Shop(folder, name, **plan, read=READ_S, most=5.0, flush=30) as shop:
        while not over():
            assert shop.process.poll() is None, shop.log
            time.sleep(0.05)
        stop.touch()
        end = shop.finish(60)
        return shop, end, time.monotonic() - shop.begun


@contextmanager
def controls(folder: Path) -> Iterator[Callable[[], float]]:
    """Shops beside the others that only write to a file; ends them, and says the longest call."""
    stop = folder / "over"
    plan = {"spool": folder / "log", "every": EVERY_S, "until": str(stop)}

    def longest() -> float:
        stop.touch()
        return max(shop.finish()["longest"] for shop in shops)

    with ExitStack() as stack:
        shops = [stack.enter_context(Shop(folder, f"control{n}", **plan)) for n in range(CONTROLS)]
        yield longest


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """All outages at the same time; what came of each, and of the shops that only write."""
    folder = tmp_path_factory.mktemp("outages")
    found: dict[str, Outcome] = {}

    def keep(name: str, work: Callable[[], Outcome]) -> None:
        found[name] = work()

    works = {name: lambda n=name, r=reply: outage(folder, n, r) for name, reply in FAULTS.items()}
    works["connection refused"] = lambda: refusal(folder, "connection refused")
    threads = [threading.Thread(target=keep, args=work) for work in works.items()]
    with controls(tmp_path_factory.mktemp("controls")) as longest:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        end = {"longest": longest()}
    found["control"] = Outcome([], set(), set(), Outage(OK, 0), end, [], 0)
    return found


@pytest.mark.parametrize("name", [*FAULTS, "connection refused"])
def test_an_outage_costs_nothing(outcomes: dict[str, Outcome], name: str) -> None:
    """0 lost, no call that waits, a log line a minute, and doubled only what met the fault."""
    outcome = outcomes[name]
    longest, other = outcome.end["longest"], outcomes["control"].end["longest"]
    print(
        f"{name}: {len(outcome.accepted)} accepted, 0 lost, {len(outcome.doubled)} doubled, "
        f"{outcome.end['stats']['requests']} requests, longest call {longest * 1000:.1f} ms "
        f"(control {other * 1000:.1f} ms), {len(outcome.lines)} log lines in {outcome.lasted:.0f} s"
    )

    assert outcome.end["flush"] is True
    assert len(outcome.accepted) == outcome.end["accepted"] > 500
    assert not outcome.lost
    assert outcome.doubled <= outcome.behave.failed
    assert outcome.end["stats"]["written"] == len(outcome.accepted)
    assert longest < READ_S / 2
    assert len(outcome.lines) <= math.ceil(outcome.lasted / 60)


def test_doubled_is_only_what_had_been_taken_in(outcomes: dict[str, Outcome]) -> None:
    """Where the receiver had not kept the events, none comes twice."""
    for name, reply in FAULTS.items():
        if not reply.kept:
            assert not outcomes[name].doubled, name


def test_retry_after_is_heeded(outcomes: dict[str, Outcome]) -> None:
    """After each 503 with Retry-After the receiver is left alone for at least as long."""
    times = outcomes["503 with Retry-After"].behave.times

    gaps = [later - now for (now, faulty), (later, _) in itertools.pairwise(times) if faulty]

    assert len(gaps) >= 5
    assert min(gaps) >= 7.0
