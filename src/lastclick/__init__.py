"""Measure what your checkout loses, step by step, and prove what you win back.

A backend calls a `Funnel` at each step of its checkout; events go to sinks; `measure` turns them
into abandonment, drop-off by step, lost and recovered revenue.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from lastclick._checkout import Checkout
    from lastclick._fold import Outcome
    from lastclick._funnel import Funnel
    from lastclick._holdout import Holdout
    from lastclick._journeys import Journey, journeys
    from lastclick._log import read_log
    from lastclick._money import Money
    from lastclick.events import Step
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

#: Where each name is at home, imported when it is first asked for: a shop that only records never
#: needs the half that reads, and a test run that merely finds the pytest plugin needs neither.
_HOMES = {
    "Checkout": "lastclick._checkout",
    "Funnel": "lastclick._funnel",
    "Holdout": "lastclick._holdout",
    "Journey": "lastclick._journeys",
    "Money": "lastclick._money",
    "Outcome": "lastclick._fold",
    "Report": "lastclick.metrics",
    "Step": "lastclick.events",
    "journeys": "lastclick._journeys",
    "measure": "lastclick.metrics",
    "read_log": "lastclick._log",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'lastclick' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
