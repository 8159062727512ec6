"""The index of lines that were written of late."""

import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("lastclick.collect", reason="the extra 'collect' is not installed")

from lastclick.collect._lines import digest_of
from lastclick.collect._seen import Seen
from lastclick.errors import ConfigError

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the index is."""
    return tmp_path / "collect.sqlite3"


def digests(*numbers: int) -> list[bytes]:
    """Digests that can be told by their numbers."""
    return [digest_of(b"%d" % number) for number in numbers]


def add(seen: Seen, *numbers: int, at: float = 0.0) -> None:
    """Add some at a time, as of which all is added."""
    seen.add(digests(*numbers), at=at, complete_until=at)


def test_what_was_added_is_known_also_after_a_restart(path: Path) -> None:
    """And nothing else; more than one statement can ask for at a time."""
    seen = Seen(path, DAY)
    assert seen.complete_until is None
    add(seen, *range(1200), at=5.0)
    seen.close()

    seen = Seen(path, DAY)

    assert seen.known(digests(*range(1500))) == set(digests(*range(1200)))
    assert seen.complete_until == 5.0
    seen.close()


def test_what_is_older_than_the_horizon_is_forgotten(path: Path) -> None:
    """Bit by bit, as new ones come; the file does not grow for ever."""
    seen = Seen(path, DAY)
    add(seen, 1, at=0.0)
    add(seen, 2, at=20 * HOUR)

    add(seen, 3, at=DAY)
    at_the_horizon = seen.known(digests(1, 2, 3))
    add(seen, 4, at=DAY + 1.0)

    assert at_the_horizon == set(digests(1, 2, 3))
    assert seen.known(digests(1, 2, 3, 4)) == set(digests(2, 3, 4))
    seen.close()


def test_the_file_does_not_grow_for_ever(path: Path) -> None:
    """With a constant number of events a day it reaches a size and stays there."""
    seen = Seen(path, DAY)
    sizes = []
    for hour in range(24 * 4):
        add(seen, *range(hour * 500, hour * 500 + 500), at=hour * HOUR)
        sizes.append(path.stat().st_size)
    seen.close()

    assert sizes[-1] <= 1.3 * sizes[47]


def test_one_process_has_it_at_a_time(path: Path) -> None:
    """A second collector on one log is told so, and harms nothing."""
    seen = Seen(path, DAY)
    add(seen, 1)

    with pytest.raises(ConfigError, match="another collector writes to"):
        Seen(path, DAY)

    add(seen, 2)
    assert seen.known(digests(1, 2)) == set(digests(1, 2))
    seen.close()


def test_a_broken_file_is_made_anew(path: Path) -> None:
    """It is an index of the log, from which it can be filled again."""
    path.write_bytes(b"not a database, but long enough to be looked at " * 100)

    seen = Seen(path, DAY)

    assert seen.complete_until is None
    add(seen, 1)
    assert seen.known(digests(1)) == set(digests(1))
    seen.close()


def test_a_file_that_cannot_be_made_is_told_by_its_path(tmp_path: Path) -> None:
    """Setting up raises, with the reason of SQLite."""
    with pytest.raises(ConfigError, match=r"nowhere.*unable to open"):
        Seen(tmp_path / "nowhere" / "collect.sqlite3", DAY)


def test_what_cannot_be_written_down_waits_in_memory(path: Path) -> None:
    """A full disk makes the index forget nothing; it is written down once that works again."""
    seen = Seen(path, DAY)
    add(seen, 1, at=1.0)
    seen._database.execute("PRAGMA query_only = ON")

    add(seen, 2, at=2.0)

    assert seen.known(digests(1, 2, 3)) == set(digests(1, 2))
    assert seen.complete_until == 1.0

    seen._database.execute("PRAGMA query_only = OFF")
    add(seen, 3, at=3.0)
    seen.close()
    seen = Seen(path, DAY)
    assert seen.known(digests(1, 2, 3)) == set(digests(1, 2, 3))
    seen.close()


def test_what_waits_in_memory_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is forgotten: an event would be written twice, which readers do not mind."""
    monkeypatch.setattr("lastclick.collect._seen._MOST_WAITING", 3)
    seen = Seen(path, DAY)
    seen._database.execute("PRAGMA query_only = ON")

    add(seen, 1, 2, 3)
    kept = seen.known(digests(1, 2, 3, 4))
    add(seen, 4)

    assert kept == set(digests(1, 2, 3))
    assert seen.known(digests(1, 2, 3, 4)) == set()
    seen.close()


def test_an_index_that_cannot_be_read_knows_nothing(path: Path) -> None:
    """It must not keep events from being written."""
    seen = Seen(path, DAY)
    add(seen, 1)
    seen.close()

    assert seen.known(digests(1)) == set()


def test_what_a_killed_process_wrote_down_is_there(path: Path) -> None:
    """A copy of the files as they stand after a commit, without any closing, has all of it."""
    seen = Seen(path, DAY)
    add(seen, 1, 2, at=7.0)
    copy = path.with_name("copy.sqlite3")
    for end in ("", "-wal"):
        copy.with_name(copy.name + end).write_bytes(path.with_name(path.name + end).read_bytes())
    seen.close()

    copied = Seen(copy, DAY)

    assert copied.known(digests(1, 2)) == set(digests(1, 2))
    assert copied.complete_until == 7.0
    copied.close()
    assert sqlite3.connect(copy).execute("PRAGMA integrity_check").fetchone() == ("ok",)
