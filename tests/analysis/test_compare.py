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
    assert found.abandonment.rate.estimate == pytest.approx(-0.10)
    assert found.recovery.estimate == 0.0


@pytest.mark.parametrize("asked", [{"by": ()}, {"unit": "customer"}, {"closed": True}])
def test_reports_are_to_ask_the_same(asked: Any) -> None:
    """What differs is named, with both values."""
    with pytest.raises(ConfigError, match="the two reports differ in"):
        compare(report((1, 2), (1, 2)), report((1, 2), (1, 2), **asked))


def test_without_segments_all_is_rate() -> None:
    """By no attribute there is one segment."""
    found = compare(report((20, 100), (0, 0), by=()), report((30, 100), (0, 0), by=()))

    assert found.abandonment.mix.estimate == 0
    assert found.abandonment.change.estimate == pytest.approx(-0.1)
