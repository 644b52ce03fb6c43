import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  GROUP,
  group,
  inGroup,
  message,
  PERSON,
  privateChat,
  SUPERGROUP,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { setChatLink } from "./chat-links.ts";
import { listConversations } from "./conversation-list.ts";
import type { Scope } from "./effects.ts";
import { listMessages } from "./message-list.ts";
import { recordOutgoing } from "./outgoing.ts";
import { rekeyChat } from "./rekey-chat.ts";

const BOT = { id: 77, is_bot: true, first_name: "Bot" };
const ACCEPTED_AT_MS = Date.UTC(2026, 0, 2);

let world: World;
let scope: Scope;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
});

/** What sendMessage answers. */
const sent = (messageId: number, text: string, chat: Wire = privateChat()): Wire =>
  message(messageId, text, { from: BOT, chat });

const record = (...messages: unknown[]) =>
  world.db.transaction((tx) =>
    recordOutgoing(
      tx,
      messages.map((one) => ({
        ...scope,
        message: one,
        jobId: "5",
        acceptedAtMs: ACCEPTED_AT_MS,
      })),
    ),
  );

async function shown() {
  const { data } = await listConversations(world.db, scope);
  const pages = data
    .reverse()
    .map(({ id }) =>
      listMessages(world.db, { workspaceId: scope.workspaceId, conversationId: id }),
    );
  return (await Promise.all(pages)).map((page) =>
    page?.data.map(({ direction, text }) => `${direction}: ${text}`),
  );
}

describe("a message that Telegram accepted", () => {
  test("joins the conversation it answers, in the order in which things happened", async () => {
    await world.ingest(scope, { message: message(1, "question") });
    expect(await record(sent(2, "answer"))).toBe(1);
    await world.ingest(scope, { message: message(3, "thanks") });
    expect(await shown()).toEqual([["in: question", "out: answer", "in: thanks"]]);
    const [conversation] = (await listConversations(world.db, scope)).data;
    const page = await listMessages(world.db, { ...scope, conversationId: conversation?.id ?? "" });
    expect(page?.data[1]).toEqual({
      id: expect.any(String),
      direction: "out",
      telegramMessageId: "2",
      kind: "text",
      contactId: null,
      text: "answer",
      sentAt: "2026-01-01T00:00:02.000Z",
      receivedAt: "2026-01-02T00:00:00.000Z",
    });
  });

  test("is recorded once, however often its outcome is", async () => {
    expect(await record(sent(2, "answer"), sent(2, "answer"))).toBe(1);
    expect(await record(sent(2, "answer"), sent(3, "more"))).toBe(1);
    expect(await shown()).toEqual([["out: answer", "out: more"]]);
  });

  test("begins a conversation where there is none, whose contact is known when they write", async () => {
    await record(sent(1, "welcome"));
    const before = await listConversations(world.db, scope);
    expect(before.data).toMatchObject([{ chatId: String(PERSON), contactId: null }]);
    await world.ingest(scope, { message: message(2, "hi") });
    const after = await listConversations(world.db, scope);
    expect(after.data).toMatchObject([{ contactId: expect.stringMatching(/^\d+$/) }]);
    expect(after.data[0]?.id).toBe(before.data[0]?.id);
  });

  test("does not change what is known of the chat", async () => {
    const named = { from: user(PERSON), chat: privateChat() };
    await world.ingest(scope, { message: message(1, "hi", named) });
    await record(sent(2, "x", { id: PERSON, type: "private", first_name: "Stale" }));
    const chats = await world.db.query("SELECT title FROM chats WHERE workspace_id = $1", [
      scope.workspaceId,
    ]);
    expect(chats).toEqual([{ title: `Person ${PERSON}` }]);
  });

  test("to a group that moved meanwhile is found in the conversation that goes on", async () => {
    await setChatLink(world.db, { ...scope, chatId: String(GROUP), linked: true });
    await world.ingest(scope, { message: inGroup(1, "question") });
    await world.db.transaction((tx) =>
      rekeyChat(tx, { ...scope, from: String(GROUP), to: String(SUPERGROUP) }),
    );
    await record(sent(2, "to the old id", group()), sent(2, "to the new id", group(SUPERGROUP)));
    expect(await shown()).toEqual([["in: question", "out: to the old id", "out: to the new id"]]);
  });

  test("is left out when the call answered something else", async () => {
    expect(await record(true, null, { message_id: 4 })).toBe(0);
    expect(await shown()).toEqual([]);
  });
});

describe("a group that outbound learns has become a supergroup", () => {
  test("joins what was begun under the new id to the older conversation", async () => {
    await setChatLink(world.db, { ...scope, chatId: String(GROUP), linked: true });
    await world.ingest(scope, { message: inGroup(1, "old") });
    await record(sent(1, "new", group(SUPERGROUP)));
    expect(await shown()).toEqual([["in: old"], ["out: new"]]);
    const [, older] = (await listConversations(world.db, scope)).data;
    for (let time = 0; time < 2; time++) {
      await world.db.transaction((tx) =>
        rekeyChat(tx, { ...scope, from: String(GROUP), to: String(SUPERGROUP) }),
      );
      expect(await shown()).toEqual([["in: old", "out: new"]]);
    }
    const { data } = await listConversations(world.db, scope);
    expect(data).toMatchObject([{ id: older?.id, chatId: String(SUPERGROUP) }]);
  });
});
