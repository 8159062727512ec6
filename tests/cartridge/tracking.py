"""What lastclick needs to know of Cartridge's checkout: the recipe of the docs, and a label."""

from django.conf import settings

from lastclick import Funnel
from lastclick.integrations.django import Rule, never_raises
from lastclick.sinks import FileSink

funnel = Funnel(
    "checkout",
    steps=("cart", "details", "payment", "confirmation"),
    sink=FileSink(settings.LASTCLICK["log"]),
)


CART, CHECKOUT = "shop_cart", "shop_checkout"
DETAILS, PAYMENT, CONFIRMATION = ({"has_items": True, "step": number} for number in (1, 2, 3))
REFUSED, WRONG = {"form.errors.__all__": ...}, {"form.errors": ...}
RULES = [
    Rule("cart", view=CART, context={"cart_formset.errors": ...}, reason="out_of_stock"),
    Rule("cart", view=CART, context={"discount_form.errors": ...}, reason="invalid_discount"),
    Rule("cart", view=CART, context={"cart_formset.forms": ...}),
    Rule("details", view=CHECKOUT, context=DETAILS | REFUSED, reason="no_shipping"),
    Rule("details", view=CHECKOUT, context=DETAILS | WRONG, reason="invalid_address"),
    Rule("details", view=CHECKOUT, context=DETAILS),
    Rule("payment", view=CHECKOUT, context=PAYMENT | REFUSED, reason="card_declined"),
    Rule("payment", view=CHECKOUT, context=PAYMENT | WRONG, reason="invalid_card"),
    Rule("payment", view=CHECKOUT, context=PAYMENT),
    Rule("confirmation", view=CHECKOUT, context=CONFIRMATION),
    Rule("order", view="shop_complete", order="order.id"),
]


def customer_id(request):
    """The account's number, where there is one."""
    return request.user.pk


def cart_value(request):
    """What is in the cart."""
    return (request.cart.total_price(), "EUR")


def label(request):
    """Which scripted shopper this is, for the proof alone."""
    return {"shopper": request.headers.get("X-Shopper", "none")}


@never_raises
def record(request, form, order):
    """Cartridge's ``SHOP_HANDLER_ORDER``: an order was placed and paid."""
    request.lastclick.complete(order.pk, (order.total, "EUR"))
