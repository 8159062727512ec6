"""A mean by a horizon, read early: those in flight are no zeros."""

from collections.abc import Mapping
from math import exp, sqrt

import attrs

from lastclick.metrics._distributions import two_sided
from lastclick.metrics._estimate import CONFIDENCE, Estimate
from lastclick.metrics._means import ENOUGH_BUYERS, Moments


def weighted_mean(
    bought: Mapping[int, Moments],
    without: Mapping[int, int],
    *,
    horizon: int,
    buyers: int | None = None,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Revenue per attempt within a horizon of its start, some attempts being younger than that.

    Each purchase counts 1/K, where K is the share that would have been followed up to it, by
    Kaplan-Meier of the times at which following ended. With a revenue of 1 it is 1 less the
    Kaplan-Meier curve, and with nobody in flight the plain mean. Estimate and variance: Bang, H.
    and Tsiatis, A. A. (2000), *Estimating medical costs with censored data*, Biometrika 87,
    329-343. The limits are m·exp(± z·se/m), which hold oftener than m ± z·se where the tail is
    heavy; there are none below `ENOUGH_BUYERS` purchases.

    Args:
        bought: By seconds from the start to the order, the revenue of those who bought then.
        without: By seconds, how many were last seen then without an order.
        horizon: In seconds.
        buyers: How many bought in the currency of the revenue, at most; None for all who bought.
        confidence: Of the interval.
    """
    n = sum(money.n for money in bought.values()) + sum(without.values())
    unknown = Estimate(confidence=confidence, method="inverse probability of censoring", n=n)
    longest = max((second for second in [*bought, *without]), default=None)
    if longest is None:
        return attrs.evolve(unknown, reason="nobody was followed")
    if longest < horizon:
        why = f"nobody was followed for {horizon} s; the longest is {longest} s"
        return attrs.evolve(unknown, reason=why)

    seen = 1.0  # K, the share that would have been followed so far
    left = n
    total = 0.0
    passed: list[tuple[float, Moments, int, int]] = []
    nothing = Moments(0, 0, 0)
    ended = {second: number for second, number in without.items() if second < horizon}
    for second in sorted({*ended, *(second for second in bought if second <= horizon)}):
        money, gone = bought.get(second, nothing), ended.get(second, 0)
        total += money.total / seen
        left -= money.n  # purchases come before censorings at ties
        passed.append((seen, money, gone, left))
        if gone:
            seen *= (left - gone) / left
            left -= gone
    mean = total / n

    # From the end to the start, so that at each censoring the sums are over those who went on.
    spread = left * mean**2 / seen if left else 0.0
    later = later_squares = 0.0
    for seen, money, gone, left in reversed(passed):
        if gone:
            # (1/K²)·(G(M²) - G(M)²) of the paper, with K just before and just after: so that with
            # a revenue of 1 the variance is Greenwood's.
            spread += gone / (left - gone) * (later_squares / seen - later**2 / left)
        later += money.total / seen
        later_squares += money.squares / seen
        spread += (money.squares - 2 * mean * money.total + mean**2 * money.n) / seen
    error = sqrt(max(spread, 0.0)) / n  # none may come out a last digit below 0
    known = attrs.evolve(unknown, estimate=mean, standard_error=error)
    if buyers is None:
        buyers = sum(money.n for _, money, _, _ in passed)
    if buyers < ENOUGH_BUYERS:
        why = f"fewer than {ENOUGH_BUYERS} bought, too few for an interval"
        return attrs.evolve(known, reason=why)
    if error == 0 or mean <= 0:
        return attrs.evolve(known, reason="no spread to judge by, or no revenue in all")
    factor = exp(two_sided(confidence) * error / mean)
    return attrs.evolve(known, low=mean / factor, high=mean * factor)
