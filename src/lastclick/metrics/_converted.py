"""Revenue in one currency, where the shop says at which rates: frozen, of the day of each order."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TypeAlias

from lastclick._money import Money
from lastclick.errors import ConfigError, EventError
from lastclick.metrics._counts import Key
from lastclick.metrics._revenue import Revenue, rounded

#: By currency and day: what one unit of it is worth.
Rates: TypeAlias = Mapping[str, Mapping[str | date, str | int | Decimal]]
_SUCH_AS = '{"USD": {"2026-10-01": "0.92"}}'


def revenue_in(counts: Mapping[Key, int], currency: str, rates: Rates) -> Revenue:
    """Revenue of all currencies in one; what goes back is worth what its order was.

    Raises:
        ConfigError: A rate is missing or cannot be used.
    """
    try:
        Money(0, currency)
    except EventError as error:
        raise ConfigError(f"currency: {error}") from None
    known = _known(rates)
    sums = dict.fromkeys(("gross_on", "refunded_on", "cancelled_on"), Fraction(0))
    orders = sum(number for key, number in counts.items() if key[0] == "priced")
    missing = set()
    for key, units in counts.items():
        if key[0] in sums:
            what, day, code = map(str, key)
            one = Fraction(1) if code == currency else known.get((code, day))
            if one is None:
                missing.add((day, code))
            else:
                sums[what] += units * one
    if missing:
        day, code = min(missing)
        more = f" (nor {len(missing) - 1} more)" if len(missing) > 1 else ""
        msg = (
            f"no rate of {code} in {currency} on {day}{more}; "
            f"give rates={{{code!r}: {{{day!r}: ...}}}}"
        )
        raise ConfigError(msg)
    gross, refunded, cancelled = (rounded(part, currency) for part in sums.values())
    return Revenue(gross, refunded, gross - refunded - cancelled, orders)


def _known(rates: Rates) -> dict[tuple[str, str], Fraction]:
    known = {}
    given: object = rates
    if not isinstance(given, Mapping):
        msg = f"rates is {given!r:.100}; pass rates by currency and day: {_SUCH_AS}"
        raise ConfigError(msg)
    for code, by_day in rates.items():
        each: object = by_day
        if not isinstance(each, Mapping):
            raise ConfigError(f"rates[{code!r}] is {each!r:.100}; pass rates by day: {_SUCH_AS}")
        for day, value in by_day.items():
            try:
                if isinstance(value, float | bool):
                    raise InvalidOperation
                one = Fraction(Decimal(value))
            except (InvalidOperation, TypeError, ValueError, OverflowError):
                one = Fraction(0)
            if one <= 0:
                msg = (
                    f"rates[{code!r}][{day!r}] is {value!r:.100}; pass text, an int or a Decimal "
                    f'above 0, such as "0.92"'
                )
                raise ConfigError(msg)
            known[code, str(day)] = one
    return known
