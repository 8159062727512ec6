"""Lines of the usual shape as rows, by Spark's SQL; the core reads all others.

Spark's functions for JSON forget whether a value was a text or a number, and each takes a field
that is there twice in its own way. A usual line is so plain that regular expressions can take it
apart: no escapes, no fractions, no lists, and nothing nested but objects of plain values. Each
value keeps its JSON text. The expressions mean the same to Java (Spark) and to Rust (Sail).
"""

import json
from collections.abc import Mapping, Sequence

from lastclick._rows import ASSIGNED, CANCELLED, CLICKED, FAILED, ORDERED, REFUNDED, SENT, USUAL
from lastclick.engines._dialect import SPARK
from lastclick.engines._usual import AMOUNT, FIELDS, INSTANT, SHARE
from lastclick.events import MAX_ATTRIBUTES, MAX_ID_LENGTH

#: Java's regular expressions need stack for each member of a line.
_LONGEST = 8192

#: What a usual line does not have; of bytes that are no UTF-8, the second is left. Sought by
#: itself: where the texts of `_LINE` leave it out, Java takes three times as long.
_ODD = "\\\ufffd"
_CONTROL = r"[\x00-\x1f](?s:.)"  # that at the end is white, or no line matches
_WHITE = r"[ \t\r\n]*"
_TEXT = r'"[^"]*"'
_PLAIN = rf"(?:{_TEXT}|null|true|false|0|-?[1-9][0-9]{{0,17}})"


def _object(value: str) -> str:
    member = rf"{_TEXT}{_WHITE}:{_WHITE}{value}{_WHITE}"
    return rf"\{{{_WHITE}(?:{member}(?:,{_WHITE}{member})*)?\}}"


_LINE = rf"\A{_WHITE}{_object(f'(?:{_PLAIN}|{_object(_PLAIN)})')}{_WHITE}\z"
# Only for what is known to be plain. A nested object is one value, with all that is in it.
_MEMBER = rf'"([^"]*)"{_WHITE}:{_WHITE}("[^"]*"|\{{[^"{{}}]*(?:"[^"]*"[^"{{}}]*)*\}}|[a-z0-9-]+)'
_CURRENCY = '"[A-Z]{3}"'

quoted = SPARK.quoted


def facts(source: str, by: Sequence[str], exclude: Mapping[str, Sequence[object]]) -> str:
    """A select of rows, as `lastclick._rows` has them, with their funnels.

    Args:
        source: A table of lines, its column ``value``.
        by: The attributes whose values form the group.
        exclude: By attribute, the values that exclude.

    Returns:
        The select; where the line is not usual, ``kind`` is NULL and ``line`` is the line.
    """
    kinds = " ".join(f"WHEN {quoted(json.dumps(name))} THEN {of}" for name, of in USUAL.items())
    units = f"try_cast({_text('amount_text')} AS DECIMAL(20, 4)) * CAST(10000 AS DECIMAL(5, 0))"
    return f"""SELECT t, CASE WHEN usual THEN kind END AS kind,
        {_text("event_id")} AS event_id, {_text("checkout_id")} AS checkout_id,
        {_text("customer_id")} AS customer_id, {_text("what")} AS what, {_text("more")} AS more,
        CASE WHEN usual AND price IS NOT NULL THEN CAST({units} AS BIGINT) END AS units,
        CASE WHEN kind = {ASSIGNED} THEN {_text("share")} ELSE {_text("currency_text")} END
            AS currency,
        excluded, grp, {_text("funnel")} AS funnel, CASE WHEN NOT usual THEN line END AS line
    FROM (SELECT *, coalesce(
            t IS NOT NULL AND v = '1' AND {_is_id("event_id")} AND {_is_id("checkout_id")}
            AND {_is_id("funnel")} AND {_is_id("what")}
            AND (customer_id IS NULL OR {_is_id("customer_id")})
            AND CASE WHEN more IS NULL THEN kind <> {FAILED} ELSE {_is_id("more")} END
            AND (kind <> {ASSIGNED} OR what IN ({quoted('"treated"')}, {quoted('"holdout"')})
                AND (share IS NULL OR {_matches("share", SHARE)}))
            AND (price IS NULL OR {_once("price_names")} AND {_matches("amount_text", AMOUNT)}
                AND {_matches("currency_text", _CURRENCY)})
            AND (attributes IS NULL OR {_flat()}), false) AS usual
        FROM (SELECT *, {_field("price_names", "price_texts", "amount")} AS amount_text,
                {_field("price_names", "price_texts", "currency")} AS currency_text,
                {excluded(exclude)} AS excluded, {group(by)} AS grp
            FROM (SELECT *, {nested("attributes", "noted_")}, {nested("price", "price_")}
                FROM ({_parts(source, kinds)}) parts) taken) rows) judged"""


def _parts(source: str, kinds: str) -> str:
    """The fields of lines as JSON text, and which of them matter for the kind of event."""
    fields = ", ".join(f"{_field('names', 'texts', field)} AS {field}" for field in FIELDS)
    return f"""SELECT line, v, event_id, checkout_id, funnel, attributes, kind, share,
            nullif(customer_id, 'null') AS customer_id,
            CASE WHEN {_matches("occurred_at", INSTANT)}
                THEN unix_micros(try_cast({_text("occurred_at")} AS TIMESTAMP_LTZ)) END AS t,
            CASE WHEN kind <= {FAILED} THEN step
                WHEN kind IN ({ORDERED}, {REFUNDED}, {CANCELLED}) THEN order_id
                WHEN kind = {ASSIGNED} THEN arm ELSE channel END AS what,
            nullif(CASE WHEN kind = {FAILED} THEN reason WHEN kind = {REFUNDED} THEN refund_id
                WHEN kind IN ({SENT}, {CLICKED}, {ASSIGNED}) THEN campaign END, 'null') AS more,
            nullif(CASE WHEN kind <= {FAILED} THEN value WHEN kind = {ORDERED} THEN total
                WHEN kind = {REFUNDED} THEN amount END, 'null') AS price
        FROM (SELECT *, CASE type {kinds} END AS kind
            FROM (SELECT line, {fields}
                FROM (SELECT line, CASE WHEN {_once("names")} THEN names END AS names, texts
                    FROM (SELECT line, {_members("plain", "")}
                        FROM (SELECT value AS line, CASE WHEN length(value) <= {_LONGEST}
                                THEN CASE WHEN {_plain("value")} THEN value END END AS plain
                            FROM {source}) lines) members) once) fields) kinds"""


def _plain(line: str) -> str:
    odd = "".join(f"NOT contains({line}, {quoted(one)}) AND " for one in _ODD)
    return f"{odd}NOT {line} RLIKE {quoted(_CONTROL)} AND {line} RLIKE {quoted(_LINE)}"


def _members(text: str, prefix: str) -> str:
    """The names and the values of an object."""
    found = f"regexp_extract_all({text}, {quoted(_MEMBER)}"
    return f"{found}, 1) AS {prefix}names, {found}, 2) AS {prefix}texts"


def nested(column: str, prefix: str) -> str:
    """The names and the values of an object, if it is one."""
    return _members(f"CASE WHEN startswith({column}, '{{') THEN {column} END", prefix)


def _field(names: str, texts: str, name: str) -> str:
    """The JSON text of a value, NULL where there is none."""
    return f"get({texts}, CAST(array_position({names}, {quoted(name)}) AS INT) - 1)"


def _once(names: str) -> str:
    return f"size(array_distinct({names})) = size({names})"


def _text(column: str) -> str:
    return f"substr({column}, 2, greatest(length({column}) - 2, 0))"


def _is_id(column: str) -> str:
    return (
        f"(startswith({column}, {quoted(chr(34))})"
        f" AND length({column}) BETWEEN 3 AND {MAX_ID_LENGTH + 2})"
    )


def _matches(column: str, pattern: str) -> str:
    # Rust has digits of all scripts for \d.
    whole = rf"\A(?:{pattern})\z".replace(r"\d", "[0-9]")
    return f"{column} RLIKE {quoted(whole)}"


def _flat() -> str:
    return (
        f"({_once('noted_names')} AND size(noted_names) <= {MAX_ATTRIBUTES}"
        f" AND forall(noted_names, x -> length(x) BETWEEN 1 AND {MAX_ID_LENGTH}))"
    )


def excluded(exclude: Mapping[str, Sequence[object]]) -> str:
    """Whether one of a row's attributes, which are ``nested`` as ``noted_``, excludes it."""
    tests = []
    for name, values in exclude.items():
        if values:
            listed = ", ".join(quoted(json.dumps(value, ensure_ascii=False)) for value in values)
            found = _field("noted_names", "noted_texts", name)
            tests.append(f"coalesce({found} IN ({listed}), false)")
    return f"({' OR '.join(tests) or 'false'})"


def group(by: Sequence[str]) -> str:
    """The values of a row's attributes that form its group."""
    if not by:
        return "''"
    found = [f"coalesce({_field('noted_names', 'noted_texts', name)}, 'null')" for name in by]
    inner = f" || {quoted(', ')} || ".join(found)
    return f"{quoted('[')} || {inner} || {quoted(']')}"
