"""What SIGTERM does once a program asked for a drain."""

import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from lastclick.errors import ConfigError
from lastclick.sinks import MemorySink, drain_on_sigterm

ROOT = Path(__file__).parents[2]


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program whose sink prints when it is flushed, and that ends itself by SIGTERM."""
    before = """
        import os, signal, sys, time
        from lastclick.sinks import MemorySink, drain_on_sigterm
        class Told(MemorySink):
            def flush(self, timeout):
                print("flushed in", round(timeout), flush=True)
                return True
    """
    after = """
        os.kill(os.getpid(), signal.SIGTERM)
        print("alive")
    """
    whole = "".join(textwrap.dedent(part) for part in (before, program, after))
    return subprocess.run(
        [sys.executable, "-c", whole], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_sigterm_flushes_and_ends_as_before() -> None:
    """Without another handler the process dies of the signal, after the flush."""
    done = run("drain_on_sigterm(Told(), Told(), timeout=3)")

    assert done.returncode == -signal.SIGTERM
    assert done.stdout == "flushed in 3\nflushed in 3\n"


def test_a_handler_that_was_there_is_called_after_the_flush() -> None:
    """Who handles SIGTERM already goes on doing so."""
    done = run(
        """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("bye"))
        drain_on_sigterm(Told(), timeout=3)
        """
    )

    assert (done.returncode, done.stdout, done.stderr) == (1, "flushed in 3\n", "bye\n")


def test_an_ignored_signal_stays_ignored() -> None:
    """Who ignores SIGTERM is flushed and lives on."""
    done = run(
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        drain_on_sigterm(Told(), timeout=3)
        """
    )

    assert (done.returncode, done.stdout) == (0, "flushed in 3\nalive\n")


@pytest.mark.parametrize(
    ("arguments", "timeout", "message"),
    [
        ((), 1.0, r"needs funnels or sinks; it got \(\)"),
        (("sink",), 1.0, "needs funnels or sinks; it got"),
        ((MemorySink(),), 0, "timeout is 0; pass seconds above 0"),
        ((MemorySink(),), None, "timeout is None; pass seconds above 0"),
        ((MemorySink(),), "2", "timeout is '2'; pass seconds above 0"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple, timeout: object, message: str) -> None:
    """What cannot be flushed, or not in time, is said at once."""
    with pytest.raises(ConfigError, match=message):
        drain_on_sigterm(*arguments, timeout=timeout)


def test_another_thread_is_told_where_to_call_it() -> None:
    """Only the main thread may handle signals."""
    caught: list[ConfigError] = []

    def work() -> None:
        try:
            drain_on_sigterm(MemorySink())
        except ConfigError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert "in the main thread only; call it where you start up" in str(caught[0])
