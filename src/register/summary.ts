import type { Queryable } from "../platform/index.ts";
import type { TREATMENTS } from "./kinds.ts";
import { unforeseen } from "./list-entries.ts";
import { LOWEST_SCORE, RISK_LEVELS, type RiskLevel, riskLevel, scoreOf } from "./score.ts";

/** How a workspace stands, as far as one answer shows it. */
export interface RegisterSummary {
  /** From 0 to 100, of the requirements of all frameworks together; null: there are none. */
  score: number | null;
  /** By code, the first `MAX_FRAMEWORKS`. */
  frameworks: { id: string; code: string; title: string; score: number | null }[];
  /** Open findings whose severity is critical. */
  criticalIssues: number;
  openTasks: number;
  /** Those that are open, by the level of their score. */
  risks: { total: number; unassessed: number } & Record<RiskLevel, number>;
  /** When something of the register last changed; without any entry yet, when the workspace began. */
  updatedAt: Date;
}

/** Of one framework, with what its score is made of. */
export interface FrameworkScore {
  score: number | null;
  /** How many it has; and of those, whose controls are all active, and those without any. */
  requirements: number;
  met: number;
  withoutControls: number;
}

export const MAX_FRAMEWORKS = 100;

/** The truth is the sum of what is counted and of what was not added to that yet. */
const counted = (workspace: string, subject: string) => `(
    SELECT what, n, changed_at FROM register_counts
    WHERE workspace_id = ${workspace} AND subject_id = ${subject}
    UNION ALL
    SELECT what, n, changed_at FROM register_count_changes
    WHERE workspace_id = ${workspace} AND subject_id = ${subject}
  )`;

const sum = (what: string) =>
  `coalesce(sum(c.n) FILTER (WHERE c.what = '${what}'), 0)::float8 AS ${what}`;

const TOTALS = `/* register.totals */
SELECT ${sum("requirements")}, ${sum("points")}, ${sum("critical_findings")}, ${sum("open_tasks")},
  ${["unassessed", ...RISK_LEVELS].map((level) => sum(`${level}_risks`)).join(", ")},
  coalesce(max(c.changed_at), (SELECT created_at FROM workspaces WHERE id = $1)) AS updated_at
FROM ${counted("$1", "$1")} c`;

type Totals = Record<`${RiskLevel | "unassessed"}_risks`, number> & {
  requirements: number;
  points: number;
  critical_findings: number;
  open_tasks: number;
  updated_at: Date;
};

const FRAMEWORKS = `/* register.framework-scores */
SELECT f.id, f.code, f.title, t.requirements, t.points
FROM (
  SELECT id, code, title FROM frameworks WHERE workspace_id = $1 ORDER BY code
  LIMIT ${unforeseen("$2")}
) f
CROSS JOIN LATERAL (
  SELECT ${sum("requirements")}, ${sum("points")} FROM ${counted("$1", "f.id")} c OFFSET 0
) t
ORDER BY f.code`;

interface FrameworkRow {
  id: string;
  code: string;
  title: string;
  requirements: number;
  points: number;
}

/** Reads counts that are kept as the register changes: a few rows, however much is in it. */
export async function readSummary(on: Queryable, workspaceId: string): Promise<RegisterSummary> {
  const [totals] = await on.query<Totals>(TOTALS, [workspaceId]);
  if (totals === undefined) throw new Error("an aggregate gave no row");
  const frameworks = await on.query<FrameworkRow>(FRAMEWORKS, [workspaceId, MAX_FRAMEWORKS]);
  const risks = {
    critical: totals.critical_risks,
    high: totals.high_risks,
    medium: totals.medium_risks,
    low: totals.low_risks,
    unassessed: totals.unassessed_risks,
  };
  return {
    score: scoreOf(totals),
    frameworks: frameworks.map(({ id, code, title, ...made }) => ({
      id,
      code,
      title,
      score: scoreOf(made),
    })),
    criticalIssues: totals.critical_findings,
    openTasks: totals.open_tasks,
    risks: { total: Object.values(risks).reduce((all, some) => all + some, 0), ...risks },
    updatedAt: totals.updated_at,
  };
}

const FRAMEWORK = `/* register.framework-score */
SELECT t.* FROM frameworks f
CROSS JOIN LATERAL (
  SELECT ${["requirements", "points", "met", "without_controls"].map(sum).join(", ")}
  FROM ${counted("$1", "f.id")} c OFFSET 0
) t
WHERE f.workspace_id = $1 AND f.id = $2`;

/** Null when the workspace has no such framework. */
export async function readFrameworkScore(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<FrameworkScore | null> {
  const [row] = await on.query<{
    requirements: number;
    points: number;
    met: number;
    without_controls: number;
  }>(FRAMEWORK, [workspaceId, id]);
  if (row === undefined) return null;
  const { requirements, met, without_controls: withoutControls } = row;
  return { score: scoreOf(row), requirements, met, withoutControls };
}

/** A risk among the highest. */
export interface TopRisk {
  id: string;
  code: string;
  title: string;
  /** Null, as the level: nobody has assessed it. */
  score: number | null;
  level: RiskLevel | null;
  treatment: (typeof TREATMENTS)[number] | null;
}

const TOP = `/* register.top-risks */
SELECT id, code, title, score, treatment FROM risks
WHERE workspace_id = $1 AND status = 'open' AND coalesce(score, 0) BETWEEN $2 AND $3
ORDER BY coalesce(score, 0) DESC, id LIMIT ${unforeseen("$4")} OFFSET $5`;

/**
 * Open risks, the highest first and those that nobody assessed last; `level`: those alone. For the
 * engine: under a workspace's own role Postgres reads what is above that level, too.
 */
export async function topRisks(
  on: Queryable,
  workspaceId: string,
  { limit, level, offset = 0 }: { limit: number; level?: RiskLevel; offset?: number },
): Promise<TopRisk[]> {
  const above = level === undefined ? undefined : RISK_LEVELS[RISK_LEVELS.indexOf(level) - 1];
  const lowest = level === undefined ? 0 : LOWEST_SCORE[level];
  const highest = above === undefined ? 25 : LOWEST_SCORE[above] - 1;
  const params = [workspaceId, lowest, highest, limit, offset];
  const rows = await on.query<Omit<TopRisk, "level">>(TOP, params);
  return rows.map((row) => ({ ...row, level: row.score === null ? null : riskLevel(row.score) }));
}
