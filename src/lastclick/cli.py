"""The command line: try it out, import what you have, report, roll, and check a log.

It prints what the library says and computes nothing. Needs the extra ``cli``.
"""

import json
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from importlib.metadata import version
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from typer.core import TyperGroup
from typing_extensions import override

from lastclick import Outcome, Report, _demo, journeys, measure, read_log
from lastclick._check import check_log
from lastclick.analysis import marketing
from lastclick.errors import ConfigError, DeliveryError, LastclickError
from lastclick.logs import Place, TableMapping, TableProblems, read_table
from lastclick.page import Page, PageOptions, report_page
from lastclick.page._facts import first_fix
from lastclick.page._file import PageFile
from lastclick.rolled import is_rolled, read_rolled
from lastclick.rolled import roll as roll_log
from lastclick.sinks import FileSink

OK, FOUND, WRONG = 0, 1, 2
_EXIT_CODES = (
    "Exit codes: 0 all is well; 1 problems were found, or there is nothing to report; "
    "2 the command was used wrongly."
)
_SHOWN = 5
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EXCLUDED = "traffic=bot,staff,test"
_WITHIN = "--within is the window of a closed funnel; add --closed"
_SECRETS = "LASTCLICK_SECRETS"
_CLICKHOUSE = "LASTCLICK_CLICKHOUSE"
#: How often a log is looked at, in seconds, while it is watched.
_WATCH_S = 2.0
#: From how many bytes on a log is large: some seconds' work for the core.
_LARGE = 64 * 1024 * 1024

Told = Callable[[int, int], object] | None


class Engine(StrEnum):
    """What counts."""

    AUTO = "auto"
    PYTHON = "python"
    DUCKDB = "duckdb"
    SPARK = "spark"
    CLICKHOUSE = "clickhouse"


class Every(StrEnum):
    """The periods of a trend."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Unit(StrEnum):
    """What is counted."""

    ATTEMPT = "attempt"
    CUSTOMER = "customer"


class Format(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class _Commands(TyperGroup):
    """Says what went wrong in one sentence, and how it ends in an exit code."""

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Who reads has seen enough, which is no problem of the log: end as the signal ends it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(128 + signal.SIGPIPE) from None
        except LastclickError as error:
            _stop(_as_option(str(error)), FOUND if isinstance(error, DeliveryError) else WRONG)
        except OSError as error:
            _stop(str(error), WRONG)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=_EXIT_CODES,
)


def _stop(sentence: str, code: int) -> NoReturn:
    typer.echo(f"lastclick: {sentence}", err=True)
    raise typer.Exit(code)


def _as_option(sentence: str) -> str:
    """What the library says of an argument, as one types it here."""
    sentence = sentence.replace("choose one with funnel=", "choose one with --funnel")
    return sentence.replace("; pass funnel= a Funnel or its declaration", "")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lastclick {version('lastclick')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Measure what a checkout loses, step by step, and what is won back.

    New here? Type: lastclick demo
    """


LogArgument = Annotated[
    Path,
    typer.Argument(help="A log: the directory that FileSink writes, or one file.", metavar="LOG"),
]


# demo ---------------------------------------------------------------------------------------------


@app.command(epilog=_EXIT_CODES)
def demo(
    to: Annotated[
        Path | None,
        typer.Option(help="Where the log goes; a new or empty directory. Default: demo-log."),
    ] = None,
    shoppers: Annotated[int, typer.Option(min=1, help="How many people come.")] = 400,
    seed: Annotated[int, typer.Option(help="The same seed brings the same shoppers.")] = 1,
) -> None:
    """Let a small shop run for four weeks, and report on it.

    The shoppers are simulated: they fill carts, leave, have their cards declined, come back hours
    or days later, with a reminder or without, buy and send things back. Some are bots. The report
    is held against the shop's own books.
    """
    directory = _free_directory(to)
    books = _demo.play(directory, shoppers=shoppers, seed=seed)
    report = measure(read_log(directory), by="device")
    typer.echo(report)
    differences = books.differences(report)
    for difference in differences:
        typer.echo(f"DIFFERENT  {difference}")
    if differences:
        raise typer.Exit(FOUND)
    taken = " and ".join(str(amount) for amount in books.gross().values()) or "nothing"
    typer.echo(
        f"\nThe shop's own books say the same: {books.checkouts:,} checkouts, "
        f"{len(books.orders):,} orders, {taken} taken."
        f"\n\nThe log is in {directory}. Type next:"
        f"\n  lastclick report {directory} --every week"
        f"\n  lastclick report {directory} --by device --html report.html"
        f"\n  lastclick check {directory}"
    )


def _free_directory(to: Path | None) -> Path:
    if to is None:
        names = ("demo-log" if n == 1 else f"demo-log-{n}" for n in count(1))
        return next(path for path in map(Path, names) if _is_free(path))
    if not _is_free(to):
        _stop(f"{to} is not empty; name a new directory with --to", WRONG)
    return to


def _is_free(path: Path) -> bool:
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


# report -------------------------------------------------------------------------------------------


@app.command(epilog=_EXIT_CODES)
def report(
    context: typer.Context,
    log: Annotated[
        str,
        typer.Argument(
            help="A log: the directory that FileSink writes, or one file. Or the directory that "
            "one was rolled to, or what the engine reads: a URL, or a table's name.",
            metavar="LOG",
        ),
    ],
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Shopper events after it do not count: an ISO 8601 time (in --timezone where it "
            "has none; a day is its first instant), or 'now'. Default: the last event.",
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="ATTRIBUTE", help="Group by an attribute; may be repeated."),
    ] = None,
    every: Annotated[
        Every | None, typer.Option(help="Add a trend by the time at which attempts started.")
    ] = None,
    unit: Annotated[
        Unit, typer.Option(help="Count attempts, or join the attempts of one customer.")
    ] = Unit.ATTEMPT,
    funnel: Annotated[
        str | None, typer.Option(help="Which funnel, where the log holds several.")
    ] = None,
    closed: Annotated[
        bool,
        typer.Option("--closed", help="Draw the steps as a closed funnel, as other tools do."),
    ] = False,
    within: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="The closed funnel's window, such as 2h or 7d."),
    ] = None,
    abandon_after: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Instead of the definition's, such as 30min."),
    ] = None,
    recover_within: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Instead of the definition's, such as 7d."),
    ] = None,
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="Whose days count, such as Europe/Paris.")
    ] = "UTC",
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE[,VALUE]",
            help=f"Leave out attempts with such an attribute; may be repeated. "
            f"Default: {_EXCLUDED}.",
        ),
    ] = None,
    include_excluded: Annotated[
        bool, typer.Option("--include-excluded", help="Leave nothing out: count bots too.")
    ] = False,
    engine: Annotated[
        Engine,
        typer.Option(
            help="What counts; the report is the same. 'auto' takes DuckDB where it is installed "
            "and the log is large. 'spark' takes the session that SPARK_REMOTE or its settings "
            f"name, 'clickhouse' the server whose URL is in {_CLICKHOUSE}."
        ),
    ] = Engine.AUTO,
    format_: Annotated[
        Format, typer.Option("--format", help="How the report is written.")
    ] = Format.TEXT,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write the report as a page, too: one file that needs nothing else. As Markdown, "
            "JSON or plain text where the name ends in .md, .json or .txt.",
        ),
    ] = None,
    theme: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For the page: your logo and colours, releases and campaigns to mark in the "
            "trend, and what was spent on advertising; a TOML file.",
        ),
    ] = None,
    language: Annotated[
        str, typer.Option(metavar="LANGUAGE", help="Of the page: en, fr, es or ar.")
    ] = "en",
    before: Annotated[
        str | None,
        typer.Option(
            metavar="DAY", help="For the page: compare what started from this day on with before."
        ),
    ] = None,
    with_journeys: Annotated[
        bool,
        typer.Option(
            "--with-journeys",
            help="For the page: list the dearest carts that can still be won back, with the ids of "
            "their customers.",
        ),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Write the page anew whenever the log grows.")
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="NUMBER",
            help="How many processes count, at most; the report is the same.",
        ),
    ] = 1,
) -> None:
    """Report on a log: what became of its checkouts, step by step and in money."""
    if within is not None and not closed:
        _stop(_WITHIN, WRONG)
    if html is None and (watch or with_journeys or theme is not None or before is not None):
        _stop("--theme, --before, --with-journeys and --watch are about a page; add --html", WRONG)
    excluded = _excluded(exclude, all_=include_excluded)
    asked: dict[str, Any] = {
        "as_of": None if as_of is None else _instant("--as-of", as_of, timezone),
        "by": by or (),
        "unit": unit.value,
        "exclude": excluded,
        "closed": closed,
        "within": _limit("--within", within),
        "abandon_after": _limit("--abandon-after", abandon_after),
        "recover_within": _limit("--recover-within", recover_within),
        "timezone": timezone,
    }
    since = None if before is None else _instant("--before", before, timezone)
    settings = PageFile() if theme is None else PageFile.load(theme)
    if engine not in (Engine.AUTO, Engine.PYTHON) and workers > 1:
        _stop("--workers is for --engine python; the others take all cores", WRONG)
    afar = engine in (Engine.SPARK, Engine.CLICKHOUSE) or "://" in log
    if afar and (with_journeys or watch):
        _stop("--with-journeys and --watch need a log on this machine", WRONG)
    if afar and engine in (Engine.AUTO, Engine.PYTHON):
        _stop(f"{log} is a URL; add --engine duckdb or --engine spark", WRONG)
    path = Path(log)
    of_state = not afar and is_rolled(path)
    if not afar and workers == 1 and not of_state:
        engine = _chosen(engine, path)
    if of_state and with_journeys:
        _stop(f"--with-journeys needs the log itself, and {log} is what it was rolled to", WRONG)

    def read(**other: Any) -> Report:
        settings = {**asked, **other}
        if of_state:
            return _rolled_report(path, {"funnel": funnel, **settings}, _typed(context))
        with _progress("reading") as told:
            if afar:
                return _report_from_afar(engine, log, funnel, {"progress": told, **settings})
            by_duckdb = engine is Engine.DUCKDB
            events = read_log(path, progress=None if by_duckdb else told)
            try:
                if by_duckdb:
                    from lastclick.engines import duckdb

                    return duckdb.measure(events, funnel, progress=told, **settings)
                return measure(events, funnel, workers=workers, **settings)
            except ConfigError:
                if next(events.lines(), None) is None:
                    _stop(f"nothing to report: no event in {log}", FOUND)
                if next(iter(events), None) is None:
                    _stop(f"no line of {log} is an event; see lastclick check {log}", FOUND)
                raise

    def write(found: Report) -> None:
        assert html is not None
        options: PageOptions = {
            "language": language,
            "theme": settings.theme,
            "marks": settings.marks,
            "command": shlex.join(["lastclick", *sys.argv[1:]]),
        }
        if every is not None:
            options["every"] = every.value
        if since is not None:
            options["before"] = read(as_of=since - timedelta(microseconds=1))
        if settings.spend:
            by_channel = found if found.by == (settings.spend_by,) else read(by=settings.spend_by)
            options["marketing"] = marketing(by_channel, settings.spend, fix=first_fix(found))
        if with_journeys and found.as_of is not None:
            options["journeys"] = journeys(
                read_log(path),
                found.funnel,
                as_of=found.as_of,
                outcome=Outcome.RECOVERABLE,
                exclude=excluded,
                abandon_after=found.abandon_after,
                recover_within=found.recover_within,
            )
        _put(html, report_page(found, **options))

    found = read()
    if html is not None:
        write(found)
        typer.echo(f"lastclick: the page is {html}", err=True)
    if watch:
        _watch(path, lambda: write(read()))
        return
    trend = {} if every is None else found.trend(every.value)
    if format_ is Format.JSON:
        periods = {"trend": {first: _period(one) for first, one in trend.items()}}
        typer.echo(json.dumps({**found.to_dict(), **(periods if every else {})}, indent=2))
        problems = found.reading.problems if found.reading is not None else None
        unread = 0 if problems is None else problems.unreadable + problems.torn
        if unread:  # a figure of the delivery, which is no part of the report
            typer.echo(f"lastclick: {unread:,} lines not read; see lastclick check {log}", err=True)
    elif format_ is Format.MARKDOWN:
        typer.echo(found.to_markdown() + "".join(f"{line}\n" for line in _trend(trend, every, "|")))
    else:
        typer.echo(found)
        for line in _trend(trend, every, ""):
            typer.echo(line)
    if not found.started:
        _stop("nothing to report: no attempt was seen at a step of this funnel", FOUND)


def _chosen(engine: Engine, log: Path) -> Engine:
    """What counts a log on this machine; where DuckDB was not asked for by name, it is told."""
    if engine is Engine.DUCKDB:
        _need(engine)
    if engine is not Engine.AUTO or find_spec("duckdb") is None:
        return engine
    size = 0
    for file in log.rglob("*") if log.is_dir() else [log]:
        with suppress(OSError):  # gone meanwhile
            size += file.stat().st_size
        if file.suffix == ".parquet":  # it is what reads them
            return Engine.DUCKDB
    if size < _LARGE:
        return engine
    typer.echo("lastclick: the log is large, so DuckDB counts (--engine python does not)", err=True)
    return Engine.DUCKDB


def _need(engine: Engine) -> None:
    needed = {Engine.SPARK: "pyspark", Engine.CLICKHOUSE: "urllib3"}.get(engine, engine.value)
    if find_spec(needed) is None:
        _stop(f'--engine {engine} needs the extra: pip install "lastclick[{engine}]"', WRONG)


def _report_from_afar(
    engine: Engine, source: str, funnel: str | None, settings: dict[str, Any]
) -> Report:
    """The report of what is not on this machine, or in no file: counted where it lies."""
    _need(engine)
    if engine is Engine.DUCKDB:
        from lastclick.engines import duckdb

        return duckdb.measure(source, funnel, **settings)
    if engine is Engine.CLICKHOUSE:
        from lastclick.engines import clickhouse

        url = os.environ.get(_CLICKHOUSE)
        if not url:
            _stop(f"--engine clickhouse needs a URL in {_CLICKHOUSE}: http://HOST:8123", WRONG)
        return clickhouse.measure(source, funnel, url=url, **settings)
    from lastclick.engines import spark

    return spark.measure(source, funnel, **settings)


def _rolled_report(directory: Path, asked: Mapping[str, Any], typed: Set[str]) -> Report:
    """The report of a state, which can only be asked for what it was rolled with.

    Args:
        directory: Where the state is.
        asked: The settings of a report.
        typed: Which of them were typed, and are meant even where they are what is usual.
    """
    found = read_rolled(directory)
    usual = {"by": (), "unit": "attempt", "exclude": _excluded(None), "timezone": "UTC"}
    for name, value in asked.items():
        given, rolled_with = (_sorted(one) for one in (value, getattr(found, name, None)))
        meant = name in typed or given not in (None, False, _sorted(usual.get(name)))
        if meant and given != rolled_with:
            option = f"--{name.replace('_', '-')}"
            _stop(f"{directory} was not rolled with this {option}; roll with it to another", WRONG)
    return found


def _typed(context: typer.Context) -> set[str]:
    """The settings that were typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    typed = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    return typed | ({"exclude"} if "include_excluded" in typed else set())


def _sorted(value: object) -> object:
    """A setting so that the same ones are equal."""
    if isinstance(value, Mapping):
        return {name: sorted(values, key=json.dumps) for name, values in sorted(value.items())}
    return list(value) if isinstance(value, list | tuple) else value


def _be_directory(to: Path) -> None:
    if to.is_file():
        _stop(f"--to {to}: a file; name a directory, new or from before", WRONG)


def _put(file: Path, page: Page) -> None:
    """Write a page, whole or not at all: somebody may be reading it."""
    if file.is_dir():
        _stop(f"--html {file}: a directory; name a file in it, such as {file / 'page.html'}", WRONG)
    if not file.parent.is_dir():
        _stop(
            f"--html {file}: there is no directory {file.parent}; make it, or name another", WRONG
        )
    drawn = {".md": page.to_markdown, ".json": page.to_json, ".txt": page.to_digest}
    new = file.with_name(f".{file.name}.new")
    try:
        new.write_text(drawn.get(file.suffix, page.to_html)(), encoding="utf-8")
        new.replace(file)
    except OSError as error:
        new.unlink(missing_ok=True)
        _stop(f"--html {file}: not written: {error.strerror}", WRONG)


def _watch(log: Path, write: Callable[[], object]) -> None:
    """Write the page whenever the files of a log are others than before, until stopped."""
    files = [log] if log.is_file() else None
    seen = None
    with suppress(KeyboardInterrupt):
        while True:
            there = files or sorted(log.rglob("*"))
            now = [(str(file), file.stat().st_size) for file in there if file.is_file()]
            if seen not in (None, now):
                write()
            seen = now
            time.sleep(_WATCH_S)


def _period(report: Report) -> dict[str, Any]:
    """A period's figures; what is odd belongs to the log as a whole."""
    return {name: value for name, value in report.to_dict().items() if name != "quality"}


def _trend(trend: Mapping[str, Report], every: Every | None, bar: str) -> Iterator[str]:
    """The trend as a table, in columns or in Markdown."""
    if every is None:
        return
    header = [every.value, "started", "in flight", "ordered", "abandonment rate", "revenue (net)"]
    rows = [header]
    for first, one in trend.items():
        flying, money = one.started - one.decided, [str(own.net) for own in one.revenue.values()]
        counts = [f"{number:,}" for number in (one.started, flying, one.ordered)]
        rows.append([first, *counts, str(one.abandonment_rate), ", ".join(money) or "-"])
    yield ""
    if bar:
        rows.insert(1, [":--", *["--:"] * (len(header) - 1)])
        yield from (f"| {' | '.join(row)} |" for row in rows)
        return
    widths = [max(len(row[place]) for row in rows) for place in range(len(header))]
    for first, *figures in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(figures, widths[1:], strict=True)]
        yield "  ".join([f"{first:<{widths[0]}}", *cells])


def _instant(option: str, text: str, timezone: str) -> datetime:
    if text == "now":
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
    except ZoneInfoNotFoundError:
        _stop(f"--timezone {timezone}: not known; use a name such as Europe/Paris", WRONG)
    except ValueError:
        _stop(f"{option} {text}: not a time; write 2026-10-31T18:00:00Z, 2026-10-31 or now", WRONG)


def _limit(option: str, text: str | None) -> timedelta | None:
    if text is None:
        return None
    parts = re.fullmatch(r"([0-9]{1,9})\s*([a-z]+)", text)
    if parts and parts[2] in _UNITS:
        return timedelta(seconds=int(parts[1]) * _UNITS[parts[2]])
    try:
        if text.startswith("P"):
            return TypeAdapter(timedelta).validate_python(text)
    except ValidationError:
        pass
    _stop(f"{option} {text}: not a duration; write 90s, 30min, 2h, 7d or PT30M", WRONG)


def _excluded(options: list[str] | None, *, all_: bool = False) -> dict[str, tuple[str, ...]]:
    if all_ and options:
        _stop("--include-excluded leaves nothing out; --exclude says what is; give one", WRONG)
    excluded: dict[str, tuple[str, ...]] = {}
    for option in [] if all_ else options or [_EXCLUDED]:
        name, sign, values = option.partition("=")
        if not (name and sign and values):
            _stop(f"--exclude {option}: write NAME=VALUE, such as {_EXCLUDED}", WRONG)
        excluded[name] = (*excluded.get(name, ()), *values.split(","))
    return excluded


# roll ---------------------------------------------------------------------------------------------


@app.command(epilog=_EXIT_CODES)
def roll(
    log: LogArgument,
    to: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The directory of the state: new, or from before."),
    ],
    as_of: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As for report. Default: the last event."),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="ATTRIBUTE", help="Group by an attribute; may be repeated."),
    ] = None,
    unit: Annotated[
        Unit, typer.Option(help="Count attempts, or join the attempts of one customer.")
    ] = Unit.ATTEMPT,
    funnel: Annotated[
        str | None, typer.Option(help="Which funnel, where the log holds several.")
    ] = None,
    closed: Annotated[
        bool, typer.Option("--closed", help="Draw the steps as a closed funnel.")
    ] = False,
    within: Annotated[
        str | None, typer.Option(metavar="DURATION", help="The closed funnel's window.")
    ] = None,
    abandon_after: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Instead of the definition's.")
    ] = None,
    recover_within: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Instead of the definition's.")
    ] = None,
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="Whose days count, such as Europe/Paris.")
    ] = "UTC",
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE[,VALUE]", help=f"Default: {_EXCLUDED}."),
    ] = None,
    include_excluded: Annotated[
        bool, typer.Option("--include-excluded", help="Leave nothing out: count bots too.")
    ] = False,
) -> None:
    """Add what is new in a log to a state, so that its report costs a day.

    Then type: lastclick report DIR. It says what reading the whole log would say, to the digit.
    Every run is asked with the same options; only --as-of may differ.
    """
    if within is not None and not closed:
        _stop(_WITHIN, WRONG)
    _be_directory(to)
    if next(read_log(log).lines(), None) is None:
        _stop(f"nothing to roll: no event in {log}", FOUND)
    with _progress("reading") as told:
        done = roll_log(
            log,
            to,
            funnel,
            as_of=None if as_of is None else _instant("--as-of", as_of, timezone),
            by=by or (),
            unit=unit.value,
            exclude=_excluded(exclude, all_=include_excluded),
            closed=closed,
            within=_limit("--within", within),
            abandon_after=_limit("--abandon-after", abandon_after),
            recover_within=_limit("--recover-within", recover_within),
            timezone=timezone,
            progress=told,
        )
    typer.echo(f"{log}: {done.lines:,} new lines in {done.files:,} files, {done.events:,} events")
    if done.whole is not None:
        typer.echo(f"everything was counted anew: {done.whole}")
    typer.echo(f"days counted anew: {_ranges(done.days)}")
    typer.echo(f"days with other figures now: {_ranges(done.changed)}")
    unread = done.problems.unreadable + done.problems.torn
    if unread:
        typer.echo(f"{unread:,} lines not read in all; see lastclick check {log}")
    typer.echo(f"rolled to {to}; type next: lastclick report {to}")


def _ranges(days: Sequence[str]) -> str:
    """Days, those that follow each other as one range."""
    ranges: list[tuple[date, date]] = []
    for day in map(date.fromisoformat, days):
        if ranges and day - ranges[-1][1] == timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    shown = [f"{first}" if first == last else f"{first} to {last}" for first, last in ranges]
    return ", ".join(shown) or "none"


# import -------------------------------------------------------------------------------------------


@app.command("import", epilog=_EXIT_CODES)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file, plain or gzipped.")],
    mapping: Annotated[
        Path, typer.Option("--map", metavar="MAPPING", help="What its columns mean: a TOML file.")
    ],
    to: Annotated[Path, typer.Option(metavar="LOG", help="The directory of the log to add to.")],
) -> None:
    """Import a table that others recorded into a log.

    Rows that cannot be used are counted and listed, and what was left out is told to the log.
    Importing a file again changes no number: its events keep their ids.
    """
    columns = TableMapping.load(mapping)
    with _progress("importing") as told:
        table = read_table(file, columns, progress=told)
        sink = FileSink(to)
        try:
            for event in table:
                sink.emit(event)
        finally:
            sink.close(timeout=2.0)
    problems = table.problems
    typer.echo(f"{file}: {problems.lines:,} rows")
    _counted("used", problems.used)
    _counted("used without a part", problems.flawed)
    _counted("passed over", problems.passed_over, _values(problems))
    _counted("could not be used", problems.unreadable)
    _counted("blank", problems.blank)
    for place in problems.places[:_SHOWN]:
        typer.echo(f"  {_where(place)}: {place.reason}")
    more = problems.unreadable + problems.flawed + problems.torn - _SHOWN
    if more > 0:
        typer.echo(f"  and {more:,} more")
    typer.echo(f"written to {to}; type next: lastclick report {to}")
    if problems.unreadable or problems.flawed or problems.torn:
        raise typer.Exit(FOUND)


def _counted(what: str, number: int, more: str = "") -> None:
    typer.echo(f"  {what:<20}{number:>10,}{more}")


def _values(problems: TableProblems) -> str:
    shown = [f"{value or 'empty'} {number:,}" for value, number in problems.values.items()]
    if not shown:
        return ""
    rest = ", ..." if len(shown) > _SHOWN else ""
    return f"  ({', '.join(shown[:_SHOWN])}{rest})"


def _where(place: Place) -> str:
    return place.file if place.line is None else f"{place.file}:{place.line}"


# check --------------------------------------------------------------------------------------------


@app.command(epilog=_EXIT_CODES)
def check(
    log: LogArgument,
    funnel: Annotated[
        str | None, typer.Option(help="Check one funnel, where the log holds several.")
    ] = None,
) -> None:
    """Check every line of a log: say what is wrong with it, and where.

    Finds torn and unreadable lines, unknown types and steps, events without a checkout id, several
    funnels, a funnel without a definition, what was lost before it came to the log, events more
    than a day in the future, and files that are passed over since their names end in more than
    .jsonl, such as .jsonl.1.
    """
    with _progress("checking") as told:
        lines = read_log(log, progress=told)
        checked = check_log(lines, funnel=funnel, now=datetime.now(UTC))
    problems = lines.problems
    typer.echo(
        f"{log}: {problems.files:,} files, {problems.lines:,} lines, {checked.events:,} events"
    )
    for what, finding in checked.findings.items():
        typer.echo(f"{what}: {finding.number:,}")
        for where in finding.first:
            typer.echo(f"  {where}")
        if finding.places > len(finding.first):
            typer.echo(f"  and {finding.places - len(finding.first):,} more places")
    if checked.findings:
        raise typer.Exit(FOUND)
    typer.echo("nothing wrong" if problems.lines else "nothing in it")


# pack ---------------------------------------------------------------------------------------------


@app.command(epilog=_EXIT_CODES)
def pack(
    log: LogArgument,
    to: Annotated[
        Path, typer.Option(metavar="DIR", help="The directory of the packed log; added to.")
    ],
) -> None:
    """Pack the closed segments of a log into Parquet, by day, to a fraction of the size.

    What somebody still writes to is left for the next run, and what was packed before is passed
    over. The log stays as it is. Reports are the same from both. Needs the extra 'duckdb'.
    """
    try:
        from lastclick.engines import duckdb
    except ModuleNotFoundError:
        _stop('packing needs the extra: pip install "lastclick[duckdb]"', WRONG)
    _be_directory(to)
    with _progress("packing") as told:
        packed = duckdb.pack(log, to, progress=told)
    typer.echo(
        f"{log}: {packed.segments:,} segments, {packed.lines:,} lines, {packed.events:,} events"
    )
    _counted("files written", packed.files)
    _counted("bytes before", packed.bytes_before)
    _counted("bytes after", packed.bytes_after)
    _counted("packed already", packed.already)
    _counted("passed over", len(packed.passed_over))
    for place in packed.passed_over[:_SHOWN]:
        typer.echo(f"  {place.file}: {place.reason}")
    if len(packed.passed_over) > _SHOWN:
        typer.echo(f"  and {len(packed.passed_over) - _SHOWN:,} more")


# collect ------------------------------------------------------------------------------------------


@app.command(epilog=_EXIT_CODES)
def collect(
    to: Annotated[Path, typer.Option(metavar="LOG", help="The directory of the log to write.")],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where requests are taken.")
    ] = "127.0.0.1:8787",
    secrets: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"Secrets that requests must be signed with, one a line. Or in the variable "
            f"{_SECRETS} of the environment, with spaces between them.",
        ),
    ] = None,
    remember: Annotated[
        str, typer.Option(metavar="DURATION", help="How long a resent event is recognised.")
    ] = "7d",
) -> None:
    """Receive events over HTTP and write them to a log, until stopped.

    Takes what HttpSink sends at POST /v1/events; what it answers as accepted is on the disk.
    Also: GET /health, and GET /metrics for Prometheus. Needs the extra 'collect'.
    """
    try:
        from lastclick.collect import create_app
        from lastclick.collect._server import serve
    except ModuleNotFoundError:
        _stop("collecting needs the extra 'collect': pip install 'lastclick[collect]'", WRONG)
    known = _secrets(secrets)
    horizon = _limit("--remember", remember)
    assert horizon is not None
    collector = create_app(to, secrets=known, remember=horizon)
    if known is None:
        typer.echo("lastclick: no secrets: whoever reaches this may write to the log", err=True)
    serve(collector, listen, lambda url: typer.echo(f"collecting at {url}/v1/events into {to}"))


# ship ---------------------------------------------------------------------------------------------


@app.command(epilog=_EXIT_CODES)
def ship(
    spool: Annotated[Path, typer.Argument(help="The spool of an HttpSink.", metavar="SPOOL")],
    url: Annotated[str, typer.Option(help="Where to POST to.")],
    headers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Headers to send, such as credentials: 'Name: value'."),
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"Secrets to sign requests with, one a line. Or in the variable {_SECRETS} of "
            f"the environment, with spaces between them.",
        ),
    ] = None,
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Send the dead letters once more, too.")
    ] = False,
    patience: Annotated[
        str, typer.Option(metavar="DURATION", help="End after so long without an event sent.")
    ] = "30s",
) -> None:
    """Send by hand what is left in a spool.

    What belongs to a running process is left to it. Sends lines of JSON, as HttpSink does unless
    it is given another body. Needs the extra 'http'.
    """
    try:
        from lastclick.sinks._ship import ship as send
    except ModuleNotFoundError:
        _stop("shipping needs the extra 'http': pip install 'lastclick[http]'", WRONG)
    if not spool.is_dir():
        _stop(f"no spool at {spool}; name the directory that HttpSink has as spool=", WRONG)
    seconds = _limit("--patience", patience)
    assert seconds is not None
    with _progress("sending") as told:
        shipped = send(
            spool,
            url,
            headers=_read_headers(headers),
            secrets=_secrets(secrets) or (),
            dead_letters=dead_letters,
            patience=seconds,
            progress=told,
        )
    typer.echo(
        f"{spool}: {shipped.sent:,} events sent, {shipped.refused:,} refused, {shipped.left:,} left"
    )
    if shipped.owned:
        typer.echo(f"{shipped.owned:,} parts belong to running processes, which send them")
    if shipped.refused:
        typer.echo(f"what was refused is in {spool / 'dead-letters'}, with the reason")
    if shipped.left or shipped.refused:
        raise typer.Exit(FOUND)


def _read_headers(file: Path | None) -> dict[str, str]:
    """Headers from a file, one a line; never from the command line, which others can see."""
    lines = [line for line in _text(file).splitlines() if line.strip()]
    pairs = [line.partition(":") for line in lines]
    wrong = [number for number, (_, colon, _) in enumerate(pairs, 1) if not colon]
    if wrong:
        _stop(f"{file}: line {wrong[0]} is no header; write 'Name: value'", WRONG)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _secrets(file: Path | None) -> list[str] | None:
    """From a file and the environment; never from the command line, which others can see."""
    variable = os.environ.get(_SECRETS)
    if file is None and variable is None:
        return None
    return [*_text(file).split(), *(variable or "").split()]


def _text(file: Path | None) -> str:
    try:
        return "" if file is None else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        _stop(f"{file} is no text in UTF-8; name the right file, or save it as UTF-8", WRONG)


# Long work ----------------------------------------------------------------------------------------


@contextmanager
def _progress(
    what: Literal["reading", "importing", "checking", "packing", "sending"],
) -> Iterator[Told]:
    """A bar on stderr, if that is a terminal; gone when the work is done."""
    if not sys.stderr.isatty():  # rich would also ask variables of the environment
        yield None
        return
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
