"""Python's collector of cyclic garbage, asked to look less often while rows are counted."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

#: New objects between two looks. Rows are many, gone soon, and in no cycles.
_LOOK_AFTER = 50_000

_lock = Lock()
_counting = 0
_before: tuple[int, int, int] | None = None


@contextmanager
def fewer_looks() -> Iterator[None]:
    """Let the collector look less often; it is as before once nobody counts any more."""
    global _before, _counting
    with _lock:
        _counting += 1
        if _before is None:
            youngest, *older = _before = gc.get_threshold()
            if 0 < youngest < _LOOK_AFTER:  # 0 is off
                gc.set_threshold(_LOOK_AFTER, *older)
    try:
        yield
    finally:
        with _lock:
            _counting -= 1
            if not _counting:
                assert _before is not None
                gc.set_threshold(*_before)
                _before = None
