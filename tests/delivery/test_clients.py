"""The sinks of docs/howto/write-a-sink.md around other clients, with the real clients."""

import re
import warnings
from collections.abc import Iterator
from uuid import uuid4

import pytest

from lastclick.errors import DeliveryError
from lastclick.testing import SinkContract
from tests.delivery.shop import ROOT

pytestmark = pytest.mark.long

PAGE = (ROOT / "docs/howto/write-a-sink.md").read_text()


def from_the_page(name: str) -> type:
    """A class of the page, as it stands there."""
    (block,) = re.findall(rf"^```python\n(class {name}:.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    names: dict = {"DeliveryError": DeliveryError}
    exec(block, names)  # noqa: S102
    return names[name]


@pytest.fixture(scope="module")
def producer():
    kafka = pytest.importorskip("confluent_kafka")
    settings = {"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0}
    return kafka.Producer(settings | {"enable.idempotence": True, "message.timeout.ms": 0})


class TestKafkaSink(SinkContract):
    """A producer of librdkafka, and the broker that it brings for tests: real, on loopback."""

    @pytest.fixture
    def sink(self, producer):
        self.producer, self.topic = producer, f"checkout-{uuid4()}"
        producer.list_topics(self.topic, timeout=30)  # makes it
        return from_the_page("KafkaSink")(producer, self.topic)

    def arrived(self, sink) -> Iterator[bytes]:
        import confluent_kafka

        brokers = self.producer.list_topics(timeout=30).brokers.values()
        addresses = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        settings = {"bootstrap.servers": addresses, "group.id": "none", "enable.auto.commit": False}
        consumer = confluent_kafka.Consumer(settings)
        topics = consumer.list_topics(self.topic, timeout=30).topics
        for number in topics[self.topic].partitions:
            place = confluent_kafka.TopicPartition(self.topic, number, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=30)
            consumer.assign([place])
            for _ in range(end):
                (message,) = consumer.consume(1, timeout=30)
                yield message.value()
        consumer.close()

    def test_a_full_queue_is_said(self) -> None:
        """Without a broker, and with no room any more, the event is refused and counted."""
        kafka = pytest.importorskip("confluent_kafka")
        settings = {"bootstrap.servers": "127.0.0.1:1", "queue.buffering.max.messages": 10}
        producer = kafka.Producer(settings | {"log_level": 0})
        from lastclick import Funnel

        sink = from_the_page("KafkaSink")(producer, "checkout")
        told = []
        funnel = Funnel("checkout", steps=("cart",), sink=sink, on_error=told.append)
        for number in range(20):
            funnel.checkout(f"c-{number}").enter("cart")

        assert {error.reason for error in told} == {"kafka"}
        assert funnel.stats.undelivered == {"kafka": len(told)}
        assert funnel.close(0.1) is False
        producer.purge()


class TestOtelSink(SinkContract):
    """The SDK of OpenTelemetry with its exporter over HTTP, and a receiver that reads protobuf."""

    @pytest.fixture
    def sink(self) -> Iterator[object]:
        pytest.importorskip("urllib3")
        pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
            from opentelemetry.sdk._logs import LoggerProvider
            from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

        from tests.sinks.receiver import Receiver, Reply

        self.receiver = Receiver(lambda _: Reply(kept=False))  # what it keeps is no line of ours
        provider = LoggerProvider()
        exporter = OTLPLogExporter(self.receiver.url)
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        yield from_the_page("OtelSink")(provider)
        provider.shutdown()
        self.receiver.stop()

    def arrived(self, sink) -> Iterator[bytes]:
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        for request in self.receiver.requests:
            told = ExportLogsServiceRequest.FromString(request.content)
            for resource in told.resource_logs:
                for scope in resource.scope_logs:
                    for record in scope.log_records:
                        assert record.event_name.startswith("lastclick.")
                        yield record.body.string_value.encode()
