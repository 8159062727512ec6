"""Two readings of the rules that share no code, SQL and Python, agree on a big untidy log."""

from pathlib import Path

import pytest

import lastclick
from benchmarks.generate import write
from benchmarks.lastclick_report import answer
from benchmarks.read import differences

duckdb_report = pytest.importorskip(
    "benchmarks.duckdb_report", reason="duckdb is not installed", exc_type=ImportError
)


@pytest.mark.untraced
@pytest.mark.parametrize("seed", [1, 2])
def test_duckdb_gives_the_same_answer(tmp_path: Path, seed: int) -> None:
    """Every figure that DuckDB computes by hand-written SQL is that of the report."""
    write(tmp_path, 20_000, seed, segment_bytes=2_000_000)

    ours = answer(lastclick.measure(lastclick.read_log(tmp_path)))
    found, _ = duckdb_report.tables(tmp_path)
    theirs = duckdb_report.answer(found)

    assert differences(theirs, ours) == []
    assert differences(ours, theirs) == []
