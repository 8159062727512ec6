"""The table that ClickHouse keeps a log in: each line, and beside it what is counted from it.

The columns beside the line are made when it is inserted, where the line is usual: where SQL cannot
understand it in another way than Python does. Texts hold no escapes, keys come once, instants are
in UTC. Of any other line ``kind`` is -1, and `lastclick._rows` reads it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from lastclick._rows import ASSIGNED, CANCELLED, CLICKED, FAILED, ORDERED, REFUNDED, SENT, USUAL
from lastclick.engines._dialect import CLICKHOUSE
from lastclick.events import MAX_ATTRIBUTES, MAX_ID_LENGTH

_quoted = CLICKHOUSE.quoted

_STRING = r'"[^"\\\x00-\x1f]*"'
_SCALAR = rf"(?:{_STRING}|0|-?[1-9][0-9]{{0,17}}|null|true|false)"
_NAMED = rf"{_STRING}: ?{_SCALAR}"
_VALUE = rf"(?:{_SCALAR}|\{{(?:{_NAMED}(?:, ?{_NAMED})*)?\}})"
_LINE = rf"^\{{{_STRING}: ?{_VALUE}(?:, ?{_STRING}: ?{_VALUE})*\}}\z"
#: The years that ClickHouse's dates have.
_INSTANT = (
    r"^(?:19|20|21|22)\d\d-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3}|\.\d{6})?Z\z"
)
_AMOUNT, _CURRENCY = r"^[0-9]{1,12}(?:\.[0-9]{1,4})?\z", r"^[A-Z]{3}\z"
_SHARE = r"^0\.[0-9]{1,18}\z"
_MONEY = ("amount", "currency")


def definition(name: str) -> str:
    """The statement that makes a table of this name."""
    columns = ",\n".join(f"    {column}" for column in _columns())
    return f"""CREATE TABLE IF NOT EXISTS {name}
(
{columns}
)
ENGINE = ReplacingMergeTree
ORDER BY (checkout_id, t, kind, event_id, hash)"""


def fields(exclude: Mapping[str, Sequence[object]]) -> str:
    """What a select takes from the table for rows as `lastclick._rows` has them, but the group.

    Args:
        exclude: By attribute, the values that exclude.
    """
    return f"""t, kind, event_id, checkout_id, nullIf(customer_id, '') AS customer_id, what,
        nullIf(more, '') AS more, if(units < 0, NULL, units) AS units,
        nullIf(currency, '') AS currency, {_excluded(exclude)} AS excluded"""


def group(by: Sequence[str]) -> str:
    """The values of some attributes as JSON, in the words of the table."""
    if not by:
        return "''"
    values = [f"ifNull(nullIf({_value(name)}, ''), 'null')" for name in by]
    return "concat('[', " + ", ', ', ".join(values) + ", ']')"


def _columns() -> Iterator[str]:
    """The columns of the table, each with what makes it."""
    kinds = list(USUAL.values())
    of_type = "type_kind"  # the type's; `kind` is that of a usual line
    attempt, order = f"{of_type} IN (0, {FAILED})", f"({ORDERED}, {REFUNDED}, {CANCELLED})"
    what = f"{of_type} IN {order}, 'order_id', {of_type} = {ASSIGNED}, 'arm', 'channel'"
    what = f"multiIf({attempt}, 'step', {what})"
    more = f"{of_type} = {REFUNDED}, 'refund_id', 'campaign'"
    more = f"multiIf({of_type} = {FAILED}, 'reason', {more})"
    told_more = f"{of_type} IN ({FAILED}, {SENT}, {CLICKED}, {ASSIGNED}, {REFUNDED})"
    price = f"multiIf({attempt}, 'value', {of_type} = {ORDERED}, 'total', 'amount')"
    priced = f"{of_type} IN (0, {FAILED}, {ORDERED}, {REFUNDED})"
    shown = f"({priced} AND JSONType(line, {price}) != 'Null')"
    amount, currency = (f"JSONExtractString(line, {price}, '{key}')" for key in _MONEY)
    yield "line String CODEC(ZSTD(3))"
    for name in ("type", "funnel"):
        yield f"{name} LowCardinality(String) MATERIALIZED {_text(name)}"
    by_type = f"transform({_text('type')}, {list(USUAL)}, {kinds}, -1)"
    yield f"type_kind Int8 MATERIALIZED {by_type}"
    for name in ("checkout_id", "event_id", "customer_id"):
        yield f"{name} String MATERIALIZED {_text(name)}"
    yield f"t Int64 MATERIALIZED if({_is_instant()}, {_micros()}, 0)"
    yield "occurred_at DateTime64(6, 'UTC') ALIAS fromUnixTimestamp64Micro(t, 'UTC')"
    yield f"what String MATERIALIZED JSONExtractString(line, {what})"
    yield f"more String MATERIALIZED if({told_more}, JSONExtractString(line, {more}), '')"
    yield f"units Int64 MATERIALIZED if({shown} AND {_is_amount(amount)}, {_units(amount)}, -1)"
    share = f"if({of_type} = {ASSIGNED}, {_text('share')}, '')"
    yield f"currency String MATERIALIZED if({shown}, {currency}, {share})"
    yield "attributes String MATERIALIZED JSONExtractRaw(line, 'attributes') CODEC(ZSTD(3))"
    named = f"{of_type} != {FAILED} AND JSONType(line, {more}) = 'Null'"
    drawn = f"JSONType(line, 'share') = 'Null' OR match({_text('share')}, {_quoted(_SHARE)})"
    money = f"length(JSONExtractKeys(line, {price})) = 2 AND {_is_amount(amount)}"
    money += f" AND match({currency}, {_quoted(_CURRENCY)})"
    usual = [
        f"match(line, {_quoted(_LINE)}) AND isValidUTF8(line)",
        _each_once("line"),
        "JSONType(line, 'v') IN ('Int64', 'UInt64') AND JSONExtractInt(line, 'v') = 1",
        _is_instant(),
        *(_is_id(f"'{name}'") for name in ("event_id", "checkout_id", "funnel")),
        _is_id(what),
        f"(JSONType(line, 'customer_id') = 'Null' OR {_is_id(_quoted('customer_id'))})",
        f"(NOT {told_more} OR {_is_id(more)} OR {named})",
        f"({of_type} != {ASSIGNED} OR {_text('arm')} IN ('treated', 'holdout') AND ({drawn}))",
        f"(NOT {shown} OR {money})",
        f"(NOT JSONHas(line, 'attributes') OR {_is_flat()})",
    ]
    yield f"kind Int8 MATERIALIZED if({' AND '.join(usual)}, {of_type}, -1)"
    yield "hash FixedString(16) MATERIALIZED sipHash128(line)"


def _text(field: str) -> str:
    return f"JSONExtractString(line, '{field}')"


def _is_id(field: str) -> str:
    return (
        f"JSONType(line, {field}) = 'String'"
        f" AND lengthUTF8(JSONExtractString(line, {field})) BETWEEN 1 AND {MAX_ID_LENGTH}"
    )


def _each_once(path: str) -> str:
    keys = f"JSONExtractKeys({path})"
    return f"length(arrayDistinct({keys})) = length({keys})"


def _is_flat() -> str:
    path = "line, 'attributes'"
    keys = f"JSONExtractKeys({path})"
    return (
        f"JSONType({path}) = 'Object' AND {_each_once(path)}"
        f" AND length({keys}) <= {MAX_ATTRIBUTES}"
        f" AND arrayAll(x -> lengthUTF8(x) BETWEEN 1 AND {MAX_ID_LENGTH}, {keys})"
    )


def _is_instant() -> str:
    """The day is compared with its own text, since the 30th of February is read as a March day."""
    at, day = _text("occurred_at"), _day()
    return f"(match({at}, {_quoted(_INSTANT)}) AND toString({day}) = substring({at}, 1, 10))"


def _day() -> str:
    return f"toDate32OrZero(substring({_text('occurred_at')}, 1, 10))"


def _micros() -> str:
    at = _text("occurred_at")

    def part(start: int, length: int = 2) -> str:
        return f"toInt64OrZero(substring({at}, {start}, {length}))"

    seconds = f"toInt64(toInt32({_day()})) * 86400 + {part(12)} * 3600 + {part(15)} * 60"
    fraction = f"rightPad(substring({at}, 21, length({at}) - 21), 6, '0')"
    fraction = f"if(length({at}) > 21, toInt64OrZero({fraction}), 0)"
    return f"({seconds} + {part(18)}) * 1000000 + {fraction}"


def _is_amount(amount: str) -> str:
    return f"match({amount}, {_quoted(_AMOUNT)})"


def _units(amount: str) -> str:
    """The digits of an amount with four places, without its point."""
    whole, places = (f"splitByChar('.', {amount})[{part}]" for part in (1, 2))
    return f"toInt64OrZero(concat({whole}, rightPad({places}, 4, '0')))"


def _value(name: str) -> str:
    """The JSON text of an attribute's value, empty where there is none."""
    return f"JSONExtractRaw(attributes, {_quoted(name)})"


def _excluded(exclude: Mapping[str, Sequence[object]]) -> str:
    tests = []
    for name, values in exclude.items():
        texts = [_quoted(_json(value)) for value in values]
        if texts:
            tests.append(f"{_value(name)} IN ({', '.join(texts)})")
    return f"({' OR '.join(tests) or 'false'})"


def _json(value: object) -> str:
    """As JSONExtractRaw spells it: unescaped but for the two that JavaScript ends lines at."""
    text = json.dumps(value, ensure_ascii=False)
    return text.translate({0x2028: r"\u2028", 0x2029: r"\u2029"})
