"""After how much idling a checkout is over: what the log says, instead of a guess."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import attrs

from lastclick._fold import Fold, Law, fold, remaining
from lastclick._gather import (
    EXCLUDE,
    Chosen,
    Events,
    as_instant,
    excluded_values,
    gather,
    law_of,
)
from lastclick._rows import CLICKED, ENTERED, FAILED, ORDERED, SENT, Rows
from lastclick.errors import ConfigError
from lastclick.metrics import Rate, rate
from lastclick.metrics._plain import Plain

_SECOND = 1_000_000
_ACTIVITY = {ENTERED, FAILED, CLICKED, ORDERED}
#: The times that a curve is drawn at.
_TIMES = tuple(
    timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440, 4320)
)
#: With fewer attempts idle for as long, a share says little.
_ENOUGH = 30


@attrs.frozen
class Idle(Plain):
    """Attempts that were idle for at least some time.

    Attributes:
        after: The time.
        bought: Of these attempts, the share that ordered afterwards, unaided.

    Example:
        >>> from lastclick.analysis import suggest_abandon_after
        >>> found = suggest_abandon_after(events, as_of=now)
        >>> print(found.curve[0].after, found.curve[0].bought.denominator)
        0:01:00 2

    .. versionadded:: 0.1.0
    """

    after: timedelta
    bought: Rate


@attrs.frozen(kw_only=True)
class AbandonAfter(Plain):
    """After how much idling attempts do not come back by themselves.

    Attributes:
        suggested: The shortest time after which at most ``share`` still buy; None without one.
        share: What is borne: a tenth, unless you said otherwise.
        curve: By time, how many were idle for so long, and the share of them that still bought.
        attempts: How many it rests on.
        reminded: Attempts that were reminded, left out: what they do is not unaided.
        too_young: Attempts begun within ``recover_within``, left out: they may still come back.
        reason: Why nothing is suggested.

    Example:
        >>> from lastclick.analysis import suggest_abandon_after
        >>> suggest_abandon_after(events, as_of=now).reason
        'fewer than 30 attempts'

    .. versionadded:: 0.1.0
    """

    suggested: timedelta | None
    share: float
    curve: tuple[Idle, ...]
    attempts: int
    reminded: int
    too_young: int
    reason: str | None


def suggest_abandon_after(
    events: Events,
    funnel: Chosen = None,
    *,
    share: float = 0.1,
    as_of: datetime | None = None,
    exclude: Mapping[str, Sequence[str | int | bool | None]] = EXCLUDE,
    recover_within: timedelta | None = None,
) -> AbandonAfter:
    """Suggest an ``abandon_after``: the idling after which few still buy by themselves.

    Args:
        events: Events, or a log from `read_log`.
        funnel: Which funnel, as for `measure`.
        share: How many of those idle for so long may still buy: a tenth.
        as_of: The instant, as for `measure`.
        exclude: As for `measure`.
        recover_within: Instead of the definition's; attempts begun since then are left out.

    Raises:
        ConfigError: A setting cannot be used.

    Example:
        >>> found = suggest_abandon_after(events, as_of=now)
        >>> found.attempts, found.too_young
        (2, 1)

    .. versionadded:: 0.1.0
    """
    if type(share) is not float or not 0 < share < 1:
        raise ConfigError(f"share is {share!r:.50}; pass a share above 0 and below 1, such as 0.1")
    chosen = as_instant(as_of)
    gathered = gather(events, funnel, Rows(None, (), dict(excluded_values(exclude))))
    law = law_of(gathered.declaration, None, recover_within)
    until = gathered.latest if chosen is None else chosen
    bought: dict[int, int] = {}
    left: dict[int, int] = {}
    reminded = too_young = 0
    for group in gathered.by_checkout.drained():
        rows, _ = remaining(group, -1 if until is None else until)
        it = fold(rows, law, until or 0) if rows else None
        if it is None or it.start is None or not it.first or until is None:
            continue
        if until - it.start <= law.recover_within:
            too_young += 1
        elif _was_reminded(it):
            reminded += 1
        else:
            times = left if it.order_at is None else bought
            seconds = _longest(it, law, until)
            times[seconds] = times.get(seconds, 0) + 1
    gathered.close()
    attempts = sum(bought.values()) + sum(left.values())
    suggested = _smallest(bought, left, share)
    reason = None
    if attempts < _ENOUGH:
        suggested, reason = None, f"fewer than {_ENOUGH} attempts"
    elif suggested is None:
        reason = f"more than {100 * share:g} % still buy, however long they were idle"
    return AbandonAfter(
        suggested=None if suggested is None else timedelta(seconds=suggested),
        share=share,
        curve=tuple(
            Idle(time, _at(bought, left, time // timedelta(seconds=1)))
            for time in _TIMES
            if time // timedelta(microseconds=1) <= law.recover_within
        ),
        attempts=attempts,
        reminded=reminded,
        too_young=too_young,
        reason=reason,
    )


def _was_reminded(it: Fold) -> bool:
    end = it.order_at
    return any(row[1] in (SENT, CLICKED) and (end is None or row[0] <= end) for row in it.rows)


def _longest(it: Fold, law: Law, until: int) -> int:
    """The longest it was idle before the order or now, in whole seconds, recover_within at most."""
    assert it.start is not None
    end = until if it.order_at is None else it.order_at
    times = [row[0] for row in it.rows if row[1] in _ACTIVITY and it.start <= row[0] <= end]
    gap = max((b - a for a, b in pairwise(sorted([*times, end]))), default=0)
    return min(gap, law.recover_within) // _SECOND


def _at(bought: Mapping[int, int], left: Mapping[int, int], seconds: int) -> Rate:
    came, gone = (
        sum(number for gap, number in times.items() if gap >= seconds) for times in (bought, left)
    )
    return rate(came, came + gone)


def _smallest(bought: Mapping[int, int], left: Mapping[int, int], share: float) -> int | None:
    """The shortest time after which the share is not above what is borne.

    The share falls only just after a time at which somebody bought. It is taken where enough were
    idle for so long.
    """
    came, gone = sum(bought.values()), sum(left.values())
    gaps = sorted({*bought, *left})
    seconds = 0
    for gap in gaps:
        if came + gone < _ENOUGH:
            return None
        if came <= share * (came + gone):
            return seconds
        came -= bought.get(gap, 0)
        gone -= left.get(gap, 0)
        seconds = gap + 1
    return None
