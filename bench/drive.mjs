// Has writers append for a while and prints events a second:
// node SCRIPT URL CONNECTIONS WRITERS WARM_MS SPAN_MS STREAM_LENGTH DATA META
import { randomUUID } from 'node:crypto';

// open gets { url, connections } and returns { append, close }. append adds an
// event to a stream after what it returned for the one before, which is
// undefined for the first.
export async function drive(open) {
  const [url, ...rest] = process.argv.slice(2);
  const [connections, writers, warm, span, length] = rest.slice(0, 5).map(Number);
  const type = 'chat.message_received.v1';
  const data = JSON.parse(rest[5]);
  const metadata = JSON.parse(rest[6]);
  const store = await open({ url, connections });
  let count = 0;
  let stopped = false;

  async function write() {
    let stream;
    let last;
    for (let i = 0; !stopped; i++) {
      if (i % length === 0) {
        stream = `chat-${randomUUID()}`;
        last = undefined;
      }
      last = await store.append(stream, { type, data, metadata }, last);
      count++;
    }
  }

  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const failed = Promise.all(Array.from({ length: writers }, write));
  await Promise.race([pause(warm), failed]);
  const began = performance.now();
  const first = count;
  await Promise.race([pause(span), failed]);
  const rate = ((count - first) * 1000) / (performance.now() - began);
  stopped = true;
  await failed;
  await store.close();
  process.stdout.write(JSON.stringify(rate));
}
