"""The body of Segment, judged by what Segment's documentation says of a batch."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from lastclick import Money
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
from tests.sinks.test_bodies import TOLD, large, logs, made, order, parsed

COMMON: dict[str, Any] = {
    "event_id": "e-1",
    "funnel": "checkout",
    "checkout_id": "c-1",
    "occurred_at": datetime(2026, 10, 1, 12, tzinfo=UTC),
}
STEPS = {"cart": "Cart Viewed", "details": "Checkout Started", "payment": "Checkout Step Viewed"}

#: "HTTP API Source" (Batch, Track, Max request size) and "Spec: Common Fields", and for the
#: properties "Spec: V2 Ecommerce Events", on twilio.com/docs/segment as of 2026.
SCHEMA = {
    "type": "object",
    "required": ["batch"],
    "additionalProperties": False,
    "properties": {
        "batch": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["type", "event", "messageId", "timestamp", "properties"],
                "anyOf": [{"required": ["userId"]}, {"required": ["anonymousId"]}],
                "additionalProperties": False,
                "properties": {
                    "type": {"const": "track"},
                    "event": {"type": "string", "minLength": 1},
                    "messageId": {"type": "string", "minLength": 1},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "userId": {"type": "string", "minLength": 1},
                    "anonymousId": {"type": "string", "minLength": 1},
                    "properties": {
                        "type": "object",
                        "properties": {
                            "checkout_id": {"type": "string"},
                            "order_id": {"type": "string"},
                            "step": {"type": "number"},
                            "value": {"type": "number"},
                            "total": {"type": "number"},
                            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
                        },
                    },
                },
            },
        }
    },
}


def call(event: Event, **settings: Any) -> dict[str, Any]:
    """The one track call that the event becomes."""
    (payload,) = made(bodies.segment(**settings), [event])
    assert isinstance(payload, Payload)
    (one,) = parsed(payload)["batch"]
    return dict(one)


@given(recorded=logs)
def test_a_batch_is_one_by_segments_documentation(recorded: list[Event]) -> None:
    """Every call has a name, an id, a time and a user, and no key that Segment does not know."""
    jsonschema = pytest.importorskip("jsonschema")

    for payload in made(TOLD["segment"], recorded):
        if isinstance(payload, Payload):
            jsonschema.validate(parsed(payload), SCHEMA)


def test_an_order_is_told_whole() -> None:
    """The whole call of an order, with an attribute that Segment knows and one that it does not."""
    attributes = {"coupon": "SUMMER", "device": "mobile", "first": True, "note": None}

    assert call(order(customer_id="u-7", attributes=attributes)) == {
        "type": "track",
        "event": "Order Completed",
        "messageId": "e-0",
        "timestamp": "2026-10-01T12:00:00.000000Z",
        "userId": "u-7",
        "anonymousId": "c-0",
        "properties": {
            "funnel": "checkout",
            "checkout_id": "c-0",
            "order_id": "o-0",
            "total": order().total.amount,  # type: ignore[union-attr]
            "currency": "EUR",
            **attributes,
        },
    }


@pytest.mark.parametrize(("event", "name", "properties"), [
    (
        StepEntered(step="cart", value=Money("5", "EUR"), **COMMON),
        "Cart Viewed",
        {"step_name": "cart", "step": 1, "value": 5, "currency": "EUR"},
    ),
    (
        StepEntered(step="payment", **COMMON),
        "Checkout Step Viewed",
        {"step_name": "payment", "step": 3},
    ),
    (StepEntered(step="gift", **COMMON), "Checkout Step Viewed", {"step_name": "gift"}),
    (
        StepFailed(step="details", reason="bad_address", **COMMON),
        "Checkout Step Failed",
        {"step_name": "details", "step": 2, "reason": "bad_address"},
    ),
    (
        OrderRefunded(order_id="o-1", refund_id="r-1", amount=Money("1.5", "EUR"), **COMMON),
        "Order Refunded",
        {"order_id": "o-1", "refund_id": "r-1", "total": 1.5, "currency": "EUR"},
    ),
    (
        HoldoutAssigned(arm="holdout", campaign="autumn", **COMMON),
        "Holdout Assigned",
        {"arm": "holdout", "campaign": "autumn"},
    ),
    (ReminderSent(channel="email", **COMMON), "Reminder Sent", {"channel": "email"}),
    (ReminderClicked(channel="sms", **COMMON), "Reminder Clicked", {"channel": "sms"}),
])  # fmt: skip
def test_each_type_has_its_name_and_properties(
    event: Event, name: str, properties: dict[str, Any]
) -> None:
    """The table of the documentation, row by row."""
    told = call(event, steps=STEPS)

    assert told["event"] == name
    assert told["properties"] == {"funnel": "checkout", "checkout_id": "c-1", **properties}


def test_the_browsers_anonymous_id_is_used_where_it_is_given() -> None:
    """It is sent as the id and not again; without it the attempt's id stands in."""
    with_id = call(order(attributes={"ajs": "b-1"}), anonymous_id="ajs")
    without = call(order(attributes={"ajs": None}), anonymous_id="ajs")

    assert with_id["anonymousId"] == "b-1"
    assert "ajs" not in with_id["properties"]
    assert without["anonymousId"] == "c-0"


def test_a_refund_without_an_attempt_belongs_to_its_order() -> None:
    """Segment wants some id of a user with every call."""
    common = COMMON | {"checkout_id": None}

    assert call(OrderRefunded(order_id="o-1", **common))["anonymousId"] == "o-1"


def test_attributes_do_not_pass_for_what_segment_reads() -> None:
    """An attribute of the name of a property is left out, on every event."""
    told = call(order(total=None, attributes={"total": 3, "currency": "EUR", "step": 1, "x": 1}))

    assert told["properties"] == {
        "funnel": "checkout",
        "checkout_id": "c-0",
        "order_id": "o-0",
        "x": 1,
    }


def test_an_event_over_32_kb_is_refused_alone() -> None:
    """It would fail the batch; the others are sent."""
    payload, refused = sorted(
        made(bodies.segment(), [order(1), large(2, 32_768), order(3)]), key=len, reverse=True
    )

    assert isinstance(payload, Payload)
    assert payload.event_ids == ("e-1", "e-3")
    assert refused == Refused("e-2", "too_large")
