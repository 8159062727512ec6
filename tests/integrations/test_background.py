"""A job in a child of a worker, Celery's or RQ's, whose exit handlers never run."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lastclick import Funnel, journeys, measure, read_log
from lastclick.sinks import FileSink

ROOT = Path(__file__).parent.parent.parent
SHOPS = "the dependency group 'shops' is not installed"

pytestmark = pytest.mark.long


class Worker:
    """Runs jobs, each the name of a function in `tests.integrations.jobs` and what it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "log").mkdir()
        path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
        names = {"LASTCLICK_TEST_FOLDER": str(folder), "PYTHONPATH": path}
        self.environment = os.environ | names

    def work(self, *jobs: tuple[str, ...]) -> None:
        """Return when all have come to their end; one whose process died is tried again."""
        raise NotImplementedError

    @property
    def done(self) -> int:
        return len(lines(self.folder / "done"))


class CeleryWorker(Worker):
    """Two children, which are killed with their parent once all is done."""

    app = "tests.integrations.celery_app"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in ("queue", "control"):
            (folder / name).mkdir()

    def work(self, *jobs: tuple[str, ...]) -> None:
        send = f"from {self.app} import run\nfor job in {jobs!r}: run.delay(*job)"
        subprocess.run([sys.executable, "-c", send], env=self.environment, check=True)
        command = [sys.executable, "-m", "celery", "-A", self.app, "worker", "--loglevel", "error"]
        options = ["--pool", "prefork", "--concurrency", "2", "--without-mingle"]
        there = self.done
        worker = subprocess.Popen(
            [*command, *options, "--without-gossip"], env=self.environment, start_new_session=True
        )
        try:
            for _ in range(1200):
                assert worker.poll() is None, "Celery ended"
                if self.done == there + len(jobs):
                    return
                time.sleep(0.1)
            raise AssertionError(f"{self.done - there} of {len(jobs)} jobs are done")
        finally:
            os.killpg(worker.pid, signal.SIGKILL)  # the worker and its children, which we started
            worker.wait()


class RqWorker(Worker):
    """A process of its own for each job, which leaves by `os._exit`."""

    def __init__(self, folder: Path, redis: str) -> None:
        super().__init__(folder)
        self.redis = redis

    def work(self, *jobs: tuple[str, ...]) -> None:
        from redis import Redis
        from rq import Queue, Retry

        with Redis.from_url(self.redis) as connection:
            queue = Queue("checkout", connection=connection)
            for job in jobs:
                queue.enqueue("tests.integrations.jobs.run", args=job, retry=Retry(1))
            command = [sys.executable, "-m", "rq.cli", "worker", "--burst", "--quiet"]
            subprocess.run(
                [*command, "--url", self.redis, "checkout"],
                env=self.environment,
                cwd=self.folder,
                check=True,
                timeout=300,
            )
            assert queue.count == queue.failed_job_registry.count == 0


@pytest.fixture(params=["celery", "rq"])
def worker(request, tmp_path):
    """One of the two, with an empty queue."""
    pytest.importorskip(request.param, reason=SHOPS)
    if request.param == "celery":
        return CeleryWorker(tmp_path)
    return RqWorker(tmp_path, request.getfixturevalue("redis"))


@pytest.fixture(scope="module")
def redis():
    """The address of a Redis of its own, on a socket in an empty folder."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine; scripts/servers installs it")
    with tempfile.TemporaryDirectory(prefix="lastclick-redis-") as folder:
        address = f"{folder}/socket"
        options = ["--port", "0", "--unixsocket", address, "--save", "", "--dir", folder]
        server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        try:
            for _ in range(300):
                assert server.poll() is None, "Redis ended"
                with socket.socket(socket.AF_UNIX) as there:
                    if there.connect_ex(address) == 0:
                        break
                time.sleep(0.1)
            yield f"unix://{address}"
        finally:
            server.kill()
            server.wait()


def fill_carts(folder: Path, number: int, ago: timedelta = timedelta()) -> None:
    """What the shop's own process recorded, some time ago."""
    then = datetime.now(UTC) - ago
    with Funnel("checkout", steps=("cart",), sink=FileSink(folder / "log")) as funnel:
        for one in range(number):
            funnel.checkout(f"c-{one}", customer_id=one).enter("cart", at=then)


def ordered(folder: Path) -> int:
    return sum(event.type == "order_completed" for event in read_log(folder / "log"))


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_a_webhook_completes_orders_in_another_process(worker, tmp_path):
    """Every order of a job is in the log once the job is done, though its process was killed."""
    fill_carts(tmp_path, 20)

    worker.work(*[("paid", f"c-{number}", f"o-{number}") for number in range(20)])

    report = measure(read_log(tmp_path / "log"))
    assert report.started == report.ordered == ordered(tmp_path) == 20
    assert str(report.revenue["EUR"].gross) == "EUR 1,198.00"


def test_the_recovery_job_draws_once_and_mails_once(worker, tmp_path):
    """Of two runs the second finds nobody; each is drawn, and the treated ones are mailed."""
    fill_carts(tmp_path, 20, ago=timedelta(hours=2))

    worker.work(("win_back_all",))
    worker.work(("win_back_all",))

    found = list(journeys(read_log(tmp_path / "log"), as_of=datetime.now(UTC)))
    treated = {one.checkout_id for one in found if one.arm == "treated"}
    assert len(found) == 20
    assert {one.arm for one in found} == {"treated", "holdout"}
    assert sorted(lines(tmp_path / "mails")) == sorted(treated)
    assert {one.checkout_id for one in found if one.reminders} == treated
    assert all(len(one.reminders) <= 1 for one in found)


def test_an_order_outlives_a_killed_child(worker, tmp_path):
    """Killed right after the call: the order is in the log, and the second try adds none."""
    fill_carts(tmp_path, 1)

    worker.work(("paid_and_killed", "c-0", "o-0"))

    report = measure(read_log(tmp_path / "log"))
    assert lines(tmp_path / "died") == ["o-0"]
    assert ordered(tmp_path) == 2  # said twice, by the one that died too
    assert report.ordered == 1
    assert str(report.revenue["EUR"].gross) == "EUR 59.90"
