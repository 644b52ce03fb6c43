import { randomBytes } from "node:crypto";
import { sha256 } from "../../src/platform/index.ts";
import { KINDS } from "../../src/register/index.ts";
import { deliver, startTestSystem, type TestSystem, textUpdate } from "./system.ts";
import { tenantTables } from "./tenancy-catalogue.ts";
import { waitFor } from "./wait-for.ts";

/** A workspace with one of everything that an id of the API may name. */
export interface Inhabited {
  workspaceId: string;
  apiKey: string;
  keyId: string;
  connectorId: string;
  chatId: string;
  updateId: string;
  conversationId: string;
  /** What somebody wrote in it. */
  conversationMessageId: string;
  contactId: string;
  accountId: string;
  ruleId: string;
  messageId: string;
  approvalRuleId: string;
  /** A message that waits to be approved. */
  heldMessageId: string;
  jobId: string;
  personId: string;
  broadcastId: string;
  templateName: string;
  /** One of each kind that the register holds. */
  entries: Record<string, string>;
  /** With a file, and under a hold. */
  evidenceId: string;
  fileId: string;
  holdId: string;
}

export interface Answered {
  status: number;
  body: Record<string, unknown>;
}

export interface TwoWorkspaces {
  system: TestSystem;
  a: Inhabited;
  b: Inhabited;
  call(key: string, method: string, path: string, body?: unknown): Promise<Answered>;
  /** Every row that a workspace has, in every table. */
  rowsOf(workspaceId: string): Promise<Record<string, string[]>>;
  close(): Promise<void>;
}

const ADMIN = "the-administrator";
const LATER = new Date(Date.now() + 24 * 3_600_000).toISOString();

/** The whole system with two workspaces that have the same, each by itself. */
export async function twoWorkspaces(): Promise<TwoWorkspaces> {
  const system = await startTestSystem();
  const call: TwoWorkspaces["call"] = async (key, method, path, body) => {
    const response = await fetch(system.url + path, {
      method: method.toUpperCase(),
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const content = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") ?? false;
    const answered = isJson ? (JSON.parse(content) as Answered["body"]) : {};
    return { status: response.status, body: answered };
  };
  const a = await inhabit(system, call, 1);
  const b = await inhabit(system, call, 2);
  return {
    system,
    a,
    b,
    call,
    rowsOf: async (workspaceId) => {
      const rows: Record<string, string[]> = {};
      for (const { name, workspace } of await tenantTables(system.owner)) {
        const found = await system.owner.query<{ row: string }>(
          `SELECT to_jsonb(t)::text AS row FROM ${name} t WHERE ${workspace} = $1 ORDER BY 1`,
          [workspaceId],
        );
        rows[name] = found.map(({ row }) => row);
      }
      return rows;
    },
    close: () => system.close(),
  };
}

async function inhabit(
  { system, sandbox, url }: TestSystem,
  call: TwoWorkspaces["call"],
  nth: number,
): Promise<Inhabited> {
  const made = async (key: string, path: string, body: unknown) => {
    const answer = await call(key, "post", path, body);
    if (answer.status >= 300) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
    return answer.body as { id: string; apiKey: string; webhookUrl: string };
  };
  const { id: workspaceId, apiKey } = await made(ADMIN, "/v1/workspaces", { name: `W${nth}` });
  const { id: keyId } = await made(apiKey, "/v1/keys", { name: "second", scopes: ["read"] });
  const { id: personId } = await made(apiKey, "/v1/people", { name: `Ada ${nth}` });
  const username = `b${randomBytes(4).toString("hex")}_bot`;
  const account = sandbox.createBot({ name: "Bot", username });
  const connector = await made(apiKey, "/v1/connectors", { name: "Desk", botToken: account.token });
  const secret = randomBytes(16).toString("hex");
  await system.db.query(
    "UPDATE connectors SET previous_secret_hashes = ARRAY[$2::bytea] WHERE id = $1",
    [connector.id, sha256(secret)],
  );
  const chatId = 700_000 + nth;
  const updateId = 9_000 + nth;
  const bot = {
    id: account.id,
    token: account.token,
    connectorId: connector.id,
    webhookPath: new URL(connector.webhookUrl).pathname,
    secret,
  };
  // Another process may still have the old hashes in hand.
  const update = textUpdate(updateId, chatId, 1, `hello ${nth}`);
  await waitFor(async () => (await deliver(url, bot, update)) === 200, { what: "the update" });
  const conversation = await waitFor(
    async () => {
      const [row] = await system.db.query<{ id: string; contact_id: string; message_id: string }>(
        `SELECT c.id, c.contact_id, m.id AS message_id FROM conversations c
         JOIN messages m ON m.workspace_id = c.workspace_id AND m.conversation_id = c.id
         WHERE c.workspace_id = $1 ORDER BY m.id LIMIT 1`,
        [workspaceId],
      );
      return row;
    },
    { what: "the conversation" },
  );
  const { id: accountId } = await made(apiKey, "/v1/accounts", { name: `Account ${nth}` });
  const rule = { kind: "domain", domain: `w${nth}.example` };
  const { id: ruleId } = await made(apiKey, `/v1/accounts/${accountId}/rules`, rule);
  const templateName = `notice_${nth}`;
  await made(apiKey, "/v1/templates", { name: templateName, body: "Noted" });
  const { id: messageId } = await made(apiKey, "/v1/messages", {
    connectorId: connector.id,
    chatId: String(chatId),
    text: "later",
    sendAt: LATER,
  });
  const { id: broadcastId } = await made(apiKey, "/v1/broadcasts", {
    connectorId: connector.id,
    chatIds: [String(chatId)],
    text: "later",
    sendAt: LATER,
  });
  const entries: Record<string, string> = {};
  for (const { name, plural } of KINDS) {
    const needed = { requirement: { framework: entries.framework }, finding: { severity: "low" } };
    const body = { code: name, title: name, ...needed[name as keyof typeof needed] };
    entries[name] = (await made(apiKey, `/v1/${plural}`, body)).id;
  }
  const [job] = await system.db.query<{ id: string }>(
    "SELECT id FROM jobs WHERE workspace_id = $1 AND payload ->> 'messageId' = $2",
    [workspaceId, messageId],
  );
  const { id: approvalRuleId } = await made(apiKey, "/v1/approval-rules", {
    name: "Held",
    conditions: { words: ["held"] },
  });
  const { id: heldMessageId } = await made(apiKey, "/v1/messages", {
    connectorId: connector.id,
    chatId: String(chatId),
    text: `held ${nth}`,
  });
  const { id: evidenceId } = await made(apiKey, "/v1/evidence", {
    controlId: entries.control,
  });
  const upload = await fetch(`${url}/v1/evidence/${evidenceId}/files`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}` },
    body: `form ${nth}`,
  });
  const { files } = (await upload.json()) as { files: { id: string }[] };
  const { id: holdId } = await made(apiKey, `/v1/evidence/${evidenceId}/hold`, { reason: "r" });
  // What the bot answered has been sent, what arrived is noted: nothing moves by itself any more.
  await waitFor(
    async () =>
      (await system.db.query("SELECT FROM seen_updates WHERE workspace_id = $1", [workspaceId]))
        .length > 0,
    { what: "the note of the update" },
  );
  await waitFor(
    async () =>
      (
        await system.db.query(
          `SELECT FROM jobs WHERE workspace_id = $1 AND id <> $2
             AND state IN ('available', 'running', 'retryable')`,
          [workspaceId, job?.id],
        )
      ).length === 0,
    { what: "the queues to be empty" },
  );
  return {
    workspaceId,
    apiKey,
    keyId,
    connectorId: connector.id,
    chatId: String(chatId),
    updateId: String(updateId),
    conversationId: conversation.id,
    conversationMessageId: conversation.message_id,
    contactId: conversation.contact_id,
    accountId,
    ruleId,
    messageId,
    approvalRuleId,
    heldMessageId,
    jobId: job?.id ?? "",
    personId,
    broadcastId,
    templateName,
    entries,
    evidenceId,
    fileId: files[0]?.id ?? "",
    holdId,
  };
}
