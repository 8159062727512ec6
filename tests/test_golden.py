"""A log of schema version 1, in all its forms, is read by every release."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lastclick import Money
from lastclick.events import (
    Event,
    EventsLost,
    FunnelDeclared,
    HoldoutAssigned,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    ReminderClicked,
    ReminderSent,
    Step,
    StepEntered,
    StepFailed,
    SurveyAnswered,
    parse_line,
)

PATH = Path(__file__).parent / "golden" / "v1.jsonl"
SCHEMA = Path(__file__).parent.parent / "docs" / "schema" / "event.schema.json"

# The file is never edited: logs like it lie on the disks of shops. A new version of the log gets
# a file of its own beside this one.
SHA256 = "878ba6071337ae501957e55c70b3de42b983d52d9320f7b4fcca2c57a5b10b12"

#: What version 1 was given since then, under the same promise.
ADDED = PATH.with_name("v1-added.jsonl")
ADDED_SHA256 = "8d0ef3ef149374a1daa40a55894836f280f8e6224b360a39a20b529ae88bdcf6"

LINES = [*PATH.read_bytes().splitlines(), *ADDED.read_bytes().splitlines()]


def on(day: int, clock: str, month: int = 10) -> datetime:
    """An instant of autumn 2026 in UTC."""
    return datetime.fromisoformat(f"2026-{month:02}-{day:02}T{clock}").replace(tzinfo=UTC)


def of(event_id: str, occurred_at: datetime, **more: Any) -> dict[str, Any]:
    """The fields that every event has."""
    return {"event_id": event_id, "funnel": "checkout", "occurred_at": occurred_at, **more}


EXPECTED: list[Event] = [
    StepEntered(
        **of("0199a3c1-5c00-7000-8000-000000000001", on(1, "12:00:00")),
        checkout_id="c-1042",
        step="cart",
    ),
    StepEntered(
        **of("0199a3c1-5c00-7fff-bfff-ffffffffffff", on(1, "12:00:00.123456")),
        checkout_id="c-1042",
        customer_id="u-7",
        attributes={"device": "mobile"},
        step="cart",
        value=Money("59.90", "EUR"),
    ),
    StepEntered(
        event_id="g-03",
        funnel="Kasse f\u00fcr G\u00e4ste",
        occurred_at=on(1, "12:00:01.000001"),
        checkout_id="\u8cfc\u5165-42",
        customer_id="\u0623\u062d\u0645\u062f",
        attributes={
            "gr\u00f6\u00dfe": "\u00bd",
            "emoji": "\U0001f6d2\U0001f469\u200d\U0001f680",
            "composed": "\u00e9",
            "combining": "e\u0301",
            "line separator": "a\u2028b",
        },
        step="Lieferung",
        value=Money("5990", "JPY"),
    ),
    StepEntered(
        **of("g-04", on(1, "12:00:02")),
        checkout_id="c-4",
        attributes={
            "quote": '"\\/',
            "control": "\b\f\n\r\t\x00\x1f\x7f",
            "cart": "\U0001f6d2",
        },
        step="d\u00e9tails",
    ),
    StepEntered(
        **of("g-05", on(1, "12:00:03")),
        checkout_id="c-5",
        attributes={
            "text": "1",
            "empty": "",
            "one": 1,
            "zero": 0,
            "minus": -1,
            "most": 9223372036854775807,
            "least": -9223372036854775808,
            "yes": True,
            "no": False,
            "none": None,
        },
        step="cart",
        value=Money("0", "EUR"),
    ),
    StepEntered(
        **of("g-06", on(1, "12:00:04")),
        checkout_id="c-6",
        step="cart",
        value=Money("0.0001", "BHD"),
    ),
    StepEntered(
        **of("g-07", on(1, "05:29:59.5")),
        checkout_id="c-7",
        step="cart",
        value=Money("999999999999.9999", "USD"),
    ),
    StepEntered(**of("g-08", on(1, "12:00:05")), checkout_id="c-8", step="cart"),
    StepEntered(**of("g-09", on(1, "12:00:06.789")), checkout_id="c-9", step="cart"),
    StepEntered(
        **of("g-10", on(1, "12:00:07")),
        checkout_id="c-10",
        attributes={"device": "tv"},
        step="cart",
        value=Money("1.50", "EUR"),
    ),
    StepEntered(**of("g-11", on(1, "12:00:08")), checkout_id="c-11", step="cart"),
    StepEntered(
        event_id="1",
        funnel="f",
        occurred_at=on(1, "12:00:09"),
        checkout_id="x" * 256,
        step="cart",
    ),
    StepFailed(
        **of("g-13", on(1, "12:01:00")),
        checkout_id="c-1042",
        step="payment",
        reason="card_declined",
    ),
    StepFailed(
        **of("g-14", on(1, "12:01:01")),
        checkout_id="c-1042",
        customer_id="u-7",
        attributes={"attempt": 2},
        step="payment",
        reason='The bank said "no".',
        value=Money("59.90", "EUR"),
    ),
    OrderCompleted(**of("g-15", on(1, "12:02:00")), checkout_id="c-1042", order_id="o-981"),
    OrderCompleted(
        **of("order/o-981", on(1, "12:02:00.654321")),
        checkout_id="c-1042",
        customer_id="u-7",
        attributes={"gift": False},
        order_id="o-981",
        total=Money("59.90", "EUR"),
    ),
    OrderCompleted(
        **of("g-17", on(1, "12:02:01.25")),
        checkout_id="c-17",
        order_id="o-17",
        total=Money("0.00", "EUR"),
    ),
    OrderRefunded(**of("g-18", on(5, "09:00:00")), order_id="o-981"),
    OrderRefunded(
        **of("g-19", on(5, "09:00:01")),
        order_id="o-981",
        refund_id="r-1",
        amount=Money("10.00", "EUR"),
    ),
    OrderRefunded(
        **of("g-20", on(5, "09:00:02")),
        checkout_id="c-1042",
        customer_id="u-7",
        attributes={"reason": "too small"},
        order_id="o-981",
        refund_id="r-2",
        amount=Money("49.9", "EUR"),
    ),
    HoldoutAssigned(**of("g-21", on(1, "12:31:00")), checkout_id="c-1042", arm="holdout"),
    HoldoutAssigned(
        **of("g-22", on(1, "12:31:01")),
        checkout_id="c-1043",
        customer_id="u-8",
        attributes={"draw": 17},
        arm="treated",
        campaign="autumn",
    ),
    ReminderSent(**of("g-23", on(1, "13:00:00")), checkout_id="c-1043", channel="email"),
    ReminderSent(
        **of("g-24", on(1, "13:00:01")),
        checkout_id="c-1043",
        customer_id="u-8",
        attributes={"subject": "B"},
        channel="sms",
        campaign="autumn",
    ),
    ReminderClicked(**of("g-25", on(1, "13:10:00")), checkout_id="c-1043", channel="email"),
    ReminderClicked(
        **of("g-26", on(1, "13:10:01")),
        checkout_id="c-1043",
        customer_id="u-8",
        attributes={"device": "mobile"},
        channel="push",
        campaign="autumn",
    ),
    FunnelDeclared(
        **of("g-27", on(1, "00:00:00")),
        steps=(Step("cart"), Step("payment")),
        abandon_after=timedelta(minutes=30),
        recover_within=timedelta(days=7),
    ),
    FunnelDeclared(
        **of("g-28", on(14, "00:00:00.000001")),
        steps=(
            Step("cart", stage="consideration"),
            Step("gift wrap", optional=True),
            Step("payment", stage="purchase", owner="payments"),
        ),
        abandon_after=timedelta(hours=1, minutes=30, milliseconds=500),
        recover_within=timedelta(days=400, seconds=1),
    ),
    FunnelDeclared(
        event_id="g-29",
        funnel="Kasse",
        occurred_at=on(14, "00:00:00"),
        steps=(Step("\u00dcbersicht"),),
        abandon_after=timedelta(minutes=30),
        recover_within=timedelta(days=1, hours=12),
    ),
    EventsLost(
        **of("g-30", on(1, "12:05:00")),
        source="sink",
        reason="disk_full",
        count=1_234_567,
        since=on(1, "12:03:00"),
        until=on(1, "12:04:59.999999"),
        kept=False,
    ),
    EventsLost(
        **of("g-31", on(1, "12:05:01")),
        source="funnel",
        reason="bad_attribute",
        count=1,
        since=on(1, "12:05:01"),
        until=on(1, "12:05:01"),
        kept=True,
    ),
    EventsLost(
        **of("g-32", on(1, "12:05:02.5")),
        source="funnel",
        reason="no_checkout_id",
        count=2,
        since=on(1, "12:05:00"),
        until=on(1, "12:05:02.5"),
        kept=False,
    ),
    # What was added.
    OrderCancelled(**of("g-33", on(6, "09:00:00")), order_id="o-981"),
    OrderCancelled(
        **of("g-34", on(6, "09:00:00.5")),
        checkout_id="c-1042",
        customer_id="u-7",
        attributes={"by": "shop"},
        order_id="o-981",
    ),
    HoldoutAssigned(
        **of("g-35", on(1, "12:31:02")), checkout_id="c-1044", arm="holdout", share="0.1"
    ),
    HoldoutAssigned(
        **of("g-36", on(1, "12:31:03")),
        checkout_id="c-1045",
        arm="treated",
        campaign="autumn",
        share="0.333333333333333333",
    ),
    SurveyAnswered(**of("g-37", on(1, "12:40:00")), checkout_id="c-1042", score=5),
    SurveyAnswered(
        **of("g-38", on(1, "12:40:01.000001")),
        checkout_id="c-1043",
        customer_id="u-8",
        attributes={"asked": "popup"},
        score=1,
        reason="extra_costs",
        text='"Porto: 9 \u20ac!"\n\U0001f6d2',
    ),
]

#: Lines (from 1) that no funnel writes, but that every reader takes: escapes that need not be,
#: other offsets, other numbers of fraction digits, unknown keys, another order of keys.
FOREIGN = {4, 6, 7, 8, 9, 10, 11, 17, 29, 32}


def test_the_golden_log_is_as_it_was() -> None:
    """The golden log has the bytes that it had when version 1 was published."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (PATH, ADDED)]

    assert digests == [SHA256, ADDED_SHA256]


def test_the_golden_log_has_every_type() -> None:
    """Each type of the log is in the golden log at least twice."""
    types = [json.loads(line)["type"] for line in LINES]

    assert {name: types.count(name) > 1 for name in types} == {
        "step_entered": True,
        "step_failed": True,
        "order_completed": True,
        "order_refunded": True,
        "order_cancelled": True,
        "survey_answered": True,
        "holdout_assigned": True,
        "reminder_sent": True,
        "reminder_clicked": True,
        "funnel_declared": True,
        "events_lost": True,
    }
    assert len(LINES) == len(EXPECTED)


@pytest.mark.parametrize("number", range(1, len(EXPECTED) + 1))
def test_a_golden_line_reads_as_the_exact_event(number: int) -> None:
    """Every line of version 1 is the event that it has always been, 1 and true told apart."""
    expected = EXPECTED[number - 1]

    event = parse_line(LINES[number - 1])

    assert event == expected
    assert repr(event) == repr(expected)


@pytest.mark.parametrize("number", sorted(set(range(1, len(EXPECTED) + 1)) - FOREIGN))
def test_a_golden_line_is_written_the_same(number: int) -> None:
    """An event of version 1 is still written as the same bytes, read or made anew."""
    line = LINES[number - 1]

    assert parse_line(line).line == line
    assert EXPECTED[number - 1].line == line


@pytest.mark.parametrize("number", range(1, len(EXPECTED) + 1))
def test_a_golden_line_is_valid_by_the_published_schema(number: int) -> None:
    """Another program that checks lines by the JSON Schema takes what version 1 is."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )

    errors = [error.message for error in validator.iter_errors(json.loads(LINES[number - 1]))]

    assert errors == []
