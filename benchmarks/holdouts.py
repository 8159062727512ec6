"""Holdouts of which one knows the truth, read from logs: is it within the interval?

    python -m benchmarks.holdouts --runs 400

Each run is a shop that reminds: customers leave a cart, are drawn into an arm, and come back or
not; reminding adds to the chance that they do. The log is measured, and what `incremental` says is
compared with what was put in. Revenue is heavy-tailed in all of them.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from lastclick import Holdout, Money, measure
from lastclick.events import (
    Event,
    FunnelDeclared,
    HoldoutAssigned,
    OrderCompleted,
    ReminderSent,
    StepEntered,
)
from lastclick.metrics import Estimate, Incremental

START = datetime(2026, 10, 1, tzinfo=UTC)
LATER = START + timedelta(days=60)
MEAN_ORDER = 60.0
SIGMA = 1.0


@dataclass(frozen=True)
class Shop:
    """What is true of a shop.

    Attributes:
        customers: How many leave a cart.
        share: Which part of them is held out.
        base: The chance to come back and buy without a reminder.
        lift: What a reminder adds to it.
        leaks: The share of held-out customers who are reminded after all.
        unreached: The share of treated customers whom no reminder reaches.
        repeats: The chance that a customer comes a second time, and leaves or buys again.
    """

    customers: int = 1_000
    share: float = 0.2
    base: float = 0.10
    lift: float = 0.05
    leaks: float = 0.0
    unreached: float = 0.0
    repeats: float = 0.0


#: The truth of each is what the arms differ by: who is reminded against their arm dilutes it.
SHOPS = {
    "plain": Shop(),
    "a tenth held out, few buy": Shop(share=0.1, base=0.02, lift=0.01),
    "a large one": Shop(customers=5_000),
    "no effect": Shop(lift=0.0),
    "every tenth treated not reached": Shop(unreached=0.1),
    "every fifth held out is reminded": Shop(leaks=0.2),
    "two in five customers come twice": Shop(repeats=0.4),
}


def events(shop: Shop, seed: int) -> Iterator[Event]:
    """The log of one run."""
    random, holdout = Random(seed), Holdout(share=shop.share, salt=f"run {seed}")
    number = 0

    def common(checkout: str, customer: str, at: datetime) -> dict[str, object]:
        nonlocal number
        number += 1
        about = {"funnel": "shop", "checkout_id": checkout, "customer_id": customer}
        return {"event_id": f"e-{number}", "occurred_at": at, **about}

    def value() -> Money:
        amount = random.lognormvariate(0, SIGMA) * MEAN_ORDER / 2.718281828459045 ** (SIGMA**2 / 2)
        return Money(f"{amount:.2f}", "EUR")

    yield FunnelDeclared(
        event_id="d-1",
        funnel="shop",
        occurred_at=START,
        steps=("cart", "payment"),
        abandon_after="PT30M",
        recover_within="P7D",
    )
    for n in range(shop.customers):
        customer, checkout = f"u-{n}", f"c-{n}"
        at = START + timedelta(minutes=random.uniform(0, 40_000))
        cart = value()
        yield StepEntered(step="cart", value=cart, **common(checkout, customer, at))
        at += timedelta(minutes=40)
        arm = holdout.arm(customer)
        share = getattr(arm, "share", None)
        yield HoldoutAssigned(arm=arm, share=share, **common(checkout, customer, at))
        treated = arm == "treated"
        reminded = random.random() >= shop.unreached if treated else random.random() < shop.leaks
        if reminded:
            yield ReminderSent(channel="email", **common(checkout, customer, at))
        chance = shop.base + (shop.lift if reminded else 0)
        if random.random() < chance:
            at += timedelta(hours=random.uniform(1, 48))
            order = f"o-{n}"
            yield OrderCompleted(order_id=order, total=cart, **common(checkout, customer, at))
        if random.random() < shop.repeats:  # as likely to buy then, whatever the arm
            again, at = f"r-{n}", at + timedelta(hours=random.uniform(1, 72))
            cart = value()
            yield StepEntered(step="cart", value=cart, **common(again, customer, at))
            if random.random() < 0.3:
                at += timedelta(minutes=5)
                order = f"or-{n}"
                yield OrderCompleted(order_id=order, total=cart, **common(again, customer, at))


def truth(shop: Shop) -> float:
    """By how much the chance to buy differs between the arms."""
    added = shop.lift * (1 - shop.unreached - shop.leaks)
    never = 1 - 0.3 * shop.repeats  # who does not buy the second time either way
    return added * never


@dataclass
class Result:
    """How often the truth was within the interval, and how far off the estimates were.

    Attributes:
        runs: How many runs had an interval.
        held: In how many the truth was in it.
        off: The sum of estimate - truth, as a share of the treated.
        concluded: In how many the interval was off 0.
    """

    runs: int = 0
    held: int = 0
    off: float = 0.0
    concluded: int = 0

    def add(self, one: Estimate, true: float, treated: int) -> None:
        """Count one run."""
        if one.estimate is None or one.low is None or one.high is None:
            return
        self.runs += 1
        self.held += one.low <= true <= one.high
        self.off += (one.estimate - true) / treated
        self.concluded += one.low > 0 or one.high < 0


def simulate(shop: Shop, runs: int, seed: int = 1) -> dict[str, Result]:
    """What many runs of one shop say: of orders, of revenue, and at every look."""
    found = {"orders": Result(), "revenue": Result(), "daily": Result()}
    for run in range(runs):
        proof: Incremental = measure(events(shop, seed * 1_000_000 + run), as_of=LATER).incremental
        treated = proof.treated.followed
        true = truth(shop)
        found["orders"].add(proof.orders, true * treated, treated)
        if "EUR" in proof.revenue:
            # A second order is as likely in both arms, so that it adds no revenue to the truth.
            added = shop.lift * (1 - shop.unreached - shop.leaks) * MEAN_ORDER
            found["revenue"].add(proof.revenue["EUR"], added * treated, treated)
        found["daily"].add(proof.daily, true, 1)
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| shop | truth | orders held | mean error | revenue held | daily held | off 0 |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, shop in SHOPS.items():
        found = simulate(shop, options.runs, options.seed)
        orders = found["orders"]
        held = [
            f"{one.held / one.runs:.3f}" if one.runs else "-"
            for one in (found["orders"], found["revenue"], found["daily"])
        ]
        error, seen = 100 * orders.off / orders.runs, orders.concluded / orders.runs
        cells = (
            name,
            f"{100 * truth(shop):.2f}",
            held[0],
            f"{error:+.3f}",
            *held[1:],
            f"{seen:.2f}",
        )
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
