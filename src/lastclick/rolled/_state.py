"""The state: one SQLite file, whose one transaction a run is. Killed anywhere, it is as before.

    closed    the rows of a closed set of journeys, and when it has to be counted anew
    names     by checkout, order, customer or stray event, its set
    cells     what all sets come to, by group and day, and by group and month
    records   definitions and losses
    files     how far each file of the log was read
    state     the settings, the definition and the instant of the counts

Texts and rows are JSON, packed by zlib, which brings a checksum.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
from pydantic_core import from_json, to_json

from lastclick.errors import ConfigError, LogError
from lastclick.events import Event, EventsLost, FunnelDeclared, parse_line
from lastclick.metrics._counts import Cell, Key
from lastclick.rolled._aging import Told, add
from lastclick.rolled._cells import is_totalled, merged, month_of, part_of
from lastclick.rolled._files import Known

FILE = "roll.sqlite"
#: Of the tables and of what is in them. Raised whenever an older state would be misread.
SCHEMA = 2
#: What `file` calls it: "lclk".
_APPLICATION = 0x6C636C6B
_TABLES = """
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), told BLOB NOT NULL);
CREATE TABLE files (name TEXT PRIMARY KEY, known BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE records (type TEXT, event_id TEXT, line BLOB NOT NULL,
                      PRIMARY KEY (type, event_id)) WITHOUT ROWID;
CREATE TABLE names (name INTEGER PRIMARY KEY, closed INTEGER NOT NULL);
CREATE TABLE closed (id INTEGER PRIMARY KEY, due INTEGER, rows BLOB NOT NULL);
CREATE INDEX due ON closed (due) WHERE due IS NOT NULL;
CREATE TABLE cells (of TEXT, day TEXT, part TEXT, told BLOB NOT NULL,
                    PRIMARY KEY (of, day, part)) WITHOUT ROWID;
"""
_PATIENCE_S = 60.0
#: Every commit is on the disk, and the name of the journal that would undo it is not.
SYNCHRONOUS = "EXTRA"
_CACHE_KIB = 64 * 1024
_AT_ONCE = 500
FIRST = "first roll a log to it: lastclick roll LOG --to DIR"
#: When a set is due that has not been counted since it changed: always.
STALE = -(2**63)


class DamagedError(sqlite3.DatabaseError):
    """What SQLite takes for a good file is none of a state."""


@attrs.define
class Settings:
    """What is kept beside the tables.

    Attributes:
        library: The version that counted.
        asked: The settings, as JSON values.
        funnel: The funnel's name.
        definition: The line of the definition that was counted by.
        as_of: The instant of the counts.
        chosen: Whether it was asked for.
        latest: The latest shopper event.
        next: The id of the next set.
        redelivered: Events that came more than once.
    """

    library: str
    asked: dict[str, Any]
    funnel: str
    definition: str = ""
    as_of: int | None = None
    chosen: bool = False
    latest: int | None = None
    next: int = 1
    redelivered: int = 0


class State:
    """An open state, within a transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    # What is kept of the whole

    def settings(self) -> Settings | None:
        """The settings, None where nothing was rolled yet."""
        row = self._database.execute("SELECT told FROM state").fetchone()
        return None if row is None else Settings(**from_json(unpacked(row[0])))

    def keep_settings(self, settings: Settings) -> None:
        self._write(
            "INSERT OR REPLACE INTO state VALUES (1, ?)", [(_packed(attrs.asdict(settings)),)]
        )

    def files(self) -> dict[str, Known]:
        """How far each file was read."""
        rows = self._database.execute("SELECT name, known FROM files ORDER BY name")
        return {name: Known.of(from_json(unpacked(known))) for name, known in rows}

    def keep_files(self, files: dict[str, Known]) -> None:
        before = dict(self._database.execute("SELECT name, known FROM files"))
        now = {name: _packed(attrs.asdict(known)) for name, known in sorted(files.items())}
        gone = sorted(before.keys() - now.keys())
        self._write("DELETE FROM files WHERE name = ?", [(name,) for name in gone])
        new = [(name, known) for name, known in now.items() if before.get(name) != known]
        self._write("INSERT OR REPLACE INTO files VALUES (?, ?)", new)

    def records(self) -> tuple[dict[str, FunnelDeclared], dict[str, EventsLost]]:
        """The definitions and losses, by id."""
        declarations: dict[str, FunnelDeclared] = {}
        losses: dict[str, EventsLost] = {}
        for (packed,) in self._database.execute("SELECT line FROM records"):
            event: Event = parse_line(unpacked(packed))
            if isinstance(event, FunnelDeclared):
                declarations[event.event_id] = event
            elif isinstance(event, EventsLost):
                losses[event.event_id] = event
        return declarations, losses

    def keep_records(self, records: Iterable[FunnelDeclared | EventsLost]) -> None:
        rows = [(one.type, one.event_id, _squeezed(one.line)) for one in records]
        self._write("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", sorted(rows))

    # Closed sets

    def sets_of(self, names: Sequence[int]) -> dict[int, int]:
        """By name, the id of its set, of those that have one."""
        return dict(self._select("SELECT name, closed FROM names WHERE name IN", names))

    def name(self, names: Iterable[tuple[int, int]]) -> None:
        """Say of names which set is theirs from now on."""
        self._write("INSERT OR REPLACE INTO names VALUES (?, ?)", sorted(names))

    def due(self, as_of: int) -> list[int]:
        """The sets that have to be counted anew by then, in order."""
        # Ordered by SQLite, it would go through all sets to find the few.
        found = self._database.execute("SELECT id FROM closed WHERE due <= ?", (as_of,))
        return sorted(id_ for (id_,) in found)

    def rows(self, ids: Sequence[int]) -> Iterator[tuple[int, int | None, list[bytes]]]:
        """Sets: the id, when it is due, and its rows, each as JSON."""
        for id_, due, rows in self._select("SELECT id, due, rows FROM closed WHERE id IN", ids):
            yield id_, due, unpacked(rows).split(b"\n")

    def keep_sets(self, sets: Iterable[tuple[int, list[bytes]]]) -> None:
        """Keep sets that changed; they are to be counted."""
        rows = sorted((id_, STALE, _squeezed(b"\n".join(lines))) for id_, lines in sets)
        self._write("INSERT OR REPLACE INTO closed VALUES (?, ?, ?)", rows)

    def drop_sets(self, ids: Iterable[int]) -> None:
        self._write("DELETE FROM closed WHERE id = ?", [(id_,) for id_ in sorted(ids)])

    def counted(self, dues: Iterable[tuple[int, int | None]]) -> None:
        """Say of sets that they are counted, and until when."""
        self._write("UPDATE closed SET due = ? WHERE id = ?", [(due, id_) for id_, due in dues])

    def forget_counts(self) -> None:
        """Count everything anew."""
        self._database.execute("DELETE FROM cells")
        self._database.execute("UPDATE closed SET due = ?", (STALE,))

    # Counts

    def parts(self) -> dict[Cell, list[tuple[str, bytes]]]:
        """What all sets come to: by cell its parts, packed."""
        cells: dict[Cell, list[tuple[str, bytes]]] = {}
        for group, day, part, packed in self._database.execute("SELECT * FROM cells"):
            cells.setdefault((group, day), []).append((part, packed))
        return cells

    def add(self, more: Told) -> set[Cell]:
        """Add to the counts.

        Returns:
            The cells that are others now.
        """
        totals: Told = {}
        for (group, day), counted in more.items():
            if day:
                told = {key: numbers for key, numbers in counted.items() if is_totalled(key)}
                add(totals, {(group, month_of(day)): told}, 1)
        changed: dict[tuple[str, str, str], dict[Key, tuple[int, int]]] = {}
        for cell, counted in (*more.items(), *totals.items()):
            for key, numbers in counted.items():
                changed.setdefault((*cell, part_of(key)), {})[key] = numbers
        for place, counted in sorted(changed.items()):
            self._add(place, counted)
        return set(more)

    def _add(self, place: tuple[str, str, str], counted: dict[Key, tuple[int, int]]) -> None:
        where = "WHERE of = ? AND day = ? AND part = ?"
        row = self._database.execute(f"SELECT told FROM cells {where}", place).fetchone()
        text = merged(place[2], b"" if row is None else unpacked(row[0]), counted)
        if text:
            packed = [(*place, _squeezed(text))]
            self._write("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", packed)
        else:
            self._write(f"DELETE FROM cells {where}", [place])

    def _write(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            self._database.executemany(statement, rows)

    def _select(self, statement: str, keys: Sequence[int]) -> Iterator[Any]:
        for at in range(0, len(keys), _AT_ONCE):
            some = keys[at : at + _AT_ONCE]
            marks = ",".join("?" * len(some))
            yield from self._database.execute(f"{statement} ({marks})", some).fetchall()


@contextmanager
def opened(directory: Path, *, write: bool) -> Iterator[State]:
    """A state within a transaction, which is kept if nothing is raised.

    Raises:
        ConfigError: The directory holds something else, or no state to read.
        LogError: The state cannot be read or written, or somebody else is writing it.
    """
    file = directory / FILE
    if write:
        directory.mkdir(parents=True, exist_ok=True)
        if not file.exists() and any(directory.iterdir()):
            msg = f"{directory} is not empty and holds no rolled state; name a new directory"
            raise ConfigError(msg)
    elif not file.is_file():
        raise ConfigError(f"nothing was rolled to {directory}; {FIRST}")
    with explained(directory), closing(_connected(file)) as database:
        database.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        _check(database, directory, write=write)
        yield State(database)
        database.execute("COMMIT")


@contextmanager
def explained(directory: Path) -> Iterator[None]:
    """What SQLite says of a state, as an error that says what to do.

    Raises:
        LogError: The state cannot be read or written, or somebody else is writing it.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(error, directory) from error


def _connected(file: Path) -> sqlite3.Connection:
    # Autocommit: transactions are begun and ended by hand. One that is not ended is undone.
    database = sqlite3.connect(file, timeout=_PATIENCE_S, isolation_level=None)
    database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    database.execute("PRAGMA temp_store = MEMORY")
    database.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    return database


def _check(database: sqlite3.Connection, directory: Path, *, write: bool) -> None:
    """See that this is a state which we can read; make the tables where there is nothing yet."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (schema,) = database.execute("PRAGMA user_version").fetchone()
    if (application, schema) == (_APPLICATION, SCHEMA):
        return
    if database.execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
        if not write:
            raise ConfigError(f"nothing was rolled to {directory}; {FIRST}")
        for statement in _TABLES.split(";")[:-1]:
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
        database.execute(f"PRAGMA user_version = {SCHEMA}")
        return
    msg = (
        f"the state in {directory} is of another version of lastclick (schema {schema}, this one "
        f"has {SCHEMA}); delete {directory} and roll again"
    )
    raise LogError(msg, directory)


def _explained(error: sqlite3.Error, directory: Path) -> LogError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        msg = (
            f"the state in {directory} is in use by another process; try again when that has ended"
        )
    elif code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
        msg = (
            f"the state in {directory} is damaged ({error}); delete {directory} and roll again, "
            f"for the log has it all"
        )
    else:
        msg = f"the state in {directory} could not be used: {error}; it is as it was before"
    return LogError(msg, directory)


def _packed(value: object) -> bytes:
    return _squeezed(to_json(value))


def _squeezed(text: bytes) -> bytes:
    return zlib.compress(text, 1)


def unpacked(packed: bytes) -> bytes:
    """A text as it was before it was packed.

    Raises:
        DamagedError: A checksum does not fit.
    """
    try:
        return zlib.decompress(packed)
    except (zlib.error, TypeError):
        raise DamagedError("a checksum does not fit") from None
