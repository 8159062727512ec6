"""Flask shops. Needs the extra ``flask``."""

import json
from collections.abc import Mapping
from typing import Any

from lastclick import Funnel, measure, read_log
from lastclick.errors import ConfigError, LastclickError, shown

try:
    import click
    from flask import Flask, Request, Response, has_request_context, request, template_rendered
    from flask.cli import AppGroup

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
    msg = "lastclick.integrations.flask needs the extra 'flask': pip install 'lastclick[flask]'"
    raise ModuleNotFoundError(msg, name=error.name) from None

__all__ = [
    "Cookie",
    "FlaskLastclick",
    "RequestCheckout",
    "Rule",
    "Tracking",
    "TrackingStats",
    "current_checkout",
    "step",
]

#: Where this request's visit is kept, in its environment.
_VISIT = "lastclick.visit"
_TEMPLATES = "lastclick.templates"


class _Asked:
    """A request, as the core reads it."""

    __slots__ = ("request",)

    def __init__(self, asked: Request) -> None:
        self.request = asked

    @property
    def line(self) -> str:
        return f"{self.request.method} {self.request.path}"

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def tls(self) -> bool:
        return self.request.is_secure

    def cookie(self, name: str, /) -> str | None:
        # Flask's own reading passes over what is badly written; junk is to be counted.
        return cookie_in(self.request.headers.get("Cookie"), name)

    def header(self, name: str, /) -> str | None:
        return self.request.headers.get(name)


def _find() -> Visit | None:
    return request.environ.get(_VISIT) if has_request_context() else None


#: The handle of the request that is being answered.
current_checkout = RequestCheckout(_find)


class FlaskLastclick:
    """Tracks the checkout of a Flask shop.

    Settings may be given here, to `init_app`, or in ``app.config["LASTCLICK"]``; they are the
    arguments of `Tracking`, and ``log``, the directory that ``flask lastclick report`` reads.
    Without ``secret``, the app's secret key signs. A hook is given Flask's request.

    Args:
        funnel: Where to.
        settings: As above.

    Example:
        >>> from lastclick.sinks import MemorySink
        >>> lastclick = FlaskLastclick(
        ...     Funnel("checkout", steps=("cart", "payment"), sink=MemorySink()),
        ...     rules=[Rule("cart", template="cart.html"), Rule("order", view="shop.thanks")],
        ... )
        >>> app = Flask("shop")
        >>> lastclick.init_app(app)
        >>> app.extensions["lastclick"].stats.told
        0

    .. versionadded:: 0.1.0
    """

    def __init__(self, funnel: Funnel[Any] | None = None, **settings: Any) -> None:
        self._settings = settings if funnel is None else {"funnel": funnel, **settings}

    def init_app(self, app: Flask, funnel: Funnel[Any] | None = None, **settings: Any) -> None:
        """Track this app; its `Tracking` is ``app.extensions["lastclick"]``.

        Args:
            app: The app, with its secret key set.
            funnel: Where to, if it was not said before.
            settings: More settings; they come before those of the app and of the constructor.

        Raises:
            ConfigError: A setting is missing or cannot be used, or the app is tracked already.
        """
        if "lastclick" in app.extensions:
            known = app.extensions["lastclick"].funnel
            msg = (
                f"the app {app.name!r} is tracked already, by {known!r}; "
                f"one app has one funnel: record another in its views, with funnel.checkout()"
            )
            raise ConfigError(msg)
        of_app = app.config.get("LASTCLICK") or {}
        if not isinstance(of_app, Mapping):
            raise ConfigError(f"LASTCLICK is {shown(of_app)}; write it as a dict of settings")
        given = {**self._settings, **of_app, **settings}
        if funnel is not None:
            given["funnel"] = funnel
        log = given.pop("log", None)
        if given.get("funnel") is None:
            raise ConfigError("no funnel: FlaskLastclick(funnel).init_app(app)")
        tracking = tracking_by({"secret": app.secret_key or None, **given})
        app.extensions["lastclick"] = tracking
        shop = _Shop(tracking)
        app.before_request(shop.begin)
        app.after_request(shop.end)
        # The app keeps what the signal holds on to by a weak reference only.
        app.extensions["lastclick.shop"] = shop
        template_rendered.connect(shop.rendered, app)
        app.cli.add_command(_commands(app, tracking, log))

    @staticmethod
    def check(app: Flask) -> None:
        """Check the rules against the app's views and templates, once all blueprints are there.

        For the end of an application factory, or for a test of yours. An app that is not checked by
        then is checked at its first request, which only reports what is wrong.

        Args:
            app: The app that is tracked.

        Raises:
            ConfigError: A rule fits nothing that is there; the message has all such rules. Or the
                app is not tracked.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> app = Flask("shop")
            >>> funnel = Funnel("checkout", steps=("cart", "payment"), sink=MemorySink())
            >>> FlaskLastclick(funnel, rules=[Rule("cart", view="cart")]).init_app(app)
            >>> FlaskLastclick.check(app)
            Traceback (most recent call last):
            ...
            lastclick.errors.ConfigError: Rule('cart', view='cart'): there is no view 'cart'

        .. versionadded:: 0.1.0
        """
        wrong = problems(app)
        if wrong:
            raise ConfigError("; ".join(wrong))


class _Shop:
    """What happens before and after each request of one app."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self.checked = False

    def begin(self) -> None:
        if not self.checked:  # all blueprints are there by the first request
            self.checked = True
            for sentence in problems(_app()):
                self.tracking.fault("bad_rule", sentence)
        environ = request.environ
        environ[_VISIT] = Visit(self.tracking, _Asked(request._get_current_object()))  # type: ignore[attr-defined]
        environ[_TEMPLATES] = []

    def rendered(self, _: Flask, *, template: Any, context: dict[str, Any], **__: Any) -> None:
        if has_request_context():
            request.environ.get(_TEMPLATES, []).append((template.name, context))

    def end(self, response: Response) -> Response:
        environ = request.environ
        visit: Visit | None = environ.get(_VISIT)
        if visit is None or visit.tracking is not self.tracking:
            return response
        answer = _answer(response, environ[_TEMPLATES])
        rule = visit.matched(answer)
        if rule is not None:
            visit.answered(rule, answer)
        value = visit.cookie()
        if value is not None:
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
            response.vary.add("Cookie")  # a page with somebody's id is nobody else's
        return response


def _app() -> Flask:
    from flask import current_app

    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


def _answer(response: Response, rendered: list[tuple[str, dict[str, Any]]]) -> Answer:
    context: dict[str, Any] = {}
    for _, given in rendered:
        context.update(given)
    return Answer(
        method=request.method,
        path=request.path,
        status=response.status_code,
        view=request.endpoint,
        templates=[name for name, _ in rendered],
        context=context,
        own=own_rules(_app().view_functions.get(request.endpoint or "")),
    )


def problems(app: Flask) -> list[str]:
    """What is wrong with an app's rules, one sentence each."""
    tracking: Tracking | None = app.extensions.get("lastclick")
    if tracking is None:
        raise ConfigError(f"the app {app.name!r} is not tracked; call init_app before")

    def has_template(name: str) -> bool:
        try:
            app.jinja_env.get_template(name)
        except Exception as error:  # noqa: BLE001 - what is wrong with one is not ours to say
            return type(error).__name__ != "TemplateNotFound"
        return True

    return tracking.problems(app.view_functions.items(), has_template)


def _commands(app: Flask, tracking: Tracking, log: Any) -> AppGroup:
    group = AppGroup("lastclick", help="What the checkout loses, and whether the rules fit.")

    @group.command("report")
    @click.option("--log", "other", default=log, help="The log; by default the setting 'log'.")
    @click.option("--by", multiple=True, help="Group by an attribute.")
    @click.option("--format", "kind", type=click.Choice(["text", "json", "markdown"]))
    def report(other: Any, by: tuple[str, ...], kind: str | None) -> None:
        """Report on the log that the shop writes."""
        if other is None:
            raise click.ClickException("no log: FlaskLastclick(funnel, log='var/lastclick')")
        try:
            found = measure(read_log(other), tracking.funnel, by=by)
        except LastclickError as error:
            raise click.ClickException(str(error)) from None
        if kind == "json":
            click.echo(json.dumps(found.to_dict(), indent=2))
        else:
            click.echo(found.to_markdown() if kind == "markdown" else str(found))

    @group.command("check")
    def check() -> None:
        """Show the rules, and what is wrong with them."""
        click.echo(repr(tracking.funnel))
        for rule in tracking.rules:
            click.echo(f"  {rule!r}")
        wrong = problems(app)
        if wrong:
            raise click.ClickException("\n".join(wrong))
        click.echo("every rule fits what is there")

    return group
