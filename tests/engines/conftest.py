"""What the tests of engines share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.engines import cluster
from tests.engines.sail import serving


@pytest.fixture(scope="package")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session: of Sail, or of the cluster that LASTCLICK_SPARK names (`make test-spark`)."""
    address = os.environ.get("LASTCLICK_SPARK", "")
    if not address:
        pytest.importorskip("pysail")
    from pyspark.sql import SparkSession

    with ExitStack() as stack:
        if address.startswith(("spark://", "local")):
            builder = SparkSession.builder.master(address)
            for name, value in cluster.SETTINGS.items():
                builder = builder.config(name, value)
        else:
            folder = tmp_path_factory.mktemp("sail")
            builder = SparkSession.builder.remote(address or stack.enter_context(serving(folder)))
        session = builder.getOrCreate()
        if address.startswith(("spark://", "local")):
            session.sparkContext.setCheckpointDir(str(tmp_path_factory.mktemp("checkpoints")))
        stack.callback(session.stop)
        yield session
