"""Closed sets: a way to count in parts that add up to the whole."""

from collections.abc import Iterable
from zlib import crc32

from lastclick.errors import ConfigError
from lastclick.events import Event, OrderCancelled, OrderCompleted, OrderRefunded


def partition(events: Iterable[Event], parts: int) -> list[list[Event]]:
    """Split events into closed sets of journeys, whose counts add up to those of the whole.

    A set is closed if it holds every event of its checkouts, every checkout that shows one of its
    order ids, every refund and cancellation of its orders, and every checkout of its customers.
    Declarations, losses and events that name nothing of these go to the first part, so that each
    is counted once; count each part with the same ``funnel=`` and ``as_of=``.

    Args:
        events: The events of one funnel.
        parts: How many sets; some may stay empty.

    Returns:
        The sets, each in the order in which its events came.

    Raises:
        ConfigError: ``parts`` is not a whole number above zero.

    Example:
        >>> from lastclick.metrics import partition
        >>> sum(len(part) for part in partition(events, 3)) == len(events)
        True

    .. versionadded:: 0.1.0
    """
    if type(parts) is not int or parts < 1:
        raise ConfigError(f"parts is a whole number above zero, not {parts!r:.100}")
    kept = list(events)
    parent: dict[tuple[str, str], tuple[str, str]] = {}
    for event in kept:
        names = _names(event)
        for name in names[1:]:
            _join(parent, names[0], name)
    smallest: dict[tuple[str, str], tuple[str, str]] = {}
    for event in kept:
        for name in _names(event):
            root = _root(parent, name)
            smallest[root] = min(name, smallest.get(root, name))
    split: list[list[Event]] = [[] for _ in range(parts)]
    for event in kept:
        names = _names(event)
        part = crc32(repr(smallest[_root(parent, names[0])]).encode()) % parts if names else 0
        split[part].append(event)
    return split


def _names(event: Event) -> list[tuple[str, str]]:
    """What an event belongs to: its checkout, its order, its customer.

    A refund or a cancellation belongs to its order alone: the rules look at neither its checkout
    nor its customer.
    """
    if isinstance(event, OrderRefunded | OrderCancelled):
        return [("order", event.order_id)]
    checkout_id = getattr(event, "checkout_id", None)
    if checkout_id is None:
        return []
    names = [("checkout", checkout_id)]
    if isinstance(event, OrderCompleted):
        names.append(("order", event.order_id))
    customer_id = getattr(event, "customer_id", None)
    if customer_id is not None:
        names.append(("customer", customer_id))
    return names


def _root(parent: dict[tuple[str, str], tuple[str, str]], name: tuple[str, str]) -> tuple[str, str]:
    root = name
    while (above := parent.get(root, root)) != root:
        root = above
    while name != root:  # shorten the way for the next time
        parent[name], name = root, parent.get(name, name)
    return root


def _join(
    parent: dict[tuple[str, str], tuple[str, str]], one: tuple[str, str], other: tuple[str, str]
) -> None:
    parent[_root(parent, one)] = _root(parent, other)
