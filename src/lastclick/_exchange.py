"""The exchange: brings records with the same key together, in bounded memory.

Records are put into one of a fixed number of parts by their key; a part is packed whenever it has
grown, and packed parts go to a temporary file once they are many. Later each part is read alone.

Several processes can each fill an exchange of their own and hand it over as a file; a part is then
read from all of these files together. Their texts must hash alike for that.
"""

import marshal
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

#: Small enough that one part of ten million events fits into memory beside the rest.
PARTS = 64
_PACK_AT = 128
_MEMORY_BYTES = 24 * 1024 * 1024


#: Where a part lies in a file: place and size of each piece.
Pieces: TypeAlias = list[tuple[int, int]]


class Exchange:
    """Tuples of plain values, grouped by a text among them.

    Args:
        key: The place of the key in each tuple.
        path: The file to use, where it is to be handed over; None takes a temporary one.
    """

    def __init__(self, key: int, path: Path | None = None) -> None:
        self._key, self.path = key, path
        self._open: list[list[tuple[Any, ...]]] = [[] for _ in range(PARTS)]
        self._packed: list[list[bytes | tuple[int, int]]] = [[] for _ in range(PARTS)]
        self._held = 0
        self._file: IO[bytes] | None = None

    def put(self, record: tuple[Any, ...]) -> None:
        """Add one record."""
        part = hash(record[self._key]) % PARTS
        waiting = self._open[part]
        waiting.append(record)
        if len(waiting) >= _PACK_AT:
            self._pack(part)

    def put_all(self, records: Iterable[tuple[Any, ...]]) -> None:
        """Add some hundred records at once."""
        parts, key = self._open, self._key
        for record in records:
            parts[hash(record[key]) % PARTS].append(record)
        for part, waiting in enumerate(parts):
            if len(waiting) >= _PACK_AT:
                self._pack(part)

    def _pack(self, part: int) -> None:
        packed = marshal.dumps(self._open[part], 2)
        self._open[part] = []
        self._held += len(packed)
        self._packed[part].append(packed)
        if self._held > _MEMORY_BYTES:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            if self.path is not None:
                self._file = self.path.open("w+b")
            else:
                self._file = tempfile.TemporaryFile(prefix="lastclick-")  # noqa: SIM115
            weakref.finalize(self, self._file.close)  # also where a reading ends half-way
        for pieces in self._packed:
            for place, piece in enumerate(pieces):
                if isinstance(piece, bytes):
                    pieces[place] = (self._file.tell(), len(piece))
                    self._file.write(piece)
        self._held = 0

    def drained(self) -> Iterator[list[tuple[Any, ...]]]:
        """The same as `groups`, but once: the memory of each part is given back as it is read."""
        for part in range(PARTS):
            yield from self._part(part)
            self._open[part], self._packed[part] = [], []

    def groups(self) -> Iterator[list[tuple[Any, ...]]]:
        """The records of each key, one list a key, in no promised order. May be asked again."""
        for part in range(PARTS):
            yield from self._part(part)

    def _part(self, part: int) -> Iterator[list[tuple[Any, ...]]]:
        return _grouped(self._pieces(part), self._key)

    def _pieces(self, part: int) -> Iterator[list[tuple[Any, ...]]]:
        for piece in self._packed[part]:
            if isinstance(piece, bytes):
                yield marshal.loads(piece)
            else:
                assert self._file is not None
                place, size = piece
                self._file.seek(place)
                yield marshal.loads(self._file.read(size))
        yield self._open[part]

    def hand_over(self) -> list[Pieces]:
        """Write everything to the file, for other processes; say where each part lies in it."""
        for part, waiting in enumerate(self._open):
            if waiting:
                self._pack(part)
        self._spill()
        self.close()
        return [[piece for piece in pieces if isinstance(piece, tuple)] for pieces in self._packed]

    def close(self) -> None:
        """Give the temporary file back."""
        if self._file is not None:
            self._file.close()


def handed_over(key: int, files: Sequence[tuple[Path, Pieces]]) -> Iterator[list[tuple[Any, ...]]]:
    """The groups of one part, from what several exchanges have handed over of it."""
    return _grouped(_read(files), key)


def _read(files: Sequence[tuple[Path, Pieces]]) -> Iterator[list[tuple[Any, ...]]]:
    for path, pieces in files:
        with path.open("rb") as file:
            for place, size in pieces:
                file.seek(place)
                yield marshal.loads(file.read(size))


def _grouped(
    pieces: Iterable[list[tuple[Any, ...]]], place: int
) -> Iterator[list[tuple[Any, ...]]]:
    grouped: dict[str, list[tuple[Any, ...]]] = {}
    for records in pieces:
        for record in records:
            key = record[place]
            group = grouped.get(key)
            if group is None:
                grouped[key] = [record]
            else:
                group.append(record)
    yield from grouped.values()
