"""Languages: whole catalogues, plurals, and numbers as each language writes them."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from lastclick import Money, measure
from lastclick.errors import ConfigError
from lastclick.page import report_page
from lastclick.page._messages import LOCALES, languages, messages
from lastclick.page._numbers import DASH, English, numbers_of
from lastclick.page._tell import Tell
from tests.page.test_page import drawn, moment

OTHERS = ("ar", "es", "fr")
#: What is the same in two languages by chance or by nature.
SAME = {"{outcome} {n}", "{n} s", "{n} d", "{n} h", "{n} min", "{share} ({low} to {high})"}


def test_the_languages_are_the_catalogues_there_are():
    """A fifth language is a file."""
    assert languages() == ["en", *OTHERS]


def test_an_unknown_language_is_refused():
    """The error names those that there are."""
    with pytest.raises(ConfigError, match="choose one of en, ar, es, fr"):
        messages("tlh")


def test_a_language_without_its_extra_is_one_sentence():
    """Without Babel, English works, and another language says what to install."""
    program = (
        "import sys; sys.modules['babel'] = None\n"
        "from lastclick.errors import ConfigError\n"
        "from lastclick.page._messages import messages\n"
        "messages('en')\n"
        "try: messages('fr')\n"
        "except ConfigError as error: print(error)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip().endswith("pip install 'lastclick[i18n]'")


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_is_whole(language):
    """It has all messages of the page, no others, each with the places of its figures."""
    pytest.importorskip("babel")
    from babel.messages.pofile import read_po

    from scripts.messages import template

    with (LOCALES / language / "LC_MESSAGES" / "lastclick.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    wanted = {one.id for one in template() if one.id}

    assert {one.id for one in catalogue if one.id} == wanted
    for one in catalogue:
        forms = one.string if isinstance(one.string, tuple) else (one.string,)
        longest = one.id[1] if isinstance(one.id, tuple) else one.id
        if one.id:
            assert len(forms) == (catalogue.num_plurals if isinstance(one.id, tuple) else 1)
            assert all(places(form) == places(longest) for form in forms), one.id


def places(message: str) -> set[str]:
    return set(re.findall(r"\{\w+\}", message))


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_is_left_in_english(language, monkeypatch):
    """Each message that a page asks for is found in the catalogue."""
    pytest.importorskip("babel")
    known = messages(language)
    missed = set()

    def gettext(_, message):
        missed.update({message} - set(known._catalog) - SAME)
        return known.gettext(message)

    monkeypatch.setattr(Tell, "text", gettext)
    page = report_page(measure(drawn(40, 40, (9, 8)), as_of=moment(9000)), language=language)
    html = page.to_html()

    assert not missed
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in html
    assert not re.search(r"\b(the|checkouts|were|worth)\b", re.sub(r"<[^>]*>", " ", html[5000:]))


def test_plurals_are_those_of_the_language():
    """French counts none as one; Arabic has six forms."""
    pytest.importorskip("babel")
    one, many = "{n} paid", "{n} paid"

    assert messages("fr").ngettext(one, many, 0) == "{n} payé"
    assert messages("fr").ngettext(one, many, 2) == "{n} payés"
    assert messages("ar").ngettext(one, many, 11) == "دُفعت {n}"


def test_english_is_written_as_the_report_writes_it():
    """Without any package."""
    numbers = English()

    assert numbers.decimal(-0.04, 1) == "0.0"
    assert numbers.decimal(-1234.5, 1) == "\N{MINUS SIGN}1,234.5"
    assert numbers.percent(0.1604) == "16.0 %"
    assert numbers.money(Money("1234.5", "EUR")) == "EUR 1,234.50"
    assert numbers.money(Money("1234.5", "EUR"), whole=True) == "EUR 1,234"
    assert numbers.day(date(2026, 10, 1)) == "1 Oct 2026"
    assert numbers.day(date(2026, 10, 1), short=True) == "1 Oct"
    moment = datetime(2026, 10, 28, 23, 59, tzinfo=UTC)
    assert numbers.instant(moment, "UTC") == "28 Oct 2026, 23:59 UTC"


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fr", ["1 234,5", "16,0 %", "1 234,50 €", "1 234 €", "0,0123 €", "1 oct. 2026", "1 oct."]),
        ("es", ["1.234,5", "16,0 %", "1.234,50 €", "1.234 €", "0,0123 €", "1 oct 2026", "1 oct"]),
        (
            "ar",
            ["1,234.5", "16.0%", "1,234.50 €", "1,234 €", "0.0123 €", "1 أكتوبر 2026", "1 أكتوبر"],
        ),
    ],
)
def test_other_languages_are_written_as_the_cldr_has_them(language, expected):
    """Numbers, shares, money exact and in whole, and days."""
    pytest.importorskip("babel")
    numbers = numbers_of(language)
    found = [
        numbers.decimal(1234.5, 1),
        numbers.percent(0.1604),
        numbers.money(Money("1234.5", "EUR")),
        numbers.money(Money("1234.4", "EUR"), whole=True),
        numbers.money(Money("0.0123", "EUR")),
        numbers.day(date(2026, 10, 1)),
        numbers.day(date(2026, 10, 1), short=True),
    ]

    marks = re.compile("[\u200e\u200f]")
    assert [re.sub(r"\s", " ", marks.sub("", one)) for one in found] == expected


@pytest.mark.parametrize(
    ("language", "below", "above"),
    [("en", "\u22127.1", "+7.1"), ("fr", "-7,1", "+7,1"), ("ar", "\u200e-7.1", "\u200e+7.1")],
)
def test_a_sign_stands_before_its_number(language, below, above):
    """Also from right to left: the mark before it, of the CLDR, keeps it there."""
    if language != "en":
        pytest.importorskip("babel")
    numbers = numbers_of(language)

    assert numbers.decimal(-7.12, 1) == below
    assert numbers.decimal(7.12, 1, signed=True) == above
    assert numbers.decimal(0.04, 1, signed=True)[:1] == "0"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (42.7, "42 s"),
        (87, "1 min 27 s"),
        (1800, "30 min"),
        (39784.6, "11 h 3 min"),
        (3601, "1 h"),
        (604800, "7 d"),
    ],
)
def test_a_time_is_told_in_its_two_largest_units(seconds, shown):
    """Whole seconds, rounded down."""
    tell = Tell({"report": {"timezone": "UTC"}}, "en")

    assert tell.span(seconds) == shown


def test_what_is_not_known_is_a_dash():
    """Of every kind of figure."""
    tell = Tell({"report": {"timezone": "UTC"}, "x": None}, "en")
    kinds = ("decimal", "percent", "hundredths", "points", "money", "seconds", "day", "instant")

    assert {getattr(tell, kind)("x").shown for kind in (*kinds, "words")} == {DASH}
    assert tell.estimate("x", "EUR").shown == DASH


def test_the_script_keeps_a_catalogue_up_to_date(tmp_path):
    """New messages are added, empty; old ones leave; translations stay."""
    pytest.importorskip("babel")
    from scripts.messages import renewed

    file = tmp_path / "fr" / "LC_MESSAGES" / "lastclick.po"
    file.parent.mkdir(parents=True)
    file.write_text('msgid "cart"\nmsgstr "panier"\n\nmsgid "gone"\nmsgstr "parti"\n')
    text = renewed(file).decode()

    assert 'msgid "cart"\nmsgstr "panier"' in text
    assert 'msgid "owner"\nmsgstr ""' in text
    assert "parti" not in text
