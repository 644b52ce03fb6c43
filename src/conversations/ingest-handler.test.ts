import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  arriving,
  edited,
  GROUP,
  group,
  inGroup,
  leaving,
  membership,
  message,
  PERSON,
  pressed,
  privateChat,
  SUPERGROUP,
  T0,
  user,
} from "../../test/support/telegram-updates.ts";
import { Discard } from "../jobs/index.ts";
import { setChatLink } from "./chat-links.ts";
import { listConversations } from "./conversation-list.ts";
import type { Scope } from "./effects.ts";
import { listMessages } from "./message-list.ts";

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

const link = (chatId: number, of = scope) => world.link(of, chatId);
const texts = (of = scope) => world.texts(of);
const count = (table: string, of = scope) => world.count(table, of);

describe("a batch", () => {
  test("of 200 updates of 20 chats, shuffled between them, keeps the order of each chat", async () => {
    const people = Array.from({ length: 20 }, (_, n) => 2_000 + n);
    const lanes = people.map((id) =>
      world.lane(
        scope,
        Array.from({ length: 10 }, (_, n) => ({
          message: message(n + 1, `${id}: ${n}`, { from: user(id), chat: privateChat(id) }),
        })),
        `c${id}`,
      ),
    );
    await world.ingestLanes(lanes);
    const expected = people.map((id) => Array.from({ length: 10 }, (_, n) => `${id}: ${n}`));
    expect((await texts()).sort()).toEqual(expected);
    expect(await count("contacts")).toBe(20);
    expect(world.replies).toHaveLength(20);
  });

  test("takes as many statements for 200 updates as for 2", async () => {
    const statementsFor = async (people: number[]) => {
      let statements = 0;
      const lanes = people.map((id) =>
        world.lane(scope, [
          { message: message(50, "hi", { from: user(id), chat: privateChat(id) }) },
        ]),
      );
      await world.db.transaction((tx) =>
        world.ingestIn(
          {
            ...tx,
            query: (sql, params) => {
              statements++;
              return tx.query(sql, params);
            },
          },
          lanes,
        ),
      );
      return statements;
    };
    const few = await statementsFor([3_000, 3_001]);
    expect(await statementsFor(Array.from({ length: 200 }, (_, n) => 3_100 + n))).toBe(few);
    expect(few).toBeLessThanOrEqual(8);
  });

  test("numbers messages in the order of their effects", async () => {
    await world.ingest(scope, ...[5, 3, 9, 1].map((n) => ({ message: message(n, `m${n}`) })));
    expect(await texts()).toEqual([["m5", "m3", "m9", "m1"]]);
  });

  test("that is ingested again changes nothing and says nothing", async () => {
    await link(GROUP);
    const updates = [
      { message: message(1, "/start") },
      { message: message(2, "hello") },
      { edited_message: edited(message(2, "hello"), "hello!", 60) },
      { message: inGroup(1, "in the group") },
      { my_chat_member: membership("member") },
    ];
    await world.ingest(scope, ...updates);
    const tables = ["chats", "contacts", "conversations", "messages", "message_edits", "members"];
    const before = await Promise.all(tables.map((table) => count(table)));
    expect(world.replies).toHaveLength(2);
    await world.ingest(scope, ...updates);
    expect(await Promise.all(tables.map((table) => count(table)))).toEqual(before);
    expect(world.replies).toHaveLength(2);
  });
});

describe("what is stored of a message", () => {
  test("survives NUL and lone surrogates in every text", async () => {
    const bad = "a\0b\uD800";
    const wire = message(1, bad, {
      from: user(PERSON, { first_name: bad, username: bad }),
      entities: [{ type: "text_link", offset: 0, length: 1, url: bad }],
      document: { file_id: "F", file_unique_id: "U", file_name: bad },
      media_group_id: bad,
      business_connection_id: bad,
    });
    const json = JSON.stringify({ business_message: wire });
    expect(json).toContain("\\u0000");
    expect(json).toContain("\\ud800");
    await world.ingestLanes([world.lane(scope, [Buffer.from(json)])]);
    expect(await texts()).toEqual([["a\uFFFDb\uFFFD"]]);
    const [row] = await world.db.query<{ media: { name: string }; entities: unknown }>(
      "SELECT media, entities FROM messages WHERE workspace_id = $1",
      [scope.workspaceId],
    );
    expect(row).toMatchObject({
      media: { name: "a\uFFFDb\uFFFD" },
      entities: [{ url: "a\uFFFDb\uFFFD" }],
    });
  });

  test("is all that the list of messages promises", async () => {
    await link(GROUP);
    const reply = inGroup(8, "", {
      text: undefined,
      caption: "signed",
      document: { file_id: "F", file_unique_id: "U", file_name: "a.pdf", file_size: 10 },
      media_group_id: "77",
      reply_to_message: inGroup(7, "sign this"),
    });
    await world.ingest(scope, { message: reply });
    const [conversation] = (await listConversations(world.db, scope)).data;
    expect(conversation).toMatchObject({ chatId: String(GROUP), contactId: null, status: "open" });
    const conversationId = conversation?.id ?? "";
    const page = await listMessages(world.db, { workspaceId: scope.workspaceId, conversationId });
    expect(page?.data).toEqual([
      {
        id: expect.stringMatching(/^\d+$/),
        direction: "in",
        telegramMessageId: "8",
        kind: "document",
        contactId: expect.stringMatching(/^\d+$/),
        text: "signed",
        media: { kind: "document", fileId: "F", fileUniqueId: "U", name: "a.pdf", sizeBytes: 10 },
        mediaGroupId: "77",
        replyToMessageId: "7",
        sentAt: "2026-01-01T00:00:08.000Z",
        receivedAt: "2026-01-02T03:04:05.678Z",
      },
    ]);
  });

  test("goes to the topic's own conversation", async () => {
    await link(SUPERGROUP);
    const inTopic = (n: number, topic: number) =>
      message(n, `${topic}/${n}`, {
        chat: group(SUPERGROUP, { is_forum: true }),
        message_thread_id: topic,
        is_topic_message: true,
      });
    const general = message(3, "general", { chat: group(SUPERGROUP, { is_forum: true }) });
    await world.ingest(
      scope,
      { message: inTopic(1, 40) },
      { message: inTopic(2, 41) },
      { message: general },
      { message: inTopic(4, 40) },
    );
    expect((await texts()).sort()).toEqual([["40/1", "40/4"], ["41/2"], ["general"]]);
  });

  test("is kept apart by business connection, although numbers repeat", async () => {
    const through = (id?: string) => message(1, id ?? "own", { business_connection_id: id });
    await world.ingest(
      scope,
      { message: through() },
      { business_message: through("bc1") },
      { business_message: through("bc2") },
    );
    expect((await texts()).sort()).toEqual([["bc1"], ["bc2"], ["own"]]);
  });
});

describe("edits", () => {
  test("in separate batches, newest first: newest shown, the rest in the history", async () => {
    const original = message(1, "v0");
    await world.ingest(scope, { edited_message: edited(original, "v2", 20) });
    await world.ingest(scope, { message: original });
    await world.ingest(scope, { edited_message: edited(original, "v1", 10) });
    await world.ingest(scope, { edited_message: edited(original, "v1", 10) });
    expect(await texts()).toEqual([["v2"]]);
    const history = await world.db.query(
      "SELECT text, extract(epoch FROM version_at)::int AS at FROM message_edits WHERE workspace_id = $1 ORDER BY version_at",
      [scope.workspaceId],
    );
    expect(history).toEqual([
      { text: "v0", at: 0 },
      { text: "v1", at: 1_767_225_610 },
    ]);
    expect(world.replies).toEqual([]);
  });
});

describe("a group", () => {
  test("whose link ended meanwhile leaves nothing", async () => {
    await link(GROUP);
    await world.ingest(scope, { message: inGroup(1, "kept") });
    await setChatLink(world.db, { ...scope, chatId: String(GROUP), linked: false });
    await world.ingest(scope, { message: inGroup(2, "not kept", { from: user(4_242) }) });
    expect(await texts()).toEqual([["kept"]]);
    expect(await count("contacts")).toBe(1);
  });

  test("that nobody linked is known once the bot is in it, and nothing of it is stored", async () => {
    await world.ingest(
      scope,
      { my_chat_member: membership("member", { chat: group() }) },
      { message: inGroup(1, "secret") },
      { callback_query: pressed("help", { message: { message_id: 1, chat: group() } }) },
    );
    expect(await count("chats")).toBe(1);
    expect(await count("messages")).toBe(0);
    expect(await count("contacts")).toBe(0);
    expect(world.replies).toEqual([]);
  });

  const before = { message: inGroup(8, "before") };
  const after = { message: message(2, "after", { chat: group(SUPERGROUP) }) };
  const late = { message: inGroup(10, "late") };

  describe.each([
    ["old chat first", [leaving, arriving]],
    ["new chat first", [arriving, leaving]],
  ])("that became a supergroup, told %s", (_, [first, second]) => {
    test.each([
      ["in one batch", 1],
      ["one by one", 9],
    ])("goes on in one conversation, %s", async (_name, batches) => {
      await link(GROUP);
      const joined = inGroup(7, "", { text: undefined, new_chat_members: [user(60)] });
      const updates = [{ message: joined }, before, first ?? {}, after, second ?? {}, late];
      if (batches === 1) await world.ingest(scope, ...updates);
      else for (const update of updates) await world.ingest(scope, update);

      const shown = (await texts()).map((conversation) => conversation.filter((text) => text));
      expect(shown).toEqual([["before", "after", "late"]]);
      const { data } = await listConversations(world.db, { ...scope, chatId: String(GROUP) });
      expect(data).toMatchObject([{ chatId: String(SUPERGROUP) }]);
      const chats = await world.db.query(
        "SELECT chat_id, linked, migrated_to, migrated_from FROM chats WHERE workspace_id = $1 ORDER BY chat_id",
        [scope.workspaceId],
      );
      expect(chats).toEqual([
        { chat_id: `${SUPERGROUP}`, linked: true, migrated_to: null, migrated_from: `${GROUP}` },
        { chat_id: `${GROUP}`, linked: false, migrated_to: `${SUPERGROUP}`, migrated_from: null },
      ]);
      const members = await world.db.query(
        "SELECT chat_id, telegram_user_id FROM members WHERE workspace_id = $1",
        [scope.workspaceId],
      );
      expect(members).toEqual([{ chat_id: `${SUPERGROUP}`, telegram_user_id: "60" }]);
    });
  });

  test("that became a supergroup keeps what was told last of a member, under either id", async () => {
    await link(GROUP);
    const told = (chatId: number, status: string, afterS: number) => ({
      chat_member: membership(status, {
        chat: group(chatId),
        date: T0 + afterS,
        new_chat_member: { user: user(60), status },
      }),
    });
    await world.ingest(scope, told(GROUP, "administrator", 50));
    await world.ingest(scope, arriving, told(SUPERGROUP, "left", 10));
    const members = await world.db.query(
      "SELECT chat_id, status FROM members WHERE workspace_id = $1",
      [scope.workspaceId],
    );
    expect(members).toEqual([{ chat_id: String(SUPERGROUP), status: "administrator" }]);
  });

  test("that became a supergroup keeps apart messages whose numbers repeat", async () => {
    await link(GROUP);
    await world.ingest(scope, { message: inGroup(5, "five of the group") }, arriving, {
      message: message(5, "five of the supergroup", { chat: group(SUPERGROUP) }),
    });
    const shown = (await texts()).map((conversation) => conversation.filter((text) => text));
    expect(shown).toEqual([["five of the group", "five of the supergroup"]]);
  });
});

describe("tenants", () => {
  test("with the same people and chats never touch each other's rows", async () => {
    const other = await world.newScope();
    await link(GROUP);
    const rename = (name: string) => ({ from: user(PERSON, { first_name: name }) });
    await world.ingest(scope, { message: message(1, "to A", rename("Anna of A")) });
    await world.ingest(other, { message: message(1, "to B", rename("Anna of B")) });
    await world.ingestLanes([
      world.lane(scope, [{ message: inGroup(1, "group of A") }]),
      world.lane(other, [
        { message: inGroup(1, "group of B") },
        { message: message(2, "B again") },
      ]),
    ]);
    await world.ingest(other, { edited_message: edited(message(1, "x"), "edited at B", 60) });
    await world.ingest(other, {
      message: inGroup(9, "", { text: undefined, migrate_to_chat_id: SUPERGROUP }),
    });

    expect((await texts(scope)).sort()).toEqual([["group of A"], ["to A"]]);
    expect(await texts(other)).toEqual([["edited at B", "B again"]]);
    const [contact] = await world.db.query(
      "SELECT first_name FROM contacts WHERE workspace_id = $1",
      [scope.workspaceId],
    );
    expect(contact).toEqual({ first_name: `Person ${PERSON}` });
  });

  test("cannot be reached by a job that names another workspace's connector", async () => {
    const other = await world.newScope();
    const forged = { workspaceId: scope.workspaceId, connectorId: other.connectorId };
    const work = world.ingest(forged, { message: message(1, "hi") });
    await expect(work).rejects.toBeInstanceOf(Discard);
    expect(await count("messages", other)).toBe(0);
  });
});

describe("a job that can never succeed", () => {
  test.each([
    ["carries no JSON", Buffer.from("{not json")],
    ["carries nothing", Buffer.from("")],
  ])("because it %s is discarded, without quoting it", async (_, body) => {
    const work = world.ingestLanes([world.lane(scope, [body])]);
    await expect(work).rejects.toBeInstanceOf(Discard);
    await expect(work).rejects.not.toThrow(/not json/);
  });

  test("because its connector was removed is discarded", async () => {
    await world.db.query("DELETE FROM connectors WHERE id = $1", [scope.connectorId]);
    await expect(world.ingest(scope, { message: message(1, "x") })).rejects.toBeInstanceOf(Discard);
  });

  test("does not exist among unknown kinds and shapes: they are acknowledged", async () => {
    await world.ingest(scope, { update_id: 1, subscription: { x: 1 } }, { message: 7 }, {});
    expect(await count("messages")).toBe(0);
  });
});
