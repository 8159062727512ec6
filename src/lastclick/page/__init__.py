"""The page: a report that people would rather look at than read."""

from lastclick.page._facts import Mark
from lastclick.page._page import Page, PageOptions, report_page
from lastclick.page._theme import Theme

__all__ = ["Mark", "Page", "PageOptions", "Theme", "report_page"]
