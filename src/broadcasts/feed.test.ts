import { afterAll, afterEach, describe, expect, test } from "@jest/globals";
import { numbers, openBroadcasts, total } from "../../test/support/broadcast-world.ts";
import { fc, runs } from "../../test/support/property.ts";
import { rowsRead } from "../../test/support/rows-read.ts";
import { insertMessages, type JobSink } from "../outbound/index.ts";
import { openDatabase, silentLogger } from "../platform/index.ts";
import { ImpossibleBroadcastChange } from "./change-broadcast.ts";
import type { BroadcastText } from "./create-broadcast.ts";
import { createBroadcastFeeder } from "./feeder.ts";
import { listRecipients, RECIPIENT_STATES, type RecipientState } from "./recipient-list.ts";
import { awaitApproval, sampleOf } from "./sample.ts";

const {
  database,
  db,
  workspaceId,
  connectorId,
  jobs,
  feeder,
  create,
  change,
  turn,
  view,
  countsOf,
  end,
  jobStates,
  chatsSent,
  chat,
  optOut,
  clear,
  drop,
} = await openBroadcasts();
afterAll(drop);
afterEach(clear);

describe("feeding", () => {
  test("keeps some seconds' worth in the queue, by how fast they go, and ends when all are gone", async () => {
    const { id } = await create({ to: { chatIds: numbers(1_500) } });
    await turn();
    expect(await countsOf(id)).toEqual({ waiting: 1_200, queued: 300 });
    await end("sent", 30);
    await turn();
    expect(await countsOf(id)).toEqual({ waiting: 1_170, queued: 300, sent: 30 });
    // Ninety in a second: the stock is to last ten seconds at that.
    await end("sent", 90);
    await turn();
    const { queued } = (await view(id)).counts;
    expect(queued).toBeGreaterThan(400);
    expect(queued).toBeLessThanOrEqual(900);
    await end("failed", 10);
    for (let n = 0; n < 9 && (await view(id)).state === "running"; n++) {
      await turn();
      await end("sent");
    }
    await turn();
    expect(await view(id)).toMatchObject({ state: "done", finishedAt: expect.any(String) });
    expect(await countsOf(id)).toEqual({ sent: 1_490, failed: 10 });
    expect(await chatsSent()).toEqual(numbers(1_500));
  });

  test("a message is what was asked for: behind everything else, and nobody's answer", async () => {
    const expiresAt = "2099-01-01T00:00:00.000Z";
    const message = { text: "<b>news</b>", format: "html", expiresAt, isSilent: true } as const;
    const { id } = await create({ message, to: { chatIds: ["7"] } });
    await turn();
    const [row] = await db.query("SELECT * FROM outbound_messages");
    expect(row).toMatchObject({
      chat_id: "7",
      text: "news",
      entities: [{ type: "bold", offset: 0, length: 4 }],
      silent: true,
      expires_at: new Date(expiresAt),
      priority: 8,
      on_unknown: "hold",
      automatic: true,
      submitted_by: "key:1",
      broadcast_id: id,
    });
  });

  test("a long text is cut once, not once for each", async () => {
    // Of marks that join the letter before them, the slowest to cut: once for each takes half a minute.
    const message = { text: "e\u0301".repeat(20_000), entities: [] };
    const { id } = await create({ to: { chatIds: numbers(300) }, message });
    await turn();
    expect(await countsOf(id)).toEqual({ queued: 300 });
    const cuts = await db.query(
      "SELECT DISTINCT jsonb_array_length(cuts) AS parts FROM outbound_messages",
    );
    expect(cuts).toEqual([{ parts: expect.any(Number) }]);
  }, 15_000);

  test("a crash before the jobs are written leaves nothing behind; the next turn begins anew", async () => {
    const { id } = await create({ to: { chatIds: numbers(10) } });
    const { id: other } = await create();
    let crashes = 1;
    const crashing: JobSink = {
      enqueueIn: (tx, wanted) => {
        if (crashes-- > 0) throw new Error("crash");
        return jobs.enqueueIn(tx, wanted);
      },
    };
    await turn(feeder(crashing));
    expect(await countsOf(id)).toEqual({ waiting: 10 });
    expect(await countsOf(other)).toEqual({ queued: 3 });
    await db.query("UPDATE broadcasts SET due_at = now() WHERE due_at IS NOT NULL");
    await turn(feeder(crashing));
    expect(await countsOf(id)).toEqual({ queued: 10 });
    expect(await jobStates()).toEqual({ available: 13 });
  });

  test("of two feeders at once one has the broadcast, and nobody waits", async () => {
    const { id } = await create({ to: { chatIds: numbers(10) } });
    const seen: Record<string, number>[] = [];
    const slow: JobSink = {
      enqueueIn: async (tx, wanted) => {
        // In the middle of its transaction, the other one has its turn.
        await feeder().runOnce();
        seen.push(await countsOf(id));
        return jobs.enqueueIn(tx, wanted);
      },
    };
    await turn(feeder(slow));
    expect(seen).toEqual([{ waiting: 10 }]);
    expect(await chatsSent()).toEqual(numbers(10));
  });

  test("who refused meanwhile, or cannot be reached, gets none", async () => {
    const { id } = await create();
    await optOut(1);
    await chat(2, { reachable: false });
    await turn();
    expect(await countsOf(id)).toEqual({ optedOut: 1, unreachable: 1, queued: 1 });
    expect(await chatsSent()).toEqual(["3"]);
  });

  test("a group that became a supergroup meanwhile is asked for as it is now", async () => {
    const { id } = await create({ to: { chatIds: ["-5", "-6", "-7", "-8", "-1000000000008"] } });
    for (const group of [5, 6, 7, 8]) {
      await chat(-group, { migrated_to: -1_000_000_000_000 - group });
      await chat(-1_000_000_000_000 - group, { migrated_from: -group, reachable: group !== 6 });
    }
    await optOut(-1_000_000_000_005);
    await turn();
    expect(await countsOf(id)).toEqual({ optedOut: 1, unreachable: 2, queued: 2 });
    expect(await chatsSent()).toEqual(["-1000000000008", "-1000000000007"]);
  });

  test("waits for its time, for an approval, and never comes where that is refused", async () => {
    const later = await create({ sendAt: new Date(Date.now() + 3_600_000) });
    const ask = async (message: BroadcastText = { text: "news" }) => {
      const { id } = await create({ message });
      const sample = await sampleOf(db, { workspaceId, id });
      return db.transaction(async (tx) => {
        if (sample === null) throw new Error("nobody is to get it");
        const [messageId = ""] = await insertMessages(tx, [sample], "awaiting_approval");
        await awaitApproval(tx, { workspaceId, id, chatId: sample.chatId, messageId });
        return { id, messageId };
      });
    };
    const [asked, refused] = [await ask(), await ask()];
    const template = { name: "news", version: 1 };
    const [vanished, edited] = [await ask({ text: "brief", template }), await ask()];
    await db.query(
      `INSERT INTO approvals (workspace_id, message_id, rule_id, rule, needed, expires_at)
       VALUES ($1, $2, gen_random_uuid(), '{}', 1, now())`,
      [workspaceId, edited.messageId],
    );
    await db.query(
      `INSERT INTO approval_decisions (workspace_id, message_id, approver, version, verdict, from_version)
       VALUES ($1, $2, 'key:2', sha256('2'), 'edited', sha256('1'))`,
      [workspaceId, edited.messageId],
    );
    const decide = (messageId: string, what: string) =>
      db.query(`UPDATE outbound_messages SET ${what} WHERE id = $1`, [messageId]);
    await turn();
    expect((await view(later.id)).state).toBe("scheduled");
    expect((await view(asked.id)).state).toBe("awaiting_approval");
    // Those that are asked about.
    expect(await chatsSent()).toEqual(["1", "1", "1", "1"]);
    await expect(change(asked.id, "pause")).rejects.toThrow(ImpossibleBroadcastChange);
    await decide(asked.messageId, "approved = true, state = 'queued', text = 'as it was edited'");
    await decide(refused.messageId, "state = 'rejected'");
    for (const { messageId } of [vanished, edited]) {
      await decide(messageId, "approved = true, state = 'queued'");
      await decide(messageId, "state = 'sent'");
      // A notice that vanished before anybody looked.
      await decide(messageId, "text = ''");
    }
    await db.query("UPDATE broadcasts SET due_at = now() WHERE state = 'awaiting_approval'");
    await turn();
    await turn();
    expect((await view(refused.id)).state).toBe("rejected");
    const others = await db.query(
      "SELECT DISTINCT text, template FROM outbound_messages WHERE broadcast_id = $1 AND state = 'queued'",
      [vanished.id],
    );
    expect(others).toEqual([{ text: "brief", template: "news" }]);
    // What its approver wrote nobody knows any more.
    expect((await view(edited.id)).state).toBe("cancelled");
    expect(await countsOf(edited.id)).toEqual({ sent: 1, cancelled: 2 });
    const said = await db.query(
      "SELECT DISTINCT text, approved FROM outbound_messages WHERE broadcast_id = $1",
      [asked.id],
    );
    expect(said).toEqual([{ text: "as it was edited", approved: true }]);
    expect(await countsOf(asked.id)).toEqual({ queued: 3 });
    expect(await countsOf(refused.id)).toEqual({ cancelled: 3 });
    await db.query("UPDATE broadcasts SET due_at = now(), send_at = now() WHERE id = $1", [
      later.id,
    ]);
    await turn();
    expect(await countsOf(later.id)).toEqual({ queued: 3 });
  });

  test("of a bot that was disconnected it ends, and nobody to write to is done at once", async () => {
    const { id } = await create();
    const none = await create({ to: { segment: { tag: "nobody" } } });
    const { id: paused } = await create();
    await change(paused, "pause");
    const { id: over } = await create();
    await change(over, "cancel");
    const { id: asked } = await create();
    await db.transaction(async (tx) => {
      const sample = await sampleOf(tx, { workspaceId, id: asked });
      if (sample === null) throw new Error("nobody is to get it");
      const [messageId = ""] = await insertMessages(tx, [sample], "awaiting_approval");
      await awaitApproval(tx, { workspaceId, id: asked, chatId: sample.chatId, messageId });
    });
    const disconnected = (status: string, secret: string | null) =>
      db.query(
        `UPDATE connectors SET status = $2, token_sealed = $3::bytea, secret_hash = sha256($3::bytea)
         WHERE id = $1`,
        [connectorId, status, secret],
      );
    await disconnected("removed", null);
    // Stopped at the last moment, it is over all the same.
    const { id: late } = await create();
    await change(late, "pause");
    await turn();
    await disconnected("active", "\\x00");
    for (const one of [id, paused, asked, late]) {
      const { state, error, finishedAt } = await view(one);
      expect({ one, state }).toEqual({ one, state: "cancelled" });
      expect(error).toContain("disconnected");
      expect(finishedAt).toBeDefined();
      await expect(change(one, "resume")).rejects.toThrow("cancelled cannot be resumed");
    }
    expect((await view(over)).error).toBeUndefined();
    const entries = await db.query<{ subject_id: string }>(
      `SELECT subject_id FROM audit_entries WHERE action = 'broadcast.cancelled'
         AND details ->> 'why' = 'connector-removed' AND subject_id = ANY ($1)`,
      [[id, paused, asked, late, over]],
    );
    expect(entries.map((entry) => entry.subject_id).sort()).toEqual(
      [id, paused, asked, late].sort(),
    );
    expect(await countsOf(id)).toEqual({ cancelled: 3 });
    expect(await countsOf(asked)).toEqual({ cancelled: 3 });
    expect((await view(none.id)).recipients).toBe(0);
  });

  test("reads what it feeds, however much of the broadcast is behind it", async () => {
    const { id } = await create({ to: { chatIds: numbers(6_000) } });
    await db.query(
      `WITH fed AS (
         UPDATE broadcast_recipients SET message_id = gen_random_uuid()
         WHERE broadcast_id = $1 AND chat_id <= 5000 RETURNING message_id, chat_id
       ), noted AS (
         UPDATE broadcasts SET fed = 5000 WHERE id = $1
       )
       INSERT INTO outbound_messages (workspace_id, id, connector_id, chat_id, kind, text,
         on_unknown, state, broadcast_id)
       SELECT $2, message_id, $3, chat_id, 'message', 'x', 'hold', 'sent', $1 FROM fed`,
      [id, workspaceId, connectorId],
    );
    await turn();
    const alone = openDatabase({ url: database.url, max: 1 });
    const tables = ["broadcasts", "broadcast_recipients", "outbound_messages"];
    // Index entries of what is gone are read until somebody clears them away: whoever reads them first
    // does, unless a vacuum looks on at that moment.
    for (const table of tables) {
      await database.owner.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
      await database.owner.query(`VACUUM ${table}`);
    }
    const its = createBroadcastFeeder({ db: alone, jobs, log: silentLogger });
    for (let round = 0; round < 6; round++) {
      await end("sent", 30);
      await db.query("UPDATE broadcasts SET looked_at = now() - interval '1 s', due_at = now()");
      const read = await rowsRead(alone, tables, () => its.runOnce());
      expect({ round, read, bounded: read < 1_500 }).toEqual({ round, read, bounded: true });
    }
    await alone.close();
    expect(await countsOf(id)).toEqual({ sent: 5_180, queued: 300, waiting: 520 });
  });
});

test("whatever happens, in whatever order: all recipients are somewhere, none has two messages", async () => {
  const step = fc.oneof(
    fc.constantFrom("turn", "pause", "resume", "turn", "refuse", "lose"),
    fc.constantFrom("sent", "sending", "failed", "unknown").map((state) => `end ${state}`),
    { weight: 1, arbitrary: fc.constant("cancel") },
  );
  const act: Record<string, (id: string) => Promise<unknown>> = {
    turn: () => turn(),
    refuse: () => optOut(3),
    lose: () => chat(4, { reachable: false }).catch(() => {}),
    ...Object.fromEntries(
      ["sent", "sending", "failed", "unknown"].map((state) => [
        `end ${state}`,
        () => end(state, 2),
      ]),
    ),
  };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
      const { id, count } = await create({ to: { chatIds: numbers(8) } });
      for (const name of steps) {
        if (name === "pause" || name === "resume" || name === "cancel") {
          await change(id, name).catch((error) => {
            if (!(error instanceof ImpossibleBroadcastChange)) throw error;
          });
        } else await act[name]?.(id);
        const { counts } = await view(id);
        expect({ steps, name, total: total(counts) }).toEqual({ steps, name, total: count });
        const listed = await listRecipients(db, { workspaceId, id, limit: 100 });
        const tally = (state: RecipientState) =>
          listed?.data.filter((one) => one.state === state).length ?? 0;
        const tallies = Object.fromEntries(RECIPIENT_STATES.map((state) => [state, tally(state)]));
        expect({ steps, name, tallies }).toEqual({ steps, name, tallies: counts });
        const chats = await chatsSent();
        expect(chats).toHaveLength(new Set(chats).size);
      }
      for (const table of ["broadcasts", "outbound_messages", "jobs", "broadcast_opt_outs"]) {
        await db.query(`DELETE FROM ${table}`);
      }
      await db.query("DELETE FROM chats");
    }),
    { numRuns: runs(8) },
  );
});
