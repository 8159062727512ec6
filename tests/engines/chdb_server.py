"""ClickHouse's HTTP interface, answered by chdb: the present ClickHouse without its server.

`python -m tests.engines.chdb_server` prints its port and serves one session. It runs apart from
the tests, since other tests fork, and chdb has threads.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, quote, urlsplit

ROOT = Path(__file__).parent.parent.parent

#: What is said of a request and not of a statement.
_OF_HTTP = {"query", "session_id", "session_timeout", "database", "wait_end_of_query"}
AS_LINES = "FORMAT LineAsString"
#: Tests have small tables.
_SMALL = {"max_threads": "1", "compile_expressions": "0", "compile_aggregate_expressions": "0"}


def main() -> None:
    """Serve until the parent is gone."""
    from chdb.session import Session

    session, as_set, profile = Session(), dict[str, str](), dict[str, str]()
    lock = threading.Lock()

    def answered(statement: bytes, asked: dict[str, str]) -> bytes:
        settings = {name: value for name, value in asked.items() if name not in _OF_HTTP}
        for name, value in {**_SMALL, **profile, **settings}.items():
            if as_set.get(name) != value:
                session.query(f"SET {name} = '{value}'")
                as_set[name] = value
        return session.query(statement.decode()).bytes()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm, wbufsize = True, -1  # one packet an answer: none waits for another

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                content = gzip.decompress(content)
            parts = urlsplit(self.path)
            asked = dict(parse_qsl(parts.query))
            if parts.path == "/profile":  # what a user's settings are if a request has no other
                profile.clear()
                profile.update(json.loads(content))
                return self.reply(200, b"")
            insert = asked.get("query", "")
            if insert.endswith(AS_LINES):  # in a statement, chdb takes no control characters
                with tempfile.NamedTemporaryFile(delete=False) as lines:
                    lines.write(content)
                source = f"file('{lines.name}', 'LineAsString', 'line String')"
                content = f"{insert.removesuffix(AS_LINES)} SELECT line FROM {source}".encode()
            elif insert:
                content = insert.encode() + b"\n" + content
            try:
                with lock:
                    found = answered(content, asked)
                return self.reply(200, found)
            except RuntimeError as error:
                code = re.search(r"Code: (\d+)", str(error))
                return self.reply(500, str(error).encode(), code[1] if code else "1")

        def reply(self, status: int, content: bytes, code: str = "") -> None:
            self.send_response(status)
            if code:
                self.send_header("X-ClickHouse-Exception-Code", code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, *told: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.timeout, server.daemon_threads = 1, True
        parent = os.getppid()
        while os.getppid() == parent:
            server.handle_request()


class ChdbServer:
    """One that runs beside the tests.

    Args:
        timeout: How many seconds a request may take.
    """

    def __init__(self, timeout: float = 60) -> None:
        self._timeout = timeout
        command = [sys.executable, "-m", "tests.engines.chdb_server"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def post(self, path: str, content: bytes) -> bytes:
        request = urllib.request.Request(f"{self.url}{path}", content)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                return bytes(answer.read())
        except HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def run(self, statement: str) -> list[list[Any]]:
        """The rows that a statement answers."""
        content = self.post("/", statement.encode())
        return [json.loads(line) for line in content.splitlines()]

    def fill(self, table: str, lines: list[str]) -> None:
        """Insert lines as a sink does."""
        query = quote(f"INSERT INTO {table} (line) FORMAT LineAsString")
        self.post(f"/?query={query}", "\n".join(lines).encode())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


if __name__ == "__main__":
    main()
