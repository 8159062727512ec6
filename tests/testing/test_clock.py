"""A clock for tests stands still until it is turned."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from lastclick.errors import ConfigError
from lastclick.testing import FrozenClock

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def test_it_stands_still_until_it_is_turned() -> None:
    """It says the same until time passes by its hand, in either direction."""
    clock = FrozenClock(NOON)

    assert clock() == clock() == NOON
    clock.turn(timedelta(days=1))
    clock.turn(timedelta(hours=-1))
    assert clock() == NOON + timedelta(hours=23)
    clock.set(datetime(2026, 10, 1, 14, tzinfo=timezone(timedelta(hours=2))))
    assert clock() == NOON
    assert repr(clock) == "FrozenClock(2026-10-01T12:00:00+00:00)"


def test_it_begins_at_the_present() -> None:
    """A shop that passes its own times is neither in the past nor in the future."""
    before = datetime.now(UTC)

    now = FrozenClock()()

    assert before <= now <= datetime.now(UTC)


@pytest.mark.parametrize("now", [NOON.replace(tzinfo=None), "noon", 5])
def test_a_time_that_is_none_is_refused(now: Any) -> None:
    """A naive time could be any instant."""
    with pytest.raises(ConfigError, match="time"):
        FrozenClock(now)
    with pytest.raises(ConfigError, match="time"):
        FrozenClock(NOON).set(now)


def test_it_is_turned_by_a_duration() -> None:
    """A bare number could be seconds or hours."""
    with pytest.raises(ConfigError, match=r"timedelta\(hours=25\), not 25"):
        FrozenClock(NOON).turn(25)  # type: ignore[arg-type]
