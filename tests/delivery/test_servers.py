"""Under the servers that shops run: gunicorn that preloads, reloads, is killed; uWSGI; gevent."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

import pytest

pytest.importorskip("urllib3")

from tests.delivery.shop import ROOT, Shop, lost_and_doubled, wait_until
from tests.sinks.receiver import FINE, Receiver, Reply, always, receiving

pytestmark = pytest.mark.long


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Load:
    """Some shoppers at a server; each id that was answered with 200 was accepted."""

    def __init__(self, port: int, every: float = 0.01) -> None:
        self.accepted: list[str] = []
        self.pids: Counter[int] = Counter()
        self._url = f"http://127.0.0.1:{port}/checkout?id="
        self._every = every
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(4)]

    def _run(self, shopper: int) -> None:
        number = 0
        while not self._stop.wait(self._every):
            number += 1
            self.one(f"{shopper}-{number}")

    def one(self, event_id: str) -> None:
        # A killed worker cuts an answer anywhere: before it (OSError) or within (HTTPException).
        url = f"{self._url}{event_id}"
        with suppress(OSError, HTTPException), urllib.request.urlopen(url, timeout=5) as done:
            self.pids[int(done.read())] += 1
            self.accepted.append(event_id)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def goes_on_for(self, seconds: float) -> None:
        self._stop.wait(seconds)


@contextmanager
def serving(
    command: list[str], folder: Path, receiver: Receiver, port: int, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own; killed as a whole at the end."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    given = {"SHOP_URL": receiver.url, "SHOP_SPOOL": str(folder / "spool"), "PYTHONPATH": path}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **given, **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: answers(port, process, folder), 30)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(port: int, process: subprocess.Popen[bytes], folder: Path) -> bool:
    assert process.poll() is None, (folder / "server.log").read_text()
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def deliver_the_rest(folder: Path, receiver: Receiver) -> None:
    with Shop(folder, "next", url=receiver.url, spool=folder / "spool", flush=30) as after:
        assert after.finish()["flush"] is True


def recorded_by(receiver: Receiver) -> dict[str, int]:
    """The process that recorded each event."""
    found = [json.loads(line) for line in receiver.taken]
    return {one["event_id"]: one["attributes"]["pid"] for one in found if "pid" in str(one)}


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_gunicorn_preloads_reloads_and_is_killed(tmp_path: Path, kind: str) -> None:
    """4 workers under load, a reload, a killed worker: 0 lost.

    Doubled are at most the events of one request of the killed worker.
    """
    pytest.importorskip("gunicorn")
    pytest.importorskip("gevent" if kind == "gevent" else "gunicorn")
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "4", "-k", kind]
    command += ["--threads", "4"] if kind == "gthread" else []
    command += ["--bind", f"127.0.0.1:{port}", "--graceful-timeout", "10", "tests.delivery.app:app"]

    with receiving() as receiver:
        with serving(command, tmp_path, receiver, port, SHOP_PRELOADS="master-1") as master:
            with Load(port) as load:
                load.goes_on_for(2)
                first = set(load.pids)
                master.send_signal(signal.SIGHUP)
                wait_until(lambda: len(load.pids.keys() - first) == 4, 20)
                killed = max(load.pids.keys() - first)
                os.kill(killed, signal.SIGKILL)
                load.goes_on_for(2)
            master.send_signal(signal.SIGTERM)
            assert master.wait(20) == 0
        deliver_the_rest(tmp_path, receiver)

    accepted = [*load.accepted, "master-1"]
    lost, doubled = lost_and_doubled(accepted, receiver)
    print(f"{kind}: {len(accepted)} accepted by {len(load.pids)} workers, {len(doubled)} doubled")
    assert len(load.pids) >= 8
    assert len(accepted) > 300
    assert not lost
    assert {recorded_by(receiver)[one] for one in doubled} <= {killed}
    assert any(doubled <= set(request.ids) for request in receiver.requests)


# uWSGI -------------------------------------------------------------------------------------------


def test_uwsgi_without_threads_says_so_and_loses_nothing(tmp_path: Path) -> None:
    """No thread runs there between requests: it is said, and the next start delivers the rest."""
    uwsgi = shutil.which("uwsgi")
    if uwsgi is None:
        pytest.skip("no uwsgi; scripts/servers installs Debian's")
    asked = [uwsgi, "--plugin", "python3", "--python-version"]
    told = subprocess.run(asked, capture_output=True, text=True)
    version = told.stdout.strip().rpartition("\n")[2]
    if not version.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}."):
        pytest.skip(f"this uwsgi runs Python {version or told.stderr.strip()[:200]}")
    port = free_port()
    command = [uwsgi, "--plugin", "python3", "--http-socket", f"127.0.0.1:{port}", "--master"]
    command += ["--processes", "2", "--wsgi-file", str(ROOT / "tests/delivery/app.py")]
    command += ["--callable", "app", "--die-on-term", "--need-app"]

    with receiving() as receiver:
        with serving(command, tmp_path, receiver, port) as master:
            with Load(port) as load:
                load.goes_on_for(2)
            master.send_signal(signal.SIGTERM)
            master.wait(20)
        by_itself = len(receiver.shopper_ids)
        deliver_the_rest(tmp_path, receiver)

    lost, doubled = lost_and_doubled(load.accepted, receiver)
    print(
        f"uwsgi: {len(load.accepted)} accepted, {by_itself} sent by itself, {len(doubled)} doubled"
    )
    assert len(load.accepted) > 100
    assert not lost
    assert not doubled
    log = (tmp_path / "server.log").read_text()
    assert "uWSGI runs no threads, so nothing is sent; set enable-threads = true" in log


# gevent ------------------------------------------------------------------------------------------

GREEN = """
    from gevent import monkey; monkey.patch_all()
    import json, os, sys, time
    from datetime import timedelta
    import gevent
    from lastclick import Funnel
    from lastclick.sinks.http import Batch, HttpSink, Retry, Timeout

    url, spool, patience = sys.argv[1], sys.argv[2] or None, float(sys.argv[3])
    second = timedelta(seconds=1)
    sink = HttpSink(
        url, spool, batch=Batch(age=second / 10), retry=Retry(first=second / 10, most=second),
        timeout=Timeout(read=5 * second),
    )
    funnel = Funnel("checkout", steps=("cart",), sink=sink)
    gaps = []

    def tick():
        last = time.monotonic()
        while True:
            time.sleep(0.005)
            now = time.monotonic()
            gaps.append(now - last - 0.005)
            last = now

    def shop(name):
        for number in range(200):
            funnel.checkout(f"c-{name}").enter("cart", event_id=f"{name}-{number}")
            time.sleep(0.005)

    ticking = gevent.spawn(tick)
    gevent.joinall([gevent.spawn(shop, name) for name in range(10)])
    start = time.monotonic()
    flushed = funnel.flush(patience)
    between = time.monotonic()
    closed = funnel.close(patience)
    ticking.kill()
    print(json.dumps({
        "flushed": flushed, "flush_s": between - start, "closed": closed,
        "close_s": time.monotonic() - between, "gap": max(gaps),
    }))
"""


def run_green(url: str, spool: Path | str, patience: float) -> dict:
    pytest.importorskip("gevent")
    program = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(GREEN)]
    done = subprocess.run(
        [*program, url, str(spool), str(patience)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kept", ["queue", "spool"])
@pytest.mark.parametrize("server", [Reply(), Reply(delay=0.15)], ids=["fast", "slow"])
def test_gevent_delivers_and_is_not_held_up(tmp_path: Path, kept: str, server: Reply) -> None:
    """With all patched, 10 greenlets lose nothing, and no other greenlet waits for a receiver.

    A tick of 5 ms is late by less than the 150 ms of one slow answer.
    """
    spool = tmp_path / "spool" if kept == "spool" else ""
    with receiving(always(server)) as receiver:
        told = run_green(receiver.url, spool, 20)

    print(f"{kept}: a greenlet was held up for {told['gap'] * 1000:.0f} ms at most")
    assert told["flushed"] is True
    assert told["closed"] is True
    assert len(receiver.shopper_ids) == 2_000
    assert set(receiver.events.values()) == {1}
    assert told["gap"] < 0.14


@pytest.mark.parametrize("kept", ["queue", "spool"])
def test_gevent_flushes_in_time(tmp_path: Path, kept: str) -> None:
    """With a receiver that hangs, flush and close return in time, and the spool has all."""
    spool = tmp_path / "spool" if kept == "spool" else ""
    with receiving(always(Reply(fault="hang"))) as receiver:
        told = run_green(receiver.url, spool, 1)
        receiver.behave = FINE
        if spool:
            deliver_the_rest(tmp_path, receiver)
            assert len(receiver.shopper_ids) == 2_000

    assert (told["flushed"], told["closed"]) == (False, False)
    assert told["flush_s"] < 2
    assert told["close_s"] < 2
    assert told["gap"] < 0.5
