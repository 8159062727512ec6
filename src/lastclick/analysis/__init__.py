"""What to do about it: questions to reports, answered by functions of them."""

from lastclick.analysis._changes import Change, Changes, changes
from lastclick.analysis._compare import Comparison, compare
from lastclick.analysis._experiment import Experiment, Variant, experiment, power
from lastclick.analysis._idle import AbandonAfter, Idle, suggest_abandon_after
from lastclick.analysis._marketing import Marketing, Spend, ad_drop_off_rate, marketing
from lastclick.analysis._priorities import Priorities, Priority, priorities
from lastclick.analysis._what_if import Gain, WhatIf, what_if

__all__ = [
    "AbandonAfter",
    "Change",
    "Changes",
    "Comparison",
    "Experiment",
    "Gain",
    "Idle",
    "Marketing",
    "Priorities",
    "Priority",
    "Spend",
    "Variant",
    "WhatIf",
    "ad_drop_off_rate",
    "changes",
    "compare",
    "experiment",
    "marketing",
    "power",
    "priorities",
    "suggest_abandon_after",
    "what_if",
]
