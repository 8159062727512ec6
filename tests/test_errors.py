"""The tree of errors, and the two ways to be told of one."""

import logging
import pickle
from collections.abc import Iterator

import pytest

from lastclick import Money, errors
from lastclick.errors import (
    ConfigError,
    DeliveryError,
    EventError,
    LastclickError,
    LogError,
    UnknownStepError,
    log_errors,
    raise_errors,
    shown,
)


class Clock:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Time for `log_errors`, which starts with nothing logged."""
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    monkeypatch.setattr(errors, "_logged", {})
    return clock


@pytest.mark.parametrize(
    ("error", "builtin", "reason"),
    [
        (ConfigError("x"), ValueError, "config"),
        (EventError("x"), ValueError, "invalid"),
        (EventError("x", "bad_time"), ValueError, "bad_time"),
        (UnknownStepError("x"), EventError, "unknown_step"),
        (LogError("x"), ValueError, "log"),
        (DeliveryError("x"), OSError, "undelivered"),
        (DeliveryError("x", "disk_full"), OSError, "disk_full"),
    ],
)
def test_an_error_refines_a_builtin_and_has_a_reason(
    error: LastclickError, builtin: type[Exception], reason: str
) -> None:
    """Every error is caught by the root, by the builtin that it refines, and counted by a code."""
    assert isinstance(error, LastclickError)
    assert isinstance(error, builtin)
    assert error.reason == reason
    assert str(error) == "x"


def test_a_log_error_says_where() -> None:
    """A log that cannot be read names its file and line."""
    error = LogError("torn", path="log/a.jsonl", line=7)

    assert (error.path, error.line) == ("log/a.jsonl", 7)


def test_money_that_cannot_be_used_raises_an_error_of_the_tree() -> None:
    """What a constructor raises is caught as LastclickError and as ValueError."""
    with pytest.raises(LastclickError) as caught:
        Money(59.9, "EUR")  # type: ignore[arg-type]

    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "error", [EventError("x", "y"), UnknownStepError("x"), DeliveryError("x", "y")]
)
def test_an_error_crosses_processes(error: LastclickError) -> None:
    """An error comes back whole from a worker process."""
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert (str(copy), copy.reason) == ("x", error.reason)


def test_raise_errors_raises_the_error_itself() -> None:
    """The `on_error` of tests raises what it was given."""
    error = EventError("checkout_id is empty", "no_checkout_id")

    with pytest.raises(EventError) as caught:
        raise_errors(error)

    assert caught.value is error


def test_log_errors_warns_on_the_logger_of_the_library(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The default is one warning that names the class and the message."""
    log_errors(EventError("checkout_id is empty", "no_checkout_id"))

    assert caplog.record_tuples == [
        ("lastclick", logging.WARNING, "EventError: checkout_id is empty")
    ]


def test_log_errors_writes_one_line_a_minute_for_a_kind(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """However often an error comes, its kind has one line until a minute has passed."""
    for _ in range(1000):
        log_errors(EventError("first", "bad_time"))
        clock.now += 0.059

    assert caplog.messages == ["EventError: first"]


def test_log_errors_says_how_many_were_passed_over(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The next line of a kind counts those that had none, and counting starts anew."""
    for text in ("first", "second", "third"):
        log_errors(EventError(text, "bad_time"))

    clock.now += 60
    log_errors(EventError("fourth", "bad_time"))
    clock.now += 60
    log_errors(EventError("fifth", "bad_time"))

    assert caplog.messages == [
        "EventError: first",
        "EventError: fourth (2 more of this kind since the last such line)",
        "EventError: fifth",
    ]


def test_log_errors_keeps_kinds_apart(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A flood of one kind hides no other: a kind is a class and a reason."""
    for error in (
        EventError("a", "bad_time"),
        EventError("b", "bad_amount"),
        UnknownStepError("c"),
        DeliveryError("d", "bad_time"),
        ConfigError("e"),
        EventError("again", "bad_time"),
    ):
        log_errors(error)

    assert caplog.messages == [
        "EventError: a",
        "EventError: b",
        "UnknownStepError: c",
        "DeliveryError: d",
        "ConfigError: e",
    ]


def test_log_errors_writes_at_the_start_of_the_clock(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The first error is told even where the machine has just started and its clock is at 0."""
    clock.now = 0.0

    log_errors(EventError("first", "bad_time"))

    assert caplog.messages == ["EventError: first"]


def test_a_failing_log_handler_does_not_reach_the_caller(clock: Clock) -> None:
    """An application whose log handler raises still sells."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("the log server is away")

    handler = Broken()
    logger = logging.getLogger("lastclick")
    logger.addHandler(handler)
    try:
        log_errors(EventError("first", "bad_time"))
    finally:
        logger.removeHandler(handler)


class Unshowable:
    """An object whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr today")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("pay", "'pay'"),
        (None, "None"),
        ("x" * 500, "'" + "x" * 99),
        (10**5000, "<int whose repr fails>"),
        (Unshowable(), "<Unshowable whose repr fails>"),
    ],
    ids=["text", "none", "long", "many digits", "unshowable"],
)
def test_a_value_is_shown_short_whatever_it_is(value: object, text: str) -> None:
    """A message can be made of any value, and stays short."""
    assert shown(value) == text
