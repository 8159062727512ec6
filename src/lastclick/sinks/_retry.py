"""What a receiver's answer means, and how long to wait before the next try; no I/O."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import NamedTuple

from pydantic_core import from_json

#: A receiver may ask for patience, but not for more than this: it may have meant something else.
_LONGEST_ASKED_S = 3600.0

#: Statuses of a receiver that may think differently later.
_PASSING = frozenset({408, 425, 429})
#: Statuses that find fault with what was sent, which may be one event among many.
_CONTENT = frozenset({400, 422})


class Verdict(Enum):
    """What is to be done with the events of one request."""

    DELIVERED = auto()
    AGAIN = auto()
    #: Too much at once: the same in two halves, and smaller batches from now on.
    TOO_LARGE = auto()
    #: Something in it is refused: in two halves, until the culprit is alone.
    REFUSED = auto()
    #: None of it will ever be taken.
    FINAL = auto()


def verdict(status: int) -> Verdict:
    """What an HTTP status means. A redirect that was not followed may be a passing one."""
    if 200 <= status < 300:
        return Verdict.DELIVERED
    if status == 413:
        return Verdict.TOO_LARGE
    if status in _CONTENT:
        return Verdict.REFUSED
    if 400 <= status < 500 and status not in _PASSING:
        return Verdict.FINAL
    return Verdict.AGAIN


def backoff(failures: int, first_s: float, most_s: float, rng: random.Random) -> float:
    """Seconds to wait after so many failures in a row: exponential, with full jitter.

    Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    ceiling = min(most_s, first_s * 2.0 ** min(failures - 1, 64))
    return rng.uniform(0.0, ceiling)


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime]) -> float:
    """Seconds that the receiver asks us to wait, 0 where it does not (RFC 9110, section 10.2.3).

    A date is counted from the receiver's own ``Date``, where it has one: the two clocks may differ.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isdecimal() and asked.isascii():
        seconds = float(asked[:12])
    else:
        until = _date(asked)
        if until is None:
            return 0.0
        since = _date(headers.get("Date", "")) or now()
        seconds = (until - since) / timedelta(seconds=1)
    return min(max(seconds, 0.0), _LONGEST_ASKED_S)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo is not None else None


class Results(NamedTuple):
    """What a receiver says of each event of a request, by event id; `accepted` may be left out."""

    accepted: frozenset[str] | None
    rejected: Mapping[str, str]
    retry: frozenset[str]


def results(body: bytes) -> Results | None:
    """The per-event results in an answer; None where it holds none."""
    try:
        found = from_json(body)
    except ValueError:
        return None
    if not isinstance(found, dict) or not found.keys() & {"accepted", "rejected", "retry"}:
        return None
    rejected = {}
    for one in _listed(found, "rejected"):
        if isinstance(one, dict) and isinstance(one.get("event_id"), str):
            rejected[one["event_id"]] = str(one.get("reason", "rejected"))
        elif isinstance(one, str):
            rejected[one] = "rejected"
    accepted = _ids(found, "accepted") if "accepted" in found else None
    return Results(accepted, rejected, _ids(found, "retry"))


def _ids(found: dict[str, object], name: str) -> frozenset[str]:
    return frozenset(one for one in _listed(found, name) if isinstance(one, str))


def _listed(found: dict[str, object], name: str) -> list[object]:
    value = found.get(name)
    return value if isinstance(value, list) else []
