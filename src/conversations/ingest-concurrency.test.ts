import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  arriving,
  GROUP,
  group,
  inGroup,
  leaving,
  message,
  pressed,
  privateChat,
  SUPERGROUP,
  user,
} from "../../test/support/telegram-updates.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { insertJobs } from "../jobs/index.ts";
import { silentLogger, type Transaction } from "../platform/index.ts";
import { listConversations } from "./conversation-list.ts";
import type { Scope } from "./effects.ts";
import { createIngestHandler } from "./ingest-handler.ts";

let world: World;
let scope: Scope;

beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  world.replies.length = 0;
});

const link = (chatId: number, of = scope) => world.link(of, chatId);
const texts = (of = scope) => world.texts(of);
const count = (table: string, of = scope) => world.count(table, of);

describe("transactions side by side", () => {
  /** Each way of touching the rows of two people: what it takes in which table. */
  test.each([
    ["chats", "chat_id", (id: number) => ({ chat: { ...privateChat(id), first_name: "New" } })],
    ["contacts", "telegram_user_id", (id: number) => ({ from: user(id, { first_name: "New" }) })],
    ["conversations", "chat_id", (_: number) => ({})],
  ])("take %s in one order, whatever the order of their updates", async (table, column, rest) => {
    const [first, second] = [71, 72];
    const to = (id: number, n: number, more = {}) => ({
      message: message(n, "hi", { from: user(id), chat: privateChat(id), ...more }),
    });
    await world.ingest(scope, to(first, 1), to(second, 1));
    const batchOf = (n: number, ids: number[]) =>
      world.lane(
        scope,
        ids.map((id) => to(id, n, rest(id))),
      );
    const before = world.tries;
    const both: Promise<void>[] = [];
    await world.db.transaction(async (tx) => {
      await tx.query(
        `SELECT 1 FROM ${table} WHERE workspace_id = $1 AND ${column} = $2 FOR UPDATE`,
        [scope.workspaceId, first],
      );
      for (const [n, ids] of [
        [first, second],
        [second, first],
      ].entries()) {
        both.push(world.ingestLanes([batchOf(n + 2, ids)]));
        // One that takes the second row first would hold it now, and the ring would be closed.
        await waitFor(async () => (await waiting()) === n + 1, {
          what: "it to wait for the first",
        });
      }
    });
    await Promise.all(both);
    expect(world.tries - before).toBe(2);
  });

  test("over the same people, chats and conversations neither wait in a ring nor lose anything", async () => {
    const connectors = [scope, await world.newConnector(scope.workspaceId)];
    const people = Array.from({ length: 40 }, (_, n) => 5_000 + n);
    const groups = Array.from({ length: 10 }, (_, n) => GROUP - n);
    for (const of of connectors) for (const id of groups) await link(id, of);
    // Everybody is everywhere, and each transaction meets them in an order of its own.
    const ofTransaction = (n: number) => {
      const turned = [...people.slice((n * 7) % 40), ...people.slice(0, (n * 7) % 40)];
      if (n % 2 === 1) turned.reverse();
      return connectors.map((of, c) =>
        world.lane(
          of,
          turned.flatMap((id, index) => [
            {
              message: message(n * 100 + index, `p${n}`, {
                from: user(id, { first_name: `N${n}` }),
              }),
            },
            {
              message: inGroup(n * 100 + index, `g${n}`, {
                chat: group(groups[(index + n) % 10]),
                from: user(id, { first_name: `N${n}` }),
              }),
            },
          ]),
          `t${n}c${c}`,
        ),
      );
    };
    const before = world.tries;
    await Promise.all(Array.from({ length: 8 }, (_, n) => world.ingestLanes(ofTransaction(n))));
    expect(world.tries - before).toBe(8);
    expect(await count("messages")).toBe(8 * 2 * 2 * 40);
    expect(await count("contacts")).toBe(40);
    expect(await count("conversations")).toBe(2 * (40 + 10));
  });

  test.each([
    ["known to the other", false],
    ["about to be told again by the other", true],
  ])("one that moves a group is waited for by one that writes to it, %s", async (_, toldAgain) => {
    await link(GROUP);
    await world.ingest(scope, { message: inGroup(1, "first") });
    const writing = [2, 3].map((n) => ({ message: inGroup(n, `late ${n}`) }));
    const writer = world.lane(scope, toldAgain ? [...writing, leaving] : writing);
    let writes: Promise<unknown> = Promise.resolve();
    await world.db.transaction(async (tx) => {
      await world.ingestIn(tx, [world.lane(scope, [arriving])]);
      writes = world.ingestLanes([writer]);
      await waitFor(waiting, { what: "the writer to wait for the group" });
    });
    await writes;
    const shown = (await texts()).map((conversation) => conversation.filter((text) => text));
    expect(shown).toEqual([["first", "late 2", "late 3"]]);
    const { data } = await listConversations(world.db, scope);
    expect(data).toMatchObject([{ chatId: String(SUPERGROUP) }]);
  });

  test("lanes of bots are taken last, whatever was pressed: they are hot", async () => {
    const { workspaceId } = scope;
    const enqueues = (queue: "evidence" | "outbound") => async (tx: Transaction) => {
      const job = { queue, lane: `${queue}/${workspaceId}`, workspaceId, kind: "any" };
      await insertJobs(tx.engine, [job]);
      return [];
    };
    const evidence = enqueues("evidence");
    const handler = createIngestHandler({
      replies: async () => {},
      presses: enqueues("outbound"),
      requests: async (tx) => ({ replies: await evidence(tx), taken: new Set() }),
      log: silentLogger,
    });
    const token = "A".repeat(22);
    const lane = world.lane(scope, [
      { callback_query: pressed(`approval:${token}`) },
      { callback_query: pressed("hg:d:any") },
    ]);
    await world.db.transaction(async (tx) => {
      await handler.run(tx, [lane]);
    });
    const hold = "SELECT 1 FROM lanes WHERE queue = $1 AND lane = $1 || '/' || $2 FOR UPDATE";
    let both: Promise<void> = Promise.resolve();
    await world.db.transaction(async (tx) => {
      await tx.query(hold, ["evidence", workspaceId]);
      both = world.db.transaction((other) => handler.run(other, [lane]));
      await waitFor(async () => (await waiting()) === 1, { what: "it to wait for evidence" });
      await tx.query(`${hold} NOWAIT`, ["outbound", workspaceId]);
    });
    await both;
  });

  /** How many transactions wait for a row that another one holds. */
  async function waiting(): Promise<number> {
    const rows = await world.owner.query(
      `SELECT 1 FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length;
  }
});
