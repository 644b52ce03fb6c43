/** A page of a list; `nextCursor` null: that was the last. */
export interface Page<Item> {
  data: Item[];
  nextCursor: string | null;
}

export interface PageRequest {
  /** 1 to 200. Default 50. */
  limit?: number;
  /** As given by the page before. */
  cursor?: string | null;
}

/** The cursor was not made by this list. */
export class InvalidCursor extends Error {
  override name = "InvalidCursor";
  constructor() {
    super("This cursor was not given by this list. Leave it out to start from the beginning.");
  }
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;
const BIGINT = /^-?(?:0|[1-9]\d{0,18})$/;
const MAX_BIGINT = 2n ** 63n - 1n;

/** True for the decimal form of what Postgres's bigint can hold. */
export function isBigint(text: string): boolean {
  if (!BIGINT.test(text)) return false;
  const value = BigInt(text);
  return value <= MAX_BIGINT && value >= -MAX_BIGINT - 1n;
}

export function limitOf({ limit = DEFAULT_LIMIT }: PageRequest): number {
  return Math.min(Math.max(Math.trunc(limit) || 1, 1), MAX_LIMIT);
}

/**
 * The key after which a page begins; null: from the start. Every list has a name in its cursors, so
 * that one list's cursor is not taken for another's. Throws `InvalidCursor`.
 */
export function keyAfter(list: string, request: PageRequest): string | null {
  return keysAfter(list, request, 1)?.[0] ?? null;
}

/** The same for a list whose place is told by several numbers, in their order. */
export function keysAfter(list: string, { cursor }: PageRequest, count: number): string[] | null {
  if (cursor === undefined || cursor === null) return null;
  const [name, ...keys] = Buffer.from(cursor, "base64url").toString("latin1").split("|");
  const isOurs = name === list && keys.length === count && keys.every(isBigint);
  if (!isOurs || cursorOf(list, keys.join("|")) !== cursor) throw new InvalidCursor();
  return keys;
}

/**
 * Makes a page of rows that were read with one more than `limit`. Of several numbers `keyOf` makes
 * one text, with `|` between them.
 */
export function pageOf<Row, Item>(
  list: string,
  rows: Row[],
  limit: number,
  view: (row: Row) => Item,
  keyOf: (row: Row) => string,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const nextCursor = rows.length > limit && last ? cursorOf(list, keyOf(last)) : null;
  return { data: shown.map(view), nextCursor };
}

function cursorOf(list: string, key: string): string {
  return Buffer.from(`${list}|${key}`, "latin1").toString("base64url");
}
