"""Counting persons: what is known of a shopper when all their attempts and orders are together.

A person is a customer, or an attempt that names none. Records of a person are brought together by
an exchange and counted once, in one place: revenue with customers as clusters, repeat purchases,
and what became of those who were drawn into an arm.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from lastclick._exchange import Exchange
from lastclick._fold import IN_FLIGHT, LOST, Fold
from lastclick.metrics._counts import LOG, WHOLE, Cell, Key

# What a record says of a person; the person comes first in it.
_STARTED, _BOUGHT, _LEFT, _TRIED = range(4)

# How a journey ended so far.
_GOING_ON, _LEFT_OFF, _ORDERED = range(3)
# One journey, by its end: as many of each as somebody has.
_ONE = ((1, 0, 0), (0, 1, 0), (0, 0, 1))

_DAY = 86_400 * 1_000_000
_BATCH = 500

#: A customer's id; of an attempt that names none, its checkout id, apart from all customers.
Person: TypeAlias = str | tuple[str]


class Persons:
    """What is known of each person so far.

    Args:
        exchange: Brings the records of a person together.
        as_of: The instant of the report.
        within: ``recover_within``, for which whoever was assigned is followed.
        by_group: Whether there are groups beside the whole.
    """

    def __init__(self, exchange: Exchange, as_of: int, within: int, *, by_group: bool) -> None:
        self._as_of, self._within, self._by_group = as_of, within, by_group
        self._exchange = exchange
        self._waiting: list[tuple[Any, ...]] = []
        self._alone: dict[tuple[str, int], int] = defaultdict(int)
        self._ends: dict[tuple[Cell, tuple[int, int, int]], int] = defaultdict(int)

    # What is told

    def attempt(self, it: Fold) -> None:
        """An attempt that is later joined to others: whether it was lost, and when it ordered."""
        if it.orders or it.outcome == LOST:
            self._put(person(it), _LEFT, *_left(it))

    def journey(self, it: Fold, cell: Cell | None, joined: bool) -> None:
        """A journey; without a cell where it is not counted.

        Args:
            it: The journey.
            cell: Where it is counted.
            joined: Whether its attempts were told of already.
        """
        customer = it.customer_id
        if it.assigned or (customer is not None and (it.sent or it.clicked)):
            self._tried(it, cell)
        left = None
        if customer is not None and not joined and (it.orders or it.outcome == LOST):
            left = _left(it)
        if cell is None:
            if left is not None:
                self._put(person(it), _LEFT, *left)
        elif customer is None and not it.orders:
            self._alone[cell[0], _end(it)] += 1  # one of whom nothing else can be known
        else:
            self._put(person(it), _STARTED, cell[0], _end(it), left)

    def _tried(self, it: Fold, cell: Cell | None) -> None:
        assigned = sorted({(row[0], row[5], row[8] or "", row[3] or "") for row in it.assigned})
        earliest: dict[tuple[str | None, str], int] = {}
        for row in it.sent:
            key = (row[3], row[2])
            earliest[key] = min(row[0], earliest.get(key, row[0]))
        campaigns = {row[6] for row in (*it.assigned, *it.sent) if row[6] is not None}
        value = it.value_at(assigned[0][0]) if assigned else None
        told = (
            tuple(assigned),
            tuple(sorted(earliest.values())),
            tuple(sorted(campaigns)),
            tuple(it.clicked),
            it.several_customers,
            cell,
            value,
        )
        self._put(person(it), _TRIED, *told)

    def order(self, who: Person, t: int, cell: Cell, net: int | None, currency: str) -> None:
        """An order, once, with what is left of its money; the log's cell where none is counted."""
        self._put(who, _BOUGHT, t, cell, net, currency)

    def _put(self, *record: Any) -> None:
        self._waiting.append(record)
        if len(self._waiting) == _BATCH:
            self.flush()

    def flush(self) -> None:
        """Put what waits into the exchange: everything was told."""
        self._exchange.put_all(self._waiting)
        self._waiting = []

    # What it comes to

    def count(
        self, groups: Iterable[list[tuple[Any, ...]]], cells: dict[Cell, dict[Key, int]]
    ) -> None:
        """Count persons, each with all records of theirs."""
        for records in groups:
            if len(records) == 1 and records[0][1] == _STARTED:  # many come once and leave
                self._alone[records[0][2:4]] += 1
                continue
            told: tuple[list[Any], ...] = ([], [], [], [])
            for record in records:
                told[record[1]].append(record[2:])
            started, bought, left, tried = told
            left += [one for *_, one in started if one is not None]
            if started:
                self._cluster(started, bought, cells)
            if bought and isinstance(records[0][0], str):
                self._again(bought, cells)
            if len(left) > 1:
                self._elsewhere(left, cells[LOG])
            if tried:
                self._trial(tried, bought, cells)

    def end(self, cells: dict[Cell, dict[Key, int]]) -> None:
        """Count those who were only told apart so far."""
        for (group, end), number in self._alone.items():
            for cell in self._spans(group):
                self._ends[cell, _ONE[end]] += number
        for (cell, ends), number in self._ends.items():
            counted = cells[cell]
            for key, sum_ in ends_of(ends, number):
                counted[key] += sum_

    def _spans(self, group: str) -> tuple[Cell, ...]:
        return (WHOLE, (group, "")) if self._by_group else (WHOLE,)

    def _cluster(
        self, started: list[Any], bought: list[Any], cells: dict[Cell, dict[Key, int]]
    ) -> None:
        """Journeys, their ends and revenue of one person, in the whole and in each group."""
        journeys: dict[Cell, list[int]] = {}
        for group, end, _ in started:
            for cell in self._spans(group):
                journeys.setdefault(cell, [0, 0, 0])[end] += 1
        for cell, (going_on, left_off, ordered) in journeys.items():
            self._ends[cell, (going_on, left_off, ordered)] += 1
        revenue: dict[tuple[Cell, str], int] = {}
        for _, place, net, currency in bought:
            if place != LOG and net is not None:
                for cell in self._spans(place[0]):
                    revenue[cell, currency] = revenue.get((cell, currency), 0) + net
        for (cell, currency), y in revenue.items():
            counted = cells[cell]
            counted["cluster", "y", currency] += y
            counted["cluster", "yy", currency] += y * y
            counted["cluster", "xy", currency] += sum(journeys[cell]) * y

    def _again(self, bought: list[Any], cells: dict[Cell, dict[Key, int]]) -> None:
        """Whole days from a customer's first order to the next, or to the instant of the report.

        A day that has begun is whole for the one and not there for the other, so that who ordered
        again within k days is among those with at most k.
        """
        (first, cell), *later = sorted((t, cell) for t, cell, _, _ in bought)
        if later:
            key: Key = ("again", -((first - later[0][0]) // _DAY))
        else:
            key = self._once(first)
        # An order of an attempt without a step is in no group and on no day.
        cells[WHOLE if cell == LOG else cell][key] += 1

    def _once(self, first: int) -> Key:
        """Of a customer's only order, by how long ago it was."""
        return ("once", (self._as_of - first) // _DAY)

    def _elsewhere(self, left: list[Any], log: dict[Key, int]) -> None:
        """Lost attempts whose customer ordered in another one, up to recover_within later."""
        times = sorted(t for *_, orders in left for t in orders)
        for lost, start, last, _ in left:  # a lost one has no order of its own
            if lost and bisect_left(times, start) < bisect_right(times, last + self._within):
                log["ordered_elsewhere",] += 1

    def _trial(
        self, tried: list[Any], bought: list[Any], cells: dict[Cell, dict[Key, int]]
    ) -> None:
        """One person of an arm: from the first assignment on, for the whole of recover_within."""
        drawn = [record for record in tried if record[0]]
        if not drawn:
            return
        first = min(drawn, key=lambda record: record[0][0])
        (since, arm, share, _), *_ = first[0]
        cell, value = first[5:]
        if cell is None:
            cells[LOG]["trial_without_step", arm] += 1
            return
        counted = cells[cell]
        until = since + self._within
        counted["arm", arm, share] += 1
        if {one[1] for record in tried for one in record[0]} != {arm}:
            counted["arm_in_both", arm] += 1
        if any(record[4] for record in tried if record[0]):
            counted["arm_two_ids", arm] += 1
        if len({name for record in tried for name in record[2]}) > 1:
            counted["arm_campaigns", arm] += 1
        sent = [t for record in tried for t in record[1] if since <= t <= until]
        touched = sent + [t for record in tried for t in record[3] if since <= t <= until]
        if touched:
            counted["arm_reminded", arm] += 1
        counted["arm_reminders", arm] += len(sent)
        if self._as_of - since <= self._within:
            counted["arm_waiting", arm] += 1
            return
        counted["arm_followed", arm] += 1
        counted["arm_reminders_followed", arm] += len(sent)
        orders = [order for order in bought if since < order[0] <= until]
        if orders:
            counted["arm_buyers", arm] += 1
            counted["arm_orders", arm] += len(orders)
        earliest = min(touched, default=until + 1)
        revenue: dict[str, int] = defaultdict(int)
        attributed: dict[str, int] = defaultdict(int)
        if any(t >= earliest for t, *_ in orders):
            counted["arm_attributed", arm] += 1
        for t, _, net, currency in orders:
            if net is None:
                counted["arm_unpriced", arm] += 1
                continue
            revenue[currency] += net
            if t >= earliest:
                attributed[currency] += net
        before = {} if value is None else {value[1]: value[0]}
        if value is None:
            counted["arm_unvalued", arm] += 1
        for currency in revenue:
            counted["arm_buyers_in", arm, currency] += 1
        for currency, net in attributed.items():
            counted["arm_attributed_y", arm, currency] += net
        for currency in {*revenue, *before}:
            y, x = revenue.get(currency, 0), before.get(currency, 0)
            sums = (("y", y), ("yy", y * y), ("x", x), ("xx", x * x), ("xy", x * y))
            for what, number in sums:
                counted["arm_sum", what, arm, currency] += number


def ends_of(ends: tuple[int, int, int], persons: int) -> Iterator[tuple[Key, int]]:
    """What persons come to whose journeys ended alike: numbers, squares and products.

    Args:
        ends: Of one of them, the journeys that go on, were left off and ended in an order.
        persons: How many they are.
    """
    x, ordered = sum(ends), ends[_ORDERED]
    decided = ordered + ends[_LEFT_OFF]
    sums = {
        "n": 1,
        "x": x,
        "xx": x * x,
        "decided": decided,
        "decided2": decided * decided,
        "ordered": ordered,
        "ordered2": ordered * ordered,
        "both": ordered * decided,
    }
    for what, number in sums.items():
        if number:
            yield ("cluster", what), persons * number


def _left(it: Fold) -> tuple[bool, int | None, int, tuple[int, ...]]:
    """Of an attempt of a customer: whether it was lost, from when to when, and its orders."""
    lost = it.outcome == LOST and bool(it.first)
    return lost, it.start, it.last, tuple([row[0] for row in it.orders])


def _end(it: Fold) -> int:
    if it.order_at is not None:
        return _ORDERED
    return _GOING_ON if it.outcome == IN_FLIGHT else _LEFT_OFF


def person(it: Fold) -> Person:
    """Whose journey it is."""
    return it.customer_id or (it.rows[0][3] or "",)
