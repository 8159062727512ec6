"""Hypothesis strategies for events and their parts, of every form that may be written."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from lastclick import Money, Step
from lastclick.events import (
    Event,
    EventsLost,
    FunnelDeclared,
    HoldoutAssigned,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    ReminderClicked,
    ReminderSent,
    ShopperEvent,
    StepEntered,
    StepFailed,
    SurveyAnswered,
)

#: Everything that UTF-8 can write: a lone surrogate cannot be.
unicode = st.characters(codec="utf-8")
ids = st.text(unicode, min_size=1, max_size=20).filter(str.strip) | st.sampled_from(
    ("c-1042", "x" * 256, "\U0001f6d2" * 256, '"\\\n\x00', "0")
)

_whole_seconds = st.builds(
    lambda seconds: datetime(2026, 10, 1, tzinfo=UTC) + timedelta(seconds=seconds),
    st.integers(0, 86_400),
)
# The first and the last day of the calendar are another day in another zone.
instants = _whole_seconds | st.integers(86_400 * 10**6, 3_652_058 * 86_400 * 10**6).map(
    lambda micros: datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)

currencies = st.sampled_from(("EUR", "USD", "JPY", "BHD", "CLF", "XXX")) | st.text(
    "ABCXYZ", min_size=3, max_size=3
)


@st.composite
def amounts(draw: st.DrawFn, *, signed: bool = False) -> Decimal:
    """A Decimal that money can have: at most 4 decimals, below 10^12."""
    decimals = draw(st.integers(0, 4))
    most = 10 ** (12 + decimals) - 1
    whole = draw(st.integers(-most if signed else 0, most))
    return Decimal(whole).scaleb(-decimals)


moneys = st.builds(Money, amounts(), currencies)

flat = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(unicode, max_size=20)
attributes = st.dictionaries(st.text(unicode, min_size=1, max_size=8), flat, max_size=4) | st.just(
    {f"a{n}": n for n in range(64)}
)

stages = st.sampled_from(("awareness", "consideration", "purchase", "retention"))
steps = st.builds(
    Step, ids, optional=st.booleans(), stage=st.none() | stages, owner=st.none() | ids
)
durations = st.timedeltas(timedelta(microseconds=1), timedelta.max) | st.builds(
    timedelta, days=st.integers(1, 800), minutes=st.integers(0, 1500)
)

_common = {"event_id": ids, "funnel": ids, "occurred_at": instants}
_optional = {"customer_id": ids, "attributes": attributes}

#: By class: the fields it must have beside the common ones, and those it may have, in the order
#: in which a line has them.
SHAPES: dict[type[Any], tuple[dict[str, Any], dict[str, Any]]] = {
    StepEntered: ({"step": ids}, {"value": moneys}),
    StepFailed: ({"step": ids, "reason": ids}, {"value": moneys}),
    OrderCompleted: ({"order_id": ids}, {"total": moneys}),
    OrderRefunded: ({"order_id": ids}, {"refund_id": ids, "amount": moneys}),
    OrderCancelled: ({"order_id": ids}, {}),
    HoldoutAssigned: (
        {"arm": st.sampled_from(("treated", "holdout"))},
        {"campaign": ids, "share": st.sampled_from(("0.1", "0.333333333333333333"))},
    ),
    ReminderSent: ({"channel": ids}, {"campaign": ids}),
    ReminderClicked: ({"channel": ids}, {"campaign": ids}),
    SurveyAnswered: (
        {"score": st.integers(1, 5)},
        {"reason": ids, "text": st.text(unicode, min_size=1, max_size=40)},
    ),
}


def shopper_fields(kind: type[ShopperEvent]) -> st.SearchStrategy[dict[str, Any]]:
    """The fields of an event of that class, optional ones often left out."""
    required, may = SHAPES[kind]
    who = {"checkout_id": ids}
    return st.fixed_dictionaries({**_common, **who, **required}, optional={**_optional, **may})


shopper_events: st.SearchStrategy[ShopperEvent] = st.one_of(
    [st.builds(lambda fields, kind=kind: kind(**fields), shopper_fields(kind)) for kind in SHAPES]
)
declarations = st.builds(
    FunnelDeclared,
    **_common,
    steps=st.lists(steps, max_size=4).map(tuple),
    abandon_after=durations,
    recover_within=durations,
)
losses = st.builds(
    EventsLost,
    **_common,
    source=st.sampled_from(("funnel", "sink")),
    reason=ids,
    count=st.integers(1, 2**62),
    since=instants,
    until=instants,
    kept=st.booleans(),
)
events: st.SearchStrategy[Event] = shopper_events | declarations | losses
