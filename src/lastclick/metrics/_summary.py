"""What a report says about itself, in lines and tables. Computes nothing."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from lastclick._fold import Outcome
from lastclick._money import Money
from lastclick._render import Page, Table
from lastclick._rows import local
from lastclick.events import ORDER
from lastclick.metrics._quality import FAR_HOURS, Quality
from lastclick.metrics._revenue import Loss

if TYPE_CHECKING:
    from lastclick.metrics._report import Report, StepFigures

NONE = "none"
#: By when an order is looked for, beside ``recover_within``.
_HORIZONS = (timedelta(hours=1), timedelta(days=1))
DASH = "-"


def page(report: "Report") -> Page:
    """The report as it is drawn: text, Markdown and HTML alike."""
    return Page(
        title=_title(report),
        lines=[
            ("abandonment rate", _abandonment(report)),
            (f"started {report.started:,}", _in_flight(report)),
            ("lost", _carts(report, Outcome.LOST, report.lost_revenue)),
            ("recoverable", _recoverable(report)),
            ("won back", _won_back(report)),
            ("revenue", _revenue(report)),
            ("largest leak", _leak(report)),
            ("time to order", _time(report)),
            ("stages", _stages(report)),
            ("works", _works(report)),
            ("works well", _works_well(report)),
            ("holdout", _holdout(report)),
            ("answers", _answers(report)),
        ],
        tables=[_steps(report), *([_groups(report)] if report.by else [])],
        notes=["95 % Wilson intervals. " + _clusters(report) + _trust(report)],
    )


def main_currency(report: "Report") -> str | None:
    """The currency in which most is known: the one that steps are ranked in."""
    attempts: dict[str, int] = {}
    for step in report.steps:
        for currency, loss in step.lost.items():
            attempts[currency] = attempts.get(currency, 0) + loss.attempts
    known = [*attempts.items(), *((currency, 0) for currency in report.revenue)]
    return min(known, key=lambda item: (-item[1], item[0]))[0] if known else None


def duration(seconds: float) -> str:
    """Seconds as a clock shows them: 0:42, 1:05:10."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def span(limit: timedelta) -> str:
    """A limit in its largest whole unit: 30 min, 7 d."""
    seconds = limit.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _title(report: "Report") -> list[str]:
    days = f"{report.first_day} to {report.last_day}" if report.first_day else "no attempts"
    if report.as_of is None:
        as_of = "as of: no event"
    else:
        here = local(report.as_of, ZoneInfo(report.timezone))
        chosen = "" if report.as_of_chosen else " (last event)"
        as_of = f"as of {here.isoformat(' ')[:16]}{chosen}"
    limits = (
        f"abandon after {span(report.abandon_after)}, recover within {span(report.recover_within)}"
    )
    parts = [report.funnel or "no funnel", f"{days} {report.timezone}", as_of, limits]
    parts += ["by customer"] if report.unit == "customer" else []
    parts += ["steps as a closed funnel"] if report.closed else []
    return parts


def _abandonment(report: "Report") -> str:
    rate = report.abandonment_rate
    what = "customer journey" if report.unit == "customer" else "attempt"
    if rate.estimate is None:
        return f"{DASH}  no decided {what}s yet"
    return f"{rate}    {rate.numerator:,} of {rate.denominator:,} decided {what}s did not order"


def _unit(report: "Report") -> str:
    return "journey" if report.unit == "customer" else "attempt"


def _in_flight(report: "Report") -> str:
    number = report.outcomes[Outcome.IN_FLIGHT]
    return f"{number:,} still in flight, not in the rates" if number else "none in flight"


def _carts(report: "Report", outcome: Outcome, losses: Mapping[str, Loss]) -> str:
    number = report.outcomes[outcome]
    if not number:
        return NONE
    worth = [f"{loss.at_most} at most, {loss.expected} expected" for loss in losses.values()]
    return f"{_number(number, _unit(report))}, carts worth {'; '.join(worth) or 'unknown'}"


def _recoverable(report: "Report") -> str:
    carts = _carts(report, Outcome.RECOVERABLE, report.recoverable_revenue)
    return carts if carts == NONE else f"{carts}: can still be won back"


def _won_back(report: "Report") -> str:
    by_link = report.outcomes[Outcome.RECOVERED_BY_LINK]
    reminded = report.outcomes[Outcome.RECOVERED_AFTER_REMINDER]
    unaided = report.outcomes[Outcome.RECOVERED_UNAIDED]
    late = report.outcomes[Outcome.PURCHASED_LATE]
    caused = _caused(report)
    if not by_link + reminded + unaided + late:
        return f"{NONE}. {caused}"
    more = f" ({late:,} more came too late)" if late else ""
    orders = _number(by_link + reminded + unaided, "order")
    return (
        f"{orders}: {by_link:,} by link, {reminded:,} after a reminder, {unaided:,} unaided{more}. "
        f"{caused}"
    )


def _caused(report: "Report") -> str:
    proof = report.incremental
    if not (proof.treated.assigned or proof.holdout.assigned):
        return "Caused: not measured, no holdout"
    if proof.reason is not None:
        return f"Caused: {proof.reason}"
    return f"Caused: {proof.orders} orders more than without reminders"


def _revenue(report: "Report") -> str:
    parts = []
    for one in report.revenue.values():
        part = f"{one.net} net"
        if one.refunded.amount or one.cancelled.amount:
            part += f"  (gross {_bare(one.gross)}, refunded {_bare(one.refunded)}"
            part += f", cancelled {_bare(one.cancelled)})" if one.cancelled.amount else ")"
        parts.append(part)
    parts += _counted(report.cancelled_orders, "order", "cancelled")
    return "     ".join(parts) or NONE


def _bare(money: Money) -> str:
    return str(money).partition(" ")[2]


def _leak(report: "Report") -> str:
    if report.closed:
        return f"{DASH}  who is not counted further in a closed funnel may have ordered"
    currency = main_currency(report)

    def size(step: "StepFigures") -> tuple[object, int]:
        loss = step.lost.get(currency or "")
        return (0 if loss is None else loss.expected.amount), step.dropped

    step = max((step for step in report.steps if step.dropped), key=size, default=None)
    if step is None:
        return NONE
    owner = f", owner {step.owner}" if step.owner else ""
    money = "".join(f", {loss.expected} expected" for loss in step.lost.values())
    said = f"{step.name}{owner}: {_number(step.dropped, _unit(report))}{money}"
    if step.failures:
        reason, worst = max(step.failures.items(), key=lambda item: (item[1].attempts, item[0]))
        said += f"; {_number(worst.attempts, _unit(report))} failed with {reason}"
    return said


def _time(report: "Report") -> str:
    if not report.started:
        return NONE
    found = []
    limits = (*_HORIZONS, report.recover_within)
    for horizon in sorted({limit for limit in limits if limit <= report.recover_within}):
        one = report.abandonment_at(horizon)
        if one.estimate is None:
            found.append(f"{DASH} after {span(horizon)} ({one.reason})")
            continue
        ends = "no interval"
        if one.low is not None and one.high is not None:
            ends = f"{100 * one.low:.1f} to {100 * one.high:.1f}"
        found.append(f"{100 * one.estimate:.1f} % ({ends}) after {span(horizon)}")
    return f"not ordered {', '.join(found)}; those in flight are not guessed"


def _stages(report: "Report") -> str:
    if set(report.stages) <= {None}:
        return f"{NONE} declared"
    found = []
    for name, stage in report.stages.items():
        money = "".join(f", {loss.expected} expected" for loss in stage.lost.values())
        rate = DASH if stage.drop_off_rate.estimate is None else str(stage.drop_off_rate)
        found.append(f"{name or 'no stage'} loses {rate} of {stage.reached:,}{money}")
    return "; ".join(found)


def _works(report: "Report") -> str:
    shares = {step.name: step.works.estimate for step in report.steps}
    if not any(step.works.denominator for step in report.steps):
        return NONE
    said = [
        f"{name} {DASH if share is None else f'{100 * share:.1f} %'}"
        for name, share in shares.items()
    ]
    return f"{', '.join(said)} of {_unit(report)}s without a failure"


def _works_well(report: "Report") -> str:
    found = []
    for step in report.steps:
        well = step.works_well
        if well.latest.estimate is None or well.best.estimate is None:
            found.append(f"{step.name} {DASH}")
            continue
        part = (
            f"{step.name} {100 * well.latest.estimate:.1f} %, best {100 * well.best.estimate:.1f}"
        )
        if well.gap.low is not None and well.gap.low > 0:
            part += " (down)"
        found.append(part)
    reasons = {step.works_well.reason for step in report.steps}
    if len(reasons) == 1 and None not in reasons:
        return f"{DASH}  {reasons.pop()}"
    return f"{'; '.join(found)}: went on in the latest four weeks, and in the best four"


def _holdout(report: "Report") -> str:
    proof = report.incremental
    treated, held = proof.treated, proof.holdout
    if not (treated.assigned or held.assigned):
        return NONE
    waiting = treated.waiting + held.waiting
    said = f"{treated.followed:,} treated and {held.followed:,} held out were followed to the end"
    said += f", {waiting:,} not yet" if waiting else ""
    caused = [
        f"{currency} {one}" for currency, one in proof.revenue.items() if one.estimate is not None
    ]
    said += f". Revenue caused: {'; '.join(caused)}" if caused else ""
    blur = proof.contamination
    blurred = [
        *_counted(blur.holdout_reminded, "customer", "held out but reminded"),
        *_counted(blur.in_both_arms, "customer", "in both arms"),
        *_counted(blur.two_ids, "customer", "under two ids"),
        *_counted(blur.several_campaigns, "customer", "of several campaigns"),
        *_counted(blur.without_step, "assignment", "at no step"),
    ]
    return f"{said}. Blurred by: {', '.join(blurred) or NONE}"


def _answers(report: "Report") -> str:
    found = []
    for place, given in (
        ("after the order", report.survey.after_order),
        ("on exit", report.survey.on_exit),
    ):
        if given.answered:
            part = f"{_number(given.answered, 'answer')} {place}"
            if given.satisfied.estimate is not None:
                part += f", satisfied {given.satisfied}"
            ranked = sorted(given.reasons.items(), key=lambda one: (-one[1], one[0]))
            found.append(part + "".join(f", {reason} {number:,}" for reason, number in ranked[:3]))
    return "; ".join(found) or NONE


def _clusters(report: "Report") -> str:
    one = report.abandonment_clustered
    if one.method == report.abandonment_rate.method or one.low is None or one.high is None:
        return ""
    limits = f"{100 * one.low:.1f} to {100 * one.high:.1f}"
    return f"They take attempts as apart; with customers as clusters abandonment is {limits} %. "


def _steps(report: "Report") -> Table:
    rows = []
    for step in report.steps:
        drop = step.drop_off_rate
        off = DASH if drop.estimate is None else str(drop).replace(" %", "")
        median = DASH if step.seconds.median is None else duration(step.seconds.median)
        counts = (step.entered, step.reached, step.skipped, step.dropped)
        rows.append(
            [step.name, *(f"{number:,}" for number in counts), off, median, _expected(step.lost)]
        )
    rows.append([ORDER, "", f"{report.rows()[-1]['reached']:,}", "", "", "", "", ""])
    header = ["step", "entered", "reached", "skipped", "dropped", "drop-off %"]
    return Table([*header, "median to next", "lost here (expected)"], rows)


def _groups(report: "Report") -> Table:
    rows = []
    named = Counter(_named(value) for value in report.groups)
    for value, group in report.groups.items():
        name = _named(value)
        rate = group.abandonment_rate
        rows.append(
            [
                name if named[name] == 1 else _named(value, quoted=True),
                f"{group.started:,}",
                f"{group.decided:,}",
                f"{group.ordered:,}",
                DASH if rate.estimate is None else str(rate).replace(" %", ""),
                _expected(group.lost_revenue),
                _expected(group.recoverable_revenue),
            ]
        )
    header = ["started", "decided", "ordered", "abandonment %"]
    header += ["lost (expected)", "recoverable (expected)"]
    return Table([", ".join(report.by), *header], rows)


def _named(value: object, *, quoted: bool = False) -> str:
    """A group by its values; text in quotes where it would be blank or read as another's."""
    values = value if isinstance(value, tuple) else (value,)
    return ", ".join(
        "not given"
        if one is None
        else f'"{one}"'
        if isinstance(one, str) and (quoted or not one.strip())
        else str(one)
        for one in values
    )


def _expected(losses: Mapping[str, Loss]) -> str:
    return ", ".join(str(loss.expected) for loss in losses.values()) or DASH


def _trust(report: "Report") -> str:
    facts = report.quality
    said = [
        *_counted(sum(facts.unknown_steps.values()), "event", "at unknown steps"),
        *_losses(facts),
        *_counted(facts.flawed, "event", "kept without a flawed part"),
    ]
    reading = report.reading
    if reading is not None:
        said += [f"{reading.redelivered:,} redelivered"]
        problems = reading.problems
        if problems is not None and problems.torn + problems.unreadable:
            said += [f"{problems.torn:,} torn and {problems.unreadable:,} unreadable lines"]
    said += _counted(facts.excluded_attempts, "attempt", "excluded")
    said += _counted(facts.without_step, _unit(report), "at no step left out")
    loose = (
        facts.refunds_without_order + facts.refunds_other_currency + facts.refunds_without_amount
    )
    said += _counted(loose, "refund", "not netted")
    said += _counted(report.withheld, _unit(report), "of groups too small to be shown")
    said += _counted(facts.values_missing, "cart", "of unknown value")
    if len(facts.definitions) > 1:
        newest = facts.definitions[-1].since
        said += [f"{len(facts.definitions)} definitions (the latest of {newest.date()})"]
    if facts.last_event_alone_h >= FAR_HOURS and not report.as_of_chosen:
        said += [f"the last event comes {facts.last_event_alone_h:,} h after the one before it"]
    return f"Trust: {', '.join(said)}. More: report.quality"


def _losses(facts: Quality) -> list[str]:
    reasons = {one.reason for one in facts.losses if one.source == "funnel" and not one.kept}
    why = f" ({', '.join(sorted(reasons))})" if reasons else ""
    return [*_counted(facts.rejected, "event", f"rejected{why}"), f"{facts.lost:,} lost"]


def _counted(number: int, what: str, how: str) -> list[str]:
    return [f"{_number(number, what)} {how}"] if number else []


def _number(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
