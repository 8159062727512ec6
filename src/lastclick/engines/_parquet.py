"""Packed logs: the columns of their Parquet files, made from lines and read back, by SQL.

A row says its line by its columns where the line is of the usual shape and has no further keys.
Any other line stands whole in the column ``line``, so that nothing is lost.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from lastclick import _manifest
from lastclick._manifest import COLUMNS
from lastclick._rows import (
    ASSIGNED,
    CANCELLED,
    CLICKED,
    FAILED,
    ORDERED,
    REFUNDED,
    SENT,
    USUAL,
)
from lastclick.engines._dialect import DUCKDB
from lastclick.engines._usual import excluded, facts, group, once

_STEPS = "type IN ('step_entered', 'step_failed')"
_BATCH = 100


def usual_columns(lines: str) -> str:
    """A select of the columns of lines, with their ``place``.

    Args:
        lines: A table of lines as they are, each with its ``place``.

    Returns:
        The select; ``type`` is NULL where the columns do not say everything.
    """
    source = (
        f"(SELECT CASE WHEN json_valid(line) THEN line END AS line, place AS file FROM {lines})"
    )
    said = f"strlen(json(line)) = size AND (attributes IS NULL OR {once('attributes')})"
    types = " ".join(f"WHEN {kind} THEN '{name}'" for name, kind in USUAL.items())

    def only(kinds: Sequence[int], column: str) -> str:
        return f"CASE WHEN kind IN ({', '.join(map(str, kinds))}) THEN {column} END"

    columns = {
        "type": f"CASE kind {types} END",
        "occurred_at": "make_timestamp(t)",
        "step": f"CASE WHEN kind <= {FAILED} THEN what END",
        "reason": only([FAILED], "more"),
        "order_id": only([ORDERED, REFUNDED, CANCELLED], "what"),
        "refund_id": only([REFUNDED], "more"),
        "channel": only([SENT, CLICKED], "what"),
        "campaign": only([SENT, CLICKED, ASSIGNED], "more"),
        "arm": only([ASSIGNED], "what"),
        "share": only([ASSIGNED], "currency"),
        # not divided: a quotient is a float
        "amount": "CAST(CAST(units AS DECIMAL(16, 0)) * CAST('0.0001' AS DECIMAL(4, 4))"
        " AS DECIMAL(16, 4))",
        "currency": f"CASE WHEN kind <> {ASSIGNED} THEN currency END",
        "line": "CAST(NULL AS VARCHAR)",
    }
    listed = ", ".join(f"{columns.get(name, name)} AS {name}" for name in COLUMNS)
    rows = facts(source, (), {}, also=("attributes",), only=said)
    return f"SELECT file AS place, {listed} FROM ({rows})"


def reading(files: Iterable[Path | str]) -> str:
    """What packed files are read by, as a table with each row's ``filename`` and place."""
    listed = ", ".join(DUCKDB.quoted(literal(str(file))) for file in files)
    return (
        f"read_parquet([{listed}], hive_partitioning = false, filename = true,"
        f" file_row_number = true)"
    )


def literal(file: str) -> str:
    """A path or URL that is no pattern, whatever is in it; of the web none is."""
    if file.startswith(("http://", "https://")):
        return file
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in file)


def packed_facts(source: str, by: Sequence[str], exclude: Mapping[str, Sequence[object]]) -> str:
    """A select of rows, as `lastclick.engines._usual.facts` has them, of what columns say."""
    kinds = " ".join(f"WHEN '{name}' THEN {kind}" for name, kind in USUAL.items())
    units = "CAST(CAST(amount AS DECIMAL(20, 4)) * CAST(10000 AS DECIMAL(5, 0)) AS BIGINT)"
    return f"""SELECT epoch_us(occurred_at) AS t, CASE type {kinds} END AS kind, event_id,
        checkout_id, customer_id, coalesce(step, order_id, arm, channel) AS what,
        coalesce(reason, refund_id, campaign) AS more, {units} AS units,
        coalesce(currency, share) AS currency, {excluded(exclude)} AS excluded, {group(by)} AS grp,
        funnel, NULL AS file
    FROM {source} WHERE line IS NULL"""


def _as_line() -> str:
    """The line of a row."""

    def text(key: str, column: str) -> str:
        return f"""coalesce(',"{key}":"' || {column} || '"', '')"""

    instant = "strftime(occurred_at, '%Y-%m-%dT%H:%M:%S.%fZ')"
    price = f"CASE WHEN {_STEPS} THEN 'value' WHEN type = 'order_completed' THEN 'total'"
    amount = "regexp_replace(CAST(amount AS VARCHAR), '0{1,2}$', '')"
    parts = [
        """'{"v":1,"type":"' || type || '"'""",
        text("event_id", "event_id"),
        text("funnel", "funnel"),
        text("occurred_at", instant),
        text("checkout_id", "checkout_id"),
        text("customer_id", "customer_id"),
        """coalesce(',"attributes":' || attributes, '')""",
        *(text(name, name) for name in list(COLUMNS)[6:14]),
        f"""coalesce(',"' || {price} ELSE 'amount' END || '":{{"amount":"' || {amount}
            || '","currency":"' || currency || '"}}', '')""",
        "'}'",
    ]
    return " || ".join(parts)


def select_lines(file: Path | str) -> str:
    """A select of the places and lines of a packed file, in order."""
    return f"SELECT file_row_number, coalesce(line, {_as_line()}) FROM {reading([file])}"


def select_others(file: Path | str) -> str:
    """A select of the places and lines that columns do not say, in order."""
    return (
        f"SELECT file_row_number, line FROM {reading([file])} WHERE line IS NOT NULL"
        f" ORDER BY file_row_number"
    )


def lines(file: Path) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of a packed file, some 100 at a time, with the number of the first.

    Raises:
        LogError: The file is not what was written.
    """
    _manifest.check(file)
    with duckdb.connect() as connection:
        try:
            found = connection.execute(select_lines(file))
            start = 1
            while rows := found.fetchmany(_BATCH):
                yield start, [line.encode() for _, line in rows]
                start += len(rows)
        except duckdb.Error as error:
            raise _manifest.damaged(file, str(error).splitlines()[0]) from None
