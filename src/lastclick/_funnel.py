"""The write half: a funnel, and the handle through which a checkout tells it what happened.

In the request path nothing here raises and nothing waits for a network: what cannot be kept is
counted, reported to ``on_error`` and written to the log as `EventsLost`.
"""

import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from os import register_at_fork
from types import TracebackType
from typing import Any, Generic, Literal, NamedTuple, Self, overload

from pydantic_core import to_json
from typing_extensions import override

from lastclick._checkout import Checkout, Id, Price, Who
from lastclick._parts import (
    SHOPPER_EVENTS,
    as_flaw,
    check_size,
    checked_event,
    optional_id,
    present,
    put,
)
from lastclick._settings import (
    Hook,
    check_keeping,
    check_limits,
    checked_callable,
    checked_hooks,
    checked_sinks,
    checked_steps,
)
from lastclick.errors import (
    ConfigError,
    DeliveryError,
    EventError,
    LastclickError,
    UnknownStepError,
    log_errors,
    shown,
)
from lastclick.events import (
    MAX_LINE_BYTES,
    NO_ATTRIBUTES,
    Bound,
    Event,
    EventsLost,
    FunnelDeclared,
    OrderCancelled,
    OrderRefunded,
    S,
    ShopperEvent,
    Step,
    StepEntered,
    id_text,
    new_id,
    parse_line,
    price_json,
    trusted,
    utc,
)
from lastclick.sinks._sink import Sink

__all__ = ["Funnel", "FunnelStats"]

_TOO_FAR_AHEAD = timedelta(days=1)


class FunnelStats(NamedTuple):
    """What a funnel did in this process so far.

    Attributes:
        accepted: Events that were handed to the sinks.
        rejected: Events that could not be used, by reason.
        dropped: Events that a hook dropped or failed on, by reason.
        flawed: Events that were accepted without a flawed part, by reason.
        undelivered: Events of the shop that a sink could not keep, by reason; for each sink.

    Example:
        >>> from lastclick.sinks import MemorySink
        >>> funnel = Funnel("checkout", steps=("cart",), sink=MemorySink())
        >>> funnel.checkout("c-1").enter("cart", value=(59.90, "EUR"))
        >>> funnel.checkout(None).enter("cart")
        >>> funnel.stats.accepted, funnel.stats.flawed, funnel.stats.rejected
        (1, {'float_amount': 1}, {'no_checkout_id': 1})

    .. versionadded:: 0.1.0
    """

    accepted: int
    rejected: Mapping[str, int]
    dropped: Mapping[str, int]
    flawed: Mapping[str, int]
    undelivered: Mapping[str, int]


class Funnel(Generic[S]):
    """The steps of one checkout, and where its events go.

    Make one at module level, before any fork: it opens no file and starts no thread.

    Args:
        name: Its name in the log.
        steps: In order: names, `Step` objects, or an Enum class whose values are the names.
        sink: Where events go: one sink or several.
        abandon_after: An attempt that is idle for longer is abandoned.
        recover_within: An order after an abandonment counts as recovered within this time.
        on_error: Called with every error; what it raises, the call raises.
        before_emit: Hooks, called in order with each event that the shop records; each returns
            the event, another one, or None to drop it.
        clock: Gives the present as an aware datetime; for tests and demonstrations.

    Raises:
        ConfigError: A setting cannot be used; the message names it.

    Example:
        >>> from lastclick.sinks import MemorySink
        >>> sink = MemorySink()
        >>> funnel = Funnel("checkout", steps=("cart", "details", "payment"), sink=sink)
        >>> checkout = funnel.checkout("c-1042", customer_id="u-7")
        >>> checkout.enter("cart", value=Money("59.90", "EUR"))
        >>> checkout.complete(order_id="o-981", total=Money("59.90", "EUR"))
        >>> [event.type for event in sink.events]
        ['step_entered', 'order_completed']

    .. versionadded:: 0.1.0
    """

    # Two ways in, so that mypy finds S in a `Step[S]` rather than taking the `Step[S]` for S.
    @overload
    def __init__(
        self,
        name: str,
        *,
        steps: Sequence[Step[S]],
        sink: Sink | Sequence[Sink],
        abandon_after: timedelta = ...,
        recover_within: timedelta = ...,
        on_error: Callable[[LastclickError], object] = ...,
        before_emit: Sequence[Hook] = ...,
        clock: Callable[[], datetime] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self,
        name: str,
        *,
        steps: type[S] | Sequence[S | Step[S]],
        sink: Sink | Sequence[Sink],
        abandon_after: timedelta = ...,
        recover_within: timedelta = ...,
        on_error: Callable[[LastclickError], object] = ...,
        before_emit: Sequence[Hook] = ...,
        clock: Callable[[], datetime] | None = ...,
    ) -> None: ...

    def __init__(
        self,
        name: str,
        *,
        steps: type[S] | Sequence[S | Step[S]],
        sink: Sink | Sequence[Sink],
        abandon_after: timedelta = timedelta(minutes=30),
        recover_within: timedelta = timedelta(days=7),
        on_error: Callable[[LastclickError], object] = log_errors,
        before_emit: Sequence[Hook] = (),
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._sinks = checked_sinks(sink)
        self._on_error = checked_callable("on_error", on_error)
        self._hooks = checked_hooks(before_emit)
        self._clock = checked_callable("clock", clock) if clock is not None else _now
        try:
            self._name = id_text("name", name)
            constructed = utc(self._clock())
        except EventError as error:
            raise ConfigError(str(error)) from None
        checked = checked_steps(steps)
        check_limits(abandon_after, recover_within)
        check_keeping(self._sinks, abandon_after, recover_within)
        self._declaration = FunnelDeclared(
            event_id=new_id(),
            funnel=self._name,
            occurred_at=constructed,
            steps=checked,
            abandon_after=abandon_after,
            recover_within=recover_within,
        )
        self._names: dict[object, str] = {step.name: step.name for step in checked}
        if isinstance(steps, type) and issubclass(steps, Enum):
            self._names |= {member: member.value for member in steps}
        if self._hooks:  # pydantic builds what checks their events now, not at the first request
            parse_line(self._declaration.line)
        quick = clock is None and not self._hooks
        self._usual = {
            step: (name, to_json({"step": name})) for step, name in self._names.items() if quick
        }
        self._nobody = Who(Bound(self._name), NO_ATTRIBUTES, (), None)
        self._closed = False
        self._start_process()
        _funnels.add(self)

    def _start_process(self) -> None:
        """Forget what belonged to the parent: a lock it may hold, its counts, its declaration."""
        # Re-entrant: a finalizer or a signal handler may record while this thread counts.
        self._lock = threading.RLock()
        self._declaring = threading.RLock()
        self._declared: bool | None = False
        self._accepted = count()
        self._asked = 0
        self._counts: dict[str, Counter[str]] = {
            kind: Counter() for kind in ("rejected", "dropped", "flawed", "undelivered")
        }

    @property
    def name(self) -> str:
        """Its name in the log."""
        return self._name

    @property
    def declaration(self) -> FunnelDeclared:
        """What this funnel is, as the event written before the first of each process."""
        return self._declaration

    @property
    def stats(self) -> FunnelStats:
        """What was accepted, rejected and dropped in this process."""
        with self._lock:
            counts = {kind: dict(counter) for kind, counter in self._counts.items()}
            accepted = next(self._accepted) - self._asked  # asking steps it, too
            self._asked += 1
        return FunnelStats(accepted=accepted, **counts)

    def checkout(
        self,
        checkout_id: Id | None,
        customer_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> Checkout[S]:
        """A handle bound to one attempt; make one for each request. Never raises.

        Args:
            checkout_id: The shop's own id of the attempt.
            customer_id: The shop's own id of the customer, where known.
            attributes: Flat facts about the attempt (str, int, bool or None), on every event.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> funnel = Funnel("checkout", steps=("cart",), sink=MemorySink())
            >>> funnel.checkout(1042, attributes={"device": "mobile"})
            Checkout('1042', funnel='checkout')

        .. versionadded:: 0.1.0
        """
        return Checkout(self, checkout_id, customer_id, attributes)

    def refund(
        self,
        order_id: Id,
        amount: Price,
        refund_id: Id | None = None,
        *,
        at: datetime | None = None,
        event_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Record that money went back. Joined to its order when read; needs no checkout.

        Args:
            order_id: The order's id, as it was completed.
            amount: What went back, in the order's currency.
            refund_id: The refund's own id: the same refund told twice counts once.
            at: When, if not now; an aware datetime.
            event_id: The event's id, if there is a natural one.
            attributes: Flat facts about this event.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> sink = MemorySink()
            >>> funnel = Funnel("checkout", steps=("cart",), sink=sink)
            >>> funnel.refund("o-981", Money("10.00", "EUR"))
            >>> sink.events[0].amount
            Money('10.00', 'EUR')

        .. versionadded:: 0.1.0
        """

        def own(flaws: list[EventError]) -> dict[str, Any]:
            fields: dict[str, Any] = {"order_id": id_text("order_id", order_id)}
            put(fields, flaws, "refund_id", refund_id, optional_id("refund_id"))
            put(fields, flaws, "amount", amount, present("amount"))
            return fields

        self._record(OrderRefunded, self._nobody, own, at, event_id, attributes)

    def cancel(
        self,
        order_id: Id,
        *,
        at: datetime | None = None,
        event_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Record that an order was called off. Say it as often as you like; needs no checkout.

        It stays an order of the checkout, which worked; what refunds left of its money is taken
        out of the revenue, and shown apart from them.

        Args:
            order_id: The order's id, as it was completed.
            at: When, if not now; an aware datetime.
            event_id: The event's id, if there is a natural one.
            attributes: Flat facts about this event.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> sink = MemorySink()
            >>> funnel = Funnel("checkout", steps=("cart",), sink=sink)
            >>> funnel.cancel("o-981")
            >>> sink.events[0].order_id
            'o-981'

        .. versionadded:: 0.1.0
        """

        def own(flaws: list[EventError]) -> dict[str, Any]:  # noqa: ARG001 - no part can be flawed
            return {"order_id": id_text("order_id", order_id)}

        self._record(OrderCancelled, self._nobody, own, at, event_id, attributes)

    def flush(self, timeout: float = 2.0) -> bool:
        """Have the sinks write what they hold.

        Args:
            timeout: Seconds to wait at most, over all sinks.

        Returns:
            Whether nothing is pending.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> Funnel("checkout", steps=("cart",), sink=MemorySink()).flush(timeout=0.5)
            True

        .. versionadded:: 0.1.0
        """
        return self._each_sink("flush", timeout)

    def close(self, timeout: float = 2.0) -> bool:
        """Flush, and close the sinks. Nothing rests on this being called; twice does no harm.

        Args:
            timeout: Seconds to wait at most, over all sinks.

        Returns:
            Whether nothing is pending.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> funnel = Funnel("checkout", steps=("cart",), sink=MemorySink())
            >>> funnel.close()
            True
            >>> funnel.checkout("c-1").enter("cart")
            >>> funnel.stats.rejected
            {'closed': 1}

        .. versionadded:: 0.1.0
        """
        self._closed = True
        return self._each_sink("close", timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @override
    def __repr__(self) -> str:
        names = ", ".join(step.name for step in self._declaration.steps)
        return f"Funnel({self._name!r}, steps=({names}))"

    def _each_sink(self, verb: Literal["flush", "close"], timeout: float) -> bool:
        done = True
        errors: list[LastclickError] = []
        try:
            deadline = time.monotonic() + timeout
        except TypeError:  # it may stand in a request
            errors.append(ConfigError(f"timeout is {shown(timeout)}; pass seconds, such as 2.0"))
            deadline = time.monotonic()
        # All begin now, so that a slow one takes no time from those after it.
        for sink in self._sinks[1:]:
            with suppress(Exception):  # it will be told below
                sink.flush(0.0)
        for sink in self._sinks:
            left = max(0.0, deadline - time.monotonic())
            try:
                done = bool(getattr(sink, verb)(left)) and done
            except Exception as error:  # noqa: BLE001 - somebody else's sink; reported below
                done = False
                errors.append(_undelivered(sink, error))
        for told in errors:
            self._on_error(told)
        return done

    # The request path: everything below counts and reports, and never raises by itself.

    def _record(
        self,
        kind: "type[Any]",
        who: Who,
        own: Callable[[list[EventError]], dict[str, Any]],
        at: datetime | None,
        event_id: Id | None,
        attributes: Mapping[str, object] | None,
    ) -> None:
        flaws: list[EventError] = []
        errors: list[LastclickError] = []
        try:
            event = self._event(kind, who, own, flaws, at, event_id, attributes)
            kept = self._hooked(event, errors) if self._hooks else event
            if kept is not None:
                next(self._accepted)  # one step of C: no thread's event is missed
                self._emit(kept, errors)
                for flaw in flaws:
                    self._tell(flaw, "flawed", errors)
        except EventError as error:
            self._tell(error, "rejected", errors)
        except Exception as error:  # noqa: BLE001 - a checkout goes on whatever is wrong in here
            msg = f"could not record {kind.__name__}: {shown(error)}"
            unexpected = EventError(msg, "unexpected")
            self._tell(unexpected, "rejected", errors)
        for told in errors:
            self._on_error(told)

    def _entered(self, who: Who, step: object, value: object) -> bool:
        """Record the commonest call by the shortest way; False sends it the long way.

        That is: a known step, at this moment, its money usual or none, nothing flawed, no hooks.
        """
        try:
            name, json = self._usual[step]
            if value is not None:
                money = price_json(value)
                if money is None:
                    return False
                own = {"step": name, "value": value}
                json = b"".join((json[:-1], b',"value":', money, b"}"))
            else:
                own = {"step": name}
            if self._closed or who.flaws or who.fault is not None:
                return False
            event = trusted(StepEntered, who.bound, new_id(), datetime.now(UTC), own, json)
            if len(event.line) > MAX_LINE_BYTES:
                return False
        except Exception:  # noqa: BLE001 - the long way finds out what is wrong, and tells
            return False
        errors: list[LastclickError] = []
        next(self._accepted)
        self._emit(event, errors)
        if errors:
            for told in errors:
                self._on_error(told)
        return True

    def _event(
        self,
        kind: "type[Any]",
        who: Who,
        own: Callable[[list[EventError]], dict[str, Any]],
        flaws: list[EventError],
        at: datetime | None,
        event_id: Id | None,
        attributes: Mapping[str, object] | None,
    ) -> ShopperEvent:
        if self._closed:
            raise EventError(f"funnel {self._name!r} is closed; record before close()", "closed")
        if who.fault is not None:
            raise EventError(str(who.fault), who.fault.reason)
        fields = own(flaws)
        now = self._clock()
        if at is not None or type(now) is not datetime or now.tzinfo is not UTC:
            now = self._when(at, now)
        if event_id is None:
            event_id = new_id()
        else:
            try:
                event_id = id_text("event_id", event_id)
            except Exception as error:  # noqa: BLE001 - an id may be an object with its own code
                flaws.append(as_flaw("event_id", error))
                event_id = new_id()
        flaws.extend(who.flaws)
        bound = who.bound
        if attributes is not None:
            bound = who.with_attributes(self._name, attributes, flaws)
        event: ShopperEvent = trusted(kind, bound, event_id, now, fields)
        check_size(event)
        return event

    def _when(self, at: datetime | None, now: datetime) -> datetime:
        now = utc(now)
        if at is None:
            return now
        when = utc(at)
        if when > now + _TOO_FAR_AHEAD:
            msg = (
                f"a time in the future: {when.isoformat()} is more than a day after now, "
                f"{now.isoformat()}; pass when it happened, or leave at= out"
            )
            raise EventError(msg, "future_time")
        return when

    def _hooked(self, event: ShopperEvent, errors: list[LastclickError]) -> ShopperEvent | None:
        for hook in self._hooks:
            try:
                result = hook(event)
            except Exception as error:  # noqa: BLE001 - a hook that fails to redact must not leak
                self._drop(hook, f"it raised {shown(error)}", "hook_failed", errors)
                return None
            if result is None:
                self._count("dropped", "dropped_by_hook")
                self._write_loss("dropped_by_hook", errors, kept=False)
                return None
            if result is not event:
                try:
                    event = checked_event(result)
                except Exception as error:  # noqa: BLE001 - what a hook returns may be anything
                    told = error if isinstance(error, EventError) else shown(error)
                    self._drop(hook, f"it returned {told}", "hook_nonsense", errors)
                    return None
        return event

    def _drop(self, hook: Hook, what: str, reason: str, errors: list[LastclickError]) -> None:
        msg = (
            f"before_emit hook {getattr(hook, '__qualname__', shown(hook))} failed and its event "
            f"was dropped: {what}; a hook returns an event, or None to drop it"
        )
        self._tell(EventError(msg, reason), "dropped", errors)

    def _emit(self, event: Event, errors: list[LastclickError]) -> None:
        if not self._declared:
            self._declare(errors)
        for sink in self._sinks:
            try:
                sink.emit(event)
            except Exception as error:  # noqa: BLE001 - one failing sink never starves another
                told = _undelivered(sink, error)
                errors.append(told)
                if isinstance(event, SHOPPER_EVENTS):
                    self._count("undelivered", told.reason)

    def _declare(self, errors: list[LastclickError]) -> None:
        """Emit the declaration once; other threads wait, so that it is before their events."""
        with self._declaring:
            if self._declared is not False:  # done, or a sink that records while it is declared to
                return
            self._declared = None
            try:
                for sink in self._sinks:
                    try:
                        sink.emit(self._declaration)
                    except Exception as error:  # noqa: BLE001 - as in _emit
                        errors.append(_undelivered(sink, error))
            finally:
                self._declared = True

    def _tell(self, error: EventError, kind: str, errors: list[LastclickError]) -> None:
        """Count it, write it to the log, and have it reported."""
        errors.append(error)
        self._count(kind, error.reason)
        if not isinstance(error, UnknownStepError) and not self._closed:
            self._write_loss(error.reason, errors, kept=kind == "flawed")

    def _write_loss(self, reason: str, errors: list[LastclickError], *, kept: bool) -> None:
        try:
            now = utc(self._clock())
        except Exception:  # noqa: BLE001 - a clock that fails is told of where an event needs it
            now = _now()
        loss = EventsLost(
            event_id=new_id(),
            funnel=self._name,
            occurred_at=now,
            source="funnel",
            reason=reason,
            count=1,
            since=now,
            until=now,
            kept=kept,
        )
        self._emit(loss, errors)

    def _count(self, kind: str, reason: str) -> None:
        with self._lock:
            self._counts[kind][reason] += 1


_funnels: "weakref.WeakSet[Funnel[Any]]" = weakref.WeakSet()


def _forked() -> None:
    for funnel in list(_funnels):
        funnel._start_process()


register_at_fork(after_in_child=_forked)


def _now() -> datetime:
    return datetime.now(UTC)


def _undelivered(sink: Sink, error: Exception) -> DeliveryError:
    if isinstance(error, DeliveryError):
        return error
    return DeliveryError(f"{shown(sink)} failed: {shown(error)}", "sink_failed")
