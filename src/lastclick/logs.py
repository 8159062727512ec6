"""Reading: logs, and tables of events that others recorded."""

from lastclick._log import Log, read_log
from lastclick._mapping import AttributeColumn, Fact, TableMapping
from lastclick._reading import Place, Problems
from lastclick._table import Table, TableProblems, read_table

__all__ = [
    "AttributeColumn",
    "Fact",
    "Log",
    "Place",
    "Problems",
    "Table",
    "TableMapping",
    "TableProblems",
    "read_log",
    "read_table",
]
