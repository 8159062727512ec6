"""The interpreter ends, and nobody flushes: in time, and with nothing lost after the next start."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("urllib3")

from tests.delivery.shop import ROOT, Shop, in_last_requests, lost_and_doubled
from tests.sinks.receiver import FINE, Receiver, Reply, always, receiving

pytestmark = pytest.mark.long

EVENTS = 1_000

SERVERS = {
    "fast": Reply(),
    "slow": Reply(delay=0.15),
    "failing": Reply(500),
    "hanging": Reply(fault="hang", kept=True),
}


def seconds_to_import() -> float:
    """How long a process takes that only imports; the shortest of three."""
    program = "import lastclick.sinks.http, tests.delivery.shop, json, logging, subprocess"
    times = []
    for _ in range(3):
        start = time.monotonic()
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
        times.append(time.monotonic() - start)
    return min(times)


def run(folder: Path, receiver: Receiver, **plan: object) -> tuple[Shop, dict, float]:
    """A shop that records as fast as it can and then just ends; its life beyond the imports."""
    plan |= {"events": 100, "headers": {"X-Life": "shop"}}
    with Shop(folder, "shop", url=receiver.url, count=EVENTS, **plan) as shop:
        end = shop.finish(20)
        took = time.monotonic() - shop.begun - seconds_to_import()
    return shop, end, took


@pytest.mark.parametrize("server", SERVERS)
def test_nothing_is_lost_by_a_plain_exit(tmp_path: Path, server: str) -> None:
    """1,000 events and the end: gone within 2 s, all at the receiver after the next start.

    Timed is the whole process, with its events, less one that only imports.
    """
    with receiving(always(SERVERS[server])) as receiver:
        shop, end, took = run(tmp_path, receiver, spool=tmp_path / "spool")
        at_exit = len(receiver.shopper_ids)
        receiver.behave = FINE
        spool = tmp_path / "spool"
        with Shop(tmp_path, "next", url=receiver.url, spool=spool, flush=30) as after:
            assert after.finish()["flush"] is True

        lost, doubled = lost_and_doubled(shop.accepted, receiver)

    print(f"{server}: {took:.2f} s, {at_exit} sent at exit, {len(doubled)} doubled")
    assert end["accepted"] == EVENTS
    assert not lost
    assert took <= 2.0
    # What was on its way when the time was over comes again.
    assert doubled <= in_last_requests(receiver)
    assert server != "fast" or at_exit == EVENTS


@pytest.mark.parametrize("server", SERVERS)
def test_without_a_spool_it_says_what_is_gone(tmp_path: Path, server: str) -> None:
    """From memory as much is sent as can be within 2 s; the rest is said in one line."""
    with receiving(always(SERVERS[server])) as receiver:
        shop, _, took = run(tmp_path, receiver)
        missing = EVENTS - len(receiver.shopper_ids)

    said = [line for line in shop.lines if "the process ends with" in line]
    assert took <= 2.0
    assert missing == 0 if server == "fast" else missing > 0 or server in {"slow", "hanging"}
    assert len(said) == (1 if missing or server == "hanging" else 0)
    assert server != "failing" or f"ends with {EVENTS:,} events" in said[0]
