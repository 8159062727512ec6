"""Receive events over HTTP and write them to a log. Needs the extra ``collect``."""

from lastclick.collect._body import Limits

try:
    from lastclick.collect._app import create_app
except ModuleNotFoundError as error:
    msg = "lastclick.collect needs the extra 'collect': pip install 'lastclick[collect]'"
    raise ModuleNotFoundError(msg, name=error.name) from None

__all__ = ["Limits", "create_app"]
