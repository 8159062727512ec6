"""What is lost when something goes wrong, beside the event SDKs of the field.

    python -m benchmarks.faults

Every subject meets every fault in a fresh process, with its default settings, and with a server of
its own. All waits have an end, so what would never end is shown as `> 20 s`. A few subjects are
tried at a time: what counts here is events, and seconds.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.child import machine, peers_python, table
from benchmarks.delivery import installed
from benchmarks.peers import FLOOR, SUBJECTS, Client, Setup
from benchmarks.receiver import Receiver, receiver

EVENTS = 1_000
FORK_EVENTS = 100
BEFORE_FORK = 25
CALLING = 8.0  # seconds: a subject that waits for the network gets through fewer calls
LEAVING = 20.0  # seconds that a process may take to exit
FLUSHING = 10.0
STARTING = 30.0
RATE = 100  # events a second while the server fails
KILL_RATE, KILL_AFTER = 30, 4.2  # a small shop, killed between two batches
OUTAGE = 20.0
RECOVERY = 80.0  # seconds from the start of the outage in which all should have arrived
WITHIN_FORK = 12.0  # seconds in which a child's events should arrive by themselves
TOGETHER = 4  # subjects tried at a time

_kept: list[Client] = []  # as a program keeps it, at module level, to its very end

Cells = tuple[str, ...]
Fault = Callable[["Trial", threading.Barrier], Cells]


# ---- in the process that something goes wrong for


def child(script: str, subject: str, url: str, directory: Path) -> None:
    """Connect, wait for the word, and play one part; a dot is written for each finished call."""
    ids: Iterator[str] = (f"bench-{os.getpid()}-{number}" for number in count())
    client = SUBJECTS[subject].connect(Setup(url, directory, ids, roomy=False))
    _kept.append(client)
    print("ready", flush=True)
    sys.stdin.readline()
    if script == "fork":
        _fork(client)
        return
    if script == "next":
        _call(client, 1, 0)
        _flushed(client)
        return
    events, rate = {
        "exit": (EVENTS, 0),
        "killed": (10 * EVENTS, KILL_RATE),
        "failing": (EVENTS, RATE),
    }[script]
    longest, number = _call(client, events, rate)
    found = {"longest": longest, "first": number == 0, "ended": time.monotonic()}
    print(json.dumps(found), flush=True)
    if script == "failing":
        sys.stdin.readline()  # a server process goes on living
        os._exit(0)


def _call(client: Client, events: int, rate: float) -> tuple[float, int]:
    """Call, `rate` times a second if not 0; return the longest call's seconds and its number."""
    longest, began = (0.0, 0), time.monotonic()
    for number in range(events):
        since = time.monotonic() - began
        if since > (events / rate if rate else CALLING):
            break  # who waits for the network gets through fewer
        if rate:
            time.sleep(max(0.0, number / rate - since))
        called, mark = time.monotonic(), b"."
        try:
            client.call()
        except Exception:  # noqa: BLE001 # whatever it raises, it would raise into a checkout
            mark = b"x"
        longest = max(longest, (time.monotonic() - called, number))
        os.write(1, mark)
    os.write(1, b"\n")
    return longest


def _flushed(client: Client) -> bool:
    def flush() -> None:
        with contextlib.suppress(Exception):
            client.flush()

    flushing = threading.Thread(target=flush, daemon=True)
    flushing.start()
    flushing.join(FLUSHING)
    return not flushing.is_alive()


def _fork(client: Client) -> None:
    for _ in range(BEFORE_FORK):
        client.call()
    pid = os.fork()
    if not pid:
        signal.alarm(60)  # nobody would end it if a lock that it inherited stopped it here
        for _ in range(FORK_EVENTS):
            client.call()
        sys.stdin.readline()
        os._exit(0 if _flushed(client) else 1)
    print(pid, flush=True)
    _, status = os.waitpid(pid, 0)
    print("hangs" if status else "flushed", flush=True)
    _flushed(client)
    os._exit(0)


# ---- in the process that makes it go wrong


class Process:
    """A child that is never outlived by its deadline."""

    def __init__(self, script: str, python: str, subject: str, url: str, directory: str) -> None:
        arguments = ("--child", script, "--subject", subject, "--url", url, "--to", directory)
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.faults", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._deadline = threading.Timer(STARTING + RECOVERY + LEAVING, self._process.kill)
        self._deadline.start()
        assert self.line() == "ready", f"{subject} did not start"

    def line(self) -> str:
        """Return the next line that it prints, or an empty one if it is gone."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def calls(self, seconds: float) -> tuple[int, bool]:
        """Return how many calls came back without an exception, and if it was done with them."""
        patience = threading.Timer(seconds, self._process.kill)
        patience.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        patience.cancel()
        return line.count("."), line.endswith("\n")

    def tell(self) -> None:
        """Say that it may go on."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("\n")
            self._process.stdin.flush()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False if it had to be killed."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """Kill it as an operator would whose patience is over."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Leave nothing behind."""
        self._deadline.cancel()
        if self._process.poll() is None:
            self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


class Trial:
    """One subject, its server and its directory."""

    def __init__(self, python: str, subject: str, server: Receiver, directory: str) -> None:
        self.server = server
        self._what = (python, subject, server.url, directory)

    @contextmanager
    def process(self, script: str) -> Iterator[Process]:
        """Run a child for the block."""
        process = Process(script, *self._what)
        try:
            yield process
        finally:
            process.close()

    def arrived(self) -> int:
        """Return how many events have arrived, once what is under way had time to."""
        time.sleep(0.5)
        return int(self.server.counts()["events"])

    def recovered(self) -> int:
        """Start the program once more, with all well again; return what arrives beside its own."""
        self.server.answer()
        before = self.arrived()
        with self.process("next") as process:
            process.tell()
            process.wait(FLUSHING + LEAVING)
        return max(0, self.arrived() - before - 1)


def exits(**answer: Any) -> Fault:
    """Return the fault of a program that ends without a flush while its server answers so."""

    def fault(trial: Trial, ready: threading.Barrier) -> Cells:
        trial.server.answer(**answer)
        with trial.process("exit") as process:
            ready.wait(STARTING)
            process.tell()
            calls, done = process.calls(CALLING + LEAVING)
            taken = "a call never ends"
            if done:
                ended = json.loads(process.line())["ended"]
                if process.wait(LEAVING):
                    taken = f"{time.monotonic() - ended:.1f} s"
                else:
                    taken = f"> {LEAVING:.0f} s"
        arrived = f"{trial.arrived():,}" + (f" of {calls:,}" if calls < EVENTS else "")
        return (f"{arrived}, {taken}{_later(trial)}",)

    return fault


def killed(trial: Trial, ready: threading.Barrier) -> Cells:
    """The process is killed while events come in slowly."""
    with trial.process("killed") as process:
        ready.wait(STARTING)
        process.tell()
        time.sleep(KILL_AFTER)
        process.kill()
        calls, _ = process.calls(1)
    missing = calls - trial.arrived()
    return (f"{missing:,} of {calls:,}{_later(trial)}",)


def _later(trial: Trial) -> str:
    found = trial.recovered()
    return f", +{found:,}" if found else ""


def outage(trial: Trial, ready: threading.Barrier) -> Cells:
    """The server answers 500 for a while."""
    trial.server.answer(500)
    with trial.process("failing") as process:
        ready.wait(STARTING)
        began = time.monotonic()
        mended = threading.Timer(OUTAGE, trial.server.answer)
        mended.start()
        process.tell()
        calls, done = process.calls(OUTAGE + LEAVING)
        longest = _longest(process, done)
        mended.join()
        counts = trial.server.wait(EVENTS, max(0.0, began + RECOVERY - time.monotonic()))
    return f"{counts['events']:,} of {calls:,}{_again(counts['again'])}", longest


def hung(trial: Trial, ready: threading.Barrier) -> Cells:
    """The server takes connections and never answers."""
    trial.server.answer(hang=True)
    with trial.process("failing") as process:
        ready.wait(STARTING)
        process.tell()
        calls, done = process.calls(LEAVING)
        return f"{calls:,}", _longest(process, done)


def forked(trial: Trial, ready: threading.Barrier) -> Cells:
    """The process forks after its client was made and has recorded a few events."""

    def childs() -> int:
        return int(trial.server.counts()["by"].get(pid, 0))

    with trial.process("fork") as process:
        ready.wait(STARTING)
        process.tell()
        pid = process.line()
        until = time.monotonic() + WITHIN_FORK
        while time.monotonic() < until and childs() < FORK_EVENTS:
            time.sleep(0.1)
        alone = childs()
        process.tell()
        said = process.line()
        process.wait(2 * FLUSHING)
    total = trial.arrived()
    hangs = "" if said == "flushed" else ", `flush` hangs"
    again = trial.server.counts()["again"]
    return (
        f"{alone:,}",
        f"{childs():,}{hangs}",
        f"{total - childs():,}{_again(again)}",
    )


def _again(events: int) -> str:
    return f", {events:,} twice" if events else ""


def _longest(process: Process, done: bool) -> str:
    if not done:
        return "never ended"
    found = json.loads(process.line())
    which = ", the first" if found["first"] else ""
    return f"{found['longest'] * 1000:,.0f} ms{which}"


FAULTS: dict[str, dict[Cells, Fault]] = {
    f"A program records {EVENTS:,} events as fast as it can and ends without a flush, or records "
    f"{KILL_RATE} a second and is killed after {KILL_AFTER} s. What arrived, and the seconds to "
    "the exit; `+`: what arrives once the program is started again": {
        ("exit, server answers at once",): exits(),
        ("in 150 ms",): exits(delay=0.15),
        ("with 500",): exits(status=500),
        ("never",): exits(hang=True),
        ("SIGKILL: missing",): killed,
    },
    f"A program records {RATE} events a second for {EVENTS / RATE:.0f} s. What arrived within "
    f"{RECOVERY:.0f} s, of the calls that returned": {
        (f"{OUTAGE:.0f} s of 500", "longest call"): outage,
        ("server never answers: calls", "longest call"): hung,
    },
    f"A process that has recorded {BEFORE_FORK} events forks. What arrived of its child's "
    f"{FORK_EVENTS} by itself within {WITHIN_FORK:.0f} s, and after a flush; and of its own": {
        ("child's", "after `flush`", "parent's"): forked,
    },
}


def meet(fault: Fault, python: str, names: list[str]) -> dict[str, Cells]:
    """Let subjects meet a fault, a few at a time, all of a group from the same moment on."""
    found: dict[str, Cells] = {}
    for first in range(0, len(names), TOGETHER):
        group = names[first : first + TOGETHER]
        ready = threading.Barrier(len(group))

        def one(name: str, ready: threading.Barrier = ready) -> Cells:
            with receiver() as server, tempfile.TemporaryDirectory() as directory:
                return fault(Trial(python, name, server, directory), ready)

        with ThreadPoolExecutor(len(group)) as pool:
            found.update(zip(group, pool.map(one, group), strict=True))
    return found


def report(only: str = "") -> str:
    """Try everything; return Markdown."""
    python = peers_python()
    names = [name for name in installed(python) if name != FLOOR and only.lower() in name.lower()]
    parts = []
    for title, faults in FAULTS.items():
        head: Cells = ("",)
        rows: dict[str, Cells] = {name: (name,) for name in names}
        for columns, fault in faults.items():
            head += columns
            print(columns[0], file=sys.stderr, flush=True)
            for name, cells in meet(fault, python, names).items():
                rows[name] += cells
        parts.append(f"{title}.\n\n{table(head, list(rows.values()))}\n")
    return "## What is lost\n\n" + "\n".join(parts)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAME", help="subjects with NAME in them")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.subject, options.url, options.to)
    else:
        print(f"{machine()}\n\n{report(options.only)}")


if __name__ == "__main__":
    main()
