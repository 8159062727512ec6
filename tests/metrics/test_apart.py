"""Counting in several processes: the same report, the same reading, the same errors."""

from __future__ import annotations

import gzip
import json
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docs.conformance.run import CASES, arguments, lines_of
from lastclick import Funnel, Report, _processes, _reading, measure, read_log
from lastclick.errors import ConfigError, LogError
from lastclick.logs import Problems
from lastclick.metrics import _apart, count
from lastclick.metrics._apart import Worker
from lastclick.sinks import MemorySink
from tests import strategies
from tests.metrics.shop import declared, entered, eur, ordered

FEW_BYTES = 700


class Here:
    """The same as `Processes`, in this one: what is sent is packed, so that nothing is shared."""

    def __init__(self, number: int, make: Any, *sent: Any) -> None:
        self.all = [make(place, *pickle.loads(pickle.dumps(sent))) for place in range(number)]

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None: ...

    def each(self, method: str, *sent: Any) -> list[Any]:
        return [self._call(one, method, sent) for one in self.all]

    def share(self, method: str, tasks: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        for place, task in enumerate(tasks):
            yield self._call(self.all[place % len(self.all)], method, task)

    def _call(self, one: Worker, method: str, sent: tuple[Any, ...]) -> Any:
        result = getattr(one, method)(*pickle.loads(pickle.dumps(sent)))
        return pickle.loads(pickle.dumps(result))


@pytest.fixture
def few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of a few lines, so that a small log has several."""
    monkeypatch.setattr(_reading, "_SHARE_BYTES", FEW_BYTES)


def told(path: Path, workers: int, asked: dict[str, Any]) -> tuple[Any, ...]:
    """The report and what was met in reading, or the error."""
    log = read_log(path)
    try:
        report = measure(log, workers=workers, **asked)
    except ConfigError as error:
        return str(error), log.problems
    assert report.reading is not None
    return json.dumps(report.to_dict()), report.reading.redelivered, log.problems


def write(directory: Path, lines: list[bytes], cuts: list[int]) -> None:
    """The lines as files, every other one gzipped."""
    borders = [0, *sorted(cut % (len(lines) + 1) for cut in cuts), len(lines)]
    for number, (start, stop) in enumerate(pairwise(borders)):
        text = b"".join(lines[start:stop])
        name = f"part-{number}.jsonl"
        if number % 2:
            (directory / f"{name}.gz").write_bytes(gzip.compress(text))
        else:
            (directory / name).write_bytes(text)


ODDITIES = (b"\n", b"{}\n", b'{"v":1,"type":"step_ent\n', b"  \n", b"\xff\n")
untidy = st.lists(st.tuples(st.integers(0, 50), st.sampled_from(ODDITIES)), max_size=8)
cut = st.lists(st.integers(0, 50), max_size=4)


def check(question: Any, odd: list[tuple[int, bytes]], cuts: list[int]) -> None:
    """A log in files, with lines that cannot be read, is told alike by one process and by two."""
    lines, options = question
    asked = arguments({name: value for name, value in options.items() if name != "every"})
    packed = [json.dumps(line).encode() + b"\n" for line in lines]
    for place, line in odd:
        packed.insert(place, line)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write(directory, packed, cuts)

        assert told(directory, 2, asked) == told(directory, 1, asked)


@given(strategies.questions(), untidy, cut)
def test_any_log_is_told_alike(question: Any, odd: Any, cuts: Any) -> None:
    """Whatever is in a log, and however it is asked about, several count what one counts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_reading, "_SHARE_BYTES", FEW_BYTES)
        patch.setattr(_apart, "Processes", Here)

        check(question, odd, cuts)


@settings(max_examples=4)
@given(strategies.questions(), untidy, cut)
def test_any_log_is_told_alike_by_processes(question: Any, odd: Any, cuts: Any) -> None:
    """The same with real processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_reading, "_SHARE_BYTES", FEW_BYTES)

        check(question, odd, cuts)


def case_log(case: dict[str, Any], path: Path) -> dict[str, Any]:
    """Write a case's log; its options."""
    text = "".join(json.dumps(line) + "\n" for line in lines_of(case))
    path.write_text(text, "utf-8")
    asked = arguments(case["options"])
    asked.pop("every", None)
    return asked


@pytest.mark.untraced
@pytest.mark.parametrize("case", CASES["cases"][::4], ids=lambda case: case["name"])
def test_cases_are_told_alike(
    case: dict[str, Any], tmp_path: Path, few_bytes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published cases come out as they do with one."""
    monkeypatch.setattr(_apart, "Processes", Here)
    monkeypatch.setattr(_reading, "_SHARE_BYTES", 150)
    asked = case_log(case, tmp_path / "log.jsonl")

    assert told(tmp_path, 3, asked) == told(tmp_path, 1, asked)


@pytest.mark.long
@pytest.mark.parametrize("case", CASES["cases"][1::12], ids=lambda case: case["name"])
def test_cases_are_told_alike_by_processes(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with real processes."""
    monkeypatch.setattr(_reading, "_SHARE_BYTES", 150)
    asked = case_log(case, tmp_path / "log.jsonl")

    assert told(tmp_path, 2, asked) == told(tmp_path, 1, asked)


def shop_log(path: Path, attempts: int = 200) -> Path:
    """A log of some shares, with an unreadable line near its end."""
    events: list[Any] = [declared()]
    for n in range(attempts):
        events.append(entered(f"c-{n}", "cart", n, eur("5.00"), customer_id=f"u-{n // 2}"))
        if n % 3:
            events.append(ordered(f"c-{n}", f"o-{n // 5}", n + 1, eur("5.00")))
    lines = [event.line + b"\n" for event in events]
    lines.insert(len(lines) - 1, b"\nno event\n")
    path.write_bytes(b"".join(lines))
    return path


@pytest.fixture
def log(tmp_path: Path, few_bytes: None) -> Path:
    return shop_log(tmp_path / "log.jsonl")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that are started."""
    made: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **more: Any) -> subprocess.Popen[bytes]:
        made.append(popen(*arguments, **more))
        return made[-1]

    monkeypatch.setattr(_processes.subprocess, "Popen", start)
    return made


def test_processes_and_files_are_gone_afterwards(
    log: Path, temporary: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    """As many processes count as were asked for; they end, and leave no file."""
    report = measure(read_log(log), unit="customer", workers=3)

    assert report == measure(read_log(log), unit="customer")
    assert [process.returncode for process in started] == [0, 0, 0]
    assert list(temporary.iterdir()) == []


def test_places_have_the_lines_of_their_file(log: Path) -> None:
    """What cannot be read is told by the number of its line in the file, not in the share."""
    events = read_log(log)

    measure(events, workers=2)

    lines = log.read_bytes().splitlines()
    (place,) = events.problems.places
    assert place.line is not None
    assert (place.file, lines[place.line - 1]) == (str(log), b"no event")
    assert place.line > 100
    assert (events.problems.files, events.problems.blank) == (1, 1)


def test_a_killed_process_is_an_error(
    log: Path, temporary: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    """Where a process is killed there is no number: an error says by what, and all is tidied up."""

    def kill(done: int, total: int) -> None:
        if started[0].poll() is None:
            started[0].kill()
            started[0].wait()

    with pytest.raises(LogError, match="ended by SIGKILL, so that nothing was counted"):
        measure(read_log(log, progress=kill), workers=2)

    assert all(process.returncode is not None for process in started)
    assert started[0].returncode == -signal.SIGKILL
    assert list(temporary.iterdir()) == []


def test_a_process_that_is_killed_while_it_folds_is_an_error(
    log: Path,
    temporary: Path,
    started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same where the reading is over."""
    call = _processes._Process.call

    def killing(process: Any, *message: Any) -> Any:
        if message[:2] == ("take", "orders"):
            started[1].kill()
        return call(process, *message)

    monkeypatch.setattr(_processes._Process, "call", killing)

    with pytest.raises(LogError, match="SIGKILL"):
        measure(read_log(log), workers=2)

    assert all(process.returncode is not None for process in started)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("no more")])
def test_who_stops_in_the_middle_leaves_nothing(
    error: Any, log: Path, temporary: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    """What a progress callback raises comes out, and processes and files are gone."""

    def stop(done: int, total: int) -> None:
        raise error

    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        measure(read_log(log, progress=stop), workers=2)

    assert all(process.returncode is not None for process in started)
    assert list(temporary.iterdir()) == []


def test_a_full_disk_is_the_error_of_one_process(
    tmp_path_factory: pytest.TempPathFactory, small_disk: Path, few_bytes: None
) -> None:
    """What cannot be put aside raises as it does in one process."""
    log = shop_log(tmp_path_factory.mktemp("log") / "log.jsonl", 2_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(small_disk))

        with pytest.raises(OSError, match="No space left"):
            measure(read_log(log), workers=2)

    assert list(small_disk.iterdir()) == []


def test_progress_is_told_by_this_process(log: Path) -> None:
    """The bytes read grow up to those in all."""
    seen: list[tuple[int, int]] = []

    measure(read_log(log, progress=lambda *now: seen.append(now)), workers=2)

    size = log.stat().st_size
    assert len(seen) > 20
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {size}
    assert seen[-1] == (size, size)


@pytest.mark.parametrize("workers", [0, -1, 1.0, "2", True, None])
def test_workers_are_a_whole_number(workers: Any) -> None:
    """Other values are refused, and shown."""
    with pytest.raises(ConfigError, match=f"workers is a whole number above zero, not {workers!r}"):
        count([declared()], workers=workers)


def test_events_are_counted_here(started: list[subprocess.Popen[bytes]]) -> None:
    """Event objects cannot be read by several, and are counted in this process."""
    events = [declared(), entered("c-1", "cart", 0)]

    assert measure(events, workers=8) == measure(events)
    assert started == []


def test_a_small_log_is_counted_here(tmp_path: Path, started: list[Any]) -> None:
    """Where a process could not be given anything to do, none is started."""
    path = shop_log(tmp_path / "log.jsonl")

    assert measure(read_log(path), workers=8) == measure(read_log(path))
    assert started == []


def test_a_funnel_may_be_given(log: Path) -> None:
    """The definition that is passed is known in every process."""
    funnel = Funnel("checkout", steps=("cart", "payment"), sink=MemorySink())

    assert count(read_log(log), funnel, workers=2) == count(read_log(log), funnel)


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        ([declared(), entered("c-1", "cart", 0), declared(funnel="other", event_id="d-2")], {}),
        ([entered("c-1", "cart", 0), entered("c-2", "cart", 1), entered("c-3", "cart", 1)], {}),
        ([declared(), entered("c-1", "cart", 0), entered("c-2", "cart", 0)], {"funnel": "x"}),
        ([declared(), entered("c-1", "cart", 0)], {"funnel": 5}),
        ([declared(), entered("c-1", "cart", 0)], {"timezone": "Mars"}),
    ],
    ids=["several funnels", "no definition", "another funnel", "no funnel", "no zone"],
)
def test_errors_are_those_of_one_process(
    lines: list[Any], asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one process refuses, several refuse in the same words."""
    monkeypatch.setattr(_reading, "_SHARE_BYTES", 50)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(line.line + b"\n" for line in lines))

    with pytest.raises(ConfigError) as one:
        measure(read_log(path), **asked)
    with pytest.raises(ConfigError) as several:
        measure(read_log(path), workers=2, **asked)

    assert str(several.value) == str(one.value)


def test_since_passes_over_the_same_files(log: Path, tmp_path: Path) -> None:
    """Files that are passed over are counted as one process does."""
    since = datetime.fromisoformat("2999-01-01T00:00:00Z")
    events = read_log(tmp_path, since=since)

    report = measure(events, declared(), workers=2)

    assert report.started == 0
    assert events.problems == Problems(passed_over=1)


SCRIPT = """
from enum import Enum
from lastclick import Funnel, _reading, measure, read_log
from lastclick.sinks import MemorySink
class Steps(Enum):
    CART = "cart"
    PAYMENT = "payment"
_reading._SHARE_BYTES = 500
funnel = Funnel("checkout", steps=Steps, sink=MemorySink())
print(measure(read_log({path!r}), funnel, workers=2).started)
"""


def test_a_script_needs_no_guard(log: Path, tmp_path: Path) -> None:
    """A plain script may ask for several: it is not run again in each of them."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(path=str(log)), "utf-8")

    done = subprocess.run([sys.executable, script], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("200\n", "")


def test_a_report_has_the_log_of_all(log: Path) -> None:
    """The reading says what all of them met together."""
    events = read_log(log)
    report: Report = measure(events, workers=2)

    assert report.reading is not None
    assert report.reading.problems == events.problems
    assert report.reading.problems.lines == len(list(filter(None, log.read_bytes().split(b"\n"))))
