import { recordAudit } from "../audit/index.ts";
import type { Queryable } from "../platform/index.ts";

/**
 * Kinds of messages that a workspace may take in besides documents and photos; venues and live locations
 * are locations.
 */
export const MORE_KINDS = [
  "video",
  "voice",
  "audio",
  "animation",
  "video_note",
  "location",
  "link",
] as const;

/** What a workspace takes in, and how long it keeps it. */
export interface EvidenceSettings {
  maxBytes: number;
  /** Of `MORE_KINDS`. */
  kinds: string[];
  /** By content, e.g. `application/pdf` or `image/*`; empty: any. Of what we write ourselves: all. */
  contentTypes: string[];
  /** After so many days without a change, and unless it is held; null: kept. */
  keepDays: number | null;
}

/** As the table's columns are where nobody has said anything. */
export const DEFAULT_SETTINGS: EvidenceSettings = {
  maxBytes: 2_147_483_648,
  kinds: [],
  contentTypes: [],
  keepDays: null,
};

const COLUMNS = `max_bytes::float8 AS "maxBytes", kinds, content_types AS "contentTypes",
  keep_days AS "keepDays"`;
const READ = `/* evidence.settings */
SELECT ${COLUMNS} FROM evidence_settings WHERE workspace_id = $1`;

export async function readSettings(on: Queryable, workspaceId: string): Promise<EvidenceSettings> {
  const [row] = await on.query<EvidenceSettings>(READ, [workspaceId]);
  return row ?? DEFAULT_SETTINGS;
}

const MAKE = `/* evidence.make-settings */
INSERT INTO evidence_settings (workspace_id) VALUES ($1) ON CONFLICT DO NOTHING`;
const CHANGE = `/* evidence.change-settings */
UPDATE evidence_settings SET
  max_bytes = coalesce($2::bigint, max_bytes),
  kinds = coalesce($3::text[], kinds),
  content_types = coalesce($4::text[], content_types),
  keep_days = CASE WHEN $5::boolean THEN $6::integer ELSE keep_days END
WHERE workspace_id = $1
RETURNING ${COLUMNS}`;

/** In the caller's transaction, with its entry. What is left out stays. */
export async function changeSettings(
  tx: Queryable,
  workspaceId: string,
  change: Partial<EvidenceSettings>,
): Promise<EvidenceSettings> {
  await tx.query(MAKE, [workspaceId]);
  const [row] = await tx.query<EvidenceSettings>(CHANGE, [
    workspaceId,
    change.maxBytes ?? null,
    change.kinds ?? null,
    change.contentTypes ?? null,
    change.keepDays !== undefined,
    change.keepDays ?? null,
  ]);
  if (row === undefined) throw new Error("a row that was just made is not there");
  const fields = Object.entries(change).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  await recordAudit(tx, { workspaceId, action: "evidence_settings.updated", details: { fields } });
  return row;
}
