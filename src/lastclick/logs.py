"""Reading: logs, and tables of events that others recorded."""

from lastclick._log import Log, Place, Problems, read_log

__all__ = ["Log", "Place", "Problems", "read_log"]
