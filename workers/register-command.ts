import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { nearestWord, Problem } from "../src/platform/index.ts";
import {
  FILE_FORMATS,
  type FileFormat,
  type ImportOutcome,
  importRegister,
  KINDS,
  type Kind,
  kindOfPlural,
  openExport,
} from "../src/register/index.ts";
import { asUuid } from "./options.ts";
import type { System } from "./system.ts";

/** `heliograph register import|export`: see docs/import-export.md. */
const OPTIONS = {
  workspace: { type: "string" },
  kind: { type: "string" },
  format: { type: "string" },
  "dry-run": { type: "boolean" },
  "only-new": { type: "boolean" },
} as const;

const KIND_WORDS = ["all", ...KINDS.map(({ plural }) => plural)];

function kindOption(word: string | undefined): Kind | "all" {
  if (word === "all") return word;
  const kind = kindOfPlural(word ?? "");
  if (kind !== undefined) return kind;
  const near = nearestWord(word ?? "", KIND_WORDS);
  throw new Error(
    `--kind is one of ${KIND_WORDS.join(", ")}${near === undefined ? "" : `; is it ${near}?`}`,
  );
}

function formatOption(word: string | undefined, otherwise: string): FileFormat {
  const format = FILE_FORMATS.find((known) => known === (word ?? otherwise));
  if (format === undefined) throw new Error("--format is csv or json");
  return format;
}

/**
 * Runs `register …`; false when a file was not imported, whose problems were printed. Throws an `Error`
 * in one line for what cannot be done.
 */
export async function registerCommand(
  { db }: Pick<System, "db">,
  args: string[],
  print: (line: string) => void | Promise<void>,
  stdout: Writable = process.stdout,
): Promise<boolean> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const [action, file, ...rest] = positionals;
  if (action !== "import" && action !== "export") {
    throw new Error("register takes import or export");
  }
  const workspaceId = asUuid("--workspace", values.workspace);
  const kind = kindOption(values.kind);
  const named = file === undefined ? "" : path.extname(file).slice(1).toLowerCase();
  const format = formatOption(values.format, action === "export" ? "json" : named);
  if (kind === "all" && format === "csv") {
    throw new Error("a CSV file holds entries of one kind: say which with --kind");
  }
  const [workspace] = await db.query("SELECT FROM workspaces WHERE id = $1", [workspaceId]);
  if (workspace === undefined) throw new Error(`there is no workspace ${workspaceId}`);
  const own = db.asTenant(workspaceId);
  if (action === "export") {
    if (file !== undefined) throw new Error("register export takes options only");
    if (values["dry-run"] || values["only-new"]) {
      throw new Error("register export takes no --dry-run and no --only-new");
    }
    const { content } = await openExport(own, { workspaceId, kind, format });
    await pipeline(content, stdout, { end: false });
    return true;
  }
  if (file === undefined || rest.length > 0) throw new Error("register import takes one file");
  const outcome = await told(
    importRegister(own, {
      workspaceId,
      kind,
      format,
      content: await contentOf(file),
      isDryRun: values["dry-run"] ?? false,
      onlyNew: values["only-new"] ?? false,
    }),
  );
  for (const line of outcomeLines(outcome)) await print(line);
  return outcome.problemCount === 0;
}

/** For people: what is wrong, line by line, or what was done. */
function outcomeLines(outcome: ImportOutcome): string[] {
  const { rows, created, changed, unchanged, problems, problemCount, dryRun } = outcome;
  if (problemCount > 0) {
    const more = problemCount - problems.length;
    return [
      ...problems.map(({ line, column, code, message }) =>
        [`line ${line}`, ...(column === null ? [] : [column]), code ?? "", message]
          .filter((part) => part !== "")
          .join("  "),
      ),
      ...(more > 0 ? [`and ${more} more`] : []),
      `nothing was imported: ${problemCount} problem${problemCount === 1 ? "" : "s"}`,
    ];
  }
  const counts = `${created} new, ${changed} changed, ${unchanged} as they were`;
  return [
    `${rows} ${rows === 1 ? "entry" : "entries"}: ${counts}${dryRun ? "; a dry run, nothing was changed" : ""}`,
  ];
}

async function told<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    throw error instanceof Problem ? new Error(`${error.title}: ${error.detail}`) : error;
  }
}

const REASONS: Record<string, string> = {
  ENOENT: "there is none of that name",
  EISDIR: "it is a folder",
  EACCES: "this user may not",
};

async function contentOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new Error(`the file cannot be read: ${REASONS[code] ?? code}`);
  }
}
