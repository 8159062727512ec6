"""The body of Segment's HTTP API: its e-commerce events, version 2."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from lastclick.sinks.bodies._payload import (
    Body,
    Fact,
    Limits,
    Payload,
    Refused,
    checked_attribute,
    checked_steps,
    facts,
    packed,
    with_money,
)

#: Names of Segment's specification, and in the same manner names for what it has none for.
_EVENTS = {
    "step_entered": "Checkout Step Viewed",
    "step_failed": "Checkout Step Failed",
    "order_completed": "Order Completed",
    "order_refunded": "Order Refunded",
    "order_cancelled": "Order Cancelled",
    "holdout_assigned": "Holdout Assigned",
    "reminder_sent": "Reminder Sent",
    "reminder_clicked": "Reminder Clicked",
    "survey_answered": "Survey Answered",
}
_MONEY = {"step_entered": "value", "step_failed": "value"}  # of orders and refunds it is "total"
#: An attribute of one of these names would be read as ours.
_OWN = frozenset(
    "funnel checkout_id step step_name reason order_id refund_id arm channel campaign score "
    "value total currency".split()
)
#: "kB" is taken as 1,000 bytes, the smaller reading.
_LIMITS = Limits(events=2_500, request=500_000, event=32_000)


def segment(*, steps: Mapping[Any, str] | None = None, anonymous_id: str | None = None) -> Body:
    """Make a body for Segment's ``https://api.segment.io/v1/batch``.

    Each event is a ``track`` call with the names of Segment's e-commerce specification, and with
    ``messageId``, by which Segment drops what is sent again. The write key goes into
    ``headers=`` of the sink (``Authorization: Basic``), not in here.

    Args:
        steps: The names of events by step, in the order of the funnel: ``step`` is the step's
            number in it, from 1. A step that is not in it is a "Checkout Step Viewed" without a
            number; ``step_name`` has the name of every step.
        anonymous_id: The attribute that holds the browser's anonymous id. Where it is missing,
            the attempt's id stands in.

    Raises:
        ConfigError: A setting cannot be used.

    Example:
        >>> body = segment(steps={"cart": "Cart Viewed", "payment": "Checkout Started"})
        >>> (payload,) = body([event.line for event in events])
        >>> payload.content[:50]
        b'{"batch":[{"type":"track","event":"Cart Viewed","m'

    .. versionadded:: 0.1.0
    """
    example = '{"cart": "Cart Viewed", "details": "Checkout Started"}'
    orders = (_EVENTS["order_completed"], _EVENTS["order_refunded"])
    names = checked_steps("segment", steps, orders, example)
    numbers = {step: number for number, step in enumerate(names, 1)}
    checked_attribute("segment", "anonymous_id", anonymous_id)

    def track(fact: Fact) -> bytes:
        call = {
            "type": "track",
            "event": _EVENTS[fact.kind],
            "messageId": fact.event_id,
            "timestamp": fact.at,
        }
        step = fact.fields.get("step", "")
        if fact.kind == "step_entered":
            call["event"] = names.get(step, call["event"])
        if fact.customer_id:
            call["userId"] = fact.customer_id
        call["anonymousId"] = fact.named(anonymous_id) or fact.attempt
        properties: dict[str, object] = dict(fact.fields)
        if step:
            properties["step_name"] = properties.pop("step")
            if step in numbers:
                properties["step"] = numbers[step]
        properties |= {
            name: value
            for name, value in fact.attributes.items()
            if name not in _OWN and name != anonymous_id
        }
        told = with_money(_MONEY.get(fact.kind, "total"), fact, properties)
        return b'%b,"properties":%b}' % (to_json(call)[:-1], told)

    def body(lines: Sequence[bytes], /) -> Iterator[Payload | Refused]:
        calls = ((fact.event_id, track(fact)) for fact in facts(lines))
        return packed(calls, b'{"batch":[', b"]}", _LIMITS)

    return body
