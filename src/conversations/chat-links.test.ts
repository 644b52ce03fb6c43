import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  GROUP,
  group,
  membership,
  message,
  PERSON,
  SUPERGROUP,
  T0,
} from "../../test/support/telegram-updates.ts";
import { linkedChats, markReachable, markUnreachable, setChatLink } from "./chat-links.ts";
import { listChats } from "./chat-list.ts";
import type { Scope } from "./effects.ts";
import { moveChatLink } from "./rekey-chat.ts";

let world: World;
let scope: Scope;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
});

const from = { chatId: String(GROUP) };
const to = { chatId: String(SUPERGROUP) };
const chat = (chatId: string) => ({ ...scope, chatId });
const move = (fromChatId: string, toChatId: string) =>
  world.db.transaction((tx) => moveChatLink(tx, { ...scope, fromChatId, toChatId }));
const linked = async () => {
  const found = await linkedChats(world.db, [chat(from.chatId), chat(to.chatId)]);
  return [...found].map((key) => key.split("/")[1]).sort();
};
const chats = async () => (await listChats(world.db, scope)).data;

describe("a link", () => {
  test("is made for a chat nobody has heard of, and ends", async () => {
    const view = await setChatLink(world.db, {
      ...scope,
      ...from,
      linked: true,
      purpose: "support",
    });
    expect(view).toMatchObject({ ...from, linked: true, purpose: "support", type: null });
    expect(await linked()).toEqual([from.chatId]);
    await setChatLink(world.db, { ...scope, ...from, linked: false });
    expect(await linked()).toEqual([]);
    expect(await chats()).toMatchObject([{ linked: false, purpose: "support" }]);
  });

  test("of one connector is none of another's, nor of another workspace's", async () => {
    await setChatLink(world.db, { ...scope, ...from, linked: true });
    const neighbour = await world.newConnector(scope.workspaceId);
    const stranger = await world.newScope();
    const asked = [scope, neighbour, stranger].map((of) => ({ ...of, ...from }));
    expect([...(await linkedChats(world.db, asked))]).toEqual([
      `${scope.connectorId}/${from.chatId}`,
    ]);
  });

  test("needs a connector of the same workspace", async () => {
    const stranger = await world.newScope();
    const forged = { workspaceId: scope.workspaceId, connectorId: stranger.connectorId };
    const work = setChatLink(world.db, { ...forged, ...from, linked: true });
    await expect(work).rejects.toMatchObject({ code: "23503" });
  });
});

describe("the link of a group that becomes a supergroup", () => {
  beforeEach(() =>
    setChatLink(world.db, { ...scope, ...from, linked: true, purpose: "compliance" }),
  );

  test("moves with its purpose; both ids count as linked, one is listed", async () => {
    expect(await move(from.chatId, to.chatId)).toBe(true);
    expect(await linked()).toEqual([to.chatId, from.chatId].sort());
    expect(await chats()).toMatchObject([{ ...to, linked: true, purpose: "compliance" }]);
  });

  test("does not come back with the second news after somebody ended it", async () => {
    await move(from.chatId, to.chatId);
    await setChatLink(world.db, { ...scope, ...to, linked: false });
    expect(await move(from.chatId, to.chatId)).toBe(true);
    expect(await linked()).toEqual([]);
  });

  test("is made at the new id when somebody names the old one", async () => {
    await move(from.chatId, to.chatId);
    await setChatLink(world.db, { ...scope, ...from, linked: false });
    expect(await chats()).toMatchObject([{ ...to, linked: false }]);
  });

  test("stays where a contradicting migration would take it", async () => {
    await move(from.chatId, to.chatId);
    expect(await move(to.chatId, from.chatId)).toBe(false);
    expect(await move(from.chatId, "-77")).toBe(false);
    expect(await move(to.chatId, to.chatId)).toBe(false);
    expect(await linked()).toEqual([to.chatId, from.chatId].sort());
  });

  test("moves once when both news arrive at the same moment", async () => {
    const both = await Promise.all([move(from.chatId, to.chatId), move(from.chatId, to.chatId)]);
    expect(both).toEqual([true, true]);
    expect(await chats()).toMatchObject([{ ...to, linked: true }]);
  });
});

describe("an unreachable chat", () => {
  const reachable = async () => (await chats()).map((one) => one.reachable);

  test("is so until the bot's own membership says otherwise, whatever the clocks say", async () => {
    await world.ingest(scope, { message: message(1, "hi") });
    await markUnreachable(world.db, [chat(String(PERSON)), chat(String(PERSON))]);
    expect(await reachable()).toEqual([false]);
    await world.ingest(scope, { message: message(2, "hi again") });
    expect(await reachable()).toEqual([false]);
    await world.ingest(scope, { my_chat_member: membership("member", { date: T0 - 3_600 }) });
    expect(await reachable()).toEqual([true]);
  });

  test("is so until a message arrives that was sent after the bot was put out", async () => {
    await world.ingest(scope, { message: message(1, "hi") });
    const there = chat(String(PERSON));
    await markUnreachable(world.db, [there]);
    await markReachable(world.db, [
      { ...there, atS: T0 },
      { ...there, atS: T0 + 5 },
    ]);
    expect(await reachable()).toEqual([true]);
    // What Telegram told before that is old news.
    await world.ingest(scope, { my_chat_member: membership("kicked", { date: T0 + 4 }) });
    expect(await reachable()).toEqual([true]);
    await world.ingest(scope, { my_chat_member: membership("kicked", { date: T0 + 60 }) });
    await markReachable(world.db, [{ ...there, atS: T0 + 60 }]);
    expect(await reachable()).toEqual([false]);
    await markReachable(world.db, [{ ...there, atS: T0 + 61 }]);
    expect(await reachable()).toEqual([true]);
  });

  test("may be one that no update has told of", async () => {
    await markUnreachable(world.db, [chat("-5")]);
    expect(await reachable()).toEqual([false]);
    const left = membership("left", { chat: group(-5), date: T0 });
    await world.ingest(scope, { my_chat_member: left });
    expect(await chats()).toMatchObject([{ reachable: false, title: "Audit", type: "group" }]);
  });
});
