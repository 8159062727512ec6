"""Marketing: what spend brings, with and without a better checkout."""

from __future__ import annotations

from typing import Any

import pytest

from lastclick import Money, Report, measure
from lastclick.analysis import ad_drop_off_rate, marketing
from lastclick.errors import ConfigError
from lastclick.events import Event
from tests.metrics.shop import DAY, at, declared, entered, eur, ordered

EVENTS: list[Event] = [declared(("cart", "payment"))]
for n in range(100):
    source = {"attributes": {"utm_source": "search" if n < 80 else "mail"}}
    EVENTS.append(entered(f"c{n}", "cart", n, eur("20.00"), **source))
    if n % 2:
        EVENTS.append(entered(f"c{n}", "payment", n + 1))
    if n % 4 == 1:
        EVENTS.append(ordered(f"c{n}", f"o{n}", n + 2, eur("30.00")))


def report(**asked: Any) -> Report:
    return measure(EVENTS, **{"by": "utm_source", "as_of": at(30 * DAY), **asked})


def test_spend_is_set_against_what_it_brought() -> None:
    """20 orders of 30 euro for 300: twice the spend, 15 euro an order, 3.75 a checkout."""
    found = marketing(report(), {"search": eur("300.00")})

    (row,) = found.rows
    assert (row.started, row.orders, row.revenue) == (80, 20, eur("600.00"))
    assert row.return_on_spend == 2.0
    assert (row.cost_per_order, row.cost_per_checkout) == (eur("15.00"), eur("3.75"))
    assert (row.with_fix, row.same_by_traffic) == (None, None)
    assert row.reason == "no fix was asked about"
    assert found.not_covered == ("mail",)


def test_a_fix_is_set_against_more_traffic() -> None:
    """From 0.5 to 0.6 at payment is a fifth more; as much by traffic costs a fifth of the spend."""
    found = marketing(report(), {"search": eur("300.00")}, fix={"payment": 0.1})

    (row,) = found.rows
    assert row.with_fix.estimate == pytest.approx(2.4)
    assert row.with_fix.low < 2.4 < row.with_fix.high
    assert row.cost_per_order_with_fix == eur("12.50")
    assert row.same_by_traffic == eur("60.00")


def test_spend_may_be_told_by_stage() -> None:
    """What was spent on awareness and on retention are two rows of one channel."""
    spend = {("awareness", "search"): eur("300.00"), ("retention", "search"): eur("60.00")}

    found = marketing(report(), spend)

    assert [(row.stage, row.return_on_spend) for row in found.rows] == [
        ("awareness", 2.0),
        ("retention", 10.0),
    ]


def test_what_is_not_there_has_a_reason() -> None:
    """A channel that brought nobody, and a currency in which nothing was earned."""
    spend = {"radio": eur("10.00"), "mail": Money("10", "USD")}

    radio, mail = marketing(report(), spend, fix={"payment": 0.1}).rows

    assert (radio.started, radio.return_on_spend) == (0, None)
    assert radio.reason == "no checkout came through this channel"
    assert (mail.return_on_spend, mail.with_fix) == (0.0, None)
    assert mail.reason == "no revenue in USD"


@pytest.mark.parametrize(
    ("asked", "spend", "said"),
    [
        ({"by": ()}, {"search": eur("1")}, "measure it by one attribute"),
        ({}, {"search": eur("0")}, "spend['search']"),
        ({}, {"search": 100}, "spend['search'] is 100; pass Money above 0"),
    ],
)
def test_what_makes_no_sense_is_told(asked: Any, spend: Any, said: str) -> None:
    """A report without channels, or a spend of nothing."""
    with pytest.raises(ConfigError) as caught:
        marketing(report(**asked), spend)

    assert said in str(caught.value)


def test_the_drop_off_of_ads_is_no_funnel() -> None:
    """One less impressions over responses, with its interval, and nothing of buyers."""
    assert ad_drop_off_rate(1000, 920).estimate == pytest.approx(0.08)
    assert ad_drop_off_rate(0, 0).estimate is None
    for wrong in ((10, 11), (10, -1), (1.5, 1), (True, 1)):
        with pytest.raises(ConfigError):
            ad_drop_off_rate(*wrong)  # type: ignore[arg-type]


def test_without_revenue_in_the_currency_there_is_no_return_to_scale() -> None:
    """Orders that brought nothing leave a reason instead of what more traffic would cost."""
    events: list[Event] = [declared()]
    for n in range(40):
        about = {"attributes": {"utm_source": "search"}}
        events.append(entered(f"c{n}", "cart", n, **about))
        if n < 20:
            events.append(ordered(f"c{n}", f"o{n}", n + 1, eur("0.00"), **about))
    report = measure(events, by="utm_source", as_of=at(30 * DAY))

    (row,) = marketing(report, {"search": eur("10.00")}, fix={"cart": 0.01}).rows

    assert row.same_by_traffic is None
    assert row.reason == "no revenue in EUR above 0"
