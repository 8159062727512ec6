"""What the tests of engines share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.engines.sail import serving


@pytest.fixture(scope="package")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session of Spark Connect, without Java."""
    pytest.importorskip("pysail")
    from pyspark.sql import SparkSession

    with serving(tmp_path_factory.mktemp("sail")) as address:
        session = SparkSession.builder.remote(address).getOrCreate()
        yield session
        session.stop()
