"""Waking a thread, from wherever."""

import threading
from contextlib import suppress


class Bell:
    """Wakes a thread. `ring` takes one step of C, so a signal handler or a finalizer may call it.

    `threading.Event` would not do: it holds a lock while it is set, and whoever interrupts it
    there and sets it again waits for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake who waits, or who waits next."""
        with suppress(RuntimeError):  # it has been rung already
            self._lock.release()

    def wait(self, seconds: float = threading.TIMEOUT_MAX) -> None:
        """Wait until it rings, but not for longer."""
        self._lock.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))
