"""Delivery over HTTP, in the background. Needs the extra ``http``: urllib3."""

import atexit
import hashlib
import http.client
import io
import os
import socket
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, get_args
from urllib.parse import urljoin
from urllib.request import getproxies, proxy_bypass

from lastclick.errors import ConfigError, DeliveryError, log_errors, shown
from lastclick.events import Event
from lastclick.sinks import bodies
from lastclick.sinks._delivery import Batch, Retry, Timeout
from lastclick.sinks._losses import Losses
from lastclick.sinks._queue import Queue
from lastclick.sinks._receiver import Receiver
from lastclick.sinks._retry import retry_after
from lastclick.sinks._sender import Answer, Pace, Sender
from lastclick.sinks._settings import usable_directory
from lastclick.sinks._sink import DECLARED
from lastclick.sinks._spool import Spool
from lastclick.sinks._threads import start
from lastclick.sinks._webhooks import sign

try:
    import urllib3
except ModuleNotFoundError as error:
    msg = "lastclick.sinks.http needs the extra 'http': pip install 'lastclick[http]'"
    raise ModuleNotFoundError(msg, name=error.name) from None

__all__ = ["Batch", "HttpSink", "HttpStats", "Retry", "Timeout"]

Full = Literal["oldest", "newest"]
Compression = Literal["gzip", "zstd"]

_QUEUE_BYTES = 32 * 1024 * 1024
_SPOOL_BYTES = 1024 * 1024 * 1024

#: All sinks together have so many seconds to send what they hold when the interpreter ends.
_AT_EXIT_S = 1.0

#: How often a flush looks whether all is sent.
_LOOK_EVERY_S = 0.005

_ANSWER_BYTES = 1024 * 1024
_REDIRECTS = 3
_FOLLOWED = frozenset({301, 302, 307, 308})


class HttpStats(NamedTuple):
    """What a sink did in this process.

    Attributes:
        written: Events that the receiver has confirmed.
        pending: Events that wait: in the queue, or in this process's part of the spool and in the
            one that it adopted.
        lost: Events that the receiver will not get, by reason; those among them that the receiver
            refused are in the spool's dead letters.
        dead_letters: Events that went to the dead letters; without a spool they are gone.
        requests: Requests made.
        retries: Those of them that followed a failure.

    Example:
        >>> HttpSink("http://127.0.0.1:8787/").stats.requests
        0

    .. versionadded:: 0.1.0
    """

    written: int
    pending: int
    lost: Mapping[str, int]
    dead_letters: int
    requests: int
    retries: int


class HttpSink:
    """Sends events to a receiver in batches, in the background.

    With a spool, an event is accepted once it is appended to a log on disk, and survives the
    process: what a dead process left is sent by the next one that records to the same spool.
    Without one, events wait in memory and are gone with the process. Nothing is opened or started
    before the first event, and a call never waits for the network.

    Args:
        url: Where to POST to. A name and a password in it are sent as basic authentication.
        spool: A directory on a local disk, for this receiver only; processes may share it.
        body: Makes requests of log lines; see `lastclick.sinks.bodies`.
        headers: Sent with each request, such as credentials; never shown.
        signing: A Standard Webhooks secret (``whsec_...``), or several while they are changed.
        batch: How much at once, and when.
        retry: How long to try again.
        timeout: How long to wait for the receiver.
        limit: How many bytes may wait: 32 MiB in memory or 1 GiB in the spool, if not given.
        full: Which events go when there is no room: the ``"oldest"``, or the ``"newest"``.
        compression: ``"gzip"``, ``"zstd"`` (from Python 3.14), or None.

    Raises:
        ConfigError: A setting cannot be used; the message names it.

    Example:
        >>> sink = HttpSink(
        ...     "https://collector.example/v1/events",
        ...     spool="var/spool",
        ...     headers={"Authorization": "Bearer 5up3r"},
        ... )
        >>> sink
        HttpSink('https://collector.example/v1/events', spool='.../var/spool')

    .. versionadded:: 0.1.0
    """

    def __init__(
        self,
        url: str,
        spool: str | os.PathLike[str] | None = None,
        *,
        body: bodies.Body = bodies.ndjson,
        headers: Mapping[str, str] | None = None,
        signing: str | Sequence[str] = (),
        batch: Batch = Batch(),  # noqa: B008 - it is frozen
        retry: Retry = Retry(),  # noqa: B008
        timeout: Timeout = Timeout(),  # noqa: B008
        limit: int | None = None,
        full: Full = "oldest",
        compression: Compression | None = "gzip",
    ) -> None:
        self._receiver = Receiver(url, headers, signing, compression)
        self._timeout = _timeout(timeout)
        self._spool = None if spool is None else usable_directory(spool, name="spool")
        self._limit = _limit(limit, _QUEUE_BYTES if spool is None else _SPOOL_BYTES)
        if full not in get_args(Full):
            raise ConfigError(f"full is {shown(full)}; choose 'oldest' or 'newest'")
        self._full: Full = full
        if not callable(body):
            raise ConfigError(f"body is {shown(body)}; pass a function such as bodies.ndjson")
        self._body = body
        self._pace = _pace(batch, retry)
        self._refuse_another_receiver()
        self._closed = False
        self._begin()
        _sinks.add(self)

    def _refuse_another_receiver(self) -> None:
        receiver = self._receiver
        for sink in list(_sinks):
            other = sink._receiver
            if self._spool and sink._spool == self._spool and other.url != receiver.url:
                msg = (
                    f"spool {str(self._spool)!r} holds what is for {other.name}; give "
                    f"{receiver.name} a directory of its own"
                )
                raise ConfigError(msg)

    def _begin(self) -> None:
        """Start with nothing: as a new sink, or as the copy of one in a forked child."""
        self._pid = os.getpid()
        self._losses = Losses()
        #: Where events are accepted; None before the first one, and after the last.
        self._outlet: Queue | Spool | None = None
        #: Declarations that came while there could be no spool.
        self._undeclared: dict[str, Event] = {}
        #: Holds one item once the sink has started: who comes first decides, without a lock.
        self._running: dict[str, _Running] = {}

    def _begin_in_child(self) -> None:
        """What waits, the lock of the spool and the connections are the parent's."""
        running = self._running.get("")
        self._begin()
        if running is not None and isinstance(running.source, Spool):
            running.source.forget()

    def __repr__(self) -> str:
        spool = "" if self._spool is None else f", spool={str(self._spool)!r}"
        return f"HttpSink({self._receiver.name!r}{spool})"

    def __del__(self) -> None:
        running = getattr(self, "_running", {}).get("")
        if running is not None and self._pid == os.getpid():
            running.sender.closing = True  # it sends what there is, and ends
            running.sender.bell.ring()

    @property
    def stats(self) -> HttpStats:
        """What was delivered, waits and is lost, of what this process has to do with."""
        running = self._running.get("")
        if running is None:
            return HttpStats(0, 0, self._losses.lost, 0, 0, 0)
        source, sender = running.source, running.sender
        lost = self._losses.lost
        if isinstance(source, Spool):
            lost |= source.unwritten
        return HttpStats(
            written=sender.delivered.total,
            pending=source.pending,
            lost=lost,
            dead_letters=sender.dead.total,
            requests=sender.requests,
            retries=sender.retries,
        )

    # Accepting -----------------------------------------------------------------------------------

    def emit(self, event: Event, /) -> None:
        """Accept the event; it is sent later.

        Raises:
            DeliveryError: It could not be accepted; it is counted under ``error.reason``.
        """
        outlet = self._outlet
        if outlet is None or self._pid != os.getpid():
            outlet = self._start(event)
        outlet.accept(event)

    def _start(self, event: Event) -> Queue | Spool:
        if self._pid != os.getpid():  # a fork that ran no hooks
            self._begin_in_child()
        if self._closed:
            self._losses.count(event, "closed")
            msg = f"{self!r} is closed; it refused a {event.type} of funnel {event.funnel!r}"
            raise DeliveryError(msg, "closed")
        try:
            source = self._run().source
        except OSError as error:
            if event.type == DECLARED:
                self._undeclared[event.funnel] = event
            else:
                self._losses.count(event, "no_spool")
                self._losses.owe(event, "no_spool")
            msg = f"event {event.event_id} not kept: {error}"
            raise DeliveryError(msg, "no_spool") from None
        for funnel in list(self._undeclared):
            source.accept(self._undeclared.pop(funnel))
        return source

    def _run(self) -> "_Running":
        """The source and the sender of this process, made by whoever comes first."""
        running = self._running.get("")
        if running is not None:
            return running
        name = self._receiver.name
        source: Queue | Spool
        if self._spool is None:
            source = Queue(self._limit, self._full, self._losses, name)
        else:
            source = Spool(self._spool, self._limit, self._full, self._losses, name)
        transport = _Transport(self._receiver, self._timeout)
        sender = Sender(source, self._body, transport, self._pace, name)
        made = _Running(source, sender, name, self._pid)
        running = self._running.setdefault("", made)
        if running is not made:
            source.release()
            return running
        self._outlet = source
        _all_running[:] = [one for one in _all_running if not one.sender.ended] + [made]
        _warn_of_uwsgi()
        start(sender.run)  # where none can be, as the interpreter ends, the next process sends it
        return running

    # Ending --------------------------------------------------------------------------------------

    def flush(self, timeout: float) -> bool:
        """Send what waits now, also what dead processes left in the spool.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            Whether nothing waits any more.
        """
        if self._pid != os.getpid():
            self._begin_in_child()
        if not self._running and (self._spool is None or self._closed):
            return True
        try:
            running = self._run()
        except OSError:
            return False
        if isinstance(running.source, Spool):
            running.source.look()
        return _wait(running.sender, timeout) and not running.source.owes

    def close(self, timeout: float) -> bool:
        """Refuse what comes from now on, and send what waits.

        What a spool still holds after the time is sent by another process, or by the next one.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            Whether nothing waits any more.
        """
        self._closed = True
        self._outlet = None
        running = self._running.get("")
        if running is None or self._pid != os.getpid():
            return True
        source, sender = running.source, running.sender
        sender.closing = True
        done = _wait(sender, timeout)
        if not done:
            source.tell_losses()
            sender.stop()
        return done and not source.owes


class _Running(NamedTuple):
    """What a sink has once it has started; it may outlive the sink."""

    source: Queue | Spool
    sender: Sender
    name: str
    pid: int

    def leave(self, deadline: float) -> None:
        """A last try as the interpreter ends."""
        source, sender = self.source, self.sender
        source.tell_losses()
        # With a spool the next process has better chances with a receiver that fails.
        if isinstance(source, Queue) or sender.failures == 0:
            _wait(sender, deadline - time.monotonic())
        sender.stop()
        if isinstance(source, Queue):
            source.release()
            if left := source.not_sent:
                msg = f"{self.name}: the process ends with {left:,} events that were not sent"
                log_errors(DeliveryError(f"{msg}; name a spool= to keep them", "not_sent"))


def _wait(sender: Sender, timeout: float) -> bool:
    """Wait until the sender has looked everywhere and found nothing; False after the time."""
    deadline = time.monotonic() + timeout
    # The look that is going on now may have passed by what has only just come.
    enough = sender.idle_passes + 2
    while sender.idle_passes < enough and not sender.ended:
        sender.bell.ring()
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(_LOOK_EVERY_S, left))
    return sender.idle_passes >= enough or not sender.stopped


# Requests ----------------------------------------------------------------------------------------


class _Transport:
    """Sends one payload and reads the answer. Each process makes its own, with connections."""

    def __init__(self, receiver: Receiver, timeout: urllib3.Timeout) -> None:
        self._receiver = receiver
        self._timeout = timeout
        # Made by the sender's thread: the first event of a process need not wait for it.
        self._made: urllib3.PoolManager | None = None

    @property
    def _pool(self) -> urllib3.PoolManager:
        if self._made is None:
            host, scheme = self._receiver.host, self._receiver.scheme
            proxy = None if proxy_bypass(host) else getproxies().get(scheme)
            self._made = (
                urllib3.ProxyManager(proxy, maxsize=1) if proxy else urllib3.PoolManager(maxsize=1)
            )
            self._made.pool_classes_by_scheme = _POOLS
        return self._made

    def __call__(self, payload: bodies.Payload) -> Answer:
        try:
            return self._post(payload)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            problem = self._receiver.masked(f"{type(error).__name__}: {error}")
        return Answer(None, problem=problem[:300])

    def _post(self, payload: bodies.Payload) -> Answer:
        receiver = self._receiver
        key = hashlib.sha256("\n".join(payload.event_ids).encode()).hexdigest()[:32]
        headers = {**receiver.headers, "Content-Type": payload.content_type, "Idempotency-Key": key}
        if receiver.secrets is not None:
            headers |= sign(receiver.secrets, key, int(time.time()), payload.content)
        content = payload.content
        if receiver.compress is not None:
            headers["Content-Encoding"] = receiver.encoding or ""
            content = receiver.compress(content)
        url = receiver.url
        for _ in range(_REDIRECTS):
            answer, location = self._once(url, content, headers)
            target = urljoin(url, location)
            if answer.status not in _FOLLOWED or not location or not receiver.has(target):
                return answer
            url = target
        return answer

    def _once(self, url: str, content: bytes, headers: dict[str, str]) -> tuple[Answer, str]:
        response = self._pool.request(
            "POST",
            url,
            body=content,
            headers=headers,
            timeout=self._timeout,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            body = self._read(response)
        finally:
            response.release_conn()
        location = response.headers.get("Location", "")
        problem = "" if response.status < 300 else f"HTTP {response.status}"
        if 300 <= response.status < 400:
            problem += f" to {location.partition('?')[0]!r:.100}, which is not followed"
        asked = retry_after(response.headers, lambda: datetime.now(UTC))
        return Answer(response.status, asked, body, problem), location

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        body = response.read(_ANSWER_BYTES)
        if response.read(1):
            response.close()
            raise ValueError(f"an answer of more than {_ANSWER_BYTES:,} bytes")
        return body


class _InTime(io.RawIOBase):
    """What comes from a socket until a deadline.

    A timeout of the socket begins anew with each byte: a receiver that sends one now and then, of
    headers without an end, would hold the sender for ever.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._until = time.monotonic() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not whole in time")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_InTime(sock))


class _Http(urllib3.HTTPConnectionPool):
    class ConnectionCls(urllib3.connection.HTTPConnection):
        response_class = _Response


class _Https(urllib3.HTTPSConnectionPool):
    class ConnectionCls(urllib3.connection.HTTPSConnection):
        response_class = _Response


_POOLS = {"http": _Http, "https": _Https}


# Settings ----------------------------------------------------------------------------------------


def _timeout(timeout: object) -> urllib3.Timeout:
    if not isinstance(timeout, Timeout):
        raise ConfigError(f"timeout is {shown(timeout)}; pass a Timeout such as Timeout()")
    connect, read = timeout.connect.total_seconds(), timeout.read.total_seconds()
    return urllib3.Timeout(connect=connect, read=read)


def _limit(limit: object, default: int) -> int:
    if limit is None:
        return default
    if type(limit) is not int or limit < 1:
        raise ConfigError(f"limit is {shown(limit)}; pass a number of bytes, or None")
    return limit


def _pace(batch: object, retry: object) -> Pace:
    if not isinstance(batch, Batch):
        raise ConfigError(f"batch is {shown(batch)}; pass a Batch such as Batch(events=100)")
    if not isinstance(retry, Retry):
        raise ConfigError(f"retry is {shown(retry)}; pass a Retry such as Retry()")
    return Pace(
        batch.events,
        batch.bytes,
        batch.age.total_seconds(),
        retry.first.total_seconds(),
        retry.most.total_seconds(),
        retry.budget.total_seconds(),
    )


# The process -------------------------------------------------------------------------------------

_sinks: "weakref.WeakSet[HttpSink]" = weakref.WeakSet()
#: What is still sent, whether or not anybody holds the sink.
_all_running: list[_Running] = []


def _after_fork_in_child() -> None:
    _all_running.clear()
    for sink in list(_sinks):
        sink._begin_in_child()


def _at_exit() -> None:
    deadline = time.monotonic() + _AT_EXIT_S
    ours = [one for one in _all_running if one.pid == os.getpid() and not one.sender.ended]
    for one in ours:
        one.sender.bell.ring()
    for one in ours:
        one.leave(deadline)


def _warn_of_uwsgi() -> None:
    """Say that uWSGI was told to run no threads: then nothing is sent between requests."""
    options = getattr(sys.modules.get("uwsgi"), "opt", None)
    if options is not None and not {"enable-threads", "threads", b"enable-threads", b"threads"} & {
        *options
    }:
        msg = "uWSGI runs no threads, so nothing is sent; set enable-threads = true for it"
        log_errors(DeliveryError(msg, "no_threads"))


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
