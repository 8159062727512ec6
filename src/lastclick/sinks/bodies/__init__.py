"""Request bodies: what `HttpSink` sends, for each kind of receiver.

A body is a plain function from log lines to payloads; write your own as these are written.
"""

from lastclick.sinks.bodies._ga4 import ga4
from lastclick.sinks.bodies._payload import Body, Payload, Refused
from lastclick.sinks.bodies._plain import cloudevents, json_array, ndjson
from lastclick.sinks.bodies._posthog import posthog
from lastclick.sinks.bodies._segment import segment

__all__ = [
    "Body",
    "Payload",
    "Refused",
    "cloudevents",
    "ga4",
    "json_array",
    "ndjson",
    "posthog",
    "segment",
]
