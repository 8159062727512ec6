"""What lastclick needs to know of oscar's checkout: the recipe of the docs, and a label."""

from django.conf import settings
from django.dispatch import receiver
from oscar.apps.checkout.signals import post_checkout

from lastclick import Funnel, Step
from lastclick.integrations.django import Rule, never_raises
from lastclick.sinks import FileSink

funnel = Funnel(
    "checkout",
    steps=(
        Step("cart"),
        Step("contact", optional=True),
        Step("address"),
        Step("method", optional=True),
        Step("payment"),
        Step("preview"),
    ),
    sink=FileSink(settings.LASTCLICK["log"]),
)

PAGES = "oscar/checkout"
RULES = [
    Rule("cart", template="oscar/basket/basket.html", context={"basket.num_items": ...}),
    Rule(
        "contact",
        template=f"{PAGES}/gateway.html",
        context={"form.errors": ...},
        reason="invalid_email",
    ),
    Rule("contact", template=f"{PAGES}/gateway.html"),
    Rule(
        "address",
        template=f"{PAGES}/shipping_address.html",
        context={"form.errors": ...},
        reason="invalid_address",
    ),
    Rule("address", template=f"{PAGES}/shipping_address.html"),
    Rule("method", template=f"{PAGES}/shipping_methods.html"),
    Rule(
        "payment",
        template=f"{PAGES}/payment_details.html",
        context={"card_error": ...},
        reason="invalid_card",
    ),
    Rule(
        "payment",
        template=f"{PAGES}/payment_details.html",
        context={"error": ...},
        reason="card_declined",
    ),
    Rule("payment", template=f"{PAGES}/payment_details.html"),
    Rule(
        "preview",
        template=f"{PAGES}/preview.html",
        context={"error": ...},
        reason="payment_error",
    ),
    Rule("preview", template=f"{PAGES}/preview.html"),
    Rule("order", template=f"{PAGES}/thank_you.html", order="order.number"),
]


def customer_id(request):
    """The account's number, where there is one."""
    return request.user.pk


def cart_value(request):
    """What is in the basket."""
    return (request.basket.total_incl_tax, request.basket.currency)


def label(request):
    """Which scripted shopper this is, for the proof alone."""
    return {"shopper": request.headers.get("X-Shopper", "none")}


@receiver(post_checkout)
@never_raises
def record(sender, order, request, **kwargs):
    """An order was placed; it is recorded once it is committed."""
    request.lastclick.complete(order.number, (order.total_incl_tax, order.currency))
