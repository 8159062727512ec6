"""What every page has at hand: the shop, this request's database connection, the shopper's cart."""

import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from flask import Response, abort, current_app, g, make_response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from examples.flask_shop import store
from lastclick import Funnel, Money

COOKIE = "checkout"

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Shop:
    """What the pages need from outside a request."""

    database: Path
    funnel: Funnel
    clock: Clock
    staff_password: str


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


@dataclass(frozen=True)
class Cart:
    """A checkout that is not paid yet: its row, and what lies in the cart."""

    row: sqlite3.Row
    lines: list[sqlite3.Row]

    @property
    def total(self) -> int:
        """Cents as the shopper sees them now, with delivery once it is chosen."""
        goods = sum(int(line["price"]) * int(line["quantity"]) for line in self.lines)
        return goods + store.delivery_price(goods, self.row["delivery"])

    @property
    def value(self) -> Money:
        return Money.from_minor(self.total, self.row["currency"])


def this_checkout() -> sqlite3.Row | None:
    """The checkout that this request is about, paid or not: a link's, or the cookie's."""
    checkout_id = g.get("checkout_id") or request.cookies.get(COOKIE)
    return store.find_checkout(database(), checkout_id)


def find_cart() -> Cart | None:
    """The cart that this browser's cookie names, unless it was paid; it may be empty."""
    row = this_checkout()
    if row is None or row["order_id"] is not None:
        return None
    return Cart(row, store.cart_lines(database(), row))


def filled_cart() -> Cart | None:
    """The cart that this browser's cookie names, if there is something in it to buy."""
    cart = find_cart()
    return cart if cart is not None and cart.lines else None


def remember(response: AnyResponse, checkout_id: str) -> None:
    """Our own cookie, with a random id that means nothing to anybody else."""
    response.set_cookie(
        COOKIE, checkout_id, max_age=timedelta(days=30), httponly=True, samesite="Lax"
    )


def draw(page: str, **values: object) -> Response:
    return make_response(render_template(f"{page}.html", page=page, **{"total": None, **values}))


def for_staff() -> None:
    """Let the staff pass (HTTP basic authentication, any name), nobody else."""
    given = request.authorization.password if request.authorization else None
    if not secrets.compare_digest((given or "").encode(), shop().staff_password.encode()):
        abort(Response("Staff only.", 401, {"WWW-Authenticate": 'Basic realm="staff"'}))
