"""The background half of a sink that delivers: one thread that sends what a source holds.

Nothing in here is on the path of a checkout. Where the events wait (a queue, a spool) is the
source's affair, how a request is made is the transport's, and what an answer means stands in
`lastclick.sinks._retry`.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from lastclick.errors import DeliveryError, log_errors, shown
from lastclick.sinks._lines import is_record
from lastclick.sinks._losses import Tally
from lastclick.sinks._retry import Results, Verdict, backoff, results, verdict
from lastclick.sinks._threads import Bell
from lastclick.sinks.bodies import Body, Payload, Refused

#: After so many failures in a row a receiver is asked with one event at a time.
PROBE_AFTER = 5

#: How much of what a receiver says goes into a reason.
_SAID = 200


class Load:
    """Some events on their way, oldest first; they leave `waiting` as they are settled."""

    def __init__(self, waiting: dict[str, bytes]) -> None:
        #: Lines by event id.
        self.waiting = waiting


class Source(Protocol):
    """Where events wait; used by the sender's thread only."""

    def tend(self) -> None:
        """Do what is to be done now and then."""

    def take(self, events: int, size: int) -> Load | None:
        """The oldest events that are not settled, of so many bytes; None where there are none."""

    def note(self, load: Load) -> None:
        """Remember what of the load is settled by now, should the process die."""

    def put_back(self, load: Load) -> None:
        """Take back what of the load is not settled; the load is over."""

    def bury(self, line: bytes, reason: str, why: str) -> None:
        """Put an event that the receiver will never take among the dead letters."""

    def release(self) -> None:
        """Let go of all; the thread ends."""

    @property
    def full(self) -> bool:
        """Whether events are being dropped for want of room, which is told elsewhere."""

    @property
    def state(self) -> str:
        """How many events wait, and how many had to go, in words."""


class Answer(NamedTuple):
    """What came back of one request.

    Attributes:
        status: The HTTP status; None where no whole answer came.
        asked_s: For how many seconds the receiver asks not to be called.
        body: What it says.
        problem: In words, for a log line, where it did not take everything.
    """

    status: int | None
    asked_s: float = 0.0
    body: bytes = b""
    problem: str = ""


class Pace(NamedTuple):
    """How much to send at once, and how often; sizes in bytes, times in seconds."""

    events: int
    size: int
    age_s: float
    first_s: float
    most_s: float
    budget_s: float


class _Tried(NamedTuple):
    """How one try of some events went."""

    verdict: Verdict
    asked_s: float = 0.0
    problem: str = ""


class Sender:
    """Sends what a source holds until it is settled: delivered, or among the dead letters.

    Args:
        source: Where the events wait.
        body: Makes the payloads of a request from lines.
        post: Sends one payload.
        pace: How much at once, and how often.
        name: What the receiver is called in a log line.
    """

    def __init__(
        self,
        source: Source,
        body: Body,
        post: Callable[[Payload], Answer],
        pace: Pace,
        name: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source
        self.bell = Bell()
        self.delivered = Tally()
        self.dead = Tally()
        self.requests = 0
        self.retries = 0
        #: Failed requests since the last one that worked.
        self.failures = 0
        #: How often there was nothing left to send.
        self.idle_passes = 0
        self.closing = False
        self.stopped = False
        self.ended = False
        self._body = body
        self._post = post
        self._pace = pace
        self._name = name
        self._monotonic = monotonic
        self._random = random.Random()
        #: How many events at once: fewer after failures, up to `_most` while all goes well.
        self._size = self._most = pace.events

    # The thread ----------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until closed and empty, or stopped."""
        try:
            while not self.stopped:
                if not self.work():
                    if self.closing:
                        break
                    self.bell.wait(self._pace.age_s)
        finally:
            self.source.release()
            self.ended = True

    def work(self) -> bool:
        """Settle one load; False where there is none."""
        try:
            self.source.tend()
            load = self.source.take(self._size, self._pace.size)
            if load is None:
                self.idle_passes += 1
                return False
            self._settle(load)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: it must go on
            self._tell(f"could not send: {shown(error)}", "undelivered")
            self._pause(self._pace.most_s)
        return not self.stopped

    def stop(self) -> None:
        """End as soon as may be: at once where it waits, after the answer where it sends."""
        self.stopped = True
        self.bell.ring()

    def _pause(self, seconds: float) -> None:
        until = self._monotonic() + seconds
        while not self.stopped and (left := until - self._monotonic()) > 0:
            self.bell.wait(left)

    # One load ------------------------------------------------------------------------------------

    def _settle(self, load: Load) -> None:
        """Try until nothing of the load waits."""
        try:
            self._settle_all(load)
        finally:
            self.source.put_back(load)

    def _settle_all(self, load: Load) -> None:
        groups = [list(load.waiting)]  # the next one is the last of the list
        failing_since: float | None = None
        while groups and not self.stopped:
            group = groups.pop()
            if len(group) > self._size:
                groups.append(group[self._size :])
                group = group[: self._size]
            tried = self._try(load, group)
            left = [one for one in group if one in load.waiting]
            if not left:
                continue
            if tried.verdict in {Verdict.TOO_LARGE, Verdict.REFUSED}:
                middle = (len(left) + 1) // 2
                groups += [half for half in (left[middle:], left[:middle]) if half]
                continue
            groups.append(left)
            now = self._monotonic()
            failing_since = now if failing_since is None else failing_since
            if now - failing_since > self._pace.budget_s:
                failing_since = None
                self._bury(load, left, "gave_up", f"gave up: {tried.problem}")
            self._fail(tried)

    def _fail(self, tried: _Tried) -> None:
        self.failures += 1
        # One probe at a time while it goes on. A single event that brings the receiver down is
        # thus found alone, and given up alone.
        self._size = 1 if self.failures >= PROBE_AFTER else self._size
        delay = backoff(self.failures, self._pace.first_s, self._pace.most_s, self._random)
        delay = max(delay, tried.asked_s)
        self._tell(
            f"{tried.problem}; {self.source.state}; next try in {delay:.1f} s", "undelivered"
        )
        self._pause(delay)

    def _try(self, load: Load, group: Sequence[str]) -> _Tried:
        """Send these events of the load once; the first request that fails ends it."""
        try:
            items = list(self._body([load.waiting[one] for one in group]))
        except Exception as error:  # noqa: BLE001 - a body may be somebody else's
            return self._one_by_one(load, group, "body_failed", f"the body failed: {shown(error)}")
        mentioned: set[str] = set()
        for item in items:
            if isinstance(item, Refused):
                mentioned.add(item.event_id)
                self._bury(load, (item.event_id,), item.reason, item.reason)
                continue
            mentioned.update(item.event_ids)
            self.requests += 1
            self.retries += self.failures > 0
            answer = self._post(item)
            tried = self._judge(load, item, answer)
            if tried.verdict is not Verdict.DELIVERED:
                return tried
            self.failures = 0
            self._size = min(self._most, self._size * 2)
            if len(items) > 1:
                self.source.note(load)
        for one in group:
            if one not in mentioned:  # not for this receiver
                load.waiting.pop(one, None)
        return _Tried(Verdict.DELIVERED)

    def _judge(self, load: Load, payload: Payload, answer: Answer) -> _Tried:
        """Settle what the answer settles, and say how to go on with the rest."""
        if answer.status is None:
            return _Tried(Verdict.AGAIN, answer.asked_s, answer.problem)
        found = verdict(answer.status)
        each = results(answer.body) if answer.status < 500 else None
        if each is not None:
            return self._judge_each(load, payload, answer, each)
        if found is Verdict.DELIVERED:
            self._deliver(load, payload.event_ids)
        elif found is Verdict.FINAL:
            self._bury(load, payload.event_ids, "refused", _why(answer))
            return _Tried(Verdict.DELIVERED)
        elif found is Verdict.TOO_LARGE:
            if len(payload.event_ids) > 1:
                self._most = self._size = max(1, min(self._most, len(payload.event_ids) // 2))
            return self._one_by_one(load, payload.event_ids, "too_large", _why(answer), found)
        elif found is Verdict.REFUSED:
            return self._one_by_one(load, payload.event_ids, "rejected", _why(answer))
        return _Tried(found, answer.asked_s, answer.problem)

    def _judge_each(self, load: Load, payload: Payload, answer: Answer, each: Results) -> _Tried:
        ok = verdict(answer.status or 0) is Verdict.DELIVERED
        settled = 0
        for one in payload.event_ids:
            if one in each.rejected:
                self._bury(load, (one,), "rejected", each.rejected[one])
            elif one in each.retry:
                continue
            elif one in each.accepted if each.accepted is not None else ok:
                self._deliver(load, (one,))
            else:
                continue
            settled += 1
        if settled == len(payload.event_ids):
            return _Tried(Verdict.DELIVERED)
        problem = answer.problem or f"{len(payload.event_ids) - settled} events to be sent again"
        return _Tried(Verdict.AGAIN, answer.asked_s, problem)

    def _one_by_one(
        self,
        load: Load,
        ids: Sequence[str],
        reason: str,
        why: str,
        found: Verdict = Verdict.REFUSED,
    ) -> _Tried:
        """Bury the culprit if it is alone, else have the events tried in halves."""
        if len(ids) > 1:
            return _Tried(found, problem=why)
        self._bury(load, ids, reason, why)
        return _Tried(Verdict.DELIVERED)

    def _deliver(self, load: Load, ids: Iterable[str]) -> None:
        for one in ids:
            line = load.waiting.pop(one, None)
            if line is not None and not is_record(line):
                self.delivered.add()

    def _bury(self, load: Load, ids: Iterable[str], reason: str, why: str) -> None:
        for one in ids:
            line = load.waiting.get(one)
            if line is None:
                continue
            self.source.bury(line, reason, why)
            del load.waiting[one]
            if not is_record(line):
                self.dead.add()
            self._tell(f"event {one} will not be taken: {why}", reason)

    def _tell(self, what: str, reason: str) -> None:
        if not self.source.full:
            log_errors(DeliveryError(f"{self._name}: {what}", reason))


def _why(answer: Answer) -> str:
    said = answer.body[:_SAID].decode("utf-8", "replace").strip()
    return f"HTTP {answer.status}: {said}" if said else f"HTTP {answer.status}"


def in_words(pending: int, dropped: int) -> str:
    """What a log line says of the events that wait."""
    waiting = f"{pending:,} events wait"
    return f"{waiting}, {dropped:,} had to go for want of room" if dropped else waiting
