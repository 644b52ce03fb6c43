import { Problem } from "../platform/index.ts";

/** A place in a list, opaque to clients: the last id of the page before. */
export function encodeCursor(lastId: string): string {
  return Buffer.from(lastId, "utf8").toString("base64url");
}

/** Throws `Problem` 400 unless the cursor holds an id of the given shape. */
export function decodeCursor(cursor: string | undefined, shape: RegExp): string | undefined {
  if (cursor === undefined) return undefined;
  const id = Buffer.from(cursor, "base64url").toString("utf8");
  if (!shape.test(id) || encodeCursor(id) !== cursor) throw invalidCursor();
  return id;
}

export function invalidCursor(): Problem {
  return new Problem(400, "Invalid request", "The cursor is not one that this list gave out.", {
    errors: [{ path: "cursor", message: "not a cursor of this list" }],
  });
}
