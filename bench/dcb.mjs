// Appends with @dcb-es/event-store-postgres: see drive.mjs. It has no streams; a
// tag stands for one, and an append fails if there is an event of the type with
// that tag after the last one.
import { Query, Tags } from '@dcb-es/event-store';
import { PostgresEventStore } from '@dcb-es/event-store-postgres';
import pg from 'pg';
import { drive } from './drive.mjs';

await drive(async ({ url, connections }) => {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  const store = new PostgresEventStore({ pool });
  await store.ensureInstalled();
  const append = (stream, { type, data, metadata }, after) => {
    const tags = Tags.fromObj({ stream });
    const failIfEventsMatch = Query.fromItems([{ types: [type], tags }]);
    return store.append({ events: { type, tags, data, metadata }, condition: { failIfEventsMatch, after } });
  };
  return { append, close: () => pool.end() };
});
