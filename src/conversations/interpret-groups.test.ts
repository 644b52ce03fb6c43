import { describe, expect, test } from "@jest/globals";
import { SCOPE, types, withLinked, world } from "../../test/support/interpreted.ts";
import {
  arriving,
  CHANNEL,
  edited,
  GROUP,
  group,
  inGroup,
  leaving,
  membership,
  message,
  SUPERGROUP,
  T0,
  user,
} from "../../test/support/telegram-updates.ts";
import type { Effect } from "./effects.ts";
import { chatKeyOf } from "./keys.ts";

describe("a group that nobody linked", () => {
  test("leaves no trace of its messages and members", () => {
    const { take } = world();
    expect(take({ message: inGroup(1, "secret") })).toEqual([]);
    expect(take({ edited_message: edited(inGroup(1, "secret"), "x", 5) })).toEqual([]);
    expect(take({ message: inGroup(2, "", { new_chat_members: [user(5)] }) })).toEqual([]);
    expect(take({ chat_member: membership("member", { chat: group() }) })).toEqual([]);
    const post = message(3, "x", { chat: { id: CHANNEL, type: "channel", title: "N" } });
    expect(take({ channel_post: post })).toEqual([]);
  });

  test("is known as a chat once the bot is in it, without the person who let it in", () => {
    const { take } = world();
    const effects = take({ my_chat_member: membership("member", { chat: group() }) });
    expect(types(effects)).toEqual(["chat-seen", "member-changed", "chat-reachability"]);
  });
});

describe("reachability", () => {
  const reach = (effects: Effect[]) =>
    effects.flatMap((effect) => (effect.type === "chat-reachability" ? [effect.reachable] : []));

  test("follows the bot's own membership, the newest by Telegram's date", () => {
    const { take } = world();
    expect(reach(take({ my_chat_member: membership("kicked", { date: T0 + 5 }) }))).toEqual([
      false,
    ]);
    expect(reach(take({ my_chat_member: membership("member", { date: T0 + 2 }) }))).toEqual([]);
    expect(reach(take({ my_chat_member: membership("member", { date: T0 + 9 }) }))).toEqual([true]);
  });

  test("is not changed by other people's membership", () => {
    const { take } = withLinked(GROUP);
    expect(reach(take({ chat_member: membership("left", { chat: group() }) }))).toEqual([]);
  });
});

describe("members", () => {
  const changes = (effects: Effect[]) =>
    effects.flatMap((effect) =>
      effect.type === "member-changed" ? [[effect.userId, effect.status]] : [],
    );

  test("come from service messages and from chat_member; the newest counts", () => {
    const { take } = withLinked(GROUP);
    const joined = { text: undefined, new_chat_members: [user(5), user(6)] };
    expect(changes(take({ message: inGroup(10, "", joined) }))).toEqual([
      ["5", "member"],
      ["6", "member"],
    ]);
    const left = { text: undefined, left_chat_member: user(5) };
    expect(changes(take({ message: inGroup(20, "", left) }))).toEqual([["5", "left"]]);
    const stale = {
      chat: group(),
      date: T0 + 15,
      new_chat_member: { user: user(5), status: "member" },
    };
    expect(changes(take({ chat_member: membership("member", stale) }))).toEqual([]);
    const fresh = { ...stale, date: T0 + 30 };
    expect(changes(take({ chat_member: membership("member", fresh) }))).toEqual([["5", "member"]]);
  });
});

describe("a group that becomes a supergroup", () => {
  const conversations = (effects: Effect[]) =>
    effects.flatMap((effect) =>
      effect.type === "message-stored" ? [effect.message.conversation.chatId] : [],
    );

  test.each([
    ["first in the old chat", [leaving, arriving]],
    ["first in the new chat", [arriving, leaving]],
  ])("goes on under the new id, told %s", (_, news) => {
    const { take } = withLinked(GROUP);
    expect(conversations(take({ message: inGroup(8, "before") }))).toEqual([String(GROUP)]);
    for (const update of news) {
      expect(types(take(update))).toContain("chat-migrated");
    }
    expect(
      conversations(take({ message: message(2, "after", { chat: group(SUPERGROUP) }) })),
    ).toEqual([String(SUPERGROUP)]);
    expect(conversations(take({ message: inGroup(10, "late") }))).toEqual([String(SUPERGROUP)]);
  });

  test("moves its link once: ended at the new id, the second news does not bring it back", () => {
    const { take, context } = withLinked(GROUP);
    take(leaving);
    const key = chatKeyOf(SCOPE, String(SUPERGROUP));
    const chat = context.chats.get(key);
    if (chat) context.chats.set(key, { ...chat, linked: false });
    expect(types(take(arriving))).toEqual(["chat-migrated"]);
    expect(take({ message: message(2, "x", { chat: group(SUPERGROUP) }) })).toEqual([]);
  });

  test("that nobody linked leaves only the news itself", () => {
    expect(types(world().take(leaving))).toEqual(["chat-migrated"]);
  });

  test("cannot go in a circle, or twice to different places", () => {
    const { take } = withLinked(GROUP);
    take(leaving);
    const back = message(3, "", { chat: group(SUPERGROUP), migrate_to_chat_id: GROUP });
    expect(types(take({ message: back }))).not.toContain("chat-migrated");
    const elsewhere = inGroup(11, "", { migrate_to_chat_id: SUPERGROUP - 1 });
    expect(types(take({ message: elsewhere }))).not.toContain("chat-migrated");
    const itself = inGroup(12, "", { migrate_to_chat_id: GROUP });
    expect(types(take({ message: itself }))).not.toContain("chat-migrated");
  });
});
