"""Drawing: whatever a shop's names are made of, they stay text in text, Markdown and HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from lastclick import Report, Step, measure
from lastclick._render import Page, Table, html, markdown, text
from tests.metrics.shop import DAY, at, declared, entered, eur, failed, lost

FOREIGN = {
    "html": "<script>alert(1)</script><img src=x onerror='y'>",
    "half a tag": '"><b a="',
    "entities": "&lt;b&gt; &amp; &#60;",
    "markdown": "| a | *b* _c_ `d` [e](f) # g ~~h~~ \\| \\",
    "lines": "a\nb\r\nc\u2028d\u2029e\x85f",
    "control": "a\x00b\x07c\x1b[31md\x7fe\x9bf",
    "direction": "a\u202eb\u202dc\u2066d\u200fe",
    "long": "ab| <" * 50,
    "emoji": "\N{SHOPPING TROLLEY}\N{THUMBS UP SIGN}",
    "letters": "Zahlung \u00fcber \u6c49 \u05d0",
}
every_text = pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)

PAGE = Page(
    title=["checkout", "first", "second"],
    lines=[("lost", "2 attempts"), ("revenue", "none")],
    tables=[Table(["step", "entered"], [["cart", "2"], ["order", ""]])],
    notes=["Trust: 0 lost."],
)


class Seen(HTMLParser):
    """What an HTML parser makes of a page: its elements, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.said: list[str] = []
        self.other: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.open.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def handle_decl(self, decl: str) -> None:
        self.other.append(decl)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)

    def handle_pi(self, data: str) -> None:
        self.other.append(data)


def shop(foreign: str) -> Report:
    """A report with the text in every place that a shop names itself."""
    funnel = declared((Step("cart", owner=foreign[:256]), foreign[:256]), funnel="checkout")
    events = [
        funnel,
        entered("a", "cart", 0, eur("1.00"), attributes={"device": foreign}),
        failed("a", "cart", 1, foreign[:256]),
        entered("b", foreign[:256], 0),
        entered("b", "gift " + foreign[:200], 1),
        lost("funnel", foreign[:256], 1),
    ]
    return measure(events, by="device", as_of=at(30 * DAY))


def cells(row: str) -> list[str]:
    """The cells of a row of a Markdown table: a sign after a backslash parts nothing."""
    assert re.fullmatch(r"(?:\|(?:\\.|[^|\\])*)+\|", row)
    return re.findall(r"\|((?:\\.|[^|\\])*)", row)[:-1]


def tables(said: str) -> list[list[str]]:
    """The tables of a Markdown text, as their rows."""
    found: list[list[str]] = [[]]
    for line in said.split("\n"):
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


@every_text
def test_html_holds_no_foreign_element(foreign: str) -> None:
    """A parser finds our elements only, closed in order, without attributes or comments."""
    seen, plain = Seen(shop(foreign)._repr_html_()), Seen(shop("plain")._repr_html_())

    assert seen.elements == plain.elements
    assert set(seen.elements) == {*"div h3 p table thead tbody tr th td bdi".split()}
    assert seen.attributes == plain.attributes
    assert {name for name, _ in seen.attributes} == {"scope", "style"}
    assert seen.other == seen.open == []


@every_text
def test_html_says_the_text_itself(foreign: str) -> None:
    """What is printable comes out of a parser as it went in, the rest is replaced."""
    seen = Seen(shop(foreign)._repr_html_())

    shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in foreign)
    assert shown in seen.said
    assert all(sign.isprintable() for said in seen.said for sign in said)


@every_text
def test_markdown_cells_keep_their_columns(foreign: str) -> None:
    """Each row of a table has as many cells as its header, and as many rows as with plain text."""
    drawn, plain = tables(shop(foreign).to_markdown()), tables(shop("plain").to_markdown())

    assert [len(table) for table in drawn] == [len(table) for table in plain]
    for table in drawn:
        assert len({len(cells(row)) for row in table}) == 1


@every_text
def test_markdown_escapes_every_sign_of_its_own(foreign: str) -> None:
    """Before each sign that Markdown reads, there is a backslash in the cells."""
    row = tables(shop(foreign).to_markdown())[1][3]

    name = cells(row)[0].strip()
    assert not re.search(r"[`*_~\[\]<>|#&]", re.sub(r"\\.", "", name))
    shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in foreign[:256])
    assert re.sub(r"\\(.)", r"\1", name) == shown.strip()


@every_text
def test_text_is_as_many_lines_as_with_plain_names(foreign: str) -> None:
    """No name breaks a line, steers a terminal or turns the direction of reading."""
    drawn, plain = repr(shop(foreign)), repr(shop("plain"))

    assert drawn.count("\n") == plain.count("\n")
    assert all(line.isprintable() for line in drawn.split("\n"))


def test_a_text_of_500_characters_is_drawn_whole() -> None:
    """A long value of an attribute is neither cut nor wrapped."""
    long = "x" * 500
    report = shop(long)

    assert all(long in drawn for drawn in (repr(report), report.to_markdown()))
    assert long in Seen(report._repr_html_()).said


def test_text_has_columns() -> None:
    """Names stand to the left, figures to the right, and no line ends with blanks."""
    page = Page(
        title=["checkout", "now"],
        lines=[("lost", "none"), ("largest leak", "cart")],
        tables=[Table(["step", "n", "share"], [["a long name", "1,000", "-"], ["b", "2", ""]])],
        notes=["One.", "Two."],
    )

    drawn = text(page)

    assert drawn.split("\n") == [
        "checkout   now",
        "lost          none",
        "largest leak  cart",
        "",
        "step             n  share",
        "a long name  1,000      -",
        "b                2",
        "One.",
        "Two.",
    ]


def test_markdown_is_a_heading_and_tables() -> None:
    """The title is a heading, the lines are a table, and so is each table."""
    assert markdown(PAGE).split("\n") == [
        "## checkout",
        "",
        "first, second",
        "",
        "| | |",
        "|:--|:--|",
        "| lost | 2 attempts |",
        "| revenue | none |",
        "",
        "| step | entered |",
        "| :-- | --: |",
        "| cart | 2 |",
        "| order |  |",
        "",
        "Trust: 0 lost.",
        "",
    ]


def test_html_is_the_same_lines_and_tables() -> None:
    """The title is a heading, and lines and tables are tables."""
    plain = re.sub(r' (style|scope)="[^"]*"|</?bdi>', "", html(PAGE))

    assert plain == (
        "<div><h3>checkout</h3><p>first, second</p>"
        "<table><tbody><tr><th>lost</th><td>2 attempts</td></tr>"
        "<tr><th>revenue</th><td>none</td></tr></tbody></table>"
        "<table><thead><tr><th>step</th><th>entered</th></tr></thead>"
        "<tbody><tr><th>cart</th><td>2</td></tr><tr><th>order</th><td></td></tr></tbody></table>"
        "<p>Trust: 0 lost.</p></div>"
    )


def test_html_has_no_colours_and_isolates_names() -> None:
    """The notebook's own colours, light or dark, hold; a name from the right turns nothing."""
    drawn = html(PAGE)

    assert "color" not in drawn
    assert '<th scope="row" style="text-align:left"><bdi>cart</bdi></th>' in drawn
    assert '<td style="text-align:right;white-space:nowrap"><bdi>2</bdi></td>' in drawn


def test_the_funnel_s_own_name_is_escaped() -> None:
    """The heading is text too."""
    events = [declared(funnel="<b>|*"), entered("a", "cart", 0, funnel="<b>|*")]

    report = measure(events)

    assert report.to_markdown().startswith("## \\<b\\>\\|\\*\n")
    assert "<h3><bdi>&lt;b&gt;|*</bdi></h3>" in report._repr_html_()
