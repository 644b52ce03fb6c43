import { recordAudit } from "../audit/index.ts";
import type { Queryable } from "../platform/index.ts";
import { EntryRefused, refusedRemoval, refusedWrite, unknownReference } from "./entry-refusals.ts";
import { entrySql, isLinks, isScalar, type Links, linkSql } from "./entry-sql.ts";
import { type Kind, type KindName, kindNamed } from "./kinds.ts";
import { riskLevel } from "./score.ts";

/** Dates are days, `2026-12-31`; people and other entries go by their ids. */
export type EntryValue = string | number | null | readonly string[];
export type EntryValues = { readonly [field: string]: EntryValue | undefined };

/** What is not given has its default, or is null or empty. */
export interface NewEntry extends EntryValues {
  code: string;
  title: string;
}

type EntryFields = EntryValues & {
  id: string;
  code: string;
  title: string;
  description: string;
  /** One more with every change. */
  version: number;
};

/**
 * An entry with the fields of its kind, each under the name that `KINDS` has for it; a risk with its
 * score and level, which are null until somebody has assessed it.
 */
export type EntryView = EntryFields & { createdAt: string; updatedAt: string };

export interface EntryKey {
  workspaceId: string;
  kind: KindName;
  id: string;
}

/** As it is read; a risk with its score. */
export interface EntryRow {
  id: string;
  createdAt: Date;
  updatedAt: Date;
  [field: string]: EntryValue | Date | undefined;
}

export function entryView(kind: Kind, { createdAt, updatedAt, ...fields }: EntryRow): EntryView {
  const { score } = fields;
  const level = typeof score === "number" ? riskLevel(score) : null;
  return {
    ...(fields as EntryFields),
    ...(kind.name === "risk" ? { level } : {}),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

/** Null when the workspace has no such entry. */
export async function findEntry(
  on: Queryable,
  { workspaceId, kind, id }: EntryKey,
): Promise<EntryView | null> {
  const [row] = await on.query<EntryRow>(entrySql(kind).find, [workspaceId, id]);
  return row === undefined ? null : entryView(kindNamed(kind), row);
}

/**
 * Makes an entry, in the caller's transaction and with its audit entry. Throws `EntryRefused`, and
 * the transaction is lost, for a code that is taken, for what a field names and the workspace does
 * not have, and for fields that do not go together.
 */
export async function createEntry(
  tx: Queryable,
  { workspaceId, kind: name, values }: { workspaceId: string; kind: KindName; values: NewEntry },
): Promise<EntryView> {
  const kind = kindNamed(name);
  const scalars = kind.fields.filter(isScalar).map((field) => {
    const preset = "default" in field ? field.default : undefined;
    return values[field.name] ?? preset ?? null;
  });
  const common = [values.code, values.title, values.description ?? ""];
  return orRefused(kind, async () => {
    const made = await tx.query<{ id: string }>(entrySql(name).insert, [
      workspaceId,
      ...common,
      ...scalars,
    ]);
    const id = made[0]?.id;
    if (id === undefined) throw new Error("an insert without a condition gave no row");
    const key = { workspaceId, kind: name, id };
    await setLinks(tx, key, values);
    const details = { kind: name };
    await recordAudit(tx, { workspaceId, action: "entry.created", subjectId: id, details });
    return written(tx, key);
  });
}

/**
 * Changes what is given, in the caller's transaction and with its audit entry; null empties a field.
 * `version`: only if the entry is still the one that was read. Null when the workspace has no such
 * entry. Throws `EntryRefused` as `createEntry` does, and for a version that is past.
 */
export async function changeEntry(
  tx: Queryable,
  key: EntryKey,
  { version, ...change }: EntryValues & { readonly version?: number },
): Promise<EntryView | null> {
  const { workspaceId, kind: name, id } = key;
  const kind = kindNamed(name);
  const fields = Object.keys(change).filter((field) => change[field] !== undefined);
  return orRefused(kind, async () => {
    if (fields.length > 0) {
      const changed = await tx.query(entrySql(name).change, [
        workspaceId,
        id,
        version ?? null,
        JSON.stringify(change),
      ]);
      if (changed.length > 0) {
        await setLinks(tx, key, change);
        const details = { kind: name, fields };
        await recordAudit(tx, { workspaceId, action: "entry.updated", subjectId: id, details });
        return written(tx, key);
      }
    }
    const entry = await findEntry(tx, key);
    if (entry === null || version === undefined || entry.version === version) return entry;
    const words = `This ${name} was changed meanwhile: it is at version ${entry.version}.`;
    throw new EntryRefused("stale", words, ["version"]);
  });
}

/**
 * Removes an entry with its links, in the caller's transaction and with its audit entry; false when
 * the workspace has no such entry. Throws `EntryRefused` while others stand on it.
 */
export async function removeEntry(
  tx: Queryable,
  { workspaceId, kind: name, id }: EntryKey,
): Promise<boolean> {
  try {
    const removed = await tx.query(entrySql(name).remove, [workspaceId, id]);
    if (removed.length === 0) return false;
  } catch (error) {
    throw refusedRemoval(kindNamed(name), error);
  }
  const details = { kind: name };
  await recordAudit(tx, { workspaceId, action: "entry.removed", subjectId: id, details });
  return true;
}

async function orRefused<Result>(kind: Kind, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw refusedWrite(kind, error);
  }
}

async function written(tx: Queryable, key: EntryKey): Promise<EntryView> {
  const entry = await findEntry(tx, key);
  if (entry === null) throw new Error("an entry that was just written is not there");
  return entry;
}

/** After the entry's own row, whose lock keeps two who change its links apart. */
async function setLinks(
  tx: Queryable,
  { workspaceId, kind, id }: EntryKey,
  values: EntryValues,
): Promise<void> {
  for (const field of kindNamed(kind).fields.filter(isLinks)) {
    const ids = values[field.name];
    if (ids === undefined || ids === null) continue;
    await refuseUnknown(tx, workspaceId, field, ids);
    const sql = linkSql(field);
    await tx.query(sql.remove, [workspaceId, id, ids]);
    await tx.query(sql.add, [workspaceId, id, ids]);
  }
}

async function refuseUnknown(
  tx: Queryable,
  workspaceId: string,
  field: Links,
  ids: EntryValue,
): Promise<void> {
  const unknown = await tx.query<{ n: number }>(linkSql(field).unknown, [workspaceId, ids]);
  if (unknown.length > 0) throw unknownReference(unknown.map(({ n }) => `${field.name}.${n}`));
}
