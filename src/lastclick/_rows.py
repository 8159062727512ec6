"""Rows: the small tuples that log lines and event objects both become, and that the fold reads.

A row is made straight from a line's JSON, without an event object, where the line has the usual
shape. Whatever looks unusual is read again by `parse_line`, so that both ways accept the same
lines and mean the same by them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, TypeAlias, TypeVar, get_args

from pydantic_core import from_json, to_json

from lastclick._money import UNITS, Money
from lastclick.errors import EventError, LogError
from lastclick.events import (
    MAX_ATTRIBUTES,
    MAX_ID_LENGTH,
    RESERVED,
    Event,
    EventsLost,
    FunnelDeclared,
    HoldoutAssigned,
    ShopperEvent,
    SurveyAnswered,
    parse_line,
    share_text,
    utc,
)

# What kind of fact a row is. The two step events sort as their type names do.
# Those before REFUNDED are about an attempt, REFUNDED and CANCELLED about an order.
ENTERED, FAILED, ORDERED, SENT, CLICKED, ASSIGNED, SURVEYED, REFUNDED, CANCELLED, UNKNOWN = range(
    10
)

#: Those whose lines are read without an event object. Surveys are few, and have much to check.
USUAL = {
    "step_entered": ENTERED,
    "step_failed": FAILED,
    "order_completed": ORDERED,
    "reminder_sent": SENT,
    "reminder_clicked": CLICKED,
    "holdout_assigned": ASSIGNED,
    "order_refunded": REFUNDED,
    "order_cancelled": CANCELLED,
}
_KINDS = {**USUAL, "survey_answered": SURVEYED}
#: By kind: the required field, the optional one, and where the money is.
_FIELDS: tuple[tuple[str, str | None, str | None], ...] = (
    ("step", None, "value"),
    ("step", "reason", "value"),
    ("order_id", None, "total"),
    ("channel", "campaign", None),
    ("channel", "campaign", None),
    ("arm", "campaign", None),
    ("reason", None, None),
    ("order_id", "refund_id", "amount"),
    ("order_id", None, None),
)

_TYPES = {*_KINDS, "funnel_declared", "events_lost"}
_SHOPPER_EVENTS = get_args(ShopperEvent)
_ARMS = ("treated", "holdout")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_NONE: dict[str, object] = {}
#: How many amounts, attribute names and groups are remembered, at most.
_REMEMBERED = 100_000

T = TypeVar("T")
fromisoformat = datetime.fromisoformat

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = (datetime.min.replace(tzinfo=UTC) - EPOCH).days
_LAST_DAY = (datetime.max.replace(tzinfo=UTC) - EPOCH).days

#: One fact as the fold reads it. Instants are integer microseconds, money is in units of 1/10,000.
Row: TypeAlias = tuple[
    int,  # t
    int,  # kind
    str,  # event id
    str | None,  # checkout id
    str | None,  # customer id
    str,  # what: step, order id, channel, arm, reason of an answer, or the name of an unknown type
    str | None,  # more: reason, refund id or campaign
    int | None,  # units of money, or the score of an answer
    str | None,  # its currency, or the share that an arm was drawn with
    bool,  # whether an attribute of it excludes
    str,  # the values that form its group, as JSON
]

#: What a line is that is no row: a record that is not about a shopper, or the reason why neither.
Other: TypeAlias = FunnelDeclared | EventsLost | EventError
#: What events come as: rows, and the records beside them, some hundred at a time.
Batch: TypeAlias = tuple[list[Row], list[FunnelDeclared | EventsLost]]


def micros(moment: datetime) -> int:
    """An aware datetime as integer microseconds since 1970 in UTC."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant(t: int) -> datetime:
    """The inverse of `micros`."""
    return EPOCH + timedelta(microseconds=t)


def local(moment: datetime, zone: tzinfo) -> datetime:
    """The moment in a zone; where that would leave the calendar (year 1 or 9999), in UTC."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


class Rows:
    """Makes the rows of one reading.

    Args:
        funnel: The funnel to read; None takes the first that is met.
        by: The attributes whose values form a row's group.
        exclude: By attribute, the values that exclude.
        everything: Keep all attributes as the row's group, for people to read.
    """

    def __init__(
        self,
        funnel: str | None = None,
        by: tuple[str, ...] = (),
        exclude: Mapping[str, Iterable[object]] | None = None,
        *,
        everything: bool = False,
    ) -> None:
        self.funnel = funnel
        self.funnels: set[str] = set()
        self.by = by
        self._exclude = [
            (name, frozenset((type(value), value) for value in values))
            for name, values in (exclude or {}).items()
        ]
        self._everything = everything
        self._plain = not (by or everything)
        self._units: dict[object, int] = {}
        self._currencies: set[object] = set()
        self._names: set[tuple[str, ...]] = set()
        self._groups: dict[tuple[object, ...], str] = {}

    def of_lines(self, lines: list[bytes]) -> tuple[list[Row], list[tuple[int, Other]]]:
        """The rows of some lines, and by place among the lines what is no row.

        Lines of another funnel are neither.

        Args:
            lines: Lines that are not blank, without their newlines.
        """
        records: list[Any] = [None] * len(lines)
        with suppress(ValueError):
            # The zeros keep the lines apart: two records on one line, or one over two, shift them.
            # Values differ from line to line, so only the names of fields are remembered.
            parsed = from_json(b"[" + b",0,".join(lines) + b"]", cache_strings="keys")
            zeros = len(lines) - 1
            if len(parsed) == len(lines) + zeros and parsed[1::2].count(0) == zeros:
                records = parsed[::2]
        rows: list[Row] = []
        others: list[tuple[int, Other]] = []
        for place, record in enumerate(records):
            row = None if record is None else self._usual(record)
            if row is None:
                read = self._unusual(lines[place])
                if read is None:
                    continue
                if isinstance(read, tuple):
                    rows.append(read)
                else:
                    others.append((place, read))
            elif record["funnel"] == self.funnel or self._mine(record["funnel"], row):
                rows.append(row)
        return rows, others

    def of_event(self, event: Event) -> Row | FunnelDeclared | EventsLost | None:
        """The same for an event object."""
        if isinstance(event, FunnelDeclared | EventsLost):
            return self._mine(event.funnel, event)
        if not isinstance(event, _SHOPPER_EVENTS):
            msg = f"not an event: {event!r:.100}; pass events, or what read_log or read_table gives"
            raise LogError(msg)
        kind = _KINDS[event.type]
        what, more, price = _FIELDS[kind]
        money: Money | None = getattr(event, price) if price else None
        units = None if money is None else money.units
        currency = None if money is None else money.currency
        if isinstance(event, SurveyAnswered):
            units = event.score
        elif isinstance(event, HoldoutAssigned):
            currency = event.share
        row = (
            micros(event.occurred_at),
            kind,
            event.event_id,
            event.checkout_id,
            event.customer_id,
            getattr(event, what) or "",
            getattr(event, more) if more else None,
            units,
            currency,
            self._excluded(event.attributes),
            self._group(event.attributes),
        )
        return self._mine(event.funnel, row)

    def _mine(self, funnel: str, read: T) -> T | None:
        if funnel != self.funnel:
            self.funnels.add(funnel)
            if self.funnel is not None:
                return None
            self.funnel = funnel
        return read

    def _usual(self, record: Any) -> Row | None:
        """The row of a line of the usual shape; None sends the line the long way."""
        try:
            kind = USUAL[record["type"]]
            what_key, more_key, price_key = _FIELDS[kind]
            event_id, checkout_id = record["event_id"], record["checkout_id"]
            what, get = record[what_key], record.get
            if not (
                type(event_id) is type(checkout_id) is type(what) is type(record["funnel"]) is str
                and 0 < len(record["funnel"]) <= MAX_ID_LENGTH
                and 0 < len(event_id) <= MAX_ID_LENGTH
                and 0 < len(checkout_id) <= MAX_ID_LENGTH
                and 0 < len(what) <= MAX_ID_LENGTH
                and record["v"] == 1
            ):
                return None
            customer_id = get("customer_id")
            if customer_id is not None and not (
                type(customer_id) is str and 0 < len(customer_id) <= MAX_ID_LENGTH
            ):
                return None
            more = units = currency = None
            if more_key is not None:
                more = get(more_key)
                if not ((more is None and kind != FAILED) or _is_id(more)):
                    return None
                if kind == ASSIGNED:
                    if what not in _ARMS:
                        return None
                    currency = share_text(get("share"))
            if price_key is not None and (price := get(price_key)) is not None:
                amount, currency = price["amount"], price["currency"]
                units = self._units.get(amount)
                if units is None:
                    units = self._units_of(amount)
                if units is None or not (
                    currency in self._currencies or self._is_currency(currency)
                ):
                    return None
            attributes = get("attributes", _NONE)
            if attributes is not _NONE and not self._flat(attributes):
                return None
            since = fromisoformat(record["occurred_at"]) - EPOCH
            if not _FIRST_DAY <= since.days <= _LAST_DAY:  # its offset takes it off the calendar
                return None
            return (
                (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds,
                kind,
                event_id,
                checkout_id,
                customer_id,
                what,
                more,
                units,
                currency,
                attributes is not _NONE and self._excluded(attributes),
                "" if self._plain else self._group(attributes),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def _unusual(self, line: bytes) -> Row | Other | None:
        """A line read by the event model; what that refuses may still be counted."""
        try:
            return self.of_event(parse_line(line))
        except EventError as error:
            uncounted = self._uncounted(line)
            return error if uncounted is None else self._mine(*uncounted)

    def _uncounted(self, line: bytes) -> tuple[str, Row] | None:
        """An event of a type that is not known yet, or without a checkout id: funnel and row."""
        try:
            record = from_json(line)
            type_, event_id, funnel = record["type"], record["event_id"], record["funnel"]
            if record["v"] != 1 or not (_is_id(type_) and _is_id(event_id)):
                return None
            kind = _KINDS.get(type_, UNKNOWN)
            if type_ in _TYPES:
                try:
                    missing = record.get("checkout_id") is None and type_ in _KINDS
                    if not missing or kind in (REFUNDED, CANCELLED):
                        raise EventError("not even with a checkout id")
                    parse_line(to_json({**record, "checkout_id": "none"}))
                except EventError:
                    if type_ not in RESERVED:
                        raise
                    kind = UNKNOWN
            t = micros(utc(record["occurred_at"]))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        row = (t, kind, event_id, None, None, type_, None, None, None, False, "")
        return (funnel, row) if _is_id(funnel) else None

    def _units_of(self, amount: object) -> int | None:
        if type(amount) is not str or not _AMOUNT.fullmatch(amount):
            return None
        if len(self._units) > _REMEMBERED:
            self._units.clear()
        whole, _, part = amount.partition(".")
        units = self._units[amount] = int(whole) * UNITS + int(f"{part:0<4}")
        return units

    def _is_currency(self, code: object) -> bool:
        if type(code) is not str or not _CURRENCY.fullmatch(code):
            return False
        self._currencies.add(code)
        return True

    def _flat(self, attributes: object) -> bool:
        if type(attributes) is not dict:
            return False
        names = tuple(attributes)
        if names not in self._names:
            if len(names) > MAX_ATTRIBUTES or not all(map(_is_id, names)):
                return False
            if len(self._names) < _REMEMBERED:
                self._names.add(names)
        for value in attributes.values():
            kind = type(value)
            if kind is str or value is None or kind is bool:
                continue
            if kind is not int or not -(2**63) <= value < 2**63:
                return False
        return True

    def _excluded(self, attributes: Mapping[str, object]) -> bool:
        for name, values in self._exclude:
            if name in attributes:
                value = attributes[name]
                if (type(value), value) in values:
                    return True
        return False

    def _group(self, attributes: Mapping[str, object]) -> str:
        if self._plain:
            return ""
        if self._everything:
            return json.dumps(attributes, sort_keys=True)
        values = [attributes.get(name) for name in self.by]
        key = (*map(type, values), *values)
        text = self._groups.get(key)
        if text is None:
            if len(self._groups) > _REMEMBERED:
                self._groups.clear()
            text = self._groups[key] = json.dumps(values)
        return text


def _is_id(value: object) -> bool:
    return type(value) is str and 0 < len(value) <= MAX_ID_LENGTH
