"""A collector in a process of its own, and the least client that can talk to it."""

import base64
import gzip
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from lastclick.logs import read_log
from lastclick.sinks._webhooks import Secrets, sign

#: Serves with limits that a test wants, which the command has no options for.
SERVE = """
import sys
from datetime import timedelta
from lastclick.collect import Limits, create_app
from lastclick.collect import _server

_server._HEAD_S = 1.0
app = create_app({log!r}, secrets={secrets!r}, limits=Limits(**{limits!r}))
_server.serve(app, "127.0.0.1:0", lambda url: print(url, flush=True))
"""


def secret(number: int = 1) -> str:
    """A secret that can be told by its number."""
    return "whsec_" + base64.b64encode(bytes([number]) * 32).decode()


def line(number: int | str = 1, *, note: str = "", **more: Any) -> bytes:
    """An event that can be told by its number, as this version writes it."""
    fields = {
        "v": 1,
        "type": "step_entered",
        "event_id": f"e-{number}",
        "funnel": "checkout",
        "occurred_at": "2026-10-01T12:00:00.000000Z",
        "checkout_id": "c-1",
        **({"attributes": {"note": note}} if note else {}),
        "step": "cart",
        **more,
    }
    return json.dumps(fields, separators=(",", ":")).encode()


def lines(*numbers: int | str, note: str = "") -> bytes:
    """Several, as newline-delimited JSON."""
    return b"".join(line(number, note=note) + b"\n" for number in numbers)


def by_segment(log: Path) -> list[list[dict[str, Any]]]:
    """The whole lines of each segment, oldest first; closed ones may be compressed by now."""
    found: dict[Path, dict[bytes, dict[str, Any]]] = {}
    for path, _, content in read_log(log).lines():
        with suppress(ValueError):  # a killed process left a part of its last line
            plain = path.with_name(path.name.removesuffix(".gz"))
            line = json.loads(content)
            found.setdefault(plain, {})[content] = line  # both files stand there for a moment
    return [list(lines.values()) for lines in found.values()]


def written(log: Path) -> list[dict[str, Any]]:
    """The whole lines of the log."""
    return [one for segment in by_segment(log) for one in segment]


def ids(log: Path) -> list[str]:
    """The ids in the log, in its order."""
    return [one["event_id"] for one in written(log)]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Collector:
    """A running one."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def send(self, content: bytes, path: str = "/v1/events", **headers: str) -> Answer:
        """POST some events, on a connection of its own."""
        given = {"content-type": "application/x-ndjson"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, content, given)

    def send_gzipped(self, content: bytes, **headers: str) -> Answer:
        return self.send(gzip.compress(content), content_encoding="gzip", **headers)

    def send_signed(
        self, content: bytes, *, secrets: object = None, at: float | None = None, **more: str
    ) -> Answer:
        """POST some events, signed with the first secret or these."""
        known = Secrets(secrets or secret())
        signed = sign(known, "msg-1", int(time.time() if at is None else at), content)
        return self.send_gzipped(content, **{**signed, **more})

    def get(self, path: str) -> Answer:
        return self.request("GET", path, None, {})

    def request(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def figure(self, name: str) -> float:
        """A figure of /metrics: ``requests_total{status="200"}``; 0 where it is not there."""
        text = self.get("/metrics").body.decode()
        found = re.search(rf"^lastclick_collect_{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def memory(self, what: str = "VmRSS") -> int:
        """Bytes of memory that the process has, or with "VmHWM" had at most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)[1])

    def stop(self) -> int:
        """Ask it to end as systemd does, and say how it ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)


def start(command: list[str], **more: Any) -> Collector:
    """Start a collector that prints its URL when it is ready."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )
    said = process.stdout.readline()
    port = re.search(r"http://[^ ]*:(\d+)", said)
    if port is None:
        process.kill()
        raise AssertionError(f"no URL: {said!r} {process.communicate()[1]}")
    return Collector(process, int(port[1]))


@contextmanager
def collecting(
    log: Path, *, secrets: object = None, environment: dict[str, str] | None = None, **limits: Any
) -> Iterator[Collector]:
    """A collector with these limits; it must end well, unless it was ended before."""
    code = SERVE.format(log=str(log), secrets=secrets, limits=limits)
    collector = start([sys.executable, "-c", code], env={**os.environ, **(environment or {})})
    try:
        yield collector
        if collector.process.poll() is None:
            assert collector.stop() == 0
    finally:
        collector.process.kill()
        told = collector.process.communicate()[1]
        print(told)
    assert "Traceback" not in told
