"""Journeys: each field of one, for attempts and for customers, whatever the arrival."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lastclick import Journey, Money, Outcome, journeys
from lastclick._journeys import Failure, Order, Reminder
from lastclick.errors import ConfigError
from lastclick.events import Event
from tests.metrics.shop import (
    DAY,
    assigned,
    at,
    clicked,
    declared,
    entered,
    eur,
    failed,
    ordered,
    refunded,
    sent,
)

FUNNEL = declared(("cart", "details", "payment"))

# One attempt with something of everything: left, reminded, clicked, came back, bought twice.
STORY: list[Event] = [
    assigned("c-1", -1, "treated"),
    entered("c-1", "cart", 0, eur("10.00"), attributes={"device": "tv", "plan": 1}),
    entered("c-1", "payment", 2, eur("20.00"), customer_id="u-1"),
    failed("c-1", "payment", 3, "timeout"),
    failed("c-1", "payment", 4, "card_declined", value=eur("25.00")),
    sent("c-1", 60, campaign="autumn"),
    clicked("c-1", 90, "sms"),
    entered("c-1", "details", 91, eur("30.00")),
    ordered("c-1", "o-2", 95, eur("30.00")),
    ordered("c-1", "o-1", 99),
    ordered("c-1", "o-2", 120, eur("99.00")),
    refunded("o-2", 121, eur("5.00")),
]


def found(events: Iterable[Event], **settings: Any) -> dict[str, Journey]:
    return {one.checkout_id: one for one in journeys([FUNNEL, *events], **settings)}


def only(events: Iterable[Event], **settings: Any) -> Journey:
    (one,) = journeys([FUNNEL, *events], **settings)
    return one


def test_a_journey_tells_everything_of_an_attempt() -> None:
    """Every field is there, as people and jobs need it."""
    assert only(STORY) == Journey(
        checkout_id="c-1",
        customer_id="u-1",
        outcome=Outcome.RECOVERED_BY_LINK,
        furthest="order",
        steps=("cart", "payment", "details"),
        value=eur("25.00"),
        started_at=at(0),
        last_activity_at=at(120),
        abandoned_at=at(4),
        orders=(Order("o-2", at(95), eur("30.00")), Order("o-1", at(99), None)),
        arm="treated",
        reminders=(
            Reminder(at(60), "email", "autumn", clicked=False),
            Reminder(at(90), "sms", None, clicked=True),
        ),
        failures=(
            Failure(at(3), "payment", "timeout"),
            Failure(at(4), "payment", "card_declined"),
        ),
        attributes={"device": "tv", "plan": 1},
    )


@pytest.mark.parametrize("unit", ["attempt", "customer"])
def test_arrival_changes_no_journey(unit: Any) -> None:
    """Backwards, and twice over, the events tell the same journey."""
    once = only(STORY, unit=unit)

    assert only(STORY[::-1], unit=unit) == only(STORY + STORY[::-1], unit=unit) == once


def test_a_journey_ends_at_the_instant_asked_for() -> None:
    """What comes after as_of has not happened: not the order, nor the click."""
    before = only(STORY, as_of=at(70))

    assert before.outcome is Outcome.RECOVERABLE
    assert (before.furthest, before.steps) == ("payment", ("cart", "payment"))
    assert before.orders == ()
    assert [reminder.clicked for reminder in before.reminders] == [False]
    assert (before.abandoned_at, before.value) == (at(4), eur("25.00"))
    assert list(journeys([FUNNEL, *STORY], as_of=at(-2))) == []


def test_a_short_attempt_has_empty_fields() -> None:
    """What an attempt does not have is None or empty, never guessed."""
    assert only([entered("c-1", "details", 0)]) == Journey(
        checkout_id="c-1",
        customer_id=None,
        outcome=Outcome.IN_FLIGHT,
        furthest="details",
        steps=("details",),
        value=None,
        started_at=at(0),
        last_activity_at=at(0),
        abandoned_at=None,
        orders=(),
        arm=None,
        reminders=(),
        failures=(),
        attributes={},
    )


def test_a_job_asks_for_one_outcome() -> None:
    """The filter takes a member or its text, and leaves only journeys of that outcome."""
    events = [entered("a", "cart", 0), entered("b", "cart", 8 * DAY), *STORY]

    for outcome in ("lost", Outcome.LOST):
        assert set(found(events, outcome=outcome)) == {"a"}
    assert set(found(events, outcome="in_flight")) == {"b"}
    assert set(found(events)) == {"a", "b", "c-1"}
    assert found(events, outcome="purchased") == {}


@pytest.mark.parametrize("outcome", ["recovered", "", "LOST", 5, ["lost"]])
def test_an_outcome_that_is_none_is_refused_at_the_call(outcome: Any) -> None:
    """The message names the eight, before anybody asks for a journey."""
    with pytest.raises(ConfigError, match="is none of: in_flight, purchased") as refused:
        journeys([FUNNEL], outcome=outcome)

    assert all(one in str(refused.value) for one in Outcome)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"unit": "person"}, "unit is 'attempt' or 'customer'"),
        ({"as_of": datetime(2026, 10, 1)}, "as_of: a time without a zone"),  # noqa: DTZ001 - the test
        ({"exclude": "bot"}, "exclude: 'bot'"),
        ({"funnel": "returns"}, "no definition of funnel 'returns'"),
        ({"abandon_after": timedelta(0)}, "above zero"),
        ({"recover_within": timedelta(1), "abandon_after": timedelta(2)}, "is below abandon_after"),
    ],
)
def test_a_wrong_setting_is_refused_at_the_call(settings: dict[str, Any], said: str) -> None:
    """Settings are checked when the journeys are asked for, not at the first of them."""
    with pytest.raises(ConfigError, match=said):
        journeys([FUNNEL, *STORY], **settings)


def test_no_events_are_no_journeys() -> None:
    """A log of a definition alone has none, for either unit."""
    assert list(journeys([FUNNEL])) == list(journeys([FUNNEL], unit="customer")) == []


def test_an_attempt_at_no_step_is_no_journey() -> None:
    """An order or a click alone was seen at no step, whoever it belongs to."""
    events = [ordered("a", "o", 0, customer_id="u"), clicked("b", 0, customer_id="u")]

    assert found(events) == found(events, unit="customer") == {}


def test_limits_of_ones_own_change_the_outcome() -> None:
    """Other limits than the definition's may be asked for."""
    events = [entered("a", "cart", 0), entered("b", "cart", 20)]

    assert found(events)["a"].outcome == "in_flight"
    assert found(events, abandon_after=timedelta(minutes=10))["a"].outcome == "recoverable"
    limits = {"abandon_after": timedelta(minutes=5), "recover_within": timedelta(minutes=10)}
    assert found(events, **limits)["a"].outcome == "lost"


def test_excluded_traffic_is_no_journey() -> None:
    """Bots are left out unless asked for."""
    bot = entered("a", "cart", 0, attributes={"traffic": "bot"})

    assert found([bot]) == {}
    assert set(found([bot], exclude={})) == {"a"}


def test_the_first_arm_counts() -> None:
    """An attempt assigned twice belongs to the earlier arm, at once to the first by name."""
    later = [entered("a", "cart", 0), assigned("a", 2, "treated"), assigned("a", 1, "holdout")]
    tied = [entered("a", "cart", 0), assigned("a", 1, "treated"), assigned("a", 1, "holdout")]

    assert only(later).arm == only(tied).arm == "holdout"


def test_reminders_and_failures_are_told_once_each() -> None:
    """Redelivered ones are one; a click with the id of its reminder is another."""
    mail = sent("a", 5, event_id="m-1")
    click = clicked("a", 6, event_id="m-1")
    declined = failed("a", "cart", 1, "declined", event_id="f-1")
    timeout = failed("a", "cart", 1, "timeout", event_id="f-1")
    events = [entered("a", "cart", 0), mail, click, declined, timeout]

    for arrival in (events, events[::-1], events * 2):
        one = only(arrival)

        assert [(reminder.at, reminder.clicked) for reminder in one.reminders] == [
            (at(5), False),
            (at(6), True),
        ]
        assert [failure.reason for failure in one.failures] == ["declined", "timeout"]


def test_an_event_told_at_two_times_is_told_at_its_earlier() -> None:
    """Of two tellings under one id the earlier one stands."""
    tellings = [sent("a", minutes, event_id="m-1") for minutes in (9, 5, 7)]

    assert [reminder.at for reminder in only([entered("a", "cart", 0), *tellings]).reminders] == [
        at(5)
    ]


def test_failures_come_by_time() -> None:
    """What went wrong is told in the order in which it did, unknown steps among it."""
    events = [entered("a", "cart", 0)]
    events += [failed("a", step, minutes, "x") for step, minutes in (("payment", 3), ("gift", 1))]

    told = [(failure.step, failure.at) for failure in only(events).failures]

    assert told == [("gift", at(1)), ("payment", at(3))]


def test_an_order_is_told_as_it_first_was() -> None:
    """Ties go by event id, amount and currency, no total first, whatever came first."""
    tellings = [
        ordered("a", "o-1", 1, total, event_id="e-1")
        for total in (eur("0.00"), None, Money("0.00", "CHF"), eur("2.00"))
    ]

    for arrival in (tellings, tellings[::-1]):
        (order,) = only([entered("a", "cart", 0), *arrival]).orders
        assert order == Order("o-1", at(1), None)
    for arrival in ([tellings[0], tellings[2]], [tellings[2], tellings[0]]):
        (order,) = only([entered("a", "cart", 0), *arrival]).orders
        assert order.total == Money("0.00", "CHF")


def test_attributes_are_those_of_the_earliest_step_event() -> None:
    """Unknown steps count for it; every kind of value comes back as it was."""
    values = {"text": "\u00fc", "number": -(2**63), "yes": True, "none": None}
    events = [
        entered("a", "cart", 5, attributes={"late": 1}),
        entered("a", "gift", 4, attributes=values),
        clicked("a", 1, attributes={"click": 1}),
    ]

    one = only(events)

    assert one.attributes == values
    assert one.attributes["yes"] is True
    assert one.started_at == at(5)


def test_the_attempts_of_a_customer_are_one_journey() -> None:
    """Joined, a customer's attempts are told as one, named by the first of them."""
    events = [
        entered("c-2", "payment", 60, eur("2.00"), customer_id="u-1", attributes={"n": 2}),
        entered("c-1", "cart", 0, eur("1.00"), customer_id="u-1", attributes={"n": 1}),
        failed("c-1", "cart", 1, "x"),
        sent("c-1", 40),
        ordered("c-2", "o-1", 61, eur("2.00")),
        entered("c-9", "cart", 0),
    ]

    joined = found(events, unit="customer")

    assert set(joined) == {"c-1", "c-9"}
    one = joined["c-1"]
    assert (one.customer_id, one.outcome) == ("u-1", "recovered_after_reminder")
    assert one.steps == ("cart", "payment")
    assert (one.started_at, one.last_activity_at, one.abandoned_at) == (at(0), at(61), at(1))
    assert (one.value, one.attributes) == (eur("1.00"), {"n": 1})
    assert len(one.orders) == len(one.failures) == len(one.reminders) == 1


def test_a_customer_begins_anew_after_an_order_or_a_long_time() -> None:
    """An order closes a journey, and so does a week without a sign."""
    events = []
    for checkout, minutes in (("a", 0), ("b", 60), ("c", 120), ("d", 9 * DAY)):
        events.append(entered(checkout, "cart", minutes, customer_id="u-1"))
    events.append(ordered("b", "o-1", 61))

    joined = found(events, unit="customer")

    assert {name: one.outcome.value for name, one in joined.items()} == {
        "a": "recovered_unaided",
        "c": "lost",
        "d": "in_flight",
    }


def test_customers_that_start_at_once_are_named_by_the_first_id() -> None:
    """Of two attempts that start together the smaller id names the journey."""
    events = [entered(name, "cart", 0, customer_id="u-1") for name in ("b", "a")]

    assert set(found(events, unit="customer")) == {"a"}


def test_journeys_are_made_one_by_one_and_only_once() -> None:
    """They come as an iterator, which ends."""
    found_ones = journeys([FUNNEL, *STORY])

    assert next(found_ones).checkout_id == "c-1"
    assert next(found_ones, None) is None


def test_times_are_in_utc_to_the_microsecond() -> None:
    """No instant is rounded on its way through."""
    moment = datetime(2026, 10, 1, 12, 0, 0, 123_457, tzinfo=UTC)

    one = only([entered("a", "cart", 0, occurred_at=moment)])

    assert one.started_at == one.last_activity_at == moment
    assert one.started_at.tzinfo is UTC


def test_of_two_customers_at_once_the_first_by_name_counts() -> None:
    """The customer is the one on the earliest event that names one; ties go by the id."""
    events = [entered("a", "cart", 0), clicked("a", 9, customer_id="u-0")]
    events += [entered("a", step, 1, customer_id=f"u-{n}") for n, step in ((2, "cart"), (1, "x"))]

    assert only(events).customer_id == only(events[::-1]).customer_id == "u-1"


def test_the_last_of_several_abandonments_is_told() -> None:
    """Someone who left twice before the order left for the last time the second time."""
    events = [entered("a", "cart", minutes) for minutes in (0, 60, 120)]

    one = only([*events, ordered("a", "o", 121)])

    assert one.abandoned_at == at(60)
    assert one.outcome == "recovered_unaided"
