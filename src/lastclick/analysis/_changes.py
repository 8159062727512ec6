"""When a rate changed: change points, with how often they are false alarms."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

import attrs

from lastclick.errors import ConfigError
from lastclick.metrics import Estimate, Rate, Report, rate
from lastclick.metrics._clustered import APART, design_effect, effective_difference
from lastclick.metrics._plain import Plain

#: A stretch with fewer attempts is no stretch to compare.
_ENOUGH = 30


@attrs.frozen(kw_only=True)
class Change(Plain):
    """A day from which on a rate was another.

    Attributes:
        since: The first day of the first period of the new rate.
        before: The rate in the stretch before it.
        after: The rate in the stretch from it on.
        more: After less before, of as many fewer attempts as ``design_effect`` says. Its limits are
            too narrow: the day was chosen where the difference is largest.
        p_value: The chance of a difference as large at any day of the stretch, if there were no
            change in it.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import changes
        >>> changes(measure(events)).points
        ()

    .. versionadded:: 0.1.0
    """

    since: date
    before: Rate
    after: Rate
    more: Estimate
    p_value: float


@attrs.frozen(kw_only=True)
class Changes(Plain):
    """The changes of a rate over time.

    Attributes:
        points: By day.
        periods: How many periods were looked at.
        false_alarms: If nothing ever changed, the chance that there is a point all the same, at
            most. That attempts of one customer hang together is reckoned with; that those of a
            campaign or a week do is not, and makes alarms more frequent.
        design_effect: By how much attempts were taken to be fewer, for their customers' sake.
        reason: Why there can be no point, None where there can.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.analysis import changes
        >>> changes(measure(events), "month").reason
        'fewer than two months'

    .. versionadded:: 0.1.0
    """

    points: tuple[Change, ...]
    periods: int
    false_alarms: float
    design_effect: float
    reason: str | None


def changes(
    report: Report,
    every: Literal["day", "week", "month"] = "week",
    *,
    step: str | None = None,
    false_alarms: float = 0.05,
) -> Changes:
    """Find the days from which on the abandonment rate, or a step's drop-off rate, was another.

    Each possible day is tried, and its p-value multiplied by how many were tried; the stretches on
    both sides of a change are searched again. The periods that are not decided yet say little, so
    end the report where attempts had their time.

    Args:
        report: Of as long a time as there is.
        every: The length of a period; by the day, weekends look like changes.
        step: Whose drop-off rate; None takes the abandonment rate.
        false_alarms: The chance of a false alarm that is borne.

    Raises:
        ConfigError: A setting cannot be used.

    Example:
        >>> from lastclick import measure
        >>> changes(measure(events), "day", step="payment").periods
        2

    .. versionadded:: 0.1.0
    """
    given: object = false_alarms
    if not isinstance(given, int | float) or not 0 < given < 1:
        raise ConfigError(f"false_alarms is {false_alarms!r:.50}; pass a chance, such as 0.05")
    names = [one.name for one in report.steps]
    if step is not None and step not in names:
        raise ConfigError(f"no step {step!r:.100}; this funnel has {', '.join(names)}")
    series = [
        (date.fromisoformat(day), one.numerator, one.denominator)
        for day, period in report.trend(every).items()
        for one in (period.abandonment_rate if step is None else period.steps[step].drop_off_rate,)
    ]
    reason = f"fewer than two {every}s" if len(series) < 2 else None
    effect = design_effect(report._completed())
    assumes = APART if report._span is None else None
    points = sorted(_search(series, false_alarms, effect), key=lambda point: point.since)
    return Changes(
        points=tuple(_told(series, points, effect, assumes)),
        periods=len(series),
        false_alarms=false_alarms,
        design_effect=effect,
        reason=reason,
    )


_Series = Sequence[tuple[date, int, int]]


def _search(series: _Series, alpha: float, effect: float) -> list[Change]:
    best: Change | None = None
    at = 0
    tried = 0
    for place in range(1, len(series)):
        before, after = _sum(series[:place]), _sum(series[place:])
        if min(before.denominator, after.denominator) < _ENOUGH:
            continue
        tried += 1
        more = _more(before, after, effect)
        p = 1.0 if more.p_value is None else more.p_value
        if best is None or p < best.p_value:
            at = place
            best = Change(since=series[place][0], before=before, after=after, more=more, p_value=p)
    if best is None or best.p_value * tried > alpha:
        return []
    found = attrs.evolve(best, p_value=best.p_value * tried)
    return [found, *_search(series[:at], alpha, effect), *_search(series[at:], alpha, effect)]


def _told(
    series: _Series, points: Sequence[Change], effect: float, assumes: str | None
) -> list[Change]:
    """Each change between the stretches on its two sides, as they are when all are known."""
    told = []
    days = [point.since for point in points]
    for number, point in enumerate(points):
        since = days[number - 1] if number else date.min
        until = days[number + 1] if number + 1 < len(days) else date.max
        before = _sum([one for one in series if since <= one[0] < point.since])
        after = _sum([one for one in series if point.since <= one[0] < until])
        more = attrs.evolve(_more(before, after, effect), assumes=assumes)
        told.append(attrs.evolve(point, before=before, after=after, more=more))
    return told


def _sum(series: _Series) -> Rate:
    return rate(sum(x for _, x, _ in series), sum(n for _, _, n in series))


def _more(before: Rate, after: Rate, effect: float) -> Estimate:
    counts = (after.numerator, after.denominator, before.numerator, before.denominator)
    return effective_difference(*counts, effect=effect)
