import type { Queryable } from "../platform/index.ts";
import type { CONTROL_STATUSES } from "./kinds.ts";

export interface FrameworkControls {
  code: string;
  title: string;
  /** Those that stand for any of its requirements, by status; a status without any is left out. */
  controls: Partial<Record<(typeof CONTROL_STATUSES)[number], number>>;
  /** There are more than were counted. */
  isPartial: boolean;
}

/** Requirements, and their links to controls, that are looked at: more than any known framework has. */
const MOST = 2_000;

/** Each step is bounded by itself, and looks up by keys, so that a plan needs no statistics. */
const CONTROLS = `/* register.framework-controls */
WITH own AS (
  SELECT r.id FROM requirements r
  WHERE r.workspace_id = $1 AND r.framework_id = $2 ORDER BY r.code LIMIT $3
), linked AS (
  SELECT l.control_id FROM own CROSS JOIN LATERAL (
    SELECT cr.control_id FROM control_requirements cr
    WHERE cr.workspace_id = $1 AND cr.requirement_id = own.id LIMIT $3
  ) l LIMIT $3
), counted AS (
  SELECT c.status, count(*)::int AS n
  FROM (SELECT DISTINCT control_id FROM linked) d CROSS JOIN LATERAL (
    SELECT status FROM controls WHERE workspace_id = $1 AND id = d.control_id LIMIT 1
  ) c GROUP BY c.status
)
SELECT f.code, f.title,
  greatest((SELECT count(*) FROM own), (SELECT count(*) FROM linked))::int AS seen,
  (SELECT json_object_agg(status, n) FROM counted) AS controls
FROM frameworks f WHERE f.workspace_id = $1 AND f.id = $2`;

interface ControlsRow {
  code: string;
  title: string;
  seen: number;
  controls: FrameworkControls["controls"] | null;
}

/** Null when the workspace has no such framework. */
export async function frameworkControls(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<FrameworkControls | null> {
  const [row] = await on.query<ControlsRow>(CONTROLS, [workspaceId, id, MOST + 1]);
  if (row === undefined) return null;
  const { code, title, seen, controls } = row;
  return { code, title, controls: controls ?? {}, isPartial: seen > MOST };
}
