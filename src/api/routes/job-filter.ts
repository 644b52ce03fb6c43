import { z } from "zod";
import { type JobFilter, QUEUES, SHOWN_STATES, type Standing } from "../../jobs/index.ts";
import { Problem } from "../../platform/index.ts";
import { chatIdText, type Principal, text, uuid } from "../route.ts";

/** A field that is blank is a mistake of who fills it in; as a filter it would match every job. */
const words = (max: number) =>
  text()
    .max(max)
    .refine((value) => value.trim() !== "", "is not blank; leave it out to ask for all");

const time = z.iso.datetime({ offset: true });

/** How the ledger is searched, in a query or a body: everything given must hold. */
export const filterShape = {
  queue: z.enum(QUEUES).optional(),
  state: z
    .string()
    .max(200)
    .transform((states) => states.split(","))
    .pipe(z.array(z.enum(SHOWN_STATES)))
    .optional()
    .describe("one or more of the states, with commas between them"),
  lane: words(300).optional().describe("the whole name of a lane"),
  connectorId: uuid.optional().describe("what a bot got and what it sends"),
  chatId: chatIdText.optional().describe("what came from a chat and what is sent to it"),
  updateId: z
    .string()
    .regex(/^[0-9]{1,16}$/, "a number")
    .optional(),
  errorClass: words(100).optional(),
  q: words(200)
    .optional()
    .describe("an id, an update_id, a lane, an error class, or words of an error"),
  createdFrom: time.optional(),
  createdTo: time.optional().describe("before this time"),
  workspaceId: uuid.optional().describe("for the administrator, who sees all workspaces"),
};

export type FilterInput = z.infer<z.ZodObject<typeof filterShape>>;

/**
 * A workspace finds and changes its own jobs; the administrator those of all. Throws `Problem` 404
 * for another workspace's id, as for one that is nobody's.
 */
export function filterOf(principal: Principal, input: FilterInput): JobFilter {
  const { workspaceId, state, q, createdFrom, createdTo, ...same } = input;
  if (
    principal.kind === "workspace" &&
    (workspaceId ?? principal.workspaceId) !== principal.workspaceId
  ) {
    throw new Problem(404, "Not found", "There is no such workspace.");
  }
  return {
    ...same,
    workspaceId: principal.kind === "workspace" ? principal.workspaceId : workspaceId,
    states: state as Standing[] | undefined,
    text: q,
    createdFrom: createdFrom === undefined ? undefined : new Date(createdFrom),
    createdTo: createdTo === undefined ? undefined : new Date(createdTo),
  };
}

/**
 * Throws `Problem` 400 for a change of many jobs that does not say which. A workspace's own id says
 * nothing that its key has not said.
 */
export function requireFilter(principal: Principal, input: FilterInput, all: boolean): void {
  const { workspaceId, ...rest } = input;
  const said = principal.kind === "admin" ? input : rest;
  if (all || Object.values(said).some((value) => value !== undefined)) return;
  const whose = principal.kind === "admin" ? "of all workspaces" : "of the workspace";
  throw new Problem(
    400,
    "Invalid request",
    `Say which jobs, by a filter; or send \`all: true\` to change all ${whose}.`,
  );
}

/** A workspace sees and changes its own; an administrator those of all. */
export const scopeOf = (principal: Principal): { workspaceId?: string } =>
  principal.kind === "workspace" ? { workspaceId: principal.workspaceId } : {};
