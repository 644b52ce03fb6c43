import { describe, expect, test } from "@jest/globals";
import { asked, said, types, withLinked, world } from "../../test/support/interpreted.ts";
import { fc } from "../../test/support/property.ts";
import {
  CHANNEL,
  edited,
  GROUP,
  group,
  inGroup,
  membership,
  message,
  PERSON,
  pressed,
  privateChat,
  SUPERGROUP,
  T0,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { UPDATE_KINDS } from "./parse-update.ts";

describe("a private message", () => {
  test("makes chat, contact and message, and is acknowledged the first time only", () => {
    const { take } = world();
    const first = take({ message: message(1, "hello") });
    expect(types(first)).toEqual([
      "chat-seen",
      "contact-seen",
      "message-stored",
      "conversation-acknowledged",
      "reply",
    ]);
    expect(said(first)).toMatchObject([{ kind: "message", chatId: "1001", causeId: "1" }]);
    expect(types(take({ message: message(2, "and another") }))).toEqual(["message-stored"]);
  });

  test("of a person who changed their name brings the new name once", () => {
    const { take } = world();
    take({ message: message(1, "hi") });
    const renamed = { from: user(PERSON, { first_name: "Anna" }) };
    expect(types(take({ message: message(2, "hi", renamed) }))).toContain("contact-seen");
    expect(types(take({ message: message(3, "hi", renamed) }))).toEqual(["message-stored"]);
  });

  test("that is stored already has no effects at all", () => {
    const { take } = world();
    take({ message: message(1, "/start") });
    expect(take({ message: message(1, "/start") })).toEqual([]);
  });

  test("of a bot is stored, and not answered", () => {
    const { take } = world();
    const bot = { from: user(5, { is_bot: true }), chat: privateChat(5) };
    const effects = take({ message: message(1, "/start", bot) });
    expect(types(effects)).toContain("message-stored");
    expect(said(effects)).toEqual([]);
  });

  test("in a topic of a private chat is answered there", () => {
    const { take } = world();
    const topic = { message_thread_id: 12, is_topic_message: true };
    const effects = take({ message: message(1, "/start", topic) });
    expect(said(effects)).toMatchObject([{ threadId: "12" }]);
  });
});

describe("commands", () => {
  test("/start greets, with two buttons whose presses are answered truly", () => {
    const { take } = withLinked();
    const [greeting] = said(take({ message: message(1, "/START@helio_bot x") }));
    expect(greeting).toMatchObject({ kind: "message", format: "plain", threadId: null });
    const buttons = greeting?.kind === "message" ? (greeting.buttons ?? []).flat() : [];
    expect(buttons).toHaveLength(2);
    const [help = "", check = ""] = buttons.map(({ data = "" }) => data);
    for (const data of [help, check]) {
      expect(Buffer.byteLength(data)).toBeGreaterThan(0);
      expect(Buffer.byteLength(data)).toBeLessThanOrEqual(64);
    }
    expect(asked(take({ callback_query: pressed(help) }))).toMatchObject([
      { kind: "press", callbackQueryId: "4382bfdwdsb323b2d9", chatId: "1001", data: "l:h" },
    ]);
    expect(said(take({ callback_query: pressed(check) }))).toMatchObject([
      { kind: "callback-answer", text: "It works: your tap arrived at 03:04:05 UTC." },
    ]);
  });

  test("/help is handed on; an unknown one points there, in private chats only", () => {
    const { take } = withLinked(GROUP);
    expect(asked(take({ message: message(1, "/Help") }))).toMatchObject([
      { kind: "command", name: "help" },
    ]);
    expect(said(take({ message: message(2, "/dance") }))).toMatchObject([
      { text: expect.stringContaining("/help") },
    ]);
    expect(said(take({ message: inGroup(3, "/dance") }))).toEqual([]);
  });

  test("addressed to another bot are not answered", () => {
    const { take } = withLinked(GROUP);
    expect(asked(take({ message: inGroup(1, "/help@other_bot") }))).toEqual([]);
    expect(said(take({ message: message(2, "/start@other_bot") }))).toEqual([]);
    expect(asked(take({ message: inGroup(3, "/help@HELIO_bot") }))).toHaveLength(1);
  });

  test("in a linked group are answered as a reply, in the topic they came from", () => {
    const { take } = withLinked(SUPERGROUP);
    const topic = {
      chat: group(SUPERGROUP, { is_forum: true }),
      message_thread_id: 4,
      is_topic_message: true,
    };
    expect(said(take({ message: message(8, "/start", topic) }))).toMatchObject([
      { chatId: String(SUPERGROUP), threadId: "4", replyToMessageId: "8" },
    ]);
    const thread = { chat: group(SUPERGROUP), message_thread_id: 8 };
    expect(said(take({ message: message(9, "/start", thread) }))).toMatchObject([
      { threadId: null, replyToMessageId: "9" },
    ]);
  });

  test("in edits, channels, captions and business chats are not answered", () => {
    const { take } = withLinked(CHANNEL);
    const channel = { chat: { id: CHANNEL, type: "channel", title: "News" }, from: undefined };
    expect(said(take({ channel_post: message(1, "/start", channel) }))).toEqual([]);
    expect(said(take({ edited_message: edited(message(2, "x"), "/start", 60) }))).toEqual([]);
    const business = { business_connection_id: "bc" };
    expect(said(take({ business_message: message(3, "/start", business) }))).toEqual([]);
    expect(said(take({ business_message: message(4, "hello", business) }))).toEqual([]);
  });
});

describe("a pressed button", () => {
  test("is always answered, whatever its data says", () => {
    const { take } = world();
    for (const data of ["", "no such thing", "x".repeat(64)]) {
      const answers = said(take({ callback_query: pressed(data) }));
      expect(answers).toMatchObject([{ kind: "callback-answer" }]);
      expect(answers[0]?.text.length).toBeLessThanOrEqual(200);
    }
  });

  test("under an inline message is answered in the name of the person's chat", () => {
    const { take } = world();
    const effects = take({ callback_query: pressed("check", { message: undefined }) });
    expect(said(effects)).toMatchObject([{ kind: "callback-answer", chatId: "1001" }]);
  });

  test("in a group that nobody linked leaves no trace", () => {
    const query = pressed("check", { message: { message_id: 1, date: T0, chat: group() } });
    expect(world().take({ callback_query: query })).toEqual([]);
    expect(said(withLinked(GROUP).take({ callback_query: query }))).toHaveLength(1);
  });
});

describe("edits", () => {
  const original = message(1, "v0");
  const versions = [
    { message: original },
    { edited_message: edited(original, "v1", 10) },
    { edited_message: edited(original, "v2", 20) },
    { edited_message: edited(original, "v3", 30) },
  ];

  /** Newest text and history after these updates, as the effects tell it. */
  function outcome(updates: unknown[]) {
    const { take } = world();
    let text: string | null = null;
    const history = new Set<string>();
    for (const effect of updates.flatMap(take)) {
      if (effect.type === "message-stored") text = effect.message.version.content.text;
      if (effect.type === "message-edited") {
        text = effect.version.content.text;
        history.add(effect.previous.content.text ?? "");
      }
      if (effect.type === "version-kept") history.add(effect.version.content.text ?? "");
    }
    return { text, history: [...history].sort() };
  }

  test("in any order, with repetitions: the newest wins and all others are history", () => {
    const orders = fc.shuffledSubarray([...versions, ...versions], { minLength: 8 });
    fc.assert(
      fc.property(orders, (updates) => {
        expect(outcome(updates)).toEqual({ text: "v3", history: ["v0", "v1", "v2"] });
      }),
    );
  });

  test("of the same second: the later arrival wins, and neither is lost", () => {
    const twin = { edited_message: edited(original, "twin", 30) };
    expect(outcome([...versions, twin])).toEqual({
      text: "twin",
      history: ["v0", "v1", "v2", "v3"],
    });
    expect(outcome([...versions, twin, ...versions]).text).toBe("twin");
  });

  test("without a visible change only move the date", () => {
    const { take } = world();
    take({ message: original });
    expect(types(take({ edited_message: edited(original, "v0", 9) }))).toEqual(["message-edited"]);
    expect(take({ edited_message: edited(original, "v0", 9) })).toEqual([]);
  });
});

describe("a business message", () => {
  test("has a conversation of its own, by connection", () => {
    const { take } = world();
    const keys = [undefined, "bc1", "bc2"].map((id) => {
      const effects = take({ business_message: message(1, "x", { business_connection_id: id }) });
      return effects.flatMap((effect) =>
        effect.type === "message-stored" ? [effect.message.conversation.businessConnectionId] : [],
      );
    });
    expect(keys).toEqual([[""], ["bc1"], ["bc2"]]);
  });
});

test("random updates, one after the other, never throw", () => {
  const kind = fc.constantFrom(...UPDATE_KINDS);
  const field = fc.constantFrom("text", "edit_date", "from", "migrate_to_chat_id", "photo", "data");
  const wire = fc
    .tuple(
      fc.constantFrom<Wire>(
        message(1, "/start"),
        inGroup(1, "x"),
        pressed("help"),
        membership("left"),
      ),
      fc.dictionary(field, fc.jsonValue()),
    )
    .map(([base, broken]) => ({ ...base, ...broken }));
  fc.assert(
    fc.property(fc.array(fc.tuple(kind, wire), { maxLength: 8 }), (updates) => {
      const { take } = withLinked(GROUP);
      for (const [name, value] of updates) take({ [name]: value });
    }),
  );
});
