import { describe, expect, test } from "@jest/globals";
import {
  CHANNEL,
  GROUP,
  group,
  inGroup,
  message,
  PERSON,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { parseMessage } from "./parse-update.ts";
import { sideOf } from "./side.ts";

function side(
  wire: Wire,
  direction: "in" | "out" = "in",
  purpose: "support" | "compliance" | null = null,
  isAgent = false,
) {
  const parsed = parseMessage(wire);
  if (parsed === undefined) throw new Error("no message");
  return sideOf(parsed, direction, { purpose, botUsername: "helio_bot", isAgent });
}

describe("whose word a message is", () => {
  test.each<[string, Wire]>([
    ["text", message(1, "my order is late")],
    [
      "a file without a word",
      message(1, "", { text: undefined, photo: [{ file_id: "F", file_unique_id: "U" }] }),
    ],
    ["a command that nobody knows", message(1, "/refund 17")],
    ["a command in the middle", message(1, "what does /help do?")],
    ["what is said in a group", inGroup(1, "hello")],
    [
      "a caption that looks like a command",
      message(1, "", {
        text: undefined,
        caption: "/help",
        document: { file_id: "F", file_unique_id: "U" },
      }),
    ],
  ])("the customer's: %s", (_, wire) => {
    expect(side(wire)).toBe("customer");
  });

  test.each<[string, Wire]>([
    ["a command that the bot answers itself", message(1, "/start")],
    ["the same, addressed and with more behind it", message(1, "/HELP@Helio_Bot me")],
    ["a command to another bot", inGroup(1, "/poll@other_bot lunch?")],
    ["a bot", inGroup(1, "beep", { from: user(9, { is_bot: true }) })],
    [
      "a channel's post",
      message(1, "news", { chat: { id: CHANNEL, type: "channel", title: "N" }, from: undefined }),
    ],
    ["a post that Telegram copied into the group", inGroup(1, "news", { from: user(777_000) })],
    ["what Telegram reports", inGroup(1, "", { text: undefined, new_chat_title: "Audit" })],
    ["somebody who has no name", inGroup(1, "x", { from: undefined, chat: group(GROUP) })],
  ])("nobody's: %s", (_, wire) => {
    expect(side(wire)).toBeNull();
  });

  test("a group that serves compliance is no customer; one for support is", () => {
    expect(side(inGroup(1, "signed"), "in", "compliance")).toBeNull();
    expect(side(inGroup(1, "signed"), "in", "support")).toBe("customer");
  });

  test("an agent's word in a customer's group is the team's; to the bot itself it is as a customer's", () => {
    expect(side(inGroup(1, "let me look"), "in", null, true)).toBe("team");
    expect(side(inGroup(1, "signed"), "in", "compliance", true)).toBeNull();
    expect(side(message(1, "does this work?"), "in", null, true)).toBe("customer");
  });

  test("a business account's own words are the team's; its greetings and away messages are not", () => {
    const own = message(1, "on its way", { business_connection_id: "bc", from: user(PERSON + 1) });
    expect(side(own, "out")).toBe("team");
    expect(side({ ...own, is_from_offline: true }, "out")).toBeNull();
    // There the bot answers no commands.
    expect(side(message(1, "/start", { business_connection_id: "bc" }))).toBe("customer");
  });
});
