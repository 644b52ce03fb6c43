import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createEntry } from "../src/register/index.ts";
import { startTestSystem, type TestSystem } from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/** What somebody asks of the register in a group, from end to end. */

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem();
});
afterAll(() => world.close());

interface Keyboard {
  inline_keyboard: { text: string; callback_data?: string; url?: string }[][];
}

test("/compliance in a group is answered in private, and its pages turn in the same message", async () => {
  const { sandbox, system, workspaceId } = world;
  for (let n = 10; n < 22; n++) {
    const values = { code: `F${n}`, title: `Framework ${n}` };
    await system.db.transaction((tx) =>
      createEntry(tx, { workspaceId, kind: "framework", values }),
    );
  }
  const bot = await world.connectBot();
  const ada = sandbox.createUser({ firstName: "Ada" });
  const group = sandbox.createChat({
    type: "group",
    title: "Audit",
    memberIds: [ada.id, bot.id],
  });
  const linking = { linked: true, purpose: "compliance" };
  await world.api("PUT", `/v1/connectors/${bot.connectorId}/chats/${group.id}`, linking);
  const inGroup = { chatId: group.id, botId: bot.id };
  const inPrivate = { chatId: ada.id, botId: bot.id };
  const saidIn = (place: { chatId: number; botId: number }) =>
    sandbox.messages(place).filter((message) => message.from?.id === bot.id);

  await sandbox.send({ ...inGroup, from: ada.id, text: "/compliance" });
  const first = await waitFor(() => saidIn(inGroup)[0], { what: "the note" });
  const [[open] = []] = (first.reply_markup as Keyboard).inline_keyboard;
  expect(open?.url).toMatch(/^https:\/\/t\.me\/b[0-9a-f]{8}_bot\?start=hello$/);

  await sandbox.send({ ...inPrivate, from: ada.id, text: "/start hello" });
  await waitFor(() => saidIn(inPrivate).length === 1, { what: "the greeting" });
  await sandbox.send({ ...inGroup, from: ada.id, text: "/compliance" });
  const list = await waitFor(
    () => saidIn(inPrivate).find(({ text }) => text?.includes("Page 1 of 2")),
    { what: "the first page" },
  );
  await waitFor(() => saidIn(inGroup).length === 2, { what: "the second note" });
  const inTheGroup = saidIn(inGroup).map(({ text }) => text);
  expect(inTheGroup.join()).not.toMatch(/Framework|Overall score/);

  const [[next] = []] = (list.reply_markup as Keyboard).inline_keyboard;
  const data = next?.callback_data ?? "";
  sandbox.pressButton({ ...inPrivate, from: ada.id, messageId: list.message_id, data });
  const turned = await waitFor(
    () => saidIn(inPrivate).find(({ text }) => text?.includes("Page 2 of 2")),
    { what: "the second page" },
  );
  expect(turned.message_id).toBe(list.message_id);
  expect(turned.text).toContain("Framework 21: no score yet");
  await waitFor(() => sandbox.record.callsOf("answerCallbackQuery", bot.id).length === 1, {
    what: "the press to be answered",
  });
});
