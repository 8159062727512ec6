"""A shop on a free loopback port, under a real WSGI server, in a process of its own."""

import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from waitress.server import create_server  # type: ignore[import-untyped]

from examples.flask_shop.shop import create_app
from examples.flask_shop.tracking import build_funnel
from lastclick.sinks import FileSink

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_spawn = multiprocessing.get_context("spawn")


class SharedNumber(Protocol):
    """An integer in memory that two processes see."""

    value: int


class DemoClock:
    """A clock that says what it was last set to, in this process and in the shop's."""

    def __init__(self, number: SharedNumber | None = None) -> None:
        self.number: SharedNumber = _spawn.Value("q", 0) if number is None else number

    def __call__(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.number.value)

    def set(self, now: datetime) -> None:
        self.number.value = (now - EPOCH) // MICROSECOND


@contextmanager
def shop_process(
    database: Path, log: Path, clock: DemoClock, *, staff_password: str
) -> Iterator[int]:
    """Run the shop under waitress for as long as a `with` lasts; gives the port.

    In the end it is killed, without a goodbye: what the log accepted is in the file by then.
    """
    ours, theirs = _spawn.Pipe(duplex=False)
    shop = _spawn.Process(
        target=_serve, args=(theirs, database, log, clock.number, staff_password), daemon=True
    )
    shop.start()
    theirs.close()
    try:
        if not ours.poll(60):
            raise TimeoutError("the shop did not open within 60 seconds")
        yield _opened(ours)
    finally:
        shop.kill()
        shop.join()
        shop.close()
        ours.close()


def _opened(ours: Connection) -> int:
    try:
        return int(ours.recv())
    except EOFError:
        raise RuntimeError("the shop could not open; what it said is above") from None


def _serve(
    port: Connection, database: Path, log: Path, number: SharedNumber, staff_password: str
) -> None:
    clock = DemoClock(number)
    funnel = build_funnel(FileSink(log), clock=clock)
    app = create_app(database, funnel, clock=clock, staff_password=staff_password)
    with socket.create_server(("127.0.0.1", 0)) as free:
        server = create_server(app, sockets=[free], threads=4)
        port.send(free.getsockname()[1])
        server.run()
