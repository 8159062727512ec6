"""What SQL takes for a usual line means to it what it means to the core."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from lastclick._rows import Row, Rows
from lastclick.engines._spark_lines import facts

Line = dict[str, Any]

BY = ("device", "pl an")
EXCLUDE = {"traffic": ("bot", 1, True, None), "ö'\"\\": ("x",)}

EVENT: Line = {
    "v": 1,
    "type": "step_entered",
    "event_id": "e1",
    "funnel": "checkout",
    "occurred_at": "2026-10-01T10:00:00.000001Z",
    "checkout_id": "c1",
    "step": "cart",
}
KINDS: tuple[Line, ...] = (
    {},
    {"value": {"amount": "59.9", "currency": "EUR"}},
    {"type": "step_failed", "reason": "declined"},
    {"type": "order_completed", "order_id": "o1", "total": {"amount": "1.0001", "currency": "USD"}},
    {"type": "order_refunded", "order_id": "o1", "refund_id": "r1"},
    {"type": "order_cancelled", "order_id": "o1"},
    {"type": "reminder_sent", "channel": "email", "campaign": "spring"},
    {"type": "reminder_clicked", "channel": "sms"},
    {"type": "holdout_assigned", "arm": "holdout", "share": "0.25"},
    {"type": "survey_answered", "score": 4},
    {"type": "parcel_sent"},
)
#: Values that a field may have, and should not.
VALUES = (
    *("", "x", " ", "7", "true", "null", "é" * 256, "é" * 257, "😀" * 256, "\x7f", "\ufffd"),
    *(':"', "a\\b", "a\nb", "{", "}", ":", ",", "{}", ":{", '{"a":1}', "'", "--", "\ud83d"),
    *("1.5", "00012.5000", "1e3", "-1", "999999999999.9999", "1234567890123", "1.00005"),
    *("0.1", "0.", ".5", "0.0000000000000000001", "1"),
    *(1, 0, -1, 1.0, 2, True, False, None, 10**17, 10**18, 2**63, -(10**18), 1.5, 1e300),
    *([], [1], {}, {"a": 1}, {"a": {}}, {"amount": 1, "currency": "EUR"}),
    *({"amount": "1", "currency": "EU"}, {"amount": "1"}, {"currency": "EUR"}),
    {"amount": "2", "currency": "EUR", "more": None},
    *({"device": "ö"}, {"device": "a", "pl an": 1}, {"device": None}, {"pl an": True}),
    *({"traffic": "bot"}, {"traffic": 1}, {"traffic": True}, {"traffic": None}, {"traffic": 0}),
    *({"ö'\"\\": "x"}, {"": 1}, {"n" * 256: 1}, {"n" * 257: 1}, {"device": 1.5}),
    {"step": "x", "event_id": 5, "v": 2},
    {f"a{place}": place for place in range(64)},
    {f"a{place}": place for place in range(65)},
    "long" * 3000,
)
INSTANTS = (
    *("2026-10-01T10:00:00Z", "2026-10-01T10:00:00.123Z", "0001-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z", "2024-02-29T00:00:00Z"),
    *("2026-02-29T00:00:00Z", "0000-01-01T00:00:00Z", "1582-10-10T00:00:00Z"),
    *("2026-10-01T10:00:00+02:00", "2026-10-01 10:00:00Z", "2026-10-01", "20261001T100000Z"),
    *("2026-10-01T24:00:00Z", "2026-10-01T23:59:60Z", "2026-10-01T10:00:00.1234567Z"),
    *("2026-10-01T10:00:00", "\uff12\uff10\uff12\uff16-10-01T10:00:00Z", "now"),
)
FIELDS = (*EVENT, "customer_id", "attributes", "value", "reason", "order_id", "total", "amount")
FIELDS += ("refund_id", "channel", "campaign", "arm", "share", "new", "")


def written(chance: random.Random) -> str:
    """An event as somebody may write it."""
    line = {**EVENT, **chance.choice(KINDS)}
    for field in chance.sample(FIELDS, chance.randrange(3)):
        line[field] = chance.choice(INSTANTS if field == "occurred_at" else VALUES)
    if chance.random() < 0.1:
        del line[chance.choice(sorted(line))]
    items = list(line.items())
    if chance.random() < 0.5:
        chance.shuffle(items)
    comma, colon = chance.choice(
        ((",", ":"), (",", ":"), (", ", ": "), (" ,\t", " :\r"), ("\uff0c", ":"))
    )
    ascii_ = chance.random() < 0.5 or "\\ud83d" in repr(line)
    fields = [
        f"{json.dumps(name)}{colon}{json.dumps(value, ensure_ascii=ascii_)}"
        for name, value in items
    ]
    if chance.random() < 0.1:  # some field twice
        fields += (chance.choice(fields), f'"{chance.choice(FIELDS)}":"twice"')
    text = f"{{{comma.join(fields)}}}"
    place = chance.randrange(1, len(text) + 1)
    broken = chance.randrange(40)
    if broken == 0:
        return text[:place]
    if broken == 1:
        return text[:place] + chance.choice('"{}:,\0\x00 é') + text[place:]
    return text


def judged(spark: Any, lines: list[str]) -> tuple[list[Row], list[str]]:
    """The rows of usual lines, and the other lines."""
    spark.createDataFrame([(line,) for line in lines], "value STRING").createOrReplaceTempView(
        "odd_lines"
    )
    rows, others = [], []
    for *row, _, line in spark.sql(facts("odd_lines", BY, EXCLUDE)).collect():
        if row[1] is None:
            others.append(line)
        else:
            row[-1] = json.dumps(json.loads(row[-1]))  # the engine spells groups in ASCII
            rows.append(tuple(row))
    return rows, others


def agree(spark: Any, lines: list[str]) -> int:
    """How many lines are usual, once the core has made the same rows of them."""
    rows, others = judged(spark, lines)
    usual = Counter(lines) - Counter(others)
    core = []
    for line, times in usual.items():
        funnel = json.loads(line)["funnel"]
        found, refused = Rows(funnel, BY, EXCLUDE).of_lines([line.encode()])
        assert (len(found), refused) == (1, []), line
        core += found * times

    assert Counter(rows) == Counter(core)
    return len(rows)


def test_what_everyday_lines_say_is_read_by_sql(spark: Any) -> None:
    """The lines that a funnel writes, compact or with spaces, in any order of fields."""
    extra = {"attributes": {"device": "mobile", "traffic": "bot", "n": -5}, "customer_id": "u1"}
    events = [{**EVENT, **kind, **extra} for kind in KINDS[:-2]]
    lines = [json.dumps(event, separators=(",", ":")) for event in events]
    lines += [json.dumps(event) for event in events]
    lines += [json.dumps(dict(reversed(event.items()))) for event in events]
    lines += [f"{line}\r" for line in lines]  # of a file with the ends of lines of Windows

    assert agree(spark, lines) == len(lines)


def test_a_usual_line_means_the_same_to_both(spark: Any) -> None:
    """Whatever the line, and however it is written."""
    chance = random.Random(1)

    usual = agree(spark, [written(chance) for _ in range(3_000)])

    assert usual > 500


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 5))
def test_very_many_usual_lines_mean_the_same_to_both(spark: Any, seed: int) -> None:
    """The same, on many more."""
    chance = random.Random(seed)

    agree(spark, [written(chance) for _ in range(20_000)])
