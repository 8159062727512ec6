"""Rows become tables of other libraries, exact and with what is not known missing."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lastclick import Funnel, journeys
from lastclick._frames import Column, frame
from lastclick.errors import ConfigError, raise_errors
from lastclick.sinks import MemorySink

COLUMNS = [
    Column("step", str, ["cart", None]),
    Column("reached", int, [2**60 + 1, None]),
    Column("rate", float, [0.25, None]),
    Column("lost", Decimal, [Decimal("123456789012345.6789"), None]),
    Column("unknown", int, [None, None]),
]
EXACT = Decimal("123456789012345.6789")


def test_pandas_keeps_counts_whole_and_money_exact() -> None:
    """A missing count makes no floats of the others."""
    pandas = pytest.importorskip("pandas")

    table = frame(COLUMNS, "pandas")

    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == [column.name for column in COLUMNS]
    assert (table["step"][0], table["reached"][0]) == ("cart", 2**60 + 1)
    assert (table["rate"][0], table["lost"][0]) == (0.25, EXACT)
    assert table.loc[1].isna().all()
    assert [str(table[name].dtype) for name in ("reached", "rate", "unknown")] == [
        "Int64",
        "Float64",
        "Int64",
    ]


def test_polars_has_a_type_for_each_column() -> None:
    """A column that is missing altogether has its type too."""
    polars = pytest.importorskip("polars")

    table = frame(COLUMNS, "polars")

    assert table.schema == {
        "step": polars.String,
        "reached": polars.Int64,
        "rate": polars.Float64,
        "lost": polars.Decimal(38, 4),
        "unknown": polars.Int64,
    }
    assert table.rows() == [("cart", 2**60 + 1, 0.25, EXACT, None), (None,) * 5]


def test_pyarrow_has_a_type_for_each_column() -> None:
    """The same as an Arrow table, which most other tools take."""
    pyarrow = pytest.importorskip("pyarrow")

    table = frame(COLUMNS, "pyarrow")

    assert table.schema.types == [
        pyarrow.string(),
        pyarrow.int64(),
        pyarrow.float64(),
        pyarrow.decimal128(38, 4),
        pyarrow.int64(),
    ]
    assert table.to_pylist() == [
        {"step": "cart", "reached": 2**60 + 1, "rate": 0.25, "lost": EXACT, "unknown": None},
        dict.fromkeys(column.name for column in COLUMNS),
    ]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_table_may_have_no_rows(library: str) -> None:
    """A log without attempts gives an empty table with its columns."""
    pytest.importorskip(library)

    table = frame([Column("step", str, []), Column("lost", Decimal, [])], library)

    assert (len(table), list(getattr(table, "column_names", table.columns))) == (
        0,
        ["step", "lost"],
    )


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """It says what is missing, and how to install it."""
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(ConfigError) as refused:
        frame(COLUMNS, library)

    assert str(refused.value) == (
        f"to_frame({library!r}) needs {library}, which is not installed: pip install {library}"
    )


@pytest.mark.parametrize("library", ["spark", None, ["pandas"]])
def test_an_unknown_library_is_refused(library: Any) -> None:
    """The message names those that there are."""
    with pytest.raises(ConfigError, match="to_frame knows 'pandas', 'polars', 'pyarrow', not"):
        frame(COLUMNS, library)


def test_no_library_is_imported_before_it_is_asked_for() -> None:
    """Who makes no tables needs none of them."""
    made = (
        "import sys, lastclick; lastclick.measure; lastclick.Report.to_frame\n"
        "print([name for name in ('pandas', 'polars', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_times_are_in_utc() -> None:
    """In each library a time is a time with its zone, and one that is missing is missing."""
    noon = datetime(2026, 10, 1, 12, tzinfo=UTC)
    times = [Column("at", datetime, [noon, None])]

    for library in ("pandas", "polars", "pyarrow"):
        pytest.importorskip(library)
        table = frame(times, library)
        column = table["at"].to_pylist() if library == "pyarrow" else list(table["at"])

        assert column[0] == noon
        assert str(column[1]) in ("NaT", "None")


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_journeys_are_a_table(library: str) -> None:
    """A row for each, money by currency, attributes by name; none at all is a table too."""
    pytest.importorskip(library)
    sink = MemorySink()
    funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink, on_error=raise_errors)
    one = funnel.checkout("c-1", "u-1", {"device": "mobile", "visits": 3})
    one.enter("cart", ("9.90", "EUR"))
    one.fail("cart", "out_of_stock")
    one.complete("o-1", ("9.90", "EUR"))
    one.complete("o-2", ("1.00", "USD"))
    one.complete("o-3", ("0.10", "EUR"))
    other = funnel.checkout("c-2")
    other.enter("cart", ("5.00", "USD"))
    other.remind("email")

    later = datetime.now(UTC) + timedelta(hours=1)
    table = journeys(sink.records, as_of=later).to_frame(library)
    none = journeys(sink.records, outcome="lost").to_frame(library)

    if library == "pandas":
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
    else:
        rows = table.to_dicts() if library == "polars" else table.to_pylist()
    first, second = sorted(rows, key=lambda row: row["checkout_id"])
    assert (first["customer_id"], first["outcome"], first["furthest"]) == (
        *("u-1", "purchased", "order"),
    )
    assert (first["orders"], first["failures"], first["steps"]) == (3, 1, "cart")
    assert (first["ordered_EUR"], first["ordered_USD"]) == (Decimal("10.00"), Decimal("1.00"))
    assert (first["attribute_device"], first["attribute_visits"]) == ("mobile", "3")
    assert (first["value_USD"], second["value_USD"]) == (None, Decimal("5.00"))
    assert (second["customer_id"], second["attribute_device"], second["ordered_EUR"]) == (None,) * 3
    assert (second["reminders"], second["clicks"], second["arm"]) == (1, 0, None)
    assert list(none.columns if library != "pyarrow" else none.column_names)[:2] == [
        *("checkout_id", "customer_id"),
    ]


def test_a_table_of_journeys_has_those_that_were_not_taken() -> None:
    """They are gone through once, as with any iterator."""
    pytest.importorskip("pyarrow")
    sink = MemorySink()
    funnel = Funnel("checkout", steps=("cart",), sink=sink)
    for number in range(3):
        funnel.checkout(number).enter("cart")

    found = journeys(sink.records)
    next(found)

    assert found.to_frame("pyarrow").num_rows == 2
