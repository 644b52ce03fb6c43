import { REGISTER_ACCESS, type RegisterAccess } from "../connectors/index.ts";
import { ROLES, type Role } from "../people/index.ts";

/**
 * What somebody in a chat may see and do with the register. Whether they are heard at all is the
 * connector's access level; what a bot that hears everyone shows to everyone is its `registerAccess`.
 */

export { REGISTER_ACCESS, type RegisterAccess, ROLES, type Role };

/** Who asks, as far as the workspace knows them. */
export interface Viewer {
  /** Null: nobody of the workspace. */
  personId: string | null;
  role: Role | null;
}

export type Deed =
  /** Scores, counts, the highest risks, reports. */
  | "see-register"
  | "submit-evidence"
  /** Ask for an audit to be planned. */
  | "request-audit"
  /** Approve or reject what others handed in. */
  | "review-evidence"
  /** Say how likely a risk is, how bad, and what is done about it. */
  | "assess-risk";

const MAY: Record<Role, readonly Deed[]> = {
  employee: ["see-register", "submit-evidence", "request-audit"],
  officer: ["see-register", "submit-evidence", "request-audit", "review-evidence", "assess-risk"],
  // Whoever looks at others' work does none of it.
  auditor: ["see-register", "request-audit"],
};

/** Whoever is nobody of the workspace may what an employee may, where the bot says so. */
export function may({ role }: Viewer, deed: Deed, access: RegisterAccess): boolean {
  if (role === null && access === "members") return false;
  return MAY[role ?? "employee"].includes(deed);
}
