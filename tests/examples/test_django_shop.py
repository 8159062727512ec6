"""The example shop in Django passes its own tests, by Django's own runner."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("django", reason="the extra 'django' is not installed")

ROOT = Path(__file__).parent.parent.parent


def test_the_shop_passes_its_own_tests(tmp_path: Path) -> None:
    """Its funnel says what its books say, with warnings as errors, and no migration is missing."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "examples.django_shop.settings",
        "SHOP_DATA": str(tmp_path),
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }
    for command in (["test", "examples.django_shop.tests"], ["makemigrations", "--check"]):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "django", *command],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

        assert done.returncode == 0, done.stdout + done.stderr
