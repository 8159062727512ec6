"""Django shops. Needs the extra ``django``: add this module to ``INSTALLED_APPS``."""

try:
    from lastclick.integrations._identity import Cookie
    from lastclick.integrations._rules import Rule, step
    from lastclick.integrations._visit import RequestCheckout, Tracking, TrackingStats
    from lastclick.integrations.django._middleware import (
        LastclickMiddleware,
        current_checkout,
        record_order,
    )
    from lastclick.integrations.django._settings import tracking
    from lastclick.integrations.django._signals import never_raises
except ModuleNotFoundError as error:
    msg = "lastclick.integrations.django needs the extra 'django': pip install 'lastclick[django]'"
    raise ModuleNotFoundError(msg, name=error.name) from None

__all__ = [
    "Cookie",
    "LastclickMiddleware",
    "RequestCheckout",
    "Rule",
    "Tracking",
    "TrackingStats",
    "current_checkout",
    "never_raises",
    "record_order",
    "step",
    "tracking",
]
