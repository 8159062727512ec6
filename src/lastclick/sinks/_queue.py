"""Events that wait in memory to be sent: bounded in bytes, and gone with the process."""

from collections import deque
from contextlib import suppress
from typing import Literal

from lastclick.errors import DeliveryError
from lastclick.events import Event
from lastclick.sinks._lines import event_id, is_record
from lastclick.sinks._losses import Losses
from lastclick.sinks._sender import Load, in_words
from lastclick.sinks._sink import DECLARED, LOST

Full = Literal["oldest", "newest"]


class Queue:
    """A queue of lines. Callers append, the sender's thread takes; neither holds a lock.

    Args:
        limit: How many bytes of lines may wait.
        full: Which events go when there is no room: the oldest, or the newest.
        losses: Where they are counted.
        receiver: What the receiver is called in messages.
    """

    def __init__(self, limit: int, full: Full, losses: Losses, receiver: str) -> None:
        self._lines: deque[bytes] = deque()
        #: Roughly: two threads may lose a step between them. Set right whenever the queue is empty.
        self._bytes = 0
        self._limit = limit
        self._drop = full
        self._losses = losses
        self._receiver = receiver
        self._in_hand: Load | None = None
        self._released = False
        self.full = False

    @property
    def pending(self) -> int:
        """How many lines wait."""
        load = self._in_hand
        return len(self._lines) + (0 if load is None else len(load.waiting))

    @property
    def owes(self) -> bool:
        """Whether a record of losses was not sent yet."""
        return bool(self._losses)

    @property
    def state(self) -> str:
        """How many events wait, and how many had to go, in words."""
        return in_words(self.pending, self._losses.lost.get("queue_full", 0))

    @property
    def not_sent(self) -> int:
        """How many events were given up when the queue was released."""
        return self._losses.lost.get("not_sent", 0)

    def accept(self, event: Event) -> None:
        """Append the event.

        Raises:
            DeliveryError: There is no room, and the newest are to go.
        """
        line = event.line
        if self._bytes + len(line) > self._limit and event.type != DECLARED:
            if event.type == LOST:
                self._losses.owe(event, "queue_full")
                return
            if self._drop == "newest":
                self.full = True
                self._losses.count(event, "queue_full")
                self._losses.owe(event, "queue_full")
                msg = (
                    f"event {event.event_id} not kept: {self._bytes:,} bytes wait for "
                    f"{self._receiver}, more than fit; raise limit=, or name a spool="
                )
                raise DeliveryError(msg, "queue_full")
            self._make_room(len(line))
        self._put(line)
        if self._released:  # between our caller's look and our step the sender has ended
            self.abandon()

    def _make_room(self, more: int) -> None:
        for _ in range(len(self._lines)):
            if self._bytes + more <= self._limit:
                return
            try:
                line = self._lines.popleft()
            except IndexError:  # the sender took the rest
                return
            if is_record(line):  # small, and what the others rest on
                self._lines.append(line)
            else:
                self._bytes -= len(line)
                self._losses.lose(line, "queue_full")

    # The sender's side ---------------------------------------------------------------------------

    def tend(self) -> None:
        """Have what is owed sent too."""
        self.tell_losses()

    def tell_losses(self) -> None:
        """Queue what the receiver is owed."""
        for record in self._losses.records():
            self._put(record.line)

    def take(self, events: int, size: int) -> Load | None:
        """The oldest events, at most so many, of so many bytes."""
        waiting: dict[str, bytes] = {}
        load = self._in_hand = Load(waiting)
        with suppress(IndexError):
            while len(waiting) < events and size > 0:
                line = self._lines.popleft()
                self._bytes -= len(line)
                size -= len(line)
                one = event_id(line)
                assert one is not None, line
                waiting[one] = line
        if not self._lines:
            self._bytes = 0
        if self._bytes <= self._limit // 2:
            self.full = False
        return load if waiting else None

    def note(self, load: Load) -> None:
        """Nothing outlives the process."""

    def put_back(self, load: Load) -> None:
        """Queue what is not settled again, before all others."""
        # Each line is popped by one: as the interpreter ends, its thread and the sender's do this
        # to the same load, and what is counted as lost is counted once.
        with suppress(KeyError):
            while True:
                _, line = load.waiting.popitem()
                self._lines.appendleft(line)
                self._bytes += len(line)
        self._in_hand = None

    def bury(self, line: bytes, reason: str, why: str) -> None:  # noqa: ARG002 - there is no place
        """Count it: without a spool there is no place for dead letters."""
        if not is_record(line):  # a receiver that refuses to be told of losses is told no more
            self._losses.lose(line, reason)

    def release(self) -> None:
        """Count what was not sent as lost: nobody will send it any more."""
        self._released = True
        self.abandon()

    def abandon(self) -> None:
        """Count what waits as lost."""
        load = self._in_hand
        if load is not None:
            self.put_back(load)
        with suppress(IndexError):
            while True:
                self._losses.lose(self._lines.popleft(), "not_sent")

    def _put(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
