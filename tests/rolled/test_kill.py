"""Killed at random moments, a run leaves the state as it was: the next run makes the same bytes."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.generate import write
from lastclick import measure, read_log
from lastclick.rolled import read_rolled

#: Rolls, and says when it begins. With this little memory, pages go to the disk all the while.
PROGRAM = """
import sys
from lastclick.rolled import _state, roll
_state._CACHE_KIB = 16
print("ready", flush=True)
roll(sys.argv[1], sys.argv[2], by="device")
"""


class Rolling:
    """A log that was rolled in part, and is rolled to its end again and again."""

    def __init__(self, folder: Path, events: int, before: int) -> None:
        """The first so many segments are rolled before; none for the first run of all."""
        parts = write(folder / "all", events, seed=5, segment_bytes=events * 300 // 4)
        self.folder, self.log = folder, folder / "log"
        self.log.mkdir()
        for part in parts[:before]:
            part.rename(self.log / part.name)
        if before:
            self.run(self.state("start"))
        else:
            self.state("start").mkdir()
        for part in parts[before:]:
            part.rename(self.log / part.name)
        began = time.monotonic()
        self.run(self.fresh("whole"))
        self.takes = time.monotonic() - began
        self.expected = self.bytes_of("whole")

    def state(self, name: str) -> Path:
        return self.folder / name

    def fresh(self, name: str) -> Path:
        """The state as it was before the run."""
        shutil.rmtree(self.state(name), ignore_errors=True)
        shutil.copytree(self.state("start"), self.state(name))
        return self.state(name)

    def bytes_of(self, name: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.state(name).iterdir()}

    def start(self, state: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(self.log), str(state)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def run(self, state: Path) -> None:
        with self.start(state) as process:
            assert process.wait(timeout=120) == 0

    def kill(self, state: Path, moment: float) -> bool:
        """Kill a run at a moment; whether it had not ended by itself."""
        with self.start(state) as process:
            time.sleep(moment)
            process.kill()
            return process.wait(timeout=60) != 0


def killed(folder: Path, *, events: int, kills: int, before: int) -> int:
    """Kill runs; how many were killed while they worked."""
    rolling, moments, hit = Rolling(folder, events, before), random.Random(20261128 + before), 0
    while hit < kills:
        state = rolling.fresh("killed")
        while not rolling.kill(state, moments.uniform(0, rolling.takes)):
            state = rolling.fresh("killed")
        hit += 1
        if moments.random() < 0.3:  # now and then twice
            hit += rolling.kill(state, moments.uniform(0, rolling.takes))

        rolling.run(state)

        assert rolling.bytes_of("killed") == rolling.expected
    report = measure(read_log(rolling.log), by="device")
    assert read_rolled(rolling.state("killed")).to_dict() == report.to_dict()
    return hit


@pytest.mark.untraced
def test_a_kill(tmp_path: Path) -> None:
    """The shortest form of it, for every day."""
    assert killed(tmp_path, events=800, kills=1, before=2) >= 1


@pytest.mark.long
@pytest.mark.parametrize("before", [0, 2, 3], ids=["first run", "half", "next run"])
def test_thirty_kills(tmp_path: Path, before: int) -> None:
    """Ten of them: after a kill at a random moment the next run makes the same bytes."""
    hit = killed(tmp_path, events=6_000, kills=10, before=before)

    print(f"{hit} runs killed, the next run made the same bytes each time")
    assert hit >= 10
