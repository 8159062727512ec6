"""What stands at a shop's own receivers of signals."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from asgiref.sync import iscoroutinefunction

from lastclick.errors import EventError, log_errors, shown
from lastclick.integrations.django._settings import tracking

P = ParamSpec("P")
R = TypeVar("R")


def never_raises(receiver: Callable[P, R]) -> Callable[P, R | None]:
    """For a receiver of signals that records: what it raises is counted, and costs no sale.

    An async receiver stays one.

    Example:
        >>> @never_raises
        ... def record(sender, order, **kwargs):
        ...     current_checkout.complete(order.number, (order.total_incl_tax, order.currency))

    .. versionadded:: 0.1.0
    """

    def tell(error: Exception) -> None:
        name = getattr(receiver, "__qualname__", "a receiver")
        message = f"{name} raised {shown(error)}"
        try:
            fault = tracking().fault
        except Exception:  # noqa: BLE001 - the settings are wrong, which may be what it raised
            log_errors(EventError(message, "receiver_raised"))
        else:
            fault("receiver_raised", message)

    if iscoroutinefunction(receiver):

        @wraps(receiver)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return await receiver(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - as below
                tell(error)

        return cast(Callable[P, R | None], awaited)

    @wraps(receiver)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return receiver(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a checkout goes on whatever is wrong in there
            tell(error)
            return None

    return guarded
