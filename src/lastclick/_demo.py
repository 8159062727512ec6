"""A small shop and its shoppers, for `lastclick demo`: some weeks in a second, from a seed.

The shoppers are dice; what is under test is the way from their checkouts to the report, which is
held against the shop's own books.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import attrs

from lastclick import Checkout, Funnel, Money, Report, Step
from lastclick.errors import raise_errors
from lastclick.sinks import FileSink

START = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 28
STEPS = (
    Step("cart", stage="consideration", owner="catalogue"),
    Step("details", stage="purchase", owner="accounts"),
    Step("shipping", stage="purchase", owner="logistics"),
    Step("payment", stage="purchase", owner="payments"),
)

_LEAVES = {"cart": 0.36, "details": 0.18, "shipping": 0.16, "payment": 0.12}
_DECLINES = ("card_declined", "insufficient_funds", "3ds_failed")


@attrs.frozen
class Books:
    """What the shop knows without lastclick.

    Attributes:
        checkouts: Checkouts that people began.
        bots: Checkouts that a program began.
        orders: Orders by id.
        refunded: What went back, by order.
    """

    checkouts: int
    bots: int
    orders: dict[str, Money]
    refunded: dict[str, Money]

    def gross(self) -> dict[str, Money]:
        """What the orders brought, by currency."""
        return _by_currency(self.orders)

    def back(self) -> dict[str, Money]:
        """What was refunded, by currency."""
        return _by_currency(self.refunded)

    def differences(self, report: Report) -> list[str]:
        """Where the report says something else: nowhere, if all is well."""
        nothing = {currency: Money(0, currency) for currency in self.gross()}
        told = {
            "checkouts": (self.checkouts, report.started),
            "bots": (self.bots, report.quality.excluded_attempts),
            "orders": (len(self.orders), report.ordered),
            "gross": (self.gross(), {code: one.gross for code, one in report.revenue.items()}),
            "refunded": (
                {**nothing, **self.back()},
                {code: one.refunded for code, one in report.revenue.items()},
            ),
        }
        return [
            f"{name}: the shop's books say {books}, the report says {said}"
            for name, (books, said) in told.items()
            if books != said
        ]


def _by_currency(amounts: dict[str, Money]) -> dict[str, Money]:
    totals: dict[str, Money] = {}
    for amount in amounts.values():
        known = totals.get(amount.currency)
        totals[amount.currency] = amount if known is None else known + amount
    return totals


class _Shop:
    """The shop, its clock, and all that will happen in it."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.end = START + timedelta(days=DAYS)
        self.plan: list[tuple[datetime, int, Callable[[], None]]] = []
        self.began: set[int] = set()
        self.orders: dict[str, Money] = {}
        self.refunded: dict[str, Money] = {}
        self._now = START
        self.funnel = Funnel(
            "checkout",
            steps=STEPS,
            sink=FileSink(directory, compress=False),  # small, and there to be looked at
            on_error=raise_errors,
            clock=lambda: self._now,
        )

    def at(self, when: datetime, happens: Callable[[], None]) -> None:
        """Plan something; what lies after the end does not happen."""
        if when < self.end:
            self.plan.append((when, len(self.plan), happens))

    def open(self) -> None:
        """Let everything happen, in order of time."""
        with self.funnel:
            for when, _, happens in sorted(self.plan, key=lambda planned: planned[:2]):
                self._now = when
                happens()

    def chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def after(self, when: datetime, **mean: float) -> datetime:
        """Some time later, with the mean that a timedelta of these parts has."""
        mean_s = timedelta(**mean).total_seconds()
        return when + timedelta(seconds=1 + int(self.dice.expovariate(1 / mean_s)))


class _Shopper:
    """One shopper with one cart."""

    def __init__(self, shop: _Shop, number: int) -> None:
        self.shop = shop
        dice = shop.dice
        self.number = number
        self.mobile = shop.chance(0.6)
        self.cart = Money.from_minor(
            dice.randrange(900, 15_000), "EUR" if shop.chance(0.8) else "USD"
        )
        self.checkout: Checkout[str] = shop.funnel.checkout(
            f"c-{number}", f"u-{number}", {"device": "mobile" if self.mobile else "desktop"}
        )
        self.arrives = START + timedelta(seconds=dice.randrange(DAYS * 86_400))

    def plan(self) -> None:
        """Plan the visit, and what follows from it."""
        left_at = self._visit()
        if left_at is not None:
            self._win_back(left_at)

    def _visit(self) -> datetime | None:
        """Go through the steps; say when the shopper left, or None after an order."""
        shop, when = self.shop, self.arrives
        for step in STEPS:
            self._enter(when, step.name)
            if step.name == "payment" and shop.chance(0.2 if self.mobile else 0.12):
                when = shop.after(when, minutes=1)
                self._fail(when, shop.dice.choice(_DECLINES))
                if shop.chance(0.5):
                    return when
            if shop.chance(_LEAVES[step.name] * (1.4 if self.mobile else 1.0)):
                return when
            when = shop.after(when, minutes=2)
        self._order(when)
        return None

    def _win_back(self, left_at: datetime) -> None:
        """A mail an hour later, but for a fifth of them; some come back, mailed or not."""
        shop = self.shop
        mailed_at = left_at + timedelta(hours=1)
        treated = shop.chance(0.8)
        arm: Literal["treated", "holdout"] = "treated" if treated else "holdout"
        shop.at(mailed_at, lambda: self.checkout.assign(arm, "come-back"))
        if treated:
            shop.at(mailed_at, lambda: self.checkout.remind("email", "come-back"))
            if shop.chance(0.2):
                clicked_at = shop.after(mailed_at, hours=9)
                shop.at(clicked_at, lambda: self.checkout.click("email", "come-back"))
                self._return(shop.after(clicked_at, seconds=20), 0.7)
                return
        if shop.chance(0.12):
            self._return(shop.after(mailed_at, days=1), 0.8)
        elif shop.chance(0.03):
            self._return(shop.after(left_at + timedelta(days=7, hours=1), days=2), 0.8)

    def _return(self, when: datetime, buys: float) -> None:
        self._enter(when, "payment")
        if self.shop.chance(buys):
            self._order(self.shop.after(when, minutes=2))

    def _enter(self, when: datetime, step: str) -> None:
        def happens() -> None:
            self.shop.began.add(self.number)
            self.checkout.enter(step, self.cart)

        self.shop.at(when, happens)

    def _fail(self, when: datetime, reason: str) -> None:
        self.shop.at(when, lambda: self.checkout.fail("payment", reason, self.cart))

    def _order(self, when: datetime) -> None:
        shop, order_id = self.shop, f"o-{self.number}"
        total = self.cart + Money("4.90", self.cart.currency)

        def ordered() -> None:
            shop.orders[order_id] = total
            self.checkout.complete(order_id, total)

        def refunded() -> None:
            shop.refunded[order_id] = self.cart
            shop.funnel.refund(order_id, self.cart)

        shop.at(when, ordered)
        if shop.chance(0.06):
            shop.at(shop.after(when, days=4), refunded)


def _bot(shop: _Shop, number: int) -> None:
    """A price checker: two steps in a second, and gone."""
    checkout = shop.funnel.checkout(f"bot-{number}", attributes={"traffic": "bot"})
    when = START + timedelta(seconds=shop.dice.randrange(DAYS * 86_400))
    shop.at(when, lambda: checkout.enter("cart", ("1.00", "EUR")))
    shop.at(when + timedelta(seconds=1), lambda: checkout.enter("details", ("1.00", "EUR")))


def play(directory: Path, *, shoppers: int, seed: int) -> Books:
    """Run the shop, which writes its log to the directory.

    Args:
        directory: Where the log goes.
        shoppers: How many people come; a bot comes for every 25 of them.
        seed: The same seed brings the same shoppers.

    Returns:
        What the shop knows about it without its log.
    """
    shop = _Shop(directory, seed)
    for number in range(1, shoppers + 1):
        _Shopper(shop, number).plan()
    bots = shoppers // 25
    for number in range(1, bots + 1):
        _bot(shop, number)
    shop.open()
    return Books(len(shop.began), bots, shop.orders, shop.refunded)
