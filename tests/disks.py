"""A real disk that is small enough to fill up."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def mount(directory: Path, options: str) -> None:
    """Mount a small file system of its own, or skip the test saying so."""
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {done.stderr.strip()}")


def fill(disk: Path, leave: int = 0) -> Path:
    """Fill a disk up, but for some bytes that were kept aside."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(file.tell() - leave)
    return ballast
