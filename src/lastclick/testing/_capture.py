"""A shop's own funnel, for a while without its sinks."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from lastclick._funnel import Funnel
from lastclick.errors import ConfigError, raise_errors, shown
from lastclick.sinks import MemorySink

#: What a funnel has of its own while it is captured; all of it comes back afterwards.
_SWAPPED = (
    *("_sinks", "_on_error", "_clock", "_usual", "_closed"),
    *("_declared", "_accepted", "_asked", "_counts"),
)

State = dict[str, Any]


class _Layer:
    """One capture of a funnel, and what is under it."""

    def __init__(self, under: State) -> None:
        self.under = under


#: The captures of each funnel, the latest last. They may end in any order: one thread's may
#: begin before, and end before, that of another.
_layers: WeakKeyDictionary[Funnel[Any], list[_Layer]] = WeakKeyDictionary()
_lock = threading.Lock()


@contextmanager
def capture(
    funnel: Funnel[Any], *, clock: Callable[[], datetime] | None = None
) -> Iterator[MemorySink]:
    """Keep what a funnel records in memory for the length of a ``with`` block.

    It is the shop's own funnel, with its steps and its hooks, and the handles that the shop has
    made keep working. Only its sinks hear nothing, errors are raised rather than logged, and
    ``stats`` begin at zero. All of that is as it was after the block, also after an error, and a
    ``close`` within the block closes nothing else.

    Captures may be nested: the latest one gets the events, of every thread.

    Args:
        funnel: The shop's funnel.
        clock: The funnel's clock within the block, such as a `FrozenClock`; its own, if not given.

    Returns:
        The sink that events go to. ``.events`` are the events of the shop, ``.records`` what
        `measure` and `journeys` read.

    Raises:
        ConfigError: That is no `Funnel`, or no clock.

    Example:
        >>> with capture(funnel) as captured:
        ...     funnel.checkout("c-1").enter("cart", ("59.90", "EUR"))
        >>> [event.step for event in captured.events]
        ['cart']

    .. versionadded:: 0.1.0
    """
    given: tuple[object, object] = (funnel, clock)
    if not isinstance(given[0], Funnel):
        raise ConfigError(f"capture() takes your shop's Funnel, not {shown(funnel)}")
    if not (given[1] is None or callable(given[1])):
        raise ConfigError(f"clock is {shown(clock)}; pass a callable such as a FrozenClock")
    sink = MemorySink()
    sink.emit(funnel.declaration)
    fresh: State = {
        "_sinks": (sink,),
        "_on_error": raise_errors,
        "_closed": False,
        "_declared": True,
        "_accepted": count(),
        "_asked": 0,
        "_counts": {kind: Counter() for kind in funnel._counts},
    }
    if clock is not None:  # the shortest way reads the real clock
        fresh |= {"_clock": clock, "_usual": {}}
    layer = _put_on(funnel, fresh)
    try:
        yield sink
    finally:
        _take_off(funnel, layer)


def _put_on(funnel: Funnel[Any], fresh: State) -> _Layer:
    # The locks are the funnel's: nobody counts, or writes the declaration, while it is swapped.
    with _lock, funnel._declaring, funnel._lock:
        layer = _Layer({name: getattr(funnel, name) for name in _SWAPPED})
        _layers.setdefault(funnel, []).append(layer)
        _set(funnel, fresh)
    return layer


def _take_off(funnel: Funnel[Any], layer: _Layer) -> None:
    with _lock, funnel._declaring, funnel._lock:
        layers = _layers[funnel]
        place = layers.index(layer)
        if layer is layers[-1]:
            _set(funnel, layer.under)
        else:
            layers[place + 1].under = layer.under
        del layers[place]


def _set(funnel: Funnel[Any], state: State) -> None:
    for name, value in state.items():
        setattr(funnel, name, value)
