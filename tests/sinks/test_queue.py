"""Events that wait in memory: bounded, counted, in order."""

import pytest

from lastclick.errors import DeliveryError
from lastclick.sinks._losses import Losses
from lastclick.sinks._queue import Full, Queue
from tests.sinks.logs import declared, entered, lost

#: Room for three events.
THREE = 3 * len(entered(1).line) + 10


def queue(limit: int = 1_000_000, full: Full = "oldest") -> Queue:
    return Queue(limit, full, Losses(), "the receiver")


def take_all(one: Queue) -> list[str]:
    load = one.take(1_000, 1_000_000)
    return [] if load is None else list(load.waiting)


def ids(*numbers: object) -> list[str]:
    return [f"e-{number}" for number in numbers]


def test_the_oldest_go_where_there_is_no_room() -> None:
    """What comes is kept; what has waited longest is counted and owed."""
    one = queue(THREE)

    for number in range(5):
        one.accept(entered(number))

    assert take_all(one) == ids(2, 3, 4)
    assert one._losses.lost == {"queue_full": 2}
    one.put_back(one._in_hand)
    one.tend()
    assert len(take_all(one)) == 4  # and the record


def test_the_newest_are_refused_where_that_was_asked_for() -> None:
    """What waits is kept; who comes is told why."""
    one = queue(THREE, "newest")
    for number in range(3):
        one.accept(entered(number))

    with pytest.raises(DeliveryError, match=r"bytes wait for the receiver.*; raise limit=") as got:
        one.accept(entered(3))

    assert got.value.reason == "queue_full"
    assert one.full
    assert take_all(one) == ids(0, 1, 2)
    assert one._losses.lost == {"queue_full": 1}


def test_room_again_ends_the_silence() -> None:
    """Once half of the room is free, faults of the receiver are told again."""
    one = queue(THREE, "newest")
    for number in range(3):
        one.accept(entered(number))
    with pytest.raises(DeliveryError):
        one.accept(entered(3))

    take_all(one)

    assert not one.full


def test_declarations_are_never_dropped() -> None:
    """A log without its declaration cannot be read, so it stays while events go."""
    one = queue(THREE)
    one.accept(declared())

    for number in range(9):
        one.accept(entered(number))

    assert declared().type in str(one.take(10, 1_000_000).waiting)


def test_losses_of_a_funnel_are_added_up_where_there_is_no_room() -> None:
    """A flood of rejected events does not drive out good ones, and stays bounded."""
    one = queue(THREE)
    for number in range(3):
        one.accept(entered(number))

    for _ in range(1_000):
        one.accept(lost(1))

    assert one.pending == 3
    (record,) = one._losses.records()
    assert (record.count, record.source) == (1_000, "funnel")


def test_what_is_put_back_goes_first() -> None:
    """A load that was not settled is the oldest still."""
    one = queue()
    for number in range(4):
        one.accept(entered(number))
    load = one.take(2, 1_000_000)
    del load.waiting["e-0"]

    one.put_back(load)

    assert one.pending == 3
    assert take_all(one) == ids(1, 2, 3)


def test_an_event_that_comes_after_the_end_is_counted() -> None:
    """Between its caller's look and its append the sender may have ended."""
    one = queue()
    one.accept(entered(1))
    one.release()

    one.accept(entered(2))

    assert one.pending == 0
    assert one._losses.lost == {"not_sent": 2}


def test_what_is_under_way_at_the_end_is_counted_too() -> None:
    """Nobody will know whether it arrived, so it is told as not sent."""
    one = queue()
    one.accept(entered(1))
    one.accept(entered(2))
    load = one.take(1, 1_000_000)

    one.release()

    assert load is not None
    assert one._losses.lost == {"not_sent": 2}
    assert one.not_sent == 2

    one.put_back(load)  # by the sender's thread, which was on its way
    one.release()
    assert one._losses.lost == {"not_sent": 2}
