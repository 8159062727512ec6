"""Which of a shop's real logs and receivers a test has talked to."""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class RealSinkWarning(UserWarning):
    """A test has written to a real log, or sent to another machine. Given by the pytest plugin.

    Real is a `FileSink` whose directory is not a temporary one, and an `HttpSink` whose receiver
    is not this machine.

    Example:
        >>> issubclass(RealSinkWarning, UserWarning)
        True

    .. versionadded:: 0.1.0
    """


def given() -> WeakKeyDictionary[Any, int]:
    """The sinks of this process, and how many events each was given so far.

    Only modules that are loaded already are looked at: without them there are no sinks.
    """
    return WeakKeyDictionary({sink: _given(sink) for sink in _sinks()})


def is_real(sink: Any, temporary: Iterable[Path] = ()) -> bool:
    """Whether a sink is a shop's real one.

    Args:
        sink: One of those that `given` knows.
        temporary: Directories that are temporary, beside the system's own.
    """
    receiver = getattr(sink, "_receiver", None)
    if receiver is not None:
        return urlsplit(receiver.url).hostname not in _LOOPBACK
    places = (place.resolve() for place in (Path(tempfile.gettempdir()), *temporary))
    directory = sink.directory.resolve()
    return not any(directory.is_relative_to(place) for place in places)


def warning_of(sink: object) -> RealSinkWarning:
    """What to say of a sink that a test has talked to."""
    return RealSinkWarning(
        f"this test recorded to {sink!r}; capture the funnel with the fixture lastclick_capture "
        f"or lastclick.testing.capture(funnel), or mark the test with "
        f"@pytest.mark.lastclick_real_sink if it means to (said once for each sink)"
    )


def _sinks() -> Iterator[Any]:
    for name in ("lastclick.sinks._file", "lastclick.sinks.http"):
        module = sys.modules.get(name)
        if module is not None:
            yield from list(module._sinks)


def _given(sink: Any) -> int:
    stats = sink.stats
    return int(stats.written + stats.pending + sum(stats.lost.values()))
