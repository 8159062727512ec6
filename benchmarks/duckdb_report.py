"""The default report of a generated log as DuckDB computes it: for speed, and for equality.

The SQL counts; what is derived from counts alone (rates, expected loss) is derived here, exactly,
as the library does it, and costs nothing.
"""

import re
import time
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.generate import STEPS

SQL = Path(__file__).with_suffix(".sql")
OUTCOMES = (
    "in_flight",
    "purchased",
    "recoverable",
    "lost",
    "recovered_by_link",
    "recovered_after_reminder",
    "recovered_unaided",
    "purchased_late",
)
RECOVERED = OUTCOMES[4:7]

Tables = dict[str, list[tuple[Any, ...]]]


def statements() -> list[tuple[str, str]]:
    """Return the statements of the SQL file with their names, in order."""
    parts = re.split(r"^-- name: (\w+)\n", SQL.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def tables(log: Path) -> tuple[Tables, float]:
    """Run all statements over a log; return what they answer and the seconds of quality's part."""
    files = [str(file) for file in sorted(log.glob("*.jsonl"))]
    found: Tables = {}
    quality_seconds = 0.0
    with duckdb.connect() as connection:
        for name, statement in statements():
            began = time.perf_counter()
            rows = connection.execute(statement.format(files=files))
            if statement.startswith("SELECT"):
                found[name] = rows.fetchall()
            if name.startswith("quality"):
                quality_seconds += time.perf_counter() - began
    return found, quality_seconds


def answer(found: Tables) -> dict[str, Any]:
    """Bring the tables into the shape in which answers are compared."""
    outcomes = dict.fromkeys(OUTCOMES, 0) | dict(found["outcomes"])
    started = sum(outcomes.values())
    gone = outcomes["lost"] + outcomes["recoverable"]
    ordered = started - gone - outcomes["in_flight"]
    recovered, matured = found["recovery"][0]
    steps = _steps(found)
    chances = {k: Fraction(ordered, steps[name]["reached"] or 1) for k, name in enumerate(STEPS, 1)}
    return {
        "as_of": found["as_of"][0][0],
        "started": started,
        "decided": started - outcomes["in_flight"],
        "ordered": ordered,
        "outcomes": outcomes,
        "recovery_rate": [recovered, matured],
        "steps": steps,
        **_carts(found, chances),
        **_revenue(found),
        "quality": _quality(found),
    }


def _steps(found: Tables) -> dict[str, dict[str, Any]]:
    steps: dict[str, dict[str, Any]] = {}
    for pos, entered, reached, dropped, in_flight in sorted(found["steps"]):
        steps[STEPS[pos - 1]] = {
            "entered": entered,
            "reached": reached,
            "skipped": reached - entered,
            "dropped": dropped,
            "in_flight": in_flight,
            "failures": {},
        }
    for pos, reason, failures, attempts in sorted(found["failures"]):
        steps[STEPS[pos - 1]]["failures"][reason] = [failures, attempts]
    for pos, n, median, p90 in found["seconds"]:
        # Quantiles of whole seconds at p = 0.5 and 0.9 are tenths; DuckDB's come as floats.
        steps[STEPS[pos - 1]]["seconds"] = [n, round(median, 6), round(p90, 6)] if n else [0]
    return steps


def _carts(found: Tables, chances: dict[int, Fraction]) -> dict[str, Any]:
    """Sum the carts left behind, by outcome and by step: at most, and expected."""
    carts: dict[str, dict[str, list[Fraction]]] = {
        f"{outcome}_revenue": {} for outcome in ("lost", "recoverable")
    } | {f"lost at {name}": {} for name in STEPS}
    for outcome, pos, currency, n, money in found["left_carts"]:
        if currency is None:
            continue
        for where in (f"{outcome}_revenue", f"lost at {STEPS[pos - 1]}"):
            sums = carts[where].setdefault(currency, [Fraction(0)] * 3)
            sums[0] += money
            sums[1] += money * chances[pos]
            sums[2] += n
    return {
        where: {
            # Expected loss is rounded once, half to even, to cents.
            currency: [int(most), round(expected / 100) * 100, int(n)]
            for currency, (most, expected, n) in sums.items()
        }
        for where, sums in carts.items()
    }


def _revenue(found: Tables) -> dict[str, Any]:
    """Sum orders and refunds of attempts seen at a step, and the recovered ones by kind."""
    revenue: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    recovered: dict[str, dict[str, int]] = {kind: {} for kind in RECOVERED}
    for outcome, currency, _, money in found["revenue"]:
        if outcome is None or currency is None:
            continue
        revenue[currency][0] += money
        if outcome in RECOVERED:
            recovered[outcome][currency] = money
    for outcome, currency, _, money in found["refunded"]:
        if outcome is not None:
            revenue[currency][1] += money
    return {"revenue": dict(revenue), "recovered_revenue": recovered}


def _quality(found: Tables) -> dict[str, Any]:
    attempts = found["quality_attempts"][0]
    orders = found["quality_orders"][0]
    events = found["quality_events"][0]
    stepless, stepless_orders, euros, dollars = found["quality_without_step"][0]
    refunds = {
        (known, currency): (n, money) for known, currency, n, money in found["quality_refunds"]
    }
    return {
        "not_first_step": attempts[0],
        "out_of_order": attempts[1] or 0,
        "largest_skew_s": (attempts[2] or 0) // 1_000_000,
        "activity_after_order": attempts[3],
        "two_currencies": attempts[4],
        "several_customers": attempts[5],
        "shared_orders": orders[0],
        "order_conflicts": orders[1],
        "orders_without_total": orders[2],
        "further_orders": orders[3],
        "without_step": stepless,
        "without_step_orders": stepless_orders,
        "without_step_gross": {
            currency: money for currency, money in (("EUR", euros), ("USD", dollars)) if money
        },
        "refunds_without_order": sum(n for (known, _), (n, _) in refunds.items() if not known),
        "refunds_other_currency": sum(n for (known, _), (n, _) in refunds.items() if known),
        "refunds_without_order_money": {
            currency: money for (known, currency), (_, money) in refunds.items() if not known
        },
        "refunds_other_currency_money": {
            currency: money for (known, currency), (_, money) in refunds.items() if known
        },
        "values_missing": sum(row[3] for row in found["left_carts"] if row[2] is None),
        "ordered_elsewhere": found["quality_ordered_elsewhere"][0][0],
        "unknown_types": dict(found["quality_types"]),
        "losses": {f"{source}/{reason}": n for source, reason, n in found["quality_lost"]},
        "excluded_attempts": events[0],
        "excluded_events": events[1],
        "without_checkout_id": events[2],
        "unknown_steps": dict(found["quality_unknown_steps"]),
        "redelivered": events[3],
    }
