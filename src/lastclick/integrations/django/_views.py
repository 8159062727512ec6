"""What stands at a shop's own views and signal receivers."""

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from lastclick.errors import shown
from lastclick.integrations._rules import Rule
from lastclick.integrations.django._settings import tracking

P = ParamSpec("P")
R = TypeVar("R")
View = TypeVar("View", bound=Callable[..., Any])


def step(
    name: str,
    *,
    method: str | Collection[str] | None = None,
    status: int | Collection[int] | None = 200,
    reason: str | None = None,
    order: str | None = None,
) -> Callable[[View], View]:
    """A rule that stands at the view itself: a function or a class, sync or async.

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


def never_raises(receiver: Callable[P, R]) -> Callable[P, R | None]:
    """For a receiver of signals that records: what it raises is counted, and costs no sale.

    Example:
        >>> @never_raises
        ... def record(sender, order, **kwargs):
        ...     current_checkout.complete(order.number, (order.total_incl_tax, order.currency))

    .. versionadded:: 0.1.0
    """

    @wraps(receiver)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return receiver(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a checkout goes on whatever is wrong in there
            name = getattr(receiver, "__qualname__", "a receiver")
            tracking().fault("receiver_raised", f"{name} raised {shown(error)}")
            return None

    return guarded
