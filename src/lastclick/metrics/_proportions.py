"""Intervals for one share, and for the difference of two."""

from math import erfc, sqrt

from lastclick.metrics._distributions import two_sided
from lastclick.metrics._estimate import CONFIDENCE, Estimate


def wilson(x: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The score interval of x out of n, which must not be 0.

    Wilson, E. B. (1927), *Probable inference, the law of succession, and statistical inference*,
    JASA 22, 209-212. Both ends are exact where nobody did, or all.
    """
    z = two_sided(confidence)
    z2 = z * z
    share = x / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return 0.0 if x == 0 else middle - half, 1.0 if x == n else middle + half


def agresti_coull(x: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The adjusted Wald interval of x out of n; its ends may lie outside 0 to 1: clip when shown.

    Wider than Wilson's, and so on the safe side where shares are tiny. Agresti, A. and Coull, B. A.
    (1998), *Approximate is better than "exact"*, The American Statistician 52, 119-126.
    """
    z = two_sided(confidence)
    padded = n + z * z
    middle = (x + z * z / 2) / padded
    half = z * sqrt(middle * (1 - middle) / padded)
    return middle - half, middle + half


def difference(x1: int, n1: int, x2: int, n2: int, confidence: float = CONFIDENCE) -> Estimate:
    """How much larger the first share is than the second, with Newcombe's hybrid score interval.

    Newcombe, R. G. (1998), *Interval estimation for the difference between independent
    proportions*, Statistics in Medicine 17, 873-890, method 10. The p-value is that of Pearson's
    chi-square without correction, None where both shares are 0 or both are 1.
    """
    method = "newcombe"
    if n1 == 0 or n2 == 0:
        why = "nobody in one of the two"
        return Estimate(confidence=confidence, method=method, n=n1 + n2, reason=why)
    p1, p2 = x1 / n1, x2 / n2
    low, high = newcombe(p1, n1, p2, n2, confidence)
    return Estimate(
        estimate=p1 - p2,
        low=low,
        high=high,
        confidence=confidence,
        method=method,
        n=n1 + n2,
        p_value=_score_test(x1, n1, x2, n2),
    )


def newcombe(
    p1: float, n1: float, p2: float, n2: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The limits of p1 - p2, each a share of as many."""
    low1, high1 = wilson(p1 * n1, n1, confidence)
    low2, high2 = wilson(p2 * n2, n2, confidence)
    return (
        p1 - p2 - sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2),
        p1 - p2 + sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2),
    )


def _score_test(x1: int, n1: int, x2: int, n2: int) -> float | None:
    pooled = (x1 + x2) * (n1 + n2 - x1 - x2)
    if pooled == 0:
        return None
    # z² = N (x1 n2 - x2 n1)² / (n1 n2 · pooled), in whole numbers; p = 2 · tail(|z|)
    square = (n1 + n2) * (x1 * n2 - x2 * n1) ** 2 / (n1 * n2 * pooled)
    return erfc(sqrt(square / 2))
