"""The rules of the fold as SQL: the only second reading of them beside `lastclick._fold`.

One template for all databases; what they say differently is in `lastclick.engines._dialect`. It
reads a table of rows, as `lastclick._rows` has them, and ends in selects whose results are counts
(`lastclick.engines._cells`). Instants are microseconds, money is in units of 1/10,000.

Tables, in order: ``kept`` (rows that count), ``attempts`` (one a checkout), ``journeys`` (one of
what is counted, the same unless customers are the unit), ``credited`` (one an order).
"""

from collections.abc import Iterator, Mapping, Sequence, Set

import attrs

from lastclick._fold import Law
from lastclick._rows import (
    ASSIGNED,
    CANCELLED,
    CLICKED,
    ENTERED,
    FAILED,
    ORDERED,
    REFUNDED,
    SENT,
    SURVEYED,
)
from lastclick.engines._dialect import Dialect
from lastclick.metrics import Basis

SECOND = 1_000_000
QUARTER_HOUR, DAY = 900 * SECOND, 86_400 * SECOND
#: Instants before 1970 are negative, and databases round their quotients in different ways.
YEAR_1 = 62_135_596_800 * SECOND
ACTIVITY = f"({ENTERED}, {FAILED}, {ORDERED}, {CLICKED})"


#: True of all rows. Where a table has it, an engine may make the table of some keys at a time.
WHOLE = "r.k IS NOT NULL"


@attrs.frozen
class Table:
    """A statement whose result is kept under a name."""

    name: str
    select: str


class Template:
    """The statements of one counting.

    Args:
        basis: What is counted.
        as_of: Its instant.
        kinds: The kinds of rows there are.
        excluded: Whether some rows are excluded.
        offsets: From which instant on the zone's clocks are ahead by how many microseconds.
        dialect: Whose words to use.
    """

    def __init__(
        self,
        basis: Basis,
        as_of: int,
        kinds: Set[int],
        excluded: bool,
        offsets: Sequence[tuple[int, int]],
        dialect: Dialect,
    ) -> None:
        self.kinds, self.excluded = kinds, excluded
        self.basis, self.as_of, self.say = basis, as_of, dialect
        self._offsets = offsets
        self.law: Law = basis.law
        self.gap, self.within = self.law.abandon_after, self.law.recover_within
        self.places = range(len(self.law.steps))

    # Small words

    def pick(self, which: str, parts: Mapping[str, str], condition: str | None = None) -> str:
        """The least or greatest row of a group."""
        only = f" FILTER (WHERE {condition})" if condition else ""
        return self.say.pick(f"{which}({self.say.row(parts)}){only}")

    def hour(self, instant: str, length: int = 3600) -> str:
        """The number of the hour of an instant, or of the span of another length in seconds."""
        over = YEAR_1 // (length * SECOND)
        return f"({self.say.div(f'{instant} + {YEAR_1}', length * SECOND)} - {over})"

    def day(self, instant: str) -> str:
        """The number of the day of an instant, in the zone, from 1 for the first of year 1.

        As in the core, a quarter of an hour is of one day.
        """
        quarter = f"({self.say.div(f'{instant} + {YEAR_1}', QUARTER_HOUR)} * {QUARTER_HOUR})"
        (_, ahead), *later = self._offsets
        if later:
            cases = " ".join(f"WHEN {instant} >= {at} THEN {by}" for at, by in reversed(later))
            shifted = f"{quarter} + CASE {cases} ELSE {ahead} END"
        else:
            shifted = f"{quarter} + {ahead}"
        return f"({self.say.div(shifted, DAY)} + 1)"

    def least(self, values: list[str]) -> str:
        return f"least({', '.join(values)})" if len(values) > 1 else values[0]

    def greatest(self, values: list[str]) -> str:
        return f"greatest({', '.join(values)})" if len(values) > 1 else values[0]

    def _step(self, column: str) -> str:
        names = (
            f"WHEN {self.say.quoted(name)} THEN {place}"
            for place, name in enumerate(self.law.steps)
        )
        return f"CASE {column} {' '.join(names)} END"

    # From rows to attempts

    def tables(self) -> Iterator[Table]:
        """All tables, in the order of making."""
        yield from self._kept()
        yield from self._folded("attempts", "kept")
        base = "attempts"
        if self.basis.unit == "customer":
            yield from self._merged()
            yield from self._folded("merged_journeys", "merged")
            base = "merged_journeys"
        yield self._journeys(base)
        yield from self._orders()
        yield from self._waits()
        yield from self._carts()
        yield self._spans()
        if ASSIGNED in self.kinds:
            yield from self._persons()

    def _kept(self) -> Iterator[Table]:
        yield Table(
            "left_out",
            f"""SELECT DISTINCT checkout_id FROM facts
            WHERE excluded AND kind <= {FAILED} AND t <= {self.as_of}
                AND checkout_id IS NOT NULL""",
        )
        yield Table(
            "kept",
            f"""SELECT f.checkout_id AS k, f.checkout_id, t, kind, event_id, customer_id, what,
                more, units, currency, grp,
                CASE WHEN kind <= {FAILED} THEN {self._step("what")} END AS pos
            FROM facts f LEFT JOIN left_out l ON l.checkout_id = f.checkout_id
            WHERE f.checkout_id IS NOT NULL AND kind < {REFUNDED} AND t <= {self.as_of}
                AND NOT excluded AND l.checkout_id IS NULL""",
        )

    def _folded(self, name: str, rows: str) -> Iterator[Table]:
        """What became of each key of some rows: start, end, abandonments, outcome."""
        yield self._sums(f"{name}_sums", rows)
        yield Table(
            f"{name}_named",
            f"""SELECT k AS named_k,
                {self._part("of", "customer_id", ("t", "customer_id"))} AS named
            FROM (SELECT r.k, {self.pick("min", {"t": "r.t", "customer_id": "r.customer_id"})} AS of
                FROM {rows} r JOIN {name}_sums s ON s.k = r.k
                WHERE s.customer_lo < s.customer_hi AND r.customer_id IS NOT NULL
                GROUP BY r.k) o""",
        )
        yield self._heads(f"{name}_heads", rows, f"{name}_sums")
        yield Table(name, self._outcomes(name))

    def _part(self, row: str, name: str, names: tuple[str, ...]) -> str:
        return self.say.part(row, name, names)

    def _sums(self, name: str, rows: str) -> Table:
        say = self.say
        firsts = "".join(
            f", min(t) FILTER (WHERE pos = {place}) AS f{place}"
            f", max(t) FILTER (WHERE pos = {place}) AS l{place}"
            for place in self.places
        )
        chains = ""
        if self.basis.closed:
            chains = "".join(
                f", {say.gather('t', f'pos = {place}')} AS at{place}" for place in self.places
            )
            chains += f", {say.gather('t', f'kind = {ORDERED}')} AS at{len(self.places)}"
        priced = f"kind = {ORDERED} OR (pos IS NOT NULL AND units IS NOT NULL)"
        return Table(
            name,
            f"""SELECT k,
                min(t) FILTER (WHERE pos IS NOT NULL OR kind = {ORDERED}) AS start_at,
                max(t) FILTER (WHERE kind IN {ACTIVITY}) AS last_at,
                min(t) FILTER (WHERE kind = {ORDERED}) AS order_at,
                max(t) AS seen_until{firsts}{chains},
                {say.gather("t", f"kind IN {ACTIVITY}")} AS active,
                {say.gather("t", f"kind = {CLICKED}")} AS clicks,
                {say.gather("t", f"kind = {SENT}")} AS sends,
                min(customer_id) AS customer_lo, max(customer_id) AS customer_hi,
                min(grp) FILTER (WHERE kind <= {FAILED}) AS grp_lo,
                max(grp) FILTER (WHERE kind <= {FAILED}) AS grp_hi,
                min(currency) FILTER (WHERE {priced}) AS currency_lo,
                max(currency) FILTER (WHERE {priced}) AS currency_hi,
                count(*) FILTER (WHERE kind = {FAILED} AND pos IS NOT NULL) AS failures,
                count(*) FILTER (WHERE kind = {ORDERED}) AS orders,
                count(*) FILTER (WHERE kind = {ASSIGNED}) AS draws,
                count(*) FILTER (WHERE kind = {SURVEYED}) AS answers
            FROM {rows} r WHERE {WHOLE} GROUP BY k""",
        )

    def _heads(self, name: str, rows: str, sums: str) -> Table:
        """The group of keys whose step events have several."""
        parts = {"t": "r.t", "kind": "r.kind", "what": "r.what", "id": "r.event_id", "grp": "r.grp"}
        names = tuple(parts)
        last, touched = "NULL", f"r.kind <= {FAILED}"
        if self.law.last_touch:
            nothing = self.say.quoted(f"[{', '.join(['null'] * len(self.basis.by))}]")
            touch = f"r.grp <> {nothing} AND (s.order_at IS NULL OR r.t <= s.order_at)"
            latest = self._part(f"({self.pick('max', parts, touch)})", "grp", names)
            last = f"CASE WHEN count(*) FILTER (WHERE {touch}) > 0 THEN {latest} END"
        first = self._part(f"({self.pick('min', parts)})", "grp", names)
        return Table(
            name,
            f"""SELECT r.k AS head_k, coalesce({last}, {first}) AS head
            FROM {rows} r JOIN {sums} s ON s.k = r.k
            WHERE s.grp_lo < s.grp_hi AND {touched} GROUP BY r.k""",
        )

    def _outcomes(self, name: str) -> str:
        say, places = self.say, self.places
        until = f"coalesce(order_at, {self.as_of})"
        active = say.where("active", f"x >= start_at AND x <= {until}")
        deepest = " ".join(f"WHEN f{place} IS NOT NULL THEN {place}" for place in reversed(places))
        mask = " || ".join(f"CASE WHEN f{place} IS NULL THEN '0' ELSE '1' END" for place in places)
        orderly = " AND ".join(
            f"coalesce(f{place} >= {self.greatest([f'f{before}' for before in range(place)])}"
            ", true)"
            for place in places[1:]
        )

        def touched(times: str) -> str:
            within = f"x > first_abandoned AND x <= order_at AND order_at - x <= {self.within}"
            return f"{say.smallest(say.where(times, within))} IS NOT NULL"

        return f"""SELECT *, CASE
            WHEN start_at IS NULL THEN NULL
            WHEN order_at IS NULL THEN CASE
                WHEN {self.as_of} - last_at <= {self.gap} THEN 'in_flight'
                WHEN {self.as_of} - last_at <= {self.within} THEN 'recoverable'
                ELSE 'lost' END
            WHEN abandoned IS NULL THEN 'purchased'
            WHEN order_at - abandoned > {self.within} THEN 'purchased_late'
            WHEN {touched("clicks")} THEN 'recovered_by_link'
            WHEN {touched("sends")} THEN 'recovered_after_reminder'
            ELSE 'recovered_unaided' END AS outcome
        FROM (SELECT *, {say.smallest("lapses")} AS first_abandoned,
                {say.largest("lapses")} AS abandoned
            FROM (SELECT s.*, coalesce(n.named, s.customer_lo) AS customer,
                    coalesce(h.head, s.grp_lo, '') AS grp,
                    CASE {deepest} END AS deepest, {mask} AS seen,
                    {orderly or "true"} AS orderly,
                    CASE WHEN {until} - start_at > {self.gap}
                        THEN {say.gaps(active, until, self.gap)}
                        ELSE {say.nothing} END AS lapses
                FROM {name}_sums s
                LEFT JOIN {name}_named n ON n.named_k = s.k
                LEFT JOIN {name}_heads h ON h.head_k = s.k) a) b"""

    def _merged(self) -> Iterator[Table]:
        """Rows under the journeys of customers: attempts that continue the one before."""
        yield Table(
            "visits",
            f"""SELECT customer, k, start_at, last_at, paid,
                row_number() OVER (PARTITION BY customer ORDER BY start_at, k) AS place
            FROM (SELECT customer, k, t AS start_at, last_at,
                    sum(bought) OVER (PARTITION BY customer ORDER BY t, bought
                        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS paid
                FROM (SELECT customer, k, start_at AS t, last_at, 0 AS bought FROM attempts
                    WHERE customer IS NOT NULL AND start_at IS NOT NULL
                    UNION ALL
                    SELECT a.customer, NULL AS k, r.t, NULL AS last_at, 1 AS bought
                    FROM kept r JOIN attempts a ON a.k = r.k
                    WHERE r.kind = {ORDERED} AND a.customer IS NOT NULL) e) p
            WHERE k IS NOT NULL""",
        )
        before = "OVER (PARTITION BY customer ORDER BY place ROWS BETWEEN"
        yield Table(
            "begun",
            f"""SELECT customer, k, place, CASE
                WHEN place = 1 THEN 1
                WHEN paid > max(paid) {before} 1 PRECEDING AND 1 PRECEDING) THEN 1
                WHEN start_at - max(last_at) {before} UNBOUNDED PRECEDING AND 1 PRECEDING)
                    > {self.within} THEN 1
                ELSE 0 END AS begins FROM visits""",
        )
        yield Table(
            "merged",
            f"""SELECT coalesce(j.head, r.k) AS k, r.checkout_id, t, kind, event_id, customer_id,
                what, more, units, currency, grp, pos
            FROM kept r LEFT JOIN (
                SELECT v.k, h.k AS head
                FROM (SELECT customer, k, max(CASE WHEN begins = 1 THEN place END)
                        {before} UNBOUNDED PRECEDING AND CURRENT ROW) AS head_place
                    FROM begun) v
                JOIN begun h ON h.customer = v.customer AND h.place = v.head_place
            ) j ON j.k = r.k""",
        )

    def _journeys(self, base: str) -> Table:
        """What is counted, with its cell and its person; without a step it is in no cell."""
        latest = self.within // SECOND + 1
        ended = f"coalesce(order_at, {self.as_of})"
        after = self.say.div(f"{ended} - start_at", SECOND)
        columns = [f"{letter}{place}" for place in self.places for letter in "fl"]
        if self.basis.closed:
            columns += [f"at{place}" for place in range(len(self.places) + 1)]
        return Table(
            "journeys",
            f"""SELECT k, customer, customer_lo < customer_hi AS several,
                CASE WHEN customer IS NULL THEN 'a' || k ELSE 'c' || customer END AS who,
                deepest IS NOT NULL AS counted,
                CASE WHEN deepest IS NULL THEN '' ELSE grp END AS cell,
                CASE WHEN deepest IS NOT NULL THEN {self.day("start_at")} ELSE 0 END AS day,
                CASE WHEN deepest IS NULL THEN '' ELSE outcome END AS outcome,
                outcome <> 'in_flight' AS decided,
                first_abandoned IS NOT NULL AND outcome <> 'in_flight'
                    AND {self.as_of} - first_abandoned > {self.within} AS matured,
                CASE WHEN deepest IS NOT NULL THEN least({after}, {latest}) ELSE 0 END AS after,
                start_at, last_at, order_at, {", ".join(columns)}, deepest, seen, orderly,
                failures, orders, draws, answers
            FROM {base}""",
        )

    # Orders and refunds

    def _orders(self) -> Iterator[Table]:
        say = self.say
        parts = {
            "t": "r.t",
            "checkout_id": "r.checkout_id",
            "event_id": "r.event_id",
            "units": "coalesce(r.units, -1)",
            "currency": "coalesce(r.currency, '')",
            "k": "r.k",
        }
        names = tuple(parts)
        rows = self.rows
        yield Table(
            "owned",
            f"""SELECT order_id, shared, conflict,
                {self._part("o", "t", names)} AS t, {self._part("o", "k", names)} AS k,
                {self._part("o", "units", names)} AS units,
                {self._part("o", "currency", names)} AS currency
            FROM (SELECT what AS order_id, {self.pick("min", parts)} AS o,
                    min(checkout_id) < max(checkout_id) AS shared,
                    min(coalesce(units, -1)) < max(coalesce(units, -1))
                        OR min(coalesce(currency, '')) < max(coalesce(currency, '')) AS conflict
                FROM {rows} r WHERE kind = {ORDERED} GROUP BY what) p""",
        )
        gone = dict(list(parts.items())[:-1])
        yield Table(
            "gone",
            f"""SELECT order_id, {self._part("o", "units", tuple(gone))} AS units,
                {self._part("o", "currency", tuple(gone))} AS currency
            FROM (SELECT what AS order_id, {self.pick("min", gone)} AS o
                FROM facts r LEFT JOIN left_out l ON l.checkout_id = r.checkout_id
                LEFT JOIN owned w ON w.order_id = r.what
                WHERE kind = {ORDERED} AND r.t <= {self.as_of} AND r.checkout_id IS NOT NULL
                    AND (excluded OR l.checkout_id IS NOT NULL) AND w.order_id IS NULL
                GROUP BY what) p""",
        )
        refund = {"t": "r.t", "id": "r.event_id"}
        refund |= {name: parts[name] for name in ("units", "currency")}
        told = tuple(refund)
        yield Table(
            "back",
            f"""SELECT r.order_id AS order_id, r.units AS units, r.currency AS currency,
                CASE WHEN r.units < 0 THEN 'without_amount'
                    WHEN w.order_id IS NULL THEN 'without_order'
                    WHEN w.units < 0 OR w.currency <> r.currency THEN 'other_currency'
                    ELSE 'netted' END AS what
            FROM (SELECT order_id, {self._part("o", "units", told)} AS units,
                    {self._part("o", "currency", told)} AS currency
                FROM (SELECT what AS order_id, coalesce(more, event_id) AS refund_id,
                        {self.pick("min", refund)} AS o
                    FROM facts r WHERE kind = {REFUNDED} AND t <= {self.as_of} AND NOT excluded
                    GROUP BY what, coalesce(more, event_id)) p) r
            LEFT JOIN owned w ON w.order_id = r.order_id
            LEFT JOIN gone g ON g.order_id = r.order_id
            WHERE g.order_id IS NULL""",
        )
        yield Table(
            "off",
            f"""SELECT DISTINCT c.what AS order_id, w.order_id IS NOT NULL AS known
            FROM facts c LEFT JOIN owned w ON w.order_id = c.what
            LEFT JOIN gone g ON g.order_id = c.what
            WHERE kind = {CANCELLED} AND c.t <= {self.as_of} AND NOT excluded
                AND g.order_id IS NULL""",
        )
        wide = say.wide
        yield Table(
            "credited",
            f"""SELECT *, CASE WHEN units >= 0 THEN units - refunded - cancelled END AS net
            FROM (SELECT o.order_id AS order_id, o.t AS t, o.units AS units,
                    o.currency AS currency, shared, conflict,
                    j.who, j.customer, j.counted, j.cell, j.day, j.outcome, j.after,
                    coalesce(b.units, 0) AS refunded, c.order_id IS NOT NULL AS is_cancelled,
                    CASE WHEN c.order_id IS NOT NULL AND o.units > coalesce(b.units, 0)
                        THEN o.units - coalesce(b.units, 0) ELSE 0 END AS cancelled
                FROM (SELECT order_id, t, k, {wide("units")} AS units, currency, shared, conflict
                    FROM owned) o
                JOIN journeys j ON j.k = o.k
                LEFT JOIN (SELECT order_id, sum({wide("units")}) AS units FROM back
                    WHERE what = 'netted' GROUP BY order_id) b ON b.order_id = o.order_id
                LEFT JOIN (SELECT order_id FROM off WHERE known) c
                    ON c.order_id = o.order_id) m""",
        )

    # Times to the next step, and cart values

    @property
    def rows(self) -> str:
        return "merged" if self.basis.unit == "customer" else "kept"

    def _waits(self) -> Iterator[Table]:
        """The next event at a deeper step, for journeys that were not seen in order."""
        nexts = ", ".join(
            f"min(r.t) FILTER (WHERE r.pos > {place} AND r.t >= j.f{place}) AS w{place}"
            for place in self.places
        )
        yield Table(
            "strayed",
            f"""SELECT r.k, {nexts} FROM {self.rows} r JOIN journeys j ON j.k = r.k
            WHERE NOT j.orderly AND j.decided AND r.pos IS NOT NULL GROUP BY r.k""",
        )

    def _carts(self) -> Iterator[Table]:
        parts = {"t": "r.t", "pos": "r.pos", "kind": "r.kind", "event_id": "r.event_id"}
        parts |= {"units": "r.units", "currency": "r.currency"}
        names = tuple(parts)
        yield Table(
            "carts",
            f"""SELECT k, shown, opening, {self._part("closing", "units", names)} AS units,
                {self._part("closing", "currency", names)} AS currency
            FROM (SELECT r.k AS k, count(*) AS shown, {self.pick("min", parts)} AS opening,
                    {self.pick("max", parts, "j.order_at IS NULL")} AS closing
                FROM {self.rows} r
                JOIN (SELECT k, order_at FROM journeys r WHERE {WHOLE} AND decided) j ON j.k = r.k
                WHERE {WHOLE} AND r.pos IS NOT NULL AND r.units IS NOT NULL
                GROUP BY r.k) p""",
        )
        at = {name: parts[name] for name in ("t", "kind", "event_id", "units")}
        same = " AND ".join(
            f"{self._part('latest', name, tuple(at))} = {self._part('opening', name, names)}"
            for name in at
        )
        yield Table(
            "totals",
            f"""SELECT k, pos, {self._part("latest", "units", tuple(at))} AS units,
                {self._part("opening", "units", names)} AS base
            FROM (SELECT m.k, m.pos, m.latest, c.opening
                FROM (SELECT r.k, r.pos, r.currency, {self.pick("max", at)} AS latest
                    FROM {self.rows} r WHERE {WHOLE} AND r.pos IS NOT NULL AND r.units IS NOT NULL
                    GROUP BY r.k, r.pos, r.currency) m
                JOIN (SELECT k, opening FROM carts r WHERE {WHOLE} AND shown > 1) c ON c.k = m.k
                WHERE m.currency = {self._part("c.opening", "currency", names)}) o
            WHERE NOT (pos = {self._part("opening", "pos", names)} AND {same})""",
        )

    # Persons

    def _spans(self) -> Table:
        counted = (
            "count(*) AS x, count(*) FILTER (WHERE outcome = 'in_flight') AS going_on,"
            " count(*) FILTER (WHERE order_at IS NOT NULL) AS ordered"
        )
        people = "(SELECT who AS k, cell, outcome, order_at FROM journeys WHERE counted) r"
        rest = f"{counted} FROM {people} WHERE {WHOLE} GROUP BY r.k"
        spans = f"SELECT r.k AS who, '*' AS cell, {rest}"
        if self.basis.by:
            spans += f" UNION ALL SELECT r.k AS who, cell, {rest}, cell"
        return Table("spans", spans)

    def _persons(self) -> Iterator[Table]:
        draw = {"since": "r.t", "arm": "r.what", "share": "coalesce(r.currency, '')"}
        draw |= {"checkout_id": "r.checkout_id", "k": "r.k"}
        drawn = ", ".join(f"{self._part('o', name, tuple(draw))} AS {name}" for name in draw)
        yield Table(
            "drawn",
            f"""SELECT who, several_arms, two_ids, {drawn}
            FROM (SELECT j.who, {self.pick("min", draw)} AS o,
                min(r.what) < max(r.what) AS several_arms,
                count(*) FILTER (WHERE j.several) > 0 AS two_ids
                FROM {self.rows} r JOIN journeys j ON j.k = r.k
                WHERE r.kind = {ASSIGNED} GROUP BY j.who) p""",
        )
        yield Table(
            "touches",
            f"""SELECT d.who AS who, r.kind AS kind, r.t AS t, d.since AS since FROM drawn d
            JOIN journeys j ON j.who = d.who JOIN {self.rows} r ON r.k = j.k
            WHERE r.kind = {CLICKED}
            UNION ALL
            SELECT d.who AS who, r.kind AS kind, min(r.t) AS t, min(d.since) AS since FROM drawn d
            JOIN journeys j ON j.who = d.who JOIN {self.rows} r ON r.k = j.k
            WHERE r.kind = {SENT} GROUP BY d.who, r.kind, r.checkout_id, r.event_id""",
        )
        until = f"since + {self.within}"
        value = {"t": "r.t", "pos": "r.pos", "kind": "r.kind", "event_id": "r.event_id"}
        value |= {"units": "r.units", "currency": "r.currency"}
        yield Table(
            "trials",
            f"""SELECT d.who AS who, d.since AS since, d.arm, d.share, d.several_arms, d.two_ids,
                j.counted, j.cell, j.day, coalesce(m.campaigns, 0) AS campaigns,
                coalesce(t.sent, 0) AS sent, t.touched_at,
                {self.as_of} - d.since > {self.within} AS followed,
                {self._part("v.latest", "units", tuple(value))} AS units,
                CASE WHEN v.k IS NOT NULL
                    THEN {self._part("v.latest", "currency", tuple(value))} END AS currency
            FROM drawn d JOIN journeys j ON j.k = d.k
            LEFT JOIN (SELECT j.who AS who, count(DISTINCT r.more) AS campaigns
                FROM {self.rows} r JOIN journeys j ON j.k = r.k
                WHERE r.kind IN ({SENT}, {ASSIGNED}) GROUP BY j.who) m ON m.who = d.who
            LEFT JOIN (SELECT who, min(t) AS touched_at,
                    count(*) FILTER (WHERE kind = {SENT}) AS sent
                FROM touches WHERE t >= since AND t <= {until} GROUP BY who) t ON t.who = d.who
            LEFT JOIN (SELECT r.k AS k, {self.pick("max", value)} AS latest
                FROM {self.rows} r JOIN drawn d ON d.k = r.k
                WHERE r.t <= d.since AND r.pos IS NOT NULL AND r.units IS NOT NULL
                GROUP BY r.k) v ON v.k = d.k""",
        )
        yield Table(
            "trial_orders",
            f"""SELECT d.who AS who, c.net AS net, c.currency AS currency,
                c.t >= d.touched_at AS attributed
            FROM trials d JOIN credited c ON c.who = d.who
            WHERE d.followed AND d.counted AND c.t > d.since AND c.t <= d.{until}""",
        )
