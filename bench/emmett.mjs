// Appends with Emmett for a while and prints events a second:
// node append.mjs URL WRITERS WARM_MS SPAN_MS STREAM_LENGTH DATA META
import { randomUUID } from 'node:crypto';
import { STREAM_DOES_NOT_EXIST } from '@event-driven-io/emmett';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';

const [url, ...rest] = process.argv.slice(2);
const [writers, warm, span, length] = rest.slice(0, 4).map(Number);
const data = JSON.parse(rest[4]);
const metadata = JSON.parse(rest[5]);

const store = getPostgreSQLEventStore(url);
let count = 0;
let stopped = false;

async function write() {
  let stream;
  let version;
  for (let i = 0; !stopped; i++) {
    if (i % length === 0) {
      stream = `chat-${randomUUID()}`;
      version = STREAM_DOES_NOT_EXIST;
    }
    const result = await store.appendToStream(stream, [{ type: 'chat.message_received.v1', data, metadata }], {
      expectedStreamVersion: version,
    });
    version = result.nextExpectedStreamVersion;
    count++;
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
await store.appendToStream(`chat-${randomUUID()}`, [{ type: 'chat.message_received.v1', data, metadata }]); // makes the tables
const running = Array.from({ length: writers }, write);
const failed = Promise.all(running);
await Promise.race([pause(warm), failed]);
const began = performance.now();
const first = count;
await Promise.race([pause(span), failed]);
const rate = ((count - first) * 1000) / (performance.now() - began);
stopped = true;
await failed;
await store.close();
process.stdout.write(JSON.stringify(rate));
