"""The one dict of settings, ``LASTCLICK``, read in one place."""

import inspect
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from lastclick.errors import ConfigError, shown
from lastclick.integrations._visit import Tracking

#: Those that may be named by a dotted path, so that settings need not import the shop.
_NAMED = frozenset(
    "funnel rules cookie checkout_id customer_id attributes value consent staff has_ordered "
    "on_error".split()
)
_ARGUMENTS = frozenset(inspect.signature(Tracking).parameters)


@cache
def tracking() -> Tracking:
    """How this shop is tracked, as its setting ``LASTCLICK`` says.

    ``LASTCLICK`` is a dict with the arguments of `Tracking`; objects may be named by their dotted
    paths. ``"log"`` is the directory that the report reads. Without ``"secret"``, ``SECRET_KEY``
    signs; without ``"staff"``, users with ``is_staff`` are marked.

    Raises:
        ConfigError: A setting is missing or cannot be used.

    Example:
        >>> tracking().funnel.name
        'checkout'

    .. versionadded:: 0.1.0
    """
    given = getattr(settings, "LASTCLICK", None)
    if not isinstance(given, dict) or "funnel" not in given:
        msg = (
            f"LASTCLICK is {shown(given)}; in settings.py, "
            f"write LASTCLICK = {{'funnel': 'shop.tracking.funnel'}}"
        )
        raise ConfigError(msg)
    unknown = set(given) - _ARGUMENTS - {"log"}
    if unknown:
        known = ", ".join(sorted(_ARGUMENTS | {"log"}))
        raise ConfigError(f"LASTCLICK has no setting {min(unknown)!r}; it has {known}")
    log = given.get("log")
    if not (log is None or isinstance(log, str | Path)):
        raise ConfigError(f"LASTCLICK['log'] is {shown(log)}; pass the directory of the log")
    found: dict[str, Any] = {"secret": settings.SECRET_KEY, "staff": _is_staff}
    found |= {name: _found(name, value) for name, value in given.items() if name != "log"}
    return Tracking(**found)


def log_directory() -> Any:
    """Where the log is, for the report."""
    tracking()  # which says what is wrong with the settings
    named = settings.LASTCLICK.get("log")
    if named is None:
        msg = "the report reads a log; name it: LASTCLICK = {'log': 'var/lastclick', ...}"
        raise ConfigError(msg)
    return named


def _found(name: str, value: object) -> object:
    if name not in _NAMED or not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError as error:
        raise ConfigError(f"LASTCLICK[{name!r}] is {value!r}: {error}") from None


def _is_staff(request: Any) -> bool:
    user = getattr(request, "user", None)
    return bool(getattr(user, "is_staff", False))


def _changed(*, setting: str, **_: object) -> None:
    if setting == "LASTCLICK":
        tracking.cache_clear()


setting_changed.connect(_changed)
