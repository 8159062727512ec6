"""A page as text: Markdown for documents, and a digest for chat and mail."""

from collections.abc import Sequence

from lastclick.page._blocks import (
    Chart,
    Document,
    Grid,
    Inlines,
    Paragraph,
    Statements,
    Table,
    Terms,
    Tiles,
    plain,
)

#: What would be no text in Markdown.
_SIGNS = "\\`*_~[]<>|#&"


def markdown(document: Document) -> str:
    """The page for a document or a merge request: what it draws is in its tables."""
    parts = [f"# {_said(document.title)}", ""]
    parts += [" · ".join(_said(one) for one in document.about), ""]
    parts += [f"**{_said(document.headline)}**", ""]
    for section in document.sections:
        parts += [f"## {_said(section.title)}", ""]
        for block in section.blocks:
            match block:
                case Paragraph():
                    parts += [_said(block.text), ""]
                case Statements():
                    parts += [f"### {_said(block.heading)}", ""] if block.heading else []
                    parts += [*(f"- {_said(one.text)}" for one in block.sentences), ""]
                case Tiles():
                    pass  # the sentences say the same
                case Chart() | Grid():
                    parts += [f"### {_said(block.table.caption)}", ""]
                    parts += [*_rows(block.table), ""]
                    parts += [_said(block.note), ""] if block.note else []
                case Terms():
                    parts += [
                        *(f"- **{_said(word)}**: {_said(said)}" for _, word, said in block.terms),
                        "",
                    ]
    return "\n".join(parts)


def digest(document: Document) -> str:
    """The business case alone, for chat and mail."""
    parts = [
        f"{plain(document.title)}: {plain(document.headline)}",
        " · ".join(plain(one) for one in document.about),
        "",
    ]
    for block in document.sections[0].blocks:
        if isinstance(block, Statements):
            parts += [f"{plain(block.heading)}:"] if block.heading else []
            parts += [f"- {plain(one.text)}" for one in block.sentences]
            parts += [""]
    return "\n".join(parts)


def _said(inlines: Inlines) -> str:
    """Text that is only text in Markdown."""
    return "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in plain(inlines))


def _rows(table: Table) -> list[str]:
    words = {0, *table.words}
    sides = [":--" if place in words else "--:" for place in range(len(table.header))]
    rows = [_bar([_said(cell) for cell in row]) for row in table.rows]
    return [_bar([_said(one) for one in table.header]), _bar(sides), *rows]


def _bar(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
