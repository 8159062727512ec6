"""Settings of delivery: how much at once, how long to try, how long to wait for an answer."""

from collections.abc import Callable
from datetime import timedelta

import attrs

from lastclick.errors import ConfigError, shown

#: A line of a log is at most 32 KiB, and dead letters add a reason.
_LEAST_BYTES = 64 * 1024


def _above_zero(instance: object, field: "attrs.Attribute[timedelta]", value: object) -> None:
    if not isinstance(value, timedelta) or value <= timedelta(0):
        name = f"{field.name} of {type(instance).__name__}"
        raise ConfigError(f"{name} is {shown(value)}; pass a timedelta above zero")


def _at_least(least: int) -> "Callable[[object, attrs.Attribute[int], object], None]":
    def check(instance: object, field: "attrs.Attribute[int]", value: object) -> None:
        if type(value) is not int or value < least:
            name = f"{field.name} of {type(instance).__name__}"
            raise ConfigError(f"{name} is {shown(value)}; pass a whole number of {least:,} or more")

    return check


@attrs.frozen
class Batch:
    """How much is sent at once, and when.

    Args:
        events: At most so many events in a request.
        bytes: At most so many bytes of lines, before compression; 65,536 or more.
        age: Events wait for others for so long at most.

    Raises:
        ConfigError: A setting cannot be used; the message names it.

    Example:
        >>> from datetime import timedelta
        >>> Batch(events=100).age == timedelta(seconds=1)
        True

    .. versionadded:: 0.1.0
    """

    events: int = attrs.field(default=500, validator=_at_least(1), kw_only=True)
    bytes: int = attrs.field(default=1_000_000, validator=_at_least(_LEAST_BYTES), kw_only=True)
    age: timedelta = attrs.field(default=timedelta(seconds=1), validator=_above_zero, kw_only=True)


@attrs.frozen
class Retry:
    """How long a receiver that fails is tried again.

    The wait after the n-th failure in a row is drawn between 0 and ``first`` x 2^(n-1), at most
    ``most``; what the receiver asks for in ``Retry-After`` is the least, an hour at most.

    Args:
        first: The longest wait after the first failure.
        most: The longest wait at all.
        budget: An event that failed for so long, while it was its turn, goes to the dead letters.

    Raises:
        ConfigError: A setting cannot be used; the message names it.

    Example:
        >>> from datetime import timedelta
        >>> Retry(budget=timedelta(hours=72)).budget.days
        3

    .. versionadded:: 0.1.0
    """

    first: timedelta = attrs.field(
        default=timedelta(seconds=1), validator=_above_zero, kw_only=True
    )
    most: timedelta = attrs.field(default=timedelta(minutes=1), validator=_above_zero, kw_only=True)
    budget: timedelta = attrs.field(
        default=timedelta(hours=24), validator=_above_zero, kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        if self.most < self.first:
            msg = f"most of Retry ({self.most}) is below first ({self.first}); make it longer"
            raise ConfigError(msg)


@attrs.frozen
class Timeout:
    """How long to wait for a receiver.

    Args:
        connect: Until there is a connection.
        read: Until the whole answer has come, at whatever pace.

    Raises:
        ConfigError: A setting cannot be used; the message names it.

    Example:
        >>> Timeout().read.seconds
        10

    .. versionadded:: 0.1.0
    """

    connect: timedelta = attrs.field(
        default=timedelta(seconds=5), validator=_above_zero, kw_only=True
    )
    read: timedelta = attrs.field(
        default=timedelta(seconds=10), validator=_above_zero, kw_only=True
    )
