import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { startSandbox } from "./index.ts";
import { type RecordEntry, SandboxRecord } from "./record.ts";
import { call, startReceiver } from "./test-client.ts";

describe("the record", () => {
  test("keeps as many entries as it may, and says from where on", () => {
    const record = new SandboxRecord(1_000, () => 0);
    for (let count = 0; count < 1_000_000; count++) record.add({ kind: "changed", what: "users" });
    expect(record.entries).toHaveLength(1_000);
    expect([record.firstSeq, record.lastSeq]).toEqual([999_001, 1_000_000]);
    expect(record.counts.changed).toBe(1_000_000);
    const pages: number[] = [];
    for (
      let page = record.after(0, 300);
      page.length > 0;
      page = record.after(pages.at(-1) ?? 0, 300)
    )
      pages.push(...page.map(({ seq }) => seq));
    expect(pages).toEqual(Array.from({ length: 1_000 }, (_, index) => 999_001 + index));
    expect(record.after(1_000_000)).toEqual([]);
  });

  test("holds an update, its deliveries and the calls, enough to compare with row by row", async () => {
    const sandbox = await startSandbox();
    const receiver = await startReceiver();
    const bot = sandbox.createBot({ name: "Bot", username: "kept_bot" });
    const ada = sandbox.createUser({ firstName: "Ada" }).id;
    await call(sandbox, bot, "setWebhook", { url: receiver.url });
    const [message] = await sandbox.send({ from: ada, chatId: ada, text: "hello" });
    await sandbox.waitFor((record) => record.deliveries.length === 1);
    await call(sandbox, bot, "sendMessage", { chat_id: ada, text: "hi" });
    const [update] = sandbox.record.updates;
    expect(update).toMatchObject({
      botId: bot.id,
      updateKind: "message",
      chatId: ada,
      userId: ada,
      messageId: message?.message_id,
      queue: `chat:${ada}`,
    });
    expect(receiver.received[0]?.update.update_id).toBe(update?.updateId);
    expect(sandbox.record.deliveries).toMatchObject([
      { botId: bot.id, updateId: update?.updateId, queue: `chat:${ada}`, attempt: 1, status: 200 },
    ]);
    expect(sandbox.record.callsOf("sendMessage")).toMatchObject([
      {
        botId: bot.id,
        params: { chat_id: ada, text: "hi" },
        status: 200,
        tookEffect: true,
        at: expect.any(Number),
        durationMs: expect.any(Number),
        result: { message_id: expect.any(Number) },
      },
    ]);
    await sandbox.close();
    await receiver.close();
  });

  test("tells of updates that were dropped, and of a delivery cut off by a new webhook", async () => {
    const sandbox = await startSandbox({ limits: {} });
    const receiver = await startReceiver(() => {});
    const bot = sandbox.createBot({ name: "Bot", username: "kept_bot" });
    const ada = sandbox.createUser({ firstName: "Ada" }).id;
    await call(sandbox, bot, "setWebhook", { url: receiver.url });
    await sandbox.send({ from: ada, chatId: ada, text: "hello" });
    await call(sandbox, bot, "deleteWebhook", { drop_pending_updates: true });
    await sandbox.waitFor((record) => record.deliveries.length === 1);
    const dropped = sandbox.record.entries.find(({ kind }) => kind === "dropped");
    expect(dropped).toMatchObject({ updateIds: [sandbox.record.updates[0]?.updateId] });
    expect(sandbox.record.deliveries).toMatchObject([{ status: 0, error: "Connection closed" }]);
    await sandbox.close();
    await receiver.close();
  });

  test("goes whole to a file, whatever memory forgets", async () => {
    const folder = await mkdtemp(join(tmpdir(), "record-"));
    const recordFile = join(folder, "record.jsonl");
    const sandbox = await startSandbox({ recordFile, recordLimit: 10 });
    for (let count = 0; count < 500; count++) sandbox.createUser({ firstName: `User ${count}` });
    expect(sandbox.record.entries).toHaveLength(10);
    await sandbox.close();
    const lines = (await readFile(recordFile, "utf8")).trim().split("\n");
    const entries = lines.map((line) => JSON.parse(line) as RecordEntry);
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 500 }, (_, n) => n + 1));
    await rm(folder, { recursive: true });
  });

  test("in a file that cannot be opened keeps the sandbox from starting", async () => {
    await expect(startSandbox({ recordFile: "/nowhere/at/all" })).rejects.toThrow("ENOENT");
  });
});
