import { z } from "zod";
import {
  changeRule,
  createRule,
  findRule,
  isWord,
  listRules,
  MESSAGE_KINDS,
  removeRule,
  TooManyRules,
  UnknownChat,
} from "../../approvals/index.ts";
import { CHAT_PURPOSES } from "../../conversations/index.ts";
import { PRIORITIES } from "../../outbound/index.ts";
import { Problem, sqlState } from "../../platform/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { claimKey, storeAnswer } from "../idempotency.ts";
import { chatIdText, defineRoute, pageOf, pageQuery, text, uuid, workspaceOf } from "../route.ts";
import { idParams } from "./connectors.ts";

const CHAT_TYPES = ["private", "group", "supergroup", "channel"] as const;
const UUID_SHAPE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DAY_S = 86_400;

/** Of each condition one value must hold, and of all conditions all. */
const some = <Item extends z.ZodType>(item: Item, max: number) =>
  z.array(item).min(1).max(max).optional();

const conditions = z.strictObject({
  kinds: some(z.enum(MESSAGE_KINDS), MESSAGE_KINDS.length),
  chatIds: some(chatIdText, 200),
  chatTypes: some(z.enum(CHAT_TYPES), CHAT_TYPES.length),
  purposes: some(z.enum(CHAT_PURPOSES), CHAT_PURPOSES.length),
  senders: some(uuid, 50).describe("ids of API keys"),
  priorities: some(z.enum(PRIORITIES), PRIORITIES.length),
  words: some(text().max(100).refine(isWord, "has a letter or a digit"), 100).describe(
    "whole words, or several in a row, in any case",
  ),
  minLength: z.number().int().min(1).max(1_000_000).optional(),
});

const ruleShape = {
  name: text().trim().min(1).max(200),
  connectorId: uuid.nullable().describe("null: every bot of the workspace"),
  conditions: conditions.describe("all that are given must hold; none: every message"),
  approvals: z.union([z.literal(1), z.literal(2)]),
  expiresAfterS: z
    .number()
    .int()
    .min(60)
    .max(30 * DAY_S),
  personIds: z.array(uuid).max(100).describe("people who may decide, with their own account"),
  chat: z
    .strictObject({ connectorId: uuid, chatId: chatIdText })
    .nullable()
    .describe("a linked chat, where they are asked in Telegram"),
};

const ruleSchema = z.object({ id: z.string(), ...ruleShape, createdAt: z.string() });

const newRule = z.strictObject({
  ...ruleShape,
  connectorId: ruleShape.connectorId.default(null),
  conditions: ruleShape.conditions.default({}),
  approvals: ruleShape.approvals.default(1),
  expiresAfterS: ruleShape.expiresAfterS.default(DAY_S),
  personIds: ruleShape.personIds.default([]),
  chat: ruleShape.chat.default(null),
});

const noRule = () => new Problem(404, "Not found", "This workspace has no such approval rule.");

function found<Value>(rule: Value | null): Value {
  if (rule === null) throw noRule();
  return rule;
}

/** What a rule names and the workspace does not have. */
async function named<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TooManyRules) throw new Problem(409, "Too many rules", error.message);
    if (error instanceof UnknownChat || sqlState(error) === "23503") {
      const detail = "This workspace has no such connector or person, or no such linked chat.";
      throw new Problem(404, "Not found", detail);
    }
    throw error;
  }
}

export const approvalRuleRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/approval-rules",
    auth: "workspace",
    scope: "manage",
    summary:
      "Makes a rule: messages that meet its conditions wait until one or two others have approved them. Of several that match, the strictest counts.",
    body: newRule,
    success: { status: 201, schema: ruleSchema },
    handler: ({ db, principal, body, idempotency }) => {
      const workspaceId = workspaceOf(principal);
      const made = db.transaction(async (tx) => {
        const key = idempotency && { workspaceId, ...idempotency };
        const known = key && (await claimKey(tx, key));
        if (known) return known;
        const answer = { status: 201, body: await createRule(tx, workspaceId, body) };
        if (key) await storeAnswer(tx, key, answer);
        return answer;
      });
      return named(made);
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/approval-rules",
    auth: "workspace",
    scope: "read",
    summary: "Lists the workspace's approval rules.",
    query: z.strictObject(pageQuery),
    success: { status: 200, schema: pageOf(ruleSchema) },
    handler: async ({ db, principal, query: { limit, cursor } }) => {
      const afterId = decodeCursor(cursor, UUID_SHAPE);
      const rules = await listRules(db, workspaceOf(principal), { limit: limit + 1, afterId });
      const data = rules.slice(0, limit);
      const last = data.at(-1);
      const more = rules.length > limit && last !== undefined;
      return { status: 200, body: { data, nextCursor: more ? encodeCursor(last.id) : null } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/approval-rules/:id",
    auth: "workspace",
    scope: "read",
    summary: "One approval rule.",
    params: idParams,
    success: { status: 200, schema: ruleSchema },
    handler: async ({ db, principal, params: { id } }) => {
      const workspaceId = workspaceOf(principal);
      return { status: 200, body: found(await findRule(db, { workspaceId, id })) };
    },
  }),
  defineRoute({
    method: "patch",
    path: "/v1/approval-rules/:id",
    auth: "workspace",
    scope: "manage",
    summary:
      "Changes a rule, for messages that come from now on; what waits already goes by the rule as it was.",
    params: idParams,
    body: z.strictObject(ruleShape).partial(),
    success: { status: 200, schema: ruleSchema },
    handler: async ({ db, principal, params: { id }, body }) => {
      const rule = { workspaceId: workspaceOf(principal), id };
      const changed = await named(db.transaction((tx) => changeRule(tx, rule, body)));
      return { status: 200, body: found(changed) };
    },
  }),
  defineRoute({
    method: "delete",
    path: "/v1/approval-rules/:id",
    auth: "workspace",
    scope: "manage",
    summary: "Removes a rule; what waits by it goes on waiting.",
    params: idParams,
    success: { status: 200, schema: z.object({ removed: z.literal(true) }) },
    handler: async ({ db, principal, params: { id } }) => {
      const rule = { workspaceId: workspaceOf(principal), id };
      if (!(await db.transaction((tx) => removeRule(tx, rule)))) throw noRule();
      return { status: 200, body: { removed: true } };
    },
  }),
];
