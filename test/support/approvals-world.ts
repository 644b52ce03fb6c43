import { randomUUID } from "node:crypto";
import {
  type Act,
  createPressSink,
  createRule,
  type Decided,
  decide,
  holdForApproval,
} from "../../src/approvals/index.ts";
import { createIngestHandler, type Reply, type Scope } from "../../src/conversations/index.ts";
import { insertJobs } from "../../src/jobs/index.ts";
import type { JobSink, NewMessage } from "../../src/outbound/index.ts";
import { sha256, silentLogger } from "../../src/platform/index.ts";
import { accessWorld } from "./access-world.ts";
import type { World } from "./conversations-world.ts";
import { pressed, user, type Wire } from "./telegram-updates.ts";

type NewRule = Parameters<typeof createRule>[2];

interface MessageRow {
  state: string;
  text: string;
  error: string | null;
  approved: boolean;
  buttons: Array<Array<{ text: string; data: string }>> | null;
  reply_to: string | null;
}

/** What tests of approvals do: rules, messages that wait, decisions by API and by buttons. */
export function approvalsWorld(world: World) {
  const { db } = world;
  const access = accessWorld(world);
  const jobs: JobSink = { enqueueIn: (tx, some) => insertJobs(tx.engine, some) };
  const as = ({ workspaceId }: Scope) => db.asTenant(workspaceId);
  let lastPress = 0;

  return {
    ...access,
    jobs,
    /** An API key of the workspace, as approvals name it. */
    async key({ workspaceId }: Scope, name = "Key"): Promise<string> {
      const [row] = await db.query<{ id: string }>(
        `INSERT INTO api_keys (workspace_id, key_hash, name, scopes)
         VALUES ($1, $2, $3, '{approve}') RETURNING id`,
        [workspaceId, sha256(randomUUID()), name],
      );
      return `key:${row?.id}`;
    },
    rule: (scope: Scope, rule: Partial<NewRule> = {}) =>
      as(scope).transaction((tx) =>
        createRule(tx, scope.workspaceId, {
          name: "Four eyes",
          connectorId: null,
          conditions: {},
          approvals: 1,
          expiresAfterS: 3_600,
          personIds: [],
          chat: null,
          ...rule,
        }),
      ),
    /** Answers the id of a message that waits; null: it does not. */
    async submit(scope: Scope, message: Partial<NewMessage> = {}): Promise<string> {
      const held = await as(scope).transaction((tx) =>
        holdForApproval(tx, jobs, {
          message: { ...scope, chatId: "5", text: "Pay now", submittedBy: "key:a", ...message },
          kind: "message",
        }),
      );
      return held?.id ?? "";
    },
    async version(id: string): Promise<string> {
      const [row] = await db.query<{ version: string }>(
        "SELECT encode(outbound_digest(m), 'hex') AS version FROM outbound_messages m WHERE id = $1",
        [id],
      );
      return row?.version ?? "";
    },
    async decide(
      scope: Scope,
      act: Pick<Act, "messageId" | "approver" | "version"> & Partial<Act>,
    ): Promise<Decided> {
      const { workspaceId } = scope;
      const whole: Act = { workspaceId, verdict: "approve", ...act };
      const [decided] = await as(scope).transaction((tx) => decide(tx, jobs, [whole]));
      return decided ?? null;
    },
    async message(id: string): Promise<MessageRow | undefined> {
      const [row] = await db.query<MessageRow>(
        `SELECT state, text, error, approved, buttons, reply_to
         FROM outbound_messages WHERE id = $1`,
        [id],
      );
      return row;
    },
    async approvalState(id: string): Promise<string | undefined> {
      const [row] = await db.query<{ state: string }>(
        "SELECT state FROM approvals WHERE message_id = $1",
        [id],
      );
      return row?.state;
    },
    /** Jobs that send the message. */
    jobsOf: (id: string) =>
      db.query<{ priority: number; run_at: Date }>(
        "SELECT priority, run_at FROM jobs WHERE payload ->> 'messageId' = $1",
        [id],
      ),
    /** What a bot is to say in a chat, the latest last. */
    said: ({ connectorId }: Scope, chatId: number) =>
      db.query<MessageRow & { id: string }>(
        `SELECT m.* FROM outbound_messages m JOIN jobs j ON j.payload ->> 'messageId' = m.id::text
         WHERE m.connector_id = $1 AND m.chat_id = $2 ORDER BY j.id`,
        [connectorId, String(chatId)],
      ),
    /** Presses of buttons, in one batch; answers what is said to each. */
    async press(
      scope: Scope,
      ...presses: Array<{ by: number; data: string; chat: Wire }>
    ): Promise<string[]> {
      const updates = presses.map(({ by, data, chat }) => ({
        callback_query: pressed(data, {
          id: `press-${++lastPress}`,
          from: user(by),
          message: { message_id: 7, date: 1, chat },
        }),
      }));
      const replies: Reply[] = [];
      const handler = createIngestHandler({
        replies: async (_tx, wanted) => void replies.push(...wanted),
        presses: createPressSink({ jobs }),
        log: silentLogger,
      });
      await db.transaction((tx) => {
        replies.length = 0;
        return handler.run(tx, [world.lane(scope, updates)]);
      });
      return replies.map(({ text }) => text);
    },
  };
}
