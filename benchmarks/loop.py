"""How long the ASGI middleware holds the event loop, under a real uvicorn.

    python -m benchmarks.loop

Each app is served by uvicorn in a process of its own, on asyncio's loop, and asked by another
process over some kept-open connections. After a hundred requests it is frozen (`gc.freeze()`), or
the longest times were those of the garbage collector going through all that was imported, in the
bare app too. Then every callback of the loop is timed: for as long as one runs, all others wait.
Beside the bare app stand those that record each request: to a `FileSink`, to
one that appends in the background, and to an `HttpSink` whose receiver is down.

With `--watch`, what the loop's thread does is noted instead: connections, look-ups, waits for the
disk and appends. The tests hold those against what the docs promise.
"""

import argparse
import asyncio
import gc
import http.client
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from benchmarks.child import machine, run, table
from lastclick import Funnel
from lastclick.integrations.asgi import LastclickMiddleware, Rule
from lastclick.sinks import FileSink, Sink
from lastclick.sinks.http import HttpSink

CONNECTIONS = 4
APPS = {
    "bare": "the app alone",
    "file": "FileSink",
    "exit": "FileSink, durability='exit'",
    "http": "HttpSink, receiver down",
    "spool": "HttpSink with a spool, receiver down",
}
HEADERS = {"Cookie": "lastclick=" + "a" * 22, "User-Agent": "Firefox"}


def sink(name: str, folder: str) -> Sink:
    if name in ("http", "spool"):
        # Port 9 discards, where there is such a thing; else the connection is refused.
        return HttpSink("http://127.0.0.1:9/", spool=folder if name == "spool" else None)
    return FileSink(folder, durability="exit" if name == "exit" else "process")


def shop(name: str, folder: str) -> Any:
    async def page(_: object) -> PlainTextResponse:
        return PlainTextResponse("a page")

    app = Starlette(routes=[Route("/cart/{number}", page)])
    if name == "bare":
        return app
    return LastclickMiddleware(
        app,
        Funnel("checkout", steps=("cart", "payment"), sink=sink(name, folder)),
        rules=[Rule("cart", view="/cart/{number}")],
        value=lambda _: ("59.90", "EUR"),
    )


def ask(port: int, requests: int) -> None:
    """The shoppers, in a process of their own."""

    def one(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number in range(requests // CONNECTIONS):
            connection.request("GET", f"/cart/{number}", headers=HEADERS)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"a page")
        connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(one, range(CONNECTIONS)))


async def serve(app: Any, requests: int, watch: Callable[[], None]) -> None:
    """Serve until the shoppers are gone, watched once all is warm."""
    # Of this protocol by name, or asyncio leaves Nagle's algorithm on, and each answer waits.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, loop="asyncio", log_level="warning", access_log=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        port = listening.getsockname()[1]
        await visit(port, 100)
        gc.collect()
        gc.freeze()
        watch()
        await visit(port, requests)
        server.should_exit = True
        await serving


async def visit(port: int, requests: int) -> None:
    arguments = ["--ask", str(port), "--requests", str(requests)]
    shoppers = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.loop", *arguments
    )
    assert await shoppers.wait() == 0


class Times:
    """Times each callback of the loop, in microseconds: by the clock, and by the processor."""

    def __init__(self) -> None:
        self.wall, self.cpu = array("d"), array("d")

    def watch(self) -> None:
        handle: Any = asyncio.events.Handle
        plain = handle._run

        def timed(one: Any) -> None:
            wall, cpu = time.perf_counter(), time.thread_time()
            plain(one)
            self.cpu.append((time.thread_time() - cpu) * 1e6)
            self.wall.append((time.perf_counter() - wall) * 1e6)

        handle._run = timed

    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for kind, times in (("cpu", self.cpu), ("wall", self.wall)):
            longest = sorted(times)
            # A request takes three callbacks or four; the longest quarter are those that answer.
            answers = longest[-len(longest) // 4 :]
            told[kind] = {
                "median": statistics.median(answers),
                "p99.9": longest[-len(longest) // 1000],
                "longest": longest[-1],
                "over": sum(one > 1000 for one in longest),
            }
        return told


class Deeds:
    """What the thread of the loop does that may wait, and what others do."""

    def __init__(self) -> None:
        self.loop, self.others = Counter[str](), Counter[str]()
        self._thread = threading.get_ident()

    def watch(self) -> None:
        for name in ("fsync", "fdatasync", "write", "writev"):
            self._replace(name)
        sys.addaudithook(self._heard)

    def _replace(self, name: str) -> None:
        plain = getattr(os, name)

        def noted(*given: Any) -> Any:
            self._note(name)
            return plain(*given)

        setattr(os, name, noted)

    def _heard(self, event: str, _: object) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "time.sleep"):
            self._note(event)

    def _note(self, what: str) -> None:
        mine = threading.get_ident() == self._thread
        (self.loop if mine else self.others)[what] += 1

    def told(self) -> dict[str, Any]:
        return {"loop": self.loop, "others": self.others}


def child(name: str, requests: int, *, watch: bool) -> None:
    noted = Deeds() if watch else Times()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        app = shop(name, folder)
        asyncio.run(serve(app, requests, noted.watch))
        told = noted.told()
        if name != "bare":
            app.tracking.funnel.close(0.5)
            told["told"] = app.tracking.stats.told
    print(json.dumps(told))


def report(requests: int) -> str:
    """Measure all apps in turns; return Markdown."""
    rows = []
    for name, title in APPS.items():
        told = run("benchmarks.loop", "--app", name, "--requests", str(requests))
        figures = [f"{one:,.0f}" for kind in ("cpu", "wall") for one in told[kind].values()]
        rows.append((title, *figures))
    columns = ("median", "p99.9", "longest", "over 1 ms")
    header = ("app", *(f"{kind} {one}" for kind in ("cpu", "clock") for one in columns))
    return f"## The event loop, microseconds of a callback\n\n{table(header, rows)}"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop", description=__doc__)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--app", choices=list(APPS), help=argparse.SUPPRESS)
    parser.add_argument("--watch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ask", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask is not None:
        ask(arguments.ask, arguments.requests)
    elif arguments.app is not None:
        child(arguments.app, arguments.requests, watch=arguments.watch)
    else:
        print(f"{machine()}\n\n{report(arguments.requests)}")


if __name__ == "__main__":
    main()
