import { Readable } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { DownloadError } from "../../platform/index.ts";
import { BotApiError, type BotApiErrorFields, UploadFile } from "../../telegram/index.ts";
import { callOf, type MessageRow, messageIdsOf, methodOf } from "../send-call.ts";
import type { MessageEntity } from "../text/index.ts";
import { CannotSend } from "./cannot-send.ts";
import { type Content, contentFaults } from "./content.ts";
import { asCourtesy, contentResult } from "./content-result.ts";
import { EvidenceAway } from "./evidence-file.ts";
import type { Target } from "./target.ts";

const row = (content: Content | null, more: Partial<MessageRow> = {}): MessageRow => ({
  id: "m",
  chat_id: "42",
  thread_id: null,
  business_connection_id: null,
  automatic: false,
  kind: "message",
  callback_query_id: null,
  text: "",
  entities: null,
  cuts: null,
  parts_sent: 0,
  note: null,
  content,
  target_id: null,
  target: null,
  buttons: null,
  reply_to: null,
  on_unknown: "hold",
  in_conversation: true,
  expires_at: null,
  silent: false,
  protected: false,
  link_preview: true,
  delete_after_s: null,
  approved: false,
  ...more,
});

const target = (more: Partial<Target> = {}): Target => ({
  state: "sent",
  chatId: "42",
  businessConnectionId: null,
  ids: ["7"],
  type: null,
  ...more,
});
const file = new UploadFile({ name: "a", sizeBytes: 1, open: () => Readable.from(["a"]) });
const byUrl = { url: "https://files.example/a" };
const messageId = "8d1f0a9e-0000-4000-8000-000000000001";
const buttons = [[{ text: "Yes", data: "y" }]];
const bold: MessageEntity[] = [{ type: "bold", offset: 0, length: 3 }];
const reply_markup = { inline_keyboard: [[{ text: "Yes", callback_data: "y" }]] };

describe("each content is a call of the Bot API", () => {
  test.each<[string, MessageRow, string, Record<string, unknown>]>([
    [
      "a photo, with all that may stand beside it",
      row(
        { type: "photo", file: byUrl },
        {
          ...{ text: "new", entities: bold, silent: true, protected: true, thread_id: "3" },
          ...{ reply_to: "9", buttons, link_preview: false },
        },
      ),
      "sendPhoto",
      {
        chat_id: 42,
        photo: file,
        caption: "new",
        caption_entities: bold,
        disable_notification: true,
        protect_content: true,
        message_thread_id: 3,
        reply_parameters: { message_id: 9, allow_sending_without_reply: true },
        reply_markup,
      },
    ],
    [
      "a document that Telegram has, without a word",
      row({ type: "document", file: { fileId: "BQAC" } }, { chat_id: "@channel" }),
      "sendDocument",
      { chat_id: "@channel", document: "BQAC" },
    ],
    [
      "an album, whose caption is its first item's",
      row(
        {
          type: "album",
          items: [
            { type: "photo", file: byUrl },
            { type: "photo", file: { fileId: "AgAC" } },
          ],
        },
        { text: "both" },
      ),
      "sendMediaGroup",
      {
        chat_id: 42,
        media: [
          { type: "photo", media: file, caption: "both" },
          { type: "photo", media: "AgAC" },
        ],
      },
    ],
    [
      "an edit of a text",
      row({ type: "edit", messageId }, { text: "new", target: target(), link_preview: false }),
      "editMessageText",
      { chat_id: 42, message_id: 7, text: "new", link_preview_options: { is_disabled: true } },
    ],
    [
      "an edit of a caption",
      row({ type: "edit", messageId }, { text: "new", target: target({ type: "photo" }), buttons }),
      "editMessageCaption",
      { chat_id: 42, message_id: 7, caption: "new", reply_markup },
    ],
    [
      "an edit of buttons alone",
      row({ type: "edit", messageId }, { target: target(), buttons }),
      "editMessageReplyMarkup",
      { chat_id: 42, message_id: 7, reply_markup },
    ],
    [
      "a deletion, where the message was sent and not where its group is now",
      row({ type: "delete", messageId }, { chat_id: "-1001", target: target({ chatId: "-5" }) }),
      "deleteMessage",
      { chat_id: -5, message_id: 7 },
    ],
    [
      "a deletion of several",
      row({ type: "delete", messageId }, { target: target({ ids: ["7", "8"], type: "album" }) }),
      "deleteMessages",
      { chat_id: 42, message_ids: [7, 8] },
    ],
    [
      "a pin",
      row({ type: "pin", messageId }, { silent: true, target: target() }),
      "pinChatMessage",
      { chat_id: 42, message_id: 7, disable_notification: true },
    ],
    [
      "an unpin, in the name of an account",
      row({ type: "unpin", messageId }, { target: target({ businessConnectionId: "b" }) }),
      "unpinChatMessage",
      { chat_id: 42, message_id: 7, business_connection_id: "b" },
    ],
    [
      "a chat action",
      row({ type: "chat-action", action: "typing" }, { thread_id: "3" }),
      "sendChatAction",
      { chat_id: 42, action: "typing", message_thread_id: 3 },
    ],
    [
      "a forward",
      row({ type: "forward", fromChatId: "-9", telegramMessageId: "5" }, { protected: true }),
      "forwardMessage",
      { chat_id: 42, from_chat_id: -9, message_id: 5, protect_content: true },
    ],
    [
      "a copy",
      row({ type: "forward", fromChatId: "@a", telegramMessageId: "5", asCopy: true }),
      "copyMessage",
      { chat_id: 42, from_chat_id: "@a", message_id: 5 },
    ],
  ])("%s", (_, message, method, payload) => {
    expect(callOf(message, [file, null])).toEqual({ method, payload });
    expect(methodOf(message)).toBe(method);
  });

  test("a business account's messages are deleted by another method", () => {
    const inAccount = target({ businessConnectionId: "b" });
    const message = row({ type: "delete", messageId }, { target: inAccount });
    expect(callOf(message)).toEqual({
      method: "deleteBusinessMessages",
      payload: { business_connection_id: "b", message_ids: [7] },
    });
  });

  test("what was not sent cannot be changed, and the words say why", () => {
    const classOf = (of: Target | null, text = "x") => {
      try {
        callOf(row({ type: "edit", messageId }, { text, target: of }));
        return "none";
      } catch (error) {
        if (!(error instanceof CannotSend)) throw error;
        return error.errorClass;
      }
    };
    const none = { ids: [] };
    expect([
      classOf(null),
      ...(["queued", "sending", "awaiting_approval"] as const).map((state) =>
        classOf(target({ ...none, state })),
      ),
      classOf(target({ ...none, state: "unknown" })),
      classOf(target({ ...none, state: "sent" })),
      ...(["failed", "cancelled", "rejected"] as const).map((state) =>
        classOf(target({ ...none, state })),
      ),
      classOf(target({ ids: ["1", "2"] })),
      classOf(target({ ids: ["1", "2"], type: "album" })),
    ]).toEqual([
      "target-gone",
      ...["target-waits", "target-waits", "target-waits"],
      ...["target-unknown", "target-unknown"],
      ...["target-not-sent", "target-not-sent", "target-not-sent"],
      "target-in-parts",
      "none",
    ]);
  });

  test("an album is answered by several messages", () => {
    expect(messageIdsOf([{ message_id: 1 }, { message_id: 2 }])).toEqual(["1", "2"]);
    expect(messageIdsOf({ message_id: 3 })).toEqual(["3"]);
    expect(messageIdsOf(true)).toEqual([]);
  });
});

test("what does not go together is named", () => {
  const faults = (asked: Parameters<typeof contentFaults>[0]) =>
    contentFaults(asked).map(({ path }) => path);
  const photo: Content = { type: "photo", file: byUrl };
  const album: Content = { type: "album", items: [photo, photo] };
  const edit: Content = { type: "edit", messageId };
  const action: Content = { type: "chat-action", action: "typing" };
  expect(faults({})).toEqual(["text"]);
  expect(faults({ text: "x", buttons, deleteAfter: 5 })).toEqual([]);
  expect(faults({ content: photo })).toEqual([]);
  expect(faults({ content: album, buttons })).toEqual(["buttons"]);
  expect(faults({ content: edit })).toEqual(["text"]);
  expect(faults({ content: edit, text: "x".repeat(4_096), deleteAfter: 5 })).toEqual([
    "deleteAfter",
  ]);
  expect(faults({ content: action, text: "x", buttons, deleteAfter: 5 })).toEqual([
    "text",
    "buttons",
    "deleteAfter",
  ]);
});

describe("what an error means for a content", () => {
  const photo: Content = { type: "photo", file: byUrl };
  const answer = (fields: Partial<BotApiErrorFields>) =>
    new BotApiError({
      ...{ kind: "bad-request", method: "m", status: 400, description: "", sent: "no" },
      ...fields,
    });
  const says = (description: string) => answer({ description: `Bad Request: ${description}` });

  test("a file that cannot be had: for good, or again, but not for ever", () => {
    const gone = new DownloadError("refused", "The file's server answers 404.");
    expect(contentResult(gone, photo, 0)).toMatchObject({
      attempt: "failed",
      error: "The file's server answers 404.",
      outcome: { type: "discard", errorClass: "file-refused" },
    });
    const away = new DownloadError("unavailable", "The file's server answers 503.");
    const again = contentResult(away, photo, 0);
    expect(again).toMatchObject({ attempt: "not-sent", outcome: { type: "retry" } });
    expect(contentResult(away, photo, 7)?.outcome.type).toBe("discard");
    const stopped = new DownloadError("aborted", "The download was ended.");
    expect(contentResult(stopped, photo, 0)?.outcome.type).toBe("pause");
  });

  test("an upload that breaks off is that message's own, and holds no bot", () => {
    const broken = answer({ kind: "connection-lost", status: 0 });
    expect(contentResult(broken, photo, 0)?.outcome).toMatchObject({ type: "retry" });
    // A proxy that does not wait for its end: the same again the next time, but not for ever.
    const impatient = [
      answer({ kind: "server-error", status: 502 }),
      answer({ kind: "bad-answer", status: 408 }),
    ];
    for (const error of impatient) {
      expect(contentResult(error, photo, 0)?.outcome.type).toBe("retry");
      expect(contentResult(error, photo, 7)?.outcome.type).toBe("discard");
    }
    // Telegram is away: as for every message.
    expect(contentResult(answer({ kind: "not-sent", status: 0 }), photo, 0)).toBeNull();
    const unknown = answer({ kind: "connection-lost", status: 0, sent: "unknown" });
    expect(contentResult(unknown, photo, 0)).toBeNull();
    expect(contentResult(broken, null, 0)).toBeNull();
  });

  test("what broke off while it was uploaded says more than the upload that broke off", () => {
    const broken = answer({ kind: "connection-lost", status: 0 });
    const damaged = new CannotSend("evidence-file-damaged", "It is damaged.");
    expect(contentResult(broken, photo, 0, damaged)?.outcome).toMatchObject({
      type: "discard",
      errorClass: "evidence-file-damaged",
    });
    const away = new EvidenceAway("It could not be read.");
    expect(contentResult(broken, photo, 0, away)?.outcome).toMatchObject({
      type: "retry",
      errorClass: "evidence-file-unavailable",
    });
    expect(contentResult(away, photo, 7)?.outcome.type).toBe("discard");
    // What Telegram says for itself counts: it asks to wait.
    const early = answer({ kind: "rate-limited", status: 429 });
    expect(contentResult(early, photo, 0, away)).toBeNull();
  });

  test("Telegram's refusals of changes, in words; what is gone is deleted", () => {
    const classOf = (type: "edit" | "delete" | "pin", error: BotApiError) =>
      contentResult(error, { type, messageId }, 0)?.errorClass;
    const gone = says("message to delete not found");
    expect(contentResult(gone, { type: "delete", messageId }, 0)).toMatchObject({
      attempt: "sent",
      outcome: { type: "complete" },
    });
    expect(classOf("delete", says("message can't be deleted"))).toBe("too-old");
    expect(classOf("edit", says("message to edit not found"))).toBe("target-gone");
    expect(classOf("pin", says("not enough rights to manage pinned messages"))).toBe("no-rights");
    const moved = answer({ kind: "chat-migrated", migrateToChatId: "-100" });
    expect(classOf("delete", moved)).toBe("target-migrated");
    expect(contentResult(moved, photo, 0)).toBeNull();
    expect(classOf("edit", answer({ kind: "not-modified" }))).toBeUndefined();
  });

  test("a chat action is over, whatever became of it", () => {
    const failed = contentResult(says("message to edit not found"), { type: "edit", messageId }, 0);
    if (failed === null) throw new Error("no result");
    expect(asCourtesy({ ...failed, attempt: "unknown" })).toMatchObject({
      attempt: "failed",
      outcome: { type: "complete" },
    });
    expect(asCourtesy({ ...failed, attempt: "rate-limited", retryAfterS: 4 })).toMatchObject({
      outcome: { type: "complete" },
      retryAfterS: 4,
    });
  });
});
