import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  GROUP,
  inGroup,
  message,
  T0,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import type { Scope } from "./effects.ts";

/** What messages that nobody wrote, and those without text or caption, are kept as. */

let world: World;
let scope: Scope;
beforeAll(async () => {
  world = await createWorld();
});
beforeEach(async () => {
  scope = await world.newScope();
});
afterAll(() => world.drop());

const take = (...updates: Wire[]) => world.ingest(scope, ...updates);

const messages = async () => (await world.messages(scope)).flat();

describe("what Telegram reports", () => {
  test("is kept as a service message with what it says, people and messages by id", async () => {
    await world.link(scope, GROUP);
    const reports: Array<[Wire, Wire]> = [
      [{ new_chat_title: "Audit" }, { type: "new_chat_title", title: "Audit" }],
      [{ new_chat_members: [user(1), user(2)] }, { type: "new_chat_members", userIds: ["1", "2"] }],
      [{ left_chat_member: user(1) }, { type: "left_chat_member", userId: "1" }],
      [{ delete_chat_photo: true }, { type: "delete_chat_photo" }],
      [
        { message_auto_delete_timer_changed: { message_auto_delete_time: 60 } },
        { type: "message_auto_delete_timer_changed", messageAutoDeleteTime: 60 },
      ],
      [
        { users_shared: { request_id: 3, users: [{ user_id: 5, first_name: "Eve" }] } },
        { type: "users_shared", requestId: 3, users: ["5"] },
      ],
      [
        { write_access_allowed: { from_request: true } },
        { type: "write_access_allowed", fromRequest: true },
      ],
      [{ video_chat_ended: { duration: 9 } }, { type: "video_chat_ended", duration: 9 }],
      [{ boost_added: { boost_count: 2 } }, { type: "boost_added", boostCount: 2 }],
      [
        { giveaway_completed: { winner_count: 1, giveaway_message: inGroup(4, "x") } },
        { type: "giveaway_completed", giveawayMessage: "4", winnerCount: 1 },
      ],
      [
        { successful_payment: { currency: "EUR", total_amount: 1 } },
        { type: "successful_payment" },
      ],
    ];
    await take(
      ...reports.map(([report], n) => ({
        message: inGroup(n + 1, "", { text: undefined, ...report }),
      })),
    );
    const found = await messages();
    expect(found.map(({ kind }) => kind)).toEqual(reports.map(() => "service"));
    expect(found.map(({ service }) => service)).toEqual(reports.map(([, service]) => service));
  });

  test("marks the message that was pinned, when it is stored", async () => {
    await take({ message: message(1, "pin me") });
    const pinned = (id: number, of: number) => ({
      message: message(id, "", { text: undefined, pinned_message: message(of, "pin me") }),
    });
    await take(pinned(2, 1), pinned(3, 99));
    expect((await messages()).map(({ pinnedAt }) => pinnedAt)).toEqual([
      new Date((T0 + 2) * 1000).toISOString(),
      undefined,
      undefined,
    ]);
  });

  test("a rich message is read as plain text, a checklist as its lines", async () => {
    const rich = {
      blocks: [
        { type: "heading", text: ["Q", { type: "bold", text: "3" }], size: 1 },
        { type: "list", items: [{ label: "1.", blocks: [{ type: "paragraph", text: "one" }] }] },
        { type: "photo", photo: [], caption: { text: { type: "italic", text: "a chart" } } },
        { type: "table", cells: [[{ text: "a" }, { text: "b" }]] },
        { type: "not-yet-known", text: "more" },
      ],
    };
    const checklist = { title: "Today", tasks: [{ id: 1, text: "call" }] };
    await take(
      { message: message(1, "", { text: undefined, rich_message: rich }) },
      { message: message(2, "", { text: undefined, checklist }) },
      { message: message(3, "", { text: undefined, telepathy: {} }) },
    );
    expect((await messages()).map(({ kind, text }) => [kind, text])).toEqual([
      ["rich_message", "Q3\n1.\none\na chart\na\nb\nmore"],
      ["checklist", "Today\ncall"],
      ["other", undefined],
    ]);
  });

  test("a contact's number is in no column", async () => {
    const contact = {
      phone_number: "+4915112345678",
      first_name: "Eve",
      vcard: "TEL:+4915112345678",
    };
    await take({ message: message(1, "", { text: undefined, contact }) });
    const [row] = await world.db.query<{ all: string }>(
      "SELECT to_jsonb(m)::text AS all FROM messages m WHERE workspace_id = $1",
      [scope.workspaceId],
    );
    expect(row?.all).toContain('"contact"');
    expect(row?.all).not.toContain("4915112345678");
  });
});
