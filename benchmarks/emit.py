"""What one tracking call costs in the caller's thread, as a ratio to a floor in the same run.

    python -m benchmarks.emit

The floor is what the plainest hand-made tracking would do: `json.dumps` of a dict of 8 fields and
an append to a list. Subjects take turns within a round, 1,000 calls each in bursts of 100 with a
pause between them, so that a slow moment of the machine meets all of them. The ratio is the median
over the rounds of (median call / median floor call).
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.child import machine, run, table

CALLS = 1_000
BURST = 100
PAUSE = 0.02
BUSY_CALLS = 400
BUSY_PAUSE = 0.002
STEPS = ("cart", "details", "shipping", "payment")
FLOOR = "floor: `json.dumps` of 8 fields, `list.append`"

Call = Callable[[], object]


def subjects(directory: Path) -> dict[str, Call]:
    """Return all calls by name, each with sinks of its own; the floor first."""
    from lastclick import Checkout, Funnel, Money
    from lastclick.errors import raise_errors
    from lastclick.sinks import FileSink, MemorySink

    def handle(sink: Any) -> Checkout[Any]:
        # A benchmark must not time rejected events, so whatever is wrong is raised.
        funnel = Funnel("checkout", steps=STEPS, sink=sink, on_error=raise_errors)
        return funnel.checkout("c-1042", customer_id="u-7", attributes={"device": "mobile"})

    value = Money("59.90", "EUR")
    memory, plain, made, done = (handle(MemorySink()) for _ in range(4))
    file, later = (
        handle(FileSink(directory / "lastclick")),
        handle(FileSink(directory / "x", "exit")),
    )
    written = floor(directory / "floor.jsonl")
    return {
        FLOOR: floor(),
        "the floor and one `os.write`": written,
        "`enter(step)`, memory": lambda: plain.enter("payment"),
        "`enter(step, value=...)`, memory": lambda: memory.enter("payment", value=value),
        '`enter(step, value=("59.90", "EUR"))`, memory': lambda: made.enter(
            "payment", value=("59.90", "EUR")
        ),
        "`complete(order_id, total)`, memory": lambda: done.complete("o-981", total=value),
        '`enter(step, value=...)`, `FileSink("process")`': lambda: file.enter(
            "payment", value=value
        ),
        '`enter(step, value=...)`, `FileSink("exit")`': lambda: later.enter("payment", value=value),
    }


def floor(path: Path | None = None) -> Call:
    """Return the floor; with a path, one that also writes its line to that file."""
    kept: list[str] = []
    event_id, checkout, customer = "0199a0b2-6c3f-7d2e-9b1a-1f2e3d4c5b6a", "c-1042", "u-7"
    file = -1 if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def call() -> None:
        line = json.dumps(
            {
                "type": "step_entered",
                "event_id": event_id,
                "funnel": "checkout",
                "checkout_id": checkout,
                "customer_id": customer,
                "occurred_at": "2026-10-01T12:00:00.000000Z",
                "step": "payment",
                "value": "59.90",
            }
        )
        if file < 0:
            kept.append(line)
        else:
            os.write(file, line.encode() + b"\n")

    return call


def measure_calls(rounds: int) -> dict[str, dict[str, float]]:
    """Time every subject in this process; return the figures of each by name."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        times: dict[str, list[list[int]]] = {}
        for number in range(rounds):
            # New sinks each round: none gets slower because its list has grown long.
            calls = subjects(Path(directory, f"round-{number}"))
            for call in calls.values():
                time_calls(call, BURST)
            for name in calls:
                times.setdefault(name, []).append([])
            for _ in range(CALLS // BURST):
                for name, call in calls.items():
                    times[name][-1] += time_calls(call, BURST)
                    time.sleep(PAUSE)
        floors = [statistics.median(part) for part in times[FLOOR]]
        for name, parts in times.items():
            whole = sorted(one for part in parts for one in part)
            ratios = [statistics.median(p) / f for p, f in zip(parts, floors, strict=True)]
            found[name] = {
                "p50": whole[len(whole) // 2] / 1000,
                "p99": whole[len(whole) * 99 // 100] / 1000,
                "ratio": statistics.median(ratios),
            }
        calls = subjects(Path(directory, "busy"))
        for name, call in calls.items():
            found[name] |= _beside_busy_thread(call)
        for name, call in subjects(Path(directory, "memory")).items():
            found[name] |= _memory(call)
    return found


def time_calls(call: Call, count: int) -> list[int]:
    """Return how long each of `count` calls took, in nanoseconds."""
    clock = time.perf_counter_ns
    times = []
    for _ in range(count):
        began = clock()
        call()
        times.append(clock() - began)
    return times


def _beside_busy_thread(call: Call) -> dict[str, float]:
    """Time calls a little apart while another thread wants the interpreter all the time."""
    times = []
    with busy_thread():
        for _ in range(BUSY_CALLS):
            time.sleep(BUSY_PAUSE)
            times += time_calls(call, 1)
    times.sort()
    return {
        "busy p50": times[len(times) // 2] / 1000,
        "busy p99": times[len(times) * 99 // 100] / 1000,
    }


@contextmanager
def busy_thread() -> Iterator[None]:
    """Run a thread beside the block that wants the interpreter all the time."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(50))

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _memory(call: Call) -> dict[str, float]:
    """Count what a call leaves behind, and what it holds at most while it runs."""
    time_calls(call, BURST)
    tracemalloc.start()
    before, blocks_before = tracemalloc.get_traced_memory()[0], _blocks()
    for _ in range(CALLS):
        call()
    kept, blocks = tracemalloc.get_traced_memory()[0] - before, _blocks() - blocks_before
    peaks = []
    for _ in range(BURST):
        start = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        call()
        peaks.append(tracemalloc.get_traced_memory()[1] - start)
    tracemalloc.stop()
    return {
        "kept bytes": kept / CALLS,
        "kept blocks": blocks / CALLS,
        "peak bytes": statistics.median(peaks),
    }


def _blocks() -> int:
    return sum(part.count for part in tracemalloc.take_snapshot().statistics("filename"))


def report(rounds: int) -> str:
    """Measure in a process of its own; return Markdown."""
    found: dict[str, dict[str, float]] = run("benchmarks.emit", "--child", "--rounds", str(rounds))
    rows = [
        (
            name,
            f"{one['p50']:.1f}",
            f"{one['p99']:.1f}",
            f"{one['ratio']:.2f}",
            f"{one['busy p50']:,.0f}",
            f"{one['busy p99']:,.0f}",
            f"{one['kept bytes']:,.0f}",
            f"{one['kept blocks']:.1f}",
            f"{one['peak bytes']:,.0f}",
        )
        for name, one in found.items()
    ]
    head = (
        *("one call", "p50 µs", "p99 µs", "x floor", "busy p50 µs", "busy p99 µs"),
        *("kept bytes", "kept blocks", "peak bytes"),
    )
    return (
        f"## One call\n\n{rounds} rounds x {CALLS:,} calls; busy: beside one busy Python thread, "
        f"{BUSY_CALLS} calls {BUSY_PAUSE * 1000:.0f} ms apart. "
        f"Targets: memory <= 2.0 x floor, file <= 3.0 x floor.\n\n{table(head, rows)}\n"
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.emit", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure_calls(options.rounds)))
    else:
        print(f"{machine()}\n\n{report(options.rounds)}")


if __name__ == "__main__":
    main()
