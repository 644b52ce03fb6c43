import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import type { NewMessage } from "../outbound/index.ts";
import { insertMessages } from "../outbound/submit.ts";
import type { Transaction } from "../platform/index.ts";
import { contentShape, deliveryOfBody, priorityBehindTarget } from "./content-body.ts";

const body = z.strictObject(contentShape);
const messageId = randomUUID();

describe("a content, as the API takes it", () => {
  const photo = (file: object) => ({ type: "photo", file });
  const album = (...types: string[]) => ({
    type: "album",
    items: types.map((type) => ({ type, file: { fileId: "AgAC" } })),
  });

  test.each<[string, unknown]>([
    ["a photo by its address", photo({ url: "https://files.example/a.png?x=1", name: "a" })],
    [
      "a document of evidence",
      { type: "document", file: { evidenceFileId: messageId, name: "a.pdf" } },
    ],
    ["a document that Telegram has", { type: "document", file: { fileId: "BQAC-_1" } }],
    ["an album of photos", album("photo", "photo")],
    ["an edit", { type: "edit", messageId }],
    ["a chat action", { type: "chat-action", action: "typing" }],
    ["a forward", { type: "forward", fromChatId: "-1001", telegramMessageId: "7", asCopy: true }],
  ])("%s", (_, content) => {
    expect(body.parse({ content })).toEqual({ content });
  });

  test.each<[string, unknown]>([
    ["this machine", photo({ url: "http://127.0.0.1/" })],
    ["this machine in disguise", photo({ url: "http://[::ffff:7f00:1]/" })],
    ["a cloud's metadata", photo({ url: "http://169.254.169.254/latest" })],
    ["a file of this machine", photo({ url: "file:///etc/passwd" })],
    ["a password in the address", photo({ url: "https://u:p@files.example/" })],
    ["two places at once", photo({ url: "https://files.example/", fileId: "A" })],
    [
      "evidence and an address",
      photo({ url: "https://files.example/", evidenceFileId: messageId }),
    ],
    ["evidence that Telegram has", photo({ fileId: "A", evidenceFileId: messageId })],
    ["evidence by no id", photo({ evidenceFileId: "EV-17" })],
    ["another name for what Telegram has", photo({ fileId: "A", name: "a" })],
    ["no place", photo({})],
    ["an address as a file_id", photo({ fileId: "http://127.0.0.1/" })],
    ["a half of a character in a name", photo({ url: "https://files.example/", name: "\ud800" })],
    ["an album of one", album("photo")],
    ["an album of eleven", album(...Array(11).fill("photo"))],
    ["photos among documents", album("photo", "document")],
    ["another kind", { type: "video", file: { fileId: "A" } }],
    ["an edit of nothing", { type: "edit", messageId: "7" }],
    ["an action that is none", { type: "chat-action", action: "sleeping" }],
    ["a number that is none", { type: "forward", fromChatId: "1", telegramMessageId: "0" }],
    ["what nobody asked for", { type: "delete", messageId, force: true }],
  ])("not %s", (_, content) => {
    expect(body.safeParse({ content }).success).toBe(false);
  });

  test("a notice vanishes within the time that Telegram lets it be deleted", () => {
    const isTaken = (deleteAfter: number) => body.safeParse({ deleteAfter }).success;
    expect([0, 1, 1.5, 171_000, 172_800].map(isTaken)).toEqual([false, true, false, true, false]);
  });

  test("a chat action is not sent once it would be over; anything else may be late", () => {
    const action = { type: "chat-action", action: "typing" } as const;
    expect(deliveryOfBody({ content: action }, 1_000).expiresAt).toEqual(new Date(6_000));
    expect(deliveryOfBody({ silent: true }, 1_000)).toMatchObject({ isSilent: true });
    expect(deliveryOfBody({}, 1_000).expiresAt).toBeUndefined();
  });
});

describe("a message that changes another", () => {
  let database: TestDatabase;
  const place = { workspaceId: randomUUID(), connectorId: randomUUID(), chatId: "5" };
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [
      place.workspaceId,
    ]);
    await database.db.query(
      `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
         can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
       VALUES ($1, $2, 'bot', 'active', 1, 'desk_bot', true, '\\x00', 'key', decode(repeat('00', 32), 'hex'))`,
      [place.workspaceId, place.connectorId],
    );
  });
  afterAll(() => database.drop());

  const inTransaction = <Result>(work: (tx: Transaction) => Promise<Result>) =>
    database.db.transaction(work);
  const written = async (
    more: Partial<NewMessage> = {},
    state: "queued" | "awaiting_approval" = "queued",
  ) => {
    const messages = [{ ...place, text: "x", ...more }];
    const [id = ""] = await inTransaction((tx) => insertMessages(tx, messages, state));
    return id;
  };
  const edit = (id: string, more: Partial<typeof place> & { priority?: "critical" | "low" } = {}) =>
    inTransaction((tx) =>
      priorityBehindTarget(tx, { type: "edit", messageId: id }, { ...place, ...more }),
    );

  test("does not pass it in its chat, however urgent it is", async () => {
    const id = await written({ priority: "medium" });
    expect(await edit(id, { priority: "critical" })).toBe("medium");
    expect(await edit(id, { priority: "low" })).toBe("low");
    expect(await edit(id)).toBe("medium");
  });

  test("finds it where it was sent and nowhere else: not by another bot, chat or workspace", async () => {
    const id = await written();
    const notFound = { status: 404 };
    await expect(edit(randomUUID())).rejects.toMatchObject(notFound);
    await expect(edit(id, { chatId: "6" })).rejects.toMatchObject(notFound);
    await expect(edit(id, { connectorId: randomUUID() })).rejects.toMatchObject(notFound);
    await expect(edit(id, { workspaceId: randomUUID() })).rejects.toMatchObject(notFound);
  });

  test("is refused where there is nothing in the chat that could be changed", async () => {
    const scheduled = await written({ sendAt: new Date(Date.now() + 60_000) });
    const unapproved = await written({}, "awaiting_approval");
    const target = await written();
    const change = await written({ content: { type: "pin", messageId: target } });
    const forwarded = await written({
      content: { type: "forward", fromChatId: "1", telegramMessageId: "2" },
    });
    const failed = await written();
    await database.db.query("UPDATE outbound_messages SET state = 'failed' WHERE id = $1", [
      failed,
    ]);
    for (const id of [scheduled, unapproved, change, forwarded, failed]) {
      await expect(edit(id)).rejects.toMatchObject({ status: 409 });
    }
  });
});
