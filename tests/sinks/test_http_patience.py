"""How long a sender waits for an answer that comes bit by bit."""

from datetime import timedelta

import pytest

pytest.importorskip("urllib3")

from lastclick.sinks.http import Batch, HttpSink, Retry, Timeout
from tests.sinks.logs import entered
from tests.sinks.receiver import OK, Reply, in_turn, receiving

SOON = timedelta(milliseconds=10)


@pytest.mark.parametrize("fault", ["drip", "trickle"])
def test_an_answer_has_to_be_whole_in_time(fault: str) -> None:
    """Bytes that come now and then, of headers without an end too, do not hold the sender."""
    patience = Timeout(read=timedelta(milliseconds=200))
    drip = Reply(fault=fault, kept=True, body=b" " * 1000)
    with receiving(in_turn(drip, OK)) as receiver:
        sink = HttpSink(
            receiver.url,
            timeout=patience,
            batch=Batch(age=SOON),
            retry=Retry(first=SOON, most=SOON),
        )
        sink.emit(entered(1))

        assert sink.close(timeout=10) is True

    assert receiver.events == {"e-1": 2}
    assert (sink.stats.written, sink.stats.requests, sink.stats.retries) == (1, 2, 1)


def test_a_slow_answer_that_is_whole_in_time_counts() -> None:
    """An answer a byte at a time is an answer, and the next request has the whole time again."""
    with receiving(in_turn(Reply(fault="trickle", kept=True))) as receiver:
        sink = HttpSink(receiver.url, batch=Batch(events=1, age=SOON))
        for number in range(3):
            sink.emit(entered(number))

        assert sink.close(timeout=10) is True

    assert receiver.events == {"e-0": 1, "e-1": 1, "e-2": 1}
