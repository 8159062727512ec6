"""Files and directories that this process may not read, also where it is root's."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that every user may come to, which one of pytest's own is not."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@contextmanager
def forbidden(path: Path, mode: int = 0) -> Iterator[None]:
    """Take rights away from a path, and from root the right to do without."""
    before = path.stat().st_mode
    root = os.geteuid() == 0
    path.chmod(mode)
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(before)
