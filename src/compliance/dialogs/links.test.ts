import { describe, expect, test } from "@jest/globals";
import { fc } from "../../../test/support/property.ts";
import type { MessageEntity } from "../../conversations/index.ts";
import { findLinks, MAX_LINK_LENGTH, MAX_LINKS } from "./links.ts";
import { TEXTS_EN } from "./texts-en.ts";

const links = (text: string) => findLinks(text, null);
const behind = (text: string, url: string) =>
  findLinks(text, [{ type: "text_link", offset: 0, length: text.length, url }]);

describe("a message of links", () => {
  test.each([
    ["https://example.com", ["https://example.com/"]],
    ["HTTP://Example.com:80/a%20b", ["http://example.com/a%20b"]],
    ["  https://example.com/a?b=c#d.\n", ["https://example.com/a?b=c#d"]],
    [
      "https://a.example/1, https://b.example/2;\nhttps://a.example/1",
      ["https://a.example/1", "https://b.example/2", "https://a.example/1"],
    ],
    ["https://bücher.example/größe", ["https://xn--bcher-kva.example/gr%C3%B6%C3%9Fe"]],
    ["https://example.com/ن\u200Cا", ["https://example.com/%D9%86%E2%80%8C%D8%A7"]],
    ["http://10.0.0.1/intranet", ["http://10.0.0.1/intranet"]],
    ["http://[::1]:8080/a_b http://my_host/", ["http://[::1]:8080/a_b", "http://my_host/"]],
  ])("%j", (text, expected) => expect(links(text)).toEqual({ links: expected }));

  test("has what lies behind words, where Telegram says so, and not what they look like", () => {
    expect(behind("https://good.example", "https://other.example/")).toEqual({
      links: ["https://other.example/"],
    });
    const text = "Report and https://b.example";
    const of = (length: number): MessageEntity[] => [
      { type: "text_link", offset: 0, length, url: "https://a.example/r" },
      { type: "url", offset: 11, length: 17 },
    ];
    expect(findLinks(text, of(10))).toEqual({
      links: ["https://a.example/r", "https://b.example/"],
    });
    // Words are left.
    expect(findLinks(text, of(6))).toBeNull();
  });

  test.each([
    "",
    "  \n",
    "...",
    "Quarterly report",
    "see https://example.com",
    "https://example.com (signed)",
    "example.com",
    "note:signed",
    "https://",
    "https://exam\nple.com/x",
    "data: as of May",
  ])("is none: %j", (text) => expect(links(text)).toBeNull());

  test("entities that are not of this text are none", () => {
    const entity = { type: "text_link", url: "https://a.example" };
    for (const [offset, length] of [
      [0, 99],
      [-1, 3],
      [1, 0],
      [0.5, 2],
      ["0", "2"],
    ] as const) {
      expect(findLinks("Report", [{ ...entity, offset, length }])).toBeNull();
    }
    const twice = [0, 2].map((offset) => ({ ...entity, offset, length: 4 }));
    expect(findLinks("Report", twice)).toBeNull();
  });
});

test.each([
  ["javascript:alert(1)", "scheme"],
  ["JavaScript:alert(1)//https://example.com", "scheme"],
  ["file:///etc/passwd", "scheme"],
  ["tg://resolve?domain=a", "scheme"],
  ["data:text/html,<script>", "scheme"],
  ["ftp://files.example/a", "scheme"],
  ["https://ada@example.com/", "credentials"],
  ["https://ada:secret@example.com/", "credentials"],
  ["https://:secret@example.com/", "credentials"],
  ["https://example.com/\u202Egpj.exe", "unseen"],
  ["https://example.com/\u200Ba", "unseen"],
  // What the receiver makes of NUL.
  ["https://example.com/\uFFFD", "unseen"],
  ["https://[::1/", "malformed"],
  ["https://example.com:99999/", "malformed"],
  ["https://a.example,https://b.example", "malformed"],
  [`https://example.com/${"a".repeat(4_000)}`, "too-long"],
  // Longer once it is ASCII.
  [`https://example.com/${"ü".repeat(400)}`, "too-long"],
  [`https://example.com/ ${"https://example.com/ ".repeat(MAX_LINKS)}`, "too-many"],
  ["https://example.com/ javascript:alert(1)", "scheme"],
] as const)("%s is refused: %s", (text, fault) => {
  expect(links(text)).toEqual({ fault });
  expect(TEXTS_EN.linksRefused[fault]).toContain("Nothing was taken");
});

test.each([
  ["tg://user?id=1", "scheme"],
  ["javascript:alert(1)", "scheme"],
  ["https://a.example/\r\nhttps://b.example/", "unseen"],
  ["https://a.example/\tb", "unseen"],
  ["//a.example", "scheme"],
] as const)("%j behind a word is refused: %s", (url, fault) => {
  expect(behind("Report", url)).toEqual({ fault });
});

test("whatever somebody writes, what is taken is a few plain addresses of the web", () => {
  const piece = fc.oneof(
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
    fc.string({ unit: "binary", maxLength: 20 }).map((path) => `https://example.com/${path}`),
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom("https://", "javascript:", "@", "\u202E", "\0", "http://a:b@c/", "https:///x"),
  );
  const entity = fc.record({
    type: fc.constantFrom("text_link", "url"),
    offset: fc.integer({ min: -2, max: 60 }),
    length: fc.integer({ min: -2, max: 60 }),
    url: piece,
  });
  let taken = 0;
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.array(entity, { maxLength: 3 }),
      (some, es) => {
        const found = findLinks(some.join(" "), es);
        if (found === null || "fault" in found) return;
        taken++;
        expect(found.links.length).toBeGreaterThan(0);
        expect(found.links.length).toBeLessThanOrEqual(MAX_LINKS);
        for (const link of found.links) {
          expect(link).toMatch(/^https?:\/\/[!-~]+$/);
          expect(link.length).toBeLessThanOrEqual(MAX_LINK_LENGTH);
          const { username, password, hostname } = new URL(link);
          expect([username, password, hostname === ""]).toEqual(["", "", false]);
        }
      },
    ),
  );
  expect(taken).toBeGreaterThan(0);
});
