"""Every vector of the shared statistics is hit, or is another test's; none is forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from lastclick.metrics import Estimate, rate
from lastclick.metrics._bootstrap import bootstrap
from lastclick.metrics._distributions import chi_square_tail, t_quantile
from lastclick.metrics._holdout import extra_revenue, incrementality
from lastclick.metrics._means import Moments, ratio_difference, relative, welch
from lastclick.metrics._mix import rate_and_mix
from lastclick.metrics._planning import arm_size
from lastclick.metrics._proportions import agresti_coull, difference, wilson
from lastclick.metrics._sequential import (
    confidence_sequence,
    log_mixture,
    mixture_boundary,
    mixture_width,
)
from lastclick.metrics._step_value import step_value
from lastclick.metrics._survival import kaplan_meier
from lastclick.metrics._tests import benjamini_hochberg, sample_ratio
from lastclick.metrics._weighted import weighted_mean
from tests.metrics.samples import histogram, moments, pairs

#: What is got beside what is expected.
Found = Iterator[tuple[float | None, float | None]]
Given = dict[str, Any]


def quantiles_of_t(given: Given, expected: Given) -> Found:
    for p, df, value in zip(given["p"], given["df"], expected["value"], strict=True):
        yield t_quantile(1 - p, df), value


def tails_of_chi_square(given: Given, expected: Given) -> Found:
    for x, df, value in zip(given["x"], given["df"], expected["value"], strict=True):
        yield chi_square_tail(x, df), value


def wilson_interval(given: Given, expected: Given) -> Found:
    yield from zip(wilson(**given), expected["value"], strict=True)


def agresti_coull_interval(given: Given, expected: Given) -> Found:
    for case, ends in zip(given["cases"], expected["unclipped"], strict=True):
        yield from zip(agresti_coull(**case), ends, strict=True)


def newcombe(given: Given, expected: Given) -> Found:
    got = difference(**given)
    yield got.estimate, expected["difference"]
    yield from zip((got.low, got.high), expected["value"], strict=True)


def survival(given: Given, expected: Given) -> Found:
    rows = list(zip(given["duration"], given["event"], strict=True))
    curve = kaplan_meier(
        histogram(second for second, event in rows if event),
        histogram(second for second, event in rows if not event),
    )
    columns = (expected[name] for name in ("survival", "greenwood_se", "loglog_ci"))
    for time, share, error, (low, high) in zip(given["times"], *columns, strict=True):
        got = curve.at(time)
        yield got.estimate, share
        yield got.standard_error, error
        yield got.low, low
        yield got.high, high
    median = curve.quantile(0.5)
    yield median.estimate, expected["median"]
    yield from zip((median.low, median.high), expected["median_loglog_ci"], strict=True)


def early_mean(given: Given, expected: Given) -> Found:
    rows = [(round(2 * row["t"]), row) for row in given["checkouts"]]  # half days are whole
    horizon = 2 * given["horizon"]
    bought = {at: row["revenue"] for at, row in rows if row["status"] == "purchase"}
    without = histogram(at for at, row in rows if row["status"] != "purchase")
    money = {at: moments([amount]) for at, amount in bought.items()}
    orders = {at: moments([1]) for at in bought}
    yield weighted_mean(money, without, horizon=horizon).estimate, expected["mean_revenue"]
    yield weighted_mean(orders, without, horizon=horizon).estimate, expected["conversion"]
    curve = kaplan_meier(histogram(bought), without)
    left = curve.at(horizon).estimate
    yield 1 - (left or 0), expected["one_minus_km_at_horizon"]


def welch_of_rows(given: Given, expected: Given) -> Found:
    arms = [moments(round(10 * value) for value in given[arm]) for arm in "ab"]
    got = welch(*arms).times(0.1)
    yield got.estimate, expected["difference"]
    yield got.p_value, expected["p_value"]
    yield (got.estimate or 0) / (got.standard_error or 1), expected["t"]
    yield from zip((got.low, got.high), expected["ci"], strict=True)


def welch_of_sums(given: Given, expected: Given) -> Found:
    control, treated = (
        Moments(arm["n"], round(100 * arm["sum"]), round(10_000 * arm["sum_squares"]))
        for arm in (given["control"], given["treatment"])
    )
    got = welch(treated, control).times(0.01)
    yield got.estimate, expected["difference"]
    yield got.standard_error, expected["se"]
    yield got.p_value, expected["p_value"]
    yield from zip((got.low, got.high), expected["ci"], strict=True)
    lift, published = relative(treated, control), expected["published_5dp"]["relative_delta"]
    printed = [lift.estimate, lift.standard_error, lift.p_value, lift.low, lift.high]
    wanted = [published["lift"], published["se"], published["p"], *published["ci"]]
    yield from ((round(one or 0, 5), other) for one, other in zip(printed, wanted, strict=True))


def incremental_revenue(given: Given, expected: Given) -> Found:
    treated, holdout = (
        Moments(
            arm["n"],
            round(arm["n"] * arm["mean"]),
            round(arm["sd"] ** 2 * (arm["n"] - 1) + arm["n"] * arm["mean"] ** 2),
        )
        for arm in (given["treated"], given["holdout"])
    )
    each = welch(treated, holdout)
    yield each.estimate, expected["per_unit"]
    yield each.standard_error, expected["se"]
    yield each.p_value, expected["p_value"]
    yield from zip((each.low, each.high), expected["ci_per_unit"], strict=True)
    got = extra_revenue(treated, holdout, buyers=(500, 50))
    yield got.estimate, expected["incremental"]
    yield from zip((got.low, got.high), expected["incremental_ci"], strict=True)
    factor = incrementality(got, given["attributed_revenue"])
    yield factor.estimate, expected["incrementality_factor"]
    yield from zip((factor.low, factor.high), expected["incrementality_factor_ci"], strict=True)


def ratio_of_means(given: Given, expected: Given) -> Found:
    rows = list(zip(given["arm"], given["numerator"], given["denominator"], strict=True))
    control, treated = (
        pairs([y for of, y, _ in rows if of == arm], [x for of, _, x in rows if of == arm])
        for arm in (0, 1)
    )
    got = ratio_difference(treated, control)
    yield got.estimate, expected["difference"]
    yield got.p_value, expected["p_value"]
    yield (got.estimate or 0) / (got.standard_error or 1), expected["t"]
    yield from zip((got.low, got.high), expected["ci"], strict=True)


def bootstrap_mean(given: Given, expected: Given) -> Found:
    rows = given["data"]
    support = sorted(sum(draw) / 3 for draw in product(rows, repeat=3))
    yield from zip(support, expected["exact_support_27"], strict=True)
    drawn: list[float] = []

    def mean(values: Any) -> float:
        drawn.append(sum(values) / len(values))
        return drawn[-1]

    got = bootstrap(rows, mean, seed=27, draws=20_000)
    samples = drawn[:20_000]
    centre = sum(samples) / len(samples)
    variance = sum((value - centre) ** 2 for value in samples) / len(samples)
    yield got.estimate, expected["exact_mean"]
    assert variance == pytest.approx(expected["exact_variance"], rel=0.03)
    below = sum(value <= 2 for value in samples) / len(samples)
    assert below == pytest.approx(expected["p_mean_le_2"], abs=0.01)


def normal_mixture(given: Given, expected: Given) -> Found:
    rho = mixture_width(given["v_opt"], given["alpha_opt"])
    yield rho, expected["rho"]
    yield mixture_boundary(given["v"], rho, given["alpha"]), expected["boundary"]
    yield log_mixture(10, 100, rho), expected["log_mixture_at_s10_v100"]


def sequence(given: Given, expected: Given) -> Found:
    one = Estimate(
        estimate=given["effect"], standard_error=given["se"], n=given["n"], method="welch"
    )
    got = confidence_sequence(one, planned=given["n_opt"], buyers=600)
    yield from zip((got.low, got.high), expected["ci"], strict=True)
    yield got.p_value, expected["p_value"]


def false_discoveries(given: Given, expected: Given) -> Found:
    got = benjamini_hochberg(given["p"])
    yield from zip(got, expected["adjusted"], strict=True)
    yield sum(p <= given["q"] for p in got), expected["rejected"]


def split(given: Given, expected: Given) -> Found:
    got = sample_ratio(given["observed"], given["weights"])
    yield got.statistic, expected["chi2"]
    yield got.p_value, expected["p_value"]


def kitagawa(given: Given, expected: Given) -> Found:
    before, after = (
        {name: (counted["x"], counted["n"]) for name, counted in given[period].items()}
        for period in ("base", "current")
    )
    got = rate_and_mix(before, after)
    yield got.change.estimate, expected["change"]
    yield got.rate.estimate, expected["rate_effect"]
    yield got.mix.estimate, expected["mix_effect"]
    for name, part in expected["rate_by_segment"].items():
        yield float(got.rate_by_segment[name]), part


def sample_size(given: Given, expected: Given) -> Found:
    power = given["power"]
    yield arm_size(given["p1"], given["p2"], power=power), expected["value"]


def what_if(given: Given, expected: Given) -> Found:
    reached = [given["entrants"]]
    for share in given["pass_rate"]:
        reached.append(round(reached[-1] * share))
    orders = reached[-1]
    value = Moments(orders, round(orders * given["order_value"]), orders * 2_500)
    old, step = given["pass_rate"][given["step"]], given["step"]
    added = step_value(
        reached,
        value,
        step=step,
        added=given["new_rate"] - old,
        rescued=given["marginal_factor"],
    )
    point = step_value(reached, value, step=step, added=0.01)
    revenue, spend = float(value.total), given["spend"]
    more = added.estimate or 0
    yield orders, expected["base_orders"]
    yield revenue, expected["base_revenue"]
    yield more, expected["added"]
    yield revenue + more, expected["new_revenue"]
    yield point.estimate, expected["per_point"]
    yield revenue / spend, expected["roas_base"]
    yield (revenue + more) / spend, expected["roas_new"]
    yield spend / orders, expected["cac_base"]
    yield spend / (orders * (1 + more / revenue)), expected["cac_new"]
    yield spend * more / revenue, expected["equivalent_extra_spend"]


def ad_drop_off(given: Given, expected: Given) -> Found:
    responses = given["ad_responses"]
    yield rate(responses - given["impressions"], responses).estimate, expected["rate"]


def refunded_at_its_orders_rate(given: Given, expected: Given) -> Found:
    order, refund = given["order"], given["refund"]
    kept = Fraction(order["amount"]) - Fraction(refund["amount"])
    yield float(kept * Fraction(order["rate_to_report"])), float(expected["net"])


CHECKS: dict[str, Callable[[Given, Given], Found]] = {
    "core-t-quantiles": quantiles_of_t,
    "core-chi2-tail": tails_of_chi_square,
    "wilson-newcombe1998-1": wilson_interval,
    "wilson-newcombe1998-3": wilson_interval,
    "agresti-coull": agresti_coull_interval,
    "newcombe-diff-a": newcombe,
    "newcombe-diff-c": newcombe,
    "newcombe-diff-e": newcombe,
    "newcombe-diff-g": newcombe,
    "km-6mp": survival,
    "ipcw-mean-revenue": early_mean,
    "welch-sleep": welch_of_rows,
    "welch-growthbook-revenue": welch_of_sums,
    "holdout-incremental-revenue": incremental_revenue,
    "delta-ratio-revenue-per-checkout": ratio_of_means,
    "bootstrap-exact": bootstrap_mean,
    "normal-mixture-howard": normal_mixture,
    "asymptotic-cs-holdout": sequence,
    "bh-1995": false_discoveries,
    "srm-kohavi": split,
    "mix-rate-checkout": kitagawa,
    "power-R-doc": sample_size,
    "step-what-if": what_if,
    "adsense-drop-off": ad_drop_off,
}

#: A rule of money, which belongs to exchange rates.
ELSEWHERE = {"refund-at-order-rate"}


@pytest.fixture(scope="module")
def vectors(shared: Path) -> dict[str, Given]:
    """The vectors by their id."""
    text = (shared / "vectors" / "statistics.json").read_text("utf-8")
    return {vector["id"]: vector for vector in json.loads(text)["vectors"]}


def test_no_vector_is_forgotten(vectors: dict[str, Given]) -> None:
    """Each vector has its check here, or is named as one of another test."""
    assert set(vectors) == CHECKS.keys() | ELSEWHERE


@pytest.mark.parametrize("name", CHECKS)
def test_vector(vectors: dict[str, Given], name: str) -> None:
    """Each figure of the vector is hit, to the vector's own tolerance."""
    vector = vectors[name]

    found = list(CHECKS[name](vector["inputs"], vector["expected"]))

    assert found
    for got, expected in found:
        if expected is None:
            assert got is None
        else:
            assert got == pytest.approx(expected, rel=0, abs=vector["abs_tol"])
