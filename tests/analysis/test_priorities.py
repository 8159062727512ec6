"""Priorities: by money, segments against the others, small ones left out."""

from __future__ import annotations

import pytest

from lastclick import measure
from lastclick.analysis import priorities
from lastclick.errors import ConfigError
from lastclick.events import Event
from tests.metrics.shop import DAY, at, declared, entered, eur, ordered

FUNNEL = declared(("cart", "payment"))


def segment(name: str, many: int, stay: int, value: str = "10.00") -> list[Event]:
    """Attempts on one device, of which some order and the others stop at the payment."""
    events: list[Event] = []
    for n in range(many):
        checkout = f"{name}-{n}"
        about = {"attributes": {"device": name}}
        events.append(entered(checkout, "payment", n, eur(value), **about))
        if n < stay:
            events.append(ordered(checkout, f"o-{checkout}", n + 1, eur(value), **about))
    return events


SHOP = [FUNNEL, *segment("tv", 100, 40), *segment("mobile", 400, 320), *segment("watch", 29, 0)]


def test_rows_are_ranked_by_money() -> None:
    """The step of all shoppers loses most, then its segments; a step that loses none is last."""
    found = priorities(measure(SHOP, by="device", as_of=at(90 * DAY)))

    assert [(row.step, row.segment, row.whole) for row in found.rows[:3]] == [
        ("payment", None, True),
        ("payment", "mobile", False),
        ("payment", "tv", False),
    ]
    assert found.currency == "EUR"
    money = [row.expected.get("EUR", eur("0.00")).units for row in found.rows]
    assert money == sorted(money, reverse=True)
    assert found.rows[0].at_most["EUR"] == eur("1690.00")


def test_a_segment_is_held_against_the_others() -> None:
    """Sixty of a hundred against 109 of 429 is no luck, and that of the others is lower."""
    found = priorities(measure(SHOP, by="device", as_of=at(90 * DAY)))

    tv, mobile = (
        next(row for row in found.rows if (row.step, row.segment) == ("payment", name))
        for name in ("tv", "mobile")
    )
    assert (tv.elsewhere.numerator, tv.elsewhere.denominator) == (109, 429)
    assert tv.stands_out
    assert tv.adjusted_p is not None
    assert tv.adjusted_p >= (tv.worse.p_value or 0)
    assert not mobile.stands_out
    assert found.false_discoveries == 0.05


def test_small_segments_are_counted_and_not_told_of() -> None:
    """Twenty-nine watches are too few, at both steps."""
    found = priorities(measure(SHOP, by="device", as_of=at(90 * DAY)))

    assert "watch" not in {row.segment for row in found.rows}
    assert (found.too_small, found.smallest) == (2, 30)
    with pytest.raises(ConfigError, match="smallest is 29"):
        priorities(measure(SHOP, by="device"), smallest=29)


def test_the_others_are_no_handful_either() -> None:
    """Beside the only segment that is shown the others would be the one that is not."""
    events: list[Event] = [FUNNEL]
    for n in range(60):
        about = {"attributes": {"screen_reader": n < 5}}
        events.append(entered(f"c{n}", "payment", n, eur("10.00"), **about))
    report = measure(events, by="screen_reader", as_of=at(90 * DAY))

    rows = [row for row in priorities(report).rows if not row.whole]

    assert report.withheld == 5
    assert [(row.step, row.segment) for row in rows] == [("payment", False), ("cart", False)]
    assert [(row.elsewhere, row.worse, row.adjusted_p) for row in rows] == [(None, None, None)] * 2


def test_a_report_of_no_groups_ranks_its_steps() -> None:
    """Without attributes there is nothing to scan."""
    found = priorities(measure(SHOP, as_of=at(90 * DAY)))

    assert [row.step for row in found.rows] == ["payment", "cart"]
    assert (found.scanned, found.too_small) == (0, 0)


def test_luck_seldom_stands_out() -> None:
    """Of forty segments that are alike in truth none is called worse."""
    events: list[Event] = [FUNNEL]
    for n in range(40):
        events += segment(f"d{n}", 60, 30 + n % 5 - 2)

    found = priorities(measure(events, by="device", as_of=at(90 * DAY)))

    # At the cart nobody drops, anywhere: nothing to compare there.
    assert found.scanned == 40
    assert not any(row.stands_out for row in found.rows)


def test_repeat_customers_make_segments_stand_out_less() -> None:
    """The same attempts stand out where they are of many customers, and not where of a few."""
    found = {}
    for said, many in (("many", 100), ("few", 8)):
        events: list[Event] = [declared()]
        for device, bought in (("mobile", 50), ("desktop", 70)):
            for n in range(100):
                about = {
                    "customer_id": f"{device}{n * many // 100}",
                    "attributes": {"device": device},
                }
                events.append(entered(f"{device}{n}", "cart", n, **about))
                if n < bought:
                    events.append(ordered(f"{device}{n}", f"o-{device}{n}", n + 1, **about))
        report = measure(events, by="device", as_of=at(30 * DAY))
        rows = [row for row in priorities(report).rows if row.segment == "mobile"]
        found[said] = next(row for row in rows if row.step == "cart")

    assert found["many"].stands_out
    assert not found["few"].stands_out
    assert found["many"].worse.assumes is None
    assert found["few"].worse.assumes == "attempts of one customer are apart from each other"
