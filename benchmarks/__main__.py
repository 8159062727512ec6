"""Run all benchmarks and print Markdown: `python -m benchmarks [--full]`, or `make bench`."""

import argparse
from pathlib import Path

from benchmarks import collect, delivery, emit, imports, page, read, request
from benchmarks.child import machine


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="also 5 million events (20 minutes)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep and reuse logs in DIR")
    options = parser.parse_args()
    sizes = [100_000, 1_000_000, *([5_000_000] if options.full else [])]
    print(f"# What lastclick costs\n\n{machine()}\n", flush=True)
    print(emit.report(rounds=7), flush=True)
    print(imports.report(runs=15), flush=True)
    print(delivery.report(rounds=3, runs=7), flush=True)
    print(request.report(requests=5000), flush=True)
    print(collect.report([2, 8], [500, 20], seconds=15, events=250_000), flush=True)
    print(page.report(runs=9), flush=True)
    readers = [reader for reader in read.READERS if reader not in read.NEEDS]
    print(read.report(sizes, seed=1, runs=3, readers=readers, keep=options.keep))


if __name__ == "__main__":
    main()
