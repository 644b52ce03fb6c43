import type { FormattedText } from "../outbound/index.ts";
import type { Queryable } from "../platform/index.ts";
import { BUILT_IN, compiledBuiltIn } from "./built-in.ts";
import { isTimeZone } from "./dates.ts";
import { fill } from "./fill.ts";
import type { MarkedText } from "./marked-text.ts";
import { unknownZone } from "./stored.ts";
import type { Variables } from "./variables.ts";

/** A template with what it is to be filled with. */
export interface TemplateUse {
  name: string;
  /** Default: the newest; 0: the built-in one. */
  version?: number;
  /** As JSON has them. */
  variables: Readonly<Record<string, unknown>>;
  /** Of times. Default: the template's, else the workspace's. */
  timeZone?: string;
}

export interface RenderedTemplate extends FormattedText {
  hasLinkPreview: boolean;
  /** Which it was. */
  template: { name: string; version: number };
}

interface UsableRow {
  workspace_zone: string;
  version: number | null;
  archived: boolean;
  compiled: MarkedText | null;
  variables: Variables | null;
  link_preview: boolean | null;
  time_zone: string | null;
}

const USABLE = `/* templates.usable */
SELECT w.time_zone AS workspace_zone, v.version, t.archived_at IS NOT NULL AS archived, v.compiled,
  v.variables, v.link_preview, v.time_zone
FROM workspaces w
LEFT JOIN templates t ON t.workspace_id = w.id AND t.name = $2
LEFT JOIN template_versions v ON v.workspace_id = t.workspace_id AND v.name = t.name
  AND v.version = coalesce($3, t.newest)
WHERE w.id = $1`;

/**
 * The text of a message. Null when the workspace has no such template or version, or has archived it.
 * Throws `TemplateError` for values that it cannot be filled with.
 */
export async function renderTemplate(
  on: Queryable,
  workspaceId: string,
  { name, version, variables, timeZone }: TemplateUse,
): Promise<RenderedTemplate | null> {
  if (timeZone !== undefined && !isTimeZone(timeZone)) throw unknownZone();
  const [row] = await on.query<UsableRow>(USABLE, [workspaceId, name, version ?? null]);
  if (row === undefined) return null;
  const used = usableOf(row) ?? builtInOf(name, version);
  if (used === null) return null;
  const zone = timeZone ?? used.timeZone ?? row.workspace_zone;
  return {
    ...fill(used.compiled, used.variables, variables, zone),
    hasLinkPreview: used.hasLinkPreview,
    template: { name, version: used.version },
  };
}

interface Usable {
  version: number;
  compiled: MarkedText;
  variables: Variables;
  hasLinkPreview: boolean;
  timeZone: string | null;
}

function usableOf(row: UsableRow): Usable | null {
  const { version, compiled, variables, link_preview: hasLinkPreview, time_zone: timeZone } = row;
  const isThere = version !== null && compiled !== null && variables !== null && !row.archived;
  return isThere && hasLinkPreview !== null
    ? { version, compiled, variables, hasLinkPreview, timeZone }
    : null;
}

/** In the place of none of one's own, or of one's own that was archived. */
function builtInOf(name: string, version: number | undefined): Usable | null {
  const found = version === undefined || version === 0 ? BUILT_IN.get(name) : undefined;
  if (found === undefined) return null;
  const { variables, hasLinkPreview } = found;
  return {
    version: 0,
    compiled: compiledBuiltIn(found),
    variables,
    hasLinkPreview,
    timeZone: null,
  };
}
