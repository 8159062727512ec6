"""Counting in several processes: the same counts, to the digit.

Each process reads shares of the log, folds parts of what all have read, and so on through the
exchanges. Between two steps every process hands its part of an exchange over, as a file; the parts
are then divided anew. Counts are integers, so it does not matter who has counted what.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import attrs

from lastclick._collector import fewer_looks
from lastclick._exchange import PARTS, Exchange, Pieces, handed_over
from lastclick._gather import Chosen, Excluded, Gathered, Gathering, choose
from lastclick._log import Shares
from lastclick._processes import Processes
from lastclick._reading import Problems, Share, read_share
from lastclick._rows import Rows
from lastclick.events import EventsLost, FunnelDeclared
from lastclick.metrics._counts import Basis, Cell, Counts, Key
from lastclick.metrics._tally import Tally

Cells: TypeAlias = dict[Cell, dict[Key, int]]

#: A step: what is handed over for it, and the method of a tally that takes it, part by part.
_STEPS = (
    ("by_checkout", "attempts"),
    ("by_customer", "customers"),
    ("by_order", "orders"),
    ("by_person", "persons"),
    ("strays", "strays"),
)


def counted_apart(
    shares: Shares,
    chosen: Chosen,
    rows: Rows,
    excluded: Excluded,
    basis_of: Callable[[Gathered], Basis],
    workers: int,
) -> tuple[Counts, int]:
    """The counts of a log, and how much was redelivered.

    Raises:
        ConfigError: As where it is counted in one process.
        LogError: A process has ended.
    """
    choose(rows, chosen)
    number = min(workers, len(shares))
    with (
        tempfile.TemporaryDirectory(prefix="lastclick-") as directory,
        Processes(number, Worker, directory, rows.funnel, rows.by, excluded) as processes,
    ):
        found = processes.share("read", [(share,) for share in shares])
        for share, met in zip(shares, found, strict=True):
            shares.add(share, met)
        shares.end()
        gathered = _gathered(processes.each("found"), rows, chosen)
        basis = basis_of(gathered)
        processes.each("begin", basis)
        for exchange, step in _STEPS:
            handed = processes.each("hand_over", exchange)
            parts = [[(path, pieces[part]) for path, pieces in handed] for part in range(PARTS)]
            tasks = [(step, files) for files in parts if any(pieces for _, pieces in files)]
            for _ in processes.share("take", tasks):
                pass
        counted: list[tuple[Cells, int]] = processes.each("end")
    own = Tally(basis, gathered.by_order)
    own.records(gathered)
    counts = Counts(basis, own.cells())
    for cells, _ in counted:
        counts += Counts(basis, cells)
    return counts, sum(redelivered for _, redelivered in counted)


@attrs.frozen
class Found:
    """What one process found in its shares, beside the rows."""

    funnel: str | None
    funnels: set[str]
    declarations: list[FunnelDeclared]
    losses: list[EventsLost]
    latest: int | None


def _gathered(found: list[Found], rows: Rows, chosen: Chosen) -> Gathered:
    """What all processes found; the rows stay with them."""
    all_found = Gathering()
    for one in found:
        rows.funnel = rows.funnel or one.funnel
        rows.funnels |= one.funnels
        all_found.take([], [*one.declarations, *one.losses])
        if one.latest is not None:
            latest = one.latest if all_found.latest is None else all_found.latest
            all_found.latest = max(latest, one.latest)
    return all_found.end(rows, chosen)


class Worker:
    """What counts in one process.

    Args:
        number: Which one it is.
        directory: Where all of them put what they hand over.
        funnel: The funnel to read, None for the first that is met.
        by: The attributes that form groups.
        excluded: What is excluded.
    """

    def __init__(
        self,
        number: int,
        directory: str,
        funnel: str | None,
        by: tuple[str, ...],
        excluded: Excluded,
    ) -> None:
        self._directory = Path(directory, str(number))
        self._directory.mkdir()
        self._rows = Rows(funnel, by, dict(excluded))
        self._gathering = Gathering(self._directory)
        self._tally: Tally | None = None

    def read(self, share: Share) -> Problems:
        """Take the rows of a share."""
        with fewer_looks():
            batches = read_share(share, self._rows)
            while True:
                try:
                    found, records = next(batches)
                except StopIteration as end:
                    met: Problems = end.value
                    return met
                self._gathering.take(found, records)

    def found(self) -> Found:
        """What was found beside the rows, once all shares were read."""
        found = self._gathering
        return Found(
            self._rows.funnel,
            self._rows.funnels,
            list(found.declarations.values()),
            list(found.losses.values()),
            found.latest,
        )

    def begin(self, basis: Basis) -> None:
        """Begin to count."""
        self._tally = Tally(basis, self._gathering.by_order, self._directory)

    def hand_over(self, name: str) -> tuple[Path, list[Pieces]]:
        """Hand over all of an exchange."""
        if name == "by_person":
            self._counting.all_told()
        of = self._gathering if name in ("by_checkout", "strays") else self._counting
        exchange: Exchange = getattr(of, name)
        assert exchange.path is not None
        return exchange.path, exchange.hand_over()

    def take(self, step: str, files: list[tuple[Path, Pieces]]) -> None:
        """Take one part of what all have handed over."""
        key = 3 if step == "attempts" else 2 if step == "strays" else 0
        with fewer_looks():
            getattr(self._counting, step)(handed_over(key, files))

    def end(self) -> tuple[Cells, int]:
        """What was counted here, and how much was redelivered."""
        return self._counting.cells(), self._counting.redelivered

    @property
    def _counting(self) -> Tally:
        assert self._tally is not None
        return self._tally
