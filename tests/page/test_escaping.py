"""Whatever a shop's names are made of, they stay text: on the page, in Markdown, in the digest."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lastclick import Report, Step, journeys, measure
from lastclick.events import Event
from lastclick.page import Mark, Page, Theme, report_page
from tests.metrics.shop import DAY, at, declared, entered, eur, failed, lost, ordered, sent
from tests.test_render import FOREIGN, Seen

#: What an HTML parser, a message or a path of the facts may take for its own.
SIGNS = (
    *(
        "<",
        ">",
        '"',
        "'",
        "&",
        "=",
        "/",
        "`",
        "\\",
        "<script>",
        "</script>",
        "</style>",
        "</title>",
    ),
    *("<!--", "-->", "]]>", "<![CDATA[", "<?", "&lt;", "&#60;", "onload=", "javascript:", "</bdi>"),
    *("{n}", "{reason}", "{0}", "%s", "%(n)s", ".", "~1", "~0", "report.funnel", "url(", "*/"),
    *("\u202e", "\u2066", "\u061c", "\u200d", "\x00", "\x1b[31m", "\r\n", "\u2028", "\U0001f6d2"),
)
LENGTHS = (1, 256, 500)
hostile = st.one_of(
    st.text(min_size=1, max_size=80),
    st.lists(st.sampled_from(SIGNS) | st.text(max_size=3), min_size=1, max_size=12).map("".join),
    st.builds(lambda sign, times: (sign * times)[:500], st.sampled_from(SIGNS), st.just(500)),
).filter(bool)


class Parsed(Seen):
    """A whole page: some elements of its head have no end."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag in ("meta", "img"):
            self.open.pop()


def events(name: str) -> list[Event]:
    """A shop with the name in each place that a shop names itself."""
    short = name[:256]
    shopper = {"attributes": {"device": name}, "customer_id": short}
    found: list[Event] = [declared((Step("cart", owner=short), short), funnel="checkout")]
    for number in range(40):
        checkout = f"{short[:250]} {number}"
        found.append(entered(checkout, "cart", number, eur("1.00"), **shopper))
        found.append(failed(checkout, "cart", number + 0.5, short))
        found.append(sent(checkout, number + 60, short[:64], campaign=short))
        if number % 2:
            found.append(entered(checkout, short, number + 1, eur("1.00")))
        if number % 4 == 1:
            found.append(ordered(checkout, f"o {number}", number + 2, eur("1.00")))
    return [*found, entered("x", f"gift {short[:250]}", 1), lost("funnel", short, 1)]


def report(name: str) -> Report:
    return measure(events(name), by="device", as_of=at(2 * DAY))


def page(name: str) -> Page:
    """All that a page can be told, with the name in it."""
    return report_page(
        report(name),
        marks=[Mark(date(2026, 10, 1), name), Mark(date(2026, 10, 2), "plain")],
        journeys=journeys(events(name), as_of=at(2 * DAY)),
        command=name,
        theme=Theme(name=name),
    )


@pytest.fixture(scope="module")
def plain() -> Page:
    """The same page with names that harm nobody."""
    return page("plain")


def every_example(test):
    """The names that broke others, besides those that are drawn."""
    for foreign in FOREIGN.values():
        test = example(name=foreign)(test)
    for length in LENGTHS:
        test = example(name="<" * length)(test)
    return test


@every_example
@given(name=hostile)
@settings(max_examples=15)
def test_a_name_makes_no_element_and_no_attribute(plain: Page, name: str) -> None:
    """A parser finds the elements and attributes of a page with plain names, and no others."""
    seen, usual = Parsed(page(name).to_html()), Parsed(plain.to_html())

    assert seen.elements == usual.elements
    assert [one for one, _ in seen.attributes] == [one for one, _ in usual.attributes]
    assert seen.other == usual.other
    assert seen.open == []


@every_example
@given(name=hostile)
@settings(max_examples=10)
def test_a_name_leads_nowhere(name: str) -> None:
    """All links are within the page, and nothing is run, styled or loaded by an attribute."""
    attributes = Parsed(page(name).to_html()).attributes

    assert all((value or "").startswith("#") for one, value in attributes if one == "href")
    assert not [one for one, _ in attributes if one.startswith("on") or one in ("style", "src")]
    ids = [value for one, value in attributes if one == "id"]
    assert len(ids) == len(set(ids))


@every_example
@given(name=hostile)
@settings(max_examples=10)
def test_a_name_is_said_as_it_is(name: str) -> None:
    """What can be printed comes out of a parser as it went in, the rest is replaced."""
    said = Parsed(page(name).to_html()).said

    shown = "".join(one if one.isprintable() or one in "\u200c\u200d" else "\ufffd" for one in name)
    assert shown in said


@every_example
@given(name=hostile)
@settings(max_examples=10)
def test_a_name_breaks_no_line_of_text(plain: Page, name: str) -> None:
    """Markdown and the digest have as many lines as with plain names, and none is a heading."""
    for draw in (Page.to_markdown, Page.to_digest):
        mine, usual = draw(page(name)).splitlines(), draw(plain).splitlines()
        assert len(mine) == len(usual)
        assert [one[:2] for one in mine] == [one[:2] for one in usual]
