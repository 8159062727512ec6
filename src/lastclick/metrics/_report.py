"""The report: every figure of a funnel, from its counts, and the ways to read it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, overload

import attrs
from typing_extensions import Unpack, override

from lastclick import _render
from lastclick._charts import Chart
from lastclick._fold import Outcome
from lastclick._frames import Library, frame
from lastclick._gather import EXCLUDE, Chosen, Events
from lastclick._rows import instant
from lastclick.errors import ConfigError
from lastclick.events import ORDER
from lastclick.metrics._clustered import APART, clustered_share, several
from lastclick.metrics._columns import of_reports, of_steps
from lastclick.metrics._completion import (
    NOT_BY_DAY,
    clusters,
    completion,
    early_revenue,
    groups_differ,
    not_ordered_by,
    order_values,
    per_checkout,
    repeat_purchase,
    revenue_per_checkout,
)
from lastclick.metrics._completion import (
    abandoned as abandoned_by_customer,
)
from lastclick.metrics._completion import (
    ordered as ordered_by_customer,
)
from lastclick.metrics._converted import Rates, revenue_in
from lastclick.metrics._count import Delivery, counted
from lastclick.metrics._counts import LOG, Basis, Counts, Key, Touch, Unit, added, cells_of
from lastclick.metrics._drawings import draw
from lastclick.metrics._estimate import Estimate, HypothesisTest
from lastclick.metrics._incremental import Incremental, incremental
from lastclick.metrics._means import Moments, Pairs
from lastclick.metrics._plain import plain_value
from lastclick.metrics._quality import Quality, quality
from lastclick.metrics._rates import Rate, rate
from lastclick.metrics._revenue import (
    Chances,
    Loss,
    Recovered,
    Revenue,
    chances,
    losses,
    recovered,
    revenue,
)
from lastclick.metrics._steps import PassRate, Surprise, pass_rate, surprises
from lastclick.metrics._summary import page
from lastclick.metrics._survey import Survey, survey
from lastclick.metrics._survival import Curve
from lastclick.metrics._tally import ABOVE, SURPRISES
from lastclick.metrics._timing import Seconds, seconds_quantiles

if TYPE_CHECKING:
    from lastclick.page import PageOptions

_RECOVERED = (
    Outcome.RECOVERED_BY_LINK,
    Outcome.RECOVERED_AFTER_REMINDER,
    Outcome.RECOVERED_UNAIDED,
)
_ORDERED = (Outcome.PURCHASED, *_RECOVERED, Outcome.PURCHASED_LATE)
_EVER_ABANDONED = (
    Outcome.RECOVERABLE,
    Outcome.LOST,
    *_RECOVERED,
    Outcome.PURCHASED_LATE,
)


#: Attributes that say how a shopper can use a page: told by the shop, never guessed. Groups by them
#: are shown from so many attempts on: a handful of people are no segment, and could be recognised.
ACCESSIBILITY = frozenset(
    ("keyboard_only", "screen_reader", "reduced_motion", "zoom", "large_text")
)
FEWEST = 30
#: How many groups a message names.
_SOME = 20
#: Of attempts by seconds from the start to the order, or to now.
_BY_SECOND = frozenset(("paid_after", "open_after", "net_after", "net2_after"))


@attrs.frozen
class Failures:
    """What went wrong at a step for one reason.

    Attributes:
        failures: Distinct failures.
        attempts: Attempts with at least one.

    Example:
        >>> from lastclick import measure
        >>> measure(events).steps["payment"].failures
        {'card_declined': Failures(failures=1, attempts=1)}

    .. versionadded:: 0.1.0
    """

    failures: int
    attempts: int


@attrs.frozen
class Retries:
    """What attempts did after a failure at a step, for one reason.

    Attributes:
        retried: Attempts that were at the step again afterwards, or deeper, or ordered.
        ordered: Attempts that ordered at last.

    Example:
        >>> from lastclick import measure
        >>> measure(events).steps["payment"].retries
        {'card_declined': Retries(retried=0, ordered=0)}

    .. versionadded:: 0.1.0
    """

    retried: int
    ordered: int


@attrs.frozen
class Section:
    """Steps that belong together: those of a stage, or of an owner.

    Attributes:
        steps: Their names, in order.
        reached: Attempts that got to the first of them or beyond.
        dropped: Attempts that got exactly to one of them and did not order.
        drop_off_rate: Of those that reached it, the share that dropped here.
        lost: What the carts dropped here were worth, by currency.

    Example:
        >>> from lastclick import measure
        >>> report = measure(events)
        >>> report.owners[None].steps, report.owners[None].dropped
        (('cart', 'payment'), 1)

    .. versionadded:: 0.1.0
    """

    steps: tuple[str, ...]
    reached: int
    dropped: int
    drop_off_rate: Rate
    lost: Mapping[str, Loss]


@attrs.frozen
class StepFigures:
    """One step of the report. All counts are over decided attempts, ``in_flight`` apart.

    Attributes:
        name: The step.
        stage: Where it stands on the way of a buyer, if declared.
        owner: Who answers for it, if declared.
        optional: Whether it may be passed over.
        entered: Attempts that were seen at it.
        reached: Attempts that got to it or beyond.
        skipped: Reached less entered.
        dropped: Attempts that got exactly this far and did not order.
        in_flight: Attempts that are here now, not in any of the others.
        conversion_rate: Of those that reached it, the share that went deeper or ordered.
        drop_off_rate: Of those that reached it, the share that dropped here.
        failed: Attempts with at least one failure here.
        failures: Failures by reason.
        retries: What attempts did after a failure, by its reason.
        returned: Attempts that were seen here again after a deeper step.
        works: Of those seen here, the share without a failure.
        works_well: The share that went on in the latest four weeks, beside its own best four.
        surprises: Totals shown here by how much they were above the first one, and who left.
        seconds: From here to the next deeper step or the order.
        median_seconds: The median of these, with its limits.
        p90_seconds: Within this time nine tenths went on, with its limits.
        lost: What the carts dropped here were worth, by currency.

    Example:
        >>> from lastclick import measure
        >>> step = measure(events).steps["payment"]
        >>> step.reached, step.dropped, str(step.lost["EUR"].expected)
        (2, 1, 'EUR 60.00')

    .. versionadded:: 0.1.0
    """

    name: str
    stage: str | None
    owner: str | None
    optional: bool
    entered: int
    reached: int
    skipped: int
    dropped: int
    in_flight: int
    conversion_rate: Rate
    drop_off_rate: Rate
    failed: int
    failures: Mapping[str, Failures]
    seconds: Seconds
    median_seconds: Estimate
    p90_seconds: Estimate
    lost: Mapping[str, Loss]
    retries: Mapping[str, Retries]
    returned: int
    works: Rate
    works_well: PassRate
    surprises: tuple[Surprise, ...]


class Steps(Sequence[StepFigures]):
    """The steps of a report, in order, also by name: ``report.steps["payment"]``.

    Example:
        >>> from lastclick import measure
        >>> steps = measure(events).steps
        >>> steps
        Steps(cart, payment)
        >>> steps["payment"] is steps[1]
        True

    .. versionadded:: 0.1.0
    """

    def __init__(self, steps: Sequence[StepFigures]) -> None:
        self._steps = tuple(steps)

    @overload
    def __getitem__(self, place: int | str) -> StepFigures: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[StepFigures]: ...
    @override
    def __getitem__(self, place: int | str | slice) -> StepFigures | Sequence[StepFigures]:
        if not isinstance(place, str):
            return self._steps[place]
        for step in self._steps:
            if step.name == place:
                return step
        names = ", ".join(step.name for step in self._steps)
        raise KeyError(f"no step {place!r}; this funnel has {names}")

    @override
    def __len__(self) -> int:
        return len(self._steps)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Steps) and self._steps == other._steps

    @override
    def __hash__(self) -> int:
        return hash(tuple(step.name for step in self._steps))

    @override
    def __repr__(self) -> str:
        return f"Steps({', '.join(step.name for step in self._steps)})"


class Groups(Mapping[Any, "Report"]):
    """The reports of the groups, by value; ``1``, ``True`` and ``"1"`` are three values.

    Example:
        >>> from lastclick import measure
        >>> report = measure(events, by="device")
        >>> {device: group.started for device, group in report.groups.items()}
        {'desktop': 1, 'mobile': 2}

    .. versionadded:: 0.1.0
    """

    def __init__(self, reports: Mapping[str, "Report"], by: Sequence[str]) -> None:
        self._reports = reports
        self._by = by
        self._several = len(by) > 1

    @override
    def __getitem__(self, value: object) -> "Report":
        try:
            if not self._several or isinstance(value, tuple):
                return self._reports[json.dumps(value if self._several else [value])]
        except (KeyError, TypeError):  # no such group, or nothing that a group can be of
            pass
        known = ", ".join(repr(one) for one in islice(self, _SOME)) or "none"
        more = f" and {len(self) - _SOME:,} more" if len(self) > _SOME else ""
        raise KeyError(f"no group {value!r:.100}; this report has {known}{more}")

    @override
    def __iter__(self) -> Iterator[Any]:
        for text in self._reports:
            values = json.loads(text)
            yield tuple(values) if self._several else values[0]

    @override
    def __len__(self) -> int:
        return len(self._reports)

    @override
    def items(self) -> Any:
        """Each value with its report."""
        return list(zip(self, self._reports.values(), strict=True))

    @override
    def values(self) -> Any:
        """The reports."""
        return list(self._reports.values())

    def to_frame(self, library: Library = "pandas") -> Any:
        """The groups as a table of another library: one row each.

        Args:
            library: ``"pandas"``, ``"polars"`` or ``"pyarrow"``, as in `Report.to_frame`.

        Raises:
            ConfigError: There is no such library, or it is not installed.

        Example:
            >>> from lastclick import measure
            >>> table = measure(events, by="device").groups.to_frame("pyarrow")
            >>> table.select(["device", "started", "ordered"]).to_pylist()[0]
            {'device': 'desktop', 'started': 1, 'ordered': 1}

        .. versionadded:: 0.1.0
        """
        keyed = [(json.loads(text), report) for text, report in self._reports.items()]
        return frame(of_reports(self._by, keyed), library)

    @override
    def __repr__(self) -> str:
        return f"Groups({', '.join(repr(value) for value in self)})"


class Trend(dict[str, "Report"]):
    """The reports of some periods, by the first day of each, in order. Made by `Report.trend`.

    Example:
        >>> from lastclick import measure
        >>> list(measure(events).trend("month"))
        ['2026-10-01']

    .. versionadded:: 0.1.0
    """

    def to_frame(self, library: Library = "pandas") -> Any:
        """The periods as a table of another library: one row each.

        Args:
            library: ``"pandas"``, ``"polars"`` or ``"pyarrow"``, as in `Report.to_frame`.

        Raises:
            ConfigError: There is no such library, or it is not installed.

        Example:
            >>> from lastclick import measure
            >>> table = measure(events).trend("month").to_frame("pyarrow")
            >>> table.select(["first_day", "started", "lost"]).to_pylist()
            [{'first_day': '2026-10-01', 'started': 3, 'lost': 1}]

        .. versionadded:: 0.1.0
        """
        keyed = [((first_day,), report) for first_day, report in self.items()]
        return frame(of_reports(["first_day"], keyed), library)


@attrs.frozen(repr=False, eq=False)
class Report:
    """What a funnel earned, lost and won back, as of an instant. Made by `measure`.

    Attributes:
        funnel: The funnel's name.
        as_of: The instant up to which events count; None where there are none.
        as_of_chosen: Whether it was chosen; otherwise it is the last event.
        first_day: The day on which the earliest attempt started, None where there is none.
        last_day: The day on which the latest one did.
        abandon_after: An attempt idle for longer is abandoned.
        recover_within: An order within this time of an abandonment is a recovery.
        unit: What was counted: ``"attempt"`` or ``"customer"``.
        by: The attributes that form the groups.
        closed: Whether the steps are counted as a closed funnel.
        touch: Which step event of an attempt gives its group.
        exclude: By attribute, the values whose attempts were left out; ``quality`` counts them.
        timezone: The zone of its days.
        started: Attempts with at least one step.
        outcomes: Attempts by outcome; they add up to ``started``.
        decided: Attempts that are not in flight: the denominator of the rates.
        ordered: Attempts with an order.
        abandonment_rate: Decided attempts without an order / decided.
        abandonment_clustered: The same with customers as clusters: attempts of one customer hang
            together, and say less than they are. A period has no interval, but a reason.
        ever_abandoned_rate: Attempts that were abandoned at some time / decided.
        recovery_rate: Recovered / ever abandoned, over attempts whose first abandonment is more
            than ``recover_within`` before ``as_of``.
        not_matured: Attempts whose first abandonment is not yet that old.
        steps: The steps, in order and by name.
        stages: By stage, its steps together; None for steps without one.
        owners: By owner, their steps together; None for steps without one.
        completion: The share that has not ordered, by seconds from the start; those still going
            on are not guessed.
        revenue_per_checkout: Net revenue per started checkout by currency, customers as clusters.
            A period has no interval, but a reason: its customers come in other ones, too.
        revenue: By currency: gross, refunded, cancelled, net.
        cancelled_orders: Orders that were called off; they stay orders, their money does not.
        lost_revenue: By currency, of lost attempts: cart values at most, and expected.
        recoverable_revenue: The same of attempts that can still be won back.
        recovered_revenue: By currency, order totals won back, by kind.
        survey: What shoppers answered, after the order and on the way out.
        incremental: What reminding caused, as a holdout proves it.
        groups: By value of the attributes: the same report of that group.
        withheld: Attempts of groups that are not shown: by an attribute about accessibility, those
            of fewer than 30 attempts.
        quality: What is odd in the log, and what was left out.
        reading: What was met on the way: files, torn lines, redeliveries, seconds. No part of
            `to_dict`, since a second delivery may change it.

    Example:
        >>> from lastclick import measure
        >>> report = measure(events)
        >>> report.started, report.decided, report.ordered
        (3, 2, 1)
        >>> report.outcomes["lost"], str(report.revenue["EUR"].net)
        (1, 'EUR 64.80')

    .. versionadded:: 0.1.0
    """

    funnel: str
    as_of: datetime | None
    as_of_chosen: bool
    first_day: date | None
    last_day: date | None
    abandon_after: timedelta
    recover_within: timedelta
    unit: Unit
    by: tuple[str, ...]
    closed: bool
    touch: Touch
    exclude: Mapping[str, tuple[str | int | bool | None, ...]]
    timezone: str
    started: int
    outcomes: Mapping[Outcome, int]
    decided: int
    ordered: int
    abandonment_rate: Rate
    abandonment_clustered: Estimate
    ever_abandoned_rate: Rate
    recovery_rate: Rate
    not_matured: int
    steps: Steps
    stages: Mapping[str | None, Section]
    owners: Mapping[str | None, Section]
    completion: Curve
    revenue_per_checkout: Mapping[str, Estimate]
    revenue: Mapping[str, Revenue]
    cancelled_orders: int
    lost_revenue: Mapping[str, Loss]
    recoverable_revenue: Mapping[str, Loss]
    recovered_revenue: Mapping[str, Recovered]
    survey: Survey
    incremental: Incremental
    groups: Groups
    withheld: int
    quality: Quality
    reading: Delivery | None
    _order_row: int
    _trend: Callable[[Callable[[str], str]], dict[str, "Report"]]
    _total: Mapping[Key, int]
    _span: Mapping[Key, int] | None

    def abandonment_at(self, horizon: timedelta) -> Estimate:
        """The share of started attempts without an order at a time after their start.

        1 - Kaplan-Meier: attempts in flight are taken as followed up to now, and not guessed. Past
        the longest follow-up, and past ``recover_within``, there is no estimate but a reason.

        Args:
            horizon: The time after the start.

        Raises:
            ConfigError: It is no timedelta of 0 or more.

        Example:
            >>> from lastclick import measure
            >>> print(measure(events).abandonment_at(timedelta(hours=1)))
            0.5 (0.00598 to 0.91)

        .. versionadded:: 0.1.0
        """
        seconds = _seconds("horizon", horizon)
        longest = self.recover_within // timedelta(seconds=1)
        return not_ordered_by(self.completion, seconds, longest)

    def groups_differ(self) -> HypothesisTest:
        """Whether the groups order equally fast and often, by the log-rank test.

        Example:
            >>> from lastclick import measure
            >>> measure(events, by="device").groups_differ().degrees
            1

        .. versionadded:: 0.1.0
        """
        return groups_differ([group._total for group in self.groups.values()])

    def early_revenue(self, horizon: timedelta) -> Mapping[str, Estimate]:
        """Net revenue per started checkout within a time after the start, by currency, read early.

        Checkouts that are younger are no zeros: each order counts one over the share that was
        followed as long.

        Args:
            horizon: The time after the start, at most ``recover_within``.

        Raises:
            ConfigError: It is no timedelta of 0 or more, or longer than ``recover_within``.

        Example:
            >>> from lastclick import measure
            >>> print(measure(events).early_revenue(timedelta(minutes=5))["EUR"].estimate)
            32.4

        .. versionadded:: 0.1.0
        """
        seconds = _seconds("horizon", horizon)
        if horizon > self.recover_within:
            msg = f"horizon is {horizon}, longer than recover_within ({self.recover_within})"
            raise ConfigError(f"{msg}, for which attempts are followed")
        return early_revenue(self._total, seconds)

    def repeat_purchase_rate(self, days: int) -> Estimate:
        """The share of customers who order again within some days of their first order.

        By Kaplan-Meier: who ordered lately is taken as followed up to now. In a period of `trend`
        it is about those whose first order came of an attempt that began in the period.

        Args:
            days: Within how many days, 1 or more.

        Raises:
            ConfigError: That is no whole number of days.

        Example:
            >>> from lastclick import measure
            >>> measure(events).repeat_purchase_rate(7).estimate
            0.0

        .. versionadded:: 0.1.0
        """
        if type(days) is not int or days < 1:
            raise ConfigError(f"days is {days!r:.100}; pass a whole number, 1 or more")
        return repeat_purchase((self._total, self._span or {}), days)

    def revenue_in(self, currency: str, *, rates: Rates) -> Revenue:
        """Revenue of all currencies in one, at rates that the shop gives.

        Each order is worth what its own day's rate says, and so is what goes back of it, whenever
        that was: a full refund comes to nothing exactly. Sums are exact and rounded once.

        Args:
            currency: The currency to report in.
            rates: By currency and day (in the report's timezone), what one unit of it is worth.

        Raises:
            ConfigError: A rate is missing, or is no number above 0; the message names it.

        Example:
            >>> from lastclick import measure
            >>> rates = {"EUR": {"2026-10-01": "1.25"}}
            >>> print(measure(events).revenue_in("USD", rates=rates).net)
            USD 81.00

        .. versionadded:: 0.1.0
        """
        return revenue_in(self._total, currency, rates)

    def _order_values(self, currency: str) -> Moments:
        return order_values(self._total, currency)

    def _completed(self) -> Pairs:
        return ordered_by_customer(self._span or {})

    def _abandoned(self) -> Pairs:
        return abandoned_by_customer(self._span or {})

    def _apart(self) -> str | None:
        """What is taken for granted where customers are no clusters; a period knows none."""
        return APART if self._span is None or several(self._completed()) else None

    def _clusters(self, currency: str) -> Pairs:
        return clusters(self._span or {}, currency)

    def trend(self, every: Literal["day", "week", "month"] = "day") -> Trend:
        """The same report for each day, week or month in which attempts started.

        Args:
            every: The length of a period; weeks begin on Monday.

        Returns:
            By the first day of the period, such as ``"2026-10-01"``, in order. Periods in which
            nothing started are left out. Numbers of attempts, revenue and carts at most add up over
            the periods; what is ``expected`` of carts does not, since a period that is large enough
            takes its own chance. What a period cannot say has a reason.

        Raises:
            ConfigError: There is no such length.

        Example:
            >>> from lastclick import measure
            >>> {day: report.started for day, report in measure(events).trend("month").items()}
            {'2026-10-01': 3}
            >>> first = measure(events).trend("month")["2026-10-01"]
            >>> first.abandonment_at(timedelta(hours=1)).estimate
            0.5

        .. versionadded:: 0.1.0
        """
        try:
            first_day = _PERIODS[every]
        except (KeyError, TypeError):
            msg = f"every is 'day', 'week' or 'month', not {every!r:.100}"
            raise ConfigError(msg) from None
        return Trend(self._trend(first_day))

    def to_dict(self) -> dict[str, Any]:
        """Every figure as plain values, ready for JSON; the same for any arrival of the log.

        Example:
            >>> from lastclick import measure
            >>> measure(events).to_dict()["abandonment_rate"]["numerator"]
            1

        .. versionadded:: 0.1.0
        """
        plain: dict[str, Any] = {
            field.name: plain_value(getattr(self, field.name))
            for field in attrs.fields(Report)
            if field.name not in ("groups", "reading", "completion")
            and not field.name.startswith("_")
        }
        plain["abandonment_at"] = {
            str(int(horizon.total_seconds())): plain_value(self.abandonment_at(horizon))
            for horizon in (*_HORIZONS, self.recover_within)
            if horizon <= self.recover_within
        }
        plain["groups"] = [
            {"value": list(value) if isinstance(value, tuple) else value, **report._figures()}
            for value, report in self.groups.items()
        ]
        return plain

    def _figures(self) -> dict[str, Any]:
        """What a group has of its own."""
        shared = ("funnel", "as_of", "as_of_chosen", "abandon_after", "recover_within", "unit")
        mine = self.to_dict()
        for name in (*shared, "by", "closed", "touch", "exclude", "timezone", "quality", "groups"):
            del mine[name]
        return mine

    def rows(self) -> list[dict[str, Any]]:
        """The table of steps: one mapping a step, and one for the order.

        Example:
            >>> from lastclick import measure
            >>> [row["step"] for row in measure(events).rows()]
            ['cart', 'payment', 'order']

        .. versionadded:: 0.1.0
        """
        rows: list[dict[str, Any]] = [
            {
                "step": step.name,
                "entered": step.entered,
                "reached": step.reached,
                "skipped": step.skipped,
                "dropped": step.dropped,
                "in_flight": step.in_flight,
                "drop_off_rate": step.drop_off_rate,
                "median_seconds": step.seconds.median,
                "lost": step.lost,
            }
            for step in self.steps
        ]
        empty = dict.fromkeys(rows[0])
        return [*rows, {**empty, "step": ORDER, "reached": self._order_row}]

    def to_markdown(self) -> str:
        """The report as Markdown.

        Example:
            >>> from lastclick import measure
            >>> measure(events).to_markdown().splitlines()[0]
            '## checkout'

        .. versionadded:: 0.1.0
        """
        return _render.markdown(page(self))

    def to_frame(self, library: Library = "pandas") -> Any:
        """The table of steps as a table of another library: one row a step, and one for the order.

        Money is exact, in a column for each currency; what is not known is missing, not zero.

        Args:
            library: ``"pandas"``, ``"polars"`` or ``"pyarrow"``, whichever you have installed.

        Returns:
            A pandas or polars DataFrame, or a pyarrow Table.

        Raises:
            ConfigError: There is no such library, or it is not installed.

        Example:
            >>> from lastclick import measure
            >>> table = measure(events).to_frame("pyarrow")
            >>> table.select(["step", "reached", "dropped", "lost_expected_EUR"]).to_pylist()[1]
            {'step': 'payment', 'reached': 2, 'dropped': 1, 'lost_expected_EUR': Decimal('60.0000')}

        .. versionadded:: 0.1.0
        """
        return frame(of_steps(self), library)

    def chart(self, kind: Literal["funnel", "money", "time"] = "funnel") -> Chart:
        """A chart of the report, as SVG beside its figures.

        Args:
            kind: ``"funnel"``: how far attempts got, and where they dropped. ``"money"``: what
                the carts were worth that were left at each step, by currency. ``"time"``: what
                share has not ordered, by time from the start; those still going on are not guessed.

        Raises:
            ConfigError: There is no such chart.

        Example:
            >>> from lastclick import measure
            >>> chart = measure(events).chart("money")
            >>> chart.description
            'in EUR: cart: none; payment: 60.00 expected, 120.00 at most.'
            >>> chart.svg[:38]
            '<svg xmlns="http://www.w3.org/2000/svg'

        .. versionadded:: 0.1.0
        """
        return draw(self, kind)

    def to_html(self, **options: "Unpack[PageOptions]") -> str:
        """The report as a page: one HTML file by itself, with the business case on top.

        `lastclick.page.report_page` makes the same page also as Markdown, JSON and a digest.

        Args:
            **options: As `lastclick.page.PageOptions` has them: a language, a theme, marks.

        Raises:
            ConfigError: An option cannot be used.

        Example:
            >>> from lastclick import measure
            >>> measure(events).to_html()[:15]
            '<!doctype html>'

        .. versionadded:: 0.1.0
        """
        # A page stands above the analysis, and that above reports: found only when it is asked for.
        from lastclick.page import report_page

        return report_page(self, **options).to_html()

    def _repr_html_(self) -> str:
        return _render.html(page(self))

    @override
    def __repr__(self) -> str:
        return _render.text(page(self))

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Report) and self.to_dict() == other.to_dict()

    @override
    def __hash__(self) -> int:
        return hash((self.funnel, self.as_of, self.started))


def measure(
    events: Events,
    funnel: Chosen = None,
    *,
    as_of: datetime | None = None,
    by: str | Sequence[str] = (),
    unit: Unit = "attempt",
    exclude: Mapping[str, Sequence[str | int | bool | None]] = EXCLUDE,
    closed: bool = False,
    within: timedelta | None = None,
    abandon_after: timedelta | None = None,
    recover_within: timedelta | None = None,
    timezone: str = "UTC",
    touch: Touch = "first",
    workers: int = 1,
) -> Report:
    """Measure a funnel: what became of its attempts, step by step and in money.

    Args:
        events: Events, or a log from `read_log`.
        funnel: Which funnel: its name, a `Funnel` or a declaration; None takes the one declared.
        as_of: Shopper events after it do not exist; None takes the latest one.
        by: An attribute, or several, whose values form groups.
        unit: ``"attempt"``, or ``"customer"`` to join the attempts of one customer.
        exclude: By attribute, the values whose attempts are left out, and counted.
        closed: Draw the step counts as a closed funnel, as other tools do, for comparison.
        within: The closed funnel's window from its first step, its end included.
        abandon_after: Instead of the definition's.
        recover_within: Instead of the definition's.
        timezone: Whose days the trend goes by.
        touch: Which step event of an attempt gives its group: the ``"first"``, or the ``"last"``
            that has the attributes, up to the order. For ``utm_source`` these are the first touch
            and the last.
        workers: How many processes count, at most, where ``events`` is a log of some 10 MB or more;
            the report is the same. Everything else is counted in this process.

    Raises:
        ConfigError: A setting cannot be used, or the funnel is not to be told.
        LogError: One of several ``workers`` ended before its time.

    Example:
        >>> from lastclick import measure
        >>> report = measure(events)
        >>> print(report.abandonment_rate)
        50.0 % (9.5 to 90.5)
        >>> report.steps["payment"].dropped
        1

    .. versionadded:: 0.1.0
    """
    counts, delivery = counted(
        events,
        funnel,
        as_of=as_of,
        by=by,
        unit=unit,
        exclude=exclude,
        closed=closed,
        within=within,
        abandon_after=abandon_after,
        recover_within=recover_within,
        timezone=timezone,
        touch=touch,
        workers=workers,
    )
    return attrs.evolve(report_from(counts), reading=delivery)


def report_from(counts: Counts) -> Report:
    """The report of some counts, wherever they were counted.

    Example:
        >>> from lastclick.metrics import count, report_from
        >>> report_from(count(events)).started
        3

    .. versionadded:: 0.1.0
    """
    basis = counts.basis
    days: dict[str, list[str]] = {}
    for group, day in sorted(counts.cells):
        if day:
            days.setdefault(group, []).append(day)
    own = {group: counts.total(group=group, days=some) for group, some in days.items()}
    total = added(own.values())
    steps = basis.law.steps
    missing = sum(number for key, number in total.items() if key[0] == "unvalued")
    facts = quality(counts.cells.get(LOG, {}), missing, steps)
    whole = chances(total, steps, None)
    reports: dict[str, Report] = {}
    fewest = FEWEST if ACCESSIBILITY & set(basis.by) else 0
    withheld = 0
    for group, everything in own.items() if basis.by else ():
        started = sum(n for key, n in everything.items() if key[0] == "outcome")
        if started < fewest:
            withheld += started
            continue
        reports[group] = _report(
            basis, everything, days[group], whole, facts, {}, counts, group, counts.span(group)
        )
    all_days = [day for some in days.values() for day in some]
    report = _report(basis, total, all_days, None, facts, reports, counts, None, counts.span())
    return attrs.evolve(report, withheld=withheld)


def _report(
    basis: Basis,
    everything: Mapping[Key, int],
    days: Sequence[str],
    whole: Chances | None,
    facts: Quality,
    groups: Mapping[str, Report],
    counts: Counts,
    group: str | None,
    span: Mapping[Key, int] | None,
) -> Report:
    total: dict[Key, int] = {}
    waits: dict[Key, int] = {}
    for key, number in everything.items():
        if key[0] == "seconds":
            waits[key] = number
        elif key[0] not in _BY_SECOND:  # they are many, and looked through for each figure
            total[key] = number
    outcomes = {outcome: total.get(("outcome", outcome), 0) for outcome in Outcome}
    started = sum(outcomes.values())
    decided = started - outcomes[Outcome.IN_FLIGHT]
    ordered = sum(outcomes[outcome] for outcome in _ORDERED)
    abandoned = sum(outcomes[outcome] for outcome in _EVER_ABANDONED)
    matured = {outcome: total.get(("matured", outcome), 0) for outcome in _EVER_ABANDONED}
    chance = chances(total, basis.law.steps, whole)
    without_step = sum(
        n for key, n in counts.cells.get(LOG, {}).items() if key[0] == "trial_without_step"
    )

    def trend(first_day: Callable[[str], str]) -> dict[str, Report]:
        periods: dict[str, list[str]] = {}
        for day in sorted(set(days)):
            periods.setdefault(first_day(day), []).append(day)
        lender = whole or chance
        return {
            label: _report(
                basis,
                counts.total(group=group, days=own),
                own,
                lender,
                facts,
                {},
                counts,
                group,
                None,
            )
            for label, own in periods.items()
        }

    weeks = None
    if span is not None:
        going = [key for key in total if key[0] in ("outcome", "dropped")]
        weeks = _by_week(counts, group, days, going)
    arms = [key for key in total if key[0] == "arm"]
    earned = revenue(total)
    steps = Steps(_steps(basis, total, waits, ordered, chance, weeks))
    return Report(
        funnel=basis.funnel,
        as_of=None if basis.as_of is None else instant(basis.as_of),
        as_of_chosen=basis.chosen,
        first_day=date.fromisoformat(min(days)) if days else None,
        last_day=date.fromisoformat(max(days)) if days else None,
        abandon_after=timedelta(microseconds=basis.abandon_after),
        recover_within=timedelta(microseconds=basis.recover_within),
        unit=basis.unit,
        by=basis.by,
        closed=basis.closed,
        touch=basis.touch,
        exclude=dict(basis.exclude),
        timezone=basis.timezone,
        started=started,
        outcomes=outcomes,
        decided=decided,
        ordered=ordered,
        abandonment_rate=rate(decided - ordered, decided),
        abandonment_clustered=clustered_share(abandoned_by_customer(span))
        if span is not None
        else _not_clustered(rate(decided - ordered, decided)),
        ever_abandoned_rate=rate(abandoned, decided),
        recovery_rate=rate(sum(matured[kind] for kind in _RECOVERED), sum(matured.values())),
        not_matured=abandoned - sum(matured.values()),
        steps=steps,
        stages=_sections(basis, steps, total, chance, "stage"),
        owners=_sections(basis, steps, total, chance, "owner"),
        completion=completion(everything),
        revenue_per_checkout=per_checkout(earned, started)
        if span is None
        else revenue_per_checkout(span, earned),
        revenue=earned,
        cancelled_orders=sum(n for key, n in total.items() if key[0] == "cancelled_orders"),
        lost_revenue=losses(total, chance, outcome=Outcome.LOST),
        recoverable_revenue=losses(total, chance, outcome=Outcome.RECOVERABLE),
        recovered_revenue=recovered(total),
        survey=survey(total),
        incremental=incremental(total, _assigned(counts, group, days, arms), without_step),
        groups=Groups(groups, basis.by),
        withheld=0,
        quality=facts,
        reading=None,
        order_row=total.get(("chain", ORDER), 0) if basis.closed else ordered,
        trend=trend,
        total=everything,
        span=span,
    )


def _steps(
    basis: Basis,
    total: Mapping[Key, int],
    waits: Mapping[Key, int],
    ordered: int,
    chance: Chances,
    by_week: Mapping[date, Mapping[Key, int]] | None,
) -> list[StepFigures]:
    names = basis.law.steps
    dropped = [total.get(("dropped", name), 0) for name in names]
    found = []
    for place, step in enumerate(basis.steps):
        name = step.name
        if basis.closed:
            reached = entered = total.get(("chain", name), 0)
            deeper = [*(later for later in basis.law.required if later > place)]
            following = names[deeper[0]] if deeper else ORDER
            further = reached if step.optional else total.get(("chain", following), 0)
            drops, in_flight = reached - further, 0
        else:
            entered = total.get(("entered", name), 0)
            reached = sum(dropped[place:]) + ordered
            drops, in_flight = dropped[place], total.get(("in_flight", name), 0)
        failures = _failures(total, name)
        entered_open = total.get(("entered", name), 0)
        failed = total.get(("failed_any", name), 0)
        median, p90 = seconds_quantiles(waits, name)
        found.append(
            StepFigures(
                name=name,
                stage=step.stage,
                owner=step.owner,
                optional=step.optional,
                entered=entered,
                reached=reached,
                skipped=reached - entered,
                dropped=drops,
                in_flight=in_flight,
                conversion_rate=rate(reached - drops, reached),
                drop_off_rate=rate(drops, reached),
                failed=failed,
                failures=failures,
                seconds=Seconds(count=median.n, median=median.estimate, p90=p90.estimate),
                median_seconds=median,
                p90_seconds=p90,
                lost=losses(total, chance, step=name),
                retries={
                    reason: Retries(
                        total.get(("retried", name, reason), 0),
                        total.get(("failed_ordered", name, reason), 0),
                    )
                    for reason in failures
                },
                returned=total.get(("returned", name), 0),
                works=rate(entered_open - failed, entered_open),
                works_well=pass_rate(None if by_week is None else _passed(by_week, names[place:])),
                surprises=surprises(total, name, (*SURPRISES, ABOVE)),
            )
        )
    return found


def _not_clustered(one: Rate) -> Estimate:
    why = one.reason or NOT_BY_DAY
    return Estimate(estimate=one.estimate, method="wilson", n=one.denominator, reason=why)


def _by_week(
    counts: Counts, group: str | None, days: Sequence[str], keys: Sequence[Key]
) -> dict[date, dict[Key, int]]:
    """By its Monday, what of each week says who went on from a step."""
    weeks = {day: date.fromisoformat(_week(day)) for day in set(days)}
    found: dict[date, dict[Key, int]] = {week: {} for week in weeks.values()}
    for of, day in cells_of(counts.cells, group, days):
        total, cell = found[weeks[day]], counts.cells[of, day]
        for key in keys:
            total[key] = total.get(key, 0) + cell.get(key, 0)
    return found


def _passed(
    by_week: Mapping[date, Mapping[Key, int]], names: Sequence[str]
) -> dict[date, tuple[int, int]]:
    """By week, how many went on from the first of these steps, and how many reached it."""
    found = {}
    for week, total in by_week.items():
        ordered = sum(total.get(("outcome", outcome), 0) for outcome in _ORDERED)
        dropped = [total.get(("dropped", name), 0) for name in names]
        reached = ordered + sum(dropped)
        found[week] = (reached - dropped[0], reached)
    return found


def _sections(
    basis: Basis,
    steps: Steps,
    total: Mapping[Key, int],
    chance: Chances,
    by: Literal["stage", "owner"],
) -> dict[str | None, Section]:
    """The steps that have a stage or an owner in common, in the order of their first steps."""
    together: dict[str | None, list[StepFigures]] = {}
    for step in steps:
        together.setdefault(getattr(step, by), []).append(step)
    found = {}
    for name, own in together.items():
        names = tuple(step.name for step in own)
        dropped = sum(total.get(("dropped", one), 0) for one in names)
        first = basis.law.positions[names[0]]
        reached = sum(
            n
            for key, n in total.items()
            if (key[0] == "dropped" and basis.law.positions[str(key[1])] >= first)
            or (key[0] == "outcome" and key[1] in _ORDERED)
        )
        lost = losses(total, chance, steps=names)
        found[name] = Section(names, reached, dropped, rate(dropped, reached), lost)
    return found


def _assigned(
    counts: Counts, group: str | None, days: Sequence[str], keys: Sequence[Key]
) -> dict[str, int]:
    """By day of the start, how many were drawn into an arm."""
    found: dict[str, int] = {}
    for of, day in cells_of(counts.cells, group, days) if keys else ():
        cell = counts.cells[of, day]
        number = sum(cell.get(key, 0) for key in keys)
        if number:
            found[day] = found.get(day, 0) + number
    return found


def _failures(total: Mapping[Key, int], step: str) -> dict[str, Failures]:
    reasons = sorted(str(key[2]) for key in total if key[0] == "failures" and key[1] == step)
    return {
        reason: Failures(total["failures", step, reason], total["failed", step, reason])
        for reason in reasons
    }


def _seconds(name: str, value: timedelta) -> int:
    """A duration as whole seconds.

    Raises:
        ConfigError: It is none of 0 or more.
    """
    given: object = value
    if not isinstance(given, timedelta) or given < timedelta(0):
        raise ConfigError(f"{name} is {given!r:.100}; pass a timedelta of 0 or more")
    return given // timedelta(seconds=1)


def _day(day: str) -> str:
    return day


def _week(day: str) -> str:
    this = date.fromisoformat(day)
    return (this - timedelta(days=this.weekday())).isoformat()


def _month(day: str) -> str:
    return f"{day[:7]}-01"


#: The horizons that `Report.to_dict` tells beside ``recover_within``.
_HORIZONS = (timedelta(hours=1), timedelta(days=1))
_PERIODS = {"day": _day, "week": _week, "month": _month}
