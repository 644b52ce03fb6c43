import { type Database, type Logger, randomToken } from "../platform/index.ts";
import type { BotApis } from "./bot-apis.ts";
import { COLUMNS, type ConnectorRow } from "./connector-row.ts";
import {
  CLAIMABLE,
  CLAIMED,
  claim,
  hashesBehind,
  type RegistrarOptions,
  register,
} from "./registrar.ts";

/** Those that point elsewhere than this installation's address, and that nobody registers now. */
const MISPLACED = `/* connectors.misplaced-webhooks */
SELECT workspace_id, id FROM connectors
WHERE status = 'active' AND ${CLAIMABLE} AND ($2::uuid IS NULL OR id > $2)
  AND webhook_url IS DISTINCT FROM $1 || '/webhooks/telegram/' || webhook_key
ORDER BY id LIMIT $3`;

const CLAIM_MOVE = `/* connectors.claim-move */
UPDATE connectors SET previous_secret_hashes = ${hashesBehind("$3")}, secret_hash = $3,
  register_after = ${CLAIMED}
WHERE workspace_id = $1 AND id = $2 AND status = 'active' AND ${CLAIMABLE}
  AND webhook_url IS DISTINCT FROM $4 || '/webhooks/telegram/' || webhook_key
RETURNING ${COLUMNS}`;

/** Moved at once by one process: each is a few calls, and a Telegram that hangs must not hold all. */
const AT_ONCE = 8;

export interface MoveOptions extends RegistrarOptions {
  db: Database;
  publicUrl: string;
  botApis: BotApis;
  log: Logger;
}

/**
 * Registers the webhooks again that point elsewhere than `publicUrl` (a new address of this
 * installation); answers how many. What fails is tried again at a later call, once its claim has run
 * out. The function returned is called now and then for as long as the process lives.
 */
export function createWebhookMoves(
  options: MoveOptions,
): (signal?: AbortSignal) => Promise<number> {
  const { db, publicUrl, botApis, log } = options;
  /** Of moves that failed: the next try reuses the secret, so that failures don't add hashes. */
  const secrets = new Map<string, string>();

  async function move(workspaceId: string, id: string, signal?: AbortSignal): Promise<boolean> {
    const secret = secrets.get(id) ?? randomToken();
    try {
      // First: what cannot be opened is not to be changed either.
      const api = await botApis.forConnector(id);
      const claimed = await claim(secret, async (secretHash) => {
        const params = [workspaceId, id, secretHash, publicUrl];
        return (await db.query<ConnectorRow>(CLAIM_MOVE, params))[0];
      });
      if (claimed === undefined) return false;
      secrets.set(id, secret);
      await register(options, api, claimed, signal);
      secrets.delete(id);
      return true;
    } catch (error) {
      log.warn({ err: error, connectorId: id }, "webhook could not be moved");
      return false;
    }
  }

  return async (signal) => {
    let done = 0;
    let afterId: string | null = null;
    while (!signal?.aborted) {
      const page: Pick<ConnectorRow, "workspace_id" | "id">[] = await db.query(MISPLACED, [
        publicUrl,
        afterId,
        AT_ONCE,
      ]);
      const moved = await Promise.all(page.map((row) => move(row.workspace_id, row.id, signal)));
      done += moved.filter(Boolean).length;
      afterId = page.at(-1)?.id ?? null;
      if (page.length < AT_ONCE) break;
    }
    return done;
  };
}
