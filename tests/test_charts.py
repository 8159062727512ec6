"""Charts: what is drawn is what the table says, whoever reads it and whatever it is called."""

import itertools
import math
import re
import xml.etree.ElementTree as ET
from datetime import timedelta
from pathlib import Path

import pytest

from lastclick import Money, Report, measure
from lastclick._charts import WIDTH, Bar, Bars, Chart, bars
from lastclick._render import Table
from lastclick.errors import ConfigError
from tests.metrics.shop import DAY, at, declared, entered, eur, failed, ordered
from tests.test_render import Seen, every_text, shop

SVG = "{http://www.w3.org/2000/svg}"


def drawn(chart: Chart) -> ET.Element:
    return ET.fromstring(chart.svg)


def texts(chart: Chart) -> list[str]:
    return [
        (text.find(f"{SVG}title").tail if text.find(f"{SVG}title") is not None else text.text) or ""
        for text in drawn(chart).iter(f"{SVG}text")
    ]


def lengths(chart: Chart) -> tuple[list[float], list[float]]:
    """The lengths of the filled and of the outlined parts, without those of the legend."""
    found: tuple[list[float], list[float]] = ([], [])
    for rect in list(drawn(chart).iter(f"{SVG}rect"))[2:]:
        outlined = rect.get("fill") == "none"
        found[outlined].append(round(float(rect.get("width", 0)) + 2 * outlined, 1))
    return found


@pytest.fixture
def report() -> Report:
    """Four attempts: one ordered, two left at the payment, one at the cart."""
    events = [
        declared(("cart", "payment")),
        *(entered(who, "cart", 0, eur("10.00")) for who in "abcd"),
        *(entered(who, "payment", 1, eur("20.00")) for who in "abc"),
        failed("b", "payment", 2, "card_declined"),
        ordered("a", "o-1", 2, eur("20.00")),
        entered("e", "cart", 30 * DAY - 1),
    ]
    return measure(events, as_of=at(30 * DAY))


def test_the_funnel_is_as_long_as_attempts_got(report: Report) -> None:
    """Filled is who went on, outlined is who dropped, on one scale."""
    chart = report.chart()

    assert lengths(chart) == ([WIDTH * 0.75, WIDTH * 0.25, WIDTH * 0.25], [180.0, 360.0])
    assert texts(chart) == [
        "checkout: how far attempts got",
        "went on",
        "dropped here",
        *("cart", "4 reached, 1 dropped (25.0 %)"),
        *("payment", "3 reached, 2 dropped (66.7 %)"),
        *("order", "1 ordered"),
    ]
    assert chart.table.rows == [
        ["cart", "4", "3", "1", "1", "25.0"],
        ["payment", "3", "1", "2", "0", "66.7"],
        ["order", "1", "", "", "", ""],
    ]
    assert chart.description == (
        "Of 4 decided attempts: cart: 4 reached, 1 dropped (25.0 %); "
        "payment: 3 reached, 2 dropped (66.7 %); order: 1 ordered."
    )
    assert repr(chart) == "Chart('checkout: how far attempts got')"


def test_money_is_as_long_as_carts_were_worth(report: Report) -> None:
    """Filled is what was to be expected, outlined is the most that it could have been."""
    chart = report.chart("money")

    assert chart.table.rows == [
        ["cart", "EUR", "2.50", "10.00", "1"],
        ["payment", "EUR", "13.33", "40.00", "2"],
    ]
    assert lengths(chart) == ([45.0, 239.9], [135.0, 480.1])
    assert chart.description == (
        "in EUR: cart: 2.50 expected, 10.00 at most; payment: 13.33 expected, 40.00 at most."
    )


def test_currencies_have_scales_of_their_own() -> None:
    """Nothing is added or compared across currencies; the one with most carts comes first."""
    events = [
        declared(("cart", "payment")),
        entered("a", "cart", 0, Money(9000, "JPY")),
        entered("b", "cart", 0, Money(1, "USD")),
        entered("c", "payment", 0, Money(2, "USD")),
        entered("d", "payment", 0, Money(0, "XXX")),
    ]

    chart = measure(events, as_of=at(30 * DAY)).chart("money")

    assert [text for text in texts(chart) if text in ("JPY", "USD", "XXX")] == ["USD", "JPY", "XXX"]
    assert lengths(chart) == ([], [360.0, 720.0, 720.0])
    assert chart.table.rows[2:4] == [
        ["cart", "JPY", "0", "9,000", "1"],
        ["payment", "JPY", "-", "-", "0"],
    ]


def test_nothing_is_drawn_of_nothing() -> None:
    """Without attempts there are steps without bars, and a sentence instead of money."""
    report = measure([declared(("cart",))])

    assert lengths(report.chart()) == lengths(report.chart("money")) == ([], [])
    assert "0 reached, 0 dropped" in texts(report.chart())
    assert texts(report.chart("money"))[-1] == "No cart of known value was left."


def test_customers_are_called_so(report: Report) -> None:
    """What was counted is in the title."""
    events = [declared(), entered("a", "cart", 0, customer_id="u-1")]

    assert measure(events, unit="customer").chart().title == (
        "checkout: how far customer journeys got"
    )


@pytest.mark.parametrize("kind", ["pie", None, []])
def test_a_chart_that_there_is_not_is_refused(report: Report, kind: str) -> None:
    """The message names those that there are."""
    with pytest.raises(ConfigError, match="choose one of 'funnel', 'money', 'time'"):
        report.chart(kind)  # type: ignore[arg-type]


def test_a_chart_says_what_it_is(report: Report) -> None:
    """It is one picture, with a name, a description and a table beside, for those who hear it."""
    chart = report.chart()
    picture = drawn(chart)

    assert picture.get("role") == "img"
    assert [child.tag for child in picture][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert picture[0].text == chart.title
    assert picture[1].text == chart.description
    seen = Seen(chart._repr_html_())
    assert seen.elements[0] == "figure"
    assert {"svg", "table", "thead", "th"} <= set(seen.elements)
    assert ("scope", "row") in seen.attributes


def luminance(colour: str) -> float:
    """The relative luminance of a colour, as WCAG 2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("ground", ["#ffffff", "#121212", "#000000"])
def test_colours_can_be_seen_on_light_and_dark(report: Report, ground: str) -> None:
    """Bars keep the contrast of 3 to 1 that WCAG asks of graphics; the text is the page's own."""
    colours = set(re.findall(r'(?:fill|stroke)="(#\w+)"', report.chart().svg))

    assert len(colours) == 2
    for colour in colours:
        one, other = sorted([luminance(colour), luminance(ground)], reverse=True)
        assert (one + 0.05) / (other + 0.05) >= 3
    assert 'fill="currentColor"' in report.chart().svg


@every_text
@pytest.mark.parametrize("kind", ["funnel", "money", "time"])
def test_no_name_breaks_a_picture(foreign: str, kind: str) -> None:
    """A picture has the same elements whatever its names are made of, and parses as XML."""
    charts = [shop(text).chart(kind) for text in (foreign, "plain")]  # type: ignore[arg-type]

    elements = [
        [element.tag for element in drawn(chart).iter() if element.tag != f"{SVG}title"]
        for chart in charts
    ]
    assert elements[0] == elements[1]
    for said in drawn(charts[0]).itertext():
        assert said.isprintable()
    assert Seen(charts[0]._repr_html_()).open == []


@pytest.mark.parametrize("name", ["x" * 256, "\u6c49" * 256, "\u05d0" * 256])
def test_a_long_name_is_cut_where_its_figures_begin(name: str) -> None:
    """It is whole in the table, in the description and on hovering."""
    chart = measure([declared((name,)), entered("a", name, 0)], as_of=at(DAY)).chart()

    cut = texts(chart)[3]
    assert cut.endswith("\N{HORIZONTAL ELLIPSIS}")
    assert name.startswith(cut[:-1])
    assert 20 < len(cut) < 90
    assert name in chart.description
    assert name in [title.text for title in drawn(chart).iter(f"{SVG}title")]
    assert chart.table.rows[0][0] == name


def test_a_picture_is_a_file_of_its_own(report: Report, tmp_path: Path) -> None:
    """It names its colours for when nothing is around it, and refers to nothing outside."""
    file = tmp_path / "funnel.svg"
    file.write_text(report.chart().svg, encoding="utf-8")

    assert ET.parse(file).getroot().tag == f"{SVG}svg"
    assert "prefers-color-scheme:dark" in report.chart().svg
    assert "svg:root{" in report.chart().svg
    assert re.findall(r"https?://[^\"]+", report.chart().svg) == ["http://www.w3.org/2000/svg"]
    assert "href" not in report.chart().svg


def corners(path: str) -> list[tuple[float, float]]:
    """The corners of a line, as shares of the plot: how far right, and how high."""
    found = [tuple(map(float, corner.split())) for corner in path.strip("MZ").split("L")]
    return [(round((x - 48) / (WIDTH - 64), 2), round(1 - (y - 60) / 200, 2)) for x, y in found]


def test_time_is_the_share_without_an_order() -> None:
    """The line starts at all, falls where orders come, and ends where nobody was followed."""
    events = [
        declared(),
        *(entered(who, "cart", 0) for who in "abcd"),
        ordered("a", "o-1", 1),
        ordered("b", "o-2", 10),
    ]
    chart = measure(events, as_of=at(60)).chart("time")

    (line,) = [one for one in drawn(chart).iter(f"{SVG}path") if one.get("stroke-width") == "2"]
    way = corners(line.get("d", ""))
    assert way[0] == (0.0, 1.0)
    assert sorted({high for _, high in way}) == [0.5, 0.75, 1.0]
    length = math.log(7 * 86_400 / 10)
    falls = [x for (x, high), (_, after) in itertools.pairwise(way) if after < high]
    assert falls == pytest.approx([math.log(6) / length, math.log(60) / length], abs=0.01)
    assert way[-1][0] == pytest.approx(math.log(360) / length, abs=0.01)
    assert chart.table.rows[:5] == [
        ["10 s", "100.0", "-"],
        ["1 min", "75.0", "12.8 to 96.1"],
        ["10 min", "50.0", "5.8 to 84.5"],
        ["1 h", "50.0", "5.8 to 84.5"],
        ["6 h", "-", "-"],
    ]
    assert chart.description.endswith(
        "100.0 % after 10 s, 75.0 % after 1 min, 50.0 % after 10 min, 50.0 % after 1 h."
    )


def test_time_ends_where_recoveries_do() -> None:
    """The axis is as long as attempts are followed, however short that is."""
    limits = {"abandon_after": timedelta(seconds=5), "recover_within": timedelta(seconds=15)}

    chart = measure([declared(**limits), entered("a", "cart", 0)], as_of=at(DAY)).chart("time")

    assert [row[0] for row in chart.table.rows] == ["10 s"]


def test_nobody_followed_is_no_curve() -> None:
    """Without attempts there are axes and a word."""
    chart = measure([declared()]).chart("time")

    assert "no attempts" in texts(chart)
    assert chart.description.endswith("Not ordered: nobody was followed.")


def test_some_days_have_their_own_curve(report: Report) -> None:
    """A period of a trend is drawn of those that began in it."""
    (day, *_) = report.trend().values()

    assert day.chart("time").description.startswith("Kaplan-Meier")


def test_bars_may_be_very_short() -> None:
    """An outline shorter than its stroke is still one."""
    chart = bars(
        "t", "d", ("a", "b"), [Bars("", [Bar("x", "1", 0.0, 0.001)])], Table(["x"], [["1"]])
    )

    assert lengths(chart)[1] == [2.1]
