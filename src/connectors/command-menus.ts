import { type Database, type Logger, sha256 } from "../platform/index.ts";
import type { BotApis } from "./bot-apis.ts";
import { type CommandList, setCommandLists } from "./command-lists.ts";

/**
 * Bots that were connected by an earlier version offer what that one knew. Which lists Telegram has of a
 * bot stands beside it as a hash, so that a start asks Telegram only where they have changed, in either
 * way of getting updates.
 */
export const hashOfLists = (lists: readonly CommandList[]): Buffer => sha256(JSON.stringify(lists));

const OUTDATED = `/* connectors.outdated-commands */
SELECT id FROM connectors
WHERE status = 'active' AND commands_hash IS DISTINCT FROM $1 AND ($2::uuid IS NULL OR id > $2)
ORDER BY id LIMIT $3`;

const NOTE = `/* connectors.commands-set */
UPDATE connectors SET commands_hash = $2 WHERE id = $1 AND status = 'active'`;

/** Bots asked of at once: each is a few calls, and a Telegram that hangs must not hold all. */
const AT_ONCE = 8;

export interface CommandMenusOptions {
  db: Database;
  botApis: BotApis;
  commands: readonly CommandList[];
  log: Logger;
}

/**
 * Sets the command lists of bots that have others; answers of how many. What fails is left for a later
 * call. Two processes that do so at once say the same twice. `signal` ends it early.
 */
export function createCommandMenus({ db, botApis, commands, log }: CommandMenusOptions) {
  const hash = hashOfLists(commands);

  async function refresh(connectorId: string, signal?: AbortSignal): Promise<boolean> {
    try {
      const api = await botApis.forConnector(connectorId);
      const [warning] = await setCommandLists(api, commands, { signal });
      if (warning === undefined) await db.query(NOTE, [connectorId, hash]);
      else log.warn({ connectorId }, "commands could not be set");
      return warning === undefined;
    } catch (error) {
      log.warn({ err: error, connectorId }, "commands could not be set");
      return false;
    }
  }

  return async (signal?: AbortSignal): Promise<number> => {
    let done = 0;
    let afterId: string | null = null;
    while (!signal?.aborted) {
      const page: { id: string }[] = await db.query(OUTDATED, [hash, afterId, AT_ONCE]);
      const refreshed = await Promise.all(page.map(({ id }) => refresh(id, signal)));
      done += refreshed.filter(Boolean).length;
      afterId = page.at(-1)?.id ?? null;
      if (page.length < AT_ONCE) break;
    }
    return done;
  };
}
