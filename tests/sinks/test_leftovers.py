"""What dead processes left in a spool: found, adopted part by part, each tried once."""

import os
from pathlib import Path

import pytest

from lastclick.errors import DeliveryError
from lastclick.sinks import FileSink, _spool
from lastclick.sinks._losses import Losses
from lastclick.sinks._part import Part, parts
from lastclick.sinks._spool import Leftovers
from tests.sinks.logs import entered


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[DeliveryError]:
    """What would be logged."""
    errors: list[DeliveryError] = []
    monkeypatch.setattr(_spool, "log_errors", errors.append)
    return errors


def leave(root: Path, *numbers: int) -> Path:
    """What a dead process leaves; a directory."""
    part = Part.create(root)
    sink = FileSink(part.directory, compress=False)
    for number in numbers:
        sink.emit(entered(number))
    sink.close(0)
    part.forget()
    return part.directory


def take_all(left: Leftovers) -> list[str]:
    found: list[str] = []
    left.tend()
    while (load := left.take(100, 100_000)) is not None:
        found += load.waiting
        load.waiting.clear()
        left.put_back(load)
    return found


def test_a_part_that_cannot_be_removed_is_tried_once(tmp_path: Path) -> None:
    """A part that is sent and stays, since there is a file of somebody's, holds nobody up."""
    (leave(tmp_path, 1) / "notes.txt").write_text("keep")
    leave(tmp_path, 2)
    left = Leftovers(tmp_path, 1000, Losses(), monotonic=lambda: 0.0)

    assert take_all(left) == ["e-1", "e-2"]
    assert len(parts(tmp_path)) == 1


def test_a_part_is_left_alone_while_somebody_has_its_segment_open(tmp_path: Path) -> None:
    """Sent, but held open by a child of the dead process, it is not taken up again and again."""
    directory = leave(tmp_path)
    sink = FileSink(directory, compress=False)
    sink.emit(entered(1))
    left = Leftovers(tmp_path, 1000, Losses(), monotonic=lambda: 0.0)

    assert take_all(left) == ["e-1"]
    assert left.pending == 0


@pytest.mark.parametrize("what", ["lock", "segment"])
def test_a_part_that_cannot_be_read_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[DeliveryError], what: str
) -> None:
    """Another user's part is told of and passed over; the others are sent."""
    foreign = leave(tmp_path, 1)
    leave(tmp_path, 2)
    target = f"{foreign}.lock" if what == "lock" else str(next(foreign.glob("*.jsonl")))
    opened, open_path = os.open, Path.open

    def refuse(path: object) -> None:
        if str(path) == target:
            raise PermissionError(13, "Permission denied")

    def low(path: object, *args: object, **kwargs: object) -> int:
        refuse(path)
        return opened(path, *args, **kwargs)  # type: ignore[arg-type]

    def high(path: Path, *args: object, **kwargs: object) -> object:
        refuse(path)
        return open_path(path, *args, **kwargs)  # type: ignore[call-overload]

    left = Leftovers(tmp_path, 1000, Losses(), monotonic=lambda: 0.0)
    with monkeypatch.context() as foreign_owner:
        foreign_owner.setattr(os, "open", low)
        foreign_owner.setattr(Path, "open", high)
        assert take_all(left) == ["e-2"]
        assert [error.reason for error in told] == ["no_spool"]

    left.look()
    assert take_all(left) == ["e-1"]


def test_a_look_finds_what_was_left_just_now(tmp_path: Path) -> None:
    """A flush does not wait for the next turn of looking."""
    left = Leftovers(tmp_path, 1000, Losses(), monotonic=lambda: 0.0)
    assert take_all(left) == []
    leave(tmp_path, 1)
    assert take_all(left) == []

    left.look()

    assert take_all(left) == ["e-1"]
