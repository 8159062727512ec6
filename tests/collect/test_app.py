"""What the collector answers, asked over HTTP in a process of its own."""

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the extra 'collect' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'collect' is not installed")
pytest.importorskip("prometheus_client", reason="the extra 'collect' is not installed")

from lastclick import measure, read_log
from lastclick.collect import Limits, create_app
from lastclick.errors import ConfigError
from tests.collect.collector import Collector, collecting, ids, line, lines, secret, written
from tests.disks import fill
from tests.sinks.logs import declared


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the collector that most tests ask."""
    return tmp_path_factory.mktemp("collected")


@pytest.fixture(scope="module")
def collector(log: Path) -> Iterator[Collector]:
    """One with no secrets and the usual limits."""
    with collecting(log) as collector:
        yield collector


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One that knows two secrets, as while they are changed."""
    log = tmp_path_factory.mktemp("signed")
    with collecting(log, secrets=[secret(1), secret(2)]) as collector:
        yield collector
    assert [event for event in ids(log) if event.startswith("e-bad")] == []


@contextmanager
def connected(collector: Collector) -> Iterator[socket.socket]:
    """A bare connection."""
    with socket.create_connection(("127.0.0.1", collector.port), timeout=30) as connection:
        yield connection


def head(length: int | None, *more: str, path: str = "/v1/events") -> bytes:
    """The head of a request."""
    given = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/x-ndjson", *more]
    given += [] if length is None else [f"Content-Length: {length}"]
    return ("\r\n".join(given) + "\r\n\r\n").encode()


def everything(connection: socket.socket) -> bytes:
    """What is answered until the other side closes."""
    found = b""
    with suppress(ConnectionResetError):  # it does not read what is still coming
        while part := connection.recv(65536):
            found += part
    return found


# Events ------------------------------------------------------------------------------------------


def test_each_event_is_answered_by_its_id(collector: Collector, log: Path) -> None:
    """A bad one is rejected with its reason; the others are in the log."""
    answer = collector.send(lines("each-1") + b'junk\n{"event_id":"e-9"}\n' + lines("each-2"))

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["accepted"] == ["e-each-1", "e-each-2"]
    assert answer.json["retry"] == []
    rejected = answer.json["rejected"]
    assert [(one["event_id"], one["reason"]) for one in rejected] == [
        (None, "json_invalid"),
        ("e-9", "union_tag_not_found"),
    ]
    assert {"e-each-1", "e-each-2"} <= set(ids(log))


@pytest.mark.parametrize("how", ["lines", "gzip", "array", "envelopes", "chunked"])
def test_events_come_in_any_form(collector: Collector, log: Path, how: str) -> None:
    """As lines or arrays, gzipped or plain, with a length or in chunks."""
    event = line(how)
    match how:
        case "lines":
            answer = collector.send(event)
        case "gzip":
            answer = collector.send_gzipped(event)
        case "array":
            answer = collector.send(b"[" + event + b"]", content_type="application/json")
        case "envelopes":
            kind = "application/cloudevents-batch+json"
            answer = collector.send(b'[{"data":' + event + b"}]", content_type=kind)
        case _:
            answer = collector.send(event[at : at + 9] for at in range(0, len(event), 9))

    assert (answer.status, answer.json["accepted"]) == (200, [f"e-{how}"])
    assert json.loads(event) in written(log)


def test_a_batch_that_comes_ten_times_is_recorded_once(collector: Collector, log: Path) -> None:
    """Each time it is answered as accepted, also when ten come at once."""
    batch = lines(*(f"ten-{number}" for number in range(100)))
    answers = [collector.send(batch).json for _ in range(5)]
    threads = [
        threading.Thread(target=lambda: answers.append(collector.send(batch).json))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = [event for event in ids(log) if event.startswith("e-ten-")]
    assert sorted(found) == sorted(f"e-ten-{number}" for number in range(100))
    assert len(answers) == 10
    assert {len(answer["accepted"]) for answer in answers} == {100}


def test_an_empty_body_is_no_error(collector: Collector) -> None:
    """There is nothing to say of nothing."""
    answer = collector.send(b"")

    assert (answer.status, answer.json) == (200, {"accepted": [], "rejected": [], "retry": []})


def test_an_id_may_be_any_text(collector: Collector) -> None:
    """Letters of any script, and what is only half of one, come back as they came."""
    sent = b'{"event_id":"\\ud800 \\u00e9"}'

    answer = collector.send(line("\u00e9\U0001f6d2") + b"\n" + sent)

    assert answer.json["accepted"] == ["e-\u00e9\U0001f6d2"]
    assert answer.json["rejected"][0]["event_id"] == "\ud800 \u00e9"


def test_what_was_collected_is_a_log(tmp_path: Path) -> None:
    """A report on it needs nothing else."""
    with collecting(tmp_path) as collector:
        collector.send(declared().line + b"\n" + lines(1))
    report = measure(read_log(tmp_path))

    assert report.started == 1


# Refused -----------------------------------------------------------------------------------------


def test_another_path_or_method_is_refused(collector: Collector) -> None:
    """Both as JSON that says where events go."""
    elsewhere = collector.send(lines("bad"), "/events")
    asked = collector.get("/v1/events")
    posted = collector.send(lines("bad"), "/health")

    assert (elsewhere.status, elsewhere.json["reason"]) == (404, "bad_path")
    assert "POST events to /v1/events" in elsewhere.json["message"]
    assert (asked.status, asked.json["reason"], asked.headers["allow"]) == (
        405,
        "bad_method",
        "POST",
    )
    assert posted.status == 405


@pytest.mark.parametrize(
    ("headers", "body", "status", "reason"),
    [
        ({"content_type": "text/plain"}, lines("bad"), 415, "bad_content_type"),
        ({"content_encoding": "br"}, lines("bad"), 415, "bad_encoding"),
        ({"content_encoding": "gzip"}, lines("bad"), 400, "broken_gzip"),
        ({"content_encoding": "gzip"}, gzip.compress(lines("bad"))[:-3], 400, "broken_gzip"),
        ({"content_type": "application/json"}, lines("bad"), 400, "json_invalid"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    collector: Collector, headers: dict[str, str], body: bytes, status: int, reason: str
) -> None:
    """With the status that tells a sender what is wrong, and a sentence for people."""
    answer = collector.send(body, **headers)

    assert (answer.status, answer.json["reason"]) == (status, reason)
    assert answer.json["message"]
    assert ("accept-encoding" in answer.headers) == (status == 415)


def test_too_large_a_body_is_refused_and_its_sender_can_read_why(collector: Collector) -> None:
    """Announced or in chunks, as it comes or unfolded; the answer is not lost on the way."""
    limits = Limits()
    plain = os.urandom(limits.body_bytes + 1)
    bomb = gzip.compress(bytes(200 * 1024 * 1024))
    before = collector.memory()

    announced = collector.send(plain)
    chunked = collector.send(plain[at : at + 65536] for at in range(0, len(plain), 65536))
    unfolded = collector.send(bomb, content_encoding="gzip")

    for answer in (announced, chunked, unfolded):
        assert (answer.status, answer.json["reason"]) == (413, "body_too_large")
    assert collector.memory("VmHWM") - before < 5 * limits.content_bytes
    assert collector.figure("held_bytes") == 0


def test_a_sender_that_asks_first_is_told_at_once(collector: Collector) -> None:
    """``Expect: 100-continue`` spares it the sending of a body that is refused."""
    with connected(collector) as connection:
        connection.sendall(head(10**9, "Expect: 100-continue"))
        answer = everything(connection)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_too_many_events_are_refused(collector: Collector) -> None:
    """A body of a few bytes an event is not answered with a list of millions."""
    answer = collector.send_gzipped(b"1\n" * 1_000_000)

    assert (answer.status, answer.json["reason"]) == (413, "too_many_events")


def test_a_sender_that_goes_away_leaves_nothing_behind(collector: Collector) -> None:
    """Half a body is forgotten, and counted."""
    before = collector.figure('requests_total{status="400"}')
    with connected(collector) as connection:
        connection.sendall(head(1000) + lines("bad"))
        while not collector.figure("held_bytes"):
            time.sleep(0.01)
    deadline = time.monotonic() + 30
    while collector.figure("held_bytes") and time.monotonic() < deadline:
        time.sleep(0.01)

    assert collector.figure("held_bytes") == 0
    assert collector.figure('requests_total{status="400"}') == before + 1


def test_what_is_no_http_is_refused(collector: Collector) -> None:
    """The connection is closed with a 400."""
    with connected(collector) as connection:
        connection.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")
        assert everything(connection).startswith(b"HTTP/1.1 400 ")


# Slow and many -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One that waits a second, has room for two small requests, and for eight connections."""
    limits = {"body_seconds": 1.0, "content_bytes": 2000, "held_bytes": 3000, "connections": 8}
    with collecting(tmp_path_factory.mktemp("impatient"), **limits) as collector:
        yield collector


def test_a_slow_body_is_refused(impatient: Collector) -> None:
    """A sender that sends a byte now and then is answered with 408 and cut off."""
    with connected(impatient) as connection:
        connection.sendall(head(1000))
        connection.settimeout(0.05)
        answer = b""
        for _ in range(200):
            connection.sendall(b"{")
            try:
                answer += connection.recv(65536)
                break
            except TimeoutError:
                continue
        connection.settimeout(30)
        answer += everything(connection)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"slow_body" in answer


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST /v1/events HTTP/1.1\r\nHost: ", id="half a head"),
        pytest.param(head(0) + b"POST /v1/events HTTP/1.1\r\n", id="half of a second head"),
        pytest.param(head(10**6, path="/nowhere"), id="a body that nobody wants"),
    ],
)
def test_whoever_dawdles_is_cut_off(impatient: Collector, begun: bytes) -> None:
    """Before a request, within its head, and after an answer: a second, then it is over."""
    with connected(impatient) as connection:
        connection.settimeout(0.05)
        cut_off = False
        for _ in range(200):
            try:
                connection.sendall(begun)
                begun = begun and b"x"
                if not connection.recv(65536):
                    cut_off = True
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                cut_off = True
                break

    assert cut_off


def test_a_connection_serves_one_request_after_the_other(impatient: Collector) -> None:
    """A pause that is longer than the limit for a head is no dawdling."""
    with connected(impatient) as connection:
        for number in (1, 2):
            body = lines(f"after-{number}")
            connection.sendall(head(len(body)) + body)
            answer = connection.recv(65536)
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")
            time.sleep(1.5)


def test_more_than_there_is_room_for_is_told_to_come_again(impatient: Collector) -> None:
    """503 with Retry-After while others are under way, and room again afterwards."""
    body = lines(*range(20))[:1900]
    with connected(impatient) as first:
        first.sendall(head(2000) + body)
        while impatient.figure("held_bytes") < 1900:
            time.sleep(0.01)
        answer = impatient.send(body)

    assert (answer.status, answer.json["reason"]) == (503, "busy")
    assert int(answer.headers["retry-after"]) > 0


def test_too_many_connections_are_told_to_come_again(impatient: Collector) -> None:
    """They get a 503 until others have gone."""
    deadline = time.monotonic() + 30
    held = [socket.create_connection(("127.0.0.1", impatient.port)) for _ in range(8)]
    try:
        full = impatient.send(lines("full"))
    finally:
        for connection in held:
            connection.close()
    while (answer := impatient.send(lines("free"))).status != 200 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert full.status == 503
    assert answer.json["accepted"] == ["e-free"]


# Signatures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2])
def test_a_request_that_is_signed_with_any_secret_is_taken(signed: Collector, number: int) -> None:
    """The signature is over the content before it was compressed."""
    answer = signed.send_signed(lines("signed"), secrets=[secret(3), secret(number)])

    assert (answer.status, answer.json["accepted"]) == (200, ["e-signed"])


def test_a_retry_is_signed_anew_under_the_same_id(signed: Collector) -> None:
    """An id that was seen before is no replay, as long as its signature and its time hold."""
    batch = lines("retried")
    answers = [signed.send_signed(batch, at=time.time() - ago) for ago in (120, 60, 60, 0)]

    assert [answer.status for answer in answers] == [200] * 4
    assert {answer.json["accepted"][0] for answer in answers} == {"e-retried"}


def test_what_is_not_signed_by_us_is_refused(signed: Collector) -> None:
    """Unsigned, with another secret, tampered with, or recorded a while ago: 401, and why."""
    batch = lines("bad")
    other = signed.send_signed(lines("other")).status
    unsigned = signed.send(batch)
    wrong = signed.send_signed(batch, secrets=secret(3))
    moved = signed.send_signed(batch, webhook_id="msg-2", **{"webhook-id": "msg-2"})
    stale = signed.send_signed(batch, at=time.time() - 400)
    early = signed.send_signed(batch, at=time.time() + 400)

    assert other == 200
    for answer, reason in (
        (unsigned, "not_signed"),
        (wrong, "wrong_signature"),
        (moved, "wrong_signature"),
        (stale, "stale"),
        (early, "stale"),
    ):
        assert (answer.status, answer.json["reason"]) == (401, reason)


def test_a_signature_of_other_content_is_refused(signed: Collector) -> None:
    """A body that was changed on its way is not written."""
    from lastclick.sinks._webhooks import Secrets, sign

    headers = sign(Secrets(secret()), "msg-1", int(time.time()), lines("good"))

    answer = signed.send(lines("bad"), **headers)

    assert (answer.status, answer.json["reason"]) == (401, "wrong_signature")


# Disk, health, metrics ---------------------------------------------------------------------------


def test_a_full_disk_acknowledges_nothing_and_loses_nothing(disk_of_1_mib: Path) -> None:
    """503 with Retry-After and the ids to send again; health says so; then all goes on."""
    with collecting(disk_of_1_mib) as collector:
        before = collector.send(lines(1))
        ballast = fill(disk_of_1_mib)
        many = lines(*range(2, 200))
        while not (full := collector.send(many)).json["retry"]:
            many = lines(*range(1000, 1200))  # the last page of the segment took some
        some = full.json["accepted"]
        none = collector.send(lines(3000))
        ill = collector.get("/health")
        ballast.unlink()
        well = collector.get("/health")
        again = [collector.send(sent) for sent in (many, lines(3000))]
        told = collector.figure('events_total{result="retry"}')

    assert before.json["accepted"] == ["e-1"]
    assert full.headers["retry-after"]
    assert (none.status, none.json["retry"], none.json["accepted"]) == (503, ["e-3000"], [])
    assert none.headers["retry-after"]
    assert (ill.status, ill.json["message"]) == (503, "No space left on device")
    assert (well.status, well.json) == (200, {"status": "ok"})
    assert [answer.status for answer in again] == [200, 200]
    assert told == len(full.json["retry"]) + 1
    found = ids(disk_of_1_mib)
    assert len(found) == len(set(found))
    assert {*some, *again[0].json["accepted"], "e-3000"} <= set(found)
    assert {one["type"] for one in written(disk_of_1_mib)} == {"step_entered"}


def test_a_disk_that_does_not_answer_is_not_healthy(tmp_path: Path) -> None:
    """The check of health has an end, even while the thread that writes has none."""
    hung = tmp_path / "hung"
    patch = tmp_path / "patched"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(
        "import os, time\n"
        "real = os.fsync\n"
        f"def fsync(fd):\n    while os.path.exists({str(hung)!r}): time.sleep(0.05)\n    real(fd)\n"
        "os.fsync = fsync\n"
    )
    paths = f"{patch}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    with collecting(tmp_path / "log", environment={"PYTHONPATH": paths}) as collector:
        hung.touch()
        ill = collector.get("/health")
        figures = collector.get("/metrics")
        hung.unlink()
        well = collector.get("/health")

    assert (ill.status, well.status, figures.status) == (503, 200, 200)
    assert "no answer from the disk" in ill.json["message"]


def test_metrics_count_what_was_done(tmp_path: Path) -> None:
    """Requests by status, events by what became of them, bytes, seconds, waits for the disk."""
    with collecting(tmp_path) as collector:
        batch = lines(1, 2) + b"junk\n"
        collector.send(batch)
        collector.send(batch)
        collector.send(b"", "/nowhere")

        assert collector.figure('requests_total{status="200"}') == 2
        assert collector.figure('requests_total{status="404"}') == 1
        assert collector.figure('events_total{result="accepted"}') == 4
        assert collector.figure('events_total{result="duplicate"}') == 2
        assert collector.figure('events_total{result="rejected"}') == 2
        assert collector.figure('events_total{result="retry"}') == 0
        assert collector.figure("received_bytes_total") == 2 * len(batch)
        assert collector.figure("syncs") == 1
        assert collector.figure("request_seconds_count") > 3


# Settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["starlette", "prometheus_client"])
def test_without_its_extra_the_module_names_it(missing: str) -> None:
    """Whoever imports it reads what to install."""
    code = f"import sys; sys.modules[{missing!r}] = None; import lastclick.collect"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stderr.endswith(
        "lastclick.collect needs the extra 'collect': pip install 'lastclick[collect]'\n"
    )


def test_wrong_settings_are_refused_at_once(tmp_path: Path) -> None:
    """Before anything is served, and without showing a secret."""
    with pytest.raises(ConfigError, match="limits"):
        create_app(tmp_path, limits={"events": 5})
    with pytest.raises(ConfigError, match="secret 1 of 1") as refused:
        create_app(tmp_path, secrets="hunter2")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ConfigError, match="no secret"):
        create_app(tmp_path, secrets=[])
    with pytest.raises(ConfigError, match="remember"):
        create_app(tmp_path, remember=7)
    with pytest.raises(ConfigError, match="directory"):
        create_app("")
