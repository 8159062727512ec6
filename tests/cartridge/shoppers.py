"""What a shopper does at Cartridge: posts what the page's form holds, as a browser would."""

import re
from decimal import Decimal
from html.parser import HTMLParser
from typing import ClassVar

from tests.shops import NAME, PASSWORD, STREET, Shopper

PRICES = [Decimal("59.90"), Decimal("12.50"), Decimal("7.35")]
HOME, ABROAD, DISCOUNT = Decimal("4.90"), Decimal("9.90"), Decimal(5)
DETAILS, PAYMENT, CONFIRMATION = (
    f"Checkout - {title}" for title in ("Address", "Payment", "Confirmation")
)


class Form(HTMLParser):
    """What a browser would post of the form of a class: the visible and the hidden."""

    def __init__(self, page: str, name: str) -> None:
        super().__init__()
        self.name, self.inside, self.select = name, False, ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, pairs: list) -> None:
        given = dict(pairs)
        if tag == "form":
            self.inside = self.name in (given.get("class") or "").split()
        name, kind = given.get("name"), given.get("type")
        if tag == "select":
            self.select = name or ""
        if not self.inside:
            return
        chosen = kind not in ("radio", "checkbox") or "checked" in given
        if tag in ("input", "textarea") and name and kind != "submit" and chosen:
            self.fields[name] = given.get("value") or ("on" if kind == "checkbox" else "")
        if tag == "option" and (self.select not in self.fields or "selected" in given):
            self.fields[self.select] = given.get("value") or ""


class CartridgeShopper(Shopper):
    """One person at one browser."""

    titles: ClassVar = {
        "Your Cart": "cart",
        DETAILS: "details",
        PAYMENT: "payment",
        CONFIRMATION: "confirmation",
    }

    def __init__(self, *who: object) -> None:
        super().__init__(*who)
        self.discount = Decimal(0)

    def is_empty(self, page: str) -> bool:
        return "our cart is empty" in page.lower()

    def send(self, failure: str | None = None, **changes: str) -> str:
        """Press the button of the checkout's page that is in front of us."""
        fields = Form(self.page, "checkout-form").fields
        assert "step" in fields, self.page
        return self.post("/shop/checkout/", failure, **fields | changes)

    def fill(self) -> None:
        for _ in range(self.luck.randint(1, 3)):
            which = self.luck.randrange(len(self.goods))
            self.get(self.goods[which])
            self.post(self.goods[which], quantity=1)
            self.in_cart += PRICES[which]

    def change(self, quantity: int, failure: str | None = None) -> None:
        """Another number of the first of the goods in the cart."""
        self.get("/shop/cart/")
        fields = Form(self.page, "cart-form").fields
        line = next(name for name in fields if name.endswith("-quantity"))
        self.post("/shop/cart/", failure, **fields | {line: quantity, "update_cart": "Update"})

    def redeem(self, code: str, failure: str | None = None) -> None:
        self.post("/shop/cart/", failure, discount_code=code)
        if failure is None:
            self.discount = DISCOUNT

    def log_in(self, account: str) -> None:
        assert not self.logged_in
        self.get("/accounts/login/")
        self.post("/accounts/login/", username=f"{account}@example.com", password=PASSWORD)
        self.logged_in = True

    def details(self, *, abroad: bool, failure: str | None = None) -> None:
        country = "France" if abroad else "Germany"
        person = {
            "first_name": NAME,
            "last_name": self.name,
            "street": STREET,
            "city": "Berlin",
            "postcode": "10115",
            "country": "Atlantis" if failure == "no_shipping" else country,
            "phone": "" if failure == "invalid_address" else "0301234",
            "email": f"{self.name}@example.com",
        }
        fields = {f"billing_detail_{name}": value for name, value in person.items()}
        title = self.send(failure, **fields, same_billing_shipping="on")
        if failure is None:
            assert title == PAYMENT, title
            self.shipping = ABROAD if abroad else HOME

    def card(self, number: str = "4242", failure: str | None = None) -> None:
        title = self.send(
            failure,
            card_name=NAME,
            card_type="Visa",
            card_number=number,
            card_expiry_month="12",
            card_expiry_year=Form(self.page, "checkout-form").fields["card_expiry_year"],
            card_ccv="123",
        )
        assert title == (PAYMENT if failure else CONFIRMATION), title

    def back(self, title: str) -> None:
        """The page's own button, which posts."""
        assert self.send(back="Back") == title

    def pay(self, failure: str | None = None) -> None:
        title = self.send(failure)
        if failure is not None:
            assert title == PAYMENT, title
            return
        number = re.search(r"/shop/invoice/(\d+)/resend", self.page)
        assert title == "Order Complete", title
        assert number, self.page
        self.has_ordered(number[1], self.in_cart + self.shipping - self.discount)
        self.discount = Decimal(0)

    def end_session(self) -> None:
        """The browser was closed: the cart is lost, and who was logged in is not any more."""
        self.http.cookies.delete("sessionid")
        self.logged_in, self.in_cart, self.discount = False, Decimal(0), Decimal(0)


def walk(shopper: CartridgeShopper, account: str | None) -> None:
    """From the catalogue to wherever this one gets, with all that may happen on the way."""
    luck = shopper.luck

    def maybe(share: float) -> bool:
        return luck.random() < share

    stop = luck.choices(
        ["cart", "details", "payment", "confirmation", "order"], [12, 14, 14, 14, 46]
    )[0]
    shopper.fill()
    if maybe(0.2):
        shopper.get("/shop/cart/")  # reload
    if maybe(0.1):
        shopper.change(2_000_000, "out_of_stock")
    if maybe(0.15):
        shopper.redeem("SIX", "invalid_discount")
    if maybe(0.15):
        shopper.redeem("FIVE")
    if stop == "cart":
        return
    if account and not shopper.logged_in and maybe(0.5):
        shopper.log_in(account)
    elif maybe(0.15):
        shopper.get("/shop/checkout/")
        shopper.end_session()  # and comes back, to an empty cart
        shopper.get("/shop/cart/")
        shopper.get("/shop/checkout/")
        shopper.fill()
    shopper.get("/shop/checkout/")
    while maybe(0.2):
        failure = luck.choice(["invalid_address", "no_shipping"])
        shopper.details(abroad=maybe(0.5), failure=failure)
    if stop == "details":
        return
    shopper.details(abroad=maybe(0.5))
    if maybe(0.2):
        shopper.back(DETAILS)
        shopper.details(abroad=maybe(0.5))
    if maybe(0.15):
        shopper.prefetch("/shop/checkout/")
    if account and not shopper.logged_in and maybe(0.4):
        shopper.log_in(account)  # in the middle
        assert shopper.get("/shop/checkout/") == PAYMENT
    if maybe(0.2):
        shopper.get("/shop/cart/")
        assert shopper.get("/shop/checkout/") == PAYMENT  # where one left
    if stop == "payment":
        return
    while maybe(0.25):
        shopper.card("", "invalid_card")
    while maybe(0.25):
        shopper.card("4000")
        shopper.pay("card_declined")
    shopper.card()
    if maybe(0.2):
        shopper.back(PAYMENT)
        if maybe(0.5):
            shopper.back(DETAILS)
            shopper.details(abroad=maybe(0.5))
        shopper.card()
    if maybe(0.15):
        # Back at the confirmation, but Cartridge keeps no card.
        assert shopper.get("/shop/checkout/") == CONFIRMATION
        shopper.pay("card_declined")
        shopper.card()
    if stop == "confirmation":
        return
    tab = shopper.page
    shopper.pay()
    thanks = "/shop/checkout/complete/"
    if maybe(0.3):
        shopper.page = tab
        shopper.send()  # the other tab, of a cart that is empty now
    if maybe(0.3):
        shopper.get(thanks)  # reload
    if maybe(0.2):
        shopper.fill()
        if maybe(0.5):
            shopper.get(thanks)  # the old tab, while the new cart is filled
        if maybe(0.5):
            shopper.page = tab
            shopper.pay()  # the old tab's confirmation: all steps but the cart are skipped


def live(shopper: CartridgeShopper, account: str | None) -> None:
    """One visit, and perhaps another."""
    walk(shopper, account)
    if shopper.ordered:
        if shopper.luck.random() < 0.4:
            walk(shopper, None)
    elif shopper.luck.random() < 0.3:
        shopper.end_session()
        shopper.get("/shop/cart/")
        if shopper.luck.random() < 0.5:
            walk(shopper, None)


def work(member: CartridgeShopper) -> None:
    """One of the shop's own people orders."""
    member.log_in("staff")
    member.fill()
    member.get("/shop/checkout/")
    member.details(abroad=False)
    member.card()
    member.pay()


def crawl(robot: CartridgeShopper) -> None:
    """A crawler fills a cart, and looks at what it is led to."""
    robot.get(robot.goods[0])
    robot.post(robot.goods[0], quantity=1)
    robot.get("/shop/cart/")
    robot.get("/shop/checkout/")
