"""What lastclick needs to know: the steps, where the log goes, and which page is which step."""

from decimal import Decimal

from django.conf import settings
from django.http import HttpRequest

from examples.django_shop.cart import Cart
from lastclick import Funnel, Step
from lastclick.integrations.django import Rule
from lastclick.sinks import FileSink

funnel = Funnel(
    "checkout",
    steps=(
        Step("cart", stage="consideration", owner="storefront"),
        Step("details", stage="purchase", owner="growth"),
        Step("payment", stage="purchase", owner="payments"),
    ),
    sink=FileSink(str(settings.LASTCLICK["log"])),
)

# Failures come before the pages that show them; an empty cart is no step.
RULES = [
    Rule("cart", view="shop:cart", context={"cart.lines": ...}),
    Rule("details", view="shop:details", context={"form.errors": ...}, reason="invalid_address"),
    Rule("details", view="shop:details"),
    Rule("payment", view="shop:payment", context={"declined": ...}, reason="card_declined"),
    Rule("payment", view="shop:payment"),
    Rule("order", view="shop:thanks", order="order.number"),
]


def cart_value(request: HttpRequest) -> tuple[Decimal, str]:
    """What is in the cart now."""
    return (Cart(request).total, "EUR")


def customer_id(request: HttpRequest) -> int | None:
    """The account's number; None for guests."""
    number: int | None = request.user.pk
    return number
