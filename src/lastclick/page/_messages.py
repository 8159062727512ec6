"""The words of a page in a language: gettext catalogues, one file each in ``locales``."""

from functools import lru_cache
from gettext import NullTranslations
from pathlib import Path

from lastclick.errors import ConfigError

LOCALES = Path(__file__).parent / "locales"
#: Languages that are written from right to left.
_RIGHT_TO_LEFT = ("ar", "fa", "he", "ur")


def languages() -> list[str]:
    """The languages there are: English, and each that has a catalogue."""
    return ["en", *sorted(file.parts[-3] for file in LOCALES.glob("*/LC_MESSAGES/lastclick.po"))]


def is_right_to_left(language: str) -> bool:
    """Whether a language is written from right to left."""
    return language.partition("_")[0] in _RIGHT_TO_LEFT


@lru_cache(maxsize=16)
def messages(language: str) -> NullTranslations:
    """The catalogue of a language.

    Raises:
        ConfigError: There is none, or the extra that reads it is missing.
    """
    if language not in languages():
        known = ", ".join(languages())
        raise ConfigError(f"language {language!r:.50} is not known; choose one of {known}")
    if language == "en":
        return NullTranslations()
    try:
        from lastclick.page._babel import read_catalogue
    except ModuleNotFoundError:
        msg = f"language {language!r} needs the extra 'i18n': pip install 'lastclick[i18n]'"
        raise ConfigError(msg) from None
    return read_catalogue(LOCALES / language / "LC_MESSAGES" / "lastclick.po", language)


def later(message: str) -> str:
    """Mark a message that is translated where it is used, not where it is written."""
    return message


def both(one: str, many: str) -> tuple[str, str]:
    """Mark a message about a number likewise, in its two English forms."""
    return one, many
