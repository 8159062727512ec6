"""The body of GA4, judged by the rules that Google writes down for the Measurement Protocol."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick import Money
from lastclick.errors import ConfigError
from lastclick.events import (
    Event,
    HoldoutAssigned,
    OrderRefunded,
    ReminderClicked,
    ReminderSent,
    StepEntered,
    StepFailed,
)
from lastclick.sinks import bodies
from lastclick.sinks.bodies import Payload, Refused
from tests.event_strategies import events
from tests.sinks.test_bodies import NOW, TOLD, made, order, parsed

COMMON: dict[str, Any] = {
    "event_id": "e-1",
    "funnel": "checkout",
    "checkout_id": "c-1",
    "occurred_at": NOW,
}
STEPS = {
    "cart": "view_cart",
    "details": "begin_checkout",
    "shipping": "add_shipping_info",
    "payment": "add_payment_info",
}
NAME = "^[A-Za-z][A-Za-z0-9_]{0,39}$"
MICROS = int(NOW.timestamp()) * 1_000_000

#: "Measurement Protocol reference" and "Send Measurement Protocol events", section Limitations,
#: on developers.google.com/analytics/devguides/collection/protocol/ga4, as of 2026.
SCHEMA = {
    "type": "object",
    "required": ["client_id", "events"],
    "additionalProperties": False,
    "properties": {
        "client_id": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+$"},
        "user_id": {"type": "string", "minLength": 1},
        "events": {
            "type": "array",
            "minItems": 1,
            "maxItems": 25,
            "items": {
                "type": "object",
                "required": ["name", "params", "timestamp_micros"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "pattern": NAME},
                    "timestamp_micros": {
                        "type": "integer",
                        "minimum": MICROS - 72 * 3600 * 1_000_000,
                        "maximum": MICROS,
                    },
                    "params": {
                        "type": "object",
                        "maxProperties": 25,
                        "propertyNames": {"pattern": NAME},
                        "additionalProperties": {"type": ["string", "number"], "maxLength": 100},
                        "properties": {
                            "items": {"type": "array"},
                            "value": {"type": "number", "minimum": 0},
                            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
                            "transaction_id": {"type": "string", "pattern": r"\S"},
                        },
                        "dependentRequired": {"value": ["currency"]},
                    },
                },
                "allOf": [
                    {
                        "if": {"properties": {"name": {"const": name}}},
                        "then": {"properties": {"params": {"required": required}}},
                    }
                    for name, required in {
                        "view_cart": ["items"],
                        "begin_checkout": ["items"],
                        "add_shipping_info": ["items"],
                        "add_payment_info": ["items"],
                        "purchase": ["transaction_id", "items"],
                        "refund": ["transaction_id", "value"],
                    }.items()
                ],
            },
        },
    },
}
#: The same reference, section "Reserved names".
RESERVED = """
    ad_activeview ad_click ad_exposure ad_query ad_reward adunit_exposure app_clear_data
    app_exception app_install app_remove app_store_refund app_update app_upgrade
    dynamic_link_app_open dynamic_link_app_update dynamic_link_first_open error
    firebase_campaign firebase_in_app_message_action firebase_in_app_message_dismiss
    firebase_in_app_message_impression first_open first_visit notification_dismiss
    notification_foreground notification_open notification_receive notification_send os_update
    session_start user_engagement ad_impression in_app_purchase screen_view
""".split()
RESERVED_PREFIXES = ("_", "firebase_", "ga_", "google_", "gtag.")

#: About the present of these tests, where Google takes most of them.
recent = st.lists(
    st.builds(
        lambda event, hours: event.model_copy(update={"occurred_at": NOW - timedelta(hours=hours)}),
        events,
        st.integers(-2, 80),
    ),
    max_size=40,
    unique_by=lambda event: event.event_id,
)


def request(event: Event, **settings: Any) -> dict[str, Any]:
    """The one request that the event becomes."""
    (payload,) = made(bodies.ga4(steps=STEPS, now=lambda: NOW, **settings), [event])
    assert isinstance(payload, Payload)
    return dict(parsed(payload))


def told(event: Event, **settings: Any) -> dict[str, Any]:
    """The one event that the event becomes."""
    (one,) = request(event, **settings)["events"]
    return dict(one)


@given(recorded=recent)
def test_a_request_keeps_googles_rules(recorded: list[Event]) -> None:
    """Counts, sizes, names, lengths, times and what is required, for whatever a shop records."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(SCHEMA)

    for payload in made(TOLD["ga4"], recorded):
        if isinstance(payload, Payload):
            content = parsed(payload)
            validator.validate(content)
            assert len(payload.content) < 130_000
            for one in content["events"]:
                assert one["name"] not in RESERVED
                assert not any(name.startswith(RESERVED_PREFIXES) for name in one["params"])
                assert "firebase_conversion" not in one["params"]


@given(recorded=recent)
def test_what_is_older_than_72_hours_is_refused(recorded: list[Event]) -> None:
    """Google would move it to another day, and say nothing."""
    old = {
        event.event_id
        for event in recorded
        if NOW - event.occurred_at > timedelta(hours=72)
        and event.type not in {"funnel_declared", "events_lost"}
    }

    refused = {one for one in made(TOLD["ga4"], recorded) if isinstance(one, Refused)}

    assert {one.event_id for one in refused if one.reason == "too_old"} == old


def test_an_order_is_told_whole() -> None:
    """The whole request of an order of a customer."""
    attributes = {"coupon": "SUMMER", "items": 3, "first": True, "note": None}

    content = request(order(customer_id="u-7", attributes=attributes))

    assert re.fullmatch(r"[1-9][0-9]*\.[1-9][0-9]*", content.pop("client_id"))
    assert content == {
        "user_id": "u-7",
        "events": [
            {
                "name": "purchase",
                "timestamp_micros": MICROS,
                "params": {
                    "event_id": "e-0",
                    "funnel": "checkout",
                    "checkout_id": "c-0",
                    "transaction_id": "o-0",
                    "value": order().total.amount,  # type: ignore[union-attr]
                    "currency": "EUR",
                    "items": [],
                    "coupon": "SUMMER",
                    "first": "true",
                },
            }
        ],
    }


@pytest.mark.parametrize(("event", "name", "parameters"), [
    (
        StepEntered(step="cart", value=Money("5", "EUR"), **COMMON),
        "view_cart",
        {"step": "cart", "value": 5, "currency": "EUR", "items": []},
    ),
    (StepEntered(step="payment", **COMMON), "add_payment_info", {"step": "payment", "items": []}),
    (StepEntered(step="gift", **COMMON), "checkout_step", {"step": "gift"}),
    (
        StepFailed(step="payment", reason="declined", value=Money("5", "EUR"), **COMMON),
        "checkout_step_failed",
        {"step": "payment", "reason": "declined", "value": 5, "currency": "EUR"},
    ),
    (
        OrderRefunded(order_id="o-1", refund_id="r-1", amount=Money("1", "EUR"), **COMMON),
        "refund",
        {"transaction_id": "o-1", "refund_id": "r-1", "value": 1, "currency": "EUR"},
    ),
    (
        HoldoutAssigned(arm="holdout", campaign="autumn", **COMMON),
        "holdout_assigned",
        {"arm": "holdout", "reminder_campaign": "autumn"},
    ),
    (ReminderSent(channel="email", **COMMON), "reminder_sent", {"reminder_channel": "email"}),
    (ReminderClicked(channel="sms", **COMMON), "reminder_clicked", {"reminder_channel": "sms"}),
])  # fmt: skip
def test_each_type_has_its_name_and_parameters(
    event: Event, name: str, parameters: dict[str, Any]
) -> None:
    """The table of the documentation, row by row."""
    one = told(event)

    assert one["name"] == name
    common = {"event_id": "e-1", "funnel": "checkout", "checkout_id": "c-1"}
    assert one["params"] == common | parameters


def test_a_request_is_about_one_client() -> None:
    """Events are put together by client and customer, each in the order of the log."""
    whose = ["u-1", None, "u-1", None, "u-2"]
    recorded = [
        order(number, customer_id=customer, checkout_id="c-1")
        for number, customer in enumerate(whose)
    ]

    payloads = [one for one in made(TOLD["ga4"], recorded) if isinstance(one, Payload)]

    assert [one.event_ids for one in payloads] == [("e-0", "e-2"), ("e-1", "e-3"), ("e-4",)]
    assert [parsed(one).get("user_id") for one in payloads] == ["u-1", None, "u-2"]
    assert len({parsed(one)["client_id"] for one in payloads}) == 3


def test_a_client_is_the_browsers_or_made_of_who_is_known() -> None:
    """Google wants two numbers; an attempt and a customer of one id are not one client."""
    setting = {"client_id": "ga"}
    browser = request(order(attributes={"ga": "12.34"}), **setting)
    odd = request(order(customer_id="c-0", attributes={"ga": "GA1.1.12.34"}), **setting)
    attempt, again = request(order(), **setting), request(order(order_id="o-9"), **setting)
    refund = OrderRefunded(order_id="c-0", amount=Money(1, "EUR"), **COMMON | {"checkout_id": None})

    assert browser["client_id"] == "12.34"
    assert "ga" not in browser["events"][0]["params"]
    assert attempt["client_id"] == again["client_id"] == request(refund)["client_id"]
    assert len({browser["client_id"], odd["client_id"], attempt["client_id"]}) == 3


@pytest.mark.parametrize(("given_", "sent"), [(1759320000, "1759320000"), ("s1$o2", "s1$o2")])
def test_a_session_is_told_where_it_is_known(given_: str | int, sent: str) -> None:
    """With it goes the engagement without which Google shows the event in few reports."""
    with_session = told(order(attributes={"session": given_}), session_id="session")["params"]
    without = told(order(), session_id="session")["params"]

    assert (with_session["session_id"], with_session["engagement_time_msec"]) == (sent, 1)
    assert "session" not in with_session
    assert not {"session_id", "engagement_time_msec"} & set(without)


def test_an_event_ahead_of_the_clock_is_told_as_of_now() -> None:
    """Google takes no future."""
    assert told(order(occurred_at=NOW + timedelta(hours=1)))["timestamp_micros"] == MICROS


@pytest.mark.parametrize(("event", "reason"), [
    (order(occurred_at=NOW - timedelta(hours=72, microseconds=1)), "too_old"),
    (order(occurred_at=datetime(1, 1, 1, tzinfo=UTC)), "too_old"),
    (order(order_id=" "), "no_order_id"),
    (order(order_id="x" * 101), "long_order_id"),
    (OrderRefunded(order_id="o-1", **COMMON), "no_amount"),
])  # fmt: skip
def test_what_google_would_take_for_something_else_is_refused(event: Event, reason: str) -> None:
    """Each with its code, and nothing is sent of it."""
    assert made(TOLD["ga4"], [event]) == [Refused(event.event_id, reason)]


def test_attributes_are_carried_as_far_as_google_takes_them() -> None:
    """At most 25 parameters in all, of valid names; texts are cut at 100 characters."""
    bad = dict.fromkeys(("1a", "a-b", "x" * 41, "_a", "ga_a", "google_a", "firebase_a", "ü"), "no")
    ours = dict.fromkeys(("value", "currency", "transaction_id", "session_id", "gclid"), "no")
    many = {f"a{number}": number for number in range(40)}

    parameters = told(order(attributes=bad | ours | {"long": "y" * 300} | many))["params"]

    assert "no" not in parameters.values()
    assert parameters["long"] == "y" * 100
    assert len(parameters) == 25
    assert list(parameters)[-1] == "a16"


@pytest.mark.parametrize(
    "name", [*RESERVED, "_a", "ga_step", "google_step", "firebase_a", "1a", "a b", "x" * 41, "ü"]
)
def test_a_name_that_google_does_not_take_is_refused_at_once(name: str) -> None:
    """Google would drop the events silently."""
    with pytest.raises(ConfigError, match="steps= of ga4 maps 'pay' to"):
        bodies.ga4(steps={"pay": name})


def test_ids_in_the_log_are_cut_but_the_order_is_whole() -> None:
    """A long id of an attempt is cut; that of an order of 100 characters is kept."""
    parameters = told(order(checkout_id="c" * 256, order_id="o" * 100))["params"]

    assert parameters["checkout_id"] == "c" * 100
    assert parameters["transaction_id"] == "o" * 100
