"""The draw: sticky, deterministic, of the share that was asked for, and known to the log."""

import copy
import pickle
from decimal import Decimal
from uuid import UUID

import pytest

from lastclick import Funnel, Holdout
from lastclick.errors import ConfigError, EventError, raise_errors
from lastclick.sinks import MemorySink


def test_an_arm_is_always_the_same() -> None:
    """The arms are those of the day on which this was written, in any process."""
    holdout = Holdout(share=0.1, salt="spring")

    held = [key for key in range(100) if holdout.arm(key) == "holdout"]

    assert held == [key for key in range(100) if Holdout("0.1", "spring").arm(key) == "holdout"]
    assert held[:4] == [7, 16, 17, 26]


def test_a_key_is_its_text() -> None:
    """An id is one key whether it comes as a number, as text or as a UUID."""
    holdout = Holdout(share=0.5, salt="spring")
    uuid = UUID(int=7)

    assert {holdout.arm(n) == holdout.arm(str(n)) for n in range(50)} == {True}
    assert holdout.arm(uuid) == holdout.arm(str(uuid))


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5, 0.9])
def test_the_share_is_kept(share: float) -> None:
    """Of 20,000 customers the share is held out, within four standard errors."""
    holdout = Holdout(share=share, salt="spring")

    held = sum(holdout.arm(key) == "holdout" for key in range(20_000))

    assert abs(held - 20_000 * share) < 4 * (20_000 * share * (1 - share)) ** 0.5


def test_another_salt_draws_anew() -> None:
    """Who is held out in one experiment is no more likely to be so in the next."""
    spring, summer = Holdout(share=0.5, salt="spring"), Holdout(share=0.5, salt="summer")

    same = sum(spring.arm(key) == summer.arm(key) for key in range(10_000))

    assert 4_800 < same < 5_200


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, True, None, "ten", float("nan"), 1e-30, [0.1]])
def test_a_share_is_between_none_and_all(share: object) -> None:
    """A share that holds out nobody, all, or nothing that can be said, is refused."""
    with pytest.raises(ConfigError, match="share is"):
        Holdout(share=share, salt="spring")  # type: ignore[arg-type]


@pytest.mark.parametrize("salt", ["", " ", None, 1.5])
def test_a_salt_names_the_experiment(salt: object) -> None:
    """Without a name the draw could not be made again."""
    with pytest.raises(ConfigError, match="salt is"):
        Holdout(share=0.1, salt=salt)  # type: ignore[arg-type]


def test_a_key_that_is_none_raises() -> None:
    """A job that draws for nobody hears of it."""
    with pytest.raises(EventError, match="key is None") as caught:
        Holdout(share=0.1, salt="spring").arm(None)

    assert caught.value.reason == "no_key"


def test_a_holdout_says_what_it_is() -> None:
    """Its repr is what makes it."""
    assert repr(Holdout(Decimal("0.10"), "spring")) == "Holdout(share=0.1, salt='spring')"


def test_assign_writes_the_share_that_the_arm_was_drawn_with() -> None:
    """The log knows how the draw was meant, also when the arm was kept, copied or sent."""
    sink = MemorySink()
    funnel = Funnel("checkout", steps=("cart",), sink=sink, on_error=raise_errors)
    arm = Holdout(share=0.25, salt="spring").arm("u-1")

    for one in (arm, copy.deepcopy(arm), pickle.loads(pickle.dumps(arm)), str(arm)):
        funnel.checkout("c-1").assign(one)

    assert [event.share for event in sink.events] == ["0.25", "0.25", "0.25", None]
    assert {event.arm for event in sink.events} == {arm}
    assert {type(event.arm) for event in sink.events} == {str}
