"""Draws docs/page.png, the picture in the README: the top of the page of the demo, in Chromium."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lastclick import _demo, measure, read_log

PATH = Path(__file__).parent.parent / "docs" / "page.png"
#: In CSS pixels; the picture has three for each four of them.
WIDTH, HEIGHT, SCALE = 1200, 1560, 0.75
#: What a reader of the README has to load.
MOST_BYTES = 200_000


def draw(chromium: str, folder: Path) -> None:
    """Write the page to the folder, and take its picture."""
    _demo.play(folder / "log", shoppers=400, seed=1)
    page = folder / "page.html"
    page.write_text(measure(read_log(folder / "log"), by="device").to_html(), encoding="utf-8")
    options = [
        *("--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"),
        *("--force-prefers-reduced-motion", "--force-color-profile=srgb"),
        *(f"--user-data-dir={folder / 'profile'}", f"--window-size={WIDTH},{HEIGHT}"),
        f"--force-device-scale-factor={SCALE}",
    ]
    command = [chromium, *options, f"--screenshot={folder / 'page.png'}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def main() -> None:
    """Replace the picture by a new one."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no chromium on this machine: install it (Debian: apt install chromium)")
    with tempfile.TemporaryDirectory() as name:
        draw(chromium, Path(name))
        picture = (Path(name) / "page.png").read_bytes()
    if len(picture) > MOST_BYTES:
        sys.exit(f"{len(picture):,} bytes are too many for a README: {MOST_BYTES:,} at most")
    PATH.write_bytes(picture)
    print(f"{PATH.relative_to(Path.cwd())}: {len(picture):,} bytes")


if __name__ == "__main__":
    main()
