"""The business case: sentences made from the numbers, and never stronger than they are."""

from functools import partial

from lastclick.page._blocks import (
    Block,
    Figure,
    Inlines,
    Link,
    Name,
    Section,
    Sentence,
    Statements,
    Tile,
    Tiles,
    joined,
)
from lastclick.page._tell import Tell

#: With fewer decided attempts, chance is larger than most of what there is to see.
FEW = 100


def headline(tell: Tell) -> Inlines:
    """The one sentence to remember."""
    if not tell.at("report.started"):
        return tell.say("Nothing to report yet: no checkout was seen")
    loss = _loss(tell)
    if loss:
        return tell.say("{money} within reach, and lost", money=tell.together(loss))
    most = _most(tell)
    if most:
        return tell.several(
            "{n} checkout was lost, with a cart worth {most} at most",
            "{n} checkouts were lost, with carts worth {most} at most",
            tell.count("report.outcomes.lost"),
            most=tell.together(most),
        )
    if tell.at("report.outcomes.lost"):
        return tell.several(
            "{n} checkout was lost; what its cart was worth is not known",
            "{n} checkouts were lost; what their carts were worth is not known",
            tell.count("report.outcomes.lost"),
        )
    return tell.say("No checkout has been lost so far")


def case(tell: Tell) -> Section:
    """What was lost, what could be won, what came back and why, and what to do first."""
    blocks: list[Block] = [_tiles(tell)]
    if tell.at("report.started"):
        sentences = [
            *_lost(tell),
            *_winnable(tell),
            *_back(tell),
            *_caused(tell),
            *_first(tell),
            *_advertising(tell),
        ]
        blocks.append(Statements(tuple(sentences)))
    blocks.append(Statements(tuple(_unknown(tell)), tell.say("What we do not know yet")))
    return Section("case", tell.say("The business case"), tuple(blocks))


def clustered(tell: Tell) -> bool:
    """Whether customers come again, so that checkouts say less than if they were apart."""
    one = tell.at("report.abandonment_clustered")
    return one["low"] is not None and one["method"] != tell.at("report.abandonment_rate.method")


def figure(tell: Tell, anchor: str, about: str) -> Link:
    """A link to the figure under a sentence."""
    return Link(anchor, tell.say("figure"), about)


def meaning(tell: Tell, anchor: str, about: str) -> Link:
    """A link to the definition under a sentence."""
    return Link(f"def-{anchor}", tell.say("definition"), about)


def _amounts(tell: Tell, where: str, what: str) -> list[Inlines]:
    """What is known of it, in each currency: the numbers beside it are of all of them."""
    paths = [f"{where}.{currency}{what}" for currency in tell.currencies(where)]
    return [(tell.money(path, whole=True),) for path in paths]


def _loss(tell: Tell) -> list[Inlines]:
    """What was within reach; where nobody has paid, nobody can tell."""
    path = "report.lost_revenue"
    return [
        (tell.money(f"{path}.{currency}.expected", whole=True),)
        for currency in tell.currencies(path)
        if float(tell.at(f"{path}.{currency}.expected.amount")) > 0
    ]


def _most(tell: Tell) -> list[Inlines]:
    return _amounts(tell, "report.lost_revenue", ".at_most")


def _tiles(tell: Tell) -> Tiles:
    open_ = _amounts(tell, "report.recoverable_revenue", ".expected")
    open_ = open_ or [(tell.count("report.outcomes.recoverable"),)]
    return Tiles(
        (
            Tile(
                tell.say("Abandonment rate"),
                (tell.percent("report.abandonment_rate.estimate"),),
                _limits(tell),
                "fig-outcomes",
                bad=True,
            ),
            _lost_tile(tell),
            Tile(
                tell.say("Can still be won back"),
                open_[0],
                joined(
                    *open_[1:],
                    tell.several(
                        "in {n} abandoned checkout",
                        "in {n} abandoned checkouts",
                        tell.count("report.outcomes.recoverable"),
                    ),
                    by=" · ",
                ),
                "fig-outcomes",
            ),
            Tile(
                tell.say("Won back"),
                (tell.count("won_back.orders"),),
                _caused_note(tell),
                "fig-won-back",
            ),
        )
    )


def _lost_tile(tell: Tell) -> Tile:
    lost = tell.count("report.outcomes.lost")
    loss, most = _loss(tell), _most(tell)
    if most:
        title = tell.say("Lost, was within reach") if loss else tell.say("Lost, at most")
        note = tell.several("in {n} lost checkout", "in {n} lost checkouts", lost)
        first, *others = loss or most
        return Tile(title, first, joined(*others, note, by=" · "), "fig-money", bad=True)
    note = tell.say("so far")
    if tell.at("report.outcomes.lost"):
        note = tell.say("what their carts were worth is not known")
    return Tile(tell.say("Checkouts lost for good"), (lost,), note, "fig-outcomes", bad=True)


def _caused_note(tell: Tell) -> Inlines:
    if tell.at("report.incremental.orders.estimate") is None:
        return tell.say("orders; caused by reminders: not known")
    if tell.at("report.incremental.reason") is not None:
        return tell.say("orders; caused by reminders: not proven yet")
    return tell.say(
        "orders; caused by reminders: {n}",
        n=tell.decimal("report.incremental.orders.estimate"),
    )


def _limits(tell: Tell) -> Inlines:
    path = "report.abandonment_clustered" if clustered(tell) else "report.abandonment_rate"
    if tell.at(f"{path}.low") is None:
        return tell.say("no decided checkouts yet")
    return tell.say(
        "{confidence} interval {low} to {high}",
        confidence=tell.percent("report.abandonment_rate.confidence", 0),
        low=tell.hundredths(f"{path}.low"),
        high=tell.percent(f"{path}.high"),
    )


def _lost(tell: Tell) -> list[Sentence]:
    lost = tell.count("report.outcomes.lost")
    decided = tell.count("report.decided")
    most = _most(tell)
    if not tell.at("report.decided"):
        text = tell.say("No checkout is decided yet.")
    elif not most:
        text = tell.several(
            "Of {decided} decided checkouts, {n} was lost for good.",
            "Of {decided} decided checkouts, {n} were lost for good.",
            lost,
            decided=decided,
        )
    else:
        text = tell.several(
            "Of {decided} decided checkouts, {n} was lost for good, with a cart worth {most} at "
            "most.",
            "Of {decided} decided checkouts, {n} were lost for good, with carts worth {most} at "
            "most.",
            lost,
            decided=decided,
            most=tell.together(most),
        )
    links = (
        figure(tell, "fig-outcomes", tell.text("what became of the checkouts")),
        meaning(tell, "lost", tell.text("lost")),
    )
    return [Sentence(text, "case-lost", links)]


def _winnable(tell: Tell) -> list[Sentence]:
    found: list[Sentence] = []
    loss = _loss(tell)
    links = (
        figure(tell, "fig-money", tell.text("where the money goes")),
        meaning(tell, "expected", tell.text("within reach")),
    )
    if loss:
        text = tell.say(
            "How often such carts are paid puts {expected} of that within reach.",
            expected=tell.together(loss),
        )
        found.append(Sentence(text, "case-within-reach", links))
    elif tell.at("report.lost_revenue"):
        text = tell.say(
            "How much of that was within reach is not known: nobody who got as far has paid."
        )
        found.append(Sentence(text, "case-within-reach", links))
    if tell.at("report.outcomes.recoverable"):
        open_ = _amounts(tell, "report.recoverable_revenue", ".expected")
        n = tell.count("report.outcomes.recoverable")
        if not open_:
            text = tell.several(
                "{n} more can still be won back.", "{n} more can still be won back.", n
            )
        else:
            text = tell.several(
                "{n} more can still be won back, with {expected} within reach.",
                "{n} more can still be won back, with {expected} within reach.",
                n,
                expected=tell.together(open_),
            )
        links = (
            figure(tell, "fig-outcomes", tell.text("what became of the checkouts")),
            meaning(tell, "recoverable", tell.text("can still be won back")),
        )
        found.append(Sentence(text, "case-recoverable", links))
    return found


def _back(tell: Tell) -> list[Sentence]:
    links = (
        figure(tell, "fig-won-back", tell.text("what was won back")),
        meaning(tell, "won-back", tell.text("won back")),
    )
    if not tell.at("won_back.orders"):
        return [Sentence(tell.say("Nothing has been won back."), "case-won-back", links)]
    money = _amounts(tell, "won_back.revenue", "")
    parts: dict[str, Figure] = {
        "link": tell.count("report.outcomes.recovered_by_link"),
        "reminder": tell.count("report.outcomes.recovered_after_reminder"),
        "unaided": tell.count("report.outcomes.recovered_unaided"),
    }
    n = tell.count("won_back.orders")
    if not money:
        text = tell.several(
            "{n} abandoned checkout was paid in time after all: {link} by a reminder's link, "
            "{reminder} after a reminder, {unaided} unaided.",
            "{n} abandoned checkouts were paid in time after all: {link} by a reminder's link, "
            "{reminder} after a reminder, {unaided} unaided.",
            n,
            **parts,
        )
    else:
        text = tell.several(
            "{n} abandoned checkout was paid in time after all, for {money}: {link} by a "
            "reminder's link, {reminder} after a reminder, {unaided} unaided.",
            "{n} abandoned checkouts were paid in time after all, for {money}: {link} by a "
            "reminder's link, {reminder} after a reminder, {unaided} unaided.",
            n,
            money=tell.together(money),
            **parts,
        )
    return [Sentence(text, "case-won-back", links)]


def _caused(tell: Tell) -> list[Sentence]:
    links = (
        figure(tell, "fig-caused", tell.text("credited beside caused")),
        meaning(tell, "caused", tell.text("caused by reminders")),
    )
    path = "report.incremental"
    orders = tell.decimal(f"{path}.orders.estimate")
    if not orders.value:
        return [
            Sentence(
                tell.say(
                    "How many of them the reminders caused is not known: {reason}.",
                    reason=why(tell),
                ),
                "case-caused",
                links,
            )
        ]
    parts = {
        "orders": orders,
        "low": tell.decimal(f"{path}.orders.low"),
        "high": tell.decimal(f"{path}.orders.high"),
    }
    if tell.at(f"{path}.reason") is None and tell.at(f"{path}.orders.estimate") < 0:
        text = tell.say(
            "Those who were reminded bought less often than customers who were not: {orders} "
            "buyers ({low} to {high}).",
            **parts,
        )
    elif tell.at(f"{path}.reason") is None:
        text = tell.say(
            "Beside customers who were left without reminders, reminding brought {orders} more "
            "buyers ({low} to {high}).",
            **parts,
        )
        money = [
            tell.interval(f"{path}.revenue.{currency}", partial(tell.estimate, currency=currency))
            for currency in tell.currencies(f"{path}.revenue")
            if tell.at(f"{path}.revenue.{currency}.low") is not None
        ]
        if money:
            more = tell.say(
                "In net revenue, the best guess is {money}.", money=tell.together(money)
            )
            text = joined(text, more)
    else:
        text = tell.say(
            "That reminding brought any buyers is not proven yet: {orders} more is the best guess, "
            "{low} to {high} is possible. {more}",
            more=plan(tell),
            **parts,
        )
    return [Sentence(text, "case-caused", links)]


def why(tell: Tell) -> Inlines:
    """Why nothing can be said about what reminding caused."""
    treated = tell.at("report.incremental.treated")
    holdout = tell.at("report.incremental.holdout")
    if not treated["assigned"] and not holdout["assigned"]:
        return tell.say("nobody was held out to compare with")
    if not treated["assigned"] or not holdout["assigned"]:
        return tell.say("all customers are in one arm, so there is nobody to compare with")
    if not treated["followed"] or not holdout["followed"]:
        return tell.say("nobody was followed for long enough yet")
    if tell.at("report.incremental.split.p_value") is None:
        return tell.say("the share that is held out changed; measure each part by itself")
    return tell.say("the split into two arms is broken; find out why first")


def plan(tell: Tell) -> Inlines:
    """How many more it takes until something can be said."""
    path = "report.incremental.plan"
    if tell.at(f"{path}.more") is None:
        return ()
    if tell.at(f"{path}.days"):
        return tell.say(
            "It takes about {more} more abandoned checkouts, some {days} days at today's pace.",
            more=tell.count(f"{path}.more"),
            days=tell.count(f"{path}.days"),
        )
    return tell.say(
        "It takes about {more} more abandoned checkouts.", more=tell.count(f"{path}.more")
    )


def _first(tell: Tell) -> list[Sentence]:
    first = tell.at("first")
    if first is None:
        return []
    step = f"report.steps.{first['place']}"
    owner = tell.at(f"{step}.owner")
    n = tell.count(f"{step}.dropped")
    if owner is None:
        text = tell.several(
            "Look at {step} first: {n} of {reached} who got there left there.",
            "Look at {step} first: {n} of {reached} who got there left there.",
            n,
            step=Name(first["step"]),
            reached=tell.count(f"{step}.reached"),
        )
    else:
        text = tell.several(
            "Look at {step} first (owner: {owner}): {n} of {reached} who got there left there.",
            "Look at {step} first (owner: {owner}): {n} of {reached} who got there left there.",
            n,
            step=Name(first["step"]),
            owner=Name(owner),
            reached=tell.count(f"{step}.reached"),
        )
    links = (
        figure(tell, "fig-money", tell.text("where the money goes")),
        meaning(tell, "worth", tell.text("what a better step is worth")),
    )
    return [Sentence(joined(text, _gain(tell)), "case-first", links)]


def _gain(tell: Tell) -> Inlines:
    """What it would bring, with what it assumes in the words of the sentence."""
    path = "first.gain.revenue"
    gain = tell.at(path)
    known = [
        currency
        for currency in tell.currencies(path)
        if gain[currency]["estimate"] is not None and gain[currency]["estimate"] > 0
    ]
    if not known:
        return ()
    parts = {
        "n": (tell.count("first.one_in"),),
        "money": tell.together(
            [
                tell.interval(f"{path}.{currency}", partial(tell.estimate, currency=currency))
                for currency in known
            ]
        ),
        "half": tell.together(
            [
                (tell.estimate(f"{path}_at_half.{currency}.estimate", currency),)
                for currency in known
            ],
        ),
    }
    if any(gain[currency]["low"] is None for currency in known):
        return tell.say(
            "If one in {n} of them had gone on, it would have brought {money} more, or {half} "
            "if those rescued buy half as often as others; too few ordered for an interval.",
            **parts,
        )
    return tell.say(
        "If one in {n} of them had gone on, it would have brought {money} more, or {half} if "
        "those rescued buy half as often as others.",
        **parts,
    )


def _advertising(tell: Tell) -> list[Sentence]:
    found: list[Inlines] = []
    rows = [] if tell.at("marketing") is None else tell.at("marketing.rows")
    for place, row in enumerate(rows):
        if row["same_by_traffic"] is not None:
            path = f"marketing.rows.{place}"
            found.append(
                tell.say(
                    "To gain as much from {channel} by more traffic, {more} more would have to be "
                    "spent there, beside {spend} today.",
                    channel=channel(tell, row["channel"]),
                    more=tell.money(f"{path}.same_by_traffic", whole=True),
                    spend=tell.money(f"{path}.spend", whole=True),
                )
            )
    if not found:
        return []
    text = joined(*found)
    links = (
        figure(tell, "fig-advertising", tell.text("advertising")),
        meaning(tell, "advertising", tell.text("what it equals in advertising")),
    )
    return [Sentence(text, "case-advertising", links)]


def channel(tell: Tell, value: object) -> Inlines:
    """A channel or a group, by its value."""
    if value is None:
        return tell.say("not given")
    return (Name(str(value)),)


def _unknown(tell: Tell) -> list[Sentence]:
    """What keeps the sentences above from being stronger."""
    found: list[Sentence] = []

    def add(text: Inlines, *links: Link) -> None:
        found.append(Sentence(text, f"unknown-{len(found) + 1}", links))

    trust = figure(tell, "trust", tell.text("how far to trust this"))
    if not tell.at("report.started"):
        add(tell.say("Everything: the log has no checkout that was seen at a step."), trust)
        return found
    if 0 < tell.at("report.decided") < FEW:
        add(
            tell.several(
                "Only {n} checkout is decided: chance is larger than most differences.",
                "Only {n} checkouts are decided: chance is larger than most differences.",
                tell.count("report.decided"),
            )
        )
    if tell.at("report.incremental.orders.estimate") is None:
        add(
            tell.say("What reminders cause: {reason}.", reason=why(tell)),
            meaning(tell, "caused", tell.text("caused by reminders")),
        )
    if tell.at("report.outcomes.in_flight"):
        add(
            tell.several(
                "What becomes of {n} checkout that is still going on; it is in no rate.",
                "What becomes of {n} checkouts that are still going on; they are in no rate.",
                tell.count("report.outcomes.in_flight"),
            ),
            meaning(tell, "in-flight", tell.text("in flight")),
        )
    if tell.at("report.not_matured"):
        add(
            tell.several(
                "Whether {n} abandoned checkout, which has not had its full time yet, is won back.",
                "How many of {n} abandoned checkouts, which have not had their full time yet, are "
                "won back.",
                tell.count("report.not_matured"),
            ),
            meaning(tell, "recovery-rate", tell.text("recovery rate")),
        )
    if tell.at("report.quality.values_missing"):
        add(
            tell.several(
                "What {n} abandoned cart was worth: its value was not recorded.",
                "What {n} abandoned carts were worth: their values were not recorded.",
                tell.count("report.quality.values_missing"),
            ),
            trust,
        )
    if tell.at("marketing") is None:
        add(tell.say("What this equals in advertising: no spend was given."))
    for place, loss in enumerate(tell.at("report.quality.losses")):
        if not loss["kept"]:
            path = f"report.quality.losses.{place}.count"
            add(
                tell.several(
                    "What {n} event said that was not recorded ({reason}).",
                    "What {n} events said that were not recorded ({reason}).",
                    tell.count(path),
                    reason=Name(loss["reason"]),
                ),
                trust,
            )
    return found
