"""How often intervals hold the truth, and when they do not: `python -m benchmarks.coverage`.

Prints the tables of docs/explanation/simulations.md. Every interval is meant to hold the truth 95
times in 100. Shares and their differences are counted out exactly, over all outcomes; the rest is
simulated, from a seed, so that another run prints the same.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from datetime import date
from fractions import Fraction
from functools import cache
from math import exp, lgamma, log, sqrt

import numpy as np
from numpy.typing import NDArray

from lastclick.analysis._changes import _search
from lastclick.metrics import Estimate
from lastclick.metrics._clustered import clustered_difference, clustered_share, design_effect
from lastclick.metrics._distributions import two_sided
from lastclick.metrics._holdout import extra_orders, extra_revenue
from lastclick.metrics._means import (
    Moments,
    Pairs,
    cuped,
    ratio,
    ratio_difference,
    relative,
    welch,
)
from lastclick.metrics._mix import rate_and_mix
from lastclick.metrics._planning import arm_size
from lastclick.metrics._proportions import agresti_coull, difference, wilson
from lastclick.metrics._quantiles import quantile
from lastclick.metrics._sequential import confidence_sequence, sequential_sample_ratio
from lastclick.metrics._step_value import step_value
from lastclick.metrics._steps import pass_rate
from lastclick.metrics._survival import kaplan_meier
from lastclick.metrics._tests import sample_ratio
from lastclick.metrics._weighted import weighted_mean

Ints = NDArray[np.int64]
Random = np.random.Generator

SIZES = (20, 50, 200, 1_000, 5_000, 20_000)
SHARES = (0.005, 0.02, 0.1, 0.5, 0.9, 0.98, 0.995)

#: Order values: log-normal, so that one order in a hundred is 16 times the median.
MU, SIGMA = 4.0, 1.2
MEAN_CENTS = 100 * exp(MU + SIGMA**2 / 2)

DAY = 86_400


# ---- exact, over all outcomes


def binomial(n: int, p: float) -> list[tuple[int, float]]:
    """Each number of n with its chance, without those that never happen."""
    middle, wide = n * p, 6 * sqrt(n * p * (1 - p)) + 10
    chances = []
    for x in range(max(0, int(middle - wide)), min(n, int(middle + wide)) + 1):
        ways = lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1)
        chance = exp(ways + x * log(p) + (n - x) * log(1 - p))
        if chance > 1e-9:
            chances.append((x, chance))
    return chances


def wald(x: int, n: int) -> tuple[float, float]:
    """The textbook interval, to compare with."""
    share = x / n
    half = two_sided(0.95) * sqrt(share * (1 - share) / n)
    return share - half, share + half


def share_coverage(interval: Callable[[int, int], tuple[float, float]], n: int, p: float) -> float:
    """How often an interval of one share holds it."""
    return sum(
        chance for x, chance in binomial(n, p) if interval(x, n)[0] <= p <= interval(x, n)[1]
    )


def difference_coverage(n1: int, p1: float, n2: int, p2: float) -> float:
    """How often the interval of a difference of shares holds it."""
    ends = cache(difference)
    held = 0.0
    for x1, first in binomial(n1, p1):
        for x2, second in binomial(n2, p2):
            if first * second > 1e-9:
                got = ends(x1, n1, x2, n2)
                held += first * second * (got.low <= p1 - p2 <= got.high)
    return held


# ---- simulated shops


class Held:
    """Counts how often named intervals hold the truth, and their mean."""

    def __init__(self, runs: int) -> None:
        self._held: dict[str, list[bool]] = {}
        self._estimates: dict[str, list[float]] = {}
        self._runs = runs

    def add(self, name: str, got: Estimate, truth: float) -> None:
        """One interval; none is no answer."""
        self._held.setdefault(name, [])
        self._estimates.setdefault(name, [])
        if got.estimate is not None:
            self._estimates[name].append(got.estimate)
        if got.low is not None and got.high is not None:
            self._held[name].append(got.low <= truth <= got.high)

    def share(self, name: str) -> float:
        """How often the interval held the truth, of the times that there was one."""
        return sum(self._held[name]) / max(1, len(self._held[name]))

    def cell(self, name: str) -> str:
        """The share as text; with how many runs had an interval, where some had none."""
        answers = len(self._held[name])
        if answers == self._runs:
            return f"{self.share(name):.3f}"
        return f"{self.share(name):.3f} of {100 * answers // self._runs} %" if answers else "none"

    def mean(self, name: str) -> float:
        """The mean of the estimates."""
        return sum(self._estimates[name]) / max(1, len(self._estimates[name]))


def sales(random: Random, orders: int, value: float = 1.0) -> Ints:
    """The totals of some orders, in cents, with a heavy tail."""
    return np.rint(100 * value * random.lognormal(MU, SIGMA, orders)).astype(np.int64)


def moments(n: int, values: Ints) -> Moments:
    """The sums of n customers, all but these without revenue."""
    return Moments(n, int(values.sum()), int((values * values).sum()))


def pairs(y: Ints, x: Ints) -> Pairs:
    """The sums of two values of each customer."""
    sums = [y.sum(), x.sum(), (y * y).sum(), (x * x).sum(), (x * y).sum()]
    return Pairs(len(y), *(int(one) for one in sums))


def histogram(values: Ints) -> dict[int, int]:
    """How often each value occurs."""
    found, number = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), number.tolist(), strict=True))


def holdout(
    random: Random, runs: int, buyers: int, *, value: float = 1.0, reminded: float = 0.0
) -> Held:
    """A holdout of a tenth in which so many buy; reminding makes a fifth more buy (5 % to 6 %).

    Args:
        random: The source of chance.
        runs: How many experiments.
        buyers: In the holdout, on average.
        value: The order value of the treated over that of the holdout.
        reminded: The share of the holdout that was reminded after all.
    """
    n, many = 20 * buyers, 180 * buyers
    base, lifted = 0.05, 0.06
    orders = many * (lifted - base)
    revenue = many * (lifted * value - base) * MEAN_CENTS
    held = Held(runs)
    astray = round(n * reminded)
    for _ in range(runs):
        x1 = int(random.binomial(many, lifted))
        x2 = int(random.binomial(n - astray, base) + random.binomial(astray, lifted))
        treated, control = moments(many, sales(random, x1, value)), moments(n, sales(random, x2))
        held.add("orders", extra_orders((x1, many), (x2, n)), orders)
        held.add("Welch", welch(treated, control).times(many), revenue)
        if x1 + x2:
            value_of_all = (treated.total + control.total) / (x1 + x2)
            held.add("pooled", extra_orders((x1, many), (x2, n)).times(value_of_all), revenue)
        held.add("as shown", extra_revenue(treated, control, buyers=(x1, x2)), revenue)
    return held


def daily(
    random: Random, runs: int, *, days: int = 30, per_day: int = 200, share: float = 0.05
) -> dict[str, float]:
    """Two equal arms, looked at every day: how often anything is called a difference."""
    alarms: dict[str, int] = {}
    for _ in range(runs):
        arms = [Moments(0, 0, 0), Moments(0, 0, 0)]
        bought = [0, 0]
        seen: set[str] = set()
        for day in range(1, days + 1):
            first = int(random.binomial(2 * per_day, 0.5))
            for arm, n in enumerate((first, 2 * per_day - first)):
                orders = int(random.binomial(n, share))
                bought[arm] += orders
                arms[arm] += moments(n, sales(random, orders))
            sizes = [arm.n for arm in arms]
            money = welch(arms[0], arms[1])
            shares = welch(*(Moments.of_share(x, n) for x, n in zip(bought, sizes, strict=True)))
            planned, buyers = 2 * per_day * days, sum(bought)
            looks = {
                "Welch, every day": money.p_value,
                "sequence, revenue": confidence_sequence(
                    money, planned=planned, buyers=buyers
                ).p_value,
                "sequence, orders": confidence_sequence(
                    shares, planned=planned, buyers=buyers
                ).p_value,
                "chi-square split, every day": sample_ratio(sizes, [1, 1]).p_value,
                "sequential split, every day": sequential_sample_ratio(sizes, [1, 1]).p_value,
            }
            if day == days:
                looks["Welch, last day"] = money.p_value
            seen |= {
                name for name, p_value in looks.items() if p_value is not None and p_value < 0.05
            }
        for name in looks:
            alarms[name] = alarms.get(name, 0) + (name in seen)
    return {name: number / runs for name, number in alarms.items()}


def repeating(random: Random, runs: int, customers: int) -> Held:
    """Customers with one to many checkouts, some of whom buy often and some never: a rate."""
    held = Held(runs)
    for _ in range(runs):
        tries = random.geometric(0.4, customers)
        likely = random.beta(0.75, 2.25, customers)
        bought = random.binomial(tries, likely)
        x, n = int(bought.sum()), int(tries.sum())
        low, high = wilson(x, n)
        naive = Estimate(estimate=x / n, low=low, high=high, method="wilson", n=n)
        held.add("attempts as if apart", naive, 0.25)
        held.add("ratio of means", ratio(pairs(bought, tries)), 0.25)
        held.add("clustered by customer", clustered_share(pairs(bought, tries)), 0.25)
    return held


def repeating_arms(random: Random, runs: int, customers: int, share: float) -> Held:
    """Two arms of such customers without a difference: how often the interval holds 0."""
    held = Held(runs)
    for _ in range(runs):
        arms = []
        for _ in range(2):
            tries = random.geometric(0.4, customers)
            likely = random.beta(3 * share, 3 * (1 - share), customers)
            arms.append(pairs(random.binomial(tries, likely), tries))
        one, other = arms
        held.add("attempts as if apart", difference(one.y, one.x, other.y, other.x), 0.0)
        held.add("ratio of means", ratio_difference(one, other), 0.0)
        held.add("clustered by customer", clustered_difference(one, other), 0.0)
    return held


def quiet_weeks(random: Random, runs: int, *, repeat: bool, reckoned: bool) -> float:
    """Ten weeks of 400 customers in which nothing changes: how often a change point is found.

    Args:
        random: The source of chance.
        runs: How many shops.
        repeat: Whether customers come 2.5 times on average, within three weeks.
        reckoned: Whether the design effect is reckoned with, as `changes` does.
    """
    alarms, n = 0, 400
    for _ in range(runs):
        tries = random.geometric(0.4, n) if repeat else np.ones(n, np.int64)
        likely = random.beta(0.75, 2.25, n) if repeat else np.full(n, 0.25)
        customer = np.repeat(np.arange(n), tries)
        week = np.minimum(
            random.integers(0, 10, n)[customer] + random.integers(0, 3, customer.size), 9
        )
        bought = random.random(customer.size) < likely[customer]
        series = [
            (date.fromordinal(740_000 + 7 * k), int(np.sum(~bought & here)), int(np.sum(here)))
            for k in range(10)
            for here in (week == k,)
        ]
        by_customer = np.bincount(customer[bought], minlength=n)
        effect = design_effect(pairs(by_customer, tries)) if reckoned else 1.0
        alarms += bool(_search(series, 0.05, effect))
    return alarms / runs


def steady_weeks(random: Random, runs: int, weeks: int) -> tuple[float, float]:
    """A step that 85 of 100 pass, 100 of them a week: how often it is called worse than it was.

    By limits of the best four weeks as if there were no others, and by those of `works_well`.
    """
    plainly = called = 0
    for _ in range(runs):
        passed = random.binomial(100, 0.85, weeks)
        by_week = {date.fromordinal(740_000 + 7 * k): (int(x), 100) for k, x in enumerate(passed)}
        got = pass_rate(by_week)
        if got.gap.low is None:
            continue
        best, latest = got.best, got.latest
        alone = difference(best.numerator, best.denominator, latest.numerator, latest.denominator)
        plainly += alone.low is not None and alone.low > 0
        called += got.gap.low > 0
    return plainly / runs, called / runs


def within_a_week(newcomers: float) -> float:
    """The share that orders within 7 days, in the shop of `cut_log`."""
    return 0.3 * (10 + 4 * newcomers) / 14 * (0.7 + 0.3 * (1 - exp(-7 / 2)))


def cut_log(random: Random, runs: int, n: int, *, newcomers: float = 1.0) -> Held:
    """A log of two weeks, read on its last day: who did not order within 7 days of starting?

    Three in ten would order in the end, most at once and the others within days; so the older
    attempts were followed for a fortnight, and the youngest for a second.

    Args:
        random: The source of chance.
        runs: How many logs.
        n: Attempts in the log.
        newcomers: How often those of the last four days buy, over how often the others do.
    """
    horizon, window = 7 * DAY, 14 * DAY
    held = Held(runs)
    money = within_a_week(newcomers) * MEAN_CENTS
    truth = 1 - within_a_week(newcomers)
    for _ in range(runs):
        followed = random.integers(0, window, n)
        buys = random.random(n) < np.where(followed < 4 * DAY, 0.3 * newcomers, 0.3)
        after = np.where(
            random.random(n) < 0.7, random.exponential(1_200, n), random.exponential(2 * DAY, n)
        ).astype(np.int64)
        ordered = buys & (after <= followed)
        events, censored = histogram(after[ordered]), histogram(followed[~ordered])

        without = int(n - (ordered & (after <= horizon)).sum())
        low, high = wilson(without, n)
        naive = Estimate(estimate=without / n, low=low, high=high, method="wilson", n=n)
        held.add("in flight as abandoned", naive, truth)
        old = followed >= horizon
        x, many = int((old & ~(ordered & (after <= horizon))).sum()), int(old.sum())
        if many:
            low, high = wilson(x, many)
            full = Estimate(estimate=x / many, low=low, high=high, method="wilson", n=many)
            held.add("only the older half", full, truth)
        held.add("Kaplan-Meier", kaplan_meier(events, censored).at(horizon), truth)

        totals: dict[int, Moments] = {}
        for second, amount in zip(
            after[ordered].tolist(), sales(random, int(ordered.sum())).tolist(), strict=True
        ):
            totals[second] = totals.get(second, Moments(0, 0, 0)) + Moments(1, amount, amount**2)
        held.add("early revenue", weighted_mean(totals, censored, horizon=horizon), money)
    return held


def plain(random: Random, runs: int, n: int, share: float) -> Held:
    """Two arms of n customers, so many of whom buy, a tenth more of them in the first."""
    more = min(1.1 * share, 1 - (1 - share) / 1.1)
    held = Held(runs)
    for _ in range(runs):
        orders = [int(random.binomial(n, one)) for one in (more, share)]
        arms = [moments(n, sales(random, one)) for one in orders]
        held.add("Welch", welch(*arms), (more - share) * MEAN_CENTS)
        held.add("relative", relative(*arms), more / share - 1)
    return held


def other(random: Random, runs: int, n: int) -> Held:
    """What is left: CUPED, a median of times, and a change split into rate and mix."""
    held = Held(runs)
    weights, rates = ((0.6, 0.3, 0.1), (0.4, 0.4, 0.2)), ((0.4, 0.2, 0.1), (0.42, 0.21, 0.15))
    cells = list(zip(*weights, *rates, strict=True))
    rate = sum((w0 + w1) * (r1 - r0) / 2 for w0, w1, r0, r1 in cells)
    mix = sum((r0 + r1) * (w1 - w0) / 2 for w0, w1, r0, r1 in cells)
    for _ in range(runs):
        carts = [sales(random, n) for _ in "ab"]
        paid = [np.where(random.random(n) < 0.3, cart, 0) for cart in carts]
        held.add("CUPED", cuped(*(pairs(y, x) for y, x in zip(paid, carts, strict=True))), 0)
        waits = random.exponential(10_000, n).astype(np.int64)
        held.add("median", quantile(histogram(waits), Fraction(1, 2)), 10_000 * log(2))
        before, after = (
            {
                name: (int(random.binomial(size, r)), int(size))
                for name, size, r in zip("abc", random.multinomial(n, w), rs, strict=True)
            }
            for w, rs in zip(weights, rates, strict=True)
        )
        moved = rate_and_mix(before, after)
        held.add("rate", moved.rate, rate)
        held.add("mix", moved.mix, mix)
    return held


def better_step(random: Random, runs: int, n: int, share: float) -> Held:
    """So many enter, half go on, and a share of these orders: orders by a better first step.

    Runs with fewer than two orders have no interval.
    """
    held = Held(runs)
    for _ in range(runs):
        further = int(random.binomial(n, 0.5))
        x = int(random.binomial(further, share))
        orders = Moments(x, x, x)
        got = step_value([n, further, x], orders, step=0, added=0.01)
        held.add("by Wilson", got, 0.01 * n * share)
        if got.low is not None and got.estimate is not None:
            factor = exp(two_sided(0.95) * sqrt((further - x) / (further * x)))
            low, high = got.estimate / factor, got.estimate * factor
            got = Estimate(estimate=got.estimate, low=low, high=high, method="delta", n=n)
        held.add("delta method", got, 0.01 * n * share)
    return held


def few_orders(random: Random, runs: int, orders: int) -> Held:
    """Money from few orders: a tenth of the checkouts order, so many in all, or in the smaller arm.

    The step is one that half get past, and of these a fifth order.
    """
    n, share = 10 * orders, 0.1
    held = Held(runs)

    def arm(size: int) -> Pairs:
        got = moments(size, sales(random, int(random.binomial(size, share))))
        return Pairs(size, got.total, size, got.squares, size, got.total)

    for _ in range(runs):
        one, many = arm(n), arm(9 * n)
        held.add("revenue per checkout", ratio(one), share * MEAN_CENTS)
        held.add("difference, 9 to 1", ratio_difference(many, one), 0.0)
        further = int(random.binomial(n, 0.5))
        x = int(random.binomial(further, 2 * share))
        got = step_value([n, further, x], moments(x, sales(random, x)), step=0, added=0.01)
        held.add("better step", got, 0.01 * n * 2 * share * MEAN_CENTS)
    return held


def planned(p1: float, p2: float, many: int) -> tuple[int, float]:
    """The size of a planned holdout, and how often its interval is then off 0, exactly."""
    n = round(arm_size(p1, p2, ratio=many))
    shown = 0.0
    for x1, first in binomial(n, p1):
        for x2, second in binomial(many * n, p2):
            if first * second > 1e-7:
                got = difference(x2, many * n, x1, n)
                shown += first * second * (got.low > 0 or got.high < 0)
    return n, shown


# ---- tables


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float) -> str:
    """A share as short text: 0.5 %."""
    return f"{100 * share:g} %"


def one_share() -> Iterator[str]:
    """Three intervals of one share."""
    yield "## One share (exact): Wald / Agresti-Coull / Wilson\n"
    rows = []
    for n in SIZES:
        cells = []
        for p in SHARES:
            held = [share_coverage(one, n, p) for one in (wald, agresti_coull, wilson)]
            cells.append(" / ".join(f"{one:.3f}" for one in held))
        rows.append([f"{n:,}", *cells])
    yield table(["n", *map(percent, SHARES)], rows)


def two_shares() -> Iterator[str]:
    """Newcombe's interval, for equal arms and for a holdout of a tenth."""
    yield "## Difference of shares (exact): Newcombe, equal arms without a difference\n"
    rows = [
        [f"{n:,}", *(f"{difference_coverage(n, p, n, p):.3f}" for p in SHARES)] for n in SIZES[:-1]
    ]
    yield table(["n in each arm", *map(percent, SHARES)], rows)
    yield "\n## Difference of shares (exact): Newcombe, holdout of a tenth, share up by a tenth\n"
    rows = []
    for n in (20, 50, 200, 1_000, 2_000):
        cells = []
        for p in SHARES:
            lifted = min(1.1 * p, 1 - (1 - p) / 1.1)
            cells.append(f"{difference_coverage(9 * n, lifted, n, p):.3f}")
        rows.append([f"{10 * n:,}", *cells])
    yield table(["n in all", *map(percent, SHARES)], rows)


def means(runs: int, seed: int) -> Iterator[str]:
    """Welch and the relative difference of heavy-tailed revenue."""
    yield "## Revenue per customer, two equal arms: Welch / relative difference\n"
    shares = (0.02, 0.1, 0.5, 1.0)
    rows = []
    for n in SIZES:
        cells = []
        for p in shares:
            held = plain(np.random.default_rng([seed, n, round(1_000 * p)]), runs, n, p)
            cells.append(f"{held.cell('Welch')} / {held.cell('relative')}")
        rows.append([f"{n:,}", *cells])
    yield table(["n in each arm", *(f"{percent(p)} buy" for p in shares)], rows)


def incremental(runs: int, seed: int) -> Iterator[str]:
    """The holdout estimate against a known truth."""
    yield "## Holdout of a tenth, 5 % of it buy, reminding makes it 6 %\n"
    cases = [
        ("equal order value", {}),
        ("order value 20 % higher when reminded", {"value": 1.2}),
        ("order value 20 % lower when reminded (a coupon)", {"value": 0.8}),
        ("a fifth of the holdout was reminded after all", {"reminded": 0.2}),
    ]
    names = ["orders", "Welch", "pooled", "as shown"]
    rows = []
    for text, case in cases:
        for buyers in (2, 10, 50, 200, 1_000):
            held = holdout(np.random.default_rng([seed, buyers]), runs, buyers, **case)
            rows.append([text, f"{buyers:,}", *map(held.cell, names)])
    yield table(["", "buyers in the holdout", *names], rows)


def looks(runs: int, seed: int) -> Iterator[str]:
    """False alarms of looking every day."""
    yield "## Two equal arms, 30 daily looks of 400 customers, 5 % buy: false alarms at 0.05\n"
    alarms = daily(np.random.default_rng(seed), runs)
    yield table(["", "false alarms"], [[name, f"{rate:.3f}"] for name, rate in alarms.items()])


def clusters(runs: int, seed: int) -> Iterator[str]:
    """Repeat customers."""
    yield "## Completion rate, customers with 2.5 checkouts each on average\n"
    names = ["attempts as if apart", "ratio of means", "clustered by customer"]
    rows = []
    for n in (20, 50, 400, 5_000):
        held = repeating(np.random.default_rng([seed, n]), runs, n)
        rows.append([f"{n:,}", *map(held.cell, names)])
    yield table(["customers", *names], rows)
    yield "\n## Two arms of such customers, without a difference\n"
    rows = []
    for share in (0.25, 0.05, 0.01):
        for n in (20, 50, 400, 5_000):
            held = repeating_arms(np.random.default_rng([seed, n]), runs, n, share)
            rows.append([f"{100 * share:g} %", f"{n:,}", *map(held.cell, names)])
    yield table(["buys", "customers in each arm", *names], rows)
    yield "\n## Change points where nothing changes\n"
    rows = []
    for said, repeat, reckoned in (
        ("one attempt a customer", False, True),
        ("2.5 attempts a customer", True, True),
        ("the same, taken as apart", True, False),
    ):
        random = np.random.default_rng([seed, 10])
        alarms = quiet_weeks(random, runs, repeat=repeat, reckoned=reckoned)
        rows.append([said, f"{alarms:.3f}"])
    yield table(["ten quiet weeks", "false alarms, at 0.05"], rows)


def horizon(runs: int, seed: int) -> Iterator[str]:
    """Abandonment at a horizon from a log that was cut."""
    names = ["in flight as abandoned", "only the older half", "Kaplan-Meier"]
    for text, newcomers in (
        ("a steady shop", 1.0),
        ("those of the last four days buy half as often", 0.5),
    ):
        truth = 1 - within_a_week(newcomers)
        yield f"\n## Abandonment within 7 days, a log of 14 days: {text}; truth {truth:.4f}\n"
        rows = []
        for n in SIZES:
            held = cut_log(np.random.default_rng([seed, n]), runs, n, newcomers=newcomers)
            cells = [f"{held.mean(name):.4f}, {held.cell(name)}" for name in names]
            rows.append([f"{n:,}", *cells, held.cell("early revenue")])
        yield table(
            ["n", *(f"{name}: mean, holds" for name in names), "early revenue: holds"], rows
        )


def better(runs: int, seed: int) -> Iterator[str]:
    """What a better step would bring, where nearly all get past the next one."""
    yield "## A better first step, half getting past it: orders more\n"
    shares = (0.5, 0.9, 0.98, 0.995)
    rows = []
    for n in (20, 50, 200, 1_000):
        cells = []
        for p in shares:
            held = better_step(np.random.default_rng([seed, n, round(1_000 * p)]), runs, n, p)
            cells.append(f"{held.cell('delta method')} / {held.cell('by Wilson')}")
        rows.append([f"{n:,}", *cells])
    yield table(["enter", *(f"{percent(p)} order" for p in shares)], rows)


def money(runs: int, seed: int) -> Iterator[str]:
    """Means of revenue by how many orders they come from."""
    yield "## Money from few orders\n"
    names = ["revenue per checkout", "difference, 9 to 1", "better step"]
    rows = []
    for orders in (2, 5, 10, 20, 50, 200):
        held = few_orders(np.random.default_rng([seed, orders]), runs, orders)
        rows.append([f"{orders}", *map(held.cell, names)])
    yield table(["orders", *names], rows)


def steady(runs: int, seed: int) -> Iterator[str]:
    """A step that works as well as ever: how often it is called worse."""
    yield "## A steady step: how often its latest four weeks are called worse than its best\n"
    rows = []
    for weeks in (8, 13, 26, 52, 104):
        alarms = steady_weeks(np.random.default_rng([seed, weeks]), runs, weeks)
        rows.append([f"{weeks}", *(f"{one:.3f}" for one in alarms)])
    yield table(["weeks", "as if there were no others", "the best of many"], rows)


def rest(runs: int, seed: int) -> Iterator[str]:
    """CUPED, medians, rate and mix; and plans."""
    yield "## Others\n"
    names = ["CUPED", "median", "rate", "mix"]
    rows = []
    for n in SIZES:
        held = other(np.random.default_rng([seed, n]), runs, n)
        rows.append([f"{n:,}", *map(held.cell, names)])
    yield table(["n", *names], rows)
    yield "\n## Plans (exact): how often the interval is off 0 at the planned size; asked for 0.8\n"
    rows = []
    for p1, p2, many in ((0.05, 0.06, 9), (0.05, 0.06, 1), (0.3, 0.33, 9), (0.02, 0.04, 9)):
        n, shown = planned(p1, p2, many)
        rows.append([f"{percent(p1)} to {percent(p2)}, {many} to 1", f"{n:,}", f"{shown:.3f}"])
    yield table(["", "holdout", "found"], rows)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000, help="of each simulation (2,000)")
    parser.add_argument("--seed", type=int, default=1927)
    parser.add_argument("--only", help="one table, by its function's name")
    options = parser.parse_args()
    simulated = (means, incremental, looks, clusters, horizon, better, money, steady, rest)
    parts = [(one.__name__, one) for one in (one_share, two_shares)]
    parts += [(one.__name__, lambda one=one: one(options.runs, options.seed)) for one in simulated]
    print(f"# Coverage, {options.runs:,} runs, seed {options.seed}\n")
    for name, part in parts:
        if options.only in {None, name}:
            began = time.process_time()
            for text in part():
                print(text, flush=True)
            print(f"\n{name}: {time.process_time() - began:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
