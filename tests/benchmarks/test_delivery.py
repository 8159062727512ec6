"""The benchmark of delivery measures what this environment has, and loses nothing of it."""

import re

import pytest

from benchmarks import child, delivery, faults
from benchmarks.peers import FLOOR

pytest.importorskip("urllib3")
OURS = ["lastclick, queue in memory", "lastclick, spool"]


@pytest.fixture(autouse=True)
def no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTCLICK_PEERS", "nowhere")


@pytest.mark.long
def test_every_subject_has_its_rows() -> None:
    """The floor and both ways of ours are measured, and all of their events arrive."""
    text = delivery.report(rounds=1, runs=1, part=10, only="lastclick")

    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| (floor|last)", line)]
    assert [row[0].removeprefix("| ") for row in rows] == [FLOOR, *OURS, *OURS]
    assert [row[6] for row in rows[3:]] == ["0", "0"]


def test_an_exit_without_a_flush_loses_nothing() -> None:
    """A fault is met by each subject, and its cell says how many events arrived."""
    found = faults.meet(faults.exits(), child.peers_python(), OURS)

    assert list(found) == OURS
    assert all(cell.startswith("1,000, ") for (cell,) in found.values())
