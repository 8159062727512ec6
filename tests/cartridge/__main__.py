"""``fill`` an empty shop, or say what its books say: ``books``. Prints JSON."""

import json
import sys

import django


def books():
    """All orders, as the shop's own tables have them."""
    from cartridge.shop.models import Order
    from django.contrib.auth.models import User

    staff = set(User.objects.filter(is_staff=True).values_list("pk", flat=True))
    return [
        [str(order.pk), str(order.total), order.user_id in staff] for order in Order.objects.all()
    ]


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "fill":
        from django.core.management import call_command
        from django.db import connection

        from tests.cartridge.shop import fill

        call_command("migrate", verbosity=0)
        if connection.vendor == "sqlite":  # readers do not wait for the writer
            connection.cursor().execute("PRAGMA journal_mode=WAL")
        print(json.dumps(fill()))
    else:
        print(json.dumps(books()))
