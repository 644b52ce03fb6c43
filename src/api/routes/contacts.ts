import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import { changeContact, findContact, listContacts } from "../../conversations/index.ts";
import { Problem } from "../../platform/index.ts";
import { defineRoute, pageOf, pageQuery, text, uuid, workspaceOf } from "../route.ts";
import { domain, noAccount, orWhenMissing } from "./accounts.ts";
import { cursorChecked } from "./connectors.ts";

const contactSchema = z.object({
  id: z.string(),
  telegramUserId: z.string(),
  firstName: z.string(),
  lastName: z.string().optional(),
  username: z.string().optional(),
  languageCode: z.string().optional(),
  isBot: z.boolean(),
  domain: z.string().nullable(),
  accountId: z.string().nullable().describe("their own, or the one of their domain"),
  createdAt: z.string(),
});

const idParams = z.object({ id: z.string().max(40) });

const noContact = () => new Problem(404, "Not found", "This workspace has no such contact.");

export const contactRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/contacts",
    auth: "workspace",
    scope: "read",
    summary:
      "Lists contacts, the newest first; with `q` those whose name, last name or username begins with it.",
    query: z.strictObject({ q: text().trim().min(1).max(200).optional(), ...pageQuery }),
    success: { status: 200, schema: pageOf(contactSchema) },
    handler: async ({ db, principal, query }) => {
      const workspaceId = workspaceOf(principal);
      const { q: search, ...page } = query;
      const found = await cursorChecked(listContacts(db, { workspaceId, search, ...page }));
      // Whom somebody looked for is not kept: it may be anything that they typed.
      const details = { count: found.data.length };
      await recordAudit(db, { workspaceId, action: "contacts.listed", details });
      return { status: 200, body: found };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/contacts/:id",
    auth: "workspace",
    scope: "read",
    summary: "One contact.",
    params: idParams,
    success: { status: 200, schema: contactSchema },
    handler: async ({ db, principal, params }) => {
      const workspaceId = workspaceOf(principal);
      const contact = await findContact(db, { workspaceId, id: params.id });
      if (contact === null) throw noContact();
      const look = { action: "contact.viewed", subjectId: params.id } as const;
      await recordAudit(db, { workspaceId, ...look });
      return { status: 200, body: contact };
    },
  }),
  defineRoute({
    method: "patch",
    path: "/v1/contacts/:id",
    auth: "workspace",
    scope: "manage",
    summary: "Says which domain a contact is of, or which account; null takes it away.",
    params: idParams,
    body: z.strictObject({
      domain: domain.nullable().optional(),
      accountId: uuid.nullable().optional(),
    }),
    success: { status: 200, schema: contactSchema },
    handler: async ({ db, principal, params, body }) => {
      const workspaceId = workspaceOf(principal);
      const change = { workspaceId, id: params.id, ...body };
      const contact = await orWhenMissing(
        db.transaction((tx) => changeContact(tx, change)),
        noAccount,
      );
      if (contact === null) throw noContact();
      return { status: 200, body: contact };
    },
  }),
];
