"""What the settings name."""

from lastclick import Funnel
from lastclick.integrations.django import Rule
from lastclick.sinks import MemorySink

sink = MemorySink()
funnel = Funnel("checkout", steps=("cart", "details", "payment"), sink=sink)

RULES = [
    Rule("cart", template="cart.html"),
    Rule("payment", template="payment.html", context={"error": ...}, reason="card_declined"),
    Rule("payment", template="payment.html", context={"step": "pay"}),
    Rule("order", template="thanks.html", order="order.number"),
]


def cart_value(request):
    return ("59.90", "EUR")


def customer(request):
    return request.user.pk
