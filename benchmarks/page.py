"""What a page costs after counting, and how large it is: of the demo's month.

    python -m benchmarks.page

Targets: 200 ms and 150 kB for a usual report. The slowest time of a language is the first one,
which reads its catalogue.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.child import machine, table
from lastclick import Report, _demo, measure, read_log
from lastclick.page import report_page
from lastclick.page._messages import languages

Draw = Callable[[Report], str]


def _drawings() -> dict[str, Draw]:
    def in_language(language: str) -> Draw:
        return lambda report: report_page(report, language=language).to_html()

    pages = {f"page, {language}": in_language(language) for language in languages()}
    return {
        **pages,
        "Markdown": lambda report: report_page(report).to_markdown(),
        "JSON": lambda report: report_page(report).to_json(),
        "digest": lambda report: report_page(report).to_digest(),
    }


def report(runs: int, shoppers: int = 4000) -> str:
    """Draw each form some times, in turns; return Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        _demo.play(Path(folder), shoppers=shoppers, seed=1)
        found = measure(read_log(folder), by="device")
    times: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    for _ in range(runs):
        for form, draw in _drawings().items():
            began = time.process_time()
            drawn = draw(found)
            times.setdefault(form, []).append(time.process_time() - began)
            sizes[form] = len(drawn.encode())
    rows = [
        (
            form,
            f"{1000 * statistics.median(taken):.0f}",
            f"{1000 * max(taken):.0f}",
            f"{sizes[form]:,}",
        )
        for form, taken in times.items()
    ]
    head = ("form", "median CPU ms", "slowest", "bytes")
    return (
        f"## Page\n\n{shoppers:,} shoppers, {runs} times each. From a counted report to the "
        f"text of a file. Targets: 200 ms and 150,000 bytes.\n\n{table(head, rows)}\n"
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    print(f"{machine()}\n\n{report(options.runs)}")


if __name__ == "__main__":
    main()
