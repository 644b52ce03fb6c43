import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestSystem, type TestSystem } from "../test/support/system.ts";
import { waitFor } from "../test/support/wait-for.ts";
import { readAnswers } from "./read-run.ts";

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem();
});
afterAll(() => world.close());

test("an answer is read with the message that it answers, its attempt, and its id at Telegram", async () => {
  const bot = await world.connectBot();
  const ada = world.sandbox.createUser({ firstName: "Ada" });
  const chat = { chatId: ada.id, botId: bot.id };
  const startedAtMs = Date.now();
  await world.sandbox.send({ ...chat, from: ada.id, text: "/start" });
  const answers = await waitFor(async () => {
    const found = await readAnswers(world.system.db);
    return found[0]?.state === "sent" && found;
  });
  const [command, answer] = world.sandbox.messages(chat);
  expect(answers).toEqual([
    {
      connectorId: bot.connectorId,
      chatId: String(ada.id),
      toMessageId: command?.message_id,
      state: "sent",
      onUnknown: expect.stringMatching(/^(resend|hold)$/),
      telegramIds: [answer?.message_id],
      attempts: [{ startedAtMs: expect.any(Number), unclear: false }],
    },
  ]);
  expect(answers[0]?.attempts[0]?.startedAtMs).toBeGreaterThanOrEqual(startedAtMs);
});
