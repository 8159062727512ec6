"""What a process does with its last moments when it is asked to end."""

import os
import signal
import time
from types import FrameType
from typing import Protocol

from lastclick.errors import ConfigError, shown


class Flushable(Protocol):
    """A funnel or a sink."""

    def flush(self, timeout: float) -> bool:
        """Write or send what is waiting; say whether nothing waits any more."""
        ...


def drain_on_sigterm(*flushable: Flushable, timeout: float = 2.0) -> None:
    """Have SIGTERM flush funnels or sinks first, then do what it did before.

    For a program of your own that a supervisor stops: Python runs no exit handlers when SIGTERM
    ends it. Servers such as gunicorn, uWSGI and Celery handle it themselves and need no help, and
    with a `FileSink` (but for ``"exit"``) or a spool nothing is lost either way.

    Args:
        flushable: What to flush; one after the other, all within the time.
        timeout: Seconds that the end may be put off, at most.

    Raises:
        ConfigError: There is nothing to flush, the time is not above 0, or this is not the main
            thread, which alone may handle signals.

    Example:
        >>> from lastclick.sinks import MemorySink
        >>> drain_on_sigterm(MemorySink(), timeout=1.5)

    .. versionadded:: 0.1.0
    """
    if not flushable or not all(callable(getattr(one, "flush", None)) for one in flushable):
        raise ConfigError(f"drain_on_sigterm needs funnels or sinks; it got {shown(flushable)}")
    if not _is_above_zero(timeout):
        raise ConfigError(f"timeout is {shown(timeout)}; pass seconds above 0")
    before = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: FrameType | None) -> None:
        deadline = time.monotonic() + timeout
        try:
            for one in flushable:
                one.flush(max(0.0, deadline - time.monotonic()))
        finally:
            if callable(before):
                before(number, frame)
            elif before != signal.SIG_IGN:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGTERM)

    try:
        signal.signal(signal.SIGTERM, drain)
    except ValueError as error:
        msg = "drain_on_sigterm can be called in the main thread only; call it where you start up"
        raise ConfigError(msg) from error


def _is_above_zero(seconds: object) -> bool:
    return isinstance(seconds, int | float) and seconds > 0
