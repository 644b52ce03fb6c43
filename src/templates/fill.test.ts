import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../test/support/property.ts";
import { BUILT_IN, compiledBuiltIn } from "./built-in.ts";
import { compileTemplate } from "./compile.ts";
import { fill } from "./fill.ts";
import { SEVERITIES, SEVERITY_MARKS } from "./severity.ts";
import { TemplateError } from "./template-error.ts";
import { isVisible } from "./values.ts";
import type { Variable, Variables } from "./variables.ts";

type Given = Record<string, unknown>;

const ZONE = "Europe/Berlin";
const rendered = (
  body: string,
  variables: Variables,
  given: Given,
  format: "html" | "markdown" = "html",
) => fill(compileTemplate({ format, body, variables }), variables, given, ZONE);

/** What is wrong with the values, by path. */
function faults(work: () => unknown): Given {
  try {
    work();
    return {};
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return Object.fromEntries(error.faults.map(({ path, message }) => [path, message]));
  }
}

const HOSTILE = [
  "<b>",
  "</b>",
  "**",
  "_",
  "`",
  "](javascript:alert(1))",
  "&lt;",
  "{{a}}",
  "{{/s1}}",
];
const words = fc
  .array(fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom(...HOSTILE, "\n\n", "\uFFFC")), {
    minLength: 1,
    maxLength: 4,
  })
  .map((pieces) => pieces.join(" "))
  .filter((value) => isVisible(value) && !/[\0\p{Surrogate}]/u.test(value));

describe("values stay values", () => {
  type Node =
    | string
    | { value: string }
    | { style: string; of: Node[] }
    | { section: string; of: Node[] };
  const NAMES = ["a", "b", "s1", "s2"];
  const TEXT: Variable = { type: "string" };
  const VARIABLES: Variables = {
    a: TEXT,
    b: TEXT,
    s1: { ...TEXT, required: false },
    s2: { type: "boolean" },
  };
  const STYLES: Record<string, string> = { b: "bold", i: "italic", "tg-spoiler": "spoiler" };
  const { nodes } = fc.letrec<{ nodes: Node[]; node: Node }>((tie) => ({
    nodes: fc.array(tie("node"), { maxLength: 3 }),
    node: fc.oneof(
      { depthSize: "small", maxDepth: 4 },
      fc.stringMatching(/^[a-z]{1,3}$/),
      fc.record({ value: fc.constantFrom("a", "b") }),
      fc.record({ style: fc.constantFrom(...Object.keys(STYLES)), of: tie("nodes") }),
      fc.record({ section: fc.constantFrom("s1", "s2"), of: tie("nodes") }),
    ),
  }));

  const written = (node: Node): string => {
    if (typeof node === "string") return node;
    if ("value" in node) return `{{${node.value}}}`;
    const inside = node.of.map(written).join("");
    return "style" in node
      ? `<${node.style}>${inside}</${node.style}>`
      : `{{#${node.section}}}${inside}{{/${node.section}}}`;
  };
  /** Each unit of the text with the styles it has. */
  const units = (node: Node, given: Given, styles: string[] = []): string[] => {
    const all = (text: string) =>
      text.split("").map((unit) => [unit, ...new Set(styles)].sort().join());
    if (typeof node === "string") return all(node);
    if ("value" in node) return all(String(given[node.value]));
    if ("section" in node) {
      const isShown = node.section === "s2" ? given.s2 === true : given.s1 !== undefined;
      return isShown ? node.of.flatMap((child) => units(child, given, styles)) : [];
    }
    return node.of.flatMap((child) => units(child, given, [...styles, STYLES[node.style] ?? ""]));
  };

  test("each is in the text as it was given, and each unit has the formatting of its place", () => {
    const given = fc.record(
      { a: words, b: words, s1: words, s2: fc.boolean() },
      { requiredKeys: ["a", "b", "s2"] },
    );
    fc.assert(
      fc.property(nodes, given, (tree, values) => {
        const whole: Node[] = [
          "x",
          ...tree,
          ...NAMES.slice(0, 2).map((value) => ({ value })),
          ...NAMES.slice(2).map((section) => ({ section, of: [] })),
        ];
        const { text, entities } = rendered(whole.map(written).join(""), VARIABLES, values);
        const styled = text.split("").map((unit, at) => {
          const styles = entities.filter((one) => one.offset <= at && at < one.offset + one.length);
          return [unit, ...new Set(styles.map(({ type }) => type))].sort().join();
        });
        expect(styled).toEqual(whole.flatMap((node) => units(node, values)));
      }),
      { numRuns: runs(300) },
    );
  });

  test("in Markdown too, in words, code and links", () => {
    const variables: Variables = { a: TEXT, link: { type: "url" } };
    const body = "**{{a}}** _{{a}}_ `{{a}}` [{{a}}]({{link}})";
    const compiled = compileTemplate({ format: "markdown", body, variables });
    fc.assert(
      fc.property(
        words,
        fc.webUrl({ withQueryParameters: true, withFragments: true }),
        (a, link) => {
          const { text, entities } = fill(compiled, variables, { a, link }, ZONE);
          expect(text).toBe([a, a, a, a].join(" "));
          const { length } = a;
          expect(entities).toEqual([
            { type: "bold", offset: 0, length },
            { type: "italic", offset: length + 1, length },
            { type: "code", offset: 2 * (length + 1), length },
            { type: "text_link", offset: 3 * (length + 1), length, url: new URL(link).href },
          ]);
        },
      ),
    );
  });

  test("formatting begins right after a section's tag", () => {
    const variables: Variables = { a: TEXT };
    const body = "{{#a}}_it_{{/a}} {{#a}}**{{a}}**{{/a}}";
    const { text, entities } = rendered(body, variables, { a: "is" }, "markdown");
    expect(text).toBe("it is");
    expect(entities.map(({ type }) => type)).toEqual(["italic", "bold"]);
  });

  test("an address is encoded for its place, and is http", () => {
    const variables: Variables = { link: { type: "url" } };
    const body = '<a href="{{link}}">x</a> <a href="https://a.example/?to={{link}}&amp;b=1">y</a>';
    const link = 'https://b.example/ü?a=1&b="<2>"#c';
    const { text, entities } = rendered(body, variables, { link });
    expect(text).toBe("x y");
    const whole = "https://b.example/%C3%BC?a=1&b=%22%3C2%3E%22#c";
    expect(entities.map(({ url }) => url)).toEqual([
      whole,
      `https://a.example/?to=${encodeURIComponent(whole)}&b=1`,
    ]);
  });

  test("what is missing is an error, whatever else is given", () => {
    const variables: Variables = Object.fromEntries(
      ["a", "b", "c", "d"].map((name) => [name, TEXT]),
    );
    const compiled = compileTemplate({ format: "html", body: "{{a}}{{b}}{{c}}{{d}}", variables });
    fc.assert(
      fc.property(fc.subarray(Object.keys(variables)), words, (names, value) => {
        const given = Object.fromEntries(names.map((name) => [name, value]));
        const missing = Object.keys(variables).filter((name) => !names.includes(name));
        expect(faults(() => fill(compiled, variables, given, ZONE))).toEqual(
          Object.fromEntries(missing.map((name) => [`variables.${name}`, "is missing"])),
        );
      }),
    );
    const given = { a: "x", b: null, c: "x", d: "x", e: "x" };
    expect(faults(() => fill(compiled, variables, given, ZONE))).toEqual({
      "variables.b": "is missing",
      "variables.e": "the template has no such variable",
    });
  });
});

test.each<[string, Variable, unknown, string | null]>([
  ["text", { type: "string" }, " a\nb ", " a\nb "],
  ["no text", { type: "string" }, 5, null],
  ["nothing to see", { type: "string" }, "\u200b \u2800\u00ad", null],
  ["half a character", { type: "string" }, "a\ud800", null],
  ["NUL", { type: "string" }, "a\0", null],
  ["a long text", { type: "string", maxLength: 3 }, "abcd", null],
  ["a number", { type: "number" }, -0.1, "-0.1"],
  ["minus nothing", { type: "number" }, -0, "0"],
  ["digits", { type: "number" }, "5", null],
  ["an exponent", { type: "number" }, 1e21, null],
  ["too much", { type: "number", maximum: 5 }, 6, null],
  ["too little", { type: "integer", minimum: 5 }, 4, null],
  ["a part of a number", { type: "integer" }, 1.5, null],
  ["a whole number", { type: "integer" }, 1_234_567, "1234567"],
  ["a day", { type: "date" }, "2026-11-22", "22 Nov 2026"],
  ["a day that is not", { type: "date" }, "2026-02-29", null],
  ["a time for a day", { type: "date" }, "2026-11-22T10:00:00Z", null],
  ["a time", { type: "datetime" }, "2026-11-22T23:30:00Z", "23 Nov 2026, 00:30 UTC+1"],
  [
    "a time in summer",
    { type: "datetime" },
    "2026-07-01T10:00:00.123-05:00",
    "1 Jul 2026, 17:00 UTC+2",
  ],
  ["a time without its zone", { type: "datetime" }, "2026-11-22T10:00:00", null],
  ["a time on no day", { type: "datetime" }, "2026-02-30T10:00:00Z", null],
  ["an hour too many", { type: "datetime" }, "2026-02-20T24:00:00Z", null],
  ["an address", { type: "url" }, "HTTPS://a.example/ä", "HTTPS://a.example/ä"],
  ["a script", { type: "url" }, "javascript:alert(1)", null],
  ["no host", { type: "url" }, "https://", null],
  ["somebody's name", { type: "url" }, "https://bank.example@evil.example/", null],
  ["two lines", { type: "url" }, "https://a.example/\nb", null],
  ["one of them", { type: "enum", values: ["x", "y"] }, "y", "y"],
  ["none of them", { type: "enum", values: ["x", "y"] }, "z", null],
  ["a severity", { type: "severity" }, "high", "High"],
  ["no severity", { type: "severity" }, "toString", null],
  ["true", { type: "boolean" }, true, "yes"],
  ["a word for it", { type: "boolean" }, "true", null],
  ["a default", { type: "integer", default: 7 }, undefined, "7"],
])("a value: %s", (_what, variable, value, text) => {
  const filled = () => rendered("[{{a}}]", { a: variable }, { a: value });
  if (text === null) expect(faults(filled)).toEqual({ "variables.a": expect.any(String) });
  else expect(filled().text).toBe(`[${text}]`);
});

test("a fault says nothing of the value", () => {
  const secret = "words-of-somebody";
  for (const type of ["number", "date", "datetime", "url", "severity", "boolean"] as const) {
    const found = faults(() => rendered("{{a}}", { a: { type } }, { a: secret }));
    expect(JSON.stringify(found)).not.toContain(secret);
  }
});

test.each([
  ["on lines of its own", "A\n{{#n}}\nB {{n}}\n{{/n}}\nC", "A\nC", "A\nB 0\nC"],
  ["the whole of a line", "A\n{{#n}}B {{n}}{{/n}}\nC", "A\nC", "A\nB 0\nC"],
  ["a paragraph", "A\n\n{{#n}}B {{n}}{{/n}}\n\nC", "A\n\nC", "A\n\nB 0\n\nC"],
  ["before a paragraph", "A\n{{#n}}B {{n}}{{/n}}\n\nC", "A\n\nC", "A\nB 0\n\nC"],
  ["the first", "{{#n}}B {{n}}{{/n}}\nC", "C", "B 0\nC"],
  ["the last", "A\n\n{{#n}}B {{n}}{{/n}}\n", "A", "A\n\nB 0"],
  ["inside of a line", "A {{#n}}({{n}}){{/n}} C", "A C", "A (0) C"],
  ["the end of a line", "A {{#n}}({{n}}){{/n}}\nC", "A\nC", "A (0)\nC"],
  ["one after another", "A\n{{#n}}B{{/n}}\n{{#n}}{{n}}{{/n}}\nC", "A\nC", "A\nB\n0\nC"],
  ["one in another", "A\n{{#n}}\n{{#n}}\nB\n{{/n}}\n{{n}}\n{{/n}}\nC", "A\nC", "A\nB\n0\nC"],
])("a section leaves no empty line: %s", (_what, body, without, withIt) => {
  const variables: Variables = { n: { type: "integer", required: false } };
  for (const format of ["html", "markdown"] as const) {
    expect(rendered(body, variables, {}, format).text).toBe(without);
    expect(rendered(body, variables, { n: 0 }, format).text).toBe(withIt);
  }
});

test("more than a message can hold is an error", () => {
  const body = "{{a}}".repeat(20);
  const found = faults(() => rendered(body, { a: { type: "string" } }, { a: "x".repeat(2_001) }));
  expect(found).toEqual({ variables: expect.stringContaining("40000") });
});

describe("built-in templates", () => {
  const shown = (name: string, given: Given) => {
    const template = BUILT_IN.get(name);
    if (template === undefined) throw new Error(`no template ${name}`);
    return fill(compiledBuiltIn(template), template.variables, given, "UTC");
  };
  const alert = { severity: "high", title: "Keys", description: "They <i>leaked</i>." };
  const details = {
    action_required: "Rotate",
    due_date: "2026-12-01",
    link: "https://a.example/1",
  };

  test("an alert has its parts in order", () => {
    const { text, entities } = shown("alert", { ...alert, ...details });
    expect(text).toBe(
      "🔺 Keys\nSeverity: High\n\nThey <i>leaked</i>.\n\nAction required: Rotate\nDue: 1 Dec 2026\nView details",
    );
    const marked = entities.map(({ type, offset, length, url }) => {
      return [type, text.slice(offset, offset + length), url];
    });
    expect(marked).toEqual([
      ["bold", "Keys", undefined],
      ["bold", "Action required:", undefined],
      ["bold", "Due:", undefined],
      ["text_link", "View details", "https://a.example/1"],
    ]);
    expect(shown("alert", alert).text).toBe("🔺 Keys\nSeverity: High\n\nThey <i>leaked</i>.");
  });

  test("each severity has a mark of its own", () => {
    const marks = SEVERITIES.map(
      (severity) => shown("alert", { ...alert, severity }).text.split(" ")[0],
    );
    expect(marks).toEqual(Object.values(SEVERITY_MARKS));
    expect(new Set(marks).size).toBe(5);
  });

  test("a report that is ready", () => {
    const report = {
      title: "Access review",
      period: "Q3 2026",
      generated_at: "2026-10-01T06:00:00Z",
    };
    const link = "https://a.example/r.pdf";
    for (const name of ["report", "report_notification"]) {
      const { text, entities } = shown(name, { ...report, link });
      expect(text).toBe(
        "📊 Report ready\nAccess review\nPeriod: Q3 2026\nGenerated: 1 Oct 2026, 06:00 UTC\nDownload",
      );
      expect(entities.at(-1)).toMatchObject({ type: "text_link", url: link });
      expect(shown(name, report).text).toMatch(/UTC$/);
    }
  });

  test("all of them can be used, without what may be left out, and without link previews", () => {
    const values: Record<Variable["type"], unknown> = {
      string: "words",
      number: 1,
      integer: 1,
      date: "2026-12-01",
      datetime: "2026-12-01T10:00:00Z",
      url: "https://a.example/",
      enum: "x",
      severity: "low",
      boolean: true,
    };
    expect([...BUILT_IN.keys()]).toEqual(
      expect.arrayContaining([
        "critical_alert",
        "deadline_reminder",
        "security_incident",
        "status_update",
      ]),
    );
    for (const [name, { variables, hasLinkPreview }] of BUILT_IN) {
      const all = Object.entries(variables);
      const given = (some: typeof all) =>
        Object.fromEntries(some.map(([of, { type }]) => [of, values[type]]));
      expect(hasLinkPreview).toBe(false);
      expect(shown(name, given(all)).text).not.toMatch(/\n{3}|[ \t]$/m);
      const required = all.filter(([, { required: is }]) => is !== false);
      expect(shown(name, given(required)).text).not.toMatch(/\n{3}|: *$|[ \t]$/m);
    }
  });
});
