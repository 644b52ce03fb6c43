import { expect, test } from "@jest/globals";
import { checkMarkdownCost } from "./markdown-cost.ts";
import { parseMarkdown } from "./parse-markdown.ts";
import { TextError } from "./text-error.ts";

const read = (source: string) => {
  const { text, entities } = parseMarkdown(source);
  const marks = entities.map(({ offset, length, type, url, language }) =>
    [type, text.slice(offset, offset + length), url ?? language].filter(
      (part) => part !== undefined,
    ),
  );
  return { text, marks };
};

test.each([
  ["*a* _b_ **c** ~~d~~ `e*`", "a b c d e*", ["italic", "italic", "bold", "strikethrough", "code"]],
  ["# Title\nText", "Title\nText", ["bold"]],
  ["> quoted\n> on\n\nnot", "quoted\non\n\nnot", ["blockquote"]],
  ["***both***", "both", ["italic", "bold"]],
  ["snake_case_name 2 * 3 * 4 ~5", "snake_case_name 2 * 3 * 4 ~5", []],
  ["a  \nb\nc\n\n\n\nd", "a\nb\nc\n\nd", []],
  ["a\n\n---\n\nb", "a\n\n———\n\nb", []],
  ["<b>a</b> <!-- b --> &amp; \\*c\\*", "<b>a</b> <!-- b --> & *c*", []],
  ["~one~", "~one~", []],
])("%j", (source, text, types) => {
  const { marks, ...read_ } = read(source);
  expect(read_).toEqual({ text });
  expect(marks.map(([type]) => type)).toEqual(types);
});

test("code keeps its language and its lines, and nothing in it is Markdown", () => {
  expect(read("see\n```ts\nconst a = *b*;\n\n  c\n```\nend")).toEqual({
    text: "see\nconst a = *b*;\n\n  c\nend",
    marks: [["pre", "const a = *b*;\n\n  c", "ts"]],
  });
});

test("lists are lines, however deep", () => {
  const source = "Do:\n- one **b**\n- two\n  1. in\n     still\n  2. ner\n- three\n\n3. x\n4. y";
  expect(read(source).text).toBe(
    "Do:\n• one b\n• two\n  1. in\n    still\n  2. ner\n• three\n\n3. x\n4. y",
  );
});

test("links: http, https and tg are, others show their address, pictures are links", () => {
  expect(
    read(
      "[a](https://e.org) [b][r] ![p](http://i.org/x.png) <https://f.org>\n\n[r]: tg://resolve?x",
    ),
  ).toEqual({
    text: "a b p https://f.org",
    marks: [
      ["text_link", "a", "https://e.org"],
      ["text_link", "b", "tg://resolve?x"],
      ["text_link", "p", "http://i.org/x.png"],
      ["text_link", "https://f.org", "https://f.org"],
    ],
  });
  expect(read("[x](javascript:1) [y](mailto:a@e.org) [z](/z)")).toEqual({
    text: "x (javascript:1) y (a@e.org) z (/z)",
    marks: [],
  });
  expect(parseMarkdown("[Ada](tg://user?id=42) ![👍](tg://emoji?id=536)").entities).toEqual([
    { type: "text_mention", user: { id: 42 }, offset: 0, length: 3 },
    { type: "custom_emoji", custom_emoji_id: "536", offset: 4, length: 2 },
  ]);
});

test.each([
  ["_".repeat(1_000), "_".repeat(1_001)],
  [`${"_".repeat(1_000)}\n \t\n_`, `${"_".repeat(1_000)}\n>\n_`],
  [`${"_".repeat(1_000)}\n\n`.repeat(5), `${"_".repeat(1_000)}\n\n`.repeat(6)],
  [">".repeat(32), " > - 1. ".repeat(11)],
])("what would take its parser too long is refused before", (most, more) => {
  expect(() => checkMarkdownCost(most)).not.toThrow();
  expect(() => checkMarkdownCost(more)).toThrow(TextError);
});
