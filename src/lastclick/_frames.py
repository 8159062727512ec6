"""Rows as a table of pandas, polars or pyarrow, whichever the user has."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import attrs

from lastclick.errors import ConfigError

Library: TypeAlias = Literal["pandas", "polars", "pyarrow"]

#: Digits of an amount of money: more than a sum can have, and the most of a 128 bit decimal.
_DIGITS = 38
_DECIMALS = 4


@attrs.frozen
class Column:
    """A column of one type.

    Attributes:
        name: Its name.
        kind: ``str``, ``int``, ``float``, ``Decimal``, or ``datetime`` in UTC.
        values: Its values; None for those that are not known.
    """

    name: str
    kind: type
    values: Sequence[object]


def frame(columns: Sequence[Column], library: str) -> Any:
    """The columns as a table of a library.

    Raises:
        ConfigError: There is no such library, or it is not installed.
    """
    try:
        build = _LIBRARIES[library]
    except (KeyError, TypeError):
        names = ", ".join(map(repr, _LIBRARIES))
        raise ConfigError(f"to_frame knows {names}, not {library!r:.100}") from None
    try:
        module = importlib.import_module(library)
    except ModuleNotFoundError:
        msg = (
            f"to_frame({library!r}) needs {library}, which is not installed: pip install {library}"
        )
        raise ConfigError(msg) from None
    return build(module, columns)


def _pandas(pandas: Any, columns: Sequence[Column]) -> Any:
    # Nullable integers, so that a missing count makes no floats of the others; exact decimals.
    types = {str: "object", int: "Int64", float: "Float64", Decimal: "object"}
    types[datetime] = "datetime64[us, UTC]"
    return pandas.DataFrame(
        {
            column.name: pandas.Series(list(column.values), dtype=types[column.kind])
            for column in columns
        }
    )


def _polars(polars: Any, columns: Sequence[Column]) -> Any:
    types = {
        str: polars.String,
        int: polars.Int64,
        float: polars.Float64,
        Decimal: polars.Decimal(_DIGITS, _DECIMALS),
        datetime: polars.Datetime("us", "UTC"),
    }
    return polars.DataFrame(
        [polars.Series(column.name, column.values, types[column.kind]) for column in columns]
    )


def _pyarrow(pyarrow: Any, columns: Sequence[Column]) -> Any:
    types = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        Decimal: pyarrow.decimal128(_DIGITS, _DECIMALS),
        datetime: pyarrow.timestamp("us", tz="UTC"),
    }
    return pyarrow.table(
        {column.name: pyarrow.array(column.values, type=types[column.kind]) for column in columns}
    )


_LIBRARIES: Mapping[str, Callable[[Any, Sequence[Column]], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _pyarrow,
}
