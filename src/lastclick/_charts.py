"""Charts as SVG, drawn by hand from what they are told. Computes nothing but places.

They have to be read on white and on black, in a page's own colours: text and axes take the colour
of the text around them, the two colours of the bars keep a contrast of 3 to 1 and more with both,
and what is filled or outlined is told apart by more than its colour.
"""

from collections.abc import Iterator, Sequence
from html import escape
from unicodedata import east_asian_width

import attrs
from typing_extensions import override

from lastclick._render import Table, html_table, one_line

WIDTH = 720
_BAR = 14
_ROW = 44
_FULL = "#3478c6"
_OUTLINE = "#c2571a"
#: Where the plot of a curve is, and what its band looks like.
_LEFT, _RIGHT, _TOP, _HEIGHT = 48, WIDTH - 16, 60, 200
_BAND = f'fill="{_FULL}" fill-opacity=".3" stroke="{_FULL}" stroke-width=".75"'
#: The mean width of a letter at the size of the text; names are cut by it.
_LETTER = 7.2
#: A file by itself has no text around it, so it says its own colours; within a page, the page does.
_ALONE = (
    "svg:root{color:#1b1b1b;background:#fff}"
    "@media (prefers-color-scheme:dark){svg:root{color:#e6e6e6;background:#121212}}"
)


@attrs.frozen
class Bar:
    """A bar of two parts: filled, and outlined up to its whole length.

    Attributes:
        name: What it is of.
        said: Its figures in words.
        full: Length of the filled part, from 0 to 1.
        whole: Length of both, from ``full`` to 1.
    """

    name: str
    said: str
    full: float
    whole: float


@attrs.frozen
class Bars:
    """Bars of one scale.

    Attributes:
        heading: What they have in common; empty where the title says so.
        bars: The bars, from top to bottom.
    """

    heading: str
    bars: Sequence[Bar]


@attrs.frozen
class Point:
    """A point of a curve that keeps its height up to the next one. All are from 0 to 1.

    Attributes:
        x: How far to the right.
        y: How high.
        low: The lower end of its interval.
        high: The upper end.
    """

    x: float
    y: float
    low: float
    high: float


@attrs.frozen(repr=False)
class Chart:
    """A chart, and the table of what it shows. A notebook shows both.

    Attributes:
        title: What it shows.
        description: The same figures in sentences, for those who do not see it.
        svg: The picture, also as a file of its own.
        table: Its figures.

    Example:
        >>> from lastclick import measure
        >>> chart = measure(events).chart()
        >>> chart
        Chart('checkout: how far attempts got')
        >>> chart.description
        'Of 2 decided attempts: cart: 2 reached, 0 dropped (0.0 %); payment: 2 reached, ...'

    .. versionadded:: 0.1.0
    """

    title: str
    description: str
    svg: str
    table: Table

    def _repr_html_(self) -> str:
        return f'<figure style="margin:0">{self.svg}{html_table(self.table)}</figure>'

    @override
    def __repr__(self) -> str:
        return f"Chart({self.title!r})"


def bars(
    title: str,
    description: str,
    legend: tuple[str, str],
    groups: Sequence[Bars],
    table: Table,
) -> Chart:
    """A chart of bars.

    Args:
        title: What it shows.
        description: The figures in sentences.
        legend: What the filled and the outlined parts are.
        groups: The bars, each group on a scale of its own.
        table: The same figures.
    """
    parts = [*_legend(legend)]
    y = 56.0
    if not groups:
        parts.append(_text(0, y + 13, description, WIDTH))
        y += 20
    for group in groups:
        if group.heading:
            y += 20
            parts.append(_text(0, y, group.heading, WIDTH, weight="bold"))
            y += 10
        for bar in group.bars:
            parts += _bar(bar, y)
            y += _ROW
    return _chart(title, description, parts, y + 4, table)


def curve(
    title: str,
    description: str,
    legend: tuple[str, str],
    points: Sequence[Point],
    ticks: Sequence[tuple[float, str]],
    table: Table,
) -> Chart:
    """A chart of shares over something, with their intervals.

    Args:
        title: What it shows.
        description: The figures in sentences.
        legend: What the line and the band around it are.
        points: From left to right.
        ticks: What is written below the axis, by place from 0 to 1.
        table: The same figures.
    """
    line, band = legend
    parts = [
        f'<path d="M0 33h14" stroke="{_FULL}" stroke-width="3"/>',
        _text(20, 37, line, WIDTH / 2 - 20),
        f'<rect x="{WIDTH / 2:g}" y="28" width="14" height="10" {_BAND}/>',
        _text(WIDTH / 2 + 20, 37, band, WIDTH / 2 - 20),
    ]
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100)
        parts.append(_text(_LEFT - 8, y + 4, f"{percent} %", _LEFT, anchor="end"))
        parts.append(f'<path d="M{_LEFT} {y:g}H{_RIGHT}" stroke="currentColor" opacity=".25"/>')
    for place, said in ticks:
        x = _x(place)
        parts.append(f'<path d="M{x:.1f} {_y(0):g}v5" stroke="currentColor"/>')
        parts.append(_text(x, _y(0) + 20, said, WIDTH, anchor="middle"))
    if not points:
        parts.append(
            _text((_LEFT + _RIGHT) / 2, _y(0.5) - 8, "no attempts", WIDTH, anchor="middle")
        )
    else:
        there = _steps([(point.x, point.high) for point in points])
        back = _steps([(point.x, point.low) for point in points])[::-1]
        outline = "L".join(f"{x:.1f} {y:.1f}" for x, y in [*there, *back])
        parts.append(f'<path d="M{outline}Z" {_BAND}/>')
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in _steps([(p.x, p.y) for p in points]))
        parts.append(f'<path d="M{path}" fill="none" stroke="{_FULL}" stroke-width="2"/>')
    return _chart(title, description, parts, _y(0) + 28, table)


def _x(place: float) -> float:
    return _LEFT + place * (_RIGHT - _LEFT)


def _y(share: float) -> float:
    return _TOP + (1 - share) * _HEIGHT


def _steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners of a line that keeps its height up to the next point."""
    corners: list[tuple[float, float]] = []
    for x, share in points:
        if corners:
            corners.append((_x(x), corners[-1][1]))
        corners.append((_x(x), _y(share)))
    return corners


def _chart(
    title: str, description: str, parts: Sequence[str], height: float, table: Table
) -> Chart:
    said, told = one_line(title), one_line(description)
    size = f'width="{WIDTH + 16}" height="{height + 16:g}"'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} '
        f'viewBox="-8 -8 {WIDTH + 16} {height + 16:g}" style="max-width:100%;height:auto" '
        f'fill="currentColor" font-size="13" font-family="system-ui,sans-serif">'
        f"<title>{escape(said)}</title><desc>{escape(told)}</desc><style>{_ALONE}</style>"
        f"{_text(0, 14, said, WIDTH, weight='bold')}{''.join(parts)}</svg>"
    )
    return Chart(said, told, svg, table)


def _legend(legend: tuple[str, str]) -> Iterator[str]:
    filled, outlined = legend
    yield _rect(0, 28, 14, 10, full=True)
    yield _text(20, 37, filled, WIDTH / 2 - 20)
    yield _rect(WIDTH / 2, 28, 14, 10, full=False)
    yield _text(WIDTH / 2 + 20, 37, outlined, WIDTH / 2 - 20)


def _bar(bar: Bar, y: float) -> Iterator[str]:
    figures = _width(bar.said)
    yield _text(0, y + 13, bar.name, WIDTH - figures - 16)
    yield _text(WIDTH, y + 13, bar.said, WIDTH, anchor="end")
    full, whole = bar.full * WIDTH, bar.whole * WIDTH
    if full:
        yield _rect(0, y + 19, full, _BAR, full=True)
    if whole > full:
        yield _rect(full, y + 19, whole - full, _BAR, full=False)
    yield f'<path d="M0 {y + 17:g}v{_BAR + 4}" stroke="currentColor"/>'


def _rect(x: float, y: float, width: float, height: float, *, full: bool) -> str:
    if full:
        how = f'width="{width:.1f}" height="{height}" fill="{_FULL}"'
    else:  # the stroke lies on the edge, half of it outside
        x, y = x + 1, y + 1
        how = (
            f'width="{max(width - 2, 0.1):.1f}" height="{height - 2}" fill="none" '
            f'stroke="{_OUTLINE}" stroke-width="2" stroke-dasharray="5 2"'
        )
    return f'<rect x="{x:.1f}" y="{y:.1f}" {how}/>'


def _text(
    x: float, y: float, said: str, room: float, *, anchor: str = "start", weight: str = ""
) -> str:
    """Text within some room. Which way it reads changes nothing about where it stands."""
    clean = one_line(said)
    how = f' font-weight="{weight}"' if weight else ""
    how += f' text-anchor="{anchor}"' if anchor != "start" else ""
    whole = "" if _width(clean) <= room else f"<title>{escape(clean)}</title>"
    return (
        f'<text x="{x:g}" y="{y:g}" style="unicode-bidi:plaintext"{how}>'
        f"{whole}{escape(_cut(clean, room))}</text>"
    )


def _cut(said: str, room: float) -> str:
    if _width(said) <= room:
        return said
    kept = ""
    for letter in said:
        if _width(f"{kept}{letter}\N{HORIZONTAL ELLIPSIS}") > room:
            break
        kept += letter
    return f"{kept}\N{HORIZONTAL ELLIPSIS}"


def _width(said: str) -> float:
    """About how wide a text is; letters of East Asia are twice as wide."""
    return sum(_LETTER * (2 if east_asian_width(letter) in "WF" else 1) for letter in said)
