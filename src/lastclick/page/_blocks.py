"""What a page is made of: sections of blocks of text, figures and names, however it is drawn."""

from collections.abc import Sequence
from typing import TypeAlias

import attrs


@attrs.frozen
class Figure:
    """A value of the facts, as it is written.

    Attributes:
        path: Where it stands in the facts.
        value: The exact value, for machines: ``0.16``, ``EUR 7950.00``; empty where there is none.
        shown: The value as people read it.
        moment: Whether it is a day or an instant.
    """

    path: str
    value: str
    shown: str
    moment: bool = False


@attrs.frozen
class Name:
    """Text that the merchant gave: a step, an owner, a reason. It is only text, whatever it is."""

    said: str


@attrs.frozen
class Link:
    """A link to an anchor of the page.

    Attributes:
        anchor: Where to.
        said: What is written.
        about: What is added for those who hear links without what is around them.
    """

    anchor: str
    said: "Inlines"
    about: str = ""


Inlines: TypeAlias = tuple[str | Figure | Name | Link, ...]


@attrs.frozen
class Sentence:
    """A sentence, an anchor to share it by, and what it rests on.

    Attributes:
        text: The sentence.
        anchor: Where it can be found; empty where nobody looks for it.
        links: Its figure and its definition.
    """

    text: Inlines
    anchor: str = ""
    links: tuple[Link, ...] = ()


@attrs.frozen
class Paragraph:
    """Some sentences in a row; a note is set smaller; one may stand where a chart would."""

    text: Inlines
    note: bool = False
    anchor: str = ""


@attrs.frozen
class Statements:
    """Sentences that each say one thing, below each other."""

    sentences: tuple[Sentence, ...]
    heading: Inlines = ()


@attrs.frozen
class Tile:
    """A figure to be seen at first sight."""

    label: Inlines
    figure: Inlines
    note: Inlines
    anchor: str
    bad: bool = False


@attrs.frozen
class Tiles:
    """Some of these beside each other."""

    tiles: tuple[Tile, ...]


@attrs.frozen
class Table:
    """Rows of cells under a header; the first column is a name, the others are figures.

    Attributes:
        caption: What it shows.
        header: One text a column.
        rows: As many texts a row.
        words: Columns, by place, that hold words and not figures.
    """

    caption: Inlines
    header: tuple[Inlines, ...]
    rows: tuple[tuple[Inlines, ...], ...]
    words: frozenset[int] = frozenset()


@attrs.frozen
class Shape:
    """A mark on a scale from 0 to 1.

    Attributes:
        kind: ``"on"`` and ``"off"`` are bars of what went well and what did not, ``"more"`` one of
            what may yet be or could at most have been, ``"range"`` an interval, ``"dot"`` a point.
        start: Where it begins.
        end: Where it ends.
        said: Its figure, for those who point at it.
    """

    kind: str
    start: float
    end: float
    said: str = ""


@attrs.frozen
class Bar:
    """A row of a chart: a name, its figures in words, its marks.

    Attributes:
        name: What it is of.
        said: Its figures.
        shapes: Its marks.
        flag: What is to be noticed, if anything.
    """

    name: Inlines
    said: Inlines
    shapes: tuple[Shape, ...]
    flag: Inlines = ()


@attrs.frozen
class Bars:
    """Rows on one scale.

    Attributes:
        rows: From top to bottom.
        ticks: What is written below the scale, by place from 0 to 1.
        thick: Whether rows are few and may be large.
    """

    rows: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...] = ()
    thick: bool = False


@attrs.frozen
class Point:
    """A point of a plot, all from 0 to 1; ``low`` and ``high`` are the ends of its interval."""

    x: float
    y: float
    low: float
    high: float
    said: str = ""


@attrs.frozen
class Plot:
    """Shares over time.

    Attributes:
        points: From left to right.
        across: What is written below, by place.
        up: What is written at the side, by height.
        stairs: Whether each height is kept up to the next point; points are joined otherwise.
        flags: By place, a letter for something that happened.
        counts: Bars below, by place: how far each is filled, its width and its figure.
    """

    points: tuple[Point, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    stairs: bool = False
    flags: tuple[tuple[float, str, str], ...] = ()
    counts: tuple[tuple[float, float, float, str], ...] = ()


@attrs.frozen
class Chart:
    """A drawing, and the table of what it shows behind it.

    Attributes:
        anchor: Where it can be found.
        title: What it shows.
        drawing: The marks.
        legend: What kinds of marks mean.
        table: The same figures.
        note: What to know when reading it.
    """

    anchor: str
    title: Inlines
    drawing: Bars | Plot
    legend: tuple[tuple[str, Inlines], ...]
    table: Table
    note: Inlines = ()


@attrs.frozen
class Grid:
    """A table that stands by itself."""

    anchor: str
    table: Table
    note: Inlines = ()


@attrs.frozen
class Terms:
    """Words and what they mean, each with an anchor."""

    terms: tuple[tuple[str, Inlines, Inlines], ...]


Block: TypeAlias = Paragraph | Statements | Tiles | Chart | Grid | Terms


@attrs.frozen
class Section:
    """One of the eight parts of a page.

    Attributes:
        anchor: Where it can be found.
        title: Its heading.
        blocks: What it holds.
    """

    anchor: str
    title: Inlines
    blocks: tuple[Block, ...]


@attrs.frozen
class Document:
    """All of a page.

    Attributes:
        title: Whose it is.
        about: What, over which days, as of when.
        headline: The one sentence to remember.
        sections: The eight parts.
    """

    title: Inlines
    about: tuple[Inlines, ...]
    headline: Inlines
    sections: Sequence[Section]


def joined(*parts: Inlines, by: str = " ") -> Inlines:
    """Parts in a row, with something between them; those that are empty are left out."""
    found: Inlines = ()
    for part in parts:
        if part:
            found += (by, *part) if found else part
    return found


#: Joiners within a word or an emoji; they are not printable, and do no harm.
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"


def clean(said: str) -> str:
    """A merchant's text that cannot break a line or turn the direction of reading."""
    return "".join(
        sign if sign.isprintable() or sign in _JOINERS else "\N{REPLACEMENT CHARACTER}"
        for sign in said
    )


def plain(inlines: Inlines) -> str:
    """The text alone."""
    return "".join(
        part
        if isinstance(part, str)
        else part.shown
        if isinstance(part, Figure)
        else clean(part.said)
        if isinstance(part, Name)
        else plain(part.said)
        for part in inlines
    )
