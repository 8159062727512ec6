"""What a report says about itself: every line, in every state of the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from lastclick import Money, Step, measure, read_log
from lastclick.events import Event
from lastclick.metrics import count, report_from
from lastclick.metrics._summary import duration, main_currency, page, span
from tests.metrics.shop import (
    DAY,
    answered,
    assigned,
    at,
    cancelled,
    clicked,
    declared,
    entered,
    eur,
    failed,
    lost,
    ordered,
    refunded,
    sent,
)

FUNNEL = declared(("cart", Step("payment", owner="payments")))
LABELS = ["abandonment rate", "started", "lost", "recoverable", "won back", "revenue"]
LABELS += ["largest leak", "time to order", "stages", "works", "works well", "holdout", "answers"]


def shop() -> list[Event]:
    """A week and a bit with something of everything."""
    older = declared(("cart", "details"), event_id="d-0", minutes=-120)
    mobile, desktop = {"device": "mobile"}, {"device": "desktop"}
    usd = Money("9.00", "USD")
    events: list[Event] = [older, FUNNEL]
    for n in range(6):
        events += [
            entered(f"b{n}", "cart", n, eur("40.00"), attributes=mobile),
            entered(f"b{n}", "payment", n + 1, eur("40.00")),
            ordered(f"b{n}", f"o{n}", n + 3, eur("40.00")),
        ]
    for name, minutes in (("link", 120), ("mail", 130), ("alone", 140), ("late", 9 * DAY)):
        events.append(entered(name, "cart", 0, eur("20.00")))
        events.append(ordered(name, f"o-{name}", minutes, eur("20.00")))
    return [
        *events,
        refunded("o0", 20, eur("10.00")),
        clicked("link", 100),
        sent("mail", 100),
        entered("l1", "cart", 0, eur("30.00"), attributes=desktop),
        entered("l2", "payment", 1, eur("1000.00")),
        failed("l2", "payment", 2, "card_declined"),
        entered("l3", "payment", 1),
        failed("l3", "payment", 2, "card_declined"),
        entered("r1", "cart", 8 * DAY, eur("25.00")),
        entered("r2", "cart", 8 * DAY, eur("25.00")),
        entered("usd", "cart", 0, usd),
        ordered("usd", "o-usd", 2, usd),
        entered("f1", "cart", 9 * DAY - 1, eur("1.00")),
        entered("x", "cart", 0, attributes={"traffic": "bot"}),
        ordered("y", "o-y", 0),
        entered("b0", "gift", 1),
        lost("funnel", "no id", 1),
        lost("funnel", "bad_value", 2, kept=True),
        lost("sink", "disk full", 4),
    ]


DRAWN = """\
checkout   2026-10-01 to 2026-10-10 UTC   as of 2026-10-10 12:00 (last event)   abandon after \
30 min, recover within 7 d
abandonment rate  31.2 % (14.2 to 55.6)    5 of 16 decided attempts did not order
started 17        1 still in flight, not in the rates
lost              3 attempts, carts worth EUR 1,030.00 at most, EUR 866.78 expected
recoverable       2 attempts, carts worth EUR 50.00 at most, EUR 34.38 expected: can still be \
won back
won back          3 orders: 1 by link, 1 after a reminder, 1 unaided (1 more came too late). \
Caused: not measured, no holdout
revenue           EUR 310.00 net  (gross 320.00, refunded 10.00)     USD 9.00 net
largest leak      payment, owner payments: 2 attempts, EUR 846.15 expected; 2 attempts failed \
with card_declined
time to order     not ordered 56.2 % (29.5 to 76.2) after 1 h, 37.5 % (15.4 to 59.8) after 1 d, \
37.5 % (15.4 to 59.8) after 7 d; those in flight are not guessed
stages            none declared
works             cart 100.0 %, payment 75.0 % of attempts without a failure
works well        -  fewer than four weeks
holdout           none
answers           none

step     entered  reached  skipped  dropped          drop-off %  median to next  lost here \
(expected)
cart          14       16        2        3  18.8 (6.6 to 43.0)            1:00             EUR \
55.00
payment        8       13        5        2  15.4 (4.3 to 42.2)            2:00            EUR \
846.15
order                  11

device     started  decided  ordered          abandonment %  lost (expected)  recoverable \
(expected)
desktop          1        1        0  100.0 (20.7 to 100.0)        EUR 20.62                    \
   -
mobile           6        6        6      0.0 (0.0 to 39.0)                -                    \
   -
not given       10        9        5    44.4 (18.9 to 73.3)       EUR 846.15               EUR \
34.38
95 % Wilson intervals. Trust: 1 event at unknown steps, 1 event rejected (no id), 4 lost, 2 \
events kept without a flawed part, 3 redelivered, 1 attempt excluded, 1 attempt at no step left \
out, 1 cart of unknown value, 2 definitions (the latest of 2026-10-01). More: report.quality"""

NOTHING = """\
checkout   no attempts UTC   as of: no event   abandon after 30 min, recover within 7 d
abandonment rate  -  no decided attempts yet
started 0         none in flight
lost              none
recoverable       none
won back          none. Caused: not measured, no holdout
revenue           none
largest leak      none
time to order     none
stages            none declared
works             none
works well        -  fewer than four weeks
holdout           none
answers           none

step     entered  reached  skipped  dropped  drop-off %  median to next  lost here (expected)
cart           0        0        0        0           -               -                     -
payment        0        0        0        0           -               -                     -
order                   0
95 % Wilson intervals. Trust: 0 lost, 0 redelivered. More: report.quality"""


def lines(report: Any) -> dict[str, str]:
    """What is said, by label; a number in the label apart."""
    return {
        label.partition(" ")[0] if "started" in label else label: said
        for label, said in page(report).lines
    }


def trust(report: Any) -> str:
    (note,) = page(report).notes
    return note.partition("Trust: ")[2].removesuffix(". More: report.quality")


def test_a_report_is_drawn_line_by_line() -> None:
    """The text of a small fixed log is exactly this."""
    events = shop()

    report = measure([*events, *events[2:5]], by="device")

    assert repr(report) == str(report) == DRAWN


def test_nothing_is_drawn_with_every_line() -> None:
    """An empty log has the same lines, each of which says that there is none."""
    assert repr(measure([], FUNNEL)) == NOTHING


@pytest.mark.parametrize(
    "events",
    [[], [entered("a", "cart", 0)], [ordered("a", "o", 0)], shop()],
    ids=["empty", "one", "no step", "shop"],
)
@pytest.mark.parametrize("settings", [{}, {"unit": "customer"}, {"closed": True}, {"by": "x"}])
def test_no_line_vanishes(events: list[Event], settings: dict[str, Any]) -> None:
    """Whatever the log and the question, every line is there and says something."""
    report = measure(events, FUNNEL, **settings)

    said = lines(report)

    assert list(said) == LABELS
    assert all(said.values())
    assert trust(report)
    assert [row[0] for row in page(report).tables[0].rows] == ["cart", "payment", "order"]


def test_currencies_are_side_by_side_and_never_added() -> None:
    """Each currency is named with its own amount, on every line and in every cell."""
    usd = Money("5.00", "USD")
    events = [FUNNEL]
    for n, value in enumerate((eur("5.00"), usd)):
        events += [entered(f"l{n}", "cart", 0, value), entered(f"b{n}", "cart", 0, value)]
        events += [ordered(f"b{n}", f"o{n}", 1, value), entered(f"r{n}", "cart", 8 * DAY, value)]
    events += [refunded("o1", 2, Money("1.00", "USD"))]

    report = measure(events, as_of=at(9 * DAY))

    said = lines(report)
    worth = "EUR 5.00 at most, EUR 1.67 expected; USD 5.00 at most, USD 1.67 expected"
    assert said["lost"] == f"2 attempts, carts worth {worth}"
    assert said["recoverable"] == f"2 attempts, carts worth {worth}: can still be won back"
    assert said["revenue"] == "EUR 5.00 net     USD 4.00 net  (gross 5.00, refunded 1.00)"
    assert said["largest leak"] == "cart: 4 attempts, EUR 3.33 expected, USD 3.33 expected"
    assert page(report).tables[0].rows[0][-1] == "EUR 3.33, USD 3.33"
    assert "10.00" not in repr(report)


def test_carts_of_unknown_value_are_said_to_be() -> None:
    """Lost attempts without a value are worth an unknown amount, not nothing."""
    report = measure([FUNNEL, entered("a", "cart", 0)], as_of=at(30 * DAY))

    assert lines(report)["lost"] == "1 attempt, carts worth unknown"
    assert lines(report)["largest leak"] == "cart: 1 attempt"
    assert trust(report).endswith("1 cart of unknown value")


def test_the_largest_leak_is_that_of_most_expected_money() -> None:
    """Money ranks the steps, in the currency of most attempts; without money the drops do."""
    base = [FUNNEL, entered("b", "cart", 0), ordered("b", "o", 1)]
    many = [entered(f"m{n}", "cart", 0) for n in range(5)]
    dear = [entered("d", "payment", 0, eur("9.00"))]

    with_money = measure([*base, *many, *dear], as_of=at(30 * DAY))
    without = measure([*base, *many], as_of=at(30 * DAY))

    assert lines(with_money)["largest leak"].startswith("payment, owner payments: 1 attempt, EUR")
    assert lines(without)["largest leak"] == "cart: 5 attempts"


def test_a_closed_funnel_has_no_leak() -> None:
    """Drawn closed, who dropped at a step may have ordered: no step is told as a leak."""
    events = [FUNNEL, entered("a", "cart", 0), entered("b", "payment", 0, eur("9.00"))]
    events += [entered("c", "cart", 0), ordered("c", "o-c", 1)]

    report = measure(events, closed=True, as_of=at(30 * DAY))

    assert report.steps["cart"].dropped == 2
    assert lines(report)["largest leak"].startswith("-  who is not counted further")


def test_the_reason_that_hit_most_attempts_is_named() -> None:
    """Of the failures at the leak the one that most attempts met is said."""
    events = [FUNNEL]
    for n in range(3):
        events += [entered(f"a{n}", "payment", 0), failed(f"a{n}", "payment", 1, "declined")]
    events += [failed("a0", "payment", k, "timeout") for k in range(2, 9)]

    said = lines(measure(events, as_of=at(30 * DAY)))["largest leak"]

    assert said == "payment, owner payments: 3 attempts; 3 attempts failed with declined"


def test_the_main_currency_is_that_of_most_lost_carts() -> None:
    """Carts decide, then the code; without carts the revenue's first; without money none."""
    usd, yen = Money("900.00", "USD"), Money("9", "JPY")
    two = [entered("a", "cart", 0, yen), entered("b", "payment", 0, yen)]
    tied = [entered("c", "cart", 0, usd), entered("d", "cart", 0, usd)]
    sold = [entered("e", "cart", 0), ordered("e", "o", 1, eur("1.00"))]

    def currency(*events: Event) -> str | None:
        return main_currency(measure([FUNNEL, *events], as_of=at(30 * DAY)))

    assert currency(*two, tied[0], *sold) == "JPY"
    assert currency(*two, *tied) == "JPY"
    assert currency(*tied) == "USD"
    assert currency(*sold) == "EUR"
    assert currency() is None


def test_the_heading_says_what_was_asked() -> None:
    """A chosen instant, customers, a closed funnel and the zone are in the first line."""
    report = measure(
        shop(), unit="customer", closed=True, timezone="Europe/Paris", as_of=at(30 * DAY)
    )

    title = page(report).title

    assert title == [
        "checkout",
        "2026-10-01 to 2026-10-10 Europe/Paris",
        "as of 2026-10-31 13:00",
        "abandon after 30 min, recover within 7 d",
        "by customer",
        "steps as a closed funnel",
    ]
    assert "decided customer journeys did not order" in lines(report)["abandonment rate"]
    assert lines(report)["started"] == "none in flight"


def test_nothing_decided_is_a_dash() -> None:
    """Without a decided attempt there is a dash and the reason, for either unit."""
    events = [FUNNEL, entered("a", "cart", 0)]

    by_attempt, by_customer = measure(events), measure(events, unit="customer")

    assert lines(by_attempt)["abandonment rate"] == "-  no decided attempts yet"
    assert lines(by_customer)["abandonment rate"] == "-  no decided customer journeys yet"
    row = page(by_attempt).tables[0].rows[0]
    assert row == ["cart", "0", "0", "0", "0", "-", "-", "-"]


def test_groups_that_are_not_shown_are_counted() -> None:
    """Of few who use a screen reader the text says that they are not in the table."""
    events: list[Event] = [FUNNEL]
    for n in range(40):
        needs = {"screen_reader": True} if n < 5 else {}
        events.append(entered(f"a{n}", "cart", 0, attributes=needs))
    report = measure(events, by="screen_reader", as_of=at(DAY))

    assert len(page(report).tables[1].rows) == 1
    assert "5 attempts of groups too small to be shown" in trust(report)


def test_groups_can_be_told_apart() -> None:
    """A number and its text, no value and a text that says so, and an empty text."""
    values = (1, "1", None, "not given", "", "web")
    events: list[Event] = [FUNNEL]
    for n, value in enumerate(values):
        given = {} if value is None else {"shop": value}
        events.append(entered(f"a{n}", "cart", 0, attributes=given))
    report = measure(events, by="shop", as_of=at(DAY))

    names = {row[0] for row in page(report).tables[1].rows}
    assert names == {"1", '"1"', "not given", '"not given"', '""', "web"}


def test_refunds_that_were_not_netted_are_counted() -> None:
    """Of an order that is not in the log, they take nothing from the revenue."""
    events = [FUNNEL, entered("a", "cart", 0), refunded("gone", 1, eur("5.00"))]

    assert "1 refund not netted" in trust(measure(events, as_of=at(DAY)))


def test_a_year_has_four_digits() -> None:
    """Also where a clock is centuries off."""
    report = measure([FUNNEL, entered("a", "cart", 0)], as_of=at(DAY), timezone="UTC")
    early = attrs.evolve(report, as_of=datetime(1, 1, 1, tzinfo=UTC))

    assert page(early).title[2] == "as of 0001-01-01 00:00"


def test_by_customer_what_is_counted_are_journeys() -> None:
    """No line calls a customer's journey an attempt."""
    report = measure(shop(), unit="customer", exclude={}, as_of=at(9 * DAY))

    assert lines(report)["lost"].startswith("4 journeys")
    assert lines(report)["largest leak"].startswith("payment, owner payments: 2 journeys")
    assert "2 journeys failed" in lines(report)["largest leak"]
    assert lines(report)["works"].endswith("of journeys without a failure")
    assert "1 journey at no step" in trust(report)
    assert "attempt" not in repr(report)


def test_an_experiment_is_not_said_to_be_missing() -> None:
    """Where attempts were assigned to arms the line does not say that there is no holdout."""
    events = [FUNNEL, entered("a", "cart", 0), assigned("a", 1, "holdout")]

    assert lines(measure(events))["won back"] == (
        "none. Caused: no holdout: nobody was assigned to the arm 'treated'"
    )


def test_late_orders_alone_are_not_won_back() -> None:
    """An order that came too late is told beside no orders won back."""
    events = [FUNNEL, entered("a", "cart", 0), ordered("a", "o", 9 * DAY)]

    said = lines(measure(events))["won back"]

    assert said.startswith(
        "0 orders: 0 by link, 0 after a reminder, 0 unaided (1 more came too late)"
    )


def test_one_is_said_in_the_singular() -> None:
    """One attempt, one order and one failed attempt are not several."""
    events = [
        FUNNEL,
        entered("a", "cart", 0),
        failed("a", "cart", 1, "x"),
        entered("b", "cart", 0),
        ordered("b", "o", 60),
    ]

    said = lines(measure(events, as_of=at(30 * DAY)))

    assert said["won back"].startswith("1 order: ")
    assert said["largest leak"] == "cart: 1 attempt; 1 attempt failed with x"


def test_trust_has_an_item_for_each_doubt() -> None:
    """Each thing that bends the numbers is told once, in the singular and in the plural."""
    far = [entered("z", "cart", 60 * DAY, eur("1.00"))]

    assert trust(measure([FUNNEL])) == "0 lost, 0 redelivered"
    assert trust(measure([*shop(), *far])) == (
        "1 event at unknown steps, 1 event rejected (no id), 4 lost, "
        "2 events kept without a flawed part, 0 redelivered, 1 attempt excluded, "
        "1 attempt at no step left out, 1 cart of unknown value, "
        "2 definitions (the latest of 2026-10-01), "
        "the last event comes 1,224 h after the one before it"
    )
    assert "the last event" not in trust(measure([*shop(), *far], as_of=at(61 * DAY)))
    assert "2 events at unknown steps" in trust(measure([*shop(), entered("a", "gift", 0)]))


def test_trust_names_the_reasons_of_rejections() -> None:
    """Reasons are listed in order, those of losses in the sink are not mixed in."""
    events = [FUNNEL, lost("funnel", "too long", 2), lost("funnel", "no id", 1)]
    events += [lost("sink", "disk full", 1_500)]

    said = trust(measure(events))

    assert said == "3 events rejected (no id, too long), 1,500 lost, 0 redelivered"


def test_trust_tells_of_lines_that_could_not_be_read(tmp_path: Path) -> None:
    """Torn and unreadable lines are told where a log was read."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(FUNNEL.line + b"\n{}\nno\n" + entered("a", "cart", 0).line[:50])

    assert trust(measure(read_log(path))) == (
        "0 lost, 0 redelivered, 1 torn and 2 unreadable lines"
    )


def test_trust_of_counts_tells_of_no_delivery() -> None:
    """A report from counts says nothing of a reading that nobody did."""
    assert trust(report_from(count([FUNNEL]))) == "0 lost"


def test_groups_are_a_second_table() -> None:
    """A row a group, with the values of all attributes; what was not given is said."""
    given = {"device": "tv", "plan": 1}
    events = [FUNNEL, entered("a", "cart", 0, attributes=given), entered("b", "cart", 0)]

    table = page(measure(events, by=("device", "plan"))).tables[1]

    assert table.header[0] == "device, plan"
    assert [row[:5] for row in table.rows] == [
        ["tv, 1", "1", "0", "0", "-"],
        ["not given, not given", "1", "0", "0", "-"],
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (42.9, "0:42"),
        (60, "1:00"),
        (3599, "59:59"),
        (3910, "1:05:10"),
        (90_000, "25:00:00"),
    ],
)
def test_a_duration_is_as_a_clock_shows_it(seconds: float, text: str) -> None:
    """Seconds are cut, minutes have no leading zero, hours go on past a day."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (timedelta(days=7), "7 d"),
        (timedelta(hours=36), "36 h"),
        (timedelta(minutes=30), "30 min"),
        (timedelta(seconds=90), "90 s"),
        (timedelta(seconds=1.5), "1.5 s"),
    ],
)
def test_a_limit_is_in_its_largest_whole_unit(limit: timedelta, text: str) -> None:
    """A limit is a whole number of the largest unit that fits."""
    assert span(limit) == text


def test_stages_holdout_answers_and_cancellations_are_said() -> None:
    """What only some shops have is told in the text, and what blurs the arms with it."""
    funnel = declared((Step("cart", stage="consideration"), Step("payment", stage="purchase")))
    events: list[Event] = [funnel]
    for n in range(40):
        about = {"customer_id": f"u{n}"}
        arm = "holdout" if n % 4 == 0 else "treated"
        events.append(entered(f"c{n}", "cart", n, eur("10.00"), **about))
        events.append(assigned(f"c{n}", n + 40, arm, share="0.25", campaign="a", **about))
        if n < 8:  # two of them are held out
            events.append(sent(f"c{n}", n + 50, campaign="b", **about))
        if n % 3 == 0:
            events.append(ordered(f"c{n}", f"o{n}", n + 60, eur("10.00"), **about))
            events.append(answered(f"c{n}", n + 61, score=5 if n else 1))
    events += [answered("c1", 200, reason="extra_costs"), cancelled("o0", 300)]

    said = lines(measure(events, as_of=at(30 * DAY)))

    assert said["stages"].startswith("consideration loses ")
    assert said["stages"].endswith("; purchase loses 0.0 % (0.0 to 21.5) of 14")
    assert (
        "30 treated and 10 held out were followed to the end. Revenue caused: EUR "
        in (said["holdout"])
    )
    assert "assuming equal order value in both arms" in said["holdout"]
    assert said["holdout"].endswith(
        "Blurred by: 2 customers held out but reminded, 8 customers of several campaigns"
    )
    assert said["answers"] == (
        "14 answers after the order, satisfied 92.9 % (68.5 to 98.7); "
        "1 answer on exit, extra_costs 1"
    )
    assert said["revenue"].endswith("1 order cancelled")
    assert "not yet: about" in said["won back"]


def test_working_well_is_beside_the_best() -> None:
    """A step that got worse is marked, where the interval is off 0."""
    events: list[Event] = [FUNNEL]
    for week in range(10):
        for n in range(60):
            name, start = f"{week}-{n}", 4 * DAY + 7 * week * DAY + n
            events.append(entered(name, "cart", start))
            if n < (45 if week < 5 else 20):
                events.append(entered(name, "payment", start + 1))
                events.append(ordered(name, f"o{name}", start + 2))

    said = lines(measure(events, as_of=at(100 * DAY)))["works well"]

    assert said == (
        "cart 33.3 %, best 75.0 (down); payment 100.0 %, best 100.0: went on in the latest four "
        "weeks, and in the best four"
    )


def test_repeat_customers_are_said_under_the_table() -> None:
    """Where customers come again the interval with them as clusters stands beside Wilson's."""
    events: list[Event] = [FUNNEL]
    for n in range(20):
        for k in range(3):
            about = {"customer_id": f"u{n}"}
            events.append(entered(f"c{n}-{k}", "cart", n + 100 * k, **about))
            if n < 5:
                events.append(ordered(f"c{n}-{k}", f"o{n}-{k}", n + 100 * k + 1, **about))

    (note,) = page(measure(events, as_of=at(30 * DAY))).notes

    assert note.startswith(
        "95 % Wilson intervals. They take attempts as apart; with customers as clusters "
        "abandonment is 5"
    )
