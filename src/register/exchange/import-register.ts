import { randomUUID } from "node:crypto";
import { recordAudit } from "../../audit/index.ts";
import {
  isLockTimeout,
  Problem,
  type Queryable,
  sqlState,
  type Transactor,
} from "../../platform/index.ts";
import type { Kind } from "../kinds.ts";
import { Directory } from "./directory.ts";
import { loadNamed } from "./load-directory.ts";
import { loadKnown } from "./load-known.ts";
import { planEntry } from "./plan-entry.ts";
import { type ImportProblem, ProblemList } from "./problems.ts";
import { type FileContent, type FileEntry, type FileToRead, readFile } from "./read-file.ts";
import { inSlices } from "./slices.ts";
import { changedMeanwhile, type KindPlan, writePlan } from "./write-plan.ts";

export interface ImportRequest extends FileToRead {
  workspaceId: string;
  /** Only says what would be done. */
  isDryRun: boolean;
  /** What is there already is a problem, and not changed. */
  onlyNew: boolean;
}

export interface ImportOutcome {
  /** Of many, or `all`. */
  kind: string;
  /** Entries in the file. */
  rows: number;
  /** What was done, or would be; nothing is where there is a problem. */
  created: number;
  changed: number;
  unchanged: number;
  /** The first thousand, by line. */
  problems: ImportProblem[];
  problemCount: number;
  dryRun: boolean;
}

/**
 * What keeps a file that is sent again from being brought in again, in the transaction of what the first
 * one did: nobody finds the one without the other.
 */
export interface ImportOnce {
  /** Null: nobody has sent it. Otherwise what came of it then; nothing else is done. */
  known(tx: Queryable): Promise<ImportOutcome | null>;
  /** What came of it now. Not of a file with a problem, which may be mended and sent again. */
  done(tx: Queryable, outcome: ImportOutcome): Promise<void>;
}

/** Takes back what was done for a file that turned out to have a problem. */
class NotBroughtIn extends Error {
  readonly outcome: ImportOutcome;

  constructor(outcome: ImportOutcome) {
    super("the file has problems");
    this.outcome = outcome;
  }
}

/** Another import of the workspace, or a change of one of its entries, may be under way. */
const LOCK_TIMEOUT_MS = 20_000;
/** Between two statements, other work of this process may be done. */
const MAX_IDLE_MS = 60_000;

const PREPARE = `/* register.prepare-import */
SELECT set_config('idle_in_transaction_session_timeout', '${MAX_IDLE_MS}', true)`;

/** Imports of a workspace come one after the other: what one plans, no other undoes. */
const ALONE = `/* register.import-alone */
SELECT pg_advisory_xact_lock(hashtext('heliograph register import'), hashtext($1))`;

/**
 * Brings a file's entries into the register: all of them, in one transaction, or none. With a problem,
 * or in a dry run, nothing is changed, and all that is wrong is told. `db` is the workspace's own.
 * Throws `Problem`: 409 when somebody else changed the same entries, 503 when they hold them too long.
 */
export async function importRegister(
  db: Transactor,
  request: ImportRequest,
  once: ImportOnce | null = null,
): Promise<ImportOutcome> {
  const ofReading = new ProblemList();
  const file = await readFile(request, ofReading);
  const bringInOnce = async (tx: Queryable) => {
    const known = await once?.known(tx);
    if (known != null) return known;
    const outcome = await bringIn(tx, request, file, ofReading);
    if (outcome.problemCount > 0) throw new NotBroughtIn(outcome);
    await once?.done(tx, outcome);
    return outcome;
  };
  try {
    return await db.transaction(bringInOnce, { lockTimeoutMs: LOCK_TIMEOUT_MS });
  } catch (error) {
    if (error instanceof NotBroughtIn) return error.outcome;
    if (isLockTimeout(error)) {
      const detail =
        "Another import or change of the same entries is under way; try again shortly.";
      throw new Problem(503, "Unavailable", detail, { headers: { "retry-after": "10" } });
    }
    // An entry or a person that the file names was removed after it was found.
    if (sqlState(error) === "23503") throw changedMeanwhile();
    throw error;
  }
}

async function bringIn(
  tx: Queryable,
  { workspaceId, kind, isDryRun, onlyNew }: ImportRequest,
  file: FileContent,
  ofReading: ProblemList,
): Promise<ImportOutcome> {
  const problems = ofReading.copy();
  const isReal = !isDryRun && problems.count === 0;
  await tx.query(PREPARE);
  if (isReal) await tx.query(ALONE, [workspaceId]);
  const plans = await planFile(tx, workspaceId, file, { isHeld: isReal, onlyNew, problems });
  const count = (of: (plan: KindPlan) => number) =>
    problems.count > 0 ? 0 : plans.reduce((sum, plan) => sum + of(plan), 0);
  const outcome: ImportOutcome = {
    kind: kind === "all" ? kind : kind.plural,
    rows: file.rows,
    created: count(({ created }) => created.length),
    changed: count(({ changed }) => changed.length),
    unchanged: count(({ unchanged }) => unchanged),
    problems: problems.listed,
    problemCount: problems.count,
    dryRun: isDryRun,
  };
  if (!isReal || problems.count > 0) return outcome;
  for (const plan of plans) await writePlan(tx, workspaceId, plan);
  const { created, changed } = outcome;
  const details = { kind: outcome.kind, created, changed };
  await recordAudit(tx, { workspaceId, action: "register.imported", details });
  return outcome;
}

interface PlanFileOptions {
  isHeld: boolean;
  onlyNew: boolean;
  problems: ProblemList;
}

/** Kinds in the order in which they stand on each other: a file may name what it makes itself. */
async function planFile(
  tx: Queryable,
  workspaceId: string,
  { lists }: FileContent,
  options: PlanFileOptions,
): Promise<KindPlan[]> {
  const directory = new Directory();
  const plans: KindPlan[] = [];
  for (const { kind, entries } of lists) {
    await loadNamed(tx, workspaceId, kind, entries, directory);
    plans.push(await planKind(tx, workspaceId, kind, entries, directory, options));
  }
  return plans;
}

async function planKind(
  tx: Queryable,
  workspaceId: string,
  kind: Kind,
  entries: readonly FileEntry[],
  directory: Directory,
  { isHeld, onlyNew, problems }: PlanFileOptions,
): Promise<KindPlan> {
  const plan: KindPlan = { kind, created: [], changed: [], unchanged: 0 };
  const knownEntries = await loadKnown(tx, workspaceId, kind, entries, { directory, isHeld });
  await inSlices(entries, (entry) => {
    const known = knownEntries.of(entry);
    const id = known?.id ?? randomUUID();
    const decision = planEntry(kind, { entry, known, id }, { directory, onlyNew, problems });
    // Also where it is refused: what names it is not at fault for that.
    directory.addEntry(kind, entry.reference, id);
    if (decision.what === "unchanged") plan.unchanged++;
    else if (decision.what !== "refused") plan[decision.what].push(decision.entry);
  });
  return plan;
}
