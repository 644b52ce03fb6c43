import { describe, expect, test } from "@jest/globals";
import { ConnectorRemoved } from "../../connectors/index.ts";
import { LANGUAGES } from "../../platform/index.ts";
import { BotApiError, type BotApiErrorKind } from "../../telegram/index.ts";
import { DownloadFault, FAULTS, type FaultKind, outcomeOfFault } from "./fault.ts";
import { faultOfTelegram, type Step } from "./telegram-fault.ts";
import { faultText, textsIn } from "./texts.ts";

const NOW_MS = Date.parse("2026-01-02T03:04:05Z");
const HOUR_MS = 3_600_000;

const outcome = (kind: FaultKind, { attempts = 0, ageMs = 0, gotFurther = false } = {}) => {
  const fault = new DownloadFault(kind, { gotFurther });
  return outcomeOfFault(fault, { attempts, createdAt: new Date(NOW_MS - ageMs) }, NOW_MS);
};

describe("what becomes of the job", () => {
  test("what will pass waits, longer and longer, and spends an attempt only after a day", () => {
    const waitMs = (ageMs: number) => {
      const found = outcome("telegram-away", { ageMs });
      return found.type === "pause" ? found.untilMs - NOW_MS : found.type;
    };
    expect([0, 60_000, HOUR_MS, 23 * HOUR_MS].map(waitMs)).toEqual([
      5_000, 12_000, 300_000, 300_000,
    ]);
    expect(waitMs(25 * HOUR_MS)).toBe("retry");
    // By another clock it was enqueued later than now.
    expect(waitMs(-HOUR_MS)).toBe(5_000);
  });

  test("a rule refuses for good without a dead letter; a few tries are enough for what is not there", () => {
    expect(outcome("too-large")).toEqual({ type: "complete" });
    expect(outcome("gone")).toEqual({ type: "complete" });
    expect(outcome("too-large-for-bots").type).toBe("discard");
    expect([0, 1, 2].map((attempts) => outcome("not-there", { attempts }).type)).toEqual([
      "retry",
      "retry",
      "discard",
    ]);
    expect(outcome("broken-off").type).toBe("retry");
    expect(outcome("broken-off", { gotFurther: true })).toMatchObject({ untilMs: NOW_MS });
    expect(outcome("stopped", { ageMs: 48 * HOUR_MS })).toMatchObject({ type: "pause" });
  });

  test("every fault is told in words, in every language, wherever it may end", () => {
    for (const [kind, { next, waits }] of Object.entries(FAULTS)) {
      if (next === "forget") continue;
      for (const language of LANGUAGES) {
        const told = faultText(textsIn(language), new DownloadFault(kind as FaultKind).ending);
        expect([kind, told]).toEqual([kind, expect.stringMatching(/\.$/)]);
      }
      if (["wait", "retry", "few"].includes(next)) expect(waits).toMatch(/\.$/);
    }
  });
});

describe("what a failure of Telegram's means for a file", () => {
  const botApiError = (kind: BotApiErrorKind, description = "words", retryAfterSeconds?: number) =>
    new BotApiError({
      kind,
      method: "getFile",
      status: 0,
      description,
      sent: "no",
      retryAfterSeconds,
    });
  const cases: [Step, BotApiErrorKind, string, FaultKind][] = [
    ["getFile", "bad-request", "Bad Request: file is too big", "too-large-for-bots"],
    [
      "getFile",
      "bad-request",
      "Bad Request: wrong file_id or the file is temporarily unavailable",
      "not-there",
    ],
    ["getFile", "bad-request", "Bad Request: invalid file_id", "not-there"],
    ["getFile", "unauthorized", "Unauthorized", "token-refused"],
    ["getFile", "not-found", "Not Found", "token-refused"],
    ["getFile", "server-error", "HTTP 502", "telegram-away"],
    ["getFile", "timeout", "no answer in time", "telegram-away"],
    ["open", "not-found", "Not Found", "not-there"],
    ["open", "not-sent", "no connection", "telegram-away"],
    ["open", "bad-request", "HTTP 416", "changed"],
    ["read", "connection-lost", "connection lost", "broken-off"],
    ["read", "timeout", "no answer in time", "broken-off"],
    ["read", "aborted", "ended by the caller", "stopped"],
  ];
  test.each(cases)("%s: %s, %s: %s", (step, kind, description, fault) => {
    expect(faultOfTelegram(botApiError(kind, description), step, NOW_MS)?.kind).toBe(fault);
  });

  test("a 429 waits as long as it says; what is none of Telegram's is none of its faults", () => {
    const limited = faultOfTelegram(botApiError("rate-limited", "wait", 7), "getFile", NOW_MS);
    expect(limited).toMatchObject({ kind: "rate-limited", untilMs: NOW_MS + 7_000 });
    const removed = faultOfTelegram(new ConnectorRemoved("connector a"), "getFile", NOW_MS);
    expect(removed?.kind).toBe("connector-removed");
    expect(faultOfTelegram(new Error("ours"), "read", NOW_MS)).toBeNull();
  });
});
