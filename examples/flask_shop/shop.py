"""The shop: a catalogue, a cart, three more steps, a thank-you, and a way back.

What lastclick adds is `STEPS`, `build_funnel`, `tracked`, and the lines that begin with
`tracked(...)` or `shop().funnel`; everything else is the shop.
"""

import re
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response as AnyResponse

from lastclick import Checkout, Funnel, Money, Step
from lastclick.sinks import FileSink, Sink

from examples.flask_shop import store

STEPS = (
    Step("cart", stage="consideration", owner="storefront"),
    Step("contact", stage="purchase", owner="growth"),
    Step("shipping", stage="purchase", owner="logistics"),
    Step("payment", stage="purchase", owner="payments"),
)
STEP_NAMES = tuple(step.name for step in STEPS)
REMIND_AFTER = timedelta(hours=1)
COOKIE = "checkout"

Clock = Callable[[], datetime]
pages = Blueprint("shop", __name__)


def utc_now() -> datetime:
    """The shop's clock, unless a demo or a test brings its own."""
    return datetime.now(UTC)


def build_funnel(sink: Sink, *, clock: Clock | None = None) -> Funnel:
    """The checkout as this shop has it. Build one per process, before the first request."""
    return Funnel("checkout", steps=STEPS, sink=sink, clock=clock)


@dataclass(frozen=True)
class Shop:
    """What the pages need from outside a request."""

    database: Path
    funnel: Funnel
    clock: Clock
    staff_password: str


def create_app(
    database: str | Path = "shop.db",
    funnel: Funnel | None = None,
    *,
    clock: Clock = utc_now,
    secret_key: str | None = None,
    staff_password: str | None = None,
) -> Flask:
    """Build the shop; without a funnel, one that records to the folder `shop-log`.

    Without a secret key, links and sessions hold until the shop is started anew; without a staff
    password nobody gets to the staff's pages.
    """
    app = Flask(__name__)
    app.secret_key = secret_key or secrets.token_hex()
    app.config.update(SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_HTTPONLY=True)
    app.extensions["shop"] = Shop(
        database=Path(database),
        funnel=funnel or build_funnel(FileSink("shop-log")),
        clock=clock,
        staff_password=staff_password or secrets.token_hex(),
    )
    store.create(Path(database))
    app.jinja_env.filters["price"] = price
    app.register_blueprint(pages)
    app.teardown_appcontext(close_db)
    return app


# --- What lastclick needs to know -----------------------------------------------------------------


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
    return (
        re.search(r"bot|crawl|scan|python", request.headers.get("User-Agent", "").lower())
        is not None
    )


# --- Small things the pages share -----------------------------------------------------------------


def shop() -> Shop:
    found: Shop = current_app.extensions["shop"]
    return found


def database() -> sqlite3.Connection:
    """This request's connection."""
    if "db" not in g:
        g.db = store.connect(shop().database)
    db: sqlite3.Connection = g.db
    return db


def close_db(_error: BaseException | None) -> None:
    db: sqlite3.Connection | None = g.pop("db", None)
    if db is not None:
        db.close()


def now_text() -> str:
    return shop().clock().isoformat(timespec="microseconds")


def price(cents: int, currency: str) -> str:
    return f"{cents // 100}.{cents % 100:02d} {currency}"


def find_checkout(checkout_id: str | None) -> sqlite3.Row | None:
    """The checkout of that id with its customer's e-mail, or None."""
    found: sqlite3.Row | None = (
        database()
        .execute(
            "SELECT c.*, u.email FROM checkouts c LEFT JOIN customers u ON u.id = c.customer_id "
            "WHERE c.id = ?",
            (checkout_id,),
        )
        .fetchone()
    )
    return found


def order_of(checkout_id: str) -> sqlite3.Row | None:
    """The order that this checkout became, or None."""
    found: sqlite3.Row | None = (
        database().execute("SELECT * FROM orders WHERE checkout_id = ?", (checkout_id,)).fetchone()
    )
    return found


def open_checkout() -> sqlite3.Row | None:
    """The checkout that this browser's cookie names, unless it was paid or has nothing in it."""
    checkout = find_checkout(request.cookies.get(COOKIE))
    if checkout is None or order_of(checkout["id"]) or not store.cart_lines(database(), checkout):
        return None
    return checkout


def worth(checkout: sqlite3.Row) -> int:
    """The cart in cents as the shopper sees it now, with delivery once it is chosen."""
    goods = sum(line["price"] * line["quantity"] for line in store.cart_lines(database(), checkout))
    return goods + store.delivery_price(goods, checkout["delivery"])


def to(page: str) -> AnyResponse:
    """Send the browser on; 303, so that it asks with GET and a reload does no harm."""
    return redirect(url_for(f"shop.{page}"), code=303)


def show_step(step: str, checkout: sqlite3.Row, **more: object) -> Response:
    """Show the page of a step, and record that the shopper is there."""
    total = worth(checkout)
    tracked(checkout).enter(step, value=Money.from_minor(total, checkout["currency"]))
    return draw_step(step, checkout, total, **more)


def show_failure(
    step: str, checkout: sqlite3.Row, reason: str, error: str, **more: object
) -> Response:
    """Show the page again with what went wrong, and record why."""
    total = worth(checkout)
    tracked(checkout).fail(step, reason, value=Money.from_minor(total, checkout["currency"]))
    response = draw_step(step, checkout, total, error=error, **more)
    response.status_code = 422
    return response


def draw_step(step: str, checkout: sqlite3.Row, total: int, **more: object) -> Response:
    if not is_robot():
        database().execute(
            "UPDATE checkouts SET seen_at = ? WHERE id = ?", (now_text(), checkout["id"])
        )
    values: dict[str, object] = {"form": checkout, **more}
    return draw(step, checkout=checkout, currency=checkout["currency"], total=total, **values)


def draw(page: str, **values: object) -> Response:
    return make_response(
        render_template(f"{page}.html", page=page, steps=STEP_NAMES, **{"total": None, **values})
    )


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
    checkout = open_checkout()
    checkout_id = secrets.token_urlsafe(16) if checkout is None else checkout["id"]
    if checkout is None:
        db.execute(
            "INSERT INTO checkouts (id, currency, customer_id, seen_at) VALUES (?, ?, ?, ?)",
            (checkout_id, session.get("currency", "EUR"), session.get("customer"), now_text()),
        )
    db.execute(
        "INSERT INTO lines VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET quantity = quantity + 1",
        (checkout_id, product),
    )
    response = to("contact" if request.form.get("then") == "contact" else "cart")
    remember(response, checkout_id)
    return response


def remember(response: AnyResponse, checkout_id: str) -> None:
    """Our own cookie, with a random id that means nothing to anybody else."""
    response.set_cookie(
        COOKIE, checkout_id, max_age=timedelta(days=30), httponly=True, samesite="Lax"
    )


@pages.post("/cart/change")
def change() -> AnyResponse:
    """Another quantity of a product; none takes it out."""
    checkout = open_checkout()
    if checkout is not None:
        quantity = request.form.get("quantity", 1, type=int)
        key = (checkout["id"], request.form.get("product"))
        if quantity > 0:
            database().execute(
                "UPDATE lines SET quantity = ? WHERE checkout_id = ? AND product_id = ?",
                (min(quantity, 999), *key),
            )
        else:
            database().execute("DELETE FROM lines WHERE checkout_id = ? AND product_id = ?", key)
    return to("cart")


@pages.get("/cart")
def cart() -> Response:
    """The first step. An empty cart is not one."""
    checkout = open_checkout()
    if checkout is None:
        return draw("cart", lines=[])
    return show_step(
        "cart", checkout, lines=store.cart_lines(database(), checkout), known=saved_details()
    )


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
    checkout = open_checkout()
    if checkout is None:
        return to("cart")
    lines = store.cart_lines(database(), checkout)
    for line in lines:
        if line["quantity"] > line["stock"]:
            error = f"Only {line['stock']} of {line['name']} are left."
            known = saved_details()
            return show_failure("cart", checkout, "out_of_stock", error, lines=lines, known=known)
    known = saved_details()
    if known is not None and request.form.get("express"):
        save(checkout, known, delivery="standard")
        return to("payment")
    return to("contact")


def save(checkout: sqlite3.Row, address: Mapping[str, str] | sqlite3.Row, delivery: str) -> None:
    database().execute(
        "UPDATE checkouts SET name = ?, street = ?, postcode = ?, city = ?, delivery = ? "
        "WHERE id = ?",
        (
            *(address[key] for key in ("name", "street", "postcode", "city")),
            delivery,
            checkout["id"],
        ),
    )


# --- Contact, shipping, payment -------------------------------------------------------------------


@pages.get("/checkout/contact")
def contact() -> AnyResponse:
    checkout = open_checkout()
    return to("cart") if checkout is None else show_step("contact", checkout)


@pages.post("/checkout/contact")
def give_contact() -> AnyResponse:
    """Take the e-mail address; it stays here, the funnel gets the customer's number."""
    checkout = open_checkout()
    if checkout is None:
        return to("cart")
    email = request.form.get("email", "").strip().lower()
    if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email) is None:
        error = "That does not look like an e-mail address."
        return show_failure("contact", checkout, "invalid_email", error, form=request.form)
    db = database()
    db.execute("INSERT OR IGNORE INTO customers (email) VALUES (?)", (email,))
    db.execute(
        "UPDATE checkouts SET mail_ok = ?, customer_id = (SELECT id FROM customers WHERE email = ?) "
        "WHERE id = ?",
        ("mail_ok" in request.form, email, checkout["id"]),
    )
    return to("shipping")


@pages.get("/checkout/shipping")
def shipping() -> AnyResponse:
    checkout = open_checkout()
    if checkout is None or checkout["customer_id"] is None:
        return to("contact")
    return show_step("shipping", checkout, deliveries=store.DELIVERY.items())


@pages.post("/checkout/shipping")
def give_address() -> AnyResponse:
    checkout = open_checkout()
    if checkout is None or checkout["customer_id"] is None:
        return to("contact")
    form = {
        key: request.form.get(key, "").strip() for key in ("name", "street", "postcode", "city")
    }
    delivery = request.form.get("delivery", "standard")
    if not all(form.values()) or re.fullmatch(r"[0-9]{5}", form["postcode"]) is None:
        return show_failure(
            "shipping",
            checkout,
            "invalid_address",
            "We need a name, a street, a postcode of five digits and a city.",
            form={**form, "delivery": delivery},
            deliveries=store.DELIVERY.items(),
        )
    save(checkout, form, delivery=delivery if delivery in store.DELIVERY else "standard")
    return to("payment")


@pages.get("/checkout/payment")
def payment() -> AnyResponse:
    checkout = open_checkout()
    if checkout is None or checkout["delivery"] is None:
        return to("shipping")
    return show_step("payment", checkout)


@pages.post("/checkout/payment")
def pay() -> AnyResponse:
    """Charge the card and write the order, once for each checkout however often it is pressed."""
    if paid := order_of(request.form.get("checkout", "")):
        return thank(paid)  # the other tab was faster, or the button was pressed twice
    checkout = open_checkout()
    if checkout is None or checkout["delivery"] is None:
        return to("shipping")
    total = worth(checkout)
    refused = charge(request.form.get("card", ""), once_for=checkout["id"])
    if refused is not None:
        return show_failure("payment", checkout, refused, "The card was refused. Try another?")
    order = write_order(checkout, total)
    # Only now, with the order committed: an order in the log that the shop does not have would be
    # as wrong as the opposite.
    tracked(checkout).complete(
        order_id=f"o-{order['id']}", total=Money.from_minor(total, checkout["currency"])
    )
    return thank(order)


def charge(card: str, *, once_for: str) -> str | None:
    """Stand in for a payment provider, with its test cards: the reason of a refusal, or None.

    A real one would be given `once_for` as its idempotency key, so that two presses of the button
    charge once.
    """
    if card.startswith("4242"):
        return None
    refusals = {"4000 0000 0000 9995": "insufficient_funds", "4000 0000 0000 0069": "expired_card"}
    return refusals.get(card, "card_declined")


def write_order(checkout: sqlite3.Row, total: int) -> sqlite3.Row:
    db = database()
    with store.transaction(db):
        if earlier := order_of(checkout["id"]):
            return earlier
        db.execute(
            "INSERT INTO orders (checkout_id, customer_id, total, currency, ordered_at) "
            "VALUES (?, ?, ?, ?, ?)",
            (checkout["id"], checkout["customer_id"], total, checkout["currency"], now_text()),
        )
        db.execute(
            "UPDATE customers SET name = ?, street = ?, postcode = ?, city = ? WHERE id = ?",
            (
                *(checkout[key] for key in ("name", "street", "postcode", "city")),
                checkout["customer_id"],
            ),
        )
        for line in store.cart_lines(db, checkout):
            db.execute(
                "UPDATE products SET stock = max(stock - ?, 0) WHERE id = ?",
                (line["quantity"], line["id"]),
            )
    order = order_of(checkout["id"])
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


# --- The way back ---------------------------------------------------------------------------------


def signer() -> URLSafeSerializer:
    secret = current_app.secret_key
    assert secret is not None
    return URLSafeSerializer(secret, salt="come-back")


@pages.get("/back/<token>")
def back(token: str) -> AnyResponse:
    """The link in the reminder: whoever has it gets the cart back, on any device."""
    try:
        checkout = find_checkout(signer().loads(token))
    except BadSignature:
        checkout = None
    if checkout is None:
        abort(404)
    tracked(checkout).click("email", campaign="come-back")
    response = to("cart")
    # A mail scanner opens links too. It is given no cart, or it would count as a visit.
    if not is_robot():
        remember(response, checkout["id"])
    return response


@pages.post("/staff/reminders")
def send_reminders() -> dict[str, int]:
    """Mail whoever left a checkout an hour ago or more, agreed to it, and has had no mail yet.

    To be called by cron, every few minutes.
    """
    for_staff()
    db = database()
    idle_since = shop().clock() - REMIND_AFTER
    left = db.execute(
        "SELECT c.*, u.email FROM checkouts c JOIN customers u ON u.id = c.customer_id "
        "WHERE c.mail_ok AND c.reminded_at IS NULL AND c.seen_at <= ? "
        "AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.checkout_id = c.id)",
        (idle_since.isoformat(timespec="microseconds"),),
    ).fetchall()
    for checkout in left:
        link = url_for("shop.back", token=signer().dumps(checkout["id"]), _external=True)
        body = f"Your cart is still here: {link}\nThis is the only reminder we send."
        with store.transaction(db):
            db.execute(
                "INSERT INTO outbox (recipient, subject, body, sent_at) VALUES (?, ?, ?, ?)",
                (checkout["email"], "You left something behind", body, now_text()),
            )
            db.execute(
                "UPDATE checkouts SET reminded_at = ? WHERE id = ?", (now_text(), checkout["id"])
            )
        # Not `tracked`: it is the shop that acts here, not the shopper's device.
        shop().funnel.checkout(checkout["id"], customer_id=f"u-{checkout['customer_id']}").remind(
            "email", campaign="come-back"
        )
    return {"sent": len(left)}


# --- Staff ----------------------------------------------------------------------------------------


def for_staff() -> None:
    """Let the staff pass (HTTP basic authentication, any name), nobody else."""
    given = request.authorization.password if request.authorization else None
    if not secrets.compare_digest((given or "").encode(), shop().staff_password.encode()):
        abort(Response("Staff only.", 401, {"WWW-Authenticate": 'Basic realm="staff"'}))


@pages.get("/staff/orders")
def orders() -> Response:
    for_staff()
    rows = database().execute(
        "SELECT o.*, coalesce((SELECT sum(amount) FROM refunds r WHERE r.order_id = o.id), 0) "
        "AS refunded FROM orders o ORDER BY o.id DESC"
    )
    return draw("orders", orders=rows.fetchall())


@pages.post("/staff/orders/<int:number>/refund")
def refund(number: int) -> AnyResponse:
    """Give back some of an order, never more than is left of it."""
    for_staff()
    db = database()
    cents = request.form.get("cents", 0, type=int)
    with store.transaction(db):
        order = db.execute(
            "SELECT o.*, o.total - coalesce((SELECT sum(amount) FROM refunds r "
            "WHERE r.order_id = o.id), 0) AS remaining FROM orders o WHERE o.id = ?",
            (number,),
        ).fetchone()
        if order is None:
            abort(404)
        if not 0 < cents <= order["remaining"]:
            abort(422)
        refund_id = db.execute(
            "INSERT INTO refunds (order_id, amount, refunded_at) VALUES (?, ?, ?)",
            (number, cents, now_text()),
        ).lastrowid
    shop().funnel.refund(
        order_id=f"o-{number}",
        amount=Money.from_minor(cents, order["currency"]),
        refund_id=f"r-{refund_id}",
    )
    return to("orders")
