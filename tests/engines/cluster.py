"""A Spark cluster on this machine: `python -m tests.engines.cluster [pytest's arguments]`.

A standalone master, two workers and a Connect server, all on 127.0.0.1, from the jars that the
package pyspark brings. The tests run twice: through Spark Connect, and in a classic session. Needs
Java 17 or newer; `make test-spark` runs it in an environment of its own, `make test-long` a part.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

LOCAL = "127.0.0.1"
WAIT_SECONDS = 300
CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"
#: Two cores and small logs: more partitions would only be more tasks.
SETTINGS = {
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.ui.enabled": "false",
    "spark.executor.memory": "1g",
    "spark.cores.max": "2",  # of four, so that both kinds of session find room
    "spark.executor.cores": "1",  # and so on both workers
    # Code made for a statement is not worth its making where a table has ten rows.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(home: Path, log: Path, *command: str, port: int | None = None) -> Iterator[None]:
    """A process of Spark, from when it listens."""
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": LOCAL}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(home / "bin" / command[0]), *command[1:]],
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        if port is not None:
            listening(port, process, log)
        yield
    finally:
        process.terminate()
        process.wait(30)


def listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a process listens."""
    until = time.monotonic() + WAIT_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex((LOCAL, port)) == 0:
                return
        time.sleep(0.2)
    sys.exit(f"{process.args!r} does not listen:\n{log.read_text(errors='replace')[-3000:]}")


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, str]]:
    """The addresses of a Connect server, and of the master."""
    import pyspark

    home = Path(pyspark.__file__).parent
    master_port, connect_port = free_port(), free_port()
    master = f"spark://{LOCAL}:{master_port}"
    settings = SETTINGS | {
        "spark.connect.grpc.binding.port": str(connect_port),
        "spark.checkpoint.dir": str(folder / "checkpoints"),
    }
    with ExitStack() as stack:

        def start(name: str, *command: str, port: int | None = None) -> None:
            stack.enter_context(running(home, folder / f"{name}.log", *command, port=port))

        deploy = "org.apache.spark.deploy"
        at = ("--host", LOCAL, "--webui-port", "0")
        start(
            "master",
            *("spark-class", f"{deploy}.master.Master", *at, "--port", str(master_port)),
            port=master_port,
        )
        for number in (1, 2):
            work = ("--work-dir", str(folder / f"worker-{number}"), "--cores", "2")
            start(
                f"worker-{number}",
                *("spark-class", f"{deploy}.worker.Worker", *at, *work, "--memory", "2g", master),
            )
        given = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
        start(
            "connect",
            *("spark-submit", "--master", master, "--class", CONNECT, *given, "spark-internal"),
            port=connect_port,
        )
        yield f"sc://{LOCAL}:{connect_port}", master


def main() -> int:
    """Run the tests of the Spark engine in both kinds of session; pytest's exit code."""
    with (
        tempfile.TemporaryDirectory(prefix="lastclick-spark-") as folder,
        cluster(Path(folder)) as addresses,
    ):
        codes = [
            subprocess.run(
                [sys.executable, "-m", "pytest", *sys.argv[1:]],
                env={**os.environ, "LASTCLICK_SPARK": address, "SPARK_LOCAL_IP": LOCAL},
                check=False,
            ).returncode
            for address in addresses
        ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
