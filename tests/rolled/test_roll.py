"""Rolling: what is counted anew, and why; what is asked for again, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from benchmarks.generate import declaration, lines, write
from lastclick import Funnel, Report, measure, read_log
from lastclick.errors import ConfigError, LogError
from lastclick.rolled import _roll, _sets, is_rolled, read_rolled, roll
from lastclick.sinks import FileSink, MemorySink
from tests.rolled.shop import (
    DECLARED,
    FOUR_DAYS,
    append,
    entered,
    event,
    ordered,
    refunded,
    same,
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of four days."""
    append(tmp_path / "log" / "a.jsonl", [DECLARED, *FOUR_DAYS])
    return tmp_path / "log"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the state goes."""
    return tmp_path / "rolled"


# What is counted anew


def test_the_first_run_counts_every_day(log: Path, state: Path) -> None:
    """From nothing on, every day is new, and the report is that of the log."""
    done = roll(log, state)

    assert done.days == done.changed == tuple(f"2026-10-0{day}" for day in (1, 2, 3, 4))
    assert (done.lines, done.events, done.files, done.whole) == (13, 12, 1, None)
    assert done.as_of == datetime(2026, 10, 4, 11, tzinfo=UTC)
    assert is_rolled(state)
    assert same(log, state)


def test_nothing_new_counts_nothing(log: Path, state: Path) -> None:
    """A second run reads no line, counts no day, and leaves the state as it is to the byte."""
    roll(log, state)
    before = (state / "roll.sqlite").read_bytes()

    done = roll(log, state)

    assert (done.lines, done.files, done.sets, done.days) == (0, 0, 0, ())
    assert (state / "roll.sqlite").read_bytes() == before


def test_redelivered_lines_count_nothing(log: Path, state: Path) -> None:
    """Lines that come again, in another file, are read and change nothing but their own number."""
    roll(log, state)
    append(log / "again.jsonl", FOUR_DAYS[:5])

    done = roll(log, state)

    assert (done.lines, done.events, done.days) == (5, 0, ())
    assert same(log, state)
    reading = read_rolled(state).reading
    assert reading is not None
    assert reading.redelivered == 5


def test_a_late_refund_counts_the_day_of_its_order(log: Path, state: Path) -> None:
    """A refund belongs to the day on which its order's attempt started, whenever it comes."""
    roll(log, state)
    append(log / "a.jsonl", [refunded("r1", "04T09:00", "paid-02")])

    done = roll(log, state)

    assert done.days == done.changed == ("2026-10-02",)
    assert str(read_rolled(state).revenue["EUR"].refunded) == "EUR 2.50"
    assert same(log, state)


def test_a_late_event_counts_the_day_of_its_attempt(log: Path, state: Path) -> None:
    """An event that comes days later belongs to the day on which its attempt started."""
    roll(log, state)
    append(log / "a.jsonl", [entered("late", "03T11:05", "left-03", "payment")])

    done = roll(log, state)

    assert done.days == done.changed == ("2026-10-03",)
    assert same(log, state)


@pytest.mark.parametrize("unit", ["attempt", "customer"])
def test_a_customer_learnt_late_counts_the_days_of_that_customer(
    log: Path, state: Path, unit: Any
) -> None:
    """An id that comes late joins attempts of two days: both are counted anew, and no other."""
    append(log / "a.jsonl", [entered("k1", "01T12:00", "known", customer_id="u1")])
    roll(log, state, unit=unit)
    append(log / "a.jsonl", [entered("late", "03T11:01", "left-03", customer_id="u1")])

    done = roll(log, state, unit=unit)

    assert done.days == ("2026-10-01", "2026-10-03")
    assert same(log, state, unit=unit)


def test_a_limit_that_passes_counts_the_day_of_what_was_left(log: Path, state: Path) -> None:
    """As the present moves on, carts become lost: their days are counted anew, no paid one is."""
    append(log / "a.jsonl", [entered("x", "02T12:00", "here"), ordered("y", "02T12:01", "here")])
    roll(log, state)
    append(log / "a.jsonl", [entered("far", "08T11:30", "new")])

    done = roll(log, state)

    assert done.days == ("2026-10-01", "2026-10-04", "2026-10-08")
    assert read_rolled(state).outcomes["lost"] == 1
    assert same(log, state)


def test_a_day_counted_anew_may_have_the_same_figures(log: Path, state: Path) -> None:
    """Which days have other figures is said apart: an event may come late and change none."""
    roll(log, state)
    append(log / "a.jsonl", [entered("late", "02T11:00", "left-02")])

    done = roll(log, state)

    assert (done.days, done.changed) == (("2026-10-02",), ())
    assert same(log, state)


def test_a_new_definition_counts_everything(log: Path, state: Path) -> None:
    """Steps that changed are looked for in all that was rolled, without reading it again."""
    roll(log, state)
    steps = [{"name": "cart"}, {"name": "payment"}, {"name": "thanks"}]
    later = {**DECLARED, "event_id": "d2", "occurred_at": "2026-10-04T00:00:00Z", "steps": steps}
    append(log / "a.jsonl", [later])

    done = roll(log, state)

    assert done.whole == "the funnel's definition is another one"
    assert (done.lines, len(done.days)) == (1, 4)
    assert same(log, state)


def test_a_restart_is_no_new_definition(log: Path, state: Path) -> None:
    """Each process declares its funnel; that counts nothing anew."""
    roll(log, state)
    append(log / "a.jsonl", [{**DECLARED, "event_id": "d2", "occurred_at": "2026-10-04T00:00:00Z"}])

    done = roll(log, state)

    assert (done.whole, done.days) == (None, ())
    assert same(log, state)


def test_another_version_counts_everything(
    log: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release may count otherwise: it takes no count of another one, and says so."""
    roll(log, state)
    monkeypatch.setattr(_roll, "version", lambda _: "99")

    with pytest.raises(LogError, match="roll once more"):
        read_rolled(state)
    done = roll(log, state)

    assert done.whole == "it was counted by another version of lastclick"
    assert same(log, state)


def test_an_earlier_instant_counts_everything(log: Path, state: Path) -> None:
    """Going back to an earlier instant is right, though it saves nothing."""
    roll(log, state)
    then = datetime(2026, 10, 2, 12, tzinfo=UTC)

    done = roll(log, state, as_of=then)

    assert done.whole == "it was counted as of a later instant"
    assert read_rolled(state).as_of_chosen
    assert same(log, state, as_of=then)


def test_events_of_the_future_count_when_it_comes(log: Path, state: Path) -> None:
    """What is later than the instant asked for is kept, and counted when its time has come."""
    roll(log, state, as_of=datetime(2026, 10, 2, 12, tzinfo=UTC))
    now = datetime(2026, 10, 3, 10, 2, tzinfo=UTC)

    done = roll(log, state, as_of=now)

    assert (done.lines, done.whole) == (0, None)
    assert "2026-10-03" in done.days
    assert same(log, state, as_of=now)


# A log like a shop's


@pytest.mark.untraced
@pytest.mark.parametrize("unit", ["attempt", "customer"])
def test_in_any_portions_it_is_the_same(
    tmp_path: Path, state: Path, unit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows are held at once, and whatever shares a number, the report is the same."""
    monkeypatch.setattr(_roll, "_AT_ONCE", 300)
    monkeypatch.setattr(_sets, "_AT_ONCE", 120)
    monkeypatch.setattr(_sets, "_HELD", 500)
    monkeypatch.setattr(_sets.Joining, "_number", lambda _, of, name: crc32(name.encode()) % 1000)
    log = tmp_path / "log"
    for part in write(tmp_path / "all", 1_500, seed=3, segment_bytes=120_000):
        log.mkdir(exist_ok=True)
        part.rename(log / part.name)

        roll(log, state, by=("device", "channel"), unit=unit)

        assert same(log, state, by=("device", "channel"), unit=unit)


@pytest.mark.untraced
def test_every_reading_is_the_same(tmp_path: Path, state: Path) -> None:
    """Periods, groups, pages, charts and money of what was rolled are those of the log."""
    log = tmp_path / "a.jsonl"
    log.write_text(declaration() + "".join(lines(400, 3, timedelta(days=70))), encoding="utf-8")
    roll(log, state, by="device")

    rolled, whole = read_rolled(state), measure(read_log(log), by="device")

    assert len(whole.trend("month")) == 3
    for of_state, of_log in zip(_parts(rolled), _parts(whole), strict=True):
        assert of_state == of_log
        assert _shown(of_state) == _shown(of_log)
    assert rolled.to_html() == whole.to_html()


def _parts(report: Report) -> list[Report]:
    """A report, its groups, and the periods of all of these."""
    reports = [report, *report.groups.values()]
    trends = [one.trend(every) for one in reports for every in ("week", "month")]  # type: ignore[arg-type]
    return [*reports, *(period for trend in trends for period in trend.values())]


def _shown(report: Report) -> list[object]:
    days = [date(2026, 10, 1) + timedelta(days=day) for day in range(90)]
    rates = {code: {f"{day}": "1.25" for day in days} for code in report.revenue}
    return [
        report.to_markdown(),
        report.groups_differ(),
        report.early_revenue(timedelta(hours=1)),
        report.repeat_purchase_rate(3),
        report.revenue_in("CHF", rates=rates),
        [report.chart(kind) for kind in ("funnel", "money", "time")],  # type: ignore[arg-type]
    ]


def test_the_same_batches_make_the_same_state(tmp_path: Path) -> None:
    """Two machines that roll the same files in the same runs have the same bytes."""
    parts = write(tmp_path / "all", 2_000, seed=3, segment_bytes=200_000)
    for name in ("one", "two"):
        for part in parts:
            copy = tmp_path / name / part.name
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(part.read_bytes())
            roll(copy.parent, tmp_path / f"rolled-{name}", by="device")

    one, two = ((tmp_path / f"rolled-{name}" / "roll.sqlite") for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_sink_that_is_written_to(tmp_path: Path, state: Path) -> None:
    """Rolled beside a sink that goes on, and that compresses what it has closed."""
    sink = FileSink(tmp_path / "log", max_bytes=2_000)
    noon = datetime(2026, 10, 1, 12, tzinfo=UTC)
    lines = 0
    with Funnel("checkout", steps=("cart", "payment"), sink=sink, clock=lambda: noon) as funnel:
        for number in range(60):
            funnel.checkout(f"c-{number}").enter("cart", at=noon + timedelta(minutes=number))
            if number % 10 == 9:
                lines += roll(tmp_path / "log", state).events

                assert same(tmp_path / "log", state)

    assert lines == 60
    assert roll(tmp_path / "log", state).lines == 0


# Settings


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"by": "device"}, r"was rolled with by=\(\), not with by=\('device',\)"),
        ({"unit": "customer"}, "unit='attempt', not with unit='customer'"),
        ({"exclude": {}}, r"exclude=\{'traffic': .*\}, not with exclude=\{\}"),
        ({"closed": True}, "closed=False, not with closed=True"),
        ({"abandon_after": timedelta(hours=1)}, "abandon_after=None, not with abandon_after=1:00"),
        ({"recover_within": timedelta(days=9)}, "recover_within=None, not with .*=9 days"),
        ({"timezone": "Europe/Paris"}, "timezone='UTC', not with timezone='Europe/Paris'"),
        ({"touch": "last"}, "touch='first', not with touch='last'"),
        ({"funnel": "returns"}, "funnel='checkout', not with funnel='returns'"),
    ],
)
def test_other_settings_are_refused(
    log: Path, state: Path, more: dict[str, Any], said: str
) -> None:
    """A state is of its settings: the error names what differs, and the ways out."""
    roll(log, state)
    before = (state / "roll.sqlite").read_bytes()

    with pytest.raises(ConfigError, match=f"{said}.*; ask for the same, .* delete .* roll again"):
        roll(log, state, **more)

    assert (state / "roll.sqlite").read_bytes() == before


def test_all_settings_are_kept(log: Path, state: Path) -> None:
    """What was asked for comes back in the report, however it was given."""
    asked: dict[str, Any] = {
        "by": ["device"],
        "unit": "customer",
        "exclude": {"device": (True, 1, None, "bot")},
        "closed": True,
        "within": timedelta(hours=2),
        "abandon_after": timedelta(minutes=5),
        "recover_within": timedelta(days=2),
        "timezone": "Europe/Paris",
        "touch": "last",
    }
    roll(log, state, "checkout", **asked)
    append(log / "a.jsonl", [entered("late", "03T11:05", "left-03", attributes={"device": 1})])

    roll(log, state, **asked)

    assert same(log, state, **asked)


def test_a_funnel_that_is_given_need_not_be_declared(tmp_path: Path, state: Path) -> None:
    """A definition may come from the program; with another one everything is counted anew."""
    append(tmp_path / "log" / "a.jsonl", FOUR_DAYS)
    with pytest.raises(ConfigError, match="no definition of funnel 'checkout'"):
        roll(tmp_path / "log", state)
    sink = MemorySink()
    funnel = Funnel("checkout", steps=("cart",), sink=sink)
    longer = Funnel("checkout", steps=("cart", "payment"), sink=sink)

    assert roll(tmp_path / "log", state, funnel).whole is None
    assert same(tmp_path / "log", state, funnel=funnel)
    assert roll(tmp_path / "log", state, longer).whole is not None
    assert same(tmp_path / "log", state, funnel=longer)


def test_several_funnels_are_an_error_whenever_the_second_comes(log: Path, state: Path) -> None:
    """Unless one was chosen, a second funnel in the log is an error in every run."""
    chosen = state.with_name("chosen")
    roll(log, state)
    roll(log, chosen, "checkout")
    append(log / "b.jsonl", [{**entered("z", "04T12:00", "z"), "funnel": "returns"}])

    for _ in range(2):
        with pytest.raises(ConfigError, match="several funnels in one log: 'checkout', 'returns'"):
            roll(log, state)
    roll(log, chosen)

    assert same(log, chosen, funnel="checkout")


def test_an_empty_log_rolls_nothing(tmp_path: Path, state: Path) -> None:
    """Where there is no event there is no funnel, and nothing to report of; later there may be."""
    (tmp_path / "log").mkdir()

    with pytest.raises(ConfigError, match="no definition of a funnel"):
        roll(tmp_path / "log", state)
    with pytest.raises(ConfigError, match="nothing was rolled"):
        read_rolled(state)
    append(tmp_path / "log" / "a.jsonl", [DECLARED, *FOUR_DAYS])
    roll(tmp_path / "log", state)

    assert same(tmp_path / "log", state)


def test_a_definition_alone_is_a_report_of_nothing(tmp_path: Path, state: Path) -> None:
    """A funnel that nobody came to is rolled, and goes on when somebody comes."""
    file = tmp_path / "log" / "a.jsonl"
    append(file, [DECLARED, event("parcel_sent", "p", "01T00:00", None)])
    roll(tmp_path / "log", state)

    assert read_rolled(state).as_of is None
    assert same(tmp_path / "log", state)
    append(file, FOUR_DAYS)
    roll(tmp_path / "log", state)
    assert same(tmp_path / "log", state)


def test_reports_of_what_was_read(log: Path, state: Path) -> None:
    """The report says, beside its figures, what the reading met and who counted."""
    roll(log, state)

    reading = read_rolled(state).reading

    assert reading is not None
    assert reading.engine == "rolled"
    assert reading.problems.lines == 13
    assert measure(read_log(log)).reading is not None


def test_a_limit_longer_than_all_time(log: Path, state: Path) -> None:
    """A cart may be won back for ever, and is kept for as long."""
    roll(log, state, recover_within=timedelta.max)

    assert same(log, state, recover_within=timedelta.max)
