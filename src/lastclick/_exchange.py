"""The exchange: brings records with the same key together, in bounded memory.

Records are put into one of a fixed number of parts by their key; a part is packed whenever it has
grown, and packed parts go to a temporary file once they are many. Later each part is read alone.
"""

import marshal
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from typing import IO, Any

#: Small enough that one part of ten million events fits into memory beside the rest.
PARTS = 64
_PACK_AT = 128
_MEMORY_BYTES = 24 * 1024 * 1024


class Exchange:
    """Tuples of plain values, grouped by a text among them.

    Args:
        key: The place of the key in each tuple.
    """

    def __init__(self, key: int) -> None:
        self._key = key
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
            self._file = tempfile.TemporaryFile(prefix="lastclick-")  # noqa: SIM115 - closed with us
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
        grouped: dict[str, list[tuple[Any, ...]]] = {}
        for records in self._pieces(part):
            for record in records:
                key = record[self._key]
                group = grouped.get(key)
                if group is None:
                    grouped[key] = [record]
                else:
                    group.append(record)
        yield from grouped.values()

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

    def close(self) -> None:
        """Give the temporary file back."""
        if self._file is not None:
            self._file.close()
