"""What the charts of a report show. Computes nothing but shares of a scale."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lastclick import _charts
from lastclick._charts import Bar, Bars, Chart
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


def _name(report: "Report") -> str:
    return report.funnel or "no funnel"


def _units(report: "Report") -> str:
    return "customer journeys" if report.unit == "customer" else "attempts"


def _sentence(found: Sequence[Bar]) -> str:
    return "; ".join(f"{bar.name}: {bar.said}" for bar in found)


_KINDS: Mapping[str, "Callable[[Report], Chart]"] = {"funnel": _funnel, "money": _money}
