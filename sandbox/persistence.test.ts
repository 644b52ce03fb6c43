import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { waitFor } from "../test/support/wait-for.ts";
import { type Sandbox, startSandbox, type TelegramUpdate } from "./index.ts";
import { call, startReceiver } from "./test-client.ts";

let folder: string;
const open: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sandbox-"));
});
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
  await rm(folder, { recursive: true });
});

async function start(stateFile: string): Promise<Sandbox> {
  const sandbox = await startSandbox({ stateFile });
  open.push(sandbox);
  return sandbox;
}

describe("a state file", () => {
  test("brings everything back: people, chats, files, what waited and where it goes", async () => {
    const stateFile = join(folder, "state.json");
    const first = await start(stateFile);
    const receiver = await startReceiver(({ answer }) => answer(500));
    const bot = first.createBot({ name: "Bot", username: "kept_bot" });
    const ada = first.createUser({ firstName: "Ada" });
    const group = first.createChat({
      type: "supergroup",
      title: "G",
      memberIds: [ada.id, bot.id],
      topics: ["T"],
    });
    await first.send({
      from: ada.id,
      chatId: ada.id,
      document: { name: "a.txt", content: Buffer.from("kept") },
    });
    await call(first, bot, "setMyCommands", { commands: [{ command: "go", description: "Go" }] });
    await call(first, bot, "setWebhook", { url: receiver.url, secret_token: "kept" });
    const [talk] = await first.send({ from: ada.id, chatId: group.id, text: "talk" });
    const about = { from: ada.id, chatId: group.id, messageId: talk?.message_id ?? 0 };
    first.react({ ...about, emojis: ["🔥"] });
    first.pin(about);
    const [poll] = await first.send({
      from: ada.id,
      chatId: group.id,
      poll: { question: "Kept?", options: ["Yes", "No"] },
    });
    first.vote({ ...about, messageId: poll?.message_id ?? 0, optionIds: [0] });
    const eve = first.createUser({ firstName: "Eve" });
    const businessConnectionId = first.connectBusiness({ userId: ada.id, botId: bot.id });
    const business = { chatId: eve.id, businessConnectionId };
    await first.send({ ...business, from: eve.id, text: "to the account" });
    const chatBefore = first.messages({ chatId: ada.id });
    const accountBefore = first.messages(business);
    const groupBefore = first.messages({ chatId: group.id });
    await first.close();
    await receiver.close();

    const second = await start(stateFile);
    expect(second.messages({ chatId: ada.id })).toEqual(chatBefore);
    expect(second.messages({ chatId: group.id })).toEqual(groupBefore);
    expect(groupBefore.some((each) => each.shown_reactions !== undefined)).toBe(true);
    expect(second.messages(business)).toEqual(accountBefore);
    expect(accountBefore).toHaveLength(1);
    expect(second.webhookInfo(bot.id)).toMatchObject({ url: receiver.url });
    expect(second.webhookInfo(bot.id).pending_update_count).toBeGreaterThan(0);
    expect((await call(second, bot, "getMyCommands")).result).toMatchObject([{ command: "go" }]);
    await call(second, bot, "deleteWebhook");
    const { result } = await call<{ message?: { document?: { file_id: string } } }[]>(
      second,
      bot,
      "getUpdates",
    );
    const fileId = result.find(({ message }) => message?.document)?.message?.document?.file_id;
    const file = await call<{ file_path: string }>(second, bot, "getFile", { file_id: fileId });
    const bytes = await fetch(`${second.url}/file/bot${bot.token}/${file.result.file_path}`);
    expect(await bytes.text()).toBe("kept");
    expect(second.createUser({ firstName: "Eve" }).id).toBeGreaterThan(ada.id);
  });

  test("delivers after the restart what waited before it", async () => {
    const stateFile = join(folder, "state.json");
    const first = await start(stateFile);
    let status = 503;
    const receiver = await startReceiver(({ answer }) => answer(status));
    open.push(receiver);
    const bot = first.createBot({ name: "Bot", username: "kept_bot" });
    const ada = first.createUser({ firstName: "Ada" });
    await call(first, bot, "setWebhook", { url: receiver.url, secret_token: "kept" });
    await first.send({ from: ada.id, chatId: ada.id, text: "one" });
    await first.send({ from: ada.id, chatId: ada.id, text: "two" });
    await first.waitFor((record) => record.deliveries.length === 2);
    await first.close();
    status = 200;
    const second = await start(stateFile);
    await second.waitFor(() => second.webhookInfo(bot.id).pending_update_count === 0);
    expect(receiver.texts()).toEqual(["one", "one", "one", "two"]);
    expect(receiver.received.at(-1)?.secret).toBe("kept");
  });

  test("after a crash, no update id and no message id is handed out twice", async () => {
    const stateFile = join(folder, "state.json");
    const first = await start(stateFile);
    const bot = first.createBot({ name: "Bot", username: "kept_bot" });
    const ada = first.createUser({ firstName: "Ada" });
    const say = (sandbox: Sandbox, text: string) =>
      sandbox.send({ from: ada.id, chatId: ada.id, text });
    await say(first, "early");
    await waitFor(async () => (await readFile(stateFile, "utf8")).includes("early"));
    // What a crash leaves: the file as it is while the sandbox runs on and hands out more.
    const crashed = join(folder, "crashed.json");
    await cp(stateFile, crashed);
    for (let count = 0; count < 500; count++) await say(first, `late ${count}`);
    const ids = async (sandbox: Sandbox) => {
      const { result } = await call<TelegramUpdate[]>(sandbox, bot, "getUpdates", { offset: -100 });
      return result.map(({ update_id, message }) => [
        update_id,
        (message as { message_id: number }).message_id,
      ]);
    };
    const before = await ids(first);
    const second = await start(crashed);
    await say(second, "after the crash");
    const after = (await ids(second)).at(-1) ?? [];
    expect(after[0]).toBeGreaterThan(Math.max(...before.map(([updateId]) => updateId ?? 0)));
    expect(after[1]).toBeGreaterThan(Math.max(...before.map(([, messageId]) => messageId ?? 0)));
  });

  test("that is something else is refused, and left alone", async () => {
    const stateFile = join(folder, "state.json");
    await writeFile(stateFile, '{"version": 7}');
    await expect(startSandbox({ stateFile })).rejects.toThrow(/not a state file of this version/);
    expect(await readFile(stateFile, "utf8")).toBe('{"version": 7}');
  });
});
