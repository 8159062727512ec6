"""The parts of an event as a caller gives them: what is flawed is left out, and told."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, get_args

from lastclick._money import Money
from lastclick.errors import EventError, shown
from lastclick.events import (
    BEST_SCORE,
    MAX_ATTRIBUTES,
    MAX_LINE_BYTES,
    MAX_TEXT_LENGTH,
    NO_ATTRIBUTES,
    Attributes,
    EventsLost,
    FunnelDeclared,
    ShopperEvent,
    attribute,
    encodes,
    id_text,
    not_a_mapping,
    parse_line,
    price,
)

SHOPPER_EVENTS = get_args(ShopperEvent)


def put(
    fields: dict[str, Any],
    flaws: list[EventError],
    name: str,
    value: object,
    check: Callable[[object], object],
) -> None:
    try:
        checked = check(value)
    except Exception as error:  # noqa: BLE001 - a value may be an object with code of its own
        flaws.append(as_flaw(name, error))
    else:
        if checked is not None:
            fields[name] = checked


def as_flaw(name: str, error: Exception) -> EventError:
    if isinstance(error, EventError):
        text = str(error)
        return error if name in text else EventError(f"{name}: {text}", error.reason)
    msg = f"{name} could not be read: {shown(error)}; pass plain values"
    return EventError(msg, f"bad_{name}")


def optional_id(name: str) -> Callable[[object], str | None]:
    return lambda value: None if value is None else id_text(name, value)


def present(name: str) -> Callable[[object], Money]:
    def check(value: object) -> Money:
        money = price(value)
        if money is None:
            msg = f'{name} is None; pass Money("59.90", "EUR") or the pair ("59.90", "EUR")'
            raise EventError(msg, f"no_{name}")
        return money

    return check


def code(name: str, value: object, flaws: list[EventError]) -> str:
    try:
        return id_text(name, value)
    except Exception as error:  # noqa: BLE001 - a code may be an object with code of its own
        flaws.append(as_flaw(name, error))
        return "unspecified"


def score_of(value: object) -> int | None:
    if value is None:
        return None
    value = value.value if isinstance(value, Enum) else value
    if type(value) is not int or not 1 <= value <= BEST_SCORE:
        msg = f"score is {shown(value)}; pass a whole number from 1 to {BEST_SCORE}"
        raise EventError(msg, "bad_score")
    return value


def free_text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not encodes(value):
        raise EventError(f"text is {shown(value)}; pass Unicode text", "bad_text")
    if len(value) > MAX_TEXT_LENGTH:
        msg = f"text has {len(value)} characters; pass {MAX_TEXT_LENGTH} at most"
        raise EventError(msg, "long_text")
    return str.__str__(value)


def message(channel: object, campaign: object) -> Callable[[list[EventError]], dict[str, Any]]:
    def own(flaws: list[EventError]) -> dict[str, Any]:
        fields: dict[str, Any] = {"channel": code("channel", channel, flaws)}
        put(fields, flaws, "campaign", campaign, optional_id("campaign"))
        return fields

    return own


def usable_attributes(
    values: object, flaws: list[EventError], known: Attributes = NO_ATTRIBUTES
) -> Attributes:
    """What can be kept of the values, added to what is known; a mapping may have its own code."""
    usable = dict(known)
    try:
        if not isinstance(values, Mapping):
            raise not_a_mapping(values)
        for name, value in values.items():
            if len(usable) == MAX_ATTRIBUTES and name not in usable:
                msg = (
                    f"more than {MAX_ATTRIBUTES} attributes: {shown(name)} and what follows it "
                    f"are left out; pass the {MAX_ATTRIBUTES} that you need"
                )
                flaws.append(EventError(msg, "too_many_attributes"))
                break
            try:
                usable[name] = attribute(name, value)
            except Exception as error:  # noqa: BLE001 - see above
                flaws.append(as_flaw("attribute", error))
    except Exception as error:  # noqa: BLE001 - see above
        flaws.append(as_flaw("attributes", error))
    attributes = Attributes()
    dict.update(attributes, usable)  # past the guard of a read-only dict: each was checked above
    return attributes


def check_size(event: ShopperEvent) -> None:
    if len(event.line) > MAX_LINE_BYTES:
        msg = (
            f"{event.type} of {len(event.line)} bytes, more than the {MAX_LINE_BYTES} of a line; "
            f"shorten its attributes"
        )
        raise EventError(msg, "too_large")


def checked_event(result: Any) -> ShopperEvent:
    """What a hook gave back, if it is an event that could have been recorded."""
    if not isinstance(result, SHOPPER_EVENTS):
        raise EventError(f"{type(result).__name__}: {shown(result)}")
    try:
        event = parse_line(result.line)
    except EventError as error:
        raise EventError(f"an event that is not valid: {error}") from None
    assert not isinstance(event, FunnelDeclared | EventsLost)
    check_size(event)
    return event
