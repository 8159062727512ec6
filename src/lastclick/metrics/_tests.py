"""Whether a split is sound, and which of many findings to believe."""

from collections.abc import Sequence

from lastclick.metrics._distributions import chi_square_tail
from lastclick.metrics._estimate import HypothesisTest

#: Below this a split is called broken: an honest one is so once in a thousand looks.
ALARM = 0.001

#: Chi-square is no good approximation below so many expected.
_EXPECTED = 5


def sample_ratio(observed: Sequence[int], shares: Sequence[float]) -> HypothesisTest:
    """Whether arms have the shares they were to have, by chi-square; for one look.

    Fabijan, A. et al. (2019), *Diagnosing sample ratio mismatch in online controlled experiments*,
    KDD '19, 2156-2164. A broken split (p below `ALARM`) makes every result void.

    Args:
        observed: How many in each arm.
        shares: What each arm was to get; they need not add up to 1.
    """
    n, whole = sum(observed), sum(shares)
    expected = [n * share / whole for share in shares]
    if min(expected) < _EXPECTED:
        why = f"fewer than {_EXPECTED} expected in an arm"
        return HypothesisTest(method="sample ratio", n=n, reason=why)
    statistic = sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True))
    degrees = len(expected) - 1
    return HypothesisTest(
        statistic=statistic,
        degrees=degrees,
        p_value=chi_square_tail(statistic, degrees),
        method="sample ratio",
        n=n,
    )


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """The p-values, adjusted for how many they are, in the same order.

    Of those at or below q, a share q at most is expected to be false alarms. Benjamini, Y. and
    Hochberg, Y. (1995), *Controlling the false discovery rate*, JRSS B 57, 289-300.
    """
    many = len(p_values)
    by_size = sorted(range(many), key=lambda at: p_values[at], reverse=True)
    adjusted = [1.0] * many
    least = 1.0
    for above, at in enumerate(by_size):
        least = min(least, p_values[at] * (many / (many - above)))
        adjusted[at] = least
    return adjusted
