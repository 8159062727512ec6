"""The cookie's value, and the signed one in its place."""

from datetime import timedelta

import pytest

pytest.importorskip("itsdangerous", reason="the extras of the frameworks are not installed")

from itsdangerous import BadData

from lastclick.errors import ConfigError
from lastclick.integrations._identity import Attempt, Bridge, Cookie


def test_an_attempt_is_what_its_cookie_says():
    """Written and read, with an order and without."""
    new = Attempt.new()

    for attempt in (new, new.with_order("o-1"), new.with_order("o-1").after_thanks("o-1")):
        assert Attempt.read(attempt.value) == attempt
    assert len({Attempt.new().id for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "value", ["", "x", "a" * 23, "a" * 22 + ".", "a" * 22 + ".oo", "é" * 22, "a" * 22 + "\n"]
)
def test_what_is_none_of_ours_is_refused(value):
    """Junk is not taken for an id."""
    assert Attempt.read(value) is None


def test_a_thank_you_page_ends_the_attempt_that_ordered_and_no_other():
    """Shown again it ends nothing, if it tells which order it thanks for."""
    first = Attempt.new()

    second = first.with_order("o-1").after_thanks("o-1")
    assert second.id != first.id
    assert second.after_thanks("o-1") == second
    assert second.after_thanks("o-2").id != second.id
    assert second.after_thanks(None).id != second.id
    assert first.after_thanks("o-1").id != first.id


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "a b"}, "name is 'a b'"),
        ({"max_age": 30}, "max_age is 30"),
        ({"max_age": timedelta.max}, "of a second to ten years"),
        ({"samesite": "lax"}, "'Lax'"),
        ({"path": None}, "path is None"),
        ({"path": "/; Secure"}, "path is '/; Secure'"),
        ({"path": "shop"}, "path is 'shop'"),
        ({"domain": 5}, "domain is 5"),
        ({"domain": "a\nb"}, "domain is 'a"),
        ({"domain": "bücher.example"}, "domain is 'bücher.example'"),
        ({"secure": "no"}, "secure is 'no'"),
        ({"samesite": "None", "secure": False}, "browsers refuse"),
    ],
)
def test_a_cookie_that_cannot_be_is_refused(arguments, said):
    """At once, by name."""
    with pytest.raises(ConfigError, match=said):
        Cookie(**arguments)


def test_the_cookie_is_secure_where_the_request_was_or_as_told():
    """TLS decides, unless the shop does."""
    assert Cookie().is_secure(tls=True)
    assert not Cookie().is_secure(tls=False)
    assert Cookie(secure=True).is_secure(tls=False)


def test_a_signed_value_is_read_with_its_secret_only_and_not_for_ever():
    """Forged, of another shop, too old: refused."""
    bridge = Bridge("a secret")
    token = bridge.token("c-1")

    assert bridge.read(token, timedelta(hours=1)) == "c-1"
    for reader, value, max_age in (
        (bridge, token, timedelta(seconds=-2)),
        (Bridge("another"), token, timedelta(hours=1)),
        (bridge, "c-1", timedelta(hours=1)),
    ):
        with pytest.raises(BadData):
            reader.read(value, max_age)
