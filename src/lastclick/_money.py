"""Money: an exact amount in one currency."""

import re
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from typing_extensions import override

from lastclick.errors import EventError, shown

#: Sums in a report may exceed what one amount may be; nothing is ever rounded here.
_EXACT = Context(prec=60)

_AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,4})?")
_CURRENCY = re.compile(r"[A-Za-z]{3}")  # before upper(), which makes ASCII of some other letters
#: An amount of an event is below this; a sum may be above.
LIMIT = Decimal(10**12)

#: ISO 4217 currencies whose minor unit is not 1/100 (list one, as published by SIX in 2024).
_MINOR_DIGITS = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}

#: Money inside counts is a whole number of these: 1/10,000 of the currency.
UNITS = 10_000


def _amount(value: object) -> Decimal:
    if isinstance(value, float):
        msg = (
            f"a float cannot hold an amount exactly: {shown(value)}; "
            f'pass text ("59.90"), a Decimal, or Money.from_minor(5990, "EUR")'
        )
        raise EventError(msg, "float_amount")
    if isinstance(value, Decimal):
        return _from_decimal(value)
    if type(value) is int:
        return _from_decimal(Decimal(value))
    if not isinstance(value, str):
        msg = f"an amount is text, a Decimal or an int, not {type(value).__name__}: {shown(value)}"
        raise EventError(msg, "bad_amount")
    if not _AMOUNT.fullmatch(value):
        msg = (
            f"not an amount: {shown(value)}; write plain ASCII digits such as '59.90', "
            f"with at most 4 decimals, below 10^12"
        )
        raise EventError(msg, "bad_amount")
    return _unsigned_zero(Decimal(value))


def _from_decimal(value: Decimal) -> Decimal:
    # Nothing here may round, so no operator is used: they obey the caller's decimal context.
    if not value.is_finite():
        msg = f"not an amount: {value}; pass a finite number such as Decimal('59.90')"
        raise EventError(msg, "bad_amount")
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    plain = value
    if exponent > 0 or exponent < -4:
        if value.adjusted() > 12:
            plain = LIMIT
        else:
            plain = _EXACT.quantize(value, Decimal(1) if exponent > 0 else Decimal("0.0001"))
    if plain != value or plain.copy_abs() >= LIMIT:
        msg = f"not an amount: {value!s:.100}; write it with at most 4 decimals, below 10^12"
        raise EventError(msg, "bad_amount")
    return _unsigned_zero(plain)


def _unsigned_zero(amount: Decimal) -> Decimal:
    return amount.copy_abs() if amount.is_zero() else amount


def _currency(value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        msg = f"not a currency: {shown(value)}; use an ISO 4217 code such as 'EUR'"
        raise EventError(msg, "bad_currency")
    return value.upper()


class Money(BaseModel):
    """An exact amount in one currency. Adds to its own currency only.

    Args:
        amount: Text (``"59.90"``), a Decimal or an int, in whole units of the currency; ASCII
            digits, at most 4 decimals, below 10^12. A float is refused.
        currency: ISO 4217 code; upper-cased.

    Raises:
        EventError: The amount or the currency cannot be used; the message says how to write it.

    Example:
        >>> Money("59.90", "eur") + Money(5, "EUR")
        Money('64.90', 'EUR')
        >>> Money.from_minor(5990, "eur")
        Money('59.90', 'EUR')
        >>> print(Money("1234.5", "EUR"))
        EUR 1,234.50

    .. versionadded:: 0.1.0
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    amount: Annotated[
        Decimal,
        BeforeValidator(_amount, json_schema_input_type=str),
        Field(json_schema_extra={"pattern": "^-?[0-9]{1,12}(\\.[0-9]{1,4})?$"}),
    ]
    currency: Annotated[
        str, BeforeValidator(_currency), Field(json_schema_extra={"pattern": "^[A-Z]{3}$"})
    ]

    def __init__(self, amount: Decimal | str | int, currency: str) -> None:
        try:
            super().__init__(amount=amount, currency=currency)
        except ValidationError as error:
            found = fault(error)
        else:
            return
        raise EventError(*found)

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values, checked as new ones are."""
        return type(self)(**{**dict(self), **(update or {})})

    @classmethod
    def from_minor(cls, amount: int, currency: str) -> Self:
        """Make money from a whole number of minor units, as payment providers count (cents).

        Args:
            amount: Minor units of the currency: cents for EUR, yen for JPY, fils for BHD.
            currency: ISO 4217 code in any case.

        Raises:
            EventError: The amount is not an int, or the currency is not a code.

        Example:
            >>> Money.from_minor(5990, "jpy")
            Money('5990', 'JPY')

        .. versionadded:: 0.1.0
        """
        if type(amount) is not int:
            msg = f"minor units are an int, not {type(amount).__name__}: {shown(amount)}"
            raise EventError(msg, "bad_amount")
        code = _currency(currency)
        digits = _MINOR_DIGITS.get(code, 2)
        return cls(_EXACT.scaleb(Decimal(amount), -digits), code)

    @classmethod
    def from_units(cls, units: int, currency: str) -> Self:
        """Make money from 1/10,000 of the currency, as `Counts` hold it; of any size.

        Example:
            >>> Money.from_units(599_000, "EUR")
            Money('59.90', 'EUR')

        .. versionadded:: 0.1.0
        """
        digits = _MINOR_DIGITS.get(currency, 2)
        amount = _EXACT.scaleb(Decimal(units), -4)
        usual = _EXACT.quantize(amount, _EXACT.scaleb(Decimal(1), -digits))
        exact = usual if usual == amount else amount
        return cls.model_construct(amount=_unsigned_zero(exact), currency=currency)

    @property
    def units(self) -> int:
        """The amount in 1/10,000 of the currency, a whole number."""
        return int(_EXACT.scaleb(self.amount, 4))

    def _same(self, other: object) -> "Money":
        if not isinstance(other, Money):
            msg = f"money adds to money only, not to {type(other).__name__}: {shown(other)}"
            raise TypeError(msg)
        if other.currency != self.currency:
            msg = f"{self!r} and {other!r} are in two currencies, which are never added or compared"
            raise ValueError(msg)
        return other

    def __add__(self, other: "Money") -> "Money":
        return self._with(_EXACT.add(self.amount, self._same(other).amount))

    def __sub__(self, other: "Money") -> "Money":
        return self._with(_EXACT.subtract(self.amount, self._same(other).amount))

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other).amount

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other).amount

    def __gt__(self, other: "Money") -> bool:
        return self.amount > self._same(other).amount

    def __ge__(self, other: "Money") -> bool:
        return self.amount >= self._same(other).amount

    def _with(self, amount: Decimal) -> "Money":
        return Money.model_construct(amount=amount, currency=self.currency)

    def __repr__(self) -> str:
        return f"Money({str(self.amount)!r}, {self.currency!r})"

    def _repr_html_(self) -> str:
        from html import escape  # of use in notebooks only

        return f'<span style="white-space:nowrap">{escape(str(self))}</span>'

    def __str__(self) -> str:
        digits = max(_MINOR_DIGITS.get(self.currency, 2), -int(self.amount.as_tuple().exponent))
        return f"{self.currency} {self.amount:,.{digits}f}"


def minor_units(currency: str) -> int:
    """How many 1/10,000 of the currency its minor unit is: 100 for EUR, 10,000 for JPY."""
    return int(10 ** (4 - _MINOR_DIGITS.get(currency, 2)))


def fault(error: ValidationError) -> tuple[str, str]:
    """The first fault that pydantic found, in one sentence, and its reason: for an `EventError`.

    Raise that where pydantic's error is gone. As its context, that one would be in a circle with
    the frames on the way which no garbage collector sees through, and keep them alive.
    """
    first: Any = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, EventError):
        return str(cause), cause.reason
    where = "".join(f"{part}." for part in first["loc"])[:-1] or "a line"
    return f"{where}: {first['msg']}, got {shown(first['input'])}", first["type"]
