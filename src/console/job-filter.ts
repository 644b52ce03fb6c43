import { z } from "zod";
import { JOB_STATES, type JobFilter, QUEUES } from "../jobs/index.ts";

/** The fields of the search form, as the address of the page and the calls carry them: text. */
const plain = (max: number) =>
  z
    .string()
    .trim()
    .max(max)
    .refine((text) => !/[\0\p{Surrogate}]/u.test(text), "has no NUL and no half of a character");

const fields = z.object({
  queue: z.enum(QUEUES).optional(),
  state: z.enum([...JOB_STATES, "scheduled"]).optional(),
  lane: plain(300).optional(),
  workspaceId: z.guid("a workspace's id is a UUID").optional(),
  q: plain(200).optional(),
});

export type FilterResult =
  | { ok: true; filter: JobFilter; isEmpty: boolean }
  | { ok: false; path: string; message: string };

/** Reads a filter; empty fields are as good as none. `isEmpty`: it would match every job. */
export function readFilter(query: unknown): FilterResult {
  const given = Object.fromEntries(
    Object.entries((query ?? {}) as Record<string, unknown>).filter(([, value]) => value !== ""),
  );
  const result = fields.safeParse(given);
  if (!result.success) {
    const [issue] = result.error.issues;
    return {
      ok: false,
      path: String(issue?.path[0] ?? ""),
      message: issue?.message ?? "is wrong",
    };
  }
  const { q, ...rest } = result.data;
  const filter: JobFilter = { ...rest, text: q };
  return { ok: true, filter, isEmpty: Object.values(filter).every((value) => !value) };
}
