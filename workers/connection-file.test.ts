import { readFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import { nearestWord, projectFile } from "../src/platform/index.ts";
import { fc, runs } from "../test/support/property.ts";
import { ConnectionFileError, MAX_FILE_BYTES, readConnection } from "./connection-file.ts";

const SECRET = "ABCdefGHIjklMNOpqrsTUVwxyz0123456789";
const TOKEN = `1234567890:${SECRET}`;

const read = (text: string) => readConnection(Buffer.from(text), "Desk");
/** What is said of a file that cannot be taken: in one line, without its token. */
function refusal(bytes: string | Uint8Array): string {
  try {
    readConnection(typeof bytes === "string" ? Buffer.from(bytes) : bytes, "Desk");
  } catch (error) {
    expect(error).toBeInstanceOf(ConnectionFileError);
    const { message } = error as Error;
    expect(message).not.toContain("\n");
    expect(message).not.toMatch(/ABCdef|TUVwxyz|0123456789/);
    expect(message.length).toBeLessThan(1_500);
    return message;
  }
  throw new Error("the file was taken");
}
const telegram = (...lines: string[]) =>
  ["telegram_config:", `  bot_token: "${TOKEN}"`, ...lines.map((line) => `  ${line}`)].join("\n");

describe("a connection in YAML", () => {
  test("the example: every key is taken, or told why not", async () => {
    const text = await readFile(projectFile("examples/connection.yaml"), "utf8");
    const { given, taken, ignored, webhookOrigin } = read(text);
    expect(given).toEqual({
      name: "Desk",
      botToken: expect.stringMatching(/^\d+:/),
      defaultChatId: "@our_team",
      notificationChats: {
        critical: "@our_alerts",
        reports: "@our_reports",
        general: "@our_team",
      },
      maxMessageLength: 4_096,
      debug: {
        level: "debug",
        apiTimeout: 60,
        retryAttempts: 3,
        detailedLogs: true,
        until: expect.stringMatching(/^20/),
      },
    });
    expect(taken.map(({ as }) => as)).toEqual([
      "botToken",
      "defaultChatId",
      "notificationChats",
      "maxMessageLength",
      "debug.level",
      "debug.apiTimeout",
      "debug.retryAttempts",
      "debug.detailedLogs",
    ]);
    expect(ignored).toEqual([]);
    expect(webhookOrigin).toBe("https://bots.example.com");
  });

  test("a token alone is enough; debugging that is not on is told", () => {
    expect(read(telegram()).given).toEqual({ name: "Desk", botToken: TOKEN });
    const { given, ignored } = read(
      `${telegram()}\ndebug_config:\n  enabled: false\n  api_timeout: 5`,
    );
    expect(given).not.toHaveProperty("debug");
    expect(ignored).toEqual([
      { key: "debug_config.api_timeout", why: "debug_config.enabled is not true" },
    ]);
  });

  test("a byte order mark, CRLF, comments, JSON and chats by number are fine", () => {
    const text = `\uFEFF# ours\r\n${telegram("default_chat_id: -1001234567890").replaceAll("\n", "\r\n")}`;
    expect(read(text).given).toMatchObject({ botToken: TOKEN, defaultChatId: "-1001234567890" });
    const json = JSON.stringify({ telegram_config: { bot_token: TOKEN } });
    expect(read(json).given.botToken).toBe(TOKEN);
    expect(read(`telegram_config: {bot_token: ${TOKEN}}`).given.botToken).toBe(TOKEN);
  });

  test.each<[string, string, RegExp]>([
    ["nothing", "", /telegram_config/],
    ["a list", "- a", /line 1 has to hold keys with values/],
    [
      "no token",
      "telegram_config:\n  max_message_length: 5",
      /telegram_config\.bot_token is missing/,
    ],
    ["a section that holds nothing", "telegram_config:", /telegram_config has to hold keys/],
    ["a key twice", telegram(`bot_token: "${TOKEN}"`), /line 3.* there already/],
    [
      "a key misspelt",
      telegram("max_mesage_length: 5"),
      /line 3 .*\(max_mesage_length\): is max_message_length meant\?/,
    ],
    [
      "a section misspelt",
      `${telegram()}\ndebug_conf:\n  enabled: true`,
      /line 3 .*is debug_config meant\?/,
    ],
    [
      "a key that is like none",
      telegram("colour: red"),
      /line 3 .*known are bot_token, webhook_url/,
    ],
    ["a token for a key", `telegram_config:\n  "${TOKEN}": x`, /line 2 has a key/],
    ["half a token for a key", `telegram_config:\n  ${SECRET}: x`, /line 2 has a key/],
    [
      "a number for text",
      "telegram_config:\n  bot_token: 5",
      /line 2, telegram_config\.bot_token has to be text/,
    ],
    ["text for a number", telegram('max_message_length: "many"'), /line 3, .* a whole number/],
    ["a fraction", telegram("max_message_length: 1.5"), /line 3, .* a whole number/],
    [
      "yes",
      `${telegram()}\ndebug_config:\n  enabled: yes`,
      /line 4, debug_config\.enabled has to be true or false/,
    ],
    [
      "too long",
      telegram("max_message_length: 5000"),
      /line 3, telegram_config\.max_message_length: /,
    ],
    [
      "a token of another shape",
      `telegram_config:\n  bot_token: "${SECRET}"`,
      /line 2, telegram_config\.bot_token: looks like/,
    ],
    [
      "a token over two lines",
      `telegram_config:\n  bot_token: "${TOKEN}\\n${TOKEN}"`,
      /line 2, .*bot_token/,
    ],
    ["@ without quotes", telegram("default_chat_id: @team"), /line 3 .*quotes/],
    [
      "a chat that is none",
      telegram('default_chat_id: "our team"'),
      /line 3, telegram_config\.default_chat_id: /,
    ],
    [
      "a kind's chat that is none",
      telegram("notification_chats:", "  critical: [1]"),
      /line 4, telegram_config\.notification_chats\.critical has to be/,
    ],
    [
      "a kind that is no word",
      telegram("notification_chats:", '  "a b": "@team"'),
      /line 3, telegram_config\.notification_chats/,
    ],
    [
      "a level that is none",
      `${telegram()}\ndebug_config:\n  enabled: true\n  log_level: loud`,
      /line 5, debug_config\.log_level: /,
    ],
    [
      "a webhook that is no address",
      telegram("webhook_url: /telegram"),
      /line 3, telegram_config\.webhook_url/,
    ],
    [
      "an anchor and its alias",
      `a: &t ${TOKEN}\ntelegram_config:\n  bot_token: *t`,
      /line 1 has a key .*; line 3, telegram_config\.bot_token is an alias/,
    ],
    ["an alias of nothing", "telegram_config: *gone", /line 1/],
    ["a merge", `${telegram()}\n  <<: {max_message_length: 5}`, /line 3 has a key/],
    ["tabs", `telegram_config:\n\tbot_token: "${TOKEN}"`, /line 2 .*tab/],
    [
      "a quote that does not end",
      `telegram_config:\n  bot_token: "${TOKEN}\n  max_message_length: 5`,
      /line \d+/,
    ],
    ["two documents", `${telegram()}\n---\n${telegram()}`, /line 3 .*second document/],
    ["a tag of its own", `telegram_config:\n  bot_token: !secret "${TOKEN}"`, /line 2/],
    ["brackets without end", "[".repeat(60_000), /line 1|nested/],
    ["maps without end", "{a: ".repeat(15_000), /line 1|nested/],
  ])("with %s is refused by line and key", (_, text, words) => {
    expect(refusal(text)).toMatch(words);
  });

  test("a bomb of aliases is refused at once", () => {
    const names = "abcdefghijklmnop".split("");
    const bomb = names.map((name, n) => {
      const before = names[n - 1];
      const value = before ? Array(9).fill(`*${before}`).join(", ") : Array(9).fill("x").join(", ");
      return `${name}: &${name} [${value}]`;
    });
    expect(refusal(`${bomb.join("\n")}\n${telegram()}`)).toMatch(/line 1 has a key/);
  });

  test("what is not UTF-8, or too large to be one, is refused", () => {
    expect(refusal(Buffer.from(`telegram_config: é`, "latin1"))).toMatch(/not UTF-8/);
    expect(refusal(Buffer.from(`\uFEFF${telegram()}`, "utf16le"))).toMatch(/not UTF-8/);
    expect(refusal(Buffer.alloc(10 * 1_024 * 1_024, 97))).toMatch(/larger than 64 KB/);
    expect(refusal(Buffer.alloc(MAX_FILE_BYTES + 1, 32))).toMatch(/larger than 64 KB/);
    expect(refusal("a\0b: \0")).toMatch(/line 1/);
  });

  test("whatever is in a file, it is read, or refused in one line without its token", () => {
    const piece = fc.constantFrom(
      "telegram_config:",
      "bot_token",
      ": ",
      "\n",
      "  ",
      "\t",
      `"${TOKEN}"`,
      TOKEN,
      "debug_config:",
      "- ",
      "{",
      "}",
      "[",
      "]",
      "&a ",
      "*a",
      "!!binary ",
      "|",
      ">",
      "'",
      '"',
      "#",
      "---\n",
      "? ",
      "%YAML 9\n",
      "@x",
      "true",
      "5",
      "\0",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
        try {
          readConnection(Buffer.from(pieces.join("")), "Desk");
        } catch {
          refusal(pieces.join(""));
        }
      }),
      { numRuns: runs(500) },
    );
  });
});

test.each([
  ["max_mesage_length", "max_message_length"],
  ["token", undefined],
  ["", undefined],
  ["bottoken", "bot_token"],
])("%j was meant to be %j", (word, meant) => {
  expect(nearestWord(word, ["bot_token", "max_message_length"])).toBe(meant);
});
