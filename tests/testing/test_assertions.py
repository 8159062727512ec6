"""Checks of a journey pass where it is told in order, and show it where it is not."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import pytest

from lastclick import Funnel, Money, Step
from lastclick.errors import ConfigError, EventError
from lastclick.events import Event
from lastclick.sinks import MemorySink
from lastclick.testing import FrozenClock, JourneyAssertion, assert_journey, capture
from tests.metrics.shop import NOON, at, entered, eur, failed, ordered, refunded

Check = Callable[[JourneyAssertion], object]

EVENTS = [
    entered("c-1", "cart", 0, eur("59.90")),
    entered("c-1", "payment", 1),
    failed("c-1", "payment", 2, "expired_card"),
    entered("c-1", "payment", 3),
    ordered("c-1", "o-981", 4, eur("64.80")),
    entered("c-2", "cart", 0),
]


class Steps(Enum):
    CART = "cart"
    PAYMENT = "payment"


@pytest.mark.parametrize(
    "check",
    [
        lambda journey: journey.entered("cart", "payment"),
        lambda journey: journey.entered("cart").entered("payment").entered("payment"),
        lambda journey: journey.entered(Steps.CART, Step("payment")),
        lambda journey: journey.failed("payment"),
        lambda journey: journey.failed(Steps.PAYMENT, reason="expired_card"),
        lambda journey: journey.entered("cart").failed("payment").entered("payment").completed(),
        lambda journey: journey.completed(total=("64.8", "eur"), order_id="o-981"),
        lambda journey: journey.completed(total=Money("64.80", "EUR")),
        lambda journey: (
            journey.entered("cart", "payment")
            .failed("payment", reason="expired_card")
            .entered("payment")
            .completed(total=eur("64.80"))
            .nothing_else()
        ),
    ],
)
def test_what_happened_in_this_order_passes(check: Check) -> None:
    """A chain passes where the journey holds its facts in its order, others between or not."""
    journey = assert_journey(EVENTS, "c-1")

    assert check(journey) is journey


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda j: j.entered("details"), "checkout 'c-1' did not enter 'details'"),
        (
            lambda j: j.entered("payment", "cart"),
            "checkout 'c-1' did not enter 'cart' after it entered payment",
        ),
        (
            lambda j: j.failed("payment", reason="card_declined"),
            "checkout 'c-1' did not fail at 'payment' with reason 'card_declined'",
        ),
        (lambda j: j.failed("cart"), "checkout 'c-1' did not fail at 'cart'"),
        (
            lambda j: j.completed().failed("payment"),
            "checkout 'c-1' did not fail at 'payment' after it ordered o-981, EUR 64.80",
        ),
        (
            lambda j: j.completed(total=("59.90", "EUR")),
            "checkout 'c-1' did not order for EUR 59.90",
        ),
        (
            lambda j: j.completed(total=("64.80", "USD")),
            "checkout 'c-1' did not order for USD 64.80",
        ),
        (lambda j: j.completed(order_id=7), "checkout 'c-1' did not order '7'"),
        (lambda j: j.completed().completed(), "did not order after it ordered o-981, EUR 64.80"),
        (
            lambda j: j.not_completed(),
            "checkout 'c-1' ordered 'o-981', though it should not have",
        ),
        (lambda j: j.nothing_else(), "checkout 'c-1' has 5 more events than was checked"),
        (
            lambda j: j.entered("cart", "payment", "payment").completed().nothing_else(),
            "checkout 'c-1' has 1 more event than was checked",
        ),
    ],
)
def test_what_did_not_happen_fails(check: Check, message: str) -> None:
    """The first line says what was looked for, and from where on; the journey follows."""
    with pytest.raises(AssertionError) as failure:
        check(assert_journey(EVENTS, "c-1"))

    said, nothing, head, *picture = str(failure.value).split("\n")
    assert said.endswith(message)
    assert nothing == ""
    assert head.split() == ["cart", "payment", "order"]
    assert len(picture) == 5


def test_the_picture_is_drawn_by_step_and_time() -> None:
    """What was found is marked, the way goes forth and back, and the text says each event."""
    events = [*EVENTS[:4], entered("c-1", "cart", 24 * 60), EVENTS[5]]

    journey = assert_journey(events, "c-1").entered("payment").failed("payment")

    assert str(journey).split("\n") == [
        "                   cart  payment",
        "           0:00:00 o                entered cart, EUR 59.90",
        "ok         0:01:00 '-----o          entered payment",
        "ok         0:02:00       x          failed at payment: expired_card",
        "           0:03:00       o          entered payment",
        "    1 day, 0:00:00 o-----'          entered cart",
    ]
    assert repr(journey) == "<journey of 'c-1', 5 events>"


def test_every_kind_of_event_is_in_the_picture() -> None:
    """What happens at no step is told without a sign."""
    clock = FrozenClock(NOON)
    funnel = Funnel("checkout", steps=("cart", "payment"), sink=MemorySink())
    with capture(funnel, clock=clock) as captured:
        handle = funnel.checkout("c-1")
        handle.fail("payment", "card_declined", ("5.00", "EUR"))
        handle.assign("treated")
        handle.remind("email")
        clock.turn(timedelta(minutes=90))
        handle.click("email")
    back = refunded("o-1", 91, eur("5.00"), checkout_id="c-1")

    drawn = str(assert_journey([*captured.records, back], "c-1"))

    assert [line[12:].strip() for line in drawn.split("\n")] == [
        "payment",
        "x          failed at payment: card_declined, EUR 5.00",
        "was assigned to treated",
        "was reminded by email",
        "clicked a reminder by email",
        "order refunded",
    ]


def test_steps_stand_in_the_order_of_the_funnel_where_it_is_known() -> None:
    """With the declaration, a step that was skipped and come back to stands where it belongs."""
    funnel = Funnel("checkout", steps=("cart", "details", "payment"), sink=MemorySink())
    with capture(funnel) as captured:
        for step in ("cart", "payment", "details"):
            funnel.checkout("c-1").enter(step)

    heads = [
        str(assert_journey(events, "c-1")).split("\n")[0].split()
        for events in (captured.records, captured.events)
    ]

    assert heads == [["cart", "details", "payment"], ["cart", "payment", "details"]]


def test_events_are_told_by_time() -> None:
    """A webhook that is recorded late but happened early stands where it happened."""
    events: list[Event] = [entered("c-1", "payment", 5), entered("c-1", "cart", 1)]

    assert_journey(iter(events), "c-1").entered("cart", "payment").nothing_else()


def test_long_and_foreign_names_break_no_line() -> None:
    """A name is cut in the head, whole in the text, and steers no terminal."""
    name = "an\x1b[31m extraordinarily long name\nof a step"

    drawn = str(assert_journey([entered("c-1", name, 0)], "c-1")).split("\n")

    assert len(drawn) == 2
    assert drawn[0].strip() == "an\ufffd[31m extrao.."
    assert drawn[1].endswith("entered an\ufffd[31m extraordinarily long name\ufffdof a step")


def test_a_checkout_without_events_names_those_there_are() -> None:
    """A wrong id is told apart from a shop that records nothing."""
    events = [entered(f"c-{number}", "cart", 0) for number in range(7)]

    with pytest.raises(AssertionError) as failure:
        assert_journey(events, "c-9")
    with pytest.raises(AssertionError, match=r"no event of checkout '9'; recorded were: none$"):
        assert_journey([], 9)

    assert str(failure.value) == (
        "no event of checkout 'c-9'; recorded were: 'c-0', 'c-1', 'c-2', 'c-3', 'c-4', ..."
    )


@pytest.mark.parametrize(
    ("error", "check"),
    [
        (ConfigError, lambda: assert_journey(MemorySink(), "c-1")),  # type: ignore[arg-type]
        (EventError, lambda: assert_journey(EVENTS, None)),
        (EventError, lambda: assert_journey(EVENTS, "c-1").entered("")),
        (EventError, lambda: assert_journey(EVENTS, "c-1").completed(total=(59.9, "EUR"))),
    ],
)
def test_a_check_that_makes_no_sense_is_no_failure(
    error: type[Exception], check: Callable[[], Any]
) -> None:
    """A mistake in the test itself is told as such."""
    with pytest.raises(error):
        check()


def test_an_attempt_that_did_not_order_passes() -> None:
    """Not to have ordered can be checked at any place of a chain."""
    assert_journey(EVENTS, "c-2").not_completed().entered("cart").not_completed().nothing_else()


def test_times_are_whole_seconds_from_the_first_event() -> None:
    """A part of a second is none."""
    later: datetime = at(0) + timedelta(seconds=1.9)
    events = [entered("c-1", "cart", 0), entered("c-1", "payment", 1, occurred_at=later)]

    assert str(assert_journey(events, "c-1")).split("\n")[2].split()[0] == "0:00:01"
