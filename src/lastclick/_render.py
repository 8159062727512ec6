"""Drawing a report: text, Markdown and HTML of the same lines and rows. Computes nothing."""

from collections.abc import Iterable, Sequence
from html import escape

import attrs


@attrs.frozen
class Table:
    """Rows of text under a header; the first column is a name, the others are figures.

    Attributes:
        header: One text a column.
        rows: As many texts a row.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@attrs.frozen
class Page:
    """What a report says, in the order in which it is said.

    Attributes:
        title: The parts of the first line.
        lines: (label, text) of each line after it.
        tables: The tables.
        notes: The sentences at the end.
    """

    title: Sequence[str]
    lines: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    notes: Sequence[str]


def text(page: Page) -> str:
    """The page for a terminal, in columns."""
    width = max(len(label) for label, _ in page.lines) + 2
    parts = ["   ".join(one_line(part) for part in page.title)]
    parts += [f"{label:<{width}}{one_line(said)}".rstrip() for label, said in page.lines]
    for table in page.tables:
        parts += ["", *_columns(table)]
    parts += [one_line(note) for note in page.notes]
    return "\n".join(parts)


def markdown(page: Page) -> str:
    """The page for a document or a merge request."""
    first, *others = page.title
    parts = [f"## {_cell(first)}", "", _cell(", ".join(others)), ""]
    parts += ["| | |", "|:--|:--|"]
    parts += [f"| {_cell(label)} | {_cell(said)} |" for label, said in page.lines]
    for table in page.tables:
        parts += ["", _bar(table.header), _bar([":--", *["--:"] * (len(table.header) - 1)])]
        parts += [_bar([_cell(cell) for cell in row]) for row in table.rows]
    return "\n".join([*parts, "", *(_cell(note) for note in page.notes), ""])


def html(page: Page) -> str:
    """The page for a notebook. Every text is escaped, since nothing else is put in.

    It takes the colours of the notebook, be they light or dark.
    """
    first, *others = page.title
    lines = [
        _element("tr", _element(_LABEL, _escaped(a)), _element(_SAID, _escaped(b)))
        for a, b in page.lines
    ]
    parts = [
        _element("h3", _escaped(first)),
        _element("p", _escaped(", ".join(others))),
        _element("table", _element("tbody", *lines)),
        *(html_table(table) for table in page.tables),
        *(_element("p", _escaped(note)) for note in page.notes),
    ]
    return _element("div", *parts)


def html_table(table: Table) -> str:
    """A table alone."""
    name, *figures = table.header
    head = [_element(_COLUMN_OF_NAMES, _escaped(name))]
    head += [_element(_COLUMN, _escaped(cell)) for cell in figures]
    body = [
        _element(
            "tr",
            _element(_NAME, _escaped(row[0])),
            *(_element(_FIGURE, _escaped(cell)) for cell in row[1:]),
        )
        for row in table.rows
    ]
    thead = _element("thead", _element("tr", *head))
    return _element("table", thead, _element("tbody", *body))


# Notebooks align all cells to the right, so names and sentences say where they stand.
_LABEL = 'th scope="row" style="text-align:left;white-space:nowrap"'
_NAME = 'th scope="row" style="text-align:left"'
_SAID = 'td style="text-align:left"'
_COLUMN_OF_NAMES = 'th scope="col" style="text-align:left"'
_COLUMN = 'th scope="col" style="text-align:right"'
_FIGURE = 'td style="text-align:right;white-space:nowrap"'


def _element(start: str, *content: str) -> str:
    name = start.partition(" ")[0]
    return f"<{start}>{''.join(content)}</{name}>"


def _escaped(said: str) -> str:
    """Text that is only text; one that reads from the right does not turn what is around it."""
    return _element("bdi", escape(one_line(said)))


def _columns(table: Table) -> Iterable[str]:
    rows = [[one_line(cell) for cell in row] for row in (table.header, *table.rows)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(table.header))]
    for row in rows:
        name, *figures = row
        cells = [f"{name:<{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(figures, widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()


def one_line(said: str) -> str:
    """Text that cannot break a line, steer a terminal or turn the direction of reading."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in said)


def _cell(said: str) -> str:
    """Text that is only text in Markdown."""
    plain = one_line(said)
    for sign in "\\`*_~[]<>|#&":
        plain = plain.replace(sign, f"\\{sign}")
    return plain


def _bar(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
