"""Brings the page's catalogues up to date with its messages: new ones are added, old ones leave.

    python -m scripts.messages

A fifth language begins with an empty src/lastclick/page/locales/xx/LC_MESSAGES/lastclick.po.
"""

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

PAGE = Path(__file__).parent.parent / "src" / "lastclick" / "page"
#: Which calls hold messages, and at which places.
KEYWORDS = {"say": None, "text": None, "later": None, "several": (1, 2), "both": (1, 2)}


def template() -> Catalog:
    """All messages of the page, where they stand in its code."""
    found = Catalog(project="lastclick", charset="utf-8")
    for file, _, message, _, _ in extract_from_dir(PAGE, keywords=KEYWORDS):
        found.add(message, locations=[(file, None)])
    return found


def renewed(file: Path) -> bytes:
    """A catalogue with the messages that there are now, and no others."""
    language = file.parts[-3]
    with file.open("rb") as old:
        catalogue = read_po(old, locale=language)
    catalogue.update(template(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    written = BytesIO()
    write_po(written, catalogue, no_location=True, width=100)
    return written.getvalue()


def main() -> None:
    """Rewrite each catalogue, and say what it lacks."""
    for file in sorted(PAGE.glob("locales/*/LC_MESSAGES/lastclick.po")):
        file.write_bytes(renewed(file))
        with file.open("rb") as new:
            missing = [one.id for one in read_po(new) if one.id and not _is_translated(one.string)]
        print(f"{file.relative_to(PAGE)}: {len(missing)} messages to translate")


def _is_translated(said: object) -> bool:
    return all(said) if isinstance(said, tuple | list) else bool(said)


if __name__ == "__main__":
    main()
