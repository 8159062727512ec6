"""Settings of a funnel: wrong ones raise at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from enum import Enum
from inspect import iscoroutinefunction
from typing import Any, TypeAlias

from lastclick.errors import ConfigError, EventError, shown
from lastclick.events import ORDER, ShopperEvent, Step
from lastclick.sinks._sink import Sink

Hook: TypeAlias = Callable[[ShopperEvent], ShopperEvent | None]


def checked_sinks(sink: Any) -> tuple[Sink, ...]:
    one = isinstance(sink, Sink | str | bytes) or not isinstance(sink, Iterable)
    sinks = (sink,) if one else tuple(sink)
    wrong = [one for one in sinks if isinstance(one, type) or not isinstance(one, Sink)]
    if wrong or not sinks:
        found = shown(wrong[0]) if wrong else "none"
        msg = f"sink: {found}; pass one sink or several, such as FileSink('var/lastclick')"
        raise ConfigError(msg)
    for one in sinks:
        for verb in ("emit", "flush", "close"):
            _refuse_async(f"{verb} of {shown(one)}", getattr(one, verb))
    return sinks


def checked_callable(name: str, value: Any) -> Any:
    if not callable(value):
        raise ConfigError(f"{name} is {shown(value)}; pass a callable")
    _refuse_async(f"{name}, {shown(value)},", value)
    return value


def _refuse_async(name: str, value: Any) -> None:
    called = type(value).__call__ if callable(value) else None
    if iscoroutinefunction(value) or iscoroutinefunction(called):
        msg = (
            f"{name} is async, and no call awaits it; write it with def, and hand over to your "
            f"loop in it, such as by loop.call_soon_threadsafe"
        )
        raise ConfigError(msg)


def checked_hooks(hooks: object) -> tuple[Hook, ...]:
    if not isinstance(hooks, Iterable):
        msg = f"before_emit: {shown(hooks)}; pass several hooks: before_emit=(redact('email'),)"
        raise ConfigError(msg)
    return tuple(checked_callable("each hook of before_emit", hook) for hook in hooks)


def checked_steps(steps: object) -> tuple[Step[Any], ...]:
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
        msg = f"steps: {error}; pass names such as 'cart', Steps, or an Enum class, in order"
        raise ConfigError(msg) from None
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


def check_limits(abandon_after: object, recover_within: object) -> None:
    for name, value in (("abandon_after", abandon_after), ("recover_within", recover_within)):
        if not isinstance(value, timedelta) or value <= timedelta(0):
            msg = f"{name} is {shown(value)}; pass a timedelta above zero"
            raise ConfigError(msg)
    assert isinstance(abandon_after, timedelta)
    assert isinstance(recover_within, timedelta)
    if recover_within > timedelta.max - abandon_after:
        msg = "abandon_after + recover_within is more than a timedelta holds; pass shorter ones"
        raise ConfigError(msg)
    if recover_within < abandon_after:
        msg = (
            f"recover_within ({recover_within}) is below abandon_after ({abandon_after}); "
            f"make it at least as long"
        )
        raise ConfigError(msg)


def check_keeping(
    sinks: Iterable[Sink], abandon_after: timedelta, recover_within: timedelta
) -> None:
    """Refuse sinks that would delete attempts before they are over."""
    limit = abandon_after + recover_within
    for sink in sinks:
        keep_for = getattr(sink, "keep_for", None)
        if isinstance(keep_for, timedelta) and keep_for < limit:
            msg = (
                f"keep_for ({keep_for}) of {shown(sink)} is below abandon_after + recover_within "
                f"({limit}): attempts would be deleted before they are over; keep them that long "
                f"at least, or leave keep_for out to keep all"
            )
            raise ConfigError(msg)
