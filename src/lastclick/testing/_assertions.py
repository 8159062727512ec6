"""Checks of one journey, whose failures show it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Self

from typing_extensions import override

from lastclick._money import Money
from lastclick._render import one_line
from lastclick.errors import ConfigError, shown
from lastclick.events import (
    ORDER,
    Event,
    FunnelDeclared,
    HoldoutAssigned,
    OrderCompleted,
    ReminderClicked,
    ReminderSent,
    Step,
    StepEntered,
    StepFailed,
    id_text,
    price,
)

_Price = Money | tuple[Any, str]

#: Names of steps head their columns up to this many characters.
_HEAD = 16
#: So many other checkouts are named where the one asked for is missing.
_OTHERS = 5


class JourneyAssertion:
    """Checks of one journey, one after the other; made by `assert_journey`.

    Each check goes on from where the one before it found what it looked for, so that a chain of
    them tells the journey in order; what lies between is passed over. A check that fails raises
    AssertionError and shows the journey. `str` shows it too.

    Example:
        >>> print(assert_journey(events, "c-2"))
                    cart  payment
            0:00:00 o                entered cart, EUR 120.00
            0:01:00 '-----x          failed at payment: card_declined

    .. versionadded:: 0.1.0
    """

    def __init__(self, checkout_id: str, events: Sequence[Event], steps: Sequence[str]) -> None:
        self._checkout_id = checkout_id
        self._events = events
        self._steps = steps
        self._found: list[int] = []

    def entered(self, step: object, *more: object) -> Self:
        """The shopper saw these steps, in this order.

        Args:
            step: A step: its name, a `Step` or a member of an Enum of steps.
            more: Further ones.

        Raises:
            AssertionError: That is not so.

        Example:
            >>> print(assert_journey(events, "c-1").entered("cart", "payment"))
                        cart  payment  order
            ok  0:00:00 o                       entered cart, EUR 59.90
            ok  0:02:00 '-----o                 entered payment, EUR 64.80
                0:03:00       '--------$        ordered o-981, EUR 64.80

        .. versionadded:: 0.1.0
        """
        __tracebackhide__ = True
        for name in map(_name, (step, *more)):

            def fits(event: Event, name: str = name) -> bool:
                return isinstance(event, StepEntered) and event.step == name

            self._seek(f"enter {name!r}", fits)
        return self

    def failed(self, step: object, *, reason: str | None = None) -> Self:
        """A step went wrong for the shopper.

        Args:
            step: A step, as in `entered`.
            reason: Why; any reason, if not given.

        Raises:
            AssertionError: That is not so.

        Example:
            >>> _ = assert_journey(events, "c-2").failed("payment", reason="card_declined")

        .. versionadded:: 0.1.0
        """
        __tracebackhide__ = True
        name = _name(step)
        why = "" if reason is None else f" with reason {reason!r}"
        return self._seek(
            f"fail at {name!r}{why}",
            lambda event: (
                isinstance(event, StepFailed)
                and event.step == name
                and (reason is None or event.reason == reason)
            ),
        )

    def completed(self, *, total: _Price | None = None, order_id: object = None) -> Self:
        """The shopper ordered.

        Args:
            total: What the shopper pays; any total, if not given.
            order_id: The order's id; any, if not given.

        Raises:
            AssertionError: That is not so.
            EventError: The total or the id that is asked for cannot be used.

        Example:
            >>> _ = assert_journey(events, "c-1").completed(total=("64.80", "EUR"))

        .. versionadded:: 0.1.0
        """
        __tracebackhide__ = True
        money = None if total is None else price(total)
        order = None if order_id is None else id_text("order_id", order_id)
        said = "" if order is None else f" {order!r}"
        said += "" if money is None else f" for {money}"
        return self._seek(
            f"order{said}",
            lambda event: (
                isinstance(event, OrderCompleted)
                and (money is None or event.total == money)
                and (order is None or event.order_id == order)
            ),
        )

    def not_completed(self) -> Self:
        """The shopper did not order, neither before nor after what was found so far.

        Raises:
            AssertionError: There is an order.

        Example:
            >>> _ = assert_journey(events, "c-2").not_completed()

        .. versionadded:: 0.1.0
        """
        __tracebackhide__ = True
        for event in self._events:
            if isinstance(event, OrderCompleted):
                self._fail(f"ordered {event.order_id!r}, though it should not have")
        return self

    def nothing_else(self) -> Self:
        """There is no event of this checkout but those that the checks before have found.

        Raises:
            AssertionError: There is.

        Example:
            >>> _ = assert_journey(events, "c-2").entered("cart").failed("payment").nothing_else()

        .. versionadded:: 0.1.0
        """
        __tracebackhide__ = True
        more = len(self._events) - len(self._found)
        if more:
            self._fail(f"has {more} more event{'s' if more > 1 else ''} than was checked")
        return self

    def _seek(self, what: str, fits: Callable[[Event], bool]) -> Self:
        __tracebackhide__ = True
        begin = self._found[-1] + 1 if self._found else 0
        for place in range(begin, len(self._events)):
            if fits(self._events[place]):
                self._found.append(place)
                return self
        after = f" after it {_said(self._events[begin - 1])}" if begin else ""
        return self._fail(f"did not {what}{after}")

    def _fail(self, what: str) -> Self:
        __tracebackhide__ = True
        raise AssertionError(one_line(f"checkout {self._checkout_id!r} {what}") + f"\n\n{self}")

    @override
    def __str__(self) -> str:
        heads = [_cut(one_line(name)) for name in self._columns()]
        columns = [sum(len(head) + 2 for head in heads[:place]) for place in range(len(heads))]
        width = sum(len(head) + 2 for head in heads)
        start, last = self._events[0].occurred_at, None
        gone = [
            str(timedelta(seconds=(event.occurred_at - start) // timedelta(seconds=1)))
            for event in self._events
        ]
        lines = [("", "", "  ".join(heads), "")]
        for place, event in enumerate(self._events):
            sign, at = _sign(event)
            path = [" "] * width
            if at is not None:
                here = columns[self._columns().index(at)]
                if last is not None and last != here:
                    path[min(last, here) : max(last, here)] = "-" * abs(here - last)
                    path[last] = "'"
                path[here] = sign
                last = here
            found = "ok" if place in self._found else ""
            lines.append((found, gone[place], "".join(path), one_line(_said(event))))
        wide = max(len(time) for time in gone)
        return "\n".join(
            f"{found:2}  {time:>{wide}} {path:<{width}}  {said}".rstrip()
            for found, time, path, said in lines
        )

    @override
    def __repr__(self) -> str:
        return f"<journey of {self._checkout_id!r}, {len(self._events)} events>"

    def _columns(self) -> list[str]:
        seen = {at for event in self._events if (at := _sign(event)[1]) is not None}
        return [name for name in (*self._steps, ORDER) if name in seen]


def assert_journey(events: Iterable[Event], checkout_id: object) -> JourneyAssertion:
    """Check what was recorded of one checkout.

    Args:
        events: Events, such as those of a `capture`.
        checkout_id: The shop's own id of the attempt.

    Returns:
        What the checks are called on, one after the other.

    Raises:
        AssertionError: There is no event of that checkout.
        ConfigError: Those are no events.
        EventError: The id cannot be used.

    Example:
        >>> from lastclick.testing import capture
        >>> with capture(funnel) as captured:
        ...     checkout = funnel.checkout("c-1")
        ...     checkout.enter("payment", ("59.90", "EUR"))
        ...     checkout.fail("payment", "card_declined")
        >>> journey = assert_journey(captured.events, "c-1")
        >>> journey.entered("payment").failed("payment", reason="card_declined").completed()
        Traceback (most recent call last):
        ...
        AssertionError: checkout 'c-1' did not order after it failed at payment: card_declined
        ...

    .. versionadded:: 0.1.0
    """
    __tracebackhide__ = True
    given: object = events
    if not isinstance(given, Iterable):
        msg = f"pass events, such as captured.events, not {shown(events)}"
        raise ConfigError(msg)
    wanted = id_text("checkout_id", checkout_id)
    declared: list[str] = []
    mine: list[Event] = []
    others: Counter[str] = Counter()
    for event in events:
        if isinstance(event, FunnelDeclared):
            declared = [step.name for step in event.steps]
        elif (known := getattr(event, "checkout_id", None)) == wanted:
            mine.append(event)
        elif known is not None:
            others[known] += 1
    if not mine:
        there = ", ".join(map(repr, sorted(others)[:_OTHERS])) or "none"
        there += ", ..." if len(others) > _OTHERS else ""
        raise AssertionError(one_line(f"no event of checkout {wanted!r}; recorded were: {there}"))
    mine.sort(key=lambda event: event.occurred_at)
    met = [at for event in mine if (at := _sign(event)[1]) is not None and at != ORDER]
    return JourneyAssertion(wanted, mine, list(dict.fromkeys([*declared, *met])))


def _name(step: object) -> str:
    return id_text("step", step.name if isinstance(step, Step) else step)


def _cut(name: str) -> str:
    return name if len(name) <= _HEAD else f"{name[: _HEAD - 2]}.."


def _sign(event: Event) -> tuple[str, str | None]:
    """How an event is drawn, and in which column; None for those that are at no step."""
    match event:
        case StepEntered():
            return "o", event.step
        case StepFailed():
            return "x", event.step
        case OrderCompleted():
            return "$", ORDER
        case _:
            return "", None


def _said(event: Event) -> str:
    match event:
        case StepEntered():
            return f"entered {event.step}{_worth(event.value)}"
        case StepFailed():
            return f"failed at {event.step}: {event.reason}{_worth(event.value)}"
        case OrderCompleted():
            return f"ordered {event.order_id}{_worth(event.total)}"
        case ReminderSent():
            return f"was reminded by {event.channel}"
        case ReminderClicked():
            return f"clicked a reminder by {event.channel}"
        case HoldoutAssigned():
            return f"was assigned to {event.arm}"
        case _:
            return event.type.replace("_", " ")


def _worth(money: Money | None) -> str:
    return "" if money is None else f", {money}"
