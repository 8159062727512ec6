"""The report as a value: its attributes, its groups and trend, its plain forms, its arguments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import attrs
import pytest

from lastclick import Funnel, Money, Outcome, Report, Step, measure
from lastclick.errors import ConfigError, LogError
from lastclick.metrics import Failures, Rate, Seconds, Steps, count, report_from
from lastclick.sinks import MemorySink
from tests.metrics.shop import DAY, NOON, at, declared, entered, eur, failed, ordered

PERIODS: tuple[Any, ...] = ("day", "week", "month")
FUNNEL = declared(("cart", Step("gift", optional=True), Step("payment", owner="payments")))

SHOP = [
    FUNNEL,
    entered("a", "cart", 0, eur("10.00"), attributes={"device": "mobile"}),
    entered("a", "payment", 2, eur("10.00")),
    failed("a", "payment", 3, "card_declined"),
    failed("a", "payment", 4, "card_declined"),
    ordered("a", "o-a", 5, eur("10.00")),
    entered("b", "cart", 1, eur("20.00"), attributes={"device": "desktop"}),
    entered("b", "payment", 2, eur("20.00")),
    failed("b", "payment", 2, "card_declined"),
    failed("b", "payment", 3, "timeout"),
    entered("c", "cart", 8 * DAY, eur("7.00")),
]


@pytest.fixture(scope="module")
def report() -> Report:
    return measure(SHOP, by="device")


def test_a_report_says_what_it_rests_on(report: Report) -> None:
    """The funnel, the instant, the days, the limits and the unit are part of the report."""
    assert report.funnel == "checkout"
    assert (report.as_of, report.as_of_chosen) == (at(8 * DAY), False)
    assert (report.first_day, report.last_day) == (date(2026, 10, 1), date(2026, 10, 9))
    assert report.abandon_after == timedelta(minutes=30)
    assert report.recover_within == timedelta(days=7)
    assert (report.unit, report.by, report.closed) == ("attempt", ("device",), False)
    assert report.timezone == "UTC"


def test_counts_and_rates_are_of_each_other(report: Report) -> None:
    """What was decided is the denominator of the rates, and the outcomes add up."""
    assert (report.started, report.decided, report.ordered) == (3, 2, 1)
    assert {outcome.value: n for outcome, n in report.outcomes.items() if n} == {
        "in_flight": 1,
        "purchased": 1,
        "lost": 1,
    }
    assert set(report.outcomes) == set(Outcome)
    assert (report.abandonment_rate.numerator, report.abandonment_rate.denominator) == (1, 2)
    assert report.ever_abandoned_rate.numerator == 1
    assert (report.recovery_rate.numerator, report.recovery_rate.denominator) == (0, 1)
    assert report.not_matured == 0


def test_a_step_knows_its_figures(report: Report) -> None:
    """Every figure of a step is of the decided attempts, failures by reason among them."""
    step = report.steps["payment"]

    assert (step.name, step.owner, step.stage, step.optional) == (
        "payment",
        "payments",
        None,
        False,
    )
    assert (step.entered, step.reached, step.skipped, step.dropped) == (2, 2, 0, 1)
    assert step.failed == 2
    assert step.failures == {"card_declined": Failures(3, 2), "timeout": Failures(1, 1)}
    assert list(step.failures) == ["card_declined", "timeout"]
    assert step.seconds == Seconds(1, 180.0, 180.0)
    assert step.lost["EUR"].at_most == eur("20.00")
    assert (step.conversion_rate.estimate, step.drop_off_rate.estimate) == (0.5, 0.5)


def test_those_on_their_way_are_beside_the_counts(report: Report) -> None:
    """An attempt in flight is at its step and in no other count of it."""
    cart, gift, _ = report.steps

    assert (cart.entered, cart.in_flight) == (2, 1)
    assert (gift.entered, gift.reached, gift.skipped, gift.optional) == (0, 2, 2, True)


def test_steps_are_a_sequence_and_go_by_name(report: Report) -> None:
    """A step is found by place, by slice and by name."""
    steps = report.steps

    assert len(steps) == 3
    assert steps["payment"] is steps[2] is steps[-1]
    assert steps[:2] == (steps["cart"], steps["gift"])
    assert [step.name for step in steps] == ["cart", "gift", "payment"]
    assert repr(steps) == "Steps(cart, gift, payment)"
    assert steps == Steps(list(steps))
    assert hash(steps) == hash(Steps(list(steps)))
    assert steps != list(steps)


def test_a_step_that_is_none_is_named_with_those_there_are(report: Report) -> None:
    """A wrong name shows itself and the right ones."""
    with pytest.raises(KeyError, match="no step 'pay'; this funnel has cart, gift, payment"):
        report.steps["pay"]
    with pytest.raises(IndexError):
        report.steps[3]


def test_groups_go_by_value(report: Report) -> None:
    """Each value has a report of its own, None where it was not given."""
    assert set(report.groups) == {"mobile", "desktop", None}
    assert len(report.groups) == 3
    assert report.groups["mobile"].ordered == 1
    assert report.groups[None].started == 1
    assert "tablet" not in report.groups
    assert [group.started for group in report.groups.values()] == [1, 1, 1]
    assert repr(report.groups) == "Groups('desktop', 'mobile', None)"
    assert report.groups["mobile"].groups == {}
    assert report.groups["mobile"].reading is None


def test_groups_tell_like_values_apart() -> None:
    """The values 1, True, "1" and None are four groups."""
    values = [1, True, "1", None, 0, False, "null"]
    events = [FUNNEL]
    for n, value in enumerate(values):
        events += [entered(f"{n}-{k}", "cart", k, attributes={"plan": value}) for k in range(n + 1)]

    groups = measure(events, by="plan").groups

    assert [groups[value].started for value in values] == [1, 2, 3, 4, 5, 6, 7]
    assert len(groups) == len(groups.items()) == 7
    for value in ("True", 1.0, 2, (1,), [1], {1}, object()):
        assert value not in groups
    with pytest.raises(KeyError, match=r"no group .*; this report has .* 0, 1, False, None, True"):
        groups[b"1"]


def test_groups_of_several_attributes_go_by_tuples() -> None:
    """With several attributes a group is a tuple, in the order in which they were asked."""
    given = {"device": "tv", "plan": 1}
    events = [FUNNEL, entered("a", "cart", 0, attributes=given), entered("b", "cart", 0)]

    report = measure(events, by=["plan", "device"])

    assert set(report.groups) == {(1, "tv"), (None, None)}
    assert report.groups[1, "tv"].started == 1
    assert report.by == ("plan", "device")
    for value in ([1, "tv"], "tv", None, (True, "tv"), (1,)):
        assert value not in report.groups


def test_groups_of_letters_are_no_text() -> None:
    """A text of two letters is not the group of these letters."""
    events = [FUNNEL, entered("a", "cart", 0, attributes={"x": "t", "y": "v"})]

    groups = measure(events, by=("x", "y")).groups

    assert ("t", "v") in groups
    assert "tv" not in groups


def test_no_attribute_is_no_group() -> None:
    """Without by= there are no groups."""
    assert dict(measure(SHOP).groups) == {}


def test_trend_by_day_week_and_month() -> None:
    """Periods go by their first day, weeks by their Monday; empty ones are left out."""
    days = [0, 1, 4, 30, 31]
    events = [FUNNEL, *(entered(f"c-{n}", "cart", n * DAY) for n in days)]

    report = measure(events)

    def started(periods: Mapping[str, Report]) -> dict[str, int]:
        return {first: one.started for first, one in periods.items()}

    assert started(report.trend()) == {
        "2026-10-01": 1,
        "2026-10-02": 1,
        "2026-10-05": 1,
        "2026-10-31": 1,
        "2026-11-01": 1,
    }
    assert started(report.trend("week")) == {"2026-09-28": 2, "2026-10-05": 1, "2026-10-26": 2}
    assert started(report.trend(every="month")) == {"2026-10-01": 4, "2026-11-01": 1}


def test_a_period_is_a_report_like_any() -> None:
    """A period has its own figures, days and money, and the facts of the whole log."""
    report = measure(SHOP, by="device")

    first, last = report.trend().values()

    assert (first.started, first.first_day, first.last_day) == (2, NOON.date(), NOON.date())
    assert first.revenue["EUR"].gross == eur("10.00")
    assert last.outcomes["in_flight"] == 1
    assert first.quality == report.quality
    assert list(report.groups["mobile"].trend("month")) == ["2026-10-01"]
    assert report.groups["mobile"].trend("month")["2026-10-01"].started == 1


def test_a_period_below_thirty_borrows_the_chance_of_the_whole(report: Report) -> None:
    """A day of few attempts takes the share of the whole report."""
    first = next(iter(report.trend().values()))

    assert first.lost_revenue["EUR"].expected == eur("10.00")  # 20.00 x 1/2


@pytest.mark.parametrize("every", ["year", "Day", "", None, 7, ["day"]])
def test_a_trend_by_no_period_is_refused(report: Report, every: Any) -> None:
    """Only days, weeks and months are periods."""
    with pytest.raises(ConfigError, match="'day', 'week' or 'month', not") as refused:
        report.trend(every)

    assert repr(every) in str(refused.value)


def test_the_dictionary_is_ready_for_json(report: Report) -> None:
    """Every figure is in it as a plain value, and JSON gives the same back."""
    plain = report.to_dict()

    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    fields = {field.name for field in attrs.fields(Report)}
    public = {name for name in fields if not name.startswith("_")}
    assert set(plain) == public - {"reading", "completion"} | {"abandonment_at"}
    assert plain["as_of"] == "2026-10-09T12:00:00Z"
    assert plain["first_day"] == "2026-10-01"
    assert plain["abandon_after"] == 1800.0
    assert plain["outcomes"]["lost"] == 1
    assert plain["revenue"]["EUR"]["net"] == {"amount": "10.00", "currency": "EUR"}
    assert [step["name"] for step in plain["steps"]] == ["cart", "gift", "payment"]
    assert Rate(**plain["abandonment_rate"]) == report.abandonment_rate


def test_groups_in_the_dictionary_keep_their_values() -> None:
    """A group has its value as it was given, and only the figures of its own."""
    given = [{"plan": 1}, {"plan": "1"}, {}]
    events = [FUNNEL, *(entered(f"c{n}", "cart", n, attributes=a) for n, a in enumerate(given))]

    one, two = measure(events, by="plan"), measure(events, by=("plan", "device"))

    assert [group["value"] for group in one.to_dict()["groups"]] == ["1", 1, None]
    values = [group["value"] for group in two.to_dict()["groups"]]
    assert values == [["1", None], [1, None], [None, None]]
    assert not {"quality", "funnel", "groups"} & set(one.to_dict()["groups"][0])
    assert json.loads(json.dumps(two.to_dict())) == two.to_dict()


def test_rows_are_the_table_of_steps(report: Report) -> None:
    """A row a step, and one of the same columns for the order."""
    rows = report.rows()

    assert [row["step"] for row in rows] == ["cart", "gift", "payment", "order"]
    assert len({tuple(row) for row in rows}) == 1
    assert rows[2]["drop_off_rate"] == report.steps["payment"].drop_off_rate
    assert rows[2]["lost"] == report.steps["payment"].lost
    assert {name: value for name, value in rows[3].items() if value is not None} == {
        "step": "order",
        "reached": 1,
    }


def test_an_empty_log_has_a_report() -> None:
    """With a definition and no events every count is 0 and every rate has a reason."""
    report = measure([], FUNNEL)

    assert (report.started, report.decided, report.ordered) == (0, 0, 0)
    assert report.as_of is report.first_day is report.last_day is None
    assert report.abandonment_rate.estimate is None
    assert report.abandonment_rate.reason
    assert report.revenue == report.lost_revenue == report.recovered_revenue == {}
    assert report.trend() == {}
    assert [step.reached for step in report.steps] == [0, 0, 0]
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    assert "no attempts" in repr(report)


def test_one_attempt_on_its_way_is_no_rate() -> None:
    """A single attempt in flight started, and decides nothing."""
    report = measure([FUNNEL, entered("a", "cart", 0)])

    assert (report.started, report.decided) == (1, 0)
    assert report.steps["cart"].in_flight == 1
    assert report.steps["cart"].drop_off_rate.estimate is None


def test_reports_of_the_same_log_are_equal_whatever_was_met_in_reading() -> None:
    """Equality and hash go by the figures; a second delivery changes neither."""
    one, two = measure(SHOP), measure([*SHOP, *SHOP])

    assert one == two
    assert hash(one) == hash(two)
    assert one.reading.redelivered == 0
    assert two.reading.redelivered == len(SHOP) - 1
    assert one != measure(SHOP, as_of=at(9 * DAY))
    assert one != one.to_dict()


def test_a_report_from_counts_has_not_been_read() -> None:
    """Counts from anywhere give the same report, without a reading."""
    report = report_from(count(SHOP, by="device"))

    assert report == measure(SHOP, by="device")
    assert report.reading is None


def test_the_funnel_is_named_declared_or_passed() -> None:
    """A name, a declaration and a Funnel choose the same funnel."""
    funnel = Funnel("checkout", steps=("cart", "gift", "payment"), sink=MemorySink())
    other = [declared(funnel="returns"), entered("x", "cart", 0, funnel="returns")]
    events = [*SHOP, *other]

    by_name, by_declaration = measure(events, "checkout"), measure(events, FUNNEL)
    by_funnel = measure(events, funnel)

    assert by_name == by_declaration
    assert by_funnel.started == by_name.started == 3
    assert by_funnel.steps["payment"].owner is None
    assert measure(events, "returns").started == 1


def test_the_latest_definition_is_read_by() -> None:
    """Of several definitions the one constructed last counts, of two at once that of larger id."""
    events = [
        declared(("a", "b"), event_id="d-9", minutes=-90),
        declared(("cart", "b"), event_id="d-2", minutes=-60),
        declared(("cart", "c"), event_id="d-3", minutes=-60),
        entered("x", "cart", 0),
    ]

    assert [step.name for step in measure(events).steps] == ["cart", "c"]


def test_several_funnels_have_to_be_chosen_from() -> None:
    """Where a log holds several funnels none is taken by chance."""
    events = [*SHOP, declared(funnel="returns")]

    with pytest.raises(ConfigError, match="'checkout', 'returns'; choose one"):
        measure(events)


@pytest.mark.parametrize("chosen", [None, "checkout"])
def test_a_log_without_a_definition_needs_one(chosen: str | None) -> None:
    """Steps are never guessed: the message says what was seen and what to pass."""
    with pytest.raises(ConfigError, match=r"no definition of .*funnels seen: 'checkout'.*pass"):
        measure([entered("a", "cart", 0)], chosen)
    with pytest.raises(ConfigError, match="funnels seen: none"):
        measure([], chosen)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"funnel": 5}, "funnel: 5; pass its name"),
    ({"funnel": object}, "pass its name, a Funnel"),
    ({"by": 5}, "by is an attribute's name or several, not 5"),
    ({"by": [""]}, "by is an attribute's name"),
    ({"by": {"device"}}, "by is an attribute's name"),
    ({"by": ["device", None]}, "by is an attribute's name"),
    ({"unit": "person"}, "unit is 'attempt' or 'customer', not 'person'"),
    ({"unit": None}, "unit is 'attempt' or 'customer'"),
    ({"within": timedelta(1)}, "only with closed=True"),
    ({"within": timedelta(0), "closed": True}, "timedelta above zero"),
    ({"within": 30, "closed": True}, "within=30: pass a timedelta"),
    ({"as_of": datetime(2026, 10, 1)}, "as_of: a time without a zone"),  # noqa: DTZ001 - the test
    ({"as_of": date(2026, 10, 1)}, "as_of: a day without a time"),
    ({"as_of": 5}, "as_of: not a time: 5"),
    ({"timezone": "Mars/Olympus"}, "'Mars/Olympus' is not known"),
    ({"timezone": ""}, "timezone: '' is not known"),
    ({"timezone": None}, "timezone: None is not known"),
    ({"timezone": "../up"}, "is not known"),
    ({"timezone": UTC}, "is not known"),
    ({"exclude": None}, "exclude: None; pass a mapping"),
    ({"exclude": ["bot"]}, "exclude: .*pass a mapping"),
    ({"exclude": {"traffic": "bot"}}, r"exclude\['traffic'\] is 'bot'; pass the values"),
    ({"exclude": {"traffic": 5}}, r"exclude\['traffic'\] is 5"),
    ({"exclude": {"traffic": ([1],)}}, r"exclude\['traffic'\]"),
    ({"exclude": {"traffic": (1.5,)}}, r"exclude\['traffic'\]"),
    ({"exclude": {1: ("bot",), "b": ()}}, "exclude names 1"),
    ({"abandon_after": timedelta(0)}, "abandon_after is .*above zero"),
    ({"abandon_after": 30}, "abandon_after is 30; pass a timedelta"),
    ({"recover_within": timedelta(-1)}, "recover_within is .*above zero"),
    ({"recover_within": timedelta(minutes=5)}, "recover_within .* is below abandon_after"),
    ({"abandon_after": timedelta(days=8)}, "is below abandon_after"),
]


@pytest.mark.parametrize(("settings", "said"), WRONG, ids=lambda given: str(given)[:60])
def test_a_wrong_setting_is_refused_by_name(settings: dict[str, Any], said: str) -> None:
    """What cannot be used raises at once and says what to pass."""
    with pytest.raises(ConfigError, match=said):
        measure(SHOP, **settings)


@pytest.mark.parametrize(
    "thing", [5, None, "checkout", {"type": "step_entered"}, Money("1", "EUR")]
)
def test_what_is_no_event_is_refused(thing: Any) -> None:
    """Something else among the events is shown, with what to pass instead."""
    with pytest.raises(LogError, match=r"not an event: .*pass events"):
        measure([*SHOP, thing])


def test_an_exclusion_may_be_a_set_and_of_any_kind_of_value() -> None:
    """Values to exclude come as a set or a sequence, of all that attributes may be."""
    events = [FUNNEL]
    for n, value in enumerate(["bot", 1, True, None]):
        events.append(entered(f"c-{n}", "cart", n, attributes={"mark": value}))

    assert measure(events, exclude={"mark": {"bot", None}}).started == 2
    assert measure(events, exclude={"mark": frozenset([1])}).started == 3
    assert measure(events, exclude={"mark": [True]}).groups == {}
    assert measure(events, exclude={}).started == 4


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        ("0001-01-01T00:00:00Z", "America/New_York", "0001-01-01"),
        ("9999-12-31T23:59:59.999999Z", "Europe/Paris", "9999-12-31"),
    ],
)
def test_the_ends_of_the_calendar_are_days_in_every_zone(moment: str, zone: str, day: str) -> None:
    """A date that stands for none or for ever fails no report, in whatever zone."""
    events = [FUNNEL, entered("a", "cart", 0), entered("b", "cart", 0, occurred_at=moment)]

    report = measure(events, timezone=zone)

    assert day in report.trend()
    assert day[:7] in repr(report)
    assert all(sum(one.started for one in report.trend(every).values()) == 2 for every in PERIODS)


def test_a_closed_funnel_counts_all_attempts_in_order() -> None:
    """Drawn closed, a step counts what came after the one before, optional steps apart."""
    events = [*SHOP, entered("d", "payment", 0), entered("a", "gift", 1)]

    report = measure(events, closed=True)

    assert [row["reached"] for row in report.rows()] == [3, 1, 2, 1]
    assert [step.dropped for step in report.steps] == [1, 0, 1]
    assert report.steps["gift"].in_flight == 0
    assert report.started == 4
    window = measure(events, closed=True, within=timedelta(minutes=1))
    assert [row["reached"] for row in window.rows()] == [3, 1, 1, 0]


def test_conversions_multiply_to_the_orders(report: Report) -> None:
    """The conversions of the steps multiply to 1 less the abandonment rate."""
    product = Fraction(1)
    for step in report.steps:
        product *= Fraction(step.conversion_rate.numerator, step.conversion_rate.denominator)

    assert product == Fraction(report.ordered, report.decided)


def test_groups_about_people_are_shown_from_thirty_attempts_on() -> None:
    """What a shopper needs to use a page is no matter of a handful, who could be recognised."""
    events = [FUNNEL]
    for flag, many in ((True, 29), (False, 30)):
        for n in range(many):
            about = {"attributes": {"screen_reader": flag}}
            events.append(entered(f"{flag}{n}", "cart", 0, **about))

    report = measure(events, by="screen_reader", as_of=at(9 * DAY))

    assert list(report.groups) == [False]
    assert (report.withheld, report.started) == (29, 59)
    assert measure(events, by="device").withheld == 0


def test_the_last_touch_is_the_last_that_says_something_up_to_the_order() -> None:
    """Came by search, came back by mail, and by social once it was paid; one step says nothing."""
    events = [
        FUNNEL,
        entered("a", "cart", 0, attributes={"utm_source": "search"}),
        entered("a", "payment", 5, attributes={"utm_source": "mail"}),
        entered("a", "payment", 6),
        ordered("a", "o", 7),
        entered("a", "cart", 9, attributes={"utm_source": "social"}),
        entered("b", "cart", 0),
    ]

    first = measure(events, by="utm_source")
    last = measure(events, by="utm_source", touch="last")

    assert set(first.groups) == {"search", None}
    assert set(last.groups) == {"mail", None}
    assert last.touch == "last"
    with pytest.raises(ConfigError, match="touch is 'first' or 'last', not 'any'"):
        measure(events, touch="any")  # type: ignore[arg-type]
