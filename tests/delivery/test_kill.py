"""Killed at random moments, a shop loses nothing: the next start delivers the rest."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("urllib3")

from tests.delivery.shop import Shop, in_last_requests, lost_and_doubled
from tests.sinks.receiver import FINE, OK, Reply, Request, receiving

pytestmark = pytest.mark.long

SHOPS = 5
KILLS = 4  # of each shop

#: A receiver that is there for half of the time.
DOWN = Reply(503)


def now_and_then(_: Request) -> Reply:
    return DOWN if time.monotonic() % 2 < 1 else OK


def run_and_kill(
    folder: Path, shop: int, spool: Path, url: str, moments: random.Random
) -> list[str]:
    """One shop at 30 events/s, killed and started again; what it accepted in all its lives."""
    accepted = []
    for life in range(KILLS):
        name = f"shop{shop}-life{life}"
        headers = {"X-Life": name}
        plan = {"url": url, "spool": spool, "every": 1 / 30, "headers": headers}
        with Shop(folder, name, count=10**6, **plan) as running:
            running.wait_for(1)
            time.sleep(moments.uniform(0, 3))
            running.kill()
            assert running.lines == running.lines[:1]
            accepted += running.accepted
    return accepted


@pytest.mark.parametrize("shared", [False, True], ids=["a spool each", "one spool"])
@pytest.mark.parametrize("behave", [FINE, now_and_then], ids=["up", "down half of the time"])
def test_what_was_accepted_is_delivered_after_kills(
    tmp_path: Path, behave: Callable[[Request], Reply], shared: bool
) -> None:
    """20 kills at random moments of shops at 30 events/s: 0 lost after the next start.

    Doubled are only events of the last request of a killed process: it may have died between the
    receiver's taking them in and its own note of that.
    """
    accepted: list[str] = []

    def work(shop: int) -> None:
        spool = tmp_path / ("spool" if shared else f"spool{shop}")
        moments = random.Random(20261127 + shop)
        accepted.extend(run_and_kill(tmp_path, shop, spool, receiver.url, moments))

    with receiving(behave) as receiver:
        threads = [threading.Thread(target=work, args=(shop,)) for shop in range(SHOPS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        receiver.behave = FINE
        for shop in range(1 if shared else SHOPS):
            spool = tmp_path / ("spool" if shared else f"spool{shop}")
            with Shop(tmp_path, f"next{shop}", url=receiver.url, spool=spool, flush=30) as last:
                assert last.finish()["flush"] is True

    assert len(accepted) > SHOPS * KILLS * 10
    lost, doubled = lost_and_doubled(accepted, receiver)
    assert not lost
    print(f"{len(accepted)} accepted, 0 lost, {len(doubled)} doubled by {SHOPS * KILLS} kills")
    assert doubled <= in_last_requests(receiver)
