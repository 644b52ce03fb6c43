import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  GROUP,
  inGroup,
  message,
  PERSON,
  privateChat,
  SUPERGROUP,
  user,
} from "../../test/support/telegram-updates.ts";
import { setBroadcastsAllowed } from "./broadcast-consent.ts";
import { listChats } from "./chat-list.ts";
import { setChatTags } from "./chat-tags.ts";
import type { Scope } from "./effects.ts";
import { rekeyChat } from "./rekey-chat.ts";

let world: World;
let scope: Scope;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  world.replies.length = 0;
});

const refused = async () =>
  (
    await world.db.query<{ chat_id: string }>(
      "SELECT chat_id FROM broadcast_opt_outs WHERE workspace_id = $1 ORDER BY 1",
      [scope.workspaceId],
    )
  ).map(({ chat_id }) => chat_id);
const recorded = () =>
  world.db.query(
    `SELECT action, actor_kind, actor_id, subject_id FROM audit_entries
     WHERE workspace_id = $1 AND action LIKE 'chat.broadcasts%' ORDER BY id`,
    [scope.workspaceId],
  );
const told = () => world.replies.map((reply) => reply.text);

test("/stop in one's own chat refuses broadcasts, once; /start allows them again", async () => {
  await world.ingest(scope, { message: message(1, "/stop") });
  expect(await refused()).toEqual([String(PERSON)]);
  expect(told()).toEqual([expect.stringContaining("no more announcements")]);
  await world.ingest(scope, { message: message(1, "/stop") }, { message: message(2, "/stop") });
  expect(await refused()).toEqual([String(PERSON)]);
  await world.ingest(scope, { message: message(3, "/start") });
  expect(await refused()).toEqual([]);
  const person = { actor_kind: "telegram_user", actor_id: String(PERSON) };
  expect(await recorded()).toEqual([
    { action: "chat.broadcasts_refused", ...person, subject_id: String(PERSON) },
    { action: "chat.broadcasts_allowed", ...person, subject_id: String(PERSON) },
  ]);
});

test("the last word of a batch counts", async () => {
  const texts = ["/start", "/STOP@helio_bot please"];
  await world.ingest(scope, ...texts.map((text, n) => ({ message: message(n + 1, text) })));
  expect(await refused()).toEqual([String(PERSON)]);
});

test("nothing else does: a group's, another bot's, a bot's, a word, an edit", async () => {
  await world.link(scope, GROUP);
  const bot = { from: user(5, { is_bot: true }), chat: privateChat(5) };
  await world.ingest(
    scope,
    { message: inGroup(1, "/stop") },
    { message: message(1, "/stop@other_bot") },
    { message: message(2, "stop") },
    { message: message(3, "/stop", bot) },
    { edited_message: { ...message(2, "/stop"), edit_date: 1_767_225_700 } },
  );
  expect(await refused()).toEqual([]);
});

test("who may not talk may still refuse, whatever is kept of them", async () => {
  for (const saved of [true, false]) {
    await world.db.query(
      "UPDATE connectors SET access_level = 'named', save_denied = $2 WHERE workspace_id = $1",
      [scope.workspaceId, saved],
    );
    await world.ingest(scope, { message: message(saved ? 1 : 2, "/stop") });
    expect(await refused()).toEqual([String(PERSON)]);
    await world.ingest(scope, { message: message(saved ? 3 : 4, "/start") });
    expect(await refused()).toEqual([String(PERSON)]);
    await world.db.query("DELETE FROM broadcast_opt_outs");
  }
});

test("what is said of a group, by either id, holds for the supergroup it becomes", async () => {
  await world.link(scope, GROUP);
  const group = { ...scope, chatId: String(GROUP) };
  const change = (tags: string[], allowed: boolean) =>
    world.db.asTenant(scope.workspaceId).transaction(async (tx) => {
      await setBroadcastsAllowed(tx, { ...group, allowed });
      return setChatTags(tx, { ...group, tags });
    });
  expect(await change(["b", "a", "b"], false)).toBe(true);
  const chats = async () => (await listChats(world.db, scope)).data;
  expect(await chats()).toMatchObject([{ tags: ["a", "b"], broadcastsAllowed: false }]);
  await world.db.transaction((tx) =>
    rekeyChat(tx, { ...scope, from: String(GROUP), to: String(SUPERGROUP) }),
  );
  const moved = { chatId: String(SUPERGROUP), tags: ["a", "b"], broadcastsAllowed: false };
  expect(await chats()).toMatchObject([moved]);
  expect(await change(["c"], true)).toBe(true);
  expect(await chats()).toMatchObject([{ ...moved, tags: ["c"], broadcastsAllowed: true }]);
  const unknown = { ...scope, chatId: "99", tags: ["x"] };
  expect(await world.db.transaction((tx) => setChatTags(tx, unknown))).toBe(false);
});
