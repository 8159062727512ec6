"""What `lastclick` shows is what it promises."""

import types

import lastclick


def test_all_is_sorted() -> None:
    """A reader finds a name in `__all__` by the alphabet."""
    assert list(lastclick.__all__) == sorted(lastclick.__all__)


def test_all_is_what_is_visible() -> None:
    """Every public name of the root is in `__all__`, and nothing else is."""
    visible = {
        name
        for name, value in vars(lastclick).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }

    assert visible == set(lastclick.__all__)
