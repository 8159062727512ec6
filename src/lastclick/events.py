"""The events: one class for each fact, and the line that each is written as.

The two halves of the library meet here and nowhere else: the write half makes events, the read
half reads their lines.
"""

import operator
import os
import random
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, ClassVar, Generic, Literal, NoReturn, Self, get_args
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema, to_json
from typing_extensions import TypeVar, override

from lastclick._money import LIMIT, Money, fault
from lastclick.errors import EventError, shown

__all__ = [
    "Attributes",
    "Event",
    "EventsLost",
    "FunnelDeclared",
    "HoldoutAssigned",
    "OrderCancelled",
    "OrderCompleted",
    "OrderRefunded",
    "ReminderClicked",
    "ReminderSent",
    "ShopperEvent",
    "Step",
    "StepEntered",
    "StepFailed",
    "SurveyAnswered",
    "SurveyReason",
    "json_schema",
    "new_id",
    "parse_line",
    "utc",
]

MAX_ID_LENGTH = 256
MAX_ATTRIBUTES = 64
MAX_LINE_BYTES = 32 * 1024

#: The step that stands for the purchase itself; no declared step may take this name.
ORDER = "order"

#: Types that were reserved when logs began to be written. A line of one in another form than ours
#: is what it was then: of an unknown type.
RESERVED = frozenset({"survey_answered", "order_cancelled"})
#: What pydantic calls a type that is none of ours.
OF_NO_TYPE = "union_tag_invalid"
#: The best score of a survey; the worst is 1.
BEST_SCORE = 5
MAX_TEXT_LENGTH = 4096
#: A share of a holdout, as text: no float is in a log.
SHARE = r"^0\.[0-9]{1,18}$"

S = TypeVar("S", default=Any)
T = TypeVar("T")


# Ids ---------------------------------------------------------------------------------------------


#: Seeded by the operating system once a process: ``os.urandom`` for each id would be a system
#: call, which beside a busy thread may wait 5 ms to get the interpreter back.
_random = random.Random()
os.register_at_fork(after_in_child=_random.seed)


def new_id() -> str:
    """Make a UUID of version 7 (RFC 9562, section 5.7): milliseconds, then 72 random bits.

    Example:
        >>> from uuid import UUID
        >>> UUID(new_id()).version
        7

    .. versionadded:: 0.1.0
    """
    digits = f"{time.time_ns() // 1_000_000 << 80 | _random.getrandbits(80):032x}"
    return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def id_text(name: str, value: object) -> str:
    """An id as it is kept: text of 1 to 256 characters.

    Args:
        name: What the id is called, for the message.
        value: A str, an int or a UUID.

    Raises:
        EventError: It is not an id.
    """
    if isinstance(value, Enum):  # before str(), which would give a member's name
        value = value.value
    # str() of an int of some thousand digits raises.
    if isinstance(value, UUID) or (type(value) is int and value.bit_length() < 8192):
        value = str(value)
    if value is None:
        raise EventError(f"{name} is None; pass {_wanted(name)}", f"no_{name}")
    if not isinstance(value, str):
        msg = f"{name} is {type(value).__name__}: {shown(value)}; pass a str, an int or a UUID"
        raise EventError(msg, f"bad_{name}")
    if not value.strip():
        raise EventError(f"{name} is empty: {shown(value)}; pass {_wanted(name)}", f"no_{name}")
    if len(value) > MAX_ID_LENGTH:
        msg = (
            f"{name} has {len(value)} characters: {value[:40]!r}...; "
            f"pass an id of at most {MAX_ID_LENGTH}"
        )
        raise EventError(msg, f"long_{name}")
    if not encodes(value):
        msg = f"{name} is not Unicode text: {shown(value)}; decode it before you pass it"
        raise EventError(msg, f"bad_{name}")
    return str.__str__(value)


def _wanted(name: str) -> str:
    is_id = name.endswith("_id")
    return "the shop's own id: a str, an int or a UUID" if is_id else "text that names it"


# The parts of an event ---------------------------------------------------------------------------


def utc(value: object) -> datetime:
    """The instant as an aware datetime in UTC.

    Args:
        value: An aware datetime, or its ISO 8601 text with an offset.

    Raises:
        EventError: It is not a time, or has no zone.

    Example:
        >>> utc("2026-10-01T14:00:00+02:00").isoformat()
        '2026-10-01T12:00:00+00:00'

    .. versionadded:: 0.1.0
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            msg = f"not a time: {shown(value)}; write ISO 8601 such as '2026-10-01T12:00:00Z'"
            raise EventError(msg, "bad_time") from None
    if not isinstance(value, datetime):
        kind = "a day without a time" if isinstance(value, date) else "not a time"
        msg = f"{kind}: {shown(value)}; pass an aware datetime, such as datetime.now(UTC)"
        raise EventError(msg, "bad_time")
    if value.utcoffset() is None:
        msg = (
            f"a time without a zone: {value.isoformat()}; pass an aware datetime, such as "
            f"datetime.now(UTC) or value.replace(tzinfo=ZoneInfo('Europe/Paris'))"
        )
        raise EventError(msg, "naive_time")
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        msg = f"not a time: {shown(value)}, which leaves the calendar in UTC; pass a real time"
        raise EventError(msg, "bad_time") from None
    if type(value) is datetime:
        return value
    return datetime(  # a subclass (pandas, freezegun) may carry and print more than a datetime
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        UTC,
    )


def _instant(value: object) -> datetime:
    if type(value) is datetime and value.tzinfo is UTC:
        return value
    return utc(value)


class Attributes(dict[str, "str | int | bool | None"]):
    """The attributes of an event: flat and read-only.

    Raises:
        EventError: A name is not text, a value is not a str, int, bool or None, or there are more
            than 64.

    Example:
        >>> Attributes({"device": "mobile", "items": 3})["items"]
        3

    .. versionadded:: 0.1.0
    """

    def __init__(self, values: object = None, /) -> None:
        if values is None:
            return
        if not isinstance(values, Mapping):
            raise not_a_mapping(values)
        if len(values) > MAX_ATTRIBUTES:
            msg = f"{len(values)} attributes; pass the {MAX_ATTRIBUTES} that you need at most"
            raise EventError(msg, "too_many_attributes")
        super().__init__({name: attribute(name, value) for name, value in values.items()})

    def _read_only(self, *_: object, **__: object) -> NoReturn:
        msg = "the attributes of an event are read-only; pass attributes= when you record it"
        raise TypeError(msg)

    __setitem__ = __delitem__ = __ior__ = _read_only
    clear = pop = popitem = setdefault = update = _read_only

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none, since it can change
        return hash(frozenset(self.items()))

    @override
    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (dict(self),)

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, __: object) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_attributes)

    @classmethod
    def __get_pydantic_json_schema__(cls, _: object, __: object) -> dict[str, Any]:
        return {
            "type": "object",
            "additionalProperties": {"type": ["string", "integer", "boolean", "null"]},
            "maxProperties": MAX_ATTRIBUTES,
        }


def not_a_mapping(values: object) -> EventError:
    """What is said of attributes that are not a mapping."""
    msg = f"attributes are {type(values).__name__}: {shown(values)}; pass a mapping such as a dict"
    return EventError(msg, "bad_attributes")


def attribute(name: object, value: object) -> str | int | bool | None:
    """One attribute's value as it is kept: a plain str, int, bool or None.

    Raises:
        EventError: The name or the value cannot be an attribute's.
    """
    if not isinstance(name, str) or not 0 < len(name) <= MAX_ID_LENGTH or not encodes(name):
        msg = f"an attribute's name is text of 1 to {MAX_ID_LENGTH} characters, not {shown(name)}"
        raise EventError(msg, "bad_attribute")
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return int(value)
    if isinstance(value, str) and encodes(value):
        return str.__str__(value)
    msg = (
        f"attribute {name!r} is {type(value).__name__}: {shown(value)}; attributes are flat: "
        f"Unicode text, an int of 64 bits, a bool or None"
    )
    raise EventError(msg, "bad_attribute")


def encodes(text: str) -> bool:
    """Whether the text is Unicode that can be written: a lone surrogate cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


NO_ATTRIBUTES = Attributes()


def _attributes(value: object) -> Attributes:
    return value if type(value) is Attributes else Attributes(value)


def price(value: object) -> Money | None:
    """Money from what a caller or a log line gives: Money, a pair, or a mapping of the two."""
    if value is None:
        return None
    if not isinstance(value, Money):
        if isinstance(value, tuple | list) and len(value) == 2:
            value = Money(value[0], value[1])
        elif isinstance(value, Mapping):
            value = Money(value.get("amount"), value.get("currency"))  # type: ignore[arg-type]  # it checks
        else:
            reason = "float_amount" if isinstance(value, float) else "bad_amount"
            msg = (
                f"not money: {shown(value)} ({type(value).__name__}); "
                f'pass Money("59.90", "EUR") or the pair ("59.90", "EUR")'
            )
            raise EventError(msg, reason)
    if price_json(value) is None:  # negative, a sum too large for a line, or made past the checks
        value = Money(value.amount, value.currency)
    if value.amount < 0:
        msg = f"negative money: {value!r}; pass 0 or more, and record money back with refund()"
        raise EventError(msg, "negative_amount")
    return value


def instant_text(value: datetime) -> str:
    """An instant as a log has it: in UTC, always 27 characters, so that text sorts as time."""
    return f"{utc(value).isoformat(timespec='microseconds')[:26]}Z"


def _duration_text(value: timedelta) -> str:
    """A duration in days and smaller: readers disagree on how long ISO 8601's years are."""
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    part = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    clock = ((hours, "", "H"), (minutes, "", "M"), (seconds, part, "S"))
    below_a_day = "".join(f"{n}{more}{unit}" for n, more, unit in clock if n or more)
    days = f"{value.days}D" if value.days else ""
    return f"P{days}T{below_a_day}" if below_a_day else f"P{days}"


def share_text(value: object) -> str | None:
    """A share as it is written; anything else is a key of somebody else's, and passed over."""
    return value if type(value) is str and re.fullmatch(SHARE, value) else None


class _Checked:
    """Marks a field that a function of ours checks, and perhaps one of ours writes."""

    def __init__(
        self,
        check: Callable[[object], object],
        json_schema: dict[str, Any],
        text: Callable[[Any], str] | None = None,
    ) -> None:
        self.check = check
        self.json_schema = json_schema
        self.text = text

    def __get_pydantic_core_schema__(self, _: object, __: object) -> CoreSchema:
        written = self.text and core_schema.plain_serializer_function_ser_schema(
            self.text, when_used="json"
        )
        return core_schema.no_info_plain_validator_function(self.check, serialization=written)

    def __get_pydantic_json_schema__(self, _: object, __: object) -> dict[str, Any]:
        return self.json_schema


Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH)]
Instant = Annotated[
    datetime, _Checked(_instant, {"type": "string", "format": "date-time"}, instant_text)
]
Duration = Annotated[
    timedelta,
    Field(gt=timedelta(0)),
    PlainSerializer(_duration_text, when_used="json"),
    WithJsonSchema({"type": "string", "format": "duration"}),
]
Price = Annotated[
    Money | None,
    _Checked(
        price,
        {
            "type": "object",
            "properties": {
                "amount": {"type": "string", "pattern": "^[0-9]{1,12}(\\.[0-9]{1,4})?$"},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            },
            "required": ["amount", "currency"],
        },
    ),
]
_Flat = Annotated[Attributes, Field(exclude_if=operator.not_)]


# Steps -------------------------------------------------------------------------------------------

Stage = Literal["awareness", "consideration", "purchase", "retention"]


class Step(BaseModel, Generic[S]):
    """A named stage of the checkout.

    Args:
        name: Text of 1 to 256 characters, or a member of your Enum of steps (its value is the
            name). ``"order"`` is the purchase itself and taken.
        optional: The step may be passed over; matters to the closed funnel only.
        stage: Where it stands on the way of a buyer.
        owner: Who answers for the step; shown beside what it loses.

    Raises:
        EventError: A part cannot be used.

    Example:
        >>> Step("payment", owner="payments")
        Step('payment', owner='payments')

    .. versionadded:: 0.1.0
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    name: Id
    optional: bool = False
    stage: Stage | None = None
    owner: Id | None = None

    def __init__(
        self,
        name: S,
        *,
        optional: bool = False,
        stage: Stage | None = None,
        owner: str | None = None,
    ) -> None:
        try:
            super().__init__(name=step_name(name), optional=optional, stage=stage, owner=owner)
        except ValidationError as error:
            found = fault(error)
        else:
            return
        raise EventError(*found)

    @override
    def __repr__(self) -> str:
        parts = [repr(self.name)]
        parts += ["optional=True"] if self.optional else []
        parts += [f"{key}={value!r}" for key in ("stage", "owner") if (value := getattr(self, key))]
        return f"Step({', '.join(parts)})"


def step_name(step: object) -> object:
    """The name that a step is written under: an Enum member's value, or the text itself."""
    return step.value if isinstance(step, Enum) else step


def _step(value: object) -> Step:
    if isinstance(value, Step):
        return value
    if isinstance(value, Mapping):
        known = {key: value[key] for key in ("optional", "stage", "owner") if key in value}
        return Step(value.get("name"), **known)
    return Step(value)


_StepField = Annotated[
    Step,
    _Checked(
        _step,
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH},
                "optional": {"type": "boolean"},
                "stage": {"enum": list(get_args(Stage))},
                "owner": {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH},
            },
            "required": ["name"],
        },
    ),
]


# The facts ---------------------------------------------------------------------------------------


def _as_written(schema: dict[str, Any]) -> None:
    """A line always has its version and its type, though an event need not be given them."""
    schema["required"] = ["v", "type", *schema["required"]]
    schema["description"] = schema["description"].partition("\n\n")[0]


class _Once(Generic[T]):
    """What `functools.cached_property` is from Python 3.12 on: without a lock.

    In 3.11 it has one lock for all events. A child that is forked while another thread holds it
    would wait for ever.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    def __get__(self, record: Any, _: type | None = None) -> T:
        if record is None:
            return self  # type: ignore[return-value]  # on the class it is for documentation tools
        value = record.__dict__[self.make.__name__] = self.make(record)
        return value


class _Record(BaseModel):
    """What every line of a log has."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, defer_build=True, ignored_types=(_Once,), json_schema_extra=_as_written
    )

    v: Literal[1] = 1
    type: str
    event_id: Id
    funnel: Id
    occurred_at: Instant

    @_Once
    def line(self) -> bytes:
        """The event as one line of a log, without its newline; serialised once."""
        return self.__pydantic_serializer__.to_json(self, exclude_none=True)

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values, checked as new ones are."""
        return type(self)(**{**dict(self), **(update or {})})


class _Fact(_Record):
    """What the shop records about one attempt."""

    checkout_id: Id
    customer_id: Id | None = None
    attributes: _Flat = NO_ATTRIBUTES


class StepEntered(_Fact):
    """A shopper saw a step.

    Example:
        >>> event = StepEntered(
        ...     event_id="e-1",
        ...     funnel="checkout",
        ...     checkout_id="c-1",
        ...     step="cart",
        ...     occurred_at="2026-10-01T12:00:00Z",
        ...     value=Money("59.90", "EUR"),
        ... )
        >>> parse_line(event.line) == event
        True

    .. versionadded:: 0.1.0
    """

    type: Literal["step_entered"] = "step_entered"
    step: Id
    value: Price = None


class StepFailed(_Fact):
    """A step went wrong for a shopper: a declined card, an invalid address.

    Example:
        >>> common = {"event_id": "e-1", "funnel": "shop", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> StepFailed(checkout_id="c-1", step="payment", reason="card_declined", **common).reason
        'card_declined'

    .. versionadded:: 0.1.0
    """

    type: Literal["step_failed"] = "step_failed"
    step: Id
    reason: Id
    value: Price = None


class OrderCompleted(_Fact):
    """An order was placed: the purchase.

    Example:
        >>> common = {"event_id": "e-1", "funnel": "shop", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> event = OrderCompleted(
        ...     checkout_id="c-1", order_id="o-981", total=Money("59.90", "EUR"), **common
        ... )
        >>> event.total
        Money('59.90', 'EUR')

    .. versionadded:: 0.1.0
    """

    type: Literal["order_completed"] = "order_completed"
    order_id: Id
    total: Price = None


class OrderRefunded(_Record):
    """Money went back; joined to its order when read.

    Example:
        >>> common = {"event_id": "e-1", "funnel": "shop", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> OrderRefunded(order_id="o-981", amount=Money("10.00", "EUR"), **common).amount
        Money('10.00', 'EUR')

    .. versionadded:: 0.1.0
    """

    type: Literal["order_refunded"] = "order_refunded"
    checkout_id: Id | None = None
    customer_id: Id | None = None
    attributes: _Flat = NO_ATTRIBUTES
    order_id: Id
    refund_id: Id | None = None
    amount: Price = None


class OrderCancelled(_Record):
    """An order was called off: what is left of its money goes back. Joined when read.

    Example:
        >>> common = {"event_id": "e-1", "funnel": "shop", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> OrderCancelled(order_id="o-981", **common).type
        'order_cancelled'

    .. versionadded:: 0.1.0
    """

    type: Literal["order_cancelled"] = "order_cancelled"
    checkout_id: Id | None = None
    customer_id: Id | None = None
    attributes: _Flat = NO_ATTRIBUTES
    order_id: Id


class HoldoutAssigned(_Fact):
    """A shopper was drawn into an arm of an experiment on reminders, messaged or not.

    Example:
        >>> common = {"event_id": "e-1", "funnel": "shop", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> HoldoutAssigned(checkout_id="c-1", arm="treated", campaign="autumn", **common).arm
        'treated'

    .. versionadded:: 0.1.0
    """

    type: Literal["holdout_assigned"] = "holdout_assigned"
    arm: Literal["treated", "holdout"]
    campaign: Id | None = None
    share: Annotated[str | None, _Checked(share_text, {"type": "string", "pattern": SHARE})] = None


class ReminderSent(_Fact):
    """A message went out to win an attempt back.

    Example:
        >>> common = {"event_id": "e-1", "funnel": "shop", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> ReminderSent(checkout_id="c-1", channel="email", **common).type
        'reminder_sent'

    .. versionadded:: 0.1.0
    """

    type: Literal["reminder_sent"] = "reminder_sent"
    channel: Id
    campaign: Id | None = None


class ReminderClicked(_Fact):
    """A shopper came back through a reminder's link.

    Example:
        >>> common = {"event_id": "e-1", "funnel": "shop", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> ReminderClicked(checkout_id="c-1", channel="email", **common).type
        'reminder_clicked'

    .. versionadded:: 0.1.0
    """

    type: Literal["reminder_clicked"] = "reminder_clicked"
    channel: Id
    campaign: Id | None = None


class SurveyReason(StrEnum):
    """Why shoppers say they left: the usual answers to surveys on checkouts, as codes.

    Example:
        >>> SurveyReason.EXTRA_COSTS == "extra_costs"
        True

    .. versionadded:: 0.1.0
    """

    EXTRA_COSTS = "extra_costs"
    DELIVERY_TOO_SLOW = "delivery_too_slow"
    NO_TRUST_WITH_CARD = "no_trust_with_card"
    ACCOUNT_REQUIRED = "account_required"
    TOO_LONG = "too_long"
    ERRORS = "errors"
    RETURNS_POLICY = "returns_policy"
    TOO_FEW_PAYMENT_METHODS = "too_few_payment_methods"
    TOTAL_NOT_VISIBLE = "total_not_visible"
    DECLINED = "declined"


def _says_something(schema: dict[str, Any]) -> None:
    _as_written(schema)
    schema["anyOf"] = [{"required": [part]} for part in ("score", "reason", "text")]


class SurveyAnswered(_Fact):
    """A shopper answered a question: how it went, or why they leave. At least one part is given.

    Example:
        >>> common = {"event_id": "e-1", "funnel": "shop", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> SurveyAnswered(checkout_id="c-1", reason="extra_costs", **common).reason
        'extra_costs'

    .. versionadded:: 0.1.0
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra=_says_something)

    type: Literal["survey_answered"] = "survey_answered"
    score: Annotated[int, Field(strict=True, ge=1, le=BEST_SCORE)] | None = None
    reason: Id | None = None
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT_LENGTH)] | None = None

    @model_validator(mode="after")
    def _answers(self) -> Self:
        if self.score is None and self.reason is None and self.text is None:
            msg = "an answer without score, reason or text; give one of them"
            raise EventError(msg, OF_NO_TYPE)
        return self


class FunnelDeclared(_Record):
    """What a funnel is: its steps and limits, as of its construction.

    Example:
        >>> common = {"event_id": "e-1", "funnel": "shop", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> event = FunnelDeclared(
        ...     steps=("cart", "payment"), abandon_after="PT30M", recover_within="P7D", **common
        ... )
        >>> [step.name for step in event.steps]
        ['cart', 'payment']

    .. versionadded:: 0.1.0
    """

    type: Literal["funnel_declared"] = "funnel_declared"
    steps: tuple[_StepField, ...]
    abandon_after: Duration
    recover_within: Duration


class EventsLost(_Record):
    """How many events were not kept, why, and from when to when.

    ``kept`` is true where the events are in the log and only a flawed part of each was left out.

    Example:
        >>> common = {"event_id": "e-1", "funnel": "shop", "occurred_at": "2026-10-01T12:00:00Z"}
        >>> span = {"since": "2026-10-01T11:58:00Z", "until": "2026-10-01T11:59:00Z"}
        >>> EventsLost(source="sink", reason="disk_full", count=12, **span, **common).count
        12

    .. versionadded:: 0.1.0
    """

    type: Literal["events_lost"] = "events_lost"
    source: Literal["funnel", "sink"]
    reason: Id
    count: Annotated[int, Field(ge=1)]
    since: Instant
    until: Instant
    kept: Annotated[bool, Field(default=False, exclude_if=operator.not_)]


#: What the shop records; the other two types are the library's own.
ShopperEvent = (
    StepEntered
    | StepFailed
    | OrderCompleted
    | OrderRefunded
    | OrderCancelled
    | HoldoutAssigned
    | ReminderSent
    | ReminderClicked
    | SurveyAnswered
)
Event = ShopperEvent | FunnelDeclared | EventsLost

_EVENT: TypeAdapter[Event] = TypeAdapter(
    Annotated[Event, Field(discriminator="type")], config=ConfigDict(defer_build=True)
)


_KINDS: tuple[type[_Record], ...] = (*get_args(ShopperEvent), FunnelDeclared, EventsLost)

#: By class: the head of its lines, what it holds where nothing was given, and its fields' names.
_SHAPES = {
    kind: (
        b'{"v":1,"type":"%b","event_id":' % kind.model_fields["type"].default.encode(),
        {name: field.default for name, field in kind.model_fields.items()},
        set(kind.model_fields),
    )
    for kind in _KINDS
}
_new, _set = object.__new__, object.__setattr__
_ZERO = Decimal(0)
_INSTANT_BYTES = len('"2026-10-01T12:00:00.000000Z"')

E = TypeVar("E", bound=_Record)


class Bound:
    """What a handle knows before the call: who the event is about, as fields and as JSON.

    Args:
        funnel: The funnel's name, and what else is known: ``checkout_id``, ``customer_id``,
            ``attributes``; each one checked, those that are not known left out.
    """

    __slots__ = ("fields", "funnel", "text")

    def __init__(self, funnel: str, **known: object) -> None:
        self.fields = {"funnel": funnel, **known}
        self.funnel = b',"funnel":' + to_json(funnel) + b',"occurred_at":'
        self.text = b"," + to_json(known)[1:-1] + b"," if known else b","


def trusted(
    kind: type[E],
    bound: Bound,
    event_id: str,
    occurred_at: datetime,
    own: dict[str, Any],
    own_json: bytes | None = None,
) -> E:
    """An event of values that were checked one by one, with its line, at a third of the cost.

    Args:
        kind: The class of the event.
        bound: What the handle knew before the call.
        event_id: Its id.
        occurred_at: Its instant, in UTC.
        own: What only this kind of event has, in the order of its class, without what was not
            given.
        own_json: The same as JSON, where the caller has it.
    """
    head, defaults, names = _SHAPES[kind]
    at = to_json(occurred_at)
    if len(at) != _INSTANT_BYTES:  # a whole second is written shorter
        at = b'"%b"' % instant_text(occurred_at).encode()
    own_json = own_json or to_json(own)
    line = b"".join((head, to_json(event_id), bound.funnel, at, bound.text, own_json[1:]))
    event = _new(kind)
    values = {
        **defaults,
        **bound.fields,
        **own,
        "event_id": event_id,
        "occurred_at": occurred_at,
        "line": line,
    }
    _set(event, "__dict__", values)
    _set(event, "__pydantic_fields_set__", names)
    _set(event, "__pydantic_extra__", None)
    _set(event, "__pydantic_private__", None)
    return event


def price_json(money: object) -> bytes | None:
    """A usual amount as JSON, a third of the cost; None where it must be looked at closely."""
    if type(money) is not Money:
        return None
    amount, currency = money.amount, money.currency
    if type(amount) is not Decimal or not _ZERO <= amount < LIMIT:
        return None
    digits = str(amount)
    if "E" in digits or len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
        return None
    return f'{{"amount":"{digits}","currency":"{currency}"}}'.encode()


def parse_line(line: bytes | str, /) -> Event:
    """Read one line of a log; the inverse of ``event.line``.

    Args:
        line: One JSON object, with or without its newline.

    Raises:
        EventError: The line is not an event; the message names the field and the value.

    Example:
        >>> parse_line(b'{"v": 1, "type": "parcel_sent"}')
        Traceback (most recent call last):
        ...
        lastclick.errors.EventError: ...

    .. versionadded:: 0.1.0
    """
    try:
        return _EVENT.validate_json(line)
    except ValidationError as error:
        message, reason = fault(error)
    if reason == "missing" and message.startswith("order_cancelled.order_id"):
        reason = OF_NO_TYPE
    raise EventError(message, reason)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one line of a log.

    Example:
        >>> json_schema()["discriminator"]["propertyName"]
        'type'

    .. versionadded:: 0.1.0
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of a lastclick log, schema version 1",
        **_EVENT.json_schema(mode="serialization"),
    }
