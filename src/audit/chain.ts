import { sha256 } from "../platform/index.ts";
import type { AuditValue } from "./actions.ts";

/**
 * The chain: each sealed entry is a line, and the line's hash is the SHA-256 of its canonical JSON
 * (RFC 8785: keys sorted by their UTF-16 units, no spaces, numbers and strings as ECMAScript writes
 * them), which holds every column of the entry, its number in the chain, and the hash of the line
 * before it. `scripts/verify-audit.mjs` does the same with nothing but Node.
 */
export interface AuditEntry {
  /** Null: the installation's own chain. */
  workspaceId: string | null;
  id: string;
  /** UTC, with microseconds: all that the column holds. */
  at: string;
  actorKind: string;
  actorId: string;
  action: string;
  subjectKind: string;
  subjectId: string | null;
  details: Record<string, AuditValue>;
  requestId: string | null;
}

export interface SealedEntry extends AuditEntry {
  /** From 1, without a gap. */
  number: number;
  /** The hash of the line before it, in hex; of the first one, 64 zeros. */
  previous: string;
  hash: string;
}

/** Where a chain ends. */
export interface Head {
  count: number;
  /** Of the last line, in hex. */
  hash: string;
}

export const EMPTY_CHAIN: Head = { count: 0, hash: "0".repeat(64) };

/** RFC 8785, for what JSON can hold; what is undefined is left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`);
    return `{${fields.join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Puts an entry behind the head. */
export function seal(entry: AuditEntry, head: Head): SealedEntry {
  const line = { ...entry, number: head.count + 1, previous: head.hash };
  return { ...line, hash: sha256(canonicalJson(line)).toString("hex") };
}

export const headAt = ({ number, hash }: SealedEntry): Head => ({ count: number, hash });
