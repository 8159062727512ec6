"""Where to begin: steps and segments by the money that they lose."""

from collections.abc import Mapping
from typing import Any

import attrs

from lastclick._money import Money
from lastclick.errors import ConfigError
from lastclick.metrics import Estimate, Rate, Report, rate
from lastclick.metrics._clustered import (
    chance_of_difference,
    design_effect,
)
from lastclick.metrics._plain import Plain
from lastclick.metrics._proportions import difference
from lastclick.metrics._summary import main_currency
from lastclick.metrics._tests import benjamini_hochberg

#: A segment with fewer attempts at a step is not told of: anybody could be recognised, and luck is
#: larger than anything else.
SMALLEST = 30
#: Of the segments called worse than the others, at most this share is expected not to be.
FALSE_DISCOVERIES = 0.05


@attrs.frozen(kw_only=True)
class Priority(Plain):
    """A step, of all shoppers or of a segment, and what it loses.

    Attributes:
        step: Which step.
        owner: Who answers for it.
        segment: The value of the report's attributes; None with ``whole`` for all.
        whole: Whether it is about all shoppers.
        reached: Attempts that got to the step.
        dropped: Those that got no further and did not order.
        drop_off_rate: The share of these.
        elsewhere: The same of all other segments; None where it is about all, and where the others
            are themselves fewer than ``smallest``.
        worse: How much larger the share is than elsewhere; None likewise. Where customers have
            several attempts it takes these as apart from each other, and ``assumes`` says so.
        adjusted_p: The chance of such a difference if there were none, adjusted for how many
            segments were looked at, and for customers with several attempts; None likewise.
        stands_out: Whether it is worse than elsewhere, by this.
        at_most: Carts dropped here, by currency.
        expected: What such carts bring on average, by currency: what rows are ranked by.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import priorities
        >>> first = priorities(measure(events)).rows[0]
        >>> first.step, str(first.expected["EUR"])
        ('payment', 'EUR 60.00')

    .. versionadded:: 0.1.0
    """

    step: str
    owner: str | None
    segment: Any
    whole: bool
    reached: int
    dropped: int
    drop_off_rate: Rate
    elsewhere: Rate | None
    worse: Estimate | None
    adjusted_p: float | None
    stands_out: bool
    at_most: Mapping[str, Money]
    expected: Mapping[str, Money]


@attrs.frozen(kw_only=True)
class Priorities(Plain):
    """Steps and segments, the dearest first.

    Attributes:
        rows: What was found; all steps, and the segments of each that are large enough.
        currency: The currency of the ranking: the one in which most is known.
        scanned: How many segments of steps were compared with the others.
        too_small: How many were left out, with fewer attempts than ``smallest``.
        smallest: The smallest segment that is told of.
        false_discoveries: Of the rows that stand out, at most this share is expected not to be
            worse.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import priorities
        >>> found = priorities(measure(events, by="device"))
        >>> found.currency, found.scanned, found.too_small
        ('EUR', 0, 4)

    .. versionadded:: 0.1.0
    """

    rows: tuple[Priority, ...]
    currency: str | None
    scanned: int
    too_small: int
    smallest: int
    false_discoveries: float


def priorities(report: Report, *, smallest: int = SMALLEST) -> Priorities:
    """Rank steps, and segments at each step, by the money that they lose.

    Args:
        report: With ``by=`` for segments.
        smallest: Segments with fewer attempts at a step are left out and counted; 30 or more. The
            others that a segment stands beside are as many, too.

    Raises:
        ConfigError: ``smallest`` is below 30.

    Example:
        >>> from lastclick import measure
        >>> [row.step for row in priorities(measure(events)).rows]
        ['payment', 'cart']

    .. versionadded:: 0.1.0
    """
    if type(smallest) is not int or smallest < SMALLEST:
        raise ConfigError(f"smallest is {smallest!r:.100}; pass a whole number from {SMALLEST} on")
    currency = main_currency(report)
    found: list[Priority] = [
        _row(report, step.name, None, whole=True, elsewhere=None) for step in report.steps
    ]
    segments: list[Priority] = []
    too_small = 0
    for value, group in report.groups.items():
        for step in group.steps:
            if step.reached < smallest:
                too_small += 1
                continue
            all_of_it = report.steps[step.name]
            others = all_of_it.reached - step.reached
            elsewhere = None
            if others >= smallest:  # else the others could be a group that is not shown
                elsewhere = rate(all_of_it.dropped - step.dropped, others)
            segments.append(_row(group, step.name, value, whole=False, elsewhere=elsewhere))
    effect = design_effect(report._completed())
    known = [_chance(row, effect) for row in segments]
    segments = [_said(row, report._apart()) for row in segments]
    adjusted = iter(benjamini_hochberg([p for p in known if p is not None]))
    for row, p in zip(segments, known, strict=True):
        if p is None or row.worse is None or row.worse.estimate is None:
            found.append(row)
            continue
        fair = next(adjusted)
        worse = row.worse.estimate > 0 and fair <= FALSE_DISCOVERIES
        found.append(attrs.evolve(row, adjusted_p=fair, stands_out=worse))

    def size(row: Priority) -> tuple[Any, ...]:
        money = row.expected.get(currency or "")
        return (0 if money is None else -money.units, -row.dropped, not row.whole)

    return Priorities(
        rows=tuple(sorted(found, key=size)),
        currency=currency,
        scanned=sum(p is not None for p in known),
        too_small=too_small,
        smallest=smallest,
        false_discoveries=FALSE_DISCOVERIES,
    )


def _chance(row: Priority, effect: float) -> float | None:
    if row.elsewhere is None or row.worse is None or row.worse.p_value is None:
        return None
    other = (row.elsewhere.numerator, row.elsewhere.denominator)
    return chance_of_difference(row.dropped, row.reached, *other, effect=effect)


def _said(row: Priority, apart: str | None) -> Priority:
    if row.worse is None or row.worse.low is None:
        return row
    return attrs.evolve(row, worse=attrs.evolve(row.worse, assumes=apart))


def _row(
    report: Report, name: str, segment: Any, *, whole: bool, elsewhere: Rate | None
) -> Priority:
    step = report.steps[name]
    worse = None
    if elsewhere is not None:
        other = (elsewhere.numerator, elsewhere.denominator)
        worse = difference(step.dropped, step.reached, *other)
    return Priority(
        step=name,
        owner=step.owner,
        segment=segment,
        whole=whole,
        reached=step.reached,
        dropped=step.dropped,
        drop_off_rate=step.drop_off_rate,
        elsewhere=elsewhere,
        worse=worse,
        adjusted_p=None,
        stands_out=False,
        at_most={currency: loss.at_most for currency, loss in step.lost.items()},
        expected={currency: loss.expected for currency, loss in step.lost.items()},
    )
