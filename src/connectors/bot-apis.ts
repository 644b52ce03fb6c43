import {
  createLookup,
  type Database,
  fewRows,
  type Keyring,
  type Queryable,
  type SealedColumn,
} from "../platform/index.ts";
import type { BotApi, BotApiFactory } from "../telegram/index.ts";
import { isRefusal } from "./prove-token.ts";

/** Clients of connected bots, by connector. The token is opened here and goes nowhere else. */
export interface BotApis {
  /**
   * Throws `ConnectorRemoved`, and `SealError` when the token cannot be opened. A call that is
   * refused because the token was replaced meanwhile is made again with the new one: Telegram did
   * nothing of it.
   */
  forConnector(connectorId: string): Promise<BotApi>;
  /**
   * The sealed token that was refused last, of this connector and to this process: what is done
   * about it must not hit a token that took its place. Undefined: none was.
   */
  refusedToken(connectorId: string): Buffer | undefined;
}

interface Opened {
  api: BotApi;
  sealed: Buffer;
}

/** The connector was disconnected: there is no token any more. */
export class ConnectorRemoved extends Error {
  override name = "ConnectorRemoved";
}

/** A token that was rotated or removed is used no longer than this by a process that has it. */
const KEPT_MS = 1_000;
const MAX_KEPT = 1_000;
/** Of a whole call, when its caller names none. */
const CALL_TIMEOUT_MS = 30_000;

const TOKENS = { table: "connectors", column: "token_sealed" };

/** Where this room keeps what is sealed. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [TOKENS];

/** Where a connector's token is sealed to. */
export const tokenPlace = (workspaceId: string, connectorId: string) => ({
  ...TOKENS,
  workspaceId,
  row: connectorId,
});

const READ_TOKENS = `/* connectors.tokens */
SELECT c.id, c.workspace_id, c.token_sealed
FROM (SELECT id FROM unnest($1::uuid[]) AS a(id) ${fewRows("$1")}) a
JOIN connectors c ON c.id = a.id`;

interface TokenRow {
  id: string;
  workspace_id: string;
  token_sealed: Buffer | null;
}

async function readTokens(on: Queryable, ids: string[]): Promise<Map<string, TokenRow>> {
  const rows = await on.query<TokenRow>(READ_TOKENS, [ids]);
  return new Map(rows.map((row) => [row.id, row]));
}

export function createBotApis(options: {
  db: Database;
  keyring: Keyring;
  botApi: BotApiFactory;
}): BotApis {
  const { db, keyring, botApi } = options;
  const tokenOf = createLookup((ids: string[]) => readTokens(db, ids));
  const kept = new Map<string, { client: Promise<BotApi>; untilMs: number }>();
  const refused = new Map<string, Buffer>();

  async function open(connectorId: string): Promise<Opened> {
    const row = await tokenOf(connectorId);
    if (!row?.token_sealed) throw new ConnectorRemoved(`connector ${connectorId} was removed`);
    const token = keyring.open(row.token_sealed, tokenPlace(row.workspace_id, connectorId));
    return { api: botApi(token.toString("utf8")), sealed: row.token_sealed };
  }

  function remember(connectorId: string, sealed: Buffer): void {
    if (refused.size >= MAX_KEPT) refused.clear();
    refused.set(connectorId, sealed);
  }

  async function clientOf(connectorId: string): Promise<BotApi> {
    const opened = await open(connectorId);
    return {
      // A token that was replaced is refused: the file is then asked for again, from `getFile` on.
      download: (path, options) => opened.api.download(path, options),
      call: async (method, params, options = {}) => {
        const untilMs = performance.now() + (options.timeoutMs ?? CALL_TIMEOUT_MS);
        try {
          return await opened.api.call(method, params, options);
        } catch (error) {
          if (!isRefusal(error)) throw error;
          const current = await open(connectorId).catch(() => null);
          const timeoutMs = untilMs - performance.now();
          if (current === null || timeoutMs <= 0) throw error;
          if (current.sealed.equals(opened.sealed)) {
            remember(connectorId, current.sealed);
            throw error;
          }
          const again = current.api.call<never>(method, params, { ...options, timeoutMs });
          return await again.catch((reason) => {
            if (isRefusal(reason)) remember(connectorId, current.sealed);
            throw reason;
          });
        }
      },
    };
  }

  return {
    refusedToken: (connectorId) => refused.get(connectorId),
    forConnector: (connectorId) => {
      const found = kept.get(connectorId);
      if (found !== undefined && found.untilMs > performance.now()) return found.client;
      const client = clientOf(connectorId);
      if (kept.size >= MAX_KEPT) kept.clear();
      kept.set(connectorId, { client, untilMs: performance.now() + KEPT_MS });
      client.catch(() => kept.delete(connectorId));
      return client;
    },
  };
}
