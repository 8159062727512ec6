"""Oscar's models."""

from oscar.apps.shipping.models import *  # noqa: F403 - as oscar's documentation has it
