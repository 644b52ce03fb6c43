import { actAs } from "../../src/audit/index.ts";
import type { Scope } from "../../src/conversations/effects.ts";
import {
  type AccessLevel,
  createLinkCode,
  createPerson,
  createPersonLink,
  namePerson,
} from "../../src/people/index.ts";
import { RECEIVED_AT, type World } from "./conversations-world.ts";
import type { Wire } from "./telegram-updates.ts";

/** What tests of access do beside ingesting: settings, people, links, codes, and time. */
export function accessWorld(world: World) {
  const { db } = world;
  return {
    async set(
      { connectorId }: Scope,
      settings: { level?: AccessLevel; saveDenied?: boolean; sessionHours?: number },
    ): Promise<void> {
      await db.query(
        `UPDATE connectors SET access_level = coalesce($2, access_level),
           save_denied = coalesce($3, save_denied), session_hours = coalesce($4, session_hours)
         WHERE id = $1`,
        [
          connectorId,
          settings.level ?? null,
          settings.saveDenied ?? null,
          settings.sessionHours ?? null,
        ],
      );
    },
    /** A person, bound to an account if one is given. Answers their id. */
    async person(
      { workspaceId, connectorId }: Scope,
      {
        userId,
        agent = false,
        named = false,
        name = "Ada Lovelace",
      }: Partial<{
        userId: number;
        agent: boolean;
        named: boolean;
        name: string;
      }> = {},
    ): Promise<string> {
      return db.transaction(async (tx) => {
        const { id } = await createPerson(tx, { workspaceId, name, agentEnabled: agent });
        if (userId !== undefined) {
          await tx.query(
            "UPDATE people SET telegram_user_id = $2, bound_at = now() WHERE id = $1",
            [id, userId],
          );
        }
        if (named) await namePerson(tx, { workspaceId, connectorId, personId: id });
        return id;
      });
    },
    /** A link's token. */
    async linkOf({ workspaceId, connectorId }: Scope, personId: string): Promise<string> {
      const wanted = { workspaceId, connectorId, personId, expiresInHours: 24 };
      const link = await actAs({ kind: "admin", id: "test" }, null, () =>
        db.transaction((tx) => createPersonLink(tx, wanted)),
      );
      return link?.token ?? "";
    },
    async code(
      { workspaceId, connectorId }: Scope,
      purpose: "support" | "compliance" | null = null,
    ): Promise<string> {
      const wanted = { workspaceId, connectorId, purpose, expiresInMinutes: 30 };
      return (await createLinkCode(db, wanted)).code;
    },
    /** Ingests an update that the receiver took so many ms after the others. */
    async ingestAfter(scope: Scope, afterMs: number, ...updates: Wire[]): Promise<void> {
      const lane = world.lane(scope, updates);
      const createdAt = new Date(RECEIVED_AT.getTime() + afterMs);
      await world.ingestLanes([{ ...lane, jobs: lane.jobs.map((job) => ({ ...job, createdAt })) }]);
    },
    /** Ingests updates whose bytes are in the ledger too; answers those that are left there. */
    async ingestKept(scope: Scope, ...updates: Wire[]): Promise<string[]> {
      const lane = world.lane(scope, updates);
      const ids = lane.jobs.map(({ id }) => id);
      await db.query(
        `INSERT INTO job_bodies (workspace_id, job_id, body, created_at)
         SELECT $1, id, body, now() FROM unnest($2::bigint[], $3::bytea[]) AS b(id, body)`,
        [scope.workspaceId, ids, lane.jobs.map(({ body }) => body)],
      );
      await world.ingestLanes([lane]);
      const rows = await db.query<{ body: Buffer }>(
        "SELECT body FROM job_bodies WHERE workspace_id = $1 AND job_id = ANY ($2) ORDER BY job_id",
        [scope.workspaceId, ids],
      );
      return rows.map(({ body }) => body.toString("utf8"));
    },
    /** Rows of the audit log, oldest first. */
    async audited({ workspaceId }: Scope, action: string) {
      return db.query(
        `SELECT actor_kind, actor_id, subject_id, details FROM audit_entries
         WHERE workspace_id = $1 AND action = $2 ORDER BY id`,
        [workspaceId, action],
      );
    },
    /** How many transactions wait for a row that another one holds. */
    async waiting(): Promise<number> {
      const rows = await world.owner.query(
        `SELECT 1 AS one FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length;
    },
  };
}

/** Everything that tables hold of a workspace but the raw updates, to be searched. */
export async function everythingOf(world: World, { workspaceId }: Scope): Promise<string> {
  const tables = [
    "chats",
    "contacts",
    "conversations",
    "messages",
    "message_edits",
    "polls",
    "topics",
    "people",
    "person_links",
    "chat_link_codes",
    "access_refusals",
    "audit_entries",
  ];
  const rows = await Promise.all(
    tables.map((table) =>
      world.db.query<{ row: string }>(
        `SELECT t::text AS row FROM ${table} t WHERE workspace_id = $1`,
        [workspaceId],
      ),
    ),
  );
  return rows
    .flat()
    .map(({ row }) => row)
    .join("\n");
}
