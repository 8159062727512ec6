"""The log on disk, as long as nothing goes wrong."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from lastclick.errors import ConfigError, DeliveryError
from lastclick.sinks import FileSink, SinkStats
from tests.sinks.logs import content, declared, entered, ids, lost, open_files, read, segments


def test_an_event_is_in_the_log_when_emit_returns(tmp_path: Path) -> None:
    """No flush and no close is needed to read an event back."""
    sink = FileSink(tmp_path)

    sink.emit(entered(1))

    (segment,) = segments(tmp_path)
    assert content(segment) == entered(1).line + b"\n"


def test_building_a_sink_leaves_no_file(tmp_path: Path) -> None:
    """The directory is made at once, a segment with the first event."""
    directory = tmp_path / "var" / "lastclick"

    sink = FileSink(directory)

    assert list(directory.iterdir()) == []
    assert sink.directory == directory
    assert sink.stats == SinkStats(written=0, pending=0, lost={})


def test_a_relative_directory_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that changes its working directory later, as a daemon does, keeps its log."""
    monkeypatch.chdir(tmp_path)
    sink = FileSink("log")
    monkeypatch.chdir("/")

    sink.emit(entered(1))

    assert ids(tmp_path / "log") == ["e-1"]


def test_segment_names_sort_by_time_and_name_the_process(tmp_path: Path) -> None:
    """A name is the UTC time, the process id and something random."""
    names = []
    for _ in range(3):
        FileSink(tmp_path, compress=False).emit(entered())
        names.append(next(p.name for p in segments(tmp_path) if p.name not in names))

    assert names == sorted(names)
    for name in names:
        pattern = rf"\d{{8}}T\d{{6}}\.\d{{6}}Z-{os.getpid()}-[0-9a-f]{{8}}\.jsonl"
        assert re.fullmatch(pattern, name)


def test_strangers_cannot_read_the_log(tmp_path: Path) -> None:
    """A segment is for its owner and group: it may hold customer ids."""
    FileSink(tmp_path).emit(entered())

    (segment,) = segments(tmp_path)
    assert segment.stat().st_mode & 0o007 == 0


def test_sinks_in_one_directory_keep_apart(tmp_path: Path) -> None:
    """Each sink object has a segment of its own, and all of them are one log."""
    sinks = [FileSink(tmp_path) for _ in range(3)]

    for number in range(30):
        sinks[number % 3].emit(entered(number))

    assert len(segments(tmp_path)) == 3
    assert sorted(ids(tmp_path)) == sorted(f"e-{number}" for number in range(30))


def test_stats_count_shopper_events(tmp_path: Path) -> None:
    """Declarations and loss records are in the log, but are not counted as written."""
    sink = FileSink(tmp_path)

    for event in (declared(), entered(1), lost(3), entered(2)):
        sink.emit(event)

    assert len(read(tmp_path)) == 4
    assert sink.stats == SinkStats(written=2, pending=0, lost={})


# Settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"durability": "disk"},
            "unknown durability 'disk'; choose one of 'process', 'power', 'exit'",
        ),
        ({"durability": None}, "unknown durability None"),
        ({"compress": "gzip"}, "compress is True or False, not 'gzip'"),
        ({"keep_for": 90}, "keep_for is a timedelta above 0, or None to keep all, not 90"),
        ({"keep_for": timedelta(0)}, "keep_for is a timedelta above 0, or None to keep all"),
        ({"max_bytes": 0}, "max_bytes is a whole number of 1 or more, not 0"),
        ({"max_bytes": 1e6}, "max_bytes is a whole number of 1 or more, not 1000000.0"),
        ({"max_bytes": True}, "max_bytes is a whole number of 1 or more, not True"),
        ({"max_age": 3600}, "max_age is a timedelta above 0, not 3600"),
        ({"max_age": timedelta(0)}, "max_age is a timedelta above 0"),
        ({"directory": ""}, "directory is a path such as 'var/lastclick', not ''"),
        ({"directory": None}, "directory is a path such as 'var/lastclick', not None"),
        ({"directory": "~/log"}, "directory is '~/log', and '~' is not expanded here; pass '/"),
        ({"directory": "a\0b"}, "directory is no path: "),
        ({"directory": "\ud800"}, "directory is no path: "),
        ({"directory": b"log"}, "directory is a path such as 'var/lastclick', not b'log'"),
    ],
)
def test_wrong_settings_are_refused_at_once(tmp_path: Path, settings: dict, message: str) -> None:
    """A wrong setting raises when the sink is built, and the message names it and its value."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        FileSink(**{"directory": tmp_path, **settings})


def test_its_repr_says_where_and_how(tmp_path: Path) -> None:
    """The repr is the call that makes such a sink."""
    assert repr(FileSink(tmp_path)) == f"FileSink({str(tmp_path)!r}, durability='process')"
    assert repr(FileSink(tmp_path, "power")) == f"FileSink({str(tmp_path)!r}, durability='power')"


# Declarations ------------------------------------------------------------------------------------


def test_a_declaration_comes_once_in_a_segment(tmp_path: Path) -> None:
    """The declaration that opens a segment is not written twice, nor is it when it comes again."""
    sink = FileSink(tmp_path)

    for event in (declaration := declared(), entered(1), declaration, entered(2)):
        sink.emit(event)

    types = [line["type"] for line in read(tmp_path)]
    assert types == ["funnel_declared", "step_entered", "step_entered"]


def test_every_segment_begins_with_the_declarations(tmp_path: Path) -> None:
    """After a rotation the latest declaration of each funnel comes first."""
    sink = FileSink(tmp_path, max_bytes=1500)
    first, latest, other = declared("shop", "cart"), declared("shop", "bag"), declared("b2b")
    for event in (first, entered("a", funnel="shop"), latest, other):
        sink.emit(event)

    for number in range(20):
        sink.emit(entered(number, funnel="shop"))

    old, *new = segments(tmp_path)
    assert all(event.line in content(old) for event in (first, latest, other))
    assert len(new) >= 2
    for segment in new:
        head = content(segment).splitlines()[:2]
        assert head == [latest.line, other.line]
        assert content(segment).count(b"funnel_declared") == 2


def test_a_declaration_that_starts_a_segment_comes_once(tmp_path: Path) -> None:
    """A declaration that itself makes the sink go on to the next segment is in it once."""
    sink = FileSink(tmp_path, max_bytes=1)
    sink.emit(entered(1))

    sink.emit(declared())

    assert [len(content(p).splitlines()) for p in segments(tmp_path)] == [1, 1]


# Rotation ----------------------------------------------------------------------------------------


def test_a_segment_ends_before_it_grows_too_large(tmp_path: Path) -> None:
    """No segment is larger than max_bytes, and none of them is wasted."""
    sink = FileSink(tmp_path, max_bytes=2000, compress=False)
    size = len(entered(100).line) + 1

    for number in range(100, 200):
        sink.emit(entered(number))

    sizes = [segment.stat().st_size for segment in segments(tmp_path)]
    assert set(sizes[:-1]) == {2000 // size * size}
    assert ids(tmp_path) == [f"e-{number}" for number in range(100, 200)]


def test_a_line_larger_than_a_segment_is_kept(tmp_path: Path) -> None:
    """Limits are no reason to lose an event: it gets a segment of its own."""
    sink = FileSink(tmp_path, max_bytes=10)

    for number in range(3):
        sink.emit(entered(number))

    assert ids(tmp_path) == ["e-0", "e-1", "e-2"]
    assert len(segments(tmp_path)) == 3


def test_a_segment_ends_when_it_is_old(tmp_path: Path) -> None:
    """The first event after max_age goes to a new segment; until then there is one."""
    now = [1000.0]
    sink = FileSink(tmp_path, max_age=timedelta(hours=1), monotonic=lambda: now[0])

    for seconds in (0, 3599, 3600, 3700, 7200):
        now[0] = 1000.0 + seconds
        sink.emit(entered(seconds))

    contents = [content(segment).count(b"\n") for segment in segments(tmp_path)]
    assert contents == [2, 2, 1]


def test_an_old_segment_is_closed(tmp_path: Path) -> None:
    """Rotation leaves one open file, however many segments there were."""
    sink = FileSink(tmp_path, max_bytes=1)

    for number in range(50):
        sink.emit(entered(number))

    assert len(segments(tmp_path)) == 50
    assert open_files(tmp_path) == segments(tmp_path)[-1:]


# Power -------------------------------------------------------------------------------------------


def test_power_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event syncs its file after the write; a new segment and directory sync their names."""
    synced = []
    fsync = os.fsync

    def spy(fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        synced.append((path, content(path).count(b"\n") if path.is_file() else None))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", spy)
    sink = FileSink(tmp_path / "log", "power")
    made = [path for path, _ in synced]
    synced.clear()

    for number in range(3):
        sink.emit(entered(number))

    (segment,) = segments(tmp_path / "log")
    assert made == [tmp_path]
    assert synced == [(tmp_path / "log", None), (segment, 1), (segment, 2), (segment, 3)]


def test_process_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default durability never syncs."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    sink = FileSink(tmp_path)

    sink.emit(declared())
    sink.emit(entered())
    sink.close(0)

    assert synced == []


# Ending ------------------------------------------------------------------------------------------


def test_a_closed_sink_refuses_and_counts(tmp_path: Path) -> None:
    """What comes after a close raises, is counted, and makes no file."""
    sink = FileSink(tmp_path)
    assert sink.close(0) is True

    for event in (entered(1), declared(), lost(2)):
        with pytest.raises(DeliveryError, match="is closed; it refused") as caught:
            sink.emit(event)
        assert caught.value.reason == "closed"

    assert segments(tmp_path) == []
    assert sink.stats == SinkStats(written=0, pending=0, lost={"closed": 1})


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    """A second close says what the first said; the file is closed."""
    sink = FileSink(tmp_path)
    sink.emit(entered(1))

    assert sink.close(timeout=2.0) is True
    assert sink.close(timeout=2.0) is True
    assert sink.flush(timeout=2.0) is True

    assert ids(tmp_path) == ["e-1"]
    assert open_files(tmp_path) == []


def test_closing_one_sink_leaves_the_others(tmp_path: Path) -> None:
    """Two sinks in one directory end each for itself."""
    first, second = FileSink(tmp_path), FileSink(tmp_path)
    first.emit(entered(1))
    second.emit(entered(2))

    first.close(0)
    second.emit(entered(3))

    assert sorted(ids(tmp_path)) == ["e-1", "e-2", "e-3"]


def test_a_forgotten_sink_closes_its_file(tmp_path: Path) -> None:
    """Without a close the file is closed with the sink, and nothing is missing from it."""
    sink = FileSink(tmp_path)
    sink.emit(entered(1))

    del sink

    assert ids(tmp_path) == ["e-1"]
    assert open_files(tmp_path) == []
