"""The shoppers: scripted people and robots who use the shop over HTTP and keep notes.

Nothing in here imports lastclick. A shopper knows only the pages it was shown, the time on its
watch, and what it meant to do; what a report should say follows from those notes alone.
"""

import base64
import heapq
import json
import re
import sqlite3
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from random import Random
from typing import Protocol
from urllib.parse import urlencode, urlsplit

START = datetime(2026, 10, 1, tzinfo=UTC)
END = datetime(2026, 10, 31, 23, 58, tzinfo=UTC)
STEPS = ("cart", "contact", "shipping", "payment")
ABANDONED_AFTER = timedelta(minutes=30)
WON_BACK_WITHIN = timedelta(days=7)

GOOD_CARD = "4242 4242 4242 4242"
BAD_CARDS = {
    "4000 0000 0000 0002": "card_declined",
    "4000 0000 0000 9995": "insufficient_funds",
    "4000 0000 0000 0069": "expired_card",
}
AGENTS = {
    "mobile": "Mozilla/5.0 (Linux; Android 15) Mobile Safari/537.36",
    "tablet": "Mozilla/5.0 (Android 15; Tablet; rv:140.0) Firefox/140.0",
    "desktop": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
    "bot": "Mozilla/5.0 (compatible; PriceBot/2.1)",
    "scanner": "MailScan/4 (link scanner)",
}


class Watch(Protocol):
    """The time in the shop and on every wrist, set by who sends the shoppers."""

    def __call__(self) -> datetime: ...

    def set(self, now: datetime) -> None: ...


Script = Generator[timedelta, None, None]
"""What a shopper does, and between two `yield`s how long it waits."""


# --- A browser ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """What is in front of a shopper: the page's name, the total shown, the order's number."""

    name: str
    status: int
    cents: int | None
    currency: str | None
    order: str | None

    @classmethod
    def read(cls, status: int, html: str) -> "Page":
        name = re.search(r'data-page="(\w+)"', html)
        total = re.search(r'id="total">([0-9]+)\.([0-9]{2}) ([A-Z]{3})<', html)
        order = re.search(r'id="order">([^<]+)<', html)
        return cls(
            name=name[1] if name else "",
            status=status,
            cents=int(total[1] + total[2]) if total else None,
            currency=total[3] if total else None,
            order=order[1] if order else None,
        )


class Web:
    """One kept-open connection to the shop, shared by all browsers, which take turns."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = HTTPConnection(host, port, timeout=30)
        self.requests = 0

    def ask(
        self, method: str, path: str, headers: dict[str, str], form: dict[str, str] | None = None
    ) -> tuple[HTTPResponse, str]:
        self.requests += 1
        body = None
        if form is not None:
            body = urlencode(form)
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        return response, response.read().decode()

    def close(self) -> None:
        self._connection.close()


class Browser:
    """Cookies, a name for the shop to read, and the following of redirects."""

    def __init__(self, web: Web, agent: str) -> None:
        self._web = web
        self._agent = agent
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Page:
        return self._follow("GET", path, None)

    def post(self, path: str, **form: str) -> Page:
        return self._follow("POST", path, form)

    def _follow(self, method: str, path: str, form: dict[str, str] | None) -> Page:
        for _ in range(6):
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            headers = {"User-Agent": self._agent} | ({"Cookie": cookies} if cookies else {})
            response, html = self._web.ask(method, path, headers, form)
            self._keep(response.headers.get_all("Set-Cookie") or ())
            if response.status not in (302, 303):
                return Page.read(response.status, html)
            method, path, form = "GET", response.headers["Location"], None
        raise AssertionError(f"the shop redirects for ever, last to {path}")

    def _keep(self, headers: Iterable[str]) -> None:
        for header in headers:
            name, _, value = header.partition(";")[0].partition("=")
            if value and "Max-Age=0" not in header:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)


class Staff:
    """The people behind the counter: they send the reminders, give money back, and see the mail."""

    def __init__(self, web: Web, password: str, database: Path) -> None:
        token = base64.b64encode(f"staff:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"}
        self._web = web
        self._database = sqlite3.connect(database)
        self.reminders = 0

    def close(self) -> None:
        self._database.close()

    def send_reminders(self) -> None:
        response, text = self._web.ask("POST", "/staff/reminders", self._headers)
        assert response.status == 200, text
        self.reminders += int(json.loads(text)["sent"])

    def refund(self, order: str, cents: int) -> None:
        path = f"/staff/orders/{order.removeprefix('o-')}/refund"
        response, text = self._web.ask("POST", path, self._headers, {"cents": str(cents)})
        assert response.status == 303, text

    def letters_to(self, email: str) -> list[str]:
        """What lies in somebody's mailbox, which is the shop's outbox."""
        rows = self._database.execute(
            "SELECT body FROM outbox WHERE recipient = ? ORDER BY id", (email,)
        )
        return [body for (body,) in rows]


# --- Notes ----------------------------------------------------------------------------------------


@dataclass
class Attempt:
    """A shopper's own notes on one try to buy."""

    device: str
    channel: str
    robot: bool = False
    seen: list[tuple[datetime, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    last_act: datetime = START
    cents: int = 0
    currency: str = ""
    order: str | None = None
    bought_as: str | None = None
    refunds: list[int] = field(default_factory=list)

    @property
    def steps(self) -> set[str]:
        return {step for _, step in self.seen}

    @property
    def furthest(self) -> str:
        return "order" if self.order else max(self.steps, key=STEPS.index)

    def outcome(self, now: datetime) -> str:
        """What became of it: buyers know, and of the others their watch tells."""
        if self.bought_as is not None:
            return self.bought_as
        idle = now - self.last_act
        if idle <= ABANDONED_AFTER:
            return "in_flight"
        return "recoverable" if idle <= WON_BACK_WITHIN else "lost"


@dataclass
class World:
    """What all shoppers share."""

    web: Web
    staff: Staff
    clock: Watch


class Shopper:
    """Somebody with a device, a taste, a mailbox, and a memory."""

    def __init__(self, world: World, number: int, seed: int) -> None:
        self.world = world
        self.random = Random(f"{seed}/{number}")
        self.email = f"shopper{number}@example.com"
        self.device = self.random.choices(("mobile", "desktop", "tablet"), (55, 37, 8))[0]
        self.channel = self.random.choices(("direct", "search", "social", "ads"), (4, 3, 2, 2))[0]
        self.currency = self.random.choices(("EUR", "USD"), (85, 15))[0]
        self.browser = Browser(world.web, AGENTS[self.device])
        self.page = Page("", 0, None, None, None)
        self.attempts: list[Attempt] = []
        self.attempt: Attempt | None = None

    # Time

    def think(self) -> timedelta:
        """As long as people look at a page: mostly half a minute, at times four."""
        return timedelta(seconds=min(240.0, self.random.lognormvariate(3.4, 0.7)))

    def hours(self, low: float, high: float) -> timedelta:
        return timedelta(hours=self.random.uniform(low, high))

    def days(self, low: float, high: float) -> timedelta:
        return timedelta(days=self.random.uniform(low, high))

    # Looking and noting

    def get(self, path: str) -> None:
        self._look(self.browser.get(path))

    def post(self, path: str, **form: str) -> None:
        self._look(self.browser.post(path, **form))

    def _look(self, page: Page) -> None:
        assert page.status in (200, 422), f"{self.email} got {page}"
        self.page = page
        if page.name in STEPS and page.cents is not None and page.currency is not None:
            if self.attempt is None:
                robot = self.device == "bot"
                self.attempt = Attempt(self.device, self.channel, robot=robot)
                self.attempts.append(self.attempt)
            self.attempt.seen.append((self.world.clock(), page.name))
            self.attempt.cents, self.attempt.currency = page.cents, page.currency
            self.attempt.last_act = self.world.clock()

    def expect(self, name: str) -> None:
        assert self.page.name == name, f"{self.email} wanted {name} and got {self.page}"

    def refused(self, step: str, reason: str) -> None:
        """Note that the shop said no, having checked that it did."""
        self.expect(step)
        assert self.page.status == 422, f"{self.email} should have been refused: {self.page}"
        assert self.attempt is not None
        self.attempt.failures.append((step, reason))

    # Doing

    def arrive(self) -> None:
        query = {"currency": self.currency}
        if self.channel != "direct":
            query["utm_source"] = self.channel
        self.get(f"/?{urlencode(query)}")
        self.expect("catalogue")

    def add(self, product: str | None = None, then: str = "cart") -> None:
        shelf = ("mug", "teapot", "darjeeling", "sencha", "tray", "cloth", "set")
        self.post("/cart/add", product=product or self.random.choice(shelf), then=then)
        self.expect(then)

    def fill_cart(self) -> Script:
        self.arrive()
        for _ in range(self.random.choice((1, 1, 2, 3))):
            yield self.think()
            self.add()

    def forward(self, *, mail_ok: bool = True) -> None:
        """Fill in the form of this page as it should be, and send it."""
        match self.page.name:
            case "cart":
                self.post("/checkout")
            case "contact":
                agreed = {"mail_ok": "1"} if mail_ok else {}
                self.post("/checkout/contact", email=self.email, **agreed)
            case "shipping":
                delivery = self.random.choices(("standard", "express"), (4, 1))[0]
                self.give_address(delivery=delivery)
            case name:
                raise AssertionError(f"{self.email} is stuck at {name}")

    def walk(self, until: str, *, mail_ok: bool = True) -> Script:
        """Go on, page by page, until that step is on the screen."""
        while self.page.name != until:
            yield self.think()
            self.forward(mail_ok=mail_ok)

    def give_address(self, postcode: str = "10115", delivery: str = "standard") -> None:
        self.post(
            "/checkout/shipping",
            name="Robin <Tester>",
            street="Ohm & Volt Street 7",
            postcode=postcode,
            city="Berlin",
            delivery=delivery,
        )

    def pay(self, card: str = GOOD_CARD) -> None:
        self.expect("payment")
        self.post("/checkout/payment", card=card, checkout=self.browser.cookies["checkout"])

    def buy(self, outcome: str) -> None:
        """Pay with a good card, and note the order and what this purchase should count as."""
        asked = self.page.cents
        self.pay()
        self.expect("thanks")
        assert self.attempt is not None
        assert self.page.order is not None
        assert self.page.cents == asked, f"{self.email} was charged {self.page}, not {asked}"
        self.attempt.order, self.attempt.bought_as = self.page.order, outcome
        self.attempt = None

    def be_declined(self) -> None:
        card = self.random.choice(tuple(BAD_CARDS))
        self.pay(card)
        self.refused("payment", BAD_CARDS[card])

    def come_by_link(self) -> None:
        """Open the link in the newest reminder; clicking is an act too."""
        self.get(self.link())
        self.expect("cart")

    def link(self) -> str:
        letters = self.world.staff.letters_to(self.email)
        assert letters, f"{self.email} waits for a reminder"
        found = re.search(r"https?://\S+", letters[-1])
        assert found is not None
        return urlsplit(found[0]).path

    def take_other_device(self) -> None:
        """Another browser, without the cookies of this one."""
        self.device = "desktop" if self.device == "mobile" else "mobile"
        self.browser = Browser(self.world.web, AGENTS[self.device])

    def ask_refund(self, cents: int) -> None:
        bought = self.attempts[-1]
        assert bought.order is not None
        self.world.staff.refund(bought.order, cents)
        bought.refunds.append(cents)


# --- Scripts: who comes without a purchase in the end ----------------------------------------------


def only_looks(me: Shopper) -> Script:
    me.arrive()
    yield me.think()
    me.arrive()


def leaves_at(step: str) -> Callable[[Shopper], Script]:
    def script(me: Shopper) -> Script:
        yield from me.fill_cart()
        yield from me.walk(step, mail_ok=me.random.random() < 0.7)

    script.__name__ = f"leaves_at_{step}"
    return script


def declined_and_gone(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    for _ in range(me.random.choice((1, 1, 2))):
        yield me.think()
        me.be_declined()


def bad_address_and_gone(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.think()
    me.give_address(postcode="EC1A 1BB")
    me.refused("shipping", "invalid_address")


def sold_out_and_gone(me: Shopper) -> Script:
    me.arrive()
    me.add("kettle")
    yield me.think()
    me.post("/cart/change", product="kettle", quantity="500")
    yield me.think()
    me.forward()
    me.refused("cart", "out_of_stock")


def comes_back_and_leaves_again(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("contact")
    yield me.days(1, 3)
    me.get("/cart")
    yield from me.walk("shipping")


def clicks_and_leaves_again(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield me.hours(4, 30)
    me.come_by_link()


# --- Scripts: who buys at the first go -------------------------------------------------------------


def buys(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased")


def buys_slowly(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield timedelta(minutes=29, seconds=30)  # looked for the card: not yet an abandonment
    me.buy("purchased")


def buys_exactly_at_the_limit(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield ABANDONED_AFTER
    me.buy("purchased")


def goes_back_and_reloads(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield me.think()
    me.get("/checkout/shipping")
    yield me.think()
    me.get("/cart")
    me.get("/cart")
    yield from me.walk("payment")
    me.get("/checkout/payment")
    yield me.think()
    me.buy("purchased")


def skips_the_cart(me: Shopper) -> Script:
    me.arrive()
    yield me.think()
    me.add(then="contact")
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased")


def buys_in_two_tabs(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    checkout = me.browser.cookies["checkout"]
    yield me.think()
    me.get("/cart")  # the second tab; the first still shows the payment page
    yield me.think()
    me.get("/checkout/payment")
    me.buy("purchased")
    order = me.page.order
    yield me.think()
    me.post("/checkout/payment", card=GOOD_CARD, checkout=checkout)
    me.expect("thanks")
    assert me.page.order == order, f"{me.email} paid twice: {order}, {me.page}"
    me.get("/cart")  # empty by now, so no step
    assert me.page.cents is None


def declined_then_buys(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    for _ in range(me.random.choice((1, 1, 2))):
        yield me.think()
        me.be_declined()
    yield me.think()
    me.buy("purchased")


def mistypes_then_buys(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("contact")
    yield me.think()
    me.post("/checkout/contact", email="shopper at example")
    me.refused("contact", "invalid_email")
    yield from me.walk("shipping")
    yield me.think()
    me.give_address(postcode="1011")
    me.refused("shipping", "invalid_address")
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased")


def sold_out_then_buys(me: Shopper) -> Script:
    me.arrive()
    yield me.think()
    me.add("kettle")
    yield me.think()
    me.post("/cart/change", product="kettle", quantity="500")
    yield me.think()
    me.forward()
    me.refused("cart", "out_of_stock")
    yield me.think()
    me.post("/cart/change", product="kettle", quantity="0")
    me.expect("cart")
    yield me.think()
    me.add("teapot")
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased")


def buys_twice(me: Shopper) -> Script:
    yield from buys(me)
    yield me.days(1, 6)
    me.arrive()
    yield me.think()
    me.add()
    yield me.think()
    me.post("/checkout", express="1")  # straight to payment: contact and shipping are skipped
    me.expect("payment")
    yield me.think()
    me.buy("purchased")


def begins_again_elsewhere(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping", mail_ok=False)
    yield me.hours(2, 20)
    me.take_other_device()
    me.attempt = None  # no cookie, no link: for the shop this is another try
    yield from buys(me)


def gets_all_back(me: Shopper) -> Script:
    yield from buys(me)
    yield me.days(1, 4)
    me.ask_refund(me.attempts[-1].cents)


def gets_some_back_twice(me: Shopper) -> Script:
    yield from buys(me)
    for share in (4, 5):
        yield me.days(0.5, 2)
        me.ask_refund(me.attempts[-1].cents // share)


# --- Scripts: who is won back, or comes too late ---------------------------------------------------


def back_alone(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment", mail_ok=False)
    yield me.hours(0.6, 60)
    me.get("/cart")
    yield from me.walk("payment", mail_ok=False)
    yield me.think()
    me.buy("recovered_unaided")


def back_before_the_reminder(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield timedelta(minutes=30, microseconds=1)  # just long enough to count as gone
    me.get("/checkout/payment")
    yield me.think()
    me.buy("recovered_unaided")


def back_after_reminder(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.hours(3, 90)
    me.get("/cart")
    yield from me.walk("payment")
    yield me.think()
    me.buy("recovered_after_reminder")


def reads_the_reminder_after_buying(me: Shopper) -> Script:
    yield from back_after_reminder(me)
    yield me.hours(1, 20)
    me.get(me.link())
    me.expect("cart")
    assert me.page.cents is None, "a paid cart should be empty"


def mail_is_scanned(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.hours(3, 5)
    scanner = Browser(me.world.web, AGENTS["scanner"])
    assert scanner.get(me.link()).cents is None, "a scanner should be given no cart"
    yield me.hours(3, 40)
    me.get("/cart")
    yield from me.walk("payment")
    yield me.think()
    me.buy("recovered_after_reminder")


def back_by_link(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk(me.random.choice(("shipping", "payment")))
    yield me.hours(3, 100)
    me.come_by_link()
    yield from me.walk("payment")
    yield me.think()
    me.buy("recovered_by_link")


def back_by_link_elsewhere(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment")
    yield me.hours(3, 50)
    me.take_other_device()
    me.come_by_link()
    yield from me.walk("payment")
    yield me.think()
    me.be_declined()
    yield me.think()
    me.buy("recovered_by_link")


def link_first_buys_days_later(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.hours(3, 20)
    me.come_by_link()
    yield me.days(1, 5)
    me.get("/cart")
    yield from me.walk("payment")
    yield me.think()
    me.buy("recovered_by_link")


def reminder_long_ago(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.days(4, 5)
    me.get("/cart")
    yield me.days(4, 5)  # reminded more than a week ago: this time the mail was not why
    me.get("/cart")
    yield from me.walk("payment")
    yield me.think()
    me.buy("recovered_unaided")


def too_late(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("payment", mail_ok=me.random.random() < 0.5)
    yield me.days(7.2, 12)
    me.get("/cart")
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased_late")


def too_late_by_link(me: Shopper) -> Script:
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield me.days(7.2, 12)
    me.come_by_link()
    yield from me.walk("payment")
    yield me.think()
    me.buy("purchased_late")


# --- Scripts: robots -------------------------------------------------------------------------------


def robot(me: Shopper) -> Script:
    me.device, me.browser = "bot", Browser(me.world.web, AGENTS["bot"])
    yield from me.fill_cart()
    yield timedelta(seconds=1)
    if me.random.random() < 0.5:
        me.forward()


def card_tester(me: Shopper) -> Script:
    """Tries stolen cards: many declines that are nobody's lost sale."""
    me.device, me.browser = "bot", Browser(me.world.web, AGENTS["bot"])
    me.arrive()
    me.add("cloth")
    while me.page.name != "payment":
        yield timedelta(seconds=1)
        me.forward(mail_ok=False)
    for _ in range(8):
        yield timedelta(seconds=2)
        me.be_declined()


def last_one(me: Shopper) -> Script:
    """Stands before the till in the very last instant, which is what the report is as of."""
    yield from me.fill_cart()
    yield from me.walk("shipping")
    yield END - me.world.clock()
    me.give_address()


SCRIPTS: tuple[tuple[Callable[[Shopper], Script], int], ...] = (  # a script, and its weight
    (buys, 60),
    (buys_slowly, 6),
    (buys_exactly_at_the_limit, 3),
    (goes_back_and_reloads, 12),
    (skips_the_cart, 10),
    (buys_in_two_tabs, 6),
    (declined_then_buys, 14),
    (mistypes_then_buys, 10),
    (sold_out_then_buys, 4),
    (buys_twice, 9),
    (begins_again_elsewhere, 6),
    (gets_all_back, 6),
    (gets_some_back_twice, 5),
    (back_alone, 14),
    (back_before_the_reminder, 3),
    (back_after_reminder, 12),
    (reads_the_reminder_after_buying, 3),
    (mail_is_scanned, 4),
    (back_by_link, 12),
    (back_by_link_elsewhere, 5),
    (link_first_buys_days_later, 4),
    (reminder_long_ago, 3),
    (too_late, 8),
    (too_late_by_link, 4),
    (only_looks, 16),
    (leaves_at("cart"), 48),
    (leaves_at("contact"), 26),
    (leaves_at("shipping"), 22),
    (leaves_at("payment"), 18),
    (declined_and_gone, 16),
    (bad_address_and_gone, 8),
    (sold_out_and_gone, 3),
    (comes_back_and_leaves_again, 8),
    (clicks_and_leaves_again, 6),
    (robot, 12),
    (card_tester, 3),
)


# --- Sending them ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """How far the month is."""

    now: datetime
    shoppers: int
    requests: int


@dataclass(frozen=True)
class Notes:
    """What everybody wrote down, once the month is over."""

    attempts: tuple[Attempt, ...]
    shoppers: int
    requests: int
    reminders: int

    @property
    def people(self) -> list[Attempt]:
        """The attempts of people; robots are left out of the figures."""
        return [attempt for attempt in self.attempts if not attempt.robot]

    @property
    def decided(self) -> list[Attempt]:
        return [attempt for attempt in self.people if attempt.outcome(END) != "in_flight"]


def send_shoppers(
    world: World, *, count: int = 400, seed: int = 20261031, progress: Callable[[Progress], None]
) -> Notes:
    """Send that many shoppers through October, in the order of their doings, and the staff too.

    The earliest who wants to do something next is let on, with the clock set to that instant.
    Whoever wants to do something after the end has not done it.
    """
    random = Random(seed)
    shoppers = [Shopper(world, number, seed) for number in range(count)]
    agenda: list[tuple[datetime, int, Script]] = [
        (_arrival(random, number), number, script(shopper))
        for number, (shopper, script) in enumerate(
            zip(shoppers, _parts(random, count), strict=True)
        )
    ]
    agenda[-1] = (END - timedelta(minutes=20), count - 1, last_one(shoppers[-1]))
    agenda.append((START, count, _staff_rounds(world)))
    heapq.heapify(agenda)
    told = START
    while agenda:
        now, number, script = heapq.heappop(agenda)
        world.clock.set(now)
        wait = next(script, None)
        if wait is not None and now + wait <= END:
            heapq.heappush(agenda, (now + wait, number, script))
        if now - told >= timedelta(days=5):
            told = now
            progress(Progress(now, sum(bool(s.page.name) for s in shoppers), world.web.requests))
    return Notes(
        attempts=tuple(attempt for shopper in shoppers for attempt in shopper.attempts),
        shoppers=count,
        requests=world.web.requests,
        reminders=world.staff.reminders,
    )


def _parts(random: Random, count: int) -> list[Callable[[Shopper], Script]]:
    """Who plays what: each script once, then by weight, so that a small cast has them all too."""
    scripts = [script for script, _ in SCRIPTS]
    more = random.choices(
        scripts, [weight for _, weight in SCRIPTS], k=max(0, count - len(scripts))
    )
    parts = (scripts + more)[:count]
    random.shuffle(parts)
    return parts


def _arrival(random: Random, number: int) -> datetime:
    """Some time in the month, rather in the evening; one in fifty in its last half hour."""
    if number % 50 == 25:
        return END - timedelta(minutes=random.uniform(2, 25))
    day = timedelta(days=random.randrange(31))
    return START + day + timedelta(hours=random.triangular(0.5, 23.2, 19))


def _staff_rounds(world: World) -> Script:
    """Every hour, somebody (a cron job) has the reminders sent."""
    while True:
        world.staff.send_reminders()
        yield timedelta(hours=1)
