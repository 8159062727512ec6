"""What the funnel must say, by Django's own test runner."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, TransactionTestCase, override_settings

from examples.django_shop import tracking
from examples.django_shop.models import Order, Product
from lastclick import Funnel, Money, Report, measure, read_log
from lastclick.errors import raise_errors
from lastclick.sinks import FileSink

ADDRESS = {"name": "Ada", "street": "Elm 1", "city": "Berlin"}


@contextmanager
def recording() -> Iterator[str]:
    """The shop's own funnel, with a log of its own that raises what goes wrong."""
    with tempfile.TemporaryDirectory() as log:
        steps = tracking.funnel.declaration.steps
        funnel = Funnel("checkout", steps=steps, sink=FileSink(log), on_error=raise_errors)
        settings = {
            "funnel": funnel,
            "rules": tracking.RULES,
            "value": tracking.cart_value,
            "customer_id": tracking.customer_id,
            "on_error": raise_errors,
            "log": log,
        }
        with override_settings(LASTCLICK=settings):
            yield log


class Shopper(Client):
    """Who comes to the shop."""

    def fill(self) -> None:
        self.post(f"/add/{Product.objects.get().pk}/")
        self.get("/cart/")

    def give_address(self) -> None:
        self.get("/details/")
        self.post("/details/", ADDRESS, follow=True)

    def pay(self, card: str = "4242") -> None:
        self.post("/payment/", {"card": card}, follow=True)

    def buy(self) -> None:
        self.fill()
        self.give_address()
        self.pay()


class TestTheFunnel(TransactionTestCase):
    """Each test plays some shoppers and reads the log."""

    def setUp(self) -> None:
        Product.objects.create(name="Mug", price=Decimal("12.50"))
        self.log = self.enterContext(recording())

    def report(self) -> Report:
        """As of an hour later, when whoever has not ordered has left."""
        return measure(read_log(self.log), as_of=datetime.now(UTC) + timedelta(hours=1))

    def test_who_leaves_and_who_buys(self) -> None:
        """Steps, orders and revenue, equal to the shop's own books."""
        for furthest in range(4):
            shopper = Shopper()
            shopper.get("/")
            shopper.get("/cart/")  # empty: no step
            if furthest > 0:
                shopper.fill()
            if furthest > 1:
                shopper.give_address()
            if furthest > 2:
                shopper.pay()

        report = self.report()

        assert [step.entered for step in report.steps] == [3, 2, 2]
        assert report.ordered == Order.objects.count()
        assert report.revenue["EUR"].gross == Money("12.50", "EUR")

    def test_failures_are_no_pages(self) -> None:
        """A mistyped address and declined cards, each with its reason."""
        shopper = Shopper()
        shopper.fill()
        shopper.post("/details/", {"name": "Ada"})
        shopper.give_address()
        shopper.pay("4000 0000 0000 0002")
        shopper.pay("4000 0000 0000 0002")
        shopper.pay()

        steps = self.report().steps

        assert steps["details"].failures["invalid_address"].failures == 1
        assert steps["payment"].failures["card_declined"].failures == 2
        assert self.report().ordered == 1

    def test_each_cart_is_an_attempt(self) -> None:
        """Two orders are two attempts, though the thank-you page is reloaded in between."""
        shopper = Shopper()
        shopper.buy()
        shopper.fill()
        shopper.get("/thanks/")
        shopper.give_address()
        shopper.pay()

        report = self.report()

        assert (report.started, report.ordered) == (2, 2)
        assert report.quality.further_orders == 0

    def test_logging_in_midway_changes_nothing(self) -> None:
        """The session's key changes, the attempt does not."""
        shopper = Shopper()
        shopper.fill()
        shopper.force_login(User.objects.create_user("ada"))
        shopper.give_address()

        assert self.report().started == 1

    def test_staff_see_the_report(self) -> None:
        """In the admin; their own orders are left out and counted."""
        shopper = Shopper()
        shopper.buy()
        staff = Shopper()
        staff.force_login(User.objects.create_user("mia", is_staff=True))
        staff.buy()

        page = staff.get("/admin/lastclick/").content.decode()

        assert "abandonment rate" in page
        assert (self.report().ordered, self.report().quality.excluded_orders) == (1, 1)

    def test_the_rules_fit(self) -> None:
        """Every rule names what is there."""
        call_command("lastclick_check", stdout=StringIO())
