"""Processes of our own: each holds an object whose methods are called from here.

They are started as commands and not by `multiprocessing`: nothing is forked, and the program that
asks is not imported again, so that a script needs no ``if __name__ == "__main__"``. A process ends
when its input does, so none outlives the one that asks.
"""

import os
import pickle
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from lastclick.errors import ConfigError, LogError

_SERVE = "import sys; sys.path[:] = {path!r}; from lastclick._processes import serve; serve()"
_END_S = 5.0


class Processes:
    """Some processes, started together and ended together.

    Args:
        number: How many.
        make: What makes the object of each, from its number and the arguments; it is imported.
        arguments: Further arguments.

    Raises:
        ConfigError: No processes can be started, or their texts do not hash alike.
    """

    def __init__(self, number: int, make: Callable[..., object], *arguments: object) -> None:
        self._free: SimpleQueue[_Process] = SimpleQueue()
        self._all: list[_Process] = []
        self._threads = ThreadPoolExecutor(number, "lastclick-process")
        self._error: BaseException | None = None
        # An exchange puts a text where its hash says, so the texts of all must hash alike.
        environment = {**os.environ, "PYTHONHASHSEED": str(secrets.randbelow(2**32 - 1) + 1)}
        try:
            for _ in range(number):
                self._all.append(_Process(environment))
            calls = [
                self._threads.submit(process.call, make, place, *arguments)
                for place, process in enumerate(self._all)
            ]
            if len({call.result() for call in calls}) > 1:
                raise ConfigError("the Python here ignores PYTHONHASHSEED; pass workers=1")
        except BaseException:
            self.close(kill=True)
            raise
        for process in self._all:
            self._free.put(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.close(kill=kind is not None)

    def each(self, method: str, *arguments: object) -> list[Any]:
        """Call a method in every process; what each returns, in order."""
        return list(self._threads.map(lambda one: one.call(method, *arguments), self._all))

    def share(self, method: str, tasks: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Call a method once for each task, in whatever process is free; results in order."""
        return self._threads.map(lambda task: self._by_any(method, task), tasks)

    def _by_any(self, method: str, task: tuple[Any, ...]) -> Any:
        process = self._free.get()
        try:
            if self._error is not None:  # the whole will fail, so that nothing need be begun
                raise self._error
            return process.call(method, *task)
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._free.put(process)

    def close(self, *, kill: bool = False) -> None:
        """End the processes, and wait for that."""
        for process in self._all:
            process.end(kill=kill)
        self._threads.shutdown(cancel_futures=True)
        for process in self._all:
            process.wait()


class _Process:
    """One process, which answers one call at a time."""

    def __init__(self, environment: dict[str, str]) -> None:
        if not sys.executable:
            raise ConfigError("no Python to start is known here; pass workers=1")
        serve = _SERVE.format(path=sys.path)
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-c", serve],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
            )
        except OSError as error:
            msg = f"no process could be started ({error}); pass workers=1"
            raise ConfigError(msg) from error

    def call(self, *message: object) -> Any:
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        try:
            self._popen.stdin.write(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
            self._popen.stdin.flush()
            raised, result = pickle.load(self._popen.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            raise self._ended() from None
        if raised:
            raise result
        return result

    def _ended(self) -> LogError:
        self.end(kill=True)
        code = self._popen.wait()
        return LogError(
            f"a counting process was ended by {_cause(code)}, so that nothing was counted; "
            f"where memory ran out, pass fewer workers"
        )

    def end(self, *, kill: bool) -> None:
        if kill:
            self._popen.kill()
        assert self._popen.stdin is not None
        with suppress(OSError):  # it has ended, and what was still to be written cannot be
            self._popen.stdin.close()

    def wait(self) -> None:
        try:
            self._popen.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        assert self._popen.stdout is not None
        self._popen.stdout.close()


def _cause(code: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"itself, with code {code}"


def serve() -> None:
    """Make the object that is asked for first, and call its methods until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks hears it too, and ends us
    requests = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what else is printed must not get among the replies
    held: Any = None
    while True:
        try:
            what, *arguments = pickle.load(requests)
            if held is None:
                held = what(*arguments)
                reply = pickle.dumps((False, hash("lastclick")))
            else:
                reply = pickle.dumps((False, getattr(held, what)(*arguments)))
        except EOFError:
            return
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            reply = pickle.dumps((True, _portable(error)))
        try:
            replies.write(reply)
            replies.flush()
        except OSError:  # nobody asks any more
            return


def _portable(error: Exception) -> Exception:
    """An error as it can be sent, and as it says most."""
    if isinstance(error, MemoryError):
        return LogError("a counting process ran out of memory; pass fewer workers")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - anybody's error, which may fail anyhow
        return LogError(f"a counting process failed: {type(error).__name__}: {error}")
    return error
