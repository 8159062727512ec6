"""The shop: a catalogue, a cart, three more steps, a thank-you, and a way back.

    flask --app examples.flask_shop.shop run

What it tells lastclick is in `tracking.py`.
"""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask

from examples.flask_shop import checkout, coming_back, staff, store
from examples.flask_shop.context import Clock, Shop, close_db, price
from examples.flask_shop.tracking import STEPS, build_funnel, lastclick
from lastclick import Funnel
from lastclick.sinks import FileSink


def utc_now() -> datetime:
    """The shop's clock, unless a demo or a test brings its own."""
    return datetime.now(UTC)


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
    funnel = funnel or build_funnel(FileSink("shop-log"))
    app.extensions["shop"] = Shop(
        database=Path(database),
        funnel=funnel,
        clock=clock,
        staff_password=staff_password or secrets.token_hex(),
    )
    store.create(Path(database))
    app.jinja_env.filters["price"] = price
    app.jinja_env.globals["steps"] = [step.name for step in STEPS]
    for part in (checkout, coming_back, staff):
        app.register_blueprint(part.pages)
    app.teardown_appcontext(close_db)
    lastclick.init_app(app, funnel, log="shop-log")
    return app
