"""A page's own file, for the command line: its look, what happened, and what was spent."""

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Self

import attrs

from lastclick._money import Money
from lastclick.errors import ConfigError, EventError
from lastclick.page._facts import Mark
from lastclick.page._theme import Theme

_LOOK = ("name", "logo", "colour", "second")
_SHAPE = (
    "it has name, logo, colour, second, then [[marks]] with day and name, and [spend] with by and "
    "channels"
)


@attrs.frozen(kw_only=True)
class PageFile:
    """What a page is told besides its log.

    Attributes:
        theme: What it looks like.
        marks: What happened on the way.
        spend_by: The attribute that says the channel.
        spend: By channel, what was spent.
    """

    theme: Theme = attrs.field(factory=Theme)
    marks: tuple[Mark, ...] = ()
    spend_by: str = ""
    spend: Mapping[str, Money] = attrs.field(factory=dict)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read it from TOML; a logo is looked for beside the file.

        Raises:
            ConfigError: There is something in it that cannot be used.
        """
        try:
            settings = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{file}: {error}") from None
        unknown = sorted(set(settings) - {*_LOOK, "marks", "spend"})
        if unknown:
            raise ConfigError(f"{file}: {unknown[0]!r:.100} means nothing here; {_SHAPE}")
        look = {name: settings[name] for name in _LOOK if name in settings}
        if "logo" in look:
            look["logo"] = file.parent / str(look["logo"])
        try:
            spend = settings.get("spend", {"by": "", "channels": {}})
            return cls(
                theme=Theme(**look),
                marks=tuple(_mark(one) for one in settings.get("marks", [])),
                spend_by=str(spend["by"]),
                spend={name: _money(name, said) for name, said in spend["channels"].items()},
            )
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
        except (AttributeError, KeyError, TypeError):
            raise ConfigError(f"{file}: not as a page's file is; {_SHAPE}") from None


def _mark(one: Mapping[str, Any]) -> Mark:
    day = one["day"]
    if not isinstance(day, date):
        raise ConfigError(f"marks: day is {day!r:.100}; write it without quotes: 2026-10-14")
    return Mark(date(day.year, day.month, day.day), str(one["name"]))


def _money(channel: str, said: str) -> Money:
    currency, _, amount = said.partition(" ")
    try:
        return Money(amount, currency)
    except EventError:
        msg = f"spend: {channel!r:.100} is {said!r:.100}; write it as 'EUR 400.00'"
        raise ConfigError(msg) from None
