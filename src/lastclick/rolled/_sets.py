"""Closed sets of journeys: which rows belong together, whatever comes later.

A row names its checkout, its customer and its order, a refund its order alone; what has a name in
common is one set. Names are kept as numbers made from them. Two names that got the same number
would only make one set of two, which is closed as well.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import TypeAlias

import attrs
from pydantic_core import from_json, to_json

from lastclick._rows import CANCELLED, ORDERED, REFUNDED, Row
from lastclick.metrics._counts import Cell
from lastclick.rolled._aging import Ground, Told, add, due_after, told_of
from lastclick.rolled._state import STALE, DamagedError, State

#: When a set is due, and its rows.
_Kept: TypeAlias = tuple[int | None, list[bytes]]

#: How many sets are counted at once.
_AT_ONCE = 20_000
#: How many counts are held before they are written.
_HELD = 500_000


class Joining:
    """Rows of one reading, brought together with what is kept.

    Args:
        state: Where they are kept.
        counted_by: What the counts there rest on; None where there are none that stay.
        next_id: The id of the next new set.
    """

    def __init__(self, state: State, counted_by: Ground | None, next_id: int) -> None:
        self._state = state
        self._counted_by = counted_by
        self.next_id = next_id
        #: What is to be taken away from the counts, since it is counted anew.
        self.withdrawn: Told = {}
        self.new = 0
        self._numbers: dict[tuple[str, str], int] = {}

    def put(self, rows: list[Row]) -> None:
        """Keep some rows with those they belong to."""
        self._numbers.clear()
        parent: dict[int, int] = {}
        first: list[int] = []
        for row in rows:
            names = self._names(row)
            first.append(names[0])
            for name in names:
                parent.setdefault(name, name)
                _join(parent, names[0], name)
        known = self._state.sets_of(sorted(parent))
        kept = self._kept(known)
        by_id: dict[int, int] = {}
        for name in parent:
            if name in known:
                _join(parent, by_id.setdefault(known[name], name), name)
        ids: dict[int, list[int]] = {}
        for id_, name in by_id.items():
            ids.setdefault(_root(parent, name), []).append(id_)
        together: dict[int, list[bytes]] = {}
        for row, name in zip(rows, first, strict=True):
            together.setdefault(_root(parent, name), []).append(to_json(row))
        self._merge(together, ids, kept)

    def _kept(self, known: dict[int, int]) -> dict[int, _Kept]:
        """The sets that some names lead to, which must be the sets that have these names."""
        state = self._state
        kept = {id_: (due, lines) for id_, due, lines in state.rows(sorted({*known.values()}))}
        names = {
            (name, id_)
            for id_, (_, lines) in kept.items()
            for row in rows_of(lines)
            for name in self._names(row)
        }
        if not known.items() <= names:
            raise DamagedError("a name leads to another set")
        return kept

    def _merge(
        self,
        together: dict[int, list[bytes]],
        ids: dict[int, list[int]],
        kept: dict[int, _Kept],
    ) -> None:
        state = self._state
        changed: list[tuple[int, list[bytes]]] = []
        names: dict[int, int] = {}
        dropped: list[int] = []
        withdrawn: list[bytes] = []
        for root, lines in together.items():
            own = sorted(ids.get(root, ()))
            before = {line for id_ in own for line in kept[id_][1]}
            more = before.union(lines)
            if len(more) == len(before):
                continue
            self.new += len(more) - len(before)
            if own:
                set_id, *others = own
                dropped += others
                for id_ in own:
                    withdrawn += kept[id_][1] if kept[id_][0] != STALE else ()
            else:
                set_id = self.next_id
                self.next_id += 1
            changed.append((set_id, sorted(more)))
            moved = more if len(own) > 1 else more - before
            for row in rows_of(moved):
                names.update((name, set_id) for name in self._names(row))
        if self._counted_by is not None and withdrawn:
            add(self.withdrawn, told_of(rows_of(withdrawn), self._counted_by), 1)
        state.drop_sets(dropped)
        state.keep_sets(changed)
        state.name(names.items())

    def _names(self, row: Row) -> list[int]:
        _, kind, event_id, checkout_id, customer_id, what, *_ = row
        if kind in (REFUNDED, CANCELLED):
            return [self._number("order", what)]
        if not checkout_id:
            return [self._number("event", event_id)]
        names = [self._number("checkout", checkout_id)]
        if customer_id is not None:
            names.append(self._number("customer", customer_id))
        if kind == ORDERED:
            names.append(self._number("order", what))
        return names

    def _number(self, of: str, name: str) -> int:
        number = self._numbers.get((of, name))
        if number is None:
            digest = blake2b(f"{of} {name}".encode(), digest_size=8).digest()
            number = self._numbers[of, name] = int.from_bytes(digest, "big", signed=True)
        return number


def rows_of(lines: Iterable[bytes]) -> list[Row]:
    """The rows that are kept as these lines of JSON."""
    return list(map(tuple, from_json(b"[" + b",".join(lines) + b"]")))


def recount(state: State, before: Ground | None, now: Ground, withdrawn: Told) -> "Recounted":
    """Bring the counts from one instant to another.

    Args:
        state: Where the sets and the counts are.
        before: What the counts rest on; None where there are none that stay.
        now: What they shall rest on.
        withdrawn: What sets that have changed since came to before.
    """
    counting = Recounted()
    if before is None:
        state.forget_counts()
    else:
        counting.add(state, withdrawn, -1)
    ids = state.due(-1 if now.basis.as_of is None else now.basis.as_of)
    for at in range(0, len(ids), _AT_ONCE):
        old: list[Row] = []
        new: list[Row] = []
        dues: list[tuple[int, int | None]] = []
        for id_, due, lines in state.rows(ids[at : at + _AT_ONCE]):
            rows = rows_of(lines)
            new += rows
            if due != STALE:
                old += rows
            dues.append((id_, due_after(rows, now.basis)))
        if old and before is not None:
            counting.add(state, told_of(old, before), -1)
        counting.add(state, told_of(new, now), 1)
        state.counted(sorted(dues))
    counting.flush(state)
    counting.sets = len(ids)
    return counting


@attrs.define
class Recounted:
    """What was counted anew.

    Attributes:
        sets: How many sets.
        days: The days on which journeys of these started, or start now.
        changed: The cells that are others now.
    """

    sets: int = 0
    days: set[str] = attrs.field(factory=set)
    changed: set[Cell] = attrs.field(factory=set)
    _told: Told = attrs.field(factory=dict)

    def add(self, state: State, told: Told, sign: int) -> None:
        """Add what some sets came to, or take it away."""
        self.days.update(day for _, day in told if day)
        add(self._told, told, sign)
        if sum(map(len, self._told.values())) > _HELD:
            self.flush(state)

    def flush(self, state: State) -> None:
        """Write what was added so far."""
        self.changed |= state.add(self._told)
        self._told = {}


def _root(parent: dict[int, int], name: int) -> int:
    root = name
    while (above := parent[root]) != root:
        root = above
    while name != root:  # shorten the way for the next time
        parent[name], name = root, parent[name]
    return root


def _join(parent: dict[int, int], one: int, other: int) -> None:
    parent[_root(parent, other)] = _root(parent, one)
