"""Hypothesis strategies for whole logs, as plain dicts: few of everything, close to every limit.

A and W are one and five minutes here, and the time from one event to the next is drawn from
their sums and neighbours, so that gaps hit a limit exactly, or miss it by a microsecond.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

Line = dict[str, Any]

SECOND = 1_000_000
A = 60 * SECOND
W = 300 * SECOND
# Two minutes before midnight in UTC, so that a log crosses a day.
BASE = datetime(2026, 10, 1, 23, 58, tzinfo=UTC)

STEPS = ({"name": "cart"}, {"name": "details"}, {"name": "payment"})
OLDER_STEPS = ({"name": "cart"}, {"name": "address"}, {"name": "payment"})

usual_deltas = st.sampled_from((0, 1, SECOND, 1_999_999, 30 * SECOND))
limit_deltas = st.sampled_from(
    (A, A + 1, A, A + 1, 2 * A, W - A, W, W + 1, W + A, -1, -SECOND, -A, -A - 1, -W)
)
deltas = usual_deltas | limit_deltas
steps_seen = st.sampled_from(("cart", "cart", "cart", "details", "payment", "gift", "address"))
moneys = st.builds(
    lambda amount, currency: {"amount": amount, "currency": currency},
    st.sampled_from(("0.00", "9.00", "10.00", "33.33", "0.0001", "999999999999.9999")),
    st.sampled_from(("EUR", "EUR", "EUR", "USD")),
)
attributes = st.dictionaries(
    st.sampled_from(("device", "device", "plan")),
    st.sampled_from(("mobile", "1", 1, True, None, 0, False, "", 'ö"')),
    max_size=2,
)
answers = st.fixed_dictionaries(
    {},
    optional={
        "score": st.integers(1, 5),
        "reason": st.sampled_from(("extra_costs", "too_long")),
        "text": st.just("Too dear."),
    },
)
marks = st.sampled_from((*({},) * 12, {"traffic": "bot"}, {"traffic": "human"}))


def at(t: int) -> str:
    """The log's own text of an instant, in microseconds after the base."""
    return (BASE + timedelta(microseconds=t)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def declared(event_id: str, t: int, steps: Any, funnel: str = "checkout") -> Line:
    """A declaration with the limits A and W."""
    return {
        "v": 1,
        "type": "funnel_declared",
        "event_id": event_id,
        "funnel": funnel,
        "occurred_at": at(t),
        "steps": [{"optional": False, **step} for step in steps],
        "abandon_after": "PT1M",
        "recover_within": "PT5M",
    }


@st.composite
def lost_lines(draw: st.DrawFn, event_id: str, t: int) -> Line:
    """A record of events that were lost."""
    line = {
        "v": 1,
        "type": "events_lost",
        "event_id": event_id,
        "funnel": "checkout",
        "occurred_at": at(t),
        "source": draw(st.sampled_from(("funnel", "sink"))),
        "reason": draw(st.sampled_from(("disk full", "no id"))),
        "count": draw(st.integers(1, 3)),
        "since": at(t),
        "until": at(t),
    }
    if draw(st.booleans()):
        line["kept"] = draw(st.booleans())
    return line


# What an attempt is made of; free ones are as untidy as they come.
KINDS = (
    *("step_entered",) * 6,
    *("order_completed", "reminder_clicked", "order_refunded", "step_failed") * 2,
    "reminder_sent",
    "holdout_assigned",
    "survey_answered",
    "survey_answered",
    "order_cancelled",
    "parcel_sent",
)
stories = st.one_of(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    st.sampled_from(
        (
            ("step_entered",),
            ("order_completed",),
            ("step_entered", "order_completed"),
            ("step_entered", "step_entered", "order_completed", "step_entered"),
            ("step_entered", "reminder_sent", "order_completed", "order_refunded"),
            ("step_entered", "holdout_assigned", "order_completed", "order_refunded"),
            ("step_entered", "holdout_assigned", "reminder_sent", "order_completed"),
            ("step_entered", "step_failed", "step_entered", "order_completed"),
            ("step_entered", "reminder_sent", "reminder_clicked", "order_completed"),
            ("step_entered", "reminder_clicked", "step_entered", "order_completed"),
            ("step_entered", "step_failed", "reminder_clicked", "order_completed"),
            ("order_completed", "order_refunded", "order_refunded", "step_entered"),
            ("step_entered", "order_completed", "order_cancelled", "order_refunded"),
        )
    ),
)
customers = st.sampled_from((None, "u1", "u1", "u2"))


@st.composite
def shopper_lines(
    draw: st.DrawFn, kind: str, event_id: str, t: int, checkout: str, customer: str | None
) -> Line:
    """One event of a shopper, or of the shop about one."""
    line: Line = {"v": 1, "type": kind, "event_id": event_id, "funnel": "checkout"}
    chance = draw(st.integers(0, 29))
    if chance != 29 and not (kind in ("order_refunded", "order_cancelled") and chance > 15):
        line["checkout_id"] = checkout
    if chance == 28:
        customer = draw(customers)
    if customer is not None:
        line["customer_id"] = customer
    line["occurred_at"] = at(t)
    given = {**draw(st.just({}) | attributes), **draw(marks)}
    if given:
        line["attributes"] = given
    money = draw(st.none() | moneys | moneys)
    key = ""
    if kind in ("step_entered", "step_failed"):
        line["step"] = draw(steps_seen)
        if kind == "step_failed":
            line["reason"] = draw(st.sampled_from(("card_declined", "timeout")))
        key = "value"
    elif kind == "order_completed":
        line["order_id"] = draw(st.sampled_from((f"o-{checkout}", f"o-{checkout}", "o1", "o2")))
        key = "total"
    elif kind == "order_refunded":
        line["order_id"] = draw(st.sampled_from((f"o-{checkout}", f"o-{checkout}", "o1", "o9")))
        refund = draw(st.sampled_from((None, "r1", "r2")))
        if refund is not None:
            line["refund_id"] = refund
        key = "amount"
    elif kind == "order_cancelled":
        if chance:  # else of a kind that was reserved
            line["order_id"] = draw(st.sampled_from((f"o-{checkout}", f"o-{checkout}", "o1", "o9")))
    elif kind == "holdout_assigned":
        line["arm"] = draw(st.sampled_from(("treated", "holdout")))
        if draw(st.booleans()):
            line["share"] = draw(st.sampled_from(("0.1", "0.5")))
    elif kind == "survey_answered":
        line |= draw(answers)
    elif kind != "parcel_sent":
        line["channel"] = "email"
    if kind in ("holdout_assigned", "reminder_sent") and draw(st.booleans()):
        line["campaign"] = draw(st.sampled_from(("spring", "autumn")))
    if key and money is not None:
        line[key] = money
    return line


@st.composite
def logs(draw: st.DrawFn) -> list[Line]:
    """A log in some order of arrival, with some of its lines twice."""
    steps = tuple({**step, "optional": draw(st.integers(0, 3)) == 3} for step in STEPS)
    if all(step["optional"] for step in steps):
        steps = STEPS
    lines = [declared("d2", 0, steps)]
    if draw(st.integers(0, 3)) == 3:
        # The older has the larger id, so that only its construction can tell.
        lines.append(declared("d9", -SECOND, OLDER_STEPS))
    start, n = 0, 0
    for k in range(draw(st.integers(0, 4))):
        start += draw(deltas)
        t = start
        checkout = f"c{k + 1}"
        customer = draw(customers)
        for kind in draw(stories):
            # Now and then two facts share an id: it is no key of the log.
            event_id = f"e{n - 1 if n and draw(st.integers(0, 19)) == 19 else n}"
            lines.append(draw(shopper_lines(kind, event_id, t, checkout, customer)))
            t += draw(deltas)
            n += 1
    if draw(st.integers(0, 4)) == 4:
        lines += [draw(lost_lines(f"l{k}", start)) for k in range(2)]
    if draw(st.integers(0, 9)) == 9:
        lines += [
            declared("d3", W, OLDER_STEPS, funnel="returns"),
            {**draw(shopper_lines("step_entered", "e1", 2 * W, "c1", "u1")), "funnel": "returns"},
        ]
    again = draw(st.lists(st.sampled_from(lines), max_size=3))
    lines = draw(st.permutations(lines + again))
    return [respelt(line) if draw(st.integers(0, 19)) == 19 else line for line in lines]


def respelt(line: Line) -> Line:
    """The same fact as another writer might put it: key order, a further key, an offset."""
    there = datetime.fromisoformat(line["occurred_at"]).astimezone(timezone(timedelta(hours=2)))
    return {
        **dict(reversed(line.items())),
        "occurred_at": there.isoformat(),
        "library": {"name": "elsewhere", "version": [1, 2]},
    }


@st.composite
def options(draw: st.DrawFn, log: list[Line]) -> dict[str, Any]:
    """Some way of asking about that log, often as of a limit of one of its events."""
    asked: dict[str, Any] = {}
    if draw(st.booleans()):
        line = draw(st.sampled_from(log))
        shift = draw(st.sampled_from((0, -1, 1, A, A + 1, W, W + 1, 2 * W)))
        instant = datetime.fromisoformat(line["occurred_at"]) + timedelta(microseconds=shift)
        asked["as_of"] = instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    asked["unit"] = draw(st.sampled_from(("attempt", "customer")))
    by = draw(st.sampled_from(((), "device", ("device", "plan"))))
    if by:
        asked["by"] = by
        if draw(st.integers(0, 2)) == 2:
            asked["touch"] = "last"
    if draw(st.integers(0, 3)) == 3:
        asked["exclude"] = draw(st.sampled_from(({}, {"device": ("mobile", 1)})))
    if draw(st.integers(0, 3)) == 3:
        asked["closed"] = True
        within = draw(st.sampled_from((None, 1, 30, 60, 300)))
        if within is not None:
            asked["within_s"] = within
    if draw(st.integers(0, 4)) == 4:
        asked["abandon_after_s"] = draw(st.sampled_from((1, 30, 300)))
        asked["recover_within_s"] = draw(st.sampled_from((300, 600)))
    if draw(st.booleans()):
        asked["every"] = draw(st.sampled_from(("week", "month")))
    if draw(st.booleans()):
        asked["funnel_name"] = "checkout"
    asked["timezone"] = draw(st.sampled_from(("UTC", "Europe/Berlin", "America/New_York")))
    return asked


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[Line], dict[str, Any]]:
    """A log and a way of asking about it."""
    log = draw(logs())
    return log, draw(options(log))
