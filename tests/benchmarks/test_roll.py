"""The benchmark of rolling compares what it says it compares."""

import re
from pathlib import Path

import pytest

from benchmarks.roll import compare


def test_the_reports_are_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A year and a day, rolled and read, give one report; the day is all that is new at last."""
    assert compare(tmp_path, 1_098, seed=2)

    told = capsys.readouterr().out
    assert re.search("day 366: [1-3] new events", told)
    assert "the same to the digit: yes" in told
