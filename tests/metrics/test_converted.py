"""Revenue in one currency: exact, at the rate of each order's own day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from lastclick import Money, Report, measure
from lastclick.errors import ConfigError
from lastclick.metrics import Revenue
from tests.metrics.shop import DAY, cancelled, declared, entered, eur, ordered, refunded

RATES: Any = {"USD": {"2026-10-01": "0.90", date(2026, 10, 2): Decimal("0.80")}}


def usd(amount: str) -> Money:
    return Money(amount, "USD")


def report(*more: Any) -> Report:
    events = [
        declared(),
        entered("a", "cart", 0),
        ordered("a", "o-1", 1, eur("10.00")),
        entered("b", "cart", 0),
        ordered("b", "o-2", 1, usd("10.00")),
        entered("c", "cart", DAY - 1),
        ordered("c", "o-3", DAY, usd("10.00")),
    ]
    return measure([*events, *more])


def test_each_order_has_the_rate_of_its_day() -> None:
    """10 euro, 10 dollar at 0.90 and 10 at 0.80 are 27 euro."""
    got = report().revenue_in("EUR", rates=RATES)

    assert got == Revenue(eur("27.00"), eur("0.00"), eur("27.00"), 3)


def test_a_full_refund_comes_to_nothing() -> None:
    """What goes back later is worth what its order was."""
    before = report().revenue_in("EUR", rates=RATES)
    got = report(refunded("o-2", 5 * DAY, usd("10.00")), cancelled("o-3", 6 * DAY)).revenue_in(
        "EUR", rates=RATES
    )

    assert got.gross == before.gross
    assert (got.refunded, got.cancelled, got.net) == (eur("9.00"), eur("8.00"), eur("10.00"))


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ({}, "no rate of USD in EUR on 2026-10-01 (nor 1 more)"),
        ({"USD": {"2026-10-01": 1}}, "no rate of USD in EUR on 2026-10-02;"),
        ({"USD": {"2026-10-01": 0.9}}, "rates['USD']['2026-10-01'] is 0.9"),
        (None, "rates is None; pass rates by currency and day"),
        ({"USD": "0.9"}, "rates['USD'] is '0.9'; pass rates by day"),
        ({"USD": {"2026-10-01": "0"}}, "above 0"),
        ({"USD": {"2026-10-01": "much"}}, "'much'"),
        ({"USD": {"2026-10-01": None}}, "None"),
    ],
)
def test_a_rate_that_is_missing_or_none_is_told(rates: Any, said: str) -> None:
    """No order is left out silently, and no float comes in."""
    with pytest.raises(ConfigError) as caught:
        report().revenue_in("EUR", rates=rates)

    assert said in str(caught.value)


def test_a_currency_is_one() -> None:
    """The reporting currency is checked like any other."""
    with pytest.raises(ConfigError, match="currency"):
        report().revenue_in("Euro", rates=RATES)
