"""Quality: the facts of a log that bend its numbers, the same however it arrives."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

from lastclick._money import Money
from lastclick._rows import instant
from lastclick.metrics._counts import Key

#: A last event this many hours after the one before it is suspicious: it sets the default as_of.
FAR_HOURS = 24


@attrs.frozen
class Lost:
    """Events that are not in the log, or not whole.

    Attributes:
        source: Who lost them: ``"funnel"`` or ``"sink"``.
        reason: Why.
        count: How many.
        kept: Whether the events themselves are in the log, without a flawed part.

    Example:
        >>> from lastclick import measure
        >>> measure(events).quality.losses
        ()

    .. versionadded:: 0.1.0
    """

    source: str
    reason: str
    count: int
    kept: bool


@attrs.frozen
class Definition:
    """One definition of the funnel that the log holds.

    Attributes:
        since: When a funnel of this definition was first constructed.
        steps: The names of its steps.
        abandon_after: An attempt idle for longer is abandoned.
        recover_within: An order within this time of an abandonment is a recovery.

    Example:
        >>> from lastclick import measure
        >>> [definition.steps for definition in measure(events).quality.definitions]
        [('cart', 'payment')]

    .. versionadded:: 0.1.0
    """

    since: datetime
    steps: tuple[str, ...]
    abandon_after: timedelta
    recover_within: timedelta


@attrs.frozen
class Quality:
    """What is odd in a log, and what was left out of the report.

    Attributes:
        without_checkout_id: Events that name no attempt; left out.
        without_step: Journeys that were seen at no step; left out.
        without_step_orders: Orders of these.
        without_step_gross: The money of these orders, by currency.
        without_step_refunded: What of it was refunded.
        without_step_cancelled: What of it was cancelled.
        excluded_attempts: Attempts left out because of ``exclude``.
        excluded_events: Single events left out because of it.
        excluded_orders: Orders left out with their attempts.
        excluded_gross: The money of these orders, by currency.
        unknown_steps: Events at steps that the definition does not have, by step.
        older_steps: Of these steps, those that an older definition had.
        unknown_types: Events of types that this version does not know, by type.
        not_first_step: Attempts that did not begin at the first step.
        out_of_order: Steps first seen before the step before them.
        largest_skew_s: The most by which one was, in whole seconds.
        activity_after_order: Attempts that went on after their order.
        further_orders: Orders of an attempt beyond its first.
        shared_orders: Orders that several attempts show; each counts once.
        order_conflicts: Orders told with several totals; the earliest counts.
        two_currencies: Attempts with money in several currencies.
        several_customers: Attempts that name several customers; the earliest counts.
        values_missing: Lost or recoverable attempts without a cart value.
        orders_without_total: Orders of unknown money.
        refunds_without_order: Refunds of orders that are not in the log; not netted.
        refunds_without_order_money: Their money, by currency.
        refunds_other_currency: Refunds in another currency than their order's; not netted.
        refunds_other_currency_money: Their money, by currency.
        refunds_without_amount: Refunds of unknown money; not netted.
        refunds_over_order: Orders of which more was refunded than they brought; netted.
        cancellations_without_order: Cancelled orders that are not in the log.
        ordered_elsewhere: Lost attempts whose customer ordered in another attempt, from the start
            of this one to ``recover_within`` after its last activity.
        losses: What funnels rejected and sinks lost.
        definitions: The definitions in the log, by date.
        last_event_alone_h: Hours between the last events of the two latest attempts.
        assigned: Attempts assigned to an arm of an experiment, by arm.

    Example:
        >>> from lastclick import measure
        >>> quality = measure(events).quality
        >>> quality.lost, quality.values_missing, quality.unknown_steps
        (0, 0, {})

    .. versionadded:: 0.1.0
    """

    without_checkout_id: int
    without_step: int
    without_step_orders: int
    without_step_gross: Mapping[str, Money]
    without_step_refunded: Mapping[str, Money]
    without_step_cancelled: Mapping[str, Money]
    excluded_attempts: int
    excluded_events: int
    excluded_orders: int
    excluded_gross: Mapping[str, Money]
    unknown_steps: Mapping[str, int]
    older_steps: tuple[str, ...]
    unknown_types: Mapping[str, int]
    not_first_step: int
    out_of_order: int
    largest_skew_s: int
    activity_after_order: int
    further_orders: int
    shared_orders: int
    order_conflicts: int
    two_currencies: int
    several_customers: int
    values_missing: int
    orders_without_total: int
    refunds_without_order: int
    refunds_without_order_money: Mapping[str, Money]
    refunds_other_currency: int
    refunds_other_currency_money: Mapping[str, Money]
    refunds_without_amount: int
    refunds_over_order: int
    cancellations_without_order: int
    ordered_elsewhere: int
    losses: tuple[Lost, ...]
    definitions: tuple[Definition, ...]
    last_event_alone_h: int
    assigned: Mapping[str, int]

    @property
    def rejected(self) -> int:
        """Events that funnels rejected or hooks dropped."""
        return sum(one.count for one in self.losses if one.source == "funnel" and not one.kept)

    @property
    def lost(self) -> int:
        """Events that sinks could not keep."""
        return sum(one.count for one in self.losses if one.source == "sink" and not one.kept)

    @property
    def flawed(self) -> int:
        """Events that are in the log without a flawed part."""
        return sum(one.count for one in self.losses if one.kept)


def quality(log: Mapping[Key, int], values_missing: int, steps: tuple[str, ...]) -> Quality:
    """The facts of the log, from the counts of its own cell."""
    definitions = _definitions(log)
    unknown = _by_name(log, "unknown_step")
    older = {name for one in definitions for name in one.steps} - set(steps)
    skews = _by_number(log, "out_of_order")
    hours = sorted(_by_number(log, "last_event"))
    tied = hours and log["last_event", hours[-1]] > 1
    return Quality(
        without_checkout_id=_number(log, "without_checkout_id"),
        without_step=_number(log, "without_step"),
        without_step_orders=_number(log, "without_step_orders"),
        without_step_gross=_money(log, "gross"),
        without_step_refunded=_money(log, "refunded"),
        without_step_cancelled=_money(log, "cancelled"),
        excluded_attempts=_number(log, "excluded_attempts"),
        excluded_events=_number(log, "excluded_events"),
        excluded_orders=_number(log, "excluded_orders"),
        excluded_gross=_money(log, "excluded_gross"),
        unknown_steps=unknown,
        older_steps=tuple(sorted(older)),
        unknown_types=_by_name(log, "unknown_type"),
        not_first_step=_number(log, "not_first_step"),
        out_of_order=sum(skews.values()),
        largest_skew_s=max(skews, default=0),
        activity_after_order=_number(log, "activity_after_order"),
        further_orders=_number(log, "further_orders"),
        shared_orders=_number(log, "shared_orders"),
        order_conflicts=_number(log, "order_conflicts"),
        two_currencies=_number(log, "two_currencies"),
        several_customers=_number(log, "several_customers"),
        values_missing=values_missing,
        orders_without_total=_number(log, "orders_without_total"),
        refunds_without_order=_number(log, "refunds_without_order"),
        refunds_without_order_money=_money(log, "refunds_without_order_money"),
        refunds_other_currency=_number(log, "refunds_other_currency"),
        refunds_other_currency_money=_money(log, "refunds_other_currency_money"),
        refunds_without_amount=_number(log, "refunds_without_amount"),
        refunds_over_order=_number(log, "refunds_over_order"),
        cancellations_without_order=_number(log, "cancellations_without_order"),
        ordered_elsewhere=_number(log, "ordered_elsewhere"),
        losses=_losses(log),
        definitions=definitions,
        last_event_alone_h=0 if tied or len(hours) < 2 else hours[-1] - hours[-2],
        assigned=_by_name(log, "assigned"),
    )


def _number(log: Mapping[Key, int], fact: str) -> int:
    return log.get((fact,), 0)


def _by_name(log: Mapping[Key, int], fact: str) -> dict[str, int]:
    return dict(sorted((str(key[1]), n) for key, n in log.items() if key[0] == fact))


def _by_number(log: Mapping[Key, int], fact: str) -> dict[int, int]:
    return {int(key[1]): n for key, n in log.items() if key[0] == fact}


def _money(log: Mapping[Key, int], fact: str) -> dict[str, Money]:
    found = sorted((str(key[-1]), units) for key, units in log.items() if key[0] == fact)
    return {currency: Money.from_units(units, currency) for currency, units in found}


def _losses(log: Mapping[Key, int]) -> tuple[Lost, ...]:
    found = sorted(
        (str(key[1]), str(key[2]), key[3] == "kept", n)
        for key, n in log.items()
        if key[0] == "lost_events"
    )
    return tuple(Lost(source, reason, n, kept) for source, reason, kept, n in found)


def _definitions(log: Mapping[Key, int]) -> tuple[Definition, ...]:
    """The distinct definitions, each with its first date; a restart does not make a new one."""
    since: dict[tuple[str, int, int], int] = {}
    for key in log:
        if key[0] == "definition":
            _, at, steps, gap, within = key
            content = (str(steps), int(gap), int(within))
            since[content] = min(int(at), since.get(content, int(at)))
    found = sorted((at, *content) for content, at in since.items())
    return tuple(
        Definition(
            since=instant(at),
            steps=tuple(step["name"] for step in json.loads(steps)),
            abandon_after=timedelta(microseconds=gap),
            recover_within=timedelta(microseconds=within),
        )
        for at, steps, gap, within in found
    )
