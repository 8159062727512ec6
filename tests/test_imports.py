"""Tables that nobody here made come out with the answers that come with them.

The answers are those of the README beside each table. Where the default rules rightly give another
number, the test shows both; ``examples/imports/README.md`` says why.
"""

import json
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest

from lastclick import Money, Outcome, Report, measure, read_log
from lastclick.events import Event
from lastclick.logs import Table, TableMapping, read_table
from lastclick.sinks import FileSink

MAPPINGS = Path(__file__).parent.parent / "examples" / "imports"
LATER = datetime(2026, 1, 1, tzinfo=UTC)

CODECADEMY = {
    "codecademy_visits": "visits.csv",
    "codecademy_cart": "cart.csv",
    "codecademy_checkout": "checkout.csv",
    "codecademy_purchase": "purchase.csv",
}
RETENTIONEERING = {"retentioneering_sessions": "ecom.csv.gz"}
SNOWPLOW = {
    "snowplow_checkout": "checkout_interactions.csv",
    "snowplow_transactions": "transaction_interactions.csv",
}


def tables(folder: Path, files: dict[str, str]) -> list[Table]:
    return [
        read_table(folder / file, TableMapping.load(MAPPINGS / f"{name}.toml"))
        for name, file in files.items()
    ]


def events(folder: Path, files: dict[str, str]) -> list[Event]:
    """All events, of which no row was unusable."""
    found = tables(folder, files)
    together = list(chain(*found))
    for table in found:
        assert table.problems.unreadable == table.problems.flawed == table.problems.torn == 0
        assert table.problems.places == ()
    return together


def entered(report: Report) -> list[int]:
    """The sessions or users seen at each step, and those that ordered."""
    return [*(step.entered for step in report.steps), report.ordered]


def reached(report: Report) -> list[int]:
    """The column "reached", with the row of the order."""
    return [row["reached"] for row in report.rows()]


def percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2)


# codecademy_page_visits ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page_visits(shared: Path) -> list[Event]:
    return events(shared / "data" / "codecademy_page_visits", CODECADEMY)


def test_page_visits_by_unique_user(page_visits):
    """2000, 348, 226, 144 users; 82.60, 35.06, 36.28 % drop off; 58.62 % of carts; 7.2 % order."""
    report = measure(page_visits, as_of=LATER)

    assert entered(report) == reached(report) == [2000, 348, 226, 144]
    drops = [step.drop_off_rate for step in report.steps]
    assert [(rate.numerator, rate.denominator) for rate in drops] == [
        *((1652, 2000), (122, 348), (82, 226)),
    ]
    assert [percent(rate.numerator, rate.denominator) for rate in drops] == [82.60, 35.06, 36.28]
    of_carts = report.steps["cart"].dropped + report.steps["checkout"].dropped
    assert percent(of_carts, report.steps["cart"].reached) == 58.62
    assert percent(report.ordered, report.started) == 7.2
    assert report.abandonment_rate.numerator == 1856


def test_page_visits_without_an_instant_leave_two_in_flight(page_visits):
    """As of the last event two users are still there: no rate counts them until it is decided."""
    report = measure(page_visits)

    assert report.started == 2000
    assert report.outcomes[Outcome.IN_FLIGHT] == 2
    assert entered(report) == [1998, 347, 225, 144]
    assert report.quality.out_of_order > 0


@pytest.mark.parametrize(
    ("folder", "in_order"), [("", [2000, 348, 224, 143]), ("variant_b/", [2000, 348, 223, 136])]
)
@pytest.mark.untraced
def test_page_visits_in_order(shared, folder, in_order):
    """With closed=True each step is at or after the one before, as the source's `>=` has it."""
    files = {name: f"{folder}{file}" for name, file in CODECADEMY.items()}
    files |= {"codecademy_visits": "visits.csv", "codecademy_cart": "cart.csv"}
    together = events(shared / "data" / "codecademy_page_visits", files)

    assert reached(measure(together, closed=True)) == in_order
    assert entered(measure(together, as_of=LATER)) == [2000, 348, 226, 144]


def test_page_visits_keep_their_equal_rows(shared):
    """All 252 purchase rows stay, the four exact duplicates too; as orders they are 248."""
    folder = shared / "data" / "codecademy_page_visits"
    rows = {name: file for name, file in CODECADEMY.items() if name.endswith(("ut", "se"))}

    counts = [table for table in tables(folder, rows) if list(table)]

    assert [table.problems.used for table in counts] == [360, 252]
    for table in counts:
        ids = [event.event_id for event in table]
        assert len(set(ids)) == len(ids)
    report = measure(events(folder, CODECADEMY), as_of=LATER)
    assert report.quality.orders_without_total == 248


# retentioneering_ecom -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sessions(shared: Path) -> list[Event]:
    return events(shared / "data" / "retentioneering_ecom", RETENTIONEERING)


@pytest.mark.untraced
def test_ecom_by_user_in_order_as_published(shared):
    """catalog, add_to_cart, cart, purchase: 600, 511, 431, 225 in order; 328 ordered at all."""
    together = events(
        shared / "data" / "retentioneering_ecom", {"retentioneering_users": "ecom.csv.gz"}
    )

    report = measure(together, closed=True)

    assert reached(report) == [600, 511, 431, 225]
    rates = [step.conversion_rate for step in report.steps]
    assert [percent(rate.numerator, rate.denominator) for rate in rates] == [85.17, 84.34, 52.20]
    assert report.ordered == 328
    # Over months, most orders come long after some earlier visit: no measure of a checkout.
    assert report.outcomes[Outcome.PURCHASED_LATE] == 189


@pytest.mark.untraced
def test_ecom_by_session_in_any_order(sessions):
    """add_to_cart to purchase: 1213, 1022, 798, 632, 470; 61.25 % of the carts are abandoned."""
    report = measure(sessions, as_of=LATER)

    assert entered(report) == [1213, 1022, 798, 632, 470]
    assert report.started == report.decided == 1213
    rate = report.abandonment_rate
    assert percent(rate.numerator, rate.denominator) == 61.25
    assert report.quality.out_of_order > 0


def test_ecom_by_session_in_order(sessions):
    """1213, 679, 291, 121, 36; a failed payment is one more way to have been at the payment."""
    without = [event for event in sessions if event.type != "step_failed"]

    assert reached(measure(without, closed=True)) == [1213, 679, 291, 121, 36]
    assert reached(measure(sessions, closed=True)) == [1213, 679, 291, 127, 36]


@pytest.mark.untraced
def test_ecom_by_user_in_any_order_and_in_order(shared):
    """522, 489, 441, 390, 328 in any order and 522, 439, 334, 225, 116 in order."""
    settings = TableMapping.load(MAPPINGS / "retentioneering_sessions.toml")
    by_user = settings.model_copy(update={"checkout_id": ("user_id",)})
    table = read_table(shared / "data" / "retentioneering_ecom" / "ecom.csv.gz", by_user)
    without = [event for event in table if event.type != "step_failed"]

    assert entered(measure(without, as_of=LATER)) == [522, 489, 441, 390, 328]
    assert reached(measure(without, closed=True)) == [522, 439, 334, 225, 116]


def test_ecom_by_platform_in_order(sessions):
    """The same by platform: three groups, each with its own funnel, which add up to the whole."""
    without = [event for event in sessions if event.type != "step_failed"]

    report = measure(without, by="platform", closed=True)

    groups = {platform: reached(group) for platform, group in report.groups.items()}
    assert groups == {
        "desktop": [657, 350, 152, 67, 17],
        "mobile": [404, 251, 98, 39, 12],
        "tablet": [152, 78, 41, 15, 7],
    }
    assert [sum(column) for column in zip(*groups.values(), strict=True)] == reached(report)


def test_ecom_failed_payments(sessions):
    """119 payment errors in 95 sessions, of which 11 bought; 62 in May and 33 in June."""
    report = measure(sessions, as_of=LATER)

    failures = report.steps["payment_details"].failures["payment_error"]
    assert (failures.failures, failures.attempts) == (119, 95)
    failed = {event.checkout_id for event in sessions if event.type == "step_failed"}
    bought = {event.checkout_id for event in sessions if event.type == "order_completed"}
    assert len(failed & bought) == 11
    months = {
        month: part.steps["payment_details"].failed
        for month, part in report.trend("month").items()
        if part.steps["payment_details"].failed
    }
    assert months == {"2024-05-01": 62, "2024-06-01": 33}


@pytest.mark.untraced
def test_ecom_passes_over_what_is_no_step(shared):
    """Of 31,106 rows those that the mapping does not mention are counted by value, none is lost."""
    (table,) = tables(shared / "data" / "retentioneering_ecom", RETENTIONEERING)
    used = sum(event.type not in ("funnel_declared", "events_lost") for event in table)

    problems = table.problems
    assert problems.lines == 31_106
    assert used == problems.used == problems.lines - problems.passed_over
    assert problems.values["checkout_bug"] == 44
    assert sum(problems.values.values()) == problems.passed_over


# snowplow_ecommerce -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkouts(shared: Path) -> list[Event]:
    return events(shared / "data" / "snowplow_ecommerce", SNOWPLOW)


def test_snowplow_checkouts(checkouts):
    """11 sessions in checkout, 3 of which did not order; steps 1, 2, 3 in 10, 10 and 1 of them."""
    report = measure(checkouts)

    assert (report.started, report.decided, report.ordered) == (11, 11, 8)
    rate = report.abandonment_rate
    assert (rate.numerator, percent(rate.numerator, rate.denominator)) == (3, 27.27)
    assert entered(report) == [10, 10, 1, 8]
    # One begins at step 3, as the source says too; one has an order before all of its steps.
    assert report.quality.not_first_step == 2


def test_snowplow_optional_step(checkouts):
    """Who ordered got past step 3, shown or not; a closed funnel asks for steps 1 and 2 only."""
    report = measure(checkouts)
    closed = measure(checkouts, closed=True)

    assert report.steps["step 3"].optional
    assert reached(report) == [11, 11, 8, 8]
    assert report.steps["step 3"].skipped == 7
    assert [step.dropped for step in report.steps] == [0, 3, 0]
    assert reached(closed) == [10, 10, 0, 7]


def test_snowplow_currencies_are_never_added(checkouts):
    """EUR 1,234,863.89 in 13 transactions and USD 231,231.00 in one."""
    report = measure(checkouts)

    gross = {currency: one.gross for currency, one in report.revenue.items()}
    assert gross == {"EUR": Money("1234863.89", "EUR"), "USD": Money("231231.00", "USD")}
    orders = [event for event in checkouts if event.type == "order_completed"]
    totals = [event.total.currency for event in orders]
    assert (totals.count("EUR"), totals.count("USD")) == (13, 1)
    assert report.quality.further_orders == 14 - 8


def test_snowplow_answers_hold_by_session(checkouts, shared):
    """Session by session the outcome is the one that the source's own table says."""
    import csv

    path = shared / "data" / "snowplow_ecommerce" / "sessions.csv"
    with path.open(encoding="utf-8", newline="") as file:
        said = {row["domain_sessionid"]: row["checkout_succeeded"] for row in csv.DictReader(file)}
    ordered = {event.checkout_id for event in checkouts if event.type == "order_completed"}
    seen = {event.checkout_id for event in checkouts if event.type == "step_entered"}

    assert {session for session in seen if said[session].lower() == "true"} == ordered
    assert len(seen - ordered) == 3


# Through a log, twice -----------------------------------------------------------------------------


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("folder", "files"),
    [
        ("codecademy_page_visits", CODECADEMY),
        ("retentioneering_ecom", RETENTIONEERING),
        ("snowplow_ecommerce", SNOWPLOW),
    ],
)
def test_importing_twice_changes_no_number(shared, tmp_path, folder, files):
    """Tables that are read and written again are redeliveries, and the report is the same."""
    found = tables(shared / "data" / folder, files)

    reports = []
    for _ in range(2):
        sink = FileSink(tmp_path)
        for event in chain(*found):
            sink.emit(event)
        sink.close(2.0)
        reports.append(measure(read_log(tmp_path)))

    once, twice = reports
    assert json.dumps(twice.to_dict()) == json.dumps(once.to_dict())
    assert once.reading.redelivered == 0
    assert twice.reading.redelivered == sum(table.problems.used for table in found)


def test_a_log_says_what_its_tables_say(checkouts, tmp_path):
    """The events of tables make the same report with a log between or without."""
    sink = FileSink(tmp_path)
    for event in checkouts:
        sink.emit(event)

    assert measure(read_log(tmp_path)) == measure(checkouts)


def test_every_mapping_is_tested():
    """A mapping file that is kept is one that works."""
    kept = {path.stem for path in MAPPINGS.glob("*.toml")}

    assert kept == {*CODECADEMY, *RETENTIONEERING, "retentioneering_users", *SNOWPLOW}
