"""Numbers that may be looked at every day: they hold at all looks together."""

from collections.abc import Sequence
from math import exp, lgamma, log, sqrt

import attrs

from lastclick.metrics._estimate import Estimate, HypothesisTest

#: Buyers in all arms before the first look: the sequence holds for large numbers.
FIRST_LOOK = 100

#: Shares of arms are tested against others about sqrt(share (1 - share) / 1000) away.
CONCENTRATION = 1_000


def confidence_sequence(one: Estimate, *, planned: int, buyers: int) -> Estimate:
    """An estimate with a standard error, with limits that hold at every look at once.

    The asymptotic confidence sequence: Waudby-Smith, I., Arbour, D., Sinha, R., Kennedy, E. H. and
    Ramdas, A. (2024), *Time-uniform central limit theory and asymptotic confidence sequences*,
    Annals of Statistics 52, 2613-2640; its boundary is the normal mixture of Howard, S. R., Ramdas,
    A., McAuliffe, J. and Sekhon, J. (2021), Annals of Statistics 49, 1055-1080.

    Args:
        one: A difference by `welch`, `cuped` or `ratio_difference`.
        planned: At how many customers, both arms together, it is to be tightest.
        buyers: In both arms together; nothing is said below `FIRST_LOOK` of them.

    Returns:
        Wider limits, and the p-value of this look; over several looks the smallest one holds.
    """
    method = f"{one.method}, at every look"
    unknown = Estimate(confidence=one.confidence, method=method, n=one.n)
    if buyers < FIRST_LOOK:
        return attrs.evolve(unknown, reason=f"fewer than {FIRST_LOOK} buyers in all")
    if one.estimate is None or one.standard_error is None:
        why = one.reason or f"{one.method} has no standard error; take a difference of means"
        return attrs.evolve(unknown, estimate=one.estimate, reason=why)
    n, error = one.n, one.standard_error
    alpha = 1 - one.confidence
    rho = mixture_width(planned, alpha)
    half = error * mixture_boundary(n, rho, alpha) / sqrt(n)
    evidence = log_mixture(one.estimate / error * sqrt(n), n, rho)
    return attrs.evolve(
        unknown,
        estimate=one.estimate,
        low=one.estimate - half,
        high=one.estimate + half,
        standard_error=error,
        p_value=exp(min(0.0, -evidence)),
    )


def mixture_width(planned: float, alpha: float) -> float:
    """The rho at which the boundary is tightest when as many were seen as planned."""
    twice = 2 * log(1 / alpha)
    return planned / (twice + log(1 + twice))


def mixture_boundary(n: float, rho: float, alpha: float) -> float:
    """What the sum of n standard normals exceeds, at any n, with chance alpha at most."""
    return sqrt((n + rho) * log((n + rho) / (rho * alpha**2)))


def log_mixture(total: float, n: float, rho: float) -> float:
    """The logarithm of the evidence in a sum of n standard normals that their mean is not 0."""
    return total**2 / (2 * (n + rho)) - log((n + rho) / rho) / 2


def sequential_sample_ratio(
    observed: Sequence[int], shares: Sequence[float], concentration: float = CONCENTRATION
) -> HypothesisTest:
    """Whether arms have the shares they were to have, for looking every day.

    The Bayes factor of a Dirichlet-multinomial around the shares against the shares themselves:
    Lindon, M. and Malek, A. (2022), *Anytime-valid inference for multinomial count data*, NeurIPS.
    Over several looks the smallest p-value holds.

    Args:
        observed: How many in each arm.
        shares: What each arm was to get; they need not add up to 1.
        concentration: Larger finds smaller faults later, and large ones no sooner.
    """
    n, whole = sum(observed), sum(shares)
    if n == 0:
        return HypothesisTest(method="sequential sample ratio", n=0, reason="nobody in any arm")
    evidence = lgamma(concentration) - lgamma(concentration + n)
    for number, share in zip(observed, shares, strict=True):
        theta = share / whole
        prior = concentration * theta
        evidence += lgamma(prior + number) - lgamma(prior) - number * log(theta)
    return HypothesisTest(
        statistic=evidence,
        p_value=exp(min(0.0, -evidence)),
        method="sequential sample ratio",
        n=n,
    )
