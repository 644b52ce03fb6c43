import { readdir } from "node:fs/promises";
import path from "node:path";
import { dropOldParts, sweepVault } from "../src/evidence/index.ts";
import type { Queryable } from "../src/platform/index.ts";
import { openStorage } from "../src/storage/index.ts";
import type { Installation } from "./installation.ts";
import { ATTEMPTS } from "./read-run.ts";
import {
  hashesIn,
  type Store,
  type StoredFile,
  type TakenFile,
  type Telling,
} from "./verdict-files.ts";

/** What a run left of files that were handed in: in the tables, and in the store. */

export const readTaken = (db: Queryable): Promise<TakenFile[]> =>
  db.query<TakenFile>(
    `SELECT workspace_id AS "workspaceId", connector_id AS "connectorId", chat_id::text AS "chatId",
       message_id::int AS "messageId", state, error, encode(sha256, 'hex') AS sha256,
       size_bytes::float8 AS "sizeBytes", stored_file_id AS "storedFileId"
     FROM evidence_files`,
  );

/** To people in these chats. */
export async function readTellings(db: Queryable, chatIds: string[]): Promise<Telling[]> {
  const rows = await db.query<Telling & { text: string }>(
    `SELECT m.connector_id AS "connectorId", m.chat_id AS "chatId", m.text, m.state,
       m.on_unknown AS "onUnknown", m.telegram_message_ids::int[] AS "telegramIds",
       ${ATTEMPTS} AS attempts
     FROM outbound_messages m
     WHERE m.kind = 'message' AND m.text LIKE '%SHA-256: %' AND m.chat_id = ANY ($1::text[])`,
    [chatIds],
  );
  return rows.map(({ text, ...telling }) => ({ ...telling, sha256s: hashesIn(text) }));
}

/** Where the processes of a store in a folder keep what they are fetching, and what is half there. */
const PARTS = ".parts";
const INCOMING = ".incoming";
/** So much older is everything made: longer than what is left alone because somebody may be at it. */
const LATER = "interval '2 hours'";

/**
 * Sweeps the store as it would be swept in two hours, and tells what is left then. For when nobody
 * writes any more.
 */
export async function readStore({
  owner,
  storageFolder,
}: Pick<Installation, "owner" | "storageFolder">): Promise<Store> {
  await owner.query(`UPDATE stored_files SET touched_at = touched_at - ${LATER},
    loose_since = loose_since - ${LATER}`);
  const storage = await openStorage({ kind: "local", folder: storageFolder });
  try {
    await sweepVault({ db: owner, storage });
    await dropOldParts(owner, path.join(storageFolder, PARTS), 0);
    await storage.tidy(0);
    const objects: string[] = [];
    for await (const { key } of storage.list("")) objects.push(key);
    const rows = await owner.query<StoredFile>(
      `SELECT workspace_id AS "workspaceId", id, state, encode(sha256, 'hex') AS sha256
       FROM stored_files`,
    );
    return { rows, objects, leftovers: await besideObjects(storageFolder) };
  } finally {
    storage.close();
  }
}

/** What lies beside the objects; the folder of a machine's parts may stay. */
async function besideObjects(storageFolder: string): Promise<string[]> {
  const parts = await readdir(path.join(storageFolder, PARTS), { recursive: true });
  const halves = await readdir(path.join(storageFolder, INCOMING));
  return [
    ...parts.filter((name) => name.includes(path.sep)).map((name) => path.join(PARTS, name)),
    ...halves.map((name) => path.join(INCOMING, name)),
  ];
}
