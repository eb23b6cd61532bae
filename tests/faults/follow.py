"""calls.v1, followed: what each test asks again and again is read and decoded once."""
import collections

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext


class Log:
    """The events of a topic by call, in order. `read()` brings in what is new."""

    def __init__(self, stack, name="calls.v1"):
        self.topic = stack.topic(name)
        self.decode = AvroDeserializer(SchemaRegistryClient({"url": stack.env["SCHEMA_REGISTRY_URL"]}))
        self.consumer = Consumer({"bootstrap.servers": stack.env["KAFKA_BROKERS"],
                                  "group.id": "unused", "enable.auto.commit": False,
                                  # what is asked beside waits behind a fetch on the connection
                                  "fetch.wait.max.ms": 20})
        parts = self.consumer.list_topics(self.topic, 30).topics[self.topic].partitions
        self.next = {p: 0 for p in parts}  # offset of the first record that was not read
        self.consumer.assign([TopicPartition(self.topic, p, 0) for p in parts])
        self.events = collections.defaultdict(list)

    def ends(self):
        return {p: self.consumer.get_watermark_offsets(TopicPartition(self.topic, p), 30)[1]
                for p in self.next}

    def read(self):
        """Everything up to the end that the topic had at the call. Returns itself."""
        ends = self.ends()
        while any(self.next[p] < end for p, end in ends.items()):
            for record in self.consumer.consume(500, 0.1):
                if not record.error():
                    self._take(record)
        return self

    def _take(self, record):
        self.next[record.partition()] = record.offset() + 1
        if record.value() is None:
            return
        event = self.decode(record.value(), SerializationContext(self.topic, MessageField.VALUE))
        self.events[(record.key() or b"").decode()].append(event)

    def of(self, call, part=None):
        """Events of a call read so far; those that have `part` when it is named."""
        return [e for e in self.events[call.call_id] if part is None or e[part]]

    def close(self):
        self.consumer.close()
