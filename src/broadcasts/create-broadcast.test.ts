import { afterAll, afterEach, describe, expect, test } from "@jest/globals";
import { numbers, openBroadcasts } from "../../test/support/broadcast-world.ts";
import { createRetention, silentLogger, type Transaction } from "../platform/index.ts";
import { getBroadcast } from "./broadcast-view.ts";
import { changeBroadcast } from "./change-broadcast.ts";
import { createBroadcast } from "./create-broadcast.ts";
import { listRecipients } from "./recipient-list.ts";
import type { Segment } from "./recipients.ts";
import { broadcastRetentionRules } from "./retention.ts";

const {
  db,
  workspaceId,
  connectorId,
  stranger,
  jobs,
  create,
  change,
  turn,
  countsOf,
  chat,
  optOut,
  clear,
  drop,
} = await openBroadcasts();
afterAll(drop);
afterEach(clear);

describe("recipients", () => {
  test("are each chat once, under the id it has now; who wants none is counted apart", async () => {
    await chat(-1_000_005);
    await chat(-5, { migrated_to: -1_000_005 });
    await optOut(2);
    const chatIds = ["1", "2", "1", "-5", "-1000005", "2", "1"];
    const { id, ...counted } = await create({ to: { chatIds } });
    expect(counted).toEqual({ count: 3, optedOut: 1 });
    expect(await countsOf(id)).toEqual({ waiting: 2, optedOut: 1 });
  });

  test("of 20,000 are accepted in as many statements as one", async () => {
    const statements = async (chatIds: string[]) => {
      let count = 0;
      await db.transaction(async (tx) => {
        const query: Transaction["query"] = (sql, params) => {
          count++;
          return tx.query(sql, params);
        };
        const wanted = { workspaceId, connectorId, message: { text: "news" }, createdBy: "key:1" };
        await createBroadcast({ ...tx, query }, { ...wanted, to: { chatIds } });
      });
      return count;
    };
    expect(await statements(numbers(20_000))).toBe(await statements(["1"]));
  });

  test.each<[Segment, number[]]>([
    [{ linked: true }, [-1, 2]],
    [{ linked: false }, [1, 3, 5]],
    [{ types: ["private"] }, [1, 2, 3]],
    [{ types: ["group", "channel"], linked: true }, [-1]],
    [{ tag: "vip" }, [1, 2]],
    [{ tag: "vip", linked: true }, [2]],
    [{ tag: "VIP" }, []],
    [{ lastSeenWithinDays: 7 }, [1, 5]],
    [{ lastSeenWithinDays: 7, tag: "vip" }, [1]],
    [{ lastSeenWithinDays: 30 }, [1, 2, 5]],
  ])("of the segment %j are the chats %j", async (segment, ids) => {
    await chat(1, { type: "private" });
    await chat(2, { type: "private", linked: true });
    await chat(3, { type: "private" });
    await chat(4, { type: "private", linked: true, reachable: false });
    await chat(5, {});
    await chat(-1, { type: "group", linked: true });
    await chat(-2, { type: "group", linked: false, migrated_to: -1 });
    for (const chatId of [1, 2, 4]) {
      await db.query("INSERT INTO chat_tags VALUES ($1, $2, $3, 'vip'), ($1, $2, $3, 'x')", [
        workspaceId,
        connectorId,
        chatId,
      ]);
    }
    await db.query(
      `INSERT INTO conversations (workspace_id, connector_id, chat_id, last_message_at, customer_at,
         session_last_at)
       SELECT $1, $2, v.chat_id, now(), now() - v.said * interval '1 day',
         now() - v.session * interval '1 day'
       FROM (VALUES (1, 90, 1), (2, 20, NULL), (3, 90, 90), (4, 1, 1), (5, 2, 5))
         AS v(chat_id, said, session)`,
      [workspaceId, connectorId],
    );
    const { id } = await create({ to: { segment } });
    const page = await listRecipients(db, { workspaceId, id, limit: 100 });
    expect(page?.data.map(({ chatId }) => Number(chatId)).sort()).toEqual([...ids].sort());
  });
});

test("another workspace finds none of it", async () => {
  const { id } = await create();
  const own = db.asTenant(stranger);
  const which = { workspaceId: stranger, id };
  expect(await getBroadcast(own, which)).toBeNull();
  expect(await listRecipients(own, { ...which, limit: 10 })).toBeNull();
  expect(await own.transaction((tx) => changeBroadcast(tx, jobs, which, "cancel"))).toBe(false);
  await turn();
  expect(await countsOf(id)).toEqual({ queued: 3 });
});

test("what ended three months ago goes, recipients first; the rest stays", async () => {
  const [old, young, open] = [await create(), await create(), await create()];
  for (const { id } of [old, young]) await change(id, "cancel");
  await db.query("UPDATE broadcasts SET finished_at = now() - interval '91 days' WHERE id = $1", [
    old.id,
  ]);
  const rules = broadcastRetentionRules;
  const retention = createRetention({ db, log: silentLogger, rules, batchRows: 2, pauseMs: 0 });
  expect(await retention.runOnce()).toEqual({ "recipients of broadcasts": 3, broadcasts: 1 });
  const left = await db.query<{ id: string }>("SELECT id FROM broadcasts ORDER BY number");
  expect(left.map(({ id }) => id)).toEqual([young.id, open.id]);
});
