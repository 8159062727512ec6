"""Which response means which step: rules as data, matched against what a framework answered."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import translate
from inspect import isfunction
from types import EllipsisType
from typing import Any, TypeVar

import attrs

from lastclick.errors import ConfigError, shown

View = TypeVar("View", bound=Callable[..., Any])

#: The page that thanks for the order: such a rule ends the attempt, and records nothing.
ORDER = "order"

#: They ask about a page without showing it, unless a rule names them.
_UNSEEN = frozenset({"HEAD", "OPTIONS"})


def _words(value: str | Iterable[str] | None) -> frozenset[str]:
    given = () if value is None else (value,) if isinstance(value, str) else tuple(value)
    return frozenset(word.upper() for word in given)


def _numbers(value: int | Iterable[int] | None) -> frozenset[int]:
    given = () if value is None else (value,) if isinstance(value, int) else tuple(value)
    if not all(isinstance(number, int) for number in given):
        raise TypeError
    return frozenset(given)


@attrs.frozen
class Rule:
    """Which response means which step. Of several rules, the first that fits is taken.

    Everything that is given must fit. A view that redirects shows nothing, and a decline is often
    shown at another page's address, so the template says more than the view.

    Args:
        step: A step of the funnel; or ``"order"``, the page that thanks for it, which records
            nothing and ends the attempt.
        view: The view's name (Django ``"checkout:preview"``, a Flask endpoint) or, under ASGI, the
            route's pattern with the prefixes of its mounts (``"/shop/checkout/{step}"``).
        template: The name of a template that was rendered.
        method: One or several; any but HEAD and OPTIONS where not given.
        status: One or several; None for any.
        context: What the template was given; ``...`` stands for anything that is not empty, and a
            dot leads to an attribute or a key (``"form.errors"``).
        path: A pattern for the path, in which ``*`` stands for anything: ``"/checkout/*"``.
        reason: The step failed for this reason, such as ``"card_declined"``; else it was entered.
        order: For ``"order"``: what in the context names the order, such as ``"order.number"``. A
            thank-you page that is reloaded while the next cart is filled then ends nothing.

    Raises:
        ConfigError: The rule could never fit, or a part of it is of the wrong kind.

    Example:
        >>> rules = [
        ...     Rule("payment", template="payment.html", method="POST", reason="card_declined"),
        ...     Rule("payment", template="payment.html"),
        ...     Rule("order", view="shop:thanks"),
        ... ]
        >>> rules[1]
        Rule('payment', template='payment.html')

    .. versionadded:: 0.1.0
    """

    step: str
    view: str | None = attrs.field(default=None, kw_only=True)
    template: str | None = attrs.field(default=None, kw_only=True)
    method: str | Collection[str] | None = attrs.field(default=None, kw_only=True)
    status: int | Collection[int] | None = attrs.field(default=200, kw_only=True)
    context: Mapping[str, object | EllipsisType] = attrs.field(factory=dict, kw_only=True)
    path: str | None = attrs.field(default=None, kw_only=True)
    reason: str | None = attrs.field(default=None, kw_only=True)
    order: str | None = attrs.field(default=None, kw_only=True)
    _methods: frozenset[str] = attrs.field(init=False, eq=False)
    _statuses: frozenset[int] = attrs.field(init=False, eq=False)
    _path: re.Pattern[str] | None = attrs.field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        for name in ("step", "view", "template", "path", "reason", "order"):
            value = getattr(self, name)
            if (value is not None or name == "step") and not (isinstance(value, str) and value):
                raise ConfigError(f"{name} of a rule is {shown(value)}; pass text")
        context: object = self.context
        if not isinstance(context, Mapping):
            msg = f"context of a rule is {shown(context)}; pass a mapping: {{'step': 'pay'}}"
            raise ConfigError(msg)
        try:
            methods, statuses = _words(self.method), _numbers(self.status)
        except (AttributeError, TypeError):
            msg = f"{self!r}: method is one or several texts, status one or several numbers"
            raise ConfigError(msg) from None
        if self.step == ORDER and self.reason is not None:
            raise ConfigError(f"{self!r}: an order does not fail; name the step that did")
        if self.step != ORDER and self.order is not None:
            raise ConfigError(f"{self!r}: order= is for the rule of the thank-you page, 'order'")
        object.__setattr__(self, "_methods", methods)
        object.__setattr__(self, "_statuses", statuses)
        path = None if self.path is None else re.compile(translate(self.path))
        object.__setattr__(self, "_path", path)

    def __repr__(self) -> str:
        parts = [repr(self.step)]
        for field in attrs.fields(Rule):
            value = getattr(self, field.name) if field.init and field.kw_only else field.default
            if field.init and field.kw_only and value not in (field.default, {}):
                parts.append(f"{field.name}={value!r}")
        return f"Rule({', '.join(parts)})"

    def fits(self, answer: "Answer") -> bool:
        """Whether this answer is the one that the rule describes."""
        return (
            (not self._statuses or answer.status in self._statuses)
            and (self.view is None or self.view == answer.view)
            and (self.template is None or self.template in answer.templates)
            and (answer.method in self._methods if self._methods else answer.method not in _UNSEEN)
            and (self._path is None or self._path.match(answer.path) is not None)
            and all(_fits(found(answer, name), value) for name, value in self.context.items())
        )


def step(
    name: str,
    *,
    method: str | Collection[str] | None = None,
    status: int | Collection[int] | None = 200,
    reason: str | None = None,
    order: str | None = None,
) -> Callable[[View], View]:
    """A rule that stands at the view itself: a function or a class, not a method of one.

    Several may stand above each other; of those that fit the upper one is taken, before the rules
    of the settings.

    Args:
        name: A step of the funnel; ``"order"`` for the thank-you page.
        method: One or several; any but HEAD and OPTIONS where not given.
        status: One or several; None for any.
        reason: The step failed for this reason; else it was entered.
        order: For the thank-you page: what in its context names the order.

    Example:
        >>> @step("payment")
        ... @step("payment", status=422, reason="card_declined")
        ... def pay(request): ...
        >>> len(pay.lastclick_rules)
        2

    .. versionadded:: 0.1.0
    """
    rule = Rule(name, method=method, status=status, reason=reason, order=order)

    def mark(view: View) -> View:
        below = getattr(view, "lastclick_rules", ())
        view.lastclick_rules = (rule, *below)  # type: ignore[attr-defined]
        return view

    return mark


def own_rules(view: Any) -> tuple[Rule, ...]:
    """The rules that stand at a view itself, a function or a class."""
    rules: tuple[Rule, ...] = getattr(view, "lastclick_rules", ())
    of_class: tuple[Rule, ...] = getattr(getattr(view, "view_class", None), "lastclick_rules", ())
    return rules or of_class


def misplaced(view: Any) -> list[str]:
    """What is wrong with rules at methods of a class of views, where none is looked for."""
    of = view if isinstance(view, type) else getattr(view, "view_class", None)
    return [
        f"{rule!r} stands at the method {method.__qualname__}, where it is not seen; "
        f"put @step at the class, with method= where it is for one of them"
        for one in getattr(of, "__mro__", ())
        for method in vars(one).values()
        if isfunction(method)
        for rule in own_rules(method)
    ]


@attrs.define
class Answer:
    """What a framework answered to a request, as far as rules look at it.

    Attributes:
        method: In upper case.
        path: Without the query.
        status: The number.
        view: The name of the view or the pattern of the route, where there is one.
        templates: The names of the templates that were rendered.
        context: What they were given.
        own: Rules that stand at the view itself; they come before the others.
    """

    method: str
    path: str
    status: int
    view: str | None = None
    templates: Collection[str] = ()
    context: Mapping[str, object] | None = attrs.field(default=None, repr=False)
    own: Sequence[Rule] = ()


def match(rules: Sequence[Rule], answer: Answer) -> Rule | None:
    """The first rule that fits."""
    for own in (answer.own, rules):
        for rule in own:
            if rule.fits(answer):
                return rule
    return None


def found(answer: Answer, name: str) -> object:
    """What the template was given under a name with dots; None where there is no such thing."""
    value: object = answer.context
    for part in name.split("."):
        if value is None:
            return None
        try:
            value = value[part]  # type: ignore[index]  # a mapping, or what behaves like one
        except (LookupError, TypeError):
            value = getattr(value, part, None)
    return value


def _fits(value: object, wanted: object) -> bool:
    return bool(value) if wanted is ... else value == wanted


def problems(
    rules: Iterable[Rule],
    steps: Sequence[str],
    *,
    views: Collection[str] | None = None,
    has_template: Callable[[str], bool] | None = None,
) -> list[str]:
    """What is wrong with rules, one sentence each, given what there is.

    Args:
        rules: The rules.
        steps: The names of the funnel's steps.
        views: The names of all views; None where they cannot be known.
        has_template: Whether there is a template of that name; None where that cannot be known.
    """
    sentences = []
    for rule in rules:
        if rule.step not in (*steps, ORDER):
            known = ", ".join(steps)
            sentences.append(f"{rule!r}: the funnel has no step {rule.step!r}; it has {known}")
        if rule.view is not None and views is not None and rule.view not in views:
            near = [view for view in sorted(views) if rule.view.split(":")[-1] in view][:3]
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            sentences.append(f"{rule!r}: there is no view {rule.view!r}{hint}")
        if rule.template is not None and has_template and not has_template(rule.template):
            sentences.append(f"{rule!r}: there is no template {rule.template!r}")
    return sentences
