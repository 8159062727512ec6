"""What the middlewares cost a request: Django, Flask, Starlette; tracked pages and others.

    python -m benchmarks.request

Each framework answers in this process, without a server. The same page is asked for in turns: by
the bare app, by the tracked app where no rule fits, and where one does (a step with a cart value is
appended to a `FileSink`, and the cookie is read and set). Times are CPU times of the thread, which
stand on a busy machine. Under ASGI nothing in between waits, so a request's time is also how long
it holds the event loop.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.child import machine, table
from lastclick import Funnel
from lastclick.sinks import FileSink

COOKIE = "lastclick=" + "a" * 22
Ask = Callable[[], object]


def funnel(folder: str) -> Funnel[Any]:
    return Funnel("checkout", steps=("cart", "payment"), sink=FileSink(folder))


def value(_: object) -> tuple[str, str]:
    return ("59.90", "EUR")


def django_pages(folder: str) -> dict[str, Ask]:
    """Django's own handler, with no other middleware."""
    import django
    from django.conf import settings
    from django.core.handlers.base import BaseHandler
    from django.http import HttpResponse
    from django.test import RequestFactory
    from django.test.utils import override_settings
    from django.urls import path

    from lastclick.integrations.django import Rule

    def page(_: object) -> HttpResponse:
        return HttpResponse("a page")

    class Urls:
        urlpatterns = (path("cart/", page, name="cart"), path("other/", page, name="other"))

    settings.configure(
        SECRET_KEY="benchmark",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=Urls,
        LASTCLICK={
            "funnel": funnel(folder),
            "rules": [Rule("payment", template="pay.html"), Rule("cart", view="cart")],
            "value": value,
        },
    )
    django.setup()

    def handler(*middleware: str) -> Callable[[str], Ask]:
        made = BaseHandler()
        with override_settings(MIDDLEWARE=middleware):
            made.load_middleware()
        factory = RequestFactory(headers={"Cookie": COOKIE, "User-Agent": "Firefox"})
        return lambda where: lambda: made.get_response(factory.get(where))

    bare, tracked = handler(), handler("lastclick.integrations.django.LastclickMiddleware")
    return {"bare": bare("/cart/"), "no rule": tracked("/other/"), "tracked": tracked("/cart/")}


def flask_pages(folder: str) -> dict[str, Ask]:
    from flask import Flask
    from werkzeug.test import EnvironBuilder

    from lastclick.integrations.flask import FlaskLastclick, Rule

    def app() -> Flask:
        made = Flask("shop")
        made.add_url_rule("/cart", "cart", lambda: "a page")
        made.add_url_rule("/other", "other", lambda: "a page")
        return made

    bare, tracked = app(), app()
    rules = [Rule("cart", view="cart")]
    FlaskLastclick(funnel(folder), rules=rules, value=value).init_app(tracked)

    def asking(made: Flask, where: str) -> Ask:
        headers = {"Cookie": COOKIE, "User-Agent": "Firefox"}
        environ = EnvironBuilder(where, headers=headers).get_environ()
        return lambda: b"".join(made.wsgi_app(dict(environ), lambda *_: None))

    return {
        "bare": asking(bare, "/cart"),
        "no rule": asking(tracked, "/other"),
        "tracked": asking(tracked, "/cart"),
    }


def starlette_pages(folder: str) -> dict[str, Ask]:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from lastclick.integrations.asgi import LastclickMiddleware, Rule

    async def page(_: object) -> PlainTextResponse:
        return PlainTextResponse("a page")

    def app() -> Starlette:
        return Starlette(routes=[Route("/cart/{number}", page), Route("/other/{number}", page)])

    bare, tracked = app(), app()
    rules = [Rule("cart", view="/cart/{number}")]
    tracked.add_middleware(LastclickMiddleware, funnel=funnel(folder), rules=rules, value=value)
    headers = [(b"cookie", COOKIE.encode()), (b"user-agent", b"Firefox")]

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(_: object) -> None:
        pass

    def asking(made: Starlette, where: str) -> Ask:
        scope = {"type": "http", "method": "GET", "path": where, "headers": headers}

        def ask() -> None:
            # Nothing in it waits: the coroutine runs to its end in one go.
            asyncio.get_event_loop().run_until_complete(made(dict(scope), receive, send))

        return ask

    return {
        "bare": asking(bare, "/cart/7"),
        "no rule": asking(tracked, "/other/7"),
        "tracked": asking(tracked, "/cart/7"),
    }


FRAMEWORKS = {"Django": django_pages, "Flask": flask_pages, "Starlette": starlette_pages}


@contextmanager
def event_loop() -> Iterator[None]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def measured(pages: dict[str, Ask], requests: int) -> dict[str, list[float]]:
    """Microseconds of each request, the pages in turns."""
    times: dict[str, list[float]] = {name: [] for name in pages}
    for number in range(requests + 100):
        for name, ask in pages.items():
            began = time.thread_time()
            ask()
            if number >= 100:
                times[name].append((time.thread_time() - began) * 1e6)
    return times


def report(requests: int) -> str:
    """Measure all frameworks; return Markdown."""
    rows = []
    for framework, make in FRAMEWORKS.items():
        with tempfile.TemporaryDirectory() as folder, event_loop():
            times = measured(make(folder), requests)
        bare = statistics.median(times["bare"])
        for name, taken in times.items():
            median = statistics.median(taken)
            late, longest = statistics.quantiles(taken, n=1000)[-1], max(taken)
            more = "" if name == "bare" else f"{median - bare:.0f}"
            rows.append((framework, name, f"{median:.0f}", more, f"{late:.0f}", f"{longest:.0f}"))
    header = ("framework", "page", "median us", "more us", "p99.9 us", "longest us")
    return f"## One request\n\n{table(header, rows)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.request", description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    arguments = parser.parse_args()
    print(f"{machine()}\n\n{report(arguments.requests)}")
