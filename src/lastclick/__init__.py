"""Measure what your checkout loses, step by step, and prove what you win back.

A backend calls a `Funnel` at each step of its checkout; events go to sinks; `measure` turns them
into abandonment, drop-off by step, lost and recovered revenue.
"""

import importlib
import typing

from lastclick._checkout import Checkout
from lastclick._funnel import Funnel
from lastclick._holdout import Holdout
from lastclick._money import Money
from lastclick.events import Step

if typing.TYPE_CHECKING:
    from lastclick._fold import Outcome
    from lastclick._journeys import Journey, journeys
    from lastclick._log import read_log
    from lastclick.metrics import Report, measure

__all__ = [
    "Checkout",
    "Funnel",
    "Holdout",
    "Journey",
    "Money",
    "Outcome",
    "Report",
    "Step",
    "journeys",
    "measure",
    "read_log",
]

#: The read half, imported when it is first asked for: a shop that only records never needs it.
_READING = {
    "Journey": "lastclick._journeys",
    "Outcome": "lastclick._fold",
    "Report": "lastclick.metrics",
    "journeys": "lastclick._journeys",
    "measure": "lastclick.metrics",
    "read_log": "lastclick._log",
}


def __getattr__(name: str) -> object:
    if name not in _READING:
        raise AttributeError(f"module 'lastclick' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_READING[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
