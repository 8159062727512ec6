"""Rate and mix: an example in exact fractions, and that the parts add up."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.metrics._mix import rate_and_mix

BEFORE = {"desktop": (2_400, 6_000), "mobile": (800, 4_000)}
AFTER = {"desktop": (1_680, 4_000), "mobile": (1_680, 8_000)}

counted = st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
periods = st.dictionaries(st.sampled_from("abcdef"), counted, max_size=6)


def test_all_segments_gain_and_the_total_falls() -> None:
    """Each segment is better, but the worse one has grown: rate is up, mix is further down."""
    got = rate_and_mix(BEFORE, AFTER)

    # By hand: desktop ½(3/5 + 1/3)·(1/50), mobile ½(2/5 + 2/3)·(1/100).
    assert got.rate_by_segment == {"desktop": Fraction(7, 750), "mobile": Fraction(2, 375)}
    assert sum(got.mix_by_segment.values()) == Fraction(-41, 750)
    assert got.change.estimate == pytest.approx(-0.04)
    assert got.rate.low > 0
    assert got.mix.high < 0


@given(periods, periods)
def test_the_parts_add_up_to_the_change(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]
) -> None:
    """Over the segments rate and mix are the change, exactly; or there is a reason."""
    got = rate_and_mix(before, after)

    totals = [
        [sum(column) for column in zip((0, 0), *of.values(), strict=True)] for of in (before, after)
    ]
    (x0, n0), (x1, n1) = totals
    if n0 and n1:
        parts = sum(got.rate_by_segment.values()) + sum(got.mix_by_segment.values())
        assert parts == Fraction(x1, n1) - Fraction(x0, n0)
        assert got.rate.low <= got.rate.estimate <= got.rate.high
        assert got.mix.low <= got.mix.estimate <= got.mix.high
    else:
        assert got.rate.estimate is got.mix.estimate is got.change.estimate is None
        assert got.mix.reason == got.change.reason is not None
        assert got.rate.method == "kitagawa"


@given(periods, periods)
def test_the_other_way_round_every_part_is_the_negative(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]
) -> None:
    """Exchanging the periods turns every sign, and leaves the errors."""
    there, back = rate_and_mix(before, after), rate_and_mix(after, before)

    for name, part in there.rate_by_segment.items():
        assert back.rate_by_segment[name] == -part
        assert back.mix_by_segment[name] == -there.mix_by_segment[name]
    assert back.rate.standard_error == pytest.approx(there.rate.standard_error or 0, abs=1e-12) or (
        there.rate.standard_error is None
    )


def test_a_segment_of_one_period_is_all_mix() -> None:
    """What is new cannot have changed its rate."""
    got = rate_and_mix({"old": (30, 100)}, {"old": (30, 100), "new": (50, 100)})

    assert got.rate_by_segment == {"old": 0, "new": 0}
    assert sum(got.mix_by_segment.values()) == Fraction(1, 10)


def test_of_one_segment_all_is_rate_with_the_error_of_a_difference() -> None:
    """One segment has no mix; its error is the usual one of two shares."""
    got = rate_and_mix({"all": (30, 100)}, {"all": (50, 100)})

    assert (got.mix.estimate, got.mix.standard_error) == (0.0, 0.0)
    assert got.rate.standard_error == pytest.approx((0.3 * 0.7 / 100 + 0.5 * 0.5 / 100) ** 0.5)
