"""What a daily report costs once a year was rolled, beside reading the year and the day.

    python -m benchmarks.roll --events 2000000

A made-up shop's year and a day, one file a day. 365 days are rolled; then the last day comes, is
rolled, and reported on. Beside it, everything is read and reported on, and the two reports are
compared, to the digit. Seconds are of the CPU, since other things may be running.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from benchmarks.generate import declaration, lines
from lastclick import measure, read_log
from lastclick.rolled import read_rolled, roll

DAYS = 366

T = TypeVar("T")


def write_days(directory: Path, events: int, seed: int) -> list[Path]:
    """A year and a day, in about as many events a file."""
    directory.mkdir(parents=True)
    source, a_day = lines(events, seed, timedelta(days=DAYS)), -(-events // DAYS)
    files = []
    for day in range(1, DAYS + 1):
        files.append(directory / f"day-{day:03d}.jsonl")
        files[-1].write_text(declaration() + "".join(islice(source, a_day)), encoding="utf-8")
    return files


def timed(what: str, work: Callable[[], T]) -> tuple[T, float]:
    """Do it, and say how many seconds of the CPU it took."""
    began = time.process_time()
    result = work()
    took = time.process_time() - began
    print(f"{what:<34}{took:>9.2f} s")
    return result, took


def compare(folder: Path, events: int, seed: int) -> bool:
    """Print what each way takes; whether the reports are the same."""
    log, state = folder / "log", folder / "rolled"
    last = write_days(log, events, seed)[-1]
    later = folder / last.name
    last.rename(later)
    size = sum(file.stat().st_size for file in log.iterdir())
    timed("roll 365 days, the first time", lambda: roll(log, state))
    later.rename(last)
    done, rolling = timed("roll day 366", lambda: roll(log, state))
    report, telling = timed("report of what was rolled", lambda: read_rolled(state))
    whole, reading = timed("read everything and report", lambda: measure(read_log(log)))
    same = report.to_dict() == whole.to_dict()
    kept = sum(file.stat().st_size for file in state.iterdir())
    print(
        f"{events:,} events, log {size / 1e6:,.0f} MB, state {kept / 1e6:,.0f} MB\n"
        f"day 366: {done.events:,} new events, {done.sets:,} sets of journeys counted anew, "
        f"of {len(done.days)} days, {len(done.changed)} of them with other figures\n"
        f"a daily report: {rolling + telling:.1f} s instead of {reading:.1f} s, "
        f"{reading / (rolling + telling):.0f} times less\n"
        f"the same to the digit: {'yes' if same else 'NO'}"
    )
    return same


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roll", description=__doc__)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lastclick-roll-") as folder:
        return 0 if compare(Path(folder), options.events, options.seed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
