"""From the body of a request to the events in it, never holding more than the limits allow.

No I/O: the chunks come from whoever reads them.
"""

import json
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from lastclick.collect._lines import Line, Rejected, read_line
from lastclick.errors import ConfigError

_GZIP = 16 + zlib.MAX_WBITS
_SPACES = re.compile(r"[ \t\r\n]*")


class Refusal(Exception):  # noqa: N818 - it is the answer to a request, not an error of ours
    """A request that gets no events out of it: the status, the reason and a sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def _above_0(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigError(f"{field.name} is a number above 0, not {value!r}")


@attrs.frozen(kw_only=True)
class Limits:
    """How much a collector takes in.

    Attributes:
        body_bytes: Of one request, as it comes, compressed or not.
        content_bytes: Of one request, decompressed.
        events: In one request.
        held_bytes: Of all requests that are under way; what comes on top is told to come again.
        body_seconds: For one body to arrive.
        connections: Open at a time.

    Raises:
        ConfigError: A limit is not a number above 0, or no request of ``content_bytes`` fits into
            ``held_bytes``.

    Example:
        >>> Limits(events=1_000).events
        1000

    .. versionadded:: 0.1.0
    """

    body_bytes: int = attrs.field(default=4 * 1024 * 1024, validator=_above_0)
    content_bytes: int = attrs.field(default=8 * 1024 * 1024, validator=_above_0)
    events: int = attrs.field(default=10_000, validator=_above_0)
    held_bytes: int = attrs.field(default=64 * 1024 * 1024, validator=_above_0)
    body_seconds: float = attrs.field(default=30.0, validator=_above_0)
    connections: int = attrs.field(default=256, validator=_above_0)

    def __attrs_post_init__(self) -> None:
        if self.held_bytes < self.content_bytes:
            msg = (
                f"held_bytes ({self.held_bytes:,}) is less than content_bytes "
                f"({self.content_bytes:,}): a request that may be sent would never be taken"
            )
            raise ConfigError(msg)


# Decompressing -----------------------------------------------------------------------------------


class Unpacker:
    """Takes the chunks of a body and gives what they decompress to, up to a limit.

    Args:
        encoding: The header Content-Encoding.
        limits: ``body_bytes`` and ``content_bytes`` count.

    Raises:
        Refusal: The encoding is not known (415).
    """

    def __init__(self, encoding: str, limits: Limits) -> None:
        self._limits = limits
        self._came = 0
        self._left = limits.content_bytes
        match encoding.strip().lower():
            case "" | "identity":
                self._gzip = None
            case "gzip" | "x-gzip":
                self._gzip = zlib.decompressobj(_GZIP)
            case _:
                msg = f"Content-Encoding {encoding!r:.60}: send gzip, or nothing"
                raise Refusal(415, "bad_encoding", msg)

    def feed(self, chunk: bytes) -> bytes:
        """Decompress the next chunk.

        Raises:
            Refusal: It is too much (413) or no gzip (400).
        """
        self._came += len(chunk)
        if self._came > self._limits.body_bytes:
            raise too_large(self._limits)
        if self._gzip is None:
            content = chunk
        else:
            try:
                # A byte more than is allowed, so that it shows whether there is more.
                content = self._gzip.decompress(chunk, self._left + 1)
            except zlib.error as error:
                raise Refusal(400, "broken_gzip", f"the body is no gzip: {error}") from None
            if self._gzip.unused_data:
                msg = "something follows the end of the gzip; send one member"
                raise Refusal(400, "broken_gzip", msg)
        self._left -= len(content)
        if self._left < 0:
            raise too_large(self._limits)
        return content

    def end(self) -> None:
        """The body has ended.

        Raises:
            Refusal: The gzip has not (400).
        """
        if self._gzip is not None and not self._gzip.eof:
            raise Refusal(400, "broken_gzip", "the gzip breaks off before its end")


def too_large(limits: Limits) -> Refusal:
    """The answer to a body that is too large."""
    msg = (
        f"a body has at most {limits.body_bytes:,} bytes, and {limits.content_bytes:,} "
        "decompressed; send fewer events at a time"
    )
    return Refusal(413, "body_too_large", msg)


# Splitting ---------------------------------------------------------------------------------------

Split = Callable[[bytes], Iterator[bytes]]


def split_of(content_type: str) -> Split:
    """How a body of this type is taken apart into events.

    Raises:
        Refusal: It is not known (415).
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        return _SPLITS[kind]
    except KeyError:
        msg = f"Content-Type {kind!r:.60}: send one of {', '.join(_SPLITS)}"
        raise Refusal(415, "bad_content_type", msg) from None


def read_events(content: bytes, split: Split, limits: Limits) -> list[Line | Rejected]:
    """The events of a body, each judged by itself.

    Raises:
        Refusal: It is no JSON as a whole (400), or has too many events (413).
    """
    found: list[Line | Rejected] = []
    for sent in split(content):
        if len(found) == limits.events:
            msg = f"a request has at most {limits.events:,} events; send fewer at a time"
            raise Refusal(413, "too_many_events", msg)
        found.append(read_line(sent))
    return found


def _lines(content: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        if line := content[start:end].strip():
            yield line
        start = end + 1


def _elements(content: bytes) -> Iterator[bytes]:
    """The elements of a JSON array."""
    for _, text in _array(content):
        yield text.encode()


def _cloud_events(content: bytes) -> Iterator[bytes]:
    """What the events of a CloudEvents batch carry; an envelope that carries none keeps its id."""
    for envelope, text in _array(content):
        carried: object = text
        if isinstance(envelope, dict):
            carried = envelope.get("data", {"event_id": envelope.get("id")})
        yield json.dumps(carried, ensure_ascii=False).encode(errors="surrogatepass")


def _array(content: bytes) -> Iterator[tuple[object, str]]:
    """Each element of a JSON array, decoded and as it was sent.

    One at a time: all of them at once, as objects, may take thirty times the room of the text.
    """
    decode = json.JSONDecoder().raw_decode
    try:
        text = content.decode()
        at = _after("[", text, _past_spaces(text, 0))
        ended = text.startswith("]", at)
        while not ended:
            element, end = decode(text, at)
            yield element, text[at:end]
            at = _past_spaces(text, end)
            ended = text.startswith("]", at)
            if not ended:
                at = _after(",", text, at)
        if _after("]", text, at) != len(text):
            raise ValueError("something follows its end")
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "json_invalid", f"the body is no JSON array: {error}") from None


def _after(sign: str, text: str, at: int) -> int:
    if not text.startswith(sign, at):
        raise ValueError(f"no {sign!r} at character {at}")
    return _past_spaces(text, at + 1)


def _past_spaces(text: str, at: int) -> int:
    found = _SPACES.match(text, at)
    assert found is not None  # it matches nothing too
    return found.end()


_SPLITS: dict[str, Split] = {
    "application/x-ndjson": _lines,
    "application/json": _elements,
    "application/cloudevents-batch+json": _cloud_events,
}
