"""A clock that stands still until a test turns it."""

from datetime import UTC, datetime, timedelta

from typing_extensions import override

from lastclick.errors import ConfigError, EventError, shown
from lastclick.events import utc


class FrozenClock:
    """A clock that stands still until it is turned; for ``Funnel(clock=...)`` and `capture`.

    Args:
        now: Where it stands, an aware datetime; the present, if not given, since a shop may pass
            times of its own that go by the real clock.

    Raises:
        ConfigError: That is no aware datetime.

    Example:
        >>> from datetime import UTC, datetime, timedelta
        >>> clock = FrozenClock(datetime(2026, 10, 1, 12, tzinfo=UTC))
        >>> clock.turn(timedelta(hours=25))
        >>> clock()
        datetime.datetime(2026, 10, 2, 13, 0, tzinfo=datetime.timezone.utc)

    .. versionadded:: 0.1.0
    """

    def __init__(self, now: datetime | None = None) -> None:
        self._now = datetime.now(UTC) if now is None else _checked(now)

    def __call__(self) -> datetime:
        return self._now

    def turn(self, by: timedelta) -> None:
        """Let time pass; a negative duration turns the clock back.

        Raises:
            ConfigError: That is no timedelta.
        """
        given: object = by
        if not isinstance(given, timedelta):
            msg = f"turn the clock by a timedelta such as timedelta(hours=25), not {shown(by)}"
            raise ConfigError(msg)
        self._now += by

    def set(self, now: datetime) -> None:
        """Set the clock.

        Raises:
            ConfigError: That is no aware datetime.
        """
        self._now = _checked(now)

    @override
    def __repr__(self) -> str:
        return f"FrozenClock({self._now.isoformat()})"


def _checked(now: datetime) -> datetime:
    try:
        return utc(now)
    except EventError as error:
        raise ConfigError(str(error)) from None
