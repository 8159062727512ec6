"""A Spark Connect server without Java: Sail, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = """
import sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Where the server listens; what it keeps between is in the folder."""
    settings = {
        "SAIL_EXECUTION__CHECKPOINT__PATH": folder.as_uri(),
        "SAIL_EXECUTION__DEFAULT_PARALLELISM": "1",
        "RUST_LOG": "error",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env={**os.environ, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield f"sc://127.0.0.1:{port}"
    finally:
        process.communicate(timeout=30)
