"""Shop software that nobody here wrote: served by gunicorn, and bought from by scripted shoppers.

What is the same for all of it: how it is started, what a shopper notes, and how the log is compared
with the notes. The software itself is in a folder of its own, such as `tests/oscar`.
"""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import chown, which
from typing import ClassVar

import httpx
import pytest

from lastclick import Money, journeys, measure, read_log

ROOT = Path(__file__).parent.parent
SHOPPERS, ACCOUNTS, ROBOTS, STAFF = 300, 60, 12, 4
PASSWORD = "a password of 1"
#: What must not be in the log.
AGENT, ADDRESS, STREET = "Mozilla/5.0 (Shopware 7) Firefox/99.0", "203.0.113.77", "Elm Street"
NAME = "Adelheid"  # long enough to be in no random id
PRIVATE = ("@", AGENT, "Firefox", "Googlebot", "Mozilla", ADDRESS, "127.0.0.1", STREET, NAME)


class Shop:
    """A shop under gunicorn: loaded once, then forked into two workers.

    Args:
        package: Where its settings are; `package.__main__` fills it and knows its books.
        folder: An empty one, for its database and its log.
        python: Of the environment that it is installed in.
        postgres: The folder of a socket; None for sqlite.
    """

    def __init__(
        self,
        package: str,
        folder: Path,
        *,
        python: str = sys.executable,
        postgres: str | None = None,
    ) -> None:
        self.package, self.folder, self.python = package, folder, python
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "DJANGO_SETTINGS_MODULE": f"{package}.settings",
            "SHOP_FOLDER": str(folder),
            "SHOP_POSTGRES": postgres or "",
        }
        self.goods = self.ask("fill")

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def refused(self) -> list[tuple[str, str]]:
        """Who was refused by the bank, and why, as the bank has it."""
        return [tuple(line.split()) for line in (self.folder / "refused").read_text().splitlines()]

    def ask(self, what: str):
        command = [self.python, "-m", self.package, what]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def __enter__(self) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ["--preload", "--workers", "2", "--threads", "2", "--bind", f"127.0.0.1:{port}"]
        command = [self.python, "-W", "error::RuntimeWarning", "-m", "gunicorn", *options]
        self.server = subprocess.Popen(
            [*command, "--log-level", "warning", f"{self.package}.wsgi:application"],
            env=self.environment,
            cwd=ROOT,
        )
        for _ in range(300):
            assert self.server.poll() is None, "gunicorn ended"
            with socket.socket() as there:
                if there.connect_ex(("127.0.0.1", port)) == 0:
                    return f"http://127.0.0.1:{port}"
            time.sleep(0.1)
        raise AssertionError("gunicorn does not answer")

    def __exit__(self, *_: object) -> None:
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(30)


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of its own, on a socket in an empty folder, which is given."""
    pytest.importorskip("psycopg", reason="no driver for PostgreSQL")
    programs = Path(which("initdb") or "/usr/lib/postgresql/15/bin/initdb").resolve().parent
    if not (programs / "initdb").exists():
        pytest.skip("no PostgreSQL on this machine")
    user = "postgres" if os.getuid() == 0 else None  # it refuses to be run by root
    with tempfile.TemporaryDirectory(prefix="lastclick-pg-") as name:
        if user is not None:
            chown(name, user)
        data, log = f"{name}/data", f"{name}/log"

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [programs / program, "-D", data, *arguments],
                stdout=subprocess.DEVNULL,
                check=True,
                user=user,
                cwd="/",
            )

        run("initdb", "-U", "postgres", "-A", "trust")
        options = f"-k {name} -c listen_addresses= -c fsync=off"
        run("pg_ctl", "-o", options, "-w", "-l", log, "start")
        try:
            yield name
        finally:
            run("pg_ctl", "-m", "immediate", "stop")


@dataclass
class Attempt:
    """What a shopper notes of one attempt to buy."""

    seen: set[str] = field(default_factory=set)
    failures: Counter = field(default_factory=Counter)
    order: str | None = None
    total: Decimal = Decimal(0)


class Shopper:
    """One person at one browser."""

    #: The titles of the pages that are steps, in order.
    titles: ClassVar[Mapping[str, str]]

    def __init__(self, url: str, name: str, goods: list, luck: random.Random) -> None:
        headers = {"User-Agent": AGENT, "X-Shopper": name, "X-Forwarded-For": ADDRESS}
        self.http = httpx.Client(base_url=url, headers=headers, follow_redirects=True, timeout=60)
        self.name, self.goods, self.luck = name, goods, luck
        self.attempts: list[Attempt] = []
        self.in_cart = Decimal(0)
        self.shipping = Decimal(0)
        self.logged_in = False
        self.ordered = True  # the next page of a step begins an attempt
        self.robots = 0  # pages that were shown to nobody
        self.page = ""

    def is_empty(self, page: str) -> bool:
        """Whether this page says that there is nothing to buy: it is no step then."""
        raise NotImplementedError

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
        self.page = response.text
        title = title_of(self.page)
        step = self.titles.get(title)
        if step is None or self.is_empty(self.page):
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

    def has_ordered(self, number: str, total: Decimal) -> None:
        """Note the order."""
        self.attempts[-1].order, self.attempts[-1].total = number, total
        self.in_cart, self.ordered = Decimal(0), True

    def prefetch(self, path: str) -> None:
        """The browser fetches a page that nobody looks at."""
        response = self.http.get(path, headers={"Sec-Purpose": "prefetch"})
        self.robots += title_of(response.text) in self.titles

    # What there is to compare.

    def notes(self) -> list[object]:
        """Each attempt: furthest step, steps, failures, order and total."""
        order = [*self.titles.values()]
        return [
            (
                "order" if attempt.order else order[max(map(order.index, attempt.seen))],
                sorted(attempt.seen),
                dict(attempt.failures),
                attempt.order,
                attempt.total if attempt.order else None,
            )
            for attempt in self.attempts
        ]


def title_of(page: str) -> str:
    """What stands in the browser's bar, before the shop's own name."""
    found = re.search(r"<title>\s*(.*?)\s*[|<]", page, re.DOTALL)
    return found[1].strip() if found else ""


def told(log: Path) -> dict[object, list[object]]:
    """What the log says of each shopper's attempts, in the form of the notes."""
    found: dict[object, list] = {}
    for journey in journeys(read_log(log), as_of=datetime.now(UTC)):
        found.setdefault(journey.attributes["shopper"], []).append(journey)
    return {
        shopper: [
            (
                journey.furthest,
                sorted(journey.steps),
                dict(Counter((one.step, one.reason) for one in journey.failures)),
                journey.orders[0].order_id if journey.orders else None,
                journey.orders[0].total.amount if journey.orders else None,
            )
            for journey in sorted(own, key=lambda one: one.started_at)
        ]
        for shopper, own in found.items()
    }


@dataclass
class Played:
    """A shop after all have gone."""

    shop: Shop
    shoppers: list[Shopper]
    staff: int
    #: Pages of steps that crawlers were shown.
    robots: int


def play(
    shop: Shop,
    kind: type[Shopper],
    *,
    live: Callable[[Shopper, str | None], None],
    work: Callable[[Shopper], None],
    crawl: Callable[[Shopper], None],
) -> Played:
    """Send everybody through a shop, four at a time.

    Args:
        shop: An empty one.
        kind: How its shoppers find their way.
        live: What one does; the first are told the name of their account.
        work: One of the shop's own people orders, to see whether it works.
        crawl: A crawler fills a cart, as some do, and is shown three pages of steps.
    """
    with shop as url:

        def shopper(number: int) -> Shopper:
            one = kind(url, f"s-{number}", shop.goods, random.Random(number))
            with one.http:
                live(one, f"u{number}" if number < ACCOUNTS else None)
            return one

        def member(number: int) -> None:
            one = kind(url, f"staff-{number}", shop.goods, random.Random(number))
            with one.http:
                work(one)

        def robot(number: int) -> int:
            one = kind(url, f"robot-{number}", shop.goods, random.Random(number))
            one.http.headers["User-Agent"] = "Mozilla/5.0 (compatible; Googlebot/2.1)"
            shown = []
            one.see = lambda response, _: shown.append(title_of(response.text))
            with one.http:
                crawl(one)
            return sum(title in one.titles for title in shown)

        with ThreadPoolExecutor(4) as pool:
            people = list(pool.map(shopper, range(SHOPPERS)))
            for number in range(STAFF):  # one after the other, for they share an account
                member(number)
            robots = sum(pool.map(robot, range(ROBOTS)))
    return Played(shop, people, STAFF, robots)


class ShopContract:
    """What is true of a shop's log, whatever its software; give it a fixture ``played``."""

    def test_every_attempt_is_as_its_shopper_noted(self, played):
        """Steps, furthest step, failures by reason, order and total: attempt by attempt."""
        found = told(played.shop.log)

        different = [
            f"{one.name}\n  noted {one.notes()}\n  told  {found.get(one.name, [])}"
            for one in played.shoppers
            if one.notes() != found.get(one.name, [])
        ]
        assert not different, "\n".join(different[:5])
        assert found.keys() == {one.name for one in played.shoppers}

    def test_the_report_says_what_the_books_say(self, played):
        """Orders, revenue, declines; staff and robots left out and counted."""
        books = played.shop.ask("books")

        # An hour later nobody is in flight: steps are counted over those who are decided.
        later = datetime.now(UTC) + timedelta(hours=1)
        report = measure(read_log(played.shop.log), as_of=later)

        sold = {number: Decimal(total) for number, total, of_staff in books if not of_staff}
        attempts = [attempt for shopper in played.shoppers for attempt in shopper.attempts]
        assert {one.order: one.total for one in attempts if one.order is not None} == sold
        assert report.started == len(attempts)
        assert report.ordered == len(sold)
        assert report.revenue["EUR"].gross == Money(sum(sold.values()), "EUR")
        failures = sum((attempt.failures for attempt in attempts), Counter())
        for step in report.steps:
            assert step.entered == sum(step.name in attempt.seen for attempt in attempts), step.name
            counted = {(step.name, why): one.failures for why, one in step.failures.items()}
            assert counted == {key: n for key, n in failures.items() if key[0] == step.name}
        prefetched = sum(shopper.robots for shopper in played.shoppers)
        assert report.quality.excluded_attempts == played.robots + prefetched + played.staff
        assert report.quality.excluded_orders == len(books) - len(sold) == played.staff
        assert played.robots == 3 * ROBOTS
        assert report.quality.further_orders == 0
        print(
            f"{len(played.shoppers)} shoppers, {len(attempts)} attempts, {len(sold)} orders, "
            f"{report.revenue['EUR'].gross}, {failures.total()} failures, "
            f"{played.robots + prefetched} pages of robots"
        )

    def test_every_decline_is_as_the_bank_has_it(self, played):
        """By shopper and by reason, as the log and the notes have it."""
        refused = Counter(played.shop.refused)

        why = {reason for _, reason in refused}
        recorded = Counter(
            (one.attributes["shopper"], failure.reason)
            for one in journeys(read_log(played.shop.log), as_of=datetime.now(UTC))
            for failure in one.failures
            if failure.reason in why
        )
        assert recorded == refused
        assert "card_declined" in why

    def test_nothing_about_the_shopper_is_in_the_log(self, played):
        """No address of any kind, no browser, no name that the shop did not pass."""
        raw = b"".join(path.read_bytes() for path in played.shop.log.iterdir()).decode()

        assert raw
        assert [text for text in PRIVATE if text in raw] == []
