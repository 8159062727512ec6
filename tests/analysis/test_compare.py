"""Comparing two reports: the change, and how much of it is the mixture."""

from __future__ import annotations

from typing import Any

import pytest

from lastclick import Report, measure
from lastclick.analysis import compare
from lastclick.errors import ConfigError
from lastclick.events import Event
from tests.metrics.shop import DAY, at, declared, entered, eur, ordered


def report(mobile: tuple[int, int], desktop: tuple[int, int], **asked: Any) -> Report:
    """Per device, how many of how many order, for 10 euro."""
    events: list[Event] = [declared()]
    for device, (bought, many) in (("mobile", mobile), ("desktop", desktop)):
        for n in range(many):
            checkout = f"{device}{n}"
            events.append(entered(checkout, "cart", n, attributes={"device": device}))
            if n < bought:
                events.append(ordered(checkout, f"o-{checkout}", n + 1, eur("10.00")))
    asked = {"by": "device", "as_of": at(30 * DAY), **asked}
    return measure(events, **asked)


def test_a_change_is_split_into_rate_and_mix() -> None:
    """No device got worse; there are more of the one that abandons more: all is mix."""
    found = compare(report((20, 100), (60, 100)), report((60, 300), (60, 100)))

    abandonment = found.abandonment
    assert abandonment.change.estimate == pytest.approx(0.70 - 0.60)
    assert abandonment.rate.estimate == pytest.approx(0, abs=1e-12)
    assert abandonment.mix.estimate == pytest.approx(0.10)
    assert sum(abandonment.mix_by_segment.values()) == pytest.approx(0.1)


def test_steps_and_revenue_have_their_change() -> None:
    """Ten more of a hundred order: the step drops fewer, a checkout brings a euro more."""
    found = compare(report((20, 100), (0, 0)), report((30, 100), (0, 0)))

    assert found.steps["cart"].estimate == pytest.approx(-0.10)
    assert found.steps["cart"].method == "newcombe"
    assert found.revenue_per_checkout["EUR"].estimate == pytest.approx(1)
    assert found.revenue_per_checkout["EUR"].assumes == "order values are not skewed"
    assert found.abandonment.rate.estimate == pytest.approx(-0.10)
    assert found.recovery.estimate == 0.0


@pytest.mark.parametrize(
    "asked",
    [
        {"by": ()},
        {"unit": "customer"},
        {"closed": True},
        {"touch": "last"},
        {"exclude": {}},
        {"timezone": "Europe/Berlin"},
    ],
)
def test_reports_are_to_ask_the_same(asked: Any) -> None:
    """What differs is named, with both values."""
    with pytest.raises(ConfigError, match="the two reports differ in"):
        compare(report((1, 2), (1, 2)), report((1, 2), (1, 2), **asked))


def test_without_segments_all_is_rate() -> None:
    """By no attribute there is one segment."""
    found = compare(report((20, 100), (0, 0), by=()), report((30, 100), (0, 0), by=()))

    assert found.abandonment.mix.estimate == 0
    assert found.abandonment.change.estimate == pytest.approx(-0.1)


def test_two_periods_are_compared_without_what_needs_customers() -> None:
    """The change of a period has no interval over customers, and says why; by groups it is none."""
    report = measure(shop(40) + shop(55, day=40), as_of=at(90 * DAY))
    first, second = report.trend("month").values()

    found = compare(first, second)

    assert found.abandonment.change.estimate == pytest.approx(-0.15)
    assert found.abandonment.to_dict()["segments"][0]["value"] is None
    money = found.revenue_per_checkout["EUR"]
    assert money.estimate == pytest.approx(1.5)
    assert (money.low, money.reason) == (None, first.revenue_per_checkout["EUR"].reason)
    by_device = measure(shop(40), by="device", as_of=at(90 * DAY))
    (period,) = by_device.trend("month").values()
    with pytest.raises(ConfigError, match="a period has no groups by device"):
        compare(period, period)


def test_groups_that_are_not_shown_are_one_segment() -> None:
    """The change is that of all, though a few of a need are in no group."""
    some = shop(40, attributes={"screen_reader": False})
    few = [entered(f"few{n}", "cart", n, attributes={"screen_reader": True}) for n in range(5)]
    report = measure([*some, *few], by="screen_reader", as_of=at(90 * DAY))

    found = compare(report, report)

    assert [one["value"] for one in found.to_dict()["abandonment"]["segments"]] == [
        False,
        "withheld",
    ]
    assert found.abandonment.change.n == 2 * 105


def test_a_group_may_have_the_name_of_those_not_shown() -> None:
    """Both are segments, and the parts add up to the change."""
    about = {"attributes": {"large_text": "withheld"}}
    few = [entered(f"few{n}", "cart", n, attributes={"large_text": "x"}) for n in range(5)]
    before, after = (
        measure([*shop(buy, **about), *few], by="large_text", as_of=at(90 * DAY))
        for buy in (40, 50)
    )

    found = compare(before, after).abandonment

    assert list(found.rate_by_segment) == ["withheld", "(withheld)"]
    assert sum(found.rate_by_segment.values()) == pytest.approx(found.change.estimate)


def test_repeat_customers_are_clusters_or_it_is_said() -> None:
    """The headline takes customers; what cannot says what it takes for granted."""
    report = measure(shop(40, customer_id="u1"), as_of=at(90 * DAY))

    found = compare(report, report)

    assert found.abandonment.change.method == "newcombe, customers as clusters"
    assert found.steps["cart"].assumes == "attempts of one customer are apart from each other"
    assert found.abandonment.rate.assumes == found.steps["cart"].assumes


def test_periods_say_that_they_take_customers_as_apart() -> None:
    """Which attempts are one customer's is not in the counts of a day: each part says so."""
    log = [event for week in (0, 7) for event in shop(40, week, customer_id=f"u{week}")]
    trend = measure(log, as_of=at(90 * DAY)).trend("week").values()

    found = compare(*trend)

    parts = [found.abandonment.change, found.abandonment.rate, found.steps["cart"]]
    assert {one.assumes for one in parts} == {"attempts of one customer are apart from each other"}


def shop(buy: int, day: int = 0, **more: Any) -> list[Event]:
    """A hundred attempts on a day, of which some order for ten euro."""
    events: list[Event] = [declared()]
    for n in range(100):
        name, start = f"{day}-{n}", day * DAY + n
        events.append(entered(name, "cart", start, **more))
        if n < buy:
            events.append(ordered(name, f"o{name}", start + 1, eur("10.00"), **more))
    return events
