"""A report that goes on from yesterday's: only what is new in a log is read."""

from lastclick.rolled._roll import Rolled, is_rolled, read_rolled, roll

__all__ = ["Rolled", "is_rolled", "read_rolled", "roll"]
