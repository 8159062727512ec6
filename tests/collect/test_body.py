"""From the body of a request to its events, within the limits."""

import gzip
import json
import os
import zlib

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("lastclick.collect", reason="the extra 'collect' is not installed")

from lastclick.collect._body import Limits, Refusal, Unpacker, read_events, split_of
from lastclick.collect._lines import Line, Rejected
from lastclick.errors import ConfigError
from tests.collect.collector import line, lines

SMALL = Limits(body_bytes=1000, content_bytes=2000, events=3, held_bytes=2000)


def unpacked(body: bytes, encoding: str, size: int, limits: Limits = SMALL) -> bytes:
    """What a body decompresses to that comes in chunks of this size."""
    unpacker = Unpacker(encoding, limits)
    parts = [unpacker.feed(body[at : at + size]) for at in range(0, len(body), size)]
    unpacker.end()
    return b"".join(parts)


def events(content: bytes, kind: str, limits: Limits = SMALL) -> list[Line | Rejected]:
    """The events of a body."""
    return read_events(content, split_of(kind), limits)


def refused(call, *arguments: object) -> tuple[int, str]:
    """The status and the reason of a refusal."""
    with pytest.raises(Refusal) as refusal:
        call(*arguments)
    assert str(refusal.value)
    return refusal.value.status, refusal.value.reason


# Limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, "1", None, True, float("nan")])
def test_a_limit_is_a_number_above_0(name: str, value: object) -> None:
    """What is none is refused at once, by name."""
    with pytest.raises(ConfigError, match=name):
        Limits(**{name: value})


def test_every_request_that_may_be_sent_fits() -> None:
    """A request larger than all that is held would be told for ever to come again."""
    with pytest.raises(ConfigError, match="held_bytes"):
        Limits(content_bytes=1000, held_bytes=999)


# Decompressing -----------------------------------------------------------------------------------


@given(content=st.binary(max_size=900), size=st.integers(1, 50), zipped=st.booleans())
def test_a_body_may_come_in_any_pieces(content: bytes, size: int, zipped: bool) -> None:
    """Gzipped or plain, whatever the chunks are."""
    body = gzip.compress(content) if zipped else content

    assert unpacked(body, "gzip" if zipped else "identity", size) == content


def test_a_body_may_be_as_large_as_the_limits_say() -> None:
    """The last byte that is allowed is taken, one more is not."""
    random = os.urandom(2001)

    assert unpacked(random[:1000], "", 100) == random[:1000]
    assert refused(unpacked, random[:1001], "", 100) == (413, "body_too_large")
    assert unpacked(gzip.compress(bytes(2000)), "gzip", 7) == bytes(2000)
    assert refused(unpacked, gzip.compress(bytes(2001)), "gzip", 7) == (413, "body_too_large")


def test_a_gzip_bomb_is_never_unfolded() -> None:
    """A small body that would become a gigabyte is refused after the bytes that are allowed."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(64)) + packer.flush()
    limits = Limits(content_bytes=100_000)
    unpacker = Unpacker("gzip", limits)

    assert len(bomb) < limits.body_bytes
    assert refused(unpacker.feed, bomb) == (413, "body_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        gzip.compress(b"x" * 100)[:-1],
        gzip.compress(b"x" * 100)[:-5] + b"12345",
        gzip.compress(b"x") + b"more",
        gzip.compress(b"x") + gzip.compress(b"y"),
    ],
)
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    """Nor one that breaks off, has a wrong sum, or is followed by something."""
    assert refused(unpacked, body, "gzip", 10) == (400, "broken_gzip")


def test_an_unknown_encoding_is_refused() -> None:
    """The answer is 415, and says what is known."""
    assert refused(Unpacker, "br", SMALL) == (415, "bad_encoding")
    assert refused(Unpacker, "gzip, gzip", SMALL) == (415, "bad_encoding")


# Splitting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/x-ndjson", lines(1, 2)),
        ("application/x-ndjson; charset=utf-8", b"\n" + line(1) + b"\r\n\n \n" + line(2)),
        ("application/json", b"[" + line(1) + b"," + line(2) + b"]"),
        ("Application/JSON ; charset=utf-8", b" [\n" + line(1) + b" ,\t" + line(2) + b" ] \n"),
        (
            "application/cloudevents-batch+json",
            b'[{"specversion":"1.0","data":' + line(1) + b'},{"data":' + line(2) + b"}]",
        ),
    ],
)
def test_events_come_as_lines_or_in_an_array(kind: str, content: bytes) -> None:
    """Each form gives the same lines."""
    found = events(content, kind)

    assert [event.content for event in found if isinstance(event, Line)] == [line(1), line(2)]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/x-ndjson", b""),
        ("application/x-ndjson", b"\n \n"),
        ("application/json", b"[]"),
        ("application/json", b" [ ] "),
    ],
)
def test_a_body_may_have_no_event(kind: str, content: bytes) -> None:
    """Nothing is wrong with that."""
    assert events(content, kind) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"5",
        line(1),
        b"[",
        b"[" + line(1),
        b"[" + line(1) + b",",
        b"[" + line(1) + line(2) + b"]",
        b"[" + line(1) + b"]]",
        b"[5]x",
        b"[5,]",
        b"[,]",
        b'["\xff"]',
        b"[" * 100_000,
    ],
)
def test_what_is_no_array_is_refused_as_a_whole(content: bytes) -> None:
    """Where an element ends cannot be told then."""
    assert refused(events, content, "application/json") == (400, "json_invalid")
    kind = "application/cloudevents-batch+json"
    assert refused(events, content, kind) == (400, "json_invalid")


def test_a_bad_event_among_good_ones_is_rejected_alone() -> None:
    """In each form, the others are kept."""
    array = b"[" + line(1) + b',{"event_id":"e-9"},' + line(2) + b"]"
    envelopes = b'[{"id":"e-9","type":"x"},{"data":' + line(1) + b'},{"data":"text"}]'

    by_line = events(line(1) + b"\njunk\n" + line(2), "application/x-ndjson")
    in_array = events(array, "application/json")
    in_envelopes = events(envelopes, "application/cloudevents-batch+json")

    assert [event.event_id for event in by_line] == ["e-1", None, "e-2"]
    assert [event.event_id for event in in_array] == ["e-1", "e-9", "e-2"]
    assert [event.event_id for event in in_envelopes] == ["e-9", "e-1", None]
    assert [type(event) for event in in_envelopes] == [Rejected, Line, Rejected]


def test_a_request_has_so_many_events_at_most() -> None:
    """Small ones could be so many that the answer alone would be large."""
    assert len(events(lines(1, 2, 3), "application/x-ndjson")) == 3
    many = (413, "too_many_events")
    assert refused(events, lines(1, 2, 3, 4), "application/x-ndjson") == many
    assert refused(events, json.dumps([0] * 4).encode(), "application/json") == many


def test_an_unknown_type_is_refused() -> None:
    """The answer is 415, and says what is known."""
    for kind in ("", "text/plain", "application/cloudevents+json"):
        assert refused(split_of, kind) == (415, "bad_content_type")
