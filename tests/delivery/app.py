"""A shop behind a WSGI server: each request records the event that it names."""

import os
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from urllib.parse import parse_qs

from lastclick import Funnel
from lastclick.errors import LastclickError, log_errors
from lastclick.sinks.http import Batch, HttpSink, Retry

SECOND = timedelta(seconds=1)

failed = threading.local()


def on_error(error: LastclickError) -> None:
    failed.here = True
    log_errors(error)


sink = HttpSink(
    os.environ["SHOP_URL"],
    os.environ["SHOP_SPOOL"],
    batch=Batch(age=SECOND / 5),
    retry=Retry(first=SECOND / 5, most=SECOND),
)
funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink, on_error=on_error)
if "SHOP_PRELOADS" in os.environ:  # the master has recorded before it forks
    funnel.checkout("c-master").enter("cart", event_id=os.environ["SHOP_PRELOADS"])


def app(environ: dict, start_response: Callable[..., object]) -> Iterable[bytes]:
    """Record one event; 200 says that it was accepted."""
    (one,) = parse_qs(environ["QUERY_STRING"])["id"]
    failed.here = False
    checkout = funnel.checkout(f"c-{one}")
    checkout.enter("cart", event_id=one, attributes={"pid": os.getpid()})
    start_response("500 Not kept" if failed.here else "200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
