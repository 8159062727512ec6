"""From what was sent to the line that goes into the log."""

import json
from typing import Any

import pytest
from hypothesis import given

pytest.importorskip("lastclick.collect", reason="the extra 'collect' is not installed")

from lastclick.collect._lines import Line, Rejected, read_line
from lastclick.events import Event, parse_line
from tests.collect.collector import line
from tests.event_strategies import events


def kept(sent: bytes) -> bytes:
    """The line that is written for it."""
    found = read_line(sent)
    assert isinstance(found, Line), found
    return found.content


def rejected(sent: bytes) -> Rejected:
    """How it is rejected."""
    found = read_line(sent)
    assert isinstance(found, Rejected), found
    return found


@given(event=events)
def test_what_this_version_writes_is_written_as_it_is(event: Event) -> None:
    """A line from a sender of this version goes byte for byte into the log."""
    assert read_line(event.line)[:2] == (event.event_id, event.line)


def test_another_form_of_a_known_line_becomes_the_usual_one() -> None:
    """Spaces, another order, a short time and a lower-case currency: readers meet one form only."""
    fields = json.loads(line(value={"amount": "5", "currency": "eur"}, customer_id=None))
    fields["occurred_at"] = "2026-10-01T14:00:00+02:00"
    sent = json.dumps(dict(reversed(fields.items())), indent=2).encode()

    assert kept(sent) == line(value={"amount": "5", "currency": "EUR"})


def test_a_line_without_a_version_gets_this_one() -> None:
    """Every line of the log says of which version it is."""
    assert kept(line().replace(b'"v":1,', b"")) == line()


def test_what_a_newer_sender_added_stays() -> None:
    """Fields that this version does not know are kept, within a step and an amount too."""
    declared = (
        b'{"v":1,"type":"funnel_declared","event_id":"d-1","funnel":"checkout",'
        b'"occurred_at":"2026-10-01T12:00:00.000000Z",'
        b'"steps":[{"name":"cart","optional":false,"weight":[3,null]},{"name":"pay","optional":true}],'
        b'"abandon_after":"PT30M","recover_within":"P7D","tier":{"name":"gold"}}'
    )
    entered = line(value={"amount": "5", "currency": "EUR", "tax": "1"}, survey=1.5)

    assert kept(declared) == declared
    assert kept(entered) == entered
    assert parse_line(kept(entered)).event_id == "e-1"


@pytest.mark.parametrize(
    "sent",
    [
        {"v": 1, "type": "parcel_sent", "event_id": "e-1", "answer": "caf\u00e9"},
        {"v": 2, "type": "step_entered", "event_id": "e-1"},
        {"v": 3, "type": "whatever", "event_id": "e-1", "deep": [{"x": None}]},
    ],
)
def test_what_is_newer_than_this_version_is_kept_as_it_is(sent: dict[str, Any]) -> None:
    """A collector that was updated last loses no event of a new type or version."""
    compact = json.dumps(sent, separators=(",", ":"), ensure_ascii=False).encode()

    assert kept(compact) == compact
    assert kept(json.dumps(dict(reversed(sent.items())), indent=1).encode()).startswith(b'{"v":')


@pytest.mark.parametrize(
    ("sent", "event_id", "reason"),
    [
        (b"junk", None, "json_invalid"),
        (b"[1]", None, "dict_type"),
        (b"5", None, "dict_type"),
        (b"{}", None, "union_tag_not_found"),
        (b"[" * 100_000, None, "json_invalid"),
        (b'{"event_id":"e-9"}', "e-9", "union_tag_not_found"),
        (b'{"v":1,"type":"step_entered","event_id":"e-9"}', "e-9", "missing"),
        (b'{"v":1,"type":"parcel_sent"}', None, "union_tag_invalid"),
        (b'{"v":1,"type":"parcel_sent","event_id":5}', None, "union_tag_invalid"),
        (b'{"v":0,"type":"step_entered","event_id":"e-9"}', "e-9", "literal_error"),
        (b'{"v":true,"type":"parcel_sent","event_id":"e-9"}', "e-9", "union_tag_invalid"),
        (b'{"v":2,"type":"","event_id":"e-9"}', "e-9", "union_tag_invalid"),
        (b'{"v":2,"type":"x","event_id":"e-9","n":1e999}', "e-9", "union_tag_invalid"),
        (b'{"v":2,"type":"x","event_id":"e-9","n":NaN}', None, "union_tag_invalid"),
        (b'{"v":2,"type":"x","event_id":"e-9","n":"\\ud800"}', "e-9", "json_invalid"),
        (line(new=1)[:-2] + b"NaN}", "e-1", "json_invalid"),
        (line(new=1)[:-2] + b"1e999}", "e-1", "json_invalid"),
        (line(note="n" * 40_000), "e-1", "too_large"),
        (line(new="n" * 40_000), "e-1", "too_large"),
        (line(type="parcel_sent", new="n" * 40_000), "e-1", "too_large"),
    ],
)
def test_what_is_no_event_is_rejected(sent: bytes, event_id: str | None, reason: str) -> None:
    """With its id where it has one, so that the sender knows which it was, and with the reason."""
    found = rejected(sent)

    assert (found.event_id, found.reason) == (event_id, reason)
    assert found.message


def test_two_events_under_one_id_are_two() -> None:
    """An order and its refund may share a natural key; only the same line is the same event."""
    one, same, other = (read_line(sent) for sent in (line(), b" " + line(), line(checkout_id="2")))

    assert isinstance(one, Line)
    assert isinstance(other, Line)
    assert one == same
    assert one.event_id == other.event_id
    assert one.digest != other.digest
