"""The sending of what waits: batches, halves, probes, waits, results by event."""

from collections.abc import Callable, Sequence

import pytest

from lastclick.errors import DeliveryError
from lastclick.sinks import _sender
from lastclick.sinks._losses import Losses
from lastclick.sinks._queue import Queue
from lastclick.sinks._sender import PROBE_AFTER, Answer, Pace, Sender
from lastclick.sinks._threads import Bell
from lastclick.sinks.bodies import Body, Payload, Refused, ndjson
from tests.sinks.logs import declared, entered, lost

FINE = Answer(200)
PACE = Pace(events=100, size=100_000, age_s=1.0, first_s=1.0, most_s=60.0, budget_s=3600.0)


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now


class Stage:
    """A sender on a queue, with a receiver that is a function."""

    def __init__(
        self,
        answer: Callable[[Payload], Answer],
        body: Body = ndjson,
        *,
        pace: Pace = PACE,
        limit: int = 1_000_000,
    ) -> None:
        self.losses = Losses()
        self.queue = Queue(limit, "oldest", self.losses, "the receiver")
        self.posts: list[tuple[str, ...]] = []
        self.got: list[str] = []
        self.clock = Clock()
        self.answer = answer
        self.sender = Sender(
            self.queue, body, self.post, pace, "the receiver", monotonic=self.clock
        )
        self.sender.bell = self  # type: ignore[assignment]
        self.rings_to_hear = 10_000

    def post(self, payload: Payload) -> Answer:
        self.posts.append(payload.event_ids)
        answer = self.answer(payload)
        if answer.status == 200 and not answer.body:
            self.got += [one for one in payload.event_ids if one.startswith("e-")]
        return answer

    def wait(self, seconds: float) -> None:
        """In place of the bell: time passes at once."""
        self.clock.waits.append(seconds)
        self.clock.now += seconds
        self.rings_to_hear -= 1
        if not self.rings_to_hear:
            self.sender.stopped = True

    def ring(self) -> None: ...

    def send(self, *numbers: object) -> None:
        for number in numbers:
            self.queue.accept(entered(str(number)))
        while self.sender.work():
            pass


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[DeliveryError]:
    """What would be logged."""
    errors: list[DeliveryError] = []
    monkeypatch.setattr(_sender, "log_errors", errors.append)
    return errors


def ids(*numbers: object) -> list[str]:
    return [f"e-{number}" for number in numbers]


def in_turn(*answers: Answer) -> Callable[[Payload], Answer]:
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def test_events_go_out_in_order_and_in_batches() -> None:
    """As many requests as the batch size asks for, each event in one of them, in their order."""
    stage = Stage(in_turn(FINE))

    stage.send(*range(250))

    assert [len(post) for post in stage.posts] == [100, 100, 50]
    assert stage.got == ids(*range(250))
    assert stage.sender.delivered.total == 250
    assert stage.queue.pending == 0


def test_a_batch_is_bounded_in_bytes() -> None:
    """A request begins no further line once it has enough."""
    stage = Stage(in_turn(FINE), pace=PACE._replace(size=400))

    stage.send(*range(10))

    assert all(len(post) <= 3 for post in stage.posts)
    assert stage.got == ids(*range(10))


def test_the_same_event_twice_goes_out_once() -> None:
    """Within a batch, an event that was recorded twice is sent once."""
    stage = Stage(in_turn(FINE))

    stage.send(1, 1)

    assert stage.got == ids(1)


def test_a_failure_is_tried_again_with_the_same_events(told: list[DeliveryError]) -> None:
    """No answer and a passing fault are the same: wait, and try the same again."""
    stage = Stage(in_turn(Answer(None, problem="refused"), Answer(503, problem="HTTP 503"), FINE))

    stage.send(1, 2)

    assert stage.posts == [tuple(ids(1, 2))] * 3
    assert stage.got == ids(1, 2)
    assert (stage.sender.requests, stage.sender.retries) == (3, 2)
    assert all(0 <= wait <= 2 for wait in stage.clock.waits)
    assert [error.reason for error in told] == ["undelivered", "undelivered"]
    assert "the receiver: refused; 2 events wait; next try in" in str(told[0])


def test_what_the_receiver_asks_is_the_least_wait() -> None:
    """Retry-After is a minimum to our own waits."""
    stage = Stage(in_turn(Answer(503, asked_s=45.0), Answer(429, asked_s=7.0), FINE))

    stage.send(1)

    assert stage.clock.waits == [45.0, 7.0]


def test_a_receiver_that_keeps_failing_is_asked_with_one_event() -> None:
    """After some failures in a row one event probes; then the batches grow again."""
    stage = Stage(in_turn(*[Answer(500)] * (PROBE_AFTER + 2), FINE))

    stage.send(*range(20))

    sizes = [len(post) for post in stage.posts]
    assert sizes[: PROBE_AFTER + 3] == [20] * PROBE_AFTER + [1, 1, 1]
    assert sizes[PROBE_AFTER + 3 :] == [2, 4, 8, 5]
    assert stage.got == ids(*range(20))


def test_an_event_that_brings_the_receiver_down_is_given_up_alone(
    told: list[DeliveryError],
) -> None:
    """It is found by the probes and given up when the budget is spent; the others arrive."""
    stage = Stage(lambda payload: Answer(500) if "e-7" in payload.event_ids else FINE)

    stage.send(*range(20))

    assert sorted(stage.got) == sorted(ids(*[n for n in range(20) if n != 7]))
    assert stage.losses.lost == {"gave_up": 1}
    assert stage.sender.dead.total == 1
    assert stage.clock.now > PACE.budget_s
    assert "event e-7 will not be taken: gave up" in str([str(error) for error in told])


def test_too_much_at_once_is_halved_and_stays_small() -> None:
    """A receiver with a limit gets smaller batches from then on, not a fault for each."""
    stage = Stage(lambda payload: Answer(413) if len(payload.event_ids) > 30 else FINE)

    stage.send(*range(300))

    assert sorted(stage.got) == sorted(ids(*range(300)))
    assert sum(len(post) > 30 for post in stage.posts) <= 3
    assert stage.clock.waits == []


def test_an_event_too_large_by_itself_is_dead() -> None:
    """What cannot be halved goes to the dead letters."""
    stage = Stage(lambda payload: Answer(413) if "e-2" in payload.event_ids else FINE)

    stage.send(1, 2, 3)

    assert sorted(stage.got) == ids(1, 3)
    assert stage.losses.lost == {"too_large": 1}


@pytest.mark.parametrize("status", [400, 422])
def test_the_culprit_of_a_refused_batch_is_found(status: int, told: list[DeliveryError]) -> None:
    """A receiver that says no more than no is asked in halves until the culprit is alone."""
    stage = Stage(
        lambda payload: (
            Answer(status, body=b"bad amount", problem=f"HTTP {status}")
            if "e-33" in payload.event_ids
            else FINE
        )
    )

    stage.send(*range(100))

    assert sorted(stage.got) == sorted(ids(*[n for n in range(100) if n != 33]))
    assert stage.losses.lost == {"rejected": 1}
    assert len(stage.posts) <= 2 * 7 + 2
    assert str(told[0]) == f"the receiver: event e-33 will not be taken: HTTP {status}: bad amount"


def test_a_final_answer_buries_the_batch() -> None:
    """A receiver that does not know us will not know us the next time."""
    stage = Stage(in_turn(Answer(401, body=b"who are you?")))

    stage.send(1, 2)

    assert len(stage.posts) == 1 + 1  # the second tells what was lost, and is refused too
    assert stage.losses.lost == {"refused": 2}
    assert stage.clock.waits == []


def test_results_by_event_are_followed() -> None:
    """Each event goes where the receiver says: done, dead with its reason, or once more."""
    first = Answer(
        200,
        body=b'{"accepted":["e-1"],"rejected":[{"event_id":"e-2","reason":"no such step"}],'
        b'"retry":["e-3"]}',
    )
    stage = Stage(in_turn(first, FINE))

    stage.send(1, 2, 3, 4)

    assert stage.posts[1] == tuple(ids(3, 4))  # e-4 was not named: it is not confirmed
    assert stage.sender.delivered.total == 3
    assert stage.losses.lost == {"rejected": 1}


def test_results_with_a_refusing_status_are_followed_too(told: list[DeliveryError]) -> None:
    """422 with results: the rest is sent again without what was rejected."""
    first = Answer(422, body=b'{"rejected":[{"event_id":"e-2","reason":"no such step"}]}')
    stage = Stage(in_turn(first, FINE))

    stage.send(1, 2, 3)

    assert stage.posts[1] == tuple(ids(1, 3))
    assert str(told[0]) == "the receiver: event e-2 will not be taken: no such step"


def test_without_accepted_a_fine_status_accepts_the_rest() -> None:
    """A receiver may name only what it does not take."""
    stage = Stage(in_turn(Answer(200, body=b'{"rejected":["e-2"]}'), FINE))

    stage.send(1, 2, 3)

    assert stage.sender.delivered.total == 2
    assert stage.losses.lost == {"rejected": 1}


def test_results_in_a_failure_are_not_believed() -> None:
    """A server error confirms nothing, whatever its body says."""
    stage = Stage(in_turn(Answer(500, body=b'{"accepted":["e-1"]}'), FINE))

    stage.send(1)

    assert stage.posts == [("e-1",), ("e-1",)]


def one_request_each(lines: Sequence[bytes]) -> list[Payload]:
    return [next(iter(ndjson([line]))) for line in lines]  # type: ignore[misc]


def test_a_body_may_make_several_requests() -> None:
    """What one of them settled is not sent again when a later one fails."""
    stage = Stage(in_turn(FINE, FINE, Answer(503), FINE), one_request_each)

    stage.send(1, 2, 3, 4)

    assert stage.posts == [("e-1",), ("e-2",), ("e-3",), ("e-3",), ("e-4",)]


def test_a_body_may_refuse_and_pass_over() -> None:
    """Refused goes to the dead letters; what is not mentioned is not for this receiver."""

    def body(lines: Sequence[bytes]) -> list[Payload | Refused]:
        return [Refused("e-1", "too_old"), *one_request_each(lines[1:2])]

    stage = Stage(in_turn(FINE), body)
    stage.queue.accept(entered("1"))
    stage.queue.accept(entered("2"))
    stage.queue.accept(entered("3"))
    stage.sender.work()

    assert stage.got == ["e-2"]
    assert stage.losses.lost == {"too_old": 1}
    assert stage.queue.pending == 0


def test_a_body_that_fails_loses_only_its_culprit(told: list[DeliveryError]) -> None:
    """A body is somebody's code: what it fails on is found in halves, and the rest is sent."""

    def body(lines: Sequence[bytes]) -> list[Payload]:
        if any(b'"e-3"' in line for line in lines):
            raise KeyError("price")
        return list(ndjson(lines))  # type: ignore[arg-type]

    stage = Stage(in_turn(FINE), body)

    stage.send(*range(8))

    assert sorted(stage.got) == ids(0, 1, 2, 4, 5, 6, 7)
    assert stage.losses.lost == {"body_failed": 1}
    assert "the body failed: KeyError('price')" in str(told[0])


def test_losses_reach_the_receiver() -> None:
    """What went to the dead letters is told to the receiver's log."""
    lines: list[bytes] = []

    def answer(payload: Payload) -> Answer:
        lines.extend(payload.content.splitlines())
        return Answer(422) if "e-2" in payload.event_ids else FINE

    stage = Stage(answer)
    stage.send(1, 2)

    assert any(b'"events_lost"' in line and b'"reason":"rejected"' in line for line in lines)


def test_records_are_not_counted_as_delivered() -> None:
    """Declarations and losses are sent, and are no shopper events."""
    stage = Stage(in_turn(FINE))
    stage.queue.accept(declared())
    stage.queue.accept(lost(3))

    stage.send(1)

    assert len(stage.posts[0]) == 3
    assert stage.sender.delivered.total == 1


def test_a_stop_leaves_the_rest_in_order() -> None:
    """Who stops a sender that waits finds all that was not delivered, the oldest first."""
    stage = Stage(in_turn(Answer(503)))
    stage.rings_to_hear = 1

    stage.send(1, 2, 3)

    load = stage.queue.take(10, 10_000)
    assert load is not None
    assert list(load.waiting) == ids(1, 2, 3)


def test_an_unexpected_fault_does_not_end_the_thread(
    told: list[DeliveryError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong in the thread is told, and it goes on."""
    stage = Stage(in_turn(FINE))
    tend = stage.queue.tend
    monkeypatch.setattr(stage.queue, "tend", in_turn_call([OSError("disk"), None], tend))

    stage.send(1)

    assert stage.got == ids(1)
    assert str(told[0]) == "the receiver: could not send: OSError('disk')"


def in_turn_call(faults: list[Exception | None], then: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        if faults and (fault := faults.pop(0)) is not None:
            raise fault
        then()

    return call


def test_a_bell_rings_once_however_often_it_is_rung() -> None:
    """Rings do not add up, and a ring before the wait is not missed."""
    bell = Bell()

    bell.ring()
    bell.ring()
    bell.wait(60)
    bell.wait(0)
