"""Rates: shares with their numerator, denominator and interval."""

from html import escape

import attrs

from lastclick.metrics._estimate import CONFIDENCE
from lastclick.metrics._proportions import wilson


@attrs.frozen
class Rate:
    """A share and what it rests on.

    Attributes:
        numerator: How many did.
        denominator: Out of how many.
        estimate: The share, from 0 to 1; None where nothing was there to count.
        low: Lower end of the interval, None likewise.
        high: Upper end of the interval, None likewise.
        confidence: Of the interval.
        method: How the interval was made.
        reason: Why there is no estimate, None where there is one.

    Example:
        >>> from lastclick.metrics import rate
        >>> print(rate(520, 976))
        53.3 % (50.1 to 56.4)
        >>> print(rate(0, 0))
        -

    .. versionadded:: 0.1.0
    """

    numerator: int
    denominator: int
    estimate: float | None
    low: float | None
    high: float | None
    confidence: float = CONFIDENCE
    method: str = "wilson"
    reason: str | None = None

    def __str__(self) -> str:
        if self.estimate is None or self.low is None or self.high is None:
            return "-"
        return f"{100 * self.estimate:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"

    def _repr_html_(self) -> str:
        if self.estimate is None:
            return f"<span>- ({escape(self.reason or '')})</span>"
        share, _, limits = str(self).partition(" (")
        of = f"{self.numerator:,} of {self.denominator:,}"
        how = escape(f"{100 * self.confidence:g} % {self.method}")
        return f"<span><b>{share}</b> ({limits}, {of}, {how}</span>"

    def to_dict(self) -> dict[str, object]:
        """The rate as plain values, ready for JSON."""
        return attrs.asdict(self)


def rate(numerator: int, denominator: int) -> Rate:
    """A share with its Wilson score interval of 95 %.

    ``(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)``; source: Wilson, E. B. (1927),
    *Probable inference, the law of succession, and statistical inference*, JASA 22, 209-212.

    Args:
        numerator: How many did, from 0 to the denominator.
        denominator: Out of how many.

    Returns:
        The rate; without an estimate, and with a reason, where the denominator is 0.

    Example:
        >>> from lastclick.metrics import rate
        >>> rate(1, 4).estimate
        0.25

    .. versionadded:: 0.1.0
    """
    if denominator == 0:
        return Rate(numerator, 0, None, None, None, reason="nothing to divide by")
    low, high = wilson(numerator, denominator)
    return Rate(numerator, denominator, numerator / denominator, low, high)
