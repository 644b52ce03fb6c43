import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import {
  group,
  inGroup,
  membership,
  message,
  pressed,
  T0,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { parseUpdate, UPDATE_KINDS } from "./parse-update.ts";
import type { TelegramMessage } from "./telegram-types.ts";

function read(wire: Wire, kind = "message"): TelegramMessage {
  const update = parseUpdate({ update_id: 1, [kind]: wire });
  if (update.kind !== "message") throw new Error(`read as ${update.kind}`);
  return update.message;
}

describe("an update", () => {
  test("of any random shape is read or left alone, and never throws", () => {
    const known = fc.constantFrom(...UPDATE_KINDS, "message_id", "chat", "from", "date", "photo");
    const json = fc.oneof(fc.jsonValue(), fc.dictionary(known, fc.jsonValue()));
    fc.assert(
      fc.property(json, fc.dictionary(known, json), (value, update) => {
        parseUpdate(value);
        parseUpdate(update);
      }),
    );
  });

  test("of an unknown kind, or none, has no meaning here", () => {
    for (const update of [null, 5, "x", [], {}, { update_id: 1 }, { subscription: { id: 1 } }]) {
      expect(parseUpdate(update)).toMatchObject({ kind: "other" });
    }
  });

  test.each([
    ["its number is missing", { message_id: undefined }],
    ["its number is text", { message_id: "5" }],
    ["its number is beyond 2^53", { message_id: 2 ** 53 }],
    ["its number is negative", { message_id: -1 }],
    ["its date is missing", { date: undefined }],
    ["its date is 0, as of a message that cannot be seen", { date: 0 }],
    ["its date is out of range", { date: 1e15 }],
    ["it has no chat", { chat: undefined }],
    ["its chat is a list", { chat: [] }],
    ["its chat is of an unknown type", { chat: { id: 1, type: "galaxy" } }],
    ["its chat's id is a fraction", { chat: { id: 1.5, type: "private" } }],
  ])("with a message is left alone when %s", (_, broken) => {
    expect(parseUpdate({ message: { ...message(5, "hi"), ...broken } })).toMatchObject({
      kind: "other",
    });
  });

  test("keeps what is whole when optional fields are broken", () => {
    const broken = {
      from: "me",
      text: 5,
      entities: { a: 1 },
      photo: [null, 3, {}],
      edit_date: "x",
    };
    expect(read({ ...message(0, ""), ...broken })).toMatchObject({
      messageId: "0",
      from: null,
      editedAtS: null,
      content: { kind: "photo", text: null, entities: null, media: null },
    });
  });

  test("of a private chat with a group's id is none: it might be a group that nobody linked", () => {
    const chat = { id: -500, type: "private", first_name: "Ann" };
    expect(parseUpdate({ message: { ...message(5, "hi"), chat } })).toMatchObject({
      kind: "other",
    });
  });

  test("of every message kind is read as one, edits as edits", () => {
    // A guest message is of a chat that the bot is not in: kept raw.
    const kinds = UPDATE_KINDS.filter((kind) => /(message|post)$/.test(kind)).filter(
      (kind) => kind !== "guest_message",
    );
    expect(kinds).toHaveLength(6);
    for (const kind of kinds) {
      const edited = kind.startsWith("edited_");
      expect(parseUpdate({ [kind]: message(1, "x") })).toMatchObject({ kind: "message", edited });
    }
  });
});

describe("text that Postgres cannot keep", () => {
  test("loses NUL and lone surrogates, unit for unit, and nothing else", () => {
    const text = "a\0b\uD800c\uDC00\uD83D\uDE00";
    expect(read(message(1, text)).content.text).toBe("a\uFFFDb\uFFFDc\uFFFD\uD83D\uDE00");
  });

  test("is found in every text that is stored", () => {
    const bad = "x\0\uDFFF";
    const wire = message(1, bad, {
      from: user(1, { first_name: bad, last_name: bad, username: bad, language_code: bad }),
      chat: group(-5, { title: bad, username: bad }),
      entities: [{ type: bad, offset: 0, length: 1, url: bad, [bad]: bad }],
      document: { file_id: bad, file_unique_id: bad, file_name: bad, mime_type: bad },
      media_group_id: bad,
      business_connection_id: bad,
    });
    expect(JSON.stringify(read(wire))).not.toMatch(/\\u0000|\\udfff/i);
  });
});

describe("a message", () => {
  test("takes the largest size of a photo, and its caption", () => {
    const size = (id: string, width: number) => ({
      file_id: id,
      file_unique_id: `u${id}`,
      width,
      height: width,
      file_size: width * 10,
    });
    const wire = message(1, "x", {
      text: undefined,
      caption: "the contract",
      caption_entities: [{ type: "bold", offset: 0, length: 3 }],
      photo: [size("s", 90), size("l", 1280), size("m", 320)],
    });
    expect(read(wire).content).toEqual({
      kind: "photo",
      text: "the contract",
      entities: [{ type: "bold", offset: 0, length: 3 }],
      media: {
        kind: "photo",
        fileId: "l",
        fileUniqueId: "ul",
        sizeBytes: 12_800,
        width: 1280,
        height: 1280,
      },
    });
  });

  test.each(["animation", "audio", "document", "sticker", "video", "video_note", "voice"])(
    "tells of a file: %s",
    (kind) => {
      const file = {
        file_id: "F",
        file_unique_id: "U",
        file_name: "scan.pdf",
        mime_type: "application/pdf",
        file_size: 2_500_000_000,
        duration: 3,
      };
      const wire = message(1, "", { text: undefined, [kind]: file });
      expect(read(wire).content.media).toEqual({
        kind,
        fileId: "F",
        fileUniqueId: "U",
        name: "scan.pdf",
        contentType: "application/pdf",
        sizeBytes: 2_500_000_000,
        durationS: 3,
      });
    },
  );

  test("is an animation although Telegram sets `document` as well", () => {
    const file = { file_id: "F", file_unique_id: "U" };
    const wire = message(1, "", { text: undefined, document: file, animation: file });
    expect(read(wire).content.kind).toBe("animation");
  });

  test("with a contact keeps no phone number", () => {
    const contact = { phone_number: "+491700000000", first_name: "A", vcard: "TEL:+491700000000" };
    const read1 = read(message(1, "", { text: undefined, contact }));
    expect(read1.content.kind).toBe("contact");
    expect(JSON.stringify(read1)).not.toContain("4917");
  });

  test("keeps topic, album, reply and business connection", () => {
    const wire = inGroup(9, "hi", {
      message_thread_id: 4,
      is_topic_message: true,
      media_group_id: "13",
      reply_to_message: message(8, "before"),
      business_connection_id: "bc",
    });
    expect(read(wire)).toMatchObject({
      threadId: "4",
      isTopicMessage: true,
      mediaGroupId: "13",
      replyToMessageId: "8",
      businessConnectionId: "bc",
      sentAtS: T0 + 9,
    });
  });

  test("mentions people by id alone", () => {
    const entity = { type: "text_mention", offset: 0, length: 2, user: user(9) };
    const { content } = read(message(1, "hi", { entities: [entity, null, { offset: 1 }] }));
    expect(content.entities).toEqual([{ type: "text_mention", offset: 0, length: 2, userId: 9 }]);
  });
});

describe("other kinds", () => {
  test("a pressed button, also under a message that is gone", () => {
    expect(parseUpdate({ callback_query: pressed("help") })).toMatchObject({
      kind: "callback",
      data: "help",
      chat: { id: "1001", type: "private" },
    });
    expect(parseUpdate({ callback_query: pressed("x", { message: undefined }) })).toMatchObject({
      chat: null,
    });
    expect(parseUpdate({ callback_query: pressed("x", { from: null }) }).kind).toBe("other");
  });

  test.each([
    ["member", {}, true],
    ["administrator", {}, true],
    ["restricted", { is_member: true }, true],
    ["restricted", { is_member: false }, false],
    ["left", {}, false],
    ["kicked", {}, false],
  ])("a membership of status %s %j is inside: %s", (status, rest, isInside) => {
    const wire = membership(status);
    wire.new_chat_member = { ...(wire.new_chat_member as Wire), ...rest };
    expect(parseUpdate({ my_chat_member: wire })).toMatchObject({ own: true, status, isInside });
    expect(parseUpdate({ chat_member: wire })).toMatchObject({ own: false, status });
  });

  test("a membership of unknown status is left alone", () => {
    expect(parseUpdate({ chat_member: membership("emperor") })).toMatchObject({ kind: "other" });
  });
});
