"""A loopback server that stands in for every vendor's and counts what arrives, by event id.

    python -m benchmarks.receiver

It prints its port and serves until its standard input ends, so that it never outlives whoever
started it. Requests are answered after a delay, with an error, or never, as it was told.
"""

import asyncio
import base64
import gzip
import http.client
import json
import re
import subprocess
import sys
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Every subject sends an `event_id` of the first form among its fields. Where lastclick is to make
# its own id, as in a shop, it is the second; declarations are no events of the shop.
EVENT_ID = re.compile(rb'bench-(\d+)-\d+|(?<="event_id":")[0-9a-f-]{36}(?=")')


def _form(body: bytes) -> bytes:
    return urllib.parse.unquote_to_bytes(body)


def _snowplow(body: bytes) -> bytes:
    events = json.loads(body)["data"]
    return b"\n".join(base64.urlsafe_b64decode(event["ue_px"] + "==") for event in events)


def _lines(body: bytes) -> bytes:
    return b"\n".join(line for line in body.split(b"\n") if b'"type":"step_entered"' in line)


# What hides the ids in a vendor's body, by path; JSON and protobuf show them as they are.
UNWRAP: dict[str, Callable[[bytes], bytes]] = {
    "/track": _form,
    "/com.snowplowanalytics.snowplow/tp2": _snowplow,
    "/v1/events": _lines,
}


def event_ids(path: str, encoding: str, body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Return the id of each event in a request, and the process that made it if the id says so."""
    if encoding == "gzip":
        body = gzip.decompress(body)
    unwrap = UNWRAP.get(path)
    for found in EVENT_ID.finditer(unwrap(body) if unwrap else body):
        yield found[0], found[1] or b""


class _State:
    def __init__(self) -> None:
        self.status, self.delay, self.hang = 200, 0.0, False
        self.seen: set[bytes] = set()
        self.by: Counter[str] = Counter()
        self.again = 0
        self.requests = 0
        self.waiting: list[tuple[int, Callable[[], None]]] = []

    def count(self, path: str, encoding: str, body: bytes) -> None:
        for one, process in event_ids(path, encoding, body):
            if one in self.seen:
                self.again += 1
            else:
                self.seen.add(one)
                self.by[process.decode()] += 1
        for wanted, tell in [*self.waiting]:
            if len(self.seen) >= wanted:
                tell()

    def counts(self) -> dict[str, Any]:
        return {
            "events": len(self.seen),
            "again": self.again,
            "requests": self.requests,
            "by": self.by,
        }


class _Connection(asyncio.Protocol):
    """One kept-alive connection. Bare, since whatever it takes is taken from the subject's CPU."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._received = rest[length:]
        path, _, query = first.split(" ")[1].partition("?")
        if path.startswith("/-/"):
            self._control(path, dict(urllib.parse.parse_qsl(query)))
        else:
            self._deliver(path, headers.get("content-encoding", ""), rest[:length])

    def _deliver(self, path: str, encoding: str, body: bytes) -> None:
        state = self._state
        state.requests += 1
        if state.hang:
            return
        if state.status == 200:
            state.count(path, encoding, body)
        # Each vendor's client looks for another one of these.
        good = state.status == 200
        text = {"status": int(good), "success": good, "code": state.status, "message": "told to"}
        answer = {**text} if good else {**text, "error": "told to"}
        if state.delay:
            loop = asyncio.get_running_loop()
            loop.call_later(state.delay, self._answer, state.status, answer)
        else:
            self._answer(state.status, answer)

    def _control(self, path: str, query: dict[str, str]) -> None:
        state = self._state
        if path == "/-/answer":
            state.status, state.delay = int(query["status"]), float(query["delay"])
            state.hang = query["hang"] == "1"
            self._answer(200, {})
        elif path == "/-/counts":
            self._answer(200, state.counts())
        else:  # /-/wait
            wanted = int(query["events"])

            def tell() -> None:
                if entry in state.waiting:
                    state.waiting.remove(entry)
                    self._answer(200, state.counts())

            entry = (wanted, tell)
            state.waiting.append(entry)
            if len(state.seen) >= wanted:
                tell()
            else:
                asyncio.get_running_loop().call_later(float(query["seconds"]), tell)

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        head = (
            f"HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


async def serve() -> None:
    """Serve on a free port of the loopback interface until standard input ends."""
    state, loop = _State(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(state), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


class Receiver:
    """The server as seen from the process that measures; `url` is where subjects send to."""

    def __init__(self, url: str) -> None:
        self.url = url

    def answer(self, status: int = 200, *, delay: float = 0.0, hang: bool = False) -> None:
        """Say how to answer from now on: with a status, after seconds, or never."""
        self._ask(f"/-/answer?status={status}&delay={delay}&hang={int(hang)}")

    def counts(self) -> dict[str, Any]:
        """Return how many events have arrived, how many of them again, in how many requests."""
        return self._ask("/-/counts")

    def wait(self, events: int, seconds: float) -> dict[str, Any]:
        """Return the counts as soon as so many events have arrived, or after `seconds`."""
        return self._ask(f"/-/wait?events={events}&seconds={seconds}")

    def _ask(self, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=120)
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a server in a process of its own, so that what it takes is not counted."""
    command = [sys.executable, "-m", "benchmarks.receiver"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Receiver(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    asyncio.run(serve())
