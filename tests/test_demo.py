"""The demo's shop: the same seed, the same shop; and the report says what its books say."""

import json

import attrs
import pytest

from lastclick import Money, Outcome, Report, _demo, journeys, measure, read_log


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> tuple[_demo.Books, Report]:
    directory = tmp_path_factory.mktemp("demo")
    books = _demo.play(directory, shoppers=400, seed=1)
    return books, measure(read_log(directory), by="device")


def test_the_same_seed_brings_the_same_report(tmp_path, played):
    """Two runs differ in the ids of their events and in nothing that is reported."""
    books, report = played

    again = _demo.play(tmp_path, shoppers=400, seed=1)

    assert again == books
    assert json.dumps(measure(read_log(tmp_path), by="device").to_dict()) == json.dumps(
        report.to_dict()
    )


def test_another_seed_brings_other_shoppers(tmp_path, played):
    """A seed is a shop of its own."""
    assert _demo.play(tmp_path, shoppers=400, seed=2) != played[0]


@pytest.mark.parametrize(("shoppers", "seed"), [(1, 1), (30, 5), (300, 11), (300, 12)])
def test_the_report_says_what_the_books_say(tmp_path, shoppers, seed):
    """Checkouts, bots, orders and money agree, whatever the dice."""
    books = _demo.play(tmp_path, shoppers=shoppers, seed=seed)

    assert books.differences(measure(read_log(tmp_path))) == []
    assert books.checkouts == shoppers


def test_the_report_adds_up(played):
    """Outcomes add up to the started, drops to the unpaid, and groups to the whole."""
    _, report = played
    unpaid = report.outcomes[Outcome.LOST] + report.outcomes[Outcome.RECOVERABLE]

    assert sum(report.outcomes.values()) == report.started
    assert sum(step.dropped for step in report.steps) == unpaid
    assert report.decided - report.ordered == unpaid == report.abandonment_rate.numerator
    assert sum(group.started for group in report.groups.values()) == report.started
    assert sum(group.ordered for group in report.groups.values()) == report.ordered


def test_the_demo_shows_everything_a_report_can_say(played):
    """All eight outcomes, two currencies, refunds, failures, bots and an experiment are in it."""
    books, report = played

    assert all(report.outcomes.values())
    assert set(report.revenue) == {"EUR", "USD"}
    assert report.revenue["EUR"].refunded > Money(0, "EUR")
    assert set(report.steps["payment"].failures) == set(_demo._DECLINES)
    assert books.bots == report.quality.excluded_attempts == 16
    assert set(report.quality.assigned) == {"treated", "holdout"}
    assert [step.owner for step in report.steps] == [
        *("catalogue", "accounts", "logistics", "payments"),
    ]


def test_its_log_can_be_worked_with(tmp_path):
    """A job finds whom to remind in it."""
    _demo.play(tmp_path, shoppers=100, seed=3)

    assert len(list(journeys(read_log(tmp_path), outcome="recoverable"))) > 0


def test_books_that_differ_are_told(played):
    """Every figure that is not the report's is named with both values."""
    books, report = played
    wrong = attrs.evolve(books, checkouts=1, bots=0, orders={"o": Money(1, "GBP")}, refunded={})

    told = wrong.differences(report)

    assert [line.partition(":")[0] for line in told] == [
        *("checkouts", "bots", "orders", "gross", "refunded"),
    ]
    assert told[0] == "checkouts: the shop's books say 1, the report says 400"
