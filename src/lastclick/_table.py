"""Tables of what others recorded: a CSV file or rows of one's own, read as events.

A `TableMapping` says what the columns mean. A row that cannot be used, and a part of one that had
to be left out, is counted, listed with its number and told to the log as `EventsLost`.
"""

import csv
import gzip
import io
import json
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import attrs
from typing_extensions import override

from lastclick._mapping import AttributeColumn, Fact, TableMapping, digest
from lastclick._money import Money
from lastclick._reading import Place, Problems
from lastclick.errors import ConfigError, EventError, LogError, shown
from lastclick.events import (
    MAX_LINE_BYTES,
    Attributes,
    Event,
    EventsLost,
    OrderCompleted,
    OrderRefunded,
    ShopperEvent,
    StepEntered,
    StepFailed,
    attribute,
    id_text,
    price,
    utc,
)

_GZIP = b"\x1f\x8b"
_PLACES = 100
_YES_NO = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}

Row: TypeAlias = Mapping[str, Any]


@attrs.frozen
class TableProblems(Problems):
    """What a reading of a table met. Its lines are rows, its ``passed_over`` are rows as well.

    Attributes:
        files: Files read.
        passed_over: Rows of which the mapping says nothing.
        lines: Rows read, blank ones and the header apart.
        blank: Blank rows.
        unreadable: Rows that could not be used.
        torn: Files that break off.
        places: The first 100 rows that could not be used, or not whole, and why.
        flawed: Rows used without a flawed part.
        values: The values of ``step_column`` that were passed over, and how often.

    Example:
        >>> mapping = TableMapping(
        ...     funnel="checkout", steps=["cart"], checkout_id="id", time="at", step="cart"
        ... )
        >>> table = read_table([{"id": 7, "at": "2026-10-01T12:00:00Z"}, {"id": 8}], mapping)
        >>> _ = list(table)
        >>> table.problems.used, table.problems.unreadable
        (1, 1)

    .. versionadded:: 0.1.0
    """

    flawed: int = 0
    values: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def used(self) -> int:
        """Rows that became events."""
        return self.lines - self.passed_over - self.unreadable


class Table:
    """The events of a table, read anew each time it is iterated. Made by `read_table`.

    Example:
        >>> mapping = TableMapping(
        ...     funnel="checkout", steps=["cart"], checkout_id="id", time="at", step="cart"
        ... )
        >>> table = read_table([{"id": 7, "at": "2026-10-01T12:00:00Z"}], mapping)
        >>> [event.type for event in table]
        ['funnel_declared', 'step_entered']

    .. versionadded:: 0.1.0
    """

    def __init__(
        self,
        source: Path | Iterable[Row],
        mapping: TableMapping,
        progress: Callable[[int, int], object] | None,
    ) -> None:
        self.source = source
        self.mapping = mapping
        self._progress = progress
        self._problems = TableProblems()

    @property
    def problems(self) -> TableProblems:
        """What the last complete iteration met."""
        return self._problems

    def __iter__(self) -> Iterator[Event]:
        reading = _Reading(self)
        yield self.mapping.declaration
        yield from reading.events()
        yield from reading.losses()
        self._problems = reading.problems()

    @override
    def __repr__(self) -> str:
        name = repr(str(self.source)) if isinstance(self.source, Path) else "rows"
        return f"Table({name}, funnel={self.mapping.funnel!r})"


class _Reading:
    """One pass over a table, and what it met."""

    def __init__(self, table: Table) -> None:
        self._source, self._mapping, self._progress = table.source, table.mapping, table._progress
        self._name = str(table.source) if isinstance(table.source, Path) else "rows"
        self._zone = None if table.mapping.timezone is None else ZoneInfo(table.mapping.timezone)
        self._seen: set[bytes] = set()
        self._again: Counter[bytes] = Counter()
        self._rows = self._blank = self._unreadable = self._torn = self._flawed = 0
        self._values: Counter[str] = Counter()
        self._places: list[Place] = []
        #: By reason and whether the event was kept: how many, and a digest over these rows.
        self._lost: dict[tuple[str, bool], tuple[int, bytes]] = {}
        self._first: datetime | None = None
        self._last: datetime | None = None

    def problems(self) -> TableProblems:
        return TableProblems(
            files=int(isinstance(self._source, Path)),
            passed_over=self._values.total(),
            lines=self._rows,
            blank=self._blank,
            unreadable=self._unreadable,
            torn=self._torn,
            places=tuple(self._places),
            flawed=self._flawed,
            values=dict(self._values.most_common()),
        )

    def events(self) -> Iterator[ShopperEvent]:
        """An event for each row that can be used."""
        for number, row in self._numbered():
            if isinstance(row, Mapping) and not any(map(_filled, row.values())):
                self._blank += 1
                continue
            self._rows += 1
            flaws: list[EventError] = []
            try:
                event = self._event(row, flaws)
            except EventError as error:
                if error.reason == "naive_time":
                    msg = f"{self._name}, row {number}: {error}"
                    raise LogError(msg, self._name, number) from None
                self._unreadable += 1
                self._lose(number, row, error, kept=False)
                continue
            if event is None:
                continue
            self._flawed += bool(flaws)
            for flaw in flaws:
                self._lose(number, row, flaw, kept=True)
            at = event.occurred_at
            self._first = at if self._first is None else min(at, self._first)
            self._last = at if self._last is None else max(at, self._last)
            yield event

    def losses(self) -> Iterator[EventsLost]:
        """What is not in the events, told to the log; the same for every reading."""
        since = self._first or self._mapping.declared_at
        until = self._last or since
        for (reason, kept), (count, told) in sorted(self._lost.items()):
            yield EventsLost(
                event_id=told.hex(),
                funnel=self._mapping.funnel,
                occurred_at=until,
                source="funnel",
                reason=reason,
                count=count,
                since=since,
                until=until,
                kept=kept,
            )

    def _lose(self, number: int, row: object, error: EventError, *, kept: bool) -> None:
        what = f"used without a part: {error}" if kept else str(error)
        if len(self._places) < _PLACES:
            self._places.append(Place(self._name, number, what))
        count, before = self._lost.get((error.reason, kept), (0, b""))
        told = [self._mapping.funnel, error.reason, kept, _content(row)]
        self._lost[error.reason, kept] = (count + 1, digest(before + _json(told)))

    # Rows

    def _numbered(self) -> Iterator[tuple[int, Row | EventError]]:
        if isinstance(self._source, Path):
            return self._of_file(self._source)
        return self._of_rows(self._source)

    def _of_rows(self, rows: Iterable[object]) -> Iterator[tuple[int, Row]]:
        for number, row in enumerate(rows, 1):
            if not isinstance(row, Mapping):
                msg = f"row {number} is {shown(row)}; pass rows as mappings from column to value"
                raise LogError(msg, self._name, number)
            yield number, row

    def _of_file(self, path: Path) -> Iterator[tuple[int, Row | EventError]]:
        size = path.stat().st_size
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            with gzip.open(raw) if packed else raw as stream:
                # Bytes that are no text go through as they are, and are refused where they matter.
                lines = io.TextIOWrapper(
                    stream, encoding=self._mapping.encoding, errors="surrogateescape", newline=""
                )
                try:
                    yield from self._of_lines(path, lines, raw.tell, size)
                except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                    self._torn += 1
                    self._places.append(Place(self._name, None, f"the file breaks off: {error}"))
                finally:
                    lines.detach()
        if self._progress is not None:
            self._progress(size, size)

    def _of_lines(
        self, path: Path, lines: Iterable[str], place: Callable[[], int], size: int
    ) -> Iterator[tuple[int, Row | EventError]]:
        reader = csv.reader(lines, delimiter=self._mapping.delimiter)
        header: list[str] | None = None
        while True:
            number = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                yield number, EventError(f"not CSV: {error}", "bad_row")
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                self._check_header(path, header)
            elif not cells:
                self._blank += 1
            elif len(cells) != len(header):
                msg = f"{len(cells)} cells where the header has {len(header)}"
                yield number, _RowError(cells, msg)
            else:
                yield number, dict(zip(header, cells, strict=True))
            if self._progress is not None and number % 1000 == 0:
                self._progress(place(), size)
        if header is None:
            raise LogError(f"{path} is empty; a table begins with the names of its columns", path)

    def _check_header(self, path: Path, header: list[str]) -> None:
        missing = [column for column in self._mapping.columns if column not in header]
        if missing:
            delimiter = self._mapping.delimiter
            hint = "" if len(header) > 1 else f"; is {delimiter!r} what separates its columns?"
            msg = f"{path} has no column {missing[0]!r}; it has {', '.join(header)}{hint}"
            raise LogError(msg, path, 1)
        twice = [column for column in self._mapping.columns if header.count(column) > 1]
        if twice:
            msg = f"{path} has two columns {twice[0]!r}; rename the one that is not meant"
            raise LogError(msg, path, 1)

    # One row

    def _event(self, row: Row | EventError, flaws: list[EventError]) -> ShopperEvent | None:
        if isinstance(row, EventError):
            raise row
        mapping = self._mapping
        fact = mapping.step
        if mapping.step_column is not None:
            value = _text(_cell(row, mapping.step_column))
            fact = mapping.values.get(value)
            if fact is None:
                self._values[value] += 1
                return None
        assert fact is not None
        at = self._time(row)
        common: dict[str, Any] = {"funnel": mapping.funnel, "occurred_at": at}
        if fact.type != "order_refunded" or _joined(row, mapping.checkout_id) is not None:
            common["checkout_id"] = _id(row, "checkout_id", mapping.checkout_id)
        common["customer_id"] = _optional(row, "customer_id", mapping.customer_id, flaws)
        common["attributes"] = self._attributes(row, flaws)
        money = self._money(row, flaws)
        event_id = _optional(row, "event_id", mapping.event_id, flaws)
        common["event_id"] = event_id or self._derived_id(fact, row)
        event = _made(fact, row, mapping, common, money, flaws)
        if len(event.line) > MAX_LINE_BYTES:
            msg = (
                f"an event of {len(event.line)} bytes; a line of a log has {MAX_LINE_BYTES} at most"
            )
            raise EventError(msg, "too_large")
        return event

    def _derived_id(self, fact: Fact, row: Row) -> str:
        """The same for the same row, and another one for each time that it comes again."""
        key = digest(_json([self._mapping.funnel, fact.type, fact.step, _content(row)]))
        if key not in self._seen:
            self._seen.add(key)
            return key.hex()
        self._again[key] += 1
        return digest(key + str(self._again[key]).encode()).hex()

    def _time(self, row: Row) -> datetime:
        mapping = self._mapping
        value = _cell(row, mapping.time)
        if value is None:
            raise EventError(f"no time: column {mapping.time!r} is empty", "no_time")
        if mapping.time_format is not None and isinstance(value, str):
            try:
                value = datetime.strptime(value, mapping.time_format)  # noqa: DTZ007 - its zone follows
            except ValueError:
                msg = f"not a time: {shown(value)}, as {mapping.time_format!r} has it"
                raise EventError(msg, "bad_time") from None
        elif isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                msg = (
                    f"not a time: {shown(value)}; ISO 8601 is read as it is, for anything else "
                    f'say time_format, such as time_format = "%d/%m/%Y %H:%M"'
                )
                raise EventError(msg, "bad_time") from None
        if isinstance(value, datetime) and value.utcoffset() is None:
            if self._zone is None:
                msg = (
                    f"a time without a zone: {value.isoformat()}; say in the mapping whose clock "
                    f'it was read from, such as timezone = "Europe/Paris" or timezone = "UTC"'
                )
                raise EventError(msg, "naive_time")
            value = value.replace(tzinfo=self._zone)
        return utc(value)

    def _money(self, row: Row, flaws: list[EventError]) -> Money | None:
        mapping = self._mapping
        if mapping.amount is None:
            return None
        amount = _cell(row, mapping.amount)
        if amount is None:
            return None
        currency = mapping.currency
        if mapping.currency_column is not None:
            currency = _text(_cell(row, mapping.currency_column))
        try:
            return price(Money(_plain_amount(amount, mapping.decimal), currency or ""))
        except EventError as error:
            flaws.append(EventError(f"{mapping.amount}: {error}", error.reason))
            return None

    def _attributes(self, row: Row, flaws: list[EventError]) -> Attributes:
        kept = {}
        for name, one in self._mapping.attributes.items():
            value = _cell(row, one.column)
            if value is None:
                continue
            try:
                kept[name] = attribute(name, _typed(value, one))
            except EventError as error:
                flaws.append(error)
        return Attributes(kept)


class _RowError(EventError):
    """A row of too few or too many cells."""

    def __init__(self, cells: list[str], message: str) -> None:
        super().__init__(message, "bad_row")
        self.cells = cells


def _made(
    fact: Fact,
    row: Row,
    mapping: TableMapping,
    common: dict[str, Any],
    money: Money | None,
    flaws: list[EventError],
) -> ShopperEvent:
    if fact.type == "step_entered":
        return StepEntered(step=fact.step or "", value=money, **common)
    if fact.type == "step_failed":
        column = fact.reason_column
        told = None if column is None else _optional(row, "reason", (column,), flaws)
        return StepFailed(step=fact.step or "", reason=told or fact.reason, value=money, **common)
    order_id = _id(row, "order_id", mapping.order_id or ())
    if fact.type == "order_completed":
        return OrderCompleted(order_id=order_id, total=money, **common)
    refund_id = _optional(row, "refund_id", mapping.refund_id, flaws)
    return OrderRefunded(order_id=order_id, refund_id=refund_id, amount=money, **common)


# Cells --------------------------------------------------------------------------------------------


def _cell(row: Row, column: str) -> Any:
    """What a cell holds; None where it is empty, or NaN as pandas has it."""
    value = row.get(column)
    return (value.strip() if isinstance(value, str) else value) if _filled(value) else None


def _filled(value: object) -> bool:
    if isinstance(value, str):
        return not (value == "" or value.isspace())
    try:
        return value is not None and bool(value == value)  # noqa: PLR0124 - NaN is not itself
    except TypeError:  # pandas' NA: nobody knows what it is
        return False


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _joined(row: Row, columns: tuple[str, ...]) -> object:
    """The value of one column, or of several joined by ":"; None where one is empty."""
    cells = [_cell(row, column) for column in columns]
    if any(cell is None for cell in cells):
        return None
    return cells[0] if len(cells) == 1 else ":".join(map(str, cells))


def _id(row: Row, name: str, columns: tuple[str, ...]) -> str:
    value = _joined(row, columns)
    if value is None:
        msg = f"no {name}: column {' or '.join(map(repr, columns))} is empty"
        raise EventError(msg, f"no_{name}")
    return id_text(name, value)


def _optional(
    row: Row, name: str, columns: tuple[str, ...] | None, flaws: list[EventError]
) -> str | None:
    value = None if columns is None else _joined(row, columns)
    try:
        return None if value is None else id_text(name, value)
    except EventError as error:
        flaws.append(error)
        return None


def _plain_amount(amount: Any, decimal: str) -> Any:
    """Text as `Money` takes it: with the point, and without more zeros than it counts."""
    if not isinstance(amount, str):
        return amount
    plain = amount
    if decimal == ",":
        if "." in amount:
            msg = f"not an amount: {shown(amount)}; the mapping says that decimals follow a ','"
            raise EventError(msg, "bad_amount")
        plain = amount.replace(",", ".")
    whole, point, part = plain.partition(".")
    if point and len(part) > 4 and (whole + part).isascii() and (whole + part).isdigit():
        return Decimal(plain)
    if decimal == "." and "," in amount:
        msg = f'not an amount: {shown(amount)}; where decimals follow a comma, say decimal = ","'
        raise EventError(msg, "bad_amount")
    return plain


def _typed(value: object, column: AttributeColumn) -> object:
    if column.type == "text" or not isinstance(value, str):
        return value
    if column.type == "bool" and value.lower() in _YES_NO:
        return _YES_NO[value.lower()]
    if column.type == "int":
        try:
            return int(value)
        except ValueError:
            pass
    msg = f"column {column.column!r} holds {shown(value)}, which is no {column.type}"
    raise EventError(msg, "bad_attribute")


def _content(row: object) -> object:
    """What a row holds, whatever the order of its columns."""
    if isinstance(row, _RowError):
        return row.cells
    return sorted(row.items(), key=str) if isinstance(row, Mapping) else str(row)


def _json(content: object) -> bytes:
    return json.dumps(content, default=str).encode()


def _check_mapping(mapping: object) -> None:
    if not isinstance(mapping, TableMapping):
        msg = f"mapping is {shown(mapping)}; pass a TableMapping, as TableMapping.load gives it"
        raise ConfigError(msg)


def read_table(
    source: Path | str | Iterable[Row],
    mapping: TableMapping,
    progress: Callable[[int, int], object] | None = None,
) -> Table:
    """The events of a table that others recorded: a CSV file, gzipped or plain, or rows.

    They begin with the funnel's declaration. Rows that cannot be used are counted and listed in
    ``.problems``, with number and reason, and end the events as `EventsLost`. Ids of events are a
    column's, or else made from the row's content and its occurrence in the table: reading twice
    gives the same events, and two equal rows stay two.

    Args:
        source: The path of a CSV file whose first row names its columns, or rows as mappings from
            column to value.
        mapping: What the columns mean.
        progress: Called now and then with the bytes read and the bytes in all; for files.

    Returns:
        An iterable of events, read anew each time, with ``.problems``.

    Raises:
        ConfigError: The mapping is none.
        LogError: There is no such file. While reading: it lacks a column, or a time has no zone
            and the mapping does not say whose clock it is.

    Example:
        >>> from lastclick import measure
        >>> mapping = TableMapping(
        ...     funnel="checkout", steps=["cart"], checkout_id="id", time="at", step="cart"
        ... )
        >>> table = read_table([{"id": 7, "at": "2026-10-01T12:00:00Z"}, {"id": 8}], mapping)
        >>> measure(table).started
        1
        >>> table.problems.places
        (Place(file='rows', line=2, reason="no time: column 'at' is empty"),)

    .. versionadded:: 0.1.0
    """
    _check_mapping(mapping)
    if isinstance(source, str | os.PathLike):
        source = Path(source)
        if not source.is_file():
            raise LogError(f"no table at {source}; pass a CSV file", source)
    return Table(source, mapping, progress)
