"""A small shop's events, said in few words: times are minutes after noon of 2026-10-01 in UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lastclick import Money, Step
from lastclick.events import (
    EventsLost,
    FunnelDeclared,
    HoldoutAssigned,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    ReminderClicked,
    ReminderSent,
    StepEntered,
    StepFailed,
    SurveyAnswered,
)

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
DAY = 24 * 60


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


def declared(
    steps: Sequence[str | Step] = ("cart", "payment"),
    *,
    event_id: str = "d-1",
    funnel: str = "checkout",
    minutes: float = -60,
    abandon_after: timedelta = timedelta(minutes=30),
    recover_within: timedelta = timedelta(days=7),
) -> FunnelDeclared:
    return FunnelDeclared(
        event_id=event_id,
        funnel=funnel,
        occurred_at=at(minutes),
        steps=tuple(steps),
        abandon_after=abandon_after,
        recover_within=recover_within,
    )


def common(kind: str, checkout: str, minutes: float, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "event_id": f"{checkout} {minutes:g} {kind}"[:256],
        "funnel": "checkout",
        "checkout_id": checkout,
        "occurred_at": at(minutes),
        **more,
    }


def entered(
    checkout: str, step: str, minutes: float, value: Money | None = None, **more: Any
) -> StepEntered:
    return StepEntered(step=step, value=value, **common(f"enter {step}", checkout, minutes, more))


def failed(checkout: str, step: str, minutes: float, reason: str, **more: Any) -> StepFailed:
    return StepFailed(
        step=step, reason=reason, **common(f"fail {step} {reason}", checkout, minutes, more)
    )


def ordered(
    checkout: str, order: str, minutes: float, total: Money | None = None, **more: Any
) -> OrderCompleted:
    return OrderCompleted(
        order_id=order, total=total, **common(f"order {order}", checkout, minutes, more)
    )


def refunded(
    order: str, minutes: float, amount: Money | None = None, refund: str | None = None, **more: Any
) -> OrderRefunded:
    given = common(f"refund {order}", "", minutes, {"checkout_id": None, **more})
    return OrderRefunded(order_id=order, refund_id=refund, amount=amount, **given)


def cancelled(order: str, minutes: float, **more: Any) -> OrderCancelled:
    given = common(f"cancel {order}", "", minutes, {"checkout_id": None, **more})
    return OrderCancelled(order_id=order, **given)


def answered(checkout: str, minutes: float, **more: Any) -> SurveyAnswered:
    return SurveyAnswered(**common("answer", checkout, minutes, more))


def sent(checkout: str, minutes: float, channel: str = "email", **more: Any) -> ReminderSent:
    return ReminderSent(channel=channel, **common("send", checkout, minutes, more))


def clicked(checkout: str, minutes: float, channel: str = "email", **more: Any) -> ReminderClicked:
    return ReminderClicked(channel=channel, **common("click", checkout, minutes, more))


def assigned(checkout: str, minutes: float, arm: str, **more: Any) -> HoldoutAssigned:
    return HoldoutAssigned(arm=arm, **common(f"assign {arm}", checkout, minutes, more))


def lost(source: str, reason: str, count: int, *, kept: bool = False) -> EventsLost:
    return EventsLost(
        event_id=f"lost {source} {reason}"[:256],
        funnel="checkout",
        occurred_at=at(0),
        source=source,
        reason=reason,
        count=count,
        since=at(0),
        until=at(0),
        kept=kept,
    )
