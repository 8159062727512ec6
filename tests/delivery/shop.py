"""A shop as a program of its own: it records at its pace, and reports what was accepted.

`Shop` starts one; the rest is what runs in it: ``python -m tests.delivery.shop PLAN``.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]

#: What a plan leaves out. Times in seconds, sizes in bytes; without a url there is no delivery,
#: only a log on disk.
PLAN: dict[str, Any] = {
    "url": None,
    "spool": None,
    "count": 0,
    "until": None,  # a file: the shop goes on until it is there
    "every": 0.0,
    "threads": 1,
    "note": 0,
    "report": True,
    "flush": None,
    "close": None,
    "end": "plain",
    "age": 0.2,
    "events": 500,
    "first": 0.2,
    "most": 2.0,
    "read": 10.0,
    "limit": None,
    "full": "oldest",
    "headers": None,
}


class Shop:
    """A started shop.

    Args:
        folder: Where it reports to.
        name: What its event ids begin with.
        environment: Added to its environment.
        **plan: See `PLAN`.
    """

    def __init__(
        self, folder: Path, name: str, *, environment: dict[str, str] | None = None, **plan: Any
    ) -> None:
        assert plan.keys() <= PLAN.keys()
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.begun = time.monotonic()
        self.path = folder / name
        full = {**PLAN, **plan, "name": name, "path": str(self.path)}
        if full["spool"] is not None:
            full["spool"] = str(full["spool"])
        with self.path.with_suffix(".log").open("wb") as log:
            command = [sys.executable, "-m", "tests.delivery.shop", json.dumps(full)]
            given = {**os.environ, **(environment or {})}
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log, env=given)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def accepted(self) -> list[str]:
        """The ids of the events whose call has returned and against which nothing was counted."""
        try:
            return self.path.with_suffix(".ids").read_text().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def wait_for(self, number: int) -> None:
        """Wait until so many were accepted."""
        wait_until(lambda: len(self.accepted) >= number, 60)

    def wait_until_flushed(self) -> None:
        """Wait until all is recorded, and a flush was tried."""
        wait_until(self.path.with_suffix(".flushed").exists, 120)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL

    def finish(self, timeout: float = 60.0) -> dict[str, Any]:
        """Wait for its end; what it says of itself."""
        code = self.process.wait(timeout)
        assert code == 0, self.log
        return json.loads(self.path.with_suffix(".end").read_text())

    @property
    def log(self) -> str:
        return self.path.with_suffix(".log").read_text()

    @property
    def lines(self) -> list[str]:
        """What the library logged; nothing else may stand there."""
        lines = self.log.splitlines()
        assert all(" lastclick " in line for line in lines), lines
        return lines


def wait_until(true: Any, seconds: float) -> None:
    """Wait for something that is bound to come true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def lost_and_doubled(accepted: Any, *receivers: Any) -> tuple[set[str], set[str]]:
    """Of the accepted ids: those that did not arrive, and those that arrived more than once."""
    arrived: dict[str, int] = {}
    for receiver in receivers:
        for one, times in receiver.events.items():
            arrived[one] = arrived.get(one, 0) + times
    return set(accepted) - arrived.keys(), {one for one in accepted if arrived.get(one, 0) > 1}


def in_last_requests(receiver: Any) -> set[str]:
    """The ids in the last request of each process that says in a header who it is."""
    last = {request.headers.get("X-Life"): request for request in receiver.requests}
    last.pop(None, None)
    return {one for request in last.values() for one in request.ids}


# What runs in the shop ---------------------------------------------------------------------------


def make_sink(plan: dict[str, Any]) -> Any:
    if plan["url"] is None:
        from lastclick.sinks import FileSink

        return FileSink(plan["spool"])
    from lastclick.sinks.http import Batch, HttpSink, Retry, Timeout

    return HttpSink(
        plan["url"],
        plan["spool"],
        headers=plan["headers"],
        batch=Batch(events=plan["events"], age=timedelta(seconds=plan["age"])),
        retry=Retry(first=timedelta(seconds=plan["first"]), most=timedelta(seconds=plan["most"])),
        timeout=Timeout(read=timedelta(seconds=plan["read"])),
        limit=plan["limit"],
        full=plan["full"],
    )


def rss() -> int:
    """Bytes of memory that the process takes up now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Recorder:
    """Records events and notes what came of each."""

    def __init__(self, plan: dict[str, Any]) -> None:
        from lastclick import Funnel
        from lastclick.errors import LastclickError, log_errors

        def on_error(error: LastclickError) -> None:
            self.failed.add(threading.get_ident())
            log_errors(error)

        self.plan = plan
        self.failed: set[int] = set()
        self.longest = 0.0
        self.accepted = 0
        self.sink = make_sink(plan)
        self.funnel = Funnel(
            "checkout", steps=("cart", "payment"), sink=self.sink, on_error=on_error
        )
        self.ids = -1
        if plan["report"]:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self.ids = os.open(f"{plan['path']}.ids", flags, 0o600)
        self.attributes = {"note": "n" * plan["note"]} if plan["note"] else None

    def record(self, number: object) -> None:
        one = f"{self.plan['name']}-{number}"
        start = time.perf_counter()
        checkout = self.funnel.checkout(f"c-{one}", attributes=self.attributes)
        checkout.enter("cart", event_id=one)
        took = time.perf_counter() - start
        self.longest = max(self.longest, took)
        if threading.get_ident() in self.failed:
            self.failed.discard(threading.get_ident())
            return
        self.accepted += 1
        if self.ids >= 0:
            os.write(self.ids, one.encode() + b"\n")

    def run(self, prefix: str = "") -> None:
        plan = self.plan
        number = 0
        while number < plan["count"] or (plan["until"] and not Path(plan["until"]).exists()):
            self.record(f"{prefix}{number}")
            number += 1
            if plan["every"]:
                time.sleep(plan["every"])


def main(plan: dict[str, Any]) -> None:
    logging.basicConfig(format="%(created).3f %(name)s %(message)s")
    recorder = Recorder(plan)
    if plan["threads"] == 1:
        recorder.run()
    else:
        threads = [
            threading.Thread(target=recorder.run, args=(f"{n}-",)) for n in range(plan["threads"])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    before_end = rss()
    ended = {}
    for verb in ("flush", "close"):
        if plan[verb] is not None:
            start = time.monotonic()
            ended[verb] = getattr(recorder.funnel, verb)(plan[verb])
            ended[f"{verb}_s"] = time.monotonic() - start
            Path(f"{plan['path']}.{verb}ed").touch()
    stats, funnel = recorder.sink.stats, recorder.funnel.stats
    end = {
        "longest": recorder.longest,
        "accepted": recorder.accepted,
        "stats": {name: value for name, value in stats._asdict().items() if name != "lost"},
        "lost": dict(stats.lost),
        "undelivered": dict(funnel.undelivered),
        "rss": before_end,
        **ended,
    }
    Path(f"{plan['path']}.end").write_text(json.dumps(end))
    if plan["end"] == "os._exit":
        os._exit(0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
