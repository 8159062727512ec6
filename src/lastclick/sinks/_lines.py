"""What can be told of a line as it was written, without reading all of it."""

import re
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from pydantic_core import from_json

from lastclick.sinks._sink import RECORDS

#: What every line begins with. JSON escapes quotes within text, so where it stands anywhere but at
#: the start of a line, a torn line comes before it.
LINE_START = b'{"v":1,'

_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_ID = re.compile(rb'\{"v":1,"type":%b,"event_id":(?P<id>%b)' % (_TEXT, _TEXT))
_HEAD = re.compile(
    rb'\{"v":1,"type":(?P<type>%b),"event_id":(?P<id>%b),"funnel":(?P<funnel>%b),'
    rb'"occurred_at":"(?P<at>[^"]*)"' % (_TEXT, _TEXT, _TEXT)
)
_RECORD_HEADS = tuple(b'{"v":1,"type":"%b",' % kind.encode() for kind in RECORDS)


class Head(NamedTuple):
    """The beginning of a line."""

    type: str
    event_id: str
    funnel: str
    occurred_at: datetime


def is_record(line: bytes) -> bool:
    """Whether the line is the library's own: a declaration, or what was lost."""
    return line.startswith(_RECORD_HEADS)


def event_id(line: bytes) -> str | None:
    """The id of the event; None where it is no line of a log."""
    found = _ID.match(line)
    if found is None:
        return None
    try:
        return _text(found[1])
    except ValueError:  # bytes that are no text
        return None


def head(line: bytes) -> Head | None:
    """The beginning of the line; None where it is no line of a log."""
    found = _HEAD.match(line)
    if found is None:
        return None
    with suppress(ValueError):
        at = datetime.fromisoformat(found["at"].decode())
        return Head(_text(found["type"]), _text(found["id"]), _text(found["funnel"]), at)
    return None


def _text(json: bytes) -> str:
    return str(from_json(json)) if b"\\" in json else json[1:-1].decode()
