"""Reading tables: every setting of a mapping, every kind of row, nothing dropped in silence."""

import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lastclick import Money, Step, measure
from lastclick.errors import ConfigError, LogError
from lastclick.events import (
    EventsLost,
    FunnelDeclared,
    OrderCompleted,
    OrderRefunded,
    StepEntered,
    StepFailed,
    parse_line,
)
from lastclick.logs import Fact, Place, TableMapping, read_table

NOON = "2026-10-01T12:00:00Z"


def mapping(**more):
    """A small mapping, with other or further settings; None takes one out."""
    settings = {
        "funnel": "checkout",
        "steps": ["cart", "payment"],
        "checkout_id": "id",
        "time": "at",
        "step": "cart",
        **more,
    }
    return TableMapping(**{name: value for name, value in settings.items() if value is not None})


BY_VALUE = {
    "step": None,
    "step_column": "what",
    "values": {
        "view": "cart",
        "declined": {"type": "step_failed", "step": "payment", "reason_column": "why"},
        "error": {"type": "step_failed", "step": "payment", "reason": "gateway"},
        "bought": "order",
        "returned": {"type": "order_refunded"},
    },
    "order_id": "order",
}


def read(rows, **settings):
    """The shopper events of some rows, and the problems of reading them."""
    table = read_table(rows, mapping(**settings))
    events = [one for one in table if not isinstance(one, FunnelDeclared | EventsLost)]
    return events, table.problems


def row(**cells):
    return {"id": "c-1", "at": NOON, **cells}


# Mappings -----------------------------------------------------------------------------------------


def test_the_events_begin_with_the_definition():
    """A table's funnel is declared first, long ago, so that a living funnel's definition wins."""
    steps = ["cart", {"name": "gift", "optional": True, "stage": "purchase", "owner": "gifts"}]

    first, *_ = read_table(
        [row()], mapping(steps=steps, abandon_after="PT1H", recover_within="P3D")
    )

    assert first == FunnelDeclared(
        event_id=first.event_id,
        funnel="checkout",
        occurred_at="1970-01-01T00:00:00Z",
        steps=(Step("cart"), Step("gift", optional=True, stage="purchase", owner="gifts")),
        abandon_after=timedelta(hours=1),
        recover_within=timedelta(days=3),
    )


def test_equal_definitions_have_one_id_and_others_another():
    """The files of one funnel declare it once; what differs in any part is another definition."""
    one = mapping().declaration

    assert mapping(step="payment").declaration == one
    assert mapping(steps=(Step("cart"), "payment")).declaration == one
    for more in (
        {"abandon_after": "PT31M"},
        {"steps": ["cart", {"name": "payment", "owner": "p"}]},
        {"funnel": "other"},
        {"declared_at": "2026-01-01T00:00:00Z"},
    ):
        assert mapping(**more).declaration.event_id != one.event_id


def test_the_later_of_two_definitions_wins():
    """A definition that is corrected is given a date."""
    old = read_table([row()], mapping())
    new = read_table([row()], mapping(steps=["cart"], declared_at="2026-01-01T00:00:00+01:00"))

    report = measure([*new, *old])

    assert [step.name for step in report.steps] == ["cart"]
    assert len(report.quality.definitions) == 2


def test_a_mapping_is_loaded_from_toml(tmp_path):
    """Every setting can be said in TOML."""
    path = tmp_path / "mapping.toml"
    path.write_text(
        """
        funnel = "checkout"
        steps = ["cart", { name = "payment", owner = "payments" }]
        abandon_after = "PT45M"
        checkout_id = ["shop", "id"]
        time = "at"
        step_column = "what"
        amount = "sum"
        currency = "EUR"
        order_id = "order"
        declared_at = 2026-01-01T00:00:00Z

        [values]
        1 = "cart"
        2 = { type = "step_failed", step = "payment", reason_column = "why" }
        3 = "order"

        [attributes]
        guest = { column = "is_guest", type = "bool" }
        """,
        encoding="utf-8",
    )

    loaded = TableMapping.load(path)

    assert loaded.checkout_id == ("shop", "id")
    assert loaded.values["1"] == Fact(type="step_entered", step="cart")
    assert loaded.values["3"] == Fact(type="order_completed")
    assert loaded.columns == ("shop", "id", "order", "at", "what", "sum", "why", "is_guest")
    assert loaded.declared_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: .*No such file"),
        (b"\xff", "cannot be read: .*utf-8"),
        (b"funnel = ", "not TOML: "),
        (b'funnel = "x"', "mapping: steps is missing"),
    ],
)
def test_a_mapping_that_cannot_be_loaded_names_its_file(tmp_path, content, said):
    """The message begins with the path."""
    path = tmp_path / "m.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=f"m.toml: {said}"):
        TableMapping.load(path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"funnel": ""}, "funnel: String should have at least 1 character; it is ''"),
        ({"funnel": None}, "funnel is missing"),
        ({"colum": "x"}, "unknown setting 'colum'; there are funnel, steps"),
        (
            {"steps": []},
            "steps: Value should have at least 1 item after validation, not 0; it is []",
        ),
        ({"steps": "cart"}, "steps: give the steps in order, such as ['cart', 'payment']"),
        ({"steps": ["cart", "cart"]}, "step 'cart' is named twice"),
        ({"steps": ["cart", "order"]}, "no step may be named 'order'"),
        ({"steps": ["cart", ""]}, "name: "),
        ({"steps": ["cart", {"name": "p", "colour": "red"}]}, "a step has no setting 'colour'"),
        ({"steps": ["cart", {"optional": True}]}, "steps: "),
        ({"abandon_after": "soon"}, "abandon_after: "),
        ({"abandon_after": "PT0S"}, "abandon_after: Input should be greater than"),
        ({"recover_within": "PT1M"}, "recover_within is below abandon_after"),
        ({"declared_at": "2026-01-01T00:00:00"}, "declared_at: a time without a zone"),
        ({"delimiter": ";;"}, "delimiter: String should have at most 1 character; it is ';;'"),
        ({"encoding": "klingon"}, "encoding 'klingon' is not known"),
        ({"timezone": "Mars/Olympus"}, "timezone 'Mars/Olympus' is not known"),
        ({"timezone": "../etc"}, "timezone '../etc' is not known"),
        ({"step": "kart"}, "unknown step 'kart'; the steps are cart, payment"),
        ({"step": None}, "say either step (what every row is) or step_column and values"),
        ({"step_column": "what"}, "say either step"),
        ({"step": None, "step_column": "what"}, "step_column and values go together"),
        ({"values": {"a": "cart"}}, "step_column and values go together"),
        ({**BY_VALUE, "values": {"a": "kart"}}, "unknown step 'kart'"),
        ({**BY_VALUE, "values": {"a": {"type": "lost"}}}, "values.a.type: "),
        ({**BY_VALUE, "values": {"a": {"type": "step_failed"}}}, "step_failed needs step"),
        (
            {**BY_VALUE, "values": {"a": {"type": "order_completed", "step": "cart"}}},
            "order_completed has no step",
        ),
        ({**BY_VALUE, "order_id": None}, "order_completed needs order_id"),
        ({"step": "order"}, "order_completed needs order_id"),
        ({"amount": "sum"}, "amount needs currency (or currency_column), and the reverse"),
        ({"currency": "EUR"}, "amount needs currency (or currency_column), and the reverse"),
        (
            {"amount": "sum", "currency": "EUR", "currency_column": "c"},
            "say either currency (one for all) or currency_column",
        ),
        ({"amount": "sum", "currency": "euros"}, "not a currency: 'euros'"),
        ({"decimal": ";"}, "decimal: Input should be '.' or ','"),
        ({"checkout_id": []}, "checkout_id: Value should have at least 1 item"),
        ({"checkout_id": 7}, "checkout_id: "),
        ({"attributes": 7}, "attributes: "),
        ({"attributes": {"a": {"column": "b", "type": "date"}}}, "attributes.a.type: "),
    ],
)
def test_a_wrong_setting_is_named(settings, said):
    """Whatever is wrong, one sentence says which setting, and what would be right."""
    with pytest.raises(ConfigError) as caught:
        mapping(**settings)

    assert said in str(caught.value)
    assert str(caught.value).startswith("mapping: ")
    assert "\n" not in str(caught.value)


def test_a_mapping_is_frozen():
    """What was checked stays as it was checked."""
    with pytest.raises(ValidationError, match="frozen"):
        mapping().funnel = "other"


# Rows ---------------------------------------------------------------------------------------------


def test_a_row_is_what_the_value_of_a_column_says():
    """Steps, failures with their reasons, orders and refunds are told apart by a column."""
    rows = [
        row(what="view", sum="18.0"),
        row(what="declined", why="expired card"),
        row(what="declined", why=" "),
        row(what="error", why="ignored"),
        row(what="bought", order="o-1", sum="20.50"),
        row(what="returned", order="o-1", id="", sum="5", rid="r-9"),
        row(what="returned", order="o-1"),
    ]

    events, problems = read(rows, **BY_VALUE, amount="sum", currency="eur", refund_id="rid")

    assert [type(one) for one in events] == [
        *(StepEntered, StepFailed, StepFailed, StepFailed),
        *(OrderCompleted, OrderRefunded, OrderRefunded),
    ]
    assert events[0].step == "cart"
    assert events[0].value == Money("18.0", "EUR")
    assert [one.reason for one in events[1:4]] == ["expired card", "unspecified", "gateway"]
    assert (events[4].order_id, events[4].total) == ("o-1", Money("20.50", "EUR"))
    assert (events[5].refund_id, events[5].checkout_id) == ("r-9", None)
    assert events[5].amount == Money("5", "EUR")
    assert (events[6].amount, events[6].checkout_id) == (None, "c-1")
    assert (problems.lines, problems.used, problems.places) == (7, 7, ())


def test_other_values_are_passed_over_and_counted():
    """What the mapping does not mention is no loss, but a reader sees how much it is."""
    rows = [row(what=what) for what in ("view", "home", "search", "home", None)]

    events, problems = read(rows, **BY_VALUE)

    assert len(events) == 1
    assert (problems.passed_over, problems.unreadable, problems.used) == (4, 0, 1)
    assert problems.values == {"home": 2, "search": 1, "": 1}


def test_who_and_when_is_kept():
    """Ids of several columns are joined; ids may be numbers; spaces around a cell are not kept."""
    rows = [
        {"shop": "fr", "n": 7, "who": " u-1 ", "key": "e-1", "at": "2026-10-01 14:00:00+02:00"},
        {"shop": "fr", "n": 8, "who": "", "key": "", "at": datetime(2026, 10, 1, 12, tzinfo=UTC)},
        {"shop": "fr", "n": 9, "at": datetime(2026, 10, 1, 14)},  # noqa: DTZ001 - has timezone=
        {"shop": "fr", "n": 9, "at": "2026-10-01T12:00:00.250Z"},
        {"shop": "fr", "n": 9, "at": "2026-10-01"},
    ]

    events, problems = read(
        rows,
        checkout_id=["shop", "n"],
        customer_id="who",
        event_id="key",
        timezone="Europe/Paris",
    )

    assert [one.checkout_id for one in events] == ["fr:7", "fr:8", "fr:9", "fr:9", "fr:9"]
    assert [one.customer_id for one in events] == ["u-1", None, None, None, None]
    assert events[0].event_id == "e-1"
    assert [one.occurred_at.isoformat() for one in events] == [
        *["2026-10-01T12:00:00+00:00"] * 3,
        "2026-10-01T12:00:00.250000+00:00",
        "2026-09-30T22:00:00+00:00",
    ]
    assert problems.places == ()


def test_times_may_have_a_format_of_their_own():
    """What strptime can read can be imported, with the zone it has or the mapping names."""
    at = ["01/10/2026 14:00", "1/10/2026 14:00"]

    events, problems = read(
        [row(at=one) for one in [*at, "2026-10-01"]],
        time_format="%d/%m/%Y %H:%M",
        timezone="Europe/Paris",
    )
    zoned, _ = read([row(at="01.10.2026 14:00 +0200")], time_format="%d.%m.%Y %H:%M %z")

    assert {one.occurred_at.hour for one in [*events, *zoned]} == {12}
    assert [place.reason for place in problems.places] == [
        "not a time: '2026-10-01', as '%d/%m/%Y %H:%M' has it"
    ]


def test_a_time_without_a_zone_stops_the_reading():
    """Nobody's guess: the message names the row and the setting that says whose clock it was."""
    table = read_table([row(), row(at="2026-10-01 12:00:00")], mapping())

    with pytest.raises(
        LogError, match=r'row 2: a time without a zone: .*timezone = "Europe/'
    ) as it:
        list(table)

    assert (it.value.path, it.value.line) == ("rows", 2)


def test_cells_may_be_missing_as_pandas_says_it():
    """NaN, NaT (which is not itself either) and NA (of which nobody knows) are empty cells."""

    class NA:
        def __eq__(self, other):
            return self

        def __bool__(self):
            raise TypeError("boolean value of NA is ambiguous")

        __hash__ = None

    (event,), problems = read([row(x=NA(), y=float("nan"))], attributes=["x", "y"])

    assert event.attributes == {}
    assert problems.flawed == 0


def test_rows_may_have_more_than_the_mapping_asks_for():
    """What `csv.DictReader` makes of surplus cells does no harm to the id."""
    events, _ = read([row() | {None: ["more"]}, row()])

    assert len({one.event_id for one in events}) == 2


def test_rows_are_mappings():
    """A row of another kind stops the reading, since nobody could say which cell is which."""
    with pytest.raises(LogError, match=r"row 2 is \['c-1'\]; pass rows as mappings"):
        read([row(), ["c-1"]])


def test_a_mapping_is_a_table_mapping():
    """A path or a dict in its place is refused at once, with the way to make one of it."""
    with pytest.raises(ConfigError, match=r"mapping is 'm\.toml'; pass a TableMapping, as TableM"):
        read_table([], "m.toml")


@pytest.mark.parametrize(
    ("amount", "decimal", "kept"),
    [
        ("18.0", ".", "18.0"),
        ("1234567.89", ".", "1234567.89"),
        ("0", ".", "0"),
        ("12.3400000", ".", "12.3400"),
        ("18,0", ",", "18.0"),
        ("1234567,89", ",", "1234567.89"),
        (7, ".", "7"),
        (Decimal("7.5"), ",", "7.5"),
        ("", ".", None),
        (None, ".", None),
        (float("nan"), ".", None),
    ],
)
def test_amounts_are_exact(amount, decimal, kept):
    """Text, whole numbers and decimals are amounts; an empty cell is no amount, and no flaw."""
    (event,), problems = read([row(sum=amount)], amount="sum", currency="EUR", decimal=decimal)

    assert event.value == (None if kept is None else Money(kept, "EUR"))
    assert problems.flawed == 0


@pytest.mark.parametrize(
    ("amount", "decimal", "said"),
    [
        ("18,0", ".", "sum: not an amount: '18,0'; where decimals follow a comma, say decimal"),
        ("1.234,50", ",", "sum: not an amount: '1.234,50'; the mapping says that decimals"),
        ("1,234,5", ",", "sum: not an amount: '1.234.5'"),
        ("12.34567", ".", "sum: not an amount: 12.34567; write it with at most 4 decimals"),
        ("EUR 5", ".", "sum: not an amount: 'EUR 5'"),
        ("1_000", ".", "sum: not an amount: '1_000'"),
        ("-5.00", ".", "sum: negative money"),
        (5.0, ".", "sum: a float cannot hold an amount exactly"),
        ("1e3", ".", "sum: not an amount"),
        ("NaN", ".", "sum: not an amount"),
        ("1.\u0660\u0660\u0660\u0660\u0660", ".", "sum: not an amount"),
    ],
)
def test_a_bad_amount_costs_the_amount_and_not_the_row(amount, decimal, said):
    """The fact is kept, the flaw is dropped: counted, listed, and told to the log."""
    table = read_table([row(sum=amount)], mapping(amount="sum", currency="EUR", decimal=decimal))

    _, event, loss = table

    assert event.value is None
    assert table.problems.flawed == 1
    assert table.problems.used == 1
    assert table.problems.places[0].reason.startswith(f"used without a part: {said}")
    assert (loss.count, loss.kept, loss.source) == (1, True, "funnel")


def test_each_amount_may_have_its_own_currency():
    """A column names the currency; an amount without one is a flaw."""
    rows = [row(sum="1", cur="EUR"), row(sum="1", cur="usd"), row(sum="1"), row(sum="1", cur="$")]

    events, problems = read(rows, amount="sum", currency_column="cur")

    assert [one.value for one in events] == [Money("1", "EUR"), Money("1", "USD"), None, None]
    assert problems.flawed == 2


def test_attributes_are_text_unless_the_mapping_says_otherwise():
    """Columns by name or under another, as text, whole numbers or yes and no."""
    rows = [
        row(device="mobile", guest="TRUE", items="3"),
        row(device="1", guest="0", items="-2"),
        row(device="", guest=" ", items=None),
        row(device=True, guest=False, items=4),
    ]

    events, problems = read(
        rows,
        attributes={
            "device": "device",
            "is_guest": {"column": "guest", "type": "bool"},
            "n": {"column": "items", "type": "int"},
        },
    )
    listed, _ = read(rows[:1], attributes=["device", "items"])

    assert [dict(one.attributes) for one in events] == [
        {"device": "mobile", "is_guest": True, "n": 3},
        {"device": "1", "is_guest": False, "n": -2},
        {},
        {"device": True, "is_guest": False, "n": 4},
    ]
    assert dict(listed[0].attributes) == {"device": "mobile", "items": "3"}
    assert problems.flawed == 0


@pytest.mark.parametrize(
    ("cell", "kind", "said"),
    [
        ("perhaps", "bool", "column 'x' holds 'perhaps', which is no bool"),
        ("3.5", "int", "column 'x' holds '3.5', which is no int"),
        (2.5, "text", "attribute 'x' is float: 2.5"),
        (["a"], "text", "attribute 'x' is list: ['a']"),
        (str(2**80), "int", "attribute 'x' is int"),
    ],
)
def test_a_bad_attribute_costs_itself_only(cell, kind, said):
    """The row is used without it, and the place says why."""
    (event,), problems = read([row(x=cell)], attributes={"x": {"column": "x", "type": kind}})

    assert event.attributes == {}
    assert problems.places[0].reason.startswith(f"used without a part: {said}")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"id": ""}, "no checkout_id: column 'id' is empty"),
        ({"id": "x" * 257}, "checkout_id has 257 characters"),
        ({"id": 1.5}, "checkout_id is float: 1.5"),
        ({"id": "\udcff"}, "checkout_id is not Unicode text"),
        ({"at": ""}, "no time: column 'at' is empty"),
        ({"at": float("nan")}, "no time: column 'at' is empty"),
        ({"at": "yesterday"}, "not a time: 'yesterday'; ISO 8601 is read as it is, for anything"),
        ({"at": 1790000000}, "not a time: 1790000000"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "not a time"),
        ({"what": "bought", "order": None}, "no order_id: column 'order' is empty"),
        ({"big": "x" * 40_000}, "an event of 40"),
    ],
)
def test_a_row_that_cannot_be_used_is_listed_with_the_reason(cells, said):
    """No usable id or time, or too much of all: counted, listed by number, and told to the log."""
    rows = [row(what="view"), row(what="view") | cells, row(what="view")]
    table = read_table(rows, mapping(**BY_VALUE, attributes=["big"]))

    *_, loss = events = list(table)

    assert len(events) == 4
    assert (table.problems.unreadable, table.problems.used) == (1, 2)
    (place,) = table.problems.places
    assert (place.file, place.line) == ("rows", 2)
    assert place.reason.startswith(said)
    assert (loss.type, loss.count, loss.kept) == ("events_lost", 1, False)
    assert loss.since <= loss.until == datetime(2026, 10, 1, 12, tzinfo=UTC)


def test_a_bad_id_that_may_be_missing_is_left_out():
    """A customer, an event id or a refund id that cannot be used costs itself only."""
    cells = {"who": "x" * 300, "key": 1.5, "rid": "x" * 300}

    (event,), problems = read(
        [row(order="o-1", **cells)],
        step={"type": "order_refunded"},
        order_id="order",
        customer_id="who",
        event_id="key",
        refund_id="rid",
    )

    assert (event.customer_id, event.refund_id, len(event.event_id)) == (None, None, 32)
    assert problems.flawed == 1
    assert len(problems.places) == 3


def test_the_first_hundred_places_are_listed():
    """A table of nothing but errors does not fill the memory with their places."""
    _, problems = read([row(id="")] * 500)

    assert problems.unreadable == 500
    assert [place.line for place in problems.places] == [*range(1, 101)]


def test_a_report_shows_what_was_left_out():
    """Rows that could not be used bend the numbers, so they stand beside them."""
    report = measure(read_table([row(), row(id=""), row(at="x")], mapping()))

    assert report.quality.rejected == 2
    assert {one.reason for one in report.quality.losses} == {"no_checkout_id", "bad_time"}
    assert "2 events rejected" in str(report)


def test_a_table_without_a_usable_row_is_told_too():
    """Where no row has a time, the loss is dated as the definition is."""
    *_, loss = read_table([row(at="")], mapping())

    assert loss.since == loss.until == datetime(1970, 1, 1, tzinfo=UTC)


# Ids ----------------------------------------------------------------------------------------------


def test_equal_rows_stay_two_and_reading_twice_changes_nothing():
    """An id stands for a row's content and for how often it came before."""
    rows = [row(), row(id="c-2"), row(), row(), row(id="")]
    table = read_table(rows, mapping())

    once, twice = list(table), list(table)
    report = measure(once)

    assert once == twice
    assert len({one.event_id for one in once}) == len(once)
    assert measure([*once, *twice]) == report
    assert measure([*once, *twice]).reading.redelivered == 4


def test_an_id_does_not_hang_on_the_order_of_rows_or_columns():
    """An export that was sorted otherwise holds the same events."""
    rows = [row(), row(), row(id="c-2"), row(id="c-3", extra="x")]
    turned = [dict(reversed(one.items())) for one in reversed(rows)]

    def ids(rows):
        return sorted(one.event_id for one in read_table(rows, mapping()))

    assert ids(turned) == ids(rows)


def test_an_equal_row_means_another_event_at_another_step():
    """Two files of the same columns, one for each step, do not share ids."""
    cart, _ = read([row()])
    payment, _ = read([row()], step="payment")
    other, _ = read([row()], funnel="other")

    assert len({one.event_id for one in [*cart, *payment, *other]}) == 3


def test_losses_of_two_tables_both_count():
    """Two files with different bad rows lost the sum of both; one file read twice its own."""
    one = list(read_table([row(id="", n=1)], mapping()))
    two = list(read_table([row(id="", n=2)], mapping()))

    assert measure([*one, *two, *one]).quality.rejected == 2


@given(st.lists(st.sampled_from([row(), row(id="c-2"), row(id=""), row(at="x")]), max_size=12))
def test_every_row_is_accounted_for(rows):
    """Rows are used, passed over or unusable, and each used one is one event of its own."""
    table = read_table(rows, mapping())

    events = [one for one in table if isinstance(one, StepEntered)]
    losses = [one for one in table if isinstance(one, EventsLost)]

    problems = table.problems
    assert problems.lines == len(rows)
    assert len({one.event_id for one in events}) == len(events) == problems.used
    assert sum(one.count for one in losses) == problems.unreadable == len(problems.places)
    assert all(parse_line(one.line) == one for one in table)


# Files --------------------------------------------------------------------------------------------


def csv_file(tmp_path: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_csv_file_is_read_anew_each_time(tmp_path):
    """The same file gives the same events as the same rows would, and tells its progress."""
    path = csv_file(tmp_path, f"id,at\nc-1,{NOON}\n" + f"c-2,{NOON}\n" * 2500)
    told = []

    table = read_table(str(path), mapping(), progress=lambda done, of: told.append((done, of)))
    once = list(table)

    assert list(table) == once
    rows = [row()] + [row(id="c-2")] * 2500
    assert once == list(read_table(rows, mapping()))
    size = path.stat().st_size
    assert told[-1] == (size, size)
    assert len(told) == 6
    assert repr(table) == f"Table({str(path)!r}, funnel='checkout')"
    assert repr(read_table([], mapping())) == "Table(rows, funnel='checkout')"


def test_any_iterable_of_rows_will_do():
    """A generator of rows, such as a database cursor, is read once."""
    table = read_table((row(id=number) for number in range(3)), mapping())

    assert len(list(table)) == 4
    assert len(list(table)) == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_file_may_have_any_delimiter_and_be_gzipped(tmp_path, delimiter):
    """Neither changes an event; nor do a byte order mark, carriage returns or quotes."""
    lines = ["id,at,note", f'"c-1",{NOON},"two\r\nlines, ""quoted"""', f" c-2 , {NOON} ,"]
    content = "\r\n".join(lines).replace(",", delimiter).replace(f"lines{delimiter}", "lines,")
    path = csv_file(tmp_path, gzip.compress(b"\xef\xbb\xbf" + content.encode()), "t.csv.gz")

    table = read_table(path, mapping(delimiter=delimiter, attributes=["note"]))
    _, first, second = table

    assert (first.checkout_id, first.attributes) == ("c-1", {"note": 'two\r\nlines, "quoted"'})
    assert (second.checkout_id, second.attributes) == ("c-2", {})
    assert table.problems.lines == 2


def test_a_file_may_be_encoded_otherwise(tmp_path):
    """Another encoding is read if the mapping names it; else its odd bytes cost their rows only."""
    content = f"id,at\nc-1,{NOON}\nça,{NOON}\n".encode("latin-1")
    path = csv_file(tmp_path, content)

    named = read_table(path, mapping(encoding="latin-1"))
    unnamed = read_table(path, mapping())

    assert [one.checkout_id for one in list(named)[1:]] == ["c-1", "ça"]
    assert len(list(unnamed)) == 3
    assert unnamed.problems.unreadable == 1
    assert "not Unicode text" in unnamed.problems.places[0].reason


def test_bad_rows_of_a_file_are_listed_with_their_line(tmp_path):
    """Rows of too few or many cells, or too long for CSV, are told; the others are read."""
    path = csv_file(
        tmp_path,
        f"id,at\nc-1,{NOON}\n\nc-2\nc-3,{NOON},x\n , \n{'y' * 200_000},{NOON}\nc-4,{NOON}\n",
    )
    table = read_table(path, mapping())

    events = [one for one in table if isinstance(one, StepEntered)]

    assert [one.checkout_id for one in events] == ["c-1", "c-4"]
    problems = table.problems
    assert (problems.lines, problems.blank, problems.unreadable) == (5, 2, 3)
    assert problems.places == (
        Place(str(path), 4, "1 cells where the header has 2"),
        Place(str(path), 5, "3 cells where the header has 2"),
        Place(str(path), 7, "not CSV: field larger than field limit (131072)"),
    )
    assert list(table) == list(table)


def test_a_gzipped_file_that_breaks_off_is_read_up_to_there(tmp_path):
    """What came before the break counts, and the break is told."""
    lines = "".join(f"c-{number},{NOON}\n" for number in range(5000))
    packed = gzip.compress(f"id,at\n{lines}".encode())
    path = csv_file(tmp_path, packed[: len(packed) // 2])
    table = read_table(path, mapping())

    assert len(list(table)) > 500
    assert table.problems.torn == 1
    assert table.problems.places[-1].reason.startswith("the file breaks off: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "t.csv is empty; a table begins with the names of its columns"),
        ("id,at,at\n", "t.csv has two columns 'at'; rename the one that is not meant"),
        ("who,at\n", "t.csv has no column 'id'; it has who, at"),
        ("id;at\n", "t.csv has no column 'id'; it has id;at; is ',' what separates its columns?"),
    ],
)
def test_a_file_without_its_columns_is_refused(tmp_path, content, said):
    """The message names the file and what it has instead."""
    table = read_table(csv_file(tmp_path, content), mapping())

    with pytest.raises(LogError) as caught:
        list(table)

    assert str(caught.value).endswith(said)


def test_no_file_is_an_error(tmp_path):
    """A path that is not a file is refused before anything is read."""
    with pytest.raises(LogError, match=r"no table at .*; pass a CSV file"):
        read_table(tmp_path, mapping())
