"""The benchmark of the collector measures a real one, and finds again what it acknowledged."""

import pytest

from benchmarks.generate import lines

pytest.importorskip("typer", reason="the extra 'collect' is not installed")
pytest.importorskip("starlette", reason="the extra 'collect' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'collect' is not installed")
pytest.importorskip("prometheus_client", reason="the extra 'collect' is not installed")

from benchmarks.collect import measure


@pytest.mark.parametrize("remembered", [0, 30])
def test_all_that_was_sent_is_in_the_log_once(remembered: int) -> None:
    """Each event of two senders is acknowledged, and written once."""
    events = list(dict.fromkeys(lines(100, seed=1)))

    taken = measure(events, senders=2, a_body=20, seconds=60, remembered=remembered)

    assert (taken.acknowledged, taken.missing, taken.twice) == (len(events), 0, 0)
    assert min(taken.seconds, taken.cpu, taken.peak_mib) > 0
