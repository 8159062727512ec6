"""A page in a real browser, and what is wrong with it: headless Chromium, Playwright, axe-core."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

CHECKS = Path(__file__).with_name("checks.js")
WIDTHS = (360, 900, 1600)
#: A sheet of A4 less its margins, at the 96 px an inch of CSS.
PAPER_PX = 703
#: The smallest letters that people read without leaning forward: on a screen, on paper (6 points).
SCREEN_LETTER_PX, PAPER_LETTER_PX = 10.0, 8.0
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def tools() -> tuple[str, Path]:
    """Where Chromium and axe-core are; what needs them skips where they are not."""
    pytest.importorskip("playwright", reason="no Playwright: `make test-long` installs it")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine; scripts/servers installs it where this is root")
    axe = Path(sys.prefix) / "servers" / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("no axe-core in this virtual environment; scripts/servers installs it")
    return chromium, axe


@attrs.frozen
class Figure:
    """A number on the page: the place of its fact, the fact as written, and what is to be read."""

    path: str
    value: str | None
    text: str
    place: str


class Sheet:
    """An open page. What it asks of the network, and what it complains of, are faults."""

    def __init__(self, page: Any, file: Path) -> None:
        self._page = page
        self.heard: list[str] = []
        page.on("console", lambda said: self.heard.append(f"console: {said.type}: {said.text}"))
        page.on("pageerror", lambda error: self.heard.append(f"script: {error}"))
        page.route("**/*", self._answer)
        self._own = file.as_uri()
        page.goto(self._own)
        page.evaluate(CHECKS.read_text(encoding="utf-8"))

    def _answer(self, route: Any) -> None:
        url = route.request.url
        if url.partition("#")[0] == self._own:
            route.continue_()
        else:
            self.heard.append(f"asked for {url}")
            route.abort()

    def show(self, width: int, scheme: Scheme = "light", media: str = "screen") -> None:
        """Lay the page out anew."""
        self._page.set_viewport_size({"width": width, "height": 900})
        self._page.emulate_media(color_scheme=scheme, media=media)

    def open_all(self) -> None:
        """Open all that can be opened, so that what is in it is laid out too."""
        self._page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

    def ask(self, check: str, *given: object) -> Any:
        """What a check of checks.js says."""
        return self._page.evaluate(
            f"given => window.lastclickChecks.{check}(...given)", list(given)
        )

    def layout(self, least_px: float = SCREEN_LETTER_PX) -> list[str]:
        """What is too wide, cut off, on top of something else, too small or too pale."""
        return [*self.ask("layout", least_px), *self.ask("pictureContrast")]

    def figures(self) -> list[Figure]:
        """Every number that says where its fact is."""
        return [Figure(**one) for one in self.ask("figures")]

    def axe(self, source: Path, *rules: str) -> list[str]:
        """What axe-core finds, by all its rules or by some."""
        if not self._page.evaluate("'axe' in window"):
            self._page.evaluate(source.read_text(encoding="utf-8"))
        only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": RULES}
        found = self._page.evaluate(
            "only => axe.run(document, {runOnly: only, resultTypes: ['violations']})", only
        )
        return [
            f"axe: {one['id']}: {one['help']}: {node['target']}: {node['html'][:160]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def print(self) -> bytes:
        """The page as PDF, on A4."""
        return self._page.pdf(format="A4", prefer_css_page_size=True, print_background=True)

    def picture(self, name: str) -> None:
        """A screenshot of all of it, into the folder that LASTCLICK_SCREENSHOTS names."""
        folder = os.environ.get("LASTCLICK_SCREENSHOTS")
        if folder:
            self._page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def sheets(pdf: bytes) -> int:
    """How many pages a PDF of Chromium's has."""
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


class Chrome:
    """One browser, for many pages."""

    def __init__(self, browser: Any, axe: Path) -> None:
        self._browser = browser
        self.axe_source = axe

    @contextmanager
    def open(self, file: Path) -> Iterator[Sheet]:
        """Open a file; no page knows of another."""
        context = self._browser.new_context(offline=True)
        try:
            yield Sheet(context.new_page(), file)
        finally:
            context.close()


@contextmanager
def chrome() -> Iterator[Chrome]:
    """A browser; skips where one of its parts is missing."""
    chromium, axe = tools()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        try:
            yield Chrome(browser, axe)
        finally:
            browser.close()
