"""``manage.py lastclick_check``: the rules, and what is wrong with them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lastclick.integrations._rules import own_rules
from lastclick.integrations.django._checks import found, named_views
from lastclick.integrations.django._settings import tracking


class Command(BaseCommand):
    """Shows the rules in the order in which they are tried, and checks them."""

    help = "Check which responses are recorded as which step."

    def handle(self, *_: Any, **__: Any) -> None:
        """Print the rules, then what is wrong; exit with 1 if anything is."""
        wrong = found()
        if not any(message.id == "lastclick.E001" for message in wrong):
            own = tracking()
            self.stdout.write(f"{own.funnel!r}{', dry run' if own.dry_run else ''}")
            for rule in own.rules:
                self.stdout.write(f"  {rule!r}")
            for name, view in named_views():
                for rule in own_rules(view):
                    self.stdout.write(f"  {rule!r} at {name}")
        if wrong:
            raise CommandError("\n".join(message.msg for message in wrong))
        self.stdout.write("every rule fits what is there")
