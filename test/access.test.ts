import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/** Both dialogs from end to end: API, the local Telegram's people, and back. */

let world: TestSystem;
let bot: TestBot;
beforeAll(async () => {
  world = await startTestSystem();
});
afterAll(() => world.close());

interface Keyboard {
  inline_keyboard: { text: string; callback_data: string }[][];
}

async function restrictedBot(level: string): Promise<void> {
  bot = await world.connectBot();
  const { status } = await world.api("PATCH", `/v1/connectors/${bot.connectorId}`, {
    accessLevel: level,
  });
  expect(status).toBe(200);
}

async function post<Answer>(path: string, body: unknown): Promise<Answer> {
  const answer = await world.api("POST", path, body);
  expect(answer.status).toBe(201);
  return answer.body as Answer;
}

/** Opens a person's link with a new account, and confirms it. */
async function becomes(personId: string): Promise<{ id: number }> {
  const { sandbox } = world;
  const user = sandbox.createUser({ firstName: "Ada" });
  const chat = { chatId: user.id, botId: bot.id };
  const link = await post<{ url: string }>(`/v1/people/${personId}/link`, {
    connectorId: bot.connectorId,
  });
  const token = new URL(link.url).searchParams.get("start") ?? "";
  await sandbox.send({ ...chat, from: user.id, text: `/start ${token}` });
  const question = await waitFor(
    () => sandbox.messages(chat).find(({ text }) => text?.endsWith("Is that you?")),
    { what: "the question" },
  );
  const [yes] = (question.reply_markup as Keyboard).inline_keyboard[0] ?? [];
  const data = yes?.callback_data ?? "";
  sandbox.pressButton({ ...chat, from: user.id, messageId: question.message_id, data });
  await waitFor(
    () => sandbox.messages(chat).some(({ text }) => text?.startsWith("You are connected:")),
    { what: "the answer" },
  );
  return user;
}

const stored = async () => {
  const rows = await world.system.db.query<{ text: string }>(
    "SELECT text FROM messages WHERE connector_id = $1 ORDER BY id",
    [bot.connectorId],
  );
  return rows.map(({ text }) => text);
};
const isIn = (text: string) => async () => (await stored()).includes(text);

describe("a bot for members", () => {
  test("turns strangers away and keeps nothing of them; a link lets its person in", async () => {
    const { sandbox } = world;
    await restrictedBot("members");
    const stranger = sandbox.createUser({ firstName: "Eve" });
    const chat = { chatId: stranger.id, botId: bot.id };
    await sandbox.send({ ...chat, from: stranger.id, text: "let me in" });
    await waitFor(
      () => sandbox.messages(chat).some(({ text }) => text?.startsWith("Thank you for writing.")),
      { what: "the polite answer" },
    );
    await waitFor(
      async () =>
        (
          await world.system.db.query(
            "SELECT 1 AS one FROM outbound_messages WHERE connector_id = $1 AND state = 'sent'",
            [bot.connectorId],
          )
        ).length === 1,
      { what: "the answer to be recorded" },
    );
    // Not the answer either: it would be a conversation with somebody of whom nothing is kept.
    const left = await world.system.db.query(
      `SELECT (SELECT count(*) FROM messages WHERE connector_id = $1)::int AS messages,
         (SELECT count(*) FROM conversations WHERE connector_id = $1)::int AS conversations,
         (SELECT count(*) FROM contacts WHERE telegram_user_id = $2)::int AS contacts`,
      [bot.connectorId, stranger.id],
    );
    expect(left).toEqual([{ messages: 0, conversations: 0, contacts: 0 }]);

    const { id } = await post<{ id: string }>("/v1/people", { name: "Ada Lovelace" });
    const ada = await becomes(id);
    await sandbox.send({ chatId: ada.id, botId: bot.id, from: ada.id, text: "hello" });
    await waitFor(isIn("hello"), { what: "the member's message" });
    const person = await world.api("GET", `/v1/people/${id}`);
    expect(person.body).toMatchObject({ telegramUserId: String(ada.id) });
    await world.api("DELETE", `/v1/people/${id}`);
    await sandbox.send({ chatId: ada.id, botId: bot.id, from: ada.id, text: "and now?" });
    await waitFor(
      () =>
        sandbox
          .messages({ chatId: ada.id, botId: bot.id })
          .some(({ text }) => text?.startsWith("Thank you for writing.")),
      { what: "the polite answer" },
    );
    expect(await stored()).not.toContain("and now?");
  });
});

describe("a group", () => {
  test("is linked by a member's code and unlinked again; nothing before or after is stored", async () => {
    const { sandbox } = world;
    await restrictedBot("everyone");
    const { id } = await post<{ id: string }>("/v1/people", { name: "Grace Hopper" });
    const grace = await becomes(id);
    const group = sandbox.createChat({
      type: "supergroup",
      title: "Audit",
      memberIds: [grace.id, bot.id],
    });
    const chat = { chatId: group.id, botId: bot.id };
    const write = (text: string) => sandbox.send({ ...chat, from: grace.id, text });
    const answered = (start: string) =>
      waitFor(() => sandbox.messages(chat).some(({ text }) => text?.startsWith(start)), {
        what: start,
      });

    await write("said before");
    const { command } = await post<{ command: string }>(
      `/v1/connectors/${bot.connectorId}/link-codes`,
      { purpose: "compliance" },
    );
    await write(command);
    await answered("This group is now linked to Test.");
    await write("said between");
    await waitFor(isIn("said between"), { what: "the group's message" });
    await write("/unlink");
    await answered("This group is not linked any more.");
    await write("said after");
    await write(command);
    await answered("This code is not valid.");
    const ofGroup = (await stored()).filter((text) => !text.includes("connected"));
    expect(ofGroup).toContain("said between");
    for (const text of ["said before", "said after", "/unlink", command]) {
      expect(ofGroup).not.toContain(text);
    }
    const bodies = await world.system.db.query<{ body: string }>(
      "SELECT convert_from(body, 'UTF8') AS body FROM job_bodies WHERE workspace_id = $1",
      [world.workspaceId],
    );
    const raw = bodies.map(({ body }) => body).join("\n");
    expect(raw).toContain("said between");
    for (const text of ["said before", "said after", command.slice(6), "hgl_"]) {
      expect(raw).not.toContain(text);
    }
  });
});
