"""The proof of the page can fail: each fault that it looks for is found where it was planted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.page.browser.chrome import SCHEMES, WIDTHS, Chrome, chrome, sheets

pytestmark = pytest.mark.long

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 sans-serif; color: #111; background: #fff }
@media (prefers-color-scheme: dark) { :root { color: #eee; background: #111 } }
"""
GOOD = """
<h1>A report</h1>
<p>Lost: <data value="0.16" data-figure="report.steps.0.drop_off_rate.estimate">16.0 %</data>
of <bdi>step 2</bdi> on <time datetime="2026-10-01">1 October 2026</time>.</p>
<svg viewBox="0 0 300 40" width="300" height="40" role="img" aria-label="bars">
<rect width="200" height="40" fill="#225"/>
<text x="10" y="25" fill="#fff" font-size="14">cart</text></svg>
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """One browser for all pages of this module."""
    with chrome() as one:
        yield one


def page(folder: Path, more: str = "", style: str = "") -> Path:
    """A page in which all is well but for what is put in."""
    file = folder / "page.html"
    file.write_text(
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>A report</title>"
        "<meta name=viewport content='width=device-width'>"
        f"<link rel=icon href=data:,><style>{STYLE}{style}</style></head>"
        f"<body><main>{GOOD}{more}</main></body></html>",
        encoding="utf-8",
    )
    return file


def faults(browser: Chrome, file: Path, *, axe: bool = False) -> list[str]:
    """All that is found on a page."""
    with browser.open(file) as sheet:
        sheet.show(900)
        found = sheet.axe(browser.axe_source) if axe else []
        return [*found, *sheet.layout(), *sheet.ask("slips"), *sheet.ask("loose"), *sheet.heard]


def test_a_good_page_has_no_fault(browser: Chrome, tmp_path: Path) -> None:
    """What is well is not complained of, at any width, by day and by night."""
    with browser.open(page(tmp_path)) as sheet:
        for width in WIDTHS:
            for scheme in SCHEMES:
                sheet.show(width, scheme)
                assert sheet.axe(browser.axe_source) == sheet.layout() == []

    assert faults(browser, page(tmp_path)) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("<img src=https://example.com/a.png alt=a>", "asked for https://example.com/a.png"),
        ("<img src=other.png alt=a>", "asked for file:"),
        ("<link rel=stylesheet href=//example.com/a.css>", "asked for file://example.com/a.css"),
        ("<script>fetch('https://example.com')</script>", "asked for https://example.com/"),
        ("<script>new Image().src = 'https://example.com'</script>", "asked for"),
        ("<p style='background:url(https://example.com/b.png)'>b</p>", "asked for"),
        ("<script>nothing.there()</script>", "script: nothing is not defined"),
        ("<script>console.warn('old')</script>", "console: warning: old"),
        ("<p style='width:1200px'>wide</p>", "px wide in a window of"),
        ("<p style='position:relative;left:-40px'>to the left</p>", "cut off by the window"),
        ("<p style='width:3em;overflow:hidden;white-space:nowrap'>too long</p>", "cut off by"),
        ("<p style='height:1em;overflow:hidden;width:3em'>too many lines</p>", "hides a part"),
        (
            "<p style='width:2em;overflow:hidden;text-overflow:ellipsis'>unbreakable</p>",
            "hides a part",
        ),
        ("<p>under</p><p style='position:relative;top:-2.2em'>another</p>", "overlap"),
        ("<p style='font-size:8px'>small</p>", "letters of 8.0 px"),
        ("<p style='color:#bbb;background:#fff'>pale</p>", "axe: color-contrast"),
        ("<img src=data:, >", "axe: image-alt"),
        ("<p>None of it is a value: None</p>", "says"),
        ("<a href=#gone>gone</a>", "leads nowhere: #gone"),
        ("<p id=a>a</p><p id=a>b</p>", "several elements are #a"),
        ("<p>17 lost</p>", '"17 lost" in'),
        ("<p>\u0661\u0667 lost</p>", "lost"),
    ],
)
def test_a_planted_fault_is_found(browser: Chrome, tmp_path: Path, more: str, said: str) -> None:
    """A page with one fault in it is told from a good one."""
    found = faults(browser, page(tmp_path, more), axe=said.startswith("axe:"))

    assert any(said in fault for fault in found)


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("<text x=60 y=20 font-size=14>sticks out of it</text>", "cut off by its picture"),
        ("<text x=0 y=45 font-size=14>low</text>", "cut off by its picture"),
        ("<text y=20 font-size=14>one</text><text y=24 font-size=14>two</text>", "overlap"),
        ("<text y=20 font-size=6>tiny</text>", "letters of 6.0 px"),
        ("<rect width=NaN height=1 />", "has width"),
        (
            "<rect width=100 height=40 fill=#fff /><text y=20 fill=#999 font-size=14>pale</text>",
            "has a contrast of",
        ),
    ],
)
def test_a_fault_in_a_picture_is_found(
    browser: Chrome, tmp_path: Path, inside: str, said: str
) -> None:
    """Text of an SVG has to lie in it, apart from other text, and to be read."""
    svg = f"<svg viewBox='0 0 100 40' width=100 height=40 role=img aria-label=a>{inside}</svg>"

    assert any(said in fault for fault in faults(browser, page(tmp_path, svg)))


def test_a_fault_of_the_dark_is_found(browser: Chrome, tmp_path: Path) -> None:
    """What is well by day may be pale by night."""
    file = page(tmp_path, "<p style='color:#444'>dim</p>")

    with browser.open(file) as sheet:
        sheet.show(900, "light")
        by_day = sheet.axe(browser.axe_source)
        sheet.show(900, "dark")
        by_night = sheet.axe(browser.axe_source)

    assert by_day == []
    assert [fault.split(":")[1] for fault in by_night] == [" color-contrast"]


def test_sheets_of_paper_are_counted(browser: Chrome, tmp_path: Path) -> None:
    """A page is printed, and its sheets are counted."""
    file = page(tmp_path, "<p style='break-before:page'>a</p><p style='break-before:page'>b</p>")

    with browser.open(file) as sheet:
        assert sheets(sheet.print()) == 3


def test_what_is_closed_is_laid_out_once_it_is_open(browser: Chrome, tmp_path: Path) -> None:
    """A table behind a toggle is looked at too."""
    inner = "<p style='font-size:8px'>small</p>"
    file = page(tmp_path, f"<details><summary>Table</summary>{inner}</details>")

    with browser.open(file) as sheet:
        sheet.show(900)
        closed = sheet.layout()
        sheet.open_all()
        opened = sheet.layout()

    assert closed == []
    assert len(opened) == 1
