-- The rules of the default report (unit: attempt) for a log of benchmarks/generate.py, by hand, for
-- DuckDB. Each statement is named; those that begin with SELECT are the answer, those whose name
-- begins with quality are what the log's flaws are counted by. {files} is the list of segments.
-- Times are microseconds, money is in 1/10,000, abandonment is 30 minutes, recovery 7 days.

-- name: events
CREATE TEMP TABLE events AS
SELECT
    type, event_id, checkout_id, customer_id, step, reason, order_id, source, count,
    coalesce(refund_id, event_id) AS refund_id,
    epoch_us(occurred_at) AS ts,
    CASE step WHEN 'cart' THEN 1 WHEN 'details' THEN 2 WHEN 'shipping' THEN 3
              WHEN 'payment' THEN 4 END::TINYINT AS pos,
    type IN ('step_entered', 'step_failed') AS is_step,
    type = 'order_completed' AS is_order,
    attributes.traffic IN ('bot', 'staff', 'test') AS unwanted,
    (coalesce(value, total, amount).amount::DECIMAL(16, 4) * 10000)::BIGINT AS money,
    coalesce(value, total, amount).currency AS currency
FROM read_json({files}, format = 'newline_delimited', columns = {{
    type: 'VARCHAR', event_id: 'VARCHAR', funnel: 'VARCHAR', checkout_id: 'VARCHAR',
    customer_id: 'VARCHAR', occurred_at: 'TIMESTAMPTZ', attributes: 'STRUCT(traffic VARCHAR)',
    step: 'VARCHAR', reason: 'VARCHAR', order_id: 'VARCHAR', refund_id: 'VARCHAR',
    source: 'VARCHAR', count: 'BIGINT',
    value: 'STRUCT(amount VARCHAR, currency VARCHAR)',
    total: 'STRUCT(amount VARCHAR, currency VARCHAR)',
    amount: 'STRUCT(amount VARCHAR, currency VARCHAR)'}})
WHERE funnel = 'checkout';

-- name: as_of_variable
SET VARIABLE as_of = (
    SELECT max(ts) FROM events
    WHERE type IN ('step_entered', 'step_failed', 'order_completed', 'order_refunded',
                   'holdout_assigned', 'reminder_sent', 'reminder_clicked')
      AND (checkout_id IS NOT NULL OR type = 'order_refunded'));

-- name: excluded
CREATE TEMP TABLE excluded AS
SELECT DISTINCT checkout_id FROM events
WHERE unwanted AND is_step AND checkout_id IS NOT NULL;

-- name: kept
CREATE TEMP VIEW kept AS
SELECT * FROM events
WHERE checkout_id IS NOT NULL AND unwanted IS NOT TRUE
  AND type <> 'order_refunded' AND checkout_id NOT IN (SELECT checkout_id FROM excluded);

-- name: folded
CREATE TEMP TABLE folded AS
SELECT
    checkout_id,
    min(ts) FILTER (pos IS NOT NULL OR is_order) AS start,
    max(pos) AS deepest,
    min(ts) FILTER (is_order) AS ordered_at,
    list(ts) FILTER (is_step OR is_order OR type = 'reminder_clicked') AS acts,
    list(ts) FILTER (type = 'reminder_clicked') AS clicks,
    list(ts) FILTER (type = 'reminder_sent') AS reminders,
    min(ts) FILTER (pos = 1) AS t1,
    list(ts) FILTER (pos = 2) AS l2,
    list(ts) FILTER (pos = 3) AS l3,
    list(ts) FILTER (pos = 4) AS l4,
    arg_min(customer_id, ts) FILTER (customer_id IS NOT NULL) AS customer_id,
    max(customer_id) > min(customer_id) AS several_customers,
    max(currency) > min(currency) AS two_currencies
FROM kept
GROUP BY checkout_id;

-- name: carts
CREATE TEMP TABLE carts AS
SELECT checkout_id, last.money, last.currency
FROM (
    SELECT checkout_id,
        max({{ts: ts, pos: pos, type: type, event_id: event_id, money: money,
              currency: currency}}) AS last
    FROM kept WHERE pos IS NOT NULL AND money IS NOT NULL
    GROUP BY checkout_id);

-- name: attempts
CREATE TEMP TABLE attempts AS
WITH ends AS (
    SELECT *, list_max(acts) AS last_activity,
        coalesce(ordered_at, getvariable('as_of')) AS until
    FROM folded WHERE deepest IS NOT NULL
),
chains AS (
    SELECT *,
        -- What the shopper did before the order; sorted only where a long gap can be inside.
        CASE WHEN ordered_at - start <= 1800000000 THEN []
             WHEN last_activity - start <= 1800000000 AND last_activity < until
             THEN [last_activity]
             ELSE list_sort(list_filter(acts, lambda t: t >= start AND t < until
                 OR t = until AND ordered_at IS NULL)) END AS chain
    FROM ends
),
gaps AS (
    SELECT *,
        -- The activities that a gap longer than 30 minutes follows, oldest first.
        CASE WHEN len(chain) = 1
             THEN CASE WHEN until - chain[1] > 1800000000 THEN chain ELSE [] END
             ELSE list_transform(
                 list_filter(list_zip(chain, list_append(chain[2:], until)),
                             lambda pair: pair[2] - pair[1] > 1800000000),
                 lambda pair: pair[1]) END AS left_at
    FROM chains
)
SELECT *,
    CASE
        WHEN ordered_at IS NULL THEN CASE
            WHEN until - chain[-1] <= 1800000000 THEN 'in_flight'
            WHEN until - left_at[-1] <= 604800000000 THEN 'recoverable'
            ELSE 'lost' END
        WHEN len(left_at) = 0 THEN 'purchased'
        WHEN ordered_at - left_at[-1] > 604800000000 THEN 'purchased_late'
        WHEN len(list_filter(clicks, lambda t: t > left_at[1] AND t <= ordered_at
            AND ordered_at - t <= 604800000000)) > 0 THEN 'recovered_by_link'
        WHEN len(list_filter(reminders, lambda t: t > left_at[1] AND t <= ordered_at
            AND ordered_at - t <= 604800000000)) > 0 THEN 'recovered_after_reminder'
        ELSE 'recovered_unaided' END AS outcome
FROM gaps;

-- name: orders
CREATE TEMP TABLE orders AS
SELECT shown.order_id, in_several_attempts, in_conflict, first.checkout_id, first.money, first.currency, attempts.outcome
FROM (
    SELECT order_id,
        min({{ts: ts, checkout_id: checkout_id, event_id: event_id, money: money,
              currency: currency}}) AS first,
        max(checkout_id) > min(checkout_id) AS in_several_attempts,
        count(DISTINCT {{money: money, currency: currency}}) > 1 AS in_conflict
    FROM kept WHERE is_order GROUP BY order_id
) AS shown LEFT JOIN attempts ON attempts.checkout_id = first.checkout_id;

-- name: refunds
CREATE TEMP TABLE refunds AS
SELECT first.*, refunded.order_id, orders.order_id IS NOT NULL AS known,
    orders.outcome, orders.currency AS order_currency
FROM (
    SELECT order_id,
        min({{ts: ts, event_id: event_id, money: money, currency: currency}}) AS first
    FROM events WHERE type = 'order_refunded' GROUP BY order_id, refund_id
) AS refunded LEFT JOIN orders USING (order_id);

-- name: as_of
SELECT getvariable('as_of');

-- name: outcomes
SELECT outcome, count(*) FROM attempts GROUP BY outcome;

-- name: recovery
SELECT count(*) FILTER (starts_with(outcome, 'recovered')), count(*)
FROM attempts
WHERE outcome NOT IN ('in_flight', 'purchased')
  AND getvariable('as_of') - left_at[1] > 604800000000;

-- name: steps
SELECT pos,
    count(*) FILTER (entered AND outcome <> 'in_flight') AS entered,
    count(*) FILTER (outcome <> 'in_flight' AND (ordered_at IS NOT NULL OR deepest >= pos))
        AS reached,
    count(*) FILTER (outcome IN ('lost', 'recoverable') AND deepest = pos) AS dropped,
    count(*) FILTER (outcome = 'in_flight' AND deepest = pos) AS in_flight
FROM (
    SELECT outcome, ordered_at, deepest,
        unnest([{{pos: 1, entered: t1 IS NOT NULL}}, {{pos: 2, entered: l2 IS NOT NULL}},
                {{pos: 3, entered: l3 IS NOT NULL}}, {{pos: 4, entered: l4 IS NOT NULL}}],
               recursive := true)
    FROM attempts
) GROUP BY pos;

-- name: failures
SELECT pos, reason, count(DISTINCT event_id), count(DISTINCT checkout_id)
FROM kept JOIN attempts USING (checkout_id)
WHERE type = 'step_failed' AND pos IS NOT NULL AND outcome <> 'in_flight'
GROUP BY pos, reason;

-- name: seconds
SELECT pos, count(seconds), quantile_cont(seconds, 0.5), quantile_cont(seconds, 0.9)
FROM (
    SELECT unnest([1, 2, 3, 4]) AS pos, unnest([
        least(list_min(list_filter(l2, lambda t: t >= t1)),
              list_min(list_filter(l3, lambda t: t >= t1)),
              list_min(list_filter(l4, lambda t: t >= t1)),
              CASE WHEN ordered_at >= t1 THEN ordered_at END) - t1,
        least(list_min(list_filter(l3, lambda t: t >= t2)),
              list_min(list_filter(l4, lambda t: t >= t2)),
              CASE WHEN ordered_at >= t2 THEN ordered_at END) - t2,
        least(list_min(list_filter(l4, lambda t: t >= t3)),
              CASE WHEN ordered_at >= t3 THEN ordered_at END) - t3,
        CASE WHEN ordered_at >= t4 THEN ordered_at END - t4]) // 1000000 AS seconds
    FROM (
        SELECT *, list_min(l2) AS t2, list_min(l3) AS t3, list_min(l4) AS t4
        FROM attempts WHERE outcome <> 'in_flight')
) GROUP BY pos;

-- name: left_carts
SELECT outcome, deepest, currency, count(*), sum(money)
FROM attempts LEFT JOIN carts USING (checkout_id)
WHERE outcome IN ('lost', 'recoverable')
GROUP BY outcome, deepest, currency;

-- name: revenue
SELECT outcome, currency, count(*), sum(money) FROM orders GROUP BY outcome, currency;

-- name: refunded
SELECT outcome, currency, count(*), sum(money) FROM refunds
WHERE known AND currency = order_currency
GROUP BY outcome, currency;

-- name: quality_refunds
SELECT known, currency, count(*), sum(money) FROM refunds
WHERE NOT known OR currency IS DISTINCT FROM order_currency
GROUP BY known, currency;

-- name: quality_ordered_elsewhere
SELECT count(DISTINCT lost.checkout_id)
FROM attempts AS lost
JOIN (SELECT kept.checkout_id, folded.customer_id, ts FROM kept
      JOIN folded USING (checkout_id) WHERE is_order) AS bought
  ON bought.customer_id = lost.customer_id AND bought.checkout_id <> lost.checkout_id
 AND bought.ts BETWEEN lost.start AND lost.last_activity + 604800000000
WHERE lost.outcome = 'lost';

-- name: quality_without_step
SELECT count(DISTINCT folded.checkout_id), count(DISTINCT order_id), sum(money) FILTER (currency = 'EUR'),
    sum(money) FILTER (currency = 'USD')
FROM folded LEFT JOIN orders USING (checkout_id) WHERE deepest IS NULL;

-- name: quality_attempts
SELECT
    count(*) FILTER (t1 IS NULL OR t1 > start) AS not_first_step,
    sum(len(skews)) AS out_of_order,
    max(list_max(skews)) AS largest_skew_us,
    count(*) FILTER (last_activity > ordered_at) AS activity_after_order,
    count(*) FILTER (two_currencies) AS two_currencies,
    count(*) FILTER (several_customers) AS several_customers
FROM (
    SELECT *, list_filter(list_transform(list_zip(firsts, firsts[2:]),
        lambda pair: pair[1] - pair[2]), lambda skew: skew > 0) AS skews
    FROM (
        SELECT *, list_filter([t1, list_min(l2), list_min(l3), list_min(l4)],
            lambda t: t IS NOT NULL) AS firsts
        FROM attempts));

-- name: quality_orders
SELECT count(*) FILTER (in_several_attempts), count(*) FILTER (in_conflict),
    count(*) FILTER (money IS NULL),
    (SELECT count(DISTINCT (checkout_id, order_id)) - count(DISTINCT checkout_id)
     FROM kept JOIN attempts USING (checkout_id) WHERE is_order) AS further
FROM orders;

-- name: quality_unknown_steps
SELECT step, count(DISTINCT event_id) FROM kept WHERE is_step AND pos IS NULL GROUP BY step;

-- name: quality_types
SELECT type, count(DISTINCT event_id) FROM events
WHERE type NOT IN ('step_entered', 'step_failed', 'order_completed', 'order_refunded',
                   'holdout_assigned', 'reminder_sent', 'reminder_clicked', 'funnel_declared',
                   'events_lost')
GROUP BY type;

-- name: quality_lost
SELECT source, reason, sum(count)
FROM (SELECT DISTINCT event_id, source, reason, count FROM events WHERE type = 'events_lost')
GROUP BY source, reason;

-- name: quality_events
SELECT
    (SELECT count(*) FROM excluded) AS excluded_attempts,
    (SELECT count(DISTINCT (type, event_id)) FROM events
     WHERE unwanted AND checkout_id NOT IN (SELECT checkout_id FROM excluded)) AS excluded_events,
    (SELECT count(DISTINCT (type, event_id)) FROM events WHERE checkout_id IS NULL
     AND type IN ('step_entered', 'step_failed', 'order_completed', 'holdout_assigned',
                  'reminder_sent', 'reminder_clicked')) AS without_checkout_id,
    (SELECT count(*) - count(DISTINCT event_id) FROM events
     WHERE type NOT IN ('funnel_declared', 'events_lost')) AS redelivered;
