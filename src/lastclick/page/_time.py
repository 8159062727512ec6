"""Time: how long steps take, when checkouts are paid, and when customers come again."""

from collections.abc import Sequence
from math import ceil, log
from typing import Any

from lastclick.page._blocks import (
    Bar,
    Bars,
    Block,
    Chart,
    Name,
    Plot,
    Point,
    Section,
    Sentence,
    Shape,
    Statements,
    Table,
)
from lastclick.page._facts import FROM_S
from lastclick.page._tell import Tell

#: So far apart, in shares of an axis, words below it can be told apart on a phone.
_APART = 0.12


def time(tell: Tell) -> Section:
    """Seconds by step, the completion curve, and who comes again."""
    blocks: list[Block] = []
    if tell.at("report.started"):
        blocks.append(_steps(tell))
    if tell.at("completion.points"):
        blocks.append(_completion(tell))
    blocks.append(_again(tell))
    return Section("time", tell.say("Time"), tuple(blocks))


def _steps(tell: Tell) -> Chart:
    steps = tell.at("report.steps")
    ends = [
        value
        for step in steps
        for which in ("median_seconds", "p90_seconds")
        for value in (step[which]["estimate"], step[which]["high"])
        if value is not None
    ]
    most = max([10 * 60.0, *ends])

    def place(second: float) -> float:
        return min(1.0, log(1 + second) / log(1 + most))

    rows, table = [], []
    for number, step in enumerate(steps):
        path = f"report.steps.{number}"
        median = tell.seconds(f"{path}.median_seconds.estimate")
        p90 = tell.seconds(f"{path}.p90_seconds.estimate")
        shapes: list[Shape] = []
        for which, kind in (("median_seconds", "dot"), ("p90_seconds", "dot-2")):
            one: Any = step[which]
            if one["estimate"] is None:
                continue
            if one["low"] is not None and one["high"] is not None:
                low, high = place(one["low"]), place(one["high"])
                shapes.append(Shape("range", low, high, _said(tell, f"{path}.{which}")))
            at = place(one["estimate"])
            shapes.append(Shape(kind, at, at, tell.span(one["estimate"])))
        rows.append(
            Bar(
                (Name(step["name"]),),
                tell.say("half within {median}, nine in ten within {p90}", median=median, p90=p90)
                if median.value
                else tell.say("nobody went on yet"),
                tuple(shapes),
            )
        )
        table.append(
            (
                (Name(step["name"]),),
                (tell.count(f"{path}.seconds.count"),),
                tell.interval(f"{path}.median_seconds", tell.seconds),
                tell.interval(f"{path}.p90_seconds", tell.seconds),
                (tell.count(f"{path}.returned"),),
            )
        )
    ticks = apart(
        [
            (place(second), tell.span(second))
            for second in (0, 10, 60, 600, 3600, 86_400, 7 * 86_400)
            if second <= most
        ]
    )
    header = (
        tell.say("step"),
        tell.say("went on"),
        tell.say("half within"),
        tell.say("nine in ten within"),
        tell.say("came back to it"),
    )
    return Chart(
        "fig-seconds",
        tell.say("How long it takes to get past a step"),
        Bars(tuple(rows), ticks),
        (
            ("dot", tell.say("half went on")),
            ("dot-2", tell.say("nine in ten went on")),
            ("range", tell.say("{confidence} interval", confidence=confidence(tell))),
        ),
        Table(tell.say("Time to the next step"), header, tuple(table)),
    )


def confidence(tell: Tell) -> Any:
    """The confidence of all intervals."""
    return tell.percent("report.abandonment_rate.confidence", 0)


def _said(tell: Tell, path: str) -> str:
    low, high = tell.at(f"{path}.low"), tell.at(f"{path}.high")
    return tell.text("{low} to {high}").format(low=tell.span(low), high=tell.span(high))


def _completion(tell: Tell) -> Chart:
    longest = tell.at("completion.longest")

    def place(second: float) -> float:
        return log(max(second, FROM_S) / FROM_S) / log(longest / FROM_S)

    points = []
    found = tell.at("completion.points")
    up = scale(
        tell, max([0.1, *(1 - (share if low is None else low) for _, share, low, _ in found)])
    )
    top = up[-1][0]
    for second, share, low, high in found:
        said = f"{tell.span(second)}: {tell.numbers.percent(1 - share)}"
        paid, most, least = (
            (1 - (share if end is None else end)) / top for end in (share, low, high)
        )
        points.append(Point(place(second), paid, least, most, said))
    rows = []
    for number, one in enumerate(tell.at("completion.times")):
        path = f"completion.times.{number}"
        rows.append(
            (
                (tell.seconds(f"{path}.seconds"),),
                (tell.percent(f"{path}.estimate"),),
                tell.limits(tell.percent(f"{path}.low"), tell.percent(f"{path}.high"))
                if one["low"] is not None
                else ("\N{EN DASH}",),
            )
        )
    ticks = apart(
        [(place(one["seconds"]), tell.span(one["seconds"])) for one in tell.at("completion.times")]
    )
    return Chart(
        "fig-completion",
        tell.say("How many have paid, by time from their start"),
        Plot(tuple(points), ticks, tuple((y / top, said) for y, said in up), stairs=True),
        (
            ("curve", tell.say("paid")),
            ("band", tell.say("{confidence} interval", confidence=confidence(tell))),
        ),
        Table(
            tell.say("Not paid yet, by time from the start"),
            (tell.say("after"), tell.say("not paid yet"), tell.say("interval")),
            tuple(rows),
        ),
        tell.say(
            "Those still going on are taken as followed up to now, and not guessed. After the "
            "first {limit} it shows when people come back.",
            limit=tell.seconds("report.abandon_after"),
        ),
    )


def scale(tell: Tell, top: float) -> tuple[tuple[float, str], ...]:
    """What is written at the side of shares; the drawing stretches to the last."""
    step = next(size for size in (0.01, 0.02, 0.05, 0.1, 0.2) if 5 * size >= min(top, 1.0) - 1e-9)
    number = max(2, ceil(min(top, 1.0) / step - 1e-9))
    return tuple((step * n, tell.numbers.percent(step * n, 0)) for n in range(number + 1))


def apart(ticks: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """Those places on an axis that do not run into each other on a phone; the last stays."""
    found: list[tuple[float, str]] = []
    for tick in ticks:
        if not found or tick[0] - found[-1][0] >= _APART:
            found.append(tick)
    if found and found[-1] != ticks[-1]:
        found[-1] = ticks[-1]
    return tuple(found)


def _again(tell: Tell) -> Statements:
    """How many customers ordered again, as far as anybody was followed."""
    found = []
    for number, one in enumerate(tell.at("again")):
        if one["share"]["estimate"] is not None:
            path = f"again.{number}"
            text = tell.several(
                "{share} of customers ordered again within {n} day of their first order.",
                "{share} of customers ordered again within {n} days of their first order.",
                tell.count(f"{path}.days"),
                share=tell.within(f"{path}.share"),
            )
            found.append(Sentence(text))
    if found:
        customers = tell.count(f"{path}.share.n")
        found.append(
            Sentence(tell.say("Customers with an order: {customers}.", customers=customers))
        )
    if not found:
        found = [Sentence(tell.say("Not known yet: nobody was followed for long enough."))]
    return Statements(tuple(found), tell.say("Customers who come again"))
