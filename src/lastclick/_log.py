"""A log: the files that a file sink writes, in any mix, as events or as rows."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from lastclick import _manifest
from lastclick._reading import Meter, Problems, Share, as_it_is_now, packed_name
from lastclick._rows import Batch, Rows
from lastclick.errors import EventError, LogError, not_readable, shown
from lastclick.events import Event, parse_line, utc

SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")


class Log:
    """The events of a log, read anew each time it is iterated. Made by `read_log`.

    Example:
        >>> from lastclick import Funnel, read_log
        >>> from lastclick.sinks import FileSink
        >>> with Funnel("checkout", steps=("cart",), sink=FileSink("var/shop")) as funnel:
        ...     funnel.checkout("c-1").enter("cart")
        >>> log = read_log("var/shop")
        >>> [event.type for event in log]
        ['funnel_declared', 'step_entered']
        >>> len(log.files()), log.problems.lines
        (1, 2)

    .. versionadded:: 0.1.0
    """

    def __init__(
        self,
        path: Path,
        since: datetime | None,
        progress: Callable[[int, int], object] | None,
    ) -> None:
        self.path = path
        self._since = since
        self._progress = progress
        self._problems = Problems()

    @property
    def problems(self) -> Problems:
        """What the last complete iteration met."""
        return self._problems

    def files(self) -> list[Path]:
        """The files of the log as it stands now, in order of name.

        Raises:
            LogError: There is nothing at the path, some of it may not be read, or a manifest cannot
                be used.
        """
        try:
            if not self._is_directory():
                return [self.path]
            # Twice: a file that is compressed during one listing may be in it under neither name.
            found = {*_walk(self.path), *_walk(self.path)}
            lines = _standing({path for path in found if path.name.endswith(SUFFIXES)})
            packed = {path.parent for path in found if path.name == _manifest.NAME}
            return sorted([*lines, *(file for path in packed for file in _manifest.files(path))])
        except OSError as error:
            raise not_readable(error.filename or self.path, error) from error

    def others(self) -> list[Path]:
        """Files in its directory that look like a part of it, but for the end of their names."""
        if not self._is_directory():
            return []
        return sorted(path for path in _walk(self.path) if _is_renamed(path.name))

    def _is_directory(self) -> bool:
        try:
            return stat.S_ISDIR(as_it_is_now(self.path, os.stat).st_mode)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # a NUL is in no name
            msg = f"no log at {self.path}; pass the directory that FileSink writes, or a file"
            raise LogError(msg, self.path) from None

    def __iter__(self) -> Iterator[Event]:
        meter = Meter()
        for file, start, lines in self._batches(meter):
            for number, line in enumerate(lines, start):
                try:
                    yield parse_line(line)
                except EventError as error:
                    meter.refuse(file, number, line, error)
        self._problems = meter.problems()

    def read_rows(self, rows: Rows) -> Iterator[Batch]:
        """The same as rows, for counting."""
        meter = Meter()
        yield from meter.rows(self._batches(meter), rows)
        self._problems = meter.problems()

    def lines(self) -> Iterator[tuple[Path, int, bytes]]:
        """Every line that is not blank, as it is, with its file and number; for tools."""
        meter = Meter()
        for file, start, lines in self._batches(meter):
            for number, line in enumerate(lines, start):
                yield file, number, line
        self._problems = meter.problems()

    def shares(self) -> "Shares":
        """The log in parts, for several processes to read."""
        return Shares(self)

    def _batches(self, meter: Meter) -> Iterator[tuple[Path, int, list[bytes]]]:
        """Whole lines of one file, some 100 at a time, with the number of the first."""
        files = self.standing(meter)
        total, done = sum(file.size for file in files), 0
        for share in files:
            meter.files += 1
            for start, lines, place in meter.lines_of(share):
                yield share.file, start, lines
                self._tell(min(done + place, total), total)
            done += share.size
        self._tell(total, total)

    def standing(self, meter: Meter) -> list[Share]:
        """The files to read, whole."""
        files = []
        for path in self.files():
            try:
                status = as_it_is_now(path, os.stat)
            except FileNotFoundError:
                if _manifest.is_packed(path):
                    raise _manifest.damaged(path, "it is gone") from None
                continue  # deleted, or sent, since it was listed
            if self._since is None or status.st_mtime >= self._since.timestamp():
                files.append(Share(path, status.st_size))
            else:
                meter.passed_over += 1
        return files

    def _tell(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(done, total)

    def __repr__(self) -> str:
        return f"Log({str(self.path)!r})"


class Shares(list[Share]):
    """The parts of a log, in order, and what was met in them.

    Whoever reads them tells of each, in order, by `add`, and of the end by `end`.
    """

    def __init__(self, log: Log) -> None:
        self._log, self._meter = log, Meter()
        files = log.standing(self._meter)
        super().__init__(part for file in files for part in file.split())
        self._total, self._done = sum(share.size for share in self), 0
        self._file: Path | None = None
        self._lines = 0

    def add(self, share: Share, met: Problems) -> None:
        """Take what was met in the next share."""
        if share.file != self._file:
            self._file, self._lines = share.file, 0
            self._meter.files += 1
        self._meter.add(met, self._lines)
        self._lines += met.lines + met.blank
        self._done += share.size
        self._log._tell(self._done, self._total)

    def end(self) -> None:
        """All were read: let the log say what they met."""
        self._log._problems = self._meter.problems()


def _walk(directory: Path) -> Iterator[Path]:
    """The files below a directory; `rglob` would raise where a part of a spool goes meanwhile."""
    for parent, _, names in os.walk(directory, onerror=_refuse_unless_gone):
        yield from (Path(parent, name) for name in names)


def _is_renamed(name: str) -> bool:
    """Whether a name is that of a file of lines, with more at its end; but none that we gave it."""
    has_lines = ".jsonl" in name or ".ndjson" in name
    return has_lines and not name.endswith((*SUFFIXES, ".gz.tmp"))


def _refuse_unless_gone(error: OSError) -> None:
    gone = isinstance(error, FileNotFoundError | NotADirectoryError)
    # A disk of its own has a directory of this name, which root alone may read.
    if not gone and Path(error.filename).name != "lost+found":
        raise error


def _standing(found: set[Path]) -> list[Path]:
    """What was listed and is there, in order of name; a file that is being compressed only once."""
    times: dict[Path, int] = {}
    for path in found:
        with suppress(FileNotFoundError, NotADirectoryError):  # gone
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                times[path] = status.st_mtime_ns
    # Compressing keeps the time. Two files of one name and another time are two files.
    twins = {packed_name(path) for path in times if times.get(packed_name(path)) == times[path]}
    # No listing may have the new name yet; opened, it is found.
    late = {path for path in found - times.keys() if packed_name(path) not in found}
    return sorted(times.keys() - twins | {path for path in late if packed_name(path).is_file()})


def read_log(
    path: Path | str,
    since: datetime | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Log:
    """The events of a log: a directory that `FileSink` writes, or one file, gzipped or plain.

    What `lastclick pack` has written is a log too; reading it takes the extra ``duckdb``.

    Reading is calm: torn ends, blank lines and foreign lines are counted in ``.problems``, with
    file and line of the first few, and the rest is read. But what this process has no right to
    read is an error: half of a log gives wrong figures.

    Args:
        path: The directory (with its subdirectories) or the file.
        since: Pass over files last written before this instant. A saving, not a filter: what is
            read may hold older events.
        progress: Called now and then with the bytes read and the bytes in all.

    Returns:
        An iterable of events, read anew each time, with ``.problems``.

    Raises:
        LogError: There is nothing at the path, ``since`` has no zone, or what is packed is damaged
            or cannot be read without the extra. Here or in reading: a file or a directory may not
            be read.

    Example:
        >>> from lastclick import Funnel, read_log
        >>> from lastclick.sinks import FileSink
        >>> with Funnel("checkout", steps=("cart",), sink=FileSink("var/log")) as funnel:
        ...     funnel.checkout("c-1").enter("cart")
        >>> [event.type for event in read_log("var/log")][-1]
        'step_entered'

    .. versionadded:: 0.1.0
    """
    if not isinstance(path, str | os.PathLike):
        raise LogError(f"a log is a path such as 'var/lastclick', not {shown(path)}")
    log = Log(Path(path), since, progress)
    if since is not None:
        try:
            utc(since)
        except EventError as error:
            raise LogError(f"since: {error}", log.path) from None
    log.files()
    return log
