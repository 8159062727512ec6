"""Quality: each oddity of a log is counted under its own name, and a clean log has none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lastclick import Money, measure
from lastclick.metrics import Definition, Lost, Quality
from lastclick.metrics._quality import quality
from tests.metrics.shop import (
    DAY,
    assigned,
    at,
    clicked,
    declared,
    entered,
    eur,
    lost,
    ordered,
    refunded,
)

BOT = {"traffic": "bot"}

CLEAN = [
    declared(),
    entered("c-1", "cart", 0, eur("10.00"), customer_id="u-1"),
    entered("c-1", "payment", 1, eur("10.00"), customer_id="u-1"),
    ordered("c-1", "o-1", 2, eur("10.00"), customer_id="u-1"),
]


def facts(quality: Quality) -> dict[str, object]:
    """What is not empty, the definitions apart."""
    return {
        name: value
        for name in Quality.__slots__
        if name not in ("definitions", "__weakref__") and (value := getattr(quality, name))
    }


def of(*events: object) -> dict[str, object]:
    """The facts that these events add to a clean log."""
    return facts(measure([*CLEAN, *events]).quality)


def test_a_clean_log_has_nothing_to_tell() -> None:
    """Where nothing is odd every count is 0, and the definition is listed."""
    report = measure(CLEAN)

    assert facts(report.quality) == {}
    assert report.quality.definitions == (
        Definition(at(-60), ("cart", "payment"), timedelta(minutes=30), timedelta(days=7)),
    )


def test_counts_of_nothing_are_a_quality_of_nothing() -> None:
    """Without a cell of its own a log has no facts."""
    got = quality({}, 0, ("cart",))

    assert facts(got) == {}
    assert got.definitions == ()


def test_attempts_at_no_step_keep_their_money() -> None:
    """An order of an attempt that was seen at no step is left out with its money, and told."""
    got = of(ordered("c-2", "o-2", 3, eur("5.00")), refunded("o-2", 4, eur("1.00")))

    assert got == {
        "without_step": 1,
        "without_step_orders": 1,
        "without_step_gross": {"EUR": eur("5.00")},
        "without_step_refunded": {"EUR": eur("1.00")},
    }


def test_excluded_traffic_is_counted_with_its_money() -> None:
    """Attempts of bots leave with their orders; a scanner's click leaves alone."""
    got = of(
        entered("c-2", "cart", 0, attributes=BOT),
        ordered("c-2", "o-2", 3, eur("5.00")),
        clicked("c-1", 1, attributes=BOT),
        refunded("o-1", 4, eur("1.00"), attributes=BOT),
    )

    assert got == {
        "excluded_attempts": 1,
        "excluded_events": 2,
        "excluded_orders": 1,
        "excluded_gross": {"EUR": eur("5.00")},
    }


def test_an_excluded_order_of_unknown_money_is_counted() -> None:
    """An order without a total leaves without money."""
    got = of(entered("c-2", "cart", 0, attributes=BOT), ordered("c-2", "o-2", 3))

    assert got == {"excluded_attempts": 1, "excluded_orders": 1}


def test_an_order_that_a_counted_attempt_shows_too_is_not_left_out() -> None:
    """Where a bot shows somebody's order, the order stays."""
    got = of(entered("c-2", "cart", 0, attributes=BOT), ordered("c-2", "o-1", 3, eur("10.00")))

    assert got == {"excluded_attempts": 1}


def test_unknown_steps_are_told_by_name_and_by_age() -> None:
    """A step that only an older definition had is named among the unknown ones."""
    older = declared(("cart", "address"), event_id="d-0", minutes=-120)

    got = of(older, entered("c-1", "gift", 1), entered("c-1", "address", 1))

    assert got == {"unknown_steps": {"address": 1, "gift": 1}, "older_steps": ("address",)}


def test_definitions_are_listed_by_date_and_a_restart_makes_none() -> None:
    """The same definition from many processes is one, since the first of them."""
    again = declared(event_id="d-9", minutes=-30)
    shorter = declared(event_id="d-5", minutes=-45, abandon_after=timedelta(minutes=5))

    got = measure([*CLEAN, again, shorter]).quality.definitions

    assert [(one.since, one.abandon_after) for one in got] == [
        (at(-60), timedelta(minutes=30)),
        (at(-45), timedelta(minutes=5)),
    ]


def test_attempts_out_of_order() -> None:
    """A step stamped before its predecessor is counted, with the largest skew in seconds."""
    got = of(
        entered("c-2", "payment", 1, eur("1.00")),
        entered("c-2", "cart", 2.5, eur("1.00")),
        entered("c-3", "payment", 1, eur("1.00")),
    )

    assert got == {"not_first_step": 2, "out_of_order": 1, "largest_skew_s": 90}


def test_what_comes_after_an_order() -> None:
    """Activity after the order and a further order are counted, the latter's money too."""
    got = of(
        entered("c-1", "cart", 5, eur("10.00"), customer_id="u-1"),
        ordered("c-1", "o-1b", 6, eur("3.00"), customer_id="u-1"),
    )

    assert got == {"activity_after_order": 1, "further_orders": 1}


def test_orders_that_several_attempts_show() -> None:
    """An order counts once; that it was shared, and told with two totals, is counted."""
    got = of(entered("c-2", "cart", 0), ordered("c-2", "o-1", 3, eur("99.00")))

    assert got == {"shared_orders": 1, "order_conflicts": 1}


def test_orders_and_refunds_of_unknown_money() -> None:
    """No total and no amount are counted, never taken as 0."""
    got = of(entered("c-2", "cart", 0), ordered("c-2", "o-2", 3), refunded("o-1", 4))

    assert got == {"orders_without_total": 1, "refunds_without_amount": 1}


def test_refunds_that_cannot_be_netted() -> None:
    """A refund of no order, or in another currency, is told with its money."""
    usd = Money("2.00", "USD")

    got = of(
        refunded("o-none", 4, eur("1.00")),
        refunded("o-none", 5),
        refunded("o-1", 4, usd),
        refunded("o-1", 5, eur("11.00")),
    )

    assert got == {
        "refunds_without_order": 1,
        "refunds_without_order_money": {"EUR": eur("1.00")},
        "refunds_without_amount": 1,
        "refunds_other_currency": 1,
        "refunds_other_currency_money": {"USD": usd},
        "refunds_over_order": 1,
    }


def test_a_refund_told_twice_is_one() -> None:
    """The earliest telling of a refund id counts."""
    events = [
        *CLEAN,
        refunded("o-1", 5, eur("4.00"), refund="r-1"),
        refunded("o-1", 4, eur("3.00"), refund="r-1"),
        refunded("o-1", 6, eur("1.00"), refund="r-2"),
    ]

    assert measure(events).revenue["EUR"].refunded == eur("4.00")


def test_attempts_of_several_currencies_and_customers() -> None:
    """Both are kept, and counted."""
    got = of(
        entered("c-1", "cart", 1, Money("1.00", "USD"), customer_id="u-2"),
    )

    assert got == {"two_currencies": 1, "several_customers": 1}


def test_lost_attempts_of_customers_who_ordered_elsewhere() -> None:
    """A lost attempt is told apart where its customer ordered within the time of a recovery."""
    got = of(
        entered("c-2", "cart", -DAY, customer_id="u-1"),
        entered("c-3", "cart", -8 * DAY, customer_id="u-1"),
        entered("c-4", "cart", 8 * DAY, customer_id="u-1"),
    )

    assert got == {"ordered_elsewhere": 1, "values_missing": 2, "last_event_alone_h": 192}


def test_what_was_lost_is_told_by_source_and_reason() -> None:
    """Losses are added by source, reason and whether the event was kept."""
    events = [
        *CLEAN,
        lost("funnel", "no id", 3),
        lost("funnel", "bad_attribute", 2, kept=True),
        lost("sink", "disk full", 5),
        lost("sink", "disk full", 5),
    ]

    got = measure(events).quality

    assert got.losses == (
        Lost("funnel", "bad_attribute", 2, kept=True),
        Lost("funnel", "no id", 3, kept=False),
        Lost("sink", "disk full", 5, kept=False),
    )
    assert (got.rejected, got.lost, got.flawed) == (3, 5, 2)


def test_arms_of_an_experiment_are_counted() -> None:
    """An attempt belongs to the arm it was first assigned to."""
    got = of(assigned("c-1", 1, "treated"), assigned("c-1", 2, "holdout"))

    assert got == {"assigned": {"treated": 1}}


@pytest.mark.parametrize(("hours", "alone"), [(23, 23), (48, 48)])
def test_a_last_event_far_past_the_others_is_told(hours: int, alone: int) -> None:
    """The hours from the last event of one attempt to that of the latest are known."""
    assert of(entered("c-2", "cart", hours * 60, eur("1.00")))["last_event_alone_h"] == alone


def test_the_latest_hour_of_two_attempts_is_not_alone() -> None:
    """Two attempts that end in the same hour vouch for each other."""
    far = [entered(f"c-{n}", "cart", 100 * 60 + n, eur("1.00")) for n in (2, 3)]

    assert of(*far) == {}
