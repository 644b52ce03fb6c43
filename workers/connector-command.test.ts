import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createKeyring, createLogger, projectFile } from "../src/platform/index.ts";
import { startTestSystem, type TestSystem } from "../test/support/system.ts";
import { connectorCommand } from "./connector-command.ts";
import { keysCommand, reportUnreadable } from "./sealed-records.ts";

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
});
afterAll(() => world.close());

const newBot = () =>
  world.sandbox.createBot({ name: "Desk", username: `b${randomBytes(5).toString("hex")}_bot` });

async function connector(args: string[], input = "", botToken?: string): Promise<never[]> {
  const printed: unknown[] = [];
  const system = { ...world.system, config: { ...world.system.config, botToken } };
  const stdin = Readable.from([Buffer.from(input)]);
  await connectorCommand(system, args, (value) => void printed.push(value), { stdin });
  return printed as never[];
}

const add = (input: string, botToken?: string) =>
  connector(["add", "--workspace", world.workspaceId, "--name", "Desk"], input, botToken);

const idOf = ([view]: { id: string }[]) => view?.id ?? "";

describe("heliograph connector", () => {
  test("connects by a token on standard input or in BOT_TOKEN, lists, rotates, removes", async () => {
    const [first, second] = [newBot(), newBot()];
    const id = idOf(await add(`  ${first.token}\n`));
    await add("", second.token);
    const listed = (await connector(["list"])).join("\n");
    expect(listed).toContain(
      `${id}  active   @${first.username}  Desk  Test (${world.workspaceId})`,
    );
    expect(listed).toContain(`@${second.username}`);
    const { token } = world.sandbox.revokeToken(first.id);
    expect(await connector(["rotate", id], token)).toMatchObject([{ id, status: "active" }]);
    expect(await connector(["remove", id])).toMatchObject([
      { removed: true, webhookRemoved: true },
    ]);
    await expect(connector(["remove", id])).rejects.toThrow(/no such connector/);
  });

  test("a token on the command line is refused without being repeated; so is input that holds none", async () => {
    const { token } = newBot();
    const secret = token.split(":")[1] ?? "";
    for (const args of [
      ["add", token],
      ["rotate", randomUUID(), token],
    ]) {
      const error = await connector(args).catch((reason: Error) => reason);
      expect(error).toMatchObject({ message: expect.stringContaining("command line") });
      expect(String(error)).not.toContain(secret);
    }
    for (const input of ["", "hello", `${token}\n${token}`, `${token}é`, "9".repeat(5_000_000)]) {
      const error = await add(input).catch((reason: Error) => reason);
      expect(error).toMatchObject({ message: expect.stringContaining("holds no bot token") });
      expect(String(error)).not.toContain(secret);
    }
  });

  test("imports a connection from a file, after a dry run that connects nothing", async () => {
    const { token } = newBot();
    const folder = await mkdtemp(path.join(tmpdir(), "heliograph-import-"));
    try {
      const file = path.join(folder, "connection.yaml");
      const example = await readFile(projectFile("examples/connection.yaml"), "utf8");
      await writeFile(file, example.replace(/bot_token: .*/, `bot_token: "${token}"`));
      const options = ["--workspace", world.workspaceId, "--name", "Imported"];
      const dry = (await connector(["import", file, ...options, "--dry-run"])).join("\n");
      expect(dry).toMatch(/taken {4}telegram_config\.default_chat_id: defaultChatId/);
      expect(dry).toMatch(/ignored {2}telegram_config\.webhook_url: .* nothing to https:\/\/bots/);
      expect(dry).toMatch(/nothing was connected/);
      expect(dry).not.toContain(token.split(":")[1]);
      expect((await connector(["list"])).join()).not.toContain("Imported");
      const view = (await connector(["import", file, ...options])).at(-1);
      expect(view).toMatchObject({
        name: "Imported",
        status: "active",
        defaultChatId: "@our_team",
        notificationChats: { critical: "@our_alerts" },
        debug: { apiTimeout: 60, retryAttempts: 3 },
      });
      for (const [bad, words] of [
        [path.join(folder, "none.yaml"), /there is none/],
        [folder, /it is a folder/],
      ] as const) {
        await expect(connector(["import", bad, ...options])).rejects.toThrow(words);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("what Telegram refuses is told in one line", async () => {
    await expect(add(`123456:${"x".repeat(35)}`)).rejects.toThrow(/^Token refused: /);
  });

  test.each([
    [[], /connector takes/],
    [["show"], /connector takes/],
    [["add", "--name", "Desk"], /needs --workspace/],
    [["add", "--workspace", randomUUID()], /needs --name/],
    [["rotate"], /name the connector/],
    [["rotate", "17"], /no such connector/],
    [["list", "--name", "x"], /takes no options/],
    [["import", "--workspace", randomUUID(), "--name", "Desk"], /needs a file/],
    [["import", "f.yaml", "--name", "Desk"], /needs --workspace/],
    [["import", "f.yaml", "--workspace", randomUUID()], /needs --name/],
    [["import", "f.yaml", "--description", "x"], /takes no --description/],
    [["add", "--dry-run"], /takes no --dry-run/],
    [["import", "f.yaml", "g.yaml"], /an argument too many/],
  ])("%j: one line that says what is wrong", async (args, words) => {
    await expect(connector(args, "123456:abcdefghijklmn")).rejects.toThrow(words);
  });
});

describe("heliograph keys rotate", () => {
  const v2 = { version: 2, key: randomBytes(32) };
  const keys = async (keyring: TestSystem["system"]["keyring"]) => {
    const printed: string[] = [];
    const error = await keysCommand(
      { ...world.system, keyring },
      ["rotate"],
      (line) => void printed.push(String(line)),
    ).catch((reason: Error) => reason);
    return { printed, error };
  };

  test("a process that starts without a key names the records, and no content", async () => {
    const bot = await world.connectBot();
    const lines: string[] = [];
    const log = createLogger({ level: "info", pretty: false, write: (line) => lines.push(line) });
    await reportUnreadable({ ...world.system, keyring: createKeyring([v2]), log });
    const about = lines.filter((line) => line.includes(bot.connectorId));
    expect(about.map((line) => JSON.parse(line))).toMatchObject([
      { level: "error", table: "connectors", column: "token_sealed", keyVersion: 1 },
    ]);
    lines.length = 0;
    await reportUnreadable({ ...world.system, log });
    expect(lines).toEqual([]);
  });

  test("wraps the tokens by the newest key; what cannot be read is named, and left", async () => {
    const bot = await world.connectBot();
    const [first] = world.system.config.encryptionKeys ?? [];
    if (first === undefined) throw new Error("the test system has a key");
    const without = await keys(createKeyring([v2]));
    expect(without.printed.join()).toMatch(`row ${bot.connectorId}`);
    expect(without.error).toMatchObject({ message: expect.stringMatching(/cannot be read/) });
    const both = await keys(createKeyring([v2, first]));
    expect(both.error).toBeUndefined();
    expect(both.printed[0]).toMatch(/^[1-9][0-9]* records are wrapped by key v2 now/);
    const [row] = await world.system.db.query<{ token_sealed: Buffer }>(
      "SELECT token_sealed FROM connectors WHERE id = $1",
      [bot.connectorId],
    );
    const place = { table: "connectors", column: "token_sealed", row: bot.connectorId };
    const where = { ...place, workspaceId: world.workspaceId };
    const opened = createKeyring([v2]).open(row?.token_sealed ?? Buffer.alloc(0), where);
    expect(opened.toString()).toBe(bot.token);
  });
});
