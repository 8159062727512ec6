"""The trend: by the day, week or month in which checkouts began, with what happened on the way."""

from datetime import date
from string import ascii_uppercase

from lastclick.page._blocks import (
    Block,
    Chart,
    Grid,
    Inlines,
    Name,
    Paragraph,
    Plot,
    Point,
    Section,
    Table,
    joined,
)
from lastclick.page._facts import step_of
from lastclick.page._messages import later
from lastclick.page._tell import Tell
from lastclick.page._time import confidence, scale

_EVERY = {"day": later("day"), "week": later("week from"), "month": later("month from")}
#: How far apart days are written below the trend, so that there is room for them on a phone.
_APART = 0.22


def trend(tell: Tell) -> Section:
    """The abandonment rate over time, with its intervals, and marks that the user named."""
    blocks: list[Block] = []
    if tell.at("trend.periods"):
        blocks.append(_chart(tell))
        if tell.at("marks"):
            blocks.append(_marks(tell))
    else:
        blocks.append(Paragraph(tell.say("No checkout has started yet.")))
    return Section("trend", tell.say("Trend"), tuple(blocks))


def _letter(place: int) -> str:
    return ascii_uppercase[place % len(ascii_uppercase)]


def _chart(tell: Tell) -> Chart:
    periods = tell.at("trend.periods")
    days = [date.fromisoformat(one["first_day"]) for one in periods]
    first, length = days[0], max(1, (days[-1] - days[0]).days)
    size = {"day": 1, "week": 7, "month": 31}[tell.at("trend.every")]

    def place(day: date) -> float:
        return ((day - first).days + size / 2) / (length + size)

    highs = [one["abandonment_rate"]["high"] for one in periods]
    up = scale(tell, max([0.2, *(high for high in highs if high is not None)]))
    top = up[-1][0]
    most = max(one["started"] for one in periods)
    points, counts, rows = [], [], []
    for number, (day, one) in enumerate(zip(days, periods, strict=True)):
        path = f"trend.periods.{number}"
        when = tell.day(f"{path}.first_day", short=True)
        rate = one["abandonment_rate"]
        started = tell.count(f"{path}.started")
        share = tell.percent(f"{path}.abandonment_rate.estimate")
        if rate["estimate"] is not None:
            points.append(
                Point(
                    place(day),
                    rate["estimate"] / top,
                    rate["low"] / top,
                    rate["high"] / top,
                    f"{when.shown}: {share.shown}",
                )
            )
        width = size / (length + size)
        counts.append((place(day), one["started"] / most, width, f"{when.shown}: {started.shown}"))
        rows.append(
            (
                (tell.day(f"{path}.first_day"),),
                (started,),
                (tell.count(f"{path}.in_flight"),),
                (tell.count(f"{path}.ordered"),),
                tell.within(f"{path}.abandonment_rate"),
                _net(tell, f"{path}.revenue"),
            )
        )
    across: list[tuple[float, str]] = []
    for number, day in enumerate(days):
        if not across or place(day) - across[-1][0] >= _APART:
            shown = tell.day(f"trend.periods.{number}.first_day", short=True).shown
            across.append((place(day), shown))
    flags = []
    for number, mark in enumerate(tell.at("marks")):
        day = date.fromisoformat(mark["day"])
        if 0 <= place(day) <= 1:
            flags.append((place(day), _letter(number), mark["name"]))
    header = (
        tell.say(_EVERY[tell.at("trend.every")]),
        tell.say("started"),
        tell.say("still going on"),
        tell.say("ordered"),
        tell.say("abandonment rate"),
        tell.say("net revenue"),
    )
    return Chart(
        "fig-trend",
        tell.say("Abandonment rate by the time checkouts started"),
        Plot(
            tuple(points),
            tuple(across),
            tuple((share / top, said) for share, said in up),
            flags=tuple(flags),
            counts=tuple(counts),
        ),
        (
            ("curve", tell.say("abandonment rate")),
            ("band", tell.say("{confidence} interval", confidence=confidence(tell))),
            ("count", tell.say("checkouts started")),
        ),
        Table(tell.say("Trend"), header, tuple(rows)),
        tell.say(
            "The latest ones had less time to be won back, so their rate looks worse than it will "
            "be."
        )
        if tell.at("report.outcomes.in_flight") or tell.at("report.outcomes.recoverable")
        else (),
    )


def _net(tell: Tell, path: str) -> Inlines:
    said = [(tell.money(f"{step_of(path, code)}.net"),) for code in tell.currencies(path)]
    return joined(*said, by=", ") or ("\N{EN DASH}",)


def _marks(tell: Tell) -> Grid:
    rows = tuple(
        ((_letter(place),), (tell.day(f"marks.{place}.day"),), (Name(mark["name"]),))
        for place, mark in enumerate(tell.at("marks"))
    )
    header = (tell.say("mark"), tell.say("day"), tell.say("what happened"))
    return Grid("fig-marks", Table(tell.say("Marks"), header, rows, frozenset({1, 2})))
