"""A real HTTP server on loopback that keeps what it gets, and that can be told to misbehave."""

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import NamedTuple


class Request(NamedTuple):
    """One request as it came."""

    number: int
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def lines(self) -> list[bytes]:
        return self.content.splitlines()

    @property
    def ids(self) -> list[str]:
        return [json.loads(line)["event_id"] for line in self.lines]


class Reply(NamedTuple):
    """How to answer: as HTTP has it, or by a fault of the wire.

    Attributes:
        status: The HTTP status.
        body: What to say.
        headers: Beside the length.
        delay: Seconds before the answer.
        fault: "hang" (no answer until the receiver stops), "reset", "empty" (the connection is
            closed), "half" (a part of the answer), "trickle" (a byte at a time), "drip" (headers
            without an end) or None.
        kept: Whether the events were taken in, whatever the answer.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    delay: float = 0.0
    fault: str | None = None
    kept: bool | None = None

    @property
    def takes(self) -> bool:
        return self.status < 300 and self.fault is None if self.kept is None else self.kept


OK = Reply()


def always(reply: Reply) -> Callable[[Request], Reply]:
    return lambda _: reply


FINE = always(OK)


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    """One reply after the other; the last one from then on."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


class Receiver:
    """The server; ``behave`` says how each request is answered and may be changed at any time."""

    def __init__(
        self,
        behave: Callable[[Request], Reply] = FINE,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.behave = behave
        self.requests: list[Request] = []
        self.events: Counter[str] = Counter()
        self.taken: list[bytes] = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.scheme = "http"
        if tls is not None:
            self.scheme = "https"
            # Hands are shaken in the thread of the connection, with the first read.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1/events"

    @property
    def shopper_ids(self) -> list[str]:
        """The ids of the shopper events taken in, each once."""
        own = {"funnel_declared", "events_lost"}
        found = [json.loads(line) for line in self.taken]
        return sorted({one["event_id"] for one in found if one["type"] not in own})

    def records(self, kind: str) -> list[dict]:
        return [one for one in map(json.loads, self.taken) if one["type"] == kind]

    def answer(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            reply = self.behave(request)
            if reply.takes:
                self.take(request.lines)
        return reply

    def take(self, lines: list[bytes]) -> None:
        self.taken += lines
        self.events.update(json.loads(line)["event_id"] for line in lines)

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle(self) -> None:
            with suppress(ssl.SSLError):  # somebody who does not trust us
                super().handle()

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                content = gzip.decompress(content)
            number = len(receiver.requests)
            reply = receiver.answer(Request(number, self.path, dict(self.headers), content))
            if reply.delay:
                receiver.stopping.wait(reply.delay)
            with suppress(OSError):
                self.reply(reply)

        def reply(self, reply: Reply) -> None:
            if reply.fault == "hang":
                receiver.stopping.wait()
            if reply.fault in {"hang", "empty"}:
                self.close_connection = True
                return
            if reply.fault == "reset":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                self.connection.close()
                return
            head = f"HTTP/1.1 {reply.status} Because\r\nContent-Length: {len(reply.body)}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
            answer = head.encode() + b"\r\n" + reply.body
            if reply.fault == "half":
                self.connection.sendall(answer[: -len(reply.body) // 2])
                self.close_connection = True
            elif reply.fault == "drip":
                self.close_connection = True
                self.connection.sendall(head.encode())
                while not receiver.stopping.wait(0.05):
                    self.connection.sendall(b"X-Wait: 1\r\n")
            elif reply.fault == "trickle":
                for at in range(len(answer)):
                    self.connection.sendall(answer[at : at + 1])
                    time.sleep(0.01)
            else:
                self.connection.sendall(answer)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def receiving(behave: Callable[[Request], Reply] = FINE) -> Iterator[Receiver]:
    receiver = Receiver(behave)
    try:
        yield receiver
    finally:
        receiver.stop()
