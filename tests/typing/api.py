"""The public names as users write them: checked by mypy and pyright, both strict, and never run.

Each line that must be an error says so to both checkers; both fail where the error is missing.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import assert_type
from uuid import UUID

from lastclick import (
    Checkout,
    Funnel,
    Holdout,
    Journey,
    Money,
    Outcome,
    Report,
    Step,
    journeys,
    measure,
    read_log,
)
from lastclick.analysis import compare, marketing, suggest_abandon_after, what_if
from lastclick.errors import LastclickError, log_errors, raise_errors
from lastclick.events import Event, ShopperEvent, StepEntered, SurveyReason, parse_line
from lastclick.integrations.asgi import (
    Cookie,
    Rule,
    Tracking,
    TrackingStats,
    current_checkout,
    step,
)
from lastclick.metrics import Estimate
from lastclick.privacy import pseudonymize, redact
from lastclick.sinks import FileSink, MemorySink, Sink
from lastclick.testing import FrozenClock, assert_journey, capture


class CheckoutStep(Enum):
    CART = "cart"
    PAYMENT = "payment"


class OtherStep(Enum):
    CART = "cart"


# ---- money

price = Money("59.90", "EUR")
assert_type(price.amount, Decimal)
assert_type(price.currency, str)
assert_type(Money.from_minor(5990, "eur"), Money)
assert_type(price + price, Money)

# ---- funnels with steps from text: a handle accepts any text

named = Funnel("checkout", steps=("cart", "payment"), sink=MemorySink())
named.checkout("c-1").enter("cart")

listed = Funnel("checkout", steps=["cart", "payment"], sink=MemorySink())
listed.checkout("c-1").enter("cart")

stepped = Funnel("checkout", steps=(Step("cart"), Step("payment")), sink=MemorySink())
stepped.checkout("c-1").enter("cart")

step_listed = Funnel("checkout", steps=[Step("cart", optional=True)], sink=MemorySink())
step_listed.checkout("c-1").enter("cart")

# ---- funnels with steps from an Enum: a handle accepts its members only

by_class = Funnel("checkout", steps=CheckoutStep, sink=MemorySink())
assert_type(by_class, Funnel[CheckoutStep])
assert_type(by_class.checkout("c-1"), Checkout[CheckoutStep])
by_class.checkout("c-1").enter(CheckoutStep.CART)
by_class.checkout("c-1").fail(CheckoutStep.PAYMENT, reason="card_declined")
by_class.checkout("c-1").enter(OtherStep.CART)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
by_class.checkout("c-1").enter("cart")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
by_class.checkout("c-1").fail(OtherStep.CART, "no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

by_tuple = Funnel("checkout", steps=(CheckoutStep.CART, CheckoutStep.PAYMENT), sink=MemorySink())
by_tuple.checkout("c-1").enter(CheckoutStep.CART)
by_tuple.checkout("c-1").enter(OtherStep.CART)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

by_list = Funnel("checkout", steps=[CheckoutStep.CART, CheckoutStep.PAYMENT], sink=MemorySink())
by_list.checkout("c-1").enter(CheckoutStep.CART)
by_list.checkout("c-1").enter(OtherStep.CART)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

by_step_tuple = Funnel(
    "checkout",
    steps=(Step(CheckoutStep.CART), Step(CheckoutStep.PAYMENT, owner="payments")),
    sink=MemorySink(),
)
by_step_tuple.checkout("c-1").enter(CheckoutStep.CART)
by_step_tuple.checkout("c-1").enter(OtherStep.CART)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

by_step_list = Funnel(
    "checkout", steps=[Step(CheckoutStep.CART, stage="purchase")], sink=MemorySink()
)
by_step_list.checkout("c-1").enter(CheckoutStep.CART)
by_step_list.checkout("c-1").enter(OtherStep.CART)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

mixed = Funnel(
    "checkout",
    steps=(CheckoutStep.CART, Step(CheckoutStep.PAYMENT, owner="payments")),
    sink=MemorySink(),
)
mixed.checkout("c-1").enter(CheckoutStep.CART)
mixed.checkout("c-1").enter(OtherStep.CART)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def pay(checkout: Checkout[CheckoutStep]) -> None:
    """A view that is handed the handle."""
    checkout.enter(CheckoutStep.PAYMENT)


pay(by_class.checkout("c-1"))
pay(by_tuple.checkout("c-1"))
pay(by_list.checkout("c-1"))
pay(mixed.checkout("c-1"))

# ---- every setting and every verb


def record(error: LastclickError) -> None:
    print(error)


def only_steps(event: ShopperEvent) -> ShopperEvent | None:
    return event if isinstance(event, StepEntered) else None


with Funnel(
    "checkout",
    steps=("cart",),
    sink=(MemorySink(), FileSink("var/lastclick", durability="power")),
    abandon_after=timedelta(minutes=30),
    recover_within=timedelta(days=7),
    on_error=record,
    before_emit=(pseudonymize(b"a key of your own, 32 bytes long"), redact("email"), only_steps),
    clock=lambda: datetime.now(UTC),
) as funnel:
    checkout = funnel.checkout(1042, customer_id=UUID(int=7), attributes={"device": "mobile"})
    checkout.enter("cart", value=price, at=datetime.now(UTC), event_id="e-1")
    checkout.enter("cart", value=("59.90", "EUR"), attributes={"items": 3, "gift": False})
    checkout.fail("cart", "out_of_stock", value=price)
    checkout.complete("o-1", price)
    checkout.complete(order_id="o-1", total=price)
    checkout.assign("treated", campaign="autumn")
    checkout.remind("email", campaign="autumn")
    checkout.click("email")
    checkout.assign(Holdout(share=0.1, salt="spring").arm("u-7"), campaign="autumn")
    checkout.survey(score=5, reason=SurveyReason.ERRORS, text="Well.")
    funnel.cancel("o-1")
    assert_type(checkout.survey(score=5), None)
    funnel.refund("o-1", price, refund_id="r-1")
    assert_type(funnel.flush(1.0), bool)
    assert_type(funnel.close(timeout=2.0), bool)

Funnel("checkout", steps=("cart",), sink=MemorySink(), on_error=raise_errors)
Funnel("checkout", steps=("cart",), sink=MemorySink(), on_error=log_errors)
Funnel("checkout", steps=("cart",))  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]

# ---- sinks: whatever has the three methods


class PrintSink:
    def emit(self, event: Event, /) -> None:
        print(event.line.decode())

    def flush(self, timeout: float) -> bool:
        return True

    def close(self, timeout: float) -> bool:
        return True


sink: Sink = PrintSink()
Funnel("checkout", steps=("cart",), sink=sink)

# ---- reading

assert_type(parse_line(b"{}"), Event)
log = read_log("var/lastclick")
report = measure(log, by="device", exclude={"traffic": ("bot",)})
assert_type(report, Report)
assert_type(measure(log, named, as_of=datetime.now(UTC), unit="customer", closed=True), Report)
assert_type(measure(MemorySink().events, "checkout", by=("device", "shop")), Report)
assert_type(report.started, int)
assert_type(report.outcomes[Outcome.LOST], int)
assert_type(report.revenue["EUR"].net, Money)
assert_type(report.steps["payment"].dropped, int)
assert_type(report.to_markdown(), str)
print(report.abandonment_rate.estimate, report.to_dict()["started"])
assert_type(report.incremental.orders, Estimate)
assert_type(report.incremental.after_cost(price), Estimate)
assert_type(report.abandonment_at(timedelta(hours=1)), Estimate)
assert_type(report.revenue_in("EUR", rates={"USD": {"2026-10-01": "0.92"}}).net, Money)
assert_type(what_if(report, {"payment": 0.02}).together.orders, Estimate)
assert_type(compare(report, report).steps["payment"], Estimate)
assert_type(marketing(report, {"search": price}).rows[0].spend, Money)
assert_type(suggest_abandon_after(log).suggested, timedelta | None)

for journey in journeys(log, outcome=Outcome.RECOVERABLE):
    assert_type(journey, Journey)
    assert_type(journey.checkout_id, str)
    assert_type(journey.outcome, Outcome)
assert_type(report.chart("money").svg, str)
report.chart("pie")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
report.to_frame("polars")
report.groups.to_frame("pyarrow")
report.trend("week").to_frame()
report.to_frame("spark")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# ---- tests

with capture(named, clock=FrozenClock()) as captured:
    assert_type(captured, MemorySink)
with capture(by_class):
    by_class.checkout("c-1").enter(CheckoutStep.CART)
assert_journey(captured.events, "c-1").entered("cart", CheckoutStep.PAYMENT).failed(
    "payment", reason="card_declined"
).completed(total=price).nothing_else()
assert_journey(captured.records, UUID(int=1)).completed(total=("59.90", "EUR")).not_completed()

# ---- web frameworks

rules = [
    Rule("cart", view="shop:cart"),
    Rule("payment", template="pay.html", context={"error": ...}, reason="card_declined"),
    Rule("order", view="shop:thanks", order="order.number"),
]
tracking = Tracking(named, rules=rules, cookie=Cookie(max_age=timedelta(days=7)))
assert_type(tracking.stats, TrackingStats)
assert_type(current_checkout.checkout_id, str | None)
current_checkout.enter("cart", value=("59.90", "EUR"), at=datetime.now(UTC))
current_checkout.complete("o-1", Money("59.90", "EUR"), event_id="evt_1")
assert_type(current_checkout.resume(current_checkout.token()), bool)
current_checkout.enter("cart", when=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Rule(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@step("payment", status=422, reason="card_declined")
def pay_page(number: int) -> str:
    return str(number)


assert_type(pay_page(5), str)
