"""From counts to figures: what may be counted in parts, and what a report is made of."""

from lastclick._charts import Chart
from lastclick.metrics._count import Delivery, count
from lastclick.metrics._counts import Basis, Counts
from lastclick.metrics._estimate import Estimate, HypothesisTest
from lastclick.metrics._incremental import Arm, Contamination, Incremental
from lastclick.metrics._mix import RateAndMix
from lastclick.metrics._partition import partition
from lastclick.metrics._planning import Plan
from lastclick.metrics._quality import Definition, Lost, Quality
from lastclick.metrics._rates import Rate, rate
from lastclick.metrics._report import (
    Failures,
    Groups,
    Report,
    Retries,
    Section,
    StepFigures,
    Steps,
    Trend,
    measure,
    report_from,
)
from lastclick.metrics._revenue import Loss, Recovered, Revenue
from lastclick.metrics._steps import PassRate, Surprise
from lastclick.metrics._survey import Answers, Survey
from lastclick.metrics._survival import Curve
from lastclick.metrics._timing import Seconds

__all__ = [
    "Answers",
    "Arm",
    "Basis",
    "Chart",
    "Contamination",
    "Counts",
    "Curve",
    "Definition",
    "Delivery",
    "Estimate",
    "Failures",
    "Groups",
    "HypothesisTest",
    "Incremental",
    "Loss",
    "Lost",
    "PassRate",
    "Plan",
    "Quality",
    "Rate",
    "RateAndMix",
    "Recovered",
    "Report",
    "Retries",
    "Revenue",
    "Seconds",
    "Section",
    "StepFigures",
    "Steps",
    "Surprise",
    "Survey",
    "Trend",
    "count",
    "measure",
    "partition",
    "rate",
    "report_from",
]
