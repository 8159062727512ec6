"""The closed funnel with retentioneering, as an analyst would draw it: who came through each step.

Read with pyarrow's parser, as pandas is; of equal instants, the earlier step comes first, since
retentioneering takes them in the order of the file otherwise.
"""

import os
from pathlib import Path

from benchmarks.generate import STEPS
from benchmarks.pandas_report import read_with_pyarrow

os.environ["RETENTIONEERING_NO_TRACK"] = "1"  # it would tell its makers

import pandas as pd
from retentioneering import Eventstream

ORDER = "order"


def closed(log: Path) -> dict[str, int]:
    """Return by step, and for the order, how many attempts came through all before it."""
    events = read_with_pyarrow(log)
    shown = events["type"].isin(["step_entered", "step_failed"])
    unwanted = events["traffic"].isin(["bot", "staff", "test"])
    bots = events.loc[unwanted & shown, "checkout_id"].dropna().unique()
    known = shown & events["step"].isin(STEPS) | (events["type"] == "order_completed")
    events = events[
        known & ~unwanted & events["checkout_id"].notna() & ~events["checkout_id"].isin(bots)
    ]
    name = events["step"].where(events["type"] != "order_completed", ORDER)
    paths = pd.DataFrame(
        {"user_id": events["checkout_id"], "event": name, "timestamp": events["occurred_at"]}
    )
    places = {step: place for place, step in enumerate((*STEPS, ORDER))}
    paths["place"] = paths["event"].map(places)
    stream = Eventstream(paths.sort_values(["timestamp", "place"]).drop(columns="place"))
    funnel = stream.funnel_data(list(places))
    return {step["step"]: step["unique_paths"] for step in funnel["steps"]}


def ours(log: Path) -> dict[str, int]:
    """Return the same, counted by lastclick."""
    import lastclick

    report = lastclick.measure(lastclick.read_log(log), closed=True)
    counted = {step.name: step.reached for step in report.steps}
    return {**counted, ORDER: report.steps[-1].conversion_rate.numerator}
