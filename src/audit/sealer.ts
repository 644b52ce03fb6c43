import {
  createTurns,
  type Database,
  isUnavailable,
  type Keyring,
  type Logger,
  warnUnlessAway,
} from "../platform/index.ts";
import { sealBatch } from "./seal-waiting.ts";

/**
 * Puts committed entries into their chains, a moment after they were written, so that changes of one
 * workspace don't wait for each other. An entry's number is its place among what was sealed, not its
 * id: ids are drawn before commits, and a transaction may commit long after a later one. Whatever can
 * be seen and waits goes next, in the order of ids, and what commits after that goes behind it.
 *
 * One holder a chain: the head's row is locked from the read of what waits to the commit that numbers
 * it. Whoever finds it locked leaves the chain to its holder. A crash in between leaves the entries
 * waiting. A head that does not open is never replaced by what the tables say: that would bless a
 * forgery. Its chain stays as it is, and the log says so each minute.
 */
const EVERY_MS = 1_000;
/** One turn ends after this time: the rest waits for the next. */
const TURN_MS = 5_000;
const MAX_CHAINS = 1_000;
/** How often the log is told of a chain that stays broken. */
const TELL_EVERY_MS = 60_000;

/** From chain to chain, not from entry to entry. */
const WAITING_CHAINS = `/* audit.waiting-chains */
WITH RECURSIVE chain AS (
  (SELECT workspace_id FROM audit_unsealed WHERE $1::uuid IS NULL OR workspace_id > $1
    ORDER BY workspace_id LIMIT 1)
  UNION ALL
  SELECT (SELECT u.workspace_id FROM audit_unsealed u WHERE u.workspace_id > c.workspace_id
    ORDER BY u.workspace_id LIMIT 1)
  FROM chain c WHERE c.workspace_id IS NOT NULL
)
SELECT workspace_id FROM chain WHERE workspace_id IS NOT NULL LIMIT ${MAX_CHAINS}`;

export interface AuditSealerOptions {
  db: Database;
  keyring: Keyring;
  log: Logger;
  /** How often a process looks, in ms. Default 1 000; 0: only `runOnce`. */
  tickMs?: number;
}

export interface AuditSealer {
  /** Seals what waits, and says how many entries. Throws the database's errors. */
  runOnce(): Promise<number>;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
}

/** Begins at once, in turns with the other web processes. */
export function startAuditSealer(options: AuditSealerOptions): AuditSealer {
  const { db, keyring, log, tickMs = EVERY_MS } = options;
  const toldMs = new Map<string, number>();
  /** Rounds over all chains, a batch each, so that one with much waiting keeps none from its seals. */
  async function turn(): Promise<number> {
    const endsAtMs = performance.now() + TURN_MS;
    const broken = new Set<string>();
    let sealed = 0;
    let inRound: number;
    do {
      inRound = 0;
      for await (const workspaceId of waitingChains()) {
        if (turns.isStopping || performance.now() >= endsAtMs) return sealed + inRound;
        if (!broken.has(workspaceId)) inRound += await sealNext(workspaceId, broken);
      }
      sealed += inRound;
    } while (inRound > 0);
    return sealed;
  }

  async function* waitingChains(): AsyncGenerator<string> {
    for (let after: string | null = null; ; ) {
      const chains: Array<{ workspace_id: string }> = await db.query(WAITING_CHAINS, [after]);
      for (const { workspace_id } of chains) yield workspace_id;
      after = chains.at(-1)?.workspace_id ?? null;
      if (chains.length < MAX_CHAINS) return;
    }
  }

  /** What is wrong with one chain is told, and the others are sealed all the same. */
  async function sealNext(workspaceId: string, broken: Set<string>): Promise<number> {
    try {
      return await db.transaction((tx) => sealBatch(tx, keyring, workspaceId));
    } catch (error) {
      if (isUnavailable(error)) throw error;
      broken.add(workspaceId);
      const nowMs = performance.now();
      if ((toldMs.get(workspaceId) ?? Number.NEGATIVE_INFINITY) < nowMs - TELL_EVERY_MS) {
        toldMs.set(workspaceId, nowMs);
        log.error({ err: error, workspaceId }, "an audit chain could not be sealed");
      }
      return 0;
    }
  }

  const turns = createTurns({
    db,
    name: "audit seals",
    everyMs: tickMs,
    work: turn,
    failed: warnUnlessAway(log, "audit entries are not sealed now"),
  });
  if (tickMs > 0) turns.start();

  return {
    runOnce: turn,
    stop: turns.stop,
  };
}
