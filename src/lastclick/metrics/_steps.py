"""The steps: where shoppers stop, whether a step works, and how well."""

from collections.abc import Collection, Mapping
from datetime import date, timedelta

import attrs

from lastclick.metrics._counts import Key
from lastclick.metrics._estimate import CONFIDENCE, Estimate
from lastclick.metrics._proportions import difference
from lastclick.metrics._rates import Rate, rate

#: Over how many weeks a step is judged, against as many of its own.
WEEKS = 4
#: Fewer attempts than these make no best weeks.
ENOUGH = 30


@attrs.frozen
class Surprise:
    """Attempts that were shown a total at a step, by how much it was above the first one shown.

    Attributes:
        above: From how many per cent above the first total, exclusive; None for no surprise.
        up_to: Up to how many per cent, inclusive; None for the last band.
        attempts: Attempts shown such a total here.
        left: Of them, the share that got no deeper and did not order.

    Example:
        >>> from lastclick import measure
        >>> [(one.above, one.attempts) for one in measure(events).steps["payment"].surprises]
        [(5, 1)]

    .. versionadded:: 0.1.0
    """

    above: int | None
    up_to: int | None
    attempts: int
    left: Rate


@attrs.frozen
class PassRate:
    """How well a step works: its latest four weeks beside the best four that it ever had.

    Attributes:
        latest: The share that went on from it, in the latest four weeks.
        best: The same in its best four weeks in a row; they are the best of many, so that some of
            the gap is luck.
        best_since: The Monday on which those begin.
        gap: The best less the latest; its limits hold for the best of all weeks before.
        reason: Why there is none, where there are fewer than four weeks, or too few attempts.

    Example:
        >>> from lastclick import measure
        >>> measure(events).steps["payment"].works_well.reason
        'fewer than four weeks'

    .. versionadded:: 0.1.0
    """

    latest: Rate
    best: Rate
    best_since: date | None
    gap: Estimate
    reason: str | None


def surprises(total: Mapping[Key, int], step: str, bands: Collection[int]) -> tuple[Surprise, ...]:
    """How much larger the total was than the first one shown, by band.

    Args:
        total: What was counted.
        step: Which step.
        bands: Upper ends of the bands, in per cent, ascending; the last stands for no end.
    """
    ends = [*bands]
    starts = [None, *ends]
    found = []
    for above, up_to in zip(starts, ends, strict=False):
        attempts = total.get(("surprise", step, up_to), 0)
        if attempts:
            left = rate(total.get(("surprise_left", step, up_to), 0), attempts)
            found.append(Surprise(above, None if up_to == ends[-1] else up_to, attempts, left))
    return tuple(found)


def pass_rate(by_week: Mapping[date, tuple[int, int]] | None) -> PassRate:
    """The latest and the best four weeks.

    Args:
        by_week: By its Monday, how many went on, and how many reached the step; None for a period,
            which has no weeks before it.
    """
    if by_week is None:
        return _no_pass_rate("a period has no weeks before it: ask the whole report or a group")
    weeks = sorted(by_week)
    last = timedelta(weeks=WEEKS - 1)
    if not weeks or weeks[-1] - weeks[0] < last:
        return _no_pass_rate("fewer than four weeks")
    newest = weeks[-1] - last
    # Not every week of the calendar: a clock may be centuries off.
    starts = {
        week - min(timedelta(weeks=n), week - weeks[0]) for week in weeks for n in range(WEEKS)
    }
    windows: dict[date, Rate] = {}
    for since in {min(start, newest) for start in starts}:
        parts = [by_week.get(since + timedelta(weeks=n), (0, 0)) for n in range(WEEKS)]
        windows[since] = rate(sum(x for x, _ in parts), sum(n for _, n in parts))
    latest = windows[newest]
    usable = {day: one for day, one in windows.items() if one.denominator >= ENOUGH}
    if not usable or latest.denominator < ENOUGH:
        return _no_pass_rate(f"fewer than {ENOUGH} attempts in four weeks")
    best_since = max(usable, key=lambda day: (usable[day].estimate or 0.0, day))
    best = usable[best_since]
    many = sum(day + last < newest for day in usable)
    counts = (best.numerator, best.denominator, latest.numerator, latest.denominator)
    # The best of many is partly luck: limits that hold for all of them (Bonferroni).
    gap = difference(*counts, 1 - (1 - CONFIDENCE) / max(many, 1))
    chance = None if gap.p_value is None else min(1.0, gap.p_value * many)
    method = gap.method if many < 2 else f"{gap.method}, the best of {many}"
    gap = attrs.evolve(gap, confidence=CONFIDENCE, method=method, p_value=chance)
    if best_since + last >= newest:
        why = "the best weeks and the latest ones overlap"
        gap = attrs.evolve(gap, low=None, high=None, p_value=None, reason=why)
    return PassRate(latest, best, best_since, gap, None)


def _no_pass_rate(why: str) -> PassRate:
    nothing = attrs.evolve(rate(0, 0), reason=why)
    return PassRate(nothing, nothing, None, Estimate(method="newcombe", n=0, reason=why), why)
