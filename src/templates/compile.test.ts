import { describe, expect, test } from "@jest/globals";
import { compileTemplate, MAX_BODY, type Written } from "./compile.ts";
import { TemplateError } from "./template-error.ts";
import type { Variables } from "./variables.ts";

const WRITTEN: Variables = {
  title: { type: "string" },
  note: { type: "string", required: false },
  due: { type: "date", required: false },
  link: { type: "url" },
  more: { type: "url", required: false },
  level: { type: "severity" },
  urgent: { type: "boolean" },
};

/** Everything that is wrong with it, of variables that the body uses. */
function faultsOf(body: string, written: Partial<Written> = {}): string[] {
  const used = Object.entries(WRITTEN).filter(([name]) => new RegExp(`\\b${name}\\b`).test(body));
  const template = {
    format: "html",
    body,
    variables: Object.fromEntries(used),
    ...written,
  } as const;
  try {
    compileTemplate(template);
    return [];
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return error.faults.map(({ path, message }) => `${path}: ${message}`);
  }
}

test.each([
  "Hello {{title}}",
  "{{ title }}\t{{#note}} {{note}} {{/note}}",
  '<b>{{title}}</b> <a href="{{link}}">{{link}}</a>',
  '<a href="https://a.example/?to={{link}}#{{link}}">{{title}}</a>',
  '{{#more}}<a href="{{more}}">More</a>{{/more}} or {{title}}',
  "{{level.mark}} {{level}} {{#urgent}}now: {{urgent}}{{/urgent}}",
  '<pre><code class="language-sql">{{title}}</code></pre> }} { {',
  `${"{{#note}}".repeat(8)}{{note}}${"{{/note}}".repeat(8)}x`,
])("nothing is wrong with %s", (body) => {
  expect(faultsOf(body)).toEqual([]);
});

describe("what is wrong is told by its line and column", () => {
  test.each([
    [
      "an unknown variable",
      "a\nb {{nobody}}",
      "line 2, column 3: there is no variable called nobody",
    ],
    ["what is no name", "{{title}} {{Title}}", "line 1, column 11: after {{ comes a variable"],
    ["an expression", "{{title}} {{1 + 1}}", "line 1, column 11: after {{ comes a variable"],
    ["three braces", "{{{title}}}", "line 1, column 1: after {{ comes a variable"],
    ["a tag that does not end", "x {{title", "line 1, column 3: after {{ comes a variable"],
    [
      "a section that does not end",
      "x {{#note}}y",
      "line 1, column 3: the section {{#note}} is not closed",
    ],
    ["a close without an opening", "x {{/note}}", "line 1, column 3: {{/note}} closes a section"],
    [
      "sections that cross",
      "x{{#note}}{{#due}}y{{/note}}{{/due}}",
      "line 1, column 20: {{/note}} stands where",
    ],
    [
      "an optional one outside its section",
      "{{title}} {{note}}",
      "line 1, column 11: note may be left out",
    ],
    [
      "the same in another's section",
      "x{{#due}}{{note}}{{/due}}",
      "line 1, column 10: note may be left out",
    ],
    ["a mark of what has none", "{{title.mark}}", "line 1, column 1: only a severity has a mark"],
    [
      "a tag that Telegram does not know",
      "{{title}}\n <h1>x</h1>",
      "line 2, column 2: has an unknown tag",
    ],
    ["a tag that does not close", "{{title}}<b>x", "line 1, column 10: has <b>"],
    [
      "text in a link's address",
      'x <a href="https://a.example/{{title}}">y</a>',
      "line 1, column 30: a link's address is one",
    ],
    [
      "a host",
      'x <a href="https://{{link}}/a">y</a>',
      "line 1, column 20: a link's address is one",
    ],
    [
      "another scheme",
      'x <a href="tg://user?id={{title}}">y</a>',
      "line 1, column 25: a link's address is one",
    ],
    ["a value in a tag", '<span class="{{title}}">y</span>', "line 1, column 1: has <span>"],
    [
      "a value as a language",
      '<pre><code class="language-{{title}}">y</code></pre>',
      "line 1, column 28: no value can stand here",
    ],
    [
      "a section in an address",
      'x <a href="{{#more}}{{more}}{{/more}}">y</a>',
      "line 1, column 12: a section cannot stand",
    ],
    [
      "formatting that crosses a section",
      "x{{#note}}<b>{{note}}{{/note}}</b>",
      "line 1, column 2: formatting begins outside",
    ],
    [
      "the other way round",
      "<b>x{{#note}}</b>{{note}}{{/note}}",
      "line 1, column 5: formatting begins outside",
    ],
    [
      "an address that becomes text",
      '<a href="mailto:{{link}}">{{title}}</a>',
      "line 1, column 27: the formatting takes this",
    ],
    [
      "a custom emoji",
      '<tg-emoji emoji-id="1">{{title}}</tg-emoji>',
      "line 1, column 24: a custom emoji holds",
    ],
    [
      "what is kept for placeholders",
      "{{title}} heliographslot",
      "line 1, column 11: heliographslot cannot",
    ],
    [
      "too many sections in each other",
      `x${"{{#note}}".repeat(9)}${"{{/note}}".repeat(9)}`,
      "line 1, column 74: sections stand inside",
    ],
    ["nothing without what may be left out", "{{#note}}{{note}}{{/note}} <b> </b>", "says nothing"],
    ["nothing without what may be false", "{{#urgent}}!{{/urgent}}", "says nothing"],
    ["Windows' lines", "a\r\nb\r\n{{nobody}}", "line 3, column 1: there is no variable"],
  ])("%s", (_what, body, message) => {
    const [first] = faultsOf(body);
    expect(first).toContain(message);
  });

  test("all of it at once", () => {
    expect(faultsOf("{{a}} {{b}}\n{{c")).toEqual([expect.stringContaining("line 2, column 1")]);
    expect(
      faultsOf("{{a}}\n{{b}} {{title}}", {
        variables: { title: { type: "string" }, unused: { type: "date" } },
      }),
    ).toEqual([
      "variables.unused: is not used in the body",
      "body: line 1, column 1: there is no variable called a",
      "body: line 2, column 1: there is no variable called b",
    ]);
  });

  test("in Markdown, where an address is elsewhere than its link", () => {
    const markdown = (body: string) => faultsOf(body, { format: "markdown" });
    expect(markdown("[x][there]\n\n[there]: {{link}}")).toEqual([]);
    expect(markdown("<{{link}}>")).toEqual([]);
    expect(markdown("x\n\n[there]: {{link}}")[0]).toContain(
      "line 3, column 10: no value can stand",
    );
    expect(markdown("[x]({{title}})")[0]).toContain("line 1, column 5: a link's address is one");
    expect(markdown("{{#more}}_it_ **is**{{/more}} [x]({{link}})")).toEqual([]);
    const elsewhere = "[x][there] {{title}}\n\n{{#more}}\n\n[there]: {{more}}\n\n{{/more}}";
    expect(markdown(elsewhere)[0]).toContain("stands outside of the section that guards");
  });

  test("too long, and too many tags", () => {
    expect(faultsOf("x".repeat(MAX_BODY + 1))[0]).toContain(`has at most ${MAX_BODY} characters`);
    expect(faultsOf("{{title}}".repeat(200))).toEqual([]);
    expect(faultsOf("{{title}}".repeat(201))[0]).toContain("at most 200 tags");
  });
});

test.each<[string, Variables, string]>([
  [
    "a required one with a default",
    { a: { type: "string", required: true, default: "x" } },
    "variables.a.default: what is required",
  ],
  [
    "a default of another type",
    { a: { type: "date", default: "tomorrow" } },
    "variables.a.default: is a day",
  ],
  [
    "a default that is too long",
    { a: { type: "string", maxLength: 1, default: "xy" } },
    "variables.a.default: has at most 1",
  ],
  [
    "a value that nobody sees",
    { a: { type: "enum", values: ["x", "\u200b"] } },
    "variables.a.values: each value has something to see",
  ],
  [
    "a number that there is not",
    { a: { type: "integer", minimum: 2, maximum: 1 } },
    "variables.a.minimum: is more than the maximum",
  ],
  [
    "a value twice",
    { a: { type: "enum", values: ["x", "x"] } },
    "variables.a.values: a value is there twice",
  ],
  [
    "a default that is none of them",
    { a: { type: "enum", values: ["x"], default: "y" } },
    "variables.a.default: is one of",
  ],
])("a declaration: %s", (_what, variables, fault) => {
  expect(faultsOf("{{a}}", { variables })).toEqual([expect.stringContaining(fault)]);
});

test("nonsense takes no time, and is an error or a template", () => {
  for (const piece of [
    "{{",
    "}}",
    "{{#note}}",
    "{{/note}}",
    "{{{",
    "<b>",
    "[](",
    '<a href="{{#more}}',
  ]) {
    const body = piece.repeat(Math.floor(MAX_BODY / piece.length));
    for (const format of ["html", "markdown"] as const) {
      expect(faultsOf(body, { format }).length).toBeLessThan(MAX_BODY);
    }
  }
});
