"""When shoppers order: by horizon, by group, early, per checkout, and again."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from typing import Any

import pytest

from lastclick import Money, Report, measure
from lastclick.errors import ConfigError
from lastclick.events import Event
from tests.metrics.shop import DAY, at, cancelled, declared, entered, eur, ordered, refunded

FUNNEL = declared()
HOUR = timedelta(hours=1)


def checkout(name: str, start: float, order: float | None = None, **more: Any) -> list[Event]:
    """One attempt, and perhaps its order some minutes after the start, of 10 euro."""
    events: list[Event] = [entered(name, "cart", start, eur("10.00"), **more)]
    if order is not None:
        events.append(ordered(name, f"o-{name}", start + order, eur("10.00"), **more))
    return events


def report(*events: list[Event], as_of: float = 30 * DAY, **asked: Any) -> Report:
    return measure([FUNNEL, *chain(*events)], as_of=at(as_of), **asked)


def test_without_anyone_in_flight_it_is_the_plain_share() -> None:
    """Of four attempts followed for long, one ordered within the hour and one after it."""
    got = report(*(checkout(n, 0, o) for n, o in zip("abcd", (10, 90, None, None), strict=True)))

    assert got.abandonment_at(HOUR).estimate == pytest.approx(3 / 4)
    assert got.abandonment_at(2 * HOUR).estimate == pytest.approx(2 / 4)
    assert got.abandonment_at(timedelta(days=7)).estimate == pytest.approx(2 / 4)


def test_those_in_flight_are_not_guessed() -> None:
    """One of two is ten minutes old: it says nothing of an hour, and is not taken as abandoned."""
    events = [checkout("a", 0, 30), checkout("b", 0, None), checkout("c", 110, None)]

    got = report(*events, as_of=120)

    # At 30 minutes two are left of which one orders; the third left the count at 10.
    assert got.abandonment_at(HOUR).estimate == pytest.approx(1 / 2)
    assert got.abandonment_at(HOUR).method == "kaplan-meier, log-log"


def test_past_the_follow_up_and_past_the_window_it_refuses() -> None:
    """Nothing was seen there, or nothing is counted there: no estimate, but a reason."""
    got = report(checkout("a", 0, 30), checkout("b", 0), as_of=120)

    for horizon, said in ((timedelta(hours=3), "followed"), (timedelta(days=8), "recover_within")):
        one = got.abandonment_at(horizon)
        assert (one.estimate, one.low) == (None, None)
        assert said in (one.reason or "")


def test_where_all_ordered_none_is_left_later() -> None:
    """After the last order the share without one stays 0."""
    got = report(checkout("a", 0, 30))

    assert got.abandonment_at(HOUR).estimate == 0.0


def test_a_later_log_fulfils_what_an_early_one_says() -> None:
    """Read after a day, the share at an hour is near that of the whole log's own future."""
    events = [checkout(f"c{n}", n, 55 if n % 3 == 0 else None) for n in range(1440)]

    early, late = report(*events, as_of=1440), report(*events, as_of=10 * DAY)

    truth = late.abandonment_at(HOUR).estimate
    guess = early.abandonment_at(HOUR)
    assert truth == pytest.approx(2 / 3)
    assert guess.low is not None
    assert guess.low < truth < (guess.high or 0)
    naive = 1 - early.ordered / early.started
    assert abs((guess.estimate or 0) - truth) < abs(naive - truth)


@pytest.mark.parametrize("horizon", [timedelta(seconds=-1), 60, None])
def test_a_horizon_is_a_duration(horizon: Any) -> None:
    """A horizon that is none is refused with its name and value."""
    with pytest.raises(ConfigError, match="horizon is"):
        report(checkout("a", 0)).abandonment_at(horizon)


def test_groups_are_compared_by_their_whole_curves() -> None:
    """Two groups alike do not differ; one that orders at once and one that never does, do."""
    slow = [checkout(f"s{n}", n, None, attributes={"device": "tv"}) for n in range(30)]
    quick = [checkout(f"q{n}", n, 5, attributes={"device": "mobile"}) for n in range(30)]
    same = [checkout(f"p{n}", n, 5, attributes={"device": "tv"}) for n in range(30)]

    assert (report(*slow, *quick, by="device").groups_differ().p_value or 1) < 1e-6
    alike = report(*same, *quick, by="device").groups_differ()
    assert alike.p_value is None or alike.p_value > 0.9
    assert report(*quick).groups_differ().reason == "0 groups; from 2 to 30 can be compared"


def test_early_revenue_gives_the_young_their_time() -> None:
    """With nobody in flight it is the plain mean; a checkout of ten minutes is no zero."""
    old = [checkout("a", 0, 30), checkout("b", 0)]

    assert report(*old).early_revenue(HOUR)["EUR"].estimate == pytest.approx(5)
    young = report(*old, checkout("c", 110), as_of=120).early_revenue(HOUR)["EUR"]
    assert young.estimate == pytest.approx(5)
    with pytest.raises(ConfigError, match="longer than recover_within"):
        report(*old).early_revenue(timedelta(days=8))


@pytest.mark.parametrize(("orders", "said"), [(49, "order values are not skewed"), (50, None)])
def test_money_from_few_orders_says_what_it_takes_for_granted(
    orders: int, said: str | None
) -> None:
    """Below 50 orders one of the large ones has seldom been seen."""
    got = report(*(checkout(f"c{n}", n, 1 if n < orders else None) for n in range(99)))

    assert got.revenue_per_checkout["EUR"].assumes == said


@pytest.mark.parametrize("apart", [0, 1])
def test_early_revenue_counts_the_orders_of_its_own_currency(apart: int) -> None:
    """Two orders in dollars have no interval for sixty in euro, whether at one second or not."""
    dollars = [
        event
        for n in range(2)
        for event in (
            entered(f"d{n}", "cart", n),
            ordered(f"d{n}", f"o-d{n}", n + 1 + apart, Money("50.00", "USD")),
        )
    ]
    euros = (checkout(f"c{n}", n, 1 if n < 60 else None) for n in range(98))

    got = report(*euros, dollars).early_revenue(timedelta(days=1))

    assert got["EUR"].low is not None
    assert (got["USD"].low, got["USD"].reason) == (
        None,
        "fewer than 50 bought, too few for an interval",
    )


def test_revenue_per_checkout_takes_customers_together() -> None:
    """The mean is over checkouts, and the interval over customers: theirs hang together."""
    events = [
        *(checkout(f"c{n}", n, 5 if n < 4 else None, customer_id=f"u{n // 4}") for n in range(8)),
        checkout("g", 0, 5),
        [refunded("o-g", 60, eur("4.00"))],
        checkout("h", 0, 5),
        [cancelled("o-h", 60)],
    ]

    got = report(*events).revenue_per_checkout["EUR"]

    assert got.estimate == pytest.approx(46 / 10)
    assert got.n == 4
    assert got.method == "ratio"


def test_who_orders_again_is_counted_by_customers() -> None:
    """One of two came back on the second day; who just ordered is not taken as gone."""
    events = [
        checkout("a", 0, 1, customer_id="u1"),
        checkout("b", 1.5 * DAY, 1, customer_id="u1"),
        checkout("c", 0, 1, customer_id="u2"),
        checkout("d", 10 * DAY - 5, 1, customer_id="u3"),
        checkout("guest", 0, 1),
    ]

    got = report(*events, as_of=10 * DAY)

    assert got.repeat_purchase_rate(1).estimate == 0.0
    assert got.repeat_purchase_rate(2).estimate == pytest.approx(1 / 2)
    assert got.repeat_purchase_rate(2).n == 3
    assert "10 days" not in (got.repeat_purchase_rate(9).reason or "")
    assert (
        got.repeat_purchase_rate(11).reason == "nobody was followed for 11 days; the longest is 9"
    )
    assert report(checkout("a", 0)).repeat_purchase_rate(2).reason == "no customer with an order"
    with pytest.raises(ConfigError, match="days is"):
        got.repeat_purchase_rate(0)


def test_who_have_all_ordered_again_have_done_so_later_too() -> None:
    """All on the third day: beyond it the share stays at 1, as the curve stays at 0."""
    events = [
        checkout(f"{who}-{n}", 3 * n * DAY, 1, customer_id=who) for who in "abc" for n in range(2)
    ]

    got = report(*events)

    assert [got.repeat_purchase_rate(days).estimate for days in (2, 3, 4)] == [0.0, 1.0, 1.0]


def test_a_period_has_its_own_times() -> None:
    """Each day is read from its own attempts: its curve, early revenue, and who came again."""
    got = report(
        checkout("a", 0, 10, customer_id="u1"),
        checkout("b", 0, 90),
        checkout("c", DAY, None),
        checkout("d", DAY, 30, customer_id="u1"),
    )

    first, second = got.trend().values()

    assert (first.completion.n, first.completion.events) == (2, 2)
    assert first.abandonment_at(HOUR).estimate == pytest.approx(1 / 2)
    assert second.abandonment_at(HOUR).estimate == pytest.approx(1 / 2)
    assert first.early_revenue(HOUR)["EUR"].estimate == pytest.approx(10 / 2)
    # u1 ordered first on the first day, and again within two days; of the second day is no first.
    assert first.repeat_purchase_rate(2).estimate == 1.0
    assert second.repeat_purchase_rate(2).reason == "no customer with an order"
    assert first.chart("time").description.startswith("Kaplan-Meier")
    assert first.steps["cart"].median_seconds.n == 2


def test_a_period_has_no_interval_over_customers() -> None:
    """Its customers come in other periods, too: the figure stands alone, with the reason."""
    got = report(checkout("a", 0, 10), checkout("b", 0), checkout("c", DAY, 10))

    first, _ = got.trend().values()

    one = first.revenue_per_checkout["EUR"]
    assert (one.estimate, one.low, one.high) == (5.0, None, None)
    assert (one.reason or "").startswith("no interval for a period")
