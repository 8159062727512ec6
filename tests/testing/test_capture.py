"""A captured funnel is the shop's own, but for its sinks, and is itself again afterwards."""

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lastclick import Funnel, measure, read_log
from lastclick.errors import ConfigError, LastclickError, UnknownStepError
from lastclick.events import StepEntered
from lastclick.privacy import redact
from lastclick.sinks import FileSink, MemorySink
from lastclick.testing import FrozenClock, capture
from lastclick.testing._capture import _SWAPPED, _layers
from tests.sinks.logs import fork, succeeded

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def errors() -> list[LastclickError]:
    return []


@pytest.fixture
def funnel(sink: MemorySink, errors: list[LastclickError]) -> Funnel[Any]:
    """A shop's funnel, which has recorded something already."""
    funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink, on_error=errors.append)
    funnel.checkout("before").enter("cart")
    return funnel


def state(funnel: Funnel[Any]) -> dict[str, Any]:
    return {name: getattr(funnel, name) for name in _SWAPPED}


def who(sink: MemorySink) -> list[str | None]:
    return [event.checkout_id for event in sink.events]


def test_events_go_to_memory_and_not_to_the_shop_s_sinks(
    funnel: Funnel[Any], sink: MemorySink
) -> None:
    """Within the block, the shop's sink hears nothing; after it, the block's sink does."""
    with capture(funnel) as captured:
        funnel.checkout("within").enter("cart")
    funnel.checkout("after").enter("cart")

    assert who(captured) == ["within"]
    assert who(sink) == ["before", "after"]


def test_a_handle_made_before_is_captured_too(funnel: Funnel[Any], sink: MemorySink) -> None:
    """A handle that a request holds goes where its funnel goes."""
    handle = funnel.checkout("c-1")

    with capture(funnel) as captured:
        handle.enter("cart")

    assert who(captured) == ["c-1"]
    assert who(sink) == ["before"]


def test_what_is_captured_can_be_measured(funnel: Funnel[Any]) -> None:
    """The declaration comes with it, also where nothing was recorded."""
    with capture(funnel) as captured:
        assert measure(captured.records).started == 0
        funnel.checkout("c-1").complete("o-1", ("5.00", "EUR"))
        funnel.checkout("c-1").enter("cart")

    assert measure(captured.records).ordered == 1


def test_the_declaration_is_written_to_the_shop_s_sink_afterwards(tmp_path: Path) -> None:
    """A funnel whose first events were captured still declares itself in its own log."""
    funnel = Funnel("checkout", steps=("cart",), sink=FileSink(tmp_path))
    with capture(funnel):
        funnel.checkout("within").enter("cart")

    funnel.checkout("after").enter("cart")

    assert measure(read_log(tmp_path)).started == 1


def test_errors_are_raised_within_and_told_outside(
    funnel: Funnel[Any], errors: list[LastclickError]
) -> None:
    """A typo fails the test; the shop's own policy is back afterwards."""
    with capture(funnel), pytest.raises(UnknownStepError, match="paymnet"):
        funnel.checkout("c-1").enter("paymnet")
    assert errors == []

    funnel.checkout("c-1").enter("paymnet")

    assert [error.reason for error in errors] == ["unknown_step"]


@pytest.mark.parametrize("error", [AssertionError, KeyboardInterrupt, SystemExit])
def test_all_is_restored_after_an_error(funnel: Funnel[Any], error: type[BaseException]) -> None:
    """However the block ends, the funnel is as it was."""
    before = state(funnel)

    with pytest.raises(error), capture(funnel, clock=FrozenClock()):
        raise error

    assert state(funnel) == before
    assert not _layers[funnel]


def test_stats_begin_at_zero_and_come_back(funnel: Funnel[Any]) -> None:
    """Counts within the block are of the block alone."""
    funnel.checkout(None).enter("cart")
    before = funnel.stats

    with capture(funnel):
        assert funnel.stats.accepted == 0
        assert funnel.stats.rejected == {}
        funnel.checkout("c-1").enter("cart")
        assert funnel.stats.accepted == 1

    assert funnel.stats == before


def test_closing_within_the_block_closes_nothing_of_the_shop_s(
    funnel: Funnel[Any], sink: MemorySink
) -> None:
    """A test that shuts the shop down leaves the funnel open for the next one."""
    with capture(funnel):
        assert funnel.close()
    funnel.checkout("after").enter("cart")

    assert who(sink) == ["before", "after"]


def test_a_closed_funnel_can_be_captured(funnel: Funnel[Any]) -> None:
    """A funnel that an earlier test has closed records within the block, and is closed after."""
    funnel.close()

    with capture(funnel) as captured:
        funnel.checkout("c-1").enter("cart")
    funnel.checkout("c-2").enter("cart")

    assert who(captured) == ["c-1"]
    assert funnel.stats.rejected == {"closed": 1}


def test_hooks_and_the_clock_of_the_shop_go_on() -> None:
    """What a hook takes away is not captured, and times are the shop's clock's."""
    funnel = Funnel(
        "checkout",
        steps=("cart",),
        sink=MemorySink(),
        before_emit=(redact("note"),),
        clock=lambda: NOON,
    )

    with capture(funnel) as captured:
        funnel.checkout("c-1", attributes={"note": "secret", "device": "mobile"}).enter("cart")

    (event,) = captured.events
    assert event.attributes == {"device": "mobile"}
    assert event.occurred_at == NOON


def test_a_clock_of_the_test_is_the_clock_within(funnel: Funnel[Any], sink: MemorySink) -> None:
    """The shortest way, which reads the real clock, is not taken within, and is again after."""
    clock = FrozenClock(NOON)

    with capture(funnel, clock=clock) as captured:
        funnel.checkout("c-1").enter("cart", ("5.00", "EUR"))
        clock.turn(timedelta(hours=1))
        funnel.checkout("c-1").enter("payment")
    funnel.checkout("after").enter("cart")

    assert [event.occurred_at - NOON for event in captured.events] == [
        timedelta(0),
        timedelta(hours=1),
    ]
    assert sink.events[-1].occurred_at > NOON + timedelta(hours=2)


def test_captures_nest(funnel: Funnel[Any], sink: MemorySink) -> None:
    """The innermost gets the events."""
    with capture(funnel) as outer:
        funnel.checkout("c-1").enter("cart")
        with capture(funnel) as inner:
            funnel.checkout("c-2").enter("cart")
        funnel.checkout("c-3").enter("cart")

    assert (who(outer), who(inner), who(sink)) == (["c-1", "c-3"], ["c-2"], ["before"])


def test_captures_may_end_in_any_order(funnel: Funnel[Any], sink: MemorySink) -> None:
    """The one that began first may end first; the shop's sink is back when all have ended."""
    before = state(funnel)
    contexts = [capture(funnel) for _ in range(3)]
    sinks = [context.__enter__() for context in contexts]

    seen = []
    for place in (1, 0, 2):
        contexts[place].__exit__(None, None, None)
        funnel.checkout(f"after {place}").enter("cart")
        seen.append([who(one) for one in (*sinks, sink)])

    assert seen[0] == [[], [], ["after 1"], ["before"]]
    assert seen[1] == [[], [], ["after 1", "after 0"], ["before"]]
    assert seen[2] == [[], [], ["after 1", "after 0"], ["before", "after 2"]]
    assert state(funnel) == before


def test_threads_of_the_shop_are_captured(funnel: Funnel[Any], sink: MemorySink) -> None:
    """A server that answers from other threads records to the test's memory."""
    with capture(funnel) as captured, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: funnel.checkout(n).enter("cart"), range(100)))

    assert sorted(map(str, who(captured))) == sorted(map(str, range(100)))
    assert who(sink) == ["before"]


def test_no_event_is_lost_while_threads_capture(funnel: Funnel[Any], sink: MemorySink) -> None:
    """Every event goes to one of the sinks, whatever captures begin and end meanwhile."""
    captured: list[MemorySink] = []
    stop = threading.Event()

    def records(worker: int) -> int:
        number = 0
        while not stop.is_set() or number < 100:
            funnel.checkout(f"{worker}-{number}").enter("cart")
            number += 1
        return number

    def captures() -> None:
        for _ in range(50):
            with capture(funnel) as one:
                captured.append(one)

    before = state(funnel)
    with ThreadPoolExecutor(6) as pool:
        recording = [pool.submit(records, worker) for worker in range(2)]
        for capturing in [pool.submit(captures) for _ in range(4)]:
            capturing.result()
        stop.set()
        recorded = sum(one.result() for one in recording)

    arrived = [event for one in (*captured, sink) for event in one.events]
    assert len(arrived) == recorded + 1
    assert len({event.event_id for event in arrived}) == recorded + 1
    assert state(funnel) == before


def test_a_forked_child_is_captured_too(funnel: Funnel[Any], sink: MemorySink) -> None:
    """A child's events stay in its own memory, and its funnel is restored as the parent's is."""

    def work() -> None:
        funnel.checkout("child").enter("cart")
        assert (who(captured), who(sink)) == (["child"], ["before"])

    with capture(funnel) as captured:
        assert succeeded(fork(work))

    assert who(captured) == []


@pytest.mark.parametrize("funnel", [None, "checkout", MemorySink()])
def test_what_is_no_funnel_is_refused(funnel: Any) -> None:
    """The message says what to pass."""
    with pytest.raises(ConfigError, match="takes your shop's Funnel, not"), capture(funnel):
        pass


def test_what_is_no_clock_is_refused(funnel: Funnel[Any]) -> None:
    """A time is not a clock."""
    clock: Callable[[], datetime] = NOON  # type: ignore[assignment]

    with pytest.raises(ConfigError, match="pass a callable such as a FrozenClock"):
        capture(funnel, clock=clock).__enter__()


def test_a_funnel_that_was_captured_can_go(sink: MemorySink) -> None:
    """Nothing holds a funnel for having been captured."""
    funnel = Funnel("checkout", steps=("cart",), sink=sink)
    with capture(funnel) as captured:
        funnel.checkout("c-1").enter("cart")
    gone = weakref.ref(funnel)

    del funnel
    gc.collect()

    assert gone() is None
    assert isinstance(captured.events[0], StepEntered)
