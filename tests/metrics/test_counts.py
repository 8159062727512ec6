"""Counts: they add where they rest on the same, and say what differs where they do not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from lastclick import Step
from lastclick.errors import ConfigError
from lastclick.metrics import Basis, Counts, count
from lastclick.metrics._counts import LOG
from tests.metrics.shop import DAY, at, declared, entered, eur, ordered

FUNNEL = declared()
SETTINGS: dict[str, Any] = {"as_of": at(3 * DAY), "by": "device"}

FIRST = [
    entered("c-1", "cart", 0, eur("10.00"), attributes={"device": "mobile"}),
    entered("c-2", "cart", 5, eur("20.00"), attributes={"device": "desktop"}),
    ordered("c-2", "o-2", 9, eur("20.00")),
]
SECOND = [
    entered("c-3", "cart", DAY, eur("40.00"), attributes={"device": "mobile"}),
    entered("c-4", "gift", DAY),
]

# By field of the basis: another value of it.
OTHERS: dict[str, Any] = {
    "funnel": "returns",
    "steps": (Step("cart"), Step("payment", owner="payments")),
    "abandon_after": 60_000_000,
    "recover_within": 10**15,
    "as_of": 0,
    "unit": "customer",
    "by": ("device", "plan"),
    "exclude": (),
    "closed": True,
    "within": 1_000_000,
    "timezone": "Europe/Paris",
    "touch": "last",
}


def counted(events: list[Any], **settings: Any) -> Counts:
    return count(events, FUNNEL, **{**SETTINGS, **settings})


def test_counts_of_two_parts_are_those_of_the_whole() -> None:
    """Counts of disjoint closed sets add to the counts of all, in either order."""
    first, second = counted(FIRST), counted(SECOND)

    assert first + second == second + first == counted(FIRST + SECOND)


def test_adding_changes_neither_part() -> None:
    """A sum is a new value."""
    first, second = counted(FIRST), counted(FIRST)

    total = first + second

    assert first == second == counted(FIRST)
    assert total.total()["outcome", "recoverable"] == 2
    assert total.total()["outcome", "purchased"] == 2


def test_counts_of_nothing_change_nothing() -> None:
    """The counts of no events are the zero of adding."""
    first = counted(FIRST)

    assert first + counted([]) == first


@pytest.mark.parametrize("field", OTHERS)
def test_counts_of_two_bases_do_not_add(field: str) -> None:
    """Adding across bases is refused, and the message names the field and both values."""
    one = counted(FIRST)
    basis = attrs.evolve(one.basis, **{field: OTHERS[field]})

    with pytest.raises(ConfigError, match="do not add") as refused:
        one + Counts(basis, {})

    said = str(refused.value)
    assert f"{field} (" in said
    assert repr(getattr(one.basis, field)) in said
    assert repr(OTHERS[field]) in said
    others = [other for other in OTHERS if other != field]
    assert not [other for other in others if f" {other} (" in said]


def test_every_field_of_the_basis_has_its_refusal() -> None:
    """No field is forgotten: all but how as_of came about keep counts apart."""
    assert [*OTHERS, "chosen"] == [field.name for field in attrs.fields(Basis)]


def test_several_differences_are_all_named() -> None:
    """A message names every field that differs."""
    with pytest.raises(ConfigError, match=r"unit \(.*timezone \("):
        counted(FIRST) + counted(SECOND, unit="customer", timezone="Asia/Tokyo")


def test_how_as_of_came_about_keeps_nothing_apart() -> None:
    """An instant that was chosen and the same one taken from the last event add."""
    taken = count(FIRST, FUNNEL)
    chosen = count(FIRST, FUNNEL, as_of=at(9))

    assert (taken.basis.chosen, chosen.basis.chosen) == (False, True)
    assert taken + chosen == chosen + taken


def test_counts_add_to_counts_only() -> None:
    """Anything else is refused as Python does it."""
    with pytest.raises(TypeError):
        counted(FIRST) + 1


def test_total_by_group_and_by_day() -> None:
    """A total is over all, over one group, over some days, or over both."""
    counts = counted(FIRST + SECOND)
    lost, bought = ("outcome", "recoverable"), ("outcome", "purchased")

    assert counts.total()[lost] == 2
    assert counts.total()[bought] == 1
    assert counts.total(group='["mobile"]')[lost] == 2
    assert lost not in counts.total(group='["desktop"]')
    assert counts.total(days=["2026-10-01"])[lost] == 1
    assert counts.total(days=iter(["2026-10-01", "2026-10-02"])) == counts.total()
    assert counts.total(group='["mobile"]', days=["2026-10-02"])[lost] == 1
    assert counts.total(days=[]) == counts.total(group="none") == {}


def test_facts_of_the_log_are_in_no_total() -> None:
    """What belongs to the log and not to a journey has a cell of its own."""
    counts = counted(FIRST + SECOND)

    assert counts.cells[LOG]["without_step",] == 1
    assert ("without_step",) not in counts.total()


def test_days_are_those_of_the_time_zone() -> None:
    """An attempt is counted on the day of its start in the zone that was chosen."""
    there = count([entered("c-1", "cart", 0)], FUNNEL, timezone="Pacific/Kiritimati")
    here = count([entered("c-1", "cart", 0)], FUNNEL)

    assert {day for _, day in there.cells} - {""} == {"2026-10-02"}
    assert {day for _, day in here.cells} - {""} == {"2026-10-01"}


def test_the_basis_says_what_was_asked() -> None:
    """A basis holds integers and names, in one order whatever the order of asking."""
    basis = counted(
        FIRST,
        closed=True,
        within=timedelta(minutes=5),
        exclude={"traffic": ("staff", "bot"), "device": ["tv"]},
    ).basis

    assert basis.within == 300_000_000
    assert basis.exclude == (("device", ("tv",)), ("traffic", ("bot", "staff")))
    assert basis.abandon_after == 30 * 60_000_000
    assert basis.as_of == int(at(3 * DAY).timestamp()) * 1_000_000


def test_counts_hold_integers_only() -> None:
    """Money is counted in 1/10,000: nothing is a float, so that sums are exact."""
    counts = counted(FIRST + SECOND)

    numbers = [number for cell in counts.cells.values() for number in cell.values()]
    assert {type(number) for number in numbers} == {int}
    assert counts.total()["gross", "purchased", "EUR"] == 200_000
