"""Events are frozen facts, each with one line, which reads back as the same event."""

import copy
import gc
import json
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from enum import Enum, IntEnum, StrEnum
from functools import cache
from pathlib import Path
from typing import Any, assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lastclick import Money, Step, events
from lastclick.errors import EventError
from lastclick.events import (
    Attributes,
    Bound,
    Event,
    EventsLost,
    FunnelDeclared,
    HoldoutAssigned,
    OrderCompleted,
    OrderRefunded,
    ReminderClicked,
    ReminderSent,
    ShopperEvent,
    StepEntered,
    StepFailed,
    json_schema,
    new_id,
    parse_line,
    trusted,
    utc,
)
from tests.event_strategies import SHAPES, attributes, durations, shopper_fields
from tests.event_strategies import events as any_events

ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def entered(**changed: Any) -> StepEntered:
    """An event with everything, and with what a test changes."""
    fields: dict[str, Any] = {
        "event_id": "e-1",
        "funnel": "checkout",
        "occurred_at": NOON,
        "checkout_id": "c-1",
        "customer_id": "u-7",
        "attributes": {"device": "mobile"},
        "step": "cart",
        "value": Money("59.90", "EUR"),
    }
    return StepEntered(**{**fields, **changed})


LINE = (
    b'{"v":1,"type":"step_entered","event_id":"e-1","funnel":"checkout",'
    b'"occurred_at":"2026-10-01T12:00:00.000000Z","checkout_id":"c-1","customer_id":"u-7",'
    b'"attributes":{"device":"mobile"},"step":"cart","value":{"amount":"59.90","currency":"EUR"}}'
)


# Ids ----------------------------------------------------------------------------------------------


def test_an_id_is_a_uuid_of_version_7() -> None:
    """An id has the version, the variant and the form of RFC 9562."""
    made = [new_id() for _ in range(1000)]

    for text in made:
        assert str(UUID(text)) == text
        assert UUID(text).version == 7
        assert UUID(text).variant == "specified in RFC 4122"


@pytest.mark.parametrize("milliseconds", [0, 1, 1_790_000_000_000, 2**48 - 1])
def test_an_id_begins_with_its_millisecond(
    milliseconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first 48 bits are the time, so ids of later milliseconds sort later as text."""
    monkeypatch.setattr("time.time_ns", lambda: milliseconds * 1_000_000 + 999_999)

    made = UUID(new_id())

    assert made.int >> 80 == milliseconds


def test_an_id_has_72_random_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bit that is not time, version or variant is 0 in some ids and 1 in others."""
    monkeypatch.setattr("time.time_ns", lambda: 0)

    made = [UUID(new_id()).int for _ in range(200)]

    varying = 0
    for value in made:
        varying |= value ^ made[0]
    assert varying.bit_count() == 72
    assert varying == (0xFFF << 64) | (2**60 - 1)


def test_ids_differ_in_one_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of many threads differ, though their time is the same."""
    monkeypatch.setattr("time.time_ns", lambda: 1_790_000_000_000_000_000)
    made: list[str] = []

    threads = [
        threading.Thread(target=lambda: made.extend([new_id() for _ in range(5000)]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 40_000


# Instants -----------------------------------------------------------------------------------------


class Stamp(datetime):
    """A datetime that prints more than a datetime has, as pandas' does."""

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        return super().isoformat(sep, timespec) + "-and-nanoseconds"


class Odd(tzinfo):
    """A zone with an offset of seconds and microseconds, as local mean times have."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        return timedelta(minutes=9, seconds=21, microseconds=1)

    def dst(self, when: datetime | None) -> timedelta:
        return timedelta(0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (NOON, NOON),
        (datetime(2026, 10, 1, 14, tzinfo=ZoneInfo("Europe/Paris")), NOON),
        (datetime(2026, 10, 1, 12, tzinfo=ZoneInfo("UTC")), NOON),
        (datetime(2026, 10, 1, 6, 30, tzinfo=timezone(timedelta(hours=-5.5))), NOON),
        (datetime(2026, 10, 1, 12, 9, 21, 1, tzinfo=Odd()), NOON),
        (Stamp(2026, 10, 1, 12, tzinfo=UTC), NOON),
        ("2026-10-01T12:00:00Z", NOON),
        ("2026-10-01 14:00+02:00", NOON),
        ("2026-10-01T12:00:00.5+00:00", NOON + timedelta(milliseconds=500)),
        # The hour that comes twice when summer time ends: `fold` says which.
        (datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=0), None),
        (datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1), None),
    ],
)
def test_an_instant_is_kept_in_utc(given: Any, expected: datetime | None) -> None:
    """Any aware datetime, or its text, is the same instant as a plain datetime in UTC."""
    if expected is None:
        expected = datetime(2026, 10, 25, given.fold, 30, tzinfo=UTC)

    when = utc(given)

    assert when == expected
    assert type(when) is datetime
    assert when.tzinfo is UTC
    assert entered(occurred_at=given).occurred_at == expected


@pytest.mark.parametrize(
    ("given", "reason", "said"),
    [
        (NOON.replace(tzinfo=None), "naive_time", ["2026-10-01T12:00:00", "datetime.now(UTC)"]),
        ("2026-10-01T12:00:00", "naive_time", ["2026-10-01T12:00:00", "ZoneInfo"]),
        ("2026-10-01", "naive_time", ["2026-10-01", "without a zone"]),
        ("yesterday", "bad_time", ["'yesterday'", "ISO 8601"]),
        ("2026-10-01T25:00:00Z", "bad_time", ["'2026-10-01T25:00:00Z'", "ISO 8601"]),
        ("2026-10-01T23:59:60Z", "bad_time", ["ISO 8601"]),
        ("x" * 999, "bad_time", ["ISO 8601"]),
        (date(2026, 10, 1), "bad_time", ["a day without a time", "datetime.date(2026, 10, 1)"]),
        (1_790_000_000, "bad_time", ["1790000000", "aware datetime"]),
        (1.5, "bad_time", ["1.5", "aware datetime"]),
        (None, "bad_time", ["None", "aware datetime"]),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))), "bad_time", ["calendar"]),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "bad_time", ["calendar"]),
    ],
)
def test_what_is_no_instant_is_refused(given: Any, reason: str, said: list[str]) -> None:
    """A time that cannot be placed is refused with its value and the fix."""
    with pytest.raises(EventError) as caught:
        utc(given)

    assert caught.value.reason == reason
    for part in said:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 300


@given(st.datetimes(timezones=st.timezones() | st.just(UTC)))
def test_an_instant_is_never_rounded(when: datetime) -> None:
    """A time of any zone is kept to the microsecond, or refused where it leaves the calendar."""
    try:
        expected = when.astimezone(UTC)
    except OverflowError:
        with pytest.raises(EventError, match="calendar"):
            utc(when)
        return

    kept = utc(when)

    assert kept == expected
    assert kept.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (NOON, "2026-10-01T12:00:00.000000Z"),
        (NOON + timedelta(microseconds=1), "2026-10-01T12:00:00.000001Z"),
        (NOON + timedelta(milliseconds=500), "2026-10-01T12:00:00.500000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_an_instant_is_written_with_27_characters(when: datetime, text: str) -> None:
    """Instants have one width in a log, so that their text sorts as they do."""
    line = json.loads(entered(occurred_at=when).line)

    assert line["occurred_at"] == text


# Durations ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(minutes=30), "PT30M"),
        (timedelta(days=7), "P7D"),
        (timedelta(days=400), "P400D"),
        (timedelta(hours=36), "P1DT12H"),
        (timedelta(seconds=90), "PT1M30S"),
        (timedelta(microseconds=1), "PT0.000001S"),
        (timedelta(seconds=1, milliseconds=500), "PT1.5S"),
        (timedelta.max, "P999999999DT23H59M59.999999S"),
    ],
)
def test_a_duration_is_written_in_days_and_smaller(duration: timedelta, text: str) -> None:
    """No year or month, on whose length readers disagree, is ever written."""
    declared = declaration(recover_within=duration)

    assert json.loads(declared.line)["recover_within"] == text
    assert parse_line(declared.line) == declared


@pytest.mark.parametrize("duration", [timedelta(0), timedelta(seconds=-1)])
def test_a_duration_is_above_zero(duration: timedelta) -> None:
    """A declaration with a limit of nothing is refused."""
    with pytest.raises(ValidationError, match="greater than"):
        declaration(abandon_after=duration)


def declaration(**changed: Any) -> FunnelDeclared:
    """A declaration, and what a test changes of it."""
    fields: dict[str, Any] = {
        "event_id": "d-1",
        "funnel": "checkout",
        "occurred_at": NOON,
        "steps": (Step("cart"), Step("payment")),
        "abandon_after": timedelta(minutes=30),
        "recover_within": timedelta(days=7),
    }
    return FunnelDeclared(**{**fields, **changed})


@given(durations)
def test_a_duration_comes_and_goes(duration: timedelta) -> None:
    """Every duration reads back to the microsecond."""
    declared = parse_line(declaration(abandon_after=duration).line)

    assert isinstance(declared, FunnelDeclared)
    assert declared.abandon_after == duration


# Attributes ---------------------------------------------------------------------------------------


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    L = 3


class Shape(tuple[int, ...], Enum):
    ROUND = (1, 2)


def test_attributes_are_flat_and_plain() -> None:
    """Text, ints, bools and None are kept, those inside an Enum as their plain values."""
    kept = Attributes({"a": "x", "b": 1, "c": True, "d": None, "e": Colour.RED, "f": Size.L})

    assert kept == {"a": "x", "b": 1, "c": True, "d": None, "e": "red", "f": 3}
    assert [type(value) for value in kept.values()] == [str, int, bool, type(None), str, int]


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        float("nan"),
        [1],
        (1,),
        {"a": 1},
        {1},
        b"x",
        NOON,
        Money(1, "EUR"),
        object(),
        Shape.ROUND,
        *(2**63, -(2**63) - 1, 10**5000, "\ud800"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_attribute_that_is_not_flat_is_refused(value: object) -> None:
    """The message names the attribute, its type and what attributes may be."""
    with pytest.raises(EventError, match="attributes are flat") as caught:
        Attributes({"device": value})

    assert caught.value.reason == "bad_attribute"
    assert "'device'" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["", None, 1, "x" * 257, "\udfff", ("a",)])
def test_an_attributes_name_is_text(name: Any) -> None:
    """The message shows the name that cannot be one."""
    with pytest.raises(EventError, match="an attribute's name is text") as caught:
        Attributes({name: 1})

    assert caught.value.reason == "bad_attribute"


def test_there_are_at_most_64_attributes() -> None:
    """64 attributes fit; the 65th is refused with both numbers."""
    fits = Attributes({f"a{n}": n for n in range(64)})

    with pytest.raises(EventError, match=r"65 attributes.* 64") as caught:
        Attributes({**fits, "one more": 1})

    assert len(fits) == 64
    assert caught.value.reason == "too_many_attributes"


@pytest.mark.parametrize("values", [["device"], "device", 1, {"a"}])
def test_attributes_are_a_mapping(values: Any) -> None:
    """The message shows what was given instead of a mapping."""
    with pytest.raises(EventError, match="pass a mapping") as caught:
        Attributes(values)

    assert caught.value.reason == "bad_attributes"
    assert type(values).__name__ in str(caught.value)


MUTATIONS: dict[str, Callable[[Any], object]] = {
    "set": lambda them: them.__setitem__("device", "tv"),
    "delete": lambda them: them.__delitem__("device"),
    "or": lambda them: them.__ior__({"device": "tv"}),
    "clear": lambda them: them.clear(),
    "pop": lambda them: them.pop("device"),
    "popitem": lambda them: them.popitem(),
    "setdefault": lambda them: them.setdefault("new", 1),
    "update": lambda them: them.update(device="tv"),
}


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_attributes_are_read_only(mutation: Callable[[Any], object]) -> None:
    """No way of changing a dict changes the attributes of an event; the message says what to do."""
    event = entered()

    with pytest.raises(TypeError, match="pass attributes= when you record it"):
        mutation(event.attributes)

    assert event.attributes == {"device": "mobile"}


@given(attributes)
def test_attributes_survive_copies(values: dict[str, Any]) -> None:
    """Attributes are the same after a pickle and a copy, read-only still, and can be a key."""
    kept = Attributes(values)

    for again in (pickle.loads(pickle.dumps(kept)), copy.copy(kept), copy.deepcopy(kept)):
        assert type(again) is Attributes
        assert repr(again) == repr(kept)
        assert hash(again) == hash(kept)
    assert Attributes(kept) == kept


def test_the_callers_later_change_changes_no_event() -> None:
    """An event keeps the attributes as they were at the call."""
    mine: dict[str, Any] = {"device": "mobile"}
    event = entered(attributes=mine)

    mine["device"] = "tv"

    assert event.attributes == {"device": "mobile"}
    assert event.line == LINE


# Steps --------------------------------------------------------------------------------------------


class Stage(StrEnum):
    CART = "cart"


def test_a_step_says_itself() -> None:
    """The repr of a step can be pasted and shows what was set."""
    step = Step("payment", optional=True, stage="purchase", owner="payments")

    assert repr(step) == "Step('payment', optional=True, stage='purchase', owner='payments')"
    assert repr(Step("cart")) == "Step('cart')"


@pytest.mark.parametrize("member", [Stage.CART, Enum("Plain", {"CART": "cart"}).CART])
def test_a_step_may_be_a_member_of_an_enum(member: Any) -> None:
    """The name of a step is its member's value, as plain text."""
    step = Step(member)

    assert step == Step("cart")
    assert type(step.name) is str


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": ""}, ["name", "''", "at least 1 character"]),
        ({"name": "x" * 257}, ["name", "at most 256 characters"]),
        ({"name": None}, ["name", "None", "string"]),
        ({"name": 3}, ["name", "3", "string"]),
        ({"name": Size.L}, ["name", "3", "string"]),
        ({"name": "\ud800"}, ["name", "string"]),
        ({"name": "cart", "stage": "buying"}, ["stage", "'buying'", "'purchase'"]),
        ({"name": "cart", "owner": ""}, ["owner", "''"]),
        ({"name": "cart", "optional": "perhaps"}, ["optional", "'perhaps'", "boolean"]),
    ],
)
def test_a_step_that_cannot_be_used_is_refused(arguments: dict[str, Any], said: list[str]) -> None:
    """The message names the part, its value and what it may be."""
    with pytest.raises(EventError) as caught:
        Step(**arguments)

    for part in said:
        assert part in str(caught.value)


def test_a_step_is_frozen() -> None:
    """The steps of a funnel do not change."""
    step = Step("cart")

    with pytest.raises(ValidationError):
        step.name = "payment"
    assert hash(step) == hash(Step("cart"))


# Events -------------------------------------------------------------------------------------------


def test_an_event_is_one_line_of_json() -> None:
    """The line has the fields in the order of the class, text as UTF-8, and no newline."""
    assert entered().line == LINE
    assert b"\n" not in entered(step="a\nb").line
    assert "Übersicht".encode() in entered(step="Übersicht").line


def test_what_was_not_given_is_absent() -> None:
    """A line has no null for what an event does not have, and no empty attributes."""
    line = entered(customer_id=None, attributes={}, value=None).line

    assert json.loads(line).keys() == {
        *("v", "type", "event_id", "funnel", "occurred_at", "checkout_id", "step")
    }


def test_a_null_attribute_is_written() -> None:
    """None is a value that an attribute can have."""
    line = entered(attributes={"coupon": None}).line

    assert json.loads(line)["attributes"] == {"coupon": None}


def test_an_event_is_serialised_once() -> None:
    """Every sink gets the same bytes object."""
    event = entered()

    assert event.line is event.line


def test_an_event_is_frozen() -> None:
    """A fact cannot be edited: neither a field nor the line."""
    event = entered()

    for name in ("step", "line", "attributes", "new"):
        with pytest.raises((ValidationError, ValueError, AttributeError)):
            setattr(event, name, "x")
    assert event.line == LINE


def test_a_copy_with_other_values_is_checked_and_has_its_own_line() -> None:
    """`model_copy` makes a new event: its values are checked and its line says them."""
    event = entered()
    assert event.line

    other = event.model_copy(update={"customer_id": "someone", "attributes": {"device": "tv"}})

    assert other.line == LINE.replace(b"u-7", b"someone").replace(b"mobile", b"tv")
    assert event.line == LINE
    with pytest.raises(ValidationError, match="step"):
        event.model_copy(update={"step": ""})
    with pytest.raises(ValidationError, match="attributes are flat"):
        event.model_copy(update={"attributes": {"a": [1]}})
    assert event.model_copy() == event


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 257}, "event_id"),
        ({"checkout_id": None}, "checkout_id"),
        ({"funnel": 5}, "funnel"),
        ({"occurred_at": NOON.replace(tzinfo=None)}, "a time without a zone"),
        ({"value": 59.9}, "Money"),
        ({"value": ("59.90", "EUR", 1)}, "Money"),
        ({"value": Money("-1", "EUR")}, "negative money"),
        ({"value": Money("999999999999", "EUR") + Money(1, "EUR")}, "below 10"),
        ({"v": 2}, "v"),
        ({"type": "step_failed"}, "type"),
    ],
)
def test_an_event_that_exists_is_valid(changed: dict[str, Any], said: str) -> None:
    """An event is checked when it is made, field by field."""
    with pytest.raises(ValidationError, match=said):
        entered(**changed)


@pytest.mark.parametrize(
    "value",
    [("59.90", "EUR"), ["59.90", "eur"], {"amount": "59.90", "currency": "EUR"}],
)
def test_money_in_an_event_may_be_its_parts(value: Any) -> None:
    """A pair or a mapping of amount and currency is the same as Money."""
    assert entered(value=value).line == LINE


@given(any_events)
def test_a_line_reads_back_as_the_event(event: Event) -> None:
    """Reading a line gives the event, of the same class, and its line is the same bytes."""
    again = parse_line(event.line)

    assert again == event
    assert repr(again) == repr(event)
    assert again.line == event.line
    assert b"\n" not in event.line
    assert parse_line(event.line.decode()) == parse_line(event.line + b"\n") == event


@given(any_events)
def test_an_event_survives_copies(event: Event) -> None:
    """An event is the same after a pickle and a copy, before and after its line was made."""
    for again in (copy.deepcopy(event), pickle.loads(pickle.dumps(event)), event.model_copy()):
        assert repr(again) == repr(event)
        assert hash(again) == hash(event)
        assert again.line == event.line
    assert pickle.loads(pickle.dumps(event)).line == event.line


@given(st.data(), st.sampled_from(list(SHAPES)))
def test_a_trusted_event_is_the_event(data: st.DataObject, kind: type[Any]) -> None:
    """The short way of making an event differs from the long one in nothing."""
    fields = data.draw(shopper_fields(kind))
    slow = kind(**fields)
    known = {
        name: getattr(slow, name)
        for name in ("checkout_id", "customer_id", "attributes")
        if fields.get(name)
    }
    own = {
        name: getattr(slow, name) for name in (*SHAPES[kind][0], *SHAPES[kind][1]) if name in fields
    }

    fast = trusted(kind, Bound(slow.funnel, **known), slow.event_id, slow.occurred_at, own)

    assert type(fast) is kind
    assert fast.line == slow.line
    assert fast == slow
    assert slow == fast
    assert hash(fast) == hash(slow)
    assert repr(fast) == repr(slow)
    assert fast.model_dump() == slow.model_dump()
    assert fast.model_dump_json(exclude_none=True) == slow.line.decode()
    assert fast.model_copy(update={"funnel": "other"}) == slow.model_copy(
        update={"funnel": "other"}
    )
    assert repr(pickle.loads(pickle.dumps(fast))) == repr(slow)
    assert copy.deepcopy(fast) == slow


def test_a_checker_sees_every_class_of_event() -> None:
    """The union has nine classes, and a match over it can be complete."""

    def subject(event: Event) -> str:
        match event:
            case StepEntered() | StepFailed():
                return event.step
            case OrderCompleted() | OrderRefunded():
                return event.order_id
            case HoldoutAssigned():
                return event.arm
            case ReminderSent() | ReminderClicked():
                return event.channel
            case FunnelDeclared():
                return event.funnel
            case EventsLost():
                return event.reason
            case _:
                assert_never(event)

    assert subject(entered()) == "cart"
    assert subject(declaration()) == "checkout"


# Reading a line -----------------------------------------------------------------------------------


def changed_line(**changed: Any) -> bytes:
    """The line of a whole event, with other values; ... leaves a key out."""
    record = {**json.loads(LINE), **changed}
    return json.dumps({key: value for key, value in record.items() if value is not ...}).encode()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", ["a line", "Invalid JSON"]),
        (b"{", ["a line", "Invalid JSON", "got b'{'"]),
        (LINE[:-1], ["Invalid JSON"]),
        (LINE + LINE, ["Invalid JSON"]),
        (b"\xff\xfe", ["Invalid JSON"]),
        (b"[]", ["a line", "[]"]),
        (b"null", ["a line", "None"]),
        (b"{}", ["a line", "'type'"]),
        (changed_line(type=...), ["'type'"]),
        (changed_line(type="parcel_sent"), ["'parcel_sent'", "'step_entered'"]),
        (changed_line(type="survey_answered"), ["without score, reason or text"]),
        (changed_line(type="survey_answered", score=True), ["score", "True"]),
        (changed_line(type="survey_answered", score=6), ["score", "6"]),
        (changed_line(type="order_cancelled"), ["order_id", "required"]),
        (changed_line(type=1), ["'type'"]),
        (changed_line(v=2), ["step_entered.v", "got 2"]),
        (changed_line(v="1"), ["step_entered.v", "got '1'"]),
        (changed_line(event_id=""), ["event_id", "at least 1 character", "got ''"]),
        (changed_line(event_id=...), ["event_id", "required"]),
        (changed_line(funnel=5), ["funnel", "string", "got 5"]),
        (changed_line(checkout_id="x" * 257), ["checkout_id", "at most 256"]),
        (changed_line(checkout_id=...), ["checkout_id", "required"]),
        (changed_line(step=None), ["step", "string", "got None"]),
        (changed_line(occurred_at="2026-10-01T12:00:00"), ["2026-10-01T12:00:00", "zone"]),
        (changed_line(occurred_at=1_790_000_000), ["1790000000", "aware datetime"]),
        (changed_line(value={"amount": 59.9, "currency": "EUR"}), ["float", "59.9"]),
        (changed_line(value={"amount": "1_000", "currency": "EUR"}), ["'1_000'"]),
        (changed_line(value={"amount": "59.90"}), ["currency", "None"]),
        (changed_line(value={"amount": "-1", "currency": "EUR"}), ["negative money"]),
        (changed_line(value="59.90 EUR"), ["not money", "'59.90 EUR'"]),
        (changed_line(attributes=["device"]), ["mapping", "['device']"]),
        (changed_line(attributes={"a": {"b": 1}}), ["'a'", "flat"]),
        (changed_line(attributes={"a": 1.0}), ["'a'", "flat", "1.0"]),
        (changed_line(attributes={"": 1}), ["name is text"]),
        (changed_line(attributes={f"a{n}": n for n in range(65)}), ["65 attributes"]),
        (b'{"v":1,"type":"holdout_assigned","arm":"both"}', ["holdout_assigned"]),
        (declaration().line.replace(b"PT30M", b"half an hour"), ["abandon_after"]),
        (declaration().line.replace(b'"cart"', b'""'), ["name", "''"]),
        (declaration().line.replace(b'{"name":"cart","optional":false}', b"7"), ["name", "7"]),
    ],
)
def test_a_line_that_is_no_event_says_why(line: bytes, said: list[str]) -> None:
    """One sentence names the field and shows the value."""
    with pytest.raises(EventError) as caught:
        parse_line(line)

    for part in said:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 500


def test_nulls_in_a_line_are_as_if_absent() -> None:
    """Another writer may say null for what an event does not have."""
    line = changed_line(customer_id=None, attributes=None, value=None)

    assert parse_line(line) == entered(customer_id=None, attributes={}, value=None)


def test_steps_of_a_line_may_be_bare_names() -> None:
    """A declaration that another program wrote may name its steps as text."""
    line = json.dumps({**json.loads(declaration().line), "steps": ["cart", {"name": "payment"}]})

    assert parse_line(line) == declaration()


# The schema ---------------------------------------------------------------------------------------


@cache
def validator() -> Any:
    """What other programs check lines with; not in the environment without extras."""
    jsonschema = pytest.importorskip("jsonschema")
    return jsonschema.Draft202012Validator(json_schema())


def test_the_exported_schema_is_current() -> None:
    """The schema in the docs is the one of this version."""
    path = ROOT / "docs" / "schema" / "event.schema.json"

    stored = json.loads(path.read_text(encoding="utf-8"))

    assert stored == json_schema(), "run `python scripts/export_schema.py` and commit the file"


def test_the_schema_is_rewritten_by_its_script(tmp_path: Path) -> None:
    """The script writes the file as it is stored, byte for byte."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (tmp_path / "docs" / "schema").mkdir(parents=True)
    script = folder / "export_schema.py"
    script.write_bytes((ROOT / "scripts" / "export_schema.py").read_bytes())

    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    written = tmp_path / "docs" / "schema" / "event.schema.json"
    stored = ROOT / "docs" / "schema" / "event.schema.json"
    assert written.read_bytes() == stored.read_bytes()


@given(any_events)
def test_what_is_written_is_valid_by_the_schema(event: Event) -> None:
    """Other programs may check our lines with the published schema."""
    assert [error.message for error in validator().iter_errors(json.loads(event.line))] == []


@pytest.mark.parametrize(
    "line",
    [
        changed_line(v=...),
        changed_line(type=...),
        changed_line(type="parcel_sent"),
        changed_line(type="survey_answered"),
        changed_line(type="order_cancelled"),
        changed_line(event_id=...),
        changed_line(checkout_id=...),
        changed_line(step=""),
        changed_line(value={"amount": 59.9, "currency": "EUR"}),
        changed_line(value={"amount": "-1", "currency": "EUR"}),
        changed_line(value={"amount": "1", "currency": "eur"}),
        changed_line(attributes={"a": [1]}),
        changed_line(attributes={f"a{n}": n for n in range(65)}),
    ],
)
def test_the_schema_refuses_what_is_no_line(line: bytes) -> None:
    """The schema is no empty promise: it finds the faults that the library finds."""
    assert list(validator().iter_errors(json.loads(line)))


def test_the_schema_is_a_schema() -> None:
    """The export is valid by the rules of its own draft."""
    validator().check_schema(json_schema())


def test_all_names_exist() -> None:
    """What the module promises is there, sorted."""
    assert sorted(events.__all__) == events.__all__
    assert all(hasattr(events, name) for name in events.__all__)


def test_shopper_events_are_all_but_two() -> None:
    """What the shop records is every type but the library's own two."""
    assert set(SHAPES) == set(ShopperEvent.__args__)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        changed_line(type="survey_answered"),
        changed_line(type="order_cancelled"),
        changed_line(value={"amount": "-1", "currency": "EUR"}),
    ],
)
def test_an_error_that_is_done_with_keeps_nothing_alive(line: bytes) -> None:
    """No circle of error and frames: what read the line, with all that it holds, goes at once."""

    class Big:
        """Stands for the lines that are being read."""

    def read() -> weakref.ref[Big]:
        big = Big()
        with pytest.raises(EventError):
            parse_line(line)
        return weakref.ref(big)

    gc.collect()
    gc.disable()
    try:
        assert read()() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: parse_line(changed_line(value={"amount": "-1", "currency": "EUR"})),
        lambda: parse_line(changed_line(occurred_at="2026-02-30T10:00:00Z")),
        lambda: Money("-1,00", "EUR"),
        lambda: Step(""),
    ],
)
def test_an_error_that_is_kept_can_be_collected(wrong: Callable[[], object]) -> None:
    """Whoever gathers errors is in a circle with them; pydantic must hide nothing of it."""

    class Big:
        """Stands for the lines that are being read."""

    def read() -> weakref.ref[Big]:
        big, errors = Big(), []
        try:
            wrong()
        except EventError as error:
            errors.append(error)
        assert errors
        return weakref.ref(big)

    kept = read()
    gc.collect()

    assert kept() is None
