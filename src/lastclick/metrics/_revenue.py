"""Money: what was earned, lost and won back. Exact, and never added across currencies."""

from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from typing import TypeAlias

import attrs

from lastclick._fold import Outcome
from lastclick._money import Money, minor_units
from lastclick.metrics._counts import Key
from lastclick.metrics._proportions import wilson

#: Below this many decided attempts at a step, a group takes the chance of the whole report.
SMALL_GROUP = 30

#: By step: the chance that an attempt that reached it orders, as (orders, decided attempts).
Chances: TypeAlias = Mapping[str, tuple[int, int]]


@attrs.frozen
class Revenue:
    """What orders brought in one currency.

    Attributes:
        gross: Totals of the orders.
        refunded: What went back of them.
        net: Gross less what was refunded and cancelled.
        orders: How many orders that is.
        cancelled: What refunds left of orders that were called off.

    Example:
        >>> from lastclick import measure
        >>> print(measure(events).revenue["EUR"].gross)
        EUR 64.80

    .. versionadded:: 0.1.0
    """

    gross: Money
    refunded: Money
    net: Money
    orders: int
    cancelled: Money = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "cancelled", self.gross - self.refunded - self.net)


@attrs.frozen
class Loss:
    """What unpaid carts were worth in one currency.

    Attributes:
        at_most: Their values at the abandonment: an upper bound, as if all would have bought.
        expected: Each value times the share of attempts that reached the step and ordered.
        attempts: How many carts this is.
        low: Lower end of the interval of ``expected``: at the lower Wilson limits of these shares.
            What it is of: the chance of ordering; the carts are taken as they are.
        high: Upper end, at the upper limits.

    Example:
        >>> from lastclick import measure
        >>> loss = measure(events).lost_revenue["EUR"]
        >>> print(loss.at_most, loss.expected, loss.attempts)
        EUR 120.00 EUR 60.00 1

    .. versionadded:: 0.1.0
    """

    at_most: Money
    expected: Money
    attempts: int
    low: Money
    high: Money


@attrs.frozen
class Recovered:
    """Totals of the orders that came back after an abandonment, in one currency, by kind.

    Attributes:
        by_link: After a click on a reminder's link.
        after_reminder: After a reminder, without a click.
        unaided: Without either.

    Example:
        >>> from lastclick import measure
        >>> measure(events).recovered_revenue
        {}

    .. versionadded:: 0.1.0
    """

    by_link: Money
    after_reminder: Money
    unaided: Money


def revenue(counts: Mapping[Key, int]) -> dict[str, Revenue]:
    """Revenue by currency: orders of the journeys that were counted, less what went back."""
    totals = _by_currency(counts, "gross")
    went_back = _by_currency(counts, "refunded")
    called_off = _by_currency(counts, "cancelled")
    found = {}
    for currency, units in sorted(totals.items()):
        back, off = went_back.get(currency, 0), called_off.get(currency, 0)
        parts = (units, back, units - back - off)
        gross, refunded, net = (Money.from_units(part, currency) for part in parts)
        orders = counts.get(("priced", currency), 0)
        found[currency] = Revenue(gross, refunded, net, orders)
    return found


def orders_in(earned: Mapping[str, Revenue], currency: str) -> int:
    """How many orders have a total in a currency."""
    return earned[currency].orders if currency in earned else 0


def recovered(counts: Mapping[Key, int]) -> dict[str, Recovered]:
    """Order totals won back, by currency and kind."""
    kinds = (
        Outcome.RECOVERED_BY_LINK,
        Outcome.RECOVERED_AFTER_REMINDER,
        Outcome.RECOVERED_UNAIDED,
    )
    parts = [_by_currency(counts, "gross", outcome) for outcome in kinds]
    return {
        currency: Recovered(*(Money.from_units(part.get(currency, 0), currency) for part in parts))
        for currency in sorted({currency for part in parts for currency in part})
    }


def chances(counts: Mapping[Key, int], steps: Iterable[str], whole: Chances | None) -> Chances:
    """By step, orders over decided attempts that reached it; the whole's where these are few."""
    names = list(steps)
    ordered = sum(
        number
        for key, number in counts.items()
        if key[0] == "outcome" and key[1] not in ("in_flight", "lost", "recoverable")
    )
    reached = ordered
    found: dict[str, tuple[int, int]] = {}
    for name in reversed(names):
        reached += counts.get(("dropped", name), 0)
        small = whole is not None and reached < SMALL_GROUP
        found[name] = whole[name] if small and whole is not None else (ordered, reached)
    return found


def losses(
    counts: Mapping[Key, int],
    chance: Chances,
    *,
    step: str | None = None,
    steps: Collection[str] | None = None,
    outcome: str | None = None,
) -> dict[str, Loss]:
    """Unpaid carts by currency, at one step or several, or with one outcome.

    Each value is weighed by the exact share of its step; the sum is rounded once, half to even,
    to the currency's minor unit.
    """
    units: dict[str, dict[str, int]] = {}
    attempts: dict[str, int] = {}
    for key, number in counts.items():
        if key[0] not in ("value", "valued"):
            continue
        what, at, became, currency = key
        assert isinstance(currency, str)
        assert isinstance(at, str)
        if (step is not None and at != step) or (outcome is not None and became != outcome):
            continue
        if steps is not None and at not in steps:
            continue
        if what == "valued":
            attempts[currency] = attempts.get(currency, 0) + number
        else:
            own = units.setdefault(currency, {})
            own[at] = own.get(at, 0) + number
    found = {}
    for currency, number in sorted(attempts.items()):
        expected = low = high = Fraction(0)
        for at, most in units.get(currency, {}).items():
            orders, reached = chance[at]
            expected += Fraction(most * orders, reached)
            lowest, highest = wilson(orders, reached)
            low += most * Fraction(lowest)
            high += most * Fraction(highest)
        found[currency] = Loss(
            at_most=Money.from_units(sum(units.get(currency, {}).values()), currency),
            expected=rounded(expected, currency),
            attempts=number,
            low=rounded(low, currency),
            high=rounded(high, currency),
        )
    return found


def rounded(units: Fraction, currency: str) -> Money:
    """An exact number of units as money: rounded once, half to even, to the minor unit."""
    minor = minor_units(currency)
    return Money.from_units(round(units / minor) * minor, currency)


def _by_currency(
    counts: Mapping[Key, int], what: str, outcome: str | None = None
) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, number in counts.items():
        if key[0] == what and (outcome is None or key[1] == outcome):
            currency = key[2]
            assert isinstance(currency, str)
            found[currency] = found.get(currency, 0) + number
    return found
