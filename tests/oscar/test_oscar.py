"""The numbers of a shop that nobody here wrote equal its books and its shoppers' notes."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import chown, which

import pytest

pytest.importorskip("oscar", reason="the dependency group 'shops' is not installed")
pytest.importorskip("gunicorn", reason="the dependency group 'servers' is not installed")
pytest.importorskip("httpx")

from lastclick import Money, journeys, measure, read_log
from tests.oscar.shoppers import ADDRESS, AGENT, NAME, STREET, TITLES, Shopper, live

ROOT = Path(__file__).parent.parent.parent
SHOPPERS, ROBOTS, STAFF = 300, 12, 4

pytestmark = pytest.mark.long


class Shop:
    """Oscar's shop under gunicorn: loaded once, then forked into two workers."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "DJANGO_SETTINGS_MODULE": "tests.oscar.settings",
            "OSCAR_SHOP_FOLDER": str(folder),
            **environment,
        }
        self.goods = self.ask("fill")

    def ask(self, what: str):
        command = [sys.executable, "-m", "tests.oscar", what]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def __enter__(self) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ["--preload", "--workers", "2", "--threads", "2", "--bind", f"127.0.0.1:{port}"]
        command = [sys.executable, "-W", "error::RuntimeWarning", "-m", "gunicorn", *options]
        self.server = subprocess.Popen(
            [*command, "--log-level", "warning", "tests.oscar.wsgi:application"],
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


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def played(request, tmp_path_factory):
    """The shop after its shoppers have gone, and what they noted."""
    folder = tmp_path_factory.mktemp(request.param)
    environment = {}
    if request.param == "postgres":
        pytest.importorskip("psycopg", reason="no driver for PostgreSQL")
        environment["OSCAR_SHOP_POSTGRES"] = request.getfixturevalue("postgres")
    shop = Shop(folder, **environment)
    with shop as url:

        def shopper(number: int) -> Shopper:
            luck = random.Random(number)
            one = Shopper(url, f"s-{number}", shop.goods, luck)
            with one.http:
                live(one, luck, f"u{number}" if number < 60 else None)
            return one

        with ThreadPoolExecutor(4) as pool:
            shoppers = list(pool.map(shopper, range(SHOPPERS)))
            staff = [members_walk(url, shop.goods, number) for number in range(STAFF)]
            robots = sum(pool.map(lambda number: crawl(url, shop.goods, number), range(ROBOTS)))
    return shop, shoppers, staff, robots


@pytest.fixture(scope="module")
def postgres():
    """A PostgreSQL of its own, on a socket in an empty folder."""
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


def members_walk(url: str, goods: list[int], number: int) -> Shopper:
    """One of the shop's own people orders, to see whether it works."""
    member = Shopper(url, f"staff-{number}", goods, random.Random(number))
    with member.http:
        member.log_in("staff", at_checkout=False)
        member.fill()
        member.address(mistyped=False, abroad=False)
        member.card()
        member.pay()
    return member


def crawl(url: str, goods: list[int], number: int) -> int:
    """A crawler fills a cart, as some do; gives how many pages of steps it was shown."""
    robot = Shopper(url, f"robot-{number}", goods, random.Random(number))
    robot.http.headers["User-Agent"] = "Mozilla/5.0 (compatible; Googlebot/2.1)"
    shown = []
    robot.see = lambda response, _: shown.append(response.text)
    with robot.http:
        robot.get("/accounts/login/")
        robot.post(f"/basket/add/{goods[0]}/", quantity=1)
        for path in ("/basket/", "/checkout/", "/checkout/"):
            robot.get(path)
    return sum(any(f"{title} |" in text for title in TITLES) for text in shown)


def test_every_attempt_is_as_its_shopper_noted(played):
    """Steps, furthest step, failures by reason, order and total: attempt by attempt."""
    shop, shoppers, _, _ = played
    found: dict[object, list] = {}
    for journey in journeys(read_log(shop.folder / "log"), as_of=datetime.now(UTC)):
        found.setdefault(journey.attributes["shopper"], []).append(journey)

    different = []
    for shopper in shoppers:
        noted = [
            (
                attempt.furthest,
                sorted(attempt.seen),
                dict(attempt.failures),
                attempt.order,
                attempt.total if attempt.order else None,
            )
            for attempt in shopper.attempts
        ]
        told = [
            (
                journey.furthest,
                sorted(journey.steps),
                dict(Counter((one.step, one.reason) for one in journey.failures)),
                journey.orders[0].order_id if journey.orders else None,
                journey.orders[0].total.amount if journey.orders else None,
            )
            for journey in sorted(found.get(shopper.name, []), key=lambda one: one.started_at)
        ]
        if noted != told:
            different.append(f"{shopper.name}\n  noted {noted}\n  told  {told}")

    assert not different, "\n".join(different[:5])
    assert len(shoppers) == SHOPPERS


def test_the_report_says_what_the_books_say(played):
    """Orders and revenue; declines; staff and robots left out and counted."""
    shop, shoppers, staff, robots = played
    books = shop.ask("books")

    # An hour later nobody is in flight: steps are counted over those who are decided.
    later = datetime.now(UTC) + timedelta(hours=1)
    report = measure(read_log(shop.folder / "log"), as_of=later)

    sold = [Decimal(total) for _, total, _, of_staff in books if not of_staff]
    attempts = [attempt for shopper in shoppers for attempt in shopper.attempts]
    assert report.started == len(attempts)
    assert report.ordered == len(sold) == sum(attempt.order is not None for attempt in attempts)
    assert report.revenue["EUR"].gross == Money(sum(sold), "EUR")
    for step in report.steps:
        assert step.entered == sum(step.name in attempt.seen for attempt in attempts), step.name
    prefetched = sum(shopper.robots for shopper in shoppers)
    assert report.quality.excluded_attempts == robots + prefetched + len(staff)
    assert report.quality.excluded_orders == len(books) - len(sold) == len(staff)
    assert robots == 3 * ROBOTS
    assert report.quality.further_orders == 0
    print(
        f"{len(shoppers)} shoppers, {len(attempts)} attempts, {len(sold)} orders, "
        f"{report.revenue['EUR'].gross}, {sum(attempt.failures.total() for attempt in attempts)} "
        f"failures, {robots + prefetched} pages of robots"
    )


def test_nothing_about_the_shopper_is_in_the_log(played):
    """No address of any kind, no browser, no name that the shop did not pass."""
    shop, _, _, _ = played
    raw = b"".join(path.read_bytes() for path in (shop.folder / "log").iterdir()).decode()

    private = ("@", AGENT, "Firefox", "Googlebot", "Mozilla", ADDRESS, "127.0.0.1", STREET, NAME)
    assert raw
    assert [text for text in private if text in raw] == []
