"""Results as plain values, ready for JSON."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import attrs

from lastclick._money import Money


class Plain:
    """A result that can be had as plain values."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, ready for JSON; exact fractions as floats."""
        return fields(self)


def fields(value: Any) -> dict[str, Any]:
    """The public fields of an attrs class, plain."""
    return {
        field.name: plain_value(getattr(value, field.name))
        for field in attrs.fields(type(value))
        if not field.name.startswith("_")
    }


def plain_value(value: Any) -> Any:
    """A value as JSON knows it."""
    if isinstance(value, Money):
        return {"amount": str(value.amount), "currency": value.currency}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, Mapping):
        return {"" if key is None else str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain_value(item) for item in value]
    if isinstance(value, Plain):
        return value.to_dict()
    return fields(value) if attrs.has(type(value)) else value
