"""HttpSink against a real server on loopback: settings, requests, answers, endings."""

import _thread
import gc
import json
import logging
import re
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("urllib3", reason="needs the extra 'http'")

from lastclick import Funnel, errors, measure, read_log
from lastclick.errors import ConfigError, DeliveryError
from lastclick.events import parse_line
from lastclick.sinks import http as module
from lastclick.sinks.bodies import json_array
from lastclick.sinks.http import Batch, HttpSink, HttpStats, Retry, Timeout
from lastclick.testing import SinkContract
from tests.sinks.logs import declared, entered, lost
from tests.sinks.receiver import OK, Receiver, Reply, Request, always, in_turn, receiving

PATIENCE_S = 10.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ANOTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
SWIFT = Retry(first=timedelta(milliseconds=10), most=timedelta(milliseconds=50))
SOON = Batch(age=timedelta(milliseconds=20))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture(autouse=True)
def apart() -> Iterator[None]:
    """Each test begins a new minute of log lines, and leaves no sender that goes on trying."""
    errors._logged.clear()
    yield
    for running in module._all_running:
        running.sender.stop()


@pytest.fixture(params=["queue", "spool"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "spool" if request.param == "spool" else None


class TestHttpSink(SinkContract):
    @pytest.fixture
    def sink(self, receiver: Receiver, spool: Path | None) -> HttpSink:
        self.receiver = receiver
        return HttpSink(receiver.url, spool)

    def arrived(self, sink: HttpSink) -> list[bytes]:
        return self.receiver.taken


# Settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": None}, "url is NoneType; pass where to POST to, such as 'https://collector"),
        ({"url": "collector.example"}, "url does not begin with http:// or https:// and a host"),
        ({"url": "ftp://collector.example/"}, "url does not begin with http:// or https://"),
        ({"url": "https:///events"}, "url does not begin with http:// or https:// and a host"),
        ({"url": "http://collector.example:port/"}, "url is not an address"),
        ({"url": "http://collector.example/ü"}, "url is not quoted"),
        ({"url": "http://collector.example/a b"}, "url is not quoted"),
        ({"spool": 7}, "spool is a path such as 'var/lastclick', not 7"),
        ({"body": "ndjson"}, "body is 'ndjson'; pass a function such as bodies.ndjson"),
        ({"headers": "Authorization"}, "headers are str; pass a mapping"),
        ({"headers": {"A": 1}}, "header 'A' is not text; pass text for name and value"),
        ({"headers": {"A": "b\r\nC: d"}}, "header 'A' is not one line of ASCII"),
        ({"headers": {"A": "ü"}}, "header 'A' is not one line of ASCII"),
        ({"signing": "secret"}, "secret 1 of 1 does not begin with 'whsec_'"),
        ({"signing": 5}, "secret 1 of 1 does not begin with 'whsec_'"),
        ({"batch": 100}, "batch is 100; pass a Batch such as Batch(events=100)"),
        ({"retry": 3}, "retry is 3; pass a Retry such as Retry()"),
        ({"timeout": 5.0}, "timeout is 5.0; pass a Timeout such as Timeout()"),
        ({"limit": 0}, "limit is 0; pass a number of bytes, or None"),
        ({"limit": "1 GiB"}, "limit is '1 GiB'; pass a number of bytes, or None"),
        ({"full": "drop"}, "full is 'drop'; choose 'oldest' or 'newest'"),
        ({"compression": "br"}, "compression is 'br'; choose 'gzip', 'zstd' or None"),
    ],
)
def test_a_wrong_setting_is_refused_at_once(settings: dict, message: str) -> None:
    """A sink that could not work is not made, and the message names the way out."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        HttpSink(**{"url": "http://127.0.0.1:1/", **settings})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Batch(events=0), "events of Batch is 0; pass a whole number of 1 or more"),
        (lambda: Batch(bytes=1000), "bytes of Batch is 1000; pass a whole number of 65,536 or"),
        (lambda: Batch(age=1), "age of Batch is 1; pass a timedelta above zero"),
        (lambda: Retry(budget=timedelta(0)), "budget of Retry is datetime.timedelta(0); pass a"),
        (lambda: Retry(first=timedelta(hours=1)), "most of Retry (0:01:00) is below first"),
        (lambda: Timeout(read=5), "read of Timeout is 5; pass a timedelta above zero"),
    ],
)
def test_a_wrong_part_of_a_setting_is_refused_at_once(make, message: str) -> None:
    """So it is with what travels as one object."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        make()


def test_zstd_needs_a_newer_python() -> None:
    """It is in the standard library from 3.14 on, and refused before."""
    if sys.version_info >= (3, 14):
        HttpSink("http://127.0.0.1:1/", compression="zstd")
    else:
        with pytest.raises(ConfigError, match=r"needs Python 3\.14; choose 'gzip' or None"):
            HttpSink("http://127.0.0.1:1/", compression="zstd")


def test_a_spool_is_for_one_receiver(tmp_path: Path) -> None:
    """Leftovers would go to whoever comes first, so another receiver is refused."""
    first = HttpSink("http://127.0.0.1:1/a?key=1", tmp_path)

    again = HttpSink("http://127.0.0.1:1/a?key=1", tmp_path)
    with pytest.raises(ConfigError, match=r"holds what is for http://127\.0\.0\.1:1/a; give"):
        HttpSink("http://127.0.0.1:1/b", tmp_path)

    assert first is not again


def test_nothing_is_opened_or_started_before_the_first_event(tmp_path: Path) -> None:
    """A sink can be made before any fork: no thread, no file, no connection."""
    before = _thread._count()

    HttpSink("http://127.0.0.1:1/", tmp_path / "spool")

    assert _thread._count() == before
    assert list((tmp_path / "spool").iterdir()) == []


# Requests ----------------------------------------------------------------------------------------


def test_a_request_says_what_it_is(receiver: Receiver, spool: Path | None) -> None:
    """Type, encoding, agent, the caller's headers, and a key that names its events."""
    sink = HttpSink(receiver.url, spool, headers={"Authorization": "Bearer 5up3r"})

    sink.emit(entered(1))
    sink.flush(PATIENCE_S)

    (request,) = receiver.requests
    assert request.path == "/v1/events"
    assert request.content == entered(1).line + b"\n"
    headers = request.headers
    assert headers["Content-Type"] == "application/x-ndjson"
    assert headers["Content-Encoding"] == "gzip"
    assert headers["User-Agent"].startswith("lastclick/")
    assert headers["Authorization"] == "Bearer 5up3r"
    assert re.fullmatch("[0-9a-f]{32}", headers["Idempotency-Key"])


def test_without_compression_the_content_is_sent_as_it_is(receiver: Receiver) -> None:
    """Some receivers take no gzip."""
    receiver.behave = always(Reply(kept=False))  # it reads lines, and this is none
    sink = HttpSink(receiver.url, compression=None, body=json_array)

    sink.emit(entered(1))

    assert sink.flush(PATIENCE_S)
    assert "Content-Encoding" not in receiver.requests[0].headers
    assert receiver.requests[0].content == b"[" + entered(1).line + b"]"


def test_a_retry_has_the_same_key_and_is_signed_anew(receiver: Receiver) -> None:
    """The receiver can tell a resend by its key; each try carries the time of its signing."""
    pytest.importorskip("standardwebhooks")
    from standardwebhooks import Webhook

    receiver.behave = in_turn(Reply(503), OK)
    sink = HttpSink(receiver.url, signing=(SECRET, ANOTHER), retry=SWIFT)

    sink.emit(entered(1))
    sink.flush(PATIENCE_S)

    first, second = receiver.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    for request in (first, second):
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert headers["webhook-id"] == headers["idempotency-key"]
        for secret in (SECRET, ANOTHER):
            Webhook(secret).verify(request.content, headers)


def test_a_name_and_a_password_become_a_header(receiver: Receiver) -> None:
    """Credentials in the address are sent as basic authentication, and shown nowhere."""
    url = receiver.url.replace("http://", "http://shop:s%40crid@")
    sink = HttpSink(url)

    sink.emit(entered(1))
    sink.flush(PATIENCE_S)

    assert receiver.requests[0].headers["Authorization"] == "Basic c2hvcDpzQGNyaWQ="
    assert repr(sink) == f"HttpSink('{receiver.url}')"


def test_credentials_are_in_no_log_line(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Not those of the address, its query, a header or a signature."""
    with receiving(always(Reply(302, headers={"Location": "http://other.example/?api_secret=s3"}))):
        pass
    sink = HttpSink(
        "http://me:p4ss@127.0.0.1:1/collect?api_secret=s3cret",
        tmp_path,
        headers={"Authorization": "Bearer 5up3r"},
        signing=SECRET,
        retry=SWIFT,
    )

    sink.emit(entered(1))
    assert not sink.flush(0.3)

    wait_until(lambda: "http://127.0.0.1:1/collect: NewConnectionError" in caplog.text)
    assert "1 events wait" in caplog.text
    shown = caplog.text + repr(sink) + repr(vars(sink))
    assert not [one for one in ("p4ss", "s3cret", "5up3r", SECRET[6:]) if one in shown]
    sink.close(0)


def test_a_redirect_is_followed_on_the_same_host_only(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Within the host the POST is repeated; to another one neither events nor credentials go."""
    with receiving() as other:
        receiver.behave = in_turn(
            Reply(308, headers={"Location": "/v2/events"}),
            OK,
            Reply(307, headers={"Location": other.url}),
            OK,
        )
        sink = HttpSink(receiver.url, retry=SWIFT)

        for number in (1, 2):
            sink.emit(entered(number))
            assert sink.flush(PATIENCE_S)

        assert [request.path for request in receiver.requests] == [
            "/v1/events",
            "/v2/events",
            "/v1/events",
            "/v1/events",
        ]
        assert receiver.shopper_ids == ["e-1", "e-2"]
        assert other.requests == []
    assert "HTTP 307 to" in caplog.text


def test_a_circle_of_redirects_ends(receiver: Receiver) -> None:
    """It is a failure like others, tried again later."""
    around = Reply(308, headers={"Location": "/again"})
    receiver.behave = in_turn(*[around] * 4, OK)
    sink = HttpSink(receiver.url, retry=SWIFT)

    sink.emit(entered(1))

    assert sink.flush(PATIENCE_S)
    assert sink.stats.retries == 1


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """http_proxy and no_proxy mean what they mean elsewhere."""
    with receiving() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "other.example")
        sink = HttpSink("http://collector.example/v1/events")

        sink.emit(entered(1))
        assert sink.flush(PATIENCE_S)

        assert proxy.requests[0].path == "http://collector.example/v1/events"


def test_a_proxy_that_is_no_address_loses_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A slip in the environment is a failure like others: told, and the events wait."""
    monkeypatch.setenv("http_proxy", "ftp://proxy.example")
    monkeypatch.delenv("no_proxy", raising=False)
    sink = HttpSink(receiver.url, retry=SWIFT)

    sink.emit(entered(1))

    assert not sink.flush(0.2)
    wait_until(lambda: "ProxySchemeUnknown" in caplog.text)
    monkeypatch.delenv("http_proxy")
    assert sink.flush(PATIENCE_S)


def test_a_receiver_that_is_not_what_it_seems_gets_nothing(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """TLS is verified: a server that does not speak it is an error, and the events wait."""
    sink = HttpSink(receiver.url.replace("http:", "https:"), retry=SWIFT)

    sink.emit(entered(1))

    assert not sink.flush(0.2)
    wait_until(lambda: "SSLError" in caplog.text)
    sink.close(0)
    wait_until(lambda: sink._running[""].sender.ended)


@pytest.mark.parametrize("fault", ["reset", "empty", "half", "trickle"])
def test_a_fault_of_the_wire_loses_nothing(
    receiver: Receiver, spool: Path | None, fault: str
) -> None:
    """Whatever happens to an answer, the events arrive, and twice only where it was on its way."""
    receiver.behave = in_turn(Reply(body=b"fine", fault=fault, kept=True), OK)
    sink = HttpSink(receiver.url, spool, retry=SWIFT)

    sink.emit(entered(1))

    assert sink.flush(PATIENCE_S)
    assert receiver.shopper_ids == ["e-1"]
    assert receiver.events["e-1"] == (1 if fault == "trickle" else 2)


def test_an_answer_without_an_end_is_no_answer(receiver: Receiver) -> None:
    """What a receiver says is read up to a mebibyte."""
    receiver.behave = in_turn(Reply(body=b"x" * 3_000_000, kept=False), OK)
    sink = HttpSink(receiver.url, retry=SWIFT)

    sink.emit(entered(1))

    assert sink.flush(PATIENCE_S)
    assert len(receiver.requests) == 2


def test_a_poisoned_event_does_not_hold_up_the_others(receiver: Receiver, tmp_path: Path) -> None:
    """422 for one: the others arrive, it is in the dead letters with its reason, once."""

    def behave(request: Request) -> Reply:
        return Reply(422, b"amount is not a number") if "e-3" in request.ids else OK

    receiver.behave = behave
    sink = HttpSink(receiver.url, tmp_path)

    for number in range(6):
        sink.emit(entered(number))
    assert sink.flush(PATIENCE_S)

    assert receiver.shopper_ids == ["e-0", "e-1", "e-2", "e-4", "e-5"]
    (letters,) = (tmp_path / "dead-letters").iterdir()
    (letter,) = letters.read_bytes().splitlines()
    assert json.loads(letter)["dead_letter"]["reason"] == "HTTP 422: amount is not a number"
    assert parse_line(letter) == entered(3)
    (told,) = receiver.records("events_lost")
    assert (told["source"], told["reason"], told["count"]) == ("sink", "rejected", 1)
    assert sink.stats == HttpStats(
        written=5,
        pending=0,
        lost={"rejected": 1},
        dead_letters=1,
        requests=sink.stats.requests,
        retries=0,
    )


def test_dead_letters_are_bounded(receiver: Receiver, tmp_path: Path) -> None:
    """A receiver that refuses everything fills no disk; all of it is counted all the same."""
    receiver.behave = always(Reply(403))
    sink = HttpSink(receiver.url, tmp_path, limit=65_536)

    for number in range(1_000):
        sink.emit(entered(number))
        if number % 100 == 0:
            assert sink.flush(PATIENCE_S)
    assert sink.flush(PATIENCE_S)

    (letters,) = (tmp_path / "dead-letters").iterdir()
    assert 60_000 < letters.stat().st_size <= 65_536
    assert sink.stats.lost == {"refused": 1_000}


# No room -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", ["oldest", "newest"])
def test_a_full_queue_says_what_it_dropped(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, full: module.Full
) -> None:
    """The bound holds, the right ones go, all is counted, and the receiver's log is told."""
    receiver.behave = always(Reply(503))
    sink = HttpSink(receiver.url, limit=20_000, full=full, retry=SWIFT, batch=SOON)
    funnel = Funnel("checkout", steps=("cart",), sink=sink)

    for number in range(1_000):
        funnel.checkout("c-1").enter("cart", event_id=f"e-{number:04}")
    pending, dropped = sink.stats.pending, sink.stats.lost["queue_full"]
    receiver.behave = always(OK)
    assert funnel.close(PATIENCE_S)

    assert pending * 150 < 20_000 + 1_000 * 150
    arrived = receiver.shopper_ids
    assert len(arrived) + dropped == 1_000 == sink.stats.written + dropped
    assert sum(one["count"] for one in receiver.records("events_lost")) == dropped
    assert len(receiver.records("funnel_declared")) == 1
    assert ("e-0000" in arrived) >= (full == "newest")
    assert ("e-0999" in arrived) >= (full == "oldest")  # the sender may just have made room
    assert len(caplog.records) <= 2


@pytest.mark.parametrize("full", ["oldest", "newest"])
def test_a_full_spool_says_what_it_dropped(
    receiver: Receiver, tmp_path: Path, full: module.Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same on disk: bounded, counted, told."""
    monkeypatch.setattr("lastclick.sinks._spool._MEASURE_EVERY_S", 0.0)
    receiver.behave = always(Reply(503))
    sink = HttpSink(receiver.url, tmp_path, limit=160_000, full=full, retry=SWIFT, batch=SOON)
    funnel = Funnel("checkout", steps=("cart",), sink=sink)

    for number in range(2_000):
        funnel.checkout("c-1").enter("cart", event_id=f"e-{number:04}")
        if number % 100 == 0:
            time.sleep(0.02)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl"))
    receiver.behave = always(OK)
    assert funnel.close(PATIENCE_S)

    assert size < 170_000
    dropped = sink.stats.lost["spool_full"]
    assert 0 < dropped < 1_900
    assert len(receiver.shopper_ids) + dropped == 2_000
    assert sum(one["count"] for one in receiver.records("events_lost")) == dropped
    assert list(tmp_path.iterdir()) == []


# Endings -----------------------------------------------------------------------------------------


def test_flush_and_close_return_in_time(receiver: Receiver, spool: Path | None) -> None:
    """While a receiver hangs they say what is left, and wait no longer than they are told."""
    receiver.behave = always(Reply(fault="hang"))
    sink = HttpSink(receiver.url, spool, batch=SOON)
    sink.emit(entered(1))

    began = time.monotonic()
    assert not sink.flush(0.2)
    assert not sink.close(0.2)
    assert not sink.close(0.0)
    took = time.monotonic() - began

    assert 0.4 <= took < 2
    assert sink.stats.pending == 1
    receiver.stop()  # lets go of the thread


def test_what_a_closed_sink_left_is_sent_by_the_next(tmp_path: Path) -> None:
    """A spool outlives its sink, and its receiver too."""
    with receiving(always(Reply(503))) as down:
        first = HttpSink(down.url, tmp_path, retry=SWIFT)
        first.emit(declared())
        first.emit(entered(1))
        assert not first.close(0.1)
        wait_until(lambda: first._running[""].sender.ended)
        port, url = down.port, down.url
    up = Receiver(port=port)
    try:
        second = HttpSink(url, tmp_path)

        assert second.flush(PATIENCE_S)

        assert up.shopper_ids == ["e-1"]
        assert second.close(PATIENCE_S)
        assert list(tmp_path.iterdir()) == []
    finally:
        up.stop()


def wait_until(true) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_collected_sink_sends_what_it_holds(receiver: Receiver, spool: Path | None) -> None:
    """Who forgets to close loses nothing while the process lives."""
    sink = HttpSink(receiver.url, spool)
    sink.emit(entered(1))

    del sink
    gc.collect()

    wait_until(lambda: receiver.shopper_ids == ["e-1"])


def test_a_flush_in_between_does_not_hurry_a_failing_receiver(receiver: Receiver) -> None:
    """However often somebody flushes, the waits between tries stand."""
    receiver.behave = always(Reply(503, headers={"Retry-After": "30"}))
    sink = HttpSink(receiver.url)
    sink.emit(entered(1))

    for _ in range(20):
        sink.flush(0.01)

    assert len(receiver.requests) == 1
    sink.close(0)


def test_one_failing_sink_delays_no_other(receiver: Receiver, tmp_path: Path) -> None:
    """Beside a receiver that hangs another one gets everything, in the time of one flush."""
    with receiving(always(Reply(fault="hang"))) as hung:
        stuck = HttpSink(hung.url, tmp_path, batch=SOON)
        fine = HttpSink(receiver.url)
        funnel = Funnel("checkout", steps=("cart",), sink=(stuck, fine))

        for number in range(100):
            funnel.checkout(number).enter("cart")
        assert not funnel.flush(1.0)

        assert fine.stats.written == 100
        funnel.close(0)


def test_uwsgi_without_threads_is_told(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """There the thread would never run; who starts it is told how to mend that."""
    uwsgi = type(sys)("uwsgi")
    uwsgi.opt = {"http": b":8000"}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)

    HttpSink(receiver.url).emit(entered(1))

    assert "set enable-threads = true" in caplog.text


def test_uwsgi_with_threads_is_fine(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is said where threads run."""
    uwsgi = type(sys)("uwsgi")
    uwsgi.opt = {"enable-threads": True}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)

    HttpSink(receiver.url).emit(entered(1))

    assert "uWSGI" not in caplog.text


def test_a_missing_extra_is_one_sentence() -> None:
    """Who has no urllib3 reads what to install."""
    import subprocess

    program = "import sys; sys.modules['urllib3'] = None; import lastclick.sinks.http"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    last = done.stderr.splitlines()[-1]
    assert last.endswith("needs the extra 'http': pip install 'lastclick[http]'")


def test_a_spool_that_cannot_be_made_costs_no_sale(
    receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, told once, and works as soon as it can be made."""
    spool = tmp_path / "spool"
    sink = HttpSink(receiver.url, spool)
    funnel = Funnel("checkout", steps=("cart",), sink=sink)
    spool.rmdir()
    spool.write_text("in the way")

    funnel.checkout("c-1").enter("cart")
    assert not sink.flush(0.1)
    assert sink.stats.lost == {"no_spool": 1}
    spool.unlink()
    funnel.checkout("c-2").enter("cart")

    assert funnel.close(PATIENCE_S)
    assert funnel.stats.undelivered == {"no_spool": 1}
    assert len(receiver.shopper_ids) == 1
    assert len(receiver.records("funnel_declared")) == 1
    assert receiver.records("events_lost")[0]["count"] == 1
    assert len(caplog.records) == 1


def test_the_report_is_the_same_at_both_ends(receiver: Receiver, tmp_path: Path) -> None:
    """What the receiver got is a log like the one that a file sink beside it wrote."""
    from lastclick.sinks import FileSink

    sinks = (FileSink(tmp_path / "log"), HttpSink(receiver.url, tmp_path / "spool"))
    with Funnel("checkout", steps=("cart", "payment"), sink=sinks) as funnel:
        for number in range(50):
            checkout = funnel.checkout(number)
            checkout.enter("cart", value=("59.90", "EUR"))
            if number % 3:
                checkout.enter("payment")
                checkout.complete(f"o-{number}", total=("59.90", "EUR"))

    there = measure([parse_line(line) for line in receiver.taken])
    assert there.to_dict() == measure(read_log(tmp_path / "log")).to_dict()


def test_records_of_a_funnel_reach_the_receiver(receiver: Receiver, spool: Path | None) -> None:
    """Declarations and what a funnel rejected are sent as events are."""
    sink = HttpSink(receiver.url, spool)

    sink.emit(declared())
    sink.emit(lost(3))
    assert sink.flush(PATIENCE_S)

    assert [json.loads(line)["type"] for line in receiver.taken] == [
        "funnel_declared",
        "events_lost",
    ]
    assert sink.stats.written == 0


def test_at_most_a_log_line_a_minute(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, spool: Path | None
) -> None:
    """A receiver that fails for long fills no log."""
    receiver.behave = always(Reply(500))
    sink = HttpSink(receiver.url, spool, retry=SWIFT, batch=SOON)

    with caplog.at_level(logging.DEBUG, "lastclick"):
        for number in range(100):
            sink.emit(entered(number))
        wait_until(lambda: len(receiver.requests) > 20)

    assert len([one for one in caplog.records if one.name == "lastclick"]) == 1
    sink.close(0)


def test_closed_is_refused_and_counted(receiver: Receiver, spool: Path | None) -> None:
    """After close an event is refused, and stays counted."""
    sink = HttpSink(receiver.url, spool)
    sink.emit(entered(1))
    sink.close(PATIENCE_S)

    with pytest.raises(DeliveryError, match="is closed; it refused a step_entered"):
        sink.emit(entered(2))

    assert sink.stats.lost == {"closed": 1}
    assert HttpSink(receiver.url).close(0)
