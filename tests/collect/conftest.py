"""What the tests of the collector share."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import mount


@pytest.fixture
def disk_of_1_mib(tmp_path: Path) -> Iterator[Path]:
    """A real file system that is soon full."""
    mount(tmp_path, "size=1m")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
