"""Change points: found where there is one, and seldom where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Any

import pytest

from lastclick import Report, measure
from lastclick.analysis import changes
from lastclick.errors import ConfigError
from lastclick.events import Event
from lastclick.metrics._proportions import difference
from tests.metrics.shop import DAY, at, declared, entered, ordered

#: 2026-10-05 is a Monday; the shop's clock begins on the first at noon.
MONDAY = 4 * DAY - 12 * 60


def report(
    shares: Sequence[float], many: int = 200, seed: int | None = None, each: int | None = None
) -> Report:
    """Week by week, which share orders: exactly, or drawn."""
    random = None if seed is None else Random(seed)
    events: list[Event] = [declared()]
    for week, share in enumerate(shares):
        for n in range(many):
            name, start = f"{week}-{n}", MONDAY + 7 * week * DAY + n
            who = {} if each is None else {"customer_id": f"{week}-{n // each}"}
            events.append(entered(name, "cart", start, **who))
            if (n < round(share * many)) if random is None else (random.random() < share):
                events.append(ordered(name, f"o{name}", start + 1, **who))
    return measure(events, as_of=at(400 * DAY))


def test_a_change_is_found_where_it_was() -> None:
    """Five weeks at 40 %, five at 55 %: one point, at the sixth Monday."""
    found = changes(report([0.40] * 5 + [0.55] * 5))

    (point,) = found.points
    assert point.since == date(2026, 11, 9)
    assert (point.before.estimate, point.after.estimate) == (0.60, 0.45)
    assert point.more.estimate == pytest.approx(-0.15)
    assert found.periods == 10
    assert found.false_alarms == 0.05


def test_a_change_is_as_unsure_as_its_customers_make_it() -> None:
    """Limits are of as many fewer attempts; a period, whose customers are unknown, says so."""
    whole = report([0.40] * 5 + [0.60] * 5, each=5)

    found = changes(whole)
    (point,) = found.points
    apart = difference(400, 1000, 600, 1000)
    assert found.design_effect > 2
    assert point.more.estimate == pytest.approx(apart.estimate)
    assert (point.more.high or 0) - (point.more.low or 0) == pytest.approx(
        ((apart.high or 0) - (apart.low or 0)) * found.design_effect**0.5, rel=0.01
    )
    assert point.more.method == "newcombe, customers as clusters"
    assert point.more.assumes is None
    month = report([0.2, 0.2, 0.8, 0.8], each=5).trend("month")["2026-10-01"]
    (point,) = changes(month).points
    assert point.more.assumes == "attempts of one customer are apart from each other"


def test_several_changes_are_found_one_by_one() -> None:
    """Up and down again; each is told between its neighbours."""
    found = changes(report([0.40] * 4 + [0.60] * 4 + [0.40] * 4), step="cart")

    assert [point.since for point in found.points] == [date(2026, 11, 2), date(2026, 11, 30)]
    assert [point.after.denominator for point in found.points] == [800, 800]
    assert [round(point.after.estimate or 0, 2) for point in found.points] == [0.4, 0.6]


@pytest.mark.untraced
def test_where_nothing_changed_alarms_are_as_rare_as_stated() -> None:
    """In 60 quiet series at most a few alarms, where 3 of 60 would be the stated most."""
    alarms = sum(bool(changes(report([0.4] * 8, 60, seed)).points) for seed in range(60))

    assert alarms <= 8  # 9 or more have a chance of 0.2 % at 5 %


def test_too_little_is_no_change() -> None:
    """One week, or weeks of a handful, say nothing."""
    assert changes(report([0.4])).reason == "fewer than two weeks"
    assert changes(report([0.0, 1.0], 5)).points == ()


@pytest.mark.parametrize(
    "asked",
    [
        {"false_alarms": 0},
        {"false_alarms": 1},
        {"false_alarms": "x"},
        {"step": "pay"},
        {"every": "year"},
    ],
)
def test_a_setting_that_is_none_is_refused(asked: Any) -> None:
    """No such step, length or chance."""
    with pytest.raises(ConfigError):
        changes(report([0.4], 1), **asked)
