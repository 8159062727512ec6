"""What `lastclick` shows is what it promises."""

import subprocess
import sys
import types

import pytest

import lastclick


def test_all_is_sorted() -> None:
    """A reader finds a name in `__all__` by the alphabet."""
    assert list(lastclick.__all__) == sorted(lastclick.__all__)


def test_all_is_what_is_visible() -> None:
    """Every public name of the root is in `__all__`, and nothing else is."""
    for name in lastclick.__all__:
        getattr(lastclick, name)
    visible = {
        name
        for name, value in vars(lastclick).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }

    assert visible == set(lastclick.__all__)


def test_an_unknown_name_is_refused_as_any_module_does() -> None:
    """What the root does not have is an AttributeError that names it."""
    with pytest.raises(AttributeError, match="module 'lastclick' has no attribute 'Tracker'"):
        lastclick.Tracker  # noqa: B018 - asking is what is tested


def test_the_root_shows_what_it_promises() -> None:
    """Completion offers the public names, also those not yet imported."""
    assert dir(lastclick) == lastclick.__all__


def test_recording_does_not_import_the_read_half() -> None:
    """A shop that only records loads no module that reads."""
    recorded = (
        "import sys, lastclick\n"
        "from lastclick.sinks import FileSink, MemorySink\n"
        "funnel = lastclick.Funnel('checkout', steps=('cart',), sink=MemorySink())\n"
        "funnel.checkout('c-1').enter('cart')\n"
        "read = ('_rows', '_log', '_fold', '_gather', '_journeys', 'metrics', '_render')\n"
        "print([name for name in read if f'lastclick.{name}' in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", recorded], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
