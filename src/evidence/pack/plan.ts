import {
  AUDIT_ACTION_NAMES,
  type AuditAction,
  entriesAbout,
  sealAllSeen,
} from "../../audit/index.ts";
import {
  type Database,
  fewRows,
  isLockTimeout,
  type Keyring,
  type Queryable,
  sha256,
  sqlState,
} from "../../platform/index.ts";
import { type FileProvenance, type Provenance, readProvenance } from "../provenance.ts";
import { MANIFEST_FORMAT, type PackLimits, PackRefused } from "./limits.ts";
import { pathInPack } from "./paths.ts";

/** What is asked for; everything given must hold. Nothing given: all evidence of the workspace. */
export interface PackAsked {
  evidenceId?: string;
  controlId?: string;
  /** A framework's code or id: evidence of the controls that its requirements ask for. */
  framework?: string;
}

/** A file with the place of its content. */
export interface PackedFile {
  path: string;
  storedFileId: string;
  sizeBytes: number;
  sha256: string;
}

/** All that is to be in a pack, before a byte of it is written. */
export interface PackPlan {
  workspaceId: string;
  madeAt: Date;
  /** How many pieces of evidence. */
  count: number;
  files: PackedFile[];
  sizeBytes: number;
  /** Of manifest.json, byte for byte. */
  manifest: Buffer;
  /** In hex. */
  manifestSha256: string;
  /** Entries of the workspace's chain; null: it says nothing of this evidence. */
  chain: { first: number; last: number } | null;
}

const LOOKS: readonly AuditAction[] = [
  "evidence.listed",
  "evidence.viewed",
  "evidence.file_read",
  "evidence.packed",
];
/** What the log says of evidence but for looks at it. */
const CHANGES = AUDIT_ACTION_NAMES.filter(
  (action) => action.startsWith("evidence.") && !LOOKS.includes(action),
);

const TOTALS = `/* evidence.pack-totals */
SELECT count(*)::int AS rows,
  coalesce(sum(f.size_bytes) FILTER (WHERE f.state = 'stored'), 0)::float8 AS bytes
FROM (SELECT * FROM unnest($2::uuid[]) AS k(id) ${fewRows("$2")}) k
JOIN evidence_files f ON f.workspace_id = $1 AND f.evidence_id = k.id`;

const CONTENTS = `/* evidence.pack-contents */
SELECT f.id, f.stored_file_id AS "storedFileId"
FROM (SELECT * FROM unnest($2::uuid[]) AS k(id) ${fewRows("$2")}) k
JOIN evidence_files f ON f.workspace_id = $1 AND f.evidence_id = k.id
WHERE f.state = 'stored' AND f.stored_file_id IS NOT NULL`;

export interface PackPlanner {
  db: Database;
  keyring: Keyring;
  limits: PackLimits;
  /** How long another may be at the workspace's log. */
  sealWithinMs: number;
}

/**
 * As the engine, in one snapshot; the workspace is in every statement. What the snapshot holds of the log
 * is sealed in it: who waited for the sealer instead would find other entries waiting by then.
 *
 * @throws PackRefused
 */
export async function planPack(
  { db, keyring, limits, sealWithinMs }: PackPlanner,
  workspaceId: string,
  asked: PackAsked,
): Promise<PackPlan> {
  const endsAtMs = performance.now() + sealWithinMs;
  for (;;) {
    try {
      return await db.transaction(
        async (tx) => {
          await tx.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
          await sealAllSeen(tx, keyring, workspaceId);
          return planIn(tx, { workspaceId, asked, limits });
        },
        { lockTimeoutMs: sealWithinMs },
      );
    } catch (error) {
      const isSealedMeanwhile = sqlState(error) === "40001";
      if (isSealedMeanwhile && performance.now() < endsAtMs) continue;
      throw isSealedMeanwhile || isLockTimeout(error)
        ? new PackRefused("unsealed", UNSEALED)
        : error;
    }
  }
}

async function planIn(
  tx: Queryable,
  { workspaceId, asked, limits }: { workspaceId: string; asked: PackAsked; limits: PackLimits },
): Promise<PackPlan> {
  const ids = await findAsked(tx, workspaceId, asked, limits.evidence);
  const [totals] = await tx.query<{ rows: number; bytes: number }>(TOTALS, [workspaceId, ids]);
  const { rows = 0, bytes = 0 } = totals ?? {};
  if (rows > limits.files) throw tooMuch(`${rows} files`, `${limits.files} files`);
  if (bytes > limits.bytes) throw tooMuch(`${bytes} bytes`, `${limits.bytes} bytes`);
  const about = await entriesAbout(tx, workspaceId, { subjectIds: ids, actions: CHANGES });
  if (about.waiting > 0) throw new PackRefused("unsealed", UNSEALED);
  const { sealed } = about;
  const entries = sealed === null ? 0 : sealed.last - sealed.first + 1;
  if (entries > limits.entries) {
    throw tooMuch(`${entries} entries of the audit log`, `${limits.entries} of them`);
  }
  const contents = await tx.query<{ id: string; storedFileId: string }>(CONTENTS, [
    workspaceId,
    ids,
  ]);
  const stored = new Map(contents.map(({ id, storedFileId }) => [id, storedFileId]));
  const evidence = await readProvenance(tx, workspaceId, ids);
  const [clock] = await tx.query<{ now: Date }>("SELECT now()");
  const madeAt = clock?.now ?? new Date();
  return {
    workspaceId,
    madeAt,
    chain: sealed,
    ...planned(evidence, stored, { workspaceId, madeAt, asked, chain: sealed }),
  };
}

const UNSEALED = "The audit log is being sealed, and it takes long. Ask again in a few seconds.";

const tooMuch = (found: string, most: string) =>
  new PackRefused(
    "too-much",
    `That would be ${found}; a pack holds at most ${most}. Ask for less at once: by control or by piece of evidence.`,
  );

async function findAsked(
  on: Queryable,
  workspaceId: string,
  { evidenceId, controlId, framework }: PackAsked,
  most: number,
): Promise<string[]> {
  const params: unknown[] = [workspaceId, most + 1];
  const conditions = ["e.workspace_id = $1", "e.number > 0"];
  const where = (condition: (param: string) => string, value: unknown) => {
    if (value !== undefined) conditions.push(condition(`$${params.push(value)}`));
  };
  where((param) => `e.id = ${param}`, evidenceId);
  where((param) => `e.control_id = ${param}`, controlId);
  where(
    (param) => `e.control_id IN (
      SELECT cr.control_id FROM frameworks fw
      JOIN requirements q ON q.workspace_id = fw.workspace_id AND q.framework_id = fw.id
      JOIN control_requirements cr ON cr.workspace_id = q.workspace_id AND cr.requirement_id = q.id
      WHERE fw.workspace_id = $1 AND (fw.code = ${param} OR fw.id::text = ${param}))`,
    framework,
  );
  const rows = await on.query<{ id: string }>(
    `SELECT e.id FROM evidence e WHERE ${conditions.join(" AND ")} ORDER BY e.number LIMIT $2`,
    params,
  );
  if (rows.length === 0) throw new PackRefused("nothing", "There is no such evidence.");
  if (rows.length > most) throw tooMuch(`more than ${most} pieces of evidence`, `${most}`);
  return rows.map(({ id }) => id);
}

interface Header {
  workspaceId: string;
  madeAt: Date;
  asked: PackAsked;
  chain: PackPlan["chain"];
}

function planned(
  evidence: readonly Provenance[],
  stored: ReadonlyMap<string, string>,
  { workspaceId, madeAt, asked, chain }: Header,
) {
  const files: PackedFile[] = [];
  const described = evidence.map((piece) => ({
    ...piece,
    revisions: piece.revisions.map((revision) => ({
      ...revision,
      files: revision.files.map((file, n) => {
        const packed = packedFile(
          file,
          stored.get(file.id),
          pathInPack(piece.code, revision.number, n, file.name),
        );
        if (packed !== null) files.push(packed);
        return { ...file, path: packed?.path ?? null };
      }),
    })),
  }));
  const manifest = Buffer.from(
    `${JSON.stringify(
      {
        format: MANIFEST_FORMAT,
        workspaceId,
        madeAt: madeAt.toISOString(),
        asked,
        audit: chain,
        evidence: described,
      },
      null,
      1,
    )}\n`,
  );
  return {
    count: evidence.length,
    files,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    manifest,
    manifestSha256: sha256(manifest).toString("hex"),
  };
}

/** Null: its content is not here, or nobody is given it. */
function packedFile(
  { sizeBytes, sha256: hash }: FileProvenance,
  storedFileId: string | undefined,
  path: string,
): PackedFile | null {
  if (storedFileId === undefined || sizeBytes === null || hash === null) return null;
  return { path, storedFileId, sizeBytes, sha256: hash };
}
