import { z } from "zod";
import { Problem } from "../../platform/index.ts";
import {
  FILE_FORMATS,
  type FileFormat,
  type ImportOnce,
  type ImportOutcome,
  importRegister,
  KINDS,
  type Kind,
  kindOfPlural,
  openExport,
} from "../../register/index.ts";
import { attachmentHeaders } from "../attachment.ts";
import { FewAtOnce } from "../few-at-once.ts";
import { claimKey, type IdempotencyKey, storeAnswer } from "../idempotency.ts";
import { defineRoute, workspaceOf } from "../route.ts";

/** Of a file that is imported; how many entries it may have is another bound (read-file.ts). */
const MAX_FILE_BYTES = 64 * 1_048_576;
const BODY_DEADLINE_MS = 120_000;
/** Problems that are told where every call tells them, besides those of the file. */
const MAX_ERRORS = 50;

const CONTENT_TYPES = { csv: "text/csv", json: "application/json" } as const;

const kindName = z
  .enum(["all", ...KINDS.map(({ plural }) => plural)])
  .describe("all: of every kind, in JSON");
const flag = (what: string) =>
  z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true")
    .describe(what);

const problemSchema = z.object({
  line: z.number().describe("of the file, as an editor counts"),
  column: z.string().nullable(),
  message: z.string(),
  code: z.string().optional(),
});
const outcomeSchema = z.object({
  kind: z.string(),
  rows: z.number(),
  created: z.number(),
  changed: z.number(),
  unchanged: z.number(),
  problems: z.array(problemSchema),
  problemCount: z.number(),
  dryRun: z.boolean(),
});

function kindOf(name: string): Kind | "all" {
  if (name === "all") return name;
  const kind = kindOfPlural(name);
  if (kind === undefined) throw new Error(`no kind of entry is called ${name}`);
  return kind;
}

/** Throws `Problem` 415 for a file whose format nobody tells. */
function formatOf(told: FileFormat | undefined, contentType: string): FileFormat {
  const format = told ?? FILE_FORMATS.find((one) => CONTENT_TYPES[one] === contentType);
  if (format !== undefined) return format;
  const detail = "Send CSV or JSON: Content-Type: text/csv or application/json, or ?format=csv.";
  throw new Problem(415, "Unsupported content type", detail);
}

function assertHolds(format: FileFormat, kind: Kind | "all"): void {
  if (kind !== "all" || format === "json") return;
  throw new Problem(400, "Invalid request", "A CSV file holds entries of one kind: say which.", {
    errors: [{ path: "kind", message: "is one kind where the format is csv" }],
  });
}

const onceFor = (key: IdempotencyKey): ImportOnce => ({
  known: async (tx) => {
    const answer = await claimKey(tx, key);
    return answer && (answer.body as ImportOutcome);
  },
  done: (tx, outcome) => storeAnswer(tx, key, { status: 200, body: outcome }),
});

/** Throws `Problem` 422 with all that is wrong, where anything is. */
function assertWell(outcome: ImportOutcome): void {
  const { problemCount, problems } = outcome;
  if (problemCount === 0) return;
  const detail = `Nothing was imported: the file has ${problemCount === 1 ? "a problem" : `${problemCount} problems`}.`;
  throw new Problem(422, "The file cannot be imported", detail, {
    members: { ...outcome },
    errors: problems.slice(0, MAX_ERRORS).map(({ line, column, message }) => ({
      path: column === null ? `lines.${line}` : `lines.${line}.${column}`,
      message,
    })),
  });
}

/** Each holds a connection to the database for as long as its reader takes. */
const exportsInHand = new FewAtOnce({
  most: 3,
  mostOfOne: 2,
  busy: "Other files are being handed out; ask for this one again shortly.",
});

export const registerExchangeRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/register/import",
    auth: "workspace",
    scope: "manage",
    summary:
      "Brings a file into the register: entries are matched by code, all of them are written or none. With `dryRun` only says what would be done. What is wrong is told by line, with 422.",
    query: z.strictObject({
      kind: kindName,
      format: z.enum(FILE_FORMATS).optional().describe("default: by Content-Type"),
      dryRun: flag("changes nothing"),
      onlyNew: flag("an entry that is there already is a problem"),
    }),
    rawBody: {
      contentTypes: Object.values(CONTENT_TYPES),
      maxBytes: MAX_FILE_BYTES,
      deadlineMs: BODY_DEADLINE_MS,
    },
    success: { status: 200, schema: outcomeSchema },
    handler: async ({ db, principal, query, raw, idempotency }) => {
      const kind = kindOf(query.kind);
      const format = formatOf(query.format, raw.contentType);
      assertHolds(format, kind);
      const workspaceId = workspaceOf(principal);
      const file = {
        workspaceId,
        content: raw.content,
        format,
        kind,
        isDryRun: query.dryRun,
        onlyNew: query.onlyNew,
      };
      const once = idempotency && onceFor({ workspaceId, ...idempotency });
      const outcome = await importRegister(db, file, once);
      assertWell(outcome);
      return { status: 200, body: outcome };
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/register/export",
    auth: "workspace",
    scope: "read",
    summary:
      "The register as a file that `import` takes: everything in one moment's state. In CSV a cell that a spreadsheet would run as a formula has an apostrophe before it.",
    query: z.strictObject({
      kind: kindName.default("all"),
      format: z.enum(FILE_FORMATS).default("json"),
    }),
    success: { status: 200, schema: z.unknown(), contentTypes: Object.values(CONTENT_TYPES) },
    handler: async ({ db, principal, query }) => {
      const kind = kindOf(query.kind);
      const { format } = query;
      assertHolds(format, kind);
      const workspaceId = workspaceOf(principal);
      const leave = exportsInHand.enter(workspaceId);
      try {
        const { content } = await openExport(db, { workspaceId, kind, format });
        content.once("close", leave);
        const name = kind === "all" ? "register" : kind.plural;
        const file = { name: `${name}.${format}`, contentType: null, sizeBytes: null };
        const headers = {
          ...attachmentHeaders(file),
          "content-type": `${CONTENT_TYPES[format]}; charset=utf-8`,
        };
        return { status: 200, body: null, stream: content, headers };
      } catch (error) {
        leave();
        throw error;
      }
    },
  }),
];
