"""The shoppers: what they can do in the shop, and the notes that they keep.

Nothing in here imports lastclick. A shopper knows only the pages it was shown, the time on its
watch, and what it meant to do; what a report should say follows from those notes alone.
"""

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from examples.flask_shop.browser import AGENTS, Browser, Page, Staff, Web

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


class Watch(Protocol):
    """The time in the shop and on every wrist, set by who sends the shoppers."""

    def __call__(self) -> datetime: ...

    def set(self, now: datetime) -> None: ...


Script = Generator[timedelta, None, None]
"""What a shopper does, and between two `yield`s how long it waits."""


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
        return {place for _, place in self.seen if place in STEPS}

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
    scans: int = 0
    """Links opened by mail scanners."""


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
        self.attempt.seen.append((self.world.clock(), "order"))
        self.attempt = None

    def be_declined(self) -> None:
        card = self.random.choices(tuple(BAD_CARDS), (6, 3, 1))[0]
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
