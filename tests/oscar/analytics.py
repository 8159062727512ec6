"""Oscar's counters of views and sales, which nobody asks for here.

Under PostgreSQL two orders of the same goods wait for each other's counters, in the order of their
lines: one is ended as a deadlock, and its page is a 500. So do two who are the first to view.
"""

from oscar.apps.analytics import apps


class AnalyticsConfig(apps.AnalyticsConfig):
    """The tables, and nothing that fills them."""

    def ready(self):
        """Connect no receivers."""
