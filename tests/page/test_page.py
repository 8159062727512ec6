"""The page: what it says, that all of it is a fact, and that it is the same for any arrival."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from lastclick import Journey, Report, _demo, journeys, measure, read_log
from lastclick.analysis import marketing, priorities, what_if
from lastclick.errors import ConfigError
from lastclick.events import Event
from lastclick.metrics._means import EVEN
from lastclick.page import Mark, Theme, report_page
from lastclick.page._facts import MOST_GROUPS, SMALLEST, at, first_fix, step_of
from lastclick.page._tell import ASSUMED
from tests.metrics.shop import (
    DAY,
    assigned,
    declared,
    entered,
    eur,
    failed,
    lost,
    ordered,
    refunded,
    sent,
)
from tests.metrics.shop import at as moment

SECTIONS = ("case", "funnel", "money", "time", "won-back", "who", "trend", "trust")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four weeks of the demo's shop."""
    folder = tmp_path_factory.mktemp("log")
    _demo.play(folder, shoppers=400, seed=1)
    return folder


@pytest.fixture(scope="module")
def events(log: Path) -> list[Event]:
    return list(read_log(log))


@pytest.fixture(scope="module")
def report(events: list[Event]) -> Report:
    return measure(events, by="device")


def said(html: str) -> str:
    """The text of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html.partition("<body>")[2]))


def test_a_page_has_eight_sections(report):
    """All are there, in their order, and the headings link to themselves."""
    html = report.to_html()

    found = re.findall(r'<section id="([^"]*)"', html)
    assert tuple(found) == SECTIONS
    assert all(f'<h2><a href="#{anchor}">' in html for anchor in SECTIONS)


def test_the_case_tells_the_money_of_all_that_it_counts(report):
    """Beside the number of all checkouts each currency has its amount, in sentences and tiles."""
    page = report_page(report)
    counted = [one for one in page.to_digest().splitlines() if "EUR" in one]
    tiles = said("<body>" + page.to_html().partition('class="tiles wide"')[2].partition("<ul")[0])

    assert len(counted) == 7
    assert all("USD" in one for one in counted)
    assert f"USD {report.lost_revenue['USD'].expected.amount:,.0f} · in" in tiles
    assert f"USD {report.recoverable_revenue['USD'].expected.amount:,.0f} · in" in tiles


def test_a_gain_below_zero_is_no_reason_to_look(events):
    """Where refunds took more than orders brought, no gain is told."""
    found: list[Event] = [declared(), entered("a", "cart", 0, eur("1")), entered("b", "cart", 0)]
    found += [ordered("a", "o", 1, eur("1")), refunded("o", 2, eur("9"))]
    digest = report_page(measure(found, as_of=moment(30 * DAY))).to_digest()

    assert "Look at cart first" in digest
    assert "it would have brought" not in digest


def test_nothing_on_a_page_comes_from_elsewhere(report):
    """There is no script, no address, and a policy that would forbid both."""
    html = report.to_html()

    assert "default-src 'none'" in html
    assert not re.search(r"<script|<link|<iframe|https?:|url\((?!#)|@import", html)
    assert len(html.encode()) < 150_000


def test_each_sentence_of_the_case_links_to_its_figure_and_definition(report):
    """Every link of the business case leads to something on the page."""
    html = report.to_html()

    case = html[html.index('<section id="case"') : html.index('<section id="funnel"')]
    links = set(re.findall(r'href="#([^"]*)"', case))
    assert {"fig-outcomes", "fig-money", "fig-won-back", "def-lost", "def-expected"} <= links
    assert all(f'id="{link}"' in html for link in links)


def test_the_case_is_told_from_the_numbers(report):
    """The sentences say what the report, the priorities and the what-if say."""
    digest = report_page(report).to_digest()
    reached = [
        f"{money} {loss.expected.amount:,.0f}" for money, loss in report.lost_revenue.items()
    ]
    step = priorities(report).rows[0].step
    gain = what_if(report, first_fix(report)).together.revenue["EUR"]

    assert f"{' and '.join(reached)} within reach, and lost" in digest
    assert f"{report.outcomes['lost']} were lost for good" in digest
    assert f"Look at {step} first" in digest
    assert f"EUR {gain.estimate:,.0f} (EUR {gain.low:,.0f} to EUR {gain.high:,.0f})" in digest


@pytest.mark.parametrize("unit", ["attempt", "customer"])
def test_any_arrival_gives_the_same_page(events, unit):
    """A shuffled and doubled log gives the same page, byte for byte."""
    mixed = [*events, *events]
    random.Random(1).shuffle(mixed)

    first, second = (measure(one, by="device", unit=unit).to_html() for one in (events, mixed))

    assert first == second


def test_a_figure_has_its_path_in_the_facts(report):
    """What is written beside a path is what stands there."""
    page = report_page(report)
    found = re.findall(r'<data value="([^"]*)" data-figure="([^"]*)"', page.to_html())

    assert len(found) > 200
    for value, path in found:
        fact = at(page.facts, path)
        if isinstance(fact, dict):
            assert value == f"{fact['currency']} {fact['amount']}"
        elif fact is None:
            assert value == ""
        else:
            assert value.rpartition(" ")[2] == str(fact)


def test_a_path_may_hold_any_name():
    """Dots and tildes of a name are no steps of the path."""
    facts = {"failures": {"a.b~1": [{"n": 1}]}}

    assert at(facts, f"{step_of('failures', 'a.b~1')}.0.n") == 1


def test_a_page_says_the_same_in_other_forms(report):
    """Markdown has all tables, JSON all facts, the digest the case alone."""
    page = report_page(report)

    assert page.to_markdown().count("\n## ") == len(SECTIONS)
    assert "| cart | 399 | 399 | 0 | 144 |" in page.to_markdown()
    assert json.loads(page.to_json())["report"]["started"] == report.started
    assert page.to_digest().count("\n") < 20
    assert repr(page) == "Page('checkout', language='en')"


def test_a_page_names_nobody_unless_asked(events, report):
    """Without journeys there is no customer's id on it; with them, those who can be won back."""
    plain = report_page(report)
    named = report_page(report, journeys=journeys(events, as_of=report.as_of))
    one: Journey = max(
        (
            one
            for one in journeys(events, as_of=report.as_of, outcome="recoverable")
            if one.value is not None
        ),
        key=lambda journey: journey.value.units,
    )

    ids = {event.customer_id for event in events if getattr(event, "customer_id", None)}
    shown = plain.to_html()
    assert ids
    assert not [name for name in ids if f">{name}<" in shown]
    assert one.checkout_id in named.to_markdown()
    assert named.facts["journeys"][0]["customer_id"] == one.customer_id


def test_a_page_without_an_open_cart_says_so(events):
    """Journeys of which none can be won back make no table."""
    page = report_page(measure([declared()]), journeys=())

    assert "No cart of known value can be won back" in page.to_markdown()


def visits(groups: int, each: int) -> list[Event]:
    found: list[Event] = [declared()]
    for number in range(groups * each):
        attributes = {"store": f"store {number % groups}"}
        found.append(entered(f"c-{number}", "cart", number, eur("10"), attributes=attributes))
        if number % 3 == 0:
            found.append(ordered(f"c-{number}", f"o-{number}", number + 1, eur("10")))
    return found


def test_small_groups_are_folded():
    """Groups of fewer than 30 attempts are one row, and none of their names is on the page."""
    events = [
        *visits(2, 40),
        *(
            entered(f"s-{n}", "cart", n, eur("5"), attributes={"store": f"corner {n % 2}"})
            for n in range(10)
        ),
    ]
    page = report_page(measure(events, by="store", as_of=moment(DAY)))

    assert "corner" not in page.to_html() + page.to_json()
    assert "2 other groups, folded" in page.to_markdown()
    assert page.facts["who"]["others"]["started"] == 10


@pytest.mark.untraced
def test_of_many_groups_the_largest_are_shown():
    """200 groups are 30 rows and one for the others, and all attempts are in them."""
    report = measure(visits(200, SMALLEST), by="store", as_of=moment(9 * DAY))
    who = report_page(report).facts["who"]

    assert len(who["rows"]) == MOST_GROUPS
    assert who["others"]["groups"] == 200 - MOST_GROUPS
    assert sum(row["started"] for row in (*who["rows"], who["others"])) == report.started


def test_a_report_by_two_attributes(events):
    """Values of several attributes are told together, and those not given as such."""
    page = report_page(measure(events, by=("device", "coupon")))

    assert "mobile · not given" in page.to_markdown()


def test_what_changed_is_told_of_other_shoppers(events, report):
    """Of a report that goes on after an earlier one, only what started later is compared."""
    before = measure(events, by="device", as_of=moment(0) + timedelta(days=14))
    change = report_page(report, before=before).facts["comparison"]

    assert change["before"]["started"] + change["after"]["started"] <= report.started
    assert change["before"]["last_day"] < change["after"]["first_day"]
    text = report_page(report, before=before).to_markdown()
    assert "because shoppers of the same group acted otherwise" in text


def test_a_report_is_not_compared_with_itself(report):
    """Where nothing of it is later, that is an error."""
    with pytest.raises(ConfigError, match="no attempt of the report started later"):
        report_page(report, before=report)


@pytest.mark.parametrize("started", [[], [entered("a", "cart", 0)]], ids=["nobody", "in flight"])
def test_a_report_before_of_nobody_is_refused(report, started):
    """Where nobody was decided there is no rate that could have changed."""
    before = measure([declared(), *started], by="device")

    with pytest.raises(ConfigError, match="before= has no decided attempt to compare with"):
        report_page(report, before=before)


def test_spend_is_told_where_it_is_known(report):
    """What advertising would cost for the same gain is a sentence, and a table."""
    spent = marketing(report, {"mobile": eur("300"), "tv": eur("50")}, fix=first_fix(report))
    page = report_page(report, marketing=spent)

    assert "To gain as much from mobile by more traffic" in page.to_digest()
    assert "no spend was given" in report_page(report).to_digest()
    assert "### Advertising" in page.to_markdown()


def test_marks_are_in_the_trend(report):
    """Each has a letter on the chart and a row below; those outside of it only the row."""
    marks = [Mark(date(2026, 10, 14), "new form"), Mark(date(2020, 1, 1), "long ago")]
    html = report_page(report, marks=marks).to_html()

    assert html.count('<text class="flag"') == 1
    assert "<bdi>long ago</bdi>" in html


@pytest.mark.parametrize(("every", "number"), [("day", 28), ("week", 5), ("month", 1)])
def test_a_trend_may_be_by_any_period(report, every, number):
    """The periods are those that are asked for."""
    assert len(report_page(report, every=every).facts["trend"]["periods"]) == number


@pytest.mark.parametrize(
    ("days", "each", "every"),
    [(5, 1, "day"), (40, 1, "week"), (20, 31, "day"), (1000, 1, "month")],
)
def test_a_trend_is_by_what_has_enough_in_it(days, each, every):
    """A few checkouts a day are told by the week, years by the month."""
    events = [
        entered(f"c-{day}-{n}", "cart", day * DAY + n) for day in range(days) for n in range(each)
    ]

    assert report_page(measure([declared(), *events])).facts["trend"]["every"] == every


def test_a_trend_is_said_to_change_only_where_it_can(report):
    """Once nothing is open any more, the latest rates will stay."""
    events = [declared(), entered("a", "cart", 0, eur("1"))]
    later = "The latest ones had less time to be won back"

    assert later in report_page(report).to_markdown()
    assert later not in report_page(measure(events, as_of=moment(30 * DAY))).to_markdown()


def test_a_page_of_nothing(report):
    """An empty log has a page that says so, with all sections."""
    html = measure([declared()]).to_html()

    assert "Nothing to report yet" in said(html)
    assert html.count("<section") == len(SECTIONS)


def test_a_page_of_nobody_lost():
    """Where everybody ordered, nothing was lost and there is nothing to fix."""
    events = [declared(), entered("a", "cart", 0), ordered("a", "o", 1, eur("5"))]
    digest = report_page(measure(events)).to_digest()

    assert "No checkout has been lost so far" in digest
    assert "Nothing has been won back" in digest
    assert "Look at" not in digest
    assert "Only 1 checkout is decided" in digest


def test_a_page_of_nobody_decided():
    """While all are at it, no rate is told, and not that none were lost of none."""
    page = report_page(measure([declared(), entered("a", "cart", 0, eur("5"))]))

    assert "No checkout is decided yet." in page.to_digest()
    assert "Of 0" not in page.to_digest()
    assert "Only 0" not in page.to_digest()


def test_where_nobody_paid_what_was_within_reach_is_not_known():
    """A checkout that takes no money at all is no checkout without value."""
    events = [declared(), *(entered(f"c{n}", "cart", 0, eur("50")) for n in range(40))]
    page = report_page(measure(events, as_of=moment(21 * DAY)))

    assert "40 checkouts were lost, with carts worth EUR 2,000 at most" in page.to_digest()
    assert "within reach is not known: nobody who got as far has paid" in page.to_digest()
    assert "Lost, at mostEUR 2,000in 40 lost checkouts" in said(page.to_html())


def test_carts_without_a_value_are_counted_and_not_priced():
    """Where no value is known, the headline has no money."""
    events = [declared(), entered("a", "cart", 0), entered("b", "cart", 20 * DAY)]
    page = report_page(measure(events, as_of=moment(21 * DAY)))

    assert "1 checkout was lost; what its cart was worth is not known" in page.to_digest()
    assert "1 more can still be won back." in page.to_digest()
    assert "Checkouts lost for good1what their carts were" in said(page.to_html())


def test_orders_without_a_total_are_won_back_without_money():
    """An order of unknown money is told without a sum."""
    events = [declared(), entered("a", "cart", 0), ordered("a", "o", 120, None)]
    digest = report_page(measure(events)).to_digest()

    assert "1 abandoned checkout was paid in time after all: 0 by" in digest


def test_what_is_odd_in_the_log_is_told_in_words():
    """Losses, flaws, unknown names and wrong clocks are sentences and tables of the last part."""
    events = [
        declared(),
        declared(("cart", "address", "payment"), event_id="d-2", minutes=1),
        entered("a", "cart", 0),
        entered("a", "gift", 1),
        refunded("nobody", 2, eur("1")),
        lost("sink", "queue_full", 3),
        lost("funnel", "bad_attribute", 2, kept=True),
        entered("b", "cart", 3 * DAY),
    ]
    text = report_page(measure(events)).to_markdown()

    assert "Some events were not recorded" in text
    assert "kept without a flawed part" in text
    assert "1 refund is of an order that is not in the log" in text
    assert "| gift | unknown step | 1 |" in text
    assert "The last event comes 72 hours after the one before it" in text
    assert "The checkout was defined anew on the way" in text


def test_lines_that_could_not_be_read_are_told_of(tmp_path, log):
    """That there are some is said, not how many: a second delivery would change that."""
    for file in log.rglob("*.jsonl"):
        (tmp_path / file.name).write_bytes(file.read_bytes() + b'{"torn')

    assert "could not be read" in report_page(measure(read_log(tmp_path))).to_markdown()


def test_totals_that_rise_are_a_table():
    """Where shoppers were shown a higher total than at first, those who left are told apart."""
    events = [declared()]
    for number in range(6):
        name = f"c-{number}"
        events.append(entered(name, "cart", number, eur("10")))
        events.append(entered(name, "payment", number + 1, eur("10" if number % 2 else "13")))
    events.append(entered("d", "cart", 0, eur("100")))
    events.append(entered("d", "payment", 1, eur("108")))
    text = report_page(measure(events, as_of=moment(DAY))).to_markdown()

    assert "no more than at first" in text
    assert "more than 5 and up to 10 % more" in text
    assert "more than 20 % more" in text


def test_a_chosen_instant_and_other_ways_to_count_are_said(events):
    """As of when, by customer (at the head, too), as a closed funnel: the last part says so."""
    as_of = moment(0) + timedelta(days=20)
    text = report_page(
        measure(events, as_of=as_of, unit="customer", closed=True), command="lastclick report x"
    ).to_markdown()

    head, _, rest = text.partition("##")
    assert "as it was chosen" in text
    assert "joined to one" in head
    assert re.search(r"\*\*checkout\*\*: .* joined to one", rest)
    assert "closed funnel" in text
    assert "By the command: lastclick report x" in text


def test_a_closed_funnel_tells_nobody_who_paid_as_gone():
    """Who passes over a step is not counted further, and is not said to have left."""
    events: list[Event] = [declared(("cart", "details", "payment"))]
    for n in range(80):
        name, device = f"c-{n}", "mobile" if n % 2 else "desktop"
        events.append(entered(name, "cart", 0, eur("10"), attributes={"device": device}))
        if device == "desktop":
            events.append(entered(name, "details", 1, eur("10")))
        events.append(entered(name, "payment", 1, eur("10")))
        events.append(ordered(name, f"o-{n}", 2, eur("10")))
    events.append(entered("last", "cart", DAY, eur("10")))
    report = measure(events, closed=True, by="device", as_of=moment(DAY + 1))
    page = report_page(report, before=measure(events, closed=True, by="device", as_of=moment(9)))
    text = page.to_markdown()

    assert "Look at" not in text
    assert "left there" not in text
    assert "left at cart" not in text
    assert "stands out" not in text
    assert "81 reached, 41 not counted further (50.6 %)" in said(page.to_html())
    assert "| order |  | 40 |" in text
    assert "over all 81 checkouts" in text
    assert (first_fix(report), page.facts["order_row"], report.ordered) == ({}, 40, 80)


def drawn(
    treated: int, held: int, buyers: tuple[int, int], shares: Sequence[str | None] = (None,)
) -> list[Event]:
    """Abandoned checkouts of two arms, some of which are paid in the end."""
    found: list[Event] = [declared()]
    for arm, number, bought in (("treated", treated, buyers[0]), ("holdout", held, buyers[1])):
        for n in range(number):
            name = f"{arm}-{n}"
            found.append(entered(name, "cart", n, eur("10"), customer_id=name))
            found.append(assigned(name, n + 40, arm, share=shares[n % len(shares)]))
            if arm == "treated":
                found.append(sent(name, n + 41))
            if n < bought:
                found.append(ordered(name, f"o-{name}", n + 90, eur("10")))
    return found


@pytest.mark.parametrize(
    ("arms", "sentence"),
    [
        ((20, 0, (2, 0)), "all customers are in one arm"),
        ((200, 200, (90, 20)), "reminding brought 70 more buyers"),
        ((200, 200, (20, 90)), "Those who were reminded bought less often"),
        ((40, 40, (9, 8)), "is not proven yet"),
        ((40, 40, (8, 8)), "is not proven yet"),
    ],
)
def test_what_was_caused_is_never_more_than_proven(arms, sentence):
    """By a holdout, or not known, or not proven yet and what it takes."""
    report = measure(drawn(*arms), as_of=moment(30 * DAY))

    assert sentence in report_page(report).to_digest()
    proven = report.incremental.reason is None
    assert ("caused by reminders: not" in report_page(report).to_html()) is not proven


def test_what_an_estimate_assumes_is_said_where_it_is_shown():
    """Few buyers, or customers who come again: in the case, its table and what changed."""
    few = measure(drawn(200, 200, (30, 5)), as_of=moment(30 * DAY))
    text = report_page(few).to_markdown()
    orders = few.incremental.revenue["EUR"].assumes
    assert len(re.findall(rf"\(.*? to [^()]*, assuming {orders}\)", text)) == 2

    events: list[Event] = [declared()]
    for number in range(80):
        name, late = f"c-{number}", number // 40 * 10 * DAY
        device, customer = {"device": f"d{number % 3}"}, f"k-{number % 8}"
        events.append(entered(name, "cart", late, attributes=device, customer_id=customer))
        if number % (2 + number // 40) == 0:
            events.append(ordered(name, f"o-{number}", late + 1, eur("10")))
    before, report = (measure(events, by="device", as_of=moment(day * DAY)) for day in (5, 15))
    page = report_page(report, before=before)
    parts = page.facts["comparison"]["mix"]["assumes"]
    said = page.to_markdown()
    assert len(re.findall(rf"\| of it.* to .*, assuming {parts} \|", said)) == 2
    assert f", assuming {EVEN}) more" in said
    assert {orders, parts, EVEN} == {*ASSUMED}


def test_customers_who_come_again_make_the_interval_wider():
    """The first tile and the glossary have it with customers as clusters, as the text does."""
    events: list[Event] = [declared()]
    for number in range(400):
        name = f"c-{number}"
        events.append(entered(name, "cart", number, eur("10"), customer_id=f"k-{number % 40}"))
        if number % 2:
            events.append(ordered(name, f"o-{number}", number + 1, eur("10")))
    report = measure(events, as_of=moment(DAY))
    page = report_page(report)
    tile = page.to_html().partition("Abandonment rate")[2][:900]

    one = report.abandonment_clustered
    limits = f"{100 * one.low:.1f} to {100 * one.high:.1f}"
    assert limits == "34.6 to 65.4"
    assert f"95 % interval {limits} %" in said("<body>" + tile)
    assert f"with customers as clusters, abandonment is {limits} %" in page.to_markdown()


def test_arms_that_were_not_followed_say_nothing_yet():
    """Before their time is over, customers of both arms prove nothing."""
    report = measure(drawn(20, 20, (2, 1)))

    assert "nobody was followed for long enough yet" in report_page(report).to_digest()


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        (("0.5", "0.5"), "reminding brought 70 more buyers"),
        (("0.1", "0.1"), "the split into two arms is broken"),
        (("0.5", "0.4"), "the share that is held out changed; measure each part by itself"),
    ],
)
def test_a_split_that_says_nothing_is_told_as_what_it_is(shares, sentence):
    """One that has not the share that was drawn is broken, one that was drawn anew is not."""
    report = measure(drawn(200, 200, (90, 20), shares), as_of=moment(30 * DAY))

    assert sentence in report_page(report).to_digest()


def test_failures_are_told_by_what_came_of_them(report):
    """Each reason is a bar, with those who paid in the end."""
    text = report_page(report).to_markdown()

    assert "| payment | card\\_declined | 7 | 7 |" in text


def test_a_step_with_one_way_out_is_no_division_by_zero():
    """One attempt that failed, and one owner, make a page."""
    events = [declared(), failed("a", "payment", 0, "card_declined")]

    assert "1 checkout, 0 paid in the end" in said(measure(events, as_of=moment(DAY)).to_html())


def test_a_theme_is_on_the_page(report, tmp_path):
    """The name, or the logo as a part of the page with the name as its text."""
    logo = tmp_path / "logo.svg"
    logo.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")

    named = report.to_html(theme=Theme(name="Lamps & Co", colour="#0b6e4f"))
    drawn = report.to_html(theme=Theme(name="Lamps & Co", logo=logo))

    assert "Lamps &amp; Co" in named
    assert "--good:#0b6e4f" in named
    assert 'src="data:image/svg+xml;base64,' in drawn
    assert 'alt="Lamps &amp; Co"' in drawn
