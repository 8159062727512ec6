"""From the catalogue to the thank-you. Two lines are about lastclick, where a card is charged."""

import re
import secrets
import sqlite3
from collections.abc import Mapping

from flask import Blueprint, Response, abort, redirect, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from examples.flask_shop import store
from examples.flask_shop.context import (
    COOKIE,
    Cart,
    database,
    draw,
    filled_cart,
    find_cart,
    now_text,
    remember,
)
from lastclick.integrations.flask import current_checkout

pages = Blueprint("shop", __name__)


def show_step(step: str, cart: Cart, **more: object) -> Response:
    """Show the page of a step. That the shopper is there, a rule in tracking.py says."""
    row = cart.row
    database().execute("UPDATE checkouts SET seen_at = ? WHERE id = ?", (now_text(), row["id"]))
    values = {"form": row, "row": row, "currency": row["currency"], "total": cart.total, **more}
    return draw(step, **values)


def show_failure(step: str, cart: Cart, error: str, **more: object) -> Response:
    """Show the page again with what went wrong."""
    response = show_step(step, cart, error=error, **more)
    response.status_code = 422
    return response


def to(page: str) -> AnyResponse:
    """Send the browser on; 303, so that it asks with GET and a reload does no harm."""
    return redirect(url_for(f"shop.{page}"), code=303)


# --- Browsing and the cart ------------------------------------------------------------------------


@pages.get("/")
def catalogue() -> Response:
    """All that the shop sells. The first page of a visit knows where the visitor came from."""
    if source := request.args.get("utm_source"):
        session["channel"] = source[:40]
    if request.args.get("currency") in ("EUR", "USD"):
        session["currency"] = request.args["currency"]
    products = database().execute("SELECT * FROM products ORDER BY name").fetchall()
    return draw("catalogue", products=products, currency=session.get("currency", "EUR"))


@pages.post("/cart/add")
def add() -> AnyResponse:
    """Put one of a product into the cart; the first one begins an attempt."""
    db = database()
    product = request.form.get("product")
    if db.execute("SELECT 1 FROM products WHERE id = ?", (product,)).fetchone() is None:
        abort(404)
    cart = find_cart()
    checkout_id = secrets.token_urlsafe(16) if cart is None else cart.row["id"]
    if cart is None:
        db.execute(
            "INSERT INTO checkouts (id, currency, customer_id, seen_at) VALUES (?, ?, ?, ?)",
            (checkout_id, session.get("currency", "EUR"), session.get("customer"), now_text()),
        )
    db.execute(
        "INSERT INTO lines VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET quantity = quantity + 1",
        (checkout_id, product),
    )
    response = to("contact" if request.form.get("then") == "contact" else "see_cart")
    remember(response, checkout_id)
    return response


@pages.post("/cart/change")
def change() -> AnyResponse:
    """Another quantity of a product; none takes it out."""
    cart = filled_cart()
    if cart is not None:
        quantity = request.form.get("quantity", 1, type=int)
        key = (cart.row["id"], request.form.get("product"))
        if quantity > 0:
            database().execute(
                "UPDATE lines SET quantity = ? WHERE checkout_id = ? AND product_id = ?",
                (min(quantity, 999), *key),
            )
        else:
            database().execute("DELETE FROM lines WHERE checkout_id = ? AND product_id = ?", key)
    return to("see_cart")


@pages.get("/cart")
def see_cart() -> Response:
    """The first step. An empty cart is not one."""
    cart = filled_cart()
    if cart is None:
        return draw("cart", lines=[])
    return show_step("cart", cart, lines=cart.lines, known=saved_details())


def saved_details() -> sqlite3.Row | None:
    """Name and address of a customer who has ordered before in this browser."""
    found: sqlite3.Row | None = (
        database()
        .execute(
            "SELECT * FROM customers WHERE id = ? AND street IS NOT NULL",
            (session.get("customer"),),
        )
        .fetchone()
    )
    return found


@pages.post("/checkout")
def leave_cart() -> AnyResponse:
    """From the cart to the next step, if there is enough of everything."""
    cart = filled_cart()
    if cart is None:
        return to("see_cart")
    known = saved_details()
    for line in cart.lines:
        if line["quantity"] > line["stock"]:
            error = f"Only {line['stock']} of {line['name']} are left."
            more = {"lines": cart.lines, "known": known}
            return show_failure("cart", cart, error, **more)
    if known is not None and request.form.get("express"):
        save(cart, known, delivery="standard")
        return to("payment")
    return to("contact")


def save(cart: Cart, address: Mapping[str, str] | sqlite3.Row, delivery: str) -> None:
    database().execute(
        "UPDATE checkouts SET name = ?, street = ?, postcode = ?, city = ?, delivery = ? "
        "WHERE id = ?",
        (
            *(address[key] for key in ("name", "street", "postcode", "city")),
            delivery,
            cart.row["id"],
        ),
    )


# --- Contact, shipping, payment -------------------------------------------------------------------


@pages.get("/checkout/contact")
def contact() -> AnyResponse:
    cart = filled_cart()
    return to("see_cart") if cart is None else show_step("contact", cart)


@pages.post("/checkout/contact")
def give_contact() -> AnyResponse:
    """Take the e-mail address; it stays here, the funnel gets the customer's number."""
    cart = filled_cart()
    if cart is None:
        return to("see_cart")
    email = request.form.get("email", "").strip().lower()
    if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email) is None:
        error = "That does not look like an e-mail address."
        return show_failure("contact", cart, error, form=request.form)
    db = database()
    db.execute("INSERT OR IGNORE INTO customers (email) VALUES (?)", (email,))
    db.execute(
        "UPDATE checkouts SET mail_ok = ?, "
        "customer_id = (SELECT id FROM customers WHERE email = ?) WHERE id = ?",
        ("mail_ok" in request.form, email, cart.row["id"]),
    )
    return to("shipping")


@pages.get("/checkout/shipping")
def shipping() -> AnyResponse:
    cart = filled_cart()
    if cart is None or cart.row["customer_id"] is None:
        return to("contact")
    return show_step("shipping", cart, deliveries=store.DELIVERY.items())


@pages.post("/checkout/shipping")
def give_address() -> AnyResponse:
    cart = filled_cart()
    if cart is None or cart.row["customer_id"] is None:
        return to("contact")
    form = {
        key: request.form.get(key, "").strip() for key in ("name", "street", "postcode", "city")
    }
    delivery = request.form.get("delivery", "standard")
    if not all(form.values()) or re.fullmatch(r"[0-9]{5}", form["postcode"]) is None:
        return show_failure(
            "shipping",
            cart,
            "We need a name, a street, a postcode of five digits and a city.",
            form={**form, "delivery": delivery},
            deliveries=store.DELIVERY.items(),
        )
    save(cart, form, delivery=delivery if delivery in store.DELIVERY else "standard")
    return to("payment")


@pages.get("/checkout/payment")
def payment() -> AnyResponse:
    cart = filled_cart()
    if cart is None or cart.row["delivery"] is None:
        return to("shipping")
    return show_step("payment", cart)


@pages.post("/checkout/payment")
def pay() -> AnyResponse:
    """Charge the card and write the order, once for each checkout however often it is pressed."""
    if paid := store.order_of(database(), request.form.get("checkout", "")):
        return thank(paid)  # the other tab was faster, or the button was pressed twice
    cart = filled_cart()
    if cart is None or cart.row["delivery"] is None:
        return to("shipping")
    refused = charge(request.form.get("card", ""))
    if refused is not None:
        current_checkout.fail("payment", refused, value=cart.value)
        return show_failure("payment", cart, "The card was refused. Try another?")
    order = write_order(cart)
    # Only now, with the order committed: an order in the log that the shop does not have would be
    # as wrong as the opposite.
    current_checkout.complete(f"o-{order['id']}", cart.value)
    return thank(order)


def charge(card: str) -> str | None:
    """Stand in for a payment provider, with its test cards: the reason of a refusal, or None.

    Give a real one the checkout's id as its idempotency key: two presses then charge once.
    """
    if card.startswith("4242"):
        return None
    refusals = {"4000 0000 0000 9995": "insufficient_funds", "4000 0000 0000 0069": "expired_card"}
    return refusals.get(card, "card_declined")


def write_order(cart: Cart) -> sqlite3.Row:
    db, row = database(), cart.row
    with store.transaction(db):
        if earlier := store.order_of(db, row["id"]):
            return earlier
        db.execute(
            "INSERT INTO orders (checkout_id, customer_id, total, currency, ordered_at) "
            "VALUES (?, ?, ?, ?, ?)",
            (row["id"], row["customer_id"], cart.total, row["currency"], now_text()),
        )
        db.execute(
            "UPDATE customers SET name = ?, street = ?, postcode = ?, city = ? WHERE id = ?",
            (
                *(row[key] for key in ("name", "street", "postcode", "city")),
                row["customer_id"],
            ),
        )
        for line in cart.lines:
            db.execute(
                "UPDATE products SET stock = max(stock - ?, 0) WHERE id = ?",
                (line["quantity"], line["id"]),
            )
    order = store.order_of(db, row["id"])
    assert order is not None
    return order


def thank(order: sqlite3.Row) -> AnyResponse:
    """On to the thank-you; without the cookie, so that the next cart is a new attempt."""
    session["order"] = order["id"]
    session["customer"] = order["customer_id"]
    response = to("thanks")
    response.delete_cookie(COOKIE)
    return response


@pages.get("/thanks")
def thanks() -> AnyResponse:
    order = (
        database().execute("SELECT * FROM orders WHERE id = ?", (session.get("order"),)).fetchone()
    )
    if order is None:
        return to("catalogue")
    return draw(
        "thanks", order=f"o-{order['id']}", total=order["total"], currency=order["currency"]
    )
