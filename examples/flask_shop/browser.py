"""A browser and a mailbox: how the shoppers and the staff get at the shop, over plain HTTP."""

import base64
import json
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode

AGENTS = {
    "mobile": "Mozilla/5.0 (Linux; Android 15) Mobile Safari/537.36",
    "tablet": "Mozilla/5.0 (Android 15; Tablet; rv:140.0) Firefox/140.0",
    "desktop": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
    "bot": "Mozilla/5.0 (compatible; PriceBot/2.1)",
    "scanner": "MailScan/4 (link scanner)",
}


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
