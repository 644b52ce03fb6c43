import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { sent, supportDesk } from "../../test/support/support-desk.ts";
import { message, privateChat, T0, user } from "../../test/support/telegram-updates.ts";
import { listConversations } from "./conversation-list.ts";
import type { Scope } from "./effects.ts";
import { supportTimes } from "./support-times.ts";

let world: World;
let scope: Scope;
let desk: ReturnType<typeof supportDesk>;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  desk = supportDesk(world, scope);
});

describe("the queue", () => {
  const from = (id: number) => ({ from: user(id), chat: privateChat(id) });
  beforeEach(() =>
    world.ingest(scope, ...[5, 3, 9, 7, 1].map((n) => ({ message: message(n, "x", from(n)) }))),
  );
  const list = async (filter: object) => {
    const chats: string[][] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof listConversations>> = await listConversations(
        world.db,
        {
          workspaceId: scope.workspaceId,
          limit: 2,
          cursor,
          ...filter,
        },
      );
      chats.push(page.data.map(({ chatId }) => chatId));
      cursor = page.nextCursor;
    } while (cursor !== null);
    return chats;
  };
  const set = (chatId: number, assignments: string) =>
    world.db.query(
      `UPDATE conversations SET ${assignments} WHERE workspace_id = $1 AND chat_id = $2`,
      [scope.workspaceId, chatId],
    );

  test("is in the order of waiting, page by page, also where several began in one moment", async () => {
    expect(await list({ sort: "waiting" })).toEqual([["1", "3"], ["5", "7"], ["9"]]);
    await set(
      9,
      "waiting_since = (SELECT waiting_since FROM conversations WHERE chat_id = 3 LIMIT 1)",
    );
    await set(5, "waiting_since = waiting_since - interval '1 microsecond'");
    const order = (await list({ sort: "waiting" })).flat();
    expect(order).toEqual(["1", "3", "9", "5", "7"]);
  });

  test("by status, by assignee, by nobody, and both", async () => {
    await set(3, "assignee = 'ada'");
    await set(9, "assignee = 'ada', status = 'closed', resolved_at = now(), waiting_since = NULL");
    await set(1, "status = 'waiting', waiting_since = NULL");
    const flat = async (filter: object) => (await list(filter)).flat();
    expect(await flat({ status: "open" })).toEqual(["7", "5", "3"]);
    expect(await flat({ status: "closed" })).toEqual(["9"]);
    expect(await flat({ assignee: "ada" })).toEqual(["9", "3"]);
    expect(await flat({ assignee: "ada", status: "open" })).toEqual(["3"]);
    expect(await flat({ assignee: null })).toEqual(["7", "5", "1"]);
    expect(await flat({ assignee: null, sort: "waiting" })).toEqual(["5", "7"]);
    expect(await flat({ assignee: "ada", sort: "waiting" })).toEqual(["3"]);
    expect(await flat({ assignee: "eve" })).toEqual([]);
    expect(await flat({ connectorId: scope.connectorId, sort: "waiting", chatId: "7" })).toEqual([
      "7",
    ]);
  });

  test("has cursors of its own", async () => {
    const page = await listConversations(world.db, { ...scope, limit: 1, sort: "waiting" });
    const cursor = page.nextCursor;
    await expect(listConversations(world.db, { ...scope, cursor })).rejects.toThrow(/cursor/);
    const { nextCursor } = await listConversations(world.db, { ...scope, limit: 1 });
    await expect(
      listConversations(world.db, { ...scope, cursor: nextCursor, sort: "waiting" }),
    ).rejects.toThrow(/cursor/);
  });
});

test("response and resolution times are those of the period and of the workspace", async () => {
  for (const n of [1, 2, 3]) {
    const chat = privateChat(n);
    await world.ingest(scope, { message: message(10, "q", { from: user(n), chat }) });
    await desk.record(sent(10 + 10 * n, { chat }));
  }
  await desk.change({ status: "closed" }, undefined, (T0 + 110) * 1_000);
  const hour = 3_600_000;
  const period = { from: new Date(Date.now() - hour), to: new Date(Date.now() + hour) };
  expect(await supportTimes(world.db, { ...scope, ...period })).toEqual({
    firstResponse: { count: 3, medianMs: 20_000, p95Ms: 29_000 },
    resolution: { count: 1, medianMs: 100_000, p95Ms: 100_000 },
  });
  const before = { from: new Date(Date.now() - 2 * hour), to: new Date(Date.now() - hour) };
  const none = { count: 0, medianMs: null, p95Ms: null };
  const nothing = { firstResponse: none, resolution: none };
  expect(await supportTimes(world.db, { ...scope, ...before })).toEqual(nothing);
  expect(await supportTimes(world.db, { ...(await world.newScope()), ...period })).toEqual(nothing);
});
