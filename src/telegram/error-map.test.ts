import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import type { BotApiErrorFields } from "./bot-api-error.ts";
import { errorOfAnswer, errorOfProgress, type Progress, safeDescription } from "./error-map.ts";

const answer = (status: number, description: string, parameters?: object) =>
  errorOfAnswer("sendMessage", { error_code: status, description, parameters }, status);

describe("an answer of the Bot API", () => {
  const rows: Array<[number, string, object | undefined, Partial<BotApiErrorFields>]> = [
    [
      400,
      "Bad Request: group chat was upgraded to a supergroup chat",
      { migrate_to_chat_id: -1001234567890 },
      { kind: "chat-migrated", migrateToChatId: "-1001234567890" },
    ],
    [
      400,
      "Bad Request: query is too old and response timeout expired or query ID is invalid",
      undefined,
      { kind: "query-expired" },
    ],
    [
      400,
      "Bad Request: message is not modified: specified new message content is exactly the same",
      undefined,
      { kind: "not-modified" },
    ],
    [
      400,
      "Bad Request: can't parse entities: Can't find end of the entity starting at byte offset 5",
      undefined,
      { kind: "bad-entities" },
    ],
    [400, "Bad Request: chat not found", undefined, unreachable("chat-not-found")],
    [403, "Forbidden: bot was blocked by the user", undefined, unreachable("blocked")],
    [403, "Forbidden: bot was kicked from the supergroup chat", undefined, unreachable("kicked")],
    [403, "Forbidden: user is deactivated", undefined, unreachable("deactivated")],
    [
      403,
      "Forbidden: bot is not a member of the channel chat",
      undefined,
      unreachable("not-a-member"),
    ],
    [
      403,
      "Forbidden: bot can't initiate conversation with a user",
      undefined,
      unreachable("not-started"),
    ],
    [403, "Forbidden: the group chat was deleted", undefined, unreachable("chat-deleted")],
    [
      400,
      "Bad Request: not enough rights to send text messages to the chat",
      undefined,
      unreachable("no-rights"),
    ],
    [403, "Forbidden: something new", undefined, unreachable("forbidden")],
    [401, "Unauthorized", undefined, { kind: "unauthorized" }],
    [404, "Not Found", undefined, { kind: "not-found" }],
    [404, "Not Found: method not found", undefined, { kind: "bad-request" }],
    [409, "Conflict: terminated by other getUpdates request", undefined, { kind: "conflict" }],
    [
      429,
      "Too Many Requests: retry after 35",
      { retry_after: 35 },
      { kind: "rate-limited", retryAfterSeconds: 35 },
    ],
    [429, "Too Many Requests: retry after 4", undefined, { retryAfterSeconds: 4 }],
    [429, "Too Many Requests", { retry_after: 1.2 }, { retryAfterSeconds: 2 }],
    [429, "Too Many Requests", { retry_after: 1e300 }, { retryAfterSeconds: 604_800 }],
    [429, "Too Many Requests: retry after 999999999", {}, { retryAfterSeconds: 604_800 }],
    [429, "Too Many Requests", undefined, { kind: "rate-limited", retryAfterSeconds: undefined }],
    [400, "Bad Request: message text is empty", undefined, { kind: "bad-request" }],
    [400, "Bad Request: not enough rights to pin a message", undefined, { kind: "bad-request" }],
  ];
  test.each(rows)("%i %s", (status, description, parameters, expected) => {
    const error = answer(status, description, parameters);
    expect(error).toMatchObject({ ...expected, status, sent: "no", method: "sendMessage" });
  });

  test("an album stopped half-way, as a 400: wait, and nobody knows what of it is out", () => {
    expect(answer(400, "Bad Request: retry after 9")).toMatchObject({
      kind: "rate-limited",
      retryAfterSeconds: 9,
      sent: "unknown",
    });
  });

  test("a 5xx is unknown, even when it looks like another error", () => {
    expect(answer(500, "Internal Server Error")).toMatchObject({
      kind: "server-error",
      sent: "unknown",
    });
    expect(answer(502, "chat not found", { retry_after: 3 })).toMatchObject({
      kind: "server-error",
      sent: "unknown",
    });
  });

  test("nothing it may hold throws", () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (code, description, parameters) => {
        const shape = { error_code: code, description, parameters };
        const error = errorOfAnswer("getMe", shape, 400);
        expect(error.description.length).toBeLessThanOrEqual(200);
      }),
    );
  });
});

function unreachable(reason: BotApiErrorFields["reason"]): Partial<BotApiErrorFields> {
  return { kind: "chat-unreachable", reason };
}

describe("a description", () => {
  test.each([
    ['Bad Request: can\'t parse entities: Unsupported start tag "mallory" at byte offset 3'],
    ["Bad Request: inline keyboard button URL 'mallory' is invalid: Wrong HTTP URL"],
    ["Bad Request: inline keyboard button URL 'mallory"],
    ["Bad Request: wrong HTTP URL https://example.org/mallory specified"],
    ["Bad Request: tag <mallory> is not closed"],
    ["Bad Request: call https://api.telegram.org/bot1:mallory/x"],
  ])("%s: what it quotes is left out", (description) => {
    expect(safeDescription(description)).not.toContain("mallory");
    expect(safeDescription(description)).toContain("Bad Request: ");
  });

  test("keeps the apostrophe of can't", () => {
    expect(safeDescription("Bad Request: can't parse entities: it's late")).toBe(
      "Bad Request: can't parse entities: it's late",
    );
  });

  test("keeps no token", () => {
    const token = "123456789:AAHfakefakefakefakefakefakefakefakefak";
    expect(safeDescription(`wrong token ${token} given`)).not.toContain("AAHfake");
  });
});

describe("a call without a readable answer", () => {
  const rows: Array<[string, Progress, Partial<BotApiErrorFields>]> = [
    [
      "refused",
      { ended: "transport", left: false, complete: false, code: "ECONNREFUSED" },
      { kind: "not-sent", sent: "no" },
    ],
    [
      "no such host",
      { ended: "transport", left: false, complete: false, code: "ENOTFOUND" },
      { kind: "not-sent", sent: "no" },
    ],
    [
      "no connection in time",
      { ended: "deadline", left: false, complete: false },
      { kind: "timeout", sent: "no" },
    ],
    [
      "stopped before it left",
      { ended: "caller", left: false, complete: false },
      { kind: "aborted", sent: "no" },
    ],
    [
      "no answer in time",
      { ended: "deadline", left: true, complete: false },
      { kind: "timeout", sent: "unknown" },
    ],
    [
      "stopped after it left",
      { ended: "caller", left: true, complete: false },
      { kind: "aborted", sent: "unknown" },
    ],
    [
      "reset after it left",
      { ended: "transport", left: true, complete: false, code: "ECONNRESET" },
      { kind: "connection-lost", sent: "unknown" },
    ],
    [
      "reset inside a 200",
      { ended: "transport", left: true, complete: false, status: 200 },
      { kind: "connection-lost", sent: "yes" },
    ],
    [
      "reset inside a 400",
      { ended: "transport", left: true, complete: false, status: 400 },
      { kind: "connection-lost", sent: "no" },
    ],
    [
      "a 5xx",
      { ended: "transport", left: true, complete: true, status: 502 },
      { kind: "server-error", sent: "unknown" },
    ],
    [
      "a proxy's 403",
      { ended: "transport", left: true, complete: true, status: 403 },
      { kind: "bad-answer", sent: "no" },
    ],
    [
      "a proxy's 200",
      { ended: "transport", left: true, complete: true, status: 200 },
      { kind: "bad-answer", sent: "unknown" },
    ],
    [
      "a redirect",
      { ended: "transport", left: true, complete: true, status: 302, redirected: true },
      { kind: "bad-answer", sent: "no" },
    ],
    [
      "a 200 too large to read",
      { ended: "transport", left: true, complete: false, status: 200, tooLarge: true },
      { kind: "bad-answer", sent: "yes" },
    ],
  ];
  test.each(rows)("%s", (_name, progress, expected) => {
    expect(errorOfProgress("sendMessage", progress)).toMatchObject(expected);
  });

  test("what may have left is never called unsent, but where an answer says so", () => {
    const progress = fc.record({
      ended: fc.constantFrom("deadline" as const, "caller" as const, "transport" as const),
      left: fc.constant(true),
      complete: fc.boolean(),
      status: fc.option(fc.constantFrom(200, 201, 500, 502, 599), { nil: undefined }),
    });
    fc.assert(
      fc.property(progress, (one) => {
        expect(errorOfProgress("sendMessage", one).sent).not.toBe("no");
      }),
    );
  });
});
