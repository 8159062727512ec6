"""From a log on disk to the whole report: time, memory, and whether the answers agree.

    python -m benchmarks.read --events 100000 1000000 --runs 3

Each reading runs in a process of its own; its imports are not timed, reading the files is. DuckDB
computes the same answer (`duckdb_report.sql`) and the two are compared figure by figure; pandas
and polars compute a part of it (`pandas_report.py`, `polars_report.py`), which is compared too.
Sail and chdb stand for Spark and ClickHouse; they and Spark have started before the clock does.
retentioneering draws the closed funnel only, which is compared with ours.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.child import machine, peers_python, run, spark_python, table, timed

MILLION = 1_000_000
#: What holds some 3 kB an event is left out beyond this.
MOST_FOR = {"pandas_read_json": MILLION, "retentioneering": MILLION}
READERS = {
    "lastclick": "`lastclick`: `str(measure(read_log(path)))`",
    "lastclick_2": "the same with `workers=2`",
    "engine": "`lastclick.engines.duckdb.measure(path)`",
    "engine_in_1gb": "the same with `memory_limit = '1GB'`",
    "engine_in_3gb": "the same with `memory_limit = '3GB'`",
    "spark": "`lastclick.engines.spark.measure(path)`, on all cores",
    "sail": "the same by Sail",
    "chdb": "into a table, and `lastclick.engines.clickhouse.measure(table)`, by chdb",
    "duckdb": "DuckDB: the same answer",
    "polars": "polars: a part",
    "pandas": "pandas, read with pyarrow: a part",
    "pandas_read_json": "pandas, `read_json`: a part",
    "retentioneering": "retentioneering: the closed funnel",
}
#: What a reader needs that is not everywhere; these take minutes for a million events.
NEEDS = {
    "spark": ("pyspark.core",),
    "sail": ("pysail", "pyspark"),
    "chdb": ("chdb",),
    "retentioneering": ("retentioneering",),
}
#: Readers in an environment of their own.
PYTHONS = {"retentioneering": peers_python, "spark": spark_python}
#: Bytes of lines that go into a table at a time.
INSERT = 16_000_000


def read_lastclick(log: Path, workers: int = 1) -> dict[str, Any]:
    """Make the report as users do, and print it."""
    import lastclick
    from benchmarks import lastclick_report

    def work() -> Any:
        report = lastclick.measure(lastclick.read_log(log), workers=workers)
        return report, str(report)

    figures, (report, _) = timed(work)
    return {**figures, "answer": lastclick_report.answer(report), "digest": digest(report)}


def read_lastclick_2(log: Path) -> dict[str, Any]:
    """The same by two processes, which are started, and import it, within the time."""
    return read_lastclick(log, workers=2)


def read_engine(log: Path, **settings: str) -> dict[str, Any]:
    """Make the same report by SQL."""
    import duckdb

    from benchmarks import lastclick_report
    from lastclick.engines.duckdb import measure

    def work() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            config = {"temp_directory": folder, **settings}
            with duckdb.connect(config=config) as connection:
                report = measure(log, connection=connection)
        return report, str(report)

    figures, (report, _) = timed(work)
    return {**figures, "answer": lastclick_report.answer(report), "digest": digest(report)}


def read_engine_in_1gb(log: Path) -> dict[str, Any]:
    """The same with less memory than it would take: what does not fit goes to disk."""
    return read_engine(log, memory_limit="1GB")


def read_engine_in_3gb(log: Path) -> dict[str, Any]:
    """The same on a machine of 4 GB, which 60 million events need: what is spilled is not all."""
    return read_engine(log, memory_limit="3GB")


def read_spark(log: Path) -> dict[str, Any]:
    """The same by SQL of Spark, in a session of this machine that is there already."""
    from pyspark.sql import SparkSession

    from benchmarks import lastclick_report
    from lastclick.engines.spark import measure

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        builder = SparkSession.builder.master("local[*]").config("spark.local.dir", folder)
        builder.config("spark.driver.memory", "2200m")
        builder.config("spark.ui.enabled", "false")
        builder.config("spark.ui.showConsoleProgress", "false")
        builder.config("spark.sql.codegen.hugeMethodLimit", "8000")  # as docs/howto/spark.md says
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")

        def work() -> Any:
            report = measure(str(log), session=session)
            return report, str(report)

        figures, (report, _) = timed(work, session.sparkContext._gateway.proc.pid)
        session.stop()
    return {**figures, "answer": lastclick_report.answer(report), "digest": digest(report)}


def read_sail(log: Path) -> dict[str, Any]:
    """The same by SQL of Spark, on a server in this process that is there already."""
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    from benchmarks import lastclick_report
    from lastclick.engines.spark import measure

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["SAIL_EXECUTION__CHECKPOINT__PATH"] = Path(folder).as_uri()
        os.environ["RUST_LOG"] = "error"
        server = SparkConnectServer("127.0.0.1", 0)
        server.start(background=True)
        _, port = server.listening_address
        session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()

        def work() -> Any:
            report = measure(str(log), session=session)
            return report, str(report)

        figures, (report, _) = timed(work)
        session.stop()
        server.stop()
    return {**figures, "answer": lastclick_report.answer(report), "digest": digest(report)}


def read_chdb(log: Path) -> dict[str, Any]:
    """The same by SQL of ClickHouse, on a server that is there already, which gets the lines."""
    from benchmarks import lastclick_report
    from lastclick.engines import clickhouse
    from tests.engines.chdb_server import ChdbServer

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = folder
        server = ChdbServer(timeout=3600)
        try:
            # As ClickHouse has it by default, and not as the tests do.
            as_usual = {"max_threads": str(os.cpu_count())}
            as_usual |= {"compile_expressions": "1", "compile_aggregate_expressions": "1"}
            server.post("/profile", json.dumps(as_usual).encode())
            server.run("CREATE DATABASE lastclick ENGINE = Atomic")
            server.run(clickhouse.table())
            loading, _ = timed(lambda: _load(server, log), server.pid)

            def work() -> Any:
                report = clickhouse.measure("lastclick.events", url=server.url)
                return report, str(report)

            figures, (report, _) = timed(work, server.pid)
        finally:
            server.close()
    answer = lastclick_report.answer(report)
    del answer["quality"]["redelivered"]  # the table drops a row that is there already
    return {
        "wall": loading["wall"] + figures["wall"],
        "cpu": loading["cpu"] + figures["cpu"],
        "peak_mib": figures["peak_mib"],
        "loading_seconds": loading["wall"],
        "answer": answer,
        "digest": digest(report),
    }


def _load(server: Any, log: Path) -> None:
    """Insert the lines as they are, some megabytes at a time."""
    query = quote("INSERT INTO lastclick.events (line) FORMAT LineAsString")
    for file in sorted(log.iterdir()):
        with file.open("rb") as lines:
            while some := lines.readlines(INSERT):
                server.post(f"/?query={query}", b"".join(some))


def digest(report: Any) -> str:
    """Whether two whole reports are the same, to the last digit."""
    return hashlib.sha256(json.dumps(report.to_dict(), sort_keys=True).encode()).hexdigest()


def read_duckdb(log: Path) -> dict[str, Any]:
    """Run the SQL; how much of it is for quality is told apart."""
    from benchmarks import duckdb_report

    figures, (found, quality) = timed(lambda: duckdb_report.tables(log))
    return {**figures, "quality_seconds": quality, "answer": duckdb_report.answer(found)}


def read_polars(log: Path) -> dict[str, Any]:
    """Read the files and compute a part of the answer."""
    from benchmarks import polars_report

    figures, answer = timed(lambda: polars_report.answer(polars_report.read(log)))
    return {**figures, "answer": answer}


def read_pandas(log: Path) -> dict[str, Any]:
    """Read the files with pyarrow's parser and compute a part of the answer."""
    from benchmarks import pandas_report

    read = pandas_report.read_with_pyarrow
    figures, answer = timed(lambda: pandas_report.answer(read(log)))
    return {**figures, "answer": answer}


def read_pandas_read_json(log: Path) -> dict[str, Any]:
    """Read the files with pandas' own parser and compute a part of the answer."""
    from benchmarks import pandas_report

    figures, answer = timed(lambda: pandas_report.answer(pandas_report.read_with_pandas(log)))
    return {**figures, "answer": answer}


def read_retentioneering(log: Path) -> dict[str, Any]:
    """Read the files and draw the closed funnel; whether it is ours is not timed."""
    from benchmarks import retentioneering_report

    figures, found = timed(lambda: retentioneering_report.closed(log))
    return {**figures, "found": found, "ours": retentioneering_report.ours(log)}


CHILDREN: dict[str, Callable[[Path], dict[str, Any]]] = {
    "lastclick": read_lastclick,
    "lastclick_2": read_lastclick_2,
    "engine": read_engine,
    "engine_in_1gb": read_engine_in_1gb,
    "engine_in_3gb": read_engine_in_3gb,
    "spark": read_spark,
    "sail": read_sail,
    "chdb": read_chdb,
    "duckdb": read_duckdb,
    "polars": read_polars,
    "pandas": read_pandas,
    "pandas_read_json": read_pandas_read_json,
    "retentioneering": read_retentioneering,
}
assert list(CHILDREN) == list(READERS)


@contextmanager
def generated(events: int, seed: int, keep: Path | None) -> Iterator[Path]:
    """Yield a generated log; it is deleted afterwards unless it is to be kept."""
    directory = keep or Path(tempfile.mkdtemp(prefix="lastclick-benchmark-"))
    log = directory / f"{events}-events-seed-{seed}"
    try:
        if not log.exists():
            command = [sys.executable, "-m", "benchmarks.generate", "--to", str(log)]
            command += ["--events", str(events), "--seed", str(seed)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        yield log
    finally:
        if keep is None:
            shutil.rmtree(directory)


def differences(theirs: Any, ours: Any, where: str = "") -> list[str]:
    """Return what differs wherever `ours` says something; an answer may be a part of another."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            line
            for key, value in ours.items()
            for line in differences(theirs.get(key), value, f"{where}/{key}")
        ]
    return [] if theirs == ours else [f"{where}: {theirs!r} and {ours!r}"]


def report(sizes: list[int], *, seed: int, runs: int, readers: list[str], keep: Path | None) -> str:
    """Measure all sizes, beyond a million events once; return Markdown."""
    parts = ["## From a log to the report\n"]
    for reader, packages in NEEDS.items():
        if reader in readers and not all(_is_there(one, _python_of(reader)) for one in packages):
            parts.append(f"Left out: {READERS[reader]}, which needs {' and '.join(packages)}.\n")
            readers = [one for one in readers if one != reader]
    per_million: dict[str, dict[int, float]] = {reader: {} for reader in readers}
    for events in sizes:
        with generated(events, seed, keep) as log:
            size = sum(file.stat().st_size for file in log.iterdir())
            results = _measured(log, events, runs if events <= MILLION else 1, readers)
        for reader, found in results.items():
            best = min(one["wall"] for one in found)
            per_million[reader][events] = best / events * MILLION
        parts.append(
            f"### {events:,} events, {size / events:.0f} bytes a line\n\n"
            f"{_table(results, events)}\n\n{_agreement(results)}\n"
        )
    if len(sizes) > 1:
        head = ("seconds a million events", *(f"{size:,}" for size in sizes))
        rows = [
            (READERS[reader], *(f"{by_size[n]:.2f}" if n in by_size else "" for n in sizes))
            for reader, by_size in per_million.items()
        ]
        parts.append(f"### Does it grow with the log?\n\n{table(head, rows)}\n")
    return "\n".join(parts)


def _measured(
    log: Path, events: int, runs: int, readers: list[str]
) -> dict[str, list[dict[str, Any]]]:
    results: dict[str, list[dict[str, Any]]] = {}
    for _ in range(runs):  # in turns, so that a slow moment meets all of them
        for reader in readers:
            if events > MOST_FOR.get(reader, events):
                continue
            child = ("--child", reader, "--log", str(log))
            one = run("benchmarks.read", *child, python=_python_of(reader))
            results.setdefault(reader, []).append(one)
    return results


def _python_of(reader: str) -> str:
    return PYTHONS[reader]() if reader in PYTHONS else sys.executable


def _is_there(package: str, python: str) -> bool:
    finding = f"from importlib.util import find_spec; exit(find_spec({package!r}) is None)"
    return subprocess.run([python, "-c", finding], check=False).returncode == 0


def _table(results: dict[str, list[dict[str, Any]]], events: int) -> str:
    base = min(one["wall"] for one in results["duckdb"]) if "duckdb" in results else None
    base_cpu = min(one["cpu"] for one in results["duckdb"]) if "duckdb" in results else None
    rows = []
    for reader, found in results.items():
        walls, cpus = [one["wall"] for one in found], [one["cpu"] for one in found]
        rows.append(
            (
                READERS[reader],
                f"{min(walls):.2f}",
                f"{statistics.median(walls):.2f}",
                f"{min(cpus):.2f}",
                f"{events / min(walls) / 1000:,.0f} k",
                f"{max(one['peak_mib'] for one in found):,.0f}",
                f"{min(walls) / base:.2f}" if base else "",
                f"{min(cpus) / base_cpu:.2f}" if base_cpu else "",
            )
        )
    head = (
        *("reader", "best s", "median s", "best CPU s", "events/s", "peak MiB"),
        *("x DuckDB", "x its CPU"),
    )
    return table(head, rows)


def _agreement(results: dict[str, list[dict[str, Any]]]) -> str:
    lines = []
    digests = {
        reader: found[0]["digest"] for reader, found in results.items() if "digest" in found[0]
    }
    if digests:
        (first, *others) = set(digests.values())
        verdict = f"NOT the same: {digests}" if others else f"the same ({first[:8]})"
        lines.append(f"Whole reports of {', '.join(digests)}: {verdict}.")
    if "chdb" in results:
        share = min(one["loading_seconds"] for one in results["chdb"])
        lines.append(f"Lines into the table of chdb, in its time: {share:.2f} s.")
    if "duckdb" in results:
        found = results["duckdb"]
        share = min(one["wall"] - one["quality_seconds"] for one in found)
        lines.append(f"DuckDB without the facts of `quality`: {share:.2f} s.")
        for reader in results.keys() - {"duckdb", "retentioneering"}:
            unlike = differences(found[0]["answer"], results[reader][0]["answer"])
            verdict = "the same" if not unlike else "NOT the same: " + "; ".join(unlike)
            lines.append(f"Answers of DuckDB and {reader}: {verdict}.")
    if "retentioneering" in results:
        one = results["retentioneering"][0]
        verdict = "the same" if one["found"] == one["ours"] else f"NOT the same: {one}"
        lines.append(f"Closed funnels of retentioneering and lastclick: {verdict}.")
    return "\n".join(sorted(lines))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.read", description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[MILLION // 10, MILLION])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--readers", nargs="+", choices=list(READERS), default=list(READERS))
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep and reuse logs in DIR")
    parser.add_argument("--child", choices=list(READERS), help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options.log)))
        return
    print(f"{machine()}\n")
    print(
        report(
            options.events,
            seed=options.seed,
            runs=options.runs,
            readers=options.readers,
            keep=options.keep,
        )
    )


if __name__ == "__main__":
    main()
