"""What `import lastclick` costs, beside pydantic's own first model, and what it loads.

    python -m benchmarks.imports

Each figure is from a fresh interpreter; the subjects take turns. The interpreter's own start is
not in it.
"""

import argparse
import statistics
import subprocess
import sys

from benchmarks.child import machine, table

SUBJECTS = {
    "pydantic and a first model": (
        "from pydantic import BaseModel\nclass First(BaseModel):\n    name: str\nFirst(name='x')\n"
    ),
    "`lastclick` and its sinks": (
        "from lastclick import Checkout, Funnel, Money, Step\n"
        "from lastclick.sinks import FileSink, MemorySink\n"
    ),
    "the same, and a `Funnel`": (
        "import lastclick\nfrom lastclick.sinks import FileSink, MemorySink\n"
        "lastclick.Funnel('checkout', steps=('cart',), sink=MemorySink())\n"
    ),
    "the same, and a first event": (
        "import lastclick\nfrom lastclick.sinks import FileSink, MemorySink\n"
        "funnel = lastclick.Funnel('checkout', steps=('cart',), sink=MemorySink())\n"
        "funnel.checkout('c-1').enter('cart')\n"
    ),
}
FIRST = next(iter(SUBJECTS))
UNWANTED = (
    *("asyncio", "concurrent.futures", "email", "http", "http.client", "requests", "httpx"),
    *("aiohttp", "socket", "ssl", "urllib.request", "urllib3", "django", "flask", "starlette"),
    *("typer", "click", "rich", "pandas", "numpy", "multiprocessing", "sqlite3", "tomllib"),
)

_TIMER = """\
import sys, time
before = set(sys.modules)
began, cpu = time.perf_counter(), time.process_time()
{work}
cpu, seconds = time.process_time() - cpu, time.perf_counter() - began
print(seconds, cpu, *sorted(set(sys.modules) - before))
"""


def once(work: str, python: str = sys.executable) -> tuple[float, float, set[str]]:
    """Run `work` in a fresh interpreter; return its milliseconds, of CPU too, and its modules."""
    command = [python, "-c", _TIMER.format(work=work)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, cpu, *modules = done.stdout.split()
    return float(seconds) * 1000, float(cpu) * 1000, set(modules)


def report(runs: int) -> str:
    """Measure every subject `runs` times, in turns; return Markdown."""
    times: dict[str, list[float]] = {name: [] for name in SUBJECTS}
    cpus: dict[str, list[float]] = {name: [] for name in SUBJECTS}
    modules: dict[str, set[str]] = {}
    for number in range(runs + 1):
        for name, work in SUBJECTS.items():
            milliseconds, cpu, modules[name] = once(work)
            if number:  # the first run reads the files from the disk
                times[name].append(milliseconds)
                cpus[name].append(cpu)
    first = statistics.median(times[FIRST])
    rows = []
    for name, taken in times.items():
        unwanted = sorted(modules[name] & set(UNWANTED))
        rows.append(
            (
                name,
                f"{statistics.median(taken):.1f}",
                f"{min(taken):.1f}",
                f"{_beyond(taken, times[FIRST]):+.1f}" if name != FIRST else "",
                f"{min(cpus[name]):.1f}",
                f"{_ratio(cpus[name], cpus[FIRST]):.2f}",
                str(len(modules[name])),
                ", ".join(unwanted) or "none",
            )
        )
    extra = sorted(modules["the same, and a first event"] - modules[FIRST])
    own = [name for name in extra if not name.startswith("lastclick")]
    head = (
        *("import", "median ms", "best ms", "beyond pydantic ms", "best CPU ms", "x its CPU"),
        *("modules", "of the unwanted"),
    )
    return (
        f"## Import\n\n{runs} fresh interpreters each. Target: pydantic's first model "
        f"({first:.0f} ms here) + 15 ms, no HTTP or framework module.\n\n{table(head, rows)}\n\n"
        f"Beyond pydantic's and lastclick's own: {', '.join(own) or 'none'}.\n"
    )


# Turn by turn, so that a slow moment of the machine meets both.


def _beyond(mine: list[float], theirs: list[float]) -> float:
    return statistics.median(one - other for one, other in zip(mine, theirs, strict=True))


def _ratio(mine: list[float], theirs: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(mine, theirs, strict=True))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    print(f"{machine()}\n\n{report(options.runs)}")


if __name__ == "__main__":
    main()
