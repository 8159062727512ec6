"""The funnel: how far checkouts got, where they failed, and what became of them."""

from lastclick.page._blocks import (
    Bar,
    Bars,
    Block,
    Chart,
    Grid,
    Inlines,
    Name,
    Section,
    Shape,
    Table,
    joined,
)
from lastclick.page._facts import step_of
from lastclick.page._messages import later
from lastclick.page._tell import Tell

#: The eight outcomes as people say them, and how they are drawn.
OUTCOMES = {
    "purchased": (later("paid at once"), "on"),
    "recovered_by_link": (later("won back by a reminder's link"), "on-2"),
    "recovered_after_reminder": (later("won back after a reminder"), "on-3"),
    "recovered_unaided": (later("came back unaided"), "on-4"),
    "purchased_late": (later("paid late, after the time for winning back"), "on-5"),
    "in_flight": (later("still going on"), "wait"),
    "recoverable": (later("abandoned, can still be won back"), "off-2"),
    "lost": (later("lost for good"), "off"),
}


def funnel(tell: Tell) -> Section:
    """The steps as a picture, what failed in them, and the outcomes."""
    blocks: list[Block] = [_steps(tell), _outcomes(tell)]
    failures = _failures(tell)
    if failures is not None:
        blocks.append(failures)
    surprises = _surprises(tell)
    if surprises is not None:
        blocks.append(surprises)
    return Section("funnel", tell.say("The funnel"), tuple(blocks))


def losses(tell: Tell, path: str, what: str, *, whole: bool = False) -> Inlines:
    """Amounts of money in all currencies, the report's own first; a dash where there are none."""
    said = [
        (tell.money(f"{step_of(path, code)}.{what}", whole=whole),)
        for code in tell.currencies(path)
    ]
    return joined(*said, by=", ") or ("\N{EN DASH}",)


def _steps(tell: Tell) -> Chart:
    steps, closed = tell.at("report.steps"), tell.at("report.closed")
    scale = max([1, *(step["reached"] for step in steps)])
    off = tell.say("not counted further") if closed else tell.say("left here")
    rows: list[Bar] = []
    table: list[tuple[Inlines, ...]] = []
    for place, step in enumerate(steps):
        path = f"report.steps.{place}"
        on, whole = step["reached"] - step["dropped"], step["reached"]
        dropped = tell.count(f"{path}.dropped")
        parts = {
            "reached": (tell.count(f"{path}.reached"),),
            "share": (tell.percent(f"{path}.drop_off_rate.estimate"),),
        }
        if closed:
            said = tell.several(
                "{reached} reached, {n} not counted further ({share})",
                "{reached} reached, {n} not counted further ({share})",
                dropped,
                **parts,
            )
        else:
            said = tell.several(
                "{reached} reached, {n} left ({share}){money}",
                "{reached} reached, {n} left ({share}){money}",
                dropped,
                money=_worth(tell, f"{path}.lost"),
                **parts,
            )
        rows.append(
            Bar(
                (Name(step["name"]),),
                said,
                (
                    Shape("on", 0, on / scale, tell.numbers.decimal(on)),
                    Shape("off", on / scale, whole / scale, dropped.shown),
                ),
            )
        )
        table.append(
            (
                (Name(step["name"]),),
                (tell.count(f"{path}.entered"),),
                (tell.count(f"{path}.reached"),),
                (tell.count(f"{path}.skipped"),),
                (dropped,),
                tell.within(f"{path}.drop_off_rate"),
                ("\N{EN DASH}",) if closed else (tell.count(f"{path}.in_flight"),),
                losses(tell, f"{path}.lost", "at_most"),
            )
        )
    ordered = tell.count("order_row")
    share = tell.at("order_row") / scale
    rows.append(
        Bar(
            tell.say("order"),
            (ordered,) if closed else tell.several("{n} paid", "{n} paid", ordered),
            (Shape("on", 0, min(share, 1.0), ordered.shown),),
        )
    )
    empty: tuple[Inlines, ...] = ((),) * 5
    table.append((tell.say("order"), (), (ordered,), *empty))
    header = (
        tell.say("step"),
        tell.say("entered"),
        tell.say("reached"),
        tell.say("skipped"),
        off,
        tell.say("of those who reached it"),
        tell.say("here now"),
        tell.say("carts left here, at most"),
    )
    return Chart(
        "fig-funnel",
        tell.say("How far checkouts got"),
        Bars(tuple(rows), thick=True),
        (("on", tell.say("went on")), ("off", off)),
        Table(tell.say("The steps of the checkout"), header, tuple(table)),
        tell.say(
            "A closed funnel, over all {started} checkouts: a step counts only after those before "
            "it, and who is not counted further may have paid all the same. The money is what the "
            "carts of those who left were worth at most.",
            started=tell.count("report.started"),
        )
        if closed
        else tell.say(
            "Over {decided} decided checkouts; the money is what their carts were worth at most.",
            decided=tell.count("report.decided"),
        ),
    )


def _worth(tell: Tell, path: str) -> Inlines:
    if not tell.at(path):
        return ()
    return (" · ", *losses(tell, path, "at_most", whole=True))


def _failures(tell: Tell) -> Chart | None:
    """What went wrong at the steps, by reason."""
    found = [
        (one["attempts"], place, reason)
        for place, step in enumerate(tell.at("report.steps"))
        for reason, one in step["failures"].items()
    ]
    if not found:
        return None
    steps = tell.at("report.steps")
    scale = max(n for n, _, _ in found)
    rows, table = [], []
    for attempts, place, reason in sorted(found, key=lambda one: (-one[0], one[1], one[2])):
        step = f"report.steps.{place}"
        path = step_of(f"{step}.failures", reason)
        retries = step_of(f"{step}.retries", reason)
        n, ordered = tell.count(f"{path}.attempts"), tell.count(f"{retries}.ordered")
        paid = tell.at(f"{retries}.ordered")
        rows.append(
            Bar(
                (Name(steps[place]["name"]), " · ", Name(reason)),
                tell.several(
                    "{n} checkout, {ordered} paid in the end",
                    "{n} checkouts, {ordered} paid in the end",
                    n,
                    ordered=ordered,
                ),
                (
                    Shape("on-2", 0, paid / scale, ordered.shown),
                    Shape("off", paid / scale, attempts / scale, n.shown),
                ),
            )
        )
        table.append(
            (
                (Name(steps[place]["name"]),),
                (Name(reason),),
                (tell.count(f"{path}.failures"),),
                (n,),
                (tell.count(f"{retries}.retried"),),
                (ordered,),
            )
        )
    header = (
        tell.say("step"),
        tell.say("reason"),
        tell.say("failures"),
        tell.say("checkouts with one"),
        tell.say("tried again"),
        tell.say("paid in the end"),
    )
    return Chart(
        "fig-failures",
        tell.say("What went wrong at a step"),
        Bars(tuple(rows[:12])),
        (("on-2", tell.say("paid in the end")), ("off", tell.say("did not pay"))),
        Table(tell.say("Failures by reason"), header, tuple(table), frozenset({1})),
    )


def _outcomes(tell: Tell) -> Chart:
    """What became of all checkouts, in one bar."""
    outcomes = tell.at("report.outcomes")
    started = tell.at("report.started") or 1
    begins, shapes, rows = 0.0, [], []
    for name, (message, kind) in OUTCOMES.items():
        figure = tell.count(f"report.outcomes.{name}")
        ends = begins + outcomes[name] / started
        said = f"{tell.text(message)}: {figure.shown}"
        if outcomes[name]:
            shapes.append(Shape(kind, begins, ends, said))
        rows.append((tell.say(message), (figure,)))
        begins = ends
    total = tell.count("report.started")
    rows.append((tell.say("started"), (total,)))
    legend = tuple(
        (
            kind,
            tell.say(
                "{outcome} {n}", outcome=tell.say(message), n=tell.count(f"report.outcomes.{name}")
            ),
        )
        for name, (message, kind) in OUTCOMES.items()
        if outcomes[name]
    )
    bar = Bar(
        tell.say("All that started"),
        tell.several("{n} checkout", "{n} checkouts", total),
        tuple(shapes),
    )
    return Chart(
        "fig-outcomes",
        tell.say("What became of them"),
        Bars((bar,), thick=True),
        legend,
        Table(tell.say("Outcomes"), (tell.say("outcome"), tell.say("checkouts")), tuple(rows)),
    )


def _surprises(tell: Tell) -> Grid | None:
    """Whether those who were shown a higher total than before left more often."""
    rows = []
    for place, step in enumerate(tell.at("report.steps")):
        if len(step["surprises"]) < 2:
            continue
        for number, one in enumerate(step["surprises"]):
            path = f"report.steps.{place}.surprises.{number}"
            if one["above"] is None:
                band = tell.say("no more than at first")
            elif one["up_to"] is None:
                band = tell.say("more than {above} % more", above=tell.count(f"{path}.above"))
            else:
                band = tell.say(
                    "more than {above} and up to {up_to} % more",
                    above=tell.count(f"{path}.above"),
                    up_to=tell.count(f"{path}.up_to"),
                )
            rows.append(
                (
                    (Name(step["name"]),),
                    band,
                    (tell.count(f"{path}.attempts"),),
                    tell.within(f"{path}.left"),
                )
            )
    if not rows:
        return None
    header = (
        tell.say("step"),
        tell.say("total shown, beside the first one"),
        tell.say("checkouts"),
        tell.say("left here"),
    )
    table = Table(tell.say("Surprises in the total"), header, tuple(rows), frozenset({1}))
    return Grid("fig-surprises", table)
