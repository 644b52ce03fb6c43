import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createLogger, silentLogger } from "../platform/index.ts";
import { callSettings, tellOfCall, withinAttempts } from "./call-settings.ts";
import type { SendAttempt } from "./send-attempts.ts";
import { sentResult, unknownResult } from "./send-result.ts";

const DEBUG = {
  level: "debug",
  apiTimeout: 60,
  retryAttempts: 3,
  detailedLogs: true,
  until: "2026-12-01T00:00:00Z",
} as const;
const EVERYBODYS = { connectorId: "c", timeoutMs: 15_000, log: silentLogger };

describe("how a bot's calls are made", () => {
  test("as everybody's, unless it is being debugged", () => {
    expect(callSettings(null, EVERYBODYS)).toEqual({
      timeoutMs: 15_000,
      maxAttempts: null,
      log: null,
    });
    expect(callSettings(DEBUG, EVERYBODYS)).toMatchObject({ timeoutMs: 60_000, maxAttempts: 3 });
  });

  test("the last attempt allowed is no retry; a pause is no attempt", () => {
    const calls = callSettings(DEBUG, EVERYBODYS);
    const retry = { type: "retry", errorClass: "Unknown", error: "why" } as const;
    expect(withinAttempts(retry, { attempts: 1 }, calls)).toEqual(retry);
    expect(withinAttempts(retry, { attempts: 2 }, calls)).toEqual({ ...retry, type: "discard" });
    const pause = { type: "pause", untilMs: 1, reason: "rate-limited" } as const;
    expect(withinAttempts(pause, { attempts: 9 }, calls)).toEqual(pause);
    expect(withinAttempts(retry, { attempts: 8 }, callSettings(null, EVERYBODYS))).toEqual(retry);
  });

  test("what is told of a call: its outcome, whatever the process logs, and nothing that was said", () => {
    const message = {
      id: "m",
      kind: "message",
      chat_id: "4711",
      text: "my secret",
      entities: null,
      cuts: null,
      parts_sent: 0,
    };
    const attempt = { message } as SendAttempt;
    const job = { id: "1", attempts: 0 } as Parameters<typeof tellOfCall>[1];
    const told = (debug: typeof DEBUG | { detailedLogs: false } | { level: "error" }) => {
      const lines: string[] = [];
      const log = createLogger({
        level: "error",
        pretty: false,
        write: (line) => lines.push(line),
      });
      const calls = callSettings({ ...DEBUG, ...debug }, { ...EVERYBODYS, log });
      tellOfCall(calls, job, attempt, sentResult({ text: "my secret" }), 12.4);
      tellOfCall(calls, job, attempt, unknownResult("hold", "timeout"), 60_000);
      return lines;
    };
    const lines = told(DEBUG);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: "debug", connectorId: "c", messageId: "m", outcome: "sent", runMs: 12, attempt: 1 },
      { level: "warn", outcome: "unknown", errorClass: "Unknown", timeoutMs: 60_000 },
    ]);
    expect(lines.join()).not.toMatch(/my secret|4711/);
    expect(told({ detailedLogs: false })).toHaveLength(1);
    expect(told({ level: "error" })).toHaveLength(0);
  });
});

describe("a bot that is being debugged", () => {
  let world: TestSystem;
  beforeAll(async () => {
    world = await startTestSystem();
  });
  afterEach(() => world.sandbox.clearFaults());
  afterAll(() => world.close());

  test("its calls end after its own time, and it is given up after its own attempts", async () => {
    const bot = await world.connectBot();
    const debug = { apiTimeout: 1, retryAttempts: 2, level: "error" };
    await world.api("PATCH", `/v1/connectors/${bot.connectorId}`, { debug });
    world.sandbox.fault({ botId: bot.id, method: "sendMessage", answer: "hang", times: 5 });
    const message = { connectorId: bot.connectorId, chatId: "5", text: "hi", priority: "high" };
    const { id } = (await world.api("POST", "/v1/messages", message)).body as { id: string };
    const read = async () =>
      (await world.api("GET", `/v1/messages/${id}`)).body as { state: string; attempts: number };
    await waitFor(async () => (await read()).state === "unknown", {
      timeoutMs: 20_000,
      what: "the message to be given up",
    });
    expect(await read()).toMatchObject({ attempts: 2 });
    const rows = await world.system.db.query<{ ms: number }>(
      `SELECT (extract(epoch FROM deadline_at - started_at) * 1000)::int AS ms
       FROM send_attempts WHERE message_id = $1`,
      [id],
    );
    expect(rows).toHaveLength(2);
    for (const { ms } of rows) expect(Math.abs(ms - 4_000)).toBeLessThan(1_000);
  });
});
