import http from "node:http";
import { createRequire } from "node:module";
import { describe, expect, test } from "@jest/globals";
import pg from "pg";
import { createTestDatabase } from "../../test/support/database.ts";
import { oneLine } from "./config-error.ts";
import { createLogger } from "./log.ts";
import { scrub } from "./scrub.ts";

/** Telegraf's HTTP client: its errors hold the whole URL. */
const fetchOfTelegraf: (url: string) => Promise<unknown> = createRequire(
  createRequire(import.meta.url).resolve("telegraf"),
)("node-fetch");

const TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0";
const SECRET_HALF = "AAHdqTcvCH1vGWJx";
const API_KEY = "hgk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
const LINK_TOKEN = "hgl_gfedcbaZYXWVUTSRQPONMLKJIHGFEDCBA9876543210";

function capture(options: { pretty?: boolean; level?: "debug" | "info" } = {}) {
  const lines: string[] = [];
  const log = createLogger({
    level: options.level ?? "debug",
    pretty: options.pretty ?? false,
    write: (line) => lines.push(line),
  });
  return { log, lines, text: () => lines.join("") };
}

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("did not fail");
}

describe("createLogger", () => {
  test("writes JSON lines with time, level, fields and message", () => {
    const { log, lines } = capture();
    log.child({ queue: "ingest" }).info({ jobs: 3 }, "drained");
    const line = JSON.parse(lines[0] ?? "");
    expect(line).toMatchObject({ level: "info", queue: "ingest", jobs: 3, msg: "drained" });
    expect(new Date(line.time).getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect(lines[0]?.endsWith("\n")).toBe(true);
  });

  test("leaves out what is below its level", () => {
    const { log, lines } = capture({ level: "info" });
    log.debug({}, "quiet");
    expect(lines).toEqual([]);
  });

  describe.each([{ pretty: false }, { pretty: true }])("pretty: $pretty", ({ pretty }) => {
    test("a bot's token in a URL never gets out: fetch, node-fetch, http", async () => {
      const url = `http://127.0.0.1:1/bot${TOKEN}/sendMessage`;
      const errors = [
        await failureOf(() => fetch(url)),
        await failureOf(() => fetchOfTelegraf(url)),
        await failureOf(() => new Promise((_, reject) => http.get(url).on("error", reject))),
        await failureOf(() => fetch(`http://[bad/bot${TOKEN}/x`)),
        Object.assign(new Error("failed"), { config: { url }, request: { path: url } }),
      ];
      for (const error of errors) {
        const { log, text } = capture({ pretty });
        log.error({ err: error, url, nested: { deep: [{ error }] } }, `call to ${url} failed`);
        expect(text()).not.toContain(SECRET_HALF);
        expect(text()).toMatch(/failed/);
        expect(oneLine(error)).not.toContain(SECRET_HALF);
      }
    });

    test("nor in causes, aggregates, maps, buffers, cut or escaped forms", () => {
      const inner = new Error(`to /bot${TOKEN}/getMe`);
      const shapes: unknown[] = [
        new Error("outer", { cause: new Error("middle", { cause: inner }) }),
        new AggregateError([inner, new Error(TOKEN)], `many ${TOKEN}`),
        new Map([["url", new URL(`http://h/file/bot${TOKEN}/photo.jpg`)]]),
        `http://h/bot${encodeURIComponent(TOKEN)}/x`,
        `http://h/bot${TOKEN.slice(0, 26)}`,
        JSON.stringify({ url: `http://h/bot${TOKEN}/x`, headers: { authorization: API_KEY } }),
        [[[[TOKEN]]]],
        new Set([TOKEN]),
      ];
      for (const shape of shapes) {
        const { log, text } = capture({ pretty });
        log.warn({ shape }, "look");
        expect(text()).not.toContain(SECRET_HALF);
        expect(text()).not.toContain(API_KEY.slice(4, 20));
      }
    });

    test.each([
      ["an API key", { note: `used ${API_KEY} today` }, API_KEY.slice(4)],
      ["a link's token", { note: `opened ${LINK_TOKEN} today` }, LINK_TOKEN.slice(4)],
      ["a bearer token", { sent: "authorization: Bearer abcdef123456" }, "abcdef123456"],
      ["a header", { headers: { Authorization: "Basic hunter2==" } }, "hunter2"],
      [
        "Telegram's header",
        { headers: { "x-telegram-bot-api-secret-token": "hunter2" } },
        "hunter2",
      ],
      ["raw headers", { raw: ["X-Telegram-Bot-Api-Secret-Token", "hunter2"] }, "hunter2"],
      ["a field by its name", { botToken: "hunter2", webhook_secret: "hunter2" }, "hunter2"],
      ["a connection string", { at: "postgres://me:hunter2@db/x" }, "hunter2"],
      ["a password with an @", { at: "redis://:hunter2@hunter2@db/x" }, "hunter2"],
      ["a libpq string", { at: "host=db password=hunter2 user=me" }, "hunter2"],
      ["a query", { at: "https://h/x?secret_token=hunter2&a=b" }, "hunter2"],
      ["a phone number", { note: "call +49 (151) 234-567-89 now" }, "234"],
      ["a phone field", { phone_number: 4915123456789 }, "4915123456789"],
      ["a vCard", { note: "BEGIN:VCARD\nTEL;CELL:4915123456789\nEND" }, "4915123456789"],
    ])("%s", (_, fields, secret) => {
      const { log, text } = capture({ pretty });
      log.info(fields, "look");
      log.child(fields).info({}, JSON.stringify(fields));
      expect(text()).not.toContain(secret);
      expect(text()).toContain("redacted");
    });
  });

  test("ids, times and counts stay readable", () => {
    const { log, text } = capture();
    log.info(
      { chatId: "-1001234567890", updateId: 918273645, at: "2026-08-01T10:00:00.000Z" },
      "x",
    );
    expect(text()).not.toContain("redacted");
    expect(text()).toContain("-1001234567890");
  });

  test("a Postgres error says which thing, never which value", async () => {
    const { db, owner, drop } = await createTestDatabase();
    try {
      await owner.query("CREATE TABLE readers (words text UNIQUE, age int CHECK (age > 0))");
      await db.query("INSERT INTO readers VALUES ('private words', 1)");
      const errors = [
        await failureOf(() => db.query("INSERT INTO readers VALUES ($1, 1)", ["private words"])),
        await failureOf(() => db.query("INSERT INTO readers VALUES ($1, 0)", ["private words"])),
        await failureOf(() => db.query("INSERT INTO readers VALUES ('x', $1)", ["private words"])),
      ];
      for (const error of errors) {
        const { log, text } = capture();
        log.error({ err: error }, "insert failed");
        expect(text()).not.toContain("private words");
        expect(text()).toMatch(/"code":"(23505|23514|22P02)"/);
      }
    } finally {
      await drop();
    }
  });

  test("a refused connection is told in one line, though Node leaves its message empty", async () => {
    const client = new pg.Client({ host: "localhost", port: 1, password: "hunter2" });
    const error = await failureOf(() => client.connect());
    expect(oneLine(error)).toMatch(/ECONNREFUSED/);
    expect(oneLine(error)).not.toContain("\n");
  });

  test("broken JSON is not quoted", async () => {
    for (const body of ['private words {"', '{"text": private words}', "[1,2,private words"]) {
      const { log, text } = capture();
      log.warn({ err: await failureOf(() => JSON.parse(body)) }, "not JSON");
      expect(text()).not.toContain("private");
    }
  });

  test("what cannot be written down is written down all the same", () => {
    const circle: Record<string, unknown> = { id: 1n, bytes: Buffer.from("private"), f: () => 1 };
    circle.self = circle;
    let deep: object = {};
    for (let level = 0; level < 50; level++) deep = { deep };
    const { log, lines } = capture();
    log.info({ circle, deep, many: new Array(5_000).fill(1), long: "x".repeat(100_000) }, "look");
    const line = JSON.parse(lines[0] ?? "");
    expect(line.circle).toEqual({ id: "1", bytes: "[7 bytes]", self: "[circular]" });
    expect((lines[0] ?? "").length).toBeLessThan(10_000);
  });
});

test("scrubbing stays fast on text made to slow it down", () => {
  const hostile = [
    "x".repeat(50_000),
    "+1 ".repeat(20_000),
    "a_".repeat(30_000),
    '\\"'.repeat(20_000),
  ];
  for (const text of hostile) {
    const started = performance.now();
    scrub(text);
    expect(performance.now() - started).toBeLessThan(1_000);
  }
});
