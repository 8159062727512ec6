"""What lastclick needs to know: the steps, which page is which step, and who is in front of us."""

from collections.abc import Callable

from flask import Request, session

from examples.flask_shop.context import Clock, filled_cart, this_checkout
from lastclick import Funnel, Money, Step
from lastclick.errors import LastclickError, log_errors
from lastclick.integrations.flask import FlaskLastclick, Rule
from lastclick.sinks import Sink

STEPS = (
    Step("cart", stage="consideration", owner="storefront"),
    Step("contact", stage="purchase", owner="growth"),
    Step("shipping", stage="purchase", owner="logistics"),
    Step("payment", stage="purchase", owner="payments"),
)

# A refused form is shown again with status 422, and an empty cart is no step. What a rule cannot
# know, the reason of a refused card and the order, the views in checkout.py say themselves.
RULES = (
    Rule("cart", template="cart.html", context={"lines": ...}),
    Rule("cart", template="cart.html", status=422, reason="out_of_stock"),
    Rule("contact", template="contact.html"),
    Rule("contact", template="contact.html", status=422, reason="invalid_email"),
    Rule("shipping", template="shipping.html"),
    Rule("shipping", template="shipping.html", status=422, reason="invalid_address"),
    Rule("payment", template="payment.html"),
)


def build_funnel(
    sink: Sink,
    *,
    clock: Clock | None = None,
    on_error: Callable[[LastclickError], object] = log_errors,
) -> Funnel:
    """The checkout as this shop has it. Build one per process, before the first request."""
    return Funnel("checkout", steps=STEPS, sink=sink, clock=clock, on_error=on_error)


def checkout_id(_: Request) -> str | None:
    """The cart's own random id; so lastclick needs no cookie of its own."""
    checkout = this_checkout()
    return None if checkout is None else checkout["id"]


def customer_id(_: Request) -> str | None:
    """The customer's number: never the e-mail address, which stays in the shop."""
    checkout = this_checkout()
    number = None if checkout is None else checkout["customer_id"]
    return None if number is None else f"u-{number}"


def attributes(request: Request) -> dict[str, str]:
    """How the shopper is here: the device, and the channel they came by."""
    agent = request.headers.get("User-Agent", "").lower()
    device = "mobile" if "mobile" in agent else "tablet" if "tablet" in agent else "desktop"
    return {"device": device, "channel": session.get("channel", "direct")}


def cart_value(_: Request) -> Money | None:
    """What the shopper would pay now."""
    cart = filled_cart()
    return None if cart is None else cart.value


lastclick = FlaskLastclick(
    rules=RULES,
    checkout_id=checkout_id,
    customer_id=customer_id,
    attributes=attributes,
    value=cart_value,
)
