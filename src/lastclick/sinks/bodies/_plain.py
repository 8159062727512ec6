"""Bodies that hold the log lines as they are, whole."""

import re
from collections.abc import Iterator, Sequence

from pydantic_core import to_json

from lastclick.errors import ConfigError, shown
from lastclick.sinks._lines import event_id
from lastclick.sinks.bodies._payload import JSON, Body, Payload, Refused, records

_NONCHARACTERS = "".join(
    chr(plane + end) for plane in range(0, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF)
)
#: What a CloudEvents attribute of type String must not have (specification 1.0.2, "Type System").
_NO_STRING = re.compile(f"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]")
#: The characters of a URI reference (RFC 3986, sections 2.2 to 4.1).
_URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")


def ndjson(lines: Sequence[bytes], /) -> Iterator[Payload]:
    r"""The lines as they are, each ended by a newline; the default.

    ClickHouse (``JSONEachRow``), Vector, Fluent Bit and ``lastclick collect`` take it. One
    request, ``application/x-ndjson``.

    Example:
        >>> lines = [event.line for event in events[:3]]
        >>> (payload,) = ndjson(lines)
        >>> payload.content == b"".join(line + b"\n" for line in lines)
        True

    .. versionadded:: 0.1.0
    """
    if lines:
        yield Payload(b"\n".join((*lines, b"")), "application/x-ndjson", _ids(lines))


def json_array(lines: Sequence[bytes], /) -> Iterator[Payload]:
    """The lines as one JSON array; ``application/json``.

    Example:
        >>> (payload,) = json_array([event.line for event in events[:2]])
        >>> payload.content[:30]
        b'[{"v":1,"type":"funnel_declare'

    .. versionadded:: 0.1.0
    """
    if lines:
        yield Payload(b"[" + b",".join(lines) + b"]", JSON, _ids(lines))


def cloudevents(source: str) -> Body:
    """Make a body of CloudEvents 1.0, as a JSON batch (``application/cloudevents-batch+json``).

    ``id`` is the event id, ``type`` is ``lastclick.`` and the event's type, ``subject`` the
    attempt, ``time`` when it occurred, and ``data`` the whole line: nothing is lost.

    Args:
        source: Where the events are from, a URI reference. Receivers tell events apart by source
            and id, so two shops need two.

    Raises:
        ConfigError: The source is no URI reference.

    Example:
        >>> body = cloudevents("https://shop.example/checkout")
        >>> (payload,) = body([events[1].line])
        >>> payload.content[:69]
        b'[{"specversion":"1.0","source":"https://shop.example/checkout","id":"'

    .. versionadded:: 0.1.0
    """
    head = b'{"specversion":"1.0","source":%b,' % to_json(_uri(source))

    def body(lines: Sequence[bytes], /) -> Iterator[Payload | Refused]:
        ids: list[str] = []
        parts: list[bytes] = []
        for line, record in zip(lines, records(lines), strict=True):
            event_id, subject = record["event_id"], record.get("checkout_id")
            if _NO_STRING.search(event_id):
                yield Refused(event_id, "bad_event_id")
                continue
            attributes = {
                "id": event_id,
                "type": f"lastclick.{record['type']}",
                "time": record["occurred_at"],
                "datacontenttype": JSON,
            }
            if subject and not _NO_STRING.search(subject):
                attributes["subject"] = subject
            ids.append(event_id)
            parts.append(b'%b%b,"data":%b}' % (head, to_json(attributes)[1:-1], line))
        if ids:
            content = b"[" + b",".join(parts) + b"]"
            yield Payload(content, "application/cloudevents-batch+json", tuple(ids))

    return body


def _uri(source: object) -> str:
    if not isinstance(source, str) or not _URI_REFERENCE.fullmatch(source):
        msg = (
            f"source of cloudevents is {shown(source)}; "
            f"pass a URI such as 'https://shop.example/checkout'"
        )
        raise ConfigError(msg)
    return source


def _ids(lines: Sequence[bytes]) -> tuple[str, ...]:
    found = [one for one in map(event_id, lines) if one is not None]
    if len(found) < len(lines):  # somebody else wrote them
        found = [record["event_id"] for record in records(lines)]
    return tuple(found)
