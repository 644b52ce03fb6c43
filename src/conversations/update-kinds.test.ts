import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
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
  privateChat,
  SUPERGROUP,
  T0,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { listConversations } from "./conversation-list.ts";
import type { Scope } from "./effects.ts";

/** What each kind of update comes to in the tables and in what the API shows. */

let world: World;
let scope: Scope;
beforeAll(async () => {
  world = await createWorld();
});
beforeEach(async () => {
  scope = await world.newScope();
});
afterAll(() => world.drop());

const take = (...updates: Wire[]) => world.ingest(scope, ...updates);

const messages = async () => (await world.messages(scope)).flat();

const heart = { type: "emoji", emoji: "❤" };
const star = { type: "custom_emoji", custom_emoji_id: "77" };

/** A reaction to message 1, `afterS` seconds after T0. */
const reacted = (who: number, to: Wire[], afterS: number, rest: Wire = {}) => ({
  message_reaction: {
    chat: group(),
    message_id: 1,
    user: user(who),
    date: T0 + afterS,
    old_reaction: [],
    new_reaction: to,
    ...rest,
  },
});

describe("reactions", () => {
  beforeEach(async () => {
    await world.link(scope, GROUP);
    await take({ message: inGroup(1, "hello") });
  });
  const reactions = async () => (await messages()).map((one) => one.reactions);

  test("are shown with the message, how many of each kind, the most frequent first", async () => {
    await take(reacted(1, [heart], 1), reacted(2, [star, heart], 2), reacted(3, [], 3));
    expect(await reactions()).toEqual([
      [
        { type: "emoji", emoji: "❤", count: 2 },
        { type: "custom_emoji", customEmojiId: "77", count: 1 },
      ],
    ]);
  });

  test("of one person are what they said last, by Telegram's time, however they arrive", async () => {
    await take(reacted(1, [star], 2), reacted(1, [heart], 1));
    await take(reacted(1, [heart], 1));
    expect(await reactions()).toEqual([[{ type: "custom_emoji", customEmojiId: "77", count: 1 }]]);
    await take(reacted(1, [], 3));
    expect(await reactions()).toEqual([undefined]);
  });

  test("of a chat, of nobody by name, and of a kind that does not exist yet", async () => {
    await take(
      reacted(0, [{ type: "paid" }, { type: "hologram" }], 1, {
        user: undefined,
        actor_chat: { id: CHANNEL, type: "channel", title: "News" },
      }),
      {
        message_reaction_count: {
          chat: group(),
          message_id: 1,
          date: T0 + 2,
          reactions: [{ type: heart, total_count: 5 }],
        },
      },
    );
    expect(await reactions()).toEqual([
      [
        { type: "emoji", emoji: "❤", count: 5 },
        { type: "paid", count: 1 },
      ],
    ]);
  });

  test("that overtook their message are there when it comes", async () => {
    await take(reacted(1, [heart], 1, { message_id: 2 }));
    await take({ message: inGroup(2, "late") });
    expect(await reactions()).toEqual([undefined, [{ type: "emoji", emoji: "❤", count: 1 }]]);
  });

  test("in a group that is not linked any more leave nothing", async () => {
    await world.db.query("UPDATE chats SET linked = false WHERE workspace_id = $1", [
      scope.workspaceId,
    ]);
    await take(reacted(9, [heart], 1));
    expect(await world.count("message_reactions", scope)).toBe(0);
    expect(await world.count("contacts", scope)).toBe(1);
  });
});

describe("a business account", () => {
  const connection = (enabled: boolean, rest: Wire = {}) => ({
    business_connection: {
      id: "bc",
      user: user(500),
      user_chat_id: 500,
      date: T0,
      is_enabled: enabled,
      rights: { can_reply: true },
      ...rest,
    },
  });
  const said = (id: number, text: string, from = PERSON) =>
    message(id, text, {
      business_connection_id: "bc",
      chat: privateChat(),
      from: user(from),
    });
  const deleted = (...ids: number[]) => ({
    deleted_business_messages: {
      business_connection_id: "bc",
      chat: privateChat(),
      message_ids: ids,
    },
  });

  test("is kept with what it allows, as last told", async () => {
    await take(connection(true), connection(false));
    const rows = await world.db.query(
      `SELECT id, telegram_user_id, enabled, can_reply FROM business_connections
       WHERE workspace_id = $1`,
      [scope.workspaceId],
    );
    expect(rows).toEqual([{ id: "bc", telegram_user_id: "500", enabled: false, can_reply: true }]);
  });

  test("has a conversation of its own with each customer; its own words go out", async () => {
    await take({ message: message(1, "to the bot") });
    await take(
      { business_message: said(1, "to the shop") },
      { business_message: said(2, "from the shop", 500) },
    );
    const { data } = await listConversations(world.db, scope);
    expect(data.map((one) => one.businessConnectionId)).toEqual(["bc", undefined]);
    expect((await messages()).map(({ text, direction }) => [text, direction])).toEqual([
      ["to the bot", "in"],
      ["to the shop", "in"],
      ["from the shop", "out"],
    ]);
    expect(
      world.replies.filter(({ workspaceId }) => workspaceId === scope.workspaceId),
    ).toHaveLength(1);
  });

  test("deletes messages: they are marked, and what they said stays", async () => {
    await take({ message: message(1, "to the bot") }, { business_message: said(1, "v0") });
    await take({ edited_business_message: edited(said(1, "v0"), "v1", 9) }, deleted(1, 2, 1));
    await take(deleted(1));
    const found = await messages();
    expect(found.map(({ text, deletedAt }) => [text, deletedAt])).toEqual([
      ["to the bot", undefined],
      ["v1", "2026-01-02T03:04:05.678Z"],
    ]);
    expect(await world.count("message_edits", scope)).toBe(1);
  });
});

describe("polls", () => {
  const poll = (votes: number[], rest: Wire = {}) => ({
    id: "900",
    question: "Lunch?",
    options: votes.map((voter_count, n) => ({ text: `Place ${n}`, voter_count })),
    total_voter_count: votes.reduce((a, b) => a + b),
    is_closed: false,
    ...rest,
  });
  const answered = (who: number, ...options: number[]) => ({
    poll_answer: { poll_id: "900", user: user(who), option_ids: options },
  });

  test("are shown with the message they came in, with the newest counts", async () => {
    await take({ message: message(1, "", { text: undefined, poll: poll([0, 0]) }) });
    await take(
      { poll: poll([1, 2]) },
      { poll: poll([1, 2], { is_closed: true }) },
      { poll: poll([1, 3]) },
    );
    expect(await messages()).toMatchObject([
      {
        kind: "poll",
        poll: {
          id: "900",
          question: "Lunch?",
          options: [
            { text: "Place 0", votes: 1 },
            { text: "Place 1", votes: 3 },
          ],
          voters: 4,
          closed: true,
        },
      },
    ]);
  });

  test("a message that was overtaken by its poll's counts does not take them back", async () => {
    await take({ poll: poll([4]) });
    await take({ message: message(1, "", { text: undefined, poll: poll([0]) }) });
    await take(
      { message: message(2, "", { text: undefined, poll: poll([0]) }) },
      {
        poll: poll([5]),
      },
    );
    const seen = (await messages()).map((one) => [one.poll?.question, one.poll?.voters]);
    expect(seen).toEqual([
      ["Lunch?", 5],
      ["Lunch?", 5],
    ]);
  });

  test("of no stored message keep counts only: whose question it was, nobody may have linked", async () => {
    await take({ poll: poll([1]) }, answered(1, 0));
    const sql = "SELECT question, options, votes FROM polls WHERE workspace_id = $1";
    expect(await world.db.query(sql, [scope.workspaceId])).toEqual([
      { question: null, options: null, votes: [1] },
    ]);
    expect(await world.count("contacts", scope)).toBe(0);
  });

  test("votes are each person's last; taken back, they choose nothing", async () => {
    await take(answered(1, 0), answered(2, 1), answered(1, 0, 1));
    await take(answered(2));
    const sql = "SELECT voter_id, options FROM poll_answers WHERE workspace_id = $1 ORDER BY 1";
    expect(await world.db.query(sql, [scope.workspaceId])).toEqual([
      { voter_id: "1", options: [0, 1] },
      { voter_id: "2", options: [] },
    ]);
  });
});

describe("a forum", () => {
  const forum = group(SUPERGROUP, { is_forum: true });
  const inTopic = (id: number, rest: Wire) =>
    message(id, "", {
      text: undefined,
      chat: forum,
      is_topic_message: true,
      message_thread_id: 7,
      ...rest,
    });
  const created = inTopic(7, { forum_topic_created: { name: "Invoices", icon_color: 1 } });
  beforeEach(() => world.link(scope, SUPERGROUP));
  const topics = async () =>
    (await listConversations(world.db, scope)).data.map(({ threadId, topic }) => [threadId, topic]);

  test("names its topics, and says when they are closed", async () => {
    await take({ message: created });
    expect(await topics()).toEqual([["7", { name: "Invoices", closed: false }]]);
    await take(
      { message: inTopic(8, { forum_topic_edited: { name: "Bills" } }) },
      { message: inTopic(9, { forum_topic_closed: {} }) },
      { message: inTopic(10, { forum_topic_edited: { icon_custom_emoji_id: "1" } }) },
    );
    expect(await topics()).toEqual([["7", { name: "Bills", closed: true }]]);
    await take({ message: inTopic(11, { forum_topic_reopened: {} }) });
    expect(await topics()).toEqual([["7", { name: "Bills", closed: false }]]);
  });

  test("a topic older than the link is named by the message it began with; later names stay", async () => {
    await take({ message: inTopic(20, { text: "hi", reply_to_message: created }) });
    expect(await topics()).toEqual([["7", { name: "Invoices" }]]);
    await take({ message: inTopic(21, { forum_topic_edited: { name: "Bills" } }) });
    await take({ message: inTopic(22, { text: "ho", reply_to_message: created }) });
    expect(await topics()).toEqual([["7", { name: "Bills" }]]);
    await take({ message: created });
    expect(await topics()).toEqual([["7", { name: "Bills", closed: false }]]);
  });

  test("hides and shows General", async () => {
    await take({ message: message(1, "", { chat: forum, general_forum_topic_hidden: {} }) });
    expect(await topics()).toEqual([[undefined, { closed: true, hidden: true }]]);
    await take({ message: message(2, "", { chat: forum, general_forum_topic_unhidden: {} }) });
    expect(await topics()).toEqual([[undefined, { closed: true, hidden: false }]]);
  });
});

describe("joining", () => {
  const asked = { chat_join_request: { chat: group(), from: user(8), user_chat_id: 8, date: T0 } };
  const status = async () =>
    world.db.query("SELECT telegram_user_id, status FROM members WHERE workspace_id = $1", [
      scope.workspaceId,
    ]);

  test("is asked for, and then is", async () => {
    await world.link(scope, GROUP);
    await take(asked);
    expect(await status()).toEqual([{ telegram_user_id: "8", status: "requested" }]);
    const joined = { new_chat_member: { user: user(8), status: "member" }, date: T0 + 1 };
    await take({ chat_member: membership("member", { chat: group(), ...joined }) }, asked);
    expect(await status()).toEqual([{ telegram_user_id: "8", status: "member" }]);
  });

  test("a group that nobody linked leaves nothing of it", async () => {
    await take(asked);
    expect(await status()).toEqual([]);
    expect(await world.count("contacts", scope)).toBe(0);
  });
});

test("queries, boosts, purchases and kinds that do not exist yet are acknowledged, and change nothing", async () => {
  const from = user();
  await take(
    { inline_query: { id: "1", from, query: "x", offset: "" } },
    { chosen_inline_result: { result_id: "1", from, query: "x" } },
    { shipping_query: { id: "1", from, invoice_payload: "x", shipping_address: {} } },
    { pre_checkout_query: { id: "1", from, currency: "EUR", total_amount: 1 } },
    { purchased_paid_media: { from, paid_media_payload: "x" } },
    { chat_boost: { chat: group(), boost: {} } },
    { removed_chat_boost: { chat: group(), boost_id: "x" } },
    { guest_message: message(1, "x", { guest_query_id: "1" }) },
    { managed_bot: { user: from, bot: user(9) } },
    { subscription: { user: from } },
    { not_invented_yet: { chat: privateChat(), text: "x" } },
    {},
  );
  for (const table of ["chats", "contacts", "conversations", "messages", "members", "polls"]) {
    expect([table, await world.count(table, scope)]).toEqual([table, 0]);
  }
});
