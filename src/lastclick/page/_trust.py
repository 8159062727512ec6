"""How far to trust this: the quality of the log in words, and what every word here means."""

from collections.abc import Callable

from lastclick.page._blocks import (
    Block,
    Figure,
    Grid,
    Inlines,
    Name,
    Section,
    Sentence,
    Statements,
    Table,
    Terms,
    joined,
)
from lastclick.page._case import clustered
from lastclick.page._facts import step_of
from lastclick.page._messages import both
from lastclick.page._tell import Tell

_QUALITY = "report.quality"
#: What is odd in a log, and what was done about it: a sentence each where it is not zero.
_COUNTED = {
    "excluded_attempts": both(
        "{n} checkout was left out, as it was asked for (bots, staff, tests).",
        "{n} checkouts were left out, as it was asked for (bots, staff, tests).",
    ),
    "excluded_events": both(
        "{n} single event was left out for the same reason.",
        "{n} single events were left out for the same reason.",
    ),
    "without_checkout_id": both(
        "{n} event named no checkout and was left out.",
        "{n} events named no checkout and were left out.",
    ),
    "without_step": both(
        "{n} checkout was seen at no step and was left out.",
        "{n} checkouts were seen at no step and were left out.",
    ),
    "without_step_orders": both(
        "{n} order was among them.",
        "{n} orders were among them.",
    ),
    "not_first_step": both(
        "{n} checkout did not begin at the first step; it counts from where it was seen.",
        "{n} checkouts did not begin at the first step; they count from where they were seen.",
    ),
    "out_of_order": both(
        "{n} step was stamped before the one before it; clocks disagree.",
        "{n} steps were stamped before the one before them; clocks disagree.",
    ),
    "activity_after_order": both(
        "{n} checkout went on after its order.",
        "{n} checkouts went on after their orders.",
    ),
    "further_orders": both(
        "{n} checkout has a further order; its money counts.",
        "{n} further orders belong to checkouts with one already; their money counts.",
    ),
    "shared_orders": both(
        "{n} order is shown by several checkouts; it counts once.",
        "{n} orders are shown by several checkouts; each counts once.",
    ),
    "order_conflicts": both(
        "{n} order was told with several totals; the earliest counts.",
        "{n} orders were told with several totals; the earliest counts.",
    ),
    "two_currencies": both(
        "{n} checkout has money in two currencies, which are never added.",
        "{n} checkouts have money in two currencies, which are never added.",
    ),
    "several_customers": both(
        "{n} checkout names several customers; the earliest counts.",
        "{n} checkouts name several customers; the earliest counts.",
    ),
    "values_missing": both(
        "{n} abandoned cart has no known value; it counts as a checkout, not as money.",
        "{n} abandoned carts have no known value; they count as checkouts, not as money.",
    ),
    "orders_without_total": both(
        "{n} order is of unknown money.",
        "{n} orders are of unknown money.",
    ),
    "refunds_without_order": both(
        "{n} refund is of an order that is not in the log; it was not netted.",
        "{n} refunds are of orders that are not in the log; they were not netted.",
    ),
    "refunds_other_currency": both(
        "{n} refund is in another currency than its order; it was not netted.",
        "{n} refunds are in another currency than their orders; they were not netted.",
    ),
    "refunds_without_amount": both(
        "{n} refund is of unknown money; it was not netted.",
        "{n} refunds are of unknown money; they were not netted.",
    ),
    "refunds_over_order": both(
        "{n} order had more refunded than it brought.",
        "{n} orders had more refunded than they brought.",
    ),
    "cancellations_without_order": both(
        "{n} cancelled order is not in the log.",
        "{n} cancelled orders are not in the log.",
    ),
    "ordered_elsewhere": both(
        "{n} lost checkout is of a customer who ordered in another one: less was lost.",
        "{n} lost checkouts are of customers who ordered in another one: less was lost.",
    ),
}
#: Over so many hours alone, the last event may be a wrong clock.
_FAR_HOURS = 24


def trust(tell: Tell) -> Section:
    """What was lost and left out, the definitions, and how this page was made."""
    blocks: list[Block] = [
        Statements(tuple(_quality(tell)), tell.say("What is missing, and what was left out")),
        _made(tell),
    ]
    if tell.at(f"{_QUALITY}.losses"):
        blocks.append(_losses(tell))
    unknown = _unknown_names(tell)
    if unknown is not None:
        blocks.append(unknown)
    blocks += [_definitions(tell), _words(tell)]
    return Section("trust", tell.say("How far to trust this"), tuple(blocks))


def _quality(tell: Tell) -> list[Sentence]:
    found: list[Sentence] = []

    def add(text: Inlines) -> None:
        found.append(Sentence(text))

    losses = tell.at(f"{_QUALITY}.losses")
    if not any(not one["kept"] for one in losses):
        add(tell.say("No event is known to be missing."))
    else:
        add(
            tell.say(
                "Some events were not recorded, and are missing from every number here. A missing "
                "order reads as a lost checkout."
            )
        )
    if tell.at("page.unread"):
        add(tell.say("Some lines of the log could not be read; `lastclick check` says which."))
    for name, (one, many) in _COUNTED.items():
        if tell.at(f"{_QUALITY}.{name}"):
            add(tell.several(one, many, tell.count(f"{_QUALITY}.{name}")))
    if tell.at(f"{_QUALITY}.last_event_alone_h") >= _FAR_HOURS and not tell.at(
        "report.as_of_chosen"
    ):
        add(
            tell.several(
                "The last event comes {n} hour after the one before it: is its clock right? It "
                "decides what is still going on.",
                "The last event comes {n} hours after the one before it: is its clock right? It "
                "decides what is still going on.",
                tell.count(f"{_QUALITY}.last_event_alone_h"),
            )
        )
    if tell.at("report.withheld"):
        add(
            tell.several(
                "{n} checkout of a group about people's needs is not shown: too few.",
                "{n} checkouts of groups about people's needs are not shown: too few.",
                tell.count("report.withheld"),
            )
        )
    if len(tell.at(f"{_QUALITY}.definitions")) > 1:
        add(
            tell.say(
                "The checkout was defined anew on the way; the latest definition counts for all."
            )
        )
    return found


def _losses(tell: Tell) -> Grid:
    rows = []
    sources = {
        "funnel": tell.say("rejected by the shop's program"),
        "sink": tell.say("could not be kept"),
    }
    for place, one in enumerate(tell.at(f"{_QUALITY}.losses")):
        kept = tell.say("kept without a flawed part") if one["kept"] else None
        rows.append(
            (
                kept or sources.get(one["source"], (Name(one["source"]),)),
                (Name(one["reason"]),),
                (tell.count(f"{_QUALITY}.losses.{place}.count"),),
            )
        )
    header = (tell.say("what happened"), tell.say("reason"), tell.say("events"))
    return Grid("fig-losses", Table(tell.say("Losses"), header, tuple(rows), frozenset({1})))


def _unknown_names(tell: Tell) -> Grid | None:
    rows: list[tuple[Inlines, ...]] = []
    kinds = {"unknown_steps": tell.say("unknown step"), "unknown_types": tell.say("unknown type")}
    for what, said in kinds.items():
        for name in list(tell.at(f"{_QUALITY}.{what}"))[:20]:
            path = step_of(f"{_QUALITY}.{what}", name)
            rows.append(((Name(name),), said, (tell.count(path),)))
    if not rows:
        return None
    header = (tell.say("name"), tell.say("what it is"), tell.say("events"))
    table = Table(tell.say("What was not understood"), header, tuple(rows), frozenset({1}))
    return Grid("fig-unknown", table)


def _definitions(tell: Tell) -> Grid:
    rows = []
    for place, one in enumerate(tell.at(f"{_QUALITY}.definitions")):
        path = f"{_QUALITY}.definitions.{place}"
        steps = joined(*((Name(name),) for name in one["steps"]), by=" → ")
        rows.append(
            (
                (tell.instant(f"{path}.since"),),
                steps,
                (tell.seconds(f"{path}.abandon_after"),),
                (tell.seconds(f"{path}.recover_within"),),
            )
        )
    header = (
        tell.say("since"),
        tell.say("steps"),
        tell.say("abandoned after"),
        tell.say("won back within"),
    )
    table = Table(tell.say("How the checkout was defined"), header, tuple(rows), frozenset({1}))
    return Grid("fig-definitions", table)


def _checkout(tell: Tell) -> Inlines:
    text = tell.say("One try to pay. It counts once it was seen at a step.")
    if tell.at("report.unit") != "customer":
        return text
    return joined(text, tell.say("The checkouts of a customer are joined to one."))


def _interval(tell: Tell) -> Inlines:
    text = tell.say(
        "In {confidence} of such cases the true value lies within. Rates: Wilson; "
        "differences: Newcombe; times to the order: Kaplan-Meier.",
        confidence=tell.percent("report.abandonment_rate.confidence", 0),
    )
    if not clustered(tell):
        return text
    path = "report.abandonment_clustered"
    more = tell.say(
        "Rates take checkouts as apart from each other, but customers come again: with customers "
        "as clusters, abandonment is {low} to {high}.",
        low=tell.hundredths(f"{path}.low"),
        high=tell.percent(f"{path}.high"),
    )
    return joined(text, more)


def _words(tell: Tell) -> Terms:
    gap: Figure = tell.seconds("report.abandon_after")
    within: Figure = tell.seconds("report.recover_within")
    terms: tuple[tuple[str, Inlines, Inlines], ...] = (
        (
            "def-checkout",
            tell.say("checkout"),
            _checkout(tell),
        ),
        (
            "def-in-flight",
            tell.say("in flight"),
            tell.say(
                "Still going on: not paid, and not idle for longer than {gap}. In no rate.", gap=gap
            ),
        ),
        ("def-decided", tell.say("decided"), tell.say("All that started, less those in flight.")),
        (
            "def-abandonment-rate",
            tell.say("abandonment rate"),
            tell.say("Decided checkouts without an order, of all decided ones."),
        ),
        (
            "def-lost",
            tell.say("lost"),
            tell.say(
                "Not paid, and idle for more than {gap}; longer ago than {within}.",
                gap=gap,
                within=within,
            ),
        ),
        (
            "def-recoverable",
            tell.say("can still be won back"),
            tell.say(
                "Not paid, and idle for more than {gap}, but no longer ago than {within}.",
                gap=gap,
                within=within,
            ),
        ),
        (
            "def-expected",
            tell.say("within reach"),
            tell.say(
                "What a cart was worth, times how often those who got as far as this step pay. At "
                "most: as if everybody would have paid."
            ),
        ),
        (
            "def-won-back",
            tell.say("won back"),
            tell.say(
                "Paid within {within} of being abandoned: by the link of a reminder, after a "
                "reminder, or unaided. It does not say that the reminder was why.",
                within=within,
            ),
        ),
        (
            "def-recovery-rate",
            tell.say("recovery rate"),
            tell.say(
                "Won back, of all that were abandoned and have had {within} since.", within=within
            ),
        ),
        (
            "def-caused",
            tell.say("caused by reminders"),
            tell.say(
                "How many more bought than among those who were left without reminders by lot, "
                "over all who were to be reminded."
            ),
        ),
        (
            "def-worth",
            tell.say("what a better step is worth"),
            tell.say(
                "Started checkouts, times the order value, times the share that gets past each "
                "step; with one share raised. The interval is that of the revenue."
            ),
        ),
        (
            "def-advertising",
            tell.say("what it equals in advertising"),
            tell.say(
                "What would have to be spent more for the same gain at today's return: a lower "
                "bound, since more traffic is dearer."
            ),
        ),
        (
            "def-interval",
            tell.say("interval"),
            _interval(tell),
        ),
    )
    return Terms(terms)


def _made(tell: Tell) -> Statements:
    as_of: Callable[[str], Figure] = tell.instant
    found = []
    if tell.at("report.as_of") is not None:
        chosen = tell.at("report.as_of_chosen")
        text = (
            tell.say("As of {when}, as it was chosen.", when=as_of("report.as_of"))
            if chosen
            else tell.say("As of {when}, the last event of the log.", when=as_of("report.as_of"))
        )
        found.append(Sentence(text))
    if tell.at("report.closed"):
        found.append(
            Sentence(tell.say("The steps are drawn as a closed funnel, as other tools do."))
        )
    found.append(
        Sentence(tell.say("Made by lastclick {version}.", version=tell.words("page.version")))
    )
    if tell.at("page.command") is not None:
        found.append(
            Sentence(tell.say("By the command: {command}", command=Name(tell.at("page.command"))))
        )
    found.append(
        Sentence(
            tell.say(
                "SHA-256 of the report's figures as JSON, the same for the same log in any order: "
                "{hash}",
                hash=tell.words("page.sha256"),
            )
        )
    )
    return Statements(tuple(found), tell.say("How this page was made"))
