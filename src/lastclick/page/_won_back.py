"""Won back: how abandoned checkouts came to be paid, and which of that was caused."""

from functools import partial
from typing import Any

from lastclick.page._blocks import (
    Bar,
    Bars,
    Block,
    Chart,
    Grid,
    Inlines,
    Paragraph,
    Section,
    Shape,
    Table,
    joined,
    plain,
)
from lastclick.page._case import plan, why
from lastclick.page._facts import step_of
from lastclick.page._funnel import OUTCOMES
from lastclick.page._messages import later
from lastclick.page._tell import Tell
from lastclick.page._time import confidence

_KINDS = {
    "recovered_by_link": "by_link",
    "recovered_after_reminder": "after_reminder",
    "recovered_unaided": "unaided",
}
_ARMS = {"treated": later("to be reminded"), "holdout": later("held out")}


def won_back(tell: Tell) -> Section:
    """By which way they came back; what is credited to reminders beside what they caused."""
    blocks: list[Block] = [_kinds(tell), _caused(tell)]
    if any(tell.at(f"report.incremental.{arm}.assigned") for arm in _ARMS):
        blocks.append(_arms(tell))
    return Section("won-back", tell.say("Won back"), tuple(blocks))


def _kinds(tell: Tell) -> Chart:
    outcomes = tell.at("report.outcomes")
    names = [*_KINDS, "purchased_late"]
    scale = max([1, *(outcomes[name] for name in names)])
    rows, table = [], []
    for name in names:
        n = tell.count(f"report.outcomes.{name}")
        money = _money(tell, name)
        rows.append(
            Bar(
                tell.say(OUTCOMES[name][0]),
                (n, *((" · ", *money) if money else ())),
                (
                    Shape(
                        "on-3" if name == "purchased_late" else "on",
                        0,
                        outcomes[name] / scale,
                        n.shown,
                    ),
                ),
            )
        )
        table.append((tell.say(OUTCOMES[name][0]), (n,), money or ("\N{EN DASH}",)))
    header = (tell.say("how"), tell.say("checkouts"), tell.say("order totals"))
    return Chart(
        "fig-won-back",
        tell.say("How abandoned checkouts came to be paid"),
        Bars(tuple(rows)),
        (("on", tell.say("won back in time")), ("on-3", tell.say("paid late"))),
        Table(tell.say("Won back, by way"), header, tuple(table)),
        tell.say(
            "Of those who had their full time, {rate} came back.",
            rate=tell.within("report.recovery_rate"),
        ),
    )


def _money(tell: Tell, name: str) -> Inlines:
    """What the orders of a kind brought; of late ones, the report does not say it apart."""
    if name not in _KINDS:
        return ()
    path = "report.recovered_revenue"
    said = [
        (tell.money(f"{step_of(path, code)}.{_KINDS[name]}"),) for code in tell.currencies(path)
    ]
    return joined(*said, by=", ")


def _caused(tell: Tell) -> Chart | Paragraph:
    path = "report.incremental"
    orders: Any = tell.at(f"{path}.orders")
    if orders["estimate"] is None:
        return Paragraph(
            tell.say(
                "What reminders caused is not measured: {reason}. An order after a reminder is "
                "credited to it, whether or not it would have come anyway.",
                reason=why(tell),
            ),
            anchor="fig-caused",
        )
    attributed = tell.at(f"{path}.attributed")
    ends = [0.0, float(attributed), orders["estimate"], orders["low"], orders["high"]]
    least, most = min(ends), max(*ends, 1.0)

    def place(value: float) -> float:
        return float((value - least) / (most - least))

    credited = tell.count(f"{path}.attributed")
    caused = tell.decimal(f"{path}.orders.estimate")
    low, high = tell.decimal(f"{path}.orders.low"), tell.decimal(f"{path}.orders.high")
    interval = tell.say("{share} ({low} to {high})", share=caused, low=low, high=high)
    rows = (
        Bar(
            tell.say("credited to reminders"),
            (credited,),
            (Shape("more", place(0), place(attributed), credited.shown),),
        ),
        Bar(
            tell.say("caused by reminders"),
            interval,
            (
                Shape(
                    "range",
                    place(orders["low"]),
                    place(orders["high"]),
                    plain(tell.limits(low, high)),
                ),
                Shape("dot", place(orders["estimate"]), place(orders["estimate"]), caused.shown),
            ),
        ),
    )
    table: list[tuple[Inlines, ...]] = [
        (tell.say("buyers"), (credited,), interval),
    ]
    table += [
        (
            tell.say("net revenue, {currency}", currency=(currency,)),
            (tell.money(step_of(f"{path}.attributed_revenue", currency)),),
            tell.interval(f"{path}.revenue.{currency}", partial(tell.estimate, currency=currency)),
        )
        for currency in tell.at(f"{path}.attributed_revenue")
        if currency in tell.at(f"{path}.revenue")
    ]
    note = (
        tell.say("The interval is above zero: reminding brings buyers.")
        if orders["low"] > 0
        else tell.say("The interval is below zero: reminding loses buyers.")
        if orders["high"] < 0
        else tell.say("Not proven yet: no effect is within the interval. {more}", more=plan(tell))
    )
    ticks = ((place(0), tell.numbers.decimal(0)), (1.0, tell.numbers.decimal(most)))
    return Chart(
        "fig-caused",
        tell.say("Credited to reminders, beside caused by them"),
        Bars(rows, ticks),
        (
            ("dot", tell.say("buyers caused")),
            ("range", tell.say("{confidence} interval", confidence=confidence(tell))),
            ("more", tell.say("buyers credited")),
        ),
        Table(
            tell.say("Credited and caused"),
            (tell.say("what"), tell.say("credited"), tell.say("caused")),
            tuple(table),
            frozenset({2}),  # words beside the interval
        ),
        note,
    )


def _arms(tell: Tell) -> Grid:
    rows = []
    for arm, message in _ARMS.items():
        path = f"report.incremental.{arm}"
        rows.append(
            (
                tell.say(message),
                (tell.count(f"{path}.assigned"),),
                (tell.count(f"{path}.followed"),),
                (tell.count(f"{path}.reminded"),),
                (tell.count(f"{path}.buyers.numerator"),),
                tell.within(f"{path}.buyers"),
            )
        )
    header = (
        tell.say("arm"),
        tell.say("customers"),
        tell.say("followed to the end"),
        tell.say("reminded"),
        tell.say("bought"),
        tell.say("of those followed"),
    )
    return Grid("fig-arms", Table(tell.say("The two arms"), header, tuple(rows)))
