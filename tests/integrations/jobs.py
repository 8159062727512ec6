"""What a Celery worker runs, for test_background.py."""

import os

from celery import Celery

from lastclick import Funnel
from lastclick.sinks import FileSink

FOLDER = os.environ["LASTCLICK_TEST_FOLDER"]

app = Celery("jobs", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": f"{FOLDER}/queue",
    "data_folder_out": f"{FOLDER}/queue",
    "control_folder": f"{FOLDER}/control",
}
# The sink that holds events back, so that nothing but the flush must have written them.
sink = FileSink(f"{FOLDER}/log", durability="exit")
funnel = Funnel("checkout", steps=("cart",), sink=sink)


@app.task
def paid(checkout_id, order_id):
    """A webhook completes an order in a child of the worker."""
    funnel.checkout(checkout_id).complete(order_id, ("59.90", "EUR"))
    funnel.flush()
