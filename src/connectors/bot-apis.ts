import type { Database, Keyring } from "../platform/index.ts";
import type { BotApi, BotApiFactory } from "../telegram/index.ts";

/** Clients of connected bots, by connector. The token is opened here and goes nowhere else. */
export interface BotApis {
  /** Throws `ConnectorRemoved`. */
  forConnector(connectorId: string): Promise<BotApi>;
}

/** The connector was disconnected: there is no token any more. */
export class ConnectorRemoved extends Error {
  override name = "ConnectorRemoved";
}

/** A token that was rotated or removed is used no longer than this by a process that has it. */
const KEPT_MS = 1_000;
const MAX_KEPT = 1_000;

/** Where a connector's token is sealed to. */
export const tokenPlace = (workspaceId: string, connectorId: string) => ({
  workspaceId,
  table: "connectors",
  column: "token_sealed",
  row: connectorId,
});

export function createBotApis(options: {
  db: Database;
  keyring: Keyring;
  botApi: BotApiFactory;
}): BotApis {
  const { db, keyring, botApi } = options;
  const kept = new Map<string, { client: Promise<BotApi>; untilMs: number }>();

  async function open(connectorId: string): Promise<BotApi> {
    const [row] = await db.query<{ workspace_id: string; token_sealed: Buffer | null }>(
      "/* connectors.token */ SELECT workspace_id, token_sealed FROM connectors WHERE id = $1",
      [connectorId],
    );
    if (!row?.token_sealed) throw new ConnectorRemoved(`connector ${connectorId} was removed`);
    const token = keyring.open(row.token_sealed, tokenPlace(row.workspace_id, connectorId));
    return botApi(token.toString("utf8"));
  }

  return {
    forConnector: (connectorId) => {
      const found = kept.get(connectorId);
      if (found !== undefined && found.untilMs > performance.now()) return found.client;
      const client = open(connectorId);
      if (kept.size >= MAX_KEPT) kept.clear();
      kept.set(connectorId, { client, untilMs: performance.now() + KEPT_MS });
      client.catch(() => kept.delete(connectorId));
      return client;
    },
  };
}
