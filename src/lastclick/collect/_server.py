"""The collector in a process of its own, by uvicorn, with limits on slow and many connections."""

import asyncio
import re
import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from lastclick.errors import ConfigError

#: How long a request's head may take to arrive, in seconds.
_HEAD_S = 10.0
_HEAD_BYTES = 16 * 1024

#: How long a connection is kept open for the next request, in seconds. Longer than nginx (60) and
#: senders keep theirs, so that it is they who close it: a request could cross a close of ours.
_KEEP_ALIVE_S = 75

#: What is added at the end to the time that a body may take: for the disk.
_LAST_ANSWERS_S = 10


def serve(app: Starlette, listen: str, started: Callable[[str], object]) -> None:
    """Serve a collector until SIGTERM or SIGINT; what is under way then is finished.

    Args:
        app: What `create_app` made.
        listen: ``"host:port"``; a port of 0 is a free one.
        started: Called with the URL, once requests are taken.

    Raises:
        ConfigError: The address is not one, or another collector writes to the log.
        OSError: The address is taken, or not ours.
    """
    host, port = _address(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        # asyncio does it for sockets that it makes itself. Without it, the second packet of each
        # answer waits 40 ms for the sender to confirm the first.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app.state.store.open()
        limits = app.state.limits
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            log_level="error",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=limits.connections,
            h11_max_incomplete_event_size=_HEAD_BYTES,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(limits.body_seconds) + _LAST_ANSWERS_S,
        )
        # uvicorn raises the signal again when it has finished, for the handler it found.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        shown = f"[{host}]" if ":" in host else host
        started(f"http://{shown}:{listening.getsockname()[1]}")
        uvicorn.Server(config).run([listening])


def _address(listen: str) -> tuple[str, int]:
    parts = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]]+)):([0-9]{1,5})", listen)
    if parts is None or int(parts[3]) > 65535:
        raise ConfigError(f"listen at host:port, such as 127.0.0.1:8787, not {listen!r:.100}")
    return parts[1] or parts[2], int(parts[3])


class _Protocol(H11Protocol):
    """Closes a connection that sends too slowly while no request of it is being answered.

    uvicorn limits how long a connection may be silent between two requests, and the application
    how long a body may take. That leaves a head that comes byte by byte, and the rest of a body
    whose request was answered already.
    """

    _late: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(_HEAD_S, transport.abort)

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._in_time()
        elif self._late is None:
            self._late = self.loop.call_later(_HEAD_S, self.transport.abort)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
