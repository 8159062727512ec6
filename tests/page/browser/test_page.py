"""The page in a real browser: every report, in every language, at every width, by day and night.

    LASTCLICK_SCREENSHOTS=folder make test-long

keeps a picture of each, to be looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from lastclick.page import Page, report_page
from lastclick.page._messages import languages
from tests.page.browser import readings
from tests.page.browser.cases import CASES, SHARED, Case
from tests.page.browser.chrome import (
    PAPER_LETTER_PX,
    PAPER_PX,
    SCHEMES,
    SCREEN_LETTER_PX,
    WIDTHS,
    Chrome,
    Sheet,
    chrome,
    sheets,
)

pytestmark = pytest.mark.long

LANGUAGES = ("en", "fr", "es", "ar")
every_case = pytest.mark.parametrize("name", CASES)
every_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """One browser for all pages of this module."""
    with chrome() as one:
        yield one


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path | None], Case]:
    """The reports, each measured once."""

    @cache
    def case(name: str, shared: Path | None) -> Case:
        return CASES[name](tmp_path_factory.mktemp("log"), shared)

    return case


@pytest.fixture
def page(
    name: str,
    language: str,
    cases: Callable[[str, Path | None], Case],
    request: pytest.FixtureRequest,
) -> Page:
    """The page of a case in a language."""
    if language != "en":
        pytest.importorskip("babel")
    if language not in languages():
        pytest.skip(f"no catalogue of {language}")
    shared = request.getfixturevalue("shared") if name in SHARED else None
    case = cases(name, shared)
    return report_page(case.report, **{**case.options, "language": language})


@pytest.fixture
def sheet(page: Page, browser: Chrome, tmp_path: Path) -> Iterator[Sheet]:
    """The page, open in the browser."""
    file = tmp_path / "page.html"
    file.write_text(page.to_html(), encoding="utf-8")
    with browser.open(file) as one:
        yield one


@every_language
@every_case
def test_a_page_looks_right(
    sheet: Sheet, browser: Chrome, name: str, language: str, page: Page
) -> None:
    """Nothing is asked of the network, cut off, overlapping, pale, or closed to a screen reader."""
    faults: dict[str, None] = {}  # each once, in order

    def look(where: str, least_px: float = SCREEN_LETTER_PX) -> None:
        faults.update(dict.fromkeys(f"{where}: {fault}" for fault in sheet.layout(least_px)))

    for scheme in SCHEMES:
        for width in WIDTHS:
            sheet.show(width, scheme)
            look(f"{width} {scheme}")
            sheet.picture(f"{name} {language} {width} {scheme}")
    sheet.open_all()
    for width in WIDTHS:
        sheet.show(width)
        look(f"{width}, all open")
    faults.update(dict.fromkeys(sheet.axe(browser.axe_source)))
    sheet.show(WIDTHS[0], "dark")
    faults.update(dict.fromkeys(f"dark: {fault}" for fault in sheet.axe(browser.axe_source)))
    sheet.picture(f"{name} {language} {WIDTHS[0]} open")
    sheet.show(PAPER_PX, media="print")
    look("on paper", PAPER_LETTER_PX)

    found = [*faults, *sheet.ask("slips"), *sheet.heard]
    assert not found, "\n".join(found)


@every_language
@every_case
def test_every_number_is_a_fact(sheet: Sheet, name: str, language: str, page: Page) -> None:
    """What is read is what was measured, rounded as the language does; there is no other number."""
    figures = sheet.figures()

    read = (readings.fault(figure, page.facts, language) for figure in figures)
    faults = [fault for fault in read if fault]
    faults += [f"no fact: {one}" for one in sheet.ask("loose")]
    faults += readings.strangers(sheet.ask("told"), figures, page.facts, language)
    assert len(figures) > 5
    assert not faults, "\n".join(faults)


@every_case
def test_the_facts_are_those_of_the_report(
    cases: Callable[[str, Path | None], Case], name: str, request: pytest.FixtureRequest
) -> None:
    """What a page is made of is `to_dict()`, less the groups, of which small ones are hidden."""
    shared = request.getfixturevalue("shared") if name in SHARED else None
    case = cases(name, shared)
    facts = report_page(case.report, **case.options).facts
    said = case.report.to_dict()
    said.pop("groups", None)

    assert facts["report"] == said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["demo"])
def test_a_usual_report_is_two_sheets_of_paper(
    sheet: Sheet, name: str, language: str, page: Page
) -> None:
    """A board gets two sheets."""
    pdf = sheet.print()
    if folder := os.environ.get("LASTCLICK_SCREENSHOTS"):
        (Path(folder) / f"{name} {language}.pdf").write_bytes(pdf)

    assert sheets(pdf) <= 2


@every_language
@every_case
def test_a_page_is_not_heavy(page: Page, name: str, language: str) -> None:
    """A usual report takes less than 150 kB; names of 500 characters are not usual."""
    assert len(page.to_html().encode()) < (600_000 if name == "hostile" else 150_000)
