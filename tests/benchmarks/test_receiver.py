"""The server that the benchmarks send to counts each vendor's events, and answers as told."""

import base64
import gzip
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from benchmarks.receiver import Receiver, event_ids, receiver

IDS = ["bench-7-1", "bench-7-2"]
FIELDS = [{"step": "payment", "event_id": one} for one in IDS]
OWN = "0199a0b2-6c3f-7d2e-9b1a-1f2e3d4c5b6a"


def _snowplow() -> bytes:
    events = [
        {
            "e": "ue",
            "ue_px": base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("="),
        }
        for one in FIELDS
    ]
    return json.dumps({"schema": "iglu:payload_data", "data": events}).encode()


def _lines() -> bytes:
    declared = {"v": 1, "type": "funnel_declared", "event_id": OWN.replace("0199", "0200")}
    records = [declared, *({"type": "step_entered", "event_id": one} for one in (*IDS, OWN))]
    return b"\n".join(json.dumps(one, separators=(",", ":")).encode() for one in records)


@pytest.mark.parametrize(
    ("path", "body", "more"),
    [
        ("/batch/", json.dumps({"batch": [{"properties": one} for one in FIELDS]}).encode(), []),
        ("/track", b"verbose=1&data=" + urllib.parse.quote_plus(json.dumps(FIELDS)).encode(), []),
        ("/com.snowplowanalytics.snowplow/tp2", _snowplow(), []),
        ("/v1/logs", b"\x0a\x08event_id\x12\x09bench-7-1\x00\xffevent_id\x12\x09bench-7-2\x00", []),
        ("/v1/events", _lines(), [OWN]),
    ],
)
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_ids_are_found_in_every_format(
    path: str, body: bytes, more: list[str], encoding: str
) -> None:
    """Each event of a vendor's body counts once by its id, and a declaration never."""
    sent = gzip.compress(body) if encoding else body

    found = [one.decode() for one, _ in event_ids(path, encoding, sent)]

    assert found == IDS + more


def test_an_id_tells_its_process() -> None:
    """What a child of a fork sends is told from what its parent sends."""
    (first, _) = event_ids("/batch/", "", json.dumps(FIELDS).encode())

    assert first == (b"bench-7-1", b"7")


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def _post(server: Receiver, *ids: str, timeout: float = 10) -> int:
    body = json.dumps([{"event_id": one} for one in ids]).encode()
    request = urllib.request.Request(f"{server.url}/batch/", data=body)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_what_comes_twice_is_counted_apart(server: Receiver) -> None:
    """Distinct events, those that came again, and requests are three figures."""
    _post(server, "bench-1-1", "bench-1-2")
    _post(server, "bench-1-2", "bench-2-1")

    assert server.counts() == {"events": 3, "again": 1, "requests": 2, "by": {"1": 2, "2": 1}}
    assert server.wait(3, 10)["events"] == 3
    assert server.wait(4, 0.01)["events"] == 3


def test_what_was_refused_has_not_arrived(server: Receiver) -> None:
    """Events count only where the answer says that they were taken."""
    server.answer(500)
    assert _post(server, "bench-1-1") == 500
    server.answer(hang=True)
    with pytest.raises(TimeoutError):
        _post(server, "bench-1-1", timeout=0.05)
    assert server.counts()["events"] == 0

    server.answer(delay=0.01)

    assert _post(server, "bench-1-1") == 200
    assert server.counts()["events"] == 1
