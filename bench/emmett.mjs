// Appends with Emmett: see drive.mjs.
import { randomUUID } from 'node:crypto';
import { STREAM_DOES_NOT_EXIST } from '@event-driven-io/emmett';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import { drive } from './drive.mjs';

await drive(async ({ url }) => {
  const store = getPostgreSQLEventStore(url);
  const append = async (stream, event, last = STREAM_DOES_NOT_EXIST) => {
    const result = await store.appendToStream(stream, [event], { expectedStreamVersion: last });
    return result.nextExpectedStreamVersion;
  };
  await append(`chat-${randomUUID()}`, { type: 'chat.opened.v1', data: {}, metadata: {} }); // makes the tables
  return { append, close: () => store.close() };
});
