import { z } from "zod";
import {
  addAccountRule,
  createAccount,
  domainOf,
  findAccount,
  listAccountRules,
  listAccounts,
  RuleTaken,
  removeAccount,
  removeAccountRule,
  renameAccount,
} from "../../conversations/index.ts";
import { Problem, sqlState } from "../../platform/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { madeOnce } from "../idempotency.ts";
import { chatIdText, defineRoute, pageOf, pageQuery, text, uuid, workspaceOf } from "../route.ts";

const name = text().trim().min(1).max(200);
const idParams = z.object({ id: uuid });
const UUID_SHAPE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const accountSchema = z.object({ id: z.string(), name: z.string(), createdAt: z.string() });
const ruleSchema = z.object({
  id: z.string(),
  accountId: z.string(),
  kind: z.enum(["chat", "domain"]),
  connectorId: z.string().optional(),
  chatId: z.string().optional(),
  domain: z.string().optional(),
  createdAt: z.string(),
});

/** A domain in its one form. */
export const domain = text()
  .max(1_000)
  .transform((value, context) => {
    const known = domainOf(value);
    if (known !== null) return known;
    context.addIssue({ code: "custom", message: "is a domain like example.com, and no address" });
    return z.NEVER;
  });

export const noAccount = () => new Problem(404, "Not found", "This workspace has no such account.");

const noAccountOrConnector = () =>
  new Problem(404, "Not found", "This workspace has no such account, or no such connector.");

/** What refers to a row that is not there, in this workspace, is answered as what is not found. */
export async function orWhenMissing<Result>(
  work: Promise<Result>,
  missing: () => Problem,
): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw sqlState(error) === "23503" ? missing() : error;
  }
}

export const accountRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/accounts",
    auth: "workspace",
    scope: "manage",
    summary: "Makes an account: a customer's organisation.",
    body: z.strictObject({ name }),
    success: { status: 201, schema: accountSchema },
    handler: ({ db, principal, body, idempotency }) => {
      const workspaceId = workspaceOf(principal);
      const key = idempotency && { workspaceId, ...idempotency };
      return db.transaction((tx) =>
        madeOnce(tx, key, () => createAccount(tx, { workspaceId, name: body.name })),
      );
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/accounts",
    auth: "workspace",
    scope: "read",
    summary: "Lists the workspace's accounts.",
    query: z.strictObject(pageQuery),
    success: { status: 200, schema: pageOf(accountSchema) },
    handler: async ({ db, principal, query }) => {
      const afterId = decodeCursor(query.cursor, UUID_SHAPE);
      const workspaceId = workspaceOf(principal);
      const { limit } = query;
      const { data, more } = await listAccounts(db, { workspaceId, afterId, limit });
      const last = data.at(-1);
      return {
        status: 200,
        body: { data, nextCursor: more && last ? encodeCursor(last.id) : null },
      };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/accounts/:id",
    auth: "workspace",
    scope: "read",
    summary: "One account. Its conversations: GET /v1/conversations?accountId=",
    params: idParams,
    success: { status: 200, schema: accountSchema },
    handler: async ({ db, principal, params }) => {
      const account = await findAccount(db, { workspaceId: workspaceOf(principal), ...params });
      if (account === null) throw noAccount();
      return { status: 200, body: account };
    },
  }),
  defineRoute({
    method: "patch",
    path: "/v1/accounts/:id",
    auth: "workspace",
    scope: "manage",
    summary: "Renames an account.",
    params: idParams,
    body: z.strictObject({ name }),
    success: { status: 200, schema: accountSchema },
    handler: async ({ db, principal, params, body }) => {
      const renamed = { workspaceId: workspaceOf(principal), ...params, ...body };
      const account = await db.transaction((tx) => renameAccount(tx, renamed));
      if (account === null) throw noAccount();
      return { status: 200, body: account };
    },
  }),
  defineRoute({
    method: "delete",
    path: "/v1/accounts/:id",
    auth: "workspace",
    scope: "manage",
    summary: "Removes an account with its rules; contacts and conversations stay.",
    params: idParams,
    success: { status: 200, schema: z.object({ removed: z.literal(true) }) },
    handler: async ({ db, principal, params }) => {
      const removed = { workspaceId: workspaceOf(principal), ...params };
      if (!(await db.transaction((tx) => removeAccount(tx, removed)))) throw noAccount();
      return { status: 200, body: { removed: true } };
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/accounts/:id/rules",
    auth: "workspace",
    scope: "manage",
    summary:
      "Gives a chat of a connector, or a domain, to an account; for all that was said and will be. 409 when another has it.",
    params: idParams,
    body: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("chat"), connectorId: uuid, chatId: chatIdText }),
      z.strictObject({ kind: z.literal("domain"), domain }),
    ]),
    success: { status: 201, schema: ruleSchema },
    handler: async ({ db, principal, params, body, idempotency }) => {
      const workspaceId = workspaceOf(principal);
      const key = idempotency && { workspaceId, ...idempotency };
      const rule = { workspaceId, accountId: params.id, rule: body };
      const made = db.transaction((tx) => madeOnce(tx, key, () => addAccountRule(tx, rule)));
      try {
        return await orWhenMissing(made, noAccountOrConnector);
      } catch (error) {
        if (!(error instanceof RuleTaken)) throw error;
        throw new Problem(409, "Taken already", `${error.message} Remove its rule there first.`);
      }
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/accounts/:id/rules",
    auth: "workspace",
    scope: "read",
    summary: "An account's chats and domains.",
    params: idParams,
    query: z.strictObject(pageQuery),
    success: { status: 200, schema: pageOf(ruleSchema) },
    handler: async ({ db, principal, params, query }) => {
      const afterId = decodeCursor(query.cursor, UUID_SHAPE);
      const workspaceId = workspaceOf(principal);
      if ((await findAccount(db, { workspaceId, ...params })) === null) throw noAccount();
      const rows = query.limit + 1;
      const rules = await listAccountRules(db, {
        workspaceId,
        accountId: params.id,
        afterId,
        rows,
      });
      const data = rules.slice(0, query.limit);
      const last = data.at(-1);
      const more = rules.length > query.limit && last !== undefined;
      return { status: 200, body: { data, nextCursor: more ? encodeCursor(last.id) : null } };
    },
  }),
  defineRoute({
    method: "delete",
    path: "/v1/accounts/:id/rules/:ruleId",
    auth: "workspace",
    scope: "manage",
    summary: "Takes a chat or a domain from an account.",
    params: z.object({ id: uuid, ruleId: uuid }),
    success: { status: 200, schema: z.object({ removed: z.literal(true) }) },
    handler: async ({ db, principal, params }) => {
      const { id: accountId, ruleId: id } = params;
      const removed = { workspaceId: workspaceOf(principal), accountId, id };
      if (!(await db.transaction((tx) => removeAccountRule(tx, removed)))) {
        throw new Problem(404, "Not found", "This account has no such rule.");
      }
      return { status: 200, body: { removed: true } };
    },
  }),
];
