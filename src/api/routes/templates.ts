import { z } from "zod";
import { getMessage } from "../../outbound/index.ts";
import { Problem, type Queryable } from "../../platform/index.ts";
import {
  archiveTemplate,
  findTemplate,
  listTemplates,
  renderTemplate,
  saveTemplate,
  VARIABLE_NAME,
} from "../../templates/index.ts";
import { acceptMessage } from "../accept-message.ts";
import { chatId } from "../chat-id.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { claimKey, storeAnswer } from "../idempotency.ts";
import { acceptedSchema } from "../message-body.ts";
import { defineRoute, type Principal, pageOf, pageQuery, uuid, workspaceOf } from "../route.ts";
import {
  entitySchema,
  filling,
  newTemplate,
  noTemplate,
  orTemplateProblem,
  templateVersion,
} from "../template-shape.ts";
import { noConnector } from "./connectors.ts";

const nameParams = z.object({ name: z.string().max(64) });

const listed = {
  name: z.string(),
  version: z.number().describe("0: the built-in one"),
  newestVersion: z.number(),
  builtIn: z.boolean(),
  description: z.string().nullable(),
  format: z.enum(["html", "markdown"]),
  linkPreview: z.boolean(),
  timeZone: z.string().nullable(),
  createdAt: z.string().nullable(),
  createdBy: z.string().nullable(),
  archivedAt: z.string().nullable(),
};
const templateSchema = z.object({
  ...listed,
  body: z.string(),
  variables: z.record(z.string(), z.looseObject({ type: z.string() })),
});

function writerOf(principal: Principal): string | undefined {
  return principal.kind === "workspace" ? `key:${principal.keyId}` : undefined;
}

export const templateRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/templates",
    auth: "workspace",
    scope: "manage",
    summary:
      "Saves a new version of a template, which is the newest from now on. 400 with all that is wrong, by line and column.",
    body: newTemplate,
    success: { status: 201, schema: templateSchema },
    handler: ({ db, principal, body, idempotency }) => {
      const workspaceId = workspaceOf(principal);
      const createdBy = writerOf(principal);
      const saving = db.transaction(async (tx) => {
        const key = idempotency && { workspaceId, ...idempotency };
        const known = key && (await claimKey(tx, key));
        if (known) return known;
        const saved = await saveTemplate(tx, { workspaceId, createdBy, ...body });
        const answer = { status: 201, body: saved };
        if (key) await storeAnswer(tx, key, answer);
        return answer;
      });
      return orTemplateProblem(saving);
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/templates",
    auth: "workspace",
    scope: "read",
    summary: "Lists the templates that can be used, by name; built-in ones among them.",
    query: z.strictObject(pageQuery),
    success: { status: 200, schema: pageOf(z.object(listed)) },
    handler: async ({ db, principal, query: { cursor, limit } }) => {
      const workspaceId = workspaceOf(principal);
      const afterName = decodeCursor(cursor, VARIABLE_NAME);
      const found = await listTemplates(db, { workspaceId, afterName, rows: limit + 1 });
      const data = found.slice(0, limit).map(({ body: _, variables: __, ...rest }) => rest);
      const last = data.at(-1);
      const isMore = found.length > limit && last !== undefined;
      return { status: 200, body: { data, nextCursor: isMore ? encodeCursor(last.name) : null } };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/templates/:name",
    auth: "workspace",
    scope: "read",
    summary: "A template: its newest version, or the one that is named, archived ones too.",
    params: nameParams,
    query: z.strictObject({
      version: z
        .string()
        .regex(/^[0-9]{1,9}$/, "the number of a version")
        .transform(Number)
        .pipe(templateVersion)
        .optional(),
    }),
    success: { status: 200, schema: templateSchema },
    handler: async ({ db, principal, params: { name }, query: { version } }) => {
      const workspaceId = workspaceOf(principal);
      const template = await findTemplate(db, { workspaceId, name, version });
      if (template === null) throw noTemplate();
      return { status: 200, body: template };
    },
  }),
  defineRoute({
    method: "delete",
    path: "/v1/templates/:name",
    auth: "workspace",
    scope: "manage",
    summary:
      "Archives a template: no message is made of it any more, its versions stay. A built-in one of the same name counts again.",
    params: nameParams,
    success: { status: 200, schema: z.object({ archived: z.literal(true) }) },
    handler: async ({ db, principal, params: { name } }) => {
      const workspaceId = workspaceOf(principal);
      if (await db.transaction((tx) => archiveTemplate(tx, { workspaceId, name }))) {
        return { status: 200, body: { archived: true } };
      }
      const template = await findTemplate(db, { workspaceId, name });
      if (template?.builtIn !== true) throw noTemplate();
      const detail = "Built-in templates stay; save one of your own under its name instead.";
      throw new Problem(409, "Built in", detail);
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/templates/:name/preview",
    auth: "workspace",
    scope: "send",
    summary:
      "What a message of it would say. With a connector and a chat, one's own, it is sent there too.",
    params: nameParams,
    body: z
      .strictObject({ ...filling, connectorId: uuid.optional(), chatId: chatId.optional() })
      .refine(
        ({ connectorId, chatId: chat }) => (connectorId === undefined) === (chat === undefined),
        {
          path: ["chatId"],
          message: "is given with connectorId, or neither",
        },
      ),
    success: {
      status: 200,
      schema: z.object({
        template: z.object({ name: z.string(), version: z.number() }),
        text: z.string(),
        entities: z.array(entitySchema),
        linkPreview: z.boolean(),
        message: acceptedSchema.optional(),
      }),
    },
    handler: async ({
      params: { name },
      body: { connectorId, chatId: chat, ...given },
      ...call
    }) => {
      const workspaceId = workspaceOf(call.principal);
      let { version } = given;
      let message: z.output<typeof acceptedSchema> | undefined;
      if (connectorId !== undefined && chat !== undefined) {
        const use = { name, ...given };
        // Tried first: what is wrong is told by where it is in this body.
        const place = async (tx: Queryable) => {
          await orTemplateProblem(renderTemplate(tx, workspaceId, use));
          return { connectorId, chatId: chat };
        };
        const accepted = await acceptMessage(
          { ...call, body: { template: use } },
          place,
          noConnector,
        );
        message = acceptedSchema.parse(accepted.body);
        // Of a call that is repeated: what was sent then, and not what is newest now.
        const sent = await getMessage(call.db, { workspaceId, id: message.id });
        version = sent?.template?.version ?? version;
      }
      const use = { name, ...given, version };
      const rendered = await orTemplateProblem(renderTemplate(call.db, workspaceId, use));
      if (rendered === null) throw noTemplate();
      const { template, text, entities, hasLinkPreview: linkPreview } = rendered;
      return { status: 200, body: { template, text, entities, linkPreview, message } };
    },
  }),
];
