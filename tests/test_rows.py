"""Rows: the quick way and the event model's way accept the same lines and mean the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lastclick import _rows
from lastclick._rows import (
    CLICKED,
    ENTERED,
    FAILED,
    REFUNDED,
    UNKNOWN,
    Row,
    Rows,
    instant,
    micros,
)
from lastclick.errors import EventError, LogError
from lastclick.events import EventsLost, FunnelDeclared, parse_line
from tests.metrics.shop import at, clicked, declared, entered, eur, failed, lost, refunded

NOON = 1_790_856_000_000_000

LINE: dict[str, Any] = {
    "v": 1,
    "type": "step_entered",
    "event_id": "e-1",
    "funnel": "checkout",
    "checkout_id": "c-1",
    "customer_id": "u-1",
    "occurred_at": "2026-10-01T12:00:00.000000Z",
    "attributes": {"device": "mobile"},
    "step": "cart",
    "value": {"amount": "59.90", "currency": "EUR"},
}
ROW = (NOON, ENTERED, "e-1", "c-1", "u-1", "cart", None, 599_000, "EUR", False, "")

WAYS: list[dict[str, Any]] = [
    {},
    {"by": ("device", "plan")},
    {"everything": True},
    {"exclude": {"device": ("mobile",), "plan": (1,)}},
]

IDS = ["", " ", "\t\n", " x ", "\x00", "\u00e9" * 256, "x" * 257, "\ud800", 5, None, [], True]
VARIATIONS: dict[str, list[Any]] = {
    **dict.fromkeys(("event_id", "checkout_id", "customer_id", "step", "funnel"), IDS),
    "v": [True, 1.0, 2, 0, "1", None],
    "type": ["survey_answered", "", "x" * 257, [], None, "order_cancelled", 5],
    "occurred_at": [
        *("2026-10-01T12:00:00Z", "2026-10-01T12:00Z", "2026-10-01 12:00:00.5+00:00"),
        *("20261001T120000Z", "2026-W40-4T12:00Z", "2026-10-01T12:00:00,25Z"),
        *("2026-10-01T14:00:00+02:00", "2026-10-01T14:00:30+02:00:30", "2026-10-01T12:00:00z"),
        *("2026-10-01T12:00:00.1234567Z", "2026-10-01T12:00:00", "2026-10-01", "", "noon"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"),
        *("9999-12-31T23:59:59.999999Z", 5, None, {}),
    ],
    "attributes": [
        *({}, None, [], "x", 5, {"": 1}, {" ": 1}, {"x" * 257: 1}, {"a": 1.5}, {"a": 1.0}),
        *({"a": 2**63 - 1}, {"a": 2**63}, {"a": -(2**63)}, {"a": -(2**63) - 1}, {"a": 10**40}),
        *({"a": None}, {"a": True}, {"a": []}, {"a": {"b": 1}}, {"a": "\ud800"}),
        *({f"a{n}": n for n in range(64)}, {f"a{n}": n for n in range(65)}),
        *({"plan": 1}, {"plan": True}, {"plan": "1"}, {"device": None}),
    ],
    "value": [
        *(None, {}, [], ["1", "EUR"], "1", 5, 0, True, False, {"amount": "1"}),
        {"amount": "1", "currency": "EUR", "more": 1},
        *(
            {"amount": amount, "currency": "EUR"}
            for amount in (
                *("0", "00", "01", "-0", "-1", "1.", ".5", "1e3", " 1", "1_0", "\u0661", "NaN"),
                *("1.2345", "1.23456", "999999999999.9999", "1000000000000", "0" * 13),
                *("000000000001.5", 5, 5.5, None, True, [], {}),
            )
        ),
        *(
            {"amount": "1", "currency": code}
            for code in ("eur", "EURO", "EU", "ZZZ", "\u00c9UR", "EUR\n", 5, None, [])
        ),
    ],
}
OTHERS: list[dict[str, Any]] = [
    *({"type": "step_failed", "reason": reason} for reason in IDS),
    {"type": "step_failed"},
    *({"type": "order_completed", "order_id": order} for order in IDS),
    {"type": "order_completed", "order_id": "o", "total": LINE["value"]},
    {"type": "order_completed", "order_id": "o", "total": {"amount": "-1", "currency": "EUR"}},
    *({"type": "reminder_sent", "channel": "email", "campaign": name} for name in IDS),
    *({"type": "reminder_clicked", "channel": channel} for channel in IDS),
    *({"type": "holdout_assigned", "arm": arm} for arm in ("treated", "holdout", "x", 1)),
    *({"type": "order_refunded", "order_id": "o", "refund_id": name} for name in IDS),
    *({"type": "order_refunded", "order_id": "o", "checkout_id": name} for name in IDS),
    {"type": "order_refunded", "order_id": "o", "amount": LINE["value"]},
]

LINES = [
    *({name: value for name, value in LINE.items() if name != left} for left in LINE),
    *({**LINE, name: value} for name, values in VARIATIONS.items() for value in values),
    *({**LINE, **other} for other in OTHERS),
    {**dict(reversed(LINE.items())), "library": {"name": "x", "version": [1]}, "n": 1.5},
]


def encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")


def told(rows: Rows, line: bytes) -> Row | str | None:
    """What a line is read as: a row, what is wrong with it, or nothing of this funnel."""
    found, others = rows.of_lines([line])
    assert len(found) + len(others) <= 1
    return found[0] if found else type(others[0][1]).__name__ if others else None


def the_long_way(rows: Rows, line: bytes) -> Row | str | None:
    read = rows._unusual(line)
    return read if read is None or isinstance(read, tuple) else type(read).__name__


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("funnel", ["checkout", None])
def test_both_ways_read_the_same(way: dict[str, Any], funnel: str | None) -> None:
    """Whatever a line is made of, the quick way says of it what the event model says."""
    quick = slow = 0
    for record in LINES:
        line = encoded(record)
        one, other = Rows(funnel, **way), Rows(funnel, **way)

        assert told(one, line) == the_long_way(other, line), line
        assert (one.funnel, one.funnels) == (other.funnel, other.funnels), line
        if "\ud800" not in json.dumps(record, ensure_ascii=False):
            is_usual = Rows(funnel, **way)._usual(record) is not None
            quick, slow = quick + is_usual, slow + (not is_usual)

    assert quick > 50
    assert slow > 50


def test_a_usual_line_is_a_row() -> None:
    """Instants are microseconds, money is in 1/10,000, what is absent is None."""
    rows = Rows("checkout")

    assert rows.of_lines([encoded(LINE)]) == ([ROW], [])
    assert rows._usual(LINE) == ROW


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_an_event_and_its_line_are_the_same_row(way: dict[str, Any]) -> None:
    """An event object becomes what its line becomes."""
    events = [
        entered("a", "cart", 0.5, eur("5.5"), attributes={"device": "mobile", "plan": True}),
        failed("a", "cart", 1, "x", customer_id="u"),
        clicked("a", 1, campaign="c"),
        refunded("o", 1, eur("0"), "r"),
        refunded("o", 1, checkout_id="a"),
    ]

    for event in events:
        row = Rows("checkout", **way).of_event(event)

        assert told(Rows("checkout", **way), event.line) == row


def test_what_each_kind_has_is_in_its_row() -> None:
    """The step, the reason, the channel or the order id stand in the same places."""
    rows = Rows("checkout")

    told_rows = [
        rows.of_event(event)[1:9]
        for event in (failed("a", "cart", 1, "x"), clicked("a", 2), refunded("o", 3, eur("1"), "r"))
    ]

    assert [(row[0], row[2], *row[4:]) for row in told_rows] == [
        (FAILED, "a", "cart", "x", None, None),
        (CLICKED, "a", "email", None, None, None),
        (REFUNDED, None, "o", "r", 10_000, "EUR"),
    ]


def test_a_broken_line_spoils_no_other() -> None:
    """Among good lines each bad one is named by its place."""
    lines = [encoded({**LINE, "event_id": f"e-{n}"}) for n in range(5)]
    lines[1] = lines[1][:60]
    lines[3] = b"no json"

    rows, others = Rows("checkout").of_lines(lines)

    assert [row[2] for row in rows] == ["e-0", "e-2", "e-4"]
    assert [(place, type(read)) for place, read in others] == [(1, EventError), (3, EventError)]


@pytest.mark.parametrize(
    "line",
    [
        encoded(LINE) + encoded(LINE),
        encoded(LINE) + b"," + encoded(LINE),
        b"[" + encoded(LINE) + b"]",
        encoded(LINE) + b"]",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'"text"',
        b"{" * 300,
        b"\xff\xfe{}",
        b'{"a": NaN}',
    ],
)
def test_a_line_that_is_not_one_event_is_a_problem(line: bytes) -> None:
    """Two objects, a list or no JSON at all are refused, alone and among others."""
    good = encoded(LINE)

    for lines in ([line], [good, line], [line, good], [good, line, good]):
        rows, others = Rows("checkout").of_lines(lines)

        assert [place for place, _ in others] == [lines.index(line)]
        assert isinstance(others[0][1], EventError)
        assert rows == [ROW] * (len(lines) - 1)


def test_a_line_torn_in_two_is_two_problems() -> None:
    """Halves that would make one object together are not put together."""
    line = encoded({**LINE, "attributes": {"a": 1, "b": 2}})
    at_comma = line.index(b', "b"')
    halves = [line[:at_comma], line[at_comma + 1 :]]

    rows, others = Rows("checkout").of_lines(halves)

    assert rows == []
    assert [place for place, _ in others] == [0, 1]


def test_two_on_one_line_do_not_stand_in_for_a_torn_one() -> None:
    """As many objects as lines are not enough: each line has to be an object."""
    half = encoded({**LINE, "attributes": {"a": 1, "b": 2}})
    at_comma = half.index(b', "b"')
    lines = [encoded(LINE) + b"," + encoded(LINE), half[:at_comma], half[at_comma + 1 :]]

    rows, others = Rows("checkout").of_lines(lines)

    assert rows == []
    assert [place for place, _ in others] == [0, 1, 2]


def test_lone_surrogates_are_no_text() -> None:
    """An escaped half of a pair is refused like its bytes, wherever it stands."""
    for name in ("event_id", "checkout_id", "step"):
        escaped = json.dumps({**LINE, name: "\ud800"}).encode()

        rows, others = Rows("checkout").of_lines([escaped, encoded(LINE)])

        assert rows == [ROW]
        assert [place for place, _ in others] == [0]


def test_an_event_without_a_checkout_id_is_a_row_of_its_own() -> None:
    """It is counted by kind and id, if the rest of it is an event."""
    line = {name: value for name, value in LINE.items() if name != "checkout_id"}
    expected = (NOON, ENTERED, "e-1", None, None, "step_entered", None, None, None, False, "")

    assert told(Rows("checkout"), encoded(line)) == expected
    assert told(Rows("checkout"), encoded({**line, "checkout_id": None})) == expected
    assert told(Rows("checkout"), encoded({**line, "step": None})) == "EventError"
    assert told(Rows("returns"), encoded(line)) is None


def test_a_refund_needs_no_checkout_id() -> None:
    """A refund without one is a refund; a broken one is a problem."""
    line = refunded("o", 0, eur("1.00")).line

    assert told(Rows("checkout"), line)[1] == REFUNDED
    broken = json.loads(line)
    del broken["order_id"]
    assert told(Rows("checkout"), encoded(broken)) == "EventError"


def test_an_unknown_type_is_a_row_of_its_own() -> None:
    """An event of a later version's type is counted under its name, with or without ids."""
    line = {**LINE, "type": "survey_answered"}
    expected = (NOON, UNKNOWN, "e-1", None, None, "survey_answered", None, None, None, False, "")

    assert told(Rows("checkout"), encoded(line)) == expected
    del line["checkout_id"]
    assert told(Rows("checkout"), encoded(line)) == expected


@pytest.mark.parametrize(
    "change",
    [{"event_id": None}, {"occurred_at": "noon"}, {"funnel": ""}, {"funnel": 5}, {"v": 2}],
    ids=str,
)
def test_an_unknown_type_still_has_to_be_an_event(change: dict[str, Any]) -> None:
    """Without an id, a time, a funnel or the version it is a problem."""
    line = {**LINE, "type": "survey_answered", **change}

    assert told(Rows("checkout"), encoded(line)) == "EventError"


def test_a_newer_schema_version_is_a_problem() -> None:
    """What a later version means is not guessed, whatever the type."""
    for kind in ("step_entered", "funnel_declared", "survey_answered"):
        assert told(Rows("checkout"), encoded({**LINE, "v": 2, "type": kind})) == "EventError"


def test_declarations_and_losses_are_beside_the_rows() -> None:
    """Records that are not about a shopper come by place, as themselves."""
    lines = [declared().line, encoded(LINE), lost("sink", "full", 1).line]

    rows, others = Rows("checkout").of_lines(lines)

    assert rows == [ROW]
    assert [(place, type(read)) for place, read in others] == [
        (0, FunnelDeclared),
        (2, EventsLost),
    ]
    assert others[0][1] == parse_line(lines[0])


def test_lines_of_another_funnel_are_neither() -> None:
    """They are passed over, and their funnel is remembered."""
    rows = Rows("checkout")

    found = rows.of_lines([encoded({**LINE, "funnel": "returns"}), declared(funnel="b2b").line])

    assert found == ([], [])
    assert rows.funnels == {"returns", "b2b"}
    assert rows.of_event(entered("a", "cart", 0, funnel="wholesale")) is None
    assert rows.of_event(lost("sink", "x", 1)) is not None


def test_the_first_funnel_is_taken_where_none_was_chosen() -> None:
    """Without a choice the first one that is met is read, and the others are remembered."""
    rows = Rows()

    found, _ = rows.of_lines([encoded(LINE), encoded({**LINE, "funnel": "returns"})])

    assert (rows.funnel, rows.funnels) == ("checkout", {"checkout", "returns"})
    assert found == [ROW]


@pytest.mark.parametrize(
    ("attributes", "excluded"),
    [
        ({"mark": 1}, True),
        ({"mark": True}, False),
        ({"mark": "1"}, False),
        ({"mark": None}, True),
        ({}, False),
        ({"other": 1}, False),
        ({"other": "x", "mark": 2}, True),
    ],
)
def test_a_value_excludes_with_its_type(attributes: dict[str, Any], excluded: bool) -> None:
    """The value 1 is not True, None has to be given, and any one attribute is enough."""
    rows = Rows("checkout", exclude={"mark": (1, None), "other": ("x",)})

    assert told(rows, encoded({**LINE, "attributes": attributes}))[9] is excluded


def test_groups_are_the_json_of_their_values() -> None:
    """Values that Python takes for equal form groups of their own."""
    rows = Rows("checkout", ("a", "b"))
    values = [{"a": 1}, {"a": True}, {"a": "1"}, {"a": None, "b": 0}, {}, {"b": False}]

    groups = [told(rows, encoded({**LINE, "attributes": value}))[10] for value in values]

    assert groups == [
        *("[1, null]", "[true, null]", '["1", null]', "[null, 0]", "[null, null]", "[null, false]"),
    ]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """More amounts, names and groups than are remembered are read as well."""
    monkeypatch.setattr(_rows, "_REMEMBERED", 2)
    rows = Rows("checkout", ("n",))

    for n in range(12):
        attributes = {"n": n, f"x{n}": n}
        value = {"amount": f"{n}.5", "currency": "EUR"}
        row = told(rows, encoded({**LINE, "attributes": attributes, "value": value}))

        assert (row[7], row[10]) == (n * 10_000 + 5_000, f"[{n}]")

    assert len(rows._units) <= 3
    assert len(rows._names) <= 3
    assert len(rows._groups) <= 3


@pytest.mark.parametrize("thing", [5, None, "text", {"type": "step_entered"}, object()])
def test_what_is_no_event_is_refused(thing: Any) -> None:
    """An object that is no event is shown, with what to pass instead."""
    with pytest.raises(LogError, match="not an event"):
        Rows().of_event(thing)


def test_microseconds_and_instants_are_inverse() -> None:
    """No instant is rounded, before 1970 either."""
    for moment in (at(0), at(-60 * 24 * 365 * 100).replace(microsecond=1)):
        assert instant(micros(moment)) == moment
    assert micros(at(0)) == NOON


def test_lines_that_make_up_for_each_other_are_not_mixed_up() -> None:
    """Two records on one line and one record over two lines are four unreadable lines."""
    foreign = [b'{"a": 1},{"b": 2}', b'{"x": [{}', b"{}]}", b"0"]

    rows, others = Rows().of_lines([*foreign, entered("c-1", "cart", 0).line, *foreign])

    assert [row[3] for row in rows] == ["c-1"]
    assert [place for place, _ in others] == [0, 1, 2, 3, 5, 6, 7, 8]
