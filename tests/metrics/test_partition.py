"""Partition: every part is closed, whatever chain of ids holds it together."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from lastclick.errors import ConfigError
from lastclick.events import Event
from lastclick.metrics import count, partition, report_from
from tests.metrics.shop import DAY, at, declared, entered, eur, lost, ordered, refunded

FUNNEL = declared()


def chain(name: str, links: int) -> list[Event]:
    """Checkouts held together by turns by a customer and by an order that both show."""
    events: list[Event] = []
    for n in range(links):
        here, after = f"{name}-{n}", f"{name}-{n + 1}"
        if n % 2:
            events += [ordered(one, f"o-{name}-{n}", n, eur("5.00")) for one in (here, after)]
        else:
            events += [
                entered(one, "cart", n, customer_id=f"u-{name}-{n}") for one in (here, after)
            ]
    return [*events, refunded(f"o-{name}-1", links, eur("1.00"))]


def holders(parts: list[list[Event]], event: Event) -> list[int]:
    return [place for place, part in enumerate(parts) if any(one is event for one in part)]


def ids_of(part: list[Event]) -> set[tuple[str, Any]]:
    names = ("checkout_id", "order_id", "customer_id")
    return {
        (name, value)
        for event in part
        for name in names
        if (value := getattr(event, name, None)) is not None
    }


@pytest.mark.parametrize("links", [2, 3, 30])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_chain_of_links_stays_together(links: int, seed: int) -> None:
    """Checkouts that only a chain of customers and orders joins are in one part."""
    events = chain("a", links)
    Random(seed).shuffle(events)

    parts = partition(events, 7)

    assert sorted(map(len, parts)) == [0] * 6 + [len(events)]


def test_every_part_is_closed() -> None:
    """No checkout, order or customer is in two parts, and nothing is lost or doubled."""
    events = [event for n in range(20) for event in chain(f"n{n}", 4)]
    Random(5).shuffle(events)

    parts = partition(events, 4)

    found = [ids_of(part) for part in parts]
    assert sum(map(len, found)) == len(set().union(*found))
    assert all(holders(parts, event) != [] for event in events)
    assert sum(map(len, parts)) == len(events)
    assert all(parts)


def test_parts_keep_the_order_in_which_events_came() -> None:
    """Within a part events stay in their order."""
    events = [entered(f"c-{n}", "cart", n) for n in range(50)]

    parts = partition(events, 3)

    for part in parts:
        assert part == [event for event in events if any(event is one for one in part)]


def test_the_same_events_go_to_the_same_parts_whatever_their_order() -> None:
    """A partition is the same in every process and for every arrival."""
    events = [event for n in range(10) for event in chain(f"n{n}", 3)]
    backwards = events[::-1]

    forth, back = partition(events, 5), partition(backwards, 5)

    assert [{event.event_id for event in part} for part in forth] == [
        {event.event_id for event in part} for part in back
    ]
    assert [len(part) for part in partition([entered("c-1", "cart", 0)], 8)].index(1) == 4


def test_one_part_is_the_whole() -> None:
    """A single part holds all events, in their order."""
    events = [FUNNEL, *chain("a", 3), lost("sink", "disk full", 2)]

    assert partition(iter(events), 1) == [events]
    assert partition([], 2) == [[], []]


def test_what_belongs_to_nobody_goes_to_the_first_part() -> None:
    """Declarations and losses are counted once, with the first part."""
    records = [FUNNEL, lost("sink", "disk full", 2)]
    events = [*records, *(entered(f"c-{n}", "cart", n) for n in range(20))]

    parts = partition(events, 4)

    assert all(holders(parts, record) == [0] for record in records)


def test_a_refund_goes_with_its_order_whatever_checkout_it_names() -> None:
    """A refund is joined by order id only: its checkout and customer hold nothing together."""
    events = [
        ordered("c-1", "o-1", 0, eur("5.00"), customer_id="u-1"),
        *(entered(f"c-{n}", "cart", n, customer_id=f"u-{n}") for n in range(2, 40)),
        refunded("o-1", 9, eur("5.00"), checkout_id="c-2", customer_id="u-3"),
    ]

    parts = partition(events, 40)

    assert holders(parts, events[0]) == holders(parts, events[-1])
    assert len([part for part in parts if part]) > 3


@pytest.mark.parametrize("unit", ["attempt", "customer"])
@pytest.mark.parametrize("parts", [1, 2, 9])
def test_counts_of_the_parts_add_to_those_of_the_whole(unit: Any, parts: int) -> None:
    """Counted apart and added, closed sets give the report of the whole."""
    events = [FUNNEL, lost("funnel", "no id", 3), refunded("o-none", 2, eur("1.00"))]
    events += [event for n in range(12) for event in chain(f"n{n}", n % 5 + 2)]
    settings = {"as_of": at(DAY), "unit": unit}

    first, *others = [count(part, FUNNEL, **settings) for part in partition(events, parts)]
    total = sum(others, first)

    assert total == count(events, FUNNEL, **settings)
    assert report_from(total).to_dict() == report_from(count(events, **settings)).to_dict()


@pytest.mark.parametrize("parts", [0, -1, 1.0, "2", None, True])
def test_parts_is_a_whole_number_above_zero(parts: Any) -> None:
    """Anything else is refused, and the message shows it."""
    with pytest.raises(ConfigError, match="whole number above zero") as refused:
        partition([], parts)

    assert repr(parts) in str(refused.value)
