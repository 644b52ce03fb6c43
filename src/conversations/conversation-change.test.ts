import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { BY, supportDesk, time } from "../../test/support/support-desk.ts";
import { message, privateChat, user } from "../../test/support/telegram-updates.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { silentLogger } from "../platform/index.ts";
import { ChangedMeanwhile, changeConversation } from "./conversation-change.ts";
import { listConversations } from "./conversation-list.ts";
import { findConversation } from "./conversation-view.ts";
import type { Scope } from "./effects.ts";
import { createSnoozeKeeper } from "./snoozes.ts";

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

describe("a member's change", () => {
  beforeEach(() => world.ingest(scope, { message: message(10, "question") }));

  test("at a version that has passed is refused; without one the later wins, and both leave events", async () => {
    const { version } = await desk.conversation();
    expect(await desk.change({ assignee: "ada" }, version)).toMatchObject({
      assignee: "ada",
      version: 2,
    });
    await expect(desk.change({ assignee: "bob" }, version)).rejects.toBeInstanceOf(
      ChangedMeanwhile,
    );
    await Promise.all(["bob", "cyd"].map((assignee) => desk.change({ assignee })));
    const lines = await desk.told();
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe("assignee: null → ada (api_key)");
    const last = (await desk.events()).at(-1);
    expect((await desk.conversation()).assignee).toBe(last?.to);
    expect((await desk.events())[2]?.from).toBe((await desk.events())[1]?.to);
  });

  test("waits for one that is under way, and is refused when that has changed the version", async () => {
    const { id, version } = await desk.conversation();
    const to = (assignee: string) => ({
      ...scope,
      id,
      change: { assignee },
      version,
      by: BY,
      nowMs: Date.now(),
    });
    let second: Promise<unknown> = Promise.resolve();
    await world.db.transaction(async (tx) => {
      await changeConversation(tx, to("ada"));
      second = world.db.transaction((other) => changeConversation(other, to("bob"))).catch(String);
      await waitFor(
        async () => (await world.db.query("SELECT 1 FROM pg_locks WHERE NOT granted")).length > 0,
        { what: "the other to wait" },
      );
    });
    expect(await second).toMatch(/ChangedMeanwhile/);
    expect(await desk.conversation()).toMatchObject({ assignee: "ada" });
  });

  test("that changes nothing leaves no event and no entry", async () => {
    await desk.change({ status: "open" });
    await desk.change({});
    expect(await desk.events()).toEqual([]);
    expect(await world.count("audit_entries", scope)).toBe(0);
    await desk.change({ status: "closed", assignee: "ada" });
    const [entry] = await world.db.query(
      "SELECT action, details FROM audit_entries WHERE workspace_id = $1",
      [scope.workspaceId],
    );
    expect(entry).toEqual({
      action: "conversation.updated",
      details: { fields: ["status", "assignee"], from: "open", to: "closed" },
    });
  });

  test("of another workspace's conversation, or none, is none", async () => {
    const { id } = await desk.conversation();
    const stranger = await world.newScope();
    for (const target of [id, "999999", "x", "9".repeat(30)]) {
      const request = { ...stranger, id: target, change: { assignee: "me" }, by: BY, nowMs: 1 };
      expect(await world.db.transaction((tx) => changeConversation(tx, request))).toBeNull();
      expect(await findConversation(world.db, { ...stranger, id: target })).toBeNull();
    }
    expect(await desk.conversation()).toMatchObject({ assignee: null });
  });
});

describe("a snooze", () => {
  const keeper = () => createSnoozeKeeper({ db: world.db, log: silentLogger, everyMs: 5 });

  test("is over at its time, which is when the customer began to wait; before it nothing happens", async () => {
    await world.ingest(scope, { message: message(10, "question") });
    const nowMs = Date.now();
    await desk.change({ snoozedUntilMs: nowMs + 3_600_000 });
    await keeper().runOnce();
    expect(await desk.conversation()).toMatchObject({ status: "snoozed" });
    await desk.change({ snoozedUntilMs: nowMs - 60_000 }, undefined, nowMs - 120_000);
    await keeper().runOnce();
    const over = new Date(nowMs - 60_000).toISOString();
    expect(await desk.conversation()).toMatchObject({ status: "open", waitingSince: over });
    expect((await desk.told()).at(-2)).toBe("status: snoozed → open (system)");
  });

  test("ends earlier when the customer writes", async () => {
    await world.ingest(scope, { message: message(10, "question") });
    await desk.change({ snoozedUntilMs: Date.now() + 3_600_000 });
    await world.ingest(scope, { message: message(11, "now please") });
    expect(await desk.conversation()).toMatchObject({ status: "open", waitingSince: time(11) });
  });

  test("the service does it by itself, more than a batch of them, of any workspace", async () => {
    const people = Array.from({ length: 600 }, (_, n) => 50_000 + n);
    await world.ingestLanes(
      people.map((id) =>
        world.lane(
          scope,
          [{ message: message(1, "x", { from: user(id), chat: privateChat(id) }) }],
          `c${id}`,
        ),
      ),
    );
    await world.db.query(
      `UPDATE conversations SET status = 'snoozed', waiting_since = NULL,
         snoozed_until = now() - interval '1 s' WHERE workspace_id = $1`,
      [scope.workspaceId],
    );
    const service = keeper();
    service.start();
    try {
      await waitFor(
        async () =>
          (await listConversations(world.db, { ...scope, status: "snoozed" })).data.length === 0,
        { what: "the snoozes to end" },
      );
    } finally {
      await service.stop();
    }
    expect(await world.count("conversation_events", scope)).toBe(600 * 2 * 2);
  });
});
