"""Themes: colours stay readable, on a light page and on a dark one, or are refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.errors import ConfigError
from lastclick.page import Theme
from lastclick.page._theme import AA, DARK_PAPER, PAPER, contrast


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#ffffff", "#000000", 21.0), ("#777777", "#ffffff", 4.48), ("#abcdef", "#abcdef", 1.0)],
)
def test_contrast_is_that_of_wcag(one, other, ratio):
    """The figures are those of the WCAG's own examples and of webaim.org's checker."""
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_a_theme_is_readable_or_refused_with_a_way_out(parts):
    """Whatever the colour: it can be read on both pages, or the error names one that can."""
    colour = "#{:02x}{:02x}{:02x}".format(*parts)
    try:
        theme = Theme(colour=colour)
    except ConfigError as error:
        assert contrast(colour, PAPER) < AA
        theme = Theme(colour=re.search(r"take (#\w{6})", str(error))[1])

    light, dark = theme.variables()
    shades = [re.search(r"--good:(#\w{6})", one)[1] for one in (light, dark)]
    assert contrast(shades[0], PAPER) >= AA
    assert contrast(shades[1], DARK_PAPER) >= AA


@pytest.mark.parametrize("colour", ["red", "#fff", "#1c5d9", "", 7, "#1c5d99;}"])
def test_what_is_no_colour_is_refused(colour):
    """The message shows how one is written."""
    with pytest.raises(ConfigError, match=r"write it as '#1c5d99'"):
        Theme(second=colour)


def test_a_logo_that_cannot_be_used_is_refused(tmp_path):
    """By its kind, its size, or because it is not there."""
    (tmp_path / "logo.bmp").write_bytes(b"BM")
    (tmp_path / "large.png").write_bytes(b"x" * 40_001)

    for name, why in (
        ("logo.bmp", "not SVG, PNG, JPEG or WebP"),
        ("large.png", "40,001 bytes"),
        ("none.png", "No such file"),
    ):
        with pytest.raises(ConfigError, match=why):
            Theme(logo=tmp_path / name)
