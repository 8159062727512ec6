"""ASGI: Starlette, FastAPI and Litestar, and a server that knows none of them."""

import asyncio
import gc
import weakref
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("itsdangerous", reason="the extra 'asgi' is not installed")
pytest.importorskip("httpx")

import httpx

from lastclick import Funnel
from lastclick.errors import ConfigError
from lastclick.integrations.asgi import (
    Cookie,
    LastclickMiddleware,
    Rule,
    current_checkout,
    pattern,
    step,
)
from lastclick.sinks import MemorySink


@pytest.fixture
def sink():
    return MemorySink()


def funnel(sink):
    return Funnel("checkout", steps=("cart", "details", "payment"), sink=sink, on_error=id)


def told(sink):
    return [f"{event.type} {getattr(event, 'step', '')}" for event in sink.events]


def ask(app, *paths, headers=None, base="http://shop"):
    """The answers to several requests of one browser."""

    async def go():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url=base, headers={"User-Agent": "Firefox", **(headers or {})}
        ) as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(go())


def starlette():
    """Routes, a mount within a mount, templates."""
    pytest.importorskip("starlette")
    from jinja2 import DictLoader, Environment
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route
    from starlette.templating import Jinja2Templates

    templates = Jinja2Templates(env=Environment(loader=DictLoader({"pay.html": "pay"})))

    async def plain(request):
        return PlainTextResponse("plain")

    @step("details")
    async def details(request):
        return PlainTextResponse("details")

    def pay(request):  # in a thread
        current_checkout.enter("payment", value=("59.90", "EUR"))
        return templates.TemplateResponse(request, "pay.html", {"step": "pay"})

    async def order(request):
        request.state.lastclick.complete("o-1", ("59.90", "EUR"))
        return PlainTextResponse("thanks")

    inner = Mount("/{shop}", routes=[Route("/cart/{step}", plain), Route("/pay", pay)])
    routes = [
        Mount("/shops", routes=[inner]),
        Route("/details", details),
        Route("/order", order),
        Route("/files/{name:path}", plain),
        Route("/", plain),
    ]
    return Starlette(routes=routes)


def test_starlette_is_known_by_patterns_templates_and_decorators(sink):
    """Patterns have the prefixes of their mounts; templates tell what they were given."""
    app = starlette()
    app.add_middleware(
        LastclickMiddleware,
        funnel(sink),
        rules=[
            Rule("cart", view="/shops/{shop}/cart/{step}"),
            Rule("payment", template="pay.html", context={"step": "pay"}, reason="declined"),
            Rule("order", view="/order"),
        ],
        on_error=lambda error: pytest.fail(str(error)),
    )

    ask(app, "/", "/shops/acme/cart/1", "/details", "/shops/acme/pay", "/order", "/order")

    assert told(sink) == [
        "step_entered cart",
        "step_entered details",
        "step_entered payment",
        "step_failed payment",
        "order_completed ",
        "order_completed ",
    ]
    ids = [event.checkout_id for event in sink.events]
    assert ids[:4] == [ids[0]] * 4
    assert ids[4] == ids[0] != ids[5]  # the thank-you page, which here is the order's, ended it


def test_fastapi_is_known_by_patterns_with_the_prefixes_of_its_routers(sink):
    """Also through an included router."""
    fastapi = pytest.importorskip("fastapi")
    app, router = fastapi.FastAPI(), fastapi.APIRouter(prefix="/shop")

    @router.get("/cart/{number}")
    def cart(number: int):
        return {"number": number}

    @app.get("/pay")
    async def pay(request: fastapi.Request):
        request.state.lastclick.enter("payment")
        return {}

    app.include_router(router, prefix="/{tenant}")
    said = []
    rules = [Rule("cart", view="/{tenant}/shop/cart/{number}"), Rule("cart", view="/nowhere")]
    app.add_middleware(LastclickMiddleware, funnel(sink), rules=rules, on_error=said.append)

    ask(app, "/acme/shop/cart/7", "/pay")

    assert told(sink) == ["step_entered cart", "step_entered payment"]
    assert [str(error) for error in said] == [
        "Rule('cart', view='/nowhere'): there is no view '/nowhere'"
    ]


def test_litestar_is_known_by_patterns_and_decorators(sink):
    """As its middleware, or around it."""
    litestar = pytest.importorskip("litestar")
    from litestar.middleware import DefineMiddleware

    @litestar.get("/cart/{number:int}")
    async def cart() -> str:
        return "cart"

    @litestar.get("/pay")
    @step("payment")
    async def pay() -> str:
        return "pay"

    rules = [Rule("cart", view="/shop/cart/{number}"), Rule("cart", view="/nowhere")]
    said = []
    handlers = [litestar.Router("/shop", route_handlers=[cart, pay])]
    settings = {"rules": rules, "on_error": lambda error: said.append(str(error))}
    within = litestar.Litestar(
        handlers,
        middleware=[DefineMiddleware(LastclickMiddleware, funnel=funnel(sink), **settings)],
    )
    around = LastclickMiddleware(litestar.Litestar(handlers), funnel(sink), **settings)

    for app in (within, around):
        ask(app, "/shop/cart/7", "/shop/pay")

    assert told(sink) == ["step_entered cart", "step_entered payment"] * 2
    assert len({event.checkout_id for event in sink.events}) == 2
    # Litestar makes its own middleware anew for each route, and each is checked.
    assert said == ["Rule('cart', view='/nowhere'): there is no view '/nowhere'"] * 3


def test_the_cookie_comes_with_the_first_tracked_page(sink):
    """Not before; httponly, Lax, secure under TLS; and junk in it is replaced and counted."""
    cookie = Cookie(name="own", domain="shop.example")
    app = LastclickMiddleware(
        starlette(), funnel(sink), cookie=cookie, on_error=id, rules=[Rule("cart", path="/files/*")]
    )

    assert "set-cookie" not in ask(app, "/")[0].headers
    junk = {"Cookie": f"a=b; own={'x' * 8192}"}
    (response,) = ask(app, "/files/a/b", headers=junk, base="https://shop")

    parts = set(response.headers["set-cookie"].split("; "))
    assert {"HttpOnly", "SameSite=Lax", "Secure", "Domain=shop.example"} <= parts
    assert response.headers["vary"] == "Cookie"
    assert app.tracking.stats.faults == {"forged_cookie": 1}


def test_a_bare_application_is_tracked_by_path(sink):
    """No router, no state, several cookie headers; what is no request goes through."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b""})

    tracked = LastclickMiddleware(app, funnel(sink), rules=[Rule("cart", path="/cart")])
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/cart",
        "headers": [(b"cookie", b"a=1"), (b"Cookie", b"lastclick=" + b"a" * 22)],
    }
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(tracked(scope, None, send))
    asyncio.run(tracked({"type": "lifespan"}, None, send))

    assert seen == ["http", "lifespan"]
    assert sink.events[0].checkout_id == "a" * 22
    assert [name for name, _ in sent[0]["headers"]] == [b"set-cookie", b"vary"]


def test_templates_are_passed_on_to_a_server_that_asks(sink):
    """A test client that wants to know what was rendered still gets it."""
    app = LastclickMiddleware(starlette(), funnel(sink))
    sent = []

    async def send(message):
        sent.append(message["type"])

    async def receive():
        return {"type": "http.request"}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/shops/a/pay",
        "headers": [],
        "query_string": b"",
        "extensions": {"http.response.debug": {}},
    }
    asyncio.run(app(scope, receive, send))

    assert sent[0] == "http.response.debug"


def test_a_route_that_takes_any_path_keeps_its_prefix():
    """Its own part cannot be counted from the end."""

    class Route:
        path = "/files/{name:path}"

    scope = {
        "route": Route,
        "path": "/shop/files/a/b/c",
        "root_path": "/proxy/shop",
        "app_root_path": "/proxy",
    }

    assert pattern(scope) == "/shop/files/{name:path}"


def test_a_router_that_does_not_tell_is_not_checked(sink):
    """Rather than calling good rules wrong."""

    class Opaque:
        routes = (object(),)

    @asynccontextmanager
    async def never():
        yield

    async def app(scope, receive, send):
        scope["app"] = Opaque()
        await send({"type": "http.response.start", "status": 404})

    tracked = LastclickMiddleware(app, funnel(sink), rules=[Rule("cart", view="/x")])

    async def send(message):
        pass

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    asyncio.run(tracked(scope, None, send))

    assert tracked.tracking.stats.faults == {}


def test_a_request_leaves_nothing_to_the_garbage_collector(sink):
    """Its handle is gone with it; a task that goes on finds the same attempt."""
    handles, attempts, tasks = [], [], []

    async def later():
        await asyncio.sleep(0)
        attempts.append(current_checkout.checkout_id)

    async def app(scope, receive, send):
        handles.append(weakref.ref(scope["state"]["lastclick"]))
        attempts.append(current_checkout.checkout_id)
        tasks.append(asyncio.create_task(later()))

    async def go():
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await LastclickMiddleware(app, funnel(sink))(scope, None, None)
        assert scope["state"]["lastclick"] is current_checkout
        await tasks.pop()
        del scope
        await asyncio.sleep(0)
        assert handles[0]() is None

    gc.disable()
    try:
        asyncio.run(go())
    finally:
        gc.enable()

    assert attempts[0] == attempts[1] is not None


def start(app):
    """What a server does before the first request; what the app answered."""
    asked, answers = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], []

    async def receive():
        return asked.pop(0)

    async def send(message):
        answers.append(message["type"])

    asyncio.run(app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
    return answers


@pytest.mark.parametrize("place", ["added", "around", "around another"])
def test_rules_are_checked_when_the_app_starts(sink, place):
    """Before the first request, against the routes, and once; the app starts all the same."""
    pytest.importorskip("starlette")
    from starlette.applications import Starlette
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.routing import Route

    @step("pay")
    async def cart(request):
        raise AssertionError

    app, said = Starlette(routes=[Route("/cart", cart)]), []
    settings = {"rules": [Rule("cart", view="/basket")], "on_error": said.append}
    if place == "added":
        app.add_middleware(LastclickMiddleware, funnel=funnel(sink), **settings)
    else:
        within = GZipMiddleware(app) if place == "around another" else app
        app = LastclickMiddleware(within, funnel(sink), **settings)

    assert start(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert [str(error) for error in said] == [
        "Rule('cart', view='/basket'): there is no view '/basket'",
        "Rule('pay'): the funnel has no step 'pay'; it has cart, details, payment",
    ]
    ask(app, "/")
    assert len(said) == 2


def test_litestar_is_checked_when_it_starts(sink):
    """Where the middleware is around it."""
    litestar = pytest.importorskip("litestar")

    @litestar.get("/cart/{number:int}")
    @step("pay")
    async def cart() -> str:
        return "cart"

    said = []
    rules = [Rule("cart", view="/cart/{number}"), Rule("cart", view="/basket")]
    app = LastclickMiddleware(
        litestar.Litestar([cart]), funnel(sink), rules=rules, on_error=said.append
    )

    assert start(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert ["no view '/basket'" in str(said[0]), "no step 'pay'" in str(said[1])] == [True, True]


def test_a_router_that_raises_is_not_checked(sink):
    """Nothing of ours keeps an app from starting."""

    class Odd:
        routes = 5

        async def __call__(self, scope, receive, send):
            await send({"type": "lifespan.startup.complete"})

    app = LastclickMiddleware(Odd(), funnel(sink), rules=[Rule("cart", view="/x")])

    assert start(app) == ["lifespan.startup.complete"]
    assert app.tracking.stats.faults == {}


def test_an_unknown_setting_is_refused(sink):
    """By its name, beside those that there are."""
    with pytest.raises(ConfigError, match="no setting 'rulez'; there are funnel, rules, cookie"):
        LastclickMiddleware(starlette(), funnel(sink), rulez=[])


def test_outside_a_request_the_handle_counts():
    """It is never None."""
    before = current_checkout.outside

    current_checkout.enter("cart")

    assert current_checkout.outside == before + 1
