"""The middleware: a handle on every request, and what its response means."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from typing_extensions import override

from lastclick import Checkout
from lastclick.errors import shown
from lastclick.integrations._rules import Answer, own_rules
from lastclick.integrations._visit import Id, Price, RequestCheckout, Tracking, Visit
from lastclick.integrations.django._settings import tracking as read_settings

_logger = logging.getLogger("lastclick")
_visit: ContextVar[Visit | None] = ContextVar("lastclick_visit", default=None)


class _Asked:
    """A request, as the core reads it."""

    __slots__ = ("request",)

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @property
    def line(self) -> str:
        return f"{self.request.method} {self.request.path}"

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def tls(self) -> bool:
        return self.request.is_secure()

    def cookie(self, name: str, /) -> str | None:
        return self.request.COOKIES.get(name)

    def header(self, name: str, /) -> str | None:
        return self.request.headers.get(name)


class DjangoCheckout(RequestCheckout):
    """The handle of a request in Django: an order is recorded once it is committed."""

    @override
    def complete(
        self,
        order_id: Id,
        total: Price,
        *,
        at: datetime | None = None,
        event_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Record the order when the transactions that are open are committed, and never otherwise.

        Outside a transaction that is at once. The view, a signal and a webhook may all say it.
        What ``on_error`` raises, the commit raises.
        """
        visit = self._visit()
        checkout = None if visit is None else visit.bound("complete", order_id, total)
        if visit is None or checkout is None:
            return

        def tell() -> None:
            visit.tracking._counts.told.add()
            checkout.complete(order_id, total, at=at, event_id=event_id, attributes=attributes)
            visit.ordered(order_id)

        on_commit(visit.tracking, tell)


#: The handle of the request that is being answered, for code that has no request at hand.
current_checkout = DjangoCheckout(_visit.get)


def on_commit(tracking: Tracking, tell: Callable[[], None]) -> None:
    """Call it when all transactions that are open are committed: at once where none is.

    Asks the connections that are there: making one would wait, and may not be in async code.
    A transaction that takes no callback is counted, and costs no page.
    """
    pending = 0

    def committed() -> None:
        nonlocal pending
        pending -= 1
        if pending == 0:
            tell()

    try:
        waits_for = [one for one in connections.all(initialized_only=True) if _is_open(one)]
        pending = len(waits_for)
        for connection in waits_for:
            connection.on_commit(committed)
    except Exception as error:  # noqa: BLE001 - the shop's database, after its order
        tracking.fault("not_committed", f"an order waits for a commit that cannot come: {error!r}")
        return
    if not waits_for:
        tell()


def _is_open(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction is under way; one without autocommit never tells of its end."""
    manual = connection.connection is not None and not connection.autocommit
    return connection.in_atomic_block or manual


def record_order(
    checkout_id: Id | None,
    order_id: Id,
    total: Price,
    *,
    customer_id: Id | None = None,
    at: datetime | None = None,
    event_id: Id | None = None,
    attributes: Mapping[str, object] | None = None,
) -> None:
    """Record an order outside the shopper's request, such as in a payment provider's webhook.

    It waits for the commit as the handle does. Saying it again does no harm: an order counts once,
    by its id. In a dry run, and for an attempt that was not recorded, it records nothing and counts
    in ``tracking().stats.unrecorded``.

    Args:
        checkout_id: The attempt's id, kept beside the order or in what the provider brings back;
            None or empty where the attempt was not recorded.
        order_id: The shop's own id of the order.
        total: What the shopper pays.
        customer_id: The shop's own id of the customer, where known.
        at: When, if not now; an aware datetime.
        event_id: The event's id, if there is a natural one.
        attributes: Flat facts about this event.

    Example:
        >>> record_order("c-1042", "o-981", ("59.90", "EUR"))

    .. versionadded:: 0.1.0
    """
    tracking = read_settings()
    if tracking.dry_run:
        _logger.info("record_order: would complete%s", shown((order_id, total)))
        tracking._counts.add("unrecorded", "dry_run")
        return
    if checkout_id is None or (isinstance(checkout_id, str) and not checkout_id):
        tracking._counts.add("unrecorded", "no_checkout_id")
        return
    checkout: Checkout[Any] = tracking.funnel.checkout(checkout_id, customer_id)

    def tell() -> None:
        tracking._counts.told.add()
        checkout.complete(order_id, total, at=at, event_id=event_id, attributes=attributes)

    on_commit(tracking, tell)


class LastclickMiddleware:
    """Gives every request its handle, ``request.lastclick``, and records what responses mean.

    Place it below the session's and the authentication's middleware. One class serves sync and
    async.

    Example:
        >>> MIDDLEWARE = [
        ...     "django.contrib.sessions.middleware.SessionMiddleware",
        ...     "django.contrib.auth.middleware.AuthenticationMiddleware",
        ...     "lastclick.integrations.django.LastclickMiddleware",
        ... ]

    .. versionadded:: 0.1.0
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.tracking = read_settings()
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer the request, and record what the answer means."""
        if self.is_async:
            return self._acall(request)
        visit = self._begin(request)
        token = _visit.set(visit)
        try:
            response = cast(HttpResponseBase, self.get_response(request))
            self._end(visit, request, response)
        finally:
            _visit.reset(token)
        return response

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        visit = self._begin(request)
        token = _visit.set(visit)
        try:
            response = cast(HttpResponseBase, await self.get_response(request))
            answer = _answer(request, response)
            rule = visit.matched(answer)
            if rule is not None:  # hooks of the shop may ask the database
                await sync_to_async(visit.answered)(rule, answer)
            self._set_cookie(visit, response)
        finally:
            _visit.reset(token)
        return response

    def _begin(self, request: HttpRequest) -> Visit:
        visit = Visit(self.tracking, _Asked(request))
        request.lastclick = DjangoCheckout(lambda: visit)  # type: ignore[attr-defined]
        return visit

    def _end(self, visit: Visit, request: HttpRequest, response: HttpResponseBase) -> None:
        answer = _answer(request, response)
        rule = visit.matched(answer)
        if rule is not None:
            visit.answered(rule, answer)
        self._set_cookie(visit, response)

    def _set_cookie(self, visit: Visit, response: HttpResponseBase) -> None:
        value = visit.cookie()
        if value is None:
            return
        cookie = self.tracking.cookie
        response.set_cookie(
            cookie.name,
            value,
            max_age=cookie.max_age,
            path=cookie.path,
            domain=cookie.domain,
            secure=visit.is_secure(),
            httponly=True,
            samesite=cookie.samesite,
        )
        patch_vary_headers(response, ("Cookie",))  # a page with somebody's id is nobody else's


def _answer(request: HttpRequest, response: HttpResponseBase) -> Answer:
    match = request.resolver_match
    return Answer(
        method=request.method or "",
        path=request.path,
        status=response.status_code,
        view=None if match is None else match.view_name,
        templates=_templates(response),
        context=getattr(response, "context_data", None),
        own=() if match is None else own_rules(match.func),
    )


def _templates(response: HttpResponseBase) -> tuple[str, ...]:
    """The names that a `TemplateResponse` was given; others do not tell."""
    named: Any = getattr(response, "template_name", None)
    several = named if isinstance(named, list | tuple) else () if named is None else (named,)
    # A view may also give a template itself, which knows its name.
    return tuple(
        str(one if isinstance(one, str) else getattr(getattr(one, "template", one), "name", ""))
        for one in several
    )
