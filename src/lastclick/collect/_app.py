"""The collector as an ASGI application: requests in, answers out."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lastclick.collect._body import (
    Limits,
    Refusal,
    Split,
    Unpacker,
    read_events,
    split_of,
    too_large,
)
from lastclick.collect._lines import Line, Rejected
from lastclick.collect._metrics import Metrics
from lastclick.collect._store import Kept, Store
from lastclick.errors import ConfigError
from lastclick.sinks._webhooks import Secrets, SignatureError, verify

#: When to come again, in seconds, where nothing better is known.
_RETRY_AFTER = "5"

#: How long a check of health may wait for the disk, in seconds.
_HEALTH_S = 5.0

#: How long a refused body is read on, in seconds.
_DRAIN_S = 5.0


def create_app(
    log: str | os.PathLike[str],
    *,
    secrets: str | Iterable[str] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    remember: timedelta = timedelta(days=7),
) -> Starlette:
    """The collector as an ASGI application: receives events over HTTP and writes them to a log.

    ``POST /v1/events`` takes what `HttpSink` sends. What it answers as accepted is on the disk.
    ``GET /health`` says whether the disk can be written to, ``GET /metrics`` is for Prometheus.

    One process serves one log; the application's lifespan must run, as every ASGI server does by
    itself. ``lastclick collect`` serves it, with limits on slow and many connections.

    Args:
        log: The directory of the log; made if it is not there. Readers and other writers may use
            it at the same time.
        secrets: ``"whsec_<base64>"``, or several while they are changed. Without, whoever reaches
            the collector may write to the log.
        limits: How much is taken in.
        remember: For how long an event that comes again is recognised and not written again.

    Raises:
        ConfigError: A setting is wrong, or the directory cannot be written to.

    Example:
        >>> app = create_app("var/collected", limits=Limits(body_seconds=10.0))
        >>> [route.path for route in app.routes]
        ['/v1/events', '/health', '/metrics']

    .. versionadded:: 0.1.0
    """
    if not isinstance(limits, Limits):
        raise ConfigError(f"limits are Limits(...), not {limits!r:.60}")
    known = None if secrets is None else Secrets(secrets)
    store = Store(log, remember=remember)
    collector = _Collector(store, known, limits)
    app = Starlette(
        routes=[
            Route("/v1/events", collector.take, methods=["POST"]),
            Route("/health", collector.health, methods=["GET"]),
            Route("/metrics", collector.figures, methods=["GET"]),
        ],
        middleware=[Middleware(_Counted, metrics=collector.metrics)],
        exception_handlers={HTTPException: _elsewhere},
        lifespan=collector.lifespan,
    )
    app.state.store = store
    app.state.limits = limits
    return app


class _Collector:
    def __init__(self, store: Store, secrets: Secrets | None, limits: Limits) -> None:
        self._store = store
        self._secrets = secrets
        self._limits = limits
        #: Bytes of all requests under way. Only the event loop's thread changes it.
        self._held = 0
        self.metrics = Metrics(held=lambda: self._held, syncs=lambda: store.syncs)

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Open the log before the first request, and close it after the last."""
        await asyncio.to_thread(self._store.open)
        # One thread, so that one body at a time is taken apart: that needs room.
        with ThreadPoolExecutor(1, thread_name_prefix="lastclick-collect-read") as self._reader:
            yield
        await asyncio.to_thread(self._store.close)

    async def take(self, request: Request) -> Response:
        """Take in the events of a request."""
        content = bytearray()
        body = request.stream()
        try:
            split = split_of(request.headers.get("content-type", ""))
            await self._receive(request, body, content)
            events = await asyncio.get_running_loop().run_in_executor(
                self._reader, self._read, request.headers, bytes(content), split
            )
            lines = [event for event in events if isinstance(event, Line)]
            kept = await asyncio.wrap_future(self._store.write(lines)) if lines else []
        except Refusal as refusal:
            if "expect" not in request.headers:  # such a sender waits to be asked for the body
                await _drain(body)
            return _refused(refusal)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it; it is counted
        finally:
            self._held -= len(content)
        return self._answer(events, kept)

    async def _receive(
        self, request: Request, body: AsyncIterator[bytes], content: bytearray
    ) -> None:
        """Read the body, decompressed, and stop where it breaks a limit."""
        limits = self._limits
        unpacker = Unpacker(request.headers.get("content-encoding", ""), limits)
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limits.body_bytes:
            raise too_large(limits)
        try:
            async with asyncio.timeout(limits.body_seconds):
                async for chunk in body:
                    self.metrics.received.inc(len(chunk))
                    part = unpacker.feed(chunk)
                    if self._held + len(part) > limits.held_bytes:
                        raise Refusal(503, "busy", "too many requests are under way; come again")
                    self._held += len(part)
                    content += part
        except TimeoutError:
            msg = f"the body did not arrive within {limits.body_seconds:g} seconds"
            raise Refusal(408, "slow_body", msg) from None
        unpacker.end()

    def _read(self, headers: Headers, content: bytes, split: Split) -> list[Line | Rejected]:
        """The events of a body, if we know who signed it."""
        if self._secrets is not None:
            try:
                verify(self._secrets, headers, content, time.time())
            except SignatureError as error:
                raise Refusal(401, error.reason, str(error)) from None
        return read_events(content, split, self._limits)

    def _answer(self, events: Sequence[Line | Rejected], kept: Sequence[Kept]) -> Response:
        """Each event by its id; what is not on the disk is to come again."""
        lines = [event for event in events if isinstance(event, Line)]
        pairs = list(zip(lines, kept, strict=True))
        accepted = [line.event_id for line, what in pairs if what is not Kept.FAILED]
        retry = [line.event_id for line, what in pairs if what is Kept.FAILED]
        rejected = [event._asdict() for event in events if isinstance(event, Rejected)]
        duplicates = sum(what is Kept.DUPLICATE for what in kept)
        for result, number in (
            ("accepted", len(accepted)),
            ("duplicate", duplicates),
            ("rejected", len(rejected)),
            ("retry", len(retry)),
        ):
            self.metrics.events.labels(result).inc(number)
        return _json(
            503 if retry and not accepted else 200,
            {"accepted": accepted, "rejected": rejected, "retry": retry},
            {"retry-after": _RETRY_AFTER} if retry else {},
        )

    async def health(self, _: Request) -> Response:
        """Whether the disk can be written to, tried out in the thread that writes."""
        try:
            async with asyncio.timeout(_HEALTH_S):
                await asyncio.wrap_future(self._store.probe())
        except OSError as error:  # a TimeoutError too
            message = error.strerror or f"no answer from the disk in {_HEALTH_S:g} seconds"
            return _json(503, {"status": "unavailable", "message": message})
        return _json(200, {"status": "ok"})

    async def figures(self, _: Request) -> Response:
        """The metrics."""
        return Response(self.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _drain(body: AsyncIterator[bytes]) -> None:
    """Read what is still coming, and throw it away.

    A sender that is cut off while it sends may not see the answer.
    """
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in body:
                pass


def _refused(refusal: Refusal) -> Response:
    headers = {"connection": "close"}  # there may be more of the body
    if refusal.status == 415:
        headers["accept-encoding"] = "gzip"
    if refusal.status == 503:
        headers["retry-after"] = _RETRY_AFTER
    return _json(refusal.status, {"reason": refusal.reason, "message": str(refusal)}, headers)


async def _elsewhere(request: Request, error: Exception) -> Response:
    """Another path (404) or method (405)."""
    assert isinstance(error, HTTPException)
    reason = "bad_method" if error.status_code == 405 else "bad_path"
    message = f"{request.method} {request.url.path}: POST events to /v1/events"
    headers = {"connection": "close", **(error.headers or {})}
    return _json(error.status_code, {"reason": reason, "message": message}, headers)


def _json(
    status: int, content: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    # In ASCII: an id may hold half of a surrogate pair, which no other encoding can say.
    return Response(json.dumps(content), status, headers, media_type="application/json")


class _Counted:
    """Counts every request by its status, and how long it took."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def told(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, told)
        finally:
            self._metrics.requests.labels(str(status)).inc()
            self._metrics.seconds.observe(time.perf_counter() - started)
