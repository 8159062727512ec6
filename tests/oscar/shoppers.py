"""What a shopper does at oscar's own shop, from page to page."""

import re
from decimal import Decimal
from typing import ClassVar

from tests.shops import NAME, PASSWORD, STREET, Shopper, title_of

PRICES = [Decimal("59.90"), Decimal("12.50"), Decimal("7.35")]
EXPRESS = Decimal("9.90")


class OscarShopper(Shopper):
    """One person at one browser."""

    titles: ClassVar = {
        "Basket": "cart",
        "Checkout gateway": "contact",
        "Shipping address": "address",
        "Shipping method": "method",
        "Payment details": "payment",
        "Order preview": "preview",
    }

    def is_empty(self, page: str) -> bool:
        return title_of(page) == "Basket" and 'id="basket_formset"' not in page

    def fill(self) -> None:
        self.get("/accounts/login/")  # a page with a form, which brings the token for all forms
        for _ in range(self.luck.randint(1, 3)):
            which = self.luck.randrange(len(self.goods))
            self.post(f"/basket/add/{self.goods[which]}/", quantity=1)
            self.in_cart += PRICES[which]
        self.get("/basket/")

    def contact(self, *, mistyped: bool) -> None:
        self.get("/checkout/")
        if mistyped and not self.logged_in:
            self.post("/checkout/", "invalid_email", username="no address", options="anonymous")
        if not self.logged_in:
            self.post("/checkout/", username=f"{self.name}@example.com", options="anonymous")

    def log_in(self, account: str, *, at_checkout: bool = True) -> None:
        assert not self.logged_in
        email = f"{account}@example.com"
        if at_checkout:
            self.get("/checkout/")
            self.post("/checkout/", username=email, password=PASSWORD, options="existing")
        else:
            self.get("/accounts/login/")
            names = {"login-username": email, "login-password": PASSWORD, "login_submit": "Log In"}
            self.post("/accounts/login/", **names)
        self.logged_in = True

    def address(self, *, mistyped: bool, abroad: bool) -> None:
        self.get("/checkout/shipping-address/")
        where = {
            "first_name": NAME,
            "last_name": self.name,
            "line1": STREET,
            "line4": "Berlin",
            "postcode": "75001" if abroad else "10115",
            "country": "FR" if abroad else "DE",
        }
        if mistyped:
            self.post("/checkout/shipping-address/", "invalid_address", **{**where, "line1": ""})
        self.shipping = Decimal(0)
        title = self.post("/checkout/shipping-address/", **where)
        assert title == ("Shipping method" if abroad else "Payment details"), title

    def method(self) -> None:
        express = self.luck.random() < 0.5
        self.shipping = EXPRESS if express else Decimal(0)
        code = "express" if express else "free-shipping"
        assert self.post("/checkout/shipping-method/", method_code=code) == "Payment details"

    def card(self, card: str = "good") -> None:
        failure = "invalid_card" if card == "bad" else None
        self.post("/checkout/preview/", failure, card=card)

    def pay(self, card: str = "good") -> None:
        failure = {"declined": "card_declined", "broken": "payment_error"}.get(card)
        title = self.post("/checkout/preview/", failure, card=card, action="place_order")
        if failure is None:
            number = re.search(r"Order (\d+): confirmation", title)
            assert number, title
            self.has_ordered(number[1], self.in_cart + self.shipping)

    def end_session(self) -> None:
        """The browser was closed: what lasted for the session is gone."""
        self.http.cookies.delete("sessionid")
        if self.logged_in:  # the basket stays with the account
            self.logged_in, self.in_cart = False, Decimal(0)


def walk(shopper: OscarShopper, account: str | None) -> None:
    """From the catalogue to wherever this one gets, with all that may happen on the way."""
    luck = shopper.luck

    def maybe(share: float) -> bool:
        return luck.random() < share

    stop = luck.choices(
        ["cart", "contact", "address", "method", "payment", "preview", "order"],
        [10, 8, 10, 8, 12, 10, 42],
    )[0]
    shopper.fill()
    if maybe(0.2):
        shopper.get("/basket/")  # reload
    if stop == "cart":
        return
    if account and not shopper.logged_in and maybe(0.5):
        shopper.log_in(account)
    elif maybe(0.15) and not shopper.logged_in:
        shopper.get("/checkout/")
        shopper.end_session()  # and comes back
        shopper.get("/basket/")
    if stop == "contact":
        shopper.get("/checkout/")
        return
    shopper.contact(mistyped=maybe(0.3))
    if stop == "address":
        shopper.get("/checkout/shipping-address/")
        return
    abroad = maybe(0.5)
    shopper.address(mistyped=maybe(0.3), abroad=abroad)
    if stop == "method":
        return
    if abroad:
        shopper.method()
    if maybe(0.2):
        shopper.get("/checkout/shipping-address/")  # back
        shopper.get("/checkout/payment-details/")
    if maybe(0.15):
        shopper.prefetch("/checkout/payment-details/")
    if account and not shopper.logged_in and maybe(0.3):
        shopper.log_in(account, at_checkout=False)  # in another tab
        shopper.get("/checkout/")
        shopper.address(mistyped=False, abroad=abroad)
        if abroad:
            shopper.method()
    if stop == "payment":
        return
    while maybe(0.25):
        shopper.card("bad")
    shopper.card()
    if stop == "preview":
        return
    while maybe(0.3):
        shopper.pay(luck.choice(["declined", "broken"]))
    shopper.pay()
    if maybe(0.3):
        shopper.post("/checkout/preview/", card="good", action="place_order")  # the other tab
    if maybe(0.3):
        shopper.get("/checkout/thank-you/")  # reload


def live(shopper: OscarShopper, account: str | None) -> None:
    """One visit, and perhaps another cart, with the old thank-you page still open."""
    luck = shopper.luck
    walk(shopper, account)
    if shopper.ordered and luck.random() < 0.5:
        shopper.fill()
        if luck.random() < 0.5:
            shopper.get("/checkout/thank-you/")  # the old tab, while the new cart is filled
        if luck.random() < 0.3:
            shopper.end_session()
        if not shopper.logged_in or luck.random() < 0.5:
            walk(shopper, None)
    elif luck.random() < 0.2:
        shopper.end_session()
        shopper.get("/basket/")


def work(member: OscarShopper) -> None:
    """One of the shop's own people orders, to see whether it works."""
    member.log_in("staff", at_checkout=False)
    member.fill()
    member.address(mistyped=False, abroad=False)
    member.card()
    member.pay()


def crawl(robot: OscarShopper) -> None:
    """A crawler fills a cart, and looks at what it is led to."""
    robot.get("/accounts/login/")
    robot.post(f"/basket/add/{robot.goods[0]}/", quantity=1)
    for path in ("/basket/", "/checkout/", "/checkout/"):
        robot.get(path)
