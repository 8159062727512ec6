"""Run the conformance cases through lastclick: `python docs/conformance/run.py`.

Prints every difference, then `N passed, M failed`. The format is described in README.md.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from lastclick import Journey, Report, journeys, measure, read_log
from lastclick.errors import ConfigError
from lastclick.metrics import Loss, Quality, Rate, StepFigures

HERE = Path(__file__).parent
CASES = json.loads((HERE / "cases.json").read_text("utf-8"))
EXACT = frozenset(CASES["meta"]["exact"])
#: The facts of the log that `Report.quality` has under the cases' names.
FACTS = (
    "without_checkout_id",
    "without_step",
    "without_step_orders",
    "without_step_gross",
    "unknown_steps",
    "unknown_types",
    "not_first_step",
    "out_of_order",
    "largest_skew_s",
    "activity_after_order",
    "further_orders",
    "two_currencies",
    "values_missing",
    "orders_without_total",
    "shared_orders",
    "order_conflicts",
    "refunds_without_order",
    "refunds_without_order_money",
    "refunds_other_currency",
    "refunds_other_currency_money",
    "refunds_without_amount",
    "refunds_over_order",
    "cancellations_without_order",
    "several_customers",
    "ordered_elsewhere",
    "excluded_attempts",
    "excluded_events",
    "excluded_orders",
    "excluded_gross",
)


def lines_of(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The whole lines of a case's log, with what the case leaves out filled in."""
    lines = []
    if case["funnel"] is not None:
        lines.append(
            {
                "v": 1,
                "type": "funnel_declared",
                "event_id": "d0",
                "funnel": "checkout",
                "occurred_at": "2026-10-01T00:00:00.000000Z",
                "steps": [
                    {"name": step, "optional": False} if isinstance(step, str) else step
                    for step in case["funnel"]["steps"]
                ],
                "abandon_after": f"PT{case['funnel']['abandon_after_s']}S",
                "recover_within": f"PT{case['funnel']['recover_within_s']}S",
            }
        )
    for n, event in enumerate(case["events"], start=1):
        lines.append({"v": 1, "event_id": f"e{n}", "funnel": "checkout", **event})
    return lines


def differences(
    expected: Any, got: Any, exact: frozenset[str] = EXACT, path: str = ""
) -> list[str]:
    """Where a figure is not as expected, one sentence each."""
    if not isinstance(expected, dict):
        return [] if same(expected, got) else [f"{path}: expected {expected!r}, got {got!r}"]
    if not isinstance(got, dict):
        return [f"{path}: expected {expected!r}, got {got!r}"]
    keys = list(expected)
    if path.rpartition("/")[2] in exact:
        keys += [key for key in got if key not in expected]
    found = []
    for key in keys:
        # A count that is left out is 0.
        here = f"{path}/{key}"
        found += differences(expected.get(key, 0), got.get(key, 0), exact, here)
    return found


def same(expected: Any, got: Any) -> bool:
    """Equal, or the same number; an exact `n/d` is first rounded to the digits that are shown."""
    if expected == got:
        return True
    try:
        exact, shown = Fraction(expected), Fraction(got)
    except (TypeError, ValueError):
        return False
    if isinstance(got, float):
        return float(exact) == got
    digits = len(str(got).partition(".")[2])
    return exact == shown or ("/" in str(expected) and round(exact, digits) == shown)


def arguments(options: dict[str, Any]) -> dict[str, Any]:
    """A case's options as keyword arguments of `measure`."""
    given = dict(options)
    asked: dict[str, Any] = {}
    for name, value in given.items():
        if name == "as_of":
            asked[name] = datetime.fromisoformat(value)
        elif name.endswith("_s"):
            asked[name.removesuffix("_s")] = timedelta(seconds=value)
        elif name == "funnel_name":
            asked["funnel"] = value
        else:
            asked[name] = value
    return asked


def answer(lines: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    """The library's figures for these lines, through a log file."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        log = read_log(path)
        asked = arguments(options)
        every = asked.pop("every", "day")
        try:
            report = measure(log, **asked)
        except ConfigError as error:
            # The message names the funnels, each in quotes.
            names = {line["funnel"] for line in lines if repr(line["funnel"]) in str(error)}
            return {"error": {"funnels": sorted(names)}}
        beside = ("funnel", "as_of", "unit", "exclude", "abandon_after", "recover_within")
        found = journeys(log, **{name: asked[name] for name in beside if name in asked})
        return figures(report, found, every)


def figures(
    report: Report, found: Iterable[Journey], every: Literal["day", "week", "month"] = "day"
) -> dict[str, Any]:
    """A report and its journeys under the names of the cases."""
    told = part(report)
    told["as_of"] = report.as_of and shown(report.as_of)
    told["quality"] = facts(report.quality)
    told["trend"] = {first: part(of) for first, of in report.trend(every).items()}
    if report.by:
        told["groups"] = {
            json.dumps(value, separators=(",", ":")): part(of)
            for value, of in report.groups.items()
        }
    told["journeys"] = {
        journey.checkout_id: {
            "outcome": str(journey.outcome),
            "furthest": journey.furthest,
            "abandoned_at": journey.abandoned_at and shown(journey.abandoned_at),
            "value": journey.value and f"{journey.value.currency} {journey.value.amount}",
            "started_at": shown(journey.started_at),
            "last_activity_at": shown(journey.last_activity_at),
        }
        for journey in found
    }
    return told


def part(report: Report) -> dict[str, Any]:
    """What a report, a group and a day have alike."""
    told: dict[str, Any] = {
        "started": report.started,
        "decided": report.decided,
        "ordered": report.ordered,
        "outcomes": {str(outcome): number for outcome, number in report.outcomes.items()},
        "abandonment_rate": undivided(report.abandonment_rate),
        "ever_abandoned_rate": undivided(report.ever_abandoned_rate),
        "recovery_rate": {
            **undivided(report.recovery_rate),
            "not_matured": report.not_matured,
        },
        "steps": {step.name: of_step(step) for step in report.steps},
        "revenue": {
            currency: {
                "gross": str(money.gross.amount),
                "refunded": str(money.refunded.amount),
                "cancelled": str(money.cancelled.amount),
                "net": str(money.net.amount),
            }
            for currency, money in report.revenue.items()
        },
        "cancelled_orders": report.cancelled_orders,
        "survey": {
            place: {
                "answered": of.answered,
                "satisfied": undivided(of.satisfied),
                "scores": {str(score): number for score, number in of.scores.items()},
                "reasons": dict(of.reasons),
            }
            for place, of in (
                ("after_order", report.survey.after_order),
                ("on_exit", report.survey.on_exit),
            )
        },
        "lost_revenue": losses(report.lost_revenue),
        "recoverable_revenue": losses(report.recoverable_revenue),
        "recovered_revenue": {
            f"recovered_{kind}": {
                currency: str(getattr(money, kind).amount)
                for currency, money in report.recovered_revenue.items()
            }
            for kind in ("by_link", "after_reminder", "unaided")
        },
    }
    if report.closed:
        told["closed"] = {step.name: step.reached for step in report.steps}
        last = [step for step in report.steps if not step.optional][-1]
        told["closed"]["order"] = last.conversion_rate.numerator
    return told


def of_step(step: StepFigures) -> dict[str, Any]:
    """The figures of one step."""
    return {
        "entered": step.entered,
        "reached": step.reached,
        "skipped": step.skipped,
        "dropped": step.dropped,
        "in_flight": step.in_flight,
        "conversion_rate": undivided(step.conversion_rate),
        "drop_off_rate": undivided(step.drop_off_rate),
        "failures": {
            reason: {"failures": of.failures, "attempts": of.attempts}
            for reason, of in step.failures.items()
        },
        "seconds": {
            "n": step.seconds.count,
            "median": step.seconds.median,
            "p90": step.seconds.p90,
        },
        "lost": losses(step.lost),
    }


def facts(quality: Quality) -> dict[str, Any]:
    """The facts of the log; amounts as text."""
    told = {
        name: amounts(value) if isinstance(value, Mapping) else value
        for name, value in ((name, getattr(quality, name)) for name in FACTS)
    }
    told["older_steps"] = list(quality.older_steps)
    told["definitions"] = len(quality.definitions)
    told["events_lost"] = {
        f"{of.source}/{of.reason}{'/kept' if of.kept else ''}": of.count for of in quality.losses
    }
    return told


def amounts(by_key: Mapping[str, Any]) -> dict[str, Any]:
    """Money by currency as text; counts by name as they are."""
    return {key: str(getattr(value, "amount", value)) for key, value in by_key.items()}


def losses(by_currency: Mapping[str, Loss]) -> dict[str, dict[str, str]]:
    """Lost money by currency."""
    return {
        currency: {"at_most": str(of.at_most.amount), "expected": str(of.expected.amount)}
        for currency, of in by_currency.items()
    }


def undivided(rate: Rate) -> dict[str, int]:
    """What a rate rests on."""
    return {"numerator": rate.numerator, "denominator": rate.denominator}


def shown(instant: datetime) -> str:
    """An instant as the log writes it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def main() -> int:
    """Run every case as it is, backwards and twice; 1 when one failed."""
    failed = 0
    for case in CASES["cases"]:
        lines = lines_of(case)
        wrong = [
            difference
            for arrival in (lines, lines[::-1], lines + lines)
            for difference in differences(case["expect"], answer(arrival, case["options"]))
        ]
        failed += bool(wrong)
        for difference in dict.fromkeys(wrong):
            print(f"{case['name']}{difference}")
    print(f"{len(CASES['cases']) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
