"""What a sink has written and the disk may not have yet."""

import math
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lastclick.sinks._segment import Segment, sync

#: How long after a failure others fail too. The kernel tells it once, and their events may be
#: among those that are not on the disk. Longer than anybody takes from `emit` to `sync`.
_DISTRUST_S = 30.0


class Unsynced:
    """The segments of one sink in one process that may hold something the disk has not."""

    def __init__(self, directory: Path, monotonic: Callable[[], float]) -> None:
        self._directory = directory
        self._monotonic = monotonic
        self._segments: dict[Path, weakref.ref[Segment]] = {}
        #: The files whose names are on the disk.
        self._named: set[Path] = set()
        self._distrust_until = -math.inf

    def add(self, segment: Segment) -> None:
        """From now on this one is written to."""
        self._segments[segment.path] = weakref.ref(segment)

    def sync(self) -> None:
        """Wait until all that was written before is on the disk.

        Raises:
            OSError: It is not, or something that others wrote is not.
        """
        segments = dict(self._segments)
        for path, segment in segments.items():
            # Where a writer may still be at it, the next call has to look again.
            closed = segment() is None
            try:
                sync(path)
            except FileNotFoundError:
                # A closed one may have been compressed, to the disk, or moved away.
                if not closed and segment() is not None:
                    self._distrust(segment())
                    raise
            except OSError:
                # The pages may be dropped; a second fsync would say that all is well.
                self._distrust(segment())
                raise
            if closed:
                self._segments.pop(path, None)
        if not self._named.issuperset(segments):
            sync(self._directory)
            if not self._named:  # perhaps the directory is as new
                with suppress(PermissionError):
                    sync(self._directory.parent)
            self._named = set(segments)
        if self._monotonic() < self._distrust_until:
            raise OSError(None, "a sync has just failed; send what was written since again")

    def _distrust(self, segment: Segment | None) -> None:
        self._distrust_until = self._monotonic() + _DISTRUST_S
        if segment is not None:
            segment.spoilt = True
