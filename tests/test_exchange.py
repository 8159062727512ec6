"""The exchange: the same groups, whether they fit into memory or went to a file."""

from __future__ import annotations

import gc
import tempfile
import weakref
from collections.abc import Iterable
from random import Random
from typing import IO, Any

import pytest

from lastclick import _exchange, journeys, measure
from lastclick._exchange import Exchange
from tests.metrics.shop import declared, entered, eur, ordered

Record = tuple[Any, ...]


def grouped(records: Iterable[Record], key: int) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record[key], []).append(record)
    return found


def groups(exchange: Exchange, key: int) -> dict[str, list[Record]]:
    """The groups as they come, each of which must come once."""
    found: dict[str, list[Record]] = {}
    for group in exchange.groups():
        assert group[0][key] not in found
        found[group[0][key]] = group
    return found


def records(number: int) -> list[Record]:
    random = Random(11)
    return [(n, f"c-{random.randrange(number // 3)}", None, n % 2 == 0) for n in range(number)]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[IO[bytes]]:
    """The temporary files, in an exchange that packs after three records and holds 200 bytes."""
    made: list[IO[bytes]] = []
    make = tempfile.TemporaryFile

    def kept(**settings: Any) -> IO[bytes]:
        made.append(make(**settings))
        return made[-1]

    monkeypatch.setattr(_exchange, "_PACK_AT", 3)
    monkeypatch.setattr(_exchange, "_MEMORY_BYTES", 200)
    monkeypatch.setattr(tempfile, "TemporaryFile", kept)
    return made


def test_records_come_in_groups_of_their_key() -> None:
    """Each key has one group, with its records in the order in which they were put."""
    exchange = Exchange(1)

    for record in records(300):
        exchange.put(record)

    assert groups(exchange, 1) == grouped(records(300), 1)


def test_records_put_at_once_are_those_put_one_by_one() -> None:
    """Both ways to put give the same groups, and mix."""
    exchange = Exchange(1)

    exchange.put_all(records(300)[:200])
    for record in records(300)[200:]:
        exchange.put(record)

    assert groups(exchange, 1) == grouped(records(300), 1)


def test_what_is_over_the_memory_goes_to_one_file(files: list[IO[bytes]]) -> None:
    """Above the limit records go to a temporary file, and the groups are the same."""
    exchange = Exchange(1)

    exchange.put_all(records(300))
    for record in records(300):
        exchange.put(record)

    assert len(files) == 1
    assert files[0].tell() > 200
    assert groups(exchange, 1) == grouped(records(300) * 2, 1)
    exchange.close()


def test_groups_may_be_asked_twice_and_after_more_was_put(files: list[IO[bytes]]) -> None:
    """Asking takes nothing away, and what is put later comes with the next asking."""
    exchange = Exchange(1)
    exchange.put_all(records(300))

    first, second = groups(exchange, 1), groups(exchange, 1)
    exchange.put_all(records(300))
    third = groups(exchange, 1)

    assert first == second == grouped(records(300), 1)
    assert third == grouped(records(300) * 2, 1)
    assert len(files) == 1
    exchange.close()


def test_two_askings_at_a_time_do_not_disturb_each_other(files: list[IO[bytes]]) -> None:
    """Each asking finds its own place in the file."""
    exchange = Exchange(1)
    exchange.put_all(records(300))

    pairs = list(zip(exchange.groups(), exchange.groups(), strict=True))

    assert all(one == other for one, other in pairs)
    assert len(pairs) == len(grouped(records(300), 1))
    exchange.close()


def test_values_come_back_as_they_were(files: list[IO[bytes]]) -> None:
    """Big integers, None, booleans and text with lone surrogates survive packing."""
    values: Record = (2**80, -(2**63), None, True, False, 1, "\ud800", "\N{SHOPPING TROLLEY}", "")
    exchange = Exchange(0)

    for n in range(60):
        exchange.put((f"k-{n % 2}", *values))

    assert files
    for group in exchange.groups():
        for _, *back in group:
            assert back == list(values)
            assert [type(value) for value in back] == [type(value) for value in values]
    exchange.close()


def test_an_exchange_of_nothing_has_no_groups(files: list[IO[bytes]]) -> None:
    """Without records there are no groups, and closing needs no file."""
    exchange = Exchange(0)

    exchange.put_all([])

    assert list(exchange.groups()) == []
    exchange.close()
    assert files == []


def test_closing_gives_the_file_back_and_may_be_done_twice(files: list[IO[bytes]]) -> None:
    """After closing the file is closed, and closing again is harmless."""
    exchange = Exchange(1)
    exchange.put_all(records(300))

    exchange.close()
    exchange.close()

    assert files[0].closed


def test_an_exchange_that_nobody_closed_closes_its_file(files: list[IO[bytes]]) -> None:
    """Collected, an exchange leaves no file open behind it."""
    exchange = Exchange(1)
    exchange.put_all(records(300))
    gone = weakref.ref(exchange)

    del exchange
    gc.collect()

    assert gone() is None
    assert files[0].closed


def events() -> list[Any]:
    made: list[Any] = [declared()]
    for n in range(200):
        customer = f"u-{n // 2}"
        made.append(entered(f"c-{n}", "cart", n, eur("5.00"), customer_id=customer))
        if n % 3:
            made.append(ordered(f"c-{n}", f"o-{n // 5}", n + 1, eur("5.00")))
    return made


@pytest.mark.parametrize("unit", ["attempt", "customer"])
def test_a_report_is_the_same_through_files(
    unit: Any, files: list[IO[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What had to be put aside changes no figure, and every file is closed at the end."""
    through_files = measure(events(), unit=unit)

    monkeypatch.undo()
    assert through_files == measure(events(), unit=unit)
    assert len(files) > 1
    assert all(file.closed for file in files)


def test_journeys_give_their_files_back_when_nobody_asks_on(files: list[IO[bytes]]) -> None:
    """A reader of journeys who stops half-way leaves no file open."""
    found = journeys(events(), unit="customer")
    next(found)

    del found
    gc.collect()

    assert files
    assert all(file.closed for file in files)
