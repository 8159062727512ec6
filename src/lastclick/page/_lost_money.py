"""Where the money goes: steps by what they lose, who answers for them, and how well they work."""

from collections.abc import Mapping
from typing import Any

from lastclick.page._blocks import (
    Bar,
    Bars,
    Block,
    Chart,
    Grid,
    Inlines,
    Name,
    Paragraph,
    Section,
    Shape,
    Table,
    joined,
)
from lastclick.page._case import channel
from lastclick.page._tell import Tell


def lost_money(tell: Tell) -> Section:
    """Steps by expected loss, in each currency; whether they work beside how well."""
    main = tell.at("currency")
    known = {code for row in tell.at("priorities.steps") for code in row["expected"]}
    blocks: list[Block] = [
        _money(tell, currency, first=place == 0)
        for place, currency in enumerate(sorted(known, key=lambda code: (code != main, code)))
    ]
    if not blocks:
        text = tell.say("No cart of known value was left at a step.")
        blocks.append(Paragraph(text, anchor="fig-money"))
    if tell.at("report.steps"):
        blocks.append(_works(tell))
    if tell.at("marketing") is not None:
        blocks.append(_advertising(tell))
    return Section("money", tell.say("Where the money goes"), tuple(blocks))


def _places(tell: Tell) -> dict[str, int]:
    return {step["name"]: place for place, step in enumerate(tell.at("report.steps"))}


def _money(tell: Tell, currency: str, *, first: bool) -> Chart:
    places = _places(tell)

    def amount(row: Mapping[str, Any], what: str) -> float:
        return float(row[what][currency]["amount"]) if currency in row[what] else 0.0

    found = [row for row in tell.at("priorities.steps") if currency in row["expected"]]
    found.sort(key=lambda row: -amount(row, "expected"))
    scale = max((amount(row, "at_most") for row in found), default=0) or 1
    rows, table = [], []
    for row in found:
        path = f"report.steps.{places[row['step']]}"
        expected = tell.money(f"{path}.lost.{currency}.expected", whole=True)
        most = tell.money(f"{path}.lost.{currency}.at_most", whole=True)
        owner: Inlines = () if row["owner"] is None else (Name(row["owner"]),)
        full, whole = amount(row, "expected") / scale, amount(row, "at_most") / scale
        name = joined((Name(row["step"]),), owner, by=" · ")
        rows.append(
            Bar(
                name,
                tell.say("{expected}, at most {most}", expected=expected, most=most),
                (
                    Shape("off", 0, min(full, whole), expected.shown),
                    Shape("more", min(full, whole), whole, most.shown),
                ),
            )
        )
        table.append(
            (
                (Name(row["step"]),),
                owner or ("\N{EN DASH}",),
                (tell.money(f"{path}.lost.{currency}.expected"),),
                (tell.money(f"{path}.lost.{currency}.at_most"),),
                (tell.count(f"{path}.lost.{currency}.attempts"),),
            )
        )
    header = (
        tell.say("step"),
        tell.say("owner"),
        tell.say("within reach"),
        tell.say("at most"),
        tell.say("carts of known value"),
    )
    return Chart(
        "fig-money" if first else f"fig-money-{currency}",
        tell.say("What was lost at each step, in {currency}", currency=(currency,)),
        Bars(tuple(rows)),
        (("off", tell.say("within reach")), ("more", tell.say("at most"))),
        Table(
            tell.say("Money lost by step, in {currency}", currency=(currency,)),
            header,
            tuple(table),
            frozenset({1}),
        ),
        tell.say(
            "Within reach: each cart, times how often those who got as far pay. At most: as if all "
            "would have paid."
        ),
    )


def _works(tell: Tell) -> Grid:
    rows = []
    for place, step in enumerate(tell.at("report.steps")):
        path = f"report.steps.{place}"
        rows.append(
            (
                (Name(step["name"]),),
                () if step["owner"] is None else (Name(step["owner"]),),
                tell.within(f"{path}.works"),
                tell.within(f"{path}.works_well.latest"),
                tell.within(f"{path}.works_well.best"),
                tell.interval(f"{path}.works_well.gap", tell.points),
            )
        )
    header = (
        tell.say("step"),
        tell.say("owner"),
        tell.say("works: no failure"),
        tell.say("works well: went on, latest four weeks"),
        tell.say("its own best four weeks"),
        tell.say("gap, in points"),
    )
    table = Table(
        tell.say("Whether a step works, beside how well"), header, tuple(rows), frozenset({1})
    )
    return Grid(
        "fig-works",
        table,
        tell.say("The best of many weeks is partly luck: a gap is a question, not a promise."),
    )


def _advertising(tell: Tell) -> Grid:
    rows = []
    for place, row in enumerate(tell.at("marketing.rows")):
        path = f"marketing.rows.{place}"
        rows.append(
            (
                channel(tell, row["channel"]),
                (tell.money(f"{path}.spend"),),
                (tell.count(f"{path}.started"),),
                (tell.count(f"{path}.orders"),),
                (tell.money(f"{path}.revenue"),),
                (tell.decimal(f"{path}.return_on_spend", 2),),
                (tell.money(f"{path}.cost_per_order"),),
                (tell.money(f"{path}.same_by_traffic"),),
            )
        )
    header = (
        tell.say("channel"),
        tell.say("spend"),
        tell.say("checkouts"),
        tell.say("orders"),
        tell.say("net revenue"),
        tell.say("revenue per unit spent"),
        tell.say("spend per order"),
        tell.say("to gain as much by traffic"),
    )
    return Grid("fig-advertising", Table(tell.say("Advertising"), header, tuple(rows)))
