"""Where events go: the `Sink` protocol and the sinks that need nothing but the standard library."""

from lastclick.sinks._drain import drain_on_sigterm
from lastclick.sinks._file import FileSink
from lastclick.sinks._memory import MemorySink
from lastclick.sinks._sink import Sink, SinkStats

__all__ = ["FileSink", "MemorySink", "Sink", "SinkStats", "drain_on_sigterm"]
