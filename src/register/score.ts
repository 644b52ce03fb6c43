import type { CONTROL_STATUSES } from "./kinds.ts";

/**
 * How well a workspace complies, from 0 to 100.
 *
 * A control is worth 1 when it is active, ½ when it is degraded, and nothing before that. Deprecated
 * ones count for nothing, as if they were not there. A requirement is met by the mean of its controls,
 * and without one by nothing. A framework's score is the mean of its requirements', rounded down, so
 * that 100 is said of none in which anything is missing; without requirements it has none.
 *
 * What is overdue counts as it stands: a control that is late is not active, and worth what its status
 * says. So no score changes by the passing of time.
 *
 * The database keeps the sums by the same rule (migrations/0020_register_counts.ts), in whole numbers,
 * which add up exactly in whatever order changes come.
 */

export type ControlStatus = (typeof CONTROL_STATUSES)[number];

/** In halves; null: it does not count. */
const WORTH: Record<ControlStatus, number | null> = {
  to_do: 0,
  in_progress: 0,
  active: 2,
  degraded: 1,
  deprecated: null,
};

/** Of a requirement that is met: hundredths of a percent. */
export const MET_POINTS = 10_000;

/** How far a requirement is met by its controls, from 0 to `MET_POINTS`. */
export function requirementPoints(controls: readonly ControlStatus[]): number {
  const halves = controls.map((status) => WORTH[status]).filter((worth) => worth !== null);
  if (halves.length === 0) return 0;
  const sum = halves.reduce((total, one) => total + one, 0);
  return Math.floor(((MET_POINTS / 2) * sum) / halves.length);
}

/** From 0 to 100, a whole number; null where there are no requirements. `points`: of all together. */
export function scoreOf({
  requirements,
  points,
}: {
  requirements: number;
  points: number;
}): number | null {
  if (requirements === 0) return null;
  return Math.floor((points * 100) / (requirements * MET_POINTS));
}

export const RISK_LEVELS = ["critical", "high", "medium", "low"] as const;
export type RiskLevel = (typeof RISK_LEVELS)[number];

/** Lowest score of each level; a score is likelihood times impact, each from 1 to 5. */
export const LOWEST_SCORE: Record<RiskLevel, number> = {
  critical: 20,
  high: 12,
  medium: 6,
  low: 1,
};

/** Of a risk that was assessed, by its score from 1 to 25. */
export function riskLevel(score: number): RiskLevel {
  return RISK_LEVELS.find((level) => score >= LOWEST_SCORE[level]) ?? "low";
}
