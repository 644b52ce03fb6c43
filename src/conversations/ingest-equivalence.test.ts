import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { contentsOf } from "../../test/support/conversations-contents.ts";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { fc, runs } from "../../test/support/property.ts";
import {
  edited,
  GROUP,
  group,
  inGroup,
  membership,
  message,
  pressed,
  privateChat,
  SUPERGROUP,
  T0,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { setChatLink } from "./chat-links.ts";

/**
 * Group commit may put any updates into one batch: what a batch comes to must be what its updates
 * come to one by one. Random histories of few people, groups and message numbers, so that they meet
 * often: edits before their message, joins and leaves, migrations told twice, repetitions.
 */

/** Nothing migrates to or from it. */
const FORUM = SUPERGROUP - 7;

jest.setTimeout(120_000 * runs(1));

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());

const person = fc.constantFrom(11, 12);
const number = fc.integer({ min: 1, max: 3 });
const second = fc.integer({ min: 1, max: 4 });
const groupId = fc.constantFrom(GROUP, GROUP - 1, SUPERGROUP);
const text = fc.constantFrom("a", "b", "/start", "/stop", "/help", "/nothing");
const name = fc.constantFrom("Ann", "Bob");

const privateMessage = fc
  .record({ person, number, text, name })
  .map(({ person, number, text, name }) =>
    message(number, text, {
      from: user(person, { first_name: name }),
      chat: privateChat(person),
    }),
  );
const groupMessage = fc
  .record({ groupId, person, number, text, title: name })
  .map(({ groupId, person, number, text, title }) =>
    message(number, text, { chat: group(groupId, { title }), from: user(person) }),
  );
const anyMessage = fc.oneof(privateMessage, groupMessage);

const update: fc.Arbitrary<Wire> = fc.oneof(
  { weight: 4, arbitrary: anyMessage.map((wire) => ({ message: wire })) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(anyMessage, text, second)
      .map(([wire, text, s]) => ({ edited_message: edited(wire, text, s) })),
  },
  privateMessage.map((wire) => ({
    business_message: { ...wire, business_connection_id: "bc" },
  })),
  // Both sides of a business account's chat, with somebody who is met nowhere else.
  fc.record({ number, text, from: fc.constantFrom(13, 98) }).map(({ number, text, from }) => ({
    business_message: message(2 * number + (from % 2), text, {
      from: user(from),
      chat: privateChat(13),
      business_connection_id: "bc",
    }),
  })),
  fc.tuple(groupId, person, second, fc.boolean()).map(([id, who, s, joined]) => ({
    message: inGroup(100 + s, "", {
      text: undefined,
      date: T0 + s,
      chat: group(id),
      ...(joined ? { new_chat_members: [user(who)] } : { left_chat_member: user(who) }),
    }),
  })),
  fc
    .tuple(groupId, person, second, fc.constantFrom("member", "left", "administrator"))
    .map(([id, who, s, status]) => ({
      chat_member: membership(status, {
        chat: group(id),
        date: T0 + s,
        new_chat_member: { user: user(who), status },
      }),
    })),
  fc
    .tuple(
      fc.oneof(
        groupId.map((id) => group(id)),
        person.map(privateChat),
      ),
      second,
      fc.boolean(),
    )
    .map(([chat, s, inside]) => ({
      my_chat_member: membership(inside ? "member" : "kicked", { chat, date: T0 + s }),
    })),
  fc.tuple(groupId, groupId).map(([from, to]) => ({
    message: inGroup(200, "", { text: undefined, chat: group(from), migrate_to_chat_id: to }),
  })),
  fc.tuple(groupId, groupId).map(([from, to]) => ({
    message: inGroup(201, "", { text: undefined, chat: group(to), migrate_from_chat_id: from }),
  })),
  fc.constantFrom("help", "check", "else").map((data) => ({ callback_query: pressed(data) })),
  fc
    .tuple(groupId, person, number, second, fc.constantFrom("❤", "👍", null))
    .map(([id, who, of, s, emoji]) => ({
      message_reaction: {
        chat: group(id),
        message_id: of,
        user: user(who),
        date: T0 + s,
        old_reaction: [],
        new_reaction: emoji === null ? [] : [{ type: "emoji", emoji }],
      },
    })),
  fc.tuple(person, fc.array(number)).map(([who, ids]) => ({
    deleted_business_messages: {
      business_connection_id: "bc",
      chat: privateChat(who),
      message_ids: ids,
    },
  })),
  fc.tuple(person, number, number).map(([who, id, of]) => ({
    message: message(300 + id, "", {
      text: undefined,
      chat: privateChat(who),
      from: user(who),
      pinned_message: message(of, ""),
    }),
  })),
  fc
    .tuple(number, number, second, fc.constantFrom("Ann", "Bob", null))
    .map(([id, of, s, name]) => ({
      message: message(400 + 10 * id + s, "", {
        text: undefined,
        date: T0 + s,
        chat: group(FORUM),
        is_topic_message: true,
        message_thread_id: of,
        ...(name === null ? { forum_topic_closed: {} } : { forum_topic_edited: { name } }),
      }),
    })),
  fc.tuple(number, number, fc.boolean()).map(([id, votes, closed]) => {
    const options = [{ text: "A", voter_count: votes }];
    const poll = { id: `p${id}`, question: "?", options, total_voter_count: votes };
    return votes === 1
      ? { message: message(500 + id, "", { text: undefined, poll }) }
      : { poll: { ...poll, is_closed: closed } };
  }),
  fc.tuple(person, number, fc.array(number)).map(([who, id, option_ids]) => ({
    poll_answer: { poll_id: `p${id}`, user: user(who), option_ids },
  })),
  fc.tuple(person, fc.boolean()).map(([who, is_enabled]) => ({
    business_connection: { id: "bc", user: user(who), user_chat_id: who, date: T0, is_enabled },
  })),
  fc.tuple(groupId, person, second).map(([id, who, s]) => ({
    chat_join_request: { chat: group(id), from: user(who), user_chat_id: who, date: T0 + s },
  })),
);

/** Ingests the updates in batches of these sizes; answers what is stored and what was said. */
async function outcome(updates: Wire[], sizes: number[]): Promise<unknown> {
  const scope = await world.newScope();
  for (const id of [GROUP, GROUP - 1, FORUM]) {
    await setChatLink(world.db, { ...scope, chatId: String(id), linked: true });
  }
  world.replies.length = 0;
  let start = 0;
  for (const size of sizes) {
    const batch = updates.slice(start, start + size);
    if (batch.length > 0) await world.ingest(scope, ...batch);
    start += size;
  }
  const replies = world.replies.map(({ workspaceId, connectorId, causeId, ...said }) => said);
  return { replies, contents: await contentsOf(world.db, scope) };
}

test("a batch comes to what its updates come to one by one", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(update, { minLength: 2, maxLength: 14 }),
      fc.integer({ min: 1, max: 13 }),
      async (updates, cut) => {
        const oneByOne = await outcome(
          updates,
          updates.map(() => 1),
        );
        expect(await outcome(updates, [updates.length])).toEqual(oneByOne);
        expect(await outcome(updates, [cut, updates.length])).toEqual(oneByOne);
      },
    ),
    { numRuns: runs(25) },
  );
});

test("updates that come again change nothing and say nothing but to pressed buttons", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(update, { minLength: 1, maxLength: 10 }), async (updates) => {
      const scope = await world.newScope();
      // All of them: a message dropped at first would be stored once its group is linked.
      for (const id of [GROUP, GROUP - 1, SUPERGROUP, FORUM]) {
        await setChatLink(world.db, { ...scope, chatId: String(id), linked: true });
      }
      await world.ingest(scope, ...updates);
      const before = await contentsOf(world.db, scope);
      const messages = updates.filter((one) => one.message ?? one.edited_message);
      world.replies.length = 0;
      // Details of chats and people may change back: they are as the last update said.
      if (messages.length > 0) await world.ingest(scope, ...messages);
      expect(world.replies).toEqual([]);
      const [, , conversations, stored, history] = (await contentsOf(world.db, scope)) as unknown[];
      const [, , conversationsBefore, storedBefore, historyBefore] = before as unknown[];
      expect([conversations, stored, history]).toEqual([
        conversationsBefore,
        storedBefore,
        historyBefore,
      ]);
    }),
    { numRuns: runs(25) },
  );
});
