"""The rows of reports as flat columns: a rate with its limits, money by currency."""

from decimal import Decimal
from typing import Any

import pytest

from lastclick import Money, measure
from lastclick.events import FunnelDeclared
from lastclick.metrics._columns import of_reports, of_steps
from tests.metrics.shop import DAY, at, declared, entered, eur, ordered

EVENTS = [
    declared(("cart", "payment")),
    entered("a", "cart", 0, eur("10.00"), attributes={"device": "mobile", "started": 1}),
    entered("b", "cart", 0, eur("10.00"), attributes={"device": "mobile"}),
    entered("b", "payment", 1, Money(1000, "JPY")),
    entered("c", "cart", DAY, attributes={"device": True}),
    ordered("c", "o-1", DAY + 1, eur("20.00")),
]
REPORT = measure(EVENTS, by=("device", "started"), as_of=at(30 * DAY))


def values(columns: list[Any]) -> dict[str, list[object]]:
    return {column.name: list(column.values) for column in columns}


def test_steps_are_rows_and_so_is_the_order() -> None:
    """What the order does not have is missing."""
    found = values(of_steps(REPORT))

    assert found["step"] == ["cart", "payment", "order"]
    assert found["reached"] == [3, 2, 1]
    assert found["dropped"] == [1, 1, None]
    step = REPORT.steps["cart"]
    assert found["drop_off_rate"] == [step.drop_off_rate.estimate, 0.5, None]
    assert found["drop_off_rate_low"][0] == step.drop_off_rate.low
    assert found["drop_off_rate_high"][2] is None
    assert found["median_seconds"] == [60.0, None, None]
    assert found["lost_at_most_EUR"] == [Decimal("10.00"), None, None]
    assert found["lost_at_most_JPY"] == [None, Decimal(1000), None]
    assert found["lost_expected_JPY"] == [None, Decimal(500), None]


def test_all_columns_are_equally_long_also_without_attempts() -> None:
    """A report of an empty log has its steps."""
    events: list[FunnelDeclared] = [declared(("cart",))]

    for report in (REPORT, measure(events)):
        found = values(of_steps(report))
        assert {len(column) for column in found.values()} == {len(report.steps) + 1}


def test_groups_are_rows_whatever_their_attributes_are_called() -> None:
    """An attribute that is called as a figure is has an underscore after it."""
    pyarrow = pytest.importorskip("pyarrow")

    table = REPORT.groups.to_frame("pyarrow")

    assert isinstance(table, pyarrow.Table)
    assert table.column_names[:4] == ["device", "started_", "started", "decided"]
    assert table.select(["device", "started_", "started", "lost", "purchased"]).to_pylist() == [
        {"device": "mobile", "started_": "1", "started": 1, "lost": 1, "purchased": 0},
        {"device": "mobile", "started_": None, "started": 1, "lost": 1, "purchased": 0},
        {"device": "true", "started_": None, "started": 1, "lost": 0, "purchased": 1},
    ]
    assert table["net_EUR"].to_pylist() == [None, None, Decimal("20.0000")]
    assert table["lost_revenue_at_most_EUR"].to_pylist() == [Decimal("10.0000"), None, None]


def test_periods_are_rows() -> None:
    """A trend is a table by the first day of each period."""
    pytest.importorskip("pyarrow")

    table = REPORT.trend("day").to_frame("pyarrow")

    assert table.select(["first_day", "started", "ordered"]).to_pylist() == [
        {"first_day": "2026-10-01", "started": 2, "ordered": 0},
        {"first_day": "2026-10-02", "started": 1, "ordered": 1},
    ]
    assert table["abandonment_rate"].to_pylist() == [1.0, 0.0]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_every_library_takes_every_table(library: Any) -> None:
    """The steps, the groups and the trend of a report, and those of an empty one."""
    pytest.importorskip(library)

    for report in (REPORT, measure([declared()], by="device")):
        assert len(report.to_frame(library)) == len(report.rows())
        assert len(report.groups.to_frame(library)) == len(report.groups)
        assert len(report.trend().to_frame(library)) == len(report.trend())


def test_no_reports_are_no_rows() -> None:
    """Without groups there is a table without rows."""
    assert {len(column.values) for column in of_reports(["device"], [])} == {0}
