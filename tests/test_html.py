"""What a notebook shows of single values: escaped, in its own colours."""

import pytest

from lastclick import Money, journeys
from lastclick.metrics import Rate, rate
from tests.metrics.shop import (
    DAY,
    assigned,
    at,
    clicked,
    declared,
    entered,
    eur,
    failed,
    ordered,
    sent,
)
from tests.test_render import Seen, every_text


def said(value: object) -> str:
    return "".join(Seen(value._repr_html_()).said)  # type: ignore[attr-defined]


def test_money_is_shown_as_it_prints_in_one_piece() -> None:
    """An amount is not broken from its currency at the end of a line."""
    money = Money("1234.5", "EUR")

    assert said(money) == str(money) == "EUR 1,234.50"
    assert "nowrap" in money._repr_html_()


def test_a_rate_says_what_it_rests_on() -> None:
    """The estimate stands out; its limits, its counts and its method are beside it."""
    assert said(rate(520, 976)) == "53.3 % (50.1 to 56.4), 520 of 976, 95 % wilson"


def test_a_rate_of_nothing_says_why() -> None:
    """No estimate is a dash with its reason."""
    assert said(rate(0, 0)) == "- (nothing to divide by)"


@every_text
def test_no_text_of_a_value_is_an_element(foreign: str) -> None:
    """Also what somebody makes by hand is escaped."""
    made = Rate(1, 2, 0.5, 0.1, 0.9, method=foreign)
    empty = Rate(0, 0, None, None, None, reason=foreign)
    money = Money.model_construct(amount=Money(1, "EUR").amount, currency=foreign)

    assert Seen(made._repr_html_()).elements == ["span", "b"]
    assert Seen(empty._repr_html_()).elements == ["span"]
    assert Seen(money._repr_html_()).elements == ["span"]


def test_a_journey_is_told_by_time() -> None:
    """What became of it, who it was, and what happened when."""
    events = [
        declared(("cart", "payment")),
        entered("c-1", "cart", 0, eur("10.00"), customer_id="u-7", attributes={"first": True}),
        failed("c-1", "payment", 1, "card_declined", value=eur("12.00")),
        assigned("c-1", 60, "treated"),
        sent("c-1", 61),
        clicked("c-1", 120),
        ordered("c-1", "o-9", 121, eur("15.00")),
    ]

    (journey,) = journeys(events, as_of=at(DAY))

    cells = [text for text in Seen(journey._repr_html_()).said if text]
    assert cells == [
        "c-1",
        *("outcome", "recovered_by_link", "furthest", "order", "steps", "cart, payment"),
        *("customer", "u-7", "arm", "treated", "first", "true"),
        *("2026-10-01 12:00:00 UTC", "started"),
        *("2026-10-01 12:01:00 UTC", "failed at payment: card_declined"),
        *("2026-10-01 12:01:00 UTC", "abandoned with EUR 12.00"),
        *("2026-10-01 13:01:00 UTC", "reminded by email"),
        *("2026-10-01 14:00:00 UTC", "clicked by email"),
        *("2026-10-01 14:01:00 UTC", "ordered o-9, EUR 15.00"),
        *("2026-10-01 14:01:00 UTC", "last activity"),
    ]


@every_text
def test_no_text_of_a_journey_is_an_element(foreign: str) -> None:
    """Ids, steps, reasons and attributes come from the shop, and stay text."""
    shown = []
    for text in (foreign, "plain"):
        events = [
            declared(("cart", text[:256])),
            entered(text[:256], text[:256], 0, customer_id=text[:256], attributes={"a": text}),
            failed(text[:256], "cart", 1, text[:256]),
        ]
        (journey,) = journeys(events)
        shown.append(Seen(journey._repr_html_()))

    assert shown[0].elements == shown[1].elements
    assert shown[0].attributes == shown[1].attributes
    assert all(text.isprintable() for text in shown[0].said)


def test_a_journey_of_little_says_so() -> None:
    """Without a customer, a value or an order there is still a journey."""
    (journey,) = journeys([declared(), entered("c-1", "cart", 0)], as_of=at(DAY))

    assert {"not given", "abandoned with unknown value"} <= set(Seen(journey._repr_html_()).said)


@pytest.mark.parametrize("value", [Money(1, "EUR"), rate(1, 2), rate(0, 0)])
def test_no_value_has_a_colour(value: object) -> None:
    """The notebook's own colours hold, light or dark."""
    assert "color" not in value._repr_html_()  # type: ignore[attr-defined]
