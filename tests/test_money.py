"""Money is exact, in one currency, and says how to write it where it cannot be used."""

import copy
import decimal
import pickle
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lastclick import Money
from lastclick._money import UNITS, minor_units
from lastclick.errors import EventError
from tests.event_strategies import amounts, currencies

#: More than str() makes text of.
MANY_DIGITS = 10**5000

# What it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "kept"),
    [
        ("59.90", "59.90"),
        ("59.9", "59.9"),
        ("0", "0"),
        ("-0.00", "0.00"),
        ("-12.5", "-12.5"),
        ("007", "7"),
        ("999999999999.9999", "999999999999.9999"),
        (59, "59"),
        (-1, "-1"),
        (999_999_999_999, "999999999999"),
        (Decimal("59.90"), "59.90"),
        (Decimal("-0"), "0"),
        (Decimal("1E3"), "1000"),
        (Decimal("1.5000000"), "1.5000"),
        (Decimal("0E-20"), "0.0000"),
    ],
)
def test_an_amount_is_kept_as_written(amount: Any, kept: str) -> None:
    """Text, an int or a Decimal is kept digit by digit; only zeros beyond 4 decimals go."""
    money = Money(amount, "EUR")

    assert str(money.amount) == kept


@pytest.mark.parametrize(("given", "kept"), [("EUR", "EUR"), ("eur", "EUR"), ("bHd", "BHD")])
def test_a_currency_is_upper_cased(given: str, kept: str) -> None:
    """Payment providers write currencies in lower case; here they are codes of ISO 4217."""
    assert Money(1, given).currency == kept


def test_money_says_itself() -> None:
    """The repr can be pasted; the text is for people."""
    money = Money("1234.5", "EUR")

    assert repr(money) == "Money('1234.5', 'EUR')"
    assert str(money) == "EUR 1,234.50"


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(5990, "JPY"), "JPY 5,990"),
        (Money("0.125", "EUR"), "EUR 0.125"),
        (Money("1", "BHD"), "BHD 1.000"),
        (Money("-0.5", "EUR"), "EUR -0.50"),
        (Money(0, "CLF"), "CLF 0.0000"),
        (Money("1000000", "XXX"), "XXX 1,000,000.00"),
    ],
)
def test_money_is_shown_with_the_digits_of_its_currency(money: Money, text: str) -> None:
    """Yen have no minor unit, dinars have three digits, and no digit that is there is hidden."""
    assert str(money) == text


def test_equal_money_is_one_key() -> None:
    """59.9 and 59.90 are the same money, in a set too; another currency is other money."""
    assert Money("59.9", "EUR") == Money("59.90", "EUR")
    assert len({Money("59.9", "EUR"), Money("59.90", "EUR"), Money("59.90", "USD")}) == 2
    assert Money(1, "EUR") != "EUR 1.00"


def test_money_is_frozen() -> None:
    """An amount that was checked cannot be changed."""
    money = Money(1, "EUR")

    with pytest.raises(ValidationError):
        money.amount = Decimal(2)


@given(amounts(signed=True), currencies)
def test_money_survives_copies(amount: Decimal, currency: str) -> None:
    """Money is the same after a pickle, a copy, its own dict and its own JSON."""
    money = Money(amount, currency)

    for again in (
        pickle.loads(pickle.dumps(money)),
        copy.deepcopy(money),
        Money(**money.model_dump()),
        Money.model_validate_json(money.model_dump_json()),
    ):
        assert repr(again) == repr(money)


def test_a_copy_with_another_amount_is_checked() -> None:
    """`model_copy` makes new money, by the rules of new money."""
    money = Money("59.90", "EUR")

    assert money.model_copy(update={"currency": "usd"}) == Money("59.90", "USD")
    assert money.model_copy() == money
    with pytest.raises(EventError, match="a float cannot hold"):
        money.model_copy(update={"amount": 5.5})


# What it refuses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "reason", "said"),
    [
        (59.9, "float_amount", ["59.9", "a float", '"59.90"', "from_minor"]),
        (float("nan"), "float_amount", ["nan", "a float"]),
        (float("inf"), "float_amount", ["inf", "a float"]),
        (Decimal("NaN"), "bad_amount", ["NaN", "finite"]),
        (Decimal("sNaN"), "bad_amount", ["sNaN", "finite"]),
        (Decimal("-Infinity"), "bad_amount", ["-Infinity", "finite"]),
        ("NaN", "bad_amount", ["'NaN'", "ASCII digits"]),
        ("Infinity", "bad_amount", ["'Infinity'", "ASCII digits"]),
        ("1_000", "bad_amount", ["'1_000'", "ASCII digits"]),
        (" 59 ", "bad_amount", ["' 59 '", "ASCII digits"]),
        ("59\n", "bad_amount", ["'59\\n'", "ASCII digits"]),
        ("1,000.00", "bad_amount", ["'1,000.00'", "ASCII digits"]),
        ("59,90", "bad_amount", ["'59,90'", "ASCII digits"]),
        ("+5", "bad_amount", ["'+5'", "ASCII digits"]),
        ("1e3", "bad_amount", ["'1e3'", "ASCII digits"]),
        (".5", "bad_amount", ["'.5'", "ASCII digits"]),
        ("5.", "bad_amount", ["'5.'", "ASCII digits"]),
        ("", "bad_amount", ["''", "ASCII digits"]),
        ("-", "bad_amount", ["'-'", "ASCII digits"]),
        ("\u0665\u0669", "bad_amount", ["\u0665\u0669", "ASCII digits"]),
        ("0.00001", "bad_amount", ["'0.00001'", "4 decimals"]),
        ("1000000000000", "bad_amount", ["'1000000000000'", "below 10^12"]),
        (10**12, "bad_amount", ["1000000000000", "below 10^12"]),
        (-(10**12), "bad_amount", ["-1000000000000", "below 10^12"]),
        (MANY_DIGITS, "bad_amount", ["1000", "below 10^12"]),
        (Decimal("1E+999999"), "bad_amount", ["1E+999999", "below 10^12"]),
        (Decimal("1E-999999"), "bad_amount", ["1E-999999", "4 decimals"]),
        (Decimal("59.90001"), "bad_amount", ["59.90001", "4 decimals"]),
        (None, "bad_amount", ["None", "NoneType", "text, a Decimal or an int"]),
        (True, "bad_amount", ["True", "bool", "text, a Decimal or an int"]),
        (b"5", "bad_amount", ["b'5'", "bytes", "text, a Decimal or an int"]),
        (Fraction(1, 2), "bad_amount", ["Fraction(1, 2)", "text, a Decimal or an int"]),
    ],
    ids=lambda value: "many digits" if value is MANY_DIGITS else None,
)
def test_an_amount_that_is_not_exact_is_refused(amount: Any, reason: str, said: list[str]) -> None:
    """What is not plainly an amount is refused, with its value and how to write it."""
    with pytest.raises(EventError) as caught:
        Money(amount, "EUR")

    assert caught.value.reason == reason
    for part in said:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "currency",
    [
        *("", "EU", "EURO", "\u20ac", "E1R", " EUR", "EUR\n", None, 978, b"EUR"),
        *("\u00dfd", "\ufb01x", "\u0131qd", "\u017fek"),  # upper() makes ASCII letters of these
    ],
)
def test_a_currency_is_three_ascii_letters(currency: Any) -> None:
    """What is not the shape of an ISO 4217 code is refused, with its value and an example."""
    with pytest.raises(EventError) as caught:
        Money("59.90", currency)

    assert caught.value.reason == "bad_currency"
    assert repr(currency) in str(caught.value)
    assert "ISO 4217 code such as 'EUR'" in str(caught.value)


def test_a_missing_argument_is_a_type_error() -> None:
    """Money has two parts; there is no default currency."""
    with pytest.raises(TypeError):
        Money("59.90")  # type: ignore[call-arg]


# Arithmetic ---------------------------------------------------------------------------------------


def test_money_adds_to_its_own_currency() -> None:
    """Sums and differences are exact and keep the finer of the two numbers of decimals."""
    assert Money("0.10", "EUR") + Money("0.20", "EUR") == Money("0.30", "EUR")
    assert repr(Money("5", "EUR") - Money("5.00", "EUR")) == "Money('0.00', 'EUR')"
    assert repr(Money("1", "EUR") + Money("0.0001", "EUR")) == "Money('1.0001', 'EUR')"


@pytest.mark.parametrize("verb", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"])
def test_two_currencies_are_never_added_or_compared(verb: str) -> None:
    """Adding euros to dollars is an error that shows both."""
    with pytest.raises(ValueError, match="two currencies") as caught:
        getattr(Money(1, "EUR"), verb)(Money(2, "USD"))

    assert "Money('1', 'EUR')" in str(caught.value)
    assert "Money('2', 'USD')" in str(caught.value)


@pytest.mark.parametrize("other", [1, Decimal(1), 1.0, "1", None])
def test_money_does_not_add_to_a_number(other: Any) -> None:
    """A number has no currency, so money does not add to it: not even sum()'s 0."""
    with pytest.raises(TypeError, match="money only"):
        Money(1, "EUR") + other


def test_money_is_ordered_within_its_currency() -> None:
    """Amounts of one currency compare by value, not by text."""
    nine, ten = Money("9.0", "EUR"), Money("10", "EUR")

    assert nine < ten
    assert nine <= ten
    assert ten > nine
    assert ten >= Money("10.00", "EUR")
    assert max(nine, ten) is ten


@given(amounts(signed=True), amounts(signed=True))
def test_arithmetic_is_exact(left: Decimal, right: Decimal) -> None:
    """A sum and a difference are those of the rational numbers, at any size."""
    one, other = Money(left, "EUR"), Money(right, "EUR")

    assert Fraction((one + other).amount) == Fraction(left) + Fraction(right)
    assert Fraction((one - other).amount) == Fraction(left) - Fraction(right)
    assert (one + other) - other == one
    assert (one < other) == (left < right)


@given(amounts(signed=True), currencies)
def test_arithmetic_does_not_heed_the_callers_decimal_context(
    amount: Decimal, currency: str
) -> None:
    """A shop that computes with two digits, and traps rounding, has the same money."""
    expected = [repr(Money(form, currency)) for form in (amount, f"{amount:f}")]
    doubled = repr(Money(amount, currency) + Money(amount, currency))
    units = Money(amount, currency).units

    with decimal.localcontext(decimal.Context(prec=2, traps=[decimal.Inexact, decimal.Rounded])):
        assert [repr(Money(form, currency)) for form in (amount, f"{amount:f}")] == expected
        assert repr(Money(amount, currency) + Money(amount, currency)) == doubled
        assert Money(amount, currency).units == units
        assert Money.from_units(units, currency) == Money(amount, currency)


# Minor units and the units of counts --------------------------------------------------------------


@pytest.mark.parametrize(
    ("minor", "currency", "money"),
    [
        (5990, "eur", "Money('59.90', 'EUR')"),
        (5990, "JPY", "Money('5990', 'JPY')"),
        (5990, "bhd", "Money('5.990', 'BHD')"),
        (5990, "CLF", "Money('0.5990', 'CLF')"),
        (5990, "ZZZ", "Money('59.90', 'ZZZ')"),
        (-1, "USD", "Money('-0.01', 'USD')"),
        (0, "USD", "Money('0.00', 'USD')"),
        (99_999_999_999_999, "USD", "Money('999999999999.99', 'USD')"),
    ],
)
def test_minor_units_are_those_of_the_currency(minor: int, currency: str, money: str) -> None:
    """What a payment provider counts becomes money: cents, yen, fils."""
    assert repr(Money.from_minor(minor, currency)) == money


@pytest.mark.parametrize(
    ("currency", "units"), [("EUR", 100), ("JPY", 10_000), ("BHD", 10), ("CLF", 1), ("ZZZ", 100)]
)
def test_a_minor_unit_is_a_whole_number_of_units(currency: str, units: int) -> None:
    """Every minor unit there is can be counted in units of 1/10,000."""
    assert minor_units(currency) == units
    assert Money.from_minor(1, currency).units == units


@pytest.mark.parametrize("minor", [59.0, "5990", Decimal(5990), True, None])
def test_minor_units_are_whole(minor: Any) -> None:
    """What is not an int is no number of minor units; its type and value are named."""
    with pytest.raises(EventError, match="minor units are an int") as caught:
        Money.from_minor(minor, "EUR")

    assert caught.value.reason == "bad_amount"
    assert repr(minor) in str(caught.value)
    assert type(minor).__name__ in str(caught.value)


@pytest.mark.parametrize(
    ("minor", "currency", "reason"),
    [
        (10**14, "EUR", "bad_amount"),
        (MANY_DIGITS, "EUR", "bad_amount"),
        (1, "\u20ac", "bad_currency"),
    ],
    ids=["large", "many digits", "currency"],
)
def test_minor_units_are_checked_as_amounts_are(minor: int, currency: str, reason: str) -> None:
    """The limits of money hold for minor units too."""
    with pytest.raises(EventError) as caught:
        Money.from_minor(minor, currency)

    assert caught.value.reason == reason


@given(st.integers(-(10**16) + 1, 10**16 - 1), currencies)
def test_units_come_and_go(units: int, currency: str) -> None:
    """Money made from the units of counts has these units."""
    money = Money.from_units(units, currency)

    assert money.units == units
    assert Fraction(money.amount) == Fraction(units, UNITS)
    assert Money(money.amount, currency) == money


@given(amounts(signed=True), currencies)
def test_money_comes_and_goes_through_units(amount: Decimal, currency: str) -> None:
    """Nothing is lost between money and the integers that counts hold."""
    money = Money(amount, currency)

    assert Money.from_units(money.units, currency) == money


@pytest.mark.parametrize(
    ("units", "money"),
    [
        (599_000, "Money('59.90', 'EUR')"),
        (1, "Money('0.0001', 'EUR')"),
        (0, "Money('0.00', 'EUR')"),
        (-5000, "Money('-0.50', 'EUR')"),
        (10**40, "Money('1000000000000000000000000000000000000.00', 'EUR')"),
    ],
)
def test_units_are_shown_as_the_currency_usually_is(units: int, money: str) -> None:
    """A sum of a report has two digits for euros, and more only where it needs them."""
    assert repr(Money.from_units(units, "EUR")) == money


# On the wire --------------------------------------------------------------------------------------


@given(amounts(signed=True), currencies)
def test_the_text_of_an_amount_comes_and_goes(amount: Decimal, currency: str) -> None:
    """What an amount is written as is read as the same amount, with the same decimals."""
    money = Money(amount, currency)

    again = Money(str(money.amount), currency)

    assert repr(again) == repr(money)


def test_money_is_text_on_the_wire() -> None:
    """An amount is never a JSON number, which some readers make a float."""
    assert Money("59.90", "EUR").model_dump_json() == '{"amount":"59.90","currency":"EUR"}'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"amount": 59.9, "currency": "EUR"}', "a float cannot hold"),
        ('{"amount": "59.90", "currency": "euro"}', "not a currency"),
    ],
)
def test_money_from_outside_is_checked(line: str, said: str) -> None:
    """JSON that is not money is refused, and the fault is named."""
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(Money).validate_json(line)
