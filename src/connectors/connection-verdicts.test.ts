import { describe, expect, test } from "@jest/globals";
import { BotApiError, type BotApiErrorKind } from "../telegram/index.ts";
import {
  pollingVerdict,
  reachabilityVerdict,
  rightsVerdict,
  tokenVerdict,
  trouble,
  webhookVerdict,
} from "./connection-verdicts.ts";

const NOW_MS = 1_790_000_000_000;
const URL = "https://bots.example.com/webhooks/telegram/key";

describe("reachability, as Telegram sees it", () => {
  const at = (message: string | undefined, agoS: number) =>
    reachabilityVerdict(
      message === undefined
        ? {}
        : { last_error_message: message, last_error_date: NOW_MS / 1_000 - agoS },
      NOW_MS,
    );

  test.each([
    ["SSL error {error:0A000086:SSL routines::certificate verify failed}", /certificate/],
    ["Connection timed out", /in time/],
    ["Connection refused", /firewall/],
    ["Failed to resolve host: Name or service not known", /DNS/],
    ["Wrong response from the webhook: 401 Unauthorized", /secret/],
    ["Wrong response from the webhook: 404 Not Found", /paths/],
    ["Wrong response from the webhook: 302 Found", /redirects/],
    ["Wrong response from the webhook: 502 Bad Gateway", /web process/],
    ["Something nobody has seen", /from the internet/],
  ])("%s", (message, hint) => {
    const check = at(message, 60);
    expect(check.ok).toBe(false);
    expect(check.detail).toMatch(hint);
  });

  test("an old failure is no trouble any more, none is none, and no address is repeated", () => {
    expect(at("Connection timed out", 20 * 60)).toMatchObject({ ok: true });
    expect(at(undefined, 0)).toMatchObject({ ok: true });
    expect(at(`could not reach ${URL}`, 1).detail).not.toContain("key");
    // A clock that is ahead of Telegram's, or behind it.
    expect(at("Connection timed out", -600).detail).toContain("a moment ago");
  });
});

describe("the webhook", () => {
  const kinds = ["message", "callback_query"];
  const info = { url: URL, allowed_updates: kinds, pending_update_count: 3 };
  test("as registered, it is well, and what waits is told", () => {
    expect(webhookVerdict(info, URL, kinds)).toMatchObject({
      ok: true,
      detail: expect.stringContaining("3 updates wait"),
    });
  });
  test.each([
    [{ ...info, url: "" }, URL, /no webhook/],
    [{ ...info, url: "https://elsewhere.example.com" }, URL, /another address/],
    [{ ...info, allowed_updates: ["message"] }, URL, /not deliver: callback_query/],
    [{ url: URL }, URL, /not deliver: message, callback_query/],
    [info, null, /not registered/],
  ])("%j is a trouble", (found, registered, words) => {
    const check = webhookVerdict(found, registered, kinds);
    expect(check.ok).toBe(false);
    expect(check.detail).toMatch(words);
    expect(check.detail).not.toContain("example.com");
  });
});

describe("polling", () => {
  test("is well without a webhook, and what waits is told; with one it cannot go on", () => {
    expect(pollingVerdict({ url: "", pending_update_count: 3 })).toMatchObject({
      ok: true,
      detail: expect.stringContaining("3 updates wait"),
    });
    const check = pollingVerdict({ url: URL });
    expect(check).toMatchObject({ ok: false, detail: expect.stringMatching(/taken back/) });
    expect(check.detail).not.toContain("example.com");
  });
});

describe("rights in a chat", () => {
  const group = { chatId: "-100", type: "supergroup", title: "Ops" };
  const channel = { ...group, type: "channel" };
  test.each([
    [group, { status: "administrator" }, false, true],
    [group, { status: "member" }, true, true],
    [group, { status: "member" }, false, false],
    [group, { status: "restricted", is_member: true, can_send_messages: true }, true, true],
    [group, { status: "restricted", is_member: true, can_send_messages: false }, true, false],
    [group, { status: "restricted", is_member: false, can_send_messages: true }, true, false],
    [group, { status: "left" }, true, false],
    [group, { status: "kicked" }, true, false],
    [channel, { status: "administrator", can_post_messages: true }, true, true],
    [channel, { status: "administrator" }, true, false],
    [channel, { status: "member" }, true, false],
  ])("%j %j, all messages %s: %s", (chat, own, seesAll, ok) => {
    expect(rightsVerdict(chat, own, seesAll)).toMatchObject({ name: "chat -100", ok });
  });
});

test("the token of another bot", () => {
  expect(tokenVerdict({ id: 7, username: "desk_bot" }, "7").ok).toBe(true);
  expect(tokenVerdict({ id: 8 }, "7").ok).toBe(false);
});

test.each<[BotApiErrorKind, RegExp]>([
  ["unauthorized", /@BotFather/],
  ["rate-limited", /wait 30 seconds/],
  ["timeout", /in time/],
  ["not-sent", /network/],
  ["bad-answer", /not Telegram/],
  ["server-error", /trouble of its own/],
  ["bad-request", /refuses it: nope/],
])("a call that fails with %s says what to do", (kind, words) => {
  const fields = { kind, method: "getMe", status: 0, description: "nope", sent: "no" } as const;
  const check = trouble("token", new BotApiError({ ...fields, retryAfterSeconds: 30 }));
  expect(check).toMatchObject({ name: "token", ok: false, detail: expect.stringMatching(words) });
});
