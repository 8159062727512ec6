"""Dead letters: events that a receiver will not take, kept with the reason.

Each line is the event's own with one key more, ``dead_letter``, which readers of a log ignore.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic_core import to_json

from lastclick.errors import EventError
from lastclick.events import Event, parse_line
from lastclick.sinks._segment import Segment, held

_WHY = 200


class Letters:
    """The dead letters of one process: a segment file, made when the first one comes.

    Args:
        directory: Where they are.
        limit: How many bytes one process keeps.
    """

    def __init__(self, directory: Path, limit: int) -> None:
        self._directory = directory
        self._limit = limit
        self._segment: Segment | None = None

    def add(self, line: bytes, why: str) -> None:
        """Keep the event with the reason, if there is room.

        Raises:
            OSError: It could not be written.
        """
        told = {"reason": why[:_WHY], "at": datetime.now(UTC)}
        letter = line[:-1] + b',"dead_letter":' + to_json(told) + b"}\n"
        if self._segment is None or self._segment.spoilt:
            self._segment = Segment(self._directory, {}, float("inf"), power=False)
        if self._segment.size + len(letter) <= self._limit:
            self._segment.append(letter)

    def close(self) -> None:
        """Close the file; the next letter would begin another."""
        self._segment = None


def revive(directory: Path, emit: Callable[[Event], object]) -> int:
    """Give all dead letters to a sink, and remove those that it has accepted; how many they were.

    Those of live processes stay, and so does what is no event any more.

    Raises:
        DeliveryError: The sink does not accept one; what follows stays.
    """
    number = 0
    for path in sorted(directory.glob("*.jsonl")):
        with suppress(BlockingIOError, FileNotFoundError), held(path):
            rest = []
            for line in path.read_bytes().splitlines():
                try:
                    event = parse_line(line)
                except EventError:
                    rest.append(line)
                else:
                    emit(event)
                    number += 1
            if rest:
                path.write_bytes(b"".join(line + b"\n" for line in rest))
            else:
                path.unlink()
    return number
