"""The body of GA4's Measurement Protocol: its recommended e-commerce events."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import to_json

from lastclick.errors import ConfigError
from lastclick.events import utc
from lastclick.sinks.bodies._payload import (
    Body,
    Fact,
    Limits,
    Payload,
    Refused,
    checked_attribute,
    checked_now,
    checked_steps,
    facts,
    packed,
    with_money,
)

_EVENTS = {
    "step_entered": "checkout_step",
    "step_failed": "checkout_step_failed",
    "order_completed": "purchase",
    "order_refunded": "refund",
    "order_cancelled": "order_cancelled",
    "holdout_assigned": "holdout_assigned",
    "reminder_sent": "reminder_sent",
    "reminder_clicked": "reminder_clicked",
    "survey_answered": "survey_answered",
}
#: What is called otherwise than in the log. A plain "campaign" would be read as where the
#: shopper came from.
_PARAMETERS = {
    "order_id": "transaction_id",
    "channel": "reminder_channel",
    "campaign": "reminder_campaign",
}

# The rules below are Google's: "Measurement Protocol reference" (reserved names) and "Send
# Measurement Protocol events" (limitations, timestamps) on developers.google.com, and "Event
# naming rules" (support.google.com/analytics/answer/13316687).

_LIMITS = Limits(events=25, request=129_999, event=129_999)  # "smaller than 130kB"
_MOST_PARAMETERS = 25
_MOST_CHARACTERS = 100
#: Google moves what is older to 72 hours ago, which would be a wrong day in a report.
_BACKDATED = timedelta(hours=72)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_CLIENT_ID = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")
_RESERVED_PREFIXES = ("firebase_", "ga_", "google_")  # "_" and "gtag." are no names anyway
_RESERVED_EVENTS = frozenset(
    "ad_activeview ad_click ad_exposure ad_impression ad_query ad_reward adunit_exposure "
    "app_clear_data app_exception app_install app_remove app_store_refund "
    "app_store_subscription_cancel app_store_subscription_renew app_update app_upgrade click "
    "dynamic_link_app_open dynamic_link_app_update dynamic_link_first_open error file_download "
    "first_open first_visit form_start form_submit in_app_purchase notification_dismiss "
    "notification_foreground notification_open notification_receive notification_send os_update "
    "page_view screen_view scroll session_start user_engagement video_progress video_start "
    "view_complete view_search_results".split()
)
#: Reserved by Google, or ours: an attribute of one of these names would be read as that.
_NO_ATTRIBUTES = frozenset(
    "engagement_time_msec gclid session_id session_number timestamp_micros "
    "value currency items event_id funnel checkout_id step reason transaction_id refund_id arm "
    "reminder_channel reminder_campaign".split()
)
#: Events that Google wants ``items`` of; the log knows none.
_WITH_ITEMS = frozenset(
    "add_payment_info add_shipping_info add_to_cart add_to_wishlist begin_checkout purchase "
    "remove_from_cart select_item view_cart view_item view_item_list".split()
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def ga4(
    *,
    steps: Mapping[Any, str] | None = None,
    client_id: str | None = None,
    session_id: str | None = None,
    now: Callable[[], datetime] | None = None,
) -> Body:
    """Make a body for GA4: ``https://www.google-analytics.com/mp/collect`` (EU: ``region1``).

    Orders are ``purchase``, refunds are ``refund``. ``measurement_id`` and ``api_secret`` go into
    the URL of the sink, as Google wants it. A request is about one client, with 25 events at
    most.

    Google answers 2xx to whatever it gets, so what it cannot take is kept from it here: an event
    of more than 72 hours ago is refused as ``too_old``, and a refund of unknown money as
    ``no_amount``, since Google would take it as the whole order.

    Args:
        steps: The names of events by step: Google's, such as ``begin_checkout``, or your own. A
            step that is not in it is a ``checkout_step``.
        client_id: The attribute that holds the browser's client id, two numbers joined by a
            period (``gtag("get", ...)``). Where it is missing, one is made of the customer, else
            of the attempt, always the same.
        session_id: The attribute that holds the browser's session id. Without it, the events are
            in no session and not in Realtime.
        now: Gives the present as an aware datetime; for tests.

    Raises:
        ConfigError: A setting cannot be used, or a name is not one that GA4 takes.

    Example:
        >>> at_noon = lambda: datetime(2026, 10, 1, 12, 30, tzinfo=UTC)
        >>> body = ga4(steps={"cart": "view_cart", "payment": "add_payment_info"}, now=at_noon)
        >>> payload, *_ = body([event.line for event in events])
        >>> print(payload.content.decode())
        {"client_id":"...","user_id":"u-1","events":[{"name":"view_cart",...

    .. versionadded:: 0.1.0
    """
    example = '{"cart": "view_cart", "details": "begin_checkout"}'
    orders = (_EVENTS["order_completed"], _EVENTS["order_refunded"])
    names = checked_steps("ga4", steps, orders, example)
    for step, name in names.items():
        if (
            not _NAME.fullmatch(name)
            or name in _RESERVED_EVENTS
            or name.startswith(_RESERVED_PREFIXES)
        ):
            msg = (
                f"steps= of ga4 maps {step!r} to {name!r}, which GA4 reserves or takes no such "
                f"name; pass 1 to 40 ASCII letters, digits and underscores, such as {example}"
            )
            raise ConfigError(msg)
    checked_attribute("ga4", "client_id", client_id)
    checked_attribute("ga4", "session_id", session_id)
    clock = checked_now("ga4", now)

    def client(fact: Fact) -> str:
        given = fact.named(client_id)
        if given and _CLIENT_ID.fullmatch(given):
            return given
        known = fact.customer_id
        return _made_client_id(f"customer {known}" if known else f"attempt {fact.attempt}")

    def event(fact: Fact, at: datetime) -> bytes:
        name = _EVENTS[fact.kind]
        if fact.kind == "step_entered":
            name = names.get(fact.fields["step"], name)
        parameters: dict[str, object] = {"event_id": fact.event_id[:_MOST_CHARACTERS]}
        for field, text in fact.fields.items():
            parameters[_PARAMETERS.get(field, field)] = text[:_MOST_CHARACTERS]
        if name in _WITH_ITEMS:
            parameters["items"] = []
        session = fact.named(session_id)
        if session:
            parameters["session_id"] = session
            parameters["engagement_time_msec"] = 1  # Google shows an event of 0 in few reports
        room = _MOST_PARAMETERS - len(parameters) - 2  # value and currency
        parameters |= _carried(fact.attributes, (client_id, session_id), room)
        told = with_money("value", fact, parameters)
        micros = (at - _EPOCH) // _MICROSECOND
        return b'{"name":"%b","timestamp_micros":%d,"params":%b}' % (name.encode(), micros, told)

    def body(lines: Sequence[bytes], /) -> Iterator[Payload | Refused]:
        latest = utc(clock())
        clients: dict[tuple[str, str | None], list[tuple[str, bytes]]] = {}
        for fact in facts(lines):
            at = min(utc(fact.at), latest)  # a clock that is ahead; Google takes no future
            reason = _unsayable(fact, latest - at)
            if reason:
                yield Refused(fact.event_id, reason)
            else:
                whose = clients.setdefault((client(fact), fact.customer_id), [])
                whose.append((fact.event_id, event(fact, at)))
        for (client_, user), told in clients.items():
            who = {"client_id": client_, "user_id": user} if user else {"client_id": client_}
            yield from packed(told, to_json(who)[:-1] + b',"events":[', b"]}", _LIMITS)

    return body


def _unsayable(fact: Fact, age: timedelta) -> str | None:
    """Why GA4 cannot be told of it without saying something else than happened."""
    order_id = fact.fields.get("order_id")
    reason = None
    if age > _BACKDATED:
        reason = "too_old"
    elif order_id is not None and not order_id.strip():
        reason = "no_order_id"  # Google takes all purchases without an id as one
    elif order_id is not None and len(order_id) > _MOST_CHARACTERS:
        reason = "long_order_id"  # cut, two orders could become one
    elif fact.kind == "order_refunded" and fact.amount is None:
        reason = "no_amount"
    return reason


def _made_client_id(of: str) -> str:
    """Two positive numbers of 31 bits, as a browser has them, the same for the same id."""
    digest = int.from_bytes(hashlib.blake2b(of.encode(), digest_size=8).digest())
    return f"{digest >> 33 or 1}.{digest & 0x7FFFFFFF or 1}"


def _carried(
    attributes: Mapping[str, str | int | bool | None], used: tuple[str | None, ...], room: int
) -> dict[str, object]:
    """The attributes that GA4 takes as parameters, as many as there is room for."""
    carried: dict[str, object] = {}
    for name, value in attributes.items():
        if (
            len(carried) == room
            or value is None
            or name in used
            or name in _NO_ATTRIBUTES
            or name.startswith(_RESERVED_PREFIXES)
            or not _NAME.fullmatch(name)
        ):
            continue
        if isinstance(value, bool):
            carried[name] = "true" if value else "false"
        else:
            carried[name] = value[:_MOST_CHARACTERS] if isinstance(value, str) else value
    return carried
