import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../test/support/property.ts";
import { detectEntities, entityText } from "./entities.ts";
import { BotApiRefusal } from "./errors.ts";
import { parseHtml } from "./markup-html.ts";
import { parseMarkdown, parseMarkdownV2 } from "./markup-markdown.ts";

const nasty = fc.string({
  unit: fc.constantFrom(
    ..."<>/&;b\"'= *_[]()~`>#+-=|{}.!\\\nxé😀",
    "<b>",
    "</b>",
    '<a href="https://e.org">',
    "</a>",
    "```",
    "||",
    "__",
  ),
  maxLength: 60,
});

describe("markup", () => {
  test("of any kind is either refused in Telegram's words or gives entities within the text", () => {
    fc.assert(
      fc.property(
        nasty,
        fc.constantFrom(parseHtml, parseMarkdown, parseMarkdownV2),
        (source, parse) => {
          try {
            const { text, entities } = parse(source);
            for (const { offset, length } of entities) {
              expect(offset).toBeGreaterThanOrEqual(0);
              expect(length).toBeGreaterThan(0);
              expect(offset + length).toBeLessThanOrEqual(text.length);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(BotApiRefusal);
            expect((error as Error).message).toMatch(/^Bad Request: can't parse entities: /);
          }
        },
      ),
      { numRuns: runs(2_000) },
    );
  });

  test("that is escaped comes back as it was", () => {
    const escapeHtml = (text: string) =>
      text.replace(/[<>&]/g, (each) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;" })[each] ?? "");
    const escapeMarkdown = (text: string) => text.replace(/[_*[\]()~`>#+\-=|{}.!\\]/g, "\\$&");
    fc.assert(
      fc.property(nasty, (text) => {
        expect(parseHtml(escapeHtml(text))).toEqual({ text, entities: [] });
        expect(parseMarkdownV2(escapeMarkdown(text))).toEqual({ text, entities: [] });
      }),
    );
  });

  test("HTML and MarkdownV2 say the same of the same text", () => {
    const html =
      '<b>bold <i>both</i></b> <a href="https://e.org/">link</a> <code>x</code> <tg-spoiler>s</tg-spoiler>';
    const markdown = "*bold _both_* [link](https://e.org/) `x` ||s||";
    const expected = {
      text: "bold both link x s",
      entities: [
        { type: "bold", offset: 0, length: 9 },
        { type: "italic", offset: 5, length: 4 },
        { type: "text_link", offset: 10, length: 4, url: "https://e.org/" },
        { type: "code", offset: 15, length: 1 },
        { type: "spoiler", offset: 17, length: 1 },
      ],
    };
    expect(parseHtml(html)).toEqual(expected);
    expect(parseMarkdownV2(markdown)).toEqual(expected);
  });

  test("a language of a code block is kept", () => {
    expect(parseMarkdownV2("```sql\nselect 1\n```").entities).toMatchObject([
      { type: "pre", language: "sql" },
    ]);
    expect(
      parseMarkdown("*a* _b_ `c` [d](https://e.org)").entities.map(({ type }) => type),
    ).toEqual(["bold", "italic", "code", "text_link"]);
  });
});

describe("what Telegram finds by itself", () => {
  test.each([
    ["/start", ["bot_command:/start"]],
    ["😀 /go@my_bot now", ["bot_command:/go@my_bot"]],
    ["see https://example.org/a/b?c=d.", ["url:https://example.org/a/b?c=d"]],
    ["ask @ada_l or mail a@b.org", ["mention:@ada_l", "email:a@b.org"]],
    ["#case4711 and/or 1/2", ["hashtag:#case4711"]],
    ["nothing: here", []],
  ])("%s", (text, expected) => {
    expect(
      detectEntities(text).map((entity) => `${entity.type}:${entityText(text, entity)}`),
    ).toEqual(expected);
  });
});
