"""ASGI shops: Starlette, FastAPI, Litestar. Needs the extra ``asgi``."""

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from http.cookies import SimpleCookie
from typing import Any, TypeAlias

from lastclick import Funnel

try:
    from lastclick.integrations._identity import Cookie, cookie_in
    from lastclick.integrations._rules import Answer, Rule, own_rules, step
    from lastclick.integrations._visit import (
        RequestCheckout,
        Tracking,
        TrackingStats,
        Visit,
        tracking_by,
    )
except ModuleNotFoundError as error:
    msg = "lastclick.integrations.asgi needs the extra 'asgi': pip install 'lastclick[asgi]'"
    raise ModuleNotFoundError(msg, name=error.name) from None

__all__ = [
    "Cookie",
    "LastclickMiddleware",
    "RequestCheckout",
    "Rule",
    "Tracking",
    "TrackingStats",
    "current_checkout",
    "step",
]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Starlette's templates tell by it what they were given.
_RENDERED = "http.response.debug"

_visit: ContextVar[Visit | None] = ContextVar("lastclick_asgi_visit", default=None)

#: The handle of the request that is being answered.
current_checkout = RequestCheckout(_visit.get)


class _Asked:
    """A request, as the core reads it."""

    __slots__ = ("request",)

    def __init__(self, scope: Scope) -> None:
        self.request = scope

    @property
    def line(self) -> str:
        return f"{self.request['method']} {self.request['path']}"

    @property
    def path(self) -> str:
        return str(self.request["path"])

    @property
    def tls(self) -> bool:
        return self.request.get("scheme") == "https"

    def cookie(self, name: str, /) -> str | None:
        return cookie_in(self.header("cookie"), name)

    def header(self, name: str, /) -> str | None:
        wanted = name.lower().encode("latin-1")
        values = [value for key, value in self.request["headers"] if key.lower() == wanted]
        return b"; ".join(values).decode("latin-1") if values else None


class LastclickMiddleware:
    """Tracks the checkout of an ASGI shop.

    Every request gets its handle as ``request.state.lastclick``, and `current_checkout` anywhere
    below. A hook is given the request's scope, and must not wait: it runs on the event loop. A
    rule's ``view`` is the route's pattern with the prefixes of its mounts; a rule's ``template``
    fits Starlette's `TemplateResponse`.

    Args:
        app: The application.
        funnel: Where to.
        settings: The arguments of `Tracking`.

    Raises:
        ConfigError: A setting cannot be used.

    Example:
        >>> from lastclick.sinks import MemorySink
        >>> async def app(scope, receive, send):
        ...     current_checkout.enter("cart")
        >>> tracked = LastclickMiddleware(
        ...     app,
        ...     Funnel("checkout", steps=("cart", "payment"), sink=MemorySink()),
        ...     rules=[Rule("payment", view="/checkout/{step}")],
        ... )
        >>> tracked.tracking.stats.told
        0

    .. versionadded:: 0.1.0
    """

    def __init__(self, app: App, funnel: Funnel[Any], **settings: Any) -> None:
        self.app = app
        self.tracking = tracking_by({"funnel": funnel, **settings})
        self._checked = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, and record what the answer means."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, self._starting(scope, send))
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        visit = Visit(self.tracking, _Asked(scope))
        state = scope.setdefault("state", {})
        state["lastclick"] = RequestCheckout(lambda: visit)
        extensions = scope.get("extensions") or {}
        passed_on = _RENDERED in extensions
        scope["extensions"] = {**extensions, _RENDERED: extensions.get(_RENDERED, {})}
        rendered: list[tuple[str, Any]] = []

        async def watched(message: Message) -> None:
            if message["type"] == _RENDERED:
                info = message.get("info", {})
                name = str(getattr(info.get("template"), "name", ""))
                rendered.append((name, info.get("context")))
                if not passed_on:  # the server did not ask for it
                    return
            elif message["type"] == "http.response.start":
                self._end(visit, scope, message, rendered)
            await send(message)

        token = _visit.set(visit)
        try:
            await self.app(scope, receive, watched)
        finally:
            _visit.reset(token)
            # Tasks that go on find the same visit by their context. The request's own handle would
            # hold the request that holds it, and leave both to the garbage collector.
            state["lastclick"] = current_checkout

    def _starting(self, scope: Scope, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":  # all routes are there by now
                self._check(scope)
            await send(message)

        return watched

    def _check(self, scope: Scope) -> None:
        """Report the rules that fit nothing; once."""
        if not self._checked:
            self._checked = True
            views = None
            with suppress(Exception):  # a router of which we know nothing is not checked
                views = _views(scope, self.app)
            for sentence in self.tracking.problems(views):
                self.tracking.fault("bad_rule", sentence)

    def _end(
        self, visit: Visit, scope: Scope, message: Message, rendered: list[tuple[str, Any]]
    ) -> None:
        self._check(scope)  # where a server knows no lifespan
        answer = Answer(
            method=scope["method"],
            path=scope["path"],
            status=message["status"],
            view=pattern(scope),
            templates=[name for name, _ in rendered],
            context=rendered[-1][1] if rendered else None,
            own=own_rules(_view(scope)),
        )
        rule = visit.matched(answer)
        if rule is not None:
            visit.answered(rule, answer)
        value = visit.cookie()
        if value is not None:
            header = _set_cookie(self.tracking.cookie, value, secure=visit.is_secure())
            # A page with somebody's id is nobody else's.
            more = [(b"set-cookie", header.encode("latin-1")), (b"vary", b"Cookie")]
            message["headers"] = [*message.get("headers", ()), *more]


def _set_cookie(cookie: Cookie, value: str, *, secure: bool) -> str:
    jar = SimpleCookie({cookie.name: value})
    morsel = jar[cookie.name]
    morsel["max-age"] = int(cookie.max_age.total_seconds())
    morsel["path"] = cookie.path
    morsel["httponly"] = True
    morsel["samesite"] = cookie.samesite
    if cookie.domain is not None:
        morsel["domain"] = cookie.domain
    if secure:
        morsel["secure"] = True
    return str(morsel.OutputString())


def _view(scope: Scope) -> Any:
    handler = scope.get("route_handler")  # Litestar's
    return getattr(handler, "fn", None) if handler is not None else scope.get("endpoint")


def pattern(scope: Scope) -> str | None:
    """The pattern of the route that answered, with the prefixes of mounts and included routers.

    A router tells the innermost route only; what stands before it is taken from the path.
    """
    known = scope.get("path_template")  # Litestar's
    if known is not None:
        return str(known)
    own = getattr(scope.get("route"), "path", None)
    if own is None:
        return None
    server = scope.get("app_root_path", "")
    path = scope["path"].removeprefix(server) if server else scope["path"]
    if ":path}" in own:  # it may stand for any number of parts
        before = str(scope.get("root_path", "")).removeprefix(server)
    else:
        before = path.rsplit("/", own.count("/"))[0]
    inner = set(re.findall(r"{(\w+)", own))
    named = {
        str(value): name
        for name, value in scope.get("path_params", {}).items()
        if name not in inner
    }
    parts = [f"{{{named[part]}}}" if part in named else part for part in before.split("/")]
    return "/".join(parts) + str(own)


def _views(scope: Scope, app: Any) -> list[tuple[str, Any]] | None:
    """The patterns of all routes, and what stands there; None where the router does not tell."""
    routed = scope.get("app")
    while routed is None and app is not None:  # within other middlewares
        routed = app if hasattr(app, "routes") else None
        app = getattr(app, "app", None)
    routes = getattr(routed, "routes", None)
    if hasattr(routed, "route_handler_method_map"):  # Litestar's
        return [
            (route.path_format, getattr(handler, "fn", None))
            for route in routes or ()
            for handler in getattr(route, "route_handlers", (None,))
        ]
    found: list[tuple[str, Any]] = []
    return found if routes is not None and _walk(routes, "", found) else None


def _walk(routes: Iterable[Any], before: str, found: list[tuple[str, Any]]) -> bool:
    for route in routes:
        included = getattr(route, "original_router", None)  # FastAPI's include_router
        path = getattr(route, "path", None)
        if included is not None:
            prefix = getattr(getattr(route, "include_context", None), "prefix", None)
            if prefix is None or not _walk(included.routes, before + prefix, found):
                return False
        elif path is None:
            return False
        elif getattr(route, "routes", None) is not None:  # a mount
            if not _walk(route.routes, before + path, found):
                return False
        else:
            found.append((before + path, getattr(route, "endpoint", None)))
    return True
