"""Whatever the shop passes, a checkout goes on, what can be kept is kept, and the rest is told.

Each kind of bad input is tried with the policy of tests, where the error says what to do, and with
the default one, where nothing raises and the log and the statistics say what is missing.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from lastclick import Funnel, Money, Step, errors
from lastclick._funnel import FunnelStats
from lastclick.errors import (
    ConfigError,
    EventError,
    LastclickError,
    UnknownStepError,
    log_errors,
    raise_errors,
)
from lastclick.events import (
    Event,
    EventsLost,
    OrderCompleted,
    OrderRefunded,
    ShopperEvent,
    StepEntered,
    parse_line,
)
from lastclick.sinks import MemorySink

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)

Action = Callable[[Funnel[Any]], object]


#: What every funnel is given. Without a clock the commonest calls go a shorter way.
GIVEN_TO_ALL: dict[str, Any] = {"steps": ("cart", "payment")}


@pytest.fixture(autouse=True, params=["at noon", "now"])
def fresh(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways are tried, and `log_errors` has a line to spare for every test."""
    monkeypatch.setattr(errors, "_logged", {})
    if request.param == "at noon":
        monkeypatch.setitem(GIVEN_TO_ALL, "clock", lambda: NOON)


def funnel_of(
    on_error: Callable[[LastclickError], object], **settings: Any
) -> tuple[Funnel[Any], MemorySink]:
    """A funnel of two steps, and where its events go."""
    sink = MemorySink()
    return Funnel("checkout", sink=sink, on_error=on_error, **GIVEN_TO_ALL | settings), sink


def losses(sink: MemorySink) -> list[tuple[str, str, int, bool]]:
    """What the log says is missing."""
    return [
        (record.source, record.reason, record.count, record.kept)
        for record in sink.records
        if isinstance(record, EventsLost)
    ]


def assert_told(
    action: Action,
    reason: str,
    *said: str,
    kind: type[EventError] = EventError,
    **settings: Any,
) -> None:
    """With `raise_errors` the call raises that error, and its message has these parts."""
    funnel, _ = funnel_of(raise_errors, **settings)

    with pytest.raises(EventError) as caught:
        action(funnel)

    assert type(caught.value) is kind
    assert caught.value.reason == reason
    for part in said:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 400


def assert_kept(
    action: Action, reason: str, caplog: pytest.LogCaptureFixture, **settings: Any
) -> ShopperEvent:
    """By default the event is in the log, without its flawed part, which is counted and told."""
    funnel, sink = funnel_of(log_errors, **settings)

    action(funnel)

    [event] = sink.events
    assert parse_line(event.line) == event
    assert funnel.stats == FunnelStats(1, {}, {}, {reason: 1}, {})
    assert losses(sink) == [("funnel", reason, 1, True)]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    return event


def assert_lost(
    action: Action,
    reason: str,
    caplog: pytest.LogCaptureFixture,
    *,
    by: str = "rejected",
    **settings: Any,
) -> None:
    """By default there is no event, and that is counted, told and in the log."""
    funnel, sink = funnel_of(log_errors, **settings)

    action(funnel)

    assert sink.events == []
    assert funnel.stats == FunnelStats(
        **{"accepted": 0, "rejected": {}, "dropped": {}, "flawed": {}, "undelivered": {}}
        | {by: {reason: 1}}
    )
    assert losses(sink) == [("funnel", reason, 1, False)]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


# Money --------------------------------------------------------------------------------------------

#: How a value, a total and an amount come in, and what the flaw is called.
MONEY: dict[str, Callable[[Funnel[Any], Any], object]] = {
    "value of enter": lambda funnel, money: funnel.checkout("c-1").enter("cart", money),
    "value of fail": lambda funnel, money: funnel.checkout("c-1").fail("cart", "x", money),
    "total": lambda funnel, money: funnel.checkout("c-1").complete("o-1", money),
    "amount": lambda funnel, money: funnel.refund("o-1", money),
}


def assert_money_is_left_out(
    call: Callable[[Funnel[Any], Any], object],
    money: Any,
    reason: str,
    caplog: pytest.LogCaptureFixture,
    *said: str,
) -> None:
    """The error names the money, and by default the event is there without it."""

    def action(funnel: Funnel[Any]) -> object:
        return call(funnel, money)

    name = next(name.split()[0] for name, other in MONEY.items() if other is call)

    assert_told(action, reason, name, *said)
    event = assert_kept(action, reason, caplog)
    assert getattr(event, name) is None


every_money = pytest.mark.parametrize("call", MONEY.values(), ids=MONEY)


@every_money
@pytest.mark.parametrize("money", [59.9, (59.9, "EUR"), {"amount": 59.9, "currency": "EUR"}])
def test_float_money(
    call: Callable[..., object], money: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A float is refused as money, since it holds no cents; the message shows text instead."""
    assert_money_is_left_out(call, money, "float_amount", caplog, "59.9", '"59.90"')


def test_float_money_at_its_own_constructor() -> None:
    """Money is made outside of the funnel, where a float is an error at once."""
    with pytest.raises(EventError, match="a float cannot hold an amount exactly") as caught:
        Money(59.9, "EUR")  # type: ignore[arg-type]

    assert caught.value.reason == "float_amount"


@every_money
@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        (Decimal("NaN"), "bad_amount"),
        (Decimal("sNaN"), "bad_amount"),
        (Decimal("Infinity"), "bad_amount"),
        (Decimal("-Infinity"), "bad_amount"),
        ("NaN", "bad_amount"),
        ("inf", "bad_amount"),
        (float("nan"), "float_amount"),
        (float("inf"), "float_amount"),
    ],
)
def test_nan_and_infinite_amounts(
    call: Callable[..., object], amount: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is not finite is no amount, as Decimal, as text or as float."""
    assert_money_is_left_out(call, (amount, "EUR"), reason, caplog, str(amount), "59.90")


@every_money
def test_an_amount_with_an_underscore(
    call: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    """An underscore is Python's way of writing a number, not that of money."""
    assert_money_is_left_out(call, ("1_000", "EUR"), "bad_amount", caplog, "'1_000'", "'59.90'")


@every_money
def test_an_amount_with_spaces(
    call: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    """Spaces around an amount are refused rather than guessed at."""
    assert_money_is_left_out(call, (" 59 ", "EUR"), "bad_amount", caplog, "' 59 '", "'59.90'")


@every_money
@pytest.mark.parametrize("money", [Money("-59.90", "EUR"), ("-59.90", "EUR")], ids=str)
def test_negative_totals(
    call: Callable[..., object], money: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A cart, an order and a refund are never below zero; refunds have a call of their own."""
    assert_money_is_left_out(
        call, money, "negative_amount", caplog, "Money('-59.90', 'EUR')", "refund()"
    )


@every_money
@pytest.mark.parametrize("currency", ["EURO", "\u20ac", "", None, 978])
def test_an_unknown_shape_of_currency(
    call: Callable[..., object], currency: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A currency is a code of three letters, and the message gives one."""
    assert_money_is_left_out(
        call, ("59.90", currency), "bad_currency", caplog, repr(currency), "'EUR'"
    )


@every_money
@pytest.mark.parametrize(
    "money", ["59.90", 59, Decimal("59.90"), ("59.90",), ("59.90", "EUR", 1), object(), [], b"59"]
)
def test_money_without_a_currency(
    call: Callable[..., object], money: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A bare number is no money; the message shows both ways to pass it."""
    said = ('Money("59.90", "EUR")', '("59.90", "EUR")', type(money).__name__)
    assert_money_is_left_out(call, money, "bad_amount", caplog, *said)


@every_money
def test_a_sum_of_money_too_large_for_a_line(
    call: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    """Sums have no limit but lines have one, and no line is written that no reader takes."""
    money = Money("999999999999", "EUR") + Money(1, "EUR")

    assert_money_is_left_out(call, money, "bad_amount", caplog, "1000000000000", "below 10^12")


@pytest.mark.parametrize("name", ["total", "amount"])
def test_no_total_and_no_amount(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """An order without a total and a refund without an amount are kept, and told."""
    call = MONEY[name]

    assert_told(lambda funnel: call(funnel, None), f"no_{name}", f"{name} is None", "Money(")
    assert_kept(lambda funnel: call(funnel, None), f"no_{name}", caplog)


# Times --------------------------------------------------------------------------------------------


def entering(**arguments: Any) -> Action:
    """Enter the cart."""
    return lambda funnel: funnel.checkout("c-1").enter("cart", **arguments)


def test_a_naive_time(caplog: pytest.LogCaptureFixture) -> None:
    """A time without a zone may be any hour, so it is refused; the message shows the fix."""
    action = entering(at=NOON.replace(tzinfo=None))

    assert_told(
        action, "naive_time", "2026-10-01T12:00:00", "datetime.now(UTC)", "value.replace(tzinfo="
    )
    assert_lost(action, "naive_time", caplog)


def test_a_time_far_in_the_future(caplog: pytest.LogCaptureFixture) -> None:
    """More than a day ahead is a wrong clock or milliseconds taken for seconds."""
    action = entering(at=NOON + timedelta(days=1, microseconds=1))
    said = ("2026-10-02T12:00:00.000001+00:00", "more than a day", "leave at=")

    assert_told(action, "future_time", *said, clock=lambda: NOON)
    assert_lost(action, "future_time", caplog, clock=lambda: NOON)


def test_a_time_a_day_ahead_is_kept() -> None:
    """Clocks disagree: exactly a day ahead is still taken."""
    funnel, sink = funnel_of(raise_errors, clock=lambda: NOON)

    funnel.checkout("c-1").enter("cart", at=NOON + timedelta(days=1))

    assert sink.events[0].occurred_at == NOON + timedelta(days=1)


@pytest.mark.parametrize(
    "at", ["yesterday", 1_790_000_000, 1.5, NOON.date(), object(), "2026-13-01T00:00:00Z"]
)
def test_a_time_that_is_none(at: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An event without a usable time cannot be placed, so it is rejected."""
    action = entering(at=at)

    assert_told(action, "bad_time", repr(at))
    assert_lost(action, "bad_time", caplog)


# Steps --------------------------------------------------------------------------------------------


class Stage(Enum):
    PAY = "pay"


@pytest.mark.parametrize("step", ["pay", Stage.PAY])
def test_an_unknown_step(step: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A typo is told with the steps there are; the event is whole in the log, so none is lost."""

    def action(funnel: Funnel[Any]) -> None:
        funnel.checkout("c-1").enter(step, value=Money("59.90", "EUR"))

    assert_told(
        action,
        "unknown_step",
        "unknown step 'pay'; this funnel has cart, payment",
        kind=UnknownStepError,
    )
    funnel, sink = funnel_of(log_errors)
    action(funnel)
    [event] = sink.events
    assert isinstance(event, StepEntered)
    assert (event.step, event.value) == ("pay", Money("59.90", "EUR"))
    assert funnel.stats == FunnelStats(1, {}, {}, {"unknown_step": 1}, {})
    assert losses(sink) == []
    assert caplog.messages == [
        "UnknownStepError: unknown step 'pay'; this funnel has cart, payment"
    ]


def test_an_unknown_step_is_in_the_sink_before_it_raises() -> None:
    """Even where a test asks for errors, the event of an unknown step is written."""
    funnel, sink = funnel_of(raise_errors)

    with pytest.raises(UnknownStepError):
        funnel.checkout("c-1").fail("pay", "card_declined")

    assert [event.type for event in sink.events] == ["step_failed"]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (None, "no_step"),
        ("", "no_step"),
        (["cart"], "bad_step"),
        (1.5, "bad_step"),
        ("x" * 257, "long_step"),
        ("\ud800", "bad_step"),
    ],
    ids=repr,
)
def test_a_step_that_is_no_name(step: Any, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """An event about no step at all says nothing, so it is rejected."""

    def action(funnel: Funnel[Any]) -> None:
        funnel.checkout("c-1").enter(step)

    assert_told(action, reason, "step")
    assert_lost(action, reason, caplog)


def test_a_step_object_is_its_name() -> None:
    """Passing the Step that the funnel was made of is understood."""
    cart = Step("cart", owner="shop")
    funnel, sink = funnel_of(raise_errors, steps=(cart, Step("payment")))

    funnel.checkout("c-1").enter(cart)

    assert [event.step for event in sink.events if isinstance(event, StepEntered)] == ["cart"]


# Ids ----------------------------------------------------------------------------------------------

#: Every id without which there is no event, and the call that takes it.
NEEDED: dict[str, Callable[[Funnel[Any], Any], object]] = {
    "checkout_id": lambda funnel, given: funnel.checkout(given).enter("cart"),
    "order_id": lambda funnel, given: funnel.checkout("c-1").complete(given, ("1", "EUR")),
    "order_id ": lambda funnel, given: funnel.refund(given, ("1", "EUR")),
    "order_id  ": lambda funnel, given: funnel.cancel(given),
}
#: Every id and code that an event can do without.
SPARE: dict[str, Callable[[Funnel[Any], Any], object]] = {
    "customer_id": lambda funnel, given: funnel.checkout("c-1", given).enter("cart"),
    "event_id": lambda funnel, given: funnel.checkout("c-1").enter("cart", event_id=given),
    "refund_id": lambda funnel, given: funnel.refund("o-1", ("1", "EUR"), given),
    "campaign": lambda funnel, given: funnel.checkout("c-1").remind("email", given),
    "campaign ": lambda funnel, given: funnel.checkout("c-1").click("email", given),
    "campaign  ": lambda funnel, given: funnel.checkout("c-1").assign("holdout", given),
    "channel": lambda funnel, given: funnel.checkout("c-1").remind(given),
    "channel ": lambda funnel, given: funnel.checkout("c-1").click(given),
    "reason": lambda funnel, given: funnel.checkout("c-1").fail("cart", given),
}
#: What stands where a code cannot be used, and None where an id may be missing.
INSTEAD = {"channel": "unspecified", "reason": "unspecified"}
WRONG = [1.5, b"c-1", True, ["c-1"], ("c", 1), object(), {}, Decimal(1)]


class Silent:
    """An object with nothing to show."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr today")


def assert_id_is_refused(
    name: str, given: Any, reason: str, caplog: pytest.LogCaptureFixture, *said: str
) -> None:
    """An event that needs the id is rejected; one that does not is kept without it."""
    call = NEEDED.get(name) or SPARE[name]

    def action(funnel: Funnel[Any]) -> object:
        return call(funnel, given)

    needed, name = name in NEEDED, name.strip()
    assert_told(action, f"{reason}_{name}", name, *said)
    if needed:
        assert_lost(action, f"{reason}_{name}", caplog)
    else:
        event = assert_kept(action, f"{reason}_{name}", caplog)
        if name == "event_id":
            assert UUID(event.event_id).version == 7
        else:
            assert getattr(event, name) == INSTEAD.get(name)


every_id = pytest.mark.parametrize("name", [*NEEDED, *SPARE])


@every_id
@pytest.mark.parametrize("given", ["", "   ", "\n"])
def test_an_empty_id(name: str, given: str, caplog: pytest.LogCaptureFixture) -> None:
    """An empty id would make one attempt of many, so it is none."""
    assert_id_is_refused(name, given, "no", caplog, "is empty", repr(given), "pass")


@pytest.mark.parametrize("name", [*NEEDED, "channel", "channel ", "reason"])
def test_an_id_that_is_none(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """None where an id is needed is told, and never written as text."""
    assert_id_is_refused(name, None, "no", caplog, "is None", "pass")


@every_id
def test_an_id_over_256_characters(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A longer id is refused rather than cut, which could make two into one."""
    assert_id_is_refused(name, "x" * 257, "long", caplog, "257 characters", "'xxx", "256")


@every_id
@pytest.mark.parametrize("given", WRONG, ids=lambda given: type(given).__name__)
def test_an_id_of_another_type(name: str, given: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An id is text, an int or a UUID; what else is passed is shown with its type."""
    assert_id_is_refused(
        name, given, "bad", caplog, type(given).__name__, "a str, an int or a UUID"
    )


@every_id
@pytest.mark.parametrize("given", ["\ud800", "a\udfffb"])
def test_an_id_that_is_no_unicode(name: str, given: str, caplog: pytest.LogCaptureFixture) -> None:
    """Half a surrogate pair cannot be written as UTF-8."""
    assert_id_is_refused(name, given, "bad", caplog, "not Unicode text", repr(given))


@every_id
@pytest.mark.parametrize("given", [10**5000, Silent()], ids=["many digits", "silent"])
def test_an_id_that_cannot_even_be_shown(
    name: str, given: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An object whose repr raises is told of by its type."""
    said = f"<{type(given).__name__} whose repr fails>"
    assert_id_is_refused(name, given, "bad", caplog, said)


def test_a_handle_without_an_id_never_raises() -> None:
    """A handle is made whatever it is given; each of its verbs is rejected and told."""
    funnel, sink = funnel_of(log_errors)

    checkout = funnel.checkout(None)
    checkout.enter("cart")
    checkout.fail("payment", "card_declined")
    checkout.complete("o-1", Money(1, "EUR"))
    checkout.assign("holdout")
    checkout.remind("email")
    checkout.click("email")

    assert repr(checkout) == "Checkout(None, funnel='checkout')"
    assert sink.events == []
    assert funnel.stats.rejected == {"no_checkout_id": 6}
    assert losses(sink) == [("funnel", "no_checkout_id", 1, False)] * 6


@pytest.mark.parametrize("arm", ["control", "", None, 1, "Treated", True])
def test_an_arm_that_is_none(arm: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An arm is one of two; a third would be neither treated nor not."""

    def action(funnel: Funnel[Any]) -> None:
        funnel.checkout("c-1").assign(arm)

    assert_told(action, "bad_arm", "arm", repr(arm), "'treated' or 'holdout'")
    assert_lost(action, "bad_arm", caplog)


@pytest.mark.parametrize("score", [0, 6, 4.0, "5", True, -1, b"3"])
def test_a_score_that_is_none(score: Any) -> None:
    """A score is a whole number from 1 to 5; the rest of the answer is kept."""
    funnel, sink = funnel_of(log_errors)

    funnel.checkout("c-1").survey(score=score, reason="too_long")

    (event,) = sink.events
    assert (event.score, event.reason) == (None, "too_long")
    assert funnel.stats.flawed == {"bad_score": 1}


@pytest.mark.parametrize(
    ("text", "reason"), [("x" * 4097, "long_text"), ("\ud800", "bad_text"), (7, "bad_text")]
)
def test_a_text_that_cannot_be_kept(text: Any, reason: str) -> None:
    """What is no text, or too much of it, is left out of the answer."""
    funnel, sink = funnel_of(log_errors)

    funnel.checkout("c-1").survey(score=3, text=text)

    (event,) = sink.events
    assert (event.score, event.text) == (3, None)
    assert funnel.stats.flawed == {reason: 1}


@pytest.mark.parametrize("answer", [{}, {"text": ""}, {"score": 9}, {"score": 0, "text": b""}])
def test_an_answer_of_nothing(answer: Any) -> None:
    """Without one usable part there is no answer to count."""
    funnel, sink = funnel_of(log_errors)

    funnel.checkout("c-1").survey(**answer)

    assert sink.events == []
    assert funnel.stats.rejected == {"no_answer": 1}


# Attributes ---------------------------------------------------------------------------------------

#: The two places where attributes come in.
GIVEN: dict[str, Callable[[Funnel[Any], Any], object]] = {
    "handle": lambda funnel, them: funnel.checkout("c-1", attributes=them).enter("cart"),
    "call": lambda funnel, them: funnel.checkout("c-1").enter("cart", attributes=them),
    "refund": lambda funnel, them: funnel.refund("o-1", ("1", "EUR"), attributes=them),
}
every_place = pytest.mark.parametrize("call", GIVEN.values(), ids=GIVEN)


@every_place
@pytest.mark.parametrize(
    "value",
    [[1], {"a": 1}, (1,), 1.5, NOON, b"x", Money(1, "EUR"), object(), 2**63, "\ud800"],
    ids=lambda value: type(value).__name__,
)
def test_an_attribute_that_is_not_flat(
    call: Callable[..., object], value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad attribute is left out; the event and the other attributes are there."""

    def action(funnel: Funnel[Any]) -> object:
        return call(funnel, {"first": 1, "cart lines": value, "last": None})

    assert_told(action, "bad_attribute", "'cart lines'", type(value).__name__, "flat")
    event = assert_kept(action, "bad_attribute", caplog)
    assert event.attributes == {"first": 1, "last": None}


@every_place
@pytest.mark.parametrize("name", ["", 1, None, "x" * 257, "\ud800"])
def test_an_attribute_without_a_name(
    call: Callable[..., object], name: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that is no text is left out with its value."""

    def action(funnel: Funnel[Any]) -> object:
        return call(funnel, {"first": 1, name: 2})

    assert_told(action, "bad_attribute", "an attribute's name", repr(name)[:90])
    event = assert_kept(action, "bad_attribute", caplog)
    assert event.attributes == {"first": 1}


@every_place
@pytest.mark.parametrize("them", [["device"], "device", 5, {"device"}, object()])
def test_attributes_that_are_no_mapping(
    call: Callable[..., object], them: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no mapping is left out whole."""

    def action(funnel: Funnel[Any]) -> object:
        return call(funnel, them)

    assert_told(action, "bad_attributes", type(them).__name__, "pass a mapping")
    event = assert_kept(action, "bad_attributes", caplog)
    assert event.attributes == {}


@every_place
def test_more_than_64_attributes(
    call: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    """The first 64 are kept; the message names the first of those that are not."""

    def action(funnel: Funnel[Any]) -> object:
        return call(funnel, {f"a{n}": n for n in range(100)})

    assert_told(action, "too_many_attributes", "more than 64", "'a64'", "that you need")
    event = assert_kept(action, "too_many_attributes", caplog)
    assert event.attributes == {f"a{n}": n for n in range(64)}


def test_more_than_64_attributes_together(caplog: pytest.LogCaptureFixture) -> None:
    """Those of the handle and those of the call count together; a repeated name is one."""

    def action(funnel: Funnel[Any]) -> None:
        checkout = funnel.checkout("c-1", attributes={f"a{n}": n for n in range(64)})
        checkout.enter("cart", attributes={"a3": "new", "b": 1, "a4": "too"})

    assert_told(action, "too_many_attributes", "'b'")
    event = assert_kept(action, "too_many_attributes", caplog)
    assert event.attributes == {f"a{n}": n for n in range(64)} | {"a3": "new"}


def test_bad_attributes_of_a_call_leave_those_of_the_handle(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What the handle knew before is kept when a call brings nonsense."""

    def action(funnel: Funnel[Any]) -> None:
        checkout = funnel.checkout("c-1", attributes={"device": "mobile"})
        checkout.enter("cart", attributes=["nonsense"])  # type: ignore[arg-type]

    event = assert_kept(action, "bad_attributes", caplog)
    assert event.attributes == {"device": "mobile"}


def test_a_flaw_of_the_handle_is_counted_with_each_event() -> None:
    """Every event of a handle lacks what the handle could not keep."""
    funnel, sink = funnel_of(log_errors)

    checkout = funnel.checkout("c-1", customer_id="", attributes={"a": 1.5})
    checkout.enter("cart")
    checkout.enter("payment")

    assert funnel.stats.accepted == 2
    assert funnel.stats.flawed == {"no_customer_id": 2, "bad_attribute": 2}
    assert sorted(losses(sink)) == [
        ("funnel", "bad_attribute", 1, True),
        ("funnel", "bad_attribute", 1, True),
        ("funnel", "no_customer_id", 1, True),
        ("funnel", "no_customer_id", 1, True),
    ]


def test_an_order_survives_everything_at_once() -> None:
    """An order with every flaw there is still is an order."""
    funnel, sink = funnel_of(log_errors)

    funnel.checkout("c-1", customer_id=1.5, attributes="nonsense").complete(  # type: ignore[arg-type]
        "o-1",
        -5.5,
        event_id="",
        attributes={"": [], "ok": 1},  # type: ignore[arg-type]
    )

    [event] = sink.events
    assert isinstance(event, OrderCompleted)
    assert (event.order_id, event.total, event.customer_id) == ("o-1", None, None)
    assert event.attributes == {"ok": 1}
    assert funnel.stats.flawed == {
        "bad_customer_id": 1,
        "bad_attributes": 1,
        "float_amount": 1,
        "no_event_id": 1,
        "bad_attribute": 1,
    }
    assert len(losses(sink)) == 5


# Size ---------------------------------------------------------------------------------------------


def filled(size: int) -> dict[str, Any]:
    """Attributes of some size."""
    return {"note": "x" * size}


def test_an_event_over_32_kib(caplog: pytest.LogCaptureFixture) -> None:
    """A line that is too long for the log is rejected, with its length and what to shorten."""
    action = entering(attributes=filled(32 * 1024))

    assert_told(action, "too_large", "step_entered of 32970", "bytes", "32768", "shorten")
    assert_lost(action, "too_large", caplog)


def test_a_handle_that_makes_every_event_too_large(caplog: pytest.LogCaptureFixture) -> None:
    """Attributes of the handle count as well, and its next call is told again."""

    def action(funnel: Funnel[Any]) -> None:
        funnel.checkout("c-1", attributes=filled(32 * 1024)).enter("cart")

    assert_told(action, "too_large", "bytes", "32768", "shorten")
    assert_lost(action, "too_large", caplog)


def test_an_event_of_32_kib() -> None:
    """A line may have exactly 32 KiB; size is that of the bytes, not of the characters."""
    funnel, sink = funnel_of(raise_errors)
    checkout = funnel.checkout("c-1")
    checkout.enter("cart", attributes=filled(0))
    spare = 32 * 1024 - len(sink.events[0].line)

    checkout.enter("cart", attributes=filled(spare))
    with pytest.raises(EventError, match="32769 bytes"):
        checkout.enter("cart", attributes=filled(spare + 1))
    with pytest.raises(EventError, match="bytes"):
        checkout.enter("cart", attributes={"note": "\u20ac" * (spare // 2)})

    assert [len(event.line) for event in sink.events[1:]] == [32 * 1024]


# Hooks --------------------------------------------------------------------------------------------


def hook(result: Any) -> Callable[[ShopperEvent], Any]:
    """A hook that returns this."""

    def returns(event: ShopperEvent) -> Any:
        return result(event) if callable(result) and not isinstance(result, type) else result

    return returns


NONSENSE: dict[str, Any] = {
    "text": "yes",
    "true": True,
    "false": False,
    "zero": 0,
    "dict": {"type": "step_entered"},
    "class": StepEntered,
    "line": lambda event: event.line,
    "tuple": lambda event: (event,),
    "object": object(),
    "silent": lambda event: Silent(),
    "loss": EventsLost(
        event_id="l-1",
        funnel="checkout",
        occurred_at=NOON,
        source="sink",
        reason="none",
        count=1,
        since=NOON,
        until=NOON,
    ),
}


@pytest.mark.parametrize("result", NONSENSE.values(), ids=NONSENSE)
def test_a_hook_that_returns_nonsense(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What is neither an event nor None is not written; the message names hook and value."""
    settings = {"before_emit": (hook(result),)}

    assert_told(
        entering(),
        "hook_nonsense",
        "hook.<locals>.returns",
        "returned",
        "an event, or None",
        **settings,
    )
    assert_lost(entering(), "hook_nonsense", caplog, by="dropped", **settings)


@pytest.mark.parametrize(
    "error",
    [ValueError("no such key"), EventError("odd", ""), RecursionError(), OSError(28, "full")],
)
def test_a_hook_that_raises(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """A hook that fails to redact must not leak: its event is dropped, and that is told."""

    def leaky(event: ShopperEvent) -> ShopperEvent:
        raise error

    settings = {"before_emit": (leaky,)}

    assert_told(entering(), "hook_failed", "leaky", type(error).__name__, "dropped", **settings)
    assert_lost(entering(), "hook_failed", caplog, by="dropped", **settings)


def test_a_hook_that_raises_the_unspeakable(caplog: pytest.LogCaptureFixture) -> None:
    """An exception that cannot even be shown is told by its class."""

    class UnspeakableError(Exception):
        def __repr__(self) -> str:
            raise RuntimeError("no repr today")

    def leaky(event: ShopperEvent) -> ShopperEvent:
        raise UnspeakableError

    settings = {"before_emit": (leaky,)}

    assert_told(entering(), "hook_failed", "<UnspeakableError whose repr fails>", **settings)
    assert_lost(entering(), "hook_failed", caplog, by="dropped", **settings)


def test_a_hook_whose_copy_is_invalid(caplog: pytest.LogCaptureFixture) -> None:
    """A copy with wrong values fails where it is made, within the hook."""

    def shorten(event: ShopperEvent) -> ShopperEvent:
        return event.model_copy(update={"checkout_id": ""})

    settings = {"before_emit": (shorten,)}

    assert_told(entering(), "hook_failed", "shorten", "checkout_id", **settings)
    assert_lost(entering(), "hook_failed", caplog, by="dropped", **settings)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"checkout_id": ""}, "checkout_id"),
        ({"occurred_at": NOON.replace(tzinfo=None)}, "SerializationError"),
        ({"attributes": {"a": [1]}}, "flat"),
        ({"step": "x" * 300}, "at most 256"),
        ({"attributes": {"note": "x" * 40_000}}, "32768"),
    ],
)
def test_a_hook_whose_event_was_never_checked(
    changed: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever way an event was made, what a hook returns is checked before it is written."""

    def construct(event: ShopperEvent) -> ShopperEvent:
        return type(event).model_construct(**{**event.model_dump(), "value": None, **changed})

    settings = {"before_emit": (construct,)}

    assert_told(entering(), "hook_nonsense", "construct", said, **settings)
    assert_lost(entering(), "hook_nonsense", caplog, by="dropped", **settings)


def test_a_hook_that_drops(caplog: pytest.LogCaptureFixture) -> None:
    """None drops the event on purpose: counted and in the log, and no error."""
    funnel, sink = funnel_of(raise_errors, before_emit=(hook(None),))

    funnel.checkout("c-1").enter("cart")

    assert sink.events == []
    assert funnel.stats == FunnelStats(0, {}, {"dropped_by_hook": 1}, {}, {})
    assert losses(sink) == [("funnel", "dropped_by_hook", 1, False)]
    assert caplog.messages == []


# Settings -----------------------------------------------------------------------------------------


class Empty(Enum):
    """A class of steps without one."""


class WithOrder(Enum):
    CART = "cart"
    ORDER = "order"


class Numbered(Enum):
    CART = 1


async def notify(told: object) -> None:
    """What no call would ever run."""


class AsyncCall:
    async def __call__(self, told: object) -> None:
        """The same."""


class AsyncSink(MemorySink):
    async def emit(self, event: Event, /) -> None:  # type: ignore[override]
        """What would keep no event."""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": ("cart", "payment", "cart")}, ["'cart' is named twice", "name of its own"]),
        ({"steps": (Step("cart"), "cart")}, ["'cart' is named twice"]),
        ({"steps": ()}, ["at least one step", "steps=('cart', 'payment')"]),
        ({"steps": []}, ["at least one step"]),
        ({"steps": Empty}, ["at least one step"]),
        ({"steps": "cart"}, ["one string", "'cart'", "steps=('cart', 'payment')"]),
        ({"steps": b"cart"}, ["one string", "b'cart'"]),
        ({"steps": ("cart", "order")}, ["'order'", "the purchase itself", "complete()"]),
        ({"steps": (Step("order"),)}, ["'order'", "the purchase itself"]),
        ({"steps": WithOrder}, ["'order'", "the purchase itself"]),
        ({"steps": {"cart", "payment"}}, ["steps", "in order"]),
        ({"steps": {"cart": 1}}, ["steps", "in order"]),
        ({"steps": (name for name in ("cart",))}, ["steps", "generator", "in order"]),
        ({"steps": None}, ["steps", "None", "in order"]),
        ({"steps": 3}, ["steps", "3", "in order"]),
        ({"steps": ("cart", None)}, ["steps", "name", "None", "pass names such as 'cart'"]),
        ({"steps": ("cart", "")}, ["steps", "name", "''"]),
        ({"steps": ("cart", "x" * 257)}, ["steps", "name", "256"]),
        ({"steps": Numbered}, ["steps", "name", "1", "string"]),
        (
            {"recover_within": timedelta(minutes=29)},
            ["recover_within (0:29:00)", "abandon_after (0:30:00)", "at least as long"],
        ),
        (
            {"abandon_after": timedelta.max, "recover_within": timedelta.max},
            ["abandon_after + recover_within", "pass shorter ones"],
        ),
        ({"abandon_after": timedelta(days=8)}, ["recover_within", "abandon_after (8 days"]),
        ({"abandon_after": timedelta(0)}, ["abandon_after", "timedelta(0)", "above zero"]),
        ({"recover_within": -timedelta(1)}, ["recover_within", "above zero"]),
        ({"abandon_after": 1800}, ["abandon_after", "1800", "timedelta"]),
        ({"recover_within": "P7D"}, ["recover_within", "'P7D'", "timedelta"]),
        ({"abandon_after": None}, ["abandon_after", "None", "timedelta"]),
        ({"name": ""}, ["name", "''"]),
        ({"name": None}, ["name is None; pass text that names it"]),
        ({"name": "x" * 257}, ["name", "257", "256"]),
        ({"name": 1.5}, ["name", "1.5", "float"]),
        ({"sink": None}, ["sink", "None", "FileSink('var/lastclick')"]),
        ({"sink": "var/lastclick"}, ["sink", "'var/lastclick'", "FileSink"]),
        ({"sink": ()}, ["sink", "none", "FileSink"]),
        ({"sink": MemorySink}, ["sink", "MemorySink", "FileSink"]),
        ({"sink": (MemorySink(), 5)}, ["sink", "5", "FileSink"]),
        ({"on_error": None}, ["on_error", "None", "callable"]),
        ({"on_error": "raise"}, ["on_error", "'raise'", "callable"]),
        ({"on_error": notify}, ["on_error, <function notify", "is async", "write it with def"]),
        ({"on_error": AsyncCall()}, ["on_error, <tests.", "is async"]),
        ({"before_emit": (notify,)}, ["each hook of before_emit, <function notify", "is async"]),
        ({"sink": AsyncSink()}, ["emit of <MemorySink", "is async", "write it with def"]),
        ({"before_emit": hook(None)}, ["before_emit", "function hook", "before_emit=("]),
        ({"before_emit": ("redact",)}, ["before_emit", "'redact'", "callable"]),
        ({"clock": NOON}, ["clock", "datetime(2026", "callable"]),
        ({"clock": lambda: NOON.replace(tzinfo=None)}, ["without a zone", "datetime.now(UTC)"]),
        ({"clock": lambda: None}, ["None", "aware datetime"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], said: list[str]) -> None:
    """A funnel with wrong settings is never made: the error comes at once and names the setting."""
    given: dict[str, Any] = {"name": "checkout", "steps": ("cart",), "sink": MemorySink()}

    with pytest.raises(ConfigError) as caught:
        Funnel(**{**given, **settings})

    for part in said:
        assert part in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 400


def test_an_equal_abandon_after_and_recover_within() -> None:
    """Recovering may take exactly as long as abandoning."""
    funnel, _ = funnel_of(
        raise_errors, abandon_after=timedelta(days=7), recover_within=timedelta(days=7)
    )

    assert funnel.declaration.abandon_after == funnel.declaration.recover_within


def test_a_funnel_without_a_sink() -> None:
    """A sink is required: there is no place where events would vanish by default."""
    with pytest.raises(TypeError, match="sink"):
        Funnel("checkout", steps=("cart",))  # type: ignore[call-arg]


# A closed funnel ----------------------------------------------------------------------------------


def test_a_closed_funnel(caplog: pytest.LogCaptureFixture) -> None:
    """What comes after close is rejected, told and counted; the closed sinks are left alone."""
    calls: list[Action] = [
        lambda funnel: funnel.checkout("c-1").enter("cart"),
        lambda funnel: funnel.refund("o-1", ("1", "EUR")),
    ]
    for call in calls:
        strict, _ = funnel_of(raise_errors)
        strict.close()
        with pytest.raises(EventError, match=re.escape("funnel 'checkout' is closed")) as caught:
            call(strict)
        assert caught.value.reason == "closed"
        assert "before close()" in str(caught.value)

    funnel, sink = funnel_of(log_errors)
    funnel.checkout("c-1").enter("cart")
    funnel.close()
    for call in calls:
        call(funnel)

    assert len(sink.events) == 1
    assert losses(sink) == []
    assert funnel.stats == FunnelStats(1, {"closed": 2}, {}, {}, {})
    assert sink.stats.lost == {}
    assert len(caplog.messages) == 1


def test_a_refund_is_kept_whatever_its_parts() -> None:
    """A refund needs its order's id and nothing else."""
    funnel, sink = funnel_of(log_errors)

    funnel.refund("o-1", 10.0, refund_id="", attributes=7)  # type: ignore[arg-type]

    [event] = sink.events
    assert isinstance(event, OrderRefunded)
    assert (event.order_id, event.amount, event.refund_id) == ("o-1", None, None)
    assert funnel.stats.flawed == {"float_amount": 1, "no_refund_id": 1, "bad_attributes": 1}
