import { readFileSync } from "node:fs";
import { fc } from "./property.ts";
import type { Wire } from "./telegram-updates.ts";

/**
 * Every update that the Bot API allows, made from its description (sandbox/bot-api.json): any kind,
 * with any of the optional fields there or not, nested to a bounded depth; and mutilated ones.
 */

interface Description {
  types: Record<
    string,
    { fields: Record<string, { required: boolean; types: string[] }>; subtypes?: string[] }
  >;
}

const { types } = JSON.parse(
  readFileSync(new URL("../../sandbox/bot-api.json", import.meta.url), "utf8"),
) as Description;

/** Every kind of update there is. */
export const ALL_UPDATE_KINDS = Object.keys(types.Update?.fields ?? {}).filter(
  (name) => name !== "update_id",
);

/** Ids and times that updates of one list share, so that they meet; lists of two pools never do. */
export interface Pool {
  people: number[];
  groups: number[];
  supergroups: number[];
  channels: number[];
  names: string[];
  numbers: number[];
  times: number[];
}

/** Pools with different `n` have nothing in common but times. */
export function pool(n: number): Pool {
  const from = n * 100;
  return {
    people: [from + 1, from + 2],
    groups: [-from - 3],
    supergroups: [-1_000_000_000_000 - from - 4, -1_000_000_000_000 - from - 5],
    channels: [-1_000_000_000_000 - from - 6],
    names: [`n${n}`, `m${n}`],
    numbers: [from + 1, from + 2, from + 3],
    times: [1_767_225_600, 1_767_225_601, 1_767_225_602],
  };
}

/** Deeper than this, objects have their required fields only. */
const MAX_DEPTH = 3;
/** Optional fields that an object has at most: more would make every update look alike, and slow. */
const MAX_OPTIONAL = 5;
const DEEPEST = 12;

const TEXTS = ["hello", "/start", "/help x", "help", "", "<b>", "ß😀", "x".repeat(300)];
/** What words mean something: by the name of the field, or of the type and the field. */
const WORDS: Record<string, readonly string[]> = {
  "ReactionTypeEmoji.type": ["emoji"],
  "ReactionTypeCustomEmoji.type": ["custom_emoji"],
  "ReactionTypePaid.type": ["paid"],
  "ChatMemberOwner.status": ["creator"],
  "ChatMemberAdministrator.status": ["administrator"],
  "ChatMemberMember.status": ["member"],
  "ChatMemberRestricted.status": ["restricted"],
  "ChatMemberLeft.status": ["left"],
  "ChatMemberBanned.status": ["kicked"],
  "MessageEntity.type": ["bold", "bot_command", "text_mention", "not_yet_known"],
  data: ["help", "check", "else"],
};
/** Of these fields the value says which thing is meant. */
const NAMES = new Set(["id", "poll_id", "business_connection_id", "media_group_id"]);

/** Fields of a message that may be there or not. */
export const MESSAGE_FIELDS = Object.entries(types.Message?.fields ?? {})
  .filter(([, { required }]) => !required)
  .map(([name]) => name);

/** Updates whose every id is of `pool`; each is `{update_id, [kind]: …}`. */
export function anyUpdate(from: Pool): fc.Arbitrary<Wire> {
  const anyField = fieldsOf(from);
  return fc.oneof(
    ...ALL_UPDATE_KINDS.map((kind) =>
      fc.record({ update_id: fc.nat(), [kind]: anyField("Update", kind) }),
    ),
  ) as fc.Arbitrary<Wire>;
}

/** Values of a field of a type, e.g. of Message.photo. */
export function fieldsOf(from: Pool): (type: string, name: string) => fc.Arbitrary<unknown> {
  const made = new Map<string, fc.Arbitrary<unknown>>();

  function ofType(name: string, depth: number): fc.Arbitrary<unknown> {
    const key = `${name} ${depth}`;
    let arbitrary = made.get(key);
    if (arbitrary === undefined) {
      arbitrary = build(name, depth);
      made.set(key, arbitrary);
    }
    return arbitrary;
  }

  function build(name: string, depth: number): fc.Arbitrary<unknown> {
    if (name === "Chat") return chat;
    if (name === "User") return person;
    const type = types[name];
    if (type === undefined) throw new Error(`the Bot API has no type ${name}`);
    if (type.subtypes !== undefined) {
      const [simplest = "", ...rest] = type.subtypes;
      if (depth > MAX_DEPTH) return field(name, "", [simplest], depth);
      return fc.oneof(...[simplest, ...rest].map((subtype) => field(name, "", [subtype], depth)));
    }
    const fields = Object.entries(type.fields);
    const arbitraryOf = (names: Iterable<string>) =>
      fc.record(
        Object.fromEntries(
          [...names].map((each) => [
            each,
            lazily(() => field(name, each, type.fields[each]?.types ?? [], depth + 1)),
          ]),
        ),
      );
    const required = fields.filter(([, { required }]) => required).map(([each]) => each);
    const optional = fields.filter(([, { required }]) => !required).map(([each]) => each);
    if (depth > MAX_DEPTH || optional.length === 0) return arbitraryOf(required);
    return fc
      .subarray(optional, { maxLength: Math.min(MAX_OPTIONAL, optional.length) })
      .chain((chosen) => arbitraryOf([...required, ...chosen]));
  }

  function field(
    type: string,
    name: string,
    ofTypes: readonly string[],
    depth: number,
  ): fc.Arbitrary<unknown> {
    const each = ofTypes.map((one): fc.Arbitrary<unknown> => {
      if (one.startsWith("Array of ")) {
        if (depth > DEEPEST) return fc.constant([]);
        const item = field(type, name, [one.slice("Array of ".length)], depth + 1);
        return fc.array(item, { maxLength: depth > MAX_DEPTH ? 1 : 3 });
      }
      switch (one) {
        case "Integer":
          return integer(name);
        case "Float":
          return fc.double({ noNaN: true, noDefaultInfinity: true });
        case "Boolean":
          return fc.boolean();
        case "True":
          return fc.constant(true);
        case "String":
          return text(type, name);
        default:
          return depth > DEEPEST ? fc.constant({}) : ofType(one, depth);
      }
    });
    return each.length === 1 && each[0] ? each[0] : fc.oneof(...each);
  }

  function integer(name: string): fc.Arbitrary<number> {
    if (/date|time|until/.test(name)) return fc.constantFrom(...from.times);
    if (name === "migrate_to_chat_id") return fc.constantFrom(...from.supergroups);
    if (name === "migrate_from_chat_id") return fc.constantFrom(...from.groups);
    if (/chat_id$|user_id$/.test(name)) return fc.constantFrom(...from.people);
    if (/_ids?$/.test(name) || name === "id") return fc.constantFrom(...from.numbers);
    return fc.nat({ max: 1_000 });
  }

  function text(type: string, name: string): fc.Arbitrary<string> {
    const words = WORDS[`${type}.${name}`] ?? WORDS[name];
    if (words !== undefined) return fc.constantFrom(...words);
    return NAMES.has(name) ? fc.constantFrom(...from.names) : fc.constantFrom(...TEXTS);
  }

  const person: fc.Arbitrary<Wire> = fc.record(
    {
      id: fc.constantFrom(...from.people),
      is_bot: fc.boolean(),
      first_name: fc.constantFrom("Ann", "Bob"),
      last_name: fc.constantFrom("X", ""),
      username: fc.constantFrom("ann_x"),
      language_code: fc.constantFrom("en", "de"),
    },
    { requiredKeys: ["id", "is_bot", "first_name"] },
  );
  const chatOf = (type: string, ids: number[]) =>
    fc.record(
      {
        id: fc.constantFrom(...ids),
        type: fc.constant(type),
        title: fc.constantFrom("Audit", "Sales"),
        first_name: fc.constantFrom("Ann"),
        is_forum: fc.boolean(),
      },
      { requiredKeys: ["id", "type"] },
    );
  const chat = fc.oneof(
    chatOf("private", from.people),
    chatOf("group", from.groups),
    chatOf("supergroup", from.supergroups),
    chatOf("channel", from.channels),
  );

  return (type, name) => lazily(() => field(type, name, types[type]?.fields[name]?.types ?? [], 0));
}

/** Made when it is drawn from: types contain each other. */
function lazily(make: () => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.constant(null).chain(make);
}

/** What nobody expects where something else should be. */
const HARD: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, true, false, 0, -1, 0.5, 2 ** 52, 2 ** 53, -(2 ** 53), 2 ** 53 - 1, 1e300],
    ...[-1_000_000_000_000, 32_503_680_001, "", "1", "-1", "\0", "a\0b", "\ud800", "\udfff\ud800"],
    ...["x".repeat(70_000), "\u202e\uffff", "__proto__", "constructor", "'; DROP TABLE messages"],
    ...[[], {}, [[]], [null], { id: null }, { id: "1" }, [{}], { type: "private", id: 1e99 }],
  ),
  fc.maxSafeInteger(),
  fc.string({ unit: "binary" }),
  fc.jsonValue({ maxDepth: 3 }),
);

interface Blow {
  /** Where: at each level the how-manieth field. */
  path: number[];
  how: "remove" | "replace" | "rename" | "repeat";
  by: unknown;
}

/** Updates with a few fields removed, replaced by something else, renamed or repeated. */
export function mutilated(update: fc.Arbitrary<Wire>): fc.Arbitrary<Wire> {
  const blow: fc.Arbitrary<Blow> = fc.record({
    path: fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 6 }),
    how: fc.constantFrom("remove", "replace", "replace", "replace", "rename", "repeat"),
    by: HARD,
  });
  return fc
    .tuple(update, fc.array(blow, { minLength: 1, maxLength: 4 }))
    .map(([whole, blows]) => blows.reduce(struck, structuredClone(whole)));
}

function struck(update: Wire, { path, how, by }: Blow): Wire {
  let at = update as Record<string, unknown>;
  let name = "";
  for (const [level, step] of path.entries()) {
    const names = Object.keys(at);
    if (names.length === 0) break;
    name = names[step % names.length] ?? "";
    const next = at[name];
    if (typeof next !== "object" || next === null) break;
    if (level < path.length - 1) at = next as Record<string, unknown>;
  }
  if (name === "") return update;
  if (how === "replace") at[name] = structuredClone(by);
  else if (how === "repeat") at[name] = [at[name], structuredClone(at[name])];
  else {
    if (how === "rename") at[`${name}_`] = at[name];
    delete at[name];
  }
  return update;
}
