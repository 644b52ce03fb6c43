import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { NO_DOWNLOADS } from "../../test/support/no-downloads.ts";
import { silentLogger } from "../platform/index.ts";
import { BotApiError } from "../telegram/index.ts";
import type { BotApis } from "./bot-apis.ts";
import type { CommandList } from "./command-lists.ts";
import { createCommandMenus } from "./command-menus.ts";

let database: TestDatabase;
/** Params of each setMyCommands, in order. */
let calls: unknown[];
let isRefused: boolean;

const botApis: BotApis = {
  forConnector: async () => ({
    ...NO_DOWNLOADS,
    call: async (method, params) => {
      if (isRefused) {
        const description = "Too Many Requests";
        throw new BotApiError({
          kind: "rate-limited",
          method,
          status: 429,
          description,
          sent: "no",
        });
      }
      expect(method).toBe("setMyCommands");
      calls.push(params);
      return true as never;
    },
  }),
  refusedToken: () => undefined,
};

const LISTS: CommandList[] = [
  { commands: [{ command: "risk", description: "Risks" }] },
  {
    scope: { type: "all_group_chats" },
    languageCode: "de",
    commands: [{ command: "risk", description: "Risiken" }],
  },
];
const refresh = (commands: CommandList[]) =>
  createCommandMenus({ db: database.db, botApis, commands, log: silentLogger })();

beforeAll(async () => {
  database = await createTestDatabase();
  const workspaceId = randomUUID();
  await database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'W')", [workspaceId]);
  for (const [n, status] of ["active", "active", "disabled"].entries()) {
    await database.db.query(
      `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
         can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
       VALUES ($1, $2::uuid, 'Desk', $3, $4, 'a_bot', true, '\\x00', $2::uuid::text, sha256('\\x00'))`,
      [workspaceId, randomUUID(), status, n + 1],
    );
  }
});
afterAll(() => database.drop());
beforeEach(() => {
  calls = [];
  isRefused = false;
});

test("lists are set by scope and language, once; others again; what failed at the next call", async () => {
  isRefused = true;
  expect(await refresh(LISTS)).toBe(0);
  isRefused = false;
  expect(await refresh(LISTS)).toBe(2);
  expect(calls).toHaveLength(4);
  expect(calls).toContainEqual({ commands: LISTS[0]?.commands });
  expect(calls).toContainEqual({
    commands: LISTS[1]?.commands,
    scope: { type: "all_group_chats" },
    language_code: "de",
  });
  expect(await refresh(LISTS)).toBe(0);
  expect(await refresh(LISTS.slice(0, 1))).toBe(2);
  expect(calls).toHaveLength(6);
});
