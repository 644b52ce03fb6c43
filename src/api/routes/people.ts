import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import {
  changePerson,
  createPerson,
  createPersonLink,
  getPerson,
  listNamed,
  listPeople,
  MAX_LINK_HOURS,
  namePerson,
  type PersonView,
  ROLES,
  removePerson,
  unnamePerson,
} from "../../people/index.ts";
import { Problem } from "../../platform/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { claimKey, storeAnswer } from "../idempotency.ts";
import { defineRoute, pageOf, pageQuery, text, uuid, workspaceOf } from "../route.ts";
import { found, idParams, noConnector } from "./connectors.ts";

const personSchema = z.object({
  id: z.string(),
  name: z.string(),
  agentEnabled: z.boolean(),
  role: z.enum(ROLES).describe("what they may do with the register in chats"),
  telegramUserId: z.string().nullable().describe("null until an account has confirmed a link"),
  boundAt: z.string().nullable(),
  createdAt: z.string(),
});

const name = text().trim().min(1).max(200);
const namingParams = z.object({ id: uuid, personId: uuid });
const UUID_SHAPE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DEFAULT_LINK_HOURS = 24;

const noPerson = () => new Problem(404, "Not found", "This workspace has no such person.");

function foundPerson<Value>(value: Value | null): Value {
  if (value === null) throw noPerson();
  return value;
}

/** A page of people that were read with one more than `limit`. */
function peoplePage(rows: PersonView[], limit: number) {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { data, nextCursor: more ? encodeCursor(last.id) : null };
}

export const peopleRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/people",
    auth: "workspace",
    scope: "manage",
    summary: "Adds a person of the workspace; their Telegram account is bound by a link.",
    body: z.strictObject({
      name,
      agentEnabled: z.boolean().default(false),
      role: z.enum(ROLES).default("employee"),
    }),
    success: { status: 201, schema: personSchema },
    handler: async ({ db, principal, body, idempotency }) => {
      const workspaceId = workspaceOf(principal);
      return db.transaction(async (tx) => {
        const key = idempotency && { workspaceId, ...idempotency };
        const known = key && (await claimKey(tx, key));
        if (known) return known;
        const answer = { status: 201, body: await createPerson(tx, { workspaceId, ...body }) };
        if (key) await storeAnswer(tx, key, answer);
        return answer;
      });
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/people",
    auth: "workspace",
    scope: "read",
    summary: "Lists the workspace's people.",
    query: z.strictObject(pageQuery),
    success: { status: 200, schema: pageOf(personSchema) },
    handler: async ({ db, principal, query: { cursor, limit } }) => {
      const workspaceId = workspaceOf(principal);
      const afterId = decodeCursor(cursor, UUID_SHAPE);
      const page = peoplePage(
        await listPeople(db, workspaceId, { limit: limit + 1, afterId }),
        limit,
      );
      const details = { count: page.data.length };
      await recordAudit(db, { workspaceId, action: "people.listed", details });
      return { status: 200, body: page };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/people/:id",
    auth: "workspace",
    scope: "read",
    summary: "One person.",
    params: idParams,
    success: { status: 200, schema: personSchema },
    handler: async ({ db, principal, params: { id } }) => {
      const workspaceId = workspaceOf(principal);
      const person = foundPerson(await getPerson(db, { workspaceId, id }));
      const look = { action: "people.listed", subjectId: id, details: { count: 1 } } as const;
      await recordAudit(db, { workspaceId, ...look });
      return { status: 200, body: person };
    },
  }),
  defineRoute({
    method: "patch",
    path: "/v1/people/:id",
    auth: "workspace",
    scope: "manage",
    summary: "Changes a person; `telegramUserId: null` ends the binding to their account.",
    params: idParams,
    body: z.strictObject({
      name: name.optional(),
      agentEnabled: z.boolean().optional(),
      role: z.enum(ROLES).optional(),
      telegramUserId: z.null().optional(),
    }),
    success: { status: 200, schema: personSchema },
    handler: async ({ db, principal, params: { id }, body }) => {
      const workspaceId = workspaceOf(principal);
      const changed = await db.transaction((tx) => changePerson(tx, { workspaceId, id }, body));
      return { status: 200, body: foundPerson(changed) };
    },
  }),
  defineRoute({
    method: "delete",
    path: "/v1/people/:id",
    auth: "workspace",
    scope: "manage",
    summary: "Removes a person: their account is nobody's any more, their link is void.",
    params: idParams,
    success: { status: 200, schema: z.object({ removed: z.literal(true) }) },
    handler: async ({ db, principal, params: { id } }) => {
      const workspaceId = workspaceOf(principal);
      if (!(await db.transaction((tx) => removePerson(tx, { workspaceId, id })))) throw noPerson();
      return { status: 200, body: { removed: true } };
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/people/:id/link",
    auth: "workspace",
    scope: "manage",
    summary:
      "Makes a one-time link by which a Telegram account becomes this person's, shown in this answer and never again. The one before is void.",
    params: idParams,
    body: z.strictObject({
      connectorId: uuid,
      expiresInHours: z.number().int().min(1).max(MAX_LINK_HOURS).default(DEFAULT_LINK_HOURS),
    }),
    success: {
      status: 201,
      schema: z.object({ url: z.string(), token: z.string(), expiresAt: z.string() }),
    },
    handler: async ({ db, services, principal, params, body }) => {
      const workspaceId = workspaceOf(principal);
      return db.transaction(async (tx) => {
        const connector = found(await services.connectors.get(workspaceId, body.connectorId, tx));
        const wanted = { workspaceId, personId: params.id, ...body };
        const { token, expiresAt } = foundPerson(await createPersonLink(tx, wanted));
        // Bot API: deep linking.
        const url = `https://t.me/${connector.bot.username}?start=${token}`;
        return { status: 201, body: { url, token, expiresAt } };
      });
    },
  }),
  defineRoute({
    method: "put",
    path: "/v1/connectors/:id/people/:personId",
    auth: "workspace",
    scope: "manage",
    summary: "Names a person, for the access level `named`.",
    params: namingParams,
    success: { status: 200, schema: z.object({ named: z.literal(true) }) },
    handler: async ({ db, principal, params: { id: connectorId, personId } }) => {
      const naming = { workspaceId: workspaceOf(principal), connectorId, personId };
      if (!(await db.transaction((tx) => namePerson(tx, naming)))) {
        throw new Problem(404, "Not found", "This workspace has no such connector or person.");
      }
      return { status: 200, body: { named: true } };
    },
  }),
  defineRoute({
    method: "delete",
    path: "/v1/connectors/:id/people/:personId",
    auth: "workspace",
    scope: "manage",
    summary: "Names a person no longer.",
    params: namingParams,
    success: { status: 200, schema: z.object({ named: z.literal(false) }) },
    handler: async ({ db, principal, params: { id: connectorId, personId } }) => {
      const naming = { workspaceId: workspaceOf(principal), connectorId, personId };
      if (!(await db.transaction((tx) => unnamePerson(tx, naming)))) {
        throw new Problem(404, "Not found", "This connector names no such person.");
      }
      return { status: 200, body: { named: false } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/connectors/:id/people",
    auth: "workspace",
    scope: "read",
    summary: "Lists the people a connector names.",
    params: idParams,
    query: z.strictObject(pageQuery),
    success: { status: 200, schema: pageOf(personSchema) },
    handler: async ({ db, services, principal, params, query: { cursor, limit } }) => {
      const workspaceId = workspaceOf(principal);
      const connectorId = params.id;
      if ((await services.connectors.get(workspaceId, connectorId)) === null) throw noConnector();
      const afterId = decodeCursor(cursor, UUID_SHAPE);
      const asked = { limit: limit + 1, afterId };
      const page = peoplePage(await listNamed(db, { workspaceId, connectorId }, asked), limit);
      const details = { connectorId, count: page.data.length };
      await recordAudit(db, { workspaceId, action: "people.listed", details });
      return { status: 200, body: page };
    },
  }),
];
