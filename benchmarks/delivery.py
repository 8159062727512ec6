"""What it costs to record an event and get it to a server, beside the event SDKs of the field.

    python -m benchmarks.delivery

Each figure is from fresh processes that know one subject and the floor of benchmarks/emit.py; the
subjects take turns within a round. All of them send to the loopback server of
benchmarks/receiver.py, whose CPU is not counted. README.md beside this file says how to read it.
"""

import argparse
import contextlib
import gc
import importlib.metadata
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import emit, imports
from benchmarks.child import machine, peers_python, resident_mib, run, table
from benchmarks.emit import BURST, PAUSE, busy_thread, time_calls
from benchmarks.peers import FLOOR, SUBJECTS, Client, Setup
from benchmarks.receiver import Receiver, receiver

CALLS = 1_000
BUSY_CALLS = 200
BUSY_PAUSE = 0.002
LIVE = 2_000  # events, in bursts with pauses
FLAT_OUT = 10_000  # events, as fast as the calls return
QUEUED = 20_000  # events, with a server that never answers
CALLING = 5.0  # seconds: a subject that waits for the network makes fewer calls
ARRIVING = 20.0  # seconds: what has not arrived by then is not counted
DEADLINE = 120  # seconds for one process

Figures = dict[str, Any]


# ---- in the process that is measured


def measure(subject: str, setup: Setup, part: int = 1) -> Figures:
    """Measure one subject once, in this process, with one `part`th of the calls."""
    client, floor = SUBJECTS[subject].connect(setup), emit.floor()
    time_calls(floor, BURST)
    time_calls(client.call, BURST)  # threads and connections are there from now on
    client.flush()
    mine, floors = [], []
    for _ in range(CALLS // part // BURST):
        floors += time_calls(floor, BURST)
        time.sleep(PAUSE)
        mine += time_calls(client.call, BURST)
        time.sleep(PAUSE)
    found: Figures = {"calls": mine, "floor": statistics.median(floors)}
    if subject != FLOOR:
        server = Receiver(setup.url)
        client.flush()
        server.wait(BURST + CALLS // part, ARRIVING)
        found["live"] = _deliver(client, server, LIVE // part, PAUSE)
        found["flat out"] = _deliver(client, server, FLAT_OUT // part, 0)
    found["busy"] = _beside_busy_thread(client, BUSY_CALLS // part)
    return found


def _deliver(client: Client, server: Receiver, calls: int, pause: float) -> Figures:
    """Call and flush; return the CPU of the whole process and the seconds until all arrived."""
    before, made = server.counts()["events"], 0
    began, cpu = time.perf_counter(), time.process_time()
    while made < calls and time.perf_counter() - began < CALLING:
        for _ in range(BURST):
            client.call()
        made += BURST
        if pause:
            time.sleep(pause)
    client.flush()
    asking = time.thread_time()
    arrived = server.wait(before + made, ARRIVING)["events"] - before
    asking = time.thread_time() - asking
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu - asking,
        "made": made,
        "arrived": arrived,
    }


def _beside_busy_thread(client: Client, calls: int) -> list[int]:
    times: list[int] = []
    began = time.perf_counter()
    with busy_thread():
        while len(times) < calls and time.perf_counter() - began < CALLING:
            time.sleep(BUSY_PAUSE)
            times += time_calls(client.call, 1)
    return times


def measure_memory(subject: str, setup: Setup, part: int = 1) -> float | None:
    """Return the bytes that this process grows by for each event that it cannot deliver.

    None if a call waits for the server, which never answers.
    """
    client = SUBJECTS[subject].connect(setup)
    first = threading.Thread(target=time_calls, args=(client.call, 2 * BURST), daemon=True)
    first.start()
    first.join(CALLING)
    if first.is_alive():
        return None
    time.sleep(1)  # threads are there, and a first request hangs
    gc.collect()
    before, events = resident_mib(), QUEUED // part
    time_calls(client.call, events)
    return (resident_mib() - before) * 1024**2 / events


def versions() -> dict[str, str]:
    """Return the version of each subject that can be imported here."""
    found = {FLOOR: ""}
    for name, subject in SUBJECTS.items():
        with contextlib.suppress(ImportError):
            if subject.package:
                exec(subject.imports, {})  # noqa: S102 # what a program would import
                found[name] = f"{subject.package} {importlib.metadata.version(subject.package)}"
    return found


# ---- in the process that asks


def installed(python: str) -> dict[str, str]:
    """Return the version of each subject that `python` can import."""
    found: dict[str, str] = run("benchmarks.delivery", "--child", "versions", python=python)
    return found


def _ask(python: str, what: str, subject: str, part: int) -> Any:
    """Measure in a fresh process."""
    with receiver() as server, tempfile.TemporaryDirectory() as directory:
        server.answer(hang=what == "memory")
        arguments = (
            *("--child", what, "--subject", subject, "--part", str(part)),
            *("--url", server.url, "--to", directory),
        )
        return run("benchmarks.delivery", *arguments, python=python, timeout=DEADLINE)


def report(rounds: int, runs: int, part: int = 1, only: str = "") -> str:
    """Measure; return Markdown."""
    python = peers_python()
    found = installed(python)
    names = [name for name in found if name == FLOOR or only.lower() in name.lower()]
    parts: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
            parts[name].append(_ask(python, "measure", name, part))
    memory = {
        name: [_ask(python, "memory", name, part) for _ in range(min(rounds, 3))]
        for name in names[1:]
    }
    taken = _imports(python, names[1:], runs)
    named = ", ".join(dict.fromkeys(found[name] for name in names[1:])) or "nothing but the floor"
    return (
        f"## One call, with its delivery going on\n\n{rounds} rounds x {CALLS // part:,} calls; "
        f"busy: {rounds} x {BUSY_CALLS // part} calls {BUSY_PAUSE * 1000:.0f} ms apart beside one "
        f"busy Python thread.\n\n{_calls(parts)}\n\n## Getting it there\n\n{rounds} rounds; live: "
        f"{LIVE // part:,} events in bursts of {BURST}, {PAUSE * 1000:.0f} ms apart; flat out: "
        f"{FLAT_OUT // part:,}; queued: {QUEUED // part:,}; {runs} fresh interpreters for each "
        f"import.\n\n{_deliveries(parts, memory, taken)}\n\nMeasured: {named}.\n"
    )


def _imports(python: str, names: list[str], runs: int) -> dict[str, tuple[float, float]]:
    """Return the CPU milliseconds of each import, and those beyond pydantic and a first model."""
    first = imports.SUBJECTS[imports.FIRST]
    works = dict.fromkeys(SUBJECTS[name].imports for name in names)
    taken: dict[str, list[tuple[float, float]]] = {work: [] for work in works}
    for number in range(runs + 1):
        _, base, _ = imports.once(first, python)
        for work in works:
            _, cpu, _ = imports.once(work, python)
            if number:  # the first run reads the files from the disk
                taken[work].append((cpu, cpu - base))
    return {
        name: (statistics.median(cpu for cpu, _ in one), statistics.median(more for _, more in one))
        for name, one in ((name, taken[SUBJECTS[name].imports]) for name in names)
    }


def _calls(parts: dict[str, list[Figures]]) -> str:
    rows = []
    for name, rounds in parts.items():
        calls = sorted(one for part in rounds for one in part["calls"])
        busy = sorted(one for part in rounds for one in part["busy"])
        ratio = statistics.median(statistics.median(p["calls"]) / p["floor"] for p in rounds)
        rows.append(
            (
                name,
                f"{calls[len(calls) // 2] / 1000:,.1f}",
                f"{calls[len(calls) * 99 // 100] / 1000:,.0f}",
                f"{ratio:,.1f}",
                f"{busy[len(busy) // 2] / 1000:,.0f}",
                f"{busy[len(busy) * 99 // 100] / 1000:,.0f}",
            )
        )
    head = ("", "p50 µs", "p99 µs", "x floor", "busy p50 µs", "busy p99 µs")
    return table(head, rows)


def _deliveries(
    parts: dict[str, list[Figures]],
    memory: dict[str, list[float | None]],
    taken: dict[str, tuple[float, float]],
) -> str:
    rows = []
    for name, rounds in parts.items():
        if name == FLOOR:
            continue
        cpu, ratio = {}, {}
        for kind in ("live", "flat out"):
            # An event that did not arrive has no cost of delivery.
            each = [part[kind]["cpu"] * 1e9 / max(part[kind]["arrived"], 1) for part in rounds]
            floors = [part["floor"] for part in rounds]
            cpu[kind] = statistics.median(each) / 1000
            ratio[kind] = statistics.median(c / f for c, f in zip(each, floors, strict=True))
        flat = [part["flat out"] for part in rounds]
        missing = sum(p[kind]["made"] - p[kind]["arrived"] for p in rounds for kind in cpu)
        queued = [one for one in memory[name] if one is not None]
        rows.append(
            (
                name,
                f"{cpu['live']:,.1f}",
                f"{ratio['live']:,.1f}",
                f"{cpu['flat out']:,.1f}",
                f"{ratio['flat out']:,.1f}",
                f"{statistics.median(p['arrived'] / p['seconds'] for p in flat):,.0f}",
                f"{missing:,}",
                f"{statistics.median(queued):,.0f}" if queued else "the call waits",
                f"{taken[name][0]:,.0f}",
                f"{taken[name][1]:+,.0f}",
            )
        )
    head = (
        *("", "CPU µs an event, live", "x floor", "CPU µs an event, flat out", "x floor"),
        *(
            "events a second",
            "did not arrive",
            "bytes a queued event",
            "import, CPU ms",
            "beyond pydantic",
        ),
    )
    return table(head, rows)


def _child(options: argparse.Namespace) -> Any:
    if options.child == "versions":
        return versions()
    ids: Iterator[str] = (f"bench-0-{number}" for number in count())
    setup = Setup(options.url, options.to, ids, roomy=True)
    work = measure if options.child == "measure" else measure_memory
    # Some log each request, most that the server does not answer.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        return work(options.subject, setup, options.part)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delivery", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=11, help="fresh interpreters for each import")
    parser.add_argument("--quick", action="store_true", help="one round, a tenth of it all")
    parser.add_argument("--only", default="", metavar="NAME", help="subjects with NAME in them")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--part", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_child(options)), flush=True)
        os._exit(0)  # some cannot be left otherwise while their server hangs
    rounds, runs, part = (1, 3, 10) if options.quick else (options.rounds, options.runs, 1)
    print(f"{machine()}\n\n{report(rounds, runs, part, options.only)}")


if __name__ == "__main__":
    main()
