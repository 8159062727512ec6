"""Run one measurement in a process of its own, so that none warms up or bloats the next."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def timed(work: Callable[[], Any], server: int | None = None) -> tuple[dict[str, float], Any]:
    """Run `work`; return its seconds and the peak of memory, and its result.

    CPU is that of the processes that it starts and ends, too; memory is that of this process, or
    of the largest of those. What a server takes, a process that runs all the while, is added.
    """
    cpu, wall = _cpu(server), time.perf_counter()
    result = work()
    wall, cpu = time.perf_counter() - wall, _cpu(server) - cpu
    peak = max(peak_mib(), _children_mib()) + (peak_mib(server) if server else 0)
    return {"wall": wall, "cpu": cpu, "peak_mib": peak}, result


def _cpu(server: int | None) -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    others = cpu_seconds(server) if server else 0
    return time.process_time() + ended.ru_utime + ended.ru_stime + others


def _children_mib() -> float:
    """Return the most memory that one of the processes started and ended here has held."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


def run(
    module: str, *arguments: str, python: str = sys.executable, timeout: float | None = None
) -> Any:
    """Run `python -m module arguments` and return the JSON that it prints last."""
    command = [python, "-m", module, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=timeout)
    return json.loads(done.stdout.splitlines()[-1])


def peers_python() -> str:
    """Return the interpreter that knows the others, or this one where there is none."""
    return _python("LASTCLICK_PEERS", ".venv-peers")


def spark_python() -> str:
    """Return the interpreter that knows Spark with its jars, or this one where there is none."""
    return _python("LASTCLICK_SPARK", ".venv-spark")


def _python(variable: str, environment: str) -> str:
    python = Path(os.environ.get(variable, environment), "bin", "python")
    return str(python) if python.exists() else sys.executable


def cpu_seconds(process: int) -> float:
    """Return what another process, its threads and its ended children have taken (Linux)."""
    # Behind the name, which may hold spaces: the times are the 12th to the 15th.
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peak_mib(process: int | None = None) -> float:
    """Return the most memory this process, or another one (Linux), has held, in MiB.

    `getrusage` would do, but on Linux a child's figure begins with its parent's, which at the
    moment of starting it may be larger; the kernel's own mark for this program is exact.
    """
    return _status("VmHWM:", process or "self")


def resident_mib() -> float:
    """Return the memory this process holds now, in MiB; its peak where there is no /proc."""
    return _status("VmRSS:")


def _status(key: str, process: int | str = "self") -> float:
    status = Path(f"/proc/{process}/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith(key):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


def machine() -> str:
    """Return one line about this machine: without it, no figure means anything."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.partition(":")[2].strip()
            for line in info.read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        cpu = models[0] if models else cpu
    load = ", ".join(f"{mean:.1f}" for mean in os.getloadavg())
    return (
        f"{os.cpu_count()} x {cpu}; {platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}; load {load}"
    )


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table: the first column to the left, the others to the right."""
    lines = [head, ("---", *("--:",) * (len(head) - 1)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
