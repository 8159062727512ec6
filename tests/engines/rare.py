"""Which proofs are for the days when there is an hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


def rarely(names: Sequence[str], *, but: int) -> list[Any]:
    """Parameters of a long proof, of which but every so many-th is for `make test-engines`."""
    return [
        name if place % but == 0 else pytest.param(name, marks=pytest.mark.hours)
        for place, name in enumerate(names)
    ]
