"""A page as one HTML file: no script, no font and no picture from elsewhere, nothing but itself.

All text is escaped, since it can only be put in by `_text`, a merchant's by `_name`. Charts are
drawn by hand in SVG, in per cent of whatever room there is, so that they are as readable on a phone
as on a wall.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import assert_never

from lastclick.page._blocks import (
    Bar,
    Bars,
    Block,
    Chart,
    Document,
    Figure,
    Grid,
    Inlines,
    Link,
    Name,
    Paragraph,
    Plot,
    Section,
    Sentence,
    Shape,
    Statements,
    Table,
    Terms,
    Tile,
    Tiles,
    clean,
    plain,
)
from lastclick.page._tell import Tell
from lastclick.page._theme import DARK_PAPER, PAPER, Theme

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = Path(__file__).parent / "style.css"
#: Heights of a plot in pixels: its flags, its shares, the counts below, the words at the bottom.
_TOP, _HEIGHT, _COUNTS, _FOOT = 36, 200, 36, 22

#: About how wide a letter below an axis is, in shares of the narrowest one.
_LETTER = 0.022
#: Longer names are cut where they stand beside a bar.
_NAME = 60


def draw(document: Document, tell: Tell, theme: Theme, language: str, *, mirrored: bool) -> str:
    """The file.

    Args:
        document: What it says.
        tell: For the words of the page itself.
        theme: What it looks like.
        language: Of its words.
        mirrored: Whether they are read from right to left.
    """
    hand = _Hand(tell, mirrored)
    light, dark = theme.variables()
    colours = (
        f":root{{--paper:{PAPER};{light}}}@media(prefers-color-scheme:dark){{:root{{"
        f"--paper:{DARK_PAPER};{dark}}}}}@media print{{:root{{--paper:#ffffff;{light}}}}}"
    )
    title = plain(document.title)
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="color-scheme" content="light dark">'
        f'<meta name="generator" content="lastclick {escape(tell.at("page.version"))}">'
        f"<title>{_text(title)}</title><style>{_style()}{colours}</style>"
    )
    direction = "rtl" if mirrored else "ltr"
    return (
        f'<!doctype html>\n<html lang="{language}" dir="{direction}"><head>{head}</head><body>'
        f"{hand.body(document, theme)}</body></html>\n"
    )


@cache
def _style() -> str:
    """The style sheet, without what only its authors need."""
    lines = (line.strip() for line in _STYLE.read_text(encoding="utf-8").splitlines())
    return "".join(line for line in lines if not line.startswith("/*"))


def _text(said: str) -> str:
    return escape(said)


def _name(said: str) -> str:
    return escape(clean(said))


def _element(start: str, *content: str) -> str:
    return f"<{start}>{''.join(content)}</{start.partition(' ')[0]}>"


def _per_cent(share: float) -> str:
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


class _Hand:
    """Draws blocks."""

    def __init__(self, tell: Tell, mirrored: bool) -> None:
        self._tell = tell
        self._mirrored = mirrored

    def body(self, document: Document, theme: Theme) -> str:
        """All that is seen."""
        tell = self._tell
        links = [
            _element("li", _element(f'a href="#{one.anchor}"', self.inline(one.title)))
            for one in document.sections
        ]
        sections = _text(tell.text("Sections"))
        nav = _element(f'nav aria-label="{sections}"', _element("ol", *links))
        brand = ""
        if theme.picture is not None:
            alt = _name(theme.name or tell.text("Logo"))
            brand += f'<img class="logo" src="{theme.picture}" alt="{alt}">'
        elif theme.name:
            brand += _element('span class="owner"', _element("bdi", _name(theme.name)))
        about = [_element("li", self.inline(one)) for one in document.about]
        header = _element(
            'header class="top"',
            _element('div class="brand"', brand) if brand else "",
            _element('p class="title"', self.inline(document.title)),
            _element('ul class="about"', *about),
            _element('h1 class="headline"', self.inline(document.headline)),
        )
        skip = _element('a class="skip" href="#case"', _text(tell.text("Skip to the report")))
        main = _element("main", *(self.section(one) for one in document.sections))
        return f"{skip}{_PATTERNS}{header}{nav}{main}"

    def section(self, section: Section) -> str:
        """A section with its heading, which is a link to itself."""
        heading = _element(
            "h2", _element(f'a href="#{section.anchor}"', self.inline(section.title))
        )
        blocks = [self.block(one) for one in section.blocks]
        return _element(
            f'section id="{section.anchor}"', heading, _element('div class="blocks"', *blocks)
        )

    def block(self, block: Block) -> str:
        """One block."""
        match block:
            case Paragraph():
                start = 'p class="note"' if block.note else "p"
                start += f' id="{block.anchor}"' if block.anchor else ""
                return _element(start, self.inline(block.text))
            case Statements():
                heading = _element("h3", self.inline(block.heading)) if block.heading else ""
                items = [self.sentence(one) for one in block.sentences]
                return _element('div class="said"', heading, _element("ul", *items))
            case Tiles():
                return _element('div class="tiles wide"', *(self.tile(one) for one in block.tiles))
            case Chart():
                return self.chart(block)
            case Grid():
                note = _element('p class="note"', self.inline(block.note)) if block.note else ""
                title = self.title(block.anchor, block.table.caption)
                parts = (title, note, self.table(block.table))
                wide = _WIDE if len(block.table.header) > 3 else ""
                return _element(f'div{wide} id="{block.anchor}"', *parts)
            case Terms():
                return self.terms(block)
        assert_never(block)

    def title(self, anchor: str, title: Inlines) -> str:
        """The heading of a chart or a table, which is a link to it."""
        return _element("h3", _element(f'a href="#{anchor}"', self.inline(title)))

    def sentence(self, sentence: Sentence) -> str:
        """A sentence, and small links to what it rests on."""
        links = [self.inline((one,)) for one in sentence.links]
        if sentence.anchor:
            said = _text(self._tell.text("Link to this sentence"))
            links.append(f'<a href="#{sentence.anchor}" aria-label="{said}">#</a>')
        refs = " " + _element('span class="refs"', " ".join(links)) if links else ""
        start = f'li id="{sentence.anchor}"' if sentence.anchor else "li"
        return _element(start, self.inline(sentence.text), refs)

    def tile(self, tile: Tile) -> str:
        """A large figure."""
        return _element(
            f'div class="tile{" bad" if tile.bad else ""}"',
            _element(
                'p class="label"', _element(f'a href="#{tile.anchor}"', self.inline(tile.label))
            ),
            _element('p class="large"', self.inline(tile.figure)),
            _element('p class="small"', self.inline(tile.note)),
        )

    def terms(self, terms: Terms) -> str:
        """Words and their meanings."""
        items = [
            _element(
                f'div id="{anchor}"',
                _element("dt", self.inline(word)),
                _element("dd", self.inline(said)),
            )
            for anchor, word, said in terms.terms
        ]
        title = self.title("definitions", self._tell.say("What the words mean"))
        return _element('div class="terms wide" id="definitions"', title, _element("dl", *items))

    # Text

    def inline(self, inlines: Inlines) -> str:
        """Text, figures and names in a row."""
        return "".join(self._part(part) for part in inlines)

    def _part(self, part: str | Figure | Name | Link) -> str:
        match part:
            case str():
                return _text(part)
            case Name():
                return _element("bdi", _name(part.said))
            case Link():
                more = f'<span class="hidden">: {_text(part.about)}</span>' if part.about else ""
                return _element(f'a href="#{part.anchor}"', self.inline(part.said), more)
            case Figure():
                path, value = _name(part.path), _text(part.value)
                if part.moment:
                    return _element(
                        f'time datetime="{value}" data-figure="{path}"', _text(part.shown)
                    )
                return _element(f'data value="{value}" data-figure="{path}"', _text(part.shown))
        assert_never(part)

    # Tables

    def table(self, table: Table) -> str:
        """A table in a region of its own, which scrolls where there is not enough room."""
        words = {0, *table.words}
        head = [
            _element(f'th scope="col"{"" if place in words else _FIGURES}', self.inline(one))
            for place, one in enumerate(table.header)
        ]
        rows = []
        for row in table.rows:
            cells = [_element('th scope="row"', self.inline(row[0]))]
            cells += [
                _element("td" if place in words else f"td{_FIGURES}", self.inline(cell))
                for place, cell in enumerate(row[1:], 1)
            ]
            rows.append(_element("tr", *cells))
        caption = plain(table.caption)
        return _element(
            f'div class="scroll" role="region" tabindex="0" aria-label="{_text(caption)}"',
            _element(
                "table",
                _element('caption class="hidden"', self.inline(table.caption)),
                _element("thead", _element("tr", *head)),
                _element("tbody", *rows),
            ),
        )

    # Charts

    def chart(self, chart: Chart) -> str:
        """A drawing, what its marks mean, and the table behind it."""
        drawing = (
            self.bars(chart.drawing)
            if isinstance(chart.drawing, Bars)
            else self.plot(chart.drawing, chart.anchor, chart.title)
        )
        legend = [
            _element("li", _sample(kind), _element("span", self.inline(said)))
            for kind, said in chart.legend
        ]
        summary = _element(
            "summary",
            _text(self._tell.text("Table")),
            f'<span class="hidden">: {_text(plain(chart.table.caption))}</span>',
        )
        wide = isinstance(chart.drawing, Plot) and not chart.drawing.stairs
        wide |= (
            isinstance(chart.drawing, Bars) and chart.drawing.thick and len(chart.drawing.rows) > 1
        )
        return _element(
            f'figure{_WIDE if wide else ""} id="{chart.anchor}"',
            _element("figcaption", self.title(chart.anchor, chart.title)),
            _element('p class="note"', self.inline(chart.note)) if chart.note else "",
            _element('ul class="legend"', *legend),
            drawing,
            _element("details", summary, self.table(chart.table)),
        )

    def bars(self, bars: Bars) -> str:
        """Rows of marks, each under its name and its figures."""
        height = 30 if bars.thick else 16
        rows = [self._row(row, height, bars.ticks) for row in bars.rows]
        kind = "bars thick" if bars.thick else "bars"
        axis = ""
        if bars.ticks:
            said = [self._axis(place, text, 14) for place, text in bars.ticks]
            axis = _element(_AXIS, *said)
        return _element(f'ul class="{kind}"', *rows) + axis

    def _row(self, row: Bar, height: int, ticks: Sequence[tuple[float, str]]) -> str:
        flag = _element('span class="flag"', self.inline(row.flag)) if row.flag else ""
        label = _element(
            'div class="row"',
            _element('span class="name"', self.inline(_short(row.name)), " " if flag else "", flag),
            _element('span class="says"', self.inline(row.said)),
        )
        lines = [
            f'<line class="grid" x1="{at}" x2="{at}" y1="0" y2="{height}"/>'
            for at in (_per_cent(self._x(place, place)) for place, _ in ticks)
        ]
        marks = [self._mark(shape, height) for shape in row.shapes]
        track = _element(
            f'svg class="track" aria-hidden="true" width="100%" height="{height}"',
            *lines,
            *marks,
        )
        return _element("li", label, track)

    def _x(self, start: float, end: float) -> float:
        """Where a mark begins; from the right where people read from there."""
        return 1 - end if self._mirrored else start

    def _mark(self, shape: Shape, height: int) -> str:
        title = _element("title", _text(shape.said)) if shape.said else ""
        start, end = max(0.0, shape.start), min(1.0, shape.end)
        if shape.kind in ("dot", "dot-2"):
            at = _per_cent(self._x(start, start))
            return _element(
                f'circle class="{shape.kind}" cx="{at}" cy="{height / 2:g}" r="5"', title
            )
        width, at = _per_cent(max(0.0, end - start)), _per_cent(self._x(start, end))
        y, tall = (height / 2 - 3, 6) if shape.kind == "range" else (0, height)
        return _element(
            f'rect class="{shape.kind}" x="{at}" y="{y:g}" width="{width}" height="{tall}"', title
        )

    def _axis(self, place: float, said: str, y: float) -> str:
        return _tick(self._x(place, place), said, y)

    def plot(self, plot: Plot, anchor: str, title: Inlines) -> str:
        """Shares over time. It goes from left to right in every language, as axes of time do."""
        bottom = _TOP + _HEIGHT
        counts = _COUNTS + 8 if plot.counts else 0
        whole = bottom + counts + _FOOT
        parts = [_element(f'title id="{anchor}-title"', _text(plain(title)))]
        for height, _ in plot.up:
            y = bottom - height * _HEIGHT
            parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y:g}" y2="{y:g}"/>')
        for place, fill, width, said in plot.counts:
            tall = max(1.0, fill * _COUNTS)
            where = f'x="{_per_cent(place - 0.42 * width)}" width="{_per_cent(0.84 * width)}"'
            parts.append(
                _element(
                    f'rect class="count" {where} y="{bottom + counts - tall:.1f}" '
                    f'height="{tall:.1f}"',
                    _element("title", _text(said)),
                )
            )
        if plot.points:
            parts.append(
                _element(
                    f'svg x="0" y="{_TOP}" width="100%" height="{_HEIGHT}" viewBox="0 0 1000 1000" '
                    f'preserveAspectRatio="none"',
                    f'<path class="band" d="{_band(plot)}"/>',
                    f'<path class="curve" d="{_line(plot)}"/>',
                )
            )
        for height, said in plot.up:  # above the band, or they could not be read
            y = bottom - height * _HEIGHT
            parts.append(_element(f'text class="axis" x="0" y="{y - 4:g}"', _text(said)))
        radius = 3.5 if len(plot.points) <= 62 and not plot.stairs else 0
        for point in plot.points if not plot.stairs else ():
            y = bottom - point.y * _HEIGHT
            parts.append(
                _element(
                    f'circle class="point" cx="{_per_cent(point.x)}" cy="{y:.1f}" r="{radius:g}"',
                    _element("title", _text(point.said)),
                )
            )
        if plot.stairs:
            parts += self._hovers(plot, bottom)
        for place, letter, said in plot.flags:
            at = _per_cent(place)
            parts.append(f'<line class="flag" x1="{at}" x2="{at}" y1="{_TOP - 12}" y2="{bottom}"/>')
            parts.append(
                _element(
                    f'text class="flag" x="{at}" y="{_TOP - 16}" text-anchor="middle"',
                    _text(letter),
                    _element("title", _name(said)),
                )
            )
        for place, said in plot.across:
            parts.append(_tick(place, said, whole - 6))
        return _element(
            f'svg class="plot" role="img" aria-labelledby="{anchor}-title" width="100%" '
            f'height="{whole}" direction="ltr"',
            *parts,
        )

    def _hovers(self, plot: Plot, bottom: float) -> Iterable[str]:
        """Bands that tell the figure of a curve at the place that is pointed at."""
        points = plot.points[::4]
        for place, point in enumerate(points):
            end = points[place + 1].x if place + 1 < len(points) else 1.0
            where = f'x="{_per_cent(point.x)}" width="{_per_cent(max(0.0, end - point.x))}"'
            yield _element(
                f'rect class="hover" {where} y="{_TOP}" height="{bottom - _TOP}"',
                _element("title", _text(point.said)),
            )


_FIGURES = ' class="figure"'
#: Which end of a word is its start follows from this, in each language alike.
_AXIS = 'svg class="axis" aria-hidden="true" width="100%" height="20" direction="ltr"'
#: What takes all the room there is, where there is room for two blocks side by side.
_WIDE = ' class="wide"'
_PATTERNS = (
    '<svg class="patterns" aria-hidden="true" width="0" height="0"><defs>'
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="6" height="6" class="hatch-under"/>'
    '<rect width="3" height="6" class="hatch-over"/></pattern>'
    "</defs></svg>"
)


def _tick(at: float, said: str, y: float) -> str:
    """Words below a place of an axis, beside it where they would not fit on a phone."""
    half = len(said) * _LETTER / 2
    anchor = "start" if at < half else "end" if at > 1 - half else "middle"
    return _element(
        f'text class="axis" x="{_per_cent(at)}" y="{y:g}" text-anchor="{anchor}"', _text(said)
    )


def _short(inlines: Inlines) -> Inlines:
    """Names cut to what can be read beside a bar; the table behind it has all of them."""
    return tuple(
        Name(part.said[: _NAME - 1] + "\N{HORIZONTAL ELLIPSIS}")
        if isinstance(part, Name) and len(part.said) > _NAME
        else part
        for part in inlines
    )


def _sample(kind: str) -> str:
    """What a kind of mark looks like, for a legend."""
    if kind in ("dot", "dot-2"):
        inner = f'<circle class="{kind}" cx="9" cy="7" r="5"/>'
    elif kind == "range":
        inner = '<rect class="range" x="0" y="4" width="18" height="6"/>'
    elif kind == "curve":
        inner = '<path class="curve" d="M0 7H18"/>'
    else:
        inner = f'<rect class="{kind}" x="0" y="1" width="18" height="12"/>'
    return f'<svg aria-hidden="true" width="18" height="14">{inner}</svg>'


def _line(plot: Plot) -> str:
    return _path([(point.x, point.y) for point in plot.points], stairs=plot.stairs)


def _band(plot: Plot) -> str:
    there = _corners([(point.x, point.high) for point in plot.points], stairs=plot.stairs)
    back = _corners([(point.x, point.low) for point in plot.points], stairs=plot.stairs)
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in [*there, *back[::-1]]) + "Z"


def _path(points: Sequence[tuple[float, float]], *, stairs: bool) -> str:
    corners = _corners(points, stairs=stairs)
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in corners)


def _corners(points: Sequence[tuple[float, float]], *, stairs: bool) -> list[tuple[float, float]]:
    """Points in the thousandths of a plot; with corners where each height is kept to the next."""
    found: list[tuple[float, float]] = []
    for x, y in points:
        if stairs and found:
            found.append((1000 * x, found[-1][1]))
        found.append((1000 * x, 1000 * (1 - y)))
    return found
