"""The app, which Django finds here."""

from typing import Any

from django.apps import AppConfig
from django.core import checks


class LastclickConfig(AppConfig):
    """Reads the settings once all apps are there, and checks the rules against what is there."""

    name = "lastclick.integrations.django"
    label = "lastclick"
    verbose_name = "lastclick"

    def ready(self) -> None:
        """Register the checks."""
        checks.register(check)


def check(*_: object, **__: Any) -> list[checks.CheckMessage]:
    """What is wrong with the settings, for ``manage.py check``."""
    from lastclick.integrations.django._checks import found

    return found()
