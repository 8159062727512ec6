"""``fill`` an empty shop, or say what its books say: ``books``. Prints JSON."""

import json
import sys
import warnings

import django


def books():
    """All orders, as the shop's own tables have them."""
    from oscar.core.loading import get_model

    return [
        [order.number, str(order.total_incl_tax), bool(staff)]
        for order in get_model("order", "Order").objects.all()
        for staff in [order.user is not None and order.user.is_staff]
    ]


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "fill":
        from django.apps import apps
        from django.conf import settings
        from django.core.management import call_command
        from django.db import connection
        from django.test.utils import override_settings

        from tests.oscar.shop import fill

        warnings.filterwarnings("ignore", "update is not implemented in this backend")
        labels = {config.label: None for config in apps.get_app_configs()}
        with override_settings(MIGRATION_MODULES=labels):  # the tables at once
            call_command("migrate", run_syncdb=True, verbosity=0)
            # Oscar links it at the first page, and two workers may do so at once.
            settings.MEDIA_ROOT.mkdir()
            (settings.MEDIA_ROOT / settings.OSCAR_MISSING_IMAGE_URL).touch()
            if connection.vendor == "sqlite":  # readers do not wait for the writer
                connection.cursor().execute("PRAGMA journal_mode=WAL")
        print(json.dumps(fill()))
    else:
        print(json.dumps(books()))
