"""The same faults by a server that knows nothing of us: WireMock."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("urllib3")

from tests.delivery.conftest import Stub
from tests.delivery.shop import Shop, lost_and_doubled

pytestmark = pytest.mark.long

HEALTHY_S = 1.0
FAULT_S = 8.0

FAULTS: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503 with Retry-After": {"status": 503, "headers": {"Retry-After": "2"}},
    "408": {"status": 408},
    "429": {"status": 429, "headers": {"Retry-After": "1"}},
    "reset": {"fault": "CONNECTION_RESET_BY_PEER"},
    "empty answer": {"fault": "EMPTY_RESPONSE"},
    "garbage after the head": {"fault": "MALFORMED_RESPONSE_CHUNK"},
    "garbage": {"fault": "RANDOM_DATA_THEN_CLOSE"},
    "too slow": {"status": 200, "fixedDelayMilliseconds": 3_000},
    "too slow a trickle": {
        "status": 200,
        "body": "x" * 100,
        "chunkedDribbleDelay": {"numberOfChunks": 50, "totalDuration": 10_000},
    },
}


def ship_through(folder: Path, name: str, stub: Stub) -> tuple[Shop, dict]:
    """A shop whose receiver is well, then has a fault, then is well again."""
    stop = folder / f"{name} is over"
    plan = {"url": stub.url, "spool": folder / f"{name} spool", "every": 0.02, "until": str(stop)}
    with Shop(folder, name, **plan, read=1.0, flush=30) as shop:
        shop.wait_for(1)
        time.sleep(HEALTHY_S)
        stub.answer(FAULTS[name])
        time.sleep(FAULT_S)
        stub.answer({"status": 200})
        time.sleep(HEALTHY_S)
        stop.touch()
        return shop, shop.finish()


@pytest.fixture(scope="module")
def outcomes(
    wiremock: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Shop, dict, Stub]]:
    """All faults at the same time, each at an address of its own."""
    folder = tmp_path_factory.mktemp("wiremock")
    found = {}

    def keep(name: str) -> None:
        stub = Stub(wiremock)
        found[name] = (*ship_through(folder, name, stub), stub)

    threads = [threading.Thread(target=keep, args=(name,)) for name in FAULTS]
    run_all(threads)
    return found


def run_all(threads: list[threading.Thread]) -> None:
    each: list[Callable[[threading.Thread], None]] = [
        threading.Thread.start,
        threading.Thread.join,
    ]
    for step in each:
        for thread in threads:
            step(thread)


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost_by_a_fault(
    outcomes: dict[str, tuple[Shop, dict, Stub]], name: str
) -> None:
    """0 lost, a log line a minute, and nothing twice but what was answered well and too late."""
    shop, end, stub = outcomes[name]
    lost, doubled = lost_and_doubled(shop.accepted, stub)
    failed = sum(not well for well, _ in stub.requests)
    print(
        f"{name}: {len(shop.accepted)} accepted, 0 lost, {len(doubled)} doubled, "
        f"{failed} requests failed"
    )

    assert end["flush"] is True
    assert len(shop.accepted) > 200
    assert not lost
    assert end["stats"]["retries"] > 0
    assert not doubled or name.startswith("too slow")
    assert end["stats"]["dead_letters"] == 0
    assert len(shop.lines) == 1
