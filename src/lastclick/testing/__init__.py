"""For your own tests: capture what a shop records, check a journey, and test a sink."""

from lastclick.testing._assertions import JourneyAssertion, assert_journey
from lastclick.testing._capture import capture
from lastclick.testing._clock import FrozenClock
from lastclick.testing._contract import SinkContract
from lastclick.testing._real_sinks import RealSinkWarning

__all__ = [
    "FrozenClock",
    "JourneyAssertion",
    "RealSinkWarning",
    "SinkContract",
    "assert_journey",
    "capture",
]
