"""The columns of a report's rows, flat: a rate with its limits, money by currency, exact."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from lastclick._frames import Column
from lastclick._money import Money
from lastclick.events import ORDER
from lastclick.metrics._rates import Rate
from lastclick.metrics._revenue import Loss

if TYPE_CHECKING:
    from lastclick.metrics._report import Report


def of_steps(report: "Report") -> list[Column]:
    """One row a step, and one for the order."""
    steps = list(report.steps)
    ordered = report.rows()[-1]["reached"]
    counts = ("entered", "reached", "skipped", "dropped", "in_flight", "failed")
    columns = [
        Column("step", str, [*(step.name for step in steps), ORDER]),
        Column("stage", str, [*(step.stage for step in steps), None]),
        Column("owner", str, [*(step.owner for step in steps), None]),
    ]
    for name in counts:
        last = ordered if name == "reached" else None
        columns.append(Column(name, int, [*(getattr(step, name) for step in steps), last]))
    rates = [*(step.drop_off_rate for step in steps), None]
    columns += _rate("drop_off_rate", rates)
    for name in ("median", "p90"):
        values = [*(getattr(step.seconds, name) for step in steps), None]
        columns.append(Column(f"{name}_seconds", float, values))
    return [*columns, *_losses("lost", [*(step.lost for step in steps), {}])]


def of_reports(
    by: Sequence[str], keyed: "Sequence[tuple[Sequence[object], Report]]"
) -> list[Column]:
    """One row a report.

    Args:
        by: What the reports are told apart by.
        keyed: As many values, and the report that they are of.
    """
    found = [report for _, report in keyed]
    columns: list[Column] = []
    columns += [
        Column(name, int, [getattr(report, name) for report in found])
        for name in ("started", "decided", "ordered")
    ]
    if found:
        columns += [
            Column(str(outcome), int, [report.outcomes[outcome] for report in found])
            for outcome in found[0].outcomes
        ]
    for name in ("abandonment_rate", "ever_abandoned_rate", "recovery_rate"):
        columns += _rate(name, [getattr(report, name) for report in found])
    revenue = [report.revenue for report in found]
    for part in ("gross", "refunded", "net"):
        amounts = [{code: getattr(one, part) for code, one in each.items()} for each in revenue]
        columns += _money(part, amounts)
    for name in ("lost_revenue", "recoverable_revenue"):
        columns += _losses(name, [getattr(report, name) for report in found])
    taken = {column.name for column in columns}
    keys = []
    for place, name in enumerate(by):
        free = name
        while free in taken:  # an attribute may be called as a figure is
            free += "_"
        taken.add(free)
        keys.append(Column(free, str, [_text(values[place]) for values, _ in keyed]))
    return [*keys, *columns]


def _text(value: object) -> str | None:
    return value if isinstance(value, str | None) else json.dumps(value)


def _rate(name: str, rates: Sequence[Rate | None]) -> list[Column]:
    ends = (("", "estimate"), ("_low", "low"), ("_high", "high"))
    return [
        Column(
            f"{name}{ending}",
            float,
            [None if rate is None else getattr(rate, part) for rate in rates],
        )
        for ending, part in ends
    ]


def _losses(name: str, losses: Sequence[Mapping[str, Loss]]) -> list[Column]:
    columns = []
    for part in ("expected", "at_most"):
        amounts = [{code: getattr(loss, part) for code, loss in each.items()} for each in losses]
        columns += _money(f"{name}_{part}", amounts)
    return columns


def _money(name: str, amounts: Sequence[Mapping[str, Money]]) -> list[Column]:
    """A column for each currency that one of them has."""
    currencies = sorted({currency for each in amounts for currency in each})
    return [
        Column(
            f"{name}_{currency}",
            Decimal,
            [each[currency].amount if currency in each else None for each in amounts],
        )
        for currency in currencies
    ]
