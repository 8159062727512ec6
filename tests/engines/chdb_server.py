"""ClickHouse's HTTP interface, answered by chdb: the present ClickHouse, in this process."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chdb.session import Session

#: What is said of a request and not of a statement.
_OF_HTTP = {"query", "session_id", "session_timeout", "database", "wait_end_of_query"}
#: Small tables are what tests have.
_SMALL = {"max_threads": "1", "compile_expressions": "0", "compile_aggregate_expressions": "0"}


class ChdbServer:
    """A server on a port of its own; `profile` is what its users' settings are by default."""

    def __init__(self) -> None:
        self.profile: dict[str, str] = {}
        self.headers: list[dict[str, str]] = []
        self.statements: list[str] = []
        self._lock, self._session, self._set = threading.Lock(), Session(), dict[str, str]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.headers.append(dict(self.headers))
                asked = dict(parse_qsl(urlsplit(self.path).query))
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                statement = body if "query" not in asked else asked["query"].encode() + b"\n" + body
                code, content = outer.answer(statement, asked)
                self.send_response(500 if code else 200)
                if code:
                    self.send_header("X-ClickHouse-Exception-Code", code)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *told: Any) -> None:
                """Says nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def answer(self, statement: bytes, asked: dict[str, str]) -> tuple[str, bytes]:
        """The code of a refusal, empty where it is none, and the answer."""
        self.statements.append(statement.decode(errors="replace"))
        with self._lock:
            try:
                settings = {k: v for k, v in asked.items() if k not in _OF_HTTP}
                for name, value in ({**_SMALL, **self.profile} | settings).items():
                    if self._set.get(name) != value:
                        self._session.query(f"SET {name} = '{value}'")
                        self._set[name] = value
                return "", self._session.query(statement.decode("utf-8", "surrogateescape")).bytes()
            except RuntimeError as error:
                code = re.search(r"Code: (\d+)", str(error))
                return code[1] if code else "1", str(error).encode()

    def run(self, statement: str) -> list[list[Any]]:
        """The rows that a statement answers, for a test to look at."""
        import json

        code, content = self.answer(f"{statement}\n".encode(), {})
        assert not code, content
        return [json.loads(line) for line in content.splitlines()]

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._session.close()
