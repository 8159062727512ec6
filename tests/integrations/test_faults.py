"""What goes wrong around a request harms no page and is counted: Django, Flask and ASGI."""

import asyncio
import contextlib
import socket

import pytest

from lastclick import Funnel, read_log
from lastclick.errors import DeliveryError
from lastclick.sinks import FileSink, MemorySink
from tests.disks import fill

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"
STEPS = ("cart", "details", "payment")


class Answer:
    """Status, body, and the value of our cookie, if it was set."""

    def __init__(self, status, body, cookie):
        self.status, self.body, self.cookie = status, body, cookie


class DjangoShop:
    def __init__(self, funnel):
        pytest.importorskip("django", reason="the extra 'django' is not installed")
        from django.test.utils import override_settings

        from tests.integrations.djangoshop import settings

        own = {**settings.LASTCLICK, "funnel": funnel, "on_error": lambda _: None}
        self.settings = override_settings(LASTCLICK=own)
        self.settings.enable()

    def ask(self, cookie=None):
        from django.test import Client

        headers = {"User-Agent": AGENT}
        if cookie is not None:
            headers["Cookie"] = cookie
        response = Client(headers=headers).get("/cart/")
        set_to = response.cookies.get("lastclick")
        return Answer(response.status_code, response.content, set_to and set_to.value)

    @property
    def stats(self):
        from lastclick.integrations.django import tracking

        return tracking().stats

    def close(self):
        self.settings.disable()


class FlaskShop:
    def __init__(self, funnel):
        pytest.importorskip("flask", reason="the extra 'flask' is not installed")
        from flask import Flask

        from lastclick.integrations.flask import FlaskLastclick, Rule

        self.app = Flask("shop")
        self.app.add_url_rule("/cart", "cart", lambda: "cart")
        rules = [Rule("cart", view="cart")]
        FlaskLastclick(funnel, rules=rules, on_error=lambda _: None).init_app(self.app)

    def ask(self, cookie=None):
        headers = {"User-Agent": AGENT, **({} if cookie is None else {"Cookie": cookie})}
        response = self.app.test_client(use_cookies=False).get("/cart", headers=headers)
        return Answer(response.status_code, response.data, value_of(response.headers))

    @property
    def stats(self):
        return self.app.extensions["lastclick"].stats

    def close(self):
        pass


class StarletteShop:
    def __init__(self, funnel):
        pytest.importorskip("itsdangerous", reason="the extra 'asgi' is not installed")
        pytest.importorskip("httpx")
        pytest.importorskip("starlette")
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        from lastclick.integrations.asgi import LastclickMiddleware, Rule

        async def page(request):
            return PlainTextResponse("cart")

        self.app = LastclickMiddleware(
            Starlette(routes=[Route("/cart", page)]),
            funnel,
            rules=[Rule("cart", view="/cart")],
            on_error=lambda _: None,
        )

    def ask(self, cookie=None):
        import httpx

        headers = {"User-Agent": AGENT}
        if cookie is not None:
            headers["Cookie"] = cookie.encode("latin-1")

        async def go():
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return await client.get("/cart", headers=headers)

        response = asyncio.run(go())
        return Answer(response.status_code, response.content, value_of(response.headers))

    @property
    def stats(self):
        return self.app.tracking.stats

    def close(self):
        pass


def value_of(headers):
    found = headers.get("Set-Cookie")
    return None if found is None else found.split("=", 1)[1].split(";")[0]


@pytest.fixture(params=[DjangoShop, FlaskShop, StarletteShop])
def open_shop(request):
    """Opens a shop of each framework, whose one page is a step of the funnel."""
    with contextlib.ExitStack() as shops:

        def make(sink):
            funnel = Funnel("checkout", steps=STEPS, sink=sink, on_error=lambda _: None)
            shop = request.param(funnel)
            shop.funnel = funnel
            shops.callback(shop.close)
            return shop

        yield make


def test_a_full_disk_harms_no_page(open_shop, small_disk):
    """What was lost is counted, and written to the log once there is room again."""
    shop = open_shop(FileSink(small_disk))
    ballast = fill(small_disk)

    answers = [shop.ask() for _ in range(20)]

    assert {(answer.status, answer.body) for answer in answers} == {(200, b"cart")}
    assert all(answer.cookie for answer in answers)
    lost = shop.funnel.stats.undelivered["disk_full"]
    assert lost >= 20  # and the declaration, each time

    ballast.unlink()
    shop.ask()
    assert shop.funnel.close()
    records = list(read_log(small_disk))
    written = {event.type: 0 for event in records}
    for event in records:
        written[event.type] += getattr(event, "count", 1)
    assert written["step_entered"] == 1
    assert written["events_lost"] == lost


def test_a_receiver_that_is_down_harms_no_page(open_shop):
    """Nothing waits for the network; what was not delivered in the end is counted."""
    pytest.importorskip("urllib3", reason="the extra 'http' is not installed")
    from lastclick.sinks.http import HttpSink

    with socket.socket() as nobody:  # bound and not listening: connections are refused
        nobody.bind(("127.0.0.1", 0))
        sink = HttpSink(f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        shop = open_shop(sink)

        answers = [shop.ask() for _ in range(3)]
        shop.funnel.close(0.0)

    assert {(answer.status, answer.body) for answer in answers} == {(200, b"cart")}
    stats = sink.stats  # a declaration that waits is pending, one that is gone is no loss
    assert stats.written == 0
    assert stats.pending + sum(stats.lost.values()) in (3, 4)


@pytest.mark.parametrize("error", [DeliveryError("down", "down"), RuntimeError("a bug")])
def test_a_sink_that_raises_harms_no_page(open_shop, error):
    """Whatever it raises is counted."""

    class Broken(MemorySink):
        def emit(self, event, /):
            raise error

    shop = open_shop(Broken())

    answer = shop.ask()

    assert (answer.status, answer.body) == (200, b"cart")
    assert sum(shop.funnel.stats.undelivered.values()) >= 1


@pytest.mark.parametrize(
    "cookie",
    [
        "lastclick=' OR 1=1 --",
        "lastclick=" + "a" * 21 + "!",
        "lastclick=" + "x" * 8192,
        "lastclick=" + '"\\000' * 2000,
        "lastclick=\xff\xfe",
    ],
    ids=["words", "nearly", "8 kB", "8 kB of escapes", "bytes"],
)
def test_a_forged_cookie_harms_no_page(open_shop, cookie):
    """It is replaced by one of ours and counted, and nothing of it gets into the log."""
    sink = MemorySink()
    shop = open_shop(sink)

    answer = shop.ask(cookie)

    assert (answer.status, answer.body) == (200, b"cart")
    assert answer.cookie == sink.events[0].checkout_id
    assert len(answer.cookie) == 22
    assert shop.stats.faults == {"forged_cookie": 1}


def test_8_kb_of_junk_beside_our_cookie_harm_no_page(open_shop):
    """Ours is still found, and is no fault."""
    sink = MemorySink()
    shop = open_shop(sink)

    answer = shop.ask("; ".join(["junk=" + "x" * 8192, "lastclick=" + "a" * 22, "x=y"]))

    assert (answer.status, answer.cookie) == (200, "a" * 22)
    assert sink.events[0].checkout_id == "a" * 22
    assert shop.stats.faults == {}
