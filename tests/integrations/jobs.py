"""What the children of a worker run, for test_background.py: the jobs of the documentation."""

import os
import re
import signal
from pathlib import Path

from lastclick import Funnel
from lastclick.sinks import FileSink

FOLDER = Path(os.environ["LASTCLICK_TEST_FOLDER"])
PAGE = Path(__file__).parent.parent.parent / "docs" / "howto" / "background.md"
RECIPES = {}
for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
    if "def win_back(" in block or "def paid(" in block:
        exec(compile(block, PAGE.name, "exec"), RECIPES)  # noqa: S102

# The sink that holds events back, so that nothing but the flush must have written them.
held = Funnel("checkout", steps=("cart",), sink=FileSink(FOLDER / "log", durability="exit"))

# And the one that does not.
durable = Funnel("checkout", steps=("cart",), sink=FileSink(FOLDER / "log"))


def run(name, *given):
    """Run one of the jobs below, and note that it has come to its end."""
    globals()[name](*given)
    note("done", name)


def paid(checkout_id, order_id):
    """A webhook completes an order."""
    RECIPES["paid"](held, event_of(checkout_id, order_id))


def paid_and_killed(checkout_id, order_id):
    """The same; the first time, the process is killed right after the order was told."""
    if not (FOLDER / "died").exists():
        note("died", order_id)
        again = event_of(checkout_id, order_id)["id"]
        durable.checkout(checkout_id).complete(order_id, ("59.90", "EUR"), event_id=again)
        os.kill(os.getpid(), signal.SIGKILL)
    paid(checkout_id, order_id)


def win_back_all():
    """The recovery job."""
    RECIPES["win_back"](FOLDER / "log", held, mail)


def mail(journey):
    """The shop's own mailer."""
    note("mails", journey.checkout_id)
    return True


def event_of(checkout_id, order_id):
    """What the payment provider sends."""
    return {
        "id": f"evt-{order_id}",
        "order": order_id,
        "amount": "59.90",
        "currency": "EUR",
        "metadata": {"lastclick": checkout_id},
    }


def note(name, line):
    """One line more in a file."""
    with (FOLDER / name).open("a") as notes:
        notes.write(f"{line}\n")
