import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { type Asked, type Conditions, possibleTypes, type Rule, ruleFor } from "./rule-for.ts";
import { holdsWord, isWord, readings } from "./words.ts";

const asked = (more: Partial<Asked> = {}): Asked => ({
  connectorId: "bot",
  kinds: ["message"],
  chatIds: ["-5"],
  chatTypes: ["group"],
  purpose: "support",
  keyId: "key",
  priority: "medium",
  length: 20,
  texts: ["Please pay the invoice"],
  ...more,
});
const rule = (conditions: Conditions, more: Partial<Rule> = {}): Rule => ({
  id: "1",
  name: "R",
  connectorId: null,
  conditions,
  approvals: 1,
  expiresAfterS: 60,
  personIds: [],
  chat: null,
  ...more,
});
const waits = (conditions: Conditions, more: Partial<Asked> = {}) =>
  ruleFor(asked(more), [rule(conditions)]) !== null;

describe("a message waits by a rule when all of its conditions hold", () => {
  const HOLDING: Required<Conditions> = {
    kinds: ["reply", "message"],
    chatIds: ["7", "-5"],
    chatTypes: ["group"],
    purposes: ["support"],
    senders: ["key"],
    priorities: ["medium"],
    words: ["INVOICE"],
    minLength: 20,
  };
  const FAILING: Required<Conditions> = {
    kinds: ["broadcast"],
    chatIds: ["7"],
    chatTypes: ["channel"],
    purposes: ["compliance"],
    senders: ["another"],
    priorities: ["critical"],
    words: ["invoices"],
    minLength: 21,
  };
  const names = Object.keys(HOLDING) as Array<keyof Conditions>;

  test("any set of conditions: they hold together or not at all", () => {
    fc.assert(
      fc.property(fc.subarray(names), fc.subarray(names), (given, failing) => {
        const conditions = Object.fromEntries(
          given.map((name) => [name, (failing.includes(name) ? FAILING : HOLDING)[name]]),
        ) as Conditions;
        expect(waits(conditions)).toBe(!given.some((name) => failing.includes(name)));
      }),
    );
  });

  test("a rule of another bot says nothing; nor does one about senders of who is no key", () => {
    expect(ruleFor(asked(), [rule({}, { connectorId: "other" })])).toBeNull();
    expect(waits({ senders: ["key"] }, { keyId: null })).toBe(false);
  });

  test("a chat that is known by another id by now is the same; a name nobody knows may be any", () => {
    expect(waits({ chatIds: ["-5"] }, { chatIds: ["-1000000000005", "-5"] })).toBe(true);
    const named = { chatIds: null, chatTypes: possibleTypes("@news"), purpose: undefined };
    expect(waits({ chatIds: ["-5"], purposes: ["support"] }, named)).toBe(true);
    expect(waits({ chatTypes: ["channel"] }, named)).toBe(true);
    expect(waits({ chatTypes: ["private"] }, named)).toBe(false);
    expect(["9", "-9", "-1000000000009"].map(possibleTypes)).toEqual([
      ["private"],
      ["group"],
      ["supergroup", "channel"],
    ]);
  });

  test("of several the strictest: most approvals, then the shortest time, whatever their order", () => {
    const rules = [
      rule({}, { id: "a", approvals: 1, expiresAfterS: 1 }),
      rule({}, { id: "b", approvals: 2, expiresAfterS: 90 }),
      rule({}, { id: "c", approvals: 2, expiresAfterS: 60 }),
      rule({ words: ["absent"] }, { id: "d", approvals: 2, expiresAfterS: 1 }),
      rule({}, { id: "e", approvals: 2, expiresAfterS: 60 }),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(rules, { minLength: 5 }), (some) => {
        expect(ruleFor(asked(), some)?.id).toBe("c");
      }),
    );
  });
});

describe("words", () => {
  test.each<[string, string, boolean]>([
    ["Pay NOW, please", "now", true],
    ["we know", "now", false],
    ["nowadays", "now", false],
    ["price: 5€", "5", true],
    ["Straße", "STRASSE", true],
    ["ΟΔΟΣ", "οδος", true],
    ["Überweisung", "überweisung", true],
    ["pass\u200bword", "password", true],
    ["e\u0301t\u00e9", "été", true],
    ["wire  the\nmoney", "Wire the money", true],
    ["wire money", "wire the money", false],
    ["请立即付款谢谢", "付款", true],
    ["d'accord", "accord", true],
    ["(a+)+$", "a", true],
    ["", "a", false],
    [".*", "a", false],
  ])("%j holds %j: %s", (text, word, holds) => {
    expect(holdsWord([text], [word])).toBe(holds);
  });

  test("are found however a text is dressed up", () => {
    const holds = (text: string, format: string) => holdsWord(readings(text, format), ["password"]);
    expect(holds("pass<b>word</b>", "html")).toBe(true);
    expect(holds("&#112;assword", "html")).toBe(true);
    expect(holds("pass**word**", "markdown")).toBe(true);
    expect(holds("pass**word**", "plain")).toBe(false);
  });

  test("a text is searched in no time, whatever it is made of", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (word) => {
        expect(holdsWord([`before ${word} after`], [word])).toBe(isWord(word));
      }),
    );
  });
});
