"""What the tables of `lastclick.engines._sql` come to: selects whose rows are counts.

What several of them count is a table, too; what a log has none of is not asked for. Each row has
a name, a cell (group and day), up to five parts of a key, and a number; what a name's parts are,
`lastclick.engines._cells` knows.
"""

from collections.abc import Iterator

from lastclick._rows import ASSIGNED, CANCELLED, FAILED, ORDERED, REFUNDED, SURVEYED, UNKNOWN
from lastclick.engines._sql import DAY, SECOND, WHOLE, Table, Template
from lastclick.events import ORDER
from lastclick.metrics._tally import ABOVE, SURPRISES

_LOG = {"cell": "''", "day": "0"}
CHECKOUT, EXCLUDED = "checkout", "excluded"


#: What is in the rows at all: by kind (``p``) the first instant (``i``) and the last (``n``),
#: where those with a checkout (``a``) and excluded ones (``b``) are told apart.
SEEN = f"""SELECT 'seen' AS name, '' AS cell, 0 AS day, kind AS p,
    CASE WHEN checkout_id IS NULL THEN '' ELSE '{CHECKOUT}' END AS a,
    CASE WHEN excluded THEN '{EXCLUDED}' ELSE '' END AS b, NULL AS c, min(t) AS i, max(t) AS n
    FROM facts WHERE t IS NOT NULL GROUP BY kind, checkout_id IS NULL, excluded"""


class Told:
    """The selects of one counting.

    Args:
        template: Its tables.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        self._say = template.say
        self._rows = template.rows

    def tell(
        self,
        name: str,
        source: str,
        number: str = "count(*)",
        *,
        cell: str = "cell",
        day: str = "day",
        where: str = "true",
        **parts: str,
    ) -> str:
        """A select that counts, by cell and parts: ``p`` a step, ``a b c`` texts, ``i`` a count."""
        columns = {"cell": cell, "day": day} | parts
        by = [column for column in columns.values() if column not in ("''", "'*'", "0")]
        grouped = f" GROUP BY {', '.join(by)}" if by else ""
        nothing = {"p": "CAST(NULL AS INT)", "i": "CAST(NULL AS BIGINT)"}
        keys = ", ".join(
            f"{columns.get(key) or nothing.get(key, 'NULL')} AS {key}"
            for key in ("cell", "day", "p", "a", "b", "c", "i")
        )
        return (
            f"SELECT '{name}' AS name, {keys}, {self._say.wide(number)} AS n"
            f" FROM {source} WHERE {where}{grouped} HAVING count(*) > 0"
        )

    def all(self) -> Iterator[Table | str]:
        """All of them, and the tables that they need."""
        kinds = self._template.kinds
        yield from self._journeys()
        yield from self._seconds()
        yield from self._unpaid()
        if FAILED in kinds:
            yield from self._failures()
        yield from self._surprises()
        if SURVEYED in kinds:
            yield from self._answers()
        if self._template.basis.closed:
            yield from self._chain()
        yield from self._orders()
        if kinds & {REFUNDED, CANCELLED}:
            yield from self._unmatched()
        if self._template.excluded:
            yield from self._excluded()
        yield from self._clusters()
        yield from self._again()
        if ASSIGNED in kinds:
            yield from self._trials()
        yield from self._facts()
        yield from self._strays()

    def _journeys(self) -> Iterator[str]:
        tell = self.tell
        yield tell(
            "shape",
            "journeys",
            where="counted",
            a="outcome",
            b="seen",
            i="CASE WHEN matured THEN 1 ELSE 0 END",
        )
        yield tell("paid_after", "journeys", where="counted AND order_at IS NOT NULL", i="after")
        yield tell("open_after", "journeys", where="counted AND order_at IS NULL", i="after")
        yield tell("without_step", "journeys", where="NOT counted", **_LOG)
        for place in self._template.places[:-1]:
            deeper = self._template.least(
                [f"f{later}" for later in self._template.places[place + 1 :]]
            )
            yield tell(
                "returned",
                "journeys",
                where=f"counted AND decided AND l{place} > {deeper}",
                p=f"{place}",
            )

    def _seconds(self) -> Iterator[Table | str]:
        places = self._template.places
        waits = []
        for place in places:
            since = f"j.f{place}"
            nexts = [f"CASE WHEN j.order_at >= {since} THEN j.order_at END"]
            if place < places[-1]:
                later = ", ".join(f"j.f{after}" for after in places[place + 1 :])
                nexts.append(f"CASE WHEN j.orderly THEN coalesce({later}) ELSE s.w{place} END")
            waits.append(f"{self._template.least(nexts)} - {since} AS w{place}")
        yield Table(
            "waits",
            f"""SELECT j.cell AS cell, j.day AS day, {", ".join(waits)}
            FROM journeys j LEFT JOIN strayed s ON s.k = j.k WHERE j.counted AND j.decided""",
        )
        for place in places:
            yield self.tell(
                "seconds",
                "waits",
                where=f"w{place} IS NOT NULL",
                p=f"{place}",
                i=self._say.div(f"w{place}", SECOND),
            )

    def _unpaid(self) -> Iterator[Table | str]:
        unpaid = "counted AND decided AND order_at IS NULL"
        yield Table(
            "unpaid",
            "SELECT j.cell AS cell, j.day AS day, j.deepest AS deepest, j.outcome AS outcome,"
            " c.k IS NOT NULL AS valued, c.units AS units, c.currency AS currency"
            f" FROM (SELECT * FROM journeys r WHERE {WHOLE} AND {unpaid}) j"
            f" LEFT JOIN (SELECT k, units, currency FROM carts r WHERE {WHOLE}) c ON c.k = j.k",
        )
        step = {"p": "deepest", "a": "outcome"}
        yield self.tell("unvalued", "unpaid", where="NOT valued", **step)
        yield self.tell("valued", "unpaid", where="valued", **step, b="currency")
        total = f"sum({self._say.wide('units')})"
        yield self.tell("value", "unpaid", total, where="valued", **step, b="currency")

    def _failures(self) -> Iterator[Table | str]:
        places = self._template.places
        later = " ".join(
            f"WHEN {place} THEN {self._template.greatest([f'j.l{at}' for at in places[place:]])}"
            for place in places
        )
        yield Table(
            "failing",
            "SELECT j.cell AS cell, j.day AS day, f.k AS k, f.pos AS pos, f.reason AS reason,"
            " f.number AS number,"
            f" CASE f.pos {later} END > f.t OR coalesce(j.order_at > f.t, false) AS went_on,"
            " j.order_at IS NOT NULL AS ordered"
            " FROM (SELECT k, pos, reason, min(t) AS t, count(*) AS number"
            " FROM (SELECT k, pos, coalesce(more, '') AS reason, checkout_id, event_id,"
            f" min(t) AS t FROM {self._rows} WHERE kind = {FAILED} AND pos IS NOT NULL"
            " GROUP BY k, pos, coalesce(more, ''), checkout_id, event_id) e"
            " GROUP BY k, pos, reason) f"
            " JOIN journeys j ON j.k = f.k WHERE j.decided",
        )
        each = {"p": "pos", "a": "reason"}
        yield self.tell("failures", "failing", "sum(number)", **each)
        yield self.tell("failed", "failing", **each)
        yield self.tell("failed_any", "failing", "count(DISTINCT k)", p="pos")
        yield self.tell("retried", "failing", where="went_on", **each)
        yield self.tell("failed_ordered", "failing", where="ordered", **each)

    def _surprises(self) -> Iterator[Table | str]:
        more = "100 * (t.units - t.base)"
        bands = " ".join(f"WHEN {more} <= {limit} * t.base THEN {limit}" for limit in SURPRISES[1:])
        yield Table(
            "surprised",
            "SELECT j.cell AS cell, j.day AS day, t.pos AS pos,"
            f" CASE WHEN {more} <= 0 THEN 0 {bands} ELSE {ABOVE} END AS band,"
            " j.order_at IS NULL AND t.pos = j.deepest AS ended"
            f" FROM (SELECT * FROM totals r WHERE {WHOLE}) t"
            f" JOIN (SELECT * FROM journeys r WHERE {WHOLE}) j ON j.k = t.k",
        )
        yield self.tell("surprise", "surprised", p="pos", i="band")
        yield self.tell("surprise_left", "surprised", where="ended", p="pos", i="band")

    def _answers(self) -> Iterator[Table | str]:
        say, pick = self._say, self._template.pick
        part, reasoned = ("t", "event_id", "given"), "r.what <> ''"
        told = {"t": "r.t", "event_id": "r.event_id"}
        yield Table(
            "answered",
            "SELECT cell, day, place,"
            f" CASE WHEN reasons > 0 THEN {say.part('latest', 'given', part)} END AS reason,"
            f" CASE WHEN scores > 0 THEN {say.part('rated', 'given', part)} END AS score"
            " FROM (SELECT k, cell, day, place, count(*) FILTER (WHERE r.what <> '') AS reasons,"
            " count(*) FILTER (WHERE r.units IS NOT NULL) AS scores,"
            f" {pick('max', told | {'given': 'r.what'}, reasoned)} AS latest,"
            f" {pick('max', told | {'given': 'coalesce(r.units, -1)'}, 'r.units IS NOT NULL')}"
            " AS rated"
            " FROM (SELECT r.k, j.cell, j.day, r.t, r.event_id, r.what, r.units,"
            " CASE WHEN j.order_at IS NULL OR r.t < j.order_at THEN 'exit' ELSE 'order' END"
            f" AS place FROM {self._rows} r JOIN journeys j ON j.k = r.k"
            f" WHERE r.kind = {SURVEYED} AND j.counted) r"
            " GROUP BY k, cell, day, place) p",
        )
        yield self.tell("answered", "answered", a="place")
        yield self.tell("reason", "answered", where="reason IS NOT NULL", a="place", b="reason")
        yield self.tell("score", "answered", where="score IS NOT NULL", a="place", i="score")

    def _chain(self) -> Iterator[str]:
        template, say = self._template, self._say
        required = (*template.law.required, len(template.places))
        source, opened, before, passed = "journeys", None, None, "counted"
        for place in (*template.places, len(template.places)):
            bounds = ["true"]
            if before is not None:
                bounds.append(f"x >= c{before}")
            if opened is not None and template.basis.within is not None:
                bounds.append(f"x <= c{opened} + {template.basis.within}")
            here = say.smallest(say.where(f"at{place}", " AND ".join(bounds)))
            source = f"(SELECT *, {here} AS c{place} FROM {source}) x{place}"
            here_too = f"{passed} AND c{place} IS NOT NULL"
            if place == len(template.places):
                yield self.tell("chain", source, where=here_too, a=say.quoted(ORDER))
            else:
                yield self.tell("chain", source, where=here_too, p=f"{place}")
            if place in required:
                passed, before = here_too, place
                opened = place if opened is None else opened

    def _orders(self) -> Iterator[str]:
        tell = self.tell
        kind = {"a": "outcome"}
        money = {"a": "outcome", "b": "currency"}
        order_day = self._template.day("t")
        on = {"i": order_day, "a": "currency"}
        yield tell("orders", "credited", where="counted", **kind)
        yield tell("without_step_orders", "credited", where="NOT counted", **_LOG)
        yield tell("orders_without_total", "credited", where="units < 0", **_LOG)
        yield tell("unpriced", "credited", where="units < 0", **kind)
        yield tell("gross", "credited", "sum(units)", where="units >= 0", **money)
        yield tell("refunded", "credited", "sum(refunded)", where="refunded > 0", **money)
        yield tell(
            "refunds_over_order", "credited", where="refunded > units AND refunded > 0", **_LOG
        )
        yield tell("cancelled_orders", "credited", where="is_cancelled", **kind)
        yield tell("cancelled", "credited", "sum(cancelled)", where="cancelled > 0", **money)
        priced = "counted AND units >= 0"
        yield tell("gross_on", "credited", "sum(units)", where=priced, **on)
        back, off = f"{priced} AND refunded > 0", f"{priced} AND cancelled > 0"
        yield tell("refunded_on", "credited", "sum(refunded)", where=back, **on)
        yield tell("cancelled_on", "credited", "sum(cancelled)", where=off, **on)
        yield tell("priced", "credited", where=priced, a="currency")
        after = {"i": "after", "a": "currency"}
        yield tell("net_after", "credited", "sum(net)", where=priced, **after)
        yield tell("net2_after", "credited", "sum(net * net)", where=priced, **after)
        yield tell("shared_orders", "credited", where="shared", **_LOG)
        yield tell("order_conflicts", "credited", where="conflict", **_LOG)

    def _unmatched(self) -> Iterator[str]:
        tell, units = self.tell, f"sum({self._say.wide('units')})"
        yield tell("refunds_without_amount", "back", where="what = 'without_amount'", **_LOG)
        for what in ("without_order", "other_currency"):
            such = f"what = '{what}'"
            yield tell(f"refunds_{what}", "back", where=such, **_LOG)
            yield tell(f"refunds_{what}_money", "back", units, where=such, **_LOG, a="currency")
        yield tell("cancellations_without_order", "off", where="NOT known", **_LOG)

    def _excluded(self) -> Iterator[str]:
        tell, units = self.tell, f"sum({self._say.wide('units')})"
        as_of = self._template.as_of
        yield tell("excluded_attempts", "left_out", **_LOG)
        yield tell("excluded_orders", "gone", **_LOG)
        yield tell("excluded_gross", "gone", units, where="units >= 0", **_LOG, a="currency")
        dropped = (
            "(SELECT DISTINCT f.checkout_id, f.kind, f.event_id"
            " FROM facts f LEFT JOIN left_out l ON l.checkout_id = f.checkout_id"
            f" WHERE f.excluded AND f.kind < {REFUNDED} AND f.t <= {as_of}"
            " AND f.checkout_id IS NOT NULL AND l.checkout_id IS NULL) d"
        )
        yield tell("excluded_events", dropped, **_LOG)
        of_orders = (
            "(SELECT DISTINCT f.what, f.kind, f.event_id"
            " FROM facts f LEFT JOIN gone g ON g.order_id = f.what"
            f" WHERE f.excluded AND f.kind IN ({REFUNDED}, {CANCELLED}) AND f.t <= {as_of}"
            " AND g.order_id IS NULL) d"
        )
        yield tell("excluded_events", of_orders, **_LOG)

    def _clusters(self) -> Iterator[Table | str]:
        tell, text, wide = self.tell, self._say.text, self._say.wide
        yield tell(
            "ends",
            "spans",
            day="0",
            a=text("going_on"),
            b=text("x - going_on - ordered"),
            c=text("ordered"),
        )
        nets = "SELECT who, '*' AS cell, currency, net FROM credited WHERE counted AND units >= 0"
        if self._template.basis.by:
            nets += " UNION ALL SELECT who, cell, currency, net FROM credited"
            nets += " WHERE counted AND units >= 0"
        yield Table(
            "clusters",
            f"SELECT s.cell AS cell, y.currency AS currency, {wide('s.x')} AS x, y.y AS y FROM"
            f" (SELECT who, cell, currency, sum(net) AS y FROM ({nets}) n"
            " GROUP BY who, cell, currency) y"
            " JOIN spans s ON s.who = y.who AND s.cell = y.cell",
        )
        for what, number in (("y", "y"), ("yy", "y * y"), ("xy", "x * y")):
            yield tell(
                "cluster", "clusters", f"sum({number})", day="0", a=f"'{what}'", b="currency"
            )

    def _again(self) -> Iterator[Table | str]:
        yield Table(
            "again",
            "SELECT who, min(CASE WHEN place = 1 THEN t END) AS first_at,"
            " min(CASE WHEN place = 2 THEN t END) AS next_at,"
            " min(CASE WHEN place = 1 THEN CASE WHEN counted THEN cell ELSE '*' END END) AS cell,"
            " min(CASE WHEN place = 1 THEN day END) AS day"
            " FROM (SELECT who, t, counted, cell, day,"
            " row_number() OVER (PARTITION BY who ORDER BY t, cell, day) AS place"
            " FROM credited WHERE customer IS NOT NULL) p GROUP BY who",
        )
        since = self._say.div(f"{self._template.as_of} - first_at", DAY)
        yield self.tell("once", "again", where="next_at IS NULL", i=since)
        days = self._say.div(f"next_at - first_at + {DAY - 1}", DAY)
        yield self.tell("again", "again", where="next_at IS NOT NULL", i=days)
        within = self._template.within
        elsewhere = (
            "(SELECT lost, last_at, min(CASE WHEN lost = 0 THEN t END)"
            " OVER (PARTITION BY customer ORDER BY t, lost DESC"
            " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS ordered_at"
            " FROM (SELECT customer, start_at AS t, last_at, 1 AS lost FROM attempts"
            " WHERE outcome = 'lost' AND deepest IS NOT NULL AND customer IS NOT NULL"
            " UNION ALL SELECT a.customer, r.t, NULL AS last_at, 0 AS lost"
            " FROM kept r JOIN attempts a ON a.k = r.k"
            f" WHERE r.kind = {ORDERED} AND a.customer IS NOT NULL) u) e"
        )
        such = f"lost = 1 AND ordered_at <= last_at + {within}"
        yield self.tell("ordered_elsewhere", elsewhere, where=such, **_LOG)

    def _trials(self) -> Iterator[str]:
        tell = self.tell
        arm = {"a": "arm"}
        yield tell("trial_without_step", "trials", where="NOT counted", **_LOG, **arm)
        yield tell("arm", "trials", where="counted", **arm, b="share")
        for name, such in (
            ("arm_in_both", "several_arms"),
            ("arm_two_ids", "two_ids"),
            ("arm_campaigns", "campaigns > 1"),
            ("arm_reminded", "touched_at IS NOT NULL"),
            ("arm_waiting", "NOT followed"),
            ("arm_followed", "followed"),
            ("arm_unvalued", "followed AND currency IS NULL"),
        ):
            yield tell(name, "trials", where=f"counted AND {such}", **arm)
        yield tell("arm_reminders", "trials", "sum(sent)", where="counted", **arm)
        yield tell(
            "arm_reminders_followed", "trials", "sum(sent)", where="counted AND followed", **arm
        )
        orders = (
            "(SELECT t.cell, t.day, t.arm, o.who AS who, o.net AS net, o.currency AS currency,"
            " coalesce(o.attributed, false) AS attributed"
            " FROM trial_orders o JOIN trials t ON t.who = o.who) o"
        )
        persons = "count(DISTINCT who)"
        yield tell("arm_buyers", orders, persons, **arm)
        yield tell("arm_orders", orders, **arm)
        yield tell("arm_attributed", orders, persons, where="attributed", **arm)
        yield tell("arm_unpriced", orders, where="net IS NULL", **arm)
        priced = {**arm, "b": "currency"}
        yield tell("arm_buyers_in", orders, persons, where="net IS NOT NULL", **priced)
        such = "net IS NOT NULL AND attributed"
        yield tell("arm_attributed_y", orders, "sum(net)", where=such, **priced)
        yield from self._arm_sums()

    def _arm_sums(self) -> Iterator[str]:
        wide = self._say.wide
        zero = wide("0")
        source = (
            "(SELECT cell, day, arm, currency, sum(y) AS y, sum(x) AS x FROM"
            f" (SELECT t.cell AS cell, t.day AS day, t.arm AS arm, t.who AS who,"
            f" o.currency AS currency, o.net AS y, {zero} AS x"
            " FROM trial_orders o JOIN trials t ON t.who = o.who WHERE o.net IS NOT NULL"
            f" UNION ALL SELECT cell, day, arm, who, currency, {zero} AS y, {wide('units')} AS x"
            " FROM trials WHERE counted AND followed AND currency IS NOT NULL) s"
            " GROUP BY cell, day, arm, who, currency) z"
        )
        for what, number in (
            ("y", "y"),
            ("yy", "y * y"),
            ("x", "x"),
            ("xx", "x * x"),
            ("xy", "x * y"),
        ):
            yield self.tell(
                "arm_sum", source, f"sum({number})", a=f"'{what}'", b="arm", c="currency"
            )

    # Facts of the log

    def _facts(self) -> Iterator[str]:
        tell, say, template = self.tell, self._say, self._template
        yield tell("last_event", "attempts", **_LOG, i=template.hour("seen_until"))
        unknown = (
            "(SELECT DISTINCT k, what, event_id FROM kept"
            f" WHERE kind <= {FAILED} AND pos IS NULL) u"
        )
        yield tell("unknown_step", unknown, **_LOG, a="what")
        yield tell("several_customers", "attempts", where="customer_lo < customer_hi", **_LOG)
        arms = (
            f"(SELECT {say.part('o', 'arm', ('t', 'arm'))} AS arm FROM (SELECT k,"
            f" {template.pick('min', {'t': 't', 'arm': 'what'})} AS o FROM kept"
            f" WHERE kind = {ASSIGNED} GROUP BY k) p) q"
        )
        yield tell("assigned", arms, **_LOG, a="arm")
        started = "deepest IS NOT NULL"
        late = f"{started} AND (f0 IS NULL OR start_at < f0)"
        yield tell("not_first_step", "attempts", where=late, **_LOG)
        for place in template.places[1:]:
            before = ", ".join(f"f{earlier}" for earlier in reversed(template.places[:place]))
            skew = f"(coalesce({before}) - f{place})"
            yield tell(
                "out_of_order",
                "attempts",
                where=f"NOT orderly AND {skew} > 0",
                **_LOG,
                i=say.div(skew, SECOND),
            )
        after = f"{started} AND last_at > order_at"
        yield tell("activity_after_order", "attempts", where=after, **_LOG)
        further = (
            "(SELECT r.k, count(DISTINCT r.what) - 1 AS more FROM kept r"
            f" JOIN attempts a ON a.k = r.k WHERE r.kind = {ORDERED}"
            f" AND a.orders > 1 AND a.{started} GROUP BY r.k) m"
        )
        yield tell("further_orders", further, "sum(more)", where="more > 0", **_LOG)
        mixed = f"{started} AND currency_lo < currency_hi"
        yield tell("two_currencies", "attempts", where=mixed, **_LOG)

    def _strays(self) -> Iterator[str]:
        stray = (
            "(SELECT DISTINCT event_id, kind, what FROM facts WHERE checkout_id IS NULL"
            f" AND kind = {UNKNOWN}) s"
        )
        yield self.tell("unknown_type", stray, **_LOG, a="what")
        nameless = (
            "(SELECT DISTINCT event_id, kind, what FROM facts WHERE checkout_id IS NULL"
            f" AND kind < {REFUNDED} AND t <= {self._template.as_of}) s"
        )
        yield self.tell("without_checkout_id", nameless, **_LOG)
