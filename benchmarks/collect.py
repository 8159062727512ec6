"""How many events a second one collector takes, and what an event costs it.

    python -m benchmarks.collect

`lastclick collect` in a process of its own, as it is by default: an answer waits for the disk.
Some processes send to it, each over one connection, a body as soon as the last one was answered:
newline-delimited JSON, neither compressed nor signed, made before the clock starts. At the end,
each event that was acknowledged must be in the log, once.
"""

import argparse
import gzip
import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from benchmarks.child import cpu_seconds, machine, peak_mib, table
from benchmarks.generate import lines
from lastclick import read_log
from lastclick.collect._seen import Seen
from lastclick.collect._store import SEEN

HEADERS = {"Content-Type": "application/x-ndjson"}
REMEMBERED_AT_ONCE = 100_000
GZIPPING = 120.0  # seconds that the collector may take for segments that have ended


class Taken(NamedTuple):
    """What a collector took: the ids that it acknowledged, and what that cost."""

    acknowledged: int
    seconds: float
    cpu: float
    peak_mib: float
    missing: int
    twice: int


# ---- in a process that sends


def send(port: int, file: Path, a_body: int, seconds: float) -> None:
    """Send bodies, from the word on until the time or the events are over; print what was kept."""
    events = file.read_bytes().splitlines(keepends=True)
    bodies = [b"".join(events[at : at + a_body]) for at in range(0, len(events), a_body)]
    answers: list[bytes] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.monotonic() + seconds
    for body in bodies:
        connection.request("POST", "/v1/events", body, HEADERS)
        answer = connection.getresponse()
        answers.append(answer.read())
        assert answer.status == 200, answers[-1]
        if time.monotonic() > until:
            break
    ended = time.monotonic()
    connection.close()
    kept = [one for answer in answers for one in json.loads(answer)["accepted"]]
    print(json.dumps({"ended": ended, "acknowledged": kept}))


# ---- in the process that asks


def measure(
    events: list[str], *, senders: int, a_body: int, seconds: float, remembered: int = 0
) -> Taken:
    """Have a new collector take events until the time or the events are over."""
    with tempfile.TemporaryDirectory(prefix="lastclick-collect-") as folder:
        log = Path(folder, "log")
        log.mkdir()
        if remembered:
            remember(log / SEEN, remembered)
        with collecting(log) as (process, port):
            cpu = cpu_seconds(process)
            began, ended, acknowledged = _sent(events, port, senders, a_body, seconds, Path(folder))
            _wait_for_gzip(log)
            cpu = cpu_seconds(process) - cpu
            peak = peak_mib(process)
        written = Counter(json.loads(line)["event_id"] for _, _, line in read_log(log).lines())
        return Taken(
            len(acknowledged),
            ended - began,
            cpu + _seconds_of_gzip(log),
            peak,
            sum(not written[one] for one in acknowledged),
            sum(written[one] > 1 for one in acknowledged),
        )


def remember(path: Path, events: int) -> None:
    """Make the index of a collector that has taken events before."""
    seen, now = Seen(path, timedelta(days=7).total_seconds()), time.time()
    digests = sorted(secrets.token_bytes(16) for _ in range(events))
    for at in range(0, events, REMEMBERED_AT_ONCE):
        seen.add(digests[at : at + REMEMBERED_AT_ONCE], at=now, complete_until=now)
    seen.close()


@contextmanager
def collecting(log: Path) -> Iterator[tuple[int, int]]:
    """Run a collector; yield its process id and its port."""
    command = [sys.executable, "-m", "lastclick", "collect"]
    command += ["--listen", "127.0.0.1:0", "--to", str(log)]
    environment = {name: text for name, text in os.environ.items() if name != "LASTCLICK_SECRETS"}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # that there are no secrets
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().partition("/v1/")[0]
            yield process.pid, int(address.rpartition(":")[2])
        finally:
            process.terminate()


def _sent(
    events: list[str], port: int, senders: int, a_body: int, seconds: float, folder: Path
) -> tuple[float, float, list[str]]:
    """Have senders share the events; return when it began and ended, and the ids acknowledged."""
    processes = []
    for number in range(senders):
        file = folder / f"sender-{number}.jsonl"
        file.write_text("".join(events[number::senders]), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.collect", "--send", str(file)]
        command += ["--port", str(port), "--a-body", str(a_body), "--seconds", str(seconds)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [json.loads(process.communicate()[0]) for process in processes]
    ended = max(one["ended"] for one in told)
    return began, ended, [event for one in told for event in one["acknowledged"]]


def _wait_for_gzip(log: Path) -> None:
    """Wait until only the segment that is written to is plain."""
    until = time.monotonic() + GZIPPING
    while time.monotonic() < until:
        if len([*log.glob("*.jsonl")]) <= 1 and not [*log.glob("*.tmp")]:
            return
        time.sleep(0.1)
    raise AssertionError(f"segments are not compressed after {GZIPPING:g} s")


def _seconds_of_gzip(log: Path) -> float:
    """Return the CPU of compressing the last segment, which a collector does when it has ended."""
    began = time.process_time()
    for segment in log.glob("*.jsonl"):
        gzip.compress(segment.read_bytes(), 6)
    return time.process_time() - began


def report(
    senders: list[int], a_body: list[int], *, seconds: float, events: int, remembered: int = 0
) -> str:
    """Measure each number of senders with each size of body; return Markdown."""
    made = list(dict.fromkeys(lines(events, seed=1)))  # the log has some twice
    rows = []
    for size in a_body:
        for number in senders:
            taken = measure(
                made, senders=number, a_body=size, seconds=seconds, remembered=remembered
            )
            once = taken.acknowledged - taken.missing - taken.twice
            rows.append(
                (
                    f"{size} events a body, {number} senders",
                    f"{taken.acknowledged / taken.seconds:,.0f}",
                    f"{taken.cpu / taken.acknowledged * 1e6:.0f}",
                    f"{taken.peak_mib:,.0f}",
                    f"{taken.acknowledged:,}",
                    f"{once:,}",
                )
            )
    head = (
        "collector",
        "events/s",
        "CPU µs an event",
        "peak MiB",
        "acknowledged",
        "in the log once",
    )
    before = f", {remembered:,} events remembered" if remembered else ""
    a_line = sum(map(len, made)) / len(made)
    return (
        f"## One collector\n\n{seconds:g} s each, {a_line:.0f} bytes a line{before}.\n\n"
        f"{table(head, rows)}\n"
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collect", description=__doc__)
    parser.add_argument("--senders", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--a-body", type=int, nargs="+", default=[500, 20], metavar="EVENTS")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--events", type=int, default=250_000, help="made before (%(default)s)")
    parser.add_argument(
        "--remembered", type=int, default=0, metavar="EVENTS", help="that it has taken before"
    )
    parser.add_argument("--send", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        send(options.port, options.send, options.a_body[0], options.seconds)
        return
    print(f"{machine()}\n")
    print(
        report(
            options.senders,
            options.a_body,
            seconds=options.seconds,
            events=options.events,
            remembered=options.remembered,
        )
    )


if __name__ == "__main__":
    main()
