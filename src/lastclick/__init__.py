"""Measure what your checkout loses, step by step, and prove what you win back.

A backend calls a `Funnel` at each step of its checkout; events go to sinks; `measure` turns them
into abandonment, drop-off by step, lost and recovered revenue.
"""

from lastclick._checkout import Checkout
from lastclick._fold import Outcome
from lastclick._funnel import Funnel
from lastclick._journeys import Journey, journeys
from lastclick._log import read_log
from lastclick._money import Money
from lastclick.events import Step
from lastclick.metrics import Report, measure

__all__ = [
    "Checkout",
    "Funnel",
    "Journey",
    "Money",
    "Outcome",
    "Report",
    "Step",
    "journeys",
    "measure",
    "read_log",
]
