"""A month in the shop: everybody does what they do, in the order of time."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from examples.flask_shop.scripts import SCRIPTS, last_one
from examples.flask_shop.shoppers import END, START, Attempt, Script, Shopper, World


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
    scans: int

    @property
    def people(self) -> list[Attempt]:
        """The attempts of people; robots are left out of the figures."""
        return [attempt for attempt in self.attempts if not attempt.robot]

    @property
    def robots(self) -> list[Attempt]:
        """Those of robots, of which each page is recorded by itself."""
        return [attempt for attempt in self.attempts if attempt.robot]

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
    agenda[-1] = (END - timedelta(minutes=28), count - 1, last_one(shoppers[-1]))
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
        scans=world.scans,
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
    """Every other hour, somebody (a cron job) has the reminders sent."""
    while True:
        world.staff.send_reminders()
        yield timedelta(hours=2)
