"""The body of PostHog."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from lastclick import Money
from lastclick.events import Event, OrderRefunded, StepFailed, new_id
from lastclick.sinks import bodies
from lastclick.sinks.bodies import Payload
from tests.sinks.test_bodies import NOW, TOLD, logs, made, order, parsed

#: PostHog's capture service, which reads a batch into these (rust/capture/src/v0_request.rs and
#: rust/common/types/src/event.rs in PostHog/posthog), and posthog.com/docs/api/capture.
SCHEMA = {
    "type": "object",
    "required": ["api_key", "batch"],
    "additionalProperties": False,
    "properties": {
        "api_key": {"type": "string", "minLength": 1},
        "historical_migration": {"const": True},
        "batch": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["event", "distinct_id", "properties", "timestamp", "uuid"],
                "additionalProperties": False,
                "properties": {
                    "event": {"type": "string", "minLength": 1},
                    "distinct_id": {"type": "string", "minLength": 1},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "uuid": {"type": "string", "pattern": "^[0-9a-fA-F-]{36}$"},
                    "properties": {"type": "object"},
                },
            },
        },
    },
}


def captured(event: Event, **settings: Any) -> dict[str, Any]:
    """The one event that the event becomes."""
    (payload,) = made(bodies.posthog("phc_1", now=lambda: NOW, **settings), [event])
    assert isinstance(payload, Payload)
    (one,) = parsed(payload)["batch"]
    return dict(one)


@given(recorded=logs)
def test_a_batch_is_one_that_posthog_reads(recorded: list[Event]) -> None:
    """Every event has what PostHog needs, and a UUID that parses: another fails the whole batch."""
    jsonschema = pytest.importorskip("jsonschema")

    for payload in made(TOLD["posthog"], recorded):
        assert isinstance(payload, Payload)
        content = parsed(payload)
        jsonschema.validate(content, SCHEMA)
        for one in content["batch"]:
            uuid.UUID(one["uuid"])


def test_an_order_is_told_whole() -> None:
    """The whole event of an order."""
    event_id = new_id()

    assert captured(order(event_id=event_id, customer_id="u-7", attributes={"device": "tv"})) == {
        "event": "order_completed",
        "distinct_id": "u-7",
        "timestamp": "2026-10-01T12:00:00.000000Z",
        "uuid": event_id,
        "properties": {
            "event_id": event_id,
            "funnel": "checkout",
            "checkout_id": "c-0",
            "order_id": "o-0",
            "total": order().total.amount,  # type: ignore[union-attr]
            "currency": "EUR",
            "device": "tv",
        },
    }


def test_fields_keep_the_names_of_the_log() -> None:
    """A failure and a refund, with their money."""
    common: dict[str, Any] = {"event_id": "e", "funnel": "f", "occurred_at": NOW}
    failed = StepFailed(
        step="pay", reason="declined", value=Money("2", "EUR"), checkout_id="c", **common
    )
    refunded = OrderRefunded(order_id="o", refund_id="r", amount=Money("1", "EUR"), **common)
    anonymous = {
        "event_id": "e",
        "funnel": "f",
        "currency": "EUR",
        "$process_person_profile": False,
    }

    assert captured(failed)["properties"] == anonymous | {
        "checkout_id": "c", "step": "pay", "reason": "declined", "value": 2
    }  # fmt: skip
    assert captured(refunded)["properties"] == anonymous | {
        "order_id": "o", "refund_id": "r", "amount": 1
    }  # fmt: skip
    assert captured(refunded)["distinct_id"] == "o"


def test_nobody_known_makes_no_person() -> None:
    """An attempt of nobody known is an anonymous event; a customer and a browser are somebody."""
    browser = {"distinct_id": "ph"}
    unknown = captured(order(), **browser)
    customer = captured(order(customer_id="u-7"), **browser)
    known = captured(order(customer_id="u-7", attributes={"ph": "b-1"}), **browser)

    assert (unknown["distinct_id"], customer["distinct_id"], known["distinct_id"]) == (
        "c-0", "u-7", "b-1"
    )  # fmt: skip
    assert unknown["properties"]["$process_person_profile"] is False
    assert "$process_person_profile" not in customer["properties"] | known["properties"]
    assert "ph" not in known["properties"]


def test_a_natural_key_makes_the_same_uuid_every_time() -> None:
    """PostHog drops what is sent again by its UUID, so every event has one that stays."""
    first, again, other = (captured(order(event_id=id_))["uuid"] for id_ in ("o-1", "o-1", "o-2"))

    assert first == again != other


def test_old_events_go_as_a_historical_migration() -> None:
    """What is older than 48 hours is told apart, in requests of its own."""
    ages = [timedelta(hours=48, microseconds=1), timedelta(0), timedelta(hours=48), timedelta(900)]
    recorded = [order(number, occurred_at=NOW - age) for number, age in enumerate(ages)]

    recent, historical = made(bodies.posthog("phc_1", now=lambda: NOW), recorded)

    assert isinstance(recent, Payload)
    assert isinstance(historical, Payload)
    assert (recent.event_ids, historical.event_ids) == (("e-1", "e-2"), ("e-0", "e-3"))
    assert "historical_migration" not in parsed(recent)
    assert parsed(historical)["historical_migration"] is True


def test_the_present_is_read_where_no_clock_is_given() -> None:
    """An order of this moment is recent."""
    (payload,) = made(bodies.posthog("phc_1"), [order(occurred_at=datetime.now(UTC))])

    assert isinstance(payload, Payload)
    assert "historical_migration" not in parsed(payload)


def test_attributes_do_not_pass_for_what_the_line_says() -> None:
    """An attribute of the name of a field is left out."""
    told = captured(order(customer_id="u-1", total=None, attributes={"total": 3, "order_id": "x"}))

    assert told["properties"] == {
        "event_id": "e-0",
        "funnel": "checkout",
        "checkout_id": "c-0",
        "order_id": "o-0",
    }
