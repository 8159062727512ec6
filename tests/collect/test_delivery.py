"""From a shop's funnel over HTTP to the collector's log: both ends, for real."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("urllib3", reason="the extra 'http' is not installed")
pytest.importorskip("starlette", reason="the extra 'collect' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'collect' is not installed")
pytest.importorskip("prometheus_client", reason="the extra 'collect' is not installed")

from lastclick import Funnel, measure, read_log
from lastclick.sinks import bodies
from lastclick.sinks.http import Batch, HttpSink, Retry
from tests.collect.collector import collecting, ids, secret, written
from tests.collect.test_server import free_port, running
from tests.disks import fill

QUICK = Retry(first=timedelta(milliseconds=50), most=timedelta(milliseconds=200))


def shop(port: int, **more: object) -> tuple[Funnel, HttpSink]:
    """A funnel that sends to the collector at this port."""
    url = f"http://127.0.0.1:{port}/v1/events"
    sink = HttpSink(url, retry=QUICK, **more)
    return Funnel("checkout", steps=("cart", "payment"), sink=sink), sink


def visits(funnel: Funnel, numbers: range) -> set[str]:
    """So many attempts at a step; the ids of their events."""
    for number in numbers:
        funnel.checkout(f"c-{number}").enter("cart", event_id=f"e-{number}")
    return {f"e-{number}" for number in numbers}


def until(true: Callable[[], object]) -> None:
    """Wait for it, half a minute at most."""
    deadline = time.monotonic() + 30
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


@pytest.mark.parametrize(
    "body",
    [bodies.ndjson, bodies.json_array, bodies.cloudevents("https://shop.example")],
    ids=["ndjson", "json_array", "cloudevents"],
)
def test_a_shop_sends_signed_events(tmp_path: Path, body: bodies.Body) -> None:
    """In each form that holds whole lines; a report on the collector's log counts them."""
    secrets = [secret(1), secret(2)]
    with collecting(tmp_path / "log", secrets=secret(2)) as collector:
        funnel, sink = shop(collector.port, signing=secrets, body=body)
        expected = visits(funnel, range(1200))
        assert funnel.close(timeout=30)

    assert sink.stats.written == 1200
    assert not sink.stats.lost
    found = [one for one in ids(tmp_path / "log") if one.startswith("e-")]
    assert set(found) == expected
    assert len(found) == 1200
    assert measure(read_log(tmp_path / "log")).started == 1200


def test_a_shop_that_we_do_not_know_keeps_its_events(tmp_path: Path) -> None:
    """Signed with another secret, they are in its dead letters, and not in the log."""
    with collecting(tmp_path / "log", secrets=secret(1)) as collector:
        funnel, sink = shop(collector.port, signing=secret(2), spool=tmp_path / "spool")
        visits(funnel, range(3))
        funnel.close(timeout=30)

    assert sink.stats.dead_letters >= 3
    assert ids(tmp_path / "log") == []


@pytest.mark.long
def test_a_full_disk_makes_a_shop_wait(disk_of_1_mib: Path, tmp_path_factory) -> None:
    """What the collector could not keep comes again, once, and nobody counts it as lost."""
    spool = tmp_path_factory.mktemp("spool")
    with collecting(disk_of_1_mib) as collector:
        funnel, sink = shop(collector.port, spool=spool)
        expected = visits(funnel, range(100))
        assert funnel.flush(timeout=30)
        ballast = fill(disk_of_1_mib)
        expected |= visits(funnel, range(100, 300))
        until(lambda: sink.stats.retries)
        ballast.unlink()
        assert funnel.close(timeout=30)

    found = [one["event_id"] for one in written(disk_of_1_mib) if one["type"] == "step_entered"]
    assert set(found) == expected
    assert len(found) == 300
    assert {one["type"] for one in written(disk_of_1_mib)} == {"funnel_declared", "step_entered"}
    assert not sink.stats.lost


@pytest.mark.long
def test_kills_and_restarts_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    """A shop goes on while its collector is killed again and again: each event is there once."""
    port = free_port()
    given = ("--listen", f"127.0.0.1:{port}")
    funnel, sink = shop(port, spool=tmp_path / "spool", batch=Batch(events=50))
    expected: set[str] = set()
    for turn in range(6):
        with running(tmp_path / "log", *given) as collector:
            expected |= visits(funnel, range(turn * 2000, turn * 2000 + 2000))
            until(lambda turn=turn: sink.stats.written > turn * 1500)
            collector.kill()
    with running(tmp_path / "log", *given) as collector:
        assert funnel.close(timeout=60)
        with suppress(OSError):
            assert collector.stop() == 0

    found = [one for one in ids(tmp_path / "log") if one.startswith("e-")]
    assert set(found) == expected
    assert len(found) == len(expected) == 12_000
    assert sink.stats.retries
    assert not sink.stats.lost
