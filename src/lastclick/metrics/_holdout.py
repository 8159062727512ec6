"""What reminding caused, by intention to treat: everybody assigned, whether reminded or not."""

import attrs

from lastclick.metrics._estimate import CONFIDENCE, Estimate
from lastclick.metrics._means import ENOUGH_BUYERS, Moments, welch
from lastclick.metrics._proportions import difference


def extra_orders(
    treated: tuple[int, int], holdout: tuple[int, int], confidence: float = CONFIDENCE
) -> Estimate:
    """Buyers whom the treated arm has because it was treated: Newcombe's difference x its size.

    Args:
        treated: Buyers, and customers in all, of the treated arm.
        holdout: The same of the holdout.
        confidence: Of the interval.
    """
    return difference(*treated, *holdout, confidence).times(treated[1], method="newcombe x treated")


def extra_revenue(
    treated: Moments,
    holdout: Moments,
    *,
    buyers: tuple[int, int],
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Revenue that the treated arm has because it was treated.

    From `ENOUGH_BUYERS` buyers in each arm by Welch. Below, the arms are taken to have one order
    value, and only the difference in buyers is estimated: simulations show that nothing else holds.

    Args:
        treated: Net revenue of each customer of the treated arm, buyers or not.
        holdout: The same of the holdout.
        buyers: How many bought, in the treated arm and in the holdout.
        confidence: Of the interval.
    """
    if min(buyers) >= ENOUGH_BUYERS:
        return welch(treated, holdout, confidence).times(treated.n, method="welch x treated")
    method = "newcombe x treated x pooled order value"
    bought = sum(buyers)
    if bought == 0:
        n = treated.n + holdout.n
        return Estimate(confidence=confidence, method=method, n=n, reason="nobody bought")
    value = (treated.total + holdout.total) / bought
    orders = extra_orders((buyers[0], treated.n), (buyers[1], holdout.n), confidence)
    return attrs.evolve(
        orders.times(value, method=method), assumes="equal order value in both arms"
    )


def incrementality(extra: Estimate, attributed: float) -> Estimate:
    """The part of what is credited to reminders that they caused; above 1 they caused more."""
    if attributed <= 0:
        why = "nothing is attributed"
        return Estimate(confidence=extra.confidence, method=extra.method, n=extra.n, reason=why)
    return extra.times(1 / attributed)
