"""Estimates and test results: what they say as text and as plain values."""

from __future__ import annotations

import json

import pytest

from lastclick.metrics import Estimate, HypothesisTest


@pytest.mark.parametrize(
    ("estimate", "low", "high", "text"),
    [
        (13500.4, -2053.3, 29053.3, "13,500 (-2,053 to 29,053)"),
        (0.0612, 0.05, 0.0724, "0.0612 (0.05 to 0.0724)"),
        (23.0, 13.0, None, "23 (13 to ?)"),
        (0.0, None, None, "0 (no interval)"),
        (None, None, None, "-"),
    ],
)
def test_text_is_the_figure_and_its_interval(
    estimate: float | None, low: float | None, high: float | None, text: str
) -> None:
    """As text an estimate has its ends, and says where one is missing."""
    assert str(Estimate(estimate=estimate, low=low, high=high, method="welch", n=9)) == text


def test_a_negative_factor_turns_the_interval_round() -> None:
    """In another unit the lower end stays the lower one, and the error stays above 0."""
    one = Estimate(estimate=2.0, low=1.0, high=4.0, standard_error=0.5, method="welch", n=9)

    got = one.times(-2, method="loss")

    assert (got.estimate, got.low, got.high, got.standard_error) == (-4.0, -8.0, -2.0, 1.0)
    assert got.method == "loss"


def test_what_is_unknown_stays_unknown_in_any_unit() -> None:
    """A factor makes no number of None, and keeps the reason."""
    one = Estimate(method="welch", n=0, reason="nobody")

    assert one.times(9) == one


def test_plain_values_go_through_json_unchanged() -> None:
    """The dictionaries have every attribute."""
    estimate = Estimate(estimate=1.5, low=1.0, high=2.0, method="welch", n=9)
    verdict = HypothesisTest(statistic=2.0, degrees=1, p_value=0.157, method="log-rank", n=9)

    assert Estimate(**json.loads(json.dumps(estimate.to_dict()))) == estimate
    assert HypothesisTest(**json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_text_of_a_test_is_its_p_value() -> None:
    """As text a test is its p-value, with the digits that matter, or a dash."""
    assert str(HypothesisTest(p_value=0.0415, method="log-rank", n=9)) == "p = 0.042"
    assert str(HypothesisTest(method="log-rank", n=0, reason="nobody")) == "-"
