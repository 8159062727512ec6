"""What is told of a line without reading all of it."""

import json

import pytest
from hypothesis import given

from lastclick.sinks._lines import event_id, head, is_record
from lastclick.testing._contract import one_of_each
from tests.event_strategies import events
from tests.sinks.logs import declared, entered, lost


@given(events)
def test_the_head_is_what_the_event_says(event) -> None:
    """Whatever an event's ids are, its line gives them back."""
    found = head(event.line)

    assert found == (event.type, event.event_id, event.funnel, event.occurred_at)
    assert event_id(event.line) == event.event_id


def test_only_the_librarys_own_lines_are_records() -> None:
    """Declarations and losses; no shopper event, whatever it holds."""
    assert is_record(declared().line)
    assert is_record(lost(3).line)
    assert not is_record(entered(note='"type":"events_lost"').line)
    assert [is_record(event.line) for event in one_of_each()].count(True) == 2


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"v":1,"type":"step_entered"}',
        b'{"v":2,"type":"step_entered","event_id":"e-1"}',
        b'{"v":1,"type":"\xff","event_id":"\xff","funnel":"\xff","occurred_at":"x"}',
        b'{"v":1,"type":"a","event_id":"b\\x","funnel":"c","occurred_at":"x"}',
    ],
)
def test_what_is_no_line_of_a_log_has_no_head(line: bytes) -> None:
    """It is passed over, and nothing is raised."""
    assert head(line) is None
    assert event_id(line) is None


def test_an_id_may_hold_anything() -> None:
    """Quotes, backslashes and other scripts are escaped on the line, and read back."""
    strange = 'a"b\\c\n北京,"event_id":"x"'
    event = entered().model_copy(update={"event_id": strange})

    assert event_id(event.line) == strange == json.loads(event.line)["event_id"]
