import { describe, expect, test } from "@jest/globals";
import { SealError } from "../platform/index.ts";
import { BotApiError, type BotApiErrorFields } from "../telegram/index.ts";
import { expiredResult, resultOfError } from "./send-result.ts";

const NOW = 1_000_000;
const error = (fields: Partial<BotApiErrorFields>) =>
  new BotApiError({
    kind: "bad-request",
    method: "sendMessage",
    status: 400,
    description: "said Telegram",
    sent: "no",
    ...fields,
  });
const decide = (fields: Partial<BotApiErrorFields>, policy: "resend" | "hold" = "hold") =>
  resultOfError(error(fields), policy, NOW);

describe("what an answer of Telegram means for the message", () => {
  test("429 waits as long as told and spends no attempt", () => {
    expect(decide({ kind: "rate-limited", retryAfterSeconds: 7 })).toMatchObject({
      attempt: "rate-limited",
      retryAfterS: 7,
      outcome: { type: "pause", untilMs: NOW + 7_000 },
    });
  });

  test("a migrated group: its new id, and again at once", () => {
    expect(decide({ kind: "chat-migrated", migrateToChatId: "-100" })).toMatchObject({
      migratedTo: "-100",
      outcome: { type: "pause", untilMs: NOW },
    });
  });

  test("blocked, kicked, gone: failed for good, in words for people", () => {
    const result = decide({ kind: "chat-unreachable", reason: "blocked", status: 403 });
    expect(result).toMatchObject({ unreachable: true, outcome: { type: "discard" } });
    expect(result.error).toContain("blocked the bot");
  });

  test("a token that cannot be opened spends nothing: its key may come back", () => {
    const result = resultOfError(new SealError("connectors.token_sealed of row 1"), "hold", 1_000);
    expect(result).toMatchObject({
      attempt: "not-sent",
      unauthorized: false,
      outcome: { type: "pause", untilMs: 61_000 },
    });
  });

  test.each(["unauthorized", "not-found"] as const)(
    "%s: the bot waits, the message too",
    (kind) => {
      expect(decide({ kind })).toMatchObject({ unauthorized: true, outcome: { type: "pause" } });
    },
  );

  test("not modified is success; a query too old is dropped", () => {
    expect(decide({ kind: "not-modified" })).toMatchObject({
      attempt: "sent",
      outcome: { type: "complete" },
    });
    expect(decide({ kind: "query-expired" })).toMatchObject({
      attempt: "failed",
      outcome: { type: "complete" },
    });
  });

  test.each(["server-error", "timeout", "connection-lost", "bad-answer", "aborted"] as const)(
    "%s after it left is unknown: the message's policy decides",
    (kind) => {
      expect(decide({ kind, sent: "unknown" }, "hold")).toMatchObject({
        attempt: "unknown",
        outcome: { type: "discard", errorClass: "Unknown" },
      });
      expect(decide({ kind, sent: "unknown" }, "resend")).toMatchObject({
        attempt: "unknown",
        outcome: { type: "retry", errorClass: "Unknown" },
      });
    },
  );

  test("refused before it left waits and spends no attempt, whatever the policy", () => {
    expect(decide({ kind: "not-sent", sent: "no" }, "resend")).toMatchObject({
      attempt: "not-sent",
      outcome: { type: "pause" },
    });
  });

  test("an answer that broke off after Telegram had said yes is sent, not sent again", () => {
    expect(decide({ kind: "connection-lost", sent: "yes" }, "resend")).toMatchObject({
      attempt: "sent",
      outcome: { type: "complete" },
    });
  });

  test("over before it left: failed for good; unless it may have left before, which nobody unsays", () => {
    const expiresAt = new Date(NOW);
    const outcome = { type: "discard", errorClass: "expired" };
    const failed = expiredResult({ expiresAt, mayBeSent: false });
    expect(failed).toMatchObject({ attempt: "not-sent", errorClass: "expired", outcome });
    expect(failed.error).toContain(expiresAt.toISOString());
    expect(expiredResult({ expiresAt, mayBeSent: true })).toMatchObject({
      attempt: "not-sent",
      errorClass: "Unknown",
      outcome: { type: "discard" },
    });
  });

  test("an error of ours is not mistaken for Telegram's", () => {
    expect(() => resultOfError(new TypeError("bug"), "hold", NOW)).toThrow("bug");
  });
});
