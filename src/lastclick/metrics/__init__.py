"""From counts to figures: what may be counted in parts, and what a report is made of."""

from lastclick._charts import Chart
from lastclick.metrics._count import Delivery, count
from lastclick.metrics._counts import Basis, Counts
from lastclick.metrics._partition import partition
from lastclick.metrics._quality import Definition, Lost, Quality
from lastclick.metrics._rates import Rate, rate
from lastclick.metrics._report import (
    Failures,
    Groups,
    Report,
    StepFigures,
    Steps,
    Trend,
    measure,
    report_from,
)
from lastclick.metrics._revenue import Loss, Recovered, Revenue
from lastclick.metrics._timing import Seconds

__all__ = [
    "Basis",
    "Chart",
    "Counts",
    "Definition",
    "Delivery",
    "Failures",
    "Groups",
    "Loss",
    "Lost",
    "Quality",
    "Rate",
    "Recovered",
    "Report",
    "Revenue",
    "Seconds",
    "StepFigures",
    "Steps",
    "Trend",
    "count",
    "measure",
    "partition",
    "rate",
    "report_from",
]
