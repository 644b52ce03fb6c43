import type { JobId, WaitingJobs } from "../jobs/index.ts";
import {
  createTurns,
  type Database,
  fewRows,
  groupBy,
  isLockTimeout,
  type Logger,
  warnUnlessAway,
} from "../platform/index.ts";
import { EXPIRED, EXPIRED_UNKNOWN, expiredWords } from "./expired.ts";
import { MAY_BE_SENT, UNKNOWN, unknownWords } from "./may-be-sent.ts";
import { IS_WHOLE } from "./waiting-message.ts";

/**
 * What becomes of a message that is not sent before its time is over, because its chat, its bot or its
 * queue is held, or its token is refused: it fails, with its job. A drain looks at the time itself right
 * before a call leaves (`BotRunner`); this is for what no drain comes to. What awaits approval is ended
 * by whoever asked for it.
 *
 * One whose first part was sent goes on, and one that an earlier attempt may have sent is `unknown`.
 */

/** Read at once; those of one bot are ended in one transaction, under its lane's row. */
const BATCH = 500;
/** In one turn; what is left is ended in the next. */
const MAX_BATCHES = 100;
/** A lane that somebody has locked for so long is left for the next turn. */
const LOCK_TIMEOUT_MS = 1_000;

interface Due {
  workspaceId: string;
  id: string;
  connectorId: string;
  expiresAt: Date;
  /** The same, to the microsecond. */
  place: string;
}

const FIND = `/* outbound.find-expired */
SELECT workspace_id AS "workspaceId", id, connector_id AS "connectorId",
  expires_at AS "expiresAt", expires_at::text AS place
FROM outbound_messages m
WHERE expires_at <= now() AND state = 'queued' AND ${IS_WHOLE}
  AND (expires_at, id) > ($1::timestamptz, $2::uuid)
ORDER BY expires_at, id LIMIT ${BATCH}`;

/** Somebody may have given one more time, or cancelled it, since it was read. */
const EXPIRE = `/* outbound.expire */
UPDATE outbound_messages m SET
  state = CASE WHEN ${MAY_BE_SENT} THEN 'unknown' ELSE 'failed' END,
  error_class = CASE WHEN ${MAY_BE_SENT} THEN '${UNKNOWN}' ELSE '${EXPIRED}' END,
  error = CASE WHEN ${MAY_BE_SENT} THEN $4 ELSE t.words END
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS t(workspace_id, id, words)
  ${fewRows("$1")}
) t
WHERE m.workspace_id = t.workspace_id AND m.id = t.id AND m.state = 'queued'
  AND m.expires_at <= now() AND ${IS_WHOLE}
RETURNING m.workspace_id AS "workspaceId", m.job_id AS "jobId"`;

const NOWHERE = { place: "-infinity", id: "00000000-0000-0000-0000-000000000000" };

export interface ExpiryKeeperOptions {
  db: Database;
  jobs: WaitingJobs;
  log: Logger;
  /** Default 2 000. */
  everyMs?: number;
}

/** The service that ends messages whose time is over. */
export interface ExpiryKeeper {
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
  /** Ends what is due now; answers how many. Throws the database's errors. */
  runOnce(): Promise<number>;
}

export function createExpiryKeeper({
  db,
  jobs,
  log,
  everyMs = 2_000,
}: ExpiryKeeperOptions): ExpiryKeeper {
  /** Messages of one bot. */
  async function expire(due: Due[]): Promise<number> {
    const [first] = due;
    if (first === undefined) return 0;
    const { workspaceId, connectorId: lane } = first;
    return db.transaction(
      async (tx) => {
        const held = await jobs.holdIn(tx, [{ queue: "outbound", lane, workspaceId }]);
        const rows = await tx.query<{ workspaceId: string; jobId: JobId | null }>(EXPIRE, [
          due.map((message) => message.workspaceId),
          due.map((message) => message.id),
          due.map((message) => expiredWords(message.expiresAt)),
          unknownWords(EXPIRED_UNKNOWN),
        ]);
        const ended = rows.flatMap(({ jobId, ...whose }) =>
          jobId === null ? [] : [{ ...whose, id: jobId }],
        );
        const error = "It was not sent before the time it was good for.";
        await held.cancel(ended, { errorClass: EXPIRED, error });
        return rows.length;
      },
      { lockTimeoutMs: LOCK_TIMEOUT_MS },
    );
  }

  async function runOnce(): Promise<number> {
    let expired = 0;
    let after = NOWHERE;
    for (let batch = 0; batch < MAX_BATCHES && !turns.isStopping; batch++) {
      const due = await db.query<Due>(FIND, [after.place, after.id]);
      for (const ofBot of groupBy(due, ({ connectorId }) => connectorId).values()) {
        if (turns.isStopping) return expired;
        expired += await expire(ofBot).catch((error) => {
          if (isLockTimeout(error)) return 0;
          throw error;
        });
      }
      after = due.at(-1) ?? after;
      if (due.length < BATCH) break;
    }
    return expired;
  }

  const turns = createTurns({
    db,
    name: "message expiry",
    everyMs,
    work: runOnce,
    failed: warnUnlessAway(log, "messages whose time is over are not ended now"),
  });
  return {
    runOnce,
    start: turns.start,
    stop: turns.stop,
  };
}
