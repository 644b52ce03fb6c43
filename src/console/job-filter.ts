import { z } from "zod";
import { type JobFilter, QUEUES, SHOWN_STATES, type Standing } from "../jobs/index.ts";

/** The fields of the search form, as the address of the page and the calls carry them: text. */
const plain = (max: number) =>
  z
    .string()
    .trim()
    .min(1, "is blank")
    .max(max)
    .refine((text) => !/[\0\p{Surrogate}]/u.test(text), "has no NUL and no half of a character");
const moment = z
  .string()
  .trim()
  .refine((text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)), {
    message: "a time, e.g. 2026-11-21T08:00:00Z",
  })
  .transform((text) => new Date(text));

// Strict: a field that nobody knows would be dropped, and a change of many jobs be wider than asked.
const fields = z.strictObject({
  queue: z.enum(QUEUES).optional(),
  state: z.enum(SHOWN_STATES as [Standing, ...Standing[]]).optional(),
  lane: plain(300).optional(),
  workspaceId: z.guid("a workspace's id is a UUID").optional(),
  connectorId: z.guid("a bot's id here is the UUID of its connector").optional(),
  chatId: z
    .string()
    .trim()
    .regex(/^(-?[0-9]{1,19}|@\w{1,64})$/, "a chat's id is a number, e.g. -1001234567890")
    .optional(),
  updateId: z
    .string()
    .trim()
    .regex(/^[0-9]{1,19}$/, "an update's id is a number")
    .optional(),
  errorClass: plain(100).optional(),
  q: plain(200).optional(),
  from: moment.optional(),
  to: moment.optional(),
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
      path: String(issue?.path[0] ?? "filter"),
      message: issue?.message ?? "is wrong",
    };
  }
  const { q, state, from, to, ...rest } = result.data;
  const filter: JobFilter = {
    ...rest,
    states: state === undefined ? undefined : [state],
    text: q,
    createdFrom: from,
    createdTo: to,
  };
  return { ok: true, filter, isEmpty: Object.values(filter).every((value) => !value) };
}
