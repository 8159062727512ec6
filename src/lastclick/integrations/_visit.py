"""One request of a shopper: the handle that its view has at hand, and what its answer means."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from inspect import iscoroutine, iscoroutinefunction
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias
from uuid import UUID

import attrs
from typing_extensions import TypedDict, Unpack, override

from lastclick import Checkout, Funnel, Money
from lastclick._parts import as_flaw
from lastclick.errors import ConfigError, EventError, LastclickError, log_errors, shown
from lastclick.events import Step, id_text, not_a_mapping
from lastclick.integrations._identity import Attempt, Bridge, Cookie
from lastclick.integrations._rules import (
    ORDER,
    Answer,
    Rule,
    found,
    match,
    misplaced,
    own_rules,
    problems,
)
from lastclick.integrations._traffic import is_robot
from lastclick.sinks._losses import Tally

_logger = logging.getLogger("lastclick")

Id: TypeAlias = str | int | UUID
Price: TypeAlias = Money | tuple[Decimal | str | int, str]

#: A hook of the shop: it is given the framework's own request.
Hook: TypeAlias = Callable[[Any], Any]


def _as_given(said: Any) -> Any:
    return said


def _facts(said: Any) -> dict[str, object]:
    if not isinstance(said, Mapping | None):
        raise not_a_mapping(said)
    return dict(said or {})


#: The hooks, and how what one says is read.
_HOOKS: Mapping[str, Callable[[Any], Any]] = {
    "checkout_id": _as_given,
    "customer_id": _as_given,
    "attributes": _facts,
    "value": _as_given,
    "consent": bool,
    "staff": bool,
    "has_ordered": bool,
}


class Asked(Protocol):
    """What there is to know of a request, as a framework's file tells it."""

    @property
    def request(self) -> Any:
        """The framework's own request, for the shop's hooks."""

    @property
    def line(self) -> str:
        """Method and path, for the dry run."""

    @property
    def path(self) -> str:
        """The path, without the query."""

    @property
    def tls(self) -> bool:
        """Whether it came over TLS."""

    def cookie(self, name: str, /) -> str | None:
        """The value of a cookie."""

    def header(self, name: str, /) -> str | None:
        """The value of a header."""


class More(TypedDict, total=False):
    """What every verb takes besides its own arguments."""

    at: datetime | None
    event_id: Id | None
    attributes: Mapping[str, object] | None


class TrackingStats(NamedTuple):
    """What an integration saw in this process so far.

    Attributes:
        told: Calls and rules that were passed on to the funnel.
        unrecorded: Those that were not, by reason.
        cookieless: Steps without consent, by step, where these are counted.
        faults: What went wrong on the way, by reason: a forged cookie, a hook that raised.

    Example:
        >>> from lastclick.sinks import MemorySink
        >>> tracking = Tracking(Funnel("checkout", steps=("cart",), sink=MemorySink()))
        >>> tracking.stats.told, tracking.stats.faults
        (0, {})

    .. versionadded:: 0.1.0
    """

    told: int
    unrecorded: Mapping[str, int]
    cookieless: Mapping[str, int]
    faults: Mapping[str, int]


class _Counts:
    """What is counted in one process: exact, and without a lock that a fork could copy held."""

    def __init__(self) -> None:
        self.told = Tally()
        self._tallies: dict[tuple[str, str], Tally] = {}

    def add(self, kind: str, reason: str) -> None:
        self._tallies.setdefault((kind, reason), Tally()).add()

    def stats(self) -> TrackingStats:
        by: dict[str, dict[str, int]] = {"unrecorded": {}, "cookieless": {}, "faults": {}}
        for (kind, reason), tally in self._tallies.copy().items():
            by[kind][reason] = tally.total
        return TrackingStats(told=self.told.total, **by)


@attrs.frozen(eq=False)
class Tracking:
    """How a shop is tracked: its funnel, its rules, its cookie and its hooks.

    A hook is a plain function, not an async one, and is given the framework's own request. One that
    raises is counted and reported, and the page goes on without what it would have said.

    Args:
        funnel: Where to.
        rules: Which response means which step.
        cookie: The cookie that carries the attempt's id.
        checkout_id: A hook that gives the shop's own id of the attempt; then no cookie is set.
            None from it: nothing is recorded.
        customer_id: A hook that gives the shop's own id of the customer, or None.
        attributes: A hook that gives flat facts about the attempt.
        value: A hook that gives what is in the cart, as a `Money` or a pair; for rules.
        consent: A hook that says whether the shopper agreed. Without consent nothing is set and
            nothing recorded.
        without_consent: ``"nothing"``, or ``"steps"``: count the steps of those who did not agree,
            in ``stats`` alone.
        staff: A hook that says whether this is one of the shop's own people.
        has_ordered: Whether the attempt of this id has an order: asked where a first step is
            entered, for shops whose orders are recorded in another process.
        secret: For the values of ``token()``.
        untracked: Patterns of paths on which nothing is recorded, such as ``"/admin/*"``.
        dry_run: Record nothing and set nothing; log what would be.
        on_error: Called with every error of an integration; what it raises, the request raises.

    Raises:
        ConfigError: A setting cannot be used.

    Example:
        >>> from lastclick.sinks import MemorySink
        >>> tracking = Tracking(
        ...     Funnel("checkout", steps=("cart", "payment"), sink=MemorySink()),
        ...     rules=[Rule("cart", view="basket:summary")],
        ...     customer_id=lambda request: request.user.pk,
        ... )
        >>> tracking.problems()
        []

    .. versionadded:: 0.1.0
    """

    funnel: Funnel[Any]
    rules: Sequence[Rule] = attrs.field(default=(), kw_only=True)
    cookie: Cookie = attrs.field(factory=Cookie, kw_only=True)
    checkout_id: Hook | None = attrs.field(default=None, kw_only=True)
    customer_id: Hook | None = attrs.field(default=None, kw_only=True)
    attributes: Hook | None = attrs.field(default=None, kw_only=True)
    value: Hook | None = attrs.field(default=None, kw_only=True)
    consent: Hook | None = attrs.field(default=None, kw_only=True)
    without_consent: Literal["nothing", "steps"] = attrs.field(default="nothing", kw_only=True)
    staff: Hook | None = attrs.field(default=None, kw_only=True)
    has_ordered: Callable[[str], Any] | None = attrs.field(default=None, kw_only=True)
    secret: str | bytes | None = attrs.field(default=None, kw_only=True, repr=False)
    untracked: Sequence[str] = attrs.field(default=(), kw_only=True)
    dry_run: bool = attrs.field(default=False, kw_only=True)
    on_error: Callable[[LastclickError], object] = attrs.field(default=log_errors, kw_only=True)
    _counts: _Counts = attrs.field(init=False, factory=_Counts, repr=False)
    _untracked: Sequence[Rule] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        funnel: object = self.funnel
        if not isinstance(funnel, Funnel):
            raise ConfigError(f"funnel is {shown(funnel)}; pass a Funnel")
        for name in ("rules", "untracked"):
            kind = Rule if name == "rules" else str
            given = getattr(self, name)
            several = isinstance(given, Iterable) and not isinstance(given, str)
            kept = tuple(given) if several else ()
            if not several or not all(isinstance(one, kind) for one in kept):
                raise ConfigError(f"{name} is {shown(given)}; pass a list of {kind.__name__}")
            object.__setattr__(self, name, kept)
        cookie: object = self.cookie
        if not isinstance(cookie, Cookie):
            raise ConfigError(f"cookie is {shown(cookie)}; pass Cookie(name='shop_attempt')")
        for name in (*_HOOKS, "on_error"):
            hook = getattr(self, name)
            if not callable(hook) and (hook is not None or name == "on_error"):
                raise ConfigError(f"{name} is {shown(hook)}; pass a function")
            if iscoroutinefunction(hook) or iscoroutinefunction(type(hook).__call__):
                msg = (
                    f"{name} is async: {shown(hook)}; pass a plain function, which reads from the "
                    f"request what a middleware of yours awaited before"
                )
                raise ConfigError(msg)
        secret: object = self.secret
        if not (secret is None or (isinstance(secret, str | bytes) and secret)):
            # Its kind alone: what somebody took for a secret may be one.
            what = f"of type {type(secret).__name__}" if secret else "empty"
            raise ConfigError(f"secret is {what}; pass text or bytes, or None to sign nothing")
        if not isinstance(self.dry_run, bool):
            raise ConfigError(f"dry_run is {shown(self.dry_run)}; pass True or False")
        if self.without_consent not in ("nothing", "steps"):
            msg = f"without_consent is {shown(self.without_consent)}; pass 'nothing' or 'steps'"
            raise ConfigError(msg)
        wrong = problems(self.rules, self.steps)
        if wrong:
            raise ConfigError("; ".join(wrong))
        rules = [Rule(ORDER, path=path, status=None) for path in self.untracked]
        object.__setattr__(self, "_untracked", rules)

    @property
    def stats(self) -> TrackingStats:
        """What was told and what was not, in this process."""
        return self._counts.stats()

    @property
    def steps(self) -> list[str]:
        """The names of the funnel's steps."""
        return [step.name for step in self.funnel.declaration.steps]

    def problems(
        self,
        views: Iterable[tuple[str, object]] | None = None,
        has_template: Callable[[str], bool] | None = None,
    ) -> list[str]:
        """What is wrong with the rules, one sentence each, given what there is.

        Args:
            views: All views with their names; their own rules are checked too. None where they
                cannot be known.
            has_template: Whether there is a template of that name; None where that cannot be known.
        """
        known = None if views is None else list(views)
        names = None if known is None else {name for name, _ in known}
        wrong = problems(self.rules, self.steps, views=names, has_template=has_template)
        for _, view in known or ():
            wrong += problems(own_rules(view), self.steps) + misplaced(view)
        return wrong

    def fault(self, reason: str, message: str) -> None:
        """Count and report what went wrong on the way."""
        self._counts.add("faults", reason)
        self.on_error(EventError(message, reason))

    def ask(self, name: str, *given: object) -> Any:
        """What a hook of the shop says; None where there is none, or where it failed."""
        hook = getattr(self, name)
        if hook is None:
            return None
        try:
            said = hook(*given)
            if iscoroutine(said):  # it is true, whatever it would have said
                said.close()
                raise TypeError("it gave a coroutine; pass a plain function")
            return _HOOKS[name](said)
        except Exception as error:  # noqa: BLE001 - the shop's own code, in the request path
            self.fault("hook_raised", f"the hook {name} failed: {shown(error)}")
            return None

    def checkout(self, token: str, *, max_age: timedelta = timedelta(days=1)) -> Checkout[Any]:
        """The handle on an attempt that came by another way, such as a payment provider's webhook.

        Args:
            token: What the handle's ``token()`` gave.
            max_age: Values that are older are refused.

        Returns:
            A handle; where the value is forged or too old, one that records nothing and counts.
        """
        attempt = self.read_token(token, max_age)
        if attempt is None:
            self._counts.add("unrecorded", "bad_token")
        return self.funnel.checkout(attempt)

    def token(self, checkout_id: Id) -> str:
        """An attempt as a signed value, for a link in a reminder, which `resume` takes.

        Args:
            checkout_id: The attempt's id, such as a `Journey` has it.

        Returns:
            The value; empty, and counted, without a secret or for what is no id.

        Example:
            >>> from lastclick.sinks import MemorySink
            >>> funnel = Funnel("checkout", steps=("cart",), sink=MemorySink())
            >>> tracking = Tracking(funnel, secret="a secret of the shop")
            >>> tracking.checkout(tracking.token("c-1042"))
            Checkout('c-1042', funnel='checkout')

        .. versionadded:: 0.1.0
        """
        bridge = self.bridge()
        if bridge is None:
            return ""
        try:
            return bridge.token(id_text("checkout_id", checkout_id))
        except Exception as error:  # noqa: BLE001 - an id may be an object with code of its own
            flaw = as_flaw("checkout_id", error)
            self.fault(flaw.reason, str(flaw))
            return ""

    def read_token(self, token: str, max_age: timedelta) -> str | None:
        """The id of the attempt that a signed value names; None, and counted, if it is not ours."""
        bridge = self.bridge()
        if bridge is None:
            return None
        try:
            return bridge.read(token, max_age)
        except Exception as error:  # noqa: BLE001 - anybody sends what they like, or nothing
            said = f"a signed value is forged, too old or none: {shown(error)}"
            self.fault("bad_token", said)
            return None

    def bridge(self) -> Bridge | None:
        """What signs values; None, and counted, without a secret."""
        if self.secret is None:
            self.fault("no_secret", "token() needs a secret; pass one to the integration")
            return None
        return Bridge(self.secret)


def tracking_by(settings: Mapping[str, Any]) -> Tracking:
    """The tracking that settings describe; an unknown one is refused by its name."""
    known = [field.name for field in attrs.fields(Tracking) if field.init]
    for name in settings:
        if name not in known:
            msg = f"there is no setting {shown(name)}; there are {', '.join(known)}"
            raise ConfigError(msg)
    return Tracking(**settings)


class Visit:
    """One request: finds out whose attempt it is when something is first told, and not before."""

    __slots__ = ("_asked", "_attempt", "_checkout", "_own_cookie", "_resumed", "_why", "tracking")

    def __init__(self, tracking: Tracking, asked: Asked) -> None:
        self.tracking = tracking
        self._asked = asked
        self._attempt: Attempt | None = None
        self._checkout: Checkout[Any] | None = None
        self._own_cookie = False
        self._resumed = False
        self._why: str | None = None

    # What views do.

    def tell(self, verb: str, *given: object, **more: Any) -> None:
        """Pass a call on to the funnel, if this request is one that is recorded."""
        told = self.bound(verb, *given)
        if told is not None:
            self.tracking._counts.told.add()
            getattr(told, verb)(*given, **more)

    def bound(self, verb: str, *given: object) -> Checkout[Any] | None:
        """The funnel's handle for a call; None where nothing is to be recorded, which counts."""
        tracking = self.tracking
        step = _name(given[0]) if verb == "enter" else None
        why = self._reason()
        if why is not None:
            tracking._counts.add("unrecorded", why)
            if why == "dry_run":
                _logger.info("%s: would %s%s", self._asked.line, verb, shown(given))
            if why == "no_consent" and step is not None and tracking.without_consent == "steps":
                tracking._counts.add("cookieless", step)
            return None
        if step == tracking.steps[0]:
            self._begin()
        if verb == "complete" and self._resumed:
            # A program with a signed value is the payment provider's: its order is no robot's.
            return self._bind(robot=False)
        if self._checkout is None:
            self._checkout = self._bind()
        if self._checkout is None:
            tracking._counts.add("unrecorded", "no_checkout_id")
        return self._checkout

    def attempt_id(self) -> str | None:
        """The attempt's id; None where nothing is recorded."""
        if self._reason() is not None:
            return None
        self._checkout = self._checkout or self._bind()
        return None if self._attempt is None else self._attempt.id

    def ordered(self, order: object) -> None:
        """Remember that this attempt has ordered; an order that has no usable id was rejected."""
        if self._attempt is not None:
            with suppress(Exception):  # an id may be an object with code of its own
                self._attempt = self._attempt.with_order(id_text("order_id", order))

    def resume(self, token: str, max_age: timedelta) -> bool:
        """Go on with the attempt that a signed value names."""
        if self._reason() is not None:
            return False
        attempt = self.tracking.read_token(token, max_age)
        if attempt is None:
            return False
        self._attempt, self._resumed = Attempt(attempt), True
        self._own_cookie = self.tracking.checkout_id is None
        self._checkout = self._bind()
        return True

    # What the answer means.

    def matched(self, answer: Answer) -> Rule | None:
        """The rule that fits the answer; counted and reported if one raises."""
        try:
            rule = match(self.tracking.rules, answer)
            if rule is None and self.tracking.dry_run:
                _logger.info("%s: no rule fits %r", self._asked.line, answer)
            return rule
        except Exception as error:  # noqa: BLE001 - compares with the shop's own objects
            self._rule_raised(error)
            return None

    def answered(self, rule: Rule, answer: Answer) -> None:
        """Record what the answer means by this rule."""
        if rule.step == ORDER:
            self._thank(self._order(rule, answer))
            return
        told = self._reason() in (None, "dry_run")
        value = self.tracking.ask("value", self._asked.request) if told else None
        if rule.reason is None:
            self.tell("enter", rule.step, value)
        else:
            self.tell("fail", rule.step, rule.reason, value)

    def cookie(self) -> str | None:
        """The value to set; None where nothing is to be set."""
        if self._own_cookie and self._attempt is not None:
            return self._attempt.value
        return None

    def is_secure(self) -> bool:
        """Whether the cookie goes over TLS only."""
        return self.tracking.cookie.is_secure(tls=self._asked.tls)

    def _reason(self) -> str | None:
        """Why nothing is recorded for this request; asked once."""
        if self._why is None:
            self._why = self._find_reason()
        return self._why or None

    def _find_reason(self) -> str:
        tracking = self.tracking
        if tracking._untracked:
            answer = Answer(method="GET", path=self._asked.path, status=0)
            if match(tracking._untracked, answer) is not None:
                return "untracked"
        if tracking.consent is not None and not tracking.ask("consent", self._asked.request):
            return "no_consent"
        return "dry_run" if tracking.dry_run else ""

    def _begin(self) -> None:
        """At a first step: a new attempt, if the one of the cookie has ordered."""
        tracking = self.tracking
        if self._attempt is None and tracking.checkout_id is None:
            self._checkout = self._bind()
        if self._attempt is not None and self._own_cookie:
            ordered = self._attempt.ordered
            if ordered or tracking.ask("has_ordered", self._attempt.id):
                self._attempt = Attempt.new(self._attempt.last)
                self._checkout = self._bind()

    def _order(self, rule: Rule, answer: Answer) -> str | None:
        """Which order a thank-you page is about; None where it does not tell."""
        if rule.order is None:
            return None
        try:
            order = found(answer, rule.order)
            return None if order is None else str(order)
        except Exception as error:  # noqa: BLE001 - reads the shop's own objects
            self._rule_raised(error)
            return None

    def _rule_raised(self, error: Exception) -> None:
        self.tracking.fault("rule_raised", f"a rule raised {shown(error)}")

    def _thank(self, order: str | None) -> None:
        if self._reason() is not None or self.tracking.checkout_id is not None:
            return
        if self._checkout is None and self._asked.cookie(self.tracking.cookie.name) is not None:
            self._checkout = self._bind()
        if self._attempt is not None:
            self._attempt = self._attempt.after_thanks(order)
            self._checkout = None

    def _bind(self, *, robot: bool | None = None) -> Checkout[Any] | None:
        tracking, asked = self.tracking, self._asked
        if robot is None:
            robot = is_robot(asked.header)
        attempt = self._attempt or self._identify(robot=robot)
        if attempt is None:
            return None
        self._attempt = attempt
        attributes: dict[str, object] = {}
        if robot:
            attributes["traffic"] = "bot"
        elif tracking.ask("staff", asked.request):
            attributes["traffic"] = "staff"
        attributes |= tracking.ask("attributes", asked.request) or {}
        customer = tracking.ask("customer_id", asked.request)
        return tracking.funnel.checkout(attempt.id, customer, attributes)

    def _identify(self, *, robot: bool) -> Attempt | None:
        tracking, asked = self.tracking, self._asked
        if robot:
            # Never the cookie's attempt: a page fetched in advance would make its shopper a robot.
            return Attempt.new()
        if tracking.checkout_id is not None:
            own = tracking.ask("checkout_id", asked.request)
            return None if own is None else Attempt(own)
        self._own_cookie = True
        value = asked.cookie(tracking.cookie.name)
        if value is None:
            return Attempt.new()
        attempt = Attempt.read(value)
        if attempt is None:
            tracking.fault("forged_cookie", f"cookie {tracking.cookie.name!r} holds {value!r:.60}")
            return Attempt.new()
        return attempt


def _name(step: object) -> str | None:
    """A step's name as the funnel writes it; None for what is none, which the funnel reports."""
    try:
        return id_text("step", step.name if isinstance(step, Step) else step)
    except Exception:  # noqa: BLE001 - a step may be an object with code of its own
        return None


class RequestCheckout:
    """The handle of the request that is being answered: the verbs of `Checkout`, and two more.

    It is never None. Without consent, on an untracked page, in a dry run or outside a request it
    records nothing and counts.

    Example:
        >>> handle = RequestCheckout(lambda: None)  # as outside a request
        >>> handle.enter("cart", value=("59.90", "EUR"))
        >>> handle.checkout_id is None, handle.outside
        (True, 1)

    .. versionadded:: 0.1.0
    """

    def __init__(self, find: Callable[[], Visit | None]) -> None:
        self._find = find
        #: Calls that came outside a request, and were not recorded.
        self.outside = 0

    def enter(self, step: str | Enum, value: Price | None = None, **more: Unpack[More]) -> None:
        """Record that the shopper saw a step, as `Checkout.enter` does."""
        self._tell("enter", step, value, **more)

    def fail(
        self, step: str | Enum, reason: str, value: Price | None = None, **more: Unpack[More]
    ) -> None:
        """Record that a step went wrong for the shopper, as `Checkout.fail` does."""
        self._tell("fail", step, reason, value, **more)

    def complete(self, order_id: Id, total: Price, **more: Unpack[More]) -> None:
        """Record the order, as `Checkout.complete` does; the next first step is a new attempt."""
        visit = self._visit()
        if visit is not None:
            visit.tell("complete", order_id, total, **more)
            visit.ordered(order_id)

    def assign(
        self,
        arm: Literal["treated", "holdout"],
        campaign: str | None = None,
        **more: Unpack[More],
    ) -> None:
        """Record which arm of an experiment this shopper is in, as `Checkout.assign` does."""
        self._tell("assign", arm, campaign, **more)

    def remind(self, channel: str, campaign: str | None = None, **more: Unpack[More]) -> None:
        """Record that a reminder went out, as `Checkout.remind` does."""
        self._tell("remind", channel, campaign, **more)

    def click(self, channel: str, campaign: str | None = None, **more: Unpack[More]) -> None:
        """Record that the shopper came back by a reminder's link, as `Checkout.click` does."""
        self._tell("click", channel, campaign, **more)

    def survey(
        self,
        *,
        score: int | None = None,
        reason: str | None = None,
        text: str | None = None,
        **more: Unpack[More],
    ) -> None:
        """Record what the shopper answered, as `Checkout.survey` does."""
        self._tell("survey", score=score, reason=reason, text=text, **more)

    @property
    def checkout_id(self) -> str | None:
        """The attempt's id, to be kept beside the order; None where nothing is recorded."""
        visit = self._find()
        return None if visit is None else visit.attempt_id()

    def token(self) -> str:
        """The attempt as a signed value, for a payment provider to bring back; may be empty."""
        visit = self._find()
        attempt = None if visit is None else visit.attempt_id()
        return "" if visit is None or attempt is None else visit.tracking.token(attempt)

    def resume(self, token: str, *, max_age: timedelta = timedelta(days=1)) -> bool:
        """Go on with the attempt of a signed value, in this browser from now on.

        Args:
            token: What `token` gave.
            max_age: Values that are older are refused.

        Returns:
            Whether the value was a good one; else it is counted, and nothing changes.
        """
        visit = self._find()
        return visit is not None and visit.resume(token, max_age)

    def _visit(self) -> Visit | None:
        visit = self._find()
        if visit is None:
            self.outside += 1
            log_errors(EventError("a checkout was told of outside a request", "outside_request"))
        return visit

    def _tell(self, verb: str, *given: object, **more: Any) -> None:
        visit = self._visit()
        if visit is not None:
            visit.tell(verb, *given, **more)

    @override
    def __repr__(self) -> str:
        visit = self._find()
        return f"<RequestCheckout {'outside a request' if visit is None else visit._asked.line}>"
