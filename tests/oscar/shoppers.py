"""Scripted shoppers who buy over HTTP and note what they see, by the titles of the pages."""

import random
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

import httpx

TITLES = {
    "Basket": "cart",
    "Checkout gateway": "contact",
    "Shipping address": "address",
    "Shipping method": "method",
    "Payment details": "payment",
    "Order preview": "preview",
}
PRICES = [Decimal("59.90"), Decimal("12.50"), Decimal("7.35")]
EXPRESS = Decimal("9.90")
PASSWORD = "a password of 1"
#: What must not be in the log.
AGENT, ADDRESS, STREET = "Mozilla/5.0 (Shopware 7) Firefox/99.0", "203.0.113.77", "Elm Street"
NAME = "Adelheid"  # long enough to be in no random id


@dataclass
class Attempt:
    """What a shopper notes of one attempt to buy."""

    seen: set[str] = field(default_factory=set)
    failures: Counter = field(default_factory=Counter)
    order: str | None = None
    total: Decimal = Decimal(0)

    @property
    def furthest(self) -> str:
        return "order" if self.order else [*TITLES.values()][max(map(order_of, self.seen))]


def order_of(step: str) -> int:
    return [*TITLES.values()].index(step)


class Shopper:
    """One person at one browser."""

    def __init__(self, url: str, name: str, goods: list[int], luck: random.Random) -> None:
        headers = {"User-Agent": AGENT, "X-Shopper": name, "X-Forwarded-For": ADDRESS}
        self.http = httpx.Client(base_url=url, headers=headers, follow_redirects=True, timeout=60)
        self.name, self.goods, self.luck = name, goods, luck
        self.attempts: list[Attempt] = []
        self.in_basket = Decimal(0)
        self.shipping = Decimal(0)
        self.logged_in = False
        self.ordered = True  # the next page of a step begins an attempt
        self.robots = 0  # pages that were shown to nobody

    # What a browser does.

    def get(self, path: str, failure: str | None = None) -> str:
        return self.see(self.http.get(path), failure)

    def post(self, path: str, failure: str | None = None, **data: object) -> str:
        token = self.http.cookies.get("csrftoken", "")
        headers = {"X-CSRFToken": token, "Referer": str(self.http.base_url)}
        return self.see(self.http.post(path, data=data, headers=headers), failure)

    def see(self, response: httpx.Response, failure: str | None) -> str:
        """Note the page that is in front of us; gives its title."""
        assert response.status_code == 200, response.text[:2000]
        found = re.search(r"<title>\s*(.*?)\s*\|", response.text, re.DOTALL)
        title = found[1].strip() if found else ""
        step = TITLES.get(title)
        if step is None or (step == "cart" and 'id="basket_formset"' not in response.text):
            assert failure is None, (failure, title)
            return title
        if self.ordered:
            self.attempts.append(Attempt())
            self.ordered = False
        attempt = self.attempts[-1]
        attempt.seen.add(step)
        if failure is not None:
            attempt.failures[step, failure] += 1
        return title

    # What a person wants.

    def fill(self) -> None:
        self.get("/accounts/login/")  # a page with a form, which brings the token for all forms
        for _ in range(self.luck.randint(1, 3)):
            which = self.luck.randrange(len(self.goods))
            self.post(f"/basket/add/{self.goods[which]}/", quantity=1)
            self.in_basket += PRICES[which]
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
            attempt = self.attempts[-1]
            number = re.search(r"Order (\d+): confirmation", title)
            assert number, title
            attempt.order, attempt.total = number[1], self.in_basket + self.shipping
            self.in_basket, self.ordered = Decimal(0), True

    def end_session(self) -> None:
        """The browser was closed: what lasted for the session is gone."""
        self.http.cookies.delete("sessionid")
        if self.logged_in:  # the basket stays with the account
            self.logged_in, self.in_basket = False, Decimal(0)

    def prefetch(self, path: str) -> None:
        """The browser fetches a page that nobody looks at."""
        response = self.http.get(path, headers={"Sec-Purpose": "prefetch"})
        self.robots += any(f"{title} |" in response.text for title in TITLES)


def walk(shopper: Shopper, luck: random.Random, account: str | None) -> None:
    """From the catalogue to wherever this one gets, with all that may happen on the way."""

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


def live(shopper: Shopper, luck: random.Random, account: str | None) -> None:
    """One visit, and perhaps another cart, with the old thank-you page still open."""
    walk(shopper, luck, account)
    if shopper.ordered and luck.random() < 0.5:
        shopper.fill()
        if luck.random() < 0.5:
            shopper.get("/checkout/thank-you/")  # the old tab, while the new cart is filled
        if luck.random() < 0.3:
            shopper.end_session()
        if not shopper.logged_in or luck.random() < 0.5:
            walk(shopper, luck, None)
    elif luck.random() < 0.2:
        shopper.end_session()
        shopper.get("/basket/")
