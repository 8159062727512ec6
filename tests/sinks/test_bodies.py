"""What every body owes, and the bodies that hold whole lines."""

import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick import Money
from lastclick.errors import ConfigError
from lastclick.events import (
    Event,
    EventsLost,
    FunnelDeclared,
    OrderCompleted,
    StepEntered,
    parse_line,
)
from lastclick.sinks import bodies
from lastclick.sinks.bodies import Body, Payload, Refused
from lastclick.sinks.bodies._payload import Limits, packed
from tests.event_strategies import events

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
STEPS = {"c-1042": "begin_checkout", "0": "view_cart"}
WHOLE: dict[str, Body] = {
    "ndjson": bodies.ndjson,
    "json_array": bodies.json_array,
    "cloudevents": bodies.cloudevents("urn:shop:test"),
}
TOLD: dict[str, Body] = {
    "segment": bodies.segment(steps=STEPS, anonymous_id="a1"),
    "ga4": bodies.ga4(steps=STEPS, client_id="a1", session_id="a2", now=lambda: NOW),
    "posthog": bodies.posthog("phc_test", distinct_id="a1", now=lambda: NOW),
}
BODIES = WHOLE | TOLD
logs = st.lists(events, max_size=12, unique_by=lambda event: event.event_id)


def made(body: Body, recorded: Iterable[Event]) -> list[Payload | Refused]:
    """What the body makes of the events' lines."""
    return list(body([event.line for event in recorded]))


def parsed(payload: Payload) -> Any:
    """The content as JSON, its numbers exact; the lines of ndjson as a list."""
    if payload.content_type == "application/x-ndjson":
        return [json.loads(line) for line in payload.content.splitlines()]
    return json.loads(payload.content, parse_float=Decimal)


def order(number: int = 0, **fields: Any) -> OrderCompleted:
    """An order of EUR 59.90 at `NOW`."""
    common = {
        "event_id": f"e-{number}",
        "funnel": "checkout",
        "checkout_id": f"c-{number}",
        "order_id": f"o-{number}",
        "occurred_at": NOW,
        "total": Money("59.90", "EUR"),
    }
    return OrderCompleted(**(common | fields))


def large(number: int, size: int) -> OrderCompleted:
    """An order whose line has so many bytes."""
    bare = len(order(number, attributes={"a": ""}).line)
    return order(number, attributes={"a": "x" * (size - bare)})


# What every body owes ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", BODIES)
@given(recorded=logs)
def test_every_event_is_in_a_payload_or_refused(name: str, recorded: list[Event]) -> None:
    """Each is told once; only what the library records about itself is not, by some bodies."""
    passed_over = (FunnelDeclared, EventsLost) if name in TOLD else ()

    ids: list[str] = []
    for result in made(BODIES[name], recorded):
        ids += result.event_ids if isinstance(result, Payload) else [result.event_id]

    expected = [event.event_id for event in recorded if not isinstance(event, passed_over)]
    assert sorted(ids) == sorted(expected)


@pytest.mark.parametrize("name", BODIES)
@given(recorded=logs)
def test_the_same_lines_give_the_same_bytes(name: str, recorded: list[Event]) -> None:
    """A retry sends what was sent; and a payload is never empty."""
    results = made(BODIES[name], recorded)

    assert made(BODIES[name], recorded) == results
    assert all(result.event_ids for result in results if isinstance(result, Payload))


@pytest.mark.parametrize("name", BODIES)
@given(recorded=logs)
def test_the_content_is_json_with_an_entry_for_each_event(name: str, recorded: list[Event]) -> None:
    """Whatever text a valid event has, the content is JSON, in the order of its ids."""
    for result in made(BODIES[name], recorded):
        if isinstance(result, Payload):
            content = parsed(result)
            entries = content if name in WHOLE else content.get("batch") or content["events"]
            assert len(entries) == len(result.event_ids)


@pytest.mark.parametrize(("name", "most_events", "most_bytes"), [
    ("segment", 2_500, 500_000),
    ("ga4", 25, 129_999),
    ("posthog", 10_000, 20_000_000),
])  # fmt: skip
def test_the_limits_of_the_receivers_hold(name: str, most_events: int, most_bytes: int) -> None:
    """Requests are cut by count and by bytes, in order, and no event falls between two."""
    shopper = {"customer_id": "u-1"}
    recorded = [order(number, **shopper) for number in range(3_000)]
    recorded += [large(number, 30_000).model_copy(update=shopper) for number in range(3_000, 3_050)]

    payloads = [one for one in made(BODIES[name], recorded) if isinstance(one, Payload)]

    assert [id_ for one in payloads for id_ in one.event_ids] == [e.event_id for e in recorded]
    assert max(len(one.event_ids) for one in payloads) <= most_events
    assert max(len(one.content) for one in payloads) <= most_bytes
    if name != "posthog":
        assert len(payloads[0].event_ids) == most_events or len(payloads[0].content) > 490_000


@given(sizes=st.lists(st.integers(1, 12), max_size=40), most=st.integers(16, 40))
def test_requests_are_filled_to_the_byte(sizes: list[int], most: int) -> None:
    """No request is larger than the limit, and none could have taken the next event too."""
    limits = Limits(events=5, request=most, event=10)
    told = [(str(number), b"9" * size) for number, size in enumerate(sizes)]

    results = list(packed(told, b"{[", b"]}", limits))

    payloads = [one for one in results if isinstance(one, Payload)]
    refused = [one.event_id for one in results if isinstance(one, Refused)]
    assert refused == [id_ for id_, part in told if len(part) > 10]
    kept = [id_ for id_, part in told if len(part) <= 10]
    assert [id_ for one in payloads for id_ in one.event_ids] == kept
    assert all(len(one.content) <= most and len(one.event_ids) <= 5 for one in payloads)
    for one, after in pairwise(payloads):
        more = len(one.content) + 1 + sizes[int(after.event_ids[0])]
        assert len(one.event_ids) == 5 or more > most


@pytest.mark.parametrize("name", TOLD)
@given(recorded=logs)
def test_money_stays_exact(name: str, recorded: list[Event]) -> None:
    """An amount is a number of the log's own digits, beside its currency, and only then."""
    # To GA4 all money is a value; a total there is an attribute of the shop's.
    keys = ("value",) if name == "ga4" else ("value", "total", "amount")
    expected = {
        event.event_id: money
        for event in recorded
        for field in ("value", "total", "amount")
        if (money := getattr(event, field, None))
    }

    for payload in made(TOLD[name], recorded):
        if isinstance(payload, Payload):
            content = parsed(payload)
            entries = content.get("batch") or content["events"]
            for event_id, entry in zip(payload.event_ids, entries, strict=True):
                told = entry.get("properties") or entry["params"]
                amounts = [told[key] for key in keys if key in told]
                money = expected.get(event_id)
                assert [str(amount) for amount in amounts] == ([str(money.amount)] if money else [])
                assert told.get("currency") == (money.currency if money else None)


@pytest.mark.parametrize("name", TOLD)
def test_an_amount_with_leading_zeros_is_a_number_still(name: str) -> None:
    """The log format lets another writer put zeros in front; JSON does not."""
    line = order().line.replace(b'"59.90","currency":"EUR"', b'"007.50","currency":"eur"')

    (payload,) = TOLD[name]([line])

    assert isinstance(payload, Payload)
    assert b":7.50," in payload.content
    assert b'"EUR"' in payload.content


@pytest.mark.parametrize("name", TOLD)
def test_a_type_of_a_later_log_is_passed_over(name: str) -> None:
    """A spool may have lines of a later version; they are not for this receiver."""
    later = order().line.replace(b"order_completed", b"parcel_sent")

    assert list(TOLD[name]([later])) == []


@pytest.mark.parametrize("name", WHOLE)
def test_a_type_of_a_later_log_is_sent_whole(name: str) -> None:
    """What holds whole lines needs to know none of them."""
    later = order().line.replace(b"order_completed", b"parcel_sent")

    (payload,) = WHOLE[name]([later])

    assert later in payload.content


@pytest.mark.parametrize("name", BODIES)
def test_no_lines_make_no_request(name: str) -> None:
    """Nothing to tell is not told."""
    assert list(BODIES[name]([])) == []


def test_bodies_need_no_extra() -> None:
    """The module is imported without urllib3."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; import lastclick.sinks.bodies; print('urllib3' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "False"


# Whole lines -------------------------------------------------------------------------------------


@given(recorded=logs.filter(bool))
def test_ndjson_and_json_array_hold_the_lines(recorded: list[Event]) -> None:
    """Each gives back the events that were recorded, in their order."""
    (ndjson,) = made(bodies.ndjson, recorded)
    (array,) = made(bodies.json_array, recorded)

    assert isinstance(ndjson, Payload)
    assert isinstance(array, Payload)
    assert ndjson.content.endswith(b"\n")
    assert [parse_line(line) for line in ndjson.content.split(b"\n")[:-1]] == recorded
    assert [parse_line(json.dumps(one)) for one in json.loads(array.content)] == recorded
    assert (ndjson.content_type, array.content_type) == ("application/x-ndjson", "application/json")
    assert ndjson.event_ids == array.event_ids == tuple(event.event_id for event in recorded)


@given(recorded=logs)
def test_the_cloudevents_sdk_reads_our_batch(recorded: list[Event]) -> None:
    """The SDK of the CloudEvents project finds each event, its attributes, and our line as data."""
    sdk = pytest.importorskip("cloudevents.core.formats.json").JSONFormat()
    factory = pytest.importorskip("cloudevents.core.v1.event").CloudEvent
    by_id = {event.event_id: event for event in recorded}

    for payload in made(WHOLE["cloudevents"], recorded):
        if isinstance(payload, Refused):
            continue
        assert payload.content_type == "application/cloudevents-batch+json"
        for event_id, one in zip(payload.event_ids, json.loads(payload.content), strict=True):
            read = sdk.read(factory, json.dumps(one))
            event = by_id[event_id]
            assert read.get_id() == event_id
            assert read.get_source() == "urn:shop:test"
            assert read.get_type() == f"lastclick.{event.type}"
            assert read.get_time() == event.occurred_at
            assert read.get_specversion() == "1.0"
            assert read.get_subject() in {None, getattr(event, "checkout_id", None)}
            assert parse_line(json.dumps(read.get_data())) == event


def test_a_cloudevent_has_all_that_it_should() -> None:
    """The whole batch of one order, as it is sent."""
    (payload,) = made(WHOLE["cloudevents"], [order()])

    assert parsed(payload) == [
        {
            "specversion": "1.0",
            "source": "urn:shop:test",
            "id": "e-0",
            "type": "lastclick.order_completed",
            "time": "2026-10-01T12:00:00.000000Z",
            "datacontenttype": "application/json",
            "subject": "c-0",
            "data": json.loads(order().line),
        }
    ]


@pytest.mark.parametrize("bad", ["\x00", "a\nb", "\x7f", "\x85", "\ufdd0", "\U0001ffff"])
def test_what_a_cloudevents_string_may_not_hold_is_kept_out(bad: str) -> None:
    """An id with a control character is refused; an attempt with one is told in the data only."""
    results = made(WHOLE["cloudevents"], [order(event_id=bad), order(1, checkout_id=bad)])

    refused, payload = results
    assert refused == Refused(bad, "bad_event_id")
    (event,) = parsed(payload)
    assert "subject" not in event
    assert event["data"]["checkout_id"] == bad


@pytest.mark.parametrize("source", ["", "a b", "http://ü.example", "%zz", "a\n", None, 3])
def test_a_source_that_is_no_uri_is_refused(source: Any) -> None:
    """CloudEvents names its sources by URI references."""
    with pytest.raises(ConfigError, match="pass a URI such as 'https://shop"):
        bodies.cloudevents(source)


# Settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "message"), [
    (lambda: bodies.segment(steps="cart"), "steps= of segment is 'cart'; pass a mapping"),
    (lambda: bodies.segment(steps={"cart": ""}), "maps 'cart' to ''; pass texts"),
    (lambda: bodies.segment(steps={1: "Cart Viewed"}), "maps 1 to 'Cart Viewed'; pass texts"),
    (lambda: bodies.segment(steps={"pay": "Order Completed"}), "would count as one"),
    (lambda: bodies.segment(anonymous_id=""), "anonymous_id= of segment is ''"),
    (lambda: bodies.ga4(steps=["cart"]), "steps= of ga4 is .'cart'.; pass a mapping"),
    (lambda: bodies.ga4(steps={"pay": "purchase"}), "would count as one"),
    (lambda: bodies.ga4(client_id=3), "client_id= of ga4 is 3; pass the name of an attribute"),
    (lambda: bodies.ga4(session_id=b"s"), "session_id= of ga4 is b's'"),
    (lambda: bodies.ga4(now=NOW), "now= of ga4 is datetime.*; pass a callable"),
    (lambda: bodies.posthog(""), "project_api_key of posthog is ''"),
    (lambda: bodies.posthog(None), "project_api_key of posthog is None"),
    (lambda: bodies.posthog("phx_secret"), "personal key"),
    (lambda: bodies.posthog("phc_1", distinct_id=1), "distinct_id= of posthog is 1"),
    (lambda: bodies.posthog("phc_1", now=3), "now= of posthog is 3"),
])  # fmt: skip
def test_wrong_settings_raise_at_once(make: Any, message: str) -> None:
    """A mistake is told when the body is made, with the way out."""
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_key_is_not_shown_by_the_error_about_it() -> None:
    """A personal key is a secret, also where it is the wrong one."""
    with pytest.raises(ConfigError) as caught:
        bodies.posthog("phx_secret")

    assert "secret" not in str(caught.value)


def test_a_step_may_be_named_by_its_enum() -> None:
    """The members of a funnel's Enum of steps are names as they are elsewhere."""

    class CheckoutStep(Enum):
        CART = "cart"

    entered = StepEntered(
        event_id="e-1", funnel="checkout", checkout_id="c-1", step="cart", occurred_at=NOW
    )

    (payload,) = made(bodies.segment(steps={CheckoutStep.CART: "Cart Viewed"}), [entered])

    assert parsed(payload)["batch"][0]["event"] == "Cart Viewed"
