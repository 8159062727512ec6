"""Gathering: what one reading of the events finds, and the settings it reads by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lastclick import Funnel, Step
from lastclick._exchange import Exchange
from lastclick._gather import (
    EXCLUDE,
    REFUND,
    Gathered,
    as_instant,
    excluded_values,
    gather,
    law_of,
)
from lastclick._rows import UNKNOWN, Batch, Rows, micros
from lastclick.errors import ConfigError
from lastclick.events import Event
from lastclick.sinks import MemorySink
from tests.metrics.shop import at, declared, entered, eur, lost, ordered, refunded

FUNNEL = declared()


class Source:
    """Events that give their rows themselves, as a log does."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = lines

    def __iter__(self) -> Iterator[Event]:
        raise AssertionError("read as rows")

    def read_rows(self, rows: Rows) -> Iterator[Batch]:
        for line in self.lines:
            found, others = rows.of_lines([line])
            yield found, [read for _, read in others]


def gathered(*events: Event, chosen: Any = None) -> Gathered:
    return gather(events, chosen, Rows())


def records(exchange: Exchange) -> list[tuple[Any, ...]]:
    return sorted(record for group in exchange.groups() for record in group)


def test_rows_are_kept_by_checkout() -> None:
    """Every event of an attempt is in the group of its checkout."""
    events = [entered("a", "cart", 0), entered("b", "cart", 1), ordered("a", "o", 2, eur("1.00"))]

    got = gathered(FUNNEL, *events)

    groups = {group[0][3]: len(group) for group in got.by_checkout.groups()}
    assert groups == {"a": 2, "b": 1}
    assert (got.funnel, got.declaration) == ("checkout", FUNNEL)
    assert records(got.by_order) == records(got.strays) == []


def test_refunds_are_kept_by_order() -> None:
    """A refund waits for its order, whatever checkout it names."""
    got = gathered(FUNNEL, refunded("o", 2, eur("1.00"), "r", checkout_id="a", event_id="e"))

    assert records(got.by_order) == [
        ("o", REFUND, micros(at(2)), "e", "r", 10_000, "EUR", False),
    ]
    assert records(got.by_checkout) == []
    assert got.latest == micros(at(2))


def test_more_events_than_a_batch_are_all_kept() -> None:
    """Events come in batches; none is lost at the seams."""
    events = [entered(f"c-{n % 7}", "cart", n) for n in range(1_001)]

    got = gather((one for one in (*events, FUNNEL, lost("sink", "x", 1))), None, Rows())

    assert len(records(got.by_checkout)) == 1_001
    assert got.latest == micros(at(1_000))
    assert len(got.declarations) == len(got.losses) == 1


def test_strays_do_not_move_the_instant() -> None:
    """Events without a checkout id and of unknown types are kept apart, and as_of stands."""
    known = entered("a", "cart", 0)
    stray = b'{"v": 1, "type": "%s", "event_id": "e", "funnel": "checkout", %s"occurred_at": %s}'
    when = b'"2027-01-01T00:00:00Z"'
    source = Source(
        FUNNEL.line,
        known.line,
        stray % (b"reminder_sent", b'"channel": "x", ', when),
        stray % (b"survey_answered", b'"checkout_id": "a", ', when),
    )

    got = gather(source, None, Rows())

    assert got.latest == micros(at(0))
    assert [row[1] for row in records(got.strays)] == [3, UNKNOWN]


def test_an_instant_needs_a_shopper() -> None:
    """Declarations and losses alone have no latest event."""
    got = gathered(FUNNEL, lost("sink", "full", 1))

    assert got.latest is None


def test_one_id_is_one_record() -> None:
    """A declaration that came again is one; of two under one id the same is kept always."""
    other = declared(("cart", "done"))

    forth, back = gathered(FUNNEL, FUNNEL, other), gathered(other, FUNNEL)

    assert forth.declarations == back.declarations
    assert len(forth.declarations) == 1
    assert len(gathered(FUNNEL, lost("sink", "x", 1), lost("sink", "x", 2)).losses) == 1


def test_what_is_given_is_read_by() -> None:
    """A declaration, or what has one, chooses the funnel and its steps."""
    funnel = Funnel("returns", steps=("asked", "sent"), sink=MemorySink())
    events = (FUNNEL, entered("a", "cart", 0), entered("b", "asked", 0, funnel="returns"))

    by_funnel = gathered(*events, chosen=funnel)
    by_declaration = gathered(*events, chosen=funnel.declaration)

    assert by_funnel.funnel == by_declaration.funnel == "returns"
    assert by_funnel.declaration is by_declaration.declaration is funnel.declaration
    assert [row[3] for row in records(by_funnel.by_checkout)] == ["b"]
    assert by_funnel.declarations == {}


def test_something_with_another_declaration_is_refused() -> None:
    """A declaration has to be one, not merely be called so."""

    class Odd:
        declaration = "checkout"

    with pytest.raises(ConfigError, match="pass its name, a Funnel, or its declaration"):
        gathered(FUNNEL, chosen=Odd())


def test_several_funnels_are_named_in_order() -> None:
    """The message names all funnels in the log, each once."""
    events = (FUNNEL, declared(funnel="b2b"), entered("a", "x", 0, funnel="app"), FUNNEL)

    with pytest.raises(ConfigError, match="in one log: 'app', 'b2b', 'checkout'; choose one"):
        gathered(*events)


def test_a_missing_definition_is_told_with_what_was_seen() -> None:
    """The message says which funnel has none, and which funnels there are."""
    other = entered("a", "x", 0, funnel="app")

    with pytest.raises(ConfigError, match=r"no definition of funnel 'returns'.*seen: 'checkout'"):
        gathered(FUNNEL, chosen="returns")
    with pytest.raises(ConfigError, match=r"no definition of funnel 'app'.*seen: 'app', 'check"):
        gathered(FUNNEL, other, chosen="app")
    with pytest.raises(ConfigError, match=r"no definition of a funnel .*seen: none"):
        gathered()


def test_closing_closes_every_exchange() -> None:
    """What was gathered can be given back."""
    got = gathered(FUNNEL, entered("a", "cart", 0))

    got.close()

    assert len(records(got.by_checkout)) == 1  # it never needed a file


def test_the_law_is_the_definition_in_microseconds() -> None:
    """Limits are the definition's or those asked for; optional steps are not required."""
    declaration = declared(("cart", Step("gift", optional=True), "payment"))

    law, own = law_of(declaration, None, None), law_of(declaration, timedelta(0, 1), None)

    assert law.steps == ("cart", "gift", "payment")
    assert law.required == (0, 2)
    assert law.positions == {"cart": 0, "gift": 1, "payment": 2}
    assert (law.abandon_after, law.recover_within) == (1_800_000_000, 604_800_000_000)
    assert (own.abandon_after, own.recover_within) == (1_000_000, 604_800_000_000)


def test_equal_limits_are_allowed() -> None:
    """A recovery may be possible for exactly as long as an attempt may idle."""
    hour = timedelta(hours=1)

    law = law_of(FUNNEL, hour, hour)

    assert law.abandon_after == law.recover_within


@pytest.mark.parametrize("limit", [timedelta(0), timedelta(-1), 30, "PT30M", 1.5, True])
@pytest.mark.parametrize("name", ["abandon_after", "recover_within"])
def test_a_limit_that_is_none_is_refused(name: str, limit: Any) -> None:
    """The message names the limit and shows it."""
    limits = {"abandon_after": None, "recover_within": None, name: limit}

    with pytest.raises(ConfigError, match=f"{name} is .*pass a timedelta above zero"):
        law_of(FUNNEL, **limits)


def test_a_recovery_shorter_than_an_abandonment_is_refused() -> None:
    """The message shows both in seconds."""
    with pytest.raises(ConfigError, match=r"recover_within \(60 s\) is below .* \(1800 s\)"):
        law_of(FUNNEL, None, timedelta(minutes=1))


def test_exclusions_have_one_order() -> None:
    """Names and values are sorted, values by their JSON, so that like settings are equal."""
    one = excluded_values({"b": {"x", None}, "a": [2, 1, True, "1"]})
    other = excluded_values({"a": ("1", True, 1, 2), "b": (None, "x")})

    assert one == other == (("a", ("1", 1, 2, True)), ("b", ("x", None)))
    assert excluded_values(EXCLUDE) == (("traffic", ("bot", "staff", "test")),)
    assert excluded_values({}) == ()


NO_EXCLUSIONS: list[Any] = [
    *(None, "traffic", ["traffic"], {"a": "b"}, {"a": 1}, {"a": None}, {"a": iter("b")}),
    *({1: ("b",)}, {None: ()}, {"a": ([],)}, {"a": (1.5,)}, {"a": (object(),)}),
]


@pytest.mark.parametrize("exclude", NO_EXCLUSIONS)
def test_an_exclusion_that_cannot_be_is_refused(exclude: Any) -> None:
    """Names are text, and values are those that attributes can have."""
    with pytest.raises(ConfigError, match="exclude"):
        excluded_values(exclude)


def test_an_instant_is_in_microseconds() -> None:
    """An aware time of any zone is an instant, and its text is too."""
    moment = datetime(2026, 10, 1, 12, 0, 0, 1, tzinfo=UTC)

    assert as_instant(None) is None
    assert as_instant(moment) == as_instant(moment.astimezone()) == micros(moment)


@pytest.mark.parametrize("moment", [datetime(2026, 10, 1), 0, "soon"])  # noqa: DTZ001 - the test
def test_an_instant_that_is_none_is_refused(moment: Any) -> None:
    """A naive time, a number and other text are no instants."""
    with pytest.raises(ConfigError, match=r"^as_of: "):
        as_instant(moment)
