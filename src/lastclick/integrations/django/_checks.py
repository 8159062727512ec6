"""What ``manage.py check`` says: rules against the URL configuration and the templates."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import URLPattern, URLResolver, get_resolver

from lastclick.errors import ConfigError
from lastclick.integrations.django._settings import tracking

_MIDDLEWARE = "lastclick.integrations.django.LastclickMiddleware"
_BEFORE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


def found() -> list[checks.CheckMessage]:
    """All that is wrong, or looks so."""
    try:
        own = tracking()
    except ConfigError as error:
        return [checks.Error(str(error), id="lastclick.E001")]
    wrong = own.problems(named_views(), _has_template)
    messages: list[checks.CheckMessage] = [
        checks.Error(sentence, id="lastclick.E002") for sentence in wrong
    ]
    messages += [checks.Warning(text, id="lastclick.W001") for text in _about_middleware()]
    return messages


def _about_middleware() -> Iterator[str]:
    chain = list(settings.MIDDLEWARE)
    if _MIDDLEWARE not in chain:
        yield f"MIDDLEWARE has no {_MIDDLEWARE!r}: nothing is recorded"
        return
    for above in _BEFORE:
        if above in chain and chain.index(above) > chain.index(_MIDDLEWARE):
            yield f"{_MIDDLEWARE!r} stands above {above!r}: move it below, so that it knows staff"


def named_views() -> Iterator[tuple[str, Any]]:
    """The name of every view, with its namespaces, and the view."""
    yield from _named(get_resolver().url_patterns, ())


def _named(patterns: Any, spaces: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            space = (pattern.namespace,) if pattern.namespace else ()
            yield from _named(pattern.url_patterns, spaces + space)
        elif isinstance(pattern, URLPattern):
            name = pattern.name or pattern.lookup_str
            yield ":".join((*spaces, name)), pattern.callback


def _has_template(name: str) -> bool:
    try:
        get_template(name)
    except TemplateDoesNotExist:
        return False
    except Exception:  # noqa: BLE001 - there is one, and what is wrong with it is not ours to say
        return True
    return True
