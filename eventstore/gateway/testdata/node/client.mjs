// What a client of another language sees of the gateway. It reads its orders from
// the command line, and tells what happened as lines of JSON.
//
//   node client.mjs CONNECTION read STREAM
//   node client.mjs CONNECTION follow PREFIX COUNT    until it has seen so many events
//   node client.mjs CONNECTION append STREAM
//   node client.mjs CONNECTION manage STREAM          each call about persistent subscriptions, and how it fails
import { FORWARDS, KurrentDBClient, START, jsonEvent, persistentSubscriptionToStreamSettingsFromDefaults, streamNameFilter } from "@kurrent/kurrentdb-client";

const [connection, order, ...args] = process.argv.slice(2);
const client = KurrentDBClient.connectionString(connection);
const tell = (what) => console.log(JSON.stringify(what, (_, v) => (typeof v === "bigint" ? v.toString() : v)));

const orders = {
  async read(stream) {
    for await (const { event } of client.readStream(stream, { direction: FORWARDS, fromRevision: START })) {
      tell({ id: event.id, type: event.type, revision: event.revision, data: event.data, metadata: event.metadata });
    }
  },

  // A subscription that is lost is made again, from the last position that was seen.
  async follow(prefix, count) {
    let from = START;
    for (let seen = 0, lost = 0; ; lost++) {
      const subscription = client.subscribeToAll({ fromPosition: from, filter: streamNameFilter({ prefixes: [prefix], checkpointInterval: 1, maxSearchWindow: 10, checkpointReached: async (_s, p) => { from = p; } }) });
      subscription.on("caughtUp", () => tell({ caughtUp: true }));
      try {
        for await (const { event } of subscription) {
          from = event.position;
          tell({ id: event.id, stream: event.streamId, position: event.position.commit });
          if (++seen === Number(count)) return;
        }
      } catch (e) {
        if (lost > 200) throw e;
        tell({ lost: e.constructor.name });
        await new Promise((again) => setTimeout(again, 50));
      }
    }
  },

  async append(stream) {
    tell(await client.appendToStream(stream, jsonEvent({ type: "test.forged.v1", data: {} })));
  },

  async manage(stream) {
    for (const call of [
      () => client.listAllPersistentSubscriptions(),
      () => client.listPersistentSubscriptionsToAll(),
      () => client.listPersistentSubscriptionsToStream(stream),
      () => client.getPersistentSubscriptionToStreamInfo(stream, "group"),
      () => client.getPersistentSubscriptionToAllInfo("group"),
      () => client.replayParkedMessagesToStream(stream, "group"),
      () => client.replayParkedMessagesToAll("group"),
      () => client.restartPersistentSubscriptionSubsystem(),
      () => client.createPersistentSubscriptionToStream(stream, "group", persistentSubscriptionToStreamSettingsFromDefaults()),
    ]) {
      try {
        tell({ data: await call() });
      } catch (e) {
        tell({ error: e.constructor.name, code: e.code, message: e.message });
      }
    }
  },
};

try {
  await orders[order](...args);
} catch (e) {
  tell({ error: e.constructor.name, type: e.type, message: e.message });
} finally {
  await client.dispose();
}
process.exit(0);
