"""Behind the counter: the orders, and money given back."""

from flask import Blueprint, Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from examples.flask_shop import store
from examples.flask_shop.context import database, draw, for_staff, now_text, shop
from lastclick import Money

pages = Blueprint("staff", __name__)


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
    return redirect(url_for("staff.orders"), code=303)
