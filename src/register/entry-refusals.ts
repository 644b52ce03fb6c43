import { sqlState } from "../platform/index.ts";
import { isLinks } from "./entry-sql.ts";
import { KINDS, type Kind } from "./kinds.ts";

/**
 * - `code-taken`: another entry of the kind has that code
 * - `unknown-reference`: what a field names is not in this workspace
 * - `contradiction`: the fields do not go together
 * - `stale`: the entry was changed since the version that was read
 * - `still-needed`: others stand on it
 */
export type RefusalReason =
  | "code-taken"
  | "unknown-reference"
  | "contradiction"
  | "stale"
  | "still-needed";

/** Why an entry is not written, in words for who wanted it. The transaction is lost with it. */
export class EntryRefused extends Error {
  override name = "EntryRefused";
  readonly reason: RefusalReason;
  /** The fields at fault, as the API names them; a place in a list by its number, from 0. */
  readonly paths: readonly string[];

  constructor(reason: RefusalReason, message: string, paths: readonly string[] = []) {
    super(message);
    this.reason = reason;
    this.paths = paths;
  }
}

/** Constraints on several fields, with the field that is told of and what is wrong. */
const CONTRADICTIONS: Record<string, { path: string; message: string }> = {
  risks_inherent: {
    path: "inherentImpact",
    message: "A likelihood and its impact are given together, or neither.",
  },
  risks_residual: {
    path: "residualImpact",
    message: "A likelihood and its impact are given together, or neither.",
  },
  audits_ends: { path: "endsOn", message: "An audit does not end before it starts." },
};

/** What Postgres says of a statement it refused. */
interface Refused {
  constraint?: string;
  table?: string;
}

/** What an error of writing an entry means; the error itself where it means nothing of the kind. */
export function refusedWrite(kind: Kind, error: unknown): unknown {
  const { constraint = "", table = "" } = (error ?? {}) as Refused;
  switch (sqlState(error)) {
    case "23505":
      if (constraint !== `${kind.table}_code`) return error;
      return new EntryRefused("code-taken", `Another ${kind.name} has this code.`, ["code"]);
    case "23503": {
      const field = kind.fields.find((one) =>
        isLinks(one) ? one.table === table : `${kind.table}_${one.name}` === constraint,
      );
      return field === undefined ? error : unknownReference([field.name]);
    }
    case "23514": {
      const known = CONTRADICTIONS[constraint];
      if (known === undefined) return error;
      return new EntryRefused("contradiction", known.message, [known.path]);
    }
    default:
      return error;
  }
}

export const unknownReference = (paths: readonly string[]) =>
  new EntryRefused("unknown-reference", "This workspace has nothing of that id.", paths);

/** What stands on entries beside other entries. */
const OTHERS: Record<string, string> = {
  risk_acceptances: "acceptances",
  evidence: "pieces of evidence",
};

/** What an error of removing an entry means. */
export function refusedRemoval(kind: Kind, error: unknown): unknown {
  if (sqlState(error) !== "23503") return error;
  const { table = "" } = (error ?? {}) as Refused;
  const what = KINDS.find((one) => one.table === table)?.plural ?? OTHERS[table] ?? table;
  const words = `This ${kind.name} is not removed while ${what} stand on it.`;
  return new EntryRefused("still-needed", words);
}
