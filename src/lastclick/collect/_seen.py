"""Which lines the log has of late, so that one that comes again is not written again.

It is an index of the log and may be lost without harm: what the log has is read back from it.
That is why nothing waits here for the disk.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lastclick.errors import ConfigError

#: Kept in memory while the index cannot be written to; beyond that they are forgotten.
_MOST_WAITING = 100_000

#: How many variables one statement may have, in every build of SQLite.
_AT_A_TIME = 500

_SETUP = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA journal_size_limit = 16777216;
PRAGMA cache_size = -8192;
BEGIN EXCLUSIVE;
CREATE TABLE IF NOT EXISTS seen (digest BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_at ON seen (at);
CREATE TABLE IF NOT EXISTS complete (one INTEGER PRIMARY KEY, until REAL NOT NULL);
COMMIT;
"""


class Seen:
    """The digests of the lines that were written within a horizon, on disk.

    Args:
        path: The file; made if it is not there, and made anew if it is broken.
        horizon: For how many seconds a digest is kept.

    Raises:
        ConfigError: Another process has it open.
    """

    def __init__(self, path: Path, horizon: float) -> None:
        self._horizon = horizon
        self._waiting: dict[bytes, float] = {}
        try:
            self._database = _open(path)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                msg = f"another collector writes to {str(path.parent)!r}; give each its own log"
            else:
                msg = f"cannot open {str(path)!r}: {error}"
            raise ConfigError(msg) from None
        except sqlite3.DatabaseError:
            for name in (path.name, f"{path.name}-wal"):
                path.with_name(name).unlink(missing_ok=True)
            self._database = _open(path)

    @property
    def complete_until(self) -> float | None:
        """Every line that was written before this time, in seconds since 1970, is in here."""
        row = self._database.execute("SELECT until FROM complete").fetchone()
        return None if row is None else float(row[0])

    def known(self, digests: Iterable[bytes]) -> set[bytes]:
        """Those that are in here.

        An index that cannot be read knows nothing: then a line is written twice, which readers
        do not mind, rather than refused.
        """
        wanted = list(digests)
        found = {digest for digest in wanted if digest in self._waiting}
        with suppress(sqlite3.Error):
            for at in range(0, len(wanted), _AT_A_TIME):
                some = wanted[at : at + _AT_A_TIME]
                marks = ", ".join("?" * len(some))
                select = f"SELECT digest FROM seen WHERE digest IN ({marks})"
                rows = self._database.execute(select, some)
                found.update(digest for (digest,) in rows)
        return found

    def add(self, digests: Iterable[bytes], *, at: float, complete_until: float) -> None:
        """Keep the digests of lines that are in the log, and forget some that are too old.

        While the file cannot be written to, they are kept in memory.

        Args:
            digests: Of lines in the log.
            at: Now, in seconds since 1970.
            complete_until: Every line that was written before this time was added.
        """
        self._waiting.update(dict.fromkeys(digests, at))
        rows = [(digest, int(when)) for digest, when in self._waiting.items()]
        try:
            with self._database as database:
                database.execute("BEGIN")
                database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", rows)
                database.execute("REPLACE INTO complete VALUES (1, ?)", (complete_until,))
                # Twice as many go as come, so that it shrinks to what the horizon holds.
                database.execute(
                    "DELETE FROM seen WHERE digest IN "
                    "(SELECT digest FROM seen WHERE at < ? ORDER BY at LIMIT ?)",
                    (int(at - self._horizon), 2 * len(rows) + 100),
                )
        except sqlite3.Error:
            if len(self._waiting) > _MOST_WAITING:
                self._waiting.clear()
        else:
            self._waiting.clear()

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._database.close()


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        database.executescript(_SETUP)
    except sqlite3.Error:
        database.close()
        raise
    return database
