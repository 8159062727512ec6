"""What a body makes of log lines, and what the bodies of analytics tools share."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from pydantic_core import from_json, to_json

from lastclick.errors import ConfigError, shown
from lastclick.events import step_name

JSON = "application/json"


class Payload(NamedTuple):
    """The content of one request, before compression.

    Attributes:
        content: The bytes to send.
        content_type: Their media type.
        event_ids: The events in it: done once the receiver has taken the request.

    Example:
        >>> Payload(b"[]", "application/json", ()).content_type
        'application/json'

    .. versionadded:: 0.1.0
    """

    content: bytes
    content_type: str
    event_ids: tuple[str, ...]


class Refused(NamedTuple):
    """An event that this receiver cannot be told of. It goes to the dead letters, never out.

    Attributes:
        event_id: The event.
        reason: A code, such as ``"too_old"``.

    Example:
        >>> Refused("e-1", "too_old").reason
        'too_old'

    .. versionadded:: 0.1.0
    """

    event_id: str
    reason: str


#: From whole log lines, without their newlines, to payloads.
Body: TypeAlias = Callable[[Sequence[bytes]], Iterable[Payload | Refused]]


def records(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """The lines as dicts; one call for all of them costs half of a call for each."""
    found: list[dict[str, Any]] = from_json(b"[" + b",".join(lines) + b"]")
    return found


# What analytics tools are told -------------------------------------------------------------------


class Fact(NamedTuple):
    """What the shop recorded: who, what, when, how much.

    Attributes:
        kind: The type in the log, such as ``step_entered``.
        event_id: The event.
        at: The instant, as text.
        customer_id: The customer, where known.
        attributes: As in the log.
        amount: Plain digits, such as ``59.90``; None where there is no money.
        currency: Beside the amount.
        fields: The other texts of the line, by their names in the log.
    """

    kind: str
    event_id: str
    at: str
    customer_id: str | None
    attributes: dict[str, str | int | bool | None]
    amount: str | None
    currency: str
    fields: dict[str, str]

    @property
    def attempt(self) -> str:
        """The attempt, else the order: a refund need not say of which attempt it is."""
        return self.fields.get("checkout_id") or self.fields["order_id"]

    def named(self, attribute: str | None) -> str | None:
        """The id in the attribute that a setting names; None where there is none."""
        value = self.attributes.get(attribute) if attribute else None
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


#: By type: the field that holds its money, "" for none. Types that are not here are not sent.
MONEY = {
    "step_entered": "value",
    "step_failed": "value",
    "order_completed": "total",
    "order_refunded": "amount",
    "order_cancelled": "",
    "holdout_assigned": "",
    "reminder_sent": "",
    "reminder_clicked": "",
    "survey_answered": "",
}
#: What a shopper wrote in a survey is not among them: it may name people.
TEXTS = (
    "funnel",
    "checkout_id",
    "step",
    "reason",
    "order_id",
    "refund_id",
    "arm",
    "channel",
    "campaign",
    "score",
)


def facts(lines: Sequence[bytes]) -> Iterator[Fact]:
    """What the shop recorded; what the library records about itself is passed over.

    So is a type that only a later version of the log has.
    """
    for line in records(lines):
        kind = line.get("type", "")
        if kind not in MONEY:
            continue
        money = line.get(MONEY[kind])
        yield Fact(
            kind,
            line["event_id"],
            line["occurred_at"],
            line.get("customer_id"),
            line.get("attributes") or {},
            # 007.50 is an amount in a log, and no number in JSON
            f"{Decimal(money['amount']):f}" if money else None,
            money["currency"].upper() if money else "",
            {name: str(line[name]) for name in TEXTS if line.get(name) is not None},
        )


def with_money(name: str, fact: Fact, fields: dict[str, object]) -> bytes:
    """The fields as JSON, with the fact's money where it has some: a number, digit by digit.

    Whatever writes JSON makes a number of a float, which has 15 digits where money may have 16.
    """
    if fact.amount is None:
        return to_json(fields)
    rest = to_json({"currency": fact.currency, **fields})[1:]
    return b'{"%b":%b,%b' % (name.encode(), fact.amount.encode(), rest)


class Limits(NamedTuple):
    """What a receiver takes at most: events in a request, bytes of it, bytes of one event."""

    events: int
    request: int
    event: int


def packed(
    events: Iterable[tuple[str, bytes]], head: bytes, tail: bytes, limits: Limits
) -> Iterator[Payload | Refused]:
    """As few requests as the limits allow, the events in their order.

    Args:
        events: The id and the JSON of each.
        head: What a request begins with, up to its first event.
        tail: What follows the last one.
        limits: What the receiver takes.
    """
    ids: list[str] = []
    parts: list[bytes] = []
    size = frame = len(head) + len(tail)
    for event_id, part in events:
        if len(part) > limits.event:
            yield Refused(event_id, "too_large")
            continue
        if parts and (len(parts) == limits.events or size + len(part) > limits.request):
            yield Payload(head + b",".join(parts) + tail, JSON, tuple(ids))
            ids, parts, size = [], [], frame
        ids.append(event_id)
        parts.append(part)
        size += len(part) + 1  # a comma
    if parts:
        yield Payload(head + b",".join(parts) + tail, JSON, tuple(ids))


# Settings ----------------------------------------------------------------------------------------


def checked_now(body: str, now: object) -> Callable[[], datetime]:
    """What gives the present: as set, or the system's clock.

    Raises:
        ConfigError: It is no callable.
    """
    if now is None:
        return lambda: datetime.now(UTC)
    if not callable(now):
        msg = f"now= of {body} is {shown(now)}; pass a callable that gives an aware datetime"
        raise ConfigError(msg)
    return now


def checked_attribute(body: str, argument: str, name: object) -> None:
    """Refuse what is no name of an attribute.

    Raises:
        ConfigError: It is neither text nor None.
    """
    if name is not None and not (isinstance(name, str) and name):
        msg = f"{argument}= of {body} is {shown(name)}; pass the name of an attribute, or None"
        raise ConfigError(msg)


def checked_steps(
    body: str, steps: object, orders: Collection[str], example: str
) -> dict[str, str]:
    """The names of events by the names of steps.

    Args:
        body: Which body asks, for the message.
        steps: What the caller gave.
        orders: The names that orders and refunds have; a step of that name would count as one.
        example: The way out.

    Raises:
        ConfigError: It is no mapping from steps to names of events.
    """
    if steps is None:
        return {}
    if not isinstance(steps, Mapping):
        msg = f"steps= of {body} is {shown(steps)}; pass a mapping such as {example}"
        raise ConfigError(msg)
    names = {}
    for key, name in steps.items():
        step = step_name(key)
        if not (isinstance(step, str) and step and isinstance(name, str) and name.strip()):
            msg = (
                f"steps= of {body} maps {shown(key)} to {shown(name)}; pass texts such as {example}"
            )
            raise ConfigError(msg)
        if name in orders:
            msg = (
                f"steps= of {body} maps {step!r} to {name!r}, which is sent for an order or a "
                f"refund and would count as one; choose another event, such as {example}"
            )
            raise ConfigError(msg)
        names[step] = name
    return names
