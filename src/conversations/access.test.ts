import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { accessWorld } from "../../test/support/access-world.ts";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  CHANNEL,
  edited,
  GROUP,
  group,
  inGroup,
  membership,
  message,
  PERSON,
  pressed,
  privateChat,
  T0,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { listConversations } from "./conversation-list.ts";
import type { Scope } from "./effects.ts";

let world: World;
let access: ReturnType<typeof accessWorld>;
let scope: Scope;

beforeAll(async () => {
  world = await createWorld();
  access = accessWorld(world);
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  world.replies.length = 0;
});

const texts = () => world.texts(scope);
const count = (table: string) => world.count(table, scope);
const HOUR = 3_600_000;
const MEMBER = 21;
const from = (id: number) => ({ from: user(id), chat: privateChat(id) });
const said = () => world.replies.map(({ text }) => text);

describe("messages of who may not talk", () => {
  test("leave nothing, not even in the ledger; its writer is told politely", async () => {
    await access.set(scope, { level: "members" });
    const left = await access.ingestKept(scope, { message: message(1, "let me in") });
    expect(left).toEqual([]);
    for (const table of ["chats", "contacts", "conversations", "messages"]) {
      expect([table, await count(table)]).toEqual([table, 0]);
    }
    expect(world.replies).toMatchObject([{ kind: "message", chatId: `${PERSON}`, isAside: true }]);
    expect(said()[0]).toMatch(/^Thank you for writing\./);
  });

  test("are kept, marked, where the connector says so; one that may talk takes the mark off", async () => {
    await access.set(scope, { level: "members", saveDenied: true });
    const personId = await access.person(scope, { userId: MEMBER });
    expect(personId).not.toBe("");
    const left = await access.ingestKept(
      scope,
      { message: message(1, "hello") },
      { message: message(1, "mine", from(MEMBER)) },
    );
    expect(left).toHaveLength(2);
    const rows = await world.db.query(
      `SELECT m.text, m.denied, c.denied AS all_denied FROM messages m
       JOIN conversations c ON c.workspace_id = m.workspace_id AND c.id = m.conversation_id
       WHERE m.workspace_id = $1 ORDER BY m.text`,
      [scope.workspaceId],
    );
    expect(rows).toEqual([
      { text: "hello", denied: true, all_denied: true },
      { text: "mine", denied: false, all_denied: false },
    ]);
    const [shown] = (await world.messages(scope)).flat().filter(({ text }) => text === "hello");
    expect(shown).toMatchObject({ denied: true });
    await access.set(scope, { level: "everyone" });
    await world.ingest(scope, { message: message(2, "again") });
    const [conversation] = await world.db.query(
      "SELECT denied FROM conversations WHERE workspace_id = $1 AND chat_id = $2",
      [scope.workspaceId, PERSON],
    );
    expect(conversation).toEqual({ denied: false });
  });

  test.each([
    ["members", [1, 2, 3]],
    ["agents", [2]],
    ["named", [3]],
    ["everyone", [1, 2, 3, 4]],
  ] as const)("at the level %s: %j are heard", async (level, heard) => {
    await access.set(scope, { level });
    await access.person(scope, { userId: 1 });
    await access.person(scope, { userId: 2, agent: true });
    await access.person(scope, { userId: 3, named: true });
    await world.ingest(
      scope,
      ...[1, 2, 3, 4].map((id) => ({ message: message(1, `${id}`, from(id)) })),
    );
    expect((await texts()).flat().sort()).toEqual(heard.map(String));
  });

  test("of a person of another workspace, or named by another connector, are not heard", async () => {
    const neighbour = await world.newConnector(scope.workspaceId);
    const stranger = await world.newScope();
    await access.set(scope, { level: "named" });
    await access.person(neighbour, { userId: 1, named: true });
    await access.person(stranger, { userId: 2, named: true });
    await world.ingest(scope, ...[1, 2].map((id) => ({ message: message(1, "x", from(id)) })));
    expect(await texts()).toEqual([]);
  });

  test("count again from the next update on, when the level or the person changes", async () => {
    const say = (n: number) => world.ingest(scope, { message: message(n, `m${n}`, from(MEMBER)) });
    await say(1);
    await access.set(scope, { level: "members" });
    await say(2);
    const personId = await access.person(scope, { userId: MEMBER });
    await say(3);
    await world.db.query("DELETE FROM people WHERE id = $1", [personId]);
    await say(4);
    await access.set(scope, { level: "everyone" });
    await say(5);
    expect(await texts()).toEqual([["m1", "m3", "m5"]]);
  });
});

describe("the polite answer", () => {
  beforeEach(() => access.set(scope, { level: "members" }));

  test("is given once an hour a person, and again exactly then", async () => {
    const told: number[] = [];
    for (const [n, afterMs] of [0, 1, HOUR - 1, HOUR, 2 * HOUR - 1].entries()) {
      await access.ingestAfter(scope, afterMs, { message: message(n + 1, "please") });
      told.push(said().length);
    }
    expect(told).toEqual([1, 1, 1, 2, 2]);
    await world.ingest(scope, { message: message(9, "me too", from(44)) });
    expect(said()).toHaveLength(3);
  });

  test("once in a batch, and in each bot's own chat", async () => {
    const neighbour = await world.newConnector(scope.workspaceId);
    await access.set(neighbour, { level: "members" });
    await world.ingest(scope, { message: message(1, "a") }, { message: message(2, "b") });
    await world.ingest(neighbour, { message: message(1, "a") });
    expect(said()).toHaveLength(2);
  });

  test("is not given in groups, to bots, to edits, nor for what Telegram reports", async () => {
    await world.link(scope, GROUP);
    const bot = { from: user(5, { is_bot: true }), chat: privateChat(5) };
    await world.ingest(
      scope,
      { message: inGroup(1, "let me in") },
      { message: message(2, "beep", bot) },
      { edited_message: edited(message(3, "x"), "y", 60) },
      { message: message(4, "", { text: undefined, pinned_message: message(3, "x") }) },
      { business_message: message(5, "x", { business_connection_id: "bc" }) },
    );
    expect(world.replies).toEqual([]);
    expect(await count("messages")).toBe(0);
  });
});

describe("edits", () => {
  test("of a message that was dropped stay dropped, also once its writer may talk", async () => {
    await access.set(scope, { level: "members" });
    await world.ingest(scope, { message: message(5, "dropped") });
    await access.set(scope, { level: "everyone" });
    await world.ingest(
      scope,
      { edited_message: edited(message(5, "dropped"), "dropped!", 60) },
      { edited_message: edited(message(4, "even before"), "even before!", 60) },
      { edited_message: edited(message(6, "later"), "later!", 60) },
    );
    expect(await texts()).toEqual([["later!"]]);
  });

  test("of a message that opened a link are among them", async () => {
    await access.set(scope, { level: "members" });
    const token = await access.linkOf(scope, await access.person(scope));
    const opening = message(5, `/start ${token}`);
    await world.ingest(scope, { message: opening });
    expect(world.replies).toMatchObject([{ isAside: true }]);
    await access.set(scope, { level: "everyone" });
    await world.ingest(scope, { edited_message: edited(opening, "what is this?", 60) });
    expect(await texts()).toEqual([]);
  });

  test("of one that was stored are not taken from who may not talk any more", async () => {
    await world.ingest(scope, { message: message(1, "as it was") });
    await access.set(scope, { level: "members" });
    await world.ingest(scope, { edited_message: edited(message(1, "as it was"), "changed", 60) });
    expect(await texts()).toEqual([["as it was"]]);
  });
});

describe("what people do beside writing", () => {
  test("leaves nothing in the ledger either where it means nothing here (yet), or is malformed", async () => {
    await access.set(scope, { level: "members" });
    await access.person(scope, { userId: MEMBER });
    const query = (id: number) => ({
      id: "q",
      from: user(id),
      query: `typed by ${id}`,
      offset: "",
    });
    const connection = {
      id: "bc",
      user: user(),
      user_chat_id: PERSON,
      date: T0,
      is_enabled: true,
      rights: {},
    };
    const left = await access.ingestKept(
      scope,
      { inline_query: query(PERSON) },
      { inline_query: query(MEMBER) },
      { guest_message: message(1, "as a guest") },
      { of_next_year: { user: user(), text: "soon" } },
      { message: { ...message(2, "without a date"), date: undefined } },
      { business_connection: connection },
      { chat_boost: { chat: group(), boost: {} } },
    );
    expect(left).toEqual([
      JSON.stringify({ inline_query: query(MEMBER) }),
      JSON.stringify({ chat_boost: { chat: group(), boost: {} } }),
    ]);
    expect(await count("contacts")).toBe(0);
    expect(await count("business_connections")).toBe(1);
    await access.set(scope, { saveDenied: true });
    expect(await access.ingestKept(scope, { inline_query: query(PERSON) })).toHaveLength(1);
  });

  test("a press of a button is answered shortly, and does nothing", async () => {
    await access.set(scope, { level: "members", saveDenied: true });
    await world.ingest(scope, { callback_query: pressed("help") });
    expect(world.replies).toMatchObject([{ kind: "callback-answer" }]);
    expect(said()[0]?.length).toBeLessThanOrEqual(200);
    expect(await count("contacts")).toBe(0);
  });

  const reaction = (rest: Wire): Wire => ({
    message_reaction: {
      chat: group(),
      message_id: 1,
      date: T0 + 9,
      old_reaction: [],
      new_reaction: [{ type: "emoji", emoji: "👍" }],
      ...rest,
    },
  });

  test("reactions and votes count where their people may talk; a chat's own always", async () => {
    await world.link(scope, GROUP);
    await access.set(scope, { level: "members" });
    await access.person(scope, { userId: MEMBER });
    const vote = (id: number) => ({
      poll_answer: { poll_id: `p${id}`, user: user(id), option_ids: [0] },
    });
    await world.ingest(
      scope,
      reaction({ user: user() }),
      reaction({ user: user(MEMBER) }),
      reaction({ actor_chat: { id: GROUP, type: "group" } }),
      reaction({ actor_chat: { id: CHANNEL, type: "channel" } }),
      vote(PERSON),
      vote(MEMBER),
    );
    const actors = await world.db.query(
      "SELECT actor_id::text FROM message_reactions WHERE workspace_id = $1 ORDER BY 1",
      [scope.workspaceId],
    );
    expect(actors).toEqual([{ actor_id: String(GROUP) }, { actor_id: String(MEMBER) }]);
    expect(await count("poll_answers")).toBe(1);
    expect(await count("contacts")).toBe(1);
  });

  test("joins and the bot's own membership are nobody's talk", async () => {
    await world.link(scope, GROUP);
    await access.set(scope, { level: "members" });
    const left = await access.ingestKept(
      scope,
      { message: inGroup(1, "", { text: undefined, new_chat_members: [user(60)] }) },
      { my_chat_member: membership("member") },
    );
    expect(left).toHaveLength(2);
    expect(await count("messages")).toBe(1);
    expect(await count("members")).toBe(2);
  });
});

describe("in a linked group", () => {
  beforeEach(async () => {
    await world.link(scope, GROUP);
    await access.set(scope, { level: "members" });
    await access.person(scope, { userId: MEMBER });
  });
  const anonymous = (id: number) => user(1_087_968_824, { is_bot: true, id });

  test("each sender is judged; what the chat says itself is heard", async () => {
    await world.link(scope, CHANNEL);
    const channel = { id: CHANNEL, type: "channel", title: "News" };
    await world.ingest(
      scope,
      { message: inGroup(1, "stranger") },
      { message: inGroup(2, "member", { from: user(MEMBER) }) },
      { message: inGroup(3, "admin", { from: anonymous(1_087_968_824), sender_chat: group() }) },
      {
        message: inGroup(4, "the channel's post", {
          from: user(777_000),
          sender_chat: channel,
          is_automatic_forward: true,
        }),
      },
      {
        message: inGroup(5, "as a channel", { from: anonymous(136_817_688), sender_chat: channel }),
      },
      { message: inGroup(6, "member as a channel", { from: user(MEMBER), sender_chat: channel }) },
      {
        channel_post: message(7, "post", { chat: channel, from: undefined, sender_chat: channel }),
      },
    );
    const heard = ["admin", "member", "post", "the channel's post"];
    expect((await texts()).flat().sort()).toEqual(heard);
  });
});

describe("what Telegram reports in a linked group in somebody's words", () => {
  const inWords: Wire[] = [
    { checklist_tasks_added: { tasks: [{ id: 1, text: "words" }] } },
    { poll_option_added: { option_text: "words" } },
    { suggested_post_declined: { comment: "words" } },
    { gift: { text: "words" } },
    { web_app_data: { button_text: "b", data: "words" } },
  ];

  test.each(inWords)("%j is theirs: who may not talk leaves nothing by it", async (reported) => {
    await world.link(scope, GROUP);
    await access.set(scope, { level: "members" });
    await access.person(scope, { userId: MEMBER });
    const by = (n: number, id: number) => ({
      message: inGroup(n, "", { text: undefined, from: user(id), ...reported }),
    });
    expect(await access.ingestKept(scope, by(1, PERSON), by(2, MEMBER))).toHaveLength(1);
    expect(await count("messages")).toBe(1);
    expect(await count("contacts")).toBe(1);
  });
});

describe("what it costs", () => {
  async function statements(updates: Wire[]): Promise<number> {
    let n = 0;
    await world.db.transaction((tx) =>
      world.ingestIn(
        {
          ...tx,
          query: (sql, params) => {
            n++;
            return tx.query(sql, params);
          },
        },
        [world.lane(scope, updates)],
      ),
    );
    return n;
  }
  const batch = (n: number) => [
    { message: message(n, "hi") },
    { message: message(n, "hi", from(MEMBER)) },
    { callback_query: pressed("check") },
  ];

  test("nothing where everyone may talk; one statement a batch where not", async () => {
    await world.ingest(scope, ...batch(1));
    const open = await statements(batch(2));
    // Context, conversations, messages: what it was before there was access.
    expect(open).toBe(3);
    await access.set(scope, { level: "members" });
    await access.person(scope, { userId: MEMBER });
    await access.person(scope, { userId: PERSON });
    expect(await statements(batch(3))).toBe(open + 1);
  });
});

describe("a connector that is gone", () => {
  test("takes its refusals along, and a late update with them", async () => {
    await access.set(scope, { level: "members" });
    await world.ingest(scope, { message: message(1, "x") });
    expect(await count("access_refusals")).toBe(1);
    expect((await listConversations(world.db, scope)).data).toEqual([]);
    await world.db.query("DELETE FROM connectors WHERE id = $1", [scope.connectorId]);
    expect(await count("access_refusals")).toBe(0);
  });
});
