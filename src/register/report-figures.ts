import type { Queryable } from "../platform/index.ts";

/** What happened to the register within a time; each is counted up to `MOST_COUNTED`, and one more. */
export const MOST_COUNTED = 10_000;

/** From `from` on, before `until`. */
export interface Within {
  workspaceId: string;
  from: Date;
  until: Date;
}

/** `always` is what its partial index asks for: true of every row. */
const counted = (table: string, column: string, always: string) => `(SELECT count(*)::int FROM (
    SELECT FROM ${table} WHERE workspace_id = $1 AND ${column} >= $2 AND ${column} < $3 AND ${always}
    LIMIT $4) t)`;

const IN_PERIOD = {
  findings: counted("findings", "created_at", "code <> ''"),
  audits: counted("audits", "created_at", "code <> ''"),
  risks: counted("risks", "created_at", "code <> ''"),
  acceptances: counted("risk_acceptances", "accepted_at", "reason <> ''"),
};

const RECORDED = `/* register.recorded */
SELECT ${IN_PERIOD.findings} AS findings, ${IN_PERIOD.audits} AS audits`;

/** Findings and audits that were recorded. */
export async function recordedWithin(
  on: Queryable,
  within: Within,
): Promise<{ findings: number; audits: number }> {
  const [row] = await on.query<{ findings: number; audits: number }>(RECORDED, paramsOf(within));
  return row ?? { findings: 0, audits: 0 };
}

const RISKS = `/* register.risks-within */
SELECT ${IN_PERIOD.risks} AS recorded, ${IN_PERIOD.acceptances} AS accepted`;

/** Risks that were recorded, and acceptances of risks. */
export async function risksWithin(
  on: Queryable,
  within: Within,
): Promise<{ recorded: number; accepted: number }> {
  const [row] = await on.query<{ recorded: number; accepted: number }>(RISKS, paramsOf(within));
  return row ?? { recorded: 0, accepted: 0 };
}

const UNDER_WAY = `/* register.count-audits-under-way */
SELECT count(*) FILTER (WHERE status = 'planned')::int AS planned,
  count(*) FILTER (WHERE status = 'in_progress')::int AS "inProgress"
FROM (
  SELECT status FROM audits
  WHERE workspace_id = $1 AND status IN ('planned', 'in_progress') LIMIT $2
) t`;

/** Now. */
export async function countAuditsUnderWay(
  on: Queryable,
  workspaceId: string,
): Promise<{ planned: number; inProgress: number }> {
  const params = [workspaceId, MOST_COUNTED + 1];
  const [row] = await on.query<{ planned: number; inProgress: number }>(UNDER_WAY, params);
  return row ?? { planned: 0, inProgress: 0 };
}

const paramsOf = ({ workspaceId, from, until }: Within) => [
  workspaceId,
  from,
  until,
  MOST_COUNTED + 1,
];
