"""Shares of attempts of customers who have several: as sure as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastclick.metrics._clustered import clustered_difference, clustered_share, effective
from lastclick.metrics._proportions import difference, wilson
from tests.metrics.samples import pairs

customers = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda one: (min(one), max(one))),
    min_size=1,
    max_size=30,
).filter(lambda rows: any(n for _, n in rows))


def test_attempts_apart_are_as_many_as_they_are() -> None:
    """With one attempt a customer the limits are Wilson's and Newcombe's own."""
    own, other = pairs([1] * 30 + [0] * 70, [1] * 100), pairs([1] * 40 + [0] * 60, [1] * 100)

    share = clustered_share(own)

    assert (share.low, share.high) == pytest.approx(wilson(30, 100))
    assert share.method == "wilson"
    assert clustered_difference(own, other) == difference(30, 100, 40, 100)


def test_attempts_that_are_all_alike_are_as_many_as_customers() -> None:
    """Fifty customers who do each thing four times are little more than fifty attempts."""
    own = pairs([4] * 20 + [0] * 30, [4] * 50)

    assert effective(own) == pytest.approx(50, rel=0.1)
    assert clustered_share(own).method == "wilson, customers as clusters"
    nobody = pairs([0] * 50, [4] * 50)
    assert effective(nobody) == 50
    assert clustered_share(nobody).low == 0.0
    assert clustered_share(nobody).high == pytest.approx(wilson(0, 50)[1])


def test_one_customer_is_one() -> None:
    """However often one customer tries."""
    assert effective(pairs([3], [7])) == 1
    assert effective(pairs([2, 2], [4, 4])) == 8  # no spread between customers


@given(customers, customers)
def test_limits_are_never_narrower_than_of_attempts_apart(
    own: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    """The effective number is above 0, and never above that of attempts; limits hold the share."""
    rows, base = (pairs(*zip(*some, strict=True)) for some in (own, other))

    assert 0 < effective(rows) <= rows.x
    share = clustered_share(rows)
    assert share.low is not None
    assert share.estimate is not None
    assert share.high is not None
    assert 0 <= share.low <= share.estimate + 1e-12
    assert share.estimate - 1e-12 <= share.high <= 1
    more = clustered_difference(rows, base)
    apart = difference(rows.y, rows.x, base.y, base.x)
    assert more.low is not None
    assert apart.low is not None
    assert more.low <= apart.low + 1e-9
    assert (more.p_value is None) == (apart.p_value is None)


def test_nothing_is_a_reason() -> None:
    """Without attempts there is no share."""
    nobody = pairs([0], [0])

    assert clustered_share(nobody).reason == "nothing to divide by"
    assert clustered_difference(nobody, nobody).reason == "nobody in one of the two"
