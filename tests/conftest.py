"""What all tests share: the Hypothesis profiles and the data that lies beside the checkout."""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from tests.disks import mount

ROOT = Path(__file__).parent.parent

# No deadlines: a slow machine is no bug. In CI the examples are the same on every run.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("few", settings.get_profile("ci"), max_examples=20)
settings.load_profile("ci" if os.environ.get("CI") else "local")
settings.register_profile("some", max_examples=40)  # as it is, but fewer


def pytest_collection_finish() -> None:
    """What was collected stays: it need not be looked through for garbage, again and again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let go of it, and of what Hypothesis times: DuckDB prints what it finds left at the end."""
    gc.unfreeze()
    gc.callbacks.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Coverage leaves out what runs long: it would take twice as long, and shows no other line."""
    law = is_hypothesis_test(getattr(item, "obj", None))
    if law or item.path.suffix == ".md" or item.get_closest_marker("untraced"):
        with untraced():
            return (yield)
    return (yield)


@contextmanager
def untraced() -> Iterator[None]:
    """Trace nothing, neither here nor in processes that are started."""
    here, in_threads = sys.gettrace(), threading.gettrace()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        sys.settrace(None)
        threading.settrace(None)
        yield
        sys.settrace(here)
        threading.settrace(in_threads)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout, or the one LASTCLICK_SHARED names."""
    folder = Path(os.environ.get("LASTCLICK_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip(
            f"no reference data: neither {folder.name}/ beside this checkout nor LASTCLICK_SHARED"
        )
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB."""
    mount(tmp_path, "size=64k")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
