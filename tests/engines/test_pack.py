"""Packed, a log says what it said: the same events and the same report, come what may."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks.generate import write
from docs.conformance.run import arguments
from lastclick import Funnel, _manifest, measure, read_log
from lastclick._manifest import COLUMNS
from lastclick._reading import Share
from lastclick.errors import EventError, LogError
from lastclick.events import Event, parse_line
from lastclick.sinks import FileSink
from tests import strategies
from tests.disks import mount

pytest.importorskip("duckdb")

import duckdb

from lastclick.engines import _pack
from lastclick.engines import duckdb as engine
from tests.engines.test_duckdb import DECLARED, ODD, Lines, event, refusal, same, same_at, written

HERE = settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])


def content(log: Path) -> Counter[Event | bytes]:
    """What a log says: its events as objects, and other lines as they are."""
    said: Counter[Event | bytes] = Counter()
    for _, _, line in read_log(log).lines():
        try:
            said[parse_line(line)] += 1
        except EventError:
            said[line] += 1
    return said


def tree(directory: Path) -> dict[str, bytes]:
    """Every file of a directory with its bytes."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def rows(packed: Path, select: str) -> list[Any]:
    """What anybody's DuckDB says of packed files."""
    with duckdb.connect() as connection:
        source = f"read_parquet('{packed}/*/*.parquet')"
        return connection.execute(f"SELECT {select} FROM {source}").fetchall()


def fresh(folder: Path, name: str) -> Path:
    """A new folder in a folder that examples share."""
    return folder / f"{name}-{len(list(folder.iterdir()))}"


def packed_the_same(log: Path, packed: Path, **asked: Any) -> None:
    """Both readings of a packed log give the report of the log."""
    wanted, got = measure(read_log(log), **asked), same(packed, **asked)
    assert got.to_dict() == wanted.to_dict()
    assert got.reading is not None
    assert wanted.reading is not None
    for name in ("lines", "unreadable", "torn"):
        assert getattr(got.reading.problems, name) == getattr(wanted.reading.problems, name)
    assert got.reading.redelivered == wanted.reading.redelivered


@HERE
@given(strategies.questions())
def test_any_log_comes_back(tmp_path: Path, question: tuple[Lines, dict[str, Any]]) -> None:
    """The same events, and the same report however it is asked for."""
    lines, options = question
    log, packed = fresh(tmp_path, "log"), fresh(tmp_path, "packed")
    log.mkdir()  # one file: of two that are the same, one is packed
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (log / "0.jsonl").write_text(text, "utf-8")
    asked = arguments(options)
    asked.pop("every", None)

    done = engine.pack(log, packed)

    assert done.lines == len(lines)
    assert content(packed) == content(log)
    refused = refusal(lambda: measure(read_log(log), **asked))
    if refused is None:
        packed_the_same(log, packed, **asked)
    else:
        assert refusal(lambda: engine.measure(packed, **asked)) == refused


@pytest.mark.parametrize(
    "asked", [{}, {"by": ('a "name"', "device"), "exclude": {}}, {"by": ("a", "device")}]
)
def test_odd_lines_come_back(tmp_path: Path, asked: dict[str, Any]) -> None:
    """Whatever a line looks like, it is there, and read as before."""
    text = "\n".join([json.dumps(DECLARED), *ODD, *ODD])
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "odd.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode())

    done = engine.pack(tmp_path / "log", tmp_path / "packed")

    assert done.lines > done.events > 40
    assert content(tmp_path / "packed") == content(tmp_path / "log")
    packed_the_same(tmp_path / "log", tmp_path / "packed", funnel="checkout", **asked)


def test_times_of_all_the_calendar_come_back(tmp_path: Path) -> None:
    """To the microsecond."""
    times = ("0001-01-01T00:00:00Z", "0101-10-01T10:00:00.123Z", "9999-12-31T23:59:59.999999Z")
    log = written(tmp_path / "log", [event(occurred_at=at) for at in times])

    engine.pack(log, tmp_path / "packed")

    assert rows(tmp_path / "packed", "count(line), count(DISTINCT occurred_at)") == [(0, 3)]
    assert content(tmp_path / "packed") == content(log)


@pytest.mark.parametrize("before", ["", "\\", "\\\\"])
def test_a_line_that_is_no_text(tmp_path: Path, before: str) -> None:
    """Its bytes are told, and it is still no event, also where a backslash stands before them."""
    first, last = json.dumps(event(checkout_id="X")).split("X")
    (tmp_path / "log.jsonl").write_bytes(f"{first}{before}".encode() + b"\xff" + last.encode())

    engine.pack(tmp_path / "log.jsonl", tmp_path / "packed")

    said = rf"{first}{before}\xff{last} (no UTF-8)"
    assert rows(tmp_path / "packed", "line, type") == [(said, None)]
    for log in (read_log(tmp_path / "log.jsonl"), read_log(tmp_path / "packed")):
        assert list(log) == []
        assert log.problems.torn == 1


def test_the_columns(tmp_path: Path) -> None:
    """Types and values as they are documented; each day apart, each file in order."""
    lines = [
        event(value={"amount": "59.9", "currency": "EUR"}, attributes={"device": "mobile"}),
        event(checkout_id="a", occurred_at="2026-10-01T23:59:59.999999Z", event_id="e2"),
        event(occurred_at="2026-10-02T00:00:00Z", type="survey_answered", score=4),
        {"type": "torn"},
    ]

    engine.pack(written(tmp_path / "log", lines), tmp_path / "packed")

    assert rows(tmp_path / "packed", "day, type, occurred_at, checkout_id, amount, attributes")
    with duckdb.connect() as connection:
        source = f"read_parquet('{tmp_path}/packed/*/*.parquet', hive_partitioning = false)"
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    assert [(name, type_) for name, type_, *_ in described] == [*COLUMNS.items()]
    found = rows(tmp_path / "packed", "day::VARCHAR, checkout_id, type, amount::VARCHAR, step")
    assert found == [
        ("2026-10-01", "a", "step_entered", None, "cart"),
        ("2026-10-01", "c1", "step_entered", "59.9000", "cart"),
        ("2026-10-02", "c1", "survey_answered", None, None),
        ("unknown", None, None, None, None),
    ]
    assert rows(tmp_path / "packed", "count(line), count(attributes)") == [(2, 1)]


def test_again_is_nothing(tmp_path: Path) -> None:
    """What was packed is passed over, and not a byte is other than before."""
    log = written(tmp_path / "log", [DECLARED, event()])
    first = engine.pack(log, tmp_path / "packed")
    before = tree(tmp_path / "packed")

    again = engine.pack(log, tmp_path / "packed")

    assert (first.segments, first.already) == (2, 0)
    assert (again.segments, again.already, again.files) == (0, 2, 0)
    assert tree(tmp_path / "packed") == before


@pytest.mark.untraced
def test_the_same_segments_give_the_same_bytes(tmp_path: Path, monkeypatch: Any) -> None:
    """At another place too, and in as many batches."""
    monkeypatch.setattr(_pack, "_BATCH_BYTES", 400_000)
    write(tmp_path / "log", 6_000, seed=3, segment_bytes=200_000)

    done = engine.pack(tmp_path / "log", tmp_path / "one")
    engine.pack(tmp_path / "log", tmp_path / "two")

    assert done.bytes_after < done.bytes_before / 3
    assert len({name.split("/")[-1] for name in tree(tmp_path / "one")}) > 3
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    packed_the_same(tmp_path / "log", tmp_path / "one", by="device")


def test_a_segment_that_was_compressed_since(tmp_path: Path) -> None:
    """It is known by what is in it; packed compressed, it gives the same bytes."""
    log = written(tmp_path / "log", [DECLARED, *(event(event_id=f"e{n}") for n in range(9))])
    engine.pack(log, tmp_path / "packed")
    for file in list(log.iterdir()):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()

    again = engine.pack(log, tmp_path / "packed")
    engine.pack(log, tmp_path / "from gz")

    assert (again.segments, again.already) == (0, 2)
    assert tree(tmp_path / "from gz") == tree(tmp_path / "packed")


def test_what_breaks_off_is_passed_over(tmp_path: Path) -> None:
    """Half of its lines would be packed for good; the others are packed."""
    log = written(tmp_path / "log", [DECLARED, event()])
    whole = gzip.compress(b"\n".join(json.dumps(event(n=n)).encode() for n in range(9_000)))
    (log / "0.jsonl.gz").write_bytes(whole[:-2_000])

    done = engine.pack(log, tmp_path / "packed")

    assert (done.segments, done.lines) == (2, 2)
    assert [place.file for place in done.passed_over] == [str(log / "0.jsonl.gz")]
    assert "breaks off" in done.passed_over[0].reason


def test_what_cannot_be_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone, or broken while it is read: no line of it is packed, and the others are."""
    log = written(tmp_path / "log", [DECLARED, event()])
    load = _pack._Packing._load

    def fail(packing: Any, raw: Any) -> Any:
        found = load(packing, raw)
        if raw.name.endswith("1.jsonl"):
            raise OSError(5, "Input/output error")
        return found

    monkeypatch.setattr(_pack._Packing, "_load", fail)
    files = [*read_log(log).files(), log / "2.jsonl"]
    monkeypatch.setattr("lastclick._log.Log.files", lambda _: files)
    done = engine.pack(log, tmp_path / "packed")
    monkeypatch.undo()

    assert [place.reason for place in done.passed_over] == [
        "it cannot be read: Input/output error",
        "it went away",
    ]
    assert (done.lines, len(list(read_log(tmp_path / "packed")))) == (1, 1)


def test_beside_a_writer(tmp_path: Path) -> None:
    """A segment that is written to is left, and packed once it is closed; both may be read."""
    log, packed = tmp_path / "live", tmp_path / "packed"
    written(log, [DECLARED, event()])
    sink = FileSink(log, compress=False)
    with Funnel("checkout", steps=("cart",), sink=sink) as funnel:
        funnel.checkout("c-1").enter("cart")

        during = engine.pack(log, packed)

        assert (during.segments, len(during.passed_over)) == (2, 1)
        assert during.passed_over[0].reason == "somebody writes to it"
        funnel.checkout("c-2").enter("cart")
    after = engine.pack(log, packed)

    assert (after.segments, after.already, after.passed_over) == (1, 2, ())
    assert content(packed) == content(log)


@pytest.mark.untraced
def test_packed_and_fresh_together(tmp_path: Path) -> None:
    """Below one directory they are one log, with what is in both counted once."""
    write(tmp_path / "log", 3_000, seed=5, segment_bytes=300_000)
    whole = measure(read_log(tmp_path / "log"))
    segments = sorted((tmp_path / "log").iterdir())
    assert len(segments) > 2
    engine.pack(tmp_path / "log", tmp_path / "log" / "packed")
    segments[0].unlink()

    assert same(tmp_path).to_dict() == whole.to_dict()


@pytest.mark.parametrize("asked", [{}, {"by": 'a"b'}])
def test_packed_at_a_url(tmp_path: Path, asked: dict[str, Any]) -> None:
    """Packed files in an object store are read as on disk, beside fresh ones and alone."""
    log = tmp_path / "log"
    odd = event(checkout_id="c2", attributes={'a"b': "x"}, further=1)
    engine.pack(written(tmp_path / "old", [DECLARED, event(), odd]), log / "packed")
    same_at(f"file://{log}", log, **asked)
    (log / "new.jsonl").write_text(json.dumps(event(checkout_id="c3")) + "\n")

    same_at(f"file://{log}", log, **asked)

    assert engine.measure(f"file://{log}").started == 3


def test_processes_read_it_too(tmp_path: Path) -> None:
    """A packed file goes to one of them whole, whatever its size."""
    write(tmp_path / "log", 3_000, seed=5, segment_bytes=300_000)
    engine.pack(tmp_path / "log", tmp_path / "packed")
    (file, *_) = read_log(tmp_path / "packed").files()
    size = 100 * 1024 * 1024

    assert list(Share(file, size).split()) == [Share(file, size)]
    several = measure(read_log(tmp_path / "packed"), workers=2)
    assert several.to_dict() == measure(read_log(tmp_path / "log")).to_dict()


def test_a_log_that_grows_without_locks(tmp_path: Path) -> None:
    """A file that somebody else wrote on is packed again: redelivery changes nothing."""
    log = written(tmp_path / "log", [DECLARED, event()])
    engine.pack(log, tmp_path / "packed")
    with (log / "1.jsonl").open("a") as file:
        file.write(json.dumps(event(checkout_id="c2", event_id="e2")) + "\n")

    engine.pack(log, tmp_path / "packed")

    assert same(tmp_path / "packed").to_dict() == measure(read_log(log)).to_dict()


def test_one_file_and_progress(tmp_path: Path) -> None:
    """A file is a log too; what is told ends at the end."""
    file = written(tmp_path / "log", [DECLARED, event()]) / "1.jsonl"
    told: list[tuple[int, int]] = []

    done = engine.pack(file, tmp_path / "packed", progress=lambda *at: told.append(at))

    assert (done.segments, done.events) == (1, 1)
    assert told == [(file.stat().st_size,) * 2]
    manifest = json.loads((tmp_path / "packed" / "manifest.json").read_text())
    assert [segment["name"] for segment in manifest["segments"]] == ["1.jsonl"]


def test_since(tmp_path: Path) -> None:
    """Files packed before then are passed over, as others are."""
    engine.pack(written(tmp_path / "log", [DECLARED, event()]), tmp_path / "packed")

    log = read_log(tmp_path / "packed", since=datetime(2100, 1, 1, tzinfo=UTC))

    assert list(log) == []
    assert log.problems.passed_over == 1


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """An error of the system, as promised; what was packed before is still there."""
    log, disk = tmp_path / "log", tmp_path / "disk"
    disk.mkdir()
    mount(disk, "size=300k")
    try:
        engine.pack(written(log, [DECLARED, event()]), disk / "packed")
        write(log, 6_000, seed=3)

        with pytest.raises(OSError, match="No space left"):
            engine.pack(log, disk / "packed")

        assert len(list(read_log(disk / "packed"))) == 2
    finally:
        subprocess.run(["umount", disk], check=True)


def test_an_empty_log(tmp_path: Path) -> None:
    """Nothing is packed, and nothing is there."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "empty.jsonl").touch()

    done = engine.pack(tmp_path / "log", tmp_path / "packed")

    assert (done.lines, done.files) == (0, 0)
    assert list(read_log(tmp_path / "packed")) == []


# Killed -------------------------------------------------------------------------------------------

CHILD = """
import os, signal, sys
from lastclick import _manifest
from lastclick.engines import _pack, duckdb

log, to, deadly = sys.argv[1], sys.argv[2], int(sys.argv[3])
calls = 0

def sync(path, sync=_manifest.sync):
    global calls
    calls += 1
    if calls == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(path)

_manifest.sync = _pack.sync = sync
_pack._BATCH_BYTES = 400_000
print("ready", flush=True)
duckdb.pack(log, to)
"""


def child(log: Path, to: Path, deadly: int = 0) -> subprocess.Popen[str]:
    """A process that packs, and that kills itself when it waits for the disk for the n-th time."""
    command = [sys.executable, "-c", CHILD, str(log), str(to), str(deadly)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.fixture
def whole(tmp_path: Path) -> dict[str, bytes]:
    """A log, and what packing it without a kill gives."""
    write(tmp_path / "log", 6_000, seed=3, segment_bytes=200_000)
    with child(tmp_path / "log", tmp_path / "whole") as done:
        done.communicate()
    assert done.returncode == 0
    return tree(tmp_path / "whole")


def packed_after_all(tmp_path: Path, to: Path, whole: dict[str, bytes]) -> None:
    """What can be read of a killed run is whole; the next run gives what none would have."""
    assert not content(to) - content(tmp_path / "log")
    with child(tmp_path / "log", to) as done:
        done.communicate()
    assert done.returncode == 0
    assert tree(to) == whole


@pytest.mark.parametrize(
    "deadly",
    [20, pytest.param(1, marks=pytest.mark.long), pytest.param(70, marks=pytest.mark.long)],
)
def test_a_kill_at_a_bad_moment(tmp_path: Path, whole: dict[str, bytes], deadly: int) -> None:
    """Before the first file is whole, in a batch, and in a later one."""
    to = tmp_path / "packed"
    with child(tmp_path / "log", to, deadly) as killed:
        killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert tree(to) != whole

    packed_after_all(tmp_path, to, whole)


@pytest.mark.long
def test_kills_at_random_moments(tmp_path: Path, whole: dict[str, bytes]) -> None:
    """Thirty, many of them one after the other in the same place, until a run gets through."""
    moments = random.Random(20261128)
    with child(tmp_path / "log", tmp_path / "timed") as timed:
        assert timed.stdout is not None
        timed.stdout.readline()
        began = time.monotonic()
        timed.communicate()
    takes = time.monotonic() - began
    died = place = 0
    to = tmp_path / "packed0"
    while died < 30:
        with child(tmp_path / "log", to) as killed:
            assert killed.stdout is not None
            killed.stdout.readline()
            time.sleep(moments.uniform(0, takes * 0.7))
            killed.kill()
        if killed.returncode == -signal.SIGKILL:
            died += 1
        else:
            assert tree(to) == whole
            place += 1
            to = tmp_path / f"packed{place}"
    to.mkdir(exist_ok=True)
    packed_after_all(tmp_path, to, whole)


def test_what_a_killed_run_left_is_not_read(tmp_path: Path) -> None:
    """Files that no manifest names do not count, and go with the next run; others' files stay."""
    log = written(tmp_path / "log", [DECLARED, event()])
    packed = tmp_path / "packed"
    engine.pack(log, packed)
    whole = tree(packed)
    (file,) = packed.glob("*/*.parquet")
    (file.parent / f"{'0' * 32}.parquet").write_bytes(file.read_bytes())
    (file.parent / f"{'1' * 32}.parquet.tmp").write_bytes(b"half")
    (packed / "day=2026-01-01").mkdir()
    (packed / "manifest.json.tmp").write_text("{")
    (packed / "day=2026-10-01" / "notes.txt").write_text("mine")

    assert len(list(read_log(packed))) == 2
    engine.pack(log, packed)

    assert tree(packed) == {**whole, "day=2026-10-01/notes.txt": b"mine"}


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """Two would take each other's files for leftovers."""
    log = written(tmp_path / "log", [DECLARED, event()])
    (tmp_path / "packed").mkdir()
    fd = os.open(tmp_path / "packed", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)

    with pytest.raises(LogError, match="another run packs into"):
        engine.pack(log, tmp_path / "packed")

    os.close(fd)
    assert engine.pack(log, tmp_path / "packed").segments == 2


# Damaged ------------------------------------------------------------------------------------------


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A packed log with one file."""
    engine.pack(written(tmp_path / "log", [DECLARED, event()]), tmp_path / "packed")
    return tmp_path / "packed"


def both_refuse(path: Path, said: str) -> None:
    """Reading and counting say the same of what is wrong, and where."""
    with pytest.raises(LogError, match=said) as core:
        list(read_log(path))
    with pytest.raises(LogError, match=said):
        engine.measure(path)
    assert str(core.value.path) in str(core.value)


def test_a_damaged_file(packed: Path) -> None:
    """One bit is enough; the error names the file and the way out."""
    (file,) = packed.glob("*/*.parquet")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)

    both_refuse(packed, rf"{file.name} is damaged: its checksum .* pack the log into a new place")


def test_a_file_that_is_gone(packed: Path) -> None:
    """Numbers without it would be wrong ones."""
    (file,) = packed.glob("*/*.parquet")
    file.unlink()

    both_refuse(packed, f"{file.name} is damaged: it is gone")


def test_damaged_at_a_url(packed: Path) -> None:
    """Files of which the manifest is not listed, changed, or gone: no number without them."""
    (file,) = packed.glob("*/*.parquet")
    for url in (f"{packed}/*/*.parquet", str(file)):
        with pytest.raises(LogError, match=r"in no manifest.json .* the URL of the directory"):
            engine.measure(f"file://{url}")
    data = file.read_bytes()
    file.write_bytes(data[:-1])
    with pytest.raises(LogError, match=f"{file.name} is damaged: its checksum"):
        engine.measure(f"file://{packed}")
    file.unlink()
    with pytest.raises(LogError, match=f"{file.name} is damaged: it is gone"):
        engine.measure(f"file://{packed}")


def test_a_file_that_is_no_parquet(packed: Path) -> None:
    """Even where the manifest says so."""
    (file,) = packed.glob("*/*.parquet")
    path = packed / "manifest.json"
    old = _manifest.checksum(file)
    file.write_bytes(b"PAR1 no more PAR1")
    new = _manifest.checksum(file)
    path.write_text(path.read_text().replace(old, new))

    both_refuse(packed, "is damaged: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"schema": 1', '"schema": 2'), "is of schema 2; upgrade lastclick"),
        (('"rows"', '"lines"'), "manifest.json is damaged: "),
        (('"segments"', '"parts"'), "manifest.json is damaged: "),
        (("{", "["), "manifest.json is damaged: "),
    ],
)
def test_a_manifest_that_cannot_be_used(packed: Path, change: tuple[str, str], said: str) -> None:
    """A later version's, or damaged: it is not passed over, and not written over."""
    path = packed / "manifest.json"
    path.write_text(path.read_text().replace(*change))
    before = tree(packed)

    both_refuse(packed, said)
    with pytest.raises(LogError, match=said):
        engine.pack(packed.parent / "log", packed)
    assert tree(packed) == before


def test_somebody_elses_manifest(tmp_path: Path) -> None:
    """The name is a common one."""
    log = written(tmp_path, [DECLARED, event()])
    (log / "manifest.json").write_text('{"name": "a web page"}')

    assert same(log).started == 1


def test_a_parquet_file_of_no_packed_log(tmp_path: Path) -> None:
    """Asked for by name, the error says what to pass."""
    file = tmp_path / "a" / "b.parquet"
    file.parent.mkdir()
    file.write_bytes(b"PAR1")

    both_refuse(file, "is in no manifest.json; pass the directory that lastclick pack wrote")


def test_what_is_packed_already(packed: Path) -> None:
    """It is not packed again, nor taken for lines; a nightly run that finds no others may be."""
    (file,) = packed.glob("*/*.parquet")
    for source in (packed, file):
        with pytest.raises(LogError, match=f"{source.name} is packed already"):
            engine.pack(source, packed.parent / "again")
    assert not (packed.parent / "again").exists()

    assert engine.pack(packed.parent, packed).already == 2
    shutil.rmtree(packed.parent / "log")
    assert engine.pack(packed.parent, packed).segments == 0


def test_one_packed_file(packed: Path) -> None:
    """It may be read by itself."""
    (file,) = packed.glob("*/*.parquet")

    assert len(list(read_log(file))) == 2


def test_without_the_extra(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "lastclick.engines._parquet", None)

    with pytest.raises(LogError, match=r'is packed; to read it: pip install "lastclick\[duckdb\]"'):
        list(read_log(packed))
