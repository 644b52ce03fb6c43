import { randomBytes } from "node:crypto";
import { expect } from "@jest/globals";
import type { BotAccount } from "../../sandbox/index.ts";
import { Problem } from "../../src/platform/index.ts";
import type { TestSystem } from "./system.ts";

/** Nothing waits to be sent in tests of connectors. */
export const NO_SENDS = { resume: async () => 0, cancel: async () => 0 };

/** What tests of connectors do with a system: bots at its sandbox, and their connectors. */
export function connectingBots(world: () => TestSystem) {
  return {
    newBot: (canReadAllGroupMessages = true): BotAccount => {
      const username = `b${randomBytes(5).toString("hex")}_bot`;
      return world().sandbox.createBot({ name: "Desk", username, canReadAllGroupMessages });
    },
    connect: (bot: BotAccount, workspaceId = world().workspaceId) =>
      world().system.connectors.connect(workspaceId, { name: "Desk", botToken: bot.token }),
    /** Connectors that a bot has or had, the oldest first. */
    rowsOf: (bot: BotAccount) =>
      world().system.db.query<{ id: string; status: string; workspace_id: string }>(
        "SELECT id, status, workspace_id FROM connectors WHERE bot_id = $1 ORDER BY created_at",
        [bot.id],
      ),
  };
}

/** The problem that a call ends in. */
export async function problem(call: Promise<unknown>): Promise<Problem> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
}
