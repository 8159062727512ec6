"""Starting and waking a thread, from wherever, without waiting."""

import _thread
import sys
import threading
from collections.abc import Callable
from contextlib import suppress


def start(work: Callable[[], object]) -> bool:
    """Do the work in a thread of its own, which ends with the process; False where none can be.

    `threading.Thread.start` waits until the thread runs: some milliseconds beside busy threads,
    and for ever where a server forked without Python's hooks. A checkout waits for neither.
    """
    try:
        _thread.start_new_thread(_run, (work,))
    except RuntimeError:  # too many, or the interpreter is ending
        return False
    return True


def _run(work: Callable[[], object]) -> None:
    # Both as `threading` does it: for debuggers and who measures coverage, and for who is told.
    if (trace := threading.gettrace()) is not None:
        sys.settrace(trace)
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - the edge of the thread
        told = (type(error), error, error.__traceback__, None)
        threading.excepthook(threading.ExceptHookArgs(told))


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
