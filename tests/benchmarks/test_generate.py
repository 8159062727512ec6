"""The generator of the benchmarks writes logs that are the same each time, and valid."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.generate import STEPS, declaration, lines, write
from lastclick.errors import EventError
from lastclick.events import parse_line

EVENTS = 3_000


def _bytes(segments: list[Path]) -> list[bytes]:
    return [segment.read_bytes() for segment in segments]


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    """A log is a function of its size and seed."""
    first = _bytes(write(tmp_path / "a", EVENTS, seed=7))
    again = _bytes(write(tmp_path / "b", EVENTS, seed=7))
    other = _bytes(write(tmp_path / "c", EVENTS, seed=8))

    assert first == again
    assert first != other


def test_a_log_in_segments_holds_the_same_lines(tmp_path: Path) -> None:
    """Cutting a log into segments only repeats the declaration at each head."""
    whole = write(tmp_path / "whole", EVENTS, seed=7)
    parts = write(tmp_path / "parts", EVENTS, seed=7, segment_bytes=300_000)

    contents = [content.split(b"\n", 1) for content in _bytes(parts)]
    assert len(contents) > 2
    assert {head + b"\n" for head, _ in contents} == {declaration().encode()}
    assert b"".join(body for _, body in contents) == whole[0].read_bytes().split(b"\n", 1)[1]


@pytest.mark.untraced
def test_every_line_is_what_the_library_would_have_written() -> None:
    """Lines come back byte for byte; what does not parse was written to be counted."""
    refused = []
    for line in [declaration(), *lines(EVENTS * 5, seed=7)]:
        text = line.removesuffix("\n")
        try:
            event = parse_line(text)
        except EventError:
            record = json.loads(text)
            refused.append(record["type"])
            assert record["type"] == "survey_answered" or "checkout_id" not in record
            continue
        assert event.line == text.encode()

    assert len(refused) < EVENTS / 100


def test_the_shape_is_that_of_the_documented_shop() -> None:
    """Lines are about 300 bytes, checkouts have some 3.2 events, and fewer get to each step."""
    records = [json.loads(line) for line in lines(EVENTS * 5, seed=7)]
    checkouts = {record.get("checkout_id") for record in records}
    size = sum(len(line) for line in lines(EVENTS * 5, seed=7)) / len(records)
    seen = Counter(
        step
        for _, step in {
            (record.get("checkout_id"), record.get("step", record["type"])) for record in records
        }
    )

    assert size == pytest.approx(300, abs=5)
    assert len(records) / len(checkouts) == pytest.approx(3.2, abs=0.2)
    reach = [seen[step] / len(checkouts) for step in (*STEPS, "order_completed")]
    assert reach == pytest.approx([1.0, 0.72, 0.56, 0.43, 0.35], abs=0.03)


def test_a_log_holds_what_makes_reading_hard() -> None:
    """Redelivered, late and skewed lines, refunds, reminders, bots and losses are all there."""
    records = [json.loads(line) for line in lines(EVENTS * 10, seed=7)]
    ids = Counter(record["event_id"] for record in records)
    times = [record["occurred_at"] for record in records]
    kinds = {record["type"] for record in records}

    assert sum(n > 1 for n in ids.values()) > EVENTS / 50
    assert sum(later < sooner for sooner, later in pairwise(times)) > EVENTS / 50
    assert any(record.get("attributes", {}).get("traffic") == "bot" for record in records)
    assert any(record.get("step") == "giftwrap" for record in records)
    assert kinds >= {
        *("step_entered", "step_failed", "order_completed", "order_refunded", "events_lost"),
        *("holdout_assigned", "reminder_sent", "reminder_clicked", "survey_answered"),
    }
