import { Batcher, type Database, isUnavailable, type Logger } from "../platform/index.ts";
import { runsOf } from "./update-gaps.ts";

/**
 * Which updates arrived, for the search for gaps. Of an update that is stored, the note only saves
 * a look: should it get lost with its process, the update's key in `job_keys` still tells. Of one
 * that is answered 200 without being stored it is all there is, so that answer waits for it.
 */
export interface SeenUpdates {
  /** Notes an update that is stored; costs no statement, is written within a moment. */
  note(connectorId: string, updateId: number): void;
  /** Resolves once the number of an update that will not be stored is committed. */
  record(connectorId: string, updateId: number): Promise<void>;
  /** Writes what is noted. Does not throw. */
  flush(): Promise<void>;
  /** Ends the timer and writes what is noted. */
  stop(): Promise<void>;
}

/** The workspace is the connector's own; what a removed connector still gets is not kept. */
const INSERT = `/* connectors.insert-seen */
INSERT INTO seen_updates (workspace_id, connector_id, update_ids)
SELECT c.workspace_id, c.id, i.update_ids::int8multirange
FROM unnest($1::uuid[], $2::text[]) AS i(connector_id, update_ids)
JOIN connectors c ON c.id = i.connector_id AND c.status <> 'removed'`;

const FLUSH_EVERY_MS = 500;
/** Notes kept while Postgres is away; more are dropped, and their keys tell instead. */
const MAX_NOTED = 100_000;

export function createSeenUpdates(db: Database, log: Logger): SeenUpdates {
  let noted = new Map<string, number[]>();
  let count = 0;

  async function insert(ids: ReadonlyMap<string, number[]>): Promise<void> {
    await db.query(INSERT, [[...ids.keys()], [...ids.values()].map(multirangeOf)]);
  }

  const unstored = new Batcher<{ connectorId: string; updateId: number }, void>({
    maxItems: 1_000,
    maxQueued: 5_000,
    isShared: isUnavailable,
    run: async (items) => {
      const ids = new Map<string, number[]>();
      for (const { connectorId, updateId } of items) add(ids, connectorId, updateId);
      await insert(ids);
      return items.map(() => undefined);
    },
  });

  async function flush(): Promise<void> {
    if (count === 0) return;
    const ids = noted;
    noted = new Map();
    count = 0;
    try {
      await insert(ids);
    } catch (error) {
      log.debug({ err: error }, "numbers of updates could not be noted; their keys tell instead");
    }
  }

  const timer = setInterval(() => void flush(), FLUSH_EVERY_MS);
  timer.unref();

  return {
    note: (connectorId, updateId) => {
      if (count >= MAX_NOTED) return;
      add(noted, connectorId, updateId);
      count++;
    },
    record: (connectorId, updateId) => unstored.add({ connectorId, updateId }),
    flush,
    stop: async () => {
      clearInterval(timer);
      await flush();
    },
  };
}

/** As Postgres reads it: several receivers share a bot, so one of them sees every other number. */
function multirangeOf(ids: readonly number[]): string {
  return `{${runsOf(ids).map(({ firstId, lastId }) => `[${firstId},${lastId}]`)}}`;
}

function add(ids: Map<string, number[]>, connectorId: string, updateId: number): void {
  const known = ids.get(connectorId);
  if (known === undefined) ids.set(connectorId, [updateId]);
  else known.push(updateId);
}
