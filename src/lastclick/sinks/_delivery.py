"""Settings of delivery: how much at once, how long to try, how long to wait for an answer."""

from dataclasses import dataclass
from datetime import timedelta

from lastclick.errors import ConfigError, shown

#: A line of a log is at most 32 KiB, and dead letters add a reason.
_LEAST_BYTES = 64 * 1024


def _check_times(settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if not isinstance(value, timedelta) or value <= timedelta(0):
            what = f"{name} of {type(settings).__name__} is {shown(value)}"
            raise ConfigError(f"{what}; pass a timedelta above zero")


def _check_number(settings: object, name: str, least: int) -> None:
    value = getattr(settings, name)
    if type(value) is not int or value < least:
        what = f"{name} of {type(settings).__name__} is {shown(value)}"
        raise ConfigError(f"{what}; pass a whole number of {least:,} or more")


# Dataclasses, since attrs would be imported for these three alone: 10 ms.


@dataclass(frozen=True, kw_only=True)
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

    events: int = 500
    bytes: int = 1_000_000
    age: timedelta = timedelta(seconds=1)

    def __post_init__(self) -> None:
        _check_number(self, "events", 1)
        _check_number(self, "bytes", _LEAST_BYTES)
        _check_times(self, "age")


@dataclass(frozen=True, kw_only=True)
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

    first: timedelta = timedelta(seconds=1)
    most: timedelta = timedelta(minutes=1)
    budget: timedelta = timedelta(hours=24)

    def __post_init__(self) -> None:
        _check_times(self, "first", "most", "budget")
        if self.most < self.first:
            msg = f"most of Retry ({self.most}) is below first ({self.first}); make it longer"
            raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
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

    connect: timedelta = timedelta(seconds=5)
    read: timedelta = timedelta(seconds=10)

    def __post_init__(self) -> None:
        _check_times(self, "connect", "read")
