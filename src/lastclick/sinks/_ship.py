"""Sending by hand what is left in a spool."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from lastclick.sinks._letters import revive
from lastclick.sinks._part import DEAD_LETTERS
from lastclick.sinks._spool import left_in
from lastclick.sinks.http import HttpSink

_LOOK_EVERY_S = 0.2


class Shipped(NamedTuple):
    """What became of the events of a spool.

    Attributes:
        sent: Events that the receiver has confirmed.
        refused: Events that went to the dead letters.
        left: Events that still wait, those of running processes apart.
        owned: Parts of the spool that belong to running processes.
    """

    sent: int
    refused: int
    left: int
    owned: int


def ship(
    spool: Path,
    url: str,
    *,
    headers: Mapping[str, str],
    secrets: Sequence[str],
    dead_letters: bool,
    patience: timedelta,
    progress: Callable[[int, int], object] | None,
) -> Shipped:
    """Send what is left in a spool, and what of its dead letters is asked for.

    Args:
        spool: The directory.
        url: Where to POST to.
        headers: Sent with each request.
        secrets: Secrets to sign with.
        dead_letters: Send those too.
        patience: Give up after so long without an event sent.
        progress: Called with the events done and all that there are.

    Raises:
        ConfigError: The address, a header or a secret cannot be used.
        DeliveryError: The spool cannot be written to.
    """
    total, owned = left_in(spool)
    sink = HttpSink(url, spool, headers=headers, signing=secrets)
    if dead_letters:
        total += revive(spool / DEAD_LETTERS, sink.emit)
    done, until = 0, time.monotonic() + patience.total_seconds()
    while not sink.flush(_LOOK_EVERY_S) and time.monotonic() < until:
        settled = sink.stats.written + sink.stats.dead_letters
        if settled > done:
            done, until = settled, time.monotonic() + patience.total_seconds()
        if progress is not None:
            progress(min(done, total), total)
    sink.close(_LOOK_EVERY_S)
    stats = sink.stats
    left = max(0, total - stats.written - stats.dead_letters)
    return Shipped(stats.written, stats.dead_letters, left, owned)
