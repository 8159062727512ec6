"""The handle through which a checkout tells what happened to one attempt."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeAlias
from uuid import UUID

from typing_extensions import override

from lastclick._holdout import Arm
from lastclick._money import Money
from lastclick._parts import (
    as_flaw,
    code,
    free_text,
    message,
    optional_id,
    present,
    put,
    score_of,
    usable_attributes,
)
from lastclick.errors import EventError, UnknownStepError, shown
from lastclick.events import (
    NO_ATTRIBUTES,
    Attributes,
    Bound,
    HoldoutAssigned,
    OrderCompleted,
    ReminderClicked,
    ReminderSent,
    S,
    Step,
    StepEntered,
    StepFailed,
    SurveyAnswered,
    id_text,
    price,
    step_name,
)

if TYPE_CHECKING:
    from lastclick._funnel import Funnel

Id: TypeAlias = str | int | UUID
Price: TypeAlias = Money | tuple[Decimal | str | int, str]


class Who(NamedTuple):
    """Who an event is about, checked once: the part of a handle that `Funnel` reads."""

    bound: Bound
    attributes: Attributes
    flaws: tuple[EventError, ...]
    fault: EventError | None

    def with_attributes(
        self, funnel: str, more: Mapping[str, object], flaws: list[EventError]
    ) -> Bound:
        attributes = usable_attributes(more, flaws, self.attributes)
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
        funnel: "Funnel[S]",
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
            fault = as_flaw("checkout_id", error)
        if customer_id is not None:
            put(known, flaws, "customer_id", customer_id, optional_id("customer_id"))
        usable = NO_ATTRIBUTES
        if attributes is not None:
            usable = usable_attributes(attributes, flaws)
        if usable:
            known["attributes"] = usable
        self._funnel = funnel
        self._checkout_id = known.get("checkout_id")
        self._who = Who(Bound(funnel.name, **known), usable, tuple(flaws), fault)

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
                put(fields, flaws, "value", value, price)
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
            fields["reason"] = code("reason", reason, flaws)
            if value is not None:
                put(fields, flaws, "value", value, price)
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
            put(fields, flaws, "total", total, present("total"))
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
            arm: What `Holdout.arm` gave, or ``"treated"`` or ``"holdout"``.
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
            put(fields, flaws, "campaign", campaign, optional_id("campaign"))
            if isinstance(arm, Arm):
                fields["share"] = arm.share
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
        own = message(channel, campaign)
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
        own = message(channel, campaign)
        self._funnel._record(ReminderClicked, self._who, own, at, event_id, attributes)

    def survey(
        self,
        *,
        score: int | None = None,
        reason: str | None = None,
        text: str | None = None,
        at: datetime | None = None,
        event_id: Id | None = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Record what a shopper answered, after the order or on the way out. Give one part or more.

        Args:
            score: How satisfied, from 1 to 5.
            reason: Why they leave: a code of `lastclick.events.SurveyReason`, or one of yours.
            text: What they wrote, at most 4,096 characters. No report shows it, and `journeys`
                does not either; it may name people.
            at: When, if not now; an aware datetime.
            event_id: The event's id, if there is a natural one.
            attributes: Flat facts about this event.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> sink = MemorySink()
            >>> funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink)
            >>> funnel.checkout("c-1").survey(reason="extra_costs", text="Shipping is 9 euro!")
            >>> sink.events[0].reason
            'extra_costs'

        .. versionadded:: 0.1.0
        """

        def own(flaws: list[EventError]) -> dict[str, Any]:
            fields: dict[str, Any] = {}
            put(fields, flaws, "score", score, score_of)
            put(fields, flaws, "reason", reason, optional_id("reason"))
            put(fields, flaws, "text", text, free_text)
            if not fields:
                why = flaws.pop() if flaws else "it is empty"
                msg = f"an answer without score, reason or text: {why}; pass one of them"
                raise EventError(msg, "no_answer")
            return fields

        self._funnel._record(SurveyAnswered, self._who, own, at, event_id, attributes)

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
