import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import {
  MAX_FOUND,
  MAX_QUERY_LETTERS,
  SEARCH_KINDS,
  searchRegister,
} from "../../register/index.ts";
import { decodeCursor, encodeCursor } from "../cursor.ts";
import { defineRoute, pageOf, pageQuery, text, workspaceOf } from "../route.ts";

/** How many were shown before. */
const OFFSET_SHAPE = /^[1-9][0-9]{0,2}$/;

export const searchRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/search",
    auth: "workspace",
    scope: "read",
    summary:
      "Controls, evidence and risks that hold all the words, each at least by its beginning; the best first.",
    query: z.strictObject({
      q: text()
        .max(MAX_QUERY_LETTERS)
        .default("")
        .describe("words, or a code; without it entries by code, and evidence from the newest on"),
      kind: z
        .string()
        .max(100)
        .transform((kinds) => kinds.split(","))
        .pipe(z.array(z.enum(SEARCH_KINDS)))
        .optional()
        .describe("one or more of the kinds, with commas between them"),
      ...pageQuery,
    }),
    success: {
      status: 200,
      schema: pageOf(
        z.object({
          kind: z.enum(SEARCH_KINDS),
          id: z.string(),
          code: z.string().describe("of evidence `EV-` and its number"),
          title: z.string(),
          description: z.string().describe("its first 500 characters"),
          status: z.string(),
        }),
      ),
    },
    handler: async ({ db, principal, query: { q, kind: kinds, limit, cursor } }) => {
      const workspaceId = workspaceOf(principal);
      const offset = Number(decodeCursor(cursor, OFFSET_SHAPE) ?? 0);
      const asked = { workspaceId, query: q, kinds, limit: limit + 1, offset };
      const found = await db.transaction(async (tx) => {
        const entries = await searchRegister(tx.engine, asked);
        // Not what was looked for: words may name people.
        const details = { kinds: kinds ?? SEARCH_KINDS, count: Math.min(entries.length, limit) };
        await recordAudit(tx, { workspaceId, action: "register.searched", details });
        return entries;
      });
      const next = offset + limit;
      const isMore = found.length > limit && next < MAX_FOUND;
      return {
        status: 200,
        body: {
          data: found.slice(0, limit),
          nextCursor: isMore ? encodeCursor(String(next)) : null,
        },
      };
    },
  }),
];
