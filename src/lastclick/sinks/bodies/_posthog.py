"""The body of PostHog's capture API."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from pydantic_core import to_json

from lastclick.errors import ConfigError, shown
from lastclick.events import utc
from lastclick.sinks.bodies._payload import (
    MONEY,
    TEXTS,
    Body,
    Fact,
    Limits,
    Payload,
    Refused,
    checked_attribute,
    checked_now,
    facts,
    packed,
    with_money,
)

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_ANONYMOUS = "$process_person_profile"
#: An attribute of one of these names would be read as ours.
_OWN = frozenset((*TEXTS, "value", "total", "amount", "currency", "event_id", _ANONYMOUS))
_LIMITS = Limits(events=10_000, request=20_000_000, event=1_000_000)
#: What is older has to be told apart as a historical migration.
_RECENT = timedelta(hours=48)


def posthog(
    project_api_key: str,
    *,
    distinct_id: str | None = None,
    now: Callable[[], datetime] | None = None,
) -> Body:
    """Make a body for PostHog's ``https://us.i.posthog.com/batch/`` (or ``eu``, or yours).

    The events keep their types as names. ``uuid`` is the event id, or made of it where it is no
    UUID, so that PostHog drops what is sent again. What is older than 48 hours goes in requests
    of its own, marked ``historical_migration``.

    Args:
        project_api_key: The project's key, ``"phc_..."``; it is part of the content.
        distinct_id: The attribute that holds the browser's distinct id. Where it is missing, the
            customer stands in, else the attempt, which makes no profile of a person.
        now: Gives the present as an aware datetime; for tests.

    Raises:
        ConfigError: A setting cannot be used.

    Example:
        >>> body = posthog("phc_example", now=lambda: now)
        >>> recent, historical = body([event.line for event in events])
        >>> len(recent.event_ids), len(historical.event_ids)
        (1, 5)

    .. versionadded:: 0.1.0
    """
    checked_attribute("posthog", "distinct_id", distinct_id)
    clock = checked_now("posthog", now)
    head = b'{"api_key":%b,' % to_json(_project_key(project_api_key))

    def captured(fact: Fact) -> bytes:
        known = fact.named(distinct_id) or fact.customer_id
        event = {
            "event": fact.kind,
            "distinct_id": known or fact.attempt,
            "timestamp": fact.at,
            "uuid": _uuid(fact.event_id),
        }
        properties: dict[str, object] = {"event_id": fact.event_id, **fact.fields}
        if not known:
            properties[_ANONYMOUS] = False
        properties |= {
            name: value
            for name, value in fact.attributes.items()
            if name not in _OWN and name != distinct_id
        }
        told = with_money(MONEY[fact.kind], fact, properties)
        return b'%b,"properties":%b}' % (to_json(event)[:-1], told)

    def body(lines: Sequence[bytes], /) -> Iterator[Payload | Refused]:
        recent: list[tuple[str, bytes]] = []
        historical: list[tuple[str, bytes]] = []
        since = utc(clock()) - _RECENT
        for fact in facts(lines):
            told = recent if utc(fact.at) >= since else historical
            told.append((fact.event_id, captured(fact)))
        yield from packed(recent, head + b'"batch":[', b"]}", _LIMITS)
        yield from packed(
            historical, head + b'"historical_migration":true,"batch":[', b"]}", _LIMITS
        )

    return body


def _project_key(key: object) -> str:
    if not isinstance(key, str) or not key.strip():
        msg = f"project_api_key of posthog is {shown(key)}; pass the project's key, 'phc_...'"
        raise ConfigError(msg)
    if key.startswith("phx_"):
        msg = (
            "project_api_key of posthog is a personal key ('phx_...'), with which PostHog takes "
            "no events; pass the project's key, 'phc_...'"
        )
        raise ConfigError(msg)
    return key


def _uuid(event_id: str) -> str:
    """A UUID that is the same at every try; one that is none would fail the whole request."""
    return event_id if _UUID.fullmatch(event_id) else str(uuid5(NAMESPACE_URL, event_id))
