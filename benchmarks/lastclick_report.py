"""What lastclick's report says, in the shape in which answers are compared."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lastclick import Money, Report

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def answer(report: Report) -> dict[str, Any]:
    """Return the figures that other readers compute too; money in 1/10,000."""
    plain = report.to_dict()
    assert report.as_of is not None
    return {
        "as_of": (report.as_of - EPOCH) // timedelta(microseconds=1),
        "started": report.started,
        "decided": report.decided,
        "ordered": report.ordered,
        "outcomes": plain["outcomes"],
        "recovery_rate": [report.recovery_rate.numerator, report.recovery_rate.denominator],
        "steps": {
            step.name: {
                "entered": step.entered,
                "reached": step.reached,
                "skipped": step.skipped,
                "dropped": step.dropped,
                "in_flight": step.in_flight,
                "failures": {
                    reason: [told["failures"], told["attempts"]]
                    for reason, told in raw["failures"].items()
                },
                "seconds": [step.seconds.count, *_rounded(step.seconds.median, step.seconds.p90)],
            }
            for step, raw in zip(report.steps, plain["steps"], strict=True)
        },
        "lost_revenue": _losses(report.lost_revenue),
        "recoverable_revenue": _losses(report.recoverable_revenue),
        **{f"lost at {step.name}": _losses(step.lost) for step in report.steps},
        "revenue": {
            currency: [one.gross.units, one.refunded.units]
            for currency, one in report.revenue.items()
        },
        "recovered_revenue": {
            f"recovered_{kind}": {
                currency: money.units
                for currency, one in report.recovered_revenue.items()
                if (money := getattr(one, kind)).units
            }
            for kind in ("by_link", "after_reminder", "unaided")
        },
        "quality": _quality(report),
    }


def _rounded(*seconds: float | None) -> list[float]:
    return [round(one, 6) for one in seconds if one is not None]


def _losses(losses: Mapping[str, Any]) -> dict[str, list[int]]:
    return {
        currency: [one.at_most.units, one.expected.units, one.attempts]
        for currency, one in losses.items()
    }


def _quality(report: Report) -> dict[str, Any]:
    told = report.quality
    numbers = (
        *("not_first_step", "out_of_order", "largest_skew_s", "activity_after_order"),
        *("two_currencies", "several_customers", "shared_orders", "order_conflicts"),
        *("orders_without_total", "further_orders", "without_step", "without_step_orders"),
        *("refunds_without_order", "refunds_other_currency", "values_missing"),
        *("ordered_elsewhere", "excluded_attempts", "excluded_events", "without_checkout_id"),
    )
    moneys = ("without_step_gross", "refunds_without_order_money", "refunds_other_currency_money")
    return {
        **{name: getattr(told, name) for name in numbers},
        **{name: _units(getattr(told, name)) for name in moneys},
        "unknown_steps": dict(told.unknown_steps),
        "unknown_types": dict(told.unknown_types),
        "losses": {f"{one.source}/{one.reason}": one.count for one in told.losses},
        "redelivered": report.reading.redelivered,
    }


def _units(moneys: Mapping[str, Money]) -> dict[str, int]:
    return {currency: money.units for currency, money in moneys.items()}
