"""The command line: what it prints, where it stops, and the exit codes that scripts rely on."""

import gzip
import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the extra 'cli' is not installed")

from typer.testing import CliRunner

from lastclick import Funnel, _reading, measure, read_log
from lastclick._demo import play
from lastclick.cli import app
from lastclick.events import parse_line
from lastclick.sinks import FileSink

MAPPING = """
funnel = "checkout"
steps = ["cart", "payment"]
checkout_id = "id"
time = "at"
timezone = "UTC"
step_column = "what"
order_id = "order"
amount = "sum"
currency = "EUR"

[values]
cart = "cart"
pay = "payment"
bought = "order"
"""
TABLE = """id,at,what,order,sum
c-1,2026-10-01 12:00,cart,,10.00
c-1,2026-10-01 12:01,pay,,10.00
c-1,2026-10-01 12:02,bought,o-1,12.50
c-2,2026-10-01 12:00,cart,,7.00
c-2,2026-10-01 12:00,cart,,7.00
c-2,2026-10-01 13:00,home,,
"""


def run(*arguments: object):
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(one) for one in arguments], prog_name="lastclick")


def real(*arguments: object, **more) -> subprocess.CompletedProcess[str]:
    """Run a command as a shell does."""
    command = [sys.executable, "-m", "lastclick", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **more)


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    """The log of a demo."""
    directory = tmp_path_factory.mktemp("log")
    play(directory, shoppers=120, seed=4)
    return directory


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    """A table and its mapping."""
    table, mapping = tmp_path / "table.csv", tmp_path / "mapping.toml"
    table.write_text(TABLE, encoding="utf-8")
    mapping.write_text(MAPPING, encoding="utf-8")
    return table, mapping


# All commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], ["demo"], ["report"], ["import"], ["check"]])
def test_help_says_what_the_exit_codes_mean(command):
    """Every command explains itself, and what a script may rely on."""
    done = run(*command, "--help")

    assert done.exit_code == 0
    assert "Exit codes: 0 all is well; 1 problems were found" in done.stdout
    if not command:
        assert all(name in done.stdout for name in ("demo", "report", "import", "check"))


@pytest.mark.parametrize(
    "arguments",
    [["foo"], ["report"], ["report", "x", "--every", "year"], ["demo", "--shoppers", "0"]],
)
def test_wrong_usage_is_exit_code_2(arguments):
    """A command, an argument or an option that is wrong stops everything, on stderr."""
    done = run(*arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: " in done.stderr


def test_no_command_shows_the_help():
    """Who types the name alone is shown what there is, and that it was not enough."""
    done = run()

    assert done.exit_code == 2
    assert "Commands:" in done.output


def test_a_real_process_exits_as_documented(tmp_path, log):
    """0, 1 and 2 come out of a real process, with one sentence and no traceback."""
    (tmp_path / "empty").mkdir()

    well = real("report", log)
    nothing = real("report", tmp_path / "empty")
    wrong = real("report", tmp_path / "nowhere")

    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout == f"{measure(read_log(log))}\n"
    assert nothing.returncode == 1
    assert nothing.stderr == f"lastclick: nothing to report: no event in {tmp_path / 'empty'}\n"
    assert wrong.returncode == 2
    assert wrong.stderr == (
        f"lastclick: no log at {tmp_path / 'nowhere'}; pass the directory that FileSink writes, "
        f"or a file\n"
    )


def test_a_reader_that_leaves_is_no_error(log):
    """``lastclick report | head -1`` ends without a traceback."""
    command = f"{sys.executable} -m lastclick report {log} | head -c 1"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


# demo ---------------------------------------------------------------------------------------------


def test_demo_reports_and_says_what_to_type_next(tmp_path, monkeypatch):
    """The demo ends with where the log is, and what it tells to type works."""
    monkeypatch.chdir(tmp_path)

    done = run("demo", "--shoppers", 60)

    assert done.exit_code == 0
    assert done.stdout.startswith("checkout   2026-10-")
    assert "The shop's own books say the same: 60 checkouts, " in done.stdout
    told = [line.split() for line in done.stdout.splitlines() if line.startswith("  lastclick ")]
    assert [command[1] for command in told] == ["report", "report", "check"]
    for command in told:
        assert run(*command[1:]).exit_code == 0


def test_demo_never_mixes_two_logs(tmp_path, monkeypatch):
    """A second demo gets a directory of its own; one that is in use is refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()

    assert run("demo", "--shoppers", 5).exit_code == 0
    assert "The log is in demo-log-2." in run("demo", "--shoppers", 5).stdout
    assert run("demo", "--shoppers", 5, "--to", "mine", "--seed", 9).exit_code == 0
    again = run("demo", "--shoppers", 5, "--to", "mine")
    assert again.exit_code == 2
    assert again.stderr == "lastclick: mine is not empty; name a new directory with --to\n"


def test_demo_fails_if_the_books_differ(tmp_path, monkeypatch):
    """A report that the shop's books do not bear out is a problem, and said to be one."""
    monkeypatch.setattr("lastclick._demo.Books.differences", lambda books, report: ["orders: 1"])

    done = run("demo", "--shoppers", 5, "--to", tmp_path / "log")

    assert done.exit_code == 1
    assert done.stdout.endswith("DIFFERENT  orders: 1\n")


# report -------------------------------------------------------------------------------------------


def test_report_passes_its_options_on(log):
    """Each option is the argument of `measure` that it is named for."""
    options = ["--as-of", "2026-10-20", "--by", "device", "--by", "currency", "--unit", "customer"]
    options += ["--funnel", "checkout", "--closed", "--within", "2h", "--abandon-after", "45min"]
    options += [
        "--recover-within",
        "P3D",
        "--timezone",
        "Europe/Paris",
        "--exclude",
        "device=mobile",
    ]

    done = run("report", log, *options, "--exclude", "device=tablet,tv")

    expected = measure(
        read_log(log),
        "checkout",
        as_of=datetime(2026, 10, 19, 22, tzinfo=UTC),
        by=["device", "currency"],
        unit="customer",
        closed=True,
        within=timedelta(hours=2),
        abandon_after=timedelta(minutes=45),
        recover_within=timedelta(days=3),
        timezone="Europe/Paris",
        exclude={"device": ("mobile", "tablet", "tv")},
    )
    assert done.exit_code == 0
    assert done.stdout == f"{expected}\n"


def test_a_report_by_several_processes_is_the_same(log, monkeypatch):
    """--workers counts in several processes, and changes no figure."""
    monkeypatch.setattr(_reading, "_SHARE_BYTES", 20_000)

    alone, together = (run("report", log, "--workers", n, "--format", "json") for n in (1, 2))

    assert together.exit_code == 0
    assert together.stdout == alone.stdout


def test_no_workers_are_refused(log):
    """There is at least one who counts."""
    done = run("report", log, "--workers", 0)

    assert done.exit_code == 2
    assert "--workers" in done.output


def test_report_counts_bots_if_told_to(log):
    """Bots, staff and tests are left out unless one asks for them."""
    usual = json.loads(run("report", log, "--format", "json").stdout)
    all_of_them = json.loads(run("report", log, "--format", "json", "--include-excluded").stdout)

    assert all_of_them["started"] == usual["started"] + 4
    assert usual["quality"]["excluded_attempts"] == 4


def test_report_as_json_is_the_report(log):
    """What scripts get is `to_dict`, with the trend where one is asked for."""
    plain = json.loads(run("report", log, "--format", "json").stdout)
    weekly = json.loads(run("report", log, "--format", "json", "--every", "week").stdout)

    assert plain == json.loads(json.dumps(measure(read_log(log)).to_dict()))
    assert list(weekly["trend"]) == list(measure(read_log(log)).trend("week"))
    assert sum(week["started"] for week in weekly["trend"].values()) == plain["started"]
    assert {key: weekly[key] for key in plain} == plain


def test_report_as_json_says_beside_it_what_was_not_read(tmp_path, log):
    """Lines that could not be read are told on stderr, since JSON holds the report alone."""
    (segment,) = log.iterdir()
    path = tmp_path / "log.jsonl"
    path.write_bytes(segment.read_bytes() + b"nonsense\n")

    done = run("report", path, "--format", "json")

    assert done.exit_code == 0
    assert json.loads(done.stdout) == json.loads(run("report", log, "--format", "json").stdout)
    assert done.stderr == f"lastclick: 1 lines not read; see lastclick check {path}\n"


def test_report_draws_the_trend(log):
    """Text and Markdown show a row for each period after the report."""
    report = measure(read_log(log))
    weeks = report.trend("week")

    text = run("report", log, "--every", "week").stdout.splitlines()
    page = run("report", log, "--every", "week", "--format", "markdown").stdout.splitlines()

    assert text[-len(weeks) - 1].split()[:2] == ["week", "started"]
    assert [line.split()[:2] for line in text[-len(weeks) :]] == [
        [first, str(week.started)] for first, week in weeks.items()
    ]
    assert text[: -len(weeks) - 2] == str(report).splitlines()
    table = [line for line in page if line.startswith("| ")][-len(weeks) - 2 :]
    assert table[0].startswith("| week | started | in flight | ordered |")
    assert set(table[1]) <= set("|:- ")
    assert "\n".join(page).startswith(report.to_markdown().rstrip())


def test_report_knows_the_present(log):
    """As of now, the shoppers of last year are long decided."""
    done = json.loads(run("report", log, "--as-of", "now", "--format", "json").stdout)

    assert done["as_of_chosen"]
    assert done["decided"] <= done["started"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--as-of", "soon"], "--as-of soon: not a time; write 2026-10-31T18:00:00Z"),
        (["--as-of", "2026-10-20", "--timezone", "Mars"], "--timezone Mars: not known"),
        (["--timezone", "Mars"], "timezone: 'Mars' is not known"),
        (["--abandon-after", "30"], "--abandon-after 30: not a duration; write 90s, 30min"),
        (["--abandon-after", "Px"], "--abandon-after Px: not a duration"),
        (["--abandon-after", "3 fortnights"], "--abandon-after 3 fortnights: not a duration"),
        (["--recover-within", "10s"], "recover_within (10 s) is below abandon_after (1800 s)"),
        (["--within", "2h"], "--within is the window of a closed funnel; add --closed"),
        (["--exclude", "bots"], "--exclude bots: write NAME=VALUE"),
        (
            ["--exclude", "device=mobile", "--include-excluded"],
            "--include-excluded leaves nothing out",
        ),
        (["--html", "p.html", "--before", "2026-13-01"], "--before 2026-13-01: not a time"),
        (["--html", "."], "--html .: a directory; name a file in it, such as page.html"),
        (["--html", "none/p.html"], "--html none/p.html: there is no directory none"),
        (["--funnel", "x"], "no definition of funnel 'x' among the events (funnels seen: 'check"),
    ],
)
def test_report_names_the_option_that_is_wrong(log, options, said):
    """One sentence says which, and what to write."""
    done = run("report", log, *options)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"lastclick: {said}")
    assert done.stderr.count("\n") == 1


def test_a_page_that_does_not_fit_leaves_nothing_behind(log, small_disk):
    """The sentence names the page, and no half of one is left."""
    page = small_disk / "page.html"

    done = run("report", log, "--html", page)

    assert done.exit_code == 2
    assert done.stderr == f"lastclick: --html {page}: not written: No space left on device\n"
    assert list(small_disk.iterdir()) == []


def test_a_log_without_an_event_says_who_knows_why(tmp_path):
    """There are lines, but none can be read."""
    (tmp_path / "foreign.jsonl").write_text('{"event":"cart"}\n')

    done = run("report", tmp_path)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        f"lastclick: no line of {tmp_path} is an event; see lastclick check {tmp_path}\n"
    )


def test_an_output_that_is_closed_is_no_problem_of_the_log(log):
    """Exit code 1 says that problems were found; here the reader has seen enough."""
    ours, theirs = os.pipe()
    os.close(ours)

    done = subprocess.run(
        [sys.executable, "-m", "lastclick", "check", str(log)],
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(theirs)

    assert (done.returncode, done.stderr) == (141, b"")


def test_report_by_duckdb_is_the_report(log):
    """The same figures, whatever counts."""
    pytest.importorskip("duckdb")
    options = ("--format", "json", "--by", "device", "--every", "week")

    result = run("report", log, "--engine", "duckdb", *options)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == run("report", log, "--engine", "python", *options).stdout


def test_report_takes_duckdb_by_itself_where_the_log_is_large(log, monkeypatch):
    """It says so, on stderr, and --engine python does not."""
    pytest.importorskip("duckdb")
    core = run("report", log)
    assert core.stderr == ""
    monkeypatch.setattr("lastclick.cli._LARGE", 1000)

    result = run("report", log)

    assert "DuckDB counts" in result.stderr
    assert result.stdout == core.stdout
    assert run("report", log, "--engine", "python").stderr == ""


def test_workers_are_for_the_core(log, monkeypatch):
    """Who asks for processes does not get DuckDB, and cannot ask for both."""
    monkeypatch.setattr("lastclick.cli._LARGE", 1000)
    assert run("report", log, "--workers", 2).stderr == ""
    pytest.importorskip("duckdb")

    result = run("report", log, "--workers", 2, "--engine", "duckdb")

    assert (result.exit_code, "--workers" in result.stderr) == (2, True)


def test_report_without_duckdb(log, monkeypatch):
    """What is large is counted by the core; who asks for DuckDB is told what to install."""
    monkeypatch.setattr("lastclick.cli.find_spec", lambda name: None)
    monkeypatch.setattr("lastclick.cli._LARGE", 1000)
    assert run("report", log).exit_code == 0

    result = run("report", log, "--engine", "duckdb")

    assert result.exit_code == 2
    assert 'pip install "lastclick[duckdb]"' in result.stderr


def test_report_of_a_url(log):
    """An engine reads it where it lies; what needs a log on this machine is refused."""
    pytest.importorskip("duckdb")
    url = log.as_uri()

    result = run("report", url, "--engine", "duckdb")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == run("report", log).stdout
    unsaid = run("report", url)
    assert unsaid.stderr.endswith("is a URL; add --engine duckdb or --engine spark\n")
    watched = run("report", url, "--engine", "duckdb", "--html", "page.html", "--watch")
    assert watched.stderr.endswith("--with-journeys and --watch need a log on this machine\n")
    assert (unsaid.exit_code, watched.exit_code) == (2, 2)


def test_report_by_clickhouse_needs_a_url(monkeypatch):
    """A password is for the environment; a server that is not there is one sentence."""
    pytest.importorskip("urllib3")
    monkeypatch.delenv("LASTCLICK_CLICKHOUSE", raising=False)

    unsaid = run("report", "lastclick.events", "--engine", "clickhouse")
    monkeypatch.setenv("LASTCLICK_CLICKHOUSE", "http://127.0.0.1:1")
    away = run("report", "lastclick.events", "--engine", "clickhouse")

    assert "needs a URL in LASTCLICK_CLICKHOUSE: http://HOST:8123" in unsaid.stderr
    assert "no answer from ClickHouse" in away.stderr
    assert (unsaid.exit_code, away.exit_code) == (2, 2)


@pytest.mark.parametrize("engine", ["spark", "clickhouse"])
def test_report_without_the_extra_of_an_engine(engine, monkeypatch):
    """It says what to install."""
    monkeypatch.setattr("lastclick.cli.find_spec", lambda name: None)

    result = run("report", "lastclick.events", "--engine", engine)

    assert result.exit_code == 2
    assert f'pip install "lastclick[{engine}]"' in result.stderr


def test_pack_and_what_it_says(log, tmp_path):
    """What was packed is counted; a report reads it by itself, and says the same."""
    pytest.importorskip("duckdb")
    packed = tmp_path / "packed"

    done = run("pack", log, "--to", packed)

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{log}: 1 segments, ")
    again = run("pack", log, "--to", packed)
    assert re.search(r"packed already +1\n", again.stdout)
    result = run("report", packed)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == run("report", log).stdout


def test_pack_tells_what_it_passes_over(tmp_path):
    """The first few, with the reason."""
    pytest.importorskip("duckdb")
    for number in range(7):
        (tmp_path / f"{number}.jsonl.gz").write_bytes(b"\x1f\x8b")

    done = run("pack", tmp_path, "--to", tmp_path / "packed")

    assert done.exit_code == 0
    assert done.stdout.count("it breaks off: ") == 5
    assert done.stdout.endswith("  and 2 more\n")


def test_pack_without_duckdb(log, tmp_path, monkeypatch):
    """It says what to install."""
    monkeypatch.setitem(sys.modules, "lastclick.engines.duckdb", None)
    monkeypatch.delattr("lastclick.engines.duckdb", raising=False)

    done = run("pack", log, "--to", tmp_path / "packed")

    assert done.exit_code == 2
    assert 'pip install "lastclick[duckdb]"' in done.stderr


def test_report_asks_which_funnel(tmp_path):
    """Two funnels in one log are named, until one is chosen."""
    for name in ("shop", "club"):
        with Funnel(name, steps=["cart"], sink=FileSink(tmp_path)) as funnel:
            funnel.checkout("c-1").enter("cart")

    both = run("report", tmp_path)

    assert both.exit_code == 2
    assert both.stderr == (
        "lastclick: several funnels in one log: 'club', 'shop'; choose one with --funnel\n"
    )
    assert run("report", tmp_path, "--funnel", "club").exit_code == 0


def test_report_of_no_attempt_is_exit_code_1(tmp_path):
    """A log with a definition and no attempt is reported as such."""
    with Funnel("checkout", steps=["cart"], sink=FileSink(tmp_path)) as funnel:
        funnel.refund("o-1", ("5.00", "EUR"))

    done = run("report", tmp_path)

    assert done.exit_code == 1
    assert done.stdout.startswith("checkout   no attempts")
    assert done.stderr == (
        "lastclick: nothing to report: no attempt was seen at a step of this funnel\n"
    )


# --- The page -------------------------------------------------------------------------------------


def test_a_page_is_written_beside_the_report(log, tmp_path):
    """The report is printed as ever; the page is a file, and says which command made it."""
    page = tmp_path / "report.html"

    done = real("report", log, "--by", "device", "--html", page)

    assert done.returncode == 0
    assert done.stdout == real("report", log, "--by", "device").stdout
    assert done.stderr == f"lastclick: the page is {page}\n"
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert f"lastclick report {log} --by device --html {page}" in html


@pytest.mark.parametrize(
    ("name", "start"), [("r.md", "# checkout"), ("r.json", "{"), ("r.txt", "checkout: EUR")]
)
def test_a_page_is_written_as_its_name_ends(log, tmp_path, name, start):
    """As Markdown, as JSON, as plain text for mail."""
    run("report", log, "--html", tmp_path / name)

    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    assert list(tmp_path.iterdir()) == [tmp_path / name]


PAGE = """
name = "Lamps & Co"
[[marks]]
day = 2026-10-14
name = "new payment form"
[spend]
by = "device"
channels = { mobile = "EUR 400.00" }
"""


@pytest.mark.parametrize("by", [(), ("--by", "device")])
def test_a_page_is_told_what_its_file_says(log, tmp_path, by):
    """Look, marks and spend, whether or not the report is by the channel."""
    (tmp_path / "page.toml").write_text(PAGE)
    page = tmp_path / "report.html"

    run("report", log, "--html", page, "--theme", tmp_path / "page.toml", "--every", "week", *by)

    html = page.read_text(encoding="utf-8")
    assert "Lamps &amp; Co" in html
    assert "new payment form" in html
    assert 'id="case-advertising"' in html


def test_a_page_compares_with_before_and_lists_journeys(log, tmp_path):
    """--before splits the log in two periods; --with-journeys names customers."""
    page = tmp_path / "report.json"

    run("report", log, "--html", page, "--before", "2026-10-15", "--with-journeys")

    facts = json.loads(page.read_text(encoding="utf-8"))
    assert facts["comparison"]["before"]["last_day"] == "2026-10-14"
    assert facts["comparison"]["after"]["first_day"] == "2026-10-15"
    assert facts["journeys"][0]["customer_id"]


def test_a_page_in_another_language(log, tmp_path):
    """--language is that of the page."""
    pytest.importorskip("babel")

    run("report", log, "--html", tmp_path / "r.txt", "--language", "fr")

    assert "à portée" in (tmp_path / "r.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--watch",), "add --html"),
        (("--with-journeys",), "add --html"),
        (("--theme", "none.toml"), "add --html"),
        (("--html", "r.html", "--theme", "none.toml"), "none.toml"),
        (("--html", "r.html", "--language", "tlh"), "choose one of en"),
        (("--html", "none/r.html"), "none"),
    ],
)
def test_a_page_that_cannot_be_is_exit_code_2(log, tmp_path, monkeypatch, options, said):
    """The message says what is wrong, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)

    done = run("report", log, *options)

    assert done.exit_code == 2
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("whole", [True, False])
def test_a_watched_page_grows_with_its_log(tmp_path, monkeypatch, whole):
    """Whenever the log is another, the page is written anew, until somebody stops it."""
    directory = tmp_path / "log"
    funnel = Funnel("checkout", steps=("cart",), sink=FileSink(directory))
    funnel.checkout("a").enter("cart")
    page = tmp_path / "report.json"
    started = []

    def look(seconds):
        started.append(json.loads(page.read_text(encoding="utf-8"))["report"]["started"])
        if len(started) == 4:
            raise KeyboardInterrupt
        if len(started) == 2:
            funnel.checkout("b").enter("cart")

    monkeypatch.setattr("lastclick.cli.time.sleep", look)
    (file,) = directory.rglob("*.jsonl")
    done = run("report", directory if whole else file, "--html", page, "--watch")
    funnel.close()

    assert started == [1, 1, 2, 2]
    assert done.exit_code == 0


def test_progress_is_for_terminals_only(log):
    """On a terminal a bar goes to stderr; in a pipe there is none, and stdout is clean in both."""
    assert real("report", log).stderr == ""

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lastclick", "report", str(log)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    stdout, _ = process.communicate()
    os.close(ours)

    assert b"reading" in shown
    assert stdout.decode() == f"{measure(read_log(log))}\n"


# import -------------------------------------------------------------------------------------------


def test_import_writes_a_log_and_sums_up(files, tmp_path):
    """What was used and passed over is said, and the log says what the table says."""
    table, mapping = files

    done = run("import", table, "--map", mapping, "--to", tmp_path / "log")

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"{table}: 6 rows",
        "  used                         5",
        "  used without a part          0",
        "  passed over                  1  (home 1)",
        "  could not be used            0",
        "  blank                        0",
        f"written to {tmp_path / 'log'}; type next: lastclick report {tmp_path / 'log'}",
    ]
    report = measure(read_log(tmp_path / "log"))
    assert (report.started, report.ordered) == (2, 1)
    assert str(report.revenue["EUR"].gross) == "EUR 12.50"
    assert run("check", tmp_path / "log").exit_code == 0


def test_importing_twice_changes_no_number(files, tmp_path):
    """The second time every event is a redelivery, plain or gzipped."""
    table, mapping = files
    packed = tmp_path / "again.csv.gz"
    packed.write_bytes(gzip.compress(TABLE.encode()))

    assert run("import", table, "--map", mapping, "--to", tmp_path / "log").exit_code == 0
    once = run("report", tmp_path / "log", "--format", "json").stdout
    assert run("import", packed, "--map", mapping, "--to", tmp_path / "log").exit_code == 0
    twice = run("report", tmp_path / "log", "--format", "json").stdout

    assert twice == once
    assert measure(read_log(tmp_path / "log")).reading.redelivered == 5


def test_import_lists_what_it_could_not_use(files, tmp_path):
    """Rows that are left out are listed, told to the log, and make it exit with 1."""
    table, mapping = files
    bad = "".join(f"c-{number},someday,cart,,\n" for number in range(8))
    table.write_text(f"{TABLE}{bad}c-9,2026-10-01 12:00,cart,,free\n,,,,\n", encoding="utf-8")

    done = run("import", table, "--map", mapping, "--to", tmp_path / "log")

    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[2:6] == [
        "  used without a part          1",
        "  passed over                  1  (home 1)",
        "  could not be used            8",
        "  blank                        1",
    ]
    assert lines[6].startswith(f"  {table}:8: not a time: 'someday'")
    assert lines[11] == "  and 4 more"
    report = measure(read_log(tmp_path / "log"))
    assert (report.quality.rejected, report.quality.flawed) == (8, 1)
    assert run("check", tmp_path / "log").exit_code == 1


def test_import_says_which_values_it_passed_over(files, tmp_path):
    """The most frequent ones are named, so that a misspelt one is seen."""
    table, mapping = files
    rows = [f"c-1,2026-10-01 12:00,{what},," for what in ["Cart"] * 3 + [*"abcdef", ""]]
    table.write_text("id,at,what,order,sum\n" + "\n".join(rows), encoding="utf-8")

    done = run("import", table, "--map", mapping, "--to", tmp_path / "log")

    assert "passed over                 10  (Cart 3, a 1, b 1, c 1, d 1, ...)" in done.stdout


def test_import_with_nothing_passed_over_names_no_value(files, tmp_path):
    """Where the mapping says something of every value, there is nothing to name."""
    table, mapping = files
    mapping.write_text(f'{MAPPING}home = "cart"\n', encoding="utf-8")

    done = run("import", table, "--map", mapping, "--to", tmp_path / "log")

    assert "  passed over                  0\n" in done.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table, mapping: table.unlink(), "no table at "),
        (lambda table, mapping: mapping.unlink(), "mapping.toml: cannot be read"),
        (lambda table, mapping: mapping.write_text("x = 1"), "mapping.toml: mapping: "),
        (lambda table, mapping: table.write_text("a,b\n"), "table.csv has no column 'id'"),
        (
            lambda table, mapping: mapping.write_text(MAPPING.replace('timezone = "UTC"', "")),
            "table.csv, row 2: a time without a zone: ",
        ),
    ],
)
def test_import_that_cannot_be_is_exit_code_2(files, tmp_path, change, said):
    """A file that is not there, or a mapping that does not fit, is named in one sentence."""
    change(*files)

    done = run("import", files[0], "--map", files[1], "--to", tmp_path / "log")

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("lastclick: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_import_to_where_nothing_can_be_written(files, tmp_path):
    """A log that cannot be a directory is wrong usage; a full disk is a problem."""
    table, mapping = files
    (tmp_path / "file").write_text("")

    wrong = run("import", table, "--map", mapping, "--to", tmp_path / "file")

    assert wrong.exit_code == 2
    assert "cannot write to directory" in wrong.stderr


def test_import_that_loses_its_disk_is_exit_code_1(files, tmp_path, monkeypatch):
    """An event that the sink could not keep stops the import, with the reason."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lastclick.sinks._segment.os.write", full)

    done = run("import", files[0], "--map", files[1], "--to", tmp_path / "log")

    assert done.exit_code == 1
    assert "No space left on device" in done.stderr


def test_a_table_that_may_not_be_read_is_exit_code_2(files, tmp_path, monkeypatch):
    """What the operating system refuses is said in its own words."""

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied", "table.csv")

    monkeypatch.setattr("lastclick.logs.Table.__iter__", refused)

    done = run("import", files[0], "--map", files[1], "--to", tmp_path / "log")

    assert done.exit_code == 2
    assert done.stderr == "lastclick: [Errno 13] Permission denied: 'table.csv'\n"


# check --------------------------------------------------------------------------------------------


def test_check_of_a_clean_log(log, tmp_path):
    """A log that `FileSink` wrote has nothing wrong; an empty one has nothing in it."""
    done = run("check", log)

    lines = len(b"".join(path.read_bytes() for path in log.iterdir()).splitlines())
    assert done.exit_code == 0
    assert done.stdout == f"{log}: 1 files, {lines:,} lines, {lines:,} events\nnothing wrong\n"
    assert run("check", tmp_path).stdout.endswith("nothing in it\n")


def bad_log(path: Path) -> None:
    """One of everything that can be wrong."""
    now = datetime(2026, 10, 1, tzinfo=UTC)
    directory = path.parent / "written"
    sink = FileSink(directory, compress=False)
    with Funnel("checkout", steps=["cart"], sink=sink, clock=lambda: now) as funnel:
        funnel.checkout("c-1").enter("cart", value=("free", "EUR"))
        funnel.checkout("").enter("cart")
        funnel.checkout("c-2").enter("kart")
    (segment,) = directory.iterdir()
    lines = segment.read_bytes().splitlines()
    entered = next(line for line in lines if b'"step_entered"' in line)
    future = (datetime.now(UTC) + timedelta(days=2)).isoformat().encode()
    lines += [
        entered.replace(b'"step_entered"', b'"survey_answered"'),
        entered.replace(b'"checkout_id":"c-1",', b""),
        entered.replace(
            b'"occurred_at":"2026-10-01T00:00:00.000000Z"', b'"occurred_at":"%b"' % future
        ),
        entered.replace(b'"v":1', b'"v":9'),
        entered.replace(b'"checkout"', b'"club"'),
        *(b"nonsense %d" % number for number in range(7)),
        b"",
        entered[:60],
    ]
    path.write_bytes(b"\n".join(lines))


def test_check_says_what_is_wrong_and_where(tmp_path):
    """Every kind of fault is named, counted and placed, and makes it exit with 1."""
    path = tmp_path / "log.jsonl"
    bad_log(path)
    lines = path.read_bytes().splitlines()
    place = {name: number for number, name in enumerate(map(bytes, lines), 1)}

    done = run("check", path)

    assert done.exit_code == 1
    told = done.stdout.splitlines()
    counts = dict(line.rsplit(": ", 1) for line in told[1:] if not line.startswith("  "))
    assert counts == {
        "events kept without a flawed part": "1",
        "events lost": "1",
        "unknown type": "1",
        "no checkout id": "1",
        "event in the future": "1",
        "unreadable line": "8",
        "torn line": "1",
        "unknown step 'kart' of funnel 'checkout'": "1",
        "funnel without a definition": "1",
        "several funnels; choose one with --funnel": "2",
    }
    assert f"  {path}:{place[lines[-1]]}: only a part of it was written" in told
    assert any(line.endswith(": survey_answered") for line in told)
    assert "  and 3 more places" in told
    assert "  'club'" in told
    assert any("1 by the funnel, no_checkout_id, 2026-10-01 00:00 to" in line for line in told)


def test_check_of_one_funnel(tmp_path):
    """What is wrong in another funnel does not matter to this one; a missing name does."""
    for name in ("shop", "club"):
        with Funnel(name, steps=["cart"], sink=FileSink(tmp_path)) as funnel:
            funnel.checkout("c-1").enter("cart" if name == "shop" else "kart")

    assert run("check", tmp_path).exit_code == 1
    assert run("check", tmp_path, "--funnel", "shop").exit_code == 0
    assert "unknown step 'kart'" in run("check", tmp_path, "--funnel", "club").stdout
    none = run("check", tmp_path, "--funnel", "x")
    assert none.exit_code == 1
    assert "no such funnel" in none.stdout


def test_check_counts_a_loss_once(tmp_path):
    """A log that was delivered twice did not lose twice."""
    path = tmp_path / "log.jsonl"
    bad_log(path)
    losses = [line for line in path.read_bytes().splitlines() if b'"events_lost"' in line]
    path.write_bytes(b"\n".join(losses * 3))

    done = run("check", path)

    assert len(losses) == 2
    assert "events lost: 1\n" in done.stdout
    assert all(parse_line(line).count == 1 for line in losses)


def test_check_tells_of_a_file_that_breaks_off(tmp_path, log):
    """A gzipped segment that is not whole is named."""
    (segment,) = log.iterdir()
    packed = gzip.compress(segment.read_bytes())
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])

    done = run("check", path)

    assert done.exit_code == 1
    assert f"torn file: 1\n  {path}: the file breaks off: " in done.stdout


def test_check_names_files_that_are_passed_over(log):
    """What a rotation renamed is no part of the log; what a sink has at work is no fault."""
    (segment,) = log.iterdir()
    renamed = segment.with_name(f"{segment.name}.1")
    renamed.write_bytes(segment.read_bytes())
    segment.with_name(f"{segment.name}.gz.tmp").write_bytes(b"")
    (log / "README").write_text("Our log.")

    done = run("check", log)

    assert done.exit_code == 1
    assert f"file passed over, by its name: 1\n  {renamed}: a name of a log ends in " in done.stdout
    renamed.unlink()
    assert run("check", log).exit_code == 0


def test_check_wants_a_log(tmp_path):
    """A path that is not there is wrong usage."""
    assert run("check", tmp_path / "nowhere").exit_code == 2
