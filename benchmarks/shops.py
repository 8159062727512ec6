"""What the Django middleware costs in whole shops: django-oscar and Mezzanine's Cartridge.

    python -m benchmarks.shops

The shops are those of `tests/oscar` and `tests/cartridge`, on sqlite and with all their own
middleware; `make test-long` sets up what they need. A shopper with a full cart looks at pages in
turns, in one process and without a server. A page takes a hundred times what lastclick adds to it,
and varies by more: so the clock is read right above and right below lastclick's middleware, and
what lies between the two readings is its cost, less what the shop's own hooks took, such as the
cart's total, which may ask the database. Times are CPU times of the thread.
"""

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.child import machine, table

ROOT = Path(__file__).parent.parent
LASTCLICK = "lastclick.integrations.django.LastclickMiddleware"
#: Of each shop: its Python, how its cart is filled, and the pages that are looked at.
SHOPS = {
    "oscar": (
        sys.executable,
        ("/basket/add/{0}/", "/basket/"),
        {"tracked": ("/basket/", "/checkout/"), "untracked": ("/catalogue/mug-0_{0}/",)},
    ),
    "cartridge": (
        str(ROOT / ".venv-cartridge" / "bin" / "python"),
        ("{0}", "/shop/cart/"),
        {"tracked": ("/shop/cart/", "/shop/checkout/"), "untracked": ("{0}",)},
    ),
}


class Above:
    """Reads the clock around lastclick's middleware and all that is below it."""

    taken: float = 0.0

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        began = time.thread_time()
        response = self.get_response(request)
        type(self).taken = time.thread_time() - began
        return response


class Below(Above):
    """Reads it around what is below."""


class Hook:
    """Reads it around what the shop was asked, such as what is in the cart."""

    taken: float = 0.0

    def __init__(self, name: str) -> None:
        from django.utils.module_loading import import_string

        self.hook = import_string(name)

    def __call__(self, request: Any) -> Any:
        began = time.thread_time()
        try:
            return self.hook(request)
        finally:
            Hook.taken += time.thread_time() - began


def look(shop: str, goods: list[Any], requests: int) -> list[tuple[str, str, list[float]]]:
    """Look at a shop's pages, in its own environment: kind, page, and the medians in us."""
    import django
    from django.conf import settings
    from django.core.handlers.base import BaseHandler
    from django.test import Client, RequestFactory
    from django.test.utils import override_settings

    django.setup()
    _, (add, cart), kinds = SHOPS[shop]
    client = Client(headers={"User-Agent": "Firefox"})
    client.post(add.format(goods[0]), {"quantity": 1})
    client.get(cart)
    cookies = "; ".join(f"{name}={one.value}" for name, one in client.cookies.items())
    factory = RequestFactory(headers={"User-Agent": "Firefox", "Cookie": cookies})

    middleware = list(settings.MIDDLEWARE)
    at = middleware.index(LASTCLICK)
    here = "benchmarks.shops"
    middleware[at : at + 1] = [f"{here}.Above", LASTCLICK, f"{here}.Below"]
    hooks = {
        name: Hook(settings.LASTCLICK[name]) for name in ("value", "customer_id", "attributes")
    }
    handler = BaseHandler()
    with override_settings(MIDDLEWARE=middleware, LASTCLICK=settings.LASTCLICK | hooks):
        handler.load_middleware()
    pages = [(kind, page.format(goods[0])) for kind, some in kinds.items() for page in some]
    times: dict[str, list[tuple[float, float, float]]] = {page: [] for _, page in pages}
    for number in range(requests + 20):
        for _, page in pages:
            Hook.taken, began = 0.0, time.thread_time()
            response = handler.get_response(factory.get(page))
            whole = time.thread_time() - began
            assert response.status_code == 200, (page, response)
            if number >= 20:
                own = Above.taken - Below.taken - Hook.taken
                times[page].append((whole, own, Hook.taken))
    return [
        (kind, page, [statistics.median(column) * 1e6 for column in zip(*times[page], strict=True)])
        for kind, page in pages
    ]


def report(requests: int) -> str:
    """Measure both shops; return Markdown."""
    from tests.shops import Shop

    rows = []
    for name, (python, _, _) in SHOPS.items():
        if not Path(python).exists():
            print(f"no {name}: `make test-long` sets it up", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            shop = Shop(f"tests.{name}", Path(folder), python=python)
            command = [python, "-m", "benchmarks.shops", "--requests", str(requests)]
            done = subprocess.run(
                [*command, "--shop", name, "--goods", json.dumps(shop.goods)],
                env=shop.environment,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
        for kind, page, (whole, own, hooks) in json.loads(done.stdout.splitlines()[-1]):
            figures = f"{whole:,.0f}", f"{own:.0f}", f"{100 * own / whole:.2f}", f"{hooks:.0f}"
            rows.append((name, kind, page, *figures))
    header = ("shop", "", "page", "page us", "lastclick us", "% of it", "shop's hooks us")
    return f"## One request of a whole shop\n\n{table(header, rows)}"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shops", description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--shop", choices=SHOPS, help=argparse.SUPPRESS)
    parser.add_argument("--goods", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.shop:
        print(json.dumps(look(arguments.shop, arguments.goods, arguments.requests)))
    else:
        print(f"{machine()}\n\n{report(arguments.requests)}")


if __name__ == "__main__":
    # Django's settings name the classes by their module, which must be this very one.
    importlib.import_module("benchmarks.shops").main()
