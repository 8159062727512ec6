"""A report that goes on from yesterday's: what is new in a log is added to a state, not read anew."""

from lastclick.rolled._roll import Rolled, read_rolled, roll

__all__ = ["Rolled", "read_rolled", "roll"]
