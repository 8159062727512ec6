"""The write half: a funnel, and the handle through which a checkout tells it what happened.

In the request path nothing here raises and nothing waits for a network: what cannot be kept is
counted, reported to ``on_error`` and written to the log as `EventsLost`.
"""

import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from itertools import count
from os import register_at_fork
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeAlias, get_args, overload
from uuid import UUID

import attrs
from pydantic_core import to_json
from typing_extensions import override

from lastclick._money import Money
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
    MAX_ATTRIBUTES,
    MAX_LINE_BYTES,
    NO_ATTRIBUTES,
    ORDER,
    Attributes,
    Bound,
    Event,
    EventsLost,
    FunnelDeclared,
    HoldoutAssigned,
    OrderCompleted,
    OrderRefunded,
    ReminderClicked,
    ReminderSent,
    S,
    ShopperEvent,
    Step,
    StepEntered,
    StepFailed,
    attribute,
    id_text,
    new_id,
    not_a_mapping,
    parse_line,
    price,
    price_json,
    step_name,
    trusted,
    utc,
)
from lastclick.sinks._sink import Sink

__all__ = ["Checkout", "Funnel", "FunnelStats"]

_TOO_FAR_AHEAD = timedelta(days=1)
_SHOPPER_EVENTS = get_args(ShopperEvent)

Id: TypeAlias = str | int | UUID
Price: TypeAlias = Money | tuple[Decimal | str | int, str]
Hook: TypeAlias = Callable[[ShopperEvent], ShopperEvent | None]


@attrs.frozen
class FunnelStats:
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
        self._sinks = _checked_sinks(sink)
        self._on_error = _checked_callable("on_error", on_error)
        self._hooks = _checked_hooks(before_emit)
        self._clock = _checked_callable("clock", clock) if clock is not None else _now
        try:
            self._name = id_text("name", name)
            constructed = utc(self._clock())
        except EventError as error:
            raise ConfigError(str(error)) from None
        checked = _checked_steps(steps)
        _check_limits(abandon_after, recover_within)
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
        quick = clock is None and not self._hooks
        self._usual = {
            step: (name, to_json({"step": name})) for step, name in self._names.items() if quick
        }
        self._refunds = Bound(self._name)
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
    ) -> "Checkout[S]":
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
            _put(fields, flaws, "refund_id", refund_id, _optional_id("refund_id"))
            _put(fields, flaws, "amount", amount, _present("amount"))
            return fields

        who = _Who(self._refunds, NO_ATTRIBUTES, (), None)
        self._record(OrderRefunded, who, own, at, event_id, attributes)

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
        deadline = time.monotonic() + timeout
        done = True
        errors: list[LastclickError] = []
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
        who: "_Who",
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
                self._keep(kept, errors)
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

    def _entered(self, who: "_Who", step: object, value: object) -> bool:
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
                json = b'%b,"value":%b}' % (json[:-1], money)
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
        self._keep(event, errors)
        for told in errors:
            self._on_error(told)
        return True

    def _event(
        self,
        kind: "type[Any]",
        who: "_Who",
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
                flaws.append(_as_flaw("event_id", error))
                event_id = new_id()
        flaws.extend(who.flaws)
        bound = who.bound
        if attributes is not None:
            bound = who.with_attributes(self._name, attributes, flaws)
        event: ShopperEvent = trusted(kind, bound, event_id, now, fields)
        _check_size(event)
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
                    event = _checked_event(result)
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

    def _keep(self, event: ShopperEvent, errors: list[LastclickError]) -> None:
        next(self._accepted)  # one step of C: no thread's event is missed
        self._emit(event, errors)

    def _emit(self, event: Event, errors: list[LastclickError]) -> None:
        if not self._declared:
            self._declare(errors)
        for sink in self._sinks:
            try:
                sink.emit(event)
            except Exception as error:  # noqa: BLE001 - one failing sink never starves another
                told = _undelivered(sink, error)
                errors.append(told)
                if isinstance(event, _SHOPPER_EVENTS):
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


@attrs.frozen
class _Who:
    """Who an event is about, checked once: the part of a handle that `Funnel` reads."""

    bound: Bound
    attributes: Attributes
    flaws: tuple[EventError, ...]
    fault: EventError | None

    def with_attributes(
        self, funnel: str, more: Mapping[str, object], flaws: list[EventError]
    ) -> Bound:
        attributes = _usable_attributes(more, flaws, self.attributes)
        known = {key: value for key, value in self.bound.fields.items() if key != "funnel"}
        known.pop("attributes", None)
        if attributes:
            known["attributes"] = attributes
        return Bound(funnel, **known)


class Checkout(Generic[S]):
    """A handle bound to one attempt to pay. Frozen; no verb of it raises.

    Get one from `Funnel.checkout`. Every verb takes ``at=`` (an aware datetime, for backfills and
    webhooks), ``event_id=`` (a natural key, where there is one) and ``attributes=`` (facts about
    this event alone). Money is a `Money` or the pair of its two parts; a pair is checked inside,
    where nothing raises.

    Example:
        >>> from lastclick.sinks import MemorySink
        >>> sink = MemorySink()
        >>> funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink)
        >>> checkout = funnel.checkout("c-1", attributes={"device": "mobile"})
        >>> checkout.enter("cart", value=("59.90", "EUR"), attributes={"items": 3})
        >>> dict(sink.events[0].attributes)
        {'device': 'mobile', 'items': 3}

    .. versionadded:: 0.1.0
    """

    __slots__ = ("_checkout_id", "_funnel", "_who")

    def __init__(
        self,
        funnel: Funnel[S],
        checkout_id: object,
        customer_id: object,
        attributes: Mapping[str, object] | None,
    ) -> None:
        flaws: list[EventError] = []
        fault = None
        known: dict[str, object] = {}
        try:
            known["checkout_id"] = id_text("checkout_id", checkout_id)
        except Exception as error:  # noqa: BLE001 - an id may be an object with code of its own
            fault = _as_flaw("checkout_id", error)
        if customer_id is not None:
            _put(known, flaws, "customer_id", customer_id, _optional_id("customer_id"))
        usable = NO_ATTRIBUTES
        if attributes is not None:
            usable = _usable_attributes(attributes, flaws)
        if usable:
            known["attributes"] = usable
        self._funnel = funnel
        self._checkout_id = known.get("checkout_id")
        self._who = _Who(Bound(funnel.name, **known), usable, tuple(flaws), fault)

    def enter(
        self,
        step: S,
        value: Price | None = None,
        *,
        at: datetime | None = None,
        event_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Record that the shopper saw a step.

        Args:
            step: One of the funnel's steps.
            value: What is in the cart now.
            at: When, if not now; an aware datetime.
            event_id: The event's id, if there is a natural one.
            attributes: Flat facts about this event.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> sink = MemorySink()
            >>> funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink)
            >>> funnel.checkout("c-1").enter("cart", value=("59.90", "EUR"))
            >>> sink.events[0].step, sink.events[0].value
            ('cart', Money('59.90', 'EUR'))

        .. versionadded:: 0.1.0
        """
        plain = at is None and event_id is None and attributes is None
        if plain and self._funnel._entered(self._who, step, value):
            return

        def own(flaws: list[EventError]) -> dict[str, Any]:
            fields: dict[str, Any] = {"step": self._step(step, flaws)}
            if value is not None:
                _put(fields, flaws, "value", value, price)
            return fields

        self._funnel._record(StepEntered, self._who, own, at, event_id, attributes)

    def fail(
        self,
        step: S,
        reason: str,
        value: Price | None = None,
        *,
        at: datetime | None = None,
        event_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Record that a step went wrong for the shopper.

        Args:
            step: One of the funnel's steps.
            reason: A code such as ``"card_declined"``, or free text of at most 256 characters.
            value: What is in the cart now.
            at: When, if not now; an aware datetime.
            event_id: The event's id, if there is a natural one.
            attributes: Flat facts about this event.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> sink = MemorySink()
            >>> funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink)
            >>> funnel.checkout("c-1").fail("payment", reason="card_declined")
            >>> sink.events[0].reason
            'card_declined'

        .. versionadded:: 0.1.0
        """

        def own(flaws: list[EventError]) -> dict[str, Any]:
            fields: dict[str, Any] = {"step": self._step(step, flaws)}
            fields["reason"] = _code("reason", reason, flaws)
            if value is not None:
                _put(fields, flaws, "value", value, price)
            return fields

        self._funnel._record(StepFailed, self._who, own, at, event_id, attributes)

    def complete(
        self,
        order_id: Id,
        total: Price,
        *,
        at: datetime | None = None,
        event_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Record the order. Say it as often as you like: an order counts once, by its id.

        Args:
            order_id: The shop's own id of the order.
            total: What the shopper pays.
            at: When, if not now; an aware datetime.
            event_id: The event's id, if there is a natural one.
            attributes: Flat facts about this event.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> sink = MemorySink()
            >>> funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink)
            >>> funnel.checkout("c-1").complete("o-981", Money("59.90", "EUR"))
            >>> sink.events[0].order_id
            'o-981'

        .. versionadded:: 0.1.0
        """

        def own(flaws: list[EventError]) -> dict[str, Any]:
            fields: dict[str, Any] = {"order_id": id_text("order_id", order_id)}
            _put(fields, flaws, "total", total, _present("total"))
            return fields

        self._funnel._record(OrderCompleted, self._who, own, at, event_id, attributes)

    def assign(
        self,
        arm: Literal["treated", "holdout"],
        campaign: str | None = None,
        *,
        at: datetime | None = None,
        event_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Record which arm of an experiment this shopper was drawn into, messaged or not.

        Args:
            arm: ``"treated"`` or ``"holdout"``.
            campaign: Which campaign the experiment is about.
            at: When, if not now; an aware datetime.
            event_id: The event's id, if there is a natural one.
            attributes: Flat facts about this event.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> sink = MemorySink()
            >>> funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink)
            >>> funnel.checkout("c-1").assign("holdout", campaign="autumn")
            >>> sink.events[0].arm
            'holdout'

        .. versionadded:: 0.1.0
        """

        def own(flaws: list[EventError]) -> dict[str, Any]:
            name = step_name(arm)
            if not isinstance(name, str) or name not in ("treated", "holdout"):
                msg = f"arm is {shown(arm)}; pass 'treated' or 'holdout'"
                raise EventError(msg, "bad_arm")
            fields: dict[str, Any] = {"arm": str.__str__(name)}
            _put(fields, flaws, "campaign", campaign, _optional_id("campaign"))
            return fields

        self._funnel._record(HoldoutAssigned, self._who, own, at, event_id, attributes)

    def remind(
        self,
        channel: str,
        campaign: str | None = None,
        *,
        at: datetime | None = None,
        event_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Record that a reminder went out.

        Args:
            channel: ``"email"``, ``"sms"``, ``"push"``, ...
            campaign: Which campaign it belongs to.
            at: When, if not now; an aware datetime.
            event_id: The event's id, if there is a natural one.
            attributes: Flat facts about this event.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> sink = MemorySink()
            >>> funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink)
            >>> funnel.checkout("c-1").remind("email", campaign="autumn")
            >>> sink.events[0].type
            'reminder_sent'

        .. versionadded:: 0.1.0
        """
        own = _message(channel, campaign)
        self._funnel._record(ReminderSent, self._who, own, at, event_id, attributes)

    def click(
        self,
        channel: str,
        campaign: str | None = None,
        *,
        at: datetime | None = None,
        event_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Record that the shopper came back through a reminder's link.

        Args:
            channel: ``"email"``, ``"sms"``, ``"push"``, ...
            campaign: Which campaign it belongs to.
            at: When, if not now; an aware datetime.
            event_id: The event's id, if there is a natural one.
            attributes: Flat facts about this event.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> sink = MemorySink()
            >>> funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink)
            >>> funnel.checkout("c-1").click("email", campaign="autumn")
            >>> sink.events[0].type
            'reminder_clicked'

        .. versionadded:: 0.1.0
        """
        own = _message(channel, campaign)
        self._funnel._record(ReminderClicked, self._who, own, at, event_id, attributes)

    def _step(self, step: object, flaws: list[EventError]) -> str:
        names = self._funnel._names
        try:
            return names[step]
        except (KeyError, TypeError):  # unknown, another spelling of a known one, or unhashable
            pass
        name = id_text("step", step.name if isinstance(step, Step) else step)
        if name not in names:
            steps = ", ".join(step.name for step in self._funnel.declaration.steps)
            flaws.append(UnknownStepError(f"unknown step {shown(name)}; this funnel has {steps}"))
        return name

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, "_who"):
            msg = f"a checkout handle is frozen; make another with funnel.checkout() to set {name}"
            raise AttributeError(msg)
        super().__setattr__(name, value)

    @override
    def __repr__(self) -> str:
        return f"Checkout({self._checkout_id!r}, funnel={self._funnel.name!r})"


_funnels: "weakref.WeakSet[Funnel[Any]]" = weakref.WeakSet()


def _forked() -> None:
    for funnel in list(_funnels):
        funnel._start_process()


register_at_fork(after_in_child=_forked)


def _now() -> datetime:
    return datetime.now(UTC)


# Parts of an event: what is flawed is left out, and told ------------------------------------------


def _put(
    fields: dict[str, Any],
    flaws: list[EventError],
    name: str,
    value: object,
    check: Callable[[object], object],
) -> None:
    try:
        checked = check(value)
    except Exception as error:  # noqa: BLE001 - a value may be an object with code of its own
        flaws.append(_as_flaw(name, error))
    else:
        if checked is not None:
            fields[name] = checked


def _undelivered(sink: Sink, error: Exception) -> DeliveryError:
    if isinstance(error, DeliveryError):
        return error
    return DeliveryError(f"{shown(sink)} failed: {shown(error)}", "sink_failed")


def _as_flaw(name: str, error: Exception) -> EventError:
    if isinstance(error, EventError):
        text = str(error)
        return error if name in text else EventError(f"{name}: {text}", error.reason)
    msg = f"{name} could not be read: {shown(error)}; pass plain values"
    return EventError(msg, f"bad_{name}")


def _optional_id(name: str) -> Callable[[object], str | None]:
    return lambda value: None if value is None else id_text(name, value)


def _present(name: str) -> Callable[[object], Money]:
    def check(value: object) -> Money:
        money = price(value)
        if money is None:
            msg = f'{name} is None; pass Money("59.90", "EUR") or the pair ("59.90", "EUR")'
            raise EventError(msg, f"no_{name}")
        return money

    return check


def _code(name: str, value: object, flaws: list[EventError]) -> str:
    try:
        return id_text(name, value)
    except Exception as error:  # noqa: BLE001 - a code may be an object with code of its own
        flaws.append(_as_flaw(name, error))
        return "unspecified"


def _message(channel: object, campaign: object) -> Callable[[list[EventError]], dict[str, Any]]:
    def own(flaws: list[EventError]) -> dict[str, Any]:
        fields: dict[str, Any] = {"channel": _code("channel", channel, flaws)}
        _put(fields, flaws, "campaign", campaign, _optional_id("campaign"))
        return fields

    return own


def _usable_attributes(
    values: object, flaws: list[EventError], known: Attributes = NO_ATTRIBUTES
) -> Attributes:
    """What can be kept of the values, added to what is known; a mapping may have its own code."""
    usable = dict(known)
    try:
        if not isinstance(values, Mapping):
            raise not_a_mapping(values)
        for name, value in values.items():
            if len(usable) == MAX_ATTRIBUTES and name not in usable:
                msg = (
                    f"more than {MAX_ATTRIBUTES} attributes: {shown(name)} and what follows it "
                    f"are left out; pass the {MAX_ATTRIBUTES} that you need"
                )
                flaws.append(EventError(msg, "too_many_attributes"))
                break
            try:
                usable[name] = attribute(name, value)
            except Exception as error:  # noqa: BLE001 - see above
                flaws.append(_as_flaw("attribute", error))
    except Exception as error:  # noqa: BLE001 - see above
        flaws.append(_as_flaw("attributes", error))
    attributes = Attributes()
    dict.update(attributes, usable)  # past the guard of a read-only dict: each was checked above
    return attributes


def _check_size(event: ShopperEvent) -> None:
    if len(event.line) > MAX_LINE_BYTES:
        msg = (
            f"{event.type} of {len(event.line)} bytes, more than the {MAX_LINE_BYTES} of a line; "
            f"shorten its attributes"
        )
        raise EventError(msg, "too_large")


def _checked_event(result: Any) -> ShopperEvent:
    """What a hook gave back, if it is an event that could have been recorded."""
    if not isinstance(result, _SHOPPER_EVENTS):
        raise EventError(f"{type(result).__name__}: {shown(result)}")
    try:
        event = parse_line(result.line)
    except EventError as error:
        raise EventError(f"an event that is not valid: {error}") from None
    assert not isinstance(event, FunnelDeclared | EventsLost)
    _check_size(event)
    return event


# Settings: wrong ones raise at once ---------------------------------------------------------------


def _checked_sinks(sink: Any) -> tuple[Sink, ...]:
    one = isinstance(sink, Sink | str | bytes) or not isinstance(sink, Iterable)
    sinks = (sink,) if one else tuple(sink)
    wrong = [one for one in sinks if isinstance(one, type) or not isinstance(one, Sink)]
    if wrong or not sinks:
        found = shown(wrong[0]) if wrong else "none"
        msg = f"sink: {found}; pass one sink or several, such as FileSink('var/lastclick')"
        raise ConfigError(msg)
    return sinks


def _checked_callable(name: str, value: Any) -> Any:
    if not callable(value):
        raise ConfigError(f"{name} is {shown(value)}; pass a callable")
    return value


def _checked_hooks(hooks: object) -> tuple[Hook, ...]:
    if not isinstance(hooks, Iterable):
        msg = f"before_emit: {shown(hooks)}; pass several hooks: before_emit=(redact('email'),)"
        raise ConfigError(msg)
    return tuple(_checked_callable("each hook of before_emit", hook) for hook in hooks)


def _checked_steps(steps: object) -> tuple[Step[Any], ...]:
    if isinstance(steps, str | bytes):
        msg = f"steps is one string, {shown(steps)}; pass several: steps=('cart', 'payment')"
        raise ConfigError(msg)
    in_order = isinstance(steps, Sequence) or (isinstance(steps, type) and issubclass(steps, Enum))
    if not in_order or not isinstance(steps, Iterable):
        msg = f"steps: {shown(steps)}; pass names or Steps in order, or an Enum class"
        raise ConfigError(msg)
    try:
        checked = tuple(step if isinstance(step, Step) else Step(step) for step in steps)
    except EventError as error:
        raise ConfigError(f"steps: {error}") from None
    names = [step.name for step in checked]
    if not names:
        raise ConfigError("a funnel needs at least one step, such as steps=('cart', 'payment')")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ConfigError(f"step {twice[0]!r} is named twice; give each step a name of its own")
    if ORDER in names:
        msg = f"no step may be named {ORDER!r}: it stands for the purchase itself; use complete()"
        raise ConfigError(msg)
    return checked


def _check_limits(abandon_after: object, recover_within: object) -> None:
    for name, value in (("abandon_after", abandon_after), ("recover_within", recover_within)):
        if not isinstance(value, timedelta) or value <= timedelta(0):
            msg = f"{name} is {shown(value)}; pass a timedelta above zero"
            raise ConfigError(msg)
    assert isinstance(abandon_after, timedelta)
    assert isinstance(recover_within, timedelta)
    if recover_within < abandon_after:
        msg = (
            f"recover_within ({recover_within}) is below abandon_after ({abandon_after}); "
            f"make it at least as long"
        )
        raise ConfigError(msg)
