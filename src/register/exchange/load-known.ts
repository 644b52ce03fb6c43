import type { Queryable } from "../../platform/index.ts";
import { type Kind, kindNamed } from "../kinds.ts";
import type { Directory } from "./directory.ts";
import { entriesFieldsOf, withinOf } from "./fields.ts";
import type { KnownEntry } from "./plan-entry.ts";
import type { FileEntry } from "./read-file.ts";
import { batchesOf } from "./slices.ts";
import { statementsFor } from "./statements.ts";

/** In one statement. */
const BATCH = 2_000;

/** Where an entry is found: its code, and the id of the entry that it stands within. */
interface Place {
  code: string;
  /** Undefined: of a kind whose codes mean something by themselves. */
  withinId: string | undefined;
}

const keyOf = ({ code, withinId }: Place) => `${withinId ?? ""} ${code}`;

/** Entries of one kind that are there already. */
export interface KnownEntries {
  of(entry: FileEntry): KnownEntry | undefined;
}

/**
 * Those of the workspace that a file's entries are about. `isHeld`: nobody else changes them until the
 * transaction ends. They are locked in the order of their codes, like those of every other import.
 */
export async function loadKnown(
  on: Queryable,
  workspaceId: string,
  kind: Kind,
  entries: readonly FileEntry[],
  { directory, isHeld }: { directory: Directory; isHeld: boolean },
): Promise<KnownEntries> {
  const placeOf = placesOf(kind, directory);
  const places = entries.flatMap((entry) => placeOf(entry) ?? []);
  places.sort((a, b) => compare(a.code, b.code));
  const statements = statementsFor(kind);
  const withLinks = entriesFieldsOf(kind).filter(({ name }) =>
    entries.some(({ values }) => values[name] !== undefined),
  );
  const known = new Map<string, KnownEntry>();
  for (const batch of batchesOf(places, BATCH)) {
    const codes = batch.map(({ code }) => code);
    const withins = withinOf(kind) === undefined ? [] : [batch.map(({ withinId }) => withinId)];
    const rows = await on.query<Record<string, string | null>>(
      isHeld ? statements.find : statements.look,
      [workspaceId, codes, ...withins],
    );
    const found = rows.map(
      ({ id, ...values }): KnownEntry => ({ id: id ?? "", values, links: {} }),
    );
    for (const { name } of withLinks) {
      const links = await linksOf(on, workspaceId, statements.links.get(name)?.find, found);
      for (const entry of found) entry.links[name] = links.get(entry.id) ?? new Set();
    }
    for (const entry of found) {
      const code = entry.values.code ?? "";
      const withinId = kind.codeWithin === undefined ? undefined : entry.values[kind.codeWithin];
      known.set(keyOf({ code, withinId: withinId ?? undefined }), entry);
    }
  }
  return {
    of: (entry) => {
      const place = placeOf(entry);
      return place === undefined ? undefined : known.get(keyOf(place));
    },
  };
}

/** Undefined: it stands within an entry that nobody knows, so it is not there. */
function placesOf(kind: Kind, directory: Directory): (entry: FileEntry) => Place | undefined {
  const within = withinOf(kind);
  if (within === undefined) {
    return ({ reference: { code } }) => ({ code, withinId: undefined });
  }
  const of = kindNamed(within.of);
  return ({ reference }) => {
    const found = directory.entry(of, reference.within ?? "");
    return "id" in found ? { code: reference.code, withinId: found.id } : undefined;
  };
}

async function linksOf(
  on: Queryable,
  workspaceId: string,
  statement: string | undefined,
  entries: readonly KnownEntry[],
): Promise<Map<string, Set<string>>> {
  if (statement === undefined || entries.length === 0) return new Map();
  const ids = entries.map(({ id }) => id);
  const rows = await on.query<{ id: string; linked: string[] }>(statement, [workspaceId, ids]);
  return new Map(rows.map(({ id, linked }) => [id, new Set(linked)]));
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
