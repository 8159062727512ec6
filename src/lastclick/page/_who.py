"""Who: groups on one axis, what a scan found in them, what changed, and who can be written to."""

from collections.abc import Sequence
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
    Sentence,
    Shape,
    Statements,
    Table,
    joined,
    plain,
)
from lastclick.page._case import channel
from lastclick.page._facts import MOST_NAMED, step_of
from lastclick.page._funnel import losses
from lastclick.page._tell import Tell
from lastclick.page._time import confidence, scale


def who(tell: Tell) -> Section:
    """Groups with their intervals, flagged only where the scan says so; what changed, and why."""
    blocks: list[Block] = []
    if not tell.at("who.by"):
        blocks.append(
            Paragraph(tell.say("The report is by no attribute, so it tells of no groups."))
        )
    elif not tell.at("who.rows") and tell.at("who.others") is None:
        blocks.append(Paragraph(tell.say("There are no groups.")))
    else:
        blocks.append(_groups(tell))
        if not tell.at("report.closed"):
            blocks.append(_scan(tell))
    if tell.at("comparison") is not None:
        blocks += [_change(tell), _changed(tell)]
    if tell.at("journeys") is not None:
        blocks.append(_journeys(tell))
    return Section("who", tell.say("Who"), tuple(blocks))


def _groups(tell: Tell) -> Chart:
    found = tell.at("who.rows")
    others = tell.at("who.others")
    rates = [row["abandonment_rate"] for row in found]
    rates += [others["abandonment_rate"]] if others else []
    top = max([0.2, *(one["high"] or 0 for one in rates)])
    up = scale(tell, top)
    most = up[-1][0]
    flagged = {_key(row["segment"]) for row in tell.at("priorities.standing_out")}
    places = [
        (f"who.rows.{place}", _value(tell, row["value"]), row) for place, row in enumerate(found)
    ]
    if others:
        folded = tell.several(
            "{n} other group, folded", "{n} other groups, folded", tell.count("who.others.groups")
        )
        places.append(("who.others", folded, others))
    rows, table = [], []
    for path, name, row in places:
        rate = row["abandonment_rate"]
        share = tell.percent(f"{path}.abandonment_rate.estimate")
        shapes: list[Shape] = []
        if rate["estimate"] is not None:
            limits = tell.within(f"{path}.abandonment_rate")
            said = plain(limits)
            shapes = [
                Shape("range", rate["low"] / most, rate["high"] / most, said),
                Shape("dot", rate["estimate"] / most, rate["estimate"] / most, share.shown),
            ]
        flag = tell.say("stands out") if "value" in row and _key(row["value"]) in flagged else ()
        decided = tell.count(f"{path}.decided")
        rows.append(
            Bar(
                name,
                tell.several("{share} of {n}", "{share} of {n}", decided, share=share),
                tuple(shapes),
                flag,
            )
        )
        table.append(
            (
                name,
                (tell.count(f"{path}.started"),),
                (decided,),
                (tell.count(f"{path}.ordered"),),
                tell.within(f"{path}.abandonment_rate"),
                losses(tell, f"{path}.lost_revenue", "expected")
                if "value" in row
                else ("\N{EN DASH}",),
            )
        )
    whole = tell.at("report.abandonment_rate.estimate")
    ticks = tuple((share / most, said) for share, said in up if share <= most + 1e-9)
    by = joined(*((Name(name),) for name in tell.at("who.by")), by=", ")
    header = (
        by,
        tell.say("started"),
        tell.say("decided"),
        tell.say("ordered"),
        tell.say("abandonment rate"),
        tell.say("lost, was within reach"),
    )
    note: Inlines = ()
    if whole is not None:
        note = tell.say(
            "All together: {share}. Groups of fewer than {smallest} checkouts are folded.",
            share=tell.percent("report.abandonment_rate.estimate"),
            smallest=tell.count("who.smallest"),
        )
    return Chart(
        "fig-groups",
        tell.say("Abandonment rate by {by}", by=by),
        Bars(tuple(rows), ticks),
        (
            ("dot", tell.say("abandonment rate")),
            ("range", tell.say("{confidence} interval", confidence=confidence(tell))),
        ),
        Table(tell.say("Groups"), header, tuple(table)),
        note,
    )


def _key(value: Any) -> str:
    return repr(value if isinstance(value, Sequence) and not isinstance(value, str) else [value])


def _value(tell: Tell, values: Sequence[object]) -> Inlines:
    return joined(*(channel(tell, value) for value in values), by=" · ")


def _scan(tell: Tell) -> Statements:
    """What stands out, where something does: said so only by the scan."""
    found: list[Sentence] = []
    for place, row in enumerate(tell.at("priorities.standing_out")[:MOST_NAMED]):
        path = f"priorities.standing_out.{place}"
        segment = row["segment"]
        values = segment if isinstance(segment, list) else [segment]
        text = tell.say(
            "At {step}, {group} stands out: {share} left there, against {elsewhere} of the others.",
            step=Name(row["step"]),
            group=_value(tell, values),
            share=tell.percent(f"{path}.drop_off_rate.estimate"),
            elsewhere=tell.percent(f"{path}.elsewhere.estimate"),
        )
        found.append(Sentence(text))
    folded = tell.count("priorities.folded")
    if tell.at(folded.path):
        text = tell.several("{n} other group, folded", "{n} other groups, folded", folded)
        found.append(Sentence(text))
    n = tell.count("priorities.scanned")
    if not found:
        text = tell.several(
            "Of {n} group at a step that was compared with the others, none stands out.",
            "Of {n} groups at a step that were compared with the others, none stands out.",
            n,
        )
    else:
        text = tell.several(
            "{n} group at a step was compared with the others; of those named, at most {share} are "
            "expected to be chance.",
            "{n} groups at a step were compared with the others; of those named, at most {share} "
            "are expected to be chance.",
            n,
            share=tell.percent("priorities.false_discoveries", 0),
        )
    found.append(Sentence(text))
    return Statements(tuple(found), tell.say("What stands out"))


def _change(tell: Tell) -> Statements:
    """What changed between two periods, and whether shoppers did or their mixture."""
    days = {
        name: tell.day(f"comparison.{period}.{day}")
        for name, period, day in (
            ("from", "before", "first_day"),
            ("to", "before", "last_day"),
            ("since", "after", "first_day"),
            ("until", "after", "last_day"),
        )
    }
    text = tell.say(
        "From {from} to {to}, {before} were abandoned; from {since} to {until} it was {after}: a "
        "change of {change} points ({low} to {high}).",
        before=tell.percent("comparison.before.abandonment_rate.estimate"),
        after=tell.percent("comparison.after.abandonment_rate.estimate"),
        change=tell.points("comparison.change.estimate"),
        **tell.ends("comparison.change", tell.points),
        **days,
    )
    parts = tell.say(
        "Of it, {rate} points because shoppers of the same group acted otherwise, {mix} because "
        "the groups grew or shrank.",
        rate=tell.points("comparison.rate.estimate"),
        mix=tell.points("comparison.mix.estimate"),
    )
    return Statements((Sentence(text), Sentence(parts)), tell.say("Two periods"))


def _changed(tell: Tell) -> Grid:
    def row(name: Inlines, path: str) -> tuple[Inlines, ...]:
        limits: Inlines = ("\N{EN DASH}",)
        if tell.at(f"{path}.low") is not None:
            limits = tell.say("{low} to {high}", **tell.ends(path, tell.points))
        return name, (tell.points(f"{path}.estimate"),), limits

    rows = [
        row(tell.say("abandonment rate"), "comparison.change"),
        row(tell.say("of it, shoppers of the same group"), "comparison.rate"),
        row(tell.say("of it, the mixture of groups"), "comparison.mix"),
    ]
    for step in () if tell.at("report.closed") else tell.at("comparison.steps"):
        name = tell.say("left at {step}", step=Name(step))
        rows.append(row(name, step_of("comparison.steps", step)))
    header = (tell.say("what"), tell.say("change, in points"), tell.say("interval"))
    assumed = frozenset({2})  # words beside the interval
    return Grid("fig-change", Table(tell.say("What changed"), header, tuple(rows), assumed))


def _journeys(tell: Tell) -> Block:
    rows = []
    for place, one in enumerate(tell.at("journeys")):
        path = f"journeys.{place}"
        rows.append(
            (
                (Name(one["checkout_id"]),),
                ("\N{EN DASH}",) if one["customer_id"] is None else (Name(one["customer_id"]),),
                (tell.money(f"{path}.value"),),
                (Name(one["furthest"]),),
                (tell.instant(f"{path}.abandoned_at"),),
                (tell.count(f"{path}.reminders"),),
            )
        )
    if not rows:
        return Paragraph(tell.say("No cart of known value can be won back at the moment."))
    header = (
        tell.say("checkout"),
        tell.say("customer"),
        tell.say("cart"),
        tell.say("got to"),
        tell.say("abandoned"),
        tell.say("reminders sent"),
    )
    caption = tell.say("The dearest carts that can still be won back")
    table = Table(caption, header, tuple(rows), frozenset({1, 3}))
    return Grid(
        "fig-journeys",
        table,
        tell.say("This table names customers: it was asked for. Mind who gets this page."),
    )
