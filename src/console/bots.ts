import { type DirectoryEntry, listDirectory } from "../connectors/index.ts";
import { type SendFigures, sendFigures } from "../outbound/index.ts";
import type { Database } from "../platform/index.ts";

export type BotView = DirectoryEntry & { sending: SendFigures | null };

/** As many as a page shows; who has more looks one up by the API. */
const BOTS_SHOWN = 200;

/** The bots of the installation with their pace and holds; `more`: there are others. */
export async function loadBots(db: Database): Promise<{ bots: BotView[]; more: boolean }> {
  const entries = await listDirectory(db, BOTS_SHOWN + 1);
  const shown = entries.slice(0, BOTS_SHOWN);
  const figures = await sendFigures(
    db,
    shown.map((entry) => entry.id),
  );
  const bots = shown.map((entry) => ({ ...entry, sending: figures.get(entry.id) ?? null }));
  return { bots, more: entries.length > BOTS_SHOWN };
}
