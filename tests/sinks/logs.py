"""Events to write to a log, and the log read back line by line."""

import gzip
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lastclick.events import (
    Attributes,
    EventsLost,
    FunnelDeclared,
    Step,
    StepEntered,
    new_id,
)
from lastclick.sinks import _upkeep

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def entered(number: int | str = 1, *, funnel: str = "checkout", note: str = "") -> StepEntered:
    """An event that can be told by its number."""
    return StepEntered(
        event_id=f"e-{number}",
        funnel=funnel,
        checkout_id="c-1",
        occurred_at=NOON,
        step="cart",
        attributes=Attributes({"note": note} if note else {}),
    )


def declared(funnel: str = "checkout", *steps: str) -> FunnelDeclared:
    """The declaration of a funnel."""
    return FunnelDeclared(
        event_id=new_id(),
        funnel=funnel,
        occurred_at=NOON,
        steps=tuple(Step(name) for name in steps or ("cart", "payment")),
        abandon_after=timedelta(minutes=30),
        recover_within=timedelta(days=7),
    )


def lost(count: int, reason: str = "no_id", *, hour: int = 0, kept: bool = False) -> EventsLost:
    """A record of what a funnel rejected."""
    at = NOON + timedelta(hours=hour)
    return EventsLost(
        event_id=new_id(),
        funnel="checkout",
        occurred_at=at,
        source="funnel",
        reason=reason,
        count=count,
        since=at,
        until=at,
        kept=kept,
    )


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for what a thread or another process is about to do."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.002)


def settle() -> None:
    """Wait until no upkeep is at work in this process."""
    until(lambda: not _upkeep._asked and not _upkeep._working.locked())


def segments(directory: Path) -> list[Path]:
    """The segments of a log, oldest first, once no upkeep renames them any more.

    One that a process was killed while compressing may stand there twice; it is given once.
    """
    settle()
    packed = [path for path in directory.glob("*.jsonl.gz") if not path.with_suffix("").exists()]
    return sorted([*directory.glob("*.jsonl"), *packed])


def content(segment: Path) -> bytes:
    """What is in a segment, gzipped or not."""
    return (
        gzip.decompress(segment.read_bytes()) if segment.suffix == ".gz" else segment.read_bytes()
    )


def read(directory: Path) -> list[dict]:
    """Every line of a log; each must be whole or blank, and every file end with a newline."""
    lines = []
    for segment in segments(directory):
        text = content(segment)
        assert text == b"" or text.endswith(b"\n"), f"{segment.name} has a torn tail"
        lines += [json.loads(line) for line in text.splitlines() if line.strip()]
    return lines


def ids(directory: Path) -> list[str]:
    """The ids of the shopper events in a log, in its order."""
    own = {"funnel_declared", "events_lost"}
    return [line["event_id"] for line in read(directory) if line["type"] not in own]


def open_files(directory: Path) -> list[Path]:
    """The files of a log that this process has open, once no upkeep is at work any more."""
    settle()
    links = [fd.readlink() for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
    return sorted(path for path in links if path.parent == directory)


def fork(work: Callable[[], object], *, beside_threads: bool = False) -> int:
    """Do the work in a forked child that leaves as a killed one does: without exit handlers.

    Beside threads it is killed for real: coverage's way out of `os._exit` waits for a lock of its
    own, which such a child may have inherited.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - the child must not go on with its parent's tests
        traceback.print_exc(file=sys.stderr)
    finally:
        if beside_threads:
            os.kill(os.getpid(), signal.SIGABRT if code else signal.SIGKILL)
        os._exit(code)


def succeeded(pid: int) -> bool:
    """Wait for a forked child; whether its work was done."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in {0, -signal.SIGKILL}


def all_succeeded(pids: list[int]) -> bool:
    """Wait for all forked children."""
    done = [succeeded(pid) for pid in pids]
    return all(done)
