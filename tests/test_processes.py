"""Processes of our own: they answer, they say how they failed, and they end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from lastclick._processes import Processes
from lastclick.errors import ConfigError, LogError


class Held:
    """What the processes of these tests hold."""

    def __init__(self, number: int, word: str) -> None:
        self.said = f"{word} {number}"
        print("this is not a reply")

    def say(self, more: str = "") -> str:
        return self.said + more

    def place(self) -> int:
        return os.getpid()

    def hashed(self, text: str) -> int:
        return hash(text)

    def fail(self, error: Exception) -> None:
        raise error

    def fail_oddly(self) -> None:
        class OddError(Exception):
            pass

        raise OddError("cannot be sent")

    def end(self, code: int) -> None:
        os._exit(code)

    def interrupt(self) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "still here"


def broken(number: int) -> None:
    raise LogError("no such thing")


def test_each_process_holds_its_own() -> None:
    """Each is made with its number, and answers for itself, in order."""
    with Processes(2, Held, "one of") as processes:
        said, places = processes.each("say", "!"), processes.each("place")

    assert said == ["one of 0!", "one of 1!"]
    assert len({*places, os.getpid()}) == 3


def test_tasks_are_shared_and_answered_in_order() -> None:
    """Each task is done once, and the answers come in the order of the tasks."""
    with Processes(2, Held, "x") as processes:
        answers = list(processes.share("hashed", [(f"t-{n}",) for n in range(50)]))
        again = processes.each("hashed", "t-7")

    assert len(set(answers)) == 50
    assert again == [answers[7]] * 2


def test_texts_hash_alike_in_all_processes() -> None:
    """A text has one hash in all of them, and another in the next ones."""
    with Processes(2, Held, "x") as processes:
        one, other = processes.each("hashed", "c-1")
    with Processes(1, Held, "x") as processes:
        (later,) = processes.each("hashed", "c-1")

    assert one == other != later


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ConfigError("not so"), ConfigError, "^not so$"),
        (OSError(28, "No space left"), OSError, "No space left"),
        (MemoryError(), LogError, "ran out of memory; pass fewer workers"),
    ],
)
def test_what_a_method_raises_is_raised_here(error: Any, kind: Any, message: str) -> None:
    """An error is raised where it was asked for; memory that ran out is told in words."""
    with pytest.raises(kind, match=message), Processes(2, Held, "x") as processes:
        processes.each("fail", error)


def test_an_error_that_cannot_be_sent_is_told() -> None:
    """Of an error that only exists there, its name and words come here."""
    with (
        pytest.raises(LogError, match="failed: OddError: cannot be sent"),
        Processes(1, Held, "x") as processes,
    ):
        processes.each("fail_oddly")


def test_a_process_that_ends_is_told_by_its_code() -> None:
    """A process that ends by itself is an error that says with which code."""
    with (
        pytest.raises(LogError, match="ended by itself, with code 3"),
        Processes(2, Held, "x") as processes,
    ):
        list(processes.share("end", [(3,)]))


def test_no_task_is_begun_after_a_failure(tmp_path: Path) -> None:
    """The first error ends the whole: what was not begun is not begun any more."""
    tasks = [(3,), *[(4,)] * 100]
    with Processes(1, Held, "x") as processes:
        with pytest.raises(LogError, match="code 3"):
            list(processes.share("end", tasks))
        with pytest.raises(LogError, match="code 3"):
            list(processes.share("end", [(5,)]))


def test_an_interrupt_is_left_to_who_asked() -> None:
    """Ctrl-C reaches all processes of a terminal; those that count leave it to the one."""
    with Processes(1, Held, "x") as processes:
        assert processes.each("interrupt") == ["still here"]


def test_what_cannot_be_made_is_raised() -> None:
    """An error in making the object comes at once."""
    with pytest.raises(LogError, match="no such thing"):
        Processes(2, broken)


@pytest.mark.parametrize(
    ("executable", "message"),
    [("", "no Python to start is known"), ("/nowhere/python", "no process could be started")],
)
def test_without_a_python_the_way_out_is_told(
    executable: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no Python can be started, the error says to count in one process."""
    monkeypatch.setattr(sys, "executable", executable)

    with pytest.raises(ConfigError, match=f"{message}.*; pass workers=1"):
        Processes(2, Held, "x")


def test_a_python_that_ignores_the_seed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where texts would hash unlike, the parts would be wrong, so that nothing is counted."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -E "$@"\n', "utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    with pytest.raises(ConfigError, match="ignores PYTHONHASHSEED; pass workers=1"):
        Processes(2, Held, "x")
