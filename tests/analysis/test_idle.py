"""How long idling is before a checkout is over: from those who came back by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lastclick.analysis import AbandonAfter, suggest_abandon_after
from lastclick.errors import ConfigError
from lastclick.events import Event
from tests.metrics.shop import DAY, at, declared, entered, ordered, refunded, sent

FUNNEL = declared()


def suggested(*events: Event, **asked: Any) -> AbandonAfter:
    return suggest_abandon_after([FUNNEL, *events], as_of=at(30 * DAY), **asked)


def shop(gaps: list[float], left: int) -> list[Event]:
    """Attempts that order after a pause of so many minutes, and attempts that never do."""
    events: list[Event] = []
    for n, gap in enumerate(gaps):
        events += [entered(f"b{n}", "cart", n), ordered(f"b{n}", f"o{n}", n + gap)]
    return events + [entered(f"l{n}", "cart", n) for n in range(left)]


def test_the_shortest_time_after_which_a_tenth_still_buys() -> None:
    """Of 100, 55 buy after 1 to 55 minutes and 45 never: after 50 minutes 5 of 50 would."""
    got = suggested(*shop([float(n) for n in range(1, 56)], 45))

    assert got.suggested == timedelta(minutes=50, seconds=1)
    assert (got.attempts, got.reminded, got.too_young, got.reason) == (100, 0, 0, None)
    by_time = {one.after: one.bought for one in got.curve}
    ten = by_time[timedelta(minutes=10)]
    assert (ten.numerator, ten.denominator) == (46, 91)
    assert by_time[timedelta(hours=1)].numerator == 0


def test_who_was_reminded_or_is_young_says_nothing() -> None:
    """Reminded ones did not come unaided, and those of the last days may yet come."""
    events = [
        *shop([5.0] * 10, 40),
        entered("r", "cart", 0),
        sent("r", 60),
        ordered("r", "o-r", 90),
        entered("late", "cart", 0),
        ordered("late", "o-late", 1),
        sent("late", 2),
        entered("y", "cart", 29 * DAY),
        refunded("o1", 3),
    ]

    got = suggested(*events)

    assert (got.attempts, got.reminded, got.too_young) == (51, 1, 1)


def test_where_none_can_be_suggested_a_reason_is() -> None:
    """Too few attempts, or buyers who take any pause."""
    assert suggested(*shop([5.0], 5)).reason == "fewer than 30 attempts"
    eager = suggested(*shop([5 * DAY * 1.0] * 40, 10))
    assert eager.suggested is None
    assert eager.reason == "more than 10 % still buy, however long they were idle"


def test_a_shop_in_which_few_buy_needs_no_waiting() -> None:
    """Where a tenth or fewer buy at all, the shortest time is none."""
    assert suggested(*shop([5.0] * 4, 96)).suggested == timedelta(0)


@pytest.mark.parametrize("share", [0, 1.0, 0.0, True, "0.1", None])
def test_a_share_is_one(share: Any) -> None:
    """A share that is none is refused, with its value."""
    with pytest.raises(ConfigError, match="share is"):
        suggested(share=share)
