"""What all engines have in common: read, fold by SQL, count, and let the core make the report."""

import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import attrs

from lastclick._gather import Chosen, Records, choose
from lastclick._rows import CANCELLED, REFUNDED, Rows, instant, local
from lastclick.engines._cells import Row, cells_of
from lastclick.engines._dialect import Dialect
from lastclick.engines._sql import DAY, QUARTER_HOUR, Table, Template
from lastclick.engines._told import CHECKOUT, EXCLUDED, SEEN, Told
from lastclick.metrics import Counts, Delivery, Report, report_from
from lastclick.metrics._count import Asked
from lastclick.metrics._counts import LOG
from lastclick.metrics._tally import records_of

_WORD = re.compile(r"\w+")

#: Called now and then with the statements run and the statements in all.
Progress = Callable[[int, int], object] | None


@attrs.frozen
class Read:
    """What an engine's reading met; the rows are in its table ``facts``.

    Attributes:
        redelivered: Events that came more than once.
        problems: What could not be read, where the source says so.
    """

    redelivered: int
    problems: Any


class Engine(Protocol):
    """A database that reads rows into a table and answers SQL about them."""

    @property
    def dialect(self) -> Dialect: ...

    def read(self, rows: Rows, records: Records, asked: Asked) -> Read: ...

    def make(self, table: Table) -> None: ...

    def drop(self, name: str) -> None: ...

    def answer(self, select: str) -> Iterator[Row]: ...


def report_by(engine: Engine, chosen: Chosen, question: Asked, progress: Progress) -> Report:
    """The report of what an engine reads and counts."""
    began = time.perf_counter()
    rows, records = question.rows(), Records()
    choose(rows, chosen)
    read = engine.read(rows, records, question)
    kinds, excluded, earliest, latest = _seen(engine)
    declaration = records.definition(rows, chosen, latest)
    basis = question.basis(rows.funnel or "", declaration, latest)
    as_of = -1 if basis.as_of is None else basis.as_of
    first = as_of if earliest is None else min(earliest, as_of)
    zone = offsets(basis.timezone, first, as_of)
    template = Template(basis, as_of, kinds, excluded, zone, engine.dialect)
    told = list(Told(template).all())
    tables = [*template.tables(), *(one for one in told if isinstance(one, Table))]
    selects = [one for one in told if isinstance(one, str)]
    done, all_ = 0, len(tables) + len(selects)
    for table, needless in zip(tables, _needless(tables, selects), strict=True):
        engine.make(table)
        for name in needless:
            engine.drop(name)
        done += 1
        if progress is not None:
            progress(done, all_)
    answers: list[Row] = []
    together = engine.dialect.together
    for at in range(0, len(selects), together):
        some = selects[at : at + together]
        answers += engine.answer(" UNION ALL ".join(some))
        done += len(some)
        if progress is not None:
            progress(done, all_)
    cells = cells_of(answers, basis.law.steps)
    for key, number in records_of(records.declarations, records.losses):
        log = cells.setdefault(LOG, {})
        log[key] = log.get(key, 0) + number
    seconds = time.perf_counter() - began
    delivery = Delivery(read.redelivered, seconds, read.problems, engine.dialect.name)
    return attrs.evolve(report_from(Counts(basis, cells)), reading=delivery)


def _needless(tables: list[Table], selects: list[str]) -> list[list[str]]:
    """After each table, those that nothing else reads: what is on disk is not to be more."""
    words = [set(_WORD.findall(text)) for text in (*(one.select for one in tables), *selects)]
    names: list[list[str]] = [[] for _ in tables]
    for place, table in enumerate(tables):
        last = max(at for at in range(len(words)) if table.name in words[at] or at == place)
        if last < len(tables):
            names[last].append(table.name)
    return names


def _seen(engine: Engine) -> tuple[set[int], bool, int | None, int | None]:
    """The kinds of rows, whether some are excluded, the first instant, the last shopper event."""
    kinds, excluded = set(), False
    firsts, lasts = [], []
    for _, _, _, kind, checkout, left_out, _, first, last in engine.answer(SEEN):
        assert kind is not None
        assert first is not None
        kinds.add(kind)
        excluded |= left_out == EXCLUDED
        firsts.append(first)
        if kind in (REFUNDED, CANCELLED) or (kind < REFUNDED and checkout == CHECKOUT):
            lasts.append(last)
    return kinds, excluded, min(firsts, default=None), max(lasts, default=None)


def offsets(timezone: str, earliest: int, latest: int) -> list[tuple[int, int]]:
    """From which instant on a zone's clocks are ahead of UTC by how much, in microseconds.

    Between two instants, to the quarter of an hour; the first entry is of the earliest.
    """
    zone = ZoneInfo(timezone)

    def ahead(quarter: int) -> int:
        offset = local(instant(quarter * QUARTER_HOUR), zone).utcoffset() or timedelta(0)
        return offset // timedelta(microseconds=1)

    first, last = earliest // QUARTER_HOUR, latest // QUARTER_HOUR
    found = [(first * QUARTER_HOUR, ahead(first))]
    days = DAY // QUARTER_HOUR
    for since in range(first, last + 1, days):
        until = min(since + days, last)
        if ahead(until) != found[-1][1]:
            quarters = range(since, until + 1)
            before = found[-1][1]
            change = bisect_right(quarters, 0, key=lambda quarter: ahead(quarter) != before)
            found.append((quarters[change] * QUARTER_HOUR, ahead(quarters[change])))
    return found
