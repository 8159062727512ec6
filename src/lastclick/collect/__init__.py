"""Receive events over HTTP and write them to a log. Needs the extra ``collect``."""

from lastclick.collect._app import create_app
from lastclick.collect._body import Limits

__all__ = ["Limits", "create_app"]
