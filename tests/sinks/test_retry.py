"""What an answer means, and how long to wait before the next try."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.sinks._retry import Verdict, backoff, results, retry_after, verdict

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expected", "statuses"),
    [
        (Verdict.DELIVERED, [200, 202, 204, 299]),
        (Verdict.AGAIN, [100, 301, 302, 304, 308, 408, 425, 429, 500, 502, 503, 504, 599]),
        (Verdict.TOO_LARGE, [413]),
        (Verdict.REFUSED, [400, 422]),
        (Verdict.FINAL, [401, 403, 404, 405, 409, 410, 415, 431, 451]),
    ],
)
def test_each_status_has_one_meaning(expected: Verdict, statuses: list[int]) -> None:
    """A passing fault is tried again, a fault of the content is looked for, the rest is final."""
    assert {verdict(status) for status in statuses} == {expected}


@given(st.integers(1, 10_000), st.integers())
def test_a_wait_is_drawn_below_a_growing_ceiling(failures: int, seed: int) -> None:
    """However many failures: never negative, never longer than the longest wait."""
    wait = backoff(failures, 1.0, 60.0, random.Random(seed))

    assert 0 <= wait <= min(60.0, 2.0 ** min(failures - 1, 10))


def test_waits_are_spread_over_the_whole_range() -> None:
    """Full jitter: many senders that failed at once do not come back at once."""
    rng = random.Random(1)

    waits = sorted(backoff(7, 1.0, 60.0, rng) for _ in range(10_000))

    assert waits[500] == pytest.approx(3, abs=0.5)
    assert waits[5_000] == pytest.approx(30, abs=1.5)
    assert waits[9_500] == pytest.approx(57, abs=0.5)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 120 "}, 120),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "Thu, 01 Oct 2026 12:00:30 GMT"}, 30),
        ({"Retry-After": "Thu, 01 Oct 2026 11:00:00 GMT"}, 0),
        ({"Retry-After": "999999999999999999999999"}, 3600),
        ({"Retry-After": "Fri, 01 Oct 2027 12:00:00 GMT"}, 3600),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "\u0667"}, 0),
        ({"Retry-After": "Thu, 01 Oct 2026 12:00:30"}, 0),
        # the receiver's clock is an hour ahead of ours
        (
            {
                "Retry-After": "Thu, 01 Oct 2026 13:00:05 GMT",
                "Date": "Thu, 01 Oct 2026 13:00:00 GMT",
            },
            5,
        ),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float) -> None:
    """Both forms are read, nonsense is no wish, and an hour is the most that is granted."""
    assert retry_after(headers, lambda: NOON) == seconds


@pytest.mark.parametrize("body", [b"", b"ok", b"[1]", b'"x"', b'{"status":"ok"}', b'{"accepted":'])
def test_an_answer_without_results_has_none(body: bytes) -> None:
    """Whatever else a receiver says is not taken for per-event results."""
    assert results(body) is None


def test_results_are_read_by_event_id() -> None:
    """Accepted, rejected with its reason, and to be sent again."""
    found = results(
        b'{"accepted": ["a", 1], "rejected": [{"event_id": "b", "reason": "bad"}, "c", 5,'
        b' {"reason": "no id"}], "retry": ["d"]}'
    )

    assert found == (frozenset({"a"}), {"b": "bad", "c": "rejected"}, frozenset({"d"}))


def test_accepted_may_be_left_out() -> None:
    """Then whatever is not named is as the status says."""
    found = results(b'{"rejected": null, "retry": ["d"]}')

    assert found == (None, {}, frozenset({"d"}))
