"""A second, naive reading of the rules: plain dicts, one loop a rule, no thought of speed.

It imports nothing of the library and shares no code with it, so that the two can disagree. The
figure names are those of ``docs/conformance/README.md``. Money is counted in integer units of
1/10,000; what is divided stays a ``Fraction`` and is shown as the text ``n/d``.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

Line = dict[str, Any]

STEP_TYPES = ("step_entered", "step_failed")
SHOPPER_TYPES = (
    *STEP_TYPES,
    "order_completed",
    "order_refunded",
    "holdout_assigned",
    "order_cancelled",
    "reminder_sent",
    "reminder_clicked",
    "survey_answered",
)
MONEY_BACK = ("order_refunded", "order_cancelled")
ACTIVITY_TYPES = (*STEP_TYPES, "reminder_clicked", "order_completed")
OUTCOMES = (
    "in_flight",
    "purchased",
    "recoverable",
    "lost",
    "recovered_by_link",
    "recovered_after_reminder",
    "recovered_unaided",
    "purchased_late",
)
RECOVERED = ("recovered_by_link", "recovered_after_reminder", "recovered_unaided")
EVER_ABANDONED = ("recoverable", "lost", *RECOVERED, "purchased_late")
# What a report draws otherwise when it is asked for the closed funnel.
OPEN_COUNTS = (
    "entered",
    "reached",
    "skipped",
    "dropped",
    "in_flight",
    "conversion_rate",
    "drop_off_rate",
)
BOTS = {"traffic": ("bot", "staff", "test")}
SMALL_GROUP = 30
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SeveralFunnelsError(ValueError):
    """The log has several funnels and none was chosen."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"several funnels: {', '.join(names)}")
        self.names = names


def micros(text: str) -> int:
    """Integer microseconds since 1970 in UTC of an ISO 8601 text."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def iso(t: int | None) -> str | None:
    """The log's own text of an instant."""
    if t is None:
        return None
    return (EPOCH + timedelta(microseconds=t)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def units(money: dict[str, str]) -> int:
    """The amount in units of 1/10,000."""
    return int(Decimal(money["amount"]) * 10_000)


def amount(whole_units: int) -> str:
    """The text of an amount: two decimals, or four where they are needed."""
    text = f"{Decimal(whole_units) / 10_000:.4f}"
    return text.removesuffix("00")


def ratio(value: Fraction) -> str:
    """A fraction as ``n/d``, so that nothing is rounded in here."""
    return f"{value.numerator}/{value.denominator}"


def rounded(fraction_text: str) -> str:
    """An exact ``n/d`` amount, rounded once, half to even, to 1/10,000."""
    return amount(round(Fraction(fraction_text) * 10_000))


def figures(
    lines: list[Line],
    *,
    funnel: str | None = None,
    as_of: str | None = None,
    by: str | tuple[str, ...] | list[str] = (),
    unit: str = "attempt",
    exclude: dict[str, Any] | None = None,
    closed: bool = False,
    within_s: int | None = None,
    abandon_after_s: int | None = None,
    recover_within_s: int | None = None,
    timezone: str = "UTC",
    every: str = "day",
    touch: str = "first",
) -> dict[str, Any]:
    """Every figure of one log under one set of options."""
    names = sorted({line["funnel"] for line in lines})
    if funnel is None:
        if len(names) > 1:
            raise SeveralFunnelsError(names)
        funnel = names[0]
    lines = [known(line) for line in lines if line["funnel"] == funnel]

    # "The declaration with the latest construction wins (ties by id)."
    declarations = {
        line["event_id"]: line for line in lines if line["type"] == "funnel_declared"
    }.values()
    law = max(declarations, key=lambda line: (micros(line["occurred_at"]), line["event_id"]))
    steps = [step["name"] for step in law["steps"]]
    optional = {step["name"] for step in law["steps"] if step.get("optional")}
    gap_limit = seconds_of(law["abandon_after"], abandon_after_s) * 1_000_000
    back_limit = seconds_of(law["recover_within"], recover_within_s) * 1_000_000

    # "Shopper events later than as_of do not exist"; what has no checkout is counted, then ignored.
    shopper = [
        {**line, "t": micros(line["occurred_at"])}
        for line in lines
        if line["type"] in SHOPPER_TYPES and "unknown" not in line
    ]
    homeless = [e for e in shopper if "checkout_id" not in e and e["type"] not in MONEY_BACK]
    shopper = [e for e in shopper if e not in homeless]
    now = micros(as_of) if as_of else max((e["t"] for e in shopper), default=None)
    quality: dict[str, Any] = {
        "without_checkout_id": len(
            {(e["type"], e["event_id"]) for e in homeless if now is not None and e["t"] <= now}
        ),
        "unknown_types": count_by(
            {
                (line["type"], line["event_id"])
                for line in lines
                if "unknown" in line
                or line["type"] not in (*SHOPPER_TYPES, "funnel_declared", "events_lost")
            }
        ),
        "events_lost": lost_events(lines),
        **definitions(declarations, steps),
    }
    shopper = [e for e in shopper if now is not None and e["t"] <= now]

    shopper, left = leave_out(shopper, BOTS if exclude is None else exclude)
    quality.update(left)
    refunds = [e for e in shopper if e["type"] == "order_refunded"]
    cancelled = {e["order_id"] for e in shopper if e["type"] == "order_cancelled"}
    events = [e for e in shopper if e["type"] not in MONEY_BACK]

    attempts: dict[str, list[Line]] = defaultdict(list)
    for e in events:
        attempts[e["checkout_id"]].append(e)
    orders = own_orders(events)
    net_refunds(orders, refunds, quality)
    quality["cancellations_without_order"] = len(cancelled - set(orders))
    for order_id, order in orders.items():
        order["is_cancelled"] = order_id in cancelled
        left = 0 if order["total"] is None else units(order["total"]) - order["refunded"]
        order["cancelled"] = max(0, left) if order_id in cancelled else 0

    singles = [
        fold([checkout], attempts[checkout], steps, gap_limit, back_limit, now)
        for checkout in sorted(attempts)
    ]
    customers = [customer_of(attempts[checkout]) for checkout in sorted(attempts)]
    quality.update(facts(singles, customers, orders, steps, back_limit, events))
    if unit == "customer":
        whole = [
            fold(group, [e for c in group for e in attempts[c]], steps, gap_limit, back_limit, now)
            for group in merged(singles, customers, back_limit)
        ]
    else:
        whole = singles
    for journey in whole:
        journey["owned"] = [o for o in orders.values() if o["owner"] in journey["checkouts"]]
    quality.update(outside(whole))

    started = [journey for journey in whole if journey["deepest"] is not None]
    attributes = (by,) if isinstance(by, str) else tuple(by)
    single = len(attributes) == 1
    for journey in started:
        journey["group"] = group_of(journey, attributes, single, touch)
        day = (EPOCH + timedelta(microseconds=journey["start"])).astimezone(ZoneInfo(timezone))
        journey["period"] = period_of(day.date(), every)

    for order in orders.values():
        owners = [j for j in started if order["owner"] in j["checkouts"]]
        order["group"] = owners[0]["group"] if owners else ""
    told_beside = {
        group: beside(
            [j for j in started if group is None or j["group"] == group],
            whole,
            group,
            steps,
            now,
            back_limit,
            timezone,
        )
        for group in [None, *sorted({j["group"] for j in started} if attributes else ())]
    }
    window = None if within_s is None else within_s * 1_000_000

    def tell(part: list[dict[str, Any]]) -> dict[str, Any]:
        return report(part, started, steps, now, back_limit, closed, optional, window)

    told = tell(started)
    told["as_of"] = iso(now)
    told["beside"] = told_beside
    told["quality"] = quality
    told["trend"] = {
        period: tell([j for j in started if j["period"] == period])
        for period in sorted({j["period"] for j in started})
    }
    if attributes:
        told["groups"] = {
            key: tell([j for j in started if j["group"] == key])
            for key in sorted({j["group"] for j in started})
        }
    told["journeys"] = {
        journey["checkouts"][0]: {
            "outcome": journey["outcome"],
            "furthest": "order" if journey["order"] is not None else steps[journey["deepest"]],
            "abandoned_at": iso(journey["abandoned"]),
            "value": money_text(journey["value"]),
            "started_at": iso(journey["start"]),
            "last_activity_at": iso(journey["last"]),
        }
        for journey in started
    }
    return told


def known(line: Line) -> Line:
    """The line; of a reserved type in a form that is not this version's, as an unknown type."""
    answers = ("score", "reason", "text")
    if (line["type"] == "survey_answered" and not any(part in line for part in answers)) or (
        line["type"] == "order_cancelled" and "order_id" not in line
    ):
        return {**line, "unknown": True}
    return line


def seconds_of(duration: str, override: int | None) -> int:
    """Whole seconds of an ISO 8601 duration of days, hours, minutes and seconds."""
    if override is not None:
        return override
    days, _, clock = duration.removeprefix("P").partition("T")
    total, number = 0, ""
    for sign in days + clock:
        if sign.isdigit():
            number += sign
        else:
            total += int(number) * {"W": 604800, "D": 86400, "H": 3600, "M": 60, "S": 1}[sign]
            number = ""
    return total


def count_by(pairs: set[tuple[str, Any]]) -> dict[str, int]:
    """How many distinct pairs begin with each name."""
    return dict(sorted(Counter(name for name, _ in pairs).items()))


def lost_events(lines: list[Line]) -> dict[str, int]:
    """What funnels rejected and sinks lost: by source and reason, distinct by event id."""
    records = {line["event_id"]: line for line in lines if line["type"] == "events_lost"}
    total: Counter[str] = Counter()
    for line in records.values():
        kept = "/kept" if line.get("kept") else ""
        total[f"{line['source']}/{line['reason']}{kept}"] += line["count"]
    return dict(sorted(total.items()))


def definitions(declarations: Any, steps: list[str]) -> dict[str, Any]:
    """All definitions, and the steps that only an older one had."""
    contents = {
        (json.dumps(d["steps"], sort_keys=True), d["abandon_after"], d["recover_within"])
        for d in declarations
    }
    older = {step["name"] for d in declarations for step in d["steps"]} - set(steps)
    return {"definitions": len(contents), "older_steps": sorted(older)}


def leave_out(shopper: list[Line], exclude: dict[str, Any]) -> tuple[list[Line], dict[str, Any]]:
    """Take out whole attempts with such a step event, and every other such event alone."""
    unwanted = {name: {json.dumps(v) for v in values} for name, values in exclude.items()}

    def is_such(e: Line) -> bool:
        given = e.get("attributes", {})
        return any(n in given and json.dumps(given[n]) in vs for n, vs in unwanted.items())

    gone = {e["checkout_id"] for e in shopper if e["type"] in STEP_TYPES and is_such(e)}
    whole = [e for e in shopper if e["type"] not in MONEY_BACK and e["checkout_id"] in gone]
    alone = [e for e in shopper if e not in whole and is_such(e)]
    stays = [e for e in shopper if e not in whole and e not in alone]
    # Orders that only they show leave with them, and their refunds, too.
    kept = {e["order_id"] for e in stays if e["type"] == "order_completed"}
    left = own_orders([e for e in whole + alone if e["type"] == "order_completed"])
    left = {order_id: order for order_id, order in left.items() if order_id not in kept}
    refunds = [e for e in shopper if e["type"] in MONEY_BACK and e["order_id"] in left]
    stays = [e for e in stays if e not in refunds]
    alone = [e for e in alone if e not in refunds]
    return stays, {
        "excluded_attempts": len(gone),
        "excluded_events": len({(e["type"], e.get("checkout_id"), e["event_id"]) for e in alone}),
        "excluded_orders": len(left),
        "excluded_gross": sums(o["total"] for o in left.values() if o["total"]),
    }


def money_key(money: dict[str, str] | None) -> tuple[int, str]:
    """Amount and currency as the end of a total key; no money sorts first."""
    return (-1, "") if money is None else (units(money), money["currency"])


def order_key(e: Line) -> tuple[Any, ...]:
    """The pick of an order: 'its earliest event (ties by checkout id, event id, amount, ...)'."""
    return (e["t"], e["checkout_id"], e["event_id"], *money_key(e.get("total")))


def own_orders(events: list[Line]) -> dict[str, dict[str, Any]]:
    """Every distinct order with its owner, its total, and who else shows it."""
    shown: dict[str, list[Line]] = defaultdict(list)
    for e in events:
        if e["type"] == "order_completed":
            shown[e["order_id"]].append(e)
    orders = {}
    for order_id, showings in shown.items():
        first = min(showings, key=order_key)
        orders[order_id] = {
            "id": order_id,
            "owner": first["checkout_id"],
            "t": first["t"],
            "total": first.get("total"),
            "attempts": {e["checkout_id"] for e in showings},
            "totals": {money_key(e.get("total")) for e in showings},
            "refunded": 0,
        }
    return orders


def net_refunds(
    orders: dict[str, dict[str, Any]], refunds: list[Line], quality: dict[str, Any]
) -> None:
    """Join each distinct refund to its order; what cannot be netted is counted with its money."""
    distinct: dict[tuple[str, str], Line] = {}
    for e in sorted(refunds, key=lambda e: (e["t"], e["event_id"], *money_key(e.get("amount")))):
        distinct.setdefault((e["order_id"], e.get("refund_id", e["event_id"])), e)
    orphans, foreign, amountless = [], [], 0
    for e in distinct.values():
        order = orders.get(e["order_id"])
        if "amount" not in e:
            amountless += 1
        elif order is None:
            orphans.append(e["amount"])
        elif order["total"] is None or order["total"]["currency"] != e["amount"]["currency"]:
            foreign.append(e["amount"])
        else:
            order["refunded"] += units(e["amount"])
    quality["refunds_without_order"] = len(orphans)
    quality["refunds_without_order_money"] = sums(orphans)
    quality["refunds_other_currency"] = len(foreign)
    quality["refunds_other_currency_money"] = sums(foreign)
    quality["refunds_without_amount"] = amountless
    quality["refunds_over_order"] = sum(
        order["total"] is not None and order["refunded"] > units(order["total"])
        for order in orders.values()
    )


def sums(moneys: Any) -> dict[str, str]:
    """Sums by currency, never across."""
    total: Counter[str] = Counter()
    for money in moneys:
        total[money["currency"]] += units(money)
    return {currency: amount(total[currency]) for currency in sorted(total)}


def fold(
    checkouts: list[str], events: list[Line], steps: list[str], gap: int, back: int, now: int
) -> dict[str, Any]:
    """What became of one attempt (or of one customer's merged attempts) as of now."""
    position = {name: k for k, name in enumerate(steps)}
    known = [e for e in events if e["type"] in STEP_TYPES and e["step"] in position]
    paid = [e for e in events if e["type"] == "order_completed"]
    journey: dict[str, Any] = {
        "checkouts": checkouts,
        "events": events,
        "known": known,
        "paid": paid,
        "seen": {position[e["step"]] for e in known},
        "deepest": max((position[e["step"]] for e in known), default=None),
        "order": min((e["t"] for e in paid), default=None),
        "start": min((e["t"] for e in known + paid), default=None),
        "position": position,
        "outcome": None,
        "last": None,
    }
    start, order = journey["start"], journey["order"]
    if start is None:
        return journey

    # An abandonment: an activity followed by more than `gap` of nothing before the next activity,
    # the order, or now.
    activity = sorted({e["t"] for e in events if e["type"] in ACTIVITY_TYPES and e["t"] >= start})
    end = now if order is None else order
    chain = [t for t in activity if t <= end] + [end]
    abandonments = [a for a, b in pairwise(chain) if b - a > gap]
    first = min(abandonments, default=None)
    last = max(abandonments, default=None)

    def reminded(kind: str) -> bool:
        return any(
            e["type"] == kind and first < e["t"] <= order and order - e["t"] <= back for e in events
        )

    if order is None:
        if now - activity[-1] <= gap:
            outcome = "in_flight"
        elif now - last <= back:
            outcome = "recoverable"
        else:
            outcome = "lost"
    elif last is None:
        outcome = "purchased"
    elif order - last > back:
        outcome = "purchased_late"
    elif reminded("reminder_clicked"):
        outcome = "recovered_by_link"
    elif reminded("reminder_sent"):
        outcome = "recovered_after_reminder"
    else:
        outcome = "recovered_unaided"

    valued = [e for e in known if "value" in e and last is not None and e["t"] <= last]
    latest = max(
        valued,
        key=lambda e: (
            e["t"],
            position[e["step"]],
            e["type"],
            e["event_id"],
            *money_key(e["value"]),
        ),
        default=None,
    )
    journey.update(
        outcome=outcome,
        abandoned=last,
        first_abandoned=first,
        last=activity[-1],
        activity=activity,
        value=latest["value"] if latest else None,
    )
    return journey


def customer_of(events: list[Line]) -> str | None:
    """'The id on its earliest event that has one'; ties by the id itself."""
    named = [(e["t"], e["customer_id"]) for e in events if "customer_id" in e]
    return min(named)[1] if named else None


def merged(
    singles: list[dict[str, Any]], customers: list[str | None], back: int
) -> list[list[str]]:
    """Attempts of a customer that continue each other, as lists of checkout ids."""
    groups = [
        j["checkouts"]
        for j, customer in zip(singles, customers, strict=True)
        if customer is None or j["start"] is None
    ]
    for name in sorted({c for c in customers if c is not None}):
        own = sorted(
            (
                j
                for j, customer in zip(singles, customers, strict=True)
                if customer == name and j["start"] is not None
            ),
            key=lambda j: (j["start"], j["checkouts"][0]),
        )
        order_times = [e["t"] for j in own for e in j["paid"]]
        group: list[str] = []
        for k, j in enumerate(own):
            if k:
                before = own[k - 1]
                paid_between = any(before["start"] <= t < j["start"] for t in order_times)
                latest = max(earlier["last"] for earlier in own[:k])
                if paid_between or j["start"] - latest > back:
                    groups.append(group)
                    group = []
            group = group + j["checkouts"]
        if group:
            groups.append(group)
    return groups


def facts(
    singles: list[dict[str, Any]],
    customers: list[str | None],
    orders: dict[str, dict[str, Any]],
    steps: list[str],
    back: int,
    events: list[Line],
) -> dict[str, Any]:
    """The facts of the log about its attempts, whatever the unit."""
    counted = [j for j in singles if j["deepest"] is not None]
    unknown = {
        (e["step"], (e["checkout_id"], e["event_id"]))
        for e in events
        if e["type"] in STEP_TYPES and e["step"] not in steps
    }
    skews = []
    for j in counted:
        firsts = {k: first_at(j, k) for k in j["seen"]}
        skews += [
            firsts[k] - firsts[k2] for k, k2 in pairwise(sorted(firsts)) if firsts[k2] < firsts[k]
        ]
    elsewhere = 0
    for j, customer in zip(singles, customers, strict=True):
        if j["deepest"] is not None and j["outcome"] == "lost" and customer is not None:
            elsewhere += any(
                other is not j and whose == customer and j["start"] <= e["t"] <= j["last"] + back
                for other, whose in zip(singles, customers, strict=True)
                for e in other["paid"]
            )
    return {
        "unknown_steps": count_by(unknown),
        "not_first_step": sum(begin(j, steps) != 0 for j in counted),
        "out_of_order": len(skews),
        "largest_skew_s": max(skews, default=0) // 1_000_000,
        "activity_after_order": sum(
            j["order"] is not None and j["last"] > j["order"] for j in counted
        ),
        "further_orders": sum(max(0, len({e["order_id"] for e in j["paid"]}) - 1) for j in counted),
        "two_currencies": sum(len(currencies(j)) > 1 for j in counted),
        "several_customers": sum(
            len({e["customer_id"] for e in j["events"] if "customer_id" in e}) > 1 for j in singles
        ),
        "shared_orders": sum(len(o["attempts"]) > 1 for o in orders.values()),
        "order_conflicts": sum(len(o["totals"]) > 1 for o in orders.values()),
        "orders_without_total": sum(o["total"] is None for o in orders.values()),
        "ordered_elsewhere": elsewhere,
    }


def begin(journey: dict[str, Any], steps: list[str]) -> int:
    """The position at which it began; the order stands after the last step."""
    places = [(e["t"], journey["position"][e["step"]]) for e in journey["known"]]
    if journey["order"] is not None:
        places.append((journey["order"], len(steps)))
    return min(places)[1]


def currencies(journey: dict[str, Any]) -> set[str]:
    """The currencies of its cart values and its order totals."""
    return {
        e[key]["currency"]
        for e in journey["known"] + journey["paid"]
        for key in ("value", "total")
        if key in e
    }


def outside(whole: list[dict[str, Any]]) -> dict[str, Any]:
    """Journeys never seen at a step, with the money of their orders."""
    stepless = [j for j in whole if j["deepest"] is None]
    return {
        "without_step": len(stepless),
        "without_step_orders": sum(len(j["owned"]) for j in stepless),
        "without_step_gross": sums(o["total"] for j in stepless for o in j["owned"] if o["total"]),
        "values_missing": sum(
            j["outcome"] in ("lost", "recoverable") and j["value"] is None
            for j in whole
            if j["deepest"] is not None
        ),
    }


def group_of(journey: dict[str, Any], attributes: tuple[str, ...], single: bool, touch: str) -> str:
    """The JSON text of the attribute on the earliest step event, known step or not.

    Or, by the last touch, on the last one that has one of them, up to the order.
    """
    if touch == "last":
        touched = [
            (
                e["t"],
                e["type"],
                e["step"],
                e["event_id"],
                json.dumps([e.get("attributes", {}).get(name) for name in attributes]),
            )
            for e in journey["events"]
            if e["type"] in STEP_TYPES
            and any(e.get("attributes", {}).get(name) is not None for name in attributes)
            and (journey["order"] is None or e["t"] <= journey["order"])
        ]
        if touched:
            values = json.loads(max(touched)[4])
            return json.dumps(values[0] if single else values, separators=(",", ":"))
    first = min(
        (e for e in journey["events"] if e["type"] in STEP_TYPES),
        key=lambda e: (
            e["t"],
            e["type"],
            e["step"],
            e["event_id"],
            json.dumps(e.get("attributes", {}), sort_keys=True),
        ),
    )
    values = [first.get("attributes", {}).get(name) for name in attributes]
    return json.dumps(values[0] if single else values, separators=(",", ":"))


def period_of(day: date, every: str) -> str:
    """The first day of the day's period; weeks begin on Monday."""
    if every == "week":
        day -= timedelta(days=day.weekday())
    elif every == "month":
        day = day.replace(day=1)
    return day.isoformat()


def first_at(journey: dict[str, Any], k: int) -> int:
    """The first time it was seen at step k."""
    return min(e["t"] for e in journey["known"] if journey["position"][e["step"]] == k)


def report(
    part: list[dict[str, Any]],
    whole: list[dict[str, Any]],
    steps: list[str],
    now: int | None,
    back: int,
    closed: bool,
    optional: set[str],
    window: int | None,
) -> dict[str, Any]:
    """The figures of some journeys; `whole` lends its rates where `part` is small."""
    decided = [j for j in part if j["outcome"] != "in_flight"]
    outcomes = {name: sum(j["outcome"] == name for j in part) for name in OUTCOMES}
    ordered = [j for j in decided if j["order"] is not None]
    abandoned = [j for j in decided if j["outcome"] in EVER_ABANDONED]
    mature = [j for j in abandoned if now - j["first_abandoned"] > back]
    told: dict[str, Any] = {
        "started": len(part),
        "decided": len(decided),
        "ordered": len(ordered),
        "outcomes": outcomes,
        "abandonment_rate": rate(len(decided) - len(ordered), len(decided)),
        "ever_abandoned_rate": rate(len(abandoned), len(decided)),
        "recovery_rate": {
            **rate(sum(j["outcome"] in RECOVERED for j in mature), len(mature)),
            "not_matured": len(abandoned) - len(mature),
        },
        "steps": {},
    }
    for k, name in enumerate(steps):
        reached = [j for j in decided if j["order"] is not None or j["deepest"] >= k]
        further = [j for j in decided if j["order"] is not None or j["deepest"] > k]
        entered = [j for j in decided if k in j["seen"]]
        dropped = [j for j in decided if j["order"] is None and j["deepest"] == k]
        waits = sorted(w for j in entered if (w := wait(j, k)) is not None)
        told["steps"][name] = {
            "entered": len(entered),
            "reached": len(reached),
            "skipped": len(reached) - len(entered),
            "dropped": len(dropped),
            "in_flight": sum(j["outcome"] == "in_flight" and j["deepest"] == k for j in part),
            "conversion_rate": rate(len(further), len(reached)),
            "drop_off_rate": rate(len(dropped), len(reached)),
            "failures": failures(decided, name),
            "seconds": {
                "n": len(waits),
                "median": quantile(waits, Fraction(1, 2)),
                "p90": quantile(waits, Fraction(9, 10)),
            },
            "lost": money_lost(dropped, part, whole),
        }
    told["lost_revenue"] = money_lost([j for j in part if j["outcome"] == "lost"], part, whole)
    told["recoverable_revenue"] = money_lost(
        [j for j in part if j["outcome"] == "recoverable"], part, whole
    )
    told["revenue"] = revenue(part)
    told["cancelled_orders"] = sum(o["is_cancelled"] for j in part for o in j["owned"])
    told["survey"] = {
        "after_order": answers(part, after_order=True),
        "on_exit": answers(part, after_order=False),
    }
    told["recovered_revenue"] = {
        kind: sums(
            o["total"] for j in part if j["outcome"] == kind for o in j["owned"] if o["total"]
        )
        for kind in RECOVERED
    }
    if closed:
        for figures_of_step in told["steps"].values():
            for name in OPEN_COUNTS:
                del figures_of_step[name]
        told["closed"] = closed_counts(part, steps, optional, window)
    return told


def rate(numerator: int, denominator: int) -> dict[str, int]:
    """A rate, undivided."""
    return {"numerator": numerator, "denominator": denominator}


def wait(journey: dict[str, Any], k: int) -> int | None:
    """Whole seconds from the first event at step k to the next deeper one, or the order."""
    here = first_at(journey, k)
    deeper = [e["t"] for e in journey["known"] if journey["position"][e["step"]] > k]
    if journey["order"] is not None:
        deeper.append(journey["order"])
    later = [t for t in deeper if t >= here]
    return (min(later) - here) // 1_000_000 if later else None


def quantile(ordered: list[int], p: Fraction) -> str | None:
    """Linear between order statistics at rank (n - 1) p, exact."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * p
    low = place.numerator // place.denominator
    high = min(low + 1, len(ordered) - 1)
    return ratio(ordered[low] + (place - low) * (ordered[high] - ordered[low]))


def failures(decided: list[dict[str, Any]], step: str) -> dict[str, dict[str, int]]:
    """By reason: distinct failures, and attempts with one."""
    found = {
        (e["reason"], j["checkouts"][0], e["event_id"])
        for j in decided
        for e in j["known"]
        if e["type"] == "step_failed" and e["step"] == step
    }
    reasons = sorted({reason for reason, _, _ in found})
    return {
        reason: {
            "failures": sum(r == reason for r, _, _ in found),
            "attempts": len({c for r, c, _ in found if r == reason}),
        }
        for reason in reasons
    }


def money_lost(
    gone: list[dict[str, Any]], part: list[dict[str, Any]], whole: list[dict[str, Any]]
) -> dict[str, dict[str, str]]:
    """Cart values at most, and times the chance that those who got as far do order."""
    most: Counter[str] = Counter()
    expected: dict[str, Fraction] = defaultdict(Fraction)
    for journey in gone:
        if journey["value"] is None:
            continue
        ordered, reached = chance(part, journey["deepest"])
        if reached < SMALL_GROUP:
            ordered, reached = chance(whole, journey["deepest"])
        currency = journey["value"]["currency"]
        most[currency] += units(journey["value"])
        expected[currency] += Fraction(units(journey["value"]) * ordered, reached)
    return {
        currency: {
            "at_most": amount(most[currency]),
            "expected": ratio(expected[currency] / 10_000),
        }
        for currency in sorted(most)
    }


def chance(journeys: list[dict[str, Any]], k: int) -> tuple[int, int]:
    """Orders, and decided attempts that reached step k."""
    decided = [j for j in journeys if j["outcome"] != "in_flight"]
    ordered = sum(j["order"] is not None for j in decided)
    return ordered, ordered + sum(j["order"] is None and j["deepest"] >= k for j in decided)


def revenue(part: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Gross, refunded and net of all owned orders, by currency."""
    gross: Counter[str] = Counter()
    refunded: Counter[str] = Counter()
    cancelled: Counter[str] = Counter()
    for journey in part:
        for order in journey["owned"]:
            if order["total"] is not None:
                gross[order["total"]["currency"]] += units(order["total"])
                refunded[order["total"]["currency"]] += order["refunded"]
                cancelled[order["total"]["currency"]] += order["cancelled"]
    return {
        currency: {
            "gross": amount(gross[currency]),
            "refunded": amount(refunded[currency]),
            "cancelled": amount(cancelled[currency]),
            "net": amount(gross[currency] - refunded[currency] - cancelled[currency]),
        }
        for currency in sorted(gross)
    }


def answers(part: list[dict[str, Any]], *, after_order: bool) -> dict[str, Any]:
    """The latest score and reason of each attempt, of answers from the order on or before it."""
    scores: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    answered = 0
    for journey in part:
        order = journey["order"]
        mine = sorted(
            (
                e
                for e in journey["events"]
                if e["type"] == "survey_answered"
                and (order is not None and e["t"] >= order) == after_order
            ),
            key=lambda e: (e["t"], e["event_id"]),
        )
        answered += bool(mine)
        for name, counter in (("score", scores), ("reason", reasons)):
            given = [(e["t"], e["event_id"], e[name]) for e in mine if name in e]
            if given:
                counter[str(max(given)[2])] += 1
    return {
        "answered": answered,
        "satisfied": rate(scores["4"] + scores["5"], sum(scores.values())),
        "scores": dict(scores),
        "reasons": dict(reasons),
    }


def closed_counts(
    part: list[dict[str, Any]], steps: list[str], optional: set[str], window: int | None
) -> dict[str, int]:
    """Step counts of a closed ordered funnel, over all attempts, and the order after them."""
    counts = dict.fromkeys([*steps, "order"], 0)
    for journey in part:
        before: int | None = None
        end: int | None = None
        for name in [*steps, "order"]:
            times = [
                e["t"]
                for e in journey["events"]
                if e.get("step") == name or (name == "order" and e["type"] == "order_completed")
            ]
            here = min(
                (t for t in times if (before is None or t >= before) and (end is None or t <= end)),
                default=None,
            )
            if here is None:
                if name in optional:
                    continue
                break
            counts[name] += 1
            if name in optional:
                continue
            if before is None and window is not None:
                end = here + window
            before = here
    return counts


def money_text(money: dict[str, str] | None) -> str | None:
    """A money as one text, `EUR 59.90`."""
    return None if money is None else f"{money['currency']} {amount(units(money))}"


def beside(
    part: list[dict[str, Any]],
    whole: list[dict[str, Any]],
    group: str | None,
    steps: list[str],
    now: int | None,
    back: int,
    timezone: str,
) -> dict[str, Any]:
    """What counts hold of some journeys beside the figures above, by the names of their keys.

    They are those of a group, or of no group in particular, among the whole.
    """
    told: Counter[tuple[Any, ...]] = Counter()
    for j in part:
        decided = j["outcome"] != "in_flight"
        order = j["order"]
        after = min(
            ((now if order is None else order) - j["start"]) // 1_000_000, back // 10**6 + 1
        )
        told["open_after" if order is None else "paid_after", after] += 1
        for name, k in ((name, k) for k, name in enumerate(steps) if decided and k in j["seen"]):
            here = [e for e in j["known"] if e["step"] == name]
            deeper = [e for e in j["known"] if j["position"][e["step"]] > k]
            told["returned", name] += any(e["t"] > d["t"] for e in here for d in deeper)
            failed = [e for e in here if e["type"] == "step_failed"]
            for reason in {e["reason"] for e in failed}:
                since = min(e["t"] for e in failed if e["reason"] == reason)
                later = [e["t"] for e in here + deeper] + [order or since]
                told["retried", name, reason] += max(later) > since
                told["failed_ordered", name, reason] += order is not None
        for key, number in surprised(j, steps).items() if decided else ():
            told[key] += number
        for o in j["owned"]:
            if o["total"] is not None:
                net, currency = net_of(o), o["total"]["currency"]
                day = (EPOCH + timedelta(microseconds=o["t"])).astimezone(ZoneInfo(timezone)).date()
                told["net_after", after, currency] += net
                told["net2_after", after, currency] += net**2
                told["priced", currency] += 1
                told["gross_on", day.isoformat(), currency] += units(o["total"])
                told["refunded_on", day.isoformat(), currency] += o["refunded"]
                told["cancelled_on", day.isoformat(), currency] += o["cancelled"]
    for own in by_person(part).values():
        told["cluster", "n"] += 1
        told["cluster", "x"] += len(own)
        told["cluster", "xx"] += len(own) ** 2
        decided = sum(j["outcome"] != "in_flight" for j in own)
        ordered = sum(j["order"] is not None for j in own)
        told["cluster", "decided"] += decided
        told["cluster", "decided2"] += decided**2
        told["cluster", "ordered"] += ordered
        told["cluster", "ordered2"] += ordered**2
        told["cluster", "both"] += ordered * decided
        nets: Counter[str] = Counter()
        for o in (o for j in own for o in j["owned"] if o["total"] is not None):
            nets[o["total"]["currency"]] += net_of(o)
        for currency, net in nets.items():
            told["cluster", "y", currency] += net
            told["cluster", "yy", currency] += net**2
            told["cluster", "xy", currency] += net * len(own)
    for who, own in by_person(whole).items():
        arm_of(told, own, part, now, back)
        times = sorted((o["t"], o["group"]) for j in own for o in j["owned"])
        if who[0] == "customer" and times and group in (None, times[0][1]):
            day = 86_400_000_000
            if len(times) > 1:
                told["again", -((times[0][0] - times[1][0]) // day)] += 1
            else:
                told["once", (now - times[0][0]) // day] += 1
    return {key: number for key, number in told.items() if number}


def net_of(order: dict[str, Any]) -> int:
    """What is left of an order's money."""
    return units(order["total"]) - order["refunded"] - order["cancelled"]


def by_person(journeys: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Journeys by customer; one that names none stays alone."""
    persons: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for j in journeys:
        customer = customer_of(j["events"])
        who = ("checkout", j["checkouts"][0]) if customer is None else ("customer", customer)
        persons[who].append(j)
    return persons


def value_key(j: dict[str, Any], e: Line) -> tuple[Any, ...]:
    """What cart values are taken by."""
    return (e["t"], j["position"][e["step"]], e["type"], e["event_id"], *money_key(e["value"]))


def surprised(j: dict[str, Any], steps: list[str]) -> Counter[tuple[Any, ...]]:
    """By step, the band in which the last total there is above the first one of all."""
    told: Counter[tuple[Any, ...]] = Counter()
    valued = sorted((e for e in j["known"] if "value" in e), key=lambda e: value_key(j, e))
    if not valued:
        return told
    base = units(valued[0]["value"])
    for name in steps:
        same = [
            e
            for e in valued
            if e["step"] == name and e["value"]["currency"] == valued[0]["value"]["currency"]
        ]
        if not same or value_key(j, same[-1]) == value_key(j, valued[0]):
            continue
        more = units(same[-1]["value"]) - base
        if more <= 0:
            band = 0
        elif base == 0:
            band = 100
        else:
            rise = Fraction(100 * more, base)
            band = 5 if rise <= 5 else 10 if rise <= 10 else 20 if rise <= 20 else 100
        told["surprise", name, band] += 1
        told["surprise_left", name, band] += (
            j["order"] is None and steps.index(name) == j["deepest"]
        )
    return told


def arm_of(
    told: Counter[tuple[Any, ...]],
    own: list[dict[str, Any]],
    here: list[dict[str, Any]],
    now: int | None,
    back: int,
) -> None:
    """What became of one person who was drawn into an arm."""

    def of(j: dict[str, Any], *kinds: str) -> list[Line]:
        return [e for e in j["events"] if e["type"] in kinds]

    drawn = [
        (e["t"], e["arm"], e.get("share", ""), e["checkout_id"], k)
        for k, j in enumerate(own)
        for e in of(j, "holdout_assigned")
    ]
    if not drawn:
        return
    since, arm, share, _, k = min(drawn)
    if own[k]["deepest"] is None:
        told["trial_without_step", arm] += 1
        return
    if own[k] not in here:
        return
    told["arm", arm, share] += 1
    told["arm_in_both", arm] += len({one[1] for one in drawn}) > 1
    told["arm_two_ids", arm] += any(
        len({e["customer_id"] for e in j["events"] if "customer_id" in e}) > 1
        for j in own
        if of(j, "holdout_assigned")
    )
    campaigns = {
        e["campaign"]
        for j in own
        for e in of(j, "holdout_assigned", "reminder_sent")
        if "campaign" in e
    }
    told["arm_campaigns", arm] += len(campaigns) > 1
    until = since + back
    # A reminder is told apart by its attempt and event id; the earliest telling counts.
    sent: dict[tuple[str, str], int] = {}
    for e in (e for j in own for e in of(j, "reminder_sent")):
        key = (e["checkout_id"], e["event_id"])
        sent[key] = min(e["t"], sent.get(key, e["t"]))
    clicks = [e["t"] for j in own for e in of(j, "reminder_clicked")]
    reminders = [t for t in sent.values() if since <= t <= until]
    touched = reminders + [t for t in clicks if since <= t <= until]
    told["arm_reminded", arm] += bool(touched)
    told["arm_reminders", arm] += len(reminders)
    if now - since <= back:
        told["arm_waiting", arm] += 1
        return
    told["arm_followed", arm] += 1
    told["arm_reminders_followed", arm] += len(reminders)
    bought = [o for j in own for o in j["owned"] if since < o["t"] <= until]
    told["arm_buyers", arm] += bool(bought)
    told["arm_orders", arm] += len(bought)
    told["arm_attributed", arm] += any(o["t"] >= t for o in bought for t in touched)
    before = [e for e in own[k]["known"] if "value" in e and e["t"] <= since]
    value = max(before, key=lambda e: value_key(own[k], e))["value"] if before else None
    told["arm_unvalued", arm] += value is None
    y: Counter[str] = Counter()
    currencies = set() if value is None else {value["currency"]}
    for o in bought:
        if o["total"] is None:
            told["arm_unpriced", arm] += 1
            continue
        currency = o["total"]["currency"]
        currencies.add(currency)
        y[currency] += net_of(o)
        if any(o["t"] >= t for t in touched):
            told["arm_attributed_y", arm, currency] += net_of(o)
    for currency in {o["total"]["currency"] for o in bought if o["total"] is not None}:
        told["arm_buyers_in", arm, currency] += 1
    for currency in currencies:
        x = units(value) if value is not None and value["currency"] == currency else 0
        net = y[currency]
        sums = {"y": net, "yy": net * net, "x": x, "xx": x * x, "xy": x * net}
        for what, number in sums.items():
            told["arm_sum", what, arm, currency] += number
