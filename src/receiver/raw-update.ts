import { isUtf8 } from "node:buffer";
import { holdsPhoneNumbers, removePhoneNumbers } from "./phone-numbers.ts";
import { nestsDeeperThan } from "./route-update.ts";

/** An update as it came but for phone numbers: its number, its fields, and the bytes to keep. */
export interface RawUpdate {
  id: number;
  fields: Record<string, unknown>;
  body: Buffer;
}

/** What came is no update; the message says why, and holds nothing of it. */
export class NotAnUpdate extends Error {
  override name = "NotAnUpdate";
}

const MAX_DEPTH = 200;
/** Bot API: ids fit 52 bits. */
const MAX_UPDATE_ID = 2 ** 52;

/** Reads an update from its JSON text. Throws `NotAnUpdate`. */
export function readUpdate(body: Buffer): RawUpdate {
  if (nestsDeeperThan(body, MAX_DEPTH)) throw new NotAnUpdate("nested too deeply");
  if (!isUtf8(body)) throw new NotAnUpdate("not JSON");
  let fields: unknown;
  try {
    fields = JSON.parse(body.toString("utf8"));
  } catch {
    throw new NotAnUpdate("not JSON");
  }
  const id = updateIdOf(fields);
  if (id === undefined) throw new NotAnUpdate("no update_id");
  const update = { id, fields: fields as Record<string, unknown> };
  if (!holdsPhoneNumbers(body)) return { ...update, body };
  removePhoneNumbers(fields);
  return { ...update, body: Buffer.from(JSON.stringify(fields)) };
}

/**
 * An update that came as a part of a larger answer (Bot API: getUpdates), written out again: what
 * is kept says the same, lone surrogates and NUL included. Throws `NotAnUpdate`.
 */
export function rewriteUpdate(value: unknown): RawUpdate {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // What nests deeper than the stack is high.
    throw new NotAnUpdate("nested too deeply");
  }
  return readUpdate(Buffer.from(text ?? ""));
}

/** The number that Telegram gave an update (Bot API: Update), undefined when it has none. */
export function updateIdOf(update: unknown): number | undefined {
  const id = (update as { update_id?: unknown } | null | undefined)?.update_id;
  return typeof id === "number" && Number.isSafeInteger(id) && id >= 0 && id <= MAX_UPDATE_ID
    ? id
    : undefined;
}
