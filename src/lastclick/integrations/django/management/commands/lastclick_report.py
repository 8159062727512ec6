"""``manage.py lastclick_report``: the report about the shop's log."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lastclick import measure, read_log
from lastclick.errors import LastclickError
from lastclick.integrations.django._settings import log_directory, tracking


class Command(BaseCommand):
    """Prints the report about the shop's own log."""

    help = "Report on the checkout: where shoppers leave it, and what that costs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The arguments that are most asked for; `lastclick report` has them all."""
        parser.add_argument("--log", help="The log; by default the one that the shop writes.")
        parser.add_argument("--by", action="append", default=[], help="Group by an attribute.")
        parser.add_argument(
            "--as-of", type=datetime.fromisoformat, help="An ISO 8601 time with its zone."
        )
        parser.add_argument("--format", choices=("text", "json", "markdown"), default="text")

    def handle(self, *_: Any, **options: Any) -> None:
        """Measure and print."""
        try:
            log = options["log"] or log_directory()
            report = measure(
                read_log(log), tracking().funnel, by=options["by"], as_of=options["as_of"]
            )
        except LastclickError as error:
            raise CommandError(str(error)) from None
        if options["format"] == "json":
            self.stdout.write(json.dumps(report.to_dict(), indent=2))
        elif options["format"] == "markdown":
            self.stdout.write(report.to_markdown())
        else:
            self.stdout.write(str(report))
