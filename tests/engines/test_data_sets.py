"""Shops that nobody here made: DuckDB gives the core's reports of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lastclick import measure
from tests.test_imports import CODECADEMY, RETENTIONEERING, SNOWPLOW, events

pytest.importorskip("duckdb")

from lastclick.engines import duckdb as engine

SETS = {
    "codecademy_page_visits": CODECADEMY,
    "retentioneering_ecom": RETENTIONEERING,
    "snowplow_ecommerce": SNOWPLOW,
}


@pytest.mark.long
@pytest.mark.parametrize(
    "asked",
    [{}, {"unit": "customer", "by": "platform"}, {"closed": True, "timezone": "Asia/Tokyo"}],
)
@pytest.mark.parametrize("name", SETS)
def test_a_shop_is_the_same(shared: Path, name: str, asked: dict[str, Any]) -> None:
    """Whole reports, and their trends."""
    found = events(shared / "data" / name, SETS[name])

    core, ours = measure(found, **asked), engine.measure(found, **asked)

    assert core.started > 10
    assert ours.to_dict() == core.to_dict()
    assert ours.trend() == core.trend()
