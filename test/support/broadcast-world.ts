import { randomUUID } from "node:crypto";
import { type BroadcastCounts, getBroadcast } from "../../src/broadcasts/broadcast-view.ts";
import { type BroadcastAction, changeBroadcast } from "../../src/broadcasts/change-broadcast.ts";
import { createBroadcast, type NewBroadcast } from "../../src/broadcasts/create-broadcast.ts";
import { type BroadcastFeeder, createBroadcastFeeder } from "../../src/broadcasts/feeder.ts";
import { insertJobs, type WaitingJobs } from "../../src/jobs/index.ts";
import { createWaitingJobs } from "../../src/jobs/waiting-jobs.ts";
import type { JobSink } from "../../src/outbound/index.ts";
import { type Logger, silentLogger } from "../../src/platform/index.ts";
import { createTestDatabase } from "./database.ts";

/** The chats 1 to `count`. */
export const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n + 1));

export const total = (counts: BroadcastCounts) =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** A workspace with a bot, and what can happen to its broadcasts: for tests of their room. */
export async function openBroadcasts() {
  const database = await createTestDatabase();
  const { db } = database;
  const [workspaceId, connectorId, stranger] = [randomUUID(), randomUUID(), randomUUID()];
  await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'one'), ($2, 'other')", [
    workspaceId,
    stranger,
  ]);
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', 1, 'desk_bot', true, '\\x00', 'key', sha256('\\x00'))`,
    [workspaceId, connectorId],
  );
  /** Nothing is left of what a test did. */
  const clear = async () => {
    const tables = ["broadcasts", "outbound_messages", "jobs", "lanes", "broadcast_opt_outs"];
    for (const table of [...tables, "chats"]) await db.query(`DELETE FROM ${table}`);
  };
  const jobs = {
    enqueueIn: (tx, wanted) => insertJobs(tx.engine, wanted),
    ...createWaitingJobs(() => {}),
  } satisfies JobSink & WaitingJobs;
  /** Why a broadcast was not fed: told by `turn`, but for a feeder that was made to fail. */
  const failures: unknown[] = [];
  const log = { ...silentLogger, warn: ({ err }: { err: unknown }) => void failures.push(err) };
  const feeder = (sink: JobSink = jobs) =>
    createBroadcastFeeder({ db, jobs: { ...jobs, ...sink }, log: log as Logger });

  const create = (more: Partial<NewBroadcast> = {}) =>
    db.asTenant(workspaceId).transaction((tx) =>
      createBroadcast(tx, {
        workspaceId,
        connectorId,
        message: { text: "news" },
        to: { chatIds: ["1", "2", "3"] },
        createdBy: "key:1",
        ...more,
      }),
    );
  const change = (id: string, action: BroadcastAction) =>
    db
      .asTenant(workspaceId)
      .transaction((tx) => changeBroadcast(tx, jobs, { workspaceId, id }, action));

  /** A turn of the feeder, a second after the last one. */
  async function turn(which?: BroadcastFeeder): Promise<void> {
    await db.query(
      `UPDATE broadcasts SET due_at = due_at - interval '1 s', looked_at =
         CASE WHEN looked_at IS NOT NULL THEN clock_timestamp() - interval '1 s' END`,
    );
    await (which ?? feeder()).runOnce();
    const [failure] = failures.splice(0);
    if (which === undefined && failure !== undefined) throw failure;
  }
  const view = async (id: string) => {
    const found = await getBroadcast(db.asTenant(workspaceId), { workspaceId, id });
    if (found === null) throw new Error("no such broadcast");
    return found;
  };
  const countsOf = async (id: string) =>
    Object.fromEntries(Object.entries((await view(id)).counts).filter(([, count]) => count > 0));

  /** As a drain leaves messages of the queue, the oldest first. */
  const end = (state: string, count = 1_000_000) =>
    db.query(
      `WITH ended AS (
         UPDATE outbound_messages SET state = $1 WHERE id IN (
           SELECT id FROM outbound_messages WHERE state = 'queued' ORDER BY chat_id::bigint LIMIT $2)
         RETURNING id
       )
       UPDATE jobs SET filed = false,
         state = CASE $1 WHEN 'sending' THEN 'running' ELSE 'completed' END
       WHERE payload ->> 'messageId' IN (SELECT id::text FROM ended)`,
      [state, count],
    );
  const jobStates = async () =>
    Object.fromEntries(
      (
        await db.query<{ state: string; n: number }>(
          "SELECT state, count(*)::int AS n FROM jobs GROUP BY 1 ORDER BY 1",
        )
      ).map(({ state, n }) => [state, n]),
    );
  const chatsSent = async () =>
    (
      await db.query<{ chat_id: string }>(
        "SELECT chat_id FROM outbound_messages ORDER BY chat_id::bigint",
      )
    ).map(({ chat_id }) => chat_id);

  async function chat(chatId: number, more: Record<string, unknown> = {}): Promise<void> {
    const row = { workspace_id: workspaceId, connector_id: connectorId, chat_id: chatId, ...more };
    const columns = Object.keys(row);
    await db.query(
      `INSERT INTO chats (${columns.join(", ")}) VALUES (${columns.map((_, n) => `$${n + 1}`).join(", ")})`,
      Object.values(row),
    );
  }
  const optOut = (chatId: number) =>
    db.query("INSERT INTO broadcast_opt_outs VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", [
      workspaceId,
      connectorId,
      chatId,
    ]);
  return {
    database,
    db,
    workspaceId,
    connectorId,
    stranger,
    clear,
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
    drop: database.drop,
  };
}
