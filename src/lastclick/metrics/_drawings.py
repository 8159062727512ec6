"""What the charts of a report show. Computes nothing but shares of a scale."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from math import exp, log
from typing import TYPE_CHECKING

from lastclick import _charts
from lastclick._charts import Bar, Bars, Chart, Point
from lastclick._render import Table
from lastclick.errors import ConfigError
from lastclick.events import ORDER
from lastclick.metrics._summary import DASH, main_currency

if TYPE_CHECKING:
    from lastclick.metrics._report import Report


def draw(report: "Report", kind: str) -> Chart:
    """The chart of a kind.

    Raises:
        ConfigError: There is no such kind.
    """
    try:
        drawn = _KINDS[kind]
    except (KeyError, TypeError):
        msg = f"there is no chart {kind!r:.100}; choose one of {', '.join(map(repr, _KINDS))}"
        raise ConfigError(msg) from None
    return drawn(report)


def _funnel(report: "Report") -> Chart:
    scale = max([1, *(step.reached for step in report.steps)])
    ordered = report.rows()[-1]["reached"]
    found, rows = [], []
    for step in report.steps:
        rate = step.drop_off_rate.estimate
        share = "" if rate is None else f" ({100 * rate:.1f} %)"
        said = f"{step.reached:,} reached, {step.dropped:,} dropped{share}"
        on = step.reached - step.dropped
        found.append(Bar(step.name, said, on / scale, step.reached / scale))
        counts = (step.reached, on, step.dropped, step.in_flight)
        off = DASH if rate is None else f"{100 * rate:.1f}"
        rows.append([step.name, *(f"{number:,}" for number in counts), off])
    found.append(Bar(ORDER, f"{ordered:,} ordered", ordered / scale, ordered / scale))
    rows.append([ORDER, f"{ordered:,}", "", "", "", ""])
    return _charts.bars(
        f"{_name(report)}: how far {_units(report)} got",
        f"Of {report.decided:,} decided {_units(report)}: {_sentence(found)}.",
        ("went on", "dropped here"),
        [Bars("", found)],
        Table(["step", "reached", "went on", "dropped", "here now", "drop-off %"], rows),
    )


def _money(report: "Report") -> Chart:
    first = main_currency(report)
    known = {currency for step in report.steps for currency in step.lost}
    groups, rows = [], []
    for currency in sorted(known, key=lambda code: (code != first, code)):
        losses = [(step.name, step.lost.get(currency)) for step in report.steps]
        scale = max(loss.at_most.amount for _, loss in losses if loss is not None) or 1
        found = []
        for name, loss in losses:
            if loss is None:
                found.append(Bar(name, "none", 0.0, 0.0))
                rows.append([name, currency, DASH, DASH, "0"])
                continue
            most, expected = (
                str(money).partition(" ")[2] for money in (loss.at_most, loss.expected)
            )
            said = f"{expected} expected, {most} at most"
            full, whole = (float(money.amount / scale) for money in (loss.expected, loss.at_most))
            found.append(Bar(name, said, min(full, whole), whole))
            rows.append([name, currency, expected, most, f"{loss.attempts:,}"])
        groups.append(Bars(currency, found))
    told = "; ".join(f"in {group.heading}: {_sentence(group.bars)}" for group in groups)
    return _charts.bars(
        f"{_name(report)}: what carts were worth where they were left",
        f"{told or 'No cart of known value was left'}.",
        ("expected: value x chance to order", "at most: as if all would have ordered"),
        groups,
        Table(["step", "currency", "expected", "at most", "carts"], rows),
    )


#: The axis of time is logarithmic: most order within minutes, some after days.
_FROM_S = 10
_TICKS = {
    10: "10 s",
    60: "1 min",
    600: "10 min",
    3600: "1 h",
    6 * 3600: "6 h",
    86_400: "1 d",
    3 * 86_400: "3 d",
    7 * 86_400: "7 d",
    30 * 86_400: "30 d",
}
_POINTS = 160


def _time(report: "Report") -> Chart:
    longest = max(2 * _FROM_S, report.recover_within // timedelta(seconds=1))
    length = log(longest / _FROM_S)
    ticks = {second: said for second, said in _TICKS.items() if second <= longest}
    points = []
    for place in range(_POINTS + 1):
        second = round(_FROM_S * exp(length * place / _POINTS))
        one = report.abandonment_at(timedelta(seconds=second))
        if one.estimate is None:  # nobody was followed for so long
            break
        low = one.estimate if one.low is None else one.low
        high = one.estimate if one.high is None else one.high
        points.append(Point(place / _POINTS, one.estimate, low, high))
    rows, said = [], []
    for second, name in ticks.items():
        one = report.abandonment_at(timedelta(seconds=second))
        share, limits = DASH, DASH
        if one.estimate is not None:
            share = f"{100 * one.estimate:.1f}"
            said.append(f"{share} % after {name}")
        if one.low is not None and one.high is not None:
            limits = f"{100 * one.low:.1f} to {100 * one.high:.1f}"
        rows.append([name, share, limits])
    told = ", ".join(said) or "nobody was followed"
    return _charts.curve(
        f"{_name(report)}: {_units(report)} without an order, by time from their start",
        f"Kaplan-Meier, with those in flight as followed up to now. Not ordered: {told}.",
        ("not ordered yet, %", "95 % interval"),
        points,
        [(log(second / _FROM_S) / length, name) for second, name in ticks.items()],
        Table(["after", "not ordered %", "95 % interval"], rows),
    )


def _name(report: "Report") -> str:
    return report.funnel or "no funnel"


def _units(report: "Report") -> str:
    return "customer journeys" if report.unit == "customer" else "attempts"


def _sentence(found: Sequence[Bar]) -> str:
    return "; ".join(f"{bar.name}: {bar.said}" for bar in found)


_KINDS: Mapping[str, "Callable[[Report], Chart]"] = {
    "funnel": _funnel,
    "money": _money,
    "time": _time,
}
