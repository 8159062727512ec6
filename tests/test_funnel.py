"""A funnel records what a checkout tells it, and nothing that goes wrong reaches the checkout."""

import contextlib
import functools
import gc
import json
import os
import re
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick import Checkout, Funnel, Money, Step, errors
from lastclick._funnel import FunnelStats
from lastclick.errors import DeliveryError, EventError, LastclickError, raise_errors
from lastclick.events import (
    Event,
    EventsLost,
    FunnelDeclared,
    HoldoutAssigned,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    ReminderClicked,
    ReminderSent,
    ShopperEvent,
    StepEntered,
    StepFailed,
    SurveyAnswered,
    SurveyReason,
    parse_line,
)
from lastclick.sinks import MemorySink
from tests.event_strategies import attributes, ids, instants, moneys

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
STEPS = ("cart", "details", "payment")


@pytest.fixture(autouse=True)
def nothing_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """`log_errors` has a line to spare for every test."""
    monkeypatch.setattr(errors, "_logged", {})


def funnel_of(sink: Any = None, **settings: Any) -> Funnel[Any]:
    """A funnel of three steps at noon, whose errors fail the test."""
    given = {"steps": STEPS, "clock": lambda: NOON, "on_error": raise_errors, **settings}
    return Funnel("checkout", sink=MemorySink() if sink is None else sink, **given)


def types(sink: MemorySink) -> list[str]:
    """The types of all records, in the order of their arrival."""
    return [record.type for record in sink.records]


# What is recorded ---------------------------------------------------------------------------------

EUR = Money("59.90", "EUR")
VERBS: dict[str, tuple[Callable[..., object], type[Any], dict[str, Any]]] = {
    "enter": (
        lambda funnel, checkout, **more: checkout.enter("cart", value=EUR, **more),
        StepEntered,
        {"step": "cart", "value": EUR},
    ),
    "enter without a value": (
        lambda funnel, checkout, **more: checkout.enter("cart", **more),
        StepEntered,
        {"step": "cart", "value": None},
    ),
    "fail": (
        lambda funnel, checkout, **more: checkout.fail("payment", "declined", EUR, **more),
        StepFailed,
        {"step": "payment", "reason": "declined", "value": EUR},
    ),
    "complete": (
        lambda funnel, checkout, **more: checkout.complete("o-1", EUR, **more),
        OrderCompleted,
        {"order_id": "o-1", "total": EUR},
    ),
    "assign": (
        lambda funnel, checkout, **more: checkout.assign("holdout", "autumn", **more),
        HoldoutAssigned,
        {"arm": "holdout", "campaign": "autumn"},
    ),
    "remind": (
        lambda funnel, checkout, **more: checkout.remind("email", "autumn", **more),
        ReminderSent,
        {"channel": "email", "campaign": "autumn"},
    ),
    "click": (
        lambda funnel, checkout, **more: checkout.click("sms", **more),
        ReminderClicked,
        {"channel": "sms", "campaign": None},
    ),
    "refund": (
        lambda funnel, checkout, **more: funnel.refund("o-1", EUR, "r-1", **more),
        OrderRefunded,
        {"order_id": "o-1", "amount": EUR, "refund_id": "r-1"},
    ),
    "refund without an id": (
        lambda funnel, checkout, **more: funnel.refund("o-1", EUR, **more),
        OrderRefunded,
        {"order_id": "o-1", "amount": EUR, "refund_id": None},
    ),
    "cancel": (
        lambda funnel, checkout, **more: funnel.cancel("o-1", **more),
        OrderCancelled,
        {"order_id": "o-1"},
    ),
    "survey": (
        lambda funnel, checkout, **more: checkout.survey(
            score=4, reason=SurveyReason.TOO_LONG, text="Too long.", **more
        ),
        SurveyAnswered,
        {"score": 4, "reason": "too_long", "text": "Too long."},
    ),
    "survey of one part": (
        lambda funnel, checkout, **more: checkout.survey(text="Hm.", **more),
        SurveyAnswered,
        {"score": None, "reason": None, "text": "Hm."},
    ),
}
every_verb = pytest.mark.parametrize(("call", "kind", "own"), VERBS.values(), ids=VERBS)


@every_verb
def test_a_verb_records_its_fact(
    call: Callable[..., object], kind: type[Any], own: dict[str, Any]
) -> None:
    """Each verb makes one event of its class, with what it was told and who it is about."""
    sink = MemorySink()
    funnel = funnel_of(sink)
    checkout = funnel.checkout("c-1", customer_id="u-7", attributes={"device": "mobile"})

    call(funnel, checkout, attributes={"more": 1})

    [event] = sink.events
    about = (
        {"checkout_id": None, "customer_id": None, "attributes": {"more": 1}}
        if kind in (OrderRefunded, OrderCancelled)
        else {
            "checkout_id": "c-1",
            "customer_id": "u-7",
            "attributes": {"device": "mobile", "more": 1},
        }
    )
    assert event == kind(
        event_id=event.event_id, funnel="checkout", occurred_at=NOON, **about, **own
    )
    assert UUID(event.event_id).version == 7
    assert parse_line(event.line) == event


@every_verb
def test_every_verb_takes_a_time_and_an_id(
    call: Callable[..., object], kind: type[Any], own: dict[str, Any]
) -> None:
    """A webhook says when it happened, and has a natural key that makes redelivery harmless."""
    sink = MemorySink()
    funnel = funnel_of(sink)

    call(funnel, funnel.checkout("c-1"), at="2026-01-01T01:00:00+01:00", event_id="stripe:evt_1")

    [event] = sink.events
    assert event.event_id == "stripe:evt_1"
    assert event.occurred_at == datetime(2026, 1, 1, tzinfo=UTC)


@given(st.data())
def test_what_a_funnel_writes_is_what_its_events_write(data: st.DataObject) -> None:
    """The line made at the call is the line of the same event made field by field."""
    sink = MemorySink()
    given = st.none() | moneys | moneys.map(lambda money: (money.amount, money.currency.lower()))
    funnel = Funnel(
        data.draw(ids),
        steps=STEPS,
        sink=sink,
        clock=lambda: datetime.max.replace(tzinfo=UTC) - timedelta(1),
    )
    checkout = funnel.checkout(
        data.draw(ids), data.draw(st.none() | ids), data.draw(st.none() | attributes)
    )
    more = {
        "at": data.draw(st.none() | instants),
        "event_id": data.draw(st.none() | ids),
        "attributes": data.draw(st.none() | attributes),
    }

    checkout.enter(data.draw(ids), data.draw(given), **more)
    checkout.fail(data.draw(ids), data.draw(ids), data.draw(given), **more)
    checkout.complete(data.draw(ids), data.draw(given), **more)
    checkout.assign(data.draw(st.sampled_from(("treated", "holdout"))), data.draw(st.none() | ids))
    checkout.remind(data.draw(ids), data.draw(st.none() | ids), **more)
    checkout.click(data.draw(ids), data.draw(st.none() | ids), **more)
    funnel.refund(data.draw(ids), data.draw(given), data.draw(st.none() | ids), **more)

    assert len(sink.events) == 7
    for event in sink.events:
        fields = {name: getattr(event, name) for name in type(event).model_fields}
        assert type(event)(**fields).line == event.line
        assert repr(parse_line(event.line)) == repr(event)


@given(st.data())
def test_the_short_way_writes_what_the_long_way_writes(data: st.DataObject) -> None:
    """A step entered now, the commonest call, is the same event as if it went the long way."""
    sink = MemorySink()
    step = data.draw(ids.filter(lambda name: name != "order"))
    funnel = Funnel(data.draw(ids), steps=(step,), sink=sink, on_error=raise_errors)
    checkout = funnel.checkout(
        data.draw(ids), data.draw(st.none() | ids), data.draw(st.none() | attributes)
    )
    value = data.draw(st.none() | moneys)

    checkout.enter(step, value)
    checkout.enter(step, value, attributes={})

    short, long = sink.events
    same = {"event_id": short.event_id, "occurred_at": short.occurred_at}
    assert long.model_copy(update=same).line == short.line
    assert repr(long.model_copy(update=same)) == repr(short)
    assert repr(parse_line(short.line)) == repr(short)
    assert hash(parse_line(short.line)) == hash(short)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (1042, "1042"),
        (0, "0"),
        (-5, "-5"),
        (10**255, str(10**255)),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ("x" * 256, "x" * 256),
        (" c-1 ", " c-1 "),
        ("\U0001f6d2", "\U0001f6d2"),
        ("a\nb", "a\nb"),
    ],
)
def test_ids_are_kept_as_text(given: Any, kept: str) -> None:
    """A str, an int and a UUID are ids everywhere, and none is changed."""
    sink = MemorySink()
    funnel = funnel_of(sink)

    funnel.checkout(given, customer_id=given).complete(given, EUR, event_id=given)
    funnel.refund(given, EUR, given)

    order, refund = sink.events
    assert isinstance(order, OrderCompleted)
    assert isinstance(refund, OrderRefunded)
    assert {order.checkout_id, order.customer_id, order.order_id, order.event_id} == {kept}
    assert {refund.order_id, refund.refund_id} == {kept}


class Text(str):
    """Text of some framework, which says something else when it is printed."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"

    def __repr__(self) -> str:
        return "Text()"


class Choice(str, Enum):  # noqa: UP042 - its str() is not its value, as with Django's older enums
    C = "c-1"
    HOLDOUT = "holdout"


def test_text_of_a_subclass_is_kept_as_its_characters() -> None:
    """What a subclass of str or an Enum prints is not what it is."""
    sink = MemorySink()
    funnel = funnel_of(sink)

    funnel.checkout(Text("c-1"), Choice.C, {Text("name"): Text("value")}).assign(
        Choice.HOLDOUT, Choice.C
    )

    [event] = sink.events
    assert isinstance(event, HoldoutAssigned)
    assert (event.checkout_id, event.customer_id) == ("c-1", "c-1")
    assert (event.arm, event.campaign) == ("holdout", "c-1")
    assert event.attributes == {"name": "value"}
    assert parse_line(event.line) == event


@pytest.mark.parametrize(
    "money", [EUR, ("59.90", "EUR"), (Decimal("59.90"), "eur"), ["59.90", "EUR"]]
)
def test_money_may_be_a_pair(money: Any) -> None:
    """A pair is checked inside, where nothing raises, and is then the same money."""
    sink = MemorySink()

    funnel_of(sink).checkout("c-1").complete("o-1", money)

    [event] = sink.events
    assert isinstance(event, OrderCompleted)
    assert repr(event.total) == "Money('59.90', 'EUR')"


def test_no_money_is_money() -> None:
    """An empty cart and a free order are worth 0, which is not nothing."""
    sink = MemorySink()

    funnel_of(sink).checkout("c-1").complete("o-1", (0, "EUR"))

    assert b'"total":{"amount":"0","currency":"EUR"}' in sink.events[0].line


# Handles ------------------------------------------------------------------------------------------


def test_a_handle_is_frozen() -> None:
    """A handle is about one attempt for as long as it lives."""
    checkout = funnel_of().checkout("c-1")

    for name in ("_checkout_id", "_who", "_funnel", "customer_id"):
        with pytest.raises(AttributeError, match=f"frozen; make another .* to set {name}"):
            setattr(checkout, name, "c-2")
    assert repr(checkout) == "Checkout('c-1', funnel='checkout')"


def test_the_attributes_of_a_call_join_those_of_the_handle() -> None:
    """A call's own attribute wins over the handle's, for that event alone."""
    sink = MemorySink()
    checkout = funnel_of(sink).checkout("c-1", attributes={"device": "mobile", "plan": None})

    checkout.enter("cart", attributes={"device": "tv", "items": 3})
    checkout.enter("cart", attributes={})
    checkout.enter("cart")

    assert [event.attributes for event in sink.events] == [
        {"device": "tv", "plan": None, "items": 3},
        {"device": "mobile", "plan": None},
        {"device": "mobile", "plan": None},
    ]


def test_a_handle_keeps_attributes_as_they_were() -> None:
    """A dict that the shop goes on using changes no event."""
    sink = MemorySink()
    mine: dict[str, object] = {"device": "mobile"}
    checkout = funnel_of(sink).checkout("c-1", attributes=mine)

    mine["device"] = object()
    checkout.enter("cart")

    assert sink.events[0].attributes == {"device": "mobile"}


def test_handles_share_nothing() -> None:
    """Two handles of one attempt, and of two, do not mix."""
    sink = MemorySink()
    funnel = funnel_of(sink)
    one, other = funnel.checkout("c-1", "u-1", {"a": 1}), funnel.checkout("c-2")

    other.enter("cart")
    one.enter("cart")

    assert [(event.checkout_id, event.customer_id, event.attributes) for event in sink.events] == [
        ("c-2", None, {}),
        ("c-1", "u-1", {"a": 1}),
    ]


# Steps --------------------------------------------------------------------------------------------


class Plain(Enum):
    CART = "cart"
    PAYMENT = "payment"
    PAY = "payment"  # noqa: PIE796 - an alias, which is the same step


class Texts(StrEnum):
    CART = "cart"
    PAYMENT = "payment"


class Other(Enum):
    CART = "cart"


@pytest.mark.parametrize(
    "steps",
    [
        ("cart", "payment"),
        ["cart", "payment"],
        (Step("cart"), Step("payment")),
        [Step("cart"), "payment"],
        Plain,
        Texts,
        (Plain.CART, Plain.PAYMENT),
        (Step(Plain.CART), Step(Plain.PAYMENT, owner="payments")),
        [Step(Plain.CART), Plain.PAYMENT],
        (Plain.CART, "payment"),
        (Texts.CART, Step(Texts.PAYMENT)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("given", [str, Plain, Texts], ids=["text", "Enum", "StrEnum"])
def test_steps_come_from_names_steps_and_enums(steps: Any, given: type[Any]) -> None:
    """However a funnel's steps were told, a step is known by its name and by its member."""
    sink = MemorySink()
    checkout = funnel_of(sink, steps=steps).checkout("c-1")

    checkout.enter(given("cart"))
    checkout.fail(given("payment"), "card_declined")

    assert [json.loads(event.line)["step"] for event in sink.events] == ["cart", "payment"]
    assert all(type(event.step) is str for event in sink.events if isinstance(event, StepEntered))


def test_an_alias_of_a_member_is_the_same_step() -> None:
    """An Enum with two names for one value has one step for both."""
    sink = MemorySink()
    funnel = funnel_of(sink, steps=Plain)

    funnel.checkout("c-1").enter(Plain.PAY)

    assert [step.name for step in funnel.declaration.steps] == ["cart", "payment"]
    assert [event.type for event in sink.events] == ["step_entered"]


def test_a_member_of_another_enum_is_known_by_its_value() -> None:
    """What counts is the name of a step; the type checker tells the classes apart."""
    sink = MemorySink()

    funnel_of(sink, steps=Plain).checkout("c-1").enter(Other.CART)

    assert len(sink.events) == 1


# The declaration ----------------------------------------------------------------------------------


def test_a_funnel_declares_itself_before_its_first_event() -> None:
    """The log says once what the funnel is, before anything else."""
    sink = MemorySink()
    funnel = funnel_of(
        sink,
        steps=(Step("cart"), Step("payment", optional=True, owner="payments")),
        abandon_after=timedelta(minutes=45),
    )
    assert sink.records == []

    funnel.checkout("c-1").enter("cart")
    funnel.checkout("c-1").enter("payment")

    assert types(sink) == ["funnel_declared", "step_entered", "step_entered"]
    declared = sink.records[0]
    assert declared is funnel.declaration
    assert declared == FunnelDeclared(
        event_id=declared.event_id,
        funnel="checkout",
        occurred_at=NOON,
        steps=(Step("cart"), Step("payment", optional=True, owner="payments")),
        abandon_after=timedelta(minutes=45),
        recover_within=timedelta(days=7),
    )
    assert UUID(declared.event_id).version == 7


def test_a_loss_is_declared_too() -> None:
    """The declaration comes first even where the first thing to write is a rejection."""
    sink = MemorySink()

    funnel_of(sink, on_error=lambda error: None).checkout(None).enter("cart")

    assert types(sink) == ["funnel_declared", "events_lost"]


def test_a_declaration_has_the_time_of_construction() -> None:
    """Of two definitions the later construction wins, whenever their events came."""
    now = [NOON]
    sink = MemorySink()
    funnel = funnel_of(sink, clock=lambda: now[0])

    now[0] = NOON + timedelta(hours=1)
    funnel.checkout("c-1").enter("cart")

    assert [record.occurred_at for record in sink.records] == [NOON, NOON + timedelta(hours=1)]


class Slow(MemorySink):
    """A sink whose first emit waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.go = threading.Event()

    def emit(self, event: Event, /) -> None:
        if not self.begun.is_set():
            self.begun.set()
            assert self.go.wait(10)
        super().emit(event)


def test_no_thread_overtakes_the_declaration() -> None:
    """An event of another thread waits until the declaration is written."""
    sink = Slow()
    funnel = funnel_of(sink)
    threads = [
        threading.Thread(target=lambda: funnel.checkout("c-1").enter("cart")) for _ in range(4)
    ]
    threads[0].start()
    assert sink.begun.wait(10)

    for thread in threads[1:]:
        thread.start()
    for thread in threads[1:]:
        thread.join(0.05)
    sink.go.set()
    for thread in threads:
        thread.join(10)

    assert types(sink) == ["funnel_declared", *["step_entered"] * 4]


def test_a_sink_that_records_while_it_is_declared_to() -> None:
    """A sink may use the funnel from within; nothing waits for itself."""

    class Echo(MemorySink):
        def emit(self, event: Event, /) -> None:
            super().emit(event)
            if len(self.records) < 3:
                funnel.checkout("echo").enter("cart")

    sink = Echo()
    funnel = funnel_of(sink)

    funnel.checkout("c-1").enter("cart")

    assert sorted(types(sink)) == ["funnel_declared", *["step_entered"] * 3]
    assert funnel.stats.accepted == 3


# Processes and threads ----------------------------------------------------------------------------


def in_child(work: Callable[[], Any]) -> Any:
    """What the work gives in a forked child, which leaves without its exit handlers."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.write(writing, json.dumps(work()).encode())
            code = 0
        except BaseException:  # noqa: BLE001 - the child must not go on with its parent's tests
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return json.loads(answer)


def test_a_forked_child_declares_and_counts_for_itself() -> None:
    """After a fork both have the declaration in their log once, and counts of their own."""
    sink = MemorySink()
    funnel = funnel_of(sink, on_error=lambda error: None)
    checkout = funnel.checkout("c-1")
    checkout.enter("cart")
    funnel.checkout(None).enter("cart")
    before = len(sink.records)

    def work() -> Any:
        inherited = funnel.stats
        checkout.enter("payment")
        checkout.enter("typo")
        return {
            "types": types(sink)[before:],
            "declaration": sink.records[before].event_id,
            "inherited": [inherited.accepted, inherited.rejected],
            "stats": [funnel.stats.accepted, funnel.stats.rejected, funnel.stats.flawed],
        }

    child = in_child(work)
    checkout.enter("payment")

    assert child == {
        "types": ["funnel_declared", "step_entered", "step_entered"],
        "declaration": funnel.declaration.event_id,
        "inherited": [0, {}],
        "stats": [2, {}, {"unknown_step": 1}],
    }
    assert types(sink)[before:] == ["step_entered"]
    assert funnel.stats == FunnelStats(2, {"no_checkout_id": 1}, {}, {}, {})


def test_a_fork_before_the_first_event() -> None:
    """A funnel made at module level, before the workers are forked, works in each of them."""
    sink = MemorySink()
    funnel = funnel_of(sink)

    def work() -> Any:
        funnel.checkout("c-1").enter("cart")
        return types(sink)

    children = [in_child(work) for _ in range(2)]
    assert types(sink) == []
    funnel.checkout("c-1").enter("cart")

    assert [*children, types(sink)] == [["funnel_declared", "step_entered"]] * 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_another_thread_holds_the_locks() -> None:
    """A child inherits no lock that nobody will release."""
    sink = MemorySink()
    funnel = funnel_of(sink, on_error=lambda error: None)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with funnel._lock, funnel._declaring:
            held.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)

    def work() -> Any:
        funnel.checkout("c-1").enter("typo")
        return funnel.stats.flawed

    try:
        assert in_child(work) == {"unknown_step": 1}
    finally:
        release.set()
        thread.join()


def test_ids_differ_across_threads_and_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No id comes twice in a millisecond: not in eight threads, and not in three processes."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_790_000_000_000_000_000)
    sink = MemorySink()
    funnel = funnel_of(sink)
    checkout = funnel.checkout("c-1")
    checkout.enter("cart")

    def work() -> list[str]:
        before = len(sink.events)
        run_threads(8, lambda _: [checkout.enter("cart") for _ in range(100)])
        return [event.event_id for event in sink.events[before:]]

    made = [*in_child(work), *in_child(work), *work()]

    assert len(made) == 2400
    assert len(set(made)) == 2400


def run_threads(count: int, work: Callable[[int], object]) -> None:
    """Do the work in that many threads at once."""
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.untraced
def test_counts_of_eight_threads_are_exact() -> None:
    """16,000 calls from 8 threads, a quarter of each kind, are all counted under their kind."""
    sink = MemorySink()

    def drop(event: ShopperEvent) -> ShopperEvent | None:
        return None if event.checkout_id == "drop" else event

    funnel = funnel_of(sink, on_error=lambda error: None, before_emit=(drop,))
    good, none, dropped = funnel.checkout("c-1"), funnel.checkout(None), funnel.checkout("drop")

    def work(_: int) -> None:
        for _ in range(500):
            good.enter("cart")
            good.enter("cart", value=59.9)  # type: ignore[arg-type]
            none.enter("cart")
            dropped.enter("cart")

    run_threads(8, work)

    assert funnel.stats == FunnelStats(
        accepted=8000,
        rejected={"no_checkout_id": 4000},
        dropped={"dropped_by_hook": 4000},
        flawed={"float_amount": 4000},
        undelivered={},
    )
    assert len(sink.events) == sink.stats.written == 8000
    lost = [record for record in sink.records if isinstance(record, EventsLost)]
    assert sum(record.count for record in lost) == 12_000
    assert len({record.event_id for record in lost}) == 12_000
    assert types(sink).count("funnel_declared") == 1


def test_counting_may_be_interrupted_by_recording() -> None:
    """A finalizer or a signal handler that records while this thread counts does not hang it."""

    class Reason(str):
        """A reason whose hash records, as a finalizer might at that moment."""

        __slots__ = ()

        def __hash__(self) -> int:
            if len(sink.events) < 5:
                funnel.checkout("c-1").enter("typo")
            return super().__hash__()

    class Full:
        """A sink that refuses events."""

        def emit(self, event: Event, /) -> None:
            raise DeliveryError("the disk is full", Reason("disk_full"))

        def flush(self, timeout: float) -> bool:
            return True

        close = flush

    sink = MemorySink()
    funnel = funnel_of((sink, Full()), on_error=lambda error: None)
    thread = threading.Thread(target=funnel.checkout("c-1").enter, args=("cart",), daemon=True)

    thread.start()
    thread.join(10)

    assert not thread.is_alive()
    assert funnel.stats.flawed["unknown_step"] >= 4


def test_a_funnel_starts_nothing() -> None:
    """Making a funnel opens no file and starts no thread, so that it may be made before a fork."""
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    funnel = funnel_of()

    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == files  # noqa: PTH208
    assert repr(funnel) == "Funnel('checkout', steps=(cart, details, payment))"
    assert funnel.name == "checkout"


def test_a_funnel_can_be_forgotten() -> None:
    """What a funnel needs after forks does not keep it alive."""
    funnel = funnel_of()
    gone = weakref.ref(funnel)

    del funnel
    gc.collect()

    assert gone() is None


def test_two_shops_in_one_process() -> None:
    """Two funnels share nothing: no counts, no sink, no declaration."""
    one, other = MemorySink(), MemorySink()
    first = Funnel("shop", steps=("cart",), sink=one)
    second = Funnel("till", steps=("scan",), sink=other)

    first.checkout("c-1").enter("cart")
    second.checkout("c-1").enter("scan")
    first.close()
    second.checkout("c-1").enter("scan")

    assert (first.stats.accepted, second.stats.accepted) == (1, 2)
    assert {record.funnel for record in one.records} == {"shop"}
    assert {record.funnel for record in other.records} == {"till"}


# Times --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 3, 1, 13, 30, tzinfo=ZoneInfo("Europe/Paris")),
        datetime(2026, 3, 1, 18, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(2026, 3, 1, 2, 30, tzinfo=timezone(timedelta(hours=-10))),
        datetime(2026, 3, 1, 12, 30, tzinfo=ZoneInfo("Etc/UTC")),
        datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        "2026-03-01T12:30:00Z",
        "2026-03-01T07:30:00-05:00",
    ],
)
def test_a_backfill_may_come_from_any_zone(at: Any) -> None:
    """`at=` is an instant, written in UTC; how long ago does not matter."""
    sink = MemorySink()

    funnel_of(sink).checkout("c-1").enter("cart", at=at)

    [event] = sink.events
    assert event.occurred_at == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert event.occurred_at.tzinfo is UTC
    assert b'"occurred_at":"2026-03-01T12:30:00.000000Z"' in event.line


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("UTC"), ZoneInfo("Asia/Kolkata")])
def test_the_clock_may_be_of_any_zone(zone: tzinfo) -> None:
    """`clock=` gives the present of events and declarations, in whatever zone it tells it."""
    sink = MemorySink()
    funnel = funnel_of(sink, clock=lambda: NOON.astimezone(zone))

    funnel.checkout("c-1").enter("cart")

    assert [record.occurred_at for record in sink.records] == [NOON, NOON]
    assert all(record.occurred_at.tzinfo is UTC for record in sink.records)


def test_losses_have_the_time_of_the_clock() -> None:
    """A log made with `clock=` holds no other time: its losses are of that time too."""
    sink = MemorySink()
    funnel = funnel_of(sink, on_error=lambda error: None)

    funnel.checkout(None).enter("cart")

    [loss] = [record for record in sink.records if isinstance(record, EventsLost)]
    assert loss.occurred_at == loss.since == loss.until == NOON


def test_the_present_is_now() -> None:
    """Without a clock an event has the time of its call, in UTC, to the microsecond."""
    sink = MemorySink()
    funnel = Funnel("checkout", steps=STEPS, sink=sink)

    before = datetime.now(UTC)
    funnel.checkout("c-1").enter("cart")
    after = datetime.now(UTC)

    assert before <= sink.events[0].occurred_at <= after


def test_a_frozen_time_of_a_test_is_a_plain_time_in_the_log() -> None:
    """A clock of a testing library, which has a datetime class of its own, changes no line."""

    class Frozen(datetime):
        def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
            return "frozen"

    sink = MemorySink()
    clock = lambda: Frozen(2026, 10, 1, 12, tzinfo=UTC)  # noqa: E731

    funnel_of(sink, clock=clock).checkout("c-1").enter("cart")

    assert b'"occurred_at":"2026-10-01T12:00:00.000000Z"' in sink.events[0].line
    assert type(sink.events[0].occurred_at) is datetime


# Hooks --------------------------------------------------------------------------------------------


def test_hooks_run_in_order_each_on_what_the_one_before_gave() -> None:
    """A chain of hooks is a chain: the last one's event is written, checked, as one line."""
    sink = MemorySink()

    def tag(text: str) -> Callable[[ShopperEvent], ShopperEvent]:
        def add(event: ShopperEvent) -> ShopperEvent:
            seen = event.attributes.get("seen", "")
            return event.model_copy(
                update={"attributes": {**event.attributes, "seen": f"{seen}{text}"}}
            )

        return add

    funnel = funnel_of(sink, before_emit=(tag("a"), lambda event: event, tag("b"), tag("c")))
    funnel.checkout("c-1", attributes={"device": "tv"}).enter("cart", value=EUR)

    [event] = sink.events
    assert event.attributes == {"device": "tv", "seen": "abc"}
    assert parse_line(event.line) == event
    assert json.loads(event.line)["attributes"] == {"device": "tv", "seen": "abc"}


def test_hooks_after_one_that_drops_are_not_asked() -> None:
    """What was dropped is not shown to the hooks behind."""
    asked: list[str] = []

    def one(event: ShopperEvent) -> ShopperEvent | None:
        asked.append("one")
        return None

    def two(event: ShopperEvent) -> ShopperEvent | None:
        asked.append("two")
        return event

    funnel = funnel_of(before_emit=[one, two])
    funnel.checkout("c-1").enter("cart")

    assert asked == ["one"]
    assert funnel.stats == FunnelStats(0, {}, {"dropped_by_hook": 1}, {}, {})


def test_hooks_see_what_the_shop_records_and_nothing_else() -> None:
    """Declarations and losses are the library's own; no hook can drop or change them."""
    seen: list[str] = []
    sink = MemorySink()

    def look(event: ShopperEvent) -> ShopperEvent:
        seen.append(event.type)
        return event

    funnel = funnel_of(sink, before_emit=(look,), on_error=lambda error: None)
    funnel.checkout("c-1").enter("cart", value=59.9)  # type: ignore[arg-type]
    funnel.checkout(None).enter("cart")
    funnel.refund("o-1", EUR)

    assert seen == ["step_entered", "order_refunded"]
    assert types(sink).count("events_lost") == 2


def test_a_hook_may_return_another_event() -> None:
    """A hook may even make one fact of another; it is checked and written as what it is."""
    sink = MemorySink()

    def reduce(event: ShopperEvent) -> ShopperEvent:
        return ReminderSent(
            event_id=event.event_id,
            funnel=event.funnel,
            occurred_at=event.occurred_at,
            checkout_id="c-9",
            channel="email",
        )

    funnel_of(sink, before_emit=(reduce,)).checkout("c-1").enter("cart")

    assert types(sink) == ["funnel_declared", "reminder_sent"]


def test_a_dropped_events_flaws_are_not_told() -> None:
    """An event that is not written lacks nothing."""
    sink = MemorySink()
    funnel = funnel_of(sink, before_emit=(lambda event: None,))

    funnel.checkout("c-1").enter("typo")

    assert funnel.stats == FunnelStats(0, {}, {"dropped_by_hook": 1}, {}, {})


# Errors -------------------------------------------------------------------------------------------


class ShopError(Exception):
    """What an `on_error` of a shop raises."""


def test_what_on_error_raises_the_call_raises() -> None:
    """The shop's own policy decides what becomes of an error."""

    def refuse(error: LastclickError) -> None:
        raise ShopError from error

    funnel = funnel_of(on_error=refuse)

    with pytest.raises(ShopError):
        funnel.checkout("c-1").enter("typo")
    with pytest.raises(ShopError):
        funnel.checkout(None).enter("cart")
    assert funnel.stats == FunnelStats(1, {"no_checkout_id": 1}, {}, {"unknown_step": 1}, {})


def test_on_error_is_called_after_everything_is_written() -> None:
    """When the policy is asked, the event, the counts and the log are as they will be."""
    sink = MemorySink()
    seen: list[tuple[str, int, list[str]]] = []
    funnel = funnel_of(
        sink,
        on_error=lambda error: seen.append(
            (error.reason, sum(funnel.stats.flawed.values()), types(sink)[1:])
        ),
    )

    funnel.checkout("c-1").enter("cart", value=5.0, event_id="")  # type: ignore[arg-type]

    written = ["step_entered", "events_lost", "events_lost"]
    assert seen == [("float_amount", 2, written), ("no_event_id", 2, written)]


class Evil:
    """An object every use of which fails."""

    def fail(self, *_: object, **__: object) -> Any:
        raise RuntimeError("evil")

    __str__ = __repr__ = __eq__ = __hash__ = __bool__ = __len__ = __iter__ = fail  # type: ignore[assignment]
    __getitem__ = __format__ = __int__ = __index__ = __lt__ = __call__ = keys = items = fail


class EvilClass:
    """An object that cannot even be asked what it is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("evil")


class EvilText(str):
    """Text whose every method fails."""

    __slots__ = ()
    strip = upper = encode = __str__ = __repr__ = __len__ = __eq__ = __hash__ = Evil.fail  # type: ignore[assignment]


class EvilMapping(Mapping[str, object]):
    """A mapping that fails in the middle of being read."""

    def __getitem__(self, key: str) -> object:
        raise RuntimeError("evil")

    def __iter__(self) -> Iterator[str]:
        yield "first"
        raise RuntimeError("evil")

    def __len__(self) -> int:
        return 2


class EvilItems(EvilMapping):
    """A mapping whose items are no pairs."""

    def items(self) -> Any:
        return [("kept", 1), 2, 3]


class EvilDate(datetime):
    """A time that cannot be placed."""

    def utcoffset(self) -> timedelta | None:
        raise RuntimeError("evil")


class EvilZone(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        raise RuntimeError("evil")


class EvilRaise:
    """An object that, shown, fails with an error that fails when it is shown."""

    def __repr__(self) -> str:
        raise EvilError


class EvilError(Exception):
    """An error that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("evil")

    __str__ = __repr__


EVIL: dict[str, Callable[[], Any]] = {
    "object": Evil,
    "class": EvilClass,
    "text": lambda: EvilText("evil"),
    "mapping": EvilMapping,
    "items": EvilItems,
    "shown": EvilRaise,
    "date": lambda: EvilDate(2026, 10, 1, tzinfo=UTC),
    "zone": lambda: datetime(2026, 10, 1, tzinfo=EvilZone()),
    "digits": lambda: 10**5000,
    "infinity": lambda: float("inf"),
    "type": lambda: Evil,
    "deep": lambda: functools.reduce(lambda inner, _: [inner], range(100_000), []),
    "pair": lambda: (Evil(), Evil()),
    "dict": lambda: {"evil": Evil()},
    "step": lambda: Step.model_construct(name=Evil()),
    "money": lambda: Money.model_construct(amount=Evil(), currency=Evil()),
    "money of floats": lambda: Money.model_construct(amount=5.5, currency="EUR"),
    "money of letters": lambda: Money.model_construct(amount=Decimal(1), currency='E"R'),
    "money of powers": lambda: Money.model_construct(amount=Decimal("1E-9"), currency="EUR"),
}


ARGUMENTS: dict[str, Callable[[Funnel[Any], Any], object]] = {
    "checkout_id": lambda funnel, evil: funnel.checkout(evil).enter("cart"),
    "customer_id": lambda funnel, evil: funnel.checkout("c-1", evil).enter("cart"),
    "handle attributes": lambda funnel, evil: funnel.checkout("c-1", None, evil).enter("cart"),
    "handle attribute": lambda funnel, evil: funnel.checkout("c-1", None, {"a": evil}).enter(
        "cart"
    ),
    "enter step": lambda funnel, evil: funnel.checkout("c-1").enter(evil),
    "enter value": lambda funnel, evil: funnel.checkout("c-1").enter("cart", evil),
    "enter amount": lambda funnel, evil: funnel.checkout("c-1").enter("cart", (evil, "EUR")),
    "enter currency": lambda funnel, evil: funnel.checkout("c-1").enter("cart", (1, evil)),
    "enter at": lambda funnel, evil: funnel.checkout("c-1").enter("cart", at=evil),
    "enter event_id": lambda funnel, evil: funnel.checkout("c-1").enter("cart", event_id=evil),
    "attributes": lambda funnel, evil: funnel.checkout("c-1").enter("cart", attributes=evil),
    "attribute": lambda funnel, evil: funnel.checkout("c-1").enter("cart", attributes={"a": evil}),
    "fail step": lambda funnel, evil: funnel.checkout("c-1").fail(evil, "reason"),
    "fail reason": lambda funnel, evil: funnel.checkout("c-1").fail("cart", evil),
    "fail value": lambda funnel, evil: funnel.checkout("c-1").fail("cart", "x", evil),
    "order_id": lambda funnel, evil: funnel.checkout("c-1").complete(evil, EUR),
    "total": lambda funnel, evil: funnel.checkout("c-1").complete("o-1", evil),
    "arm": lambda funnel, evil: funnel.checkout("c-1").assign(evil),
    "arm campaign": lambda funnel, evil: funnel.checkout("c-1").assign("holdout", evil),
    "remind channel": lambda funnel, evil: funnel.checkout("c-1").remind(evil),
    "remind campaign": lambda funnel, evil: funnel.checkout("c-1").remind("email", evil),
    "click channel": lambda funnel, evil: funnel.checkout("c-1").click(evil),
    "click campaign": lambda funnel, evil: funnel.checkout("c-1").click("email", evil),
    "refund order_id": lambda funnel, evil: funnel.refund(evil, EUR),
    "refund amount": lambda funnel, evil: funnel.refund("o-1", evil),
    "refund_id": lambda funnel, evil: funnel.refund("o-1", EUR, evil),
    "cancel order_id": lambda funnel, evil: funnel.cancel(evil),
    "survey score": lambda funnel, evil: funnel.checkout("c-1").survey(score=evil, text="x"),
    "survey reason": lambda funnel, evil: funnel.checkout("c-1").survey(score=3, reason=evil),
    "survey text": lambda funnel, evil: funnel.checkout("c-1").survey(score=3, text=evil),
    "refund attributes": lambda funnel, evil: funnel.refund("o-1", EUR, attributes=evil),
}
#: Without these there is no event; everything else can be left out.
ESSENTIAL = {
    *("checkout_id", "enter step", "enter at", "fail step", "order_id", "arm", "refund order_id"),
    "cancel order_id",
}


@pytest.mark.untraced
@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("clock", [None, lambda: NOON], ids=["now", "at noon"])
def test_nothing_that_is_passed_raises(
    argument: str, evil: Callable[[], Any], clock: Callable[[], datetime] | None
) -> None:
    """Whatever object is passed wherever, the call returns, the event is kept or counted."""
    sink = MemorySink()
    told: list[LastclickError] = []
    funnel = funnel_of(sink, on_error=told.append, clock=clock)

    ARGUMENTS[argument](funnel, evil())

    stats = funnel.stats
    assert stats.accepted == len(sink.events)
    assert stats.accepted + sum(stats.rejected.values()) == 1
    assert sum(stats.flawed.values()) + sum(stats.rejected.values()) == len(told)
    assert argument in ESSENTIAL or stats.accepted == 1
    for event in sink.records:
        assert parse_line(event.line) == event
    for error in told:
        assert 0 < len(str(error)) < 500


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_no_hook_raises(evil: Callable[[], Any]) -> None:
    """Whatever a hook returns, the call returns, and the event is dropped and counted."""
    sink = MemorySink()
    told: list[LastclickError] = []
    funnel = funnel_of(sink, on_error=told.append, before_emit=(lambda event: evil(),))

    funnel.checkout("c-1").enter("cart")

    assert sink.events == []
    assert funnel.stats == FunnelStats(0, {}, {"hook_nonsense": 1}, {}, {})
    assert [error.reason for error in told] == ["hook_nonsense"]


@pytest.mark.parametrize("error", [RuntimeError("stopped"), EvilError(), EventError("odd", "odd")])
def test_a_clock_that_raises(error: Exception) -> None:
    """Without a time there is no event; that is told, and the loss has the machine's time."""
    failing = [False]

    def clock() -> datetime:
        if failing[0]:
            raise error
        return NOON

    sink = MemorySink()
    told: list[LastclickError] = []
    funnel = funnel_of(sink, on_error=told.append, clock=clock)
    failing[0] = True
    before = datetime.now(UTC)

    funnel.checkout("c-1").enter("cart")

    [loss] = [record for record in sink.records if isinstance(record, EventsLost)]
    assert loss.occurred_at >= before
    assert len(told) == 1
    assert sum(funnel.stats.rejected.values()) == 1
    failing[0] = False
    funnel.checkout("c-1").enter("cart")
    assert funnel.stats.accepted == 1


@pytest.mark.parametrize(
    "now", [None, 1.5, "12:00", NOON.replace(tzinfo=None), EvilDate(2026, 10, 1, tzinfo=UTC)]
)
def test_a_clock_that_gives_nonsense(now: Any) -> None:
    """What is no aware datetime is no time, whoever gives it."""
    clock = [NOON]
    sink = MemorySink()
    told: list[LastclickError] = []
    funnel = funnel_of(sink, on_error=told.append, clock=lambda: clock[0])
    clock[0] = now

    funnel.checkout("c-1").enter("cart")

    assert sink.events == []
    assert sum(funnel.stats.rejected.values()) == len(told) == 1


# Sinks --------------------------------------------------------------------------------------------


class Failing:
    """A sink that fails with this error while it is told to."""

    def __init__(self, error: BaseException) -> None:
        self.error: BaseException | None = error
        self.kept: list[Event] = []
        self.calls: list[tuple[str, float]] = []

    def emit(self, event: Event, /) -> None:
        if self.error is not None:
            raise self.error
        self.kept.append(event)

    def flush(self, timeout: float) -> bool:
        self.calls.append(("flush", timeout))
        if self.error is not None:
            raise self.error
        return True

    def close(self, timeout: float) -> bool:
        self.calls.append(("close", timeout))
        if self.error is not None:
            raise self.error
        return True


class Unspeakable(Failing):
    """A failing sink that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr today")


FAILURES = {
    "delivery": (DeliveryError("the disk is full", "disk_full"), "disk_full", "the disk is full"),
    "os": (OSError(28, "No space left"), "sink_failed", "No space left"),
    "type": (TypeError("bug"), "sink_failed", "TypeError('bug')"),
    "event": (EventError("odd", "odd"), "sink_failed", "EventError('odd')"),
    "evil": (EvilError(), "sink_failed", "<EvilError whose repr fails>"),
    "assertion": (AssertionError(), "sink_failed", "AssertionError()"),
}


@pytest.mark.parametrize(("error", "reason", "said"), FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("kind", [Failing, Unspeakable])
@pytest.mark.parametrize("clock", [None, lambda: NOON], ids=["now", "at noon"])
def test_a_failing_sink_starves_no_other(
    error: Exception,
    reason: str,
    said: str,
    kind: type[Failing],
    clock: Callable[[], datetime] | None,
) -> None:
    """Sinks before and behind a failing one get everything, and its failure is told and counted."""
    first, last = MemorySink(), MemorySink()
    told: list[LastclickError] = []
    funnel = funnel_of((first, kind(error), last), on_error=told.append, clock=clock)

    funnel.checkout("c-1").enter("cart")
    funnel.checkout("c-1").enter("payment")

    assert types(first) == types(last) == ["funnel_declared", "step_entered", "step_entered"]
    assert funnel.stats == FunnelStats(2, {}, {}, {}, {reason: 2})
    assert all(isinstance(error, DeliveryError) for error in told)
    assert [error.reason for error in told] == [reason] * 3  # the declaration failed as well
    assert all(said in str(error) for error in told)


def test_only_events_of_the_shop_count_as_undelivered() -> None:
    """A declaration or a loss that a sink refuses is told, but no event is missing."""
    told: list[LastclickError] = []
    sink = Failing(DeliveryError("full", "disk_full"))
    funnel = funnel_of(sink, on_error=told.append)

    funnel.checkout(None).enter("cart")

    assert funnel.stats == FunnelStats(0, {"no_checkout_id": 1}, {}, {}, {})
    assert sorted(error.reason for error in told) == ["disk_full", "disk_full", "no_checkout_id"]


def test_a_failing_sink_is_asked_again() -> None:
    """Every event is offered to every sink: what fails now may work with the next."""
    sink = Failing(DeliveryError("full", "disk_full"))
    funnel = funnel_of(sink, on_error=lambda error: None)
    funnel.checkout("c-1").enter("cart")

    sink.error = None
    funnel.checkout("c-1").enter("payment")

    assert [event.type for event in sink.kept] == ["step_entered"]
    assert funnel.stats == FunnelStats(2, {}, {}, {}, {"disk_full": 1})


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupt_is_no_error(error: BaseException) -> None:
    """Ctrl-C and sys.exit() go through: they are about the process, not about the event."""
    sink = Failing(error)
    funnel = funnel_of(sink)

    with pytest.raises(type(error)):
        funnel.checkout("c-1").enter("cart")
    sink.error = None
    funnel.checkout("c-1").enter("cart")

    assert [event.type for event in sink.kept] == ["step_entered"]


def test_all_sinks_get_the_same_bytes() -> None:
    """An event is serialised once, for however many sinks."""
    sinks = [MemorySink(), MemorySink()]

    funnel_of(sinks).checkout("c-1").enter("cart")

    assert sinks[0].events[0].line is sinks[1].events[0].line


def test_one_sink_that_is_iterable_is_one_sink() -> None:
    """A sink that can be iterated over is still a sink, not several."""

    class Listing(MemorySink):
        def __iter__(self) -> Iterator[Event]:
            return iter(self.records)

    sink = Listing()

    funnel_of(sink).checkout("c-1").enter("cart")

    assert len(list(sink)) == 2


# Flush and close ----------------------------------------------------------------------------------


class Waiting:
    """A sink that waits for some time, or for as long as it may."""

    def __init__(self, clock: list[float], seconds: float, *, answer: Any = True) -> None:
        self.clock, self.seconds, self.answer = clock, seconds, answer
        self.asked: list[float] = []

    def emit(self, event: Event, /) -> None:
        """Nothing is kept."""

    def flush(self, timeout: float) -> bool:
        self.asked.append(timeout)
        self.clock[0] += min(self.seconds, timeout)
        return self.answer

    close = flush


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, turned by hand."""
    now = [500.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("verb", ["flush", "close"])
def test_the_deadline_is_shared_by_all_sinks(verb: str, clock: list[float]) -> None:
    """All are told to begin; a slow sink leaves the next what is left, and none is passed over."""
    sinks = [Waiting(clock, 1.5), Waiting(clock, 9.0), Waiting(clock, 0.0)]
    funnel = funnel_of(sinks)

    assert getattr(funnel, verb)(timeout=2.0) is True

    assert [sink.asked for sink in sinks] == [[2.0], [0.0, 0.5], [0.0, 0.0]]
    assert clock[0] == 502.0


def test_a_sink_that_overruns_leaves_nothing(clock: list[float]) -> None:
    """Where a sink does not keep its deadline, the next one is asked with none, not with less."""

    class Late(Waiting):
        def flush(self, timeout: float) -> bool:
            return super().flush(self.seconds)

        close = flush

    last = Waiting(clock, 0.0)

    funnel_of((Late(clock, 30.0), last)).close(2.0)

    assert last.asked == [0.0, 0.0]


def test_closing_takes_two_seconds_at_most_by_default(clock: list[float]) -> None:
    """Without a timeout nothing waits longer than a deploy can bear."""
    sink = Waiting(clock, 60.0, answer=False)
    funnel = funnel_of(sink)

    assert funnel.flush() is False
    assert funnel.close() is False

    assert sink.asked == [2.0, 2.0]


@pytest.mark.parametrize("verb", ["flush", "close"])
@pytest.mark.parametrize(
    ("answers", "expected"),
    [((True, True), True), ((False, True), False), ((True, False), False), ((True, None), False)],
)
def test_the_answer_is_whether_nothing_is_pending(
    verb: str, answers: tuple[Any, Any], expected: bool, clock: list[float]
) -> None:
    """All sinks are asked, and one that could not manage is enough for False."""
    sinks = [Waiting(clock, 0.0, answer=answer) for answer in answers]

    assert getattr(funnel_of(sinks), verb)(1.0) is expected

    assert [len(sink.asked) for sink in sinks] == [1, 2]


@pytest.mark.parametrize("verb", ["flush", "close"])
@pytest.mark.parametrize(("error", "reason", "said"), FAILURES.values(), ids=FAILURES)
def test_a_sink_that_fails_to_flush_or_close(
    verb: str, error: Exception, reason: str, said: str, clock: list[float]
) -> None:
    """Its failure is told, the other sinks are asked, the answer is False, and no event counts."""
    last = Waiting(clock, 0.0)
    told: list[LastclickError] = []
    funnel = funnel_of((Failing(error), last), on_error=told.append)

    assert getattr(funnel, verb)(1.0) is False

    assert last.asked == [0.0, 1.0]
    assert [(error.reason, said in str(error)) for error in told] == [(reason, True)]
    assert funnel.stats.undelivered == {}


def test_closing_twice_does_no_harm() -> None:
    """Close can be called again: by the shop, by a `with`, at exit."""
    sink = MemorySink()
    funnel = funnel_of(sink)
    funnel.checkout("c-1").enter("cart")

    assert funnel.close() is True
    assert funnel.close() is True
    assert funnel.flush() is True

    assert len(sink.events) == 1


def test_a_funnel_closes_at_the_end_of_a_with() -> None:
    """A `with` gives the funnel itself and closes it, also when its body fails."""
    sink = MemorySink()

    with contextlib.suppress(ShopError), funnel_of(sink, on_error=lambda error: None) as funnel:
        funnel.checkout("c-1").enter("cart")
        raise ShopError
    funnel.checkout("c-1").enter("cart")

    assert len(sink.events) == 1
    assert funnel.stats.rejected == {"closed": 1}


@pytest.mark.parametrize("verb", ["flush", "close"])
@pytest.mark.parametrize("timeout", [None, "2"])
def test_a_timeout_that_is_none_is_told(verb: str, timeout: Any) -> None:
    """A flush may stand in a request, so it raises nothing, and flushes without waiting."""
    told: list[LastclickError] = []
    funnel = Funnel("checkout", steps=("cart",), sink=MemorySink(), on_error=told.append)

    assert getattr(funnel, verb)(timeout) is True
    assert [str(error) for error in told] == [f"timeout is {timeout!r}; pass seconds, such as 2.0"]


def test_a_flush_changes_nothing_for_what_follows() -> None:
    """A funnel goes on after a flush."""
    sink = MemorySink()
    funnel = funnel_of(sink)

    funnel.flush(0.0)
    funnel.checkout("c-1").enter("cart")

    assert len(sink.events) == 1


# Figures ------------------------------------------------------------------------------------------


def test_a_new_funnel_has_done_nothing() -> None:
    """All counts begin at nothing."""
    assert funnel_of().stats == FunnelStats(0, {}, {}, {}, {})


def test_stats_are_as_of_the_asking() -> None:
    """Counts that were taken do not change later."""
    funnel = funnel_of(on_error=lambda error: None)
    before = funnel.stats

    funnel.checkout("c-1").enter("typo")

    assert before == FunnelStats(0, {}, {}, {}, {})
    assert funnel.stats == FunnelStats(1, {}, {}, {"unknown_step": 1}, {})


def test_the_handle_of_the_root_is_the_handle() -> None:
    """What `funnel.checkout` gives is the class that the library shows for annotations."""
    assert isinstance(funnel_of().checkout("c-1"), Checkout)
    assert re.fullmatch(r"Checkout\('c-1', funnel='checkout'\)", repr(funnel_of().checkout("c-1")))


@given(
    step=st.text(min_size=1, max_size=20).filter(lambda name: name.strip() and name != "order"),
    value=st.none()
    | st.builds(
        Money,
        st.decimals(min_value=0, max_value=10**11, places=2),
        st.sampled_from(("EUR", "USD", "JPY")),
    ),
)
def test_the_short_way_of_entering_a_step_writes_what_the_long_way_does(
    step: str, value: Money | None
) -> None:
    """The commonest call, recorded by the shortest way, is the same event and the same line."""
    sink = MemorySink()
    funnel = Funnel("checkout", steps=(step,), sink=sink)
    handle = funnel.checkout("c-1", customer_id="ü", attributes={"device": "tv"})

    handle.enter(step, value=value)
    short = sink.events[0]
    handle.enter(step, value=value, event_id=short.event_id, at=short.occurred_at)
    long = sink.events[1]

    assert short.line == long.line == StepEntered(**dict(short)).line
    assert short == long == parse_line(short.line)
