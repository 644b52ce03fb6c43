import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import {
  startTestSystem,
  type TestBot,
  type TestSystem,
  textUpdate,
} from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { openIntake } from "../../workers/intake.ts";
import { setChatLink } from "../conversations/index.ts";
import { isLockTimeout } from "../platform/index.ts";
import { NotAnUpdate, rewriteUpdate, type UpdateOwner } from "./index.ts";

/** Updates that come many at a time, as polling brings them. */

let world: TestSystem;
let opened: ReturnType<typeof openIntake>;
let bot: TestBot;
let owner: UpdateOwner;
beforeAll(async () => {
  world = await startTestSystem({ updatesMode: "polling", pools: false });
  opened = openIntake(world.system);
});
beforeEach(async () => {
  bot = await world.connectBot();
  const { workspaceId } = world;
  owner = { workspaceId, connectorId: bot.connectorId, username: null };
});
afterAll(async () => {
  await opened.stop();
  await world.close();
});

const nothing = async () => {};

const take = (updates: unknown[], guard: () => Promise<void> = nothing) =>
  opened.intake.takeInOrder(owner, updates.map(rewriteUpdate), guard);

let lastId = 0;
const said = (chat: { id: number; type: string }, text: string, more: object = {}) => ({
  update_id: ++lastId,
  message: { message_id: lastId, date: 1_790_000_000, chat, text, from: { id: 1 }, ...more },
});

/** Bodies of what is stored, in the order of the jobs. */
async function stored(): Promise<Array<{ text?: string; chat: { id: number } }>> {
  const rows = await world.system.db.query<{ body: Buffer }>(
    `SELECT b.body FROM jobs j
     JOIN job_bodies b ON b.workspace_id = j.workspace_id AND b.job_id = j.id
     WHERE j.payload ->> 'connectorId' = $1 ORDER BY j.id`,
    [bot.connectorId],
  );
  return rows.map(({ body }) => JSON.parse(body.toString("utf8")).message);
}

async function noted(): Promise<number> {
  const [row] = await world.system.db.query<{ n: number }>(
    `SELECT coalesce(sum(upper(run) - lower(run)), 0)::int AS n
     FROM seen_updates s, unnest(s.update_ids) run WHERE s.connector_id = $1`,
    [bot.connectorId],
  );
  return row?.n ?? 0;
}

const newGroup = (type = "group") => ({ id: -randomBytes(4).readUInt32BE(), type });
const link = (chat: { id: number }) =>
  setChatLink(world.system.db, { ...owner, chatId: String(chat.id), linked: true });

describe("updates that come together", () => {
  test("are stored in the order in which they came, each once", async () => {
    const updates = Array.from({ length: 100 }, (_, n) =>
      textUpdate(++lastId, 70_000 + (n % 3), n, `m${n}`),
    );
    const half = updates.slice(0, 50);
    expect(await take(half)).toEqual(half.map(() => "accepted"));
    const taken = await take([...updates, ...half]);
    expect(taken.filter((one) => one === "accepted")).toHaveLength(50);
    expect(taken.filter((one) => one === "duplicate")).toHaveLength(100);
    expect((await stored()).map(({ text }) => text)).toEqual(
      updates.map(({ message }) => message.text),
    );
  });

  test("of groups that nobody linked leave their numbers, committed, and nothing else", async () => {
    const [mine, theirs] = [newGroup(), newGroup()];
    await link(mine);
    const updates = [
      said(theirs, "a"),
      said(mine, "b"),
      said(theirs, "c"),
      said(theirs, "/link x"),
    ];
    expect(await take(updates)).toEqual(["unlinked", "accepted", "unlinked", "accepted"]);
    expect((await stored()).map(({ text }) => text)).toEqual(["b", "/link x"]);
    expect(await noted()).toBeGreaterThanOrEqual(2);
    await waitFor(async () => (await noted()) === 4, { what: "the stored ones' numbers" });
  });

  test("one of them moves a group: what follows is of a linked group", async () => {
    const old = newGroup();
    const moved = { id: -1_000_000_000_000 + old.id, type: "supergroup" };
    await link(old);
    const taken = await take([
      said(old, "before"),
      said(old, "", { migrate_to_chat_id: moved.id }),
      said(moved, "", { migrate_from_chat_id: old.id }),
      said(moved, "after"),
    ]);
    expect(taken).toEqual(["accepted", "accepted", "accepted", "accepted"]);
    expect((await stored()).map(({ text }) => text)).toEqual(["before", "", "", "after"]);
  });

  test("are not stored at all where their guard refuses", async () => {
    const refused = take([said({ id: 5, type: "private" }, "a")], async () => {
      throw new Error("not ours");
    });
    await expect(refused).rejects.toThrow("not ours");
    expect(await stored()).toEqual([]);
  });

  test("wait for a locked lane no longer than a second, and none of them is stored then", async () => {
    const [locked, free] = [
      said({ id: 71, type: "private" }, "a"),
      said({ id: 72, type: "private" }, "b"),
    ];
    await take([locked]);
    const { db } = world.system;
    await db.transaction(async (tx) => {
      await tx.query("SELECT 1 FROM lanes WHERE lane = $1 FOR UPDATE", [`${bot.connectorId}/c71`]);
      const late = take([free, said({ id: 71, type: "private" }, "c")]);
      expect(isLockTimeout(await late.catch((error: unknown) => error))).toBe(true);
    });
    expect(await stored()).toHaveLength(1);
  });

  test("keep NUL and lone surrogates", async () => {
    const text = "a\0b\ud800c";
    await take([said({ id: 6, type: "private" }, text)]);
    expect((await stored()).map((message) => message.text)).toEqual([text]);
  });
});

describe("what is no update", () => {
  const nested = (depth: number) => {
    let value: unknown = 1;
    for (let n = 0; n < depth; n++) value = [value];
    return { update_id: 1, message: value };
  };
  test.each([
    ["no number", { message: {} }],
    ["a number that is none", { update_id: "7" }],
    ["one beyond 52 bits", { update_id: 2 ** 53 }],
    ["nothing", undefined],
    ["null", null],
    ["a list", [1]],
    ["deep", nested(201)],
    ["deeper than the stack is high", nested(100_000)],
  ])("%s: refused", (_what, value) => {
    expect(() => rewriteUpdate(value)).toThrow(NotAnUpdate);
  });
});
