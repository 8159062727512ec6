"""What lastclick needs to know: the steps, where the log goes, and who is in front of us."""

import re
import sqlite3
from collections.abc import Callable

from flask import request, session

from examples.flask_shop.context import Clock, shop
from lastclick import Checkout, Funnel, Step
from lastclick.errors import LastclickError, log_errors
from lastclick.sinks import Sink

STEPS = (
    Step("cart", stage="consideration", owner="storefront"),
    Step("contact", stage="purchase", owner="growth"),
    Step("shipping", stage="purchase", owner="logistics"),
    Step("payment", stage="purchase", owner="payments"),
)


def build_funnel(
    sink: Sink,
    *,
    clock: Clock | None = None,
    on_error: Callable[[LastclickError], object] = log_errors,
) -> Funnel:
    """The checkout as this shop has it. Build one per process, before the first request."""
    return Funnel("checkout", steps=STEPS, sink=sink, clock=clock, on_error=on_error)


def tracked(checkout: sqlite3.Row) -> Checkout:
    """This request's handle on the checkout: two ids and three plain facts, nothing personal."""
    number = checkout["customer_id"]
    return shop().funnel.checkout(
        checkout["id"],
        customer_id=None if number is None else f"u-{number}",
        attributes=visit_attributes(),
    )


def visit_attributes() -> dict[str, str]:
    """How the shopper is here: device, the channel they came by, and whether it is a robot."""
    agent = request.headers.get("User-Agent", "").lower()
    device = "mobile" if "mobile" in agent else "tablet" if "tablet" in agent else "desktop"
    attributes = {"device": device, "channel": session.get("channel", "direct")}
    if is_robot():
        attributes["traffic"] = "bot"
    return attributes


def is_robot() -> bool:
    """Whether the browser says that it is none."""
    agent = request.headers.get("User-Agent", "").lower()
    return re.search(r"bot|crawl|scan|python", agent) is not None
