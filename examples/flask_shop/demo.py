"""The demo: a shop, a month of shoppers, the report about them, and whether it is true."""

import shutil
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.flask_shop.browser import Staff, Web
from examples.flask_shop.checks import Check, against_books, against_notes
from examples.flask_shop.month import Notes, Progress, send_shoppers
from examples.flask_shop.server import DemoClock, shop_process
from examples.flask_shop.shoppers import END, START, World
from lastclick import Report, journeys, measure, read_log

LOG = Path("demo-log")
PASSWORD = "only for the demo"


@dataclass(frozen=True)
class Result:
    """What came out."""

    report: Report
    notes: Notes
    by_notes: tuple[Check, ...]
    by_books: tuple[Check, ...]


def run(log: Path, *, shoppers: int, seed: int) -> Result:
    """Send the shoppers through a shop that records to `log`, then measure and check."""
    with TemporaryDirectory(prefix="shop-") as folder:
        database = Path(folder) / "shop.db"
        notes = record(log, database, shoppers=shoppers, seed=seed)
        recorded = read_log(log)
        report = measure(recorded, by="device")
        told = journeys(recorded, as_of=END)
        return Result(
            report,
            notes,
            by_notes=tuple(against_notes(report, notes)),
            by_books=tuple(against_books(report, told, len(notes.robots), database)),
        )


def record(log: Path, database: Path, *, shoppers: int, seed: int) -> Notes:
    """Open the shop, let October happen, and take the shop's process away."""
    clock = DemoClock()
    clock.set(START)
    with shop_process(database, log, clock, staff_password=PASSWORD) as port:
        print(f"The shop is open: http://127.0.0.1:{port}/", flush=True)
        web = Web("127.0.0.1", port)
        staff = Staff(web, PASSWORD, database)
        try:
            return send_shoppers(
                World(web, staff, clock), count=shoppers, seed=seed, progress=_tell
            )
        finally:
            staff.close()
            web.close()


def _tell(progress: Progress) -> None:
    yesterday = progress.now - timedelta(days=1)
    print(
        f"  {yesterday:%d %B}: {progress.shoppers:>3} shoppers so far, "
        f"{progress.requests:>5,} requests",
        flush=True,
    )


def show(result: Result, log: Path) -> int:
    """Print the report and each check; 0 if all hold, else 1."""
    print()
    print(measure(read_log(log)))
    print()
    print(f"{'Is it true?':<54}{'the report':>16}{'the shoppers':>16}")
    for check in result.by_notes:
        print(check)
    print(f"{'':<54}{'the report':>16}{'the books':>16}")
    for check in result.by_books:
        print(check)
    print()
    hold = [check.holds for check in (*result.by_notes, *result.by_books)]
    print(f"{sum(hold)} of {len(hold)} checks hold.")
    if not all(hold):
        print("The report is not what happened.", file=sys.stderr)
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 if every check holds, else 1."""
    parser = ArgumentParser(prog="python -m examples.flask_shop", description=__doc__)
    parser.add_argument("--shoppers", type=int, default=400, help="how many come (400)")
    parser.add_argument("--seed", type=int, default=20261031, help="another month of shoppers")
    parser.add_argument("--log", type=Path, default=LOG, help="where to record (demo-log)")
    options = parser.parse_args(arguments)
    began = time.monotonic()

    shutil.rmtree(options.log, ignore_errors=True)
    print(f"{options.shoppers} shoppers go to a small shop, through October 2026.")
    result = run(options.log, shoppers=options.shoppers, seed=options.seed)
    code = show(result, options.log)
    print(
        f"{result.notes.requests:,} requests, {time.monotonic() - began:.1f} s. "
        f"The log is in {options.log}/."
    )
    print("What to type next:")
    for more in ("", " --by device", " --every week"):
        print(f"  .venv/bin/lastclick report {options.log}{more}")
    page = options.log.with_suffix(".html")
    page.write_text(measure(read_log(options.log), by="device").to_html(), encoding="utf-8")
    print(f"The same as a page, to look at in a browser:\n  {page.resolve()}")
    return code
