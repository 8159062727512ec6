"""From what was sent as an event to the line that goes into the log, or the reason why not.

A line of this version is written as this version writes it, so that the readers of the log meet
one form only. What it does not know stays: a field that a newer sender added, a type that it
added, a whole newer version of the schema. Such a line cannot be judged here, and to refuse it
would lose an event because the collector was updated last.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn, TypeGuard

from lastclick.errors import EventError
from lastclick.events import MAX_ID_LENGTH, MAX_LINE_BYTES, Event, FunnelDeclared, parse_line

#: The version that `parse_line` reads.
_VERSION = 1


class Line(NamedTuple):
    """An event to keep.

    Attributes:
        event_id: The id to answer with.
        content: The line, without a newline.
        declares: The funnel that it declares, if it does.
    """

    event_id: str
    content: bytes
    declares: str | None = None

    @property
    def digest(self) -> bytes:
        """What the event is recognised by when it comes again."""
        return digest_of(self.content)


class Rejected(NamedTuple):
    """What is no event; ``event_id`` is None where none was found."""

    event_id: str | None
    reason: str
    message: str


def digest_of(line: bytes) -> bytes:
    """16 bytes for a line of the log.

    They are of the whole line, its id included: two events that were given one id (an order and
    its refund, named by the same natural key) must not pass as one.
    """
    return hashlib.blake2b(line, digest_size=16).digest()


def read_line(sent: bytes) -> Line | Rejected:
    """The line to write for what was sent as one event.

    Args:
        sent: One JSON object, in one line or several.
    """
    try:
        event = parse_line(sent)
    except EventError as error:
        return _foreign(sent, error)
    declares = event.funnel if isinstance(event, FunnelDeclared) else None
    content = event.line if event.line == sent else _with_unknown(event, sent)
    if content is None:
        return Rejected(event.event_id, "json_invalid", "not JSON: NaN, Infinity or half a letter")
    if len(content) > MAX_LINE_BYTES:
        return _too_large(event.event_id, len(content))
    return Line(event.event_id, content, declares)


def _foreign(sent: bytes, error: EventError) -> Line | Rejected:
    """A line that this version cannot read: kept if it is of a newer one."""
    fields = _fields(sent)
    if fields is None:
        return Rejected(None, error.reason, str(error)[:200])
    event_id = fields.get("event_id")
    event_id = event_id if _is_id(event_id) else None
    newer = _is_newer(fields, error)
    content = _compact({"v": fields["v"], **fields}) if newer else None
    if event_id is None or content is None:
        return Rejected(event_id, error.reason, str(error)[:200])
    if len(content) > MAX_LINE_BYTES:
        return _too_large(event_id, len(content))
    return Line(event_id, content)


def _is_newer(fields: Mapping[str, Any], error: EventError) -> bool:
    version, kind = fields.get("v"), fields.get("type")
    if type(version) is not int or not _is_id(kind):
        return False
    return version > _VERSION or (version == _VERSION and error.reason == "union_tag_invalid")


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH


def _with_unknown(event: Event, sent: bytes) -> bytes | None:
    """The event as this version writes it, and behind that what was sent besides."""
    fields = _fields(sent)
    if fields is None:
        return None
    given = {name: value for name, value in fields.items() if value is not None}
    return _compact(_joined(json.loads(event.line), given))


def _joined(known: Any, sent: Any) -> Any:
    """What is known, with what stands only in what was sent; also within, as in a step."""
    if isinstance(known, dict) and isinstance(sent, dict):
        within = {name: _joined(value, sent.get(name)) for name, value in known.items()}
        return within | {name: value for name, value in sent.items() if name not in known}
    if isinstance(known, list) and isinstance(sent, list) and len(known) == len(sent):
        return [_joined(*pair) for pair in zip(known, sent, strict=True)]
    return known


def _fields(sent: bytes) -> dict[str, Any] | None:
    """The object that was sent; None where it is no JSON, or no object."""
    try:
        fields = json.loads(sent, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _compact(fields: Mapping[str, Any]) -> bytes | None:
    try:
        text = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except ValueError:  # a number beyond all floats; half of a surrogate pair
        return None


def _too_large(event_id: str, size: int) -> Rejected:
    message = f"the line has {size:,} bytes; a line of the log has at most {MAX_LINE_BYTES:,}"
    return Rejected(event_id, "too_large", message)
