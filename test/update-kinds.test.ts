import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { MessageView } from "../src/conversations/index.ts";
import { deliver, startTestSystem, type TestBot, type TestSystem } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/** Updates of kinds that people's messages are not, from Telegram to the answer of the API. */

let running: TestSystem;
let bot: TestBot;
beforeAll(async () => {
  running = await startTestSystem();
  bot = await running.connectBot();
});
afterAll(() => running.close());

const SENT_S = 1_790_000_000;
const ada = { id: 1001, is_bot: false, first_name: "Ada" };
const chat = { id: 1001, type: "private", first_name: "Ada" };
const push = (update: Record<string, unknown>) => running.sandbox.pushUpdate(bot.id, update);

async function messagesOf(business: boolean): Promise<MessageView[]> {
  const path = `/v1/conversations?connectorId=${bot.connectorId}`;
  const { data } = (await running.api("GET", path)).body as {
    data: Array<{ id: string; businessConnectionId?: string }>;
  };
  const one = data.find((each) => (each.businessConnectionId !== undefined) === business);
  if (one === undefined) return [];
  const page = (await running.api("GET", `/v1/conversations/${one.id}/messages`)).body as {
    data: MessageView[];
  };
  return page.data.filter(({ kind, direction }) => kind !== "text" || direction === "in");
}

test("reactions, polls, pins, service messages and deletions are shown with what they are of", async () => {
  push({ message: { message_id: 1, date: SENT_S, chat, from: ada, text: "hi" } });
  push({
    message_reaction: {
      chat,
      message_id: 1,
      date: SENT_S + 1,
      user: ada,
      old_reaction: [],
      new_reaction: [{ type: "emoji", emoji: "👍" }],
    },
  });
  const pinned = { message_id: 1, date: SENT_S, chat, text: "hi" };
  push({ message: { message_id: 2, date: SENT_S + 2, chat, from: ada, pinned_message: pinned } });
  const poll = {
    id: "77",
    question: "Lunch?",
    options: [{ text: "Yes", voter_count: 0 }],
    total_voter_count: 0,
    is_closed: false,
  };
  push({ message: { message_id: 3, date: SENT_S + 3, chat, from: ada, poll } });
  const counted = { options: [{ text: "Yes", voter_count: 2 }], total_voter_count: 2 };
  push({ poll: { ...poll, ...counted, is_closed: true } });
  const business = { business_connection_id: "bc", chat, from: ada };
  push({ business_message: { message_id: 1, date: SENT_S, text: "oops", ...business } });
  push({
    deleted_business_messages: { business_connection_id: "bc", chat, message_ids: [1] },
  });
  const unknown = { update_id: 1_000_000_001, hologram: { chat, from: ada } };
  expect(await deliver(running.url, bot, unknown)).toBe(200);

  // Of different chats, polls and accounts: each comes when it comes.
  const [first, service, asked] = await waitFor(
    async () => {
      const found = await messagesOf(false);
      return found[0]?.reactions && found[2]?.poll?.closed ? found : null;
    },
    { what: "what hangs on the messages" },
  );
  expect(first).toMatchObject({
    kind: "text",
    reactions: [{ type: "emoji", emoji: "👍", count: 1 }],
    pinnedAt: new Date((SENT_S + 2) * 1000).toISOString(),
  });
  expect(service).toMatchObject({
    kind: "service",
    service: { type: "pinned_message", messageId: "1" },
  });
  expect(asked).toMatchObject({
    kind: "poll",
    poll: { question: "Lunch?", options: [{ text: "Yes", votes: 2 }], voters: 2, closed: true },
  });
  const [oops] = await waitFor(
    async () => {
      const found = await messagesOf(true);
      return found[0]?.deletedAt ? found : null;
    },
    { what: "the deletion" },
  );
  expect(oops).toMatchObject({ text: "oops", deletedAt: expect.stringMatching(/^20/) });
  expect(first?.deletedAt).toBeUndefined();

  await waitFor(
    async () => {
      const sql = "SELECT 1 FROM jobs WHERE queue = 'ingest' AND state <> 'completed'";
      return (await running.system.db.query(sql)).length === 0;
    },
    { what: "all updates acknowledged" },
  );
});
