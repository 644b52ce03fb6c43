import { setTimeout as delay } from "node:timers/promises";
import { Batcher, type Database, isUnavailable } from "../platform/index.ts";

/** Whose a webhook's key is, and what its requests must carry. */
export interface WebhookOwner {
  workspaceId: string;
  connectorId: string;
  /** The bot's, as it was when it was connected. */
  username: string | null;
  /** SHA-256 of the secret tokens that are accepted: the newest, and those that Telegram may still hold. */
  secretHashes: Buffer[];
}

export interface WebhookDirectory {
  /** The owner of a key; undefined when there is none. Throws when Postgres is away. */
  find(key: string): Promise<WebhookOwner | undefined>;
  /** The owner where it is known without waiting; undefined: `find` knows. */
  remembered(key: string): WebhookOwner | undefined;
}

/** A rotated secret or a removed connector takes effect in every process within this time. */
const KEPT_MS = 800;
/** Older than this, it is looked up again beside its use: requests do not wait for the lookup. */
const REFRESHED_MS = 300;
const MAX_KEPT = 20_000;
/** Keys that wait for a lookup, of those that were found before and of the others. */
const MAX_WAITING = 2_000;
/**
 * Anybody may send keys that do not exist. They are looked up apart from those that do, and after
 * one that was not found the next lookup of such waits so long: a flood of them takes the database
 * fifty statements a second, whatever its size.
 */
const UNKNOWN_PAUSE_MS = 20;

const FIND = `/* connectors.by-webhook-key */
SELECT webhook_key, workspace_id, id, username, secret_hash, previous_secret_hashes
FROM connectors WHERE webhook_key = ANY ($1::text[]) AND status <> 'removed'`;

/**
 * Looks keys up in batches and keeps what it found for less than a second. Unknown keys are not
 * kept: a connector that was made a moment ago is found at once.
 */
export function createWebhookDirectory(db: Database): WebhookDirectory {
  const kept = new Map<string, { owner: WebhookOwner; atMs: number }>();
  const lookUp = async (keys: string[]) => {
    const rows = await db.query<{
      webhook_key: string;
      workspace_id: string;
      id: string;
      username: string;
      secret_hash: Buffer;
      previous_secret_hashes: Buffer[];
    }>(FIND, [[...new Set(keys)]]);
    const owners = new Map(
      rows.map((row) => [
        row.webhook_key,
        {
          workspaceId: row.workspace_id,
          connectorId: row.id,
          username: row.username || null,
          secretHashes: [row.secret_hash, ...row.previous_secret_hashes],
        },
      ]),
    );
    return keys.map((key) => owners.get(key));
  };
  const bounds = { maxItems: 500, maxQueued: MAX_WAITING, isShared: isUnavailable };
  const known = new Batcher({ ...bounds, run: lookUp });
  let unknownAtMs = Number.NEGATIVE_INFINITY;
  const others = new Batcher<string, WebhookOwner | undefined>({
    ...bounds,
    run: async (keys) => {
      const pauseMs = unknownAtMs + UNKNOWN_PAUSE_MS - performance.now();
      if (pauseMs > 0) await delay(pauseMs);
      const found = await lookUp(keys);
      if (found.includes(undefined)) unknownAtMs = performance.now();
      return found;
    },
  });
  const lookingUp = new Map<string, Promise<WebhookOwner | undefined>>();

  async function load(key: string): Promise<WebhookOwner | undefined> {
    // What the database answers may be as old as the question.
    const atMs = performance.now();
    const owner = await (kept.has(key) ? known : others).add(key);
    if (owner === undefined) {
      kept.delete(key);
    } else {
      if (kept.size >= MAX_KEPT) kept.clear();
      kept.set(key, { owner, atMs });
    }
    return owner;
  }

  function loadOnce(key: string): Promise<WebhookOwner | undefined> {
    let loading = lookingUp.get(key);
    if (loading === undefined) {
      loading = load(key).finally(() => lookingUp.delete(key));
      lookingUp.set(key, loading);
    }
    return loading;
  }

  function remembered(key: string): WebhookOwner | undefined {
    const found = kept.get(key);
    if (found === undefined) return undefined;
    const ageMs = performance.now() - found.atMs;
    if (ageMs > KEPT_MS) return undefined;
    // Should it fail, the next request asks again, and waits once what is kept is too old.
    if (ageMs > REFRESHED_MS) loadOnce(key).catch(() => {});
    return found.owner;
  }

  return {
    find: async (key) => remembered(key) ?? loadOnce(key),
    remembered,
  };
}
