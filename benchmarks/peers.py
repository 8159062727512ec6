"""The event SDKs of the field, and lastclick, each recording the same checkout event.

Every subject is used as its own documentation says, with its default settings but for what a fair
run needs; `Setup.roomy` says when the latter is more than where to send. Imports are within the
functions: a process measures one subject and loads no other.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import emit

ROOM = 1_000_000


class Setup(NamedTuple):
    """Where and as what a subject records its events."""

    url: str
    directory: Path  # for what it keeps on disk
    ids: Iterator[str]  # the next event's id
    # For figures of cost: a queue so long that dropping is not what is timed, and lastclick makes
    # its own ids, as in a shop (all others make one too, beside the `event_id` among the fields).
    roomy: bool


class Client(NamedTuple):
    """What a program calls."""

    call: Callable[[], object]
    flush: Callable[[], object]


class Subject(NamedTuple):
    """One way to record an event and get it to a server."""

    package: str  # its name on the package index
    imports: str  # what a program that uses it imports
    connect: Callable[[Setup], Client]


def fields(event_id: str) -> dict[str, str]:
    """Return the event: the 8 fields of the floor in benchmarks/emit.py."""
    return {
        "type": "step_entered",
        "event_id": event_id,
        "funnel": "checkout",
        "checkout_id": "c-1042",
        "customer_id": "u-7",
        "occurred_at": "2026-10-01T12:00:00.000000Z",
        "step": "payment",
        "value": "59.90",
    }


def _floor(_: Setup) -> Client:
    return Client(emit.floor(), lambda: None)


def _lastclick(setup: Setup, spool: Path | None) -> Client:
    from lastclick import Funnel, Money
    from lastclick.sinks.http import HttpSink

    sink = HttpSink(f"{setup.url}/v1/events", spool=spool)
    funnel = Funnel("checkout", steps=emit.STEPS, sink=sink)
    checkout = funnel.checkout("c-1042", customer_id="u-7", attributes={"device": "mobile"})
    value, ids = Money("59.90", "EUR"), setup.ids
    if setup.roomy:
        return Client(lambda: checkout.enter("payment", value=value), lambda: funnel.flush(30))
    return Client(
        lambda: checkout.enter("payment", value=value, event_id=next(ids)),
        lambda: funnel.flush(30),
    )


def _lastclick_memory(setup: Setup) -> Client:
    return _lastclick(setup, None)


def _lastclick_spool(setup: Setup) -> Client:
    return _lastclick(setup, setup.directory / "spool")


def _opentelemetry(setup: Setup) -> Client:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    exporter = OTLPLogExporter(endpoint=f"{setup.url}/v1/logs")
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, **_room(setup)))
    logger, ids = provider.get_logger("checkout"), setup.ids

    def call() -> None:
        logger.emit(
            timestamp=time.time_ns(),
            severity_number=SeverityNumber.INFO,
            event_name="step_entered",
            attributes=fields(next(ids)),
        )

    return Client(call, lambda: provider.force_flush(30_000))


def _segment(setup: Setup) -> Client:
    from segment.analytics import Client as Segment

    client, ids = Segment("write-key", host=setup.url, **_room(setup)), setup.ids
    return Client(lambda: client.track("u-7", "step_entered", fields(next(ids))), client.flush)


def _rudder(setup: Setup) -> Client:
    from rudderstack.analytics.client import Client as Rudder

    client, ids = Rudder("write-key", host=setup.url, **_room(setup)), setup.ids
    return Client(lambda: client.track("u-7", "step_entered", fields(next(ids))), client.flush)


def _posthog(setup: Setup) -> Client:
    from posthog import Posthog

    client, ids = Posthog("phc_key", host=setup.url, **_room(setup)), setup.ids

    def call() -> None:
        client.capture("step_entered", distinct_id="u-7", properties=fields(next(ids)))

    return Client(call, client.flush)


def _amplitude(setup: Setup) -> Client:
    from amplitude import Amplitude, BaseEvent, Config

    client = Amplitude("api-key", Config(server_url=f"{setup.url}/2/httpapi"))
    ids = setup.ids

    def call() -> None:
        event = BaseEvent("step_entered", user_id="u-7", event_properties=fields(next(ids)))
        client.track(event)

    def flush() -> None:
        for sending in client.flush():
            if sending is not None:
                sending.result()

    return Client(call, flush)


def _mixpanel(setup: Setup, *, buffered: bool) -> Client:
    from mixpanel import BufferedConsumer, Consumer, Mixpanel

    consumer = (BufferedConsumer if buffered else Consumer)(events_url=f"{setup.url}/track")
    # Its retries are mounted for https only, and this server speaks http.
    session = (consumer._consumer if buffered else consumer)._session
    session.mount("http://", session.get_adapter("https://"))
    client, ids = Mixpanel("token", consumer=consumer), setup.ids
    return Client(
        lambda: client.track("u-7", "step_entered", fields(next(ids))),
        consumer.flush if buffered else lambda: None,
    )


def _mixpanel_consumer(setup: Setup) -> Client:
    return _mixpanel(setup, buffered=False)


def _mixpanel_buffered(setup: Setup) -> Client:
    return _mixpanel(setup, buffered=True)


def _snowplow(setup: Setup, emitter: str) -> Client:
    import snowplow_tracker
    from snowplow_tracker import SelfDescribing, SelfDescribingJson, Tracker

    kind = getattr(snowplow_tracker, emitter)
    tracker = Tracker("checkout", kind(setup.url, **_room(setup, "buffer_capacity")))
    schema, ids = "iglu:com.example/step_entered/jsonschema/1-0-0", setup.ids

    def call() -> None:
        tracker.track(SelfDescribing(SelfDescribingJson(schema, fields(next(ids)))))

    return Client(call, tracker.flush)


def _snowplow_emitter(setup: Setup) -> Client:
    return _snowplow(setup, "Emitter")


def _snowplow_async(setup: Setup) -> Client:
    return _snowplow(setup, "AsyncEmitter")


def _room(setup: Setup, name: str = "max_queue_size") -> dict[str, Any]:
    return {name: ROOM} if setup.roomy else {}


FLOOR = emit.FLOOR
_OTEL = (
    "from opentelemetry.sdk._logs import LoggerProvider\n"
    "from opentelemetry.sdk._logs.export import BatchLogRecordProcessor\n"
    "from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter\n"
)
_LASTCLICK = "import lastclick\nfrom lastclick.sinks.http import HttpSink\n"

SUBJECTS = {
    FLOOR: Subject("", "", _floor),
    "lastclick, queue in memory": Subject("lastclick", _LASTCLICK, _lastclick_memory),
    "lastclick, spool": Subject("lastclick", _LASTCLICK, _lastclick_spool),
    "OpenTelemetry logs, OTLP/HTTP": Subject("opentelemetry-sdk", _OTEL, _opentelemetry),
    "Segment": Subject("segment-analytics-python", "import segment.analytics\n", _segment),
    "RudderStack": Subject("rudder-sdk-python", "import rudderstack.analytics\n", _rudder),
    "Snowplow `AsyncEmitter`": Subject(
        "snowplow-tracker", "import snowplow_tracker\n", _snowplow_async
    ),
    "Snowplow `Emitter`": Subject(
        "snowplow-tracker", "import snowplow_tracker\n", _snowplow_emitter
    ),
    "Amplitude": Subject("amplitude-analytics", "import amplitude\n", _amplitude),
    "PostHog": Subject("posthog", "from posthog import Posthog\n", _posthog),
    "Mixpanel `BufferedConsumer`": Subject("mixpanel", "import mixpanel\n", _mixpanel_buffered),
    "Mixpanel `Consumer`": Subject("mixpanel", "import mixpanel\n", _mixpanel_consumer),
}
