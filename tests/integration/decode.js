// node decode.js BROKERS REGISTRY TOPIC KEY: the records of that key, one JSON object a line, decoded
// by what is in the registry. Ends at the topic's present end.
const { Kafka, logLevel } = require('kafkajs');
const { SchemaRegistry } = require('@kafkajs/confluent-schema-registry');

const [brokers, host, topic, key] = process.argv.slice(2);
const plain = (_, value) => (typeof value === 'bigint' ? value.toString() : value);

async function main() {
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.ERROR });
  const registry = new SchemaRegistry({ host });
  const admin = kafka.admin();
  await admin.connect();
  const left = new Map();
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
    if (low !== high) left.set(partition, BigInt(high));
  }
  await admin.disconnect();

  const consumer = kafka.consumer({ groupId: `decode-${process.pid}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise((done, failed) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => failed(payload.error));
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        if (message.key.toString() === key) {
          const event = await registry.decode(message.value);
          process.stdout.write(`${JSON.stringify(event, plain)}\n`);
        }
        if (BigInt(message.offset) + 1n >= (left.get(partition) ?? 0n)) left.delete(partition);
        if (left.size === 0) done();
      },
    });
  });
  await consumer.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
