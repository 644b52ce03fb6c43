import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { fc } from "../../test/support/property.ts";
import { message, privateChat, user } from "../../test/support/telegram-updates.ts";
import { listChats } from "./chat-list.ts";
import { listConversations } from "./conversation-list.ts";
import type { Scope } from "./effects.ts";
import { listMessages } from "./message-list.ts";
import { InvalidCursor, isBigint, keyAfter, type Page, pageOf } from "./paging.ts";

let world: World;
let scope: Scope;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
});

/** Follows the cursors to the end. */
async function all<Item>(list: (cursor: string | null) => Promise<Page<Item> | null>) {
  const pages: Item[][] = [];
  let cursor: string | null = null;
  do {
    const page: Page<Item> | null = await list(cursor);
    if (page === null) return null;
    pages.push(page.data);
    cursor = page.nextCursor;
  } while (cursor !== null && pages.length < 50);
  return pages;
}

const from = (id: number) => ({ from: user(id), chat: privateChat(id) });

describe("lists", () => {
  test("page through everything, each once", async () => {
    const people = [1, 2, 3, 4, 5];
    await world.ingest(scope, ...people.map((id) => ({ message: message(1, "x", from(id)) })));
    await world.ingest(scope, ...[2, 3, 4].map((n) => ({ message: message(n, `m${n}`, from(1)) })));

    const conversations = await all((cursor) =>
      listConversations(world.db, { ...scope, limit: 2, cursor }),
    );
    expect(conversations?.map((page) => page.map(({ chatId }) => chatId))).toEqual([
      ["5", "4"],
      ["3", "2"],
      ["1"],
    ]);
    const conversationId = conversations?.[2]?.[0]?.id ?? "";
    const messages = await all((cursor) =>
      listMessages(world.db, { ...scope, conversationId, limit: 2, cursor }),
    );
    expect(messages?.map((page) => page.map(({ text }) => text))).toEqual([
      ["x", "m2"],
      ["m3", "m4"],
    ]);
    const chats = await all((cursor) => listChats(world.db, { ...scope, limit: 4, cursor }));
    expect(chats?.map((page) => page.length)).toEqual([4, 1]);
    expect(chats?.[0]?.[0]).toEqual({
      chatId: "1",
      type: "private",
      title: "Person 1",
      username: null,
      isForum: false,
      linked: false,
      purpose: null,
      reachable: true,
      tags: [],
      broadcastsAllowed: true,
    });
  });

  test("of conversations can be narrowed to a connector and a chat", async () => {
    const { workspaceId } = scope;
    const second = await world.newConnector(workspaceId);
    await world.ingest(scope, { message: message(1, "x", from(1)) });
    await world.ingest(second, { message: message(1, "x", from(1)) });
    await world.ingest(second, { message: message(1, "x", from(2)) });
    const found = async (filter: { connectorId?: string; chatId?: string }) =>
      (await listConversations(world.db, { workspaceId, ...filter })).data.length;
    expect(await found({})).toBe(3);
    expect(await found({ connectorId: second.connectorId })).toBe(2);
    expect(await found({ chatId: "1" })).toBe(2);
    expect(await found({ connectorId: second.connectorId, chatId: "1" })).toBe(1);
    for (const nonsense of [{ connectorId: "x" }, { chatId: "x" }, { chatId: "9".repeat(30) }]) {
      expect(await found(nonsense)).toBe(0);
    }
  });

  test("show nothing of another workspace", async () => {
    await world.ingest(scope, { message: message(1, "x") });
    const [conversation] = (await listConversations(world.db, scope)).data;
    const stranger = await world.newScope();
    const { workspaceId } = stranger;
    expect((await listConversations(world.db, { workspaceId })).data).toEqual([]);
    const conversationId = conversation?.id ?? "";
    expect(await listMessages(world.db, { workspaceId, conversationId })).toBeNull();
    expect((await listChats(world.db, { ...scope, workspaceId })).data).toEqual([]);
  });

  test("of messages are null for a conversation that does not exist or has no such id", async () => {
    for (const conversationId of ["1", "x", "", "99999999999999999999", "-9223372036854775808"]) {
      expect(await listMessages(world.db, { ...scope, conversationId })).toBeNull();
    }
  });
});

describe("a cursor", () => {
  test("that the list did not give is refused, whatever it is", async () => {
    const page = pageOf("chats", ["1", "2"], 1, String, String);
    const chatsCursor = page.nextCursor ?? "";
    expect(keyAfter("chats", { cursor: chatsCursor })).toBe("1");
    expect(() => keyAfter("messages", { cursor: chatsCursor })).toThrow(InvalidCursor);
    for (const cursor of [`${chatsCursor}=`, `${chatsCursor}A`, "chats|1", "!"]) {
      expect(() => keyAfter("chats", { cursor })).toThrow(InvalidCursor);
    }
    const work = listConversations(world.db, { ...scope, cursor: chatsCursor });
    await expect(work).rejects.toBeInstanceOf(InvalidCursor);
  });

  test("random ones are refused or hold what Postgres can take", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (cursor) => {
        try {
          const key = keyAfter("chats", { cursor });
          expect(key === null || isBigint(key)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidCursor);
        }
      }),
    );
  });

  test("comes back as the key it was made of, for every bigint", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const { nextCursor } = pageOf("chats", [String(value), "x"], 1, String, String);
        expect(keyAfter("chats", { cursor: nextCursor })).toBe(String(value));
      }),
    );
    expect(isBigint(String(2n ** 63n))).toBe(false);
  });
});
