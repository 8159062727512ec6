"""Lines that a database must not read in its own way."""

from __future__ import annotations

import json
from typing import Any

from tests import strategies


def event(**fields: Any) -> dict[str, Any]:
    """A step that was entered."""
    return {
        "v": 1,
        "type": "step_entered",
        "event_id": "e1",
        "funnel": "checkout",
        "occurred_at": "2026-10-01T10:00:00.000000Z",
        "checkout_id": "c1",
        "step": "cart",
        **fields,
    }


DECLARED = strategies.declared("d1", 0, strategies.STEPS)
#: A line that is usual but for what is put into it.
_USUAL = (
    '{"v":1,"type":"step_entered","event_id":"q","funnel":"checkout",'
    '"occurred_at":"2026-10-01T10:00:00Z","checkout_id":"q",%s}'
)
SPELT = [
    "",
    "   ",
    "\t",
    "\x0b",
    '{"v":1,"type":"step_entered","event_id":"tor',
    '{"v":1}',
    "[1, 2]",
    "3",
    '"text"',
    "null",
    '{"v":NaN}',
    "{} {}",
    '{"a":"\x01"}',
    '{"a":"\\ud83d"}',
    *(
        json.dumps(event(**fields))
        for fields in (
            {"further": "key"},
            {"reason": "of no failure"},
            {"total": {"amount": "1", "currency": "EUR"}},
            {"value": {"amount": "999999999999.9999", "currency": "EUR"}},
            {"value": {"amount": "0.0001", "currency": "EUR", "rate": "1.1"}},
            {"value": {"currency": "EUR", "amount": "1"}},
            {"value": {"amount": "5990", "currency": "JPY"}},
            {"type": "order_cancelled", "order_id": "o7"},
            {"type": "reminder_clicked", "channel": "email", "campaign": "spring"},
            {"type": "order_refunded", "order_id": "o7", "refund_id": "r", "amount": None},
            {"v": 1.0},
            {"v": True},
            {"v": 2},
            {"v": "1"},
            {"event_id": 7},
            {"event_id": ""},
            {"event_id": "x" * 257},
            {"event_id": "é" * 256},
            {"checkout_id": None},
            {"checkout_id": 12},
            {"checkout_id": 'with "quotes" and \\'},
            {"customer_id": ""},
            {"customer_id": 3},
            {"customer_id": "größe"},
            {"funnel": "returns"},
            {"funnel": ""},
            {"funnel": 1},
            {"type": "step_failed"},
            {"type": "step_failed", "reason": "declined"},
            {"type": "step_failed", "reason": 4},
            {"type": "order_completed", "order_id": "o1", "total": {"amount": "59.90"}},
            {"type": "order_completed", "order_id": "o2", "total": "59.90 EUR"},
            {"type": "order_completed", "order_id": "o3", "total": 59.9},
            {
                "type": "order_completed",
                "order_id": "o4",
                "total": {"amount": "999999999999.9999", "currency": "EUR"},
            },
            {"type": "order_completed"},
            {"type": "order_refunded", "order_id": "o4"},
            {"type": "order_refunded", "order_id": "o4", "refund_id": None, "checkout_id": None},
            {"type": "holdout_assigned", "arm": "treated", "share": "0.1"},
            {"type": "holdout_assigned", "arm": "treated", "share": 0.1, "event_id": "e2"},
            {"type": "holdout_assigned", "arm": "both"},
            {"type": "reminder_sent", "channel": "email", "campaign": 5},
            {"type": "survey_answered", "score": 4},
            {"type": "parcel_sent"},
            {"value": {"amount": "1.00005", "currency": "EUR"}},
            {"value": {"amount": "1.5", "currency": "eur"}},
            {"value": {"amount": "1e3", "currency": "EUR"}},
            {"value": {"amount": "-1", "currency": "EUR"}},
            {"value": {"amount": "0001.5000", "currency": "EUR"}},
            {"value": None},
            {"value": [1]},
            {"attributes": None},
            {"attributes": []},
            {"attributes": {}},
            {"attributes": {"device": "mobile", "deep": {"a": 1}}},
            {"attributes": {"device": 1.5}},
            {"attributes": {"device": 10**18}},
            {"attributes": {"device": 2**63}},
            {"attributes": {"device": -7}},
            {"attributes": {"": "x"}},
            {"attributes": {"n" * 257: "x"}},
            {"attributes": {"n" * 256: "x"}},
            {"attributes": {f"name {place}": place for place in range(65)}},
            {"attributes": {f"name {place}": place for place in range(64)}},
            {"attributes": {"device": "Größe"}, "event_id": "e3"},
            {"attributes": {"device": 'a "b"'}, "event_id": "e4"},
            {"attributes": {"device": "x" * 1_000}, "event_id": "e5"},
            *(
                {"occurred_at": at, "event_id": f"at {at}", "checkout_id": f"at {at}"}
                for at in (
                    "2026-10-01T10:00:00Z",
                    "2026-10-01T10:00:00.5Z",
                    "2026-10-01T10:00:00.123Z",
                    "2026-10-01T10:00:00.1234567Z",
                    "2026-10-01T10:00:00+02:00",
                    "2026-10-01T10:00:00",
                    "2026-10-01 10:00:00Z",
                    "2026-10-01",
                    "2026-02-30T10:00:00Z",
                    "2026-10-01T24:00:00Z",
                    "2026-10-01T23:59:60Z",
                    "0000-10-01T10:00:00Z",
                    "1969-12-31T23:59:59.999999Z",
                    1790000000,
                    None,
                )
            ),
        )
    ),
]
#: The same as lastclick spells them, and what a database takes for JSON, or takes the first of.
ODD = [
    *SPELT,
    *(json.dumps(json.loads(line), separators=(",", ":")) for line in SPELT if '"v": 1' in line),
    *(
        _USUAL % fields
        for fields in (
            '"step":"cart",',
            '"step":"cart","attributes":{"device":1, }',
            '"step":"cart","attributes":{"device":[1,]}',
            '"step":"cart","step":"payment"',
            '"step":"cart", "step":"payment"',
            '"event_id":"r","step":"cart"',
            '"step":"cart","further":1,"further":2',
            '"step":"cart","attributes":{"device":"mobile","device":"desktop"}',
            '"step":"cart","attributes":{"device":"desktop","other":1,"device":"mobile"}',
            '"step":"cart","attributes":{"other":1,"other":2}',
            '"step":"cart","attributes":{"device":"mobile"},"attributes":{"device":"desktop"}',
            '"step":"cart","value":{"amount":"1","currency":"EUR","amount":"2"}',
            '"step":"cart","value":{"amount":"1","currency":"EUR",}',
            '"step":"\\u0063art"',
            '"step":"cart","customer_id":"\\u0041"',
            '"step":"cart"\t',
            '"step":"cart","customer_id":null,"value":null',
        )
    ),
]
