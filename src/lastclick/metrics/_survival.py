"""Times to an event where some are still waiting: nobody in flight is guessed.

Times are whole seconds in histograms: second -> how many. Events come before censorings at ties.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import exp, log, sqrt

import attrs

from lastclick.metrics._distributions import chi_square_tail, two_sided
from lastclick.metrics._estimate import CONFIDENCE, Estimate, HypothesisTest

Histogram = Mapping[int, int]

_METHOD = "kaplan-meier, log-log"


@attrs.frozen(kw_only=True)
class Curve:
    """The share that is still without an event, by time: Kaplan-Meier's estimate.

    Attributes:
        n: How many were followed.
        events: How many had the event.
        followed_to: The longest time in seconds that anyone was followed; None where nobody was.
        seconds: The times of events, ascending.
        survival: The share without an event just after each of them.
        greenwood: Greenwood's sum at each, the variance of the logarithm of the share; None where
            the share is 0.
        confidence: Of the limits.

    Example:
        >>> from lastclick.metrics import Curve
        >>> curve = Curve(
        ...     n=4, events=1, followed_to=90, seconds=(60,), survival=(0.75,), greenwood=(1 / 12,)
        ... )
        >>> print(curve.at(60))
        0.75 (0.128 to 0.961)

    .. versionadded:: 0.1.0
    """

    n: int
    events: int
    followed_to: int | None
    seconds: tuple[int, ...]
    survival: tuple[float, ...]
    greenwood: tuple[float | None, ...]
    confidence: float = CONFIDENCE

    def at(self, horizon: int) -> Estimate:
        """The share without an event up to and at a horizon, in seconds.

        Past the longest follow-up there is no estimate: nothing was seen there.

        Example:
            >>> from lastclick.metrics import Curve
            >>> Curve(n=2, events=0, followed_to=90, seconds=(), survival=(), greenwood=()).at(
            ...     91
            ... ).reason
            'nobody was followed for 91 s; the longest is 90 s'

        .. versionadded:: 0.1.0
        """
        unknown = Estimate(confidence=self.confidence, method=_METHOD, n=self.n)
        if self.followed_to is None:
            return attrs.evolve(unknown, reason="nobody was followed")
        if horizon > self.followed_to:
            why = f"nobody was followed for {horizon} s; the longest is {self.followed_to} s"
            return attrs.evolve(unknown, reason=why)
        place = bisect_right(self.seconds, horizon)
        if place == 0:
            return attrs.evolve(unknown, estimate=1.0, reason="no event so far, so no interval")
        share, spread = self.survival[place - 1], self.greenwood[place - 1]
        known = attrs.evolve(unknown, estimate=share)
        if spread is None:
            return attrs.evolve(known, reason="nobody is left, so no interval")
        low, high = self._limits(share, spread)
        return attrs.evolve(known, low=low, high=high, standard_error=share * sqrt(spread))

    def quantile(self, share: float) -> Estimate:
        """By when a share of all has had the event, in seconds: the curve read the other way.

        The limits are where those of the curve pass the same share: Brookmeyer, R. and Crowley, J.
        (1982), *A confidence interval for the median survival time*, Biometrics 38, 29-41.

        Example:
            >>> from lastclick.metrics import Curve
            >>> curve = Curve(
            ...     n=4,
            ...     events=1,
            ...     followed_to=90,
            ...     seconds=(60,),
            ...     survival=(0.75,),
            ...     greenwood=(1 / 12,),
            ... )
            >>> curve.quantile(0.25).estimate
            60.0

        .. versionadded:: 0.1.0
        """
        left = 1 - share
        unknown = Estimate(confidence=self.confidence, method=_METHOD, n=self.n)
        estimate = self._first(self.survival, left)
        if estimate is None:
            why = f"fewer than {100 * share:.3g} % had the event while they were followed"
            return attrs.evolve(unknown, reason=why)
        ends = [
            (None, None) if spread is None else self._limits(survival, spread)
            for survival, spread in zip(self.survival, self.greenwood, strict=True)
        ]
        low, high = (self._first(band, left) for band in zip(*ends, strict=True))
        why = "too few were followed so long for both ends"
        return attrs.evolve(
            unknown,
            estimate=estimate,
            low=low,
            high=high,
            reason=why if low is None or high is None else None,
        )

    def to_dict(self) -> dict[str, object]:
        """The curve as plain values, ready for JSON."""
        return attrs.asdict(self)

    def _limits(self, share: float, spread: float) -> tuple[float, float]:
        width = two_sided(self.confidence) * sqrt(spread) / abs(log(share))
        return share ** exp(width), share ** exp(-width)

    def _first(self, values: Sequence[float | None], level: float) -> float | None:
        """The earliest time at which a falling line is at or below a level."""
        for second, value in zip(self.seconds, values, strict=True):
            # A share that is a fraction of whole numbers may miss the level by its last digit.
            if value is not None and value <= level + 1e-12:
                return float(second)
        return None


def kaplan_meier(events: Histogram, censored: Histogram, confidence: float = CONFIDENCE) -> Curve:
    """The share without an event, by time.

    S(t) = Π(1 - d_i/n_i): Kaplan, E. L. and Meier, P. (1958), *Nonparametric estimation from
    incomplete observations*, JASA 53, 457-481. Greenwood's variance; log-log limits, which stay
    within 0 and 1: Kalbfleisch, J. D. and Prentice, R. L. (2002), 2nd ed., 1.4.

    Args:
        events: At how many seconds how many had the event.
        censored: At how many seconds how many were last seen without it.
        confidence: Of the limits.
    """
    n = left = sum(events.values()) + sum(censored.values())
    seconds, survival, greenwood = [], [], []
    share, spread = 1.0, 0.0
    times = [
        (second, had, gone)
        for second in sorted({*events, *censored})
        if (had := events.get(second, 0)) + (gone := censored.get(second, 0))
    ]
    for second, had, gone in times:
        if had:
            share *= (left - had) / left
            seconds.append(second)
            survival.append(share)
            if left > had:
                spread += had / (left * (left - had))
            greenwood.append(spread if left > had else None)
        left -= had + gone
    return Curve(
        n=n,
        events=sum(events.values()),
        followed_to=times[-1][0] if times else None,
        seconds=tuple(seconds),
        survival=tuple(survival),
        greenwood=tuple(greenwood),
        confidence=confidence,
    )


def log_rank(groups: Sequence[tuple[Histogram, Histogram]]) -> HypothesisTest:
    """Whether all groups have one curve: Mantel's log-rank test.

    Mantel, N. (1966), *Evaluation of survival data and two new rank order statistics arising in its
    consideration*, Cancer Chemotherapy Reports 50, 163-170; for k groups as in Klein, J. P. and
    Moeschberger, M. L. (2003), *Survival Analysis*, 2nd ed., 7.3.

    Args:
        groups: Events and censorings of each, as for `kaplan_meier`.
    """
    many = len(groups)
    at_risk = [sum(events.values()) + sum(censored.values()) for events, censored in groups]
    n = sum(at_risk)
    excess = [0.0] * many
    covariance = [[0.0] * many for _ in range(many)]
    times = sorted({second for group in groups for histogram in group for second in histogram})
    for second in times:
        had = [events.get(second, 0) for events, _ in groups]
        total, left = sum(had), sum(at_risk)
        if total and left > 1:
            scale = total * (left - total) / (left - 1) / left**2
            for i in range(many):
                excess[i] += had[i] - total * at_risk[i] / left
                for j in range(many):
                    same = left if i == j else 0
                    covariance[i][j] += scale * at_risk[i] * (same - at_risk[j])
        for i, (_, censored) in enumerate(groups):
            at_risk[i] -= had[i] + censored.get(second, 0)
    # Groups that met no other at an event say nothing; the rows of the rest add up to 0, so that
    # the last one says nothing new.
    telling = [i for i in range(many) if covariance[i][i] > 0][:-1]
    if not telling:
        why = "no event while members of two groups were still followed"
        return HypothesisTest(method="log-rank", n=n, reason=why)
    statistic = _quadratic([[*(covariance[i][j] for j in telling), excess[i]] for i in telling])
    return HypothesisTest(
        statistic=statistic,
        degrees=len(telling),
        p_value=chi_square_tail(statistic, len(telling)),
        method="log-rank",
        n=n,
    )


def _quadratic(rows: list[list[float]]) -> float:
    """Vector' · matrix⁻¹ · vector, of a covariance matrix with the vector as its last column."""
    total = 0.0
    for at in range(len(rows)):
        pivot = rows[at][at]
        # Those who met did so from the start, when all were followed: none is apart from the rest.
        assert pivot > 0
        total += rows[at][-1] ** 2 / pivot
        for below in range(at + 1, len(rows)):
            factor = rows[below][at] / pivot
            rows[below] = [
                mine - factor * up for mine, up in zip(rows[below], rows[at], strict=True)
            ]
    return total
