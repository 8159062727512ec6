"""The commands: roll, and report of what was rolled."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the extra 'cli' is not installed")

from click.testing import Result
from typer.testing import CliRunner

from lastclick import measure, read_log
from lastclick.cli import app
from tests.rolled.shop import DECLARED, FOUR_DAYS, append, entered, refunded


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(one) for one in arguments], prog_name="lastclick")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of four days."""
    append(tmp_path / "log" / "a.jsonl", [DECLARED, *FOUR_DAYS])
    return tmp_path / "log"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the state goes."""
    return tmp_path / "rolled"


def test_roll_says_what_it_did(log: Path, state: Path) -> None:
    """How much was new, which days were counted anew, and what to type next."""
    done = run("roll", log, "--to", state)

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"{log}: 13 new lines in 1 files, 12 events",
        "days counted anew: 2026-10-01 to 2026-10-04",
        "days with other figures now: 2026-10-01 to 2026-10-04",
        f"rolled to {state}; type next: lastclick report {state}",
    ]
    append(log / "b.jsonl", [refunded("r1", "04T09:00", "paid-02"), DECLARED, DECLARED])
    append(log / "b.jsonl", [entered("x", "04T10:30", "left-04"), {"v": 2}])
    done = run("roll", log, "--to", state)
    assert "days counted anew: 2026-10-02, 2026-10-04\n" in done.stdout
    assert f"1 lines not read in all; see lastclick check {log}" in done.stdout
    assert "days counted anew: none\n" in run("roll", log, "--to", state).stdout


def test_roll_says_why_everything_was_counted(log: Path, state: Path) -> None:
    """An earlier instant counts everything anew, and says so."""
    run("roll", log, "--to", state)

    done = run("roll", log, "--to", state, "--as-of", "2026-10-02")

    assert "everything was counted anew: it was counted as of a later instant" in done.stdout


def test_report_of_a_state_is_the_report_of_the_log(log: Path, state: Path) -> None:
    """The directory of a state stands for the log, in every format."""
    options = ["--by", "device", "--unit", "customer", "--timezone", "Europe/Paris"]
    options += ["--exclude", "traffic=bot", "--abandon-after", "20min", "--closed"]
    run("roll", log, "--to", state, *options)

    for more in (["--format", "json"], ["--format", "markdown"], ["--every", "day"]):
        of_log, of_state = (run("report", one, *options, *more) for one in (log, state))
        assert of_state.exit_code == 0
        assert of_state.stdout.split("rolled")[0] == of_log.stdout.split("python")[0]
    plain = run("report", state, "--format", "json")
    assert json.loads(plain.stdout)["by"] == ["device"]


def test_a_page_is_written_of_a_state(log: Path, state: Path, tmp_path: Path) -> None:
    """A page needs the report only."""
    run("roll", log, "--to", state)
    page = tmp_path / "page.json"

    done = run("report", state, "--html", page)

    assert done.exit_code == 0
    assert page.is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--by", "device"], "was not rolled with this --by"),
        (["--unit", "customer"], "was not rolled with this --unit"),
        (["--as-of", "2026-10-02"], "was not rolled with this --as-of"),
        (["--funnel", "returns"], "was not rolled with this --funnel"),
        (["--include-excluded"], "was not rolled with this --exclude"),
        (["--closed", "--within", "2h"], "was not rolled with this --closed"),
        (["--html", "x.html", "--with-journeys"], "--with-journeys needs the log itself"),
        (["--html", "x.html", "--before", "2026-10-02"], "was not rolled with this --as-of"),
    ],
)
def test_report_of_a_state_has_its_settings(
    log: Path, state: Path, options: list[str], said: str
) -> None:
    """What a state was not rolled with cannot be asked of it."""
    run("roll", log, "--to", state)

    done = run("report", state, *options)

    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--timezone", "UTC"], "was not rolled with this --timezone"),
        (["--exclude", "traffic=bot,staff,test"], "was not rolled with this --exclude"),
        (["--unit", "attempt"], "was not rolled with this --unit"),
    ],
)
def test_what_is_usual_is_refused_too_where_it_was_typed(
    log: Path, state: Path, options: list[str], said: str
) -> None:
    """Who types it means it, though it is what would be asked for without it."""
    rolled = ("--timezone", "Europe/Paris", "--include-excluded", "--unit", "customer")
    run("roll", log, "--to", state, *rolled)
    assert run("report", state).exit_code == 0

    done = run("report", state, *options)

    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--within", "2h"], "--within is the window of a closed funnel; add --closed"),
        (["--to", "{log}/a.jsonl"], "a file; name a directory, new or from before"),
    ],
)
def test_roll_names_the_option_that_is_wrong(
    log: Path, state: Path, options: list[str], said: str
) -> None:
    """As the report does."""
    (log / "a.jsonl").touch()

    done = run("roll", log, "--to", state, *(one.format(log=log) for one in options))

    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_roll_refuses_other_settings(log: Path, state: Path) -> None:
    """The sentence names what differs, and how to go on."""
    run("roll", log, "--to", state)

    done = run("roll", log, "--to", state, "--by", "device", "--include-excluded")

    assert done.exit_code == 2
    assert "was rolled with by=()" in done.stderr
    assert "delete" in done.stderr
    assert run("roll", log.with_name("nowhere"), "--to", state).exit_code == 2


def test_what_was_rolled_is_the_log(log: Path, state: Path) -> None:
    """The command asks as the function does."""
    run("roll", log, "--to", state, "--recover-within", "2d")

    report = json.loads(run("report", state, "--format", "json").stdout)

    expected = measure(read_log(log), recover_within=timedelta(days=2)).to_dict()
    assert report == json.loads(json.dumps(expected))
