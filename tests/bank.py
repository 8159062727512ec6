"""Who pays the shops of `tests.shops`: keeps a list of its own of whom it refused, and why."""

import os
from pathlib import Path

LIST = Path(os.environ["SHOP_FOLDER"]) / "refused"


def refuse(request, reason):
    """Note that a shopper's payment failed."""
    with LIST.open("a") as notes:
        notes.write(f"{request.headers['X-Shopper']} {reason}\n")
