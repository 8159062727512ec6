"""A small log, written by hand, and the two ways to report on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lastclick import Report, measure, read_log
from lastclick.rolled import read_rolled

Line = dict[str, Any]

DECLARED = {
    "v": 1,
    "type": "funnel_declared",
    "event_id": "d1",
    "funnel": "checkout",
    "occurred_at": "2026-10-01T00:00:00.000000Z",
    "steps": [{"name": "cart", "optional": False}, {"name": "payment", "optional": False}],
    "abandon_after": "PT30M",
    "recover_within": "P7D",
}


def event(kind: str, event_id: str, at: str, checkout: str | None, **more: object) -> Line:
    """One event of October 2026, ``at`` its day and time."""
    line: Line = {"v": 1, "type": kind, "event_id": event_id, "funnel": "checkout"}
    if checkout is not None:
        line["checkout_id"] = checkout
    return {**line, "occurred_at": f"2026-10-{at}:00.000000Z", **more}


def entered(event_id: str, at: str, checkout: str, step: str = "cart", **more: object) -> Line:
    """A shopper at a step."""
    return event("step_entered", event_id, at, checkout, step=step, **more)


def ordered(event_id: str, at: str, checkout: str, amount: str = "10.00") -> Line:
    """An order, which bears the name of its checkout."""
    total = {"amount": amount, "currency": "EUR"}
    return event("order_completed", event_id, at, checkout, order_id=f"o-{checkout}", total=total)


def refunded(event_id: str, at: str, checkout: str) -> Line:
    """A part of an order given back."""
    amount = {"amount": "2.50", "currency": "EUR"}
    return event("order_refunded", event_id, at, None, order_id=f"o-{checkout}", amount=amount)


#: Of each of four days one order and one cart that was left.
FOUR_DAYS = [
    line
    for day in ("01", "02", "03", "04")
    for line in (
        entered(f"a{day}", f"{day}T10:00", f"paid-{day}"),
        ordered(f"b{day}", f"{day}T10:05", f"paid-{day}"),
        entered(f"c{day}", f"{day}T11:00", f"left-{day}"),
    )
]


def append(file: Path, lines: list[Line]) -> None:
    """Add lines to a file of a log."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as out:
        out.writelines(json.dumps(line).encode() + b"\n" for line in lines)


def told(report: Report) -> str:
    """All that a report says, also by day and by customer, as text."""
    trend = report.trend("day")
    groups = [one for group in report.groups.values() for one in group.trend("week").values()]
    more = [
        [one.repeat_purchase_rate(7).to_dict(), str(one.early_revenue(one.recover_within))]
        for one in (report, *report.groups.values(), *trend.values())
    ]
    days = {day: one.to_dict() for day, one in trend.items()}
    return json.dumps([report.to_dict(), days, [one.to_dict() for one in groups], more])


def same(log: Path, state: Path, **arguments: Any) -> bool:
    """Whether what was rolled is what reading everything gives."""
    return told(read_rolled(state)) == told(measure(read_log(log), **arguments))
