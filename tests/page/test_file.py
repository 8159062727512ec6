"""The file of a page: its look, its marks and its spend in TOML, or what is wrong with it."""

from __future__ import annotations

from datetime import date

import pytest

from lastclick import Money
from lastclick.errors import ConfigError
from lastclick.page import Mark
from lastclick.page._file import PageFile

GOOD = """
name = "Lamps & Co"
colour = "#0b6e4f"
logo = "logo.svg"

[[marks]]
day = 2026-10-14
name = "new payment form"

[spend]
by = "utm_source"
channels = { search = "EUR 1200.00" }
"""


def test_a_file_says_what_a_page_is_told(tmp_path):
    """Look, marks and spend are read; the logo is found beside the file."""
    (tmp_path / "logo.svg").write_text("<svg/>")
    (tmp_path / "page.toml").write_text(GOOD)

    found = PageFile.load(tmp_path / "page.toml")

    assert found.theme.name == "Lamps & Co"
    assert found.theme.logo == tmp_path / "logo.svg"
    assert found.marks == (Mark(date(2026, 10, 14), "new payment form"),)
    assert (found.spend_by, found.spend) == ("utm_source", {"search": Money("1200.00", "EUR")})


def test_nothing_need_be_in_it(tmp_path):
    """An empty file is a page as it is."""
    (tmp_path / "page.toml").write_text("")

    assert PageFile.load(tmp_path / "page.toml") == PageFile()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("color = '#000000'", "'color' means nothing here"),
        ("colour = 'white'", "write it as '#1c5d99'"),
        ("marks = 1", "not as a page's file is"),
        ("[[marks]]\nname = 'x'", "not as a page's file is"),
        ("[[marks]]\nday = '2026-10-14'\nname = 'x'", "write it without quotes"),
        ("[spend]\nby = 'x'\nchannels = { a = 'EUR many' }", "spend: 'a' is 'EUR many'"),
        ("[spend]\nby = 'x'\nchannels = { a = '400 EUR' }", "write it as 'EUR 400.00'"),
        ("name = 3", "theme: name is 3"),
        ("name = ['a']", "write it as text"),
        ("[spend]\nby = 'x'", "not as a page's file is"),
        ("x", "Expected '='"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, text, why):
    """The error names the file and what is wrong in it."""
    file = tmp_path / "page.toml"
    file.write_text(text)

    with pytest.raises(ConfigError, match=why) as told:
        PageFile.load(file)
    assert str(file) in str(told.value)


def test_a_file_that_is_not_there(tmp_path):
    """It is named."""
    with pytest.raises(ConfigError, match=r"none\.toml"):
        PageFile.load(tmp_path / "none.toml")
