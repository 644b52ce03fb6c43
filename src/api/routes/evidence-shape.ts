import { z } from "zod";
import { EVIDENCE_STATES, FILE_STATES, unknownField } from "../../evidence/index.ts";
import { Problem } from "../../platform/index.ts";
import { text, uuid } from "../route.ts";

/** What the calls of evidence have in common. */

export const evidenceParams = z.object({ id: uuid });

/** A day, as `2026-12-31`. */
export const day = z.iso.date();
export const reason = text().trim().min(1).max(2_000);

export const fileSchema = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.string(),
  contentType: z.string().nullable().describe("by its content; null until it is stored"),
  claimedType: z.string().optional(),
  sizeBytes: z.number().nullable(),
  sha256: z.string().nullable(),
  state: z.enum(FILE_STATES),
  error: z.string().optional(),
  revision: z.number(),
});

export const evidenceSchema = z.object({
  id: z.string(),
  code: z.string().describe("what people call it by: `EV-17`"),
  type: z.string(),
  status: z.enum(EVIDENCE_STATES),
  description: z.string().optional(),
  controlId: z.string().optional(),
  requestedOf: z.string().optional(),
  dueOn: z.string().optional(),
  expiresOn: z.string().optional().describe("the last day on which it counts"),
  createdBy: z.string(),
  submittedBy: z
    .string()
    .nullable()
    .describe("`telegram:`, `person:` or `key:` and an id; null: nothing was handed in yet"),
  submittedAt: z.string().nullable(),
  decidedBy: z.string().optional(),
  decidedAt: z.string().optional(),
  reason: z.string().optional(),
  revision: z.number().describe("the newest; 0: nothing was handed in yet"),
  approvedRevision: z.number().nullable().describe("the one that counts"),
  held: z.boolean().describe("under a legal hold: neither it nor a file of it is deleted"),
  version: z.number(),
  createdAt: z.string(),
  updatedAt: z.string(),
  files: z.array(fileSchema).describe("of the newest revision"),
  moreFiles: z.literal(true).optional().describe("there are more than are shown"),
});

export const holdSchema = z.object({
  id: z.string(),
  reason: z.string(),
  placedBy: z.string(),
  placedAt: z.string(),
  releasedBy: z.string().nullable(),
  releasedAt: z.string().nullable(),
});

export const noEvidence = () =>
  new Problem(404, "Not found", "This workspace has no such evidence.");

/** What names a control or a person that the workspace has not is answered as the register answers it. */
export async function orUnknownReference<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    const path = unknownField(error);
    if (path === undefined) throw error;
    const message = "This workspace has nothing of that id.";
    throw new Problem(422, "Unknown reference", message, { errors: [{ path, message }] });
  }
}
