"""A job in a child of a worker, whose exit handlers never run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("celery", reason="the dependency group 'shops' is not installed")

from lastclick import read_log

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.long
def test_a_webhook_completes_orders_in_celery_s_children(tmp_path):
    """Every order of a task is in the log when the worker and its children were killed."""
    for name in ("queue", "control", "log"):
        (tmp_path / name).mkdir()
    environment = {
        **os.environ,
        "LASTCLICK_TEST_FOLDER": str(tmp_path),
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }
    send = "from tests.integrations.jobs import paid\nfor n in range(20): paid.delay(n, f'o-{n}')"
    subprocess.run([sys.executable, "-c", send], env=environment, check=True)
    command = [sys.executable, "-m", "celery", "-A", "tests.integrations.jobs", "worker"]
    options = ["--pool", "prefork", "--concurrency", "2", "--without-mingle", "--without-gossip"]
    worker = subprocess.Popen(
        [*command, *options, "--loglevel", "error"], env=environment, start_new_session=True
    )
    try:
        for _ in range(600):
            if list((tmp_path / "log").glob("*")) and ordered(tmp_path) == 20:
                break
            time.sleep(0.1)
    finally:
        os.killpg(worker.pid, 9)  # the worker and its children, which we started
        worker.wait()

    assert ordered(tmp_path) == 20


def ordered(folder: Path) -> int:
    return sum(event.type == "order_completed" for event in read_log(folder / "log"))
