import { recordAudit } from "../audit/index.ts";
import type { Queryable } from "../platform/index.ts";
import { BUILT_IN, type BuiltIn } from "./built-in.ts";
import { compileTemplate, type Written } from "./compile.ts";
import { isTimeZone } from "./dates.ts";
import { TemplateError } from "./template-error.ts";
import type { Variables } from "./variables.ts";

/** One version of a template, as it is written; a built-in one has version 0. */
export interface TemplateView {
  name: string;
  version: number;
  /** 0: there is none but the built-in one. */
  newestVersion: number;
  builtIn: boolean;
  description: string | null;
  format: Written["format"];
  body: string;
  variables: Variables;
  linkPreview: boolean;
  timeZone: string | null;
  createdAt: string | null;
  createdBy: string | null;
  archivedAt: string | null;
}

export interface NewTemplate extends Written {
  workspaceId: string;
  name: string;
  description?: string;
  /** Default: true, as Telegram does. */
  linkPreview?: boolean;
  /** Of times; default: the workspace's. */
  timeZone?: string;
  /** Who saves it: `key:<id>` of an API key. */
  createdBy?: string;
}

interface VersionRow {
  name: string;
  version: number;
  newest: number;
  description: string | null;
  format: Written["format"];
  body: string;
  variables: Variables;
  link_preview: boolean;
  time_zone: string | null;
  created_at: Date;
  created_by: string | null;
  archived_at: Date | null;
}

// One of two that save at once waits for the other here, and has the next number.
const NEXT_VERSION = `/* templates.next-version */
INSERT INTO templates AS t (workspace_id, name, newest) VALUES ($1, $2, 1)
ON CONFLICT (workspace_id, name) DO UPDATE
  SET newest = t.newest + 1, archived_at = NULL, updated_at = now()
RETURNING newest`;

const ADD_VERSION = `/* templates.add-version */
INSERT INTO template_versions (workspace_id, name, version, description, format, body, variables,
  link_preview, time_zone, compiled, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`;

/**
 * Keeps a new version, which is the newest from now on, in the caller's transaction, with its entry in
 * the audit log; of an archived template too, which is one again. Throws `TemplateError`.
 */
export async function saveTemplate(tx: Queryable, template: NewTemplate): Promise<TemplateView> {
  const { workspaceId, name, format, body, variables, timeZone } = template;
  if (timeZone !== undefined && !isTimeZone(timeZone)) throw unknownZone();
  const compiled = compileTemplate(template);
  const [row] = await tx.query<{ newest: number }>(NEXT_VERSION, [workspaceId, name]);
  if (row === undefined) throw new Error("an upsert without a condition gave no row");
  const version = row.newest;
  await tx.query(ADD_VERSION, [
    workspaceId,
    name,
    version,
    template.description ?? null,
    format,
    body,
    JSON.stringify(variables),
    template.linkPreview ?? true,
    timeZone ?? null,
    JSON.stringify(compiled),
    template.createdBy ?? null,
  ]);
  const details = { version };
  await recordAudit(tx, { workspaceId, action: "template.saved", subjectId: name, details });
  const saved = await findTemplate(tx, { workspaceId, name, version });
  if (saved === null) throw new Error("a version that was just written is not there");
  return saved;
}

export const unknownZone = () =>
  new TemplateError([{ path: "timeZone", message: "is a time zone like Europe/Berlin" }]);

const VERSION_COLUMNS = `t.name, v.version, t.newest, v.description, v.format, v.body, v.variables,
  v.link_preview, v.time_zone, v.created_at, v.created_by, t.archived_at`;

const FIND = `/* templates.find */
SELECT ${VERSION_COLUMNS}
FROM templates t
JOIN template_versions v ON v.workspace_id = t.workspace_id AND v.name = t.name
  AND v.version = coalesce($3, t.newest)
WHERE t.workspace_id = $1 AND t.name = $2`;

export interface TemplateKey {
  workspaceId: string;
  name: string;
  /** Default: the newest; 0: the built-in one. */
  version?: number;
}

/**
 * As it is written; one that was archived too, by its number. Null when the workspace has no such
 * template or version.
 */
export async function findTemplate(
  on: Queryable,
  { workspaceId, name, version }: TemplateKey,
): Promise<TemplateView | null> {
  const inBuilt = BUILT_IN.get(name);
  const [row] =
    version === 0 ? [] : await on.query<VersionRow>(FIND, [workspaceId, name, version ?? null]);
  if (inBuilt !== undefined && (version === 0 || (version === undefined && isGone(row)))) {
    return builtInView(inBuilt);
  }
  return row === undefined ? null : viewOf(row);
}

const isGone = (row: VersionRow | undefined) => row === undefined || row.archived_at !== null;

const LIST = `/* templates.list */
SELECT ${VERSION_COLUMNS}
FROM templates t
JOIN template_versions v ON v.workspace_id = t.workspace_id AND v.name = t.name
  AND v.version = t.newest
WHERE t.workspace_id = $1 AND t.archived_at IS NULL AND t.name > $2
ORDER BY t.name LIMIT $3`;

/** The newest versions of those that can be used, built-in ones among them, by name. */
export async function listTemplates(
  on: Queryable,
  { workspaceId, afterName = "", rows }: { workspaceId: string; afterName?: string; rows: number },
): Promise<TemplateView[]> {
  const stored = (await on.query<VersionRow>(LIST, [workspaceId, afterName, rows])).map(viewOf);
  const own = new Set(stored.map(({ name }) => name));
  // One's own that is beyond this page has its name beyond this page too.
  const others = [...BUILT_IN.values()]
    .filter(({ name }) => name > afterName && !own.has(name))
    .map(builtInView);
  return [...stored, ...others]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .slice(0, rows);
}

const ARCHIVE = `/* templates.archive */
UPDATE templates SET archived_at = now(), updated_at = now()
WHERE workspace_id = $1 AND name = $2 AND archived_at IS NULL
RETURNING newest`;

/**
 * From now on no message is made of it; its versions stay for the record. In the caller's transaction,
 * with its entry; false when the workspace has no such template of its own.
 */
export async function archiveTemplate(
  tx: Queryable,
  { workspaceId, name }: TemplateKey,
): Promise<boolean> {
  const [row] = await tx.query<{ newest: number }>(ARCHIVE, [workspaceId, name]);
  if (row === undefined) return false;
  const details = { version: row.newest };
  await recordAudit(tx, { workspaceId, action: "template.archived", subjectId: name, details });
  return true;
}

const viewOf = (row: VersionRow): TemplateView => ({
  name: row.name,
  version: row.version,
  newestVersion: row.newest,
  builtIn: false,
  description: row.description,
  format: row.format,
  body: row.body,
  variables: row.variables,
  linkPreview: row.link_preview,
  timeZone: row.time_zone,
  createdAt: row.created_at.toISOString(),
  createdBy: row.created_by,
  archivedAt: row.archived_at?.toISOString() ?? null,
});

const builtInView = ({ name, description, format, body, variables }: BuiltIn): TemplateView => ({
  name,
  version: 0,
  newestVersion: 0,
  builtIn: true,
  description,
  format,
  body,
  variables,
  linkPreview: false,
  timeZone: null,
  createdAt: null,
  createdBy: null,
  archivedAt: null,
});
