import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../test/support/property.ts";
import { nestsDeeperThan, reducedForLinking, routeUpdate } from "./route-update.ts";

const CONNECTOR = "0b9d4c2e-6c1f-4a57-9d53-7a3f6f9f3c11";
const route = (update: Record<string, unknown>) => routeUpdate(update, CONNECTOR);

const MESSAGE_KINDS = ["message", "edited_message", "channel_post", "edited_channel_post"];
const chat = (id: number, type: string) => ({ id, type });

describe("the lane of an update", () => {
  test("whatever the JSON: a lane of the connector, bounded, without what wakes cannot carry", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 20 }), fc.jsonValue({ maxDepth: 4 })),
        fc.constantFrom(...MESSAGE_KINDS, "callback_query", "inline_query", "poll", "x"),
        fc.jsonValue({ maxDepth: 4 }),
        (update, kind, body) => {
          const routed = route({ ...update, [kind]: body });
          expect(routed.lane.startsWith(`${CONNECTOR}/`)).toBe(true);
          expect(routed.lane).not.toContain(":");
          expect(routed.lane.length).toBeLessThan(150);
        },
      ),
      { numRuns: runs(500) },
    );
  });

  test("of messages and edits of a chat is the chat's, whoever writes and whatever they write", () => {
    fc.assert(
      fc.property(
        fc.maxSafeInteger(),
        fc.constantFrom("private", "group", "supergroup", "channel"),
        fc.array(fc.tuple(fc.constantFrom(...MESSAGE_KINDS), fc.nat(), fc.string()), {
          minLength: 2,
        }),
        (id, type, updates) => {
          const lanes = updates.map(
            ([kind, from, text]) =>
              route({ update_id: 1, [kind]: { chat: chat(id, type), from: { id: from }, text } })
                .lane,
          );
          expect(new Set(lanes)).toEqual(new Set([`${CONNECTOR}/c${id}`]));
        },
      ),
    );
  });

  test("of queries is the user's: they expire in seconds, and never wait behind a chat", () => {
    for (const kind of ["callback_query", "inline_query"]) {
      const body = { id: "1", from: { id: 7 }, message: { chat: chat(-100, "supergroup") } };
      expect(route({ update_id: 1, [kind]: body }).lane).toBe(`${CONNECTOR}/u7`);
    }
  });

  test("of a business account's chat is its own, also where its id is strange", () => {
    const lane = (id: unknown) =>
      route({ business_message: { business_connection_id: id, chat: chat(5, "private") } }).lane;
    expect(lane("abc")).toBe(`${CONNECTOR}/babc/5`);
    expect(lane("a:b/c d")).toBe(`${CONNECTOR}/ba_b_c_d/5`);
    expect(lane("x".repeat(10_000)).length).toBeLessThan(150);
    expect(lane(7)).toBe(`${CONNECTOR}/c5`);
  });

  test("of a poll's counts is the poll's", () => {
    expect(route({ update_id: 1, poll: { id: "5:1" } }).lane).toBe(`${CONNECTOR}/p5_1`);
  });

  test("of what has neither chat nor user is one for all", () => {
    expect(route({ update_id: 1, poll: {} }).lane).toBe(`${CONNECTOR}/x`);
    expect(route({ update_id: 1 }).lane).toBe(`${CONNECTOR}/x`);
  });
});

describe("whether somebody waits for the answer", () => {
  const message = (text: unknown) => ({ message: { chat: chat(5, "private"), text } });
  test.each<[string, Record<string, unknown>, boolean]>([
    ["a command", message("/start"), true],
    ["a command with words", message("/status of 7"), true],
    ["a command to one bot of a group", message("/help@desk_bot"), true],
    ["a pressed button", { callback_query: { from: { id: 7 } } }, true],
    ["an inline query", { inline_query: { from: { id: 7 } } }, true],
    ["a plain message", message("hello"), false],
    ["talk about a command", message("use /start"), false],
    ["a path", message("/etc/hosts"), false],
    ["a slash", message("/"), false],
    ["no text", message(undefined), false],
    ["a text that is none", message({ toString: "/start" }), false],
    ["an edit, which is not answered", { edited_message: { text: "/start" } }, false],
    ["a channel's post", { channel_post: { text: "/start" } }, false],
    ["a business account's chat", { business_message: { text: "/start" } }, false],
    ["a chosen inline result", { chosen_inline_result: { query: "/start" } }, false],
    ["nothing", {}, false],
  ])("%s", (_name, update, urgent) => {
    expect(route(update).urgent).toBe(urgent);
  });
});

describe("whether a group must be linked", () => {
  test.each(["group", "supergroup", "channel"])("a %s's messages: yes", (type) => {
    const routed = route({ message: { chat: chat(-5, type), text: "hello" } });
    expect(routed).toMatchObject({ groupId: "-5", neededForLinking: false, migration: null });
  });

  test("a private chat's: no, nor what has no chat", () => {
    expect(route({ message: { chat: chat(5, "private") } }).groupId).toBeNull();
    expect(route({ inline_query: { from: { id: 1 } } }).groupId).toBeNull();
  });

  test("a button of a group's message: that group", () => {
    const body = { from: { id: 1 }, message: { chat: chat(-6, "supergroup") } };
    expect(route({ callback_query: body }).groupId).toBe("-6");
  });

  test.each([
    ["the bot's own membership: kept in any case", "my_chat_member", {}, true],
    ["/link CODE: kept", "message", { text: "/link ABC" }, true],
    ["/link@bot CODE: kept", "message", { text: "/link@desk_bot ABC" }, true],
    ["/LINK: kept", "message", { text: "/LINK" }, true],
    ["/linked: not kept", "message", { text: "/linked list" }, false],
    ["talk about /link: not kept", "message", { text: "use /link ABC" }, false],
    ["somebody else's membership: not kept", "chat_member", {}, false],
  ])("%s", (_name, kind, fields, kept) => {
    const routed = route({ [kind]: { chat: chat(-5, "group"), ...fields } });
    expect(routed.neededForLinking).toBe(kept);
  });

  test.each([
    ["/link ABC", true],
    ["/link@Desk_Bot ABC", true],
    ["/link@another_bot ABC", false],
    [`/link@${"x".repeat(65)} ABC`, false],
  ])("where the bot's name is known: %s", (text, kept) => {
    const update = { message: { chat: chat(-5, "group"), text } };
    expect(routeUpdate(update, CONNECTOR, "desk_bot").neededForLinking).toBe(kept);
  });

  test("of a command that links, the command and its code are kept, and nothing that is said with it", () => {
    const words = "and here is what my doctor said";
    const keptOf = (text: string) =>
      reducedForLinking({
        update_id: 1,
        message: {
          chat: chat(-5, "group"),
          text,
          entities: [{ type: "text_link", offset: 0, length: 5, url: "https://private.example" }],
          reply_to_message: { text: words },
        },
      }).message;
    const of = { chat: chat(-5, "group") };
    expect(keptOf(`/link@desk_bot ABC ${words}`)).toEqual({ ...of, text: "/link@desk_bot ABC" });
    expect(keptOf(`/link\n ABC\n${words}`)).toEqual({ ...of, text: "/link\n ABC" });
    expect(keptOf("/LINK")).toEqual({ ...of, text: "/LINK" });
    expect(keptOf(`/link ${"x".repeat(4_000)}`)).toEqual({ ...of, text: "/link" });
    expect(keptOf(`/linked ${words}`)).toEqual(of);
    expect(keptOf(words)).toEqual(of);
  });

  test("a migration says both ids, from either side", () => {
    const migration = { fromChatId: "-5", toChatId: "-1001000000005" };
    const old = { chat: chat(-5, "group"), migrate_to_chat_id: -1_001_000_000_005 };
    const fresh = { chat: chat(-1_001_000_000_005, "supergroup"), migrate_from_chat_id: -5 };
    expect(route({ message: old })).toMatchObject({ migration, neededForLinking: true });
    expect(route({ message: fresh })).toMatchObject({ migration, neededForLinking: true });
  });

  test.each([
    [
      "a private chat into a supergroup",
      chat(5, "private"),
      { migrate_to_chat_id: -1_001_000_000_005 },
    ],
    [
      "a supergroup from a private chat",
      chat(-1_001_000_000_005, "supergroup"),
      { migrate_from_chat_id: 5 },
    ],
    [
      "a supergroup from another",
      chat(-1_001_000_000_005, "supergroup"),
      { migrate_from_chat_id: -1_001_000_000_006 },
    ],
    ["a group into another", chat(-5, "group"), { migrate_to_chat_id: -6 }],
    ["a group into itself", chat(-5, "group"), { migrate_to_chat_id: -5 }],
    ["an id as text", chat(-5, "group"), { migrate_to_chat_id: "-1001000000005" }],
  ])("is believed of no other chats: %s", (_name, of, fields) => {
    expect(route({ message: { chat: of, ...fields } })).toMatchObject({
      migration: null,
      neededForLinking: false,
    });
  });
});

describe("how deep JSON nests", () => {
  const depthOf = (value: unknown): number =>
    typeof value === "object" && value !== null
      ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
      : 0;

  test("is what its value says, whatever stands in its strings", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 6 }),
        fc.string(),
        fc.integer({ min: 0, max: 8 }),
        (value, text, limit) => {
          const whole = { value, [text]: `${text}[{"\\` };
          const json = Buffer.from(JSON.stringify(whole));
          expect(nestsDeeperThan(json, limit)).toBe(depthOf(whole) > limit);
        },
      ),
      { numRuns: runs(500) },
    );
  });
});
