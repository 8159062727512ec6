"""All that a page says, as plain values: made by the public functions of reports, and no others.

What is drawn is looked up here by its path, such as ``report.steps.3.drop_off_rate.estimate``, so
that nothing on a page can differ from what was measured.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from heapq import nlargest
from importlib.metadata import version
from math import exp, log
from typing import Any, Literal

import attrs

from lastclick._fold import Outcome
from lastclick._journeys import Journey
from lastclick._money import Money
from lastclick.analysis import Comparison, Marketing, compare, priorities, what_if
from lastclick.errors import ConfigError
from lastclick.metrics import Groups, Report, rate
from lastclick.metrics._plain import plain_value as plain
from lastclick.metrics._summary import main_currency

#: Groups of fewer attempts are folded into one row: anybody could be recognised in them.
SMALLEST = 30
#: No more groups than these are shown, the largest; the others are folded too.
MOST_GROUPS = 30
#: No more groups than these are named where they stand out, those with the most at stake.
MOST_NAMED = 12
#: The first step's worth is told for one in so many of those who leave there.
ONE_IN = 10
#: No more journeys than these are shown, the dearest.
MOST_JOURNEYS = 50
#: A trend by the day has at most so many days, one by the week so many weeks.
_DAYS, _WEEKS = 31, 26
#: Days with fewer checkouts are told by the week, but for the first fortnight.
_A_DAY, _FORTNIGHT = 30, 14
#: From 10 seconds on, an axis of time is logarithmic.
FROM_S = 10
POINTS = 120
TIMES_S = (10, 60, 600, 3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400)
_AGAIN_DAYS = (7, 30, 90)
_WON_BACK = (
    Outcome.RECOVERED_BY_LINK,
    Outcome.RECOVERED_AFTER_REMINDER,
    Outcome.RECOVERED_UNAIDED,
)

Every = Literal["day", "week", "month"]


@attrs.frozen
class Mark:
    """Something that happened on a day, to be shown in the trend: a release, a campaign.

    Attributes:
        day: When.
        name: What.

    Example:
        >>> Mark(date(2026, 10, 14), "new payment form").name
        'new payment form'

    .. versionadded:: 0.1.0
    """

    day: date
    name: str


def facts(
    report: Report,
    *,
    before: Report | None,
    marketing: Marketing | None,
    marks: Sequence[Mark],
    journeys: Iterable[Journey] | None,
    every: Every | None,
    command: str | None,
) -> dict[str, Any]:
    """The facts of a page, ready for JSON.

    Raises:
        ConfigError: ``before`` was not asked alike, or is not before.
    """
    whole = report.to_dict()
    hashed = sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    ranked = priorities(report)
    steps = [row for row in ranked.rows if row.whole]
    # Who is not counted further in a closed funnel may have paid: of that no group is accused.
    standing_out = [row for row in ranked.rows if row.stands_out and not report.closed]
    unread = report.reading is not None and report.reading.problems is not None
    problems = report.reading.problems if unread and report.reading is not None else None
    del whole["groups"]  # small ones are not to be shown
    return {
        "page": {
            "version": version("lastclick"),
            "command": command,
            "sha256": hashed,
            "unread": problems is not None and bool(problems.unreadable + problems.torn),
        },
        "report": whole,
        "order_row": report.rows()[-1]["reached"],
        "currency": main_currency(report),
        "won_back": _won_back(report),
        "priorities": {
            "steps": plain(steps),
            "standing_out": plain(standing_out),
            "folded": max(0, len(standing_out) - MOST_NAMED),
            "scanned": ranked.scanned,
            "too_small": ranked.too_small,
            "smallest": ranked.smallest,
            "false_discoveries": ranked.false_discoveries,
        },
        "first": _first(report),
        "completion": _completion(report),
        "again": [
            {"days": days, "share": plain(report.repeat_purchase_rate(days))}
            for days in _AGAIN_DAYS
        ],
        "who": _who(report),
        "comparison": None if before is None else _comparison(before, report),
        "marketing": None if marketing is None else plain(marketing),
        "trend": _trend(report, every),
        "marks": [
            {"day": mark.day.isoformat(), "name": mark.name}
            for mark in sorted(marks, key=lambda mark: (mark.day, mark.name))
        ],
        "journeys": None if journeys is None else _dearest(journeys),
    }


def _won_back(report: Report) -> dict[str, Any]:
    """Recovered orders in one number, and what they brought; their kinds are in the report."""
    money = {
        currency: found.by_link + found.after_reminder + found.unaided
        for currency, found in report.recovered_revenue.items()
    }
    return {
        "orders": sum(report.outcomes[kind] for kind in _WON_BACK),
        "revenue": plain(money),
    }


def first_fix(report: Report) -> dict[str, float]:
    """The step to fix first, and one in ten of those who leave there: as `what_if` takes it."""
    if report.closed:  # who is not counted further may have paid
        return {}
    step = next((row.step for row in priorities(report).rows if row.whole and row.dropped), None)
    share = None if step is None else report.steps[step].drop_off_rate.estimate
    return {} if step is None or share is None else {step: share / ONE_IN}


def _first(report: Report) -> dict[str, Any] | None:
    """The step to fix first, and what one in ten of those who leave there would bring."""
    fix = first_fix(report)
    if not fix:
        return None
    ((step, added),) = fix.items()
    return {
        "step": step,
        "place": [one.name for one in report.steps].index(step),
        "one_in": ONE_IN,
        "added": added,
        "gain": plain(what_if(report, fix).together),
    }


def _completion(report: Report) -> dict[str, Any]:
    """The share without an order by time: at some times, and as a curve."""
    longest = max(2 * FROM_S, report.recover_within // timedelta(seconds=1))
    length = log(longest / FROM_S)
    points = []
    for place in range(POINTS + 1):
        second = round(FROM_S * exp(length * place / POINTS))
        one = report.abandonment_at(timedelta(seconds=second))
        if one.estimate is None:  # nobody was followed for so long
            break
        points.append([second, one.estimate, one.low, one.high])
    return {
        "longest": longest,
        "points": points,
        "times": [
            {"seconds": second, **plain(report.abandonment_at(timedelta(seconds=second)))}
            for second in TIMES_S
            if second <= longest
        ],
    }


def _who(report: Report) -> dict[str, Any]:
    """The groups, the largest first; those too small, or too many, as one."""
    found = sorted(report.groups.items(), key=lambda item: (-item[1].started, json.dumps(item[0])))
    shown = [(value, one) for value, one in found if one.started >= SMALLEST][:MOST_GROUPS]
    folded = [one for _, one in found if one.started < SMALLEST]
    folded += [one for _, one in found if one.started >= SMALLEST][MOST_GROUPS:]
    return {
        "by": list(report.by),
        "smallest": SMALLEST,
        "rows": [
            {
                "value": list(value) if isinstance(value, tuple) else [value],
                **_counts(group),
                "lost_revenue": plain(group.lost_revenue),
                "recoverable_revenue": plain(group.recoverable_revenue),
            }
            for value, group in shown
        ],
        "others": None if not folded else {"groups": len(folded), **_together(folded)},
        "differ": plain(report.groups_differ()) if report.groups else None,
    }


def _counts(report: Report) -> dict[str, Any]:
    return {
        "started": report.started,
        "in_flight": report.started - report.decided,
        "decided": report.decided,
        "ordered": report.ordered,
        "abandonment_rate": plain(report.abandonment_rate),
    }


def _together(reports: Sequence[Report]) -> dict[str, Any]:
    started, decided, ordered = (
        sum(getattr(one, name) for one in reports) for name in ("started", "decided", "ordered")
    )
    return {
        "started": started,
        "in_flight": started - decided,
        "decided": decided,
        "ordered": ordered,
        "abandonment_rate": plain(rate(decided - ordered, decided)),
    }


def _comparison(before: Report, report: Report) -> dict[str, Any]:
    """What changed from a report to the attempts that started after its days.

    Raises:
        ConfigError: There is nothing before, or nothing of the report is after it.
    """
    if before.last_day is None or not before.decided:
        msg = "before= has no decided attempt to compare with; measure it with a later as_of="
        raise ConfigError(msg)
    last = before.last_day.isoformat()
    after = _since(report, last)
    if after is None:
        msg = f"before= ends on {last}, and no attempt of the report started later; "
        raise ConfigError(msg + "measure it with an earlier as_of=")
    found: Comparison = compare(before, after)
    moved = found.abandonment
    return {
        "before": {"first_day": plain(before.first_day), "last_day": plain(before.last_day)}
        | _counts(before),
        "after": {"first_day": plain(after.first_day), "last_day": plain(after.last_day)}
        | _counts(after),
        "change": plain(moved.change),
        "rate": plain(moved.rate),
        "mix": plain(moved.mix),
        "steps": plain(found.steps),
        "revenue_per_checkout": plain(found.revenue_per_checkout),
    }


def _since(report: Report, last: str) -> Report | None:
    """The report of the attempts that started after a day, with its groups."""

    def later(one: Report) -> Report | None:
        return one._trend(lambda day: "after" if day > last else "before").get("after")

    found = later(report)
    if found is None:
        return None
    parts = {text: later(group) for text, group in report.groups._reports.items()}
    groups = {text: part for text, part in parts.items() if part is not None}
    return attrs.evolve(found, groups=Groups(groups, report.by))


def _trend(report: Report, every: Every | None) -> dict[str, Any]:
    chosen = every or "day"
    if every is None and report.first_day is not None and report.last_day is not None:
        days = (report.last_day - report.first_day).days + 1
        busy = days <= _FORTNIGHT or report.started >= _A_DAY * days
        if days > _DAYS or not busy:
            chosen = "week" if days <= 7 * _WEEKS else "month"
    return {
        "every": chosen,
        "periods": [
            {"first_day": first, **_counts(one), "revenue": plain(one.revenue)}
            for first, one in report.trend(chosen).items()
        ],
    }


def _dearest(found: Iterable[Journey]) -> list[dict[str, Any]]:
    """Of those that can still be won back, the dearest, with who they are."""

    def size(journey: Journey) -> tuple[Any, ...]:
        value = journey.value
        assert value is not None
        return (value.units, value.currency, journey.started_at, journey.checkout_id)

    open_ = (one for one in found if one.outcome == Outcome.RECOVERABLE and one.value is not None)
    return [
        {
            "checkout_id": journey.checkout_id,
            "customer_id": journey.customer_id,
            "furthest": journey.furthest,
            "value": plain(journey.value),
            "abandoned_at": plain(journey.abandoned_at),
            "reminders": sum(not one.clicked for one in journey.reminders),
            "failures": [one.reason for one in journey.failures],
        }
        for journey in nlargest(MOST_JOURNEYS, open_, key=size)
    ]


def at(facts: Mapping[str, Any], path: str) -> Any:
    """What stands at a path; a step of it has ``~1`` for a dot and ``~0`` for a tilde.

    Raises:
        KeyError: Nothing does.
    """
    found: Any = facts
    for part in path.split("."):
        name = part.replace("~1", ".").replace("~0", "~")
        found = found[int(name)] if isinstance(found, Sequence) else found[name]
    return found


def step_of(path: str, name: object) -> str:
    """A path one step further, to a name or a place that may hold any sign."""
    return f"{path}.{str(name).replace('~', '~0').replace('.', '~1')}"


def money_of(value: Mapping[str, str]) -> Money:
    """Money as facts hold it."""
    return Money.model_construct(amount=Decimal(value["amount"]), currency=value["currency"])


def instant_of(text: str) -> datetime:
    """An instant as facts hold it."""
    return datetime.fromisoformat(text)
