"""What a better step would bring."""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, log, sqrt

import attrs

from lastclick.metrics._distributions import two_sided
from lastclick.metrics._estimate import CONFIDENCE, Estimate
from lastclick.metrics._means import Moments
from lastclick.metrics._proportions import wilson


def step_value(
    reached: Sequence[int],
    order_value: Moments,
    *,
    step: int,
    added: float,
    rescued: float = 1.0,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Revenue that a step would bring if more got past it, all else being as it was.

    Revenue is R = N·A·Πp: entrants, mean order value, and the share p that gets past each step.
    Raising p_j by Δ adds m·R·Δ/p_j. The limits come of those of the parts, squared and added as
    logarithms: Wilson's of the shares of the other steps, since Δ is stated and p_j cancels, and
    A·exp(± z·s_A/(√n_A·A)) of the order value. So they do not meet where all got past. Zou, G. Y.
    and Donner, A. (2008), *Construction of confidence limits about effect measures: a general
    approach*, Statistics in Medicine 27, 1693-1702.

    Args:
        reached: How many reached each step, in order, and last how many ordered.
        order_value: Of the orders; its unit is that of the result.
        step: Which step, from 0.
        added: Δ, added to the share that gets past it; 0.02 is two points.
        rescued: m, how often those rescued here go on, beside those who get past by themselves:
            1 is as often, 0.5 half as often.
        confidence: Of the interval.
    """
    unknown = Estimate(confidence=confidence, method="step value", n=reached[0])
    if reached[-1] == 0:
        return attrs.evolve(unknown, reason="no orders")
    passed = reached[step + 1] / reached[step]
    if not 0 <= passed + added <= 1:
        why = f"a step that {passed:.3g} get past cannot change by {added:.3g}"
        return attrs.evolve(unknown, reason=why)
    mean = float(order_value.mean)
    value = rescued * reached[-1] * mean * added / passed
    known = attrs.evolve(
        unknown,
        estimate=value,
        assumes=f"those rescued buy {rescued:g} times as often as those who get past by themselves",
    )
    if order_value.n < 2 or mean <= 0:
        return attrs.evolve(known, reason="too few orders for an interval")
    z = two_sided(confidence)
    below = above = z**2 * float(order_value.variance) / (order_value.n * mean**2)
    for at, (here, further) in enumerate(pairwise(reached)):
        if at != step:
            least, most = wilson(further, here, confidence)
            below += log(further / here / least) ** 2
            above += log(most * here / further) ** 2
    low, high = sorted((value * exp(-sqrt(below)), value * exp(sqrt(above))))
    return attrs.evolve(known, low=low, high=high)
