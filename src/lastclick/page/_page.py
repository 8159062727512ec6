"""The page: one structure of all that a report says, drawn as HTML, Markdown, JSON and a digest."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import attrs
from typing_extensions import Unpack

from lastclick._journeys import Journey
from lastclick.analysis import Marketing
from lastclick.metrics import Report
from lastclick.page import _html, _text
from lastclick.page._blocks import Document, Inlines, Name
from lastclick.page._case import case, headline
from lastclick.page._facts import Every, Mark, facts
from lastclick.page._funnel import funnel
from lastclick.page._lost_money import lost_money
from lastclick.page._messages import is_right_to_left
from lastclick.page._tell import Tell
from lastclick.page._theme import Theme
from lastclick.page._time import time
from lastclick.page._trend import trend
from lastclick.page._trust import trust
from lastclick.page._who import who
from lastclick.page._won_back import won_back


class PageOptions(TypedDict, total=False):
    """What `report_page` and `Report.to_html` may be told besides; all of it may be left out.

    Attributes:
        before: An earlier report, to tell what changed since; of the report itself, only what
            started after the days of this one is compared.
        marketing: What was spent, and what it brought, as `lastclick.analysis.marketing` finds.
        marks: Releases and campaigns, to be shown in the trend.
        journeys: Of them, the dearest that can still be won back are listed, with the ids of their
            customers; without, a page names nobody.
        every: The periods of the trend; by default by how long the report is.
        theme: A merchant's own look.
        language: ``"en"``, or another that has a catalogue, such as ``"fr"``; these need the extra
            ``i18n``.
        command: The command that makes the page, to be shown on it.

    Example:
        >>> options: PageOptions = {"language": "en", "every": "week"}

    .. versionadded:: 0.1.0
    """

    before: Report
    marketing: Marketing
    marks: Sequence[Mark]
    journeys: Iterable[Journey]
    every: Every
    theme: Theme
    language: str
    command: str


@attrs.frozen(repr=False)
class Page:
    """All that a report says, ready to be read. Made by `report_page`.

    Attributes:
        facts: All that it says, as plain values.
        theme: What it looks like.
        language: The language of its words.

    Example:
        >>> from lastclick import measure
        >>> from lastclick.page import report_page
        >>> page = report_page(measure(events))
        >>> page.to_digest().splitlines()[0]
        'checkout: EUR 60 within reach, and lost'

    .. versionadded:: 0.1.0
    """

    facts: dict[str, Any]
    theme: Theme
    language: str

    def to_html(self) -> str:
        """The page as one HTML file."""
        tell = Tell(self.facts, self.language)
        return _html.draw(
            self._document(tell),
            tell,
            self.theme,
            self.language,
            mirrored=is_right_to_left(self.language),
        )

    def to_markdown(self) -> str:
        """The page as Markdown, with tables for charts."""
        return _text.markdown(self._document(Tell(self.facts, self.language)))

    def to_json(self) -> str:
        """The facts of the page as JSON."""
        return json.dumps(self.facts, indent=2, ensure_ascii=False) + "\n"

    def to_digest(self) -> str:
        """The business case in a few lines of plain text, for chat and mail."""
        return _text.digest(self._document(Tell(self.facts, self.language)))

    def __repr__(self) -> str:
        return f"Page({self.facts['report']['funnel']!r}, language={self.language!r})"

    def _document(self, tell: Tell) -> Document:
        name = tell.at("report.funnel")
        about: list[Inlines] = []
        if tell.at("report.first_day") is not None:
            about.append(
                tell.say(
                    "{first} to {last}",
                    first=tell.day("report.first_day"),
                    last=tell.day("report.last_day"),
                )
            )
            about.append(tell.say("as of {when}", when=tell.instant("report.as_of")))
        about.append(tell.several("{n} checkout", "{n} checkouts", tell.count("report.started")))
        if tell.at("report.unit") == "customer":
            about.append(tell.say("The checkouts of a customer are joined to one."))
        sections = (case, funnel, lost_money, time, won_back, who, trend, trust)
        return Document(
            (Name(name),) if name else tell.say("no funnel"),
            tuple(about),
            headline(tell),
            tuple(one(tell) for one in sections),
        )


def report_page(report: Report, **options: Unpack[PageOptions]) -> Page:
    """Make a page of a report: the business case, and all that it rests on.

    Args:
        report: What to tell.
        **options: As `PageOptions` has them.

    Raises:
        ConfigError: An option cannot be used.

    Example:
        >>> from lastclick import measure
        >>> html = report_page(measure(events, by="device")).to_html()
        >>> html.startswith("<!doctype html>")
        True

    .. versionadded:: 0.1.0
    """
    told = facts(
        report,
        before=options.get("before"),
        marketing=options.get("marketing"),
        marks=options.get("marks", ()),
        journeys=options.get("journeys"),
        every=options.get("every"),
        command=options.get("command"),
    )
    return Page(told, options.get("theme") or Theme(), options.get("language", "en"))
