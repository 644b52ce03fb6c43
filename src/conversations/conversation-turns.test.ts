import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { sent, supportDesk, time } from "../../test/support/support-desk.ts";
import {
  GROUP,
  group,
  inGroup,
  message,
  PERSON,
  privateChat,
  SUPERGROUP,
  T0,
  user,
} from "../../test/support/telegram-updates.ts";
import { listConversations } from "./conversation-list.ts";
import type { Scope } from "./effects.ts";
import { rekeyChat } from "./rekey-chat.ts";

let world: World;
let scope: Scope;
let desk: ReturnType<typeof supportDesk>;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  desk = supportDesk(world, scope);
});

describe("a question and its answer", () => {
  test("open, waiting, open again, closed, and each change has its event", async () => {
    await world.ingest(scope, { message: message(10, "question") });
    expect(await desk.conversation()).toMatchObject({
      status: "open",
      waitingSince: time(10),
      openedAt: time(10),
      version: 1,
    });
    await desk.record(sent(70));
    expect(await desk.conversation()).toMatchObject({ status: "waiting", firstResponseMs: 60_000 });
    await world.ingest(scope, { message: message(80, "but") });
    await desk.change({ status: "closed" }, undefined, (T0 + 100) * 1_000);
    expect(await desk.conversation()).toMatchObject({
      status: "closed",
      resolutionMs: 90_000,
      version: 4,
    });
    const { contactId } = await desk.conversation();
    expect(await desk.told()).toEqual([
      "status: open → waiting (team)",
      `firstResponse: null → ${time(70)} (team)`,
      "status: waiting → open (customer)",
      "status: open → closed (api_key)",
    ]);
    const [, response, asked, close] = await desk.events();
    expect(response).toMatchObject({ elapsedMs: 60_000 });
    expect(asked).toMatchObject({ by: { kind: "customer", id: contactId } });
    expect(close).toMatchObject({ elapsedMs: 90_000, by: { kind: "api_key", id: "the-key" } });
  });

  test("what the bot says by itself answers nothing", async () => {
    await world.ingest(scope, { message: message(10, "question") });
    await desk.record(sent(11), true);
    const open = await desk.conversation();
    expect(open).toMatchObject({ status: "open", lastMessageAt: time(11) });
    expect(open).not.toHaveProperty("firstResponseMs");
    await world.ingest(scope, { message: message(12, "/help") });
    expect(await desk.events()).toEqual([]);
  });

  test("one who only pressed Start waits for nobody", async () => {
    await world.ingest(scope, { message: message(1, "/start") });
    await desk.record(sent(2), true);
    const idle = await desk.conversation();
    expect(idle).toMatchObject({ status: "waiting", reopens: 0 });
    expect(idle).not.toHaveProperty("openedAt");
    await world.ingest(scope, { message: message(3, "hello?") });
    expect(await desk.conversation()).toMatchObject({
      status: "open",
      openedAt: time(3),
      reopens: 0,
    });
  });

  test("outcomes told late or twice, and updates delivered again, turn nothing back", async () => {
    const question = { message: message(10, "question") };
    await world.ingest(scope, question);
    await world.ingest(scope, { message: message(30, "still there?") });
    await desk.record(sent(20));
    expect(await desk.conversation()).toMatchObject({ status: "open" });
    await desk.record(sent(40));
    await desk.change({ status: "open" });
    await desk.record(sent(40));
    expect(await desk.conversation()).toMatchObject({ status: "open" });
    await desk.change({ status: "closed" });
    await world.ingest(scope, question, {
      edited_message: { ...question.message, text: "x", edit_date: T0 + 99 },
    });
    expect(await desk.conversation()).toMatchObject({ status: "closed", reopens: 0 });
  });

  test("the first answer is committed while the customer's next word comes in: either order, the word counts", async () => {
    await world.ingest(scope, { message: message(10, "question") });
    await Promise.all([
      desk.record(sent(20)),
      world.ingest(scope, { message: message(30, "and another thing") }),
    ]);
    expect(await desk.conversation()).toMatchObject({ status: "open" });
  });

  test("a customer who writes again begins an opening with clocks of its own", async () => {
    await world.ingest(scope, { message: message(10, "question") });
    await desk.record(sent(20));
    await desk.change({ status: "closed", assignee: "ada" });
    await world.ingest(scope, { message: message(500, "it broke again") });
    const again = await desk.conversation();
    expect(again).toMatchObject({
      status: "open",
      openedAt: time(500),
      reopens: 1,
      assignee: "ada",
    });
    expect(again).not.toHaveProperty("firstResponseMs");
    expect(again).not.toHaveProperty("resolvedAt");
    await desk.record(sent(530));
    expect(await desk.conversation()).toMatchObject({ firstResponseMs: 30_000 });
  });

  test("a business account's own words are an answer; both sides within one batch take turns", async () => {
    const said = (id: number, from: number) => ({
      business_message: message(id, "x", {
        business_connection_id: "bc",
        from: user(from),
        chat: privateChat(PERSON),
      }),
    });
    await world.ingest(
      scope,
      said(10, PERSON),
      said(20, 5),
      said(30, PERSON),
      said(40, 5),
      said(50, PERSON),
    );
    expect(await desk.conversation()).toMatchObject({
      status: "open",
      waitingSince: time(50),
      openedAt: time(10),
      firstResponseMs: 10_000,
    });
    expect((await desk.told()).filter((line) => line.startsWith("status"))).toEqual([
      "status: open → waiting (team)",
      "status: waiting → open (customer)",
      "status: open → waiting (team)",
      "status: waiting → open (customer)",
    ]);
  });

  test("a message to somebody who never wrote begins a conversation that waits", async () => {
    await desk.record(sent(5));
    expect(await desk.conversation()).toMatchObject({ status: "waiting" });
  });
});

describe("a group that becomes a supergroup", () => {
  const move = () =>
    world.db.transaction((tx) =>
      rekeyChat(tx, { ...scope, from: String(GROUP), to: String(SUPERGROUP) }),
    );

  test("what was begun under the new id opens the conversation that goes on, events and all", async () => {
    await world.link(scope, GROUP);
    await world.link(scope, SUPERGROUP);
    await world.ingest(scope, { message: inGroup(10, "old") });
    const { id } = await desk.conversation();
    await desk.change({ status: "closed" }, undefined, (T0 + 20) * 1_000);
    await world.ingest(scope, {
      message: inGroup(3, "new", { chat: group(SUPERGROUP), date: T0 + 50 }),
    });
    await desk.change({ assignee: "ada" });
    await move();
    expect(await desk.conversation()).toMatchObject({
      id,
      chatId: String(SUPERGROUP),
      status: "open",
      openedAt: time(50),
      reopens: 1,
      assignee: "ada",
    });
    expect(await desk.told()).toEqual([
      "status: open → closed (api_key)",
      "assignee: null → ada (api_key)",
      "status: closed → open (system)",
      "assignee: null → ada (system)",
    ]);
    await desk.record(sent(4, { chat: group(SUPERGROUP), date: T0 + 60 }));
    expect(await desk.conversation()).toMatchObject({ status: "waiting", firstResponseMs: 10_000 });
  });

  test("counts anew: an answer there lies behind what was said in the group, within one second too", async () => {
    await world.link(scope, GROUP);
    await world.ingest(scope, { message: inGroup(10, "old") });
    await move();
    await desk.record(sent(2, { chat: group(SUPERGROUP), date: T0 + 10 }));
    expect(await desk.conversation()).toMatchObject({ status: "waiting" });
    // A message of the old group that is stored after the move, and its answer in the new one.
    await world.ingest(scope, { message: inGroup(12, "late") });
    expect(await desk.conversation()).toMatchObject({ status: "open" });
    await desk.record(sent(3, { chat: group(SUPERGROUP), date: T0 + 12 }));
    expect(await desk.conversation()).toMatchObject({ status: "waiting" });
  });
});

describe("who is not a customer", () => {
  test("an agent of the workspace, in a customer's group: their word is an answer", async () => {
    await world.link(scope, GROUP);
    await world.db.query(
      `INSERT INTO people (workspace_id, id, name, agent_enabled, telegram_user_id, bound_at)
       VALUES ($1, gen_random_uuid(), 'Grace', true, 55, now())`,
      [scope.workspaceId],
    );
    await world.ingest(scope, { message: inGroup(10, "it is broken") });
    expect(await desk.conversation()).toMatchObject({ status: "open" });
    await world.ingest(scope, { message: inGroup(20, "let me look", { from: user(55) }) });
    expect(await desk.conversation()).toMatchObject({ status: "waiting", firstResponseMs: 10_000 });
  });

  test("one who may not talk to the bot: what is kept of them waits for nobody", async () => {
    await world.db.query(
      "UPDATE connectors SET access_level = 'members', save_denied = true WHERE id = $1",
      [scope.connectorId],
    );
    await world.ingest(scope, { message: message(10, "let me in") });
    expect(await world.count("messages", scope)).toBe(1);
    expect(await world.count("conversation_events", scope)).toBe(0);
    const open = await listConversations(world.db, { ...scope, status: "open" });
    expect(open.data).toEqual([]);
  });
});

test("a message that changes nothing of the queue touches none of its indexes", async () => {
  await world.ingest(scope, { message: message(10, "question") });
  const updates = await world.db.transaction(async (tx) => {
    const soFar = async () => {
      const [row] = await tx.query<{ all: number; hot: number }>(
        `SELECT pg_stat_get_xact_tuples_updated('conversations'::regclass)::int AS all,
           pg_stat_get_xact_tuples_hot_updated('conversations'::regclass)::int AS hot`,
      );
      return row ?? { all: 0, hot: 0 };
    };
    const before = await soFar();
    await world.ingestIn(tx, [world.lane(scope, [{ message: message(11, "more") }])]);
    const after = await soFar();
    return { all: after.all - before.all, hot: after.hot - before.hot };
  });
  expect(updates).toEqual({ all: 1, hot: 1 });
});
