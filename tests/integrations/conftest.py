"""Django is set up before the tests import its models; without it they are skipped."""

from contextlib import suppress

with suppress(ModuleNotFoundError):
    import django

    django.setup()
