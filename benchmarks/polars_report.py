"""A part of the report with polars, lazily: see `answer` for which part."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.generate import STEPS

ABANDON_AFTER = timedelta(minutes=30)
RECOVER_WITHIN = timedelta(days=7)
ACTIVITY = ("step_entered", "step_failed", "order_completed", "reminder_clicked")

_MONEY = pl.Struct({"amount": pl.String, "currency": pl.String})
_SCHEMA = {
    **dict.fromkeys(
        ("type", "event_id", "checkout_id", "step", "order_id", "refund_id", "occurred_at"),
        pl.String,
    ),
    "attributes": pl.Struct({"traffic": pl.String}),
    "total": _MONEY,
    "amount": _MONEY,
}


def read(log: Path) -> pl.DataFrame:
    """Read the fields that are needed."""
    money = pl.coalesce("total", "amount").struct
    return (
        pl.scan_ndjson(sorted(log.glob("*.jsonl")), schema=_SCHEMA)
        .select(
            "type",
            "event_id",
            "checkout_id",
            "step",
            "order_id",
            pl.coalesce("refund_id", "event_id").alias("refund_id"),
            pl.col("occurred_at").str.to_datetime("%+", time_unit="us", time_zone="UTC"),
            pl.col("attributes").struct.field("traffic"),
            (money.field("amount").cast(pl.Decimal(18, 4)) * 10_000).cast(pl.Int64).alias("money"),
            money.field("currency"),
        )
        .collect()
    )


def answer(events: pl.DataFrame) -> dict[str, Any]:
    """Return as_of, the open, lost and recoverable attempts, the step counts, and revenue.

    Without: the kinds of recovery, seconds, failures, carts left behind, and all of quality.
    """
    kind = pl.col("type")
    told = events.filter(
        pl.col("checkout_id").is_not_null() | (kind == "order_refunded"),
        ~kind.is_in(["funnel_declared", "events_lost", "survey_answered"]),
    )
    as_of = told["occurred_at"].max()
    unwanted = pl.col("traffic").is_in(["bot", "staff", "test"]).fill_null(value=False)
    bots = events.filter(unwanted, kind.is_in(["step_entered", "step_failed"]))["checkout_id"]
    refunds = events.filter(kind == "order_refunded")
    kept = events.filter(
        ~unwanted,
        pl.col("checkout_id").is_not_null(),
        ~pl.col("checkout_id").is_in(bots.drop_nulls().unique().implode()),
    )

    position = pl.col("step").replace_strict(
        {name: k for k, name in enumerate(STEPS)}, default=None, return_dtype=pl.Int8
    )
    attempts = (
        kept.group_by("checkout_id")
        .agg(
            position.max().alias("deepest"),
            (kind == "order_completed").any().alias("ordered"),
            pl.col("occurred_at").filter(kind.is_in(ACTIVITY)).max().alias("last"),
            *((pl.col("step") == name).any().alias(name) for name in STEPS),
        )
        .filter(pl.col("deepest").is_not_null())
        .with_columns(idle=as_of - pl.col("last"))
    )
    in_flight = attempts.filter(~pl.col("ordered"), pl.col("idle") <= ABANDON_AFTER)
    gone = attempts.filter(~pl.col("ordered"), pl.col("idle") > ABANDON_AFTER)
    decided = attempts.filter(pl.col("ordered") | (pl.col("idle") > ABANDON_AFTER))
    lost = gone.filter(pl.col("idle") > RECOVER_WITHIN).height
    return {
        "as_of": (as_of - as_of.fromtimestamp(0, as_of.tzinfo)) // timedelta(microseconds=1),
        "started": attempts.height,
        "decided": decided.height,
        "ordered": int(attempts["ordered"].sum()),
        "outcomes": {
            "in_flight": in_flight.height,
            "lost": lost,
            "recoverable": gone.height - lost,
        },
        "steps": {
            name: {
                "entered": int(decided[name].fill_null(value=False).sum()),
                "reached": int((decided["ordered"] | (decided["deepest"] >= k)).sum()),
                "dropped": int((gone["deepest"] == k).sum()),
                "in_flight": int((in_flight["deepest"] == k).sum()),
            }
            for k, name in enumerate(STEPS)
        },
        "revenue": _revenue(kept.filter(kind == "order_completed"), refunds, attempts),
    }


def _revenue(
    paid: pl.DataFrame, refunds: pl.DataFrame, attempts: pl.DataFrame
) -> dict[str, list[int]]:
    """Sum each order's earliest total and its distinct refunds, by currency."""
    orders = (
        paid.sort("occurred_at", "checkout_id", "event_id")
        .unique("order_id", keep="first", maintain_order=True)
        .join(attempts.select("checkout_id"), on="checkout_id", how="semi")
        .filter(pl.col("money").is_not_null())
    )
    refunds = (
        refunds.sort("occurred_at", "event_id")
        .unique(["order_id", "refund_id"], keep="first", maintain_order=True)
        .join(orders.select("order_id", "currency"), on=["order_id", "currency"], how="semi")
    )
    gross = dict(orders.group_by("currency").agg(pl.col("money").sum()).iter_rows())
    refunded = dict(refunds.group_by("currency").agg(pl.col("money").sum()).iter_rows())
    return {currency: [gross[currency], refunded.get(currency, 0)] for currency in gross}
