"""Lines of the usual shape as rows, by SQL; what looks unusual is read by `lastclick._rows`.

A line is usual only where SQL cannot understand it in another way than Python does: types are
right, texts hold no escapes, instants are in UTC, no key is there twice. All others are left to the
core, so that both ways accept the same lines and mean the same by them.
"""

import json
from collections.abc import Mapping, Sequence

from lastclick._rows import (
    ASSIGNED,
    CANCELLED,
    CLICKED,
    ENTERED,
    FAILED,
    ORDERED,
    REFUNDED,
    SENT,
    USUAL,
)
from lastclick.events import MAX_ATTRIBUTES, MAX_ID_LENGTH

#: The fields that rows are made from, each as the JSON text of its value.
FIELDS = (
    *("v", "type", "event_id", "funnel", "occurred_at", "checkout_id", "customer_id"),
    *("attributes", "step", "value", "reason", "order_id", "total", "refund_id", "amount"),
    *("channel", "campaign", "arm", "share"),
)
INSTANT = (
    r'"(\d{3}[1-9]|\d\d[1-9]0|\d[1-9]00|[1-9]000)-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d'
    r'(\.\d{3}|\.\d{6})?Z"'
)
AMOUNT = r'"[0-9]{1,12}(\.[0-9]{1,4})?"'
_PRICE = rf'\{{"amount":{AMOUNT},"currency":"[A-Z]{{3}}"\}}'
#: Of a price that looks so: what is between the first 11 characters and the last 19.
_PRICE_AMOUNT = "substr(price, 12, length(price) - 30)"
#: Of its last five characters the first three.
_PRICE_CURRENCY = "substr(price, length(price) - 4, 3)"
#: By kind of row, the fields that a line may have beside those of every line.
_OWN = {
    ENTERED: ("step", "value"),
    FAILED: ("step", "value", "reason"),
    ORDERED: ("order_id", "total"),
    SENT: ("channel", "campaign"),
    CLICKED: ("channel", "campaign"),
    ASSIGNED: ("arm", "campaign", "share"),
    REFUNDED: ("order_id", "refund_id", "amount"),
    CANCELLED: ("order_id",),
}
SHARE = r'"0\.[0-9]{1,18}"'
_NAMED = r'"[^"\\]+":("[^"\\]*"|null|true|false|0|-?[1-9]\d{0,17})'
_FLAT = rf"\{{({_NAMED}(,{_NAMED})*)?\}}"


def facts(
    source: str,
    by: Sequence[str],
    exclude: Mapping[str, Sequence[object]],
    *,
    also: Sequence[str] = (),
    only: str = "true",
) -> str:
    """A select of rows, as `lastclick._rows` has them, with their funnels and files.

    Args:
        source: A table of lines: ``line``, NULL where it is not JSON, and the number of its
            ``file``.
        by: The attributes whose values form the group.
        exclude: By attribute, the values that exclude.
        also: What follows, from the fields (each as JSON text), the ``line`` and whether it is
            ``usual``.
        only: What else must be true of a usual line. Its ``size`` is that of the fields that its
            kind has, written without blanks.

    Returns:
        The select; ``kind`` is NULL where the line is not usual.
    """
    kinds = " ".join(f"""WHEN '"{name}"' THEN {kind}""" for name, kind in USUAL.items())
    units = f"CAST({_PRICE_AMOUNT} AS DECIMAL(20, 4)) * CAST(10000 AS DECIMAL(5, 0))"
    return f"""SELECT t, CASE WHEN usual THEN kind END AS kind,
        {_text("event_id")} AS event_id, {_text("checkout_id")} AS checkout_id,
        {_text("customer_id")} AS customer_id, {_text("what")} AS what, {_text("more")} AS more,
        CASE WHEN price IS NOT NULL AND usual THEN CAST({units} AS BIGINT) END AS units,
        CASE WHEN kind = {ASSIGNED} THEN {_text("share")} ELSE {_PRICE_CURRENCY} END AS currency,
        excluded, grp, {_text("funnel")} AS funnel, {", ".join(["file", *also])}
    FROM (SELECT *, coalesce(
            t IS NOT NULL AND v = '1' AND NOT contains(line, '\\') AND {_is_id("event_id")}
            AND {_is_id("checkout_id")} AND {_is_id("funnel")} AND {_is_id("what")}
            AND (customer_id IS NULL OR {_is_id("customer_id")})
            AND CASE WHEN more IS NULL THEN kind <> {FAILED} ELSE {_is_id("more")} END
            AND (kind <> {ASSIGNED} OR what IN ('"treated"', '"holdout"')
                AND (share IS NULL OR regexp_full_match(share, '{SHARE}')))
            AND (price IS NULL OR regexp_full_match(price, '{_PRICE}'))
            AND (attributes IS NULL OR {_flat([*by, *exclude])})
            AND CASE WHEN strlen(line) = size THEN true ELSE {_is_sound("line")} END
            AND {only}, false) AS usual
        FROM (SELECT v, event_id, checkout_id, customer_id, funnel, attributes, kind, share, file,
                line, {_size()} AS size,
                CASE WHEN regexp_full_match(occurred_at, '{INSTANT}') THEN epoch_us(TRY_CAST(
                    substr(occurred_at, 2, length(occurred_at) - 3) AS TIMESTAMP)) END AS t,
                CASE WHEN kind <= {FAILED} THEN step
                    WHEN kind IN ({ORDERED}, {REFUNDED}, {CANCELLED}) THEN order_id
                    WHEN kind = {ASSIGNED} THEN arm ELSE channel END AS what,
                CASE WHEN kind = {FAILED} THEN reason WHEN kind = {REFUNDED} THEN refund_id
                    WHEN kind IN ({SENT}, {CLICKED}, {ASSIGNED}) THEN campaign END AS more,
                CASE WHEN kind <= {FAILED} THEN value WHEN kind = {ORDERED} THEN total
                    WHEN kind = {REFUNDED} THEN amount END AS price,
                {excluded(exclude)} AS excluded, {group(by)} AS grp
            FROM (SELECT *, CASE type {kinds} END AS kind FROM ({_fields(source)})))) rows"""


def _fields(source: str) -> str:
    """The fields of lines, each as the JSON text of its value."""
    shape = json.dumps(dict.fromkeys(FIELDS, "JSON"))
    texts = ", ".join(f"CAST(parsed.{field} AS VARCHAR) AS {field}" for field in FIELDS)
    return (
        f"SELECT line, file, {texts}"
        f" FROM (SELECT line, file, from_json(line, '{shape}') AS parsed FROM {source})"
    )


def _size() -> str:
    """How many bytes a line has whose fields are written without blanks between them."""

    def size(fields: Sequence[str]) -> str:
        return " + ".join(f"coalesce(strlen({field}) + {len(field) + 4}, 0)" for field in fields)

    common = [field for field in FIELDS if not any(field in own for own in _OWN.values())]
    own = " ".join(f"WHEN {kind} THEN {size(fields)}" for kind, fields in _OWN.items())
    return f"1 + {size(common)} + CASE kind {own} END"


def _is_sound(line: str) -> str:
    """Whether a line that DuckDB reads is JSON to others, and has no key twice."""
    return rf"(NOT regexp_matches({line}, ',\s*[}}\]]') AND {once(line)})"


def once(json_object: str) -> str:
    """Whether each key of an object is there once: the core takes the last, databases the first."""
    keys = f"json_keys({json_object})"
    return f"len(list_distinct({keys})) = len({keys})"


def plain(name: str) -> bool:
    """Whether a path to an attribute of this name can be written."""
    return '"' not in name and "\\" not in name


def _text(column: str) -> str:
    return f"substr({column}, 2, length({column}) - 2)"


def _is_id(column: str) -> str:
    return f"(starts_with({column}, '\"') AND length({column}) BETWEEN 3 AND {MAX_ID_LENGTH + 2})"


def _flat(named: Sequence[str]) -> str:
    """Whether attributes are plain values, and each that is named is there once."""
    # Names are only looked at where a text is long enough for a long one, or for many.
    few = min(MAX_ID_LENGTH, MAX_ATTRIBUTES * len('"":0,'))
    keys = "json_keys(attributes)"
    tests = [f"regexp_full_match(attributes, '{_FLAT}')"]
    for name in named:
        key = f'"{name}":'.replace("'", "''")
        tests.append(f"len(string_split(attributes, '{key}')) <= 2")
    return (
        f"({' AND '.join(tests)} AND CASE"
        f" WHEN length(attributes) <= {few} THEN true"
        f" ELSE len({keys}) <= {MAX_ATTRIBUTES}"
        f" AND len(list_filter({keys}, lambda x: length(x) > {MAX_ID_LENGTH})) = 0 END)"
    )


def _value(name: str) -> str:
    """The JSON text of an attribute's value, NULL where there is none."""
    path = f'$."{name}"'.replace("'", "''")
    return f"CAST(json_extract(attributes, '{path}') AS VARCHAR)"


def excluded(exclude: Mapping[str, Sequence[object]]) -> str:
    """Whether one of a row's ``attributes`` excludes it."""
    tests = []
    for name, values in exclude.items():
        texts = [json.dumps(value, ensure_ascii=False).replace("'", "''") for value in values]
        if texts:
            listed = ", ".join(f"'{text}'" for text in texts)
            name_as_json = json.dumps(name, ensure_ascii=False).replace("'", "''")
            # Few rows have it: to look for a text is cheaper than to parse.
            named = f"contains(attributes, '{name_as_json}')"
            tests.append(f"CASE WHEN {named} THEN {_value(name)} IN ({listed}) END")
    return f"coalesce({' OR '.join(tests) or 'false'}, false)"


def group(by: Sequence[str]) -> str:
    """The values of a row's ``attributes`` that form its group."""
    if not by:
        return "''"
    values = [f"coalesce({_value(name)}, 'null')" for name in by]
    listed = " || ', ' || ".join(values)
    return f"'[' || {listed} || ']'"
