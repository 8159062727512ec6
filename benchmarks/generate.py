"""Write a big, seeded, untidy log of a made-up shop, in log format v1.

    python -m benchmarks.generate --events 1000000 --to DIR --seed 1

The shop has four steps and the order; about 100, 72, 56, 43 and 35 % of the checkouts get that far,
with some 3.2 events a checkout and 300 bytes an event. Lines come in order of arrival, not of
occurrence, and the log ends with the line asked for, so the last attempts are still open, as in a
real log. In it are: repeated steps, back buttons, redelivered lines, late arrivals, equal times,
clocks that disagree, declined payments, abandonments with and without a return, reminders and
clicks (some by mail scanners), refunds (also repeated, in another currency, without an order),
second orders, orders shown by two attempts, orders without a step or a total, customers with
several attempts, unknown steps and types, bots, and a few losses. Same arguments, same bytes.
"""

import argparse
import gc
import heapq
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

STEPS = ("cart", "details", "shipping", "payment")
REACH = (1.0, 0.72, 0.56, 0.43, 0.35)
EVENTS_PER_CHECKOUT = 3.25
FIRST_INSTANT = datetime(2026, 10, 1, tzinfo=UTC)
SPAN = timedelta(days=30)
DEFAULT_SEGMENT_MB = 128

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_DEVICES = ("mobile",) * 12 + ("desktop",) * 7 + ("tablet",)
_CHANNELS = ("search", "ads", "direct", "mail", "affiliate")
_REASONS = ("card_declined",) * 6 + ("insufficient_funds", "3ds_failed", "timeout", "fraud_check")
_REMINDERS = ("email",) * 7 + ("sms", "push")


class Arrival(NamedTuple):
    """A line and when it reaches the log; `number` settles ties, so that the order is fixed."""

    at: int
    number: int
    line: str


class Person(NamedTuple):
    """What all events of one attempt share, as ready pieces of JSON."""

    checkout: str
    customer: str
    attributes: str
    currency: str


class Shop:
    """Draws attempts, one after the other, from one random source."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._minutes: dict[int, str] = {}
        self._customers: list[str] = []
        self._arrivals: list[Arrival] = []
        self._checkouts = 0
        self._lines = 0
        self._last_order = ""

    def attempt(self, start: int) -> list[Arrival]:
        """Return all lines of a new attempt that begins at `start` (microseconds)."""
        draw = self._rng.random
        self._arrivals = []
        person = self._person()
        if draw() < 0.012:
            self._bot(person, start)
        elif draw() < 0.002:
            self._order(person, start, self._amount())
        else:
            self._shopper(person, start)
        if draw() < 0.002:
            self._oddity(person, start)
        return self._arrivals

    def _shopper(self, person: Person, start: int) -> None:
        """Walk through the steps as far as this shopper gets, then order, come back or leave."""
        draw = self._rng.random
        luck = draw()
        depth = sum(luck < reach for reach in REACH)
        amount = self._amount()
        now = start
        for position in range(min(depth, len(STEPS))):
            if position:
                now += self._pause()
                if draw() < 0.05:
                    amount = max(1, int(amount * (0.6 + draw())))
                if draw() < 0.012:
                    continue
            step = STEPS[position]
            self._enter(person, now, step, amount)
            if draw() < 0.03:
                now += int(draw() * 90 * SECOND)
                back = STEPS[int(draw() * (position + 1))] if draw() < 0.3 else step
                self._enter(person, now, back, amount)
            if step == "payment" and draw() < 0.12:
                now += int(draw() * 40 * SECOND)
                self._fail(person, now, step, self._pick(_REASONS), amount)
            elif step == "details" and draw() < 0.015:
                now += int(draw() * 40 * SECOND)
                self._fail(person, now, step, "invalid_address", amount)
        if draw() < 0.003:
            self._enter(person, now + SECOND, "giftwrap", amount)

        if depth > len(STEPS):
            if draw() < 0.15:
                now = self._come_back(person, now)
            self._order(person, now + self._pause(), amount)
        elif person.customer and draw() < 0.12:
            self._remind(person, now + HOUR + int(draw() * HOUR), clicks=draw() < 0.3)

    def _come_back(self, person: Person, left: int) -> int:
        """Stay away for minutes to days, with or without being reminded; return when it ended."""
        draw = self._rng.random
        away = int(35 * MINUTE * (1 + draw()) ** (1 + 8 * draw()))
        if draw() < 0.08:
            away = int((7 + 5 * draw()) * DAY)
        if person.customer and draw() < 0.5:
            self._remind(person, left + int(away * (0.5 + 0.4 * draw())), clicks=draw() < 0.4)
        return left + away

    def _bot(self, person: Person, start: int) -> None:
        bot = person._replace(attributes=',"attributes":{"device":"desktop","traffic":"bot"}')
        self._enter(bot, start, "cart", self._amount())
        if self._rng.random() < 0.4:
            self._enter(bot, start + SECOND, "details", self._amount())

    def _order(self, person: Person, now: int, amount: int) -> None:
        """Record the order, and at times its duplicate, a further order or a refund."""
        draw = self._rng.random
        order_id = f"o-{self._checkouts:08d}"
        order = f',"order_id":"{order_id}"'
        total = order if draw() < 0.004 else order + self._money("total", amount, person)
        self._event("order_completed", person, now, total)
        chance = draw()
        if chance < 0.005:
            self._event("order_completed", person, now + int(draw() * MINUTE), total)
        elif chance < 0.008:
            further = f',"order_id":"{order_id}b"{self._money("total", amount // 3 + 1, person)}'
            self._event("order_completed", person, now + int(draw() * DAY), further)
        elif chance < 0.010 and self._last_order:
            self._event("order_completed", person, now + SECOND, self._last_order)
        elif chance < 0.014:
            self._enter(person, now + int(draw() * MINUTE), "payment", amount)
        if total is not order:
            self._last_order = order + self._money("total", amount + 100, person)
            if draw() < 0.03:
                self._refund(person, now + int(draw() * 9 * DAY), order_id, amount)

    def _refund(self, person: Person, now: int, order_id: str, amount: int) -> None:
        draw = self._rng.random
        if draw() < 0.5:
            amount = 1 + int(amount * draw())
        if draw() < 0.01:
            amount *= 3
        if draw() < 0.02:
            person = person._replace(currency="USD" if person.currency == "EUR" else "EUR")
        if draw() < 0.4:
            person = person._replace(checkout="", customer="", attributes="")
        if draw() < 0.01:
            order_id = f"x-{order_id}"
        money = self._money("amount", amount, person)
        if draw() < 0.7:
            named = f',"order_id":"{order_id}","refund_id":"r-{order_id}"{money}'
            self._event("order_refunded", person, now, named)
            if draw() < 0.1:
                self._event("order_refunded", person, now + MINUTE, named)
        else:
            self._event("order_refunded", person, now, f',"order_id":"{order_id}"{money}')

    def _remind(self, person: Person, now: int, *, clicks: bool) -> None:
        draw = self._rng.random
        rest = f',"channel":"{self._pick(_REMINDERS)}","campaign":"come-back"'
        if draw() < 0.1:
            arm = "treated" if draw() < 0.9 else "holdout"
            self._event("holdout_assigned", person, now - SECOND, f',"arm":"{arm}"')
            if arm == "holdout":
                return
        self._event("reminder_sent", person, now, rest)
        if draw() < 0.1:
            scanner = person._replace(attributes=',"attributes":{"traffic":"bot"}')
            self._event("reminder_clicked", scanner, now + 2 * SECOND, rest)
        if clicks:
            self._event("reminder_clicked", person, now + int(draw() * HOUR), rest)

    def _oddity(self, person: Person, now: int) -> None:
        """Write what a reader must count and pass over: a later type, a lost id, a loss."""
        which = self._checkouts % 3
        if which == 0:
            self._event("survey_answered", person, now, ',"answer":"shipping too dear"')
        elif which == 1:
            nobody = person._replace(checkout="")
            self._event("step_entered", nobody, now, ',"step":"cart"')
        else:
            count = 1 + int(self._rng.random() * 4)
            lost = f',"source":"funnel","reason":"no_checkout_id","count":{count}'
            until = f',"since":"{self._stamp(now)}","until":"{self._stamp(now + SECOND)}"'
            nobody = person._replace(checkout="", customer="", attributes="")
            self._event("events_lost", nobody, now, lost + until)

    def _enter(self, person: Person, at: int, step: str, amount: int) -> None:
        value = self._money("value", amount, person) if self._rng.random() < 0.95 else ""
        self._event("step_entered", person, at, f',"step":"{step}"{value}')

    def _fail(self, person: Person, at: int, step: str, reason: str, amount: int) -> None:
        value = self._money("value", amount, person)
        self._event("step_failed", person, at, f',"step":"{step}","reason":"{reason}"{value}')

    def _event(self, kind: str, person: Person, at: int, rest: str) -> None:
        """Write one line; now and then its clock is off, it comes late, or it comes twice."""
        draw = self._rng.random
        arrival = at
        chance = draw()
        if chance < 0.01:
            at -= int(draw() * 4 * SECOND)
        elif chance < 0.011:
            at -= int(draw() * 5 * MINUTE)
        elif chance < 0.03:
            arrival += int(draw() * draw() * 6 * HOUR)
        line = (
            f'{{"v":1,"type":"{kind}","event_id":"{self._event_id(at)}","funnel":"checkout"'
            f',"occurred_at":"{self._stamp(at)}"'
            f"{person.checkout}{person.customer}{person.attributes}{rest}}}\n"
        )
        self._arrive(arrival, line)
        if draw() < 0.01:
            self._arrive(arrival + int(draw() * HOUR), line)

    def _arrive(self, at: int, line: str) -> None:
        self._lines += 1
        self._arrivals.append(Arrival(at, self._lines, line))

    def _person(self) -> Person:
        draw = self._rng.random
        self._checkouts += 1
        chance = draw()
        if chance < 0.4:
            customer = ""
        elif chance < 0.55 and self._customers:
            customer = self._customers[int(draw() * len(self._customers))]
        else:
            customer = f',"customer_id":"u-{self._checkouts:08d}"'
            # A window of recent customers: shoppers come back soon, and memory stays bounded.
            if len(self._customers) < 2_000:
                self._customers.append(customer)
            else:
                self._customers[int(draw() * 2_000)] = customer
        device, channel = self._pick(_DEVICES), self._pick(_CHANNELS)
        return Person(
            checkout=f',"checkout_id":"c-{self._checkouts:010d}"',
            customer=customer,
            attributes=f',"attributes":{{"device":"{device}","channel":"{channel}"}}',
            currency="EUR" if draw() < 0.85 else "USD",
        )

    def _pause(self) -> int:
        """Draw the time to the next step: mostly half a minute, at times none or far too long."""
        draw = self._rng.random
        chance = draw()
        if chance < 0.01:
            return 0
        if chance < 0.025:
            return int(31 * MINUTE + draw() * draw() * 2 * DAY)
        return int((4 + 30 * (draw() + draw() + draw() * draw() * 4)) * SECOND)

    def _amount(self) -> int:
        """Draw a cart in cents: many small ones, a few large ones."""
        draw = self._rng.random
        return 500 + int(9_000 * draw() + 40_000 * draw() ** 4)

    def _money(self, field: str, cents: int, person: Person) -> str:
        amount = f"{cents // 100}.{cents % 100:02d}"
        return f',"{field}":{{"amount":"{amount}","currency":"{person.currency}"}}'

    def _pick(self, choices: tuple[str, ...]) -> str:
        return choices[int(self._rng.random() * len(choices))]

    def _event_id(self, at: int) -> str:
        """Return a UUIDv7 whose time is the event's and whose randomness is the seed's."""
        milliseconds, bits = at // 1000, self._rng.getrandbits(74)
        return (
            f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{bits & 0xFFF:03x}"
            f"-{0x8000 | (bits >> 12 & 0x3FFF):04x}-{bits >> 26:012x}"
        )

    def _stamp(self, at: int) -> str:
        minute, rest = divmod(at, MINUTE)
        text = self._minutes.get(minute)
        if text is None:
            text = f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M:}"
            self._minutes[minute] = text
        return f"{text}{rest // SECOND:02d}.{rest % SECOND:06d}Z"


def lines(events: int, seed: int, span: timedelta = SPAN) -> Iterator[str]:
    """Yield `events` lines in order of arrival, each with its newline."""
    return islice(_arriving(events, seed, span), events)


def declaration() -> str:
    """Return the line that stands at the head of each segment."""
    steps = ",".join(f'{{"name":"{name}","optional":false}}' for name in STEPS)
    return (
        '{"v":1,"type":"funnel_declared","event_id":"01999ce4-d000-7000-8000-000000000001",'
        '"funnel":"checkout","occurred_at":"2026-10-01T00:00:00.000000Z",'
        f'"steps":[{steps}],"abandon_after":"PT30M","recover_within":"P7D"}}\n'
    )


def write(directory: Path, events: int, seed: int, segment_bytes: int | None = None) -> list[Path]:
    """Write a log of `events` events as segments of about `segment_bytes` (None: one file)."""
    directory.mkdir(parents=True, exist_ok=True)
    source = lines(events, seed)
    segments: list[Path] = []
    line = next(source, "")
    while line or not segments:
        segment = directory / f"segment-{len(segments) + 1:04d}.jsonl"
        segments.append(segment)
        size = 0
        with segment.open("w", encoding="utf-8", newline="\n", buffering=1 << 20) as out:
            out.write(declaration())
            while line and (segment_bytes is None or size < segment_bytes):
                size += out.write(line)
                line = next(source, "")
    return segments


def _arriving(events: int, seed: int, span: timedelta) -> Iterator[str]:
    """Merge the attempts, which overlap in time, into one endless stream of lines."""
    shop = Shop(seed)
    clock = random.Random(seed + 1)
    now = int(FIRST_INSTANT.timestamp()) * SECOND
    mean_gap = span / timedelta(microseconds=1) * EVENTS_PER_CHECKOUT / max(events, 1)
    waiting: list[Arrival] = []
    while True:
        now += int(clock.expovariate(1.0) * mean_gap)
        while waiting and waiting[0].at <= now:
            yield heapq.heappop(waiting).line
        for arrival in shop.attempt(now):
            heapq.heappush(waiting, arrival)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--segment-mb",
        type=int,
        default=DEFAULT_SEGMENT_MB,
        help="size of a segment in MB; 0 writes one file (default %(default)s)",
    )
    options = parser.parse_args()
    gc.disable()  # nothing here is cyclic, and walking the waiting lines is a third of the time
    segment_bytes = options.segment_mb * 1_000_000 or None
    segments = write(options.to, options.events, options.seed, segment_bytes)
    size = sum(segment.stat().st_size for segment in segments)
    print(f"{options.events:,} events, {len(segments)} segments, {size:,} bytes in {options.to}")


if __name__ == "__main__":
    main()
