import { readFile } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "./index.ts";
import { call, updatesOf } from "./test-client.ts";

let sandbox: Sandbox;
afterEach(() => sandbox.close());

const megabyte = 1024 * 1024;

async function setUp(local: boolean) {
  sandbox = await startSandbox({ local });
  const bot = sandbox.createBot({ name: "Bot", username: "local_bot" });
  const ada = sandbox.createUser({ firstName: "Ada" }).id;
  return { bot, ada };
}

describe("a server with --local", () => {
  test("gives out files of any size by where they lie, and serves none", async () => {
    const { bot, ada } = await setUp(true);
    const content = Buffer.alloc(21 * megabyte, "evidence ");
    await sandbox.send({ from: ada, chatId: ada, document: { content, name: "big.bin" } });
    const [update] = await updatesOf(sandbox, bot);
    const message = update?.message as { document: { file_id: string } } | undefined;
    const file_id = message?.document.file_id;
    const { result } = await call<{ file_path: string }>(sandbox, bot, "getFile", { file_id });
    expect(isAbsolute(result.file_path)).toBe(true);
    expect((await readFile(result.file_path)).equals(content)).toBe(true);
    expect((await fetch(`${sandbox.url}/file/bot${bot.token}/${result.file_path}`)).status).toBe(
      404,
    );
    await sandbox.close();
    await expect(readFile(dirname(result.file_path))).rejects.toThrow("ENOENT");
  });

  test.each([
    [true, 200],
    [false, 413],
  ])("takes uploads beyond 50 MB (local: %p, status %i)", async (local, status) => {
    const { bot, ada } = await setUp(local);
    await sandbox.send({ from: ada, chatId: ada, text: "/start" });
    const form = new FormData();
    form.append("chat_id", String(ada));
    form.append("document", new Blob([new Uint8Array(51 * megabyte)]), "big.bin");
    const response = await fetch(`${sandbox.url}/bot${bot.token}/sendDocument`, {
      method: "POST",
      body: form,
    }).catch(() => undefined);
    // Refused half-way, the connection may be cut before the answer is read.
    if (local || response !== undefined) expect(response?.status).toBe(status);
    expect(sandbox.record.callsOf("sendDocument")).toMatchObject([{ status }]);
  });
});
