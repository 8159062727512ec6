"""The example shop: what it records, what it keeps to itself, and the demo's own checks."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

pytest.importorskip("flask")
pytest.importorskip("waitress")

from flask import Flask
from flask.testing import FlaskClient

from examples.flask_shop import store
from examples.flask_shop.checks import against_notes
from examples.flask_shop.demo import Result, run, show
from examples.flask_shop.shop import create_app
from examples.flask_shop.shoppers import END
from examples.flask_shop.tracking import build_funnel
from lastclick import Money
from lastclick.errors import raise_errors
from lastclick.events import OrderCompleted, OrderRefunded, ReminderSent, StepEntered
from lastclick.sinks import MemorySink

PASSWORD = "let me in"
GOOD_CARD = "4242 4242 4242 4242"


class Hands:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = datetime(2026, 10, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def app(tmp_path: Path, sink: MemorySink, clock: Hands) -> Flask:
    funnel = build_funnel(sink, clock=clock, on_error=raise_errors)
    app = create_app(tmp_path / "shop.db", funnel, clock=clock, staff_password=PASSWORD)
    app.testing = True
    return app


@pytest.fixture
def shopper(app: Flask) -> FlaskClient:
    return app.test_client()


def told(sink: MemorySink) -> list[str]:
    """The log in short: what happened, and where or why."""
    return [
        " ".join(
            str(part)
            for part in (
                event.type,
                getattr(event, "step", None),
                getattr(event, "reason", None),
            )
            if part is not None
        )
        for event in sink.events
    ]


E = TypeVar("E")


def those(sink: MemorySink, kind: type[E]) -> list[E]:
    """The events of one kind."""
    return [event for event in sink.events if isinstance(event, kind)]


def put(shopper: FlaskClient, product: str = "mug", then: str = "cart") -> None:
    shopper.post("/cart/add", data={"product": product, "then": then}, follow_redirects=True)


def give_contact(shopper: FlaskClient, **more: str) -> None:
    data = {"email": "ada@example.com", **more}
    shopper.post("/checkout/contact", data=data, follow_redirects=True)


def give_address(shopper: FlaskClient, **more: str) -> None:
    data = {"name": "Adelheid", "street": "Elm 1", "postcode": "10115", "city": "Berlin", **more}
    shopper.post("/checkout/shipping", data=data, follow_redirects=True)


def pay(shopper: FlaskClient, card: str = GOOD_CARD) -> str:
    cookie = shopper.get_cookie("checkout")
    data = {"card": card, "checkout": cookie.value if cookie else ""}
    return shopper.post("/checkout/payment", data=data, follow_redirects=True).text


def walk_to_payment(shopper: FlaskClient, **contact: str) -> None:
    put(shopper)
    shopper.post("/checkout", follow_redirects=True)
    give_contact(shopper, **contact)
    give_address(shopper)


def staff(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Basic " + _basic(PASSWORD)
    return client


def _basic(password: str) -> str:
    from base64 import b64encode

    return b64encode(f"staff:{password}".encode()).decode()


def letters(tmp_path: Path) -> list[str]:
    db = store.connect(tmp_path / "shop.db")
    try:
        return [row["body"] for row in db.execute("SELECT body FROM outbox")]
    finally:
        db.close()


# --- What is recorded -----------------------------------------------------------------------------


def test_a_purchase_is_told_step_by_step(shopper: FlaskClient, sink: MemorySink) -> None:
    """Each page of a step is entered once, and the order comes last with what was paid."""
    walk_to_payment(shopper)
    pay(shopper)

    assert told(sink) == [
        "step_entered cart",
        "step_entered contact",
        "step_entered shipping",
        "step_entered payment",
        "order_completed",
    ]
    assert [str(step.value) for step in those(sink, StepEntered)] == [
        *("EUR 12.90", "EUR 12.90", "EUR 12.90", "EUR 17.80"),  # with delivery in the end
    ]
    assert [(order.order_id, order.total) for order in those(sink, OrderCompleted)] == [
        ("o-1", Money("17.80", "EUR"))
    ]
    assert len({event.checkout_id for event in sink.events}) == 1


def test_the_customer_is_a_number_and_known_from_the_contact_on(
    shopper: FlaskClient, sink: MemorySink
) -> None:
    """Before the shopper said who they are there is no customer, then the shop's own number."""
    walk_to_payment(shopper)

    assert [event.customer_id for event in sink.events] == [None, None, "u-1", "u-1"]


def test_nothing_personal_is_recorded(shopper: FlaskClient, sink: MemorySink) -> None:
    """No address of any kind, no name and no card number is in any line of the log."""
    walk_to_payment(shopper)
    pay(shopper, "4000 0000 0000 0002")
    pay(shopper)

    lines = [json.loads(event.line) for event in sink.records]
    for line in lines:  # a random id or a time may hold any short text by chance
        del line["event_id"], line["occurred_at"]
    log = json.dumps(lines).lower()
    for secret in ("adelheid", "example.com", "elm 1", "10115", "berlin", "4242", "127.0.0.1"):
        assert secret not in log


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (Linux; Android 15) Mobile Safari/537.36", "mobile"),
        ("Mozilla/5.0 (Android 15; Tablet; rv:140.0)", "tablet"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "desktop"),
    ],
)
def test_device_and_channel_are_attributes(
    shopper: FlaskClient, sink: MemorySink, agent: str, device: str
) -> None:
    """The device is what the browser says it is, the channel what the first link said."""
    shopper.environ_base["HTTP_USER_AGENT"] = agent
    shopper.get("/?utm_source=social")
    put(shopper)

    assert dict(sink.events[0].attributes) == {"device": device, "channel": "social"}


def test_an_empty_cart_is_no_step(shopper: FlaskClient, sink: MemorySink) -> None:
    """Looking around and into an empty cart begins no attempt."""
    shopper.get("/")
    shopper.get("/cart")
    shopper.get("/checkout/payment", follow_redirects=True)

    assert sink.events == []


def test_nobody_is_recorded_at_a_step_they_were_not_shown(
    shopper: FlaskClient, sink: MemorySink
) -> None:
    """Who asks for the payment page too early is sent to the contact page, and is seen there."""
    put(shopper)
    shopper.get("/checkout/payment", follow_redirects=True)

    assert told(sink) == ["step_entered cart", "step_entered contact"]


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("4000 0000 0000 0002", "card_declined"),
        ("4000 0000 0000 9995", "insufficient_funds"),
        ("4000 0000 0000 0069", "expired_card"),
    ],
)
def test_a_refused_card_is_a_failure_and_no_order(
    shopper: FlaskClient, sink: MemorySink, card: str, reason: str
) -> None:
    """The provider's reason is recorded, and the shopper may try another card."""
    walk_to_payment(shopper)
    pay(shopper, card)
    pay(shopper)

    assert told(sink)[4:] == [f"step_failed payment {reason}", "order_completed"]


def test_bad_input_fails_at_its_step(shopper: FlaskClient, sink: MemorySink) -> None:
    """Too large an order, no e-mail address and a strange postcode each have their reason."""
    put(shopper, "kettle")
    shopper.post("/cart/change", data={"product": "kettle", "quantity": "3"})
    shopper.post("/checkout")
    give_contact(shopper, email="ada at example")
    give_contact(shopper)
    give_address(shopper, postcode="EC1A 1BB")

    assert [line for line in told(sink) if line.startswith("step_failed")] == [
        "step_failed cart out_of_stock",
        "step_failed contact invalid_email",
        "step_failed shipping invalid_address",
    ]


def test_the_next_cart_after_an_order_is_a_new_attempt(
    shopper: FlaskClient, sink: MemorySink
) -> None:
    """A second purchase has its own checkout id, and skips what is known of the customer."""
    walk_to_payment(shopper)
    pay(shopper)
    put(shopper, "teapot")
    shopper.post("/checkout", data={"express": "1"}, follow_redirects=True)
    pay(shopper)

    assert told(sink)[5:] == ["step_entered cart", "step_entered payment", "order_completed"]
    assert sink.events[5].checkout_id != sink.events[0].checkout_id
    assert sink.events[5].customer_id == "u-1"


def test_a_cart_that_was_emptied_stays_the_same_attempt(
    shopper: FlaskClient, sink: MemorySink
) -> None:
    """Taking everything out and putting something else in is still the same try."""
    put(shopper, "kettle")
    shopper.post("/cart/change", data={"product": "kettle", "quantity": "0"})
    put(shopper, "mug")

    assert len({event.checkout_id for event in sink.events}) == 1


def test_pressing_pay_twice_buys_once(shopper: FlaskClient, sink: MemorySink) -> None:
    """A second press, or a second tab, sees the same thank-you and makes no second order."""
    walk_to_payment(shopper)
    cookie = shopper.get_cookie("checkout")
    assert cookie is not None
    pay(shopper)
    again = shopper.post(
        "/checkout/payment",
        data={"card": GOOD_CARD, "checkout": cookie.value},
        follow_redirects=True,
    )

    assert 'id="order">o-1<' in again.text
    assert told(sink).count("order_completed") == 1


def test_usd_is_a_currency_of_its_own(shopper: FlaskClient, sink: MemorySink) -> None:
    """A shopper who chose dollars pays the dollar price."""
    shopper.get("/?currency=USD")
    put(shopper)

    assert [step.value for step in those(sink, StepEntered)] == [Money("13.90", "USD")]


def test_what_shoppers_type_is_escaped(shopper: FlaskClient) -> None:
    """A name with markup in it is shown as it was typed, and is no markup."""
    put(shopper)
    give_contact(shopper)
    give_address(shopper, name="<script>alert(1)</script>")

    page = shopper.get("/checkout/payment").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in page


# --- The way back ---------------------------------------------------------------------------------


def test_one_reminder_to_those_who_agreed(
    app: Flask, shopper: FlaskClient, sink: MemorySink, clock: Hands, tmp_path: Path
) -> None:
    """It goes out once, after an hour, to who ticked the box and did not buy; nobody else."""
    walk_to_payment(shopper, mail_ok="1")
    walk_to_payment(app.test_client())  # did not tick the box
    paid = app.test_client()
    walk_to_payment(paid, mail_ok="1")
    pay(paid)

    clock.turn(timedelta(minutes=59))
    assert staff(app).post("/staff/reminders").json == {"sent": 0}
    clock.turn(timedelta(minutes=1))
    assert staff(app).post("/staff/reminders").json == {"sent": 1}
    assert staff(app).post("/staff/reminders").json == {"sent": 0}
    assert len(letters(tmp_path)) == 1
    assert [sent.checkout_id for sent in those(sink, ReminderSent)] == [sink.events[0].checkout_id]


def test_the_link_brings_the_cart_back_on_another_device(
    app: Flask, shopper: FlaskClient, sink: MemorySink, clock: Hands, tmp_path: Path
) -> None:
    """Opening the link is a click of that attempt, and its cart is on the screen."""
    walk_to_payment(shopper, mail_ok="1")
    clock.turn(timedelta(hours=2))
    staff(app).post("/staff/reminders")
    link = letters(tmp_path)[0].split()[5]
    other = app.test_client()

    page = other.get(link, follow_redirects=True)

    assert "Stoneware mug" in page.text
    assert told(sink)[4:] == ["reminder_sent", "reminder_clicked", "step_entered cart"]
    assert len({event.checkout_id for event in sink.events}) == 1


def test_a_mail_scanner_makes_no_robot_of_its_shopper(
    app: Flask, shopper: FlaskClient, sink: MemorySink, clock: Hands, tmp_path: Path
) -> None:
    """Its click and the page that it is shown are an attempt of a robot's each."""
    walk_to_payment(shopper, mail_ok="1")
    clock.turn(timedelta(hours=2))
    staff(app).post("/staff/reminders")
    scanner = app.test_client()
    scanner.environ_base["HTTP_USER_AGENT"] = "MailScan/4 (link scanner)"

    scanner.get(letters(tmp_path)[0].split()[5], follow_redirects=True)

    assert told(sink)[4:] == ["reminder_sent", "reminder_clicked", "step_entered cart"]
    assert [event.attributes["traffic"] for event in sink.events[-2:]] == ["bot", "bot"]
    assert len({event.checkout_id for event in sink.events}) == 3


def test_a_forged_link_leads_nowhere(shopper: FlaskClient, sink: MemorySink) -> None:
    """A link that the shop did not sign is not found and records nothing."""
    response = shopper.get("/back/anything.at-all")

    assert response.status_code == 404
    assert sink.events == []


# --- Staff ----------------------------------------------------------------------------------------


def test_refunds_are_recorded_up_to_the_total(
    app: Flask, shopper: FlaskClient, sink: MemorySink
) -> None:
    """Each refund has its own id; more than is left of an order is refused and not recorded."""
    walk_to_payment(shopper)
    pay(shopper)

    answers = [
        staff(app).post("/staff/orders/1/refund", data={"cents": cents}).status_code
        for cents in ("1000", "780", "1", "-5", "much")
    ]

    assert answers == [303, 303, 422, 422, 422]
    refunds = those(sink, OrderRefunded)
    assert [(refund.order_id, refund.refund_id, refund.amount) for refund in refunds] == [
        ("o-1", "r-1", Money("10.00", "EUR")),
        ("o-1", "r-2", Money("7.80", "EUR")),
    ]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/staff/orders"), ("POST", "/staff/orders/1/refund"), ("POST", "/staff/reminders")],
)
def test_the_counter_has_a_door(shopper: FlaskClient, method: str, path: str) -> None:
    """Without the staff's password nobody sees orders, gives money back or sends mail."""
    assert shopper.open(path, method=method).status_code == 401


def test_the_rules_fit(app: Flask) -> None:
    """Every rule names what is there."""
    assert "every rule fits" in app.test_cli_runner().invoke(args=["lastclick", "check"]).output


# --- The demo -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "log"


@pytest.fixture(scope="module")
def result(log: Path) -> Result:
    return run(log, shoppers=40, seed=20261031)


def test_the_report_of_a_small_demo_is_true(
    result: Result, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 40 shoppers, every figure is what the shoppers noted and what the shop's books say."""
    code = show(result, log)

    printed = capsys.readouterr().out
    assert "WRONG" not in printed
    assert code == 0
    assert len(result.by_notes) > 40
    assert len(result.by_books) > 5


def test_the_demo_fails_when_a_figure_is_wrong(
    result: Result, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shopper who remembers one more lost cart makes the checks of it fail, and the exit code."""
    other = next(attempt for attempt in result.notes.people if attempt.outcome(END) == "lost")
    notes = dataclasses.replace(result.notes, attempts=(*result.notes.attempts, other))

    checks = tuple(against_notes(result.report, notes))
    code = show(dataclasses.replace(result, by_notes=checks), log)

    failing = {check.what for check in checks if not check.holds}
    assert {"attempts begun by people", "attempts: lost", "carts lost"} <= failing
    assert "WRONG attempts: lost" in capsys.readouterr().out
    assert code == 1
