"""A part of the report with pandas, as an analyst would write it: see `answer` for which part."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from benchmarks.generate import STEPS

ABANDON_AFTER = pd.Timedelta(minutes=30)
RECOVER_WITHIN = pd.Timedelta(days=7)
ACTIVITY = ("step_entered", "step_failed", "order_completed", "reminder_clicked")

_MONEY = pa.struct([("amount", pa.string()), ("currency", pa.string())])
_TEXT = ("type", "event_id", "checkout_id", "step", "order_id", "refund_id")
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXT),
        ("occurred_at", pa.timestamp("us", "UTC")),
        ("attributes", pa.struct([("traffic", pa.string())])),
        *((name, _MONEY) for name in ("total", "amount")),
    ]
)


def read_with_pyarrow(log: Path) -> pd.DataFrame:
    """Read the log with pyarrow's parser, and only the fields that are needed."""
    options = pj.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="ignore")
    whole = pa.concat_tables(
        pj.read_json(file, parse_options=options) for file in sorted(log.glob("*.jsonl"))
    )
    columns = {name: whole[name] for name in (*_TEXT, "occurred_at")}
    columns["traffic"] = pc.struct_field(whole["attributes"], "traffic")
    for name in ("total", "amount"):
        exact = pc.struct_field(whole[name], "amount").cast(pa.decimal128(16, 4))
        columns[f"{name}_money"] = pc.multiply(exact, pa.scalar(10_000)).cast(pa.int64())
        columns[f"{name}_currency"] = pc.struct_field(whole[name], "currency")
    return pa.table(columns).to_pandas(types_mapper=_nullable)


def read_with_pandas(log: Path) -> pd.DataFrame:
    """Read the log with `pandas.read_json`, the first thing that one tries."""
    events = pd.concat(
        [pd.read_json(file, lines=True) for file in sorted(log.glob("*.jsonl"))], ignore_index=True
    )
    events["occurred_at"] = pd.to_datetime(events["occurred_at"], format="ISO8601", utc=True)
    events["traffic"] = events["attributes"].str.get("traffic")
    for name in ("total", "amount"):
        amounts = events[name].str.get("amount").astype("Float64")
        events[f"{name}_money"] = (amounts * 10_000).round().astype("Int64")
        events[f"{name}_currency"] = events[name].str.get("currency")
    return events


def answer(events: pd.DataFrame) -> dict[str, Any]:
    """Return as_of, the open, lost and recoverable attempts, the step counts, and revenue.

    Without: the kinds of recovery, seconds, failures, carts left behind, and all of quality.
    """
    steps = events["type"].isin(["step_entered", "step_failed"])
    nobody = events["checkout_id"].isna() & (events["type"] != "order_refunded")
    told = ~nobody & ~events["type"].isin(["funnel_declared", "events_lost", "survey_answered"])
    as_of = events.loc[told, "occurred_at"].max()
    unwanted = events["traffic"].isin(["bot", "staff", "test"])
    bots = events.loc[unwanted & steps, "checkout_id"].dropna().unique()
    refunds = events[events["type"] == "order_refunded"]
    events = events[~unwanted & ~events["checkout_id"].isin(bots) & events["checkout_id"].notna()]

    known = events[events["step"].isin(STEPS)]
    position = known["step"].map({name: k for k, name in enumerate(STEPS)})
    attempts = pd.DataFrame(
        {
            "deepest": position.groupby(known["checkout_id"]).max(),
            "last": events[events["type"].isin(ACTIVITY)]
            .groupby("checkout_id")["occurred_at"]
            .max(),
        }
    )
    paid = events[events["type"] == "order_completed"]
    attempts["ordered"] = attempts.index.isin(paid["checkout_id"])
    attempts = attempts[attempts["deepest"].notna()]
    idle = as_of - attempts["last"]
    in_flight = ~attempts["ordered"] & (idle <= ABANDON_AFTER)
    gone = attempts[~attempts["ordered"] & ~in_flight]
    lost = int((idle[gone.index] > RECOVER_WITHIN).sum())

    decided = attempts[~in_flight]
    seen = known[known["checkout_id"].isin(decided.index)]
    entered = seen.groupby("step")["checkout_id"].nunique()
    return {
        "as_of": (as_of - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1),
        "started": len(attempts),
        "decided": len(decided),
        "ordered": int(attempts["ordered"].sum()),
        "outcomes": {
            "in_flight": int(in_flight.sum()),
            "lost": lost,
            "recoverable": len(gone) - lost,
        },
        "steps": {
            name: {
                "entered": int(entered[name]),
                "reached": int((decided["ordered"] | (decided["deepest"] >= k)).sum()),
                "dropped": int((gone["deepest"] == k).sum()),
                "in_flight": int((attempts.loc[in_flight, "deepest"] == k).sum()),
            }
            for k, name in enumerate(STEPS)
        },
        "revenue": _revenue(paid, refunds, attempts.index),
    }


def _revenue(paid: pd.DataFrame, refunds: pd.DataFrame, attempts: pd.Index) -> dict[str, list[int]]:
    """Sum each order's earliest total and its distinct refunds, by currency."""
    first = ["occurred_at", "checkout_id", "event_id"]
    orders = paid.sort_values(first).drop_duplicates("order_id").set_index("order_id")
    orders = orders[orders["checkout_id"].isin(attempts) & orders["total_money"].notna()]
    refunds = refunds.assign(refund_id=refunds["refund_id"].fillna(refunds["event_id"]))
    refunds = refunds.sort_values(["occurred_at", "event_id"])
    refunds = refunds.drop_duplicates(["order_id", "refund_id"])
    refunds = refunds.join(orders[["total_currency"]], on="order_id", how="inner", rsuffix="_order")
    refunds = refunds[refunds["amount_currency"] == refunds["total_currency_order"]]
    gross = orders.groupby("total_currency")["total_money"].sum()
    refunded = refunds.groupby("amount_currency")["amount_money"].sum()
    return {
        str(currency): [int(gross[currency]), int(refunded.get(currency, 0))]
        for currency in gross.index
    }


def _nullable(kind: pa.DataType) -> Any:
    return pd.Int64Dtype() if kind == pa.int64() else None
