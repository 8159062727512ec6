"""The way back: a reminder with a signed link, and what happens when somebody opens it."""

from datetime import timedelta

from flask import Blueprint, abort, current_app, g, redirect, url_for
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response as AnyResponse

from examples.flask_shop import store
from examples.flask_shop.context import (
    database,
    for_staff,
    now_text,
    remember,
    shop,
)
from lastclick.integrations.flask import current_checkout

REMIND_AFTER = timedelta(hours=1)
pages = Blueprint("back", __name__)


def signer() -> URLSafeSerializer:
    secret = current_app.secret_key
    assert secret is not None
    return URLSafeSerializer(secret, salt="come-back")


@pages.get("/back/<token>")
def open_link(token: str) -> AnyResponse:
    """The link in the reminder: whoever has it gets the cart back, on any device."""
    try:
        checkout = store.find_checkout(database(), signer().loads(token))
    except BadSignature:
        checkout = None
    if checkout is None:
        abort(404)
    g.checkout_id = checkout["id"]  # this request is about that one, whatever the cookie says
    current_checkout.click("email", campaign="come-back")
    response = redirect(url_for("shop.see_cart"), code=303)
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
        link = url_for("back.open_link", token=signer().dumps(checkout["id"]), _external=True)
        body = f"Your cart is still here: {link}\nThis is the only reminder we send."
        with store.transaction(db):
            db.execute(
                "INSERT INTO outbox (recipient, subject, body, sent_at) VALUES (?, ?, ?, ?)",
                (checkout["email"], "You left something behind", body, now_text()),
            )
            db.execute(
                "UPDATE checkouts SET reminded_at = ? WHERE id = ?", (now_text(), checkout["id"])
            )
        # Not `current_checkout`: it is the shop that acts here, no shopper is in front of us.
        shop().funnel.checkout(checkout["id"], customer_id=f"u-{checkout['customer_id']}").remind(
            "email", campaign="come-back"
        )
    return {"sent": len(left)}
