import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createDialogKeeper } from "../src/compliance/index.ts";
import { createPerson } from "../src/people/index.ts";
import { silentLogger } from "../src/platform/index.ts";
import { startTestSystem, type TestSystem } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/** Evidence from a document in a chat to the officer's approval, from end to end. */

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem();
});
afterAll(() => world.close());

interface Keyboard {
  inline_keyboard: { text: string; callback_data?: string }[][];
}

test("a document is handed in by buttons under one message, and approved by an officer under another", async () => {
  const { sandbox, system, workspaceId } = world;
  const { db, jobs } = system;
  const bot = await world.connectBot();
  const [emma, ola] = ["Emma", "Ola"].map((firstName) => sandbox.createUser({ firstName }));
  if (emma === undefined || ola === undefined) throw new Error("nobody is there");
  const officer = await db.transaction((tx) =>
    createPerson(tx, { workspaceId, name: "Ola", agentEnabled: false }),
  );
  await db.query(
    "UPDATE people SET role = 'officer', telegram_user_id = $2, bound_at = now() WHERE id = $1",
    [officer.id, ola.id],
  );
  const cards = (who: { id: number }) =>
    sandbox
      .messages({ chatId: who.id, botId: bot.id })
      .filter(({ from, text }) => from?.id === bot.id && /EV-\d+/.test(text ?? ""));
  const shows = (who: { id: number }, words: string) =>
    waitFor(() => cards(who).find(({ text }) => text?.includes(words)), { what: words });
  const press = async (who: { id: number }, words: string, label: string) => {
    const { message_id: messageId, reply_markup: keyboard } = await shows(who, words);
    const buttons = (keyboard as Keyboard).inline_keyboard.flat();
    const data = buttons.find(({ text }) => text === label)?.callback_data ?? "";
    const chat = { chatId: who.id, botId: bot.id };
    sandbox.pressButton({ ...chat, from: who.id, messageId, data });
    return messageId;
  };

  await sandbox.send({ chatId: ola.id, botId: bot.id, from: ola.id, text: "/start" });
  const emmas = { chatId: emma.id, botId: bot.id, from: emma.id };
  await sandbox.send({ ...emmas, text: "/evidence document Report" });
  const shown = await press(emma, "Evidence record created", "Upload document");
  await shows(emma, "Please upload the file");
  await sandbox.send({
    ...emmas,
    document: { content: Buffer.from("%PDF-1.7"), name: "form.pdf" },
  });
  await press(emma, "Which control", "Skip");
  await press(emma, "Submit it for review", "Submit for review");
  const submitted = await shows(emma, "was submitted for review");
  expect([submitted.message_id, cards(emma).length]).toEqual([shown, 1]);

  const keeper = createDialogKeeper({ db, jobs, log: silentLogger });
  await keeper.runOnce();
  await shows(ola, "Review of EV-");
  // As the pool of downloads leaves it.
  await db.query(
    `WITH kept AS (
       INSERT INTO stored_files (workspace_id, state, key_sealed, sha256, size_bytes, stored_at)
       VALUES ($1, 'stored', '\\x00', sha256('photo'), 5, now()) RETURNING id, sha256)
     UPDATE evidence_files f SET state = 'stored', stored_file_id = kept.id, sha256 = kept.sha256,
       size_bytes = 5, stored_at = now() FROM kept WHERE f.workspace_id = $1`,
    [workspaceId],
  );
  const reviewed = await press(ola, "Review of EV-", "Approve");
  const approved = await shows(ola, "Approved by Ola.");
  expect([approved.message_id, cards(ola).length]).toEqual([reviewed, 1]);
  await keeper.runOnce();
  await waitFor(() => cards(emma).some(({ text }) => / was approved by Ola\.$/.test(text ?? "")), {
    what: "the news",
  });
  const presses = sandbox.record.callsOf("answerCallbackQuery", bot.id);
  expect(presses).toHaveLength(4);
});
